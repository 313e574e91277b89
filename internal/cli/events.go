package cli

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// event is what a line shows of an audit record.
type event struct {
	Time      string `json:"eventTime"`
	Action    string `json:"action"`
	Outcome   string `json:"outcome"`
	Initiator struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"initiator"`
	Target struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"target"`
	Seq int64 `json:"seq"`
}

// eventPage is an answer of the events operation.
type eventPage struct {
	Events []client.Object[event] `json:"events"`
	Last   int64                  `json:"last"`
}

// eventWait is how long one call waits for an event. The call ends before the
// client's own timeout of a minute.
const eventWait = 25 * time.Second

func eventsCommand(sh *shell.Shell) *cobra.Command {
	var account string
	var follow bool
	var last int
	return sh.Command(shell.Verb{
		Use:   "events",
		Short: "Show the audit events of an account",
		Long: `Show the audit events of the session's account, oldest first, a line for each:
time, action, outcome, who did it, and what it was done to. With --output json
each line is the whole record in the CADF shape.`,
		Example: "  kagiban events --follow\n  kagiban events --last 1000 --output json",
		Output:  true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&account, "account", "", "show those of another account")
			f.BoolVarP(&follow, "follow", "f", false, "go on with new events until interrupted")
			f.IntVar(&last, "last", 100, "begin with the newest events, at most this many (0 to 1000)")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			if last < 0 || last > 1000 {
				return shell.Usagef("--last must be between 0 and 1000")
			}
			if account == "" {
				account = session.Account()
			}
			return showEvents(ctx, c, session, account, last, follow)
		},
	})
}

func showEvents(ctx context.Context, c *shell.Call, session *shell.Session, account string, last int, follow bool) error {
	query := url.Values{"last": {strconv.Itoa(last)}, "limit": {"1000"}}
	for {
		var page eventPage
		request := client.Request{Method: http.MethodGet, Path: client.Path("kagiban", "v1", "accounts", account, "events"), Query: query}
		if err := session.API.Call(ctx, request, &page); err != nil {
			if ctx.Err() != nil && follow {
				return nil // interrupted, as asked for
			}
			return err
		}
		for _, e := range page.Events {
			if err := showEvent(c, e); err != nil {
				return err
			}
		}
		if !follow && len(page.Events) < 1000 || ctx.Err() != nil {
			return nil
		}
		query = url.Values{"after": {strconv.FormatInt(page.Last, 10)}, "limit": {"1000"}}
		if follow {
			query.Set("wait", eventWait.String())
		}
	}
}

func showEvent(c *shell.Call, e client.Object[event]) error {
	if c.WantsJSON() {
		return c.Terminal.JSONLine(e)
	}
	v := e.Value
	who, what := v.Initiator.Name, v.Target.Name
	if who == "" {
		who = v.Initiator.ID
	}
	if what == "" {
		what = v.Target.ID
	}
	c.Say("%s  %-45s %-8s %s  %s", v.Time, v.Action, v.Outcome, who, what)
	return nil
}
