package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// operatorsOnly says whose rights a verb needs.
const operatorsOnly = "in the account of the installation's operators"

// job is what a line shows of a piece of lasting work.
type job struct {
	Kind    string `json:"kind"`
	Account string `json:"account_id"`
	ID      string `json:"id"`
	State   string `json:"state"`
	Due     string `json:"due_at"`
	Done    int64  `json:"done"`
	Total   int64  `json:"total"`
	Text    string `json:"text"`
	Error   string `json:"error"`
}

// progress tells how far it is, "" when there is nothing to tell.
func (j *job) progress() string {
	switch {
	case j.Error != "":
		return j.Error
	case j.Total > 0:
		return fmt.Sprintf("%d of %d %s", j.Done, j.Total, j.Text)
	}
	return j.Text
}

func jobsCommand(sh *shell.Shell) *cobra.Command {
	var kind, account string
	return sh.Command(shell.Verb{
		Use:   "jobs",
		Short: "Show the lasting work of the server",
		Long: `Show the lasting work of the server and how far it is: assignments of templates,
reports, sweeps. It needs the role Operator on kagiban ` + operatorsOnly + `.`,
		Example: "  kagiban jobs\n  kagiban jobs --kind expired-api-keys --output json",
		Output:  true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&kind, "kind", "", "show work of this kind only")
			f.StringVar(&account, "account", "", "show the work for this account only")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			list, err := listJobs(ctx, session, url.Values{"kind": {kind}, "account_id": {account}, "limit": {"1000"}})
			if err != nil {
				return err
			}
			return c.Show(list, func() {
				var rows [][]string
				for _, j := range list {
					v := j.Value
					rows = append(rows, []string{v.Kind, v.Account, v.ID, v.State, v.Due, v.progress()})
				}
				c.Terminal.Table([]string{"Kind", "Account", "ID", "State", "Due", "Progress"}, rows)
			})
		},
	})
}

// listJobs reads all pages. Work that comes and goes meanwhile may be missed; a
// page token only goes on, so that the reading ends.
func listJobs(ctx context.Context, session *shell.Session, query url.Values) ([]client.Object[job], error) {
	all := []client.Object[job]{}
	for {
		var page struct {
			Jobs []client.Object[job] `json:"jobs"`
			Next string               `json:"next"`
		}
		request := client.Request{Method: http.MethodGet, Path: client.Path("kagiban", "v1", "jobs"), Query: query}
		if err := session.API.Call(ctx, request, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Jobs...); page.Next == "" {
			return all, nil
		}
		query.Set("start", page.Next)
	}
}

func leakedKeyCommand(sh *shell.Shell) *cobra.Command {
	var key string
	return sh.Command(shell.Verb{
		Use:   "leaked-key-report",
		Short: "Tell the server of an API key that was found in public",
		Long: `Tell the server of an API key that was found in public. It does what the key's
owner asked for when the key was made: nothing, disable it, or delete it. It needs
the role Leak Reporter on kagiban ` + operatorsOnly + `.`,
		Example: "  kagiban leaked-key-report --apikey @found.txt",
		Output:  true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&key, "apikey", "", "the `KEY`, or @FILE that holds it; asked for when absent")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) (err error) {
			if key == "" {
				if key, err = c.Secret("API key>"); err != nil {
					return err
				}
			}
			value, err := readKey(key)
			if err != nil {
				return err
			}
			var leak client.Object[struct {
				ID      string `json:"id"`
				Account string `json:"account_id"`
				IAMID   string `json:"iam_id"`
				Action  string `json:"action"`
			}]
			request := client.Request{Method: http.MethodPost, Path: client.Path("kagiban", "v1", "leaked_keys"),
				Body: map[string]string{"apikey": value.Reveal()}}
			if err := session.API.Call(ctx, request, &leak); err != nil {
				return err
			}
			return c.Show(leak, func() {
				v := leak.Value
				done := map[string]string{"none": "is left as it is, as its owner asked for", "disable": "is disabled", "delete": "is deleted"}
				c.Say("API key %s of %s in account %s %s.", v.ID, v.IAMID, v.Account, done[v.Action])
			})
		},
	})
}
