package enterprise

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

func (k *sort) assignmentVerbs() []shell.Verb {
	list, show := k.assignments.List(shell.Verb{}, nil), k.assignments.Show()
	list.Short, show.Short = "List the assignments of "+k.noun+" templates", "Show an assignment with what it came to"
	show.Use = k.assignments.Verb + " ASSIGNMENT_ID"
	return []shell.Verb{list, show, k.assignVerb(), k.reassignVerb(), k.unassignVerb()}
}

// aliases are the other names of a verb.
func (k *sort) aliases(suffix string) []string {
	if k.alias == "" {
		return nil
	}
	return []string{k.alias + suffix}
}

// versionOf reads a version number as the API wants it.
func (k *sort) versionOf(text string) (any, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return nil, shell.Usagef("VERSION must be a number, not %q", text)
	}
	return k.wording.version(n), nil
}

// assignVerb takes the target as flags or, as the reference has it for account
// settings, as arguments.
func (k *sort) assignVerb() shell.Verb {
	var targetType, target string
	return shell.Verb{
		Use: k.assignments.Verb + "-create TEMPLATE VERSION [TARGET_TYPE TARGET]", Short: "Assign a template to an account or account group",
		Aliases: k.aliases("-create"), Args: cobra.RangeArgs(2, 4), Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&targetType, "target-type", "", "Account or AccountGroup")
			f.StringVar(&target, "target", "", "`ID` of the account or account group")
		},
		Values: map[string][]string{"target-type": {"Account", "AccountGroup"}},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if len(c.Args) == 4 {
				targetType, target = c.Args[2], c.Args[3]
			}
			if targetType == "" || target == "" || len(c.Args) == 3 {
				return shell.Usagef("give --target-type and --target")
			}
			version, err := k.versionOf(c.Args[1])
			if err != nil {
				return err
			}
			c.Progress("Assigning template %s to %s %s as %s", c.Args[0], targetType, target, s.User())
			id, err := k.templateID(ctx, s, c.Args[0])
			if err != nil {
				return err
			}
			var answer json.RawMessage
			r := client.Request{Method: http.MethodPost, Path: k.assignments.Path, Query: k.wording.query,
				Body: k.wording.assign(id, version, targetType, target)}
			if err := s.API.Call(ctx, r, &answer); err != nil {
				return err
			}
			out, err := k.wording.answer(answer)
			if err != nil {
				return fmt.Errorf("the server's answer cannot be read: %w", err)
			}
			return c.Show(out, func() { c.Details(assignmentRows(out.Value)) })
		},
	}
}

func (k *sort) reassignVerb() shell.Verb {
	return shell.Verb{
		Use: k.assignments.Verb + "-update ASSIGNMENT_ID VERSION", Aliases: k.aliases("-update"),
		Short: "Assign another version, or the same again to repair it",
		Args:  cobra.ExactArgs(2), Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			version, err := k.versionOf(c.Args[1])
			if err != nil {
				return err
			}
			c.Progress("Updating %s %s to version %s as %s", k.assignments.Noun, c.Args[0], c.Args[1], s.User())
			seen, err := k.assignments.Get(ctx, s, c.Args[0])
			if err != nil {
				return err
			}
			r := client.Request{Method: http.MethodPatch, Path: k.assignments.PathOf(seen.Value.ID), Query: k.wording.query,
				Header: client.IfMatch(seen.Tag), Body: map[string]any{"template_version": version}}
			out, err := client.Send[client.Assignment](ctx, s.API, r)
			if err != nil {
				return err
			}
			return c.Show(out, func() { c.Details(assignmentRows(out.Value)) })
		},
	}
}

func (k *sort) unassignVerb() shell.Verb {
	return shell.Verb{
		Use: k.assignments.Verb + "-delete ASSIGNMENT_ID", Aliases: k.aliases("-delete"), Short: "Take a template from its accounts",
		Args: cobra.ExactArgs(1), Force: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := c.Confirm("Really remove assignment %s and what it made in its accounts?", c.Args[0]); err != nil {
				return err
			}
			c.Progress("Removing %s %s as %s", k.assignments.Noun, c.Args[0], s.User())
			if err := s.API.Call(ctx, client.Request{Method: http.MethodDelete, Path: k.assignments.PathOf(c.Args[0]), Query: k.wording.query},
				nil); err != nil {
				return err
			}
			c.Done("Assignment %s is being removed", c.Args[0])
			return nil
		},
	}
}
