package enterprise

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// sort is a kind of template as the identity API serves it.
type sort struct {
	noun, verb, assign      string // "trusted profile", and the stems of the verbs
	templates, assignments  string // paths
	templateList, aliasVerb string
}

var sorts = []sort{
	{"trusted profile", "trusted-profile-template", "trusted-profile-assignment", "/v1/profile_templates", "/v1/profile_assignments", "profile_templates", ""},
	// The alias is the official reference's own spelling.
	{"account settings", "account-settings-template", "account-settings-assignment", "/v1/account_settings_templates", "/v1/account_settings_assignments", "account_settings_templates", "account-settings-assigment"},
}

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

func templateRows(t client.Template) [][2]string {
	return [][2]string{
		{"ID", t.ID}, {"Name", t.Name}, {"Description", t.Description}, {"Version", t.Version.String()}, {"Committed", strconv.FormatBool(t.Committed)},
		{"Entity Tag", t.EntityTag}, {"Created At", t.CreatedAt}, {"Last Updated", t.LastModifiedAt},
	}
}

// list makes a verb that prints templates or versions.
func (k sort) list(use, short string, args cobra.PositionalArgs, path func([]string) string) shell.Verb {
	return shell.Verb{
		Use: use, Short: short, Args: args, Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Getting %s templates under account %s as %s", k.noun, s.Account(), s.User())
			query, array := url.Values{"account_id": {s.Account()}}, k.templateList
			if len(c.Args) > 0 {
				query = nil
			}
			list, err := client.List[client.Template](ctx, s.API, client.ByToken, path(c.Args), array, query)
			if err != nil {
				return err
			}
			return c.Show(list, func() {
				if len(list) == 0 {
					c.Say("No templates found.")
					return
				}
				var rows [][]string
				for _, t := range client.Values(list) {
					rows = append(rows, []string{t.ID, t.Version.String(), t.Name, strconv.FormatBool(t.Committed), t.CreatedAt})
				}
				c.Table([]string{"ID", "Version", "Name", "Committed", "Created At"}, rows)
			})
		},
	}
}

// send makes a verb that sends a template in a file; a PUT has the entity tag of
// the version as its precondition.
func (k sort) send(use, short string, args int, method string, path func([]string) string) shell.Verb {
	var file string
	return shell.Verb{
		Use: use + " --file FILE", Short: short, Args: cobra.ExactArgs(args), Output: true,
		Flags: func(f *pflag.FlagSet) { f.StringVar(&file, "file", "", "JSON `FILE` with the template") },
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			body, err := documentOf(file)
			if err != nil {
				return err
			}
			if _, given := body["account_id"]; !given && args == 0 {
				body["account_id"] = s.Account()
			}
			c.Progress("Storing the %s template under account %s as %s", k.noun, s.Account(), s.User())
			var out client.Object[client.Template]
			if method == http.MethodPost {
				out, err = client.Post[client.Template](ctx, s.API, path(c.Args), nil, body)
			} else {
				var seen client.Object[client.Template]
				if seen, err = client.Get[client.Template](ctx, s.API, path(c.Args)); err == nil {
					out, err = client.Put[client.Template](ctx, s.API, path(c.Args), seen.Value.EntityTag, body)
				}
			}
			if err != nil {
				return err
			}
			return c.Show(out, func() { c.Details(templateRows(out.Value)) })
		},
	}
}

func documentOf(file string) (map[string]any, error) {
	if file == "" {
		return nil, shell.Usagef("give --file")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the template: %w", err)
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, shell.Usagef("%s holds no JSON object: %v", file, err)
	}
	return body, nil
}

func (k sort) templateVerbs() []shell.Verb {
	all := func([]string) string { return k.templates }
	versions := func(a []string) string { return k.templates + client.Path(a[0], "versions") }
	version := func(a []string) string { return k.templates + client.Path(a[0], "versions", a[1]) }
	act := func(use, short, done, method string, path func([]string) string) shell.Verb {
		return shell.Verb{
			Use: use, Short: short, Args: cobra.ExactArgs(2), Force: true,
			Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
				if err := c.Confirm("Really %s version %s of template %s?", map[bool]string{true: "delete", false: "commit"}[method == http.MethodDelete], c.Args[1], c.Args[0]); err != nil {
					return err
				}
				if err := s.API.Call(ctx, client.Request{Method: method, Path: path(c.Args)}, nil); err != nil {
					return err
				}
				c.Done("Version %s of template %s is %s successfully", c.Args[1], c.Args[0], done)
				return nil
			},
		}
	}
	show := shell.Verb{
		Use: k.verb + "-version TEMPLATE_ID VERSION", Aliases: []string{k.verb}, Short: "Show a version of a template; without VERSION the latest", Args: cobra.RangeArgs(1, 2), Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			path := k.templates + client.Path(c.Args[0])
			if len(c.Args) == 2 {
				path = version(c.Args)
			}
			t, err := client.Get[client.Template](ctx, s.API, path)
			if err != nil {
				return err
			}
			return c.Show(t, func() { c.Details(templateRows(t.Value)) })
		},
	}
	return []shell.Verb{
		k.list(k.verb+"s", "List "+k.noun+" templates", nil, all),
		k.list(k.verb+"-versions TEMPLATE_ID", "List the versions of a template", cobra.ExactArgs(1), versions),
		show,
		k.send(k.verb+"-create", "Create a "+k.noun+" template", 0, http.MethodPost, all),
		k.send(k.verb+"-version-create TEMPLATE_ID", "Add a version to a template", 1, http.MethodPost, versions),
		k.send(k.verb+"-version-update TEMPLATE_ID VERSION", "Change a version that is not committed", 2, http.MethodPut, version),
		act(k.verb+"-version-commit TEMPLATE_ID VERSION", "Make a version final, so that it can be assigned", "committed", http.MethodPost, func(a []string) string { return version(a) + "/commit" }),
		act(k.verb+"-version-delete TEMPLATE_ID VERSION", "Delete a version; the last one takes the template with it", "deleted", http.MethodDelete, version),
	}
}

