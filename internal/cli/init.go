package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/secret"
)

// initFlags are the flags of `kagiban init` beside the settings.
type initFlags struct {
	keyFile, email, name, account, output string
}

func newInit(s *streams) *cobra.Command {
	f := &initFlags{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the first account, its owner and the owner's API key",
		Long: `Make the first account of an installation, its owner and the owner's API key,
which is shown once. An installation that has an account is left alone.

With --generate-master-key alone, make a file with a new master key and stop.
Keep a copy of that file in a safe place: without it the database is useless.`,
		Example: `  kagiban init --generate-master-key /etc/kagiban/master.key
  kagiban init --config /etc/kagiban/config.yaml --email owner@example.com --account-name Example`,
		Args: noArgs,
	}
	cmd.Flags().StringVar(&f.keyFile, "generate-master-key", "", "make this file with a new master key")
	cmd.Flags().StringVar(&f.email, "email", "", "e-mail address of the owner")
	cmd.Flags().StringVar(&f.name, "name", "", "name of the owner (default: the e-mail address)")
	cmd.Flags().StringVar(&f.account, "account-name", "", "name of the account (default: the owner's name)")
	cmd.Flags().StringVar(&f.output, "output", "text", "text or json")
	settings := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s, settings) }
	return cmd
}

func (f *initFlags) run(ctx context.Context, s *streams, settings func(*streams, ...string) (*config.Settings, error)) error {
	if f.output != "text" && f.output != "json" {
		return usagef("--output must be text or json")
	}
	if f.keyFile != "" && f.email == "" {
		return f.makeKey(s)
	}
	if f.email == "" {
		return usagef("--email is missing: whose account shall it be?")
	}
	required := []string{"database"}
	if f.keyFile == "" {
		required = append(required, "master_key_file")
	}
	set, err := settings(s, required...)
	if err != nil {
		return err
	}
	if f.keyFile != "" {
		if len(set.MasterKeys) > 0 {
			return usagef("--generate-master-key and a configured master key: only one of them can be used")
		}
		key, err := writeMasterKey(f.keyFile)
		if err != nil {
			return err
		}
		set.MasterKeys = []secret.MasterKey{key}
	}
	first, err := app.Init(ctx, set, app.Founder{Email: f.email, Name: f.name, Account: f.account})
	if err != nil {
		return err
	}
	return f.show(s, first)
}

func (f *initFlags) makeKey(s *streams) error {
	key, err := writeMasterKey(f.keyFile)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, `Master key %s is in %s.
Keep a copy in a safe place: without it the database is useless.
Tell the server with master_key_file: %s
`, key.ID(), f.keyFile, f.keyFile)
	return nil
}

// show prints what init made. It is the only time that the key is shown.
func (f *initFlags) show(s *streams, first *app.First) error {
	if f.output == "json" {
		enc := json.NewEncoder(s.out)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]string{
			"account_id": first.Account, "iam_id": first.IAMID, "email": first.Email,
			"apikey_id": first.KeyID, "apikey": first.Key.Reveal(),
		})
	}
	fmt.Fprintf(s.out, `The first account is there.

  Account   %s
  Owner     %s (%s)
  API key   %s

The key is shown this once and is stored nowhere: keep it now.
`, first.Account, first.Email, first.IAMID, first.Key.Reveal())
	return nil
}
