package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
)

func newMigrate(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema up to date",
		Long: `Bring the schema of the configured database up to date, and make it in an empty
one. Run it before the new version of the server starts; the old one can go on
meanwhile.`,
		Args: noArgs,
	}
	settings := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		set, err := settings(s, "database")
		if err != nil {
			return err
		}
		if err := app.Migrate(cmd.Context(), set); err != nil {
			return err
		}
		fmt.Fprintln(s.out, "The database's schema is up to date.")
		return nil
	}
	return cmd
}