func assignmentRows(a client.Assignment) [][2]string {
	rows := [][2]string{
		{"ID", a.ID}, {"Template", a.TemplateID}, {"Version", a.TemplateVersion.String()}, {"Target Type", a.TargetType}, {"Target", a.Target},
		{"Status", a.Status}, {"Created At", a.CreatedAt}, {"Last Updated", a.LastModifiedAt},
	}
	for _, r := range a.Resources {
		o := r.Profile
		if o == nil {
			o = r.Setting
		}
		if o == nil {
			continue
		}
		text := o.Status + " " + o.Made.ID
		if o.Error != nil {
			text = o.Status + ": " + o.Error.Message
		}
		rows = append(rows, [2]string{"Account " + r.Target, text})
	}
	return rows
}

func (k sort) assignmentVerbs() []shell.Verb {
	alias := func(suffix string) []string {
		if k.aliasVerb == "" {
			return nil
		}
		return []string{k.aliasVerb + suffix}
	}
	one := func(a []string) string { return k.assignments + client.Path(a[0]) }
	list := shell.Verb{
		Use: k.assign + "s", Short: "List the assignments of " + k.noun + " templates", Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Getting %s assignments under account %s as %s", k.noun, s.Account(), s.User())
			all, err := k.assigned(ctx, s)
			if err != nil {
				return err
			}
			return c.Show(all, func() { assignmentTable(c, client.Values(all)) })
		},
	}
	show := shell.Verb{
		Use: k.assign + " ASSIGNMENT_ID", Short: "Show an assignment with what it came to", Args: cobra.ExactArgs(1), Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			a, err := client.Get[client.Assignment](ctx, s.API, one(c.Args))
			if err != nil {
				return err
			}
			return c.Show(a, func() { c.Details(assignmentRows(a.Value)) })
		},
	}
	update := shell.Verb{
		Use: k.assign + "-update ASSIGNMENT_ID VERSION", Aliases: alias("-update"), Short: "Assign another version, or the same again to repair it", Args: cobra.ExactArgs(2), Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			number, err := strconv.Atoi(c.Args[1])
			if err != nil {
				return shell.Usagef("VERSION must be a number, not %q", c.Args[1])
			}
			seen, err := client.Get[client.Assignment](ctx, s.API, one(c.Args))
			if err != nil {
				return err
			}
			var out client.Object[client.Assignment]
			request := client.Request{Method: http.MethodPatch, Path: one(c.Args), Header: http.Header{"If-Match": {seen.Value.EntityTag}}, Body: map[string]int{"template_version": number}}
			if err := s.API.Call(ctx, request, &out); err != nil {
				return err
			}
			return c.Show(out, func() { c.Details(assignmentRows(out.Value)) })
		},
	}
	return []shell.Verb{list, show, k.assignVerb(), update, k.unassignVerb(alias("-delete"))}
}

func (k sort) unassignVerb(aliases []string) shell.Verb {
	return shell.Verb{
		Use: k.assign + "-delete ASSIGNMENT_ID", Aliases: aliases, Short: "Take a template from its accounts", Args: cobra.ExactArgs(1), Force: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := c.Confirm("Really remove assignment %s and what it made in its accounts?", c.Args[0]); err != nil {
				return err
			}
			if err := s.API.Delete(ctx, k.assignments+client.Path(c.Args[0])); err != nil {
				return err
			}
			c.Done("Assignment %s is being removed", c.Args[0])
			return nil
		},
	}
}

// assignVerb takes the target as flags or, as the reference has it for account
// settings, as arguments.
func (k sort) assignVerb() shell.Verb {
	var targetType, target string
	return shell.Verb{
		Use: k.assign + "-create TEMPLATE_ID VERSION [TARGET_TYPE TARGET]", Short: "Assign a template to an account or account group", Args: cobra.RangeArgs(2, 4), Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&targetType, "target-type", "", "Account or AccountGroup")
			f.StringVar(&target, "target", "", "`ID` of the account or account group")
		},
		Values: map[string][]string{"target-type": {"Account", "AccountGroup"}},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if len(c.Args) == 4 {
				targetType, target = c.Args[2], c.Args[3]
			}
			number, err := strconv.Atoi(c.Args[1])
			if err != nil || targetType == "" || target == "" {
				return shell.Usagef("give a version number, --target-type and --target")
			}
			c.Progress("Assigning template %s to %s %s as %s", c.Args[0], targetType, target, s.User())
			body := map[string]any{"template_id": c.Args[0], "template_version": number, "target_type": targetType, "target": target}
			out, err := client.Post[client.Assignment](ctx, s.API, k.assignments, nil, body)
			if err != nil {
				return err
			}
			return c.Show(out, func() { c.Details(assignmentRows(out.Value)) })
		},
	}
}

func (k sort) assigned(ctx context.Context, s *shell.Session) ([]client.Object[client.Assignment], error) {
	return client.List[client.Assignment](ctx, s.API, client.ByToken, k.assignments, "assignments", url.Values{"account_id": {s.Account()}})
}

func assignmentTable(c *shell.Call, list []client.Assignment) {
	if len(list) == 0 {
		c.Say("No assignments found.")
		return
	}
	var rows [][]string
	for _, a := range list {
		rows = append(rows, []string{a.ID, a.TemplateID, a.TemplateVersion.String(), a.TargetType, a.Target, a.Status})
	}
	c.Table([]string{"ID", "Template", "Version", "Target Type", "Target", "Status"}, rows)
}
