package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
)

func newBackup(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the database into a new file while the server runs",
		Long: `Copy the configured SQLite database, as it is at one moment, into a new file. The
server may run and write meanwhile. To restore it, put the file where "database"
points and start the server with the same master key. PostgreSQL has tools of
its own for this.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("kagiban backup needs the name of one new file")
			}
			return nil
		},
	}
	settings := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		set, err := settings(s, "database")
		if err != nil {
			return err
		}
		if err := app.Backup(cmd.Context(), set, args[0]); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "The database is copied to %s. It is of no use without the master key.\n", args[0])
		return nil
	}
	return cmd
}
