package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/cli/shell"
)

func newKeys(s *streams) *cobra.Command {
	return shell.Group("keys", "Change the signing keys and the master key of a server", newKeysRotate(s), newKeysRevoke(s), newKeysReseal(s))
}

func newKeysRotate(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Let a new signing key sign from now on",
		Long: `Let a new signing key sign from now on. Tokens of the old key stay valid, and it
stays published as long as they live. A running server follows within seconds.`,
		Args: noArgs,
	}
	settings := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		set, err := settings(s, "database", "issuer", "master_key_file")
		if err != nil {
			return err
		}
		return app.RotateKeys(cmd.Context(), set, newLogger(s.err, set))
	}
	return cmd
}

func newKeysRevoke(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke KEY_ID",
		Short: "Take a signing key out because it became known to others",
		Long:  "Take a signing key out at once: every token that it signed is refused from now on.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("kagiban keys revoke needs the id of one key (kid in GET /identity/keys)")
			}
			return nil
		},
	}
	settings := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		set, err := settings(s, "database", "issuer", "master_key_file")
		if err != nil {
			return err
		}
		if err := app.RevokeKey(cmd.Context(), set, newLogger(s.err, set), args[0]); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Key %s is revoked.\n", args[0])
		return nil
	}
	return cmd
}

func newKeysReseal(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reseal",
		Short: "Seal everything under the current master key",
		Long: `Seal everything that a previous master key seals under the current one, and check
that all of it can be opened. A SQLite file is then written anew, so that nothing
old is left in its free places. When it has ended well the previous master keys
can be dropped. Servers that have both keys may run meanwhile.`,
		Args: noArgs,
	}
	settings := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		set, err := settings(s, "database", "issuer", "master_key_file")
		if err != nil {
			return err
		}
		r, err := app.Reseal(cmd.Context(), set, newLogger(s.err, set))
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%d values and the signing keys are sealed under master key %s, %d of them anew.\n", r.Checked,
			set.MasterKeys[0].ID(), r.Changed)
		return nil
	}
	return cmd
}
