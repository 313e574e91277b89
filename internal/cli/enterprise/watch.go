package enterprise

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/cli/term"
	"github.com/kagiban/kagiban/internal/client"
)

// every is how often a watched assignment is asked about.
const every = 500 * time.Millisecond

// width is the length of a progress bar in characters.
const width = 30

// running is an assignment with the kind that it is of.
type running struct {
	*sort
	client.Assignment
}

func watchVerb() shell.Verb {
	var watch bool
	return shell.Verb{
		Use: "assignments", Short: "List the assignments of all templates; --watch follows those under way", Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.BoolVarP(&watch, "watch", "w", false, "show the progress of those under way until they end")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Getting assignments under account %s as %s", s.Account(), s.User())
			var all []client.Object[client.Assignment]
			var under []running
			for _, k := range sorts {
				list, err := k.assignments.All(ctx, s, nil)
				if err != nil {
					return err
				}
				all = append(all, list...)
				for _, a := range client.Values(list) {
					if a.Running() {
						under = append(under, running{k, a})
					}
				}
			}
			if !watch {
				return object.Table(c, "assignments", assignmentHeader, all, assignmentRow)
			}
			if c.WantsJSON() {
				return shell.Usagef("--watch cannot be combined with --output")
			}
			if len(under) == 0 {
				c.Say("No assignment is under way.")
			}
			for _, r := range under {
				if err := r.follow(ctx, c, s); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// follow shows how far an assignment is until it ends: as a bar that moves on a
// terminal, as a line for each change elsewhere.
func (r *running) follow(ctx context.Context, c *shell.Call, s *shell.Session) error {
	moving := term.IsTerminal(c.Terminal.Out)
	last := ""
	for {
		now, err := r.assignments.Get(ctx, s, r.ID)
		if client.IsNotFound(err) {
			end(c, moving, r.ID+" is removed")
			return nil
		}
		if err != nil {
			return err
		}
		a := now.Value
		if !a.Running() {
			end(c, moving, fmt.Sprintf("%s %s in %d accounts", a.ID, a.Status, len(a.Outcomes)))
			return nil
		}
		line := a.ID + " " + a.Status
		if p := a.Progress; p != nil {
			line = fmt.Sprintf("%s %s %d/%d accounts", a.ID, bar(p.Settled, p.Accounts), p.Settled, p.Accounts)
		}
		if line != last {
			show(c, moving, line)
			last = line
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// show prints a state that may be replaced by the next.
func show(c *shell.Call, moving bool, line string) {
	if moving {
		fmt.Fprint(c.Terminal.Out, "\r\x1b[K"+term.Clean(line))
		return
	}
	c.Say("%s", line)
}

// end prints the last state.
func end(c *shell.Call, moving bool, line string) {
	if moving {
		fmt.Fprint(c.Terminal.Out, "\r\x1b[K")
	}
	c.Say("%s", line)
}

// bar draws how much is done.
func bar(done, all int) string {
	full := 0
	if all > 0 {
		full = min(width, done*width/all)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}
