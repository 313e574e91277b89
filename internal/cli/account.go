package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// accountCommand is "kagiban account".
func accountCommand(sh *shell.Shell) *cobra.Command {
	return shell.Group("account", "Look at the targeted account", sh.Command(shell.Verb{
		Use:    "show",
		Short:  "Show the targeted account",
		Output: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			found, err := client.Get[client.Account](ctx, session.API, "/v4"+client.Path("accounts", session.Account()))
			if err != nil {
				return err
			}
			a := found.Value
			c.Progress("Retrieving account %s of %s", a.Name, a.Owner)
			return c.Show(accountJSON{a.ID, a.Name, a.Owner, a.Status, a.Classic}, func() {
				c.Details([][2]string{
					{"Account Name:", a.Name},
					{"Account ID:", a.ID},
					{"Currently Targeted Account:", "true"},
					{"Linked Softlayer Account:", a.Classic},
				})
			})
		},
	}))
}

// accountJSON has the names that scripts read, which are not the API's.
type accountJSON struct {
	ID      string `json:"account_id"`
	Name    string `json:"name"`
	Owner   string `json:"owner"`
	State   string `json:"state"`
	Classic string `json:"linked_softlayer_account,omitempty"`
}
