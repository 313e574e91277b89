package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/cli/shell"
)

func newAccounts(s *streams) *cobra.Command {
	return shell.Group("accounts", "Help the owner of an account, by way of the server's database", newAccountsUnlock(s))
}

func newAccountsUnlock(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unlock ACCOUNT_ID",
		Short: "Let an owner in again whom the account's own settings keep out",
		Long: `Take away what an account's own settings demand: its allowed_ip_addresses, those of
its owner, its mfa and user_mfa. It needs the server's database and master key, no
login, and is in the audit trail. What templates of the enterprise demand stays. A
server on PostgreSQL follows at once; one on a SQLite file must be started anew.`,
		Example: "  kagiban accounts unlock 2a3d5c… --database /var/lib/kagiban/kagiban.db",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("kagiban accounts unlock needs the id of one account")
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
		still, err := app.Unlock(cmd.Context(), set, newLogger(s.err, set), args[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Account %s demands nothing of addresses and second factors by its own settings any more.\n", args[0])
		if still {
			fmt.Fprintln(s.out, "Templates that its enterprise has assigned still do: change those, or unlock the enterprise's account.")
		}
		return nil
	}
	return cmd
}
