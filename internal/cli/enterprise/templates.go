package enterprise

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// AddTemplateVerbs gives "kagiban iam" the verbs on templates and assignments.
func AddTemplateVerbs(s *shell.Shell, iam *cobra.Command) {
	for _, k := range sorts {
		title := "Templates of " + k.noun
		iam.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
		for _, v := range append(k.templateVerbs(), k.assignmentVerbs()...) {
			cmd := s.Command(v)
			cmd.GroupID = title
			iam.AddCommand(cmd)
		}
	}
}

func templateRows(t client.Object[client.Template]) [][2]string {
	v := t.Value
	return [][2]string{
		{"ID", v.ID}, {"Name", v.Name}, {"Description", v.Description}, {"Version", v.Version.String()},
		{"Committed", strconv.FormatBool(v.Committed)},
		{"Entity Tag", t.Tag}, {"Created At", v.CreatedAt}, {"Last Updated", v.LastModifiedAt},
	}
}

// templateID gives the ID of the template that an argument names.
func (k *sort) templateID(ctx context.Context, s *shell.Session, nameOrID string) (string, error) {
	if strings.HasPrefix(nameOrID, k.templates.Prefix) {
		return nameOrID, nil
	}
	found, err := k.templates.Find(ctx, s, nameOrID)
	return found.Value.ID, err
}

// path is that of the versions of the template which the first argument names,
// and of the version which the second names if there is one.
func (k *sort) path(ctx context.Context, c *shell.Call, s *shell.Session) (string, error) {
	id, err := k.templateID(ctx, s, c.Args[0])
	return k.templates.PathOf(id, append([]string{"versions"}, c.Args[1:]...)...), err
}

func (k *sort) templateVerbs() []shell.Verb {
	list := k.templates.List(shell.Verb{}, nil)
	return []shell.Verb{
		list,
		k.versionsVerb(),
		k.showVerb(),
		k.send("-create", "Create "+object.A(k.noun)+" template", "", http.MethodPost),
		k.send("-version-create", "Add a version to a template", "TEMPLATE", http.MethodPost),
		k.send("-version-update", "Change a version that is not committed", "TEMPLATE VERSION", http.MethodPut),
		k.act("commit", "committed", "Make a version final, so that it can be assigned"),
		k.act("delete", "deleted", "Delete a version; the last one takes the template with it"),
	}
}

func (k *sort) versionsVerb() shell.Verb {
	return shell.Verb{
		Use: k.templates.Verb + "-versions TEMPLATE", Short: "List the versions of a template", Args: cobra.ExactArgs(1), Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Getting versions of %s template %s under current account as %s", k.noun, c.Args[0], s.User())
			path, err := k.path(ctx, c, s)
			if err != nil {
				return err
			}
			list, err := client.List[client.Template](ctx, s.API, k.templates.Pages, path, k.versions, nil)
			if err != nil {
				return err
			}
			return object.Table(c, "versions", k.templates.Header, list, k.templates.Row)
		},
	}
}

func (k *sort) showVerb() shell.Verb {
	return shell.Verb{
		Use: k.templates.Verb + "-version TEMPLATE [VERSION]", Aliases: []string{k.templates.Verb},
		Short: "Show a version of a template; without VERSION the latest",
		Args:  cobra.RangeArgs(1, 2), Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Getting %s template %s under current account as %s", k.noun, strings.Join(c.Args, " version "), s.User())
			path, err := k.path(ctx, c, s)
			if err != nil {
				return err
			}
			t, err := client.Get[client.Template](ctx, s.API, strings.TrimSuffix(path, "/versions"))
			if err != nil {
				return err
			}
			return c.Show(t, func() { c.Details(templateRows(t)) })
		},
	}
}

// send makes a verb that sends a template in a file; a PUT has the entity tag of
// the version as its precondition.
func (k *sort) send(suffix, short, args, method string) shell.Verb {
	var file string
	use := strings.TrimSpace(k.templates.Verb + suffix + " " + args)
	return shell.Verb{
		Use: use + " --file FILE", Short: short, Args: cobra.ExactArgs(len(strings.Fields(args))), Output: true,
		Flags: func(f *pflag.FlagSet) { f.StringVar(&file, "file", "", "JSON `FILE` with the template") },
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			body, err := documentOf(file)
			if err != nil {
				return err
			}
			c.Progress("Storing the %s template under current account as %s", k.noun, s.User())
			r := client.Request{Method: method, Path: k.templates.Path, Body: body}
			if args == "" {
				if _, given := body["account_id"]; !given {
					body["account_id"] = s.Account()
				}
			} else if r.Path, err = k.path(ctx, c, s); err != nil {
				return err
			}
			if method == http.MethodPut {
				seen, err := client.Get[client.Template](ctx, s.API, r.Path)
				if err != nil {
					return err
				}
				r.Header = client.IfMatch(seen.Tag)
			}
			out, err := client.Send[client.Template](ctx, s.API, r)
			if err != nil {
				return err
			}
			return c.Show(out, func() { c.Details(templateRows(out)) })
		},
	}
}

func documentOf(file string) (map[string]any, error) {
	if file == "" {
		return nil, shell.Usagef("give --file")
	}
	raw, err := os.ReadFile(strings.TrimPrefix(file, "@"))
	if err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil || body == nil {
		return nil, shell.Usagef("%s holds no JSON object", file)
	}
	return body, nil
}

// act makes the verb that commits or deletes a version. A commit names the
// version that was seen: one family demands it, the others take it.
func (k *sort) act(verb, done, short string) shell.Verb {
	return shell.Verb{
		Use: k.templates.Verb + "-version-" + verb + " TEMPLATE VERSION", Short: short, Args: cobra.ExactArgs(2), Force: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := c.Confirm("Really %s version %s of template %s?", verb, c.Args[1], c.Args[0]); err != nil {
				return err
			}
			path, err := k.path(ctx, c, s)
			if err != nil {
				return err
			}
			r := client.Request{Method: http.MethodDelete, Path: path}
			if verb == "commit" {
				seen, err := client.Get[client.Template](ctx, s.API, path)
				if err != nil {
					return err
				}
				r.Method, r.Path, r.Header = http.MethodPost, path+"/commit", client.IfMatch(seen.Tag)
			}
			if err := s.API.Call(ctx, r, nil); err != nil {
				return err
			}
			c.Done("Version %s of template %s is %s successfully", c.Args[1], c.Args[0], done)
			return nil
		},
	}
}
