package access

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// customRoles are the roles that an account made for itself.
var customRoles = object.Kind[client.Role]{
	Noun: "role", Verb: "role", Path: "/v2/roles", Array: "custom_roles", Pages: client.Whole,
	Key:    func(r client.Role) (string, string) { return r.ID, r.Name },
	About:  func(r client.Role) string { return r.Description },
	Header: roleHeader,
	Row:    func(r client.Role) []string { return roleRow("custom", r) },
	Rows: func(r client.Role) [][2]string {
		return [][2]string{
			{"ID", r.ID}, {"Name", r.Name}, {"Display Name", r.DisplayName}, {"Description", r.Description}, {"Service Name", r.Service},
			{"CRN", r.CRN}, {"Actions", strings.Join(r.Actions, "\n")}, {"Created At", r.CreatedAt},
		}
	},
}

var roleHeader = []string{"Name", "Display Name", "Type", "Service", "Description"}

func roleRow(kind string, r client.Role) []string {
	return []string{r.ShortName(), r.DisplayName, kind, r.Service, r.Description}
}

// readRoles asks for the roles that fit.
func readRoles(ctx context.Context, s *shell.Session, query url.Values) (client.Roles, error) {
	var roles client.Roles
	err := s.API.Call(ctx, client.Request{Method: http.MethodGet, Path: customRoles.Path, Query: query}, &roles)
	return roles, err
}

// roleIDs gives the CRNs of roles that a user named: by display name or name,
// in any case, or by CRN.
func roleIDs(ctx context.Context, s *shell.Session, wanted []string, query url.Values) ([]client.PolicyRole, error) {
	roles, err := readRoles(ctx, s, query)
	if err != nil {
		return nil, err
	}
	all := client.Values(slices.Concat(roles.Custom, roles.Service, roles.System))
	out := make([]client.PolicyRole, len(wanted))
	for i, name := range wanted {
		name = strings.TrimSpace(name)
		if strings.HasPrefix(name, "crn:") {
			out[i] = client.PolicyRole{ID: name}
			continue
		}
		role, err := named(name, all)
		if err != nil {
			return nil, err
		}
		out[i] = client.PolicyRole{ID: role.CRN, DisplayName: role.DisplayName}
	}
	return out, nil
}

// named finds the one role of a name.
func named(name string, all []client.Role) (client.Role, error) {
	var found []client.Role
	for _, r := range all {
		if strings.EqualFold(r.DisplayName, name) || strings.EqualFold(r.ShortName(), name) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return client.Role{}, noRole(name, all)
	case 1:
		return found[0], nil
	}
	var crns []string
	for _, r := range found {
		crns = append(crns, r.CRN)
	}
	return client.Role{}, shell.Problemf("There are several roles %s. Give the CRN of one: %s.", name, strings.Join(crns, ", "))
}

func noRole(name string, all []client.Role) error {
	var names []string
	for _, r := range all {
		names = append(names, r.DisplayName)
	}
	slices.Sort(names)
	return shell.Problemf("Role %s does not exist there. The roles are: %s.", name, strings.Join(slices.Compact(names), ", "))
}

func roleVerbs() []shell.Verb {
	remove := customRoles.Delete(shell.Verb{}, "", nil)
	show := customRoles.Show()
	remove.Short, show.Short = "Delete a custom role; policies lose it", "Show a custom role"
	return []shell.Verb{rolesVerb(), show, roleCreateVerb(), roleUpdateVerb(), remove}
}

func rolesVerb() shell.Verb {
	var service, source string
	var wanted []string
	return shell.Verb{
		Use: "roles", Short: "List the roles that policies can give", Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&service, "service", "", "list the roles of this service too")
			f.StringVar(&source, "source-service", "", "list the roles that an authorization can give this service")
			f.StringSliceVar(&wanted, "roles", nil, "`NAMES` of the roles to list, separated by commas")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Getting roles under current account as %s", s.User())
			query := object.OfAccount(s)
			if service != "" {
				query.Set("service_name", service)
			}
			if source != "" {
				query.Set("source_service_name", source)
				query.Set("policy_type", "authorization")
			}
			roles, err := readRoles(ctx, s, query)
			if err != nil {
				return err
			}
			all := []client.Object[client.Role]{}
			var rows [][]string
			for _, part := range []struct {
				kind string
				list []client.Object[client.Role]
			}{{"platform", roles.System}, {"service", roles.Service}, {"custom", roles.Custom}} {
				for _, r := range part.list {
					if len(wanted) == 0 || slices.Contains(wanted, r.Value.DisplayName) || slices.Contains(wanted, r.Value.ShortName()) {
						all = append(all, r)
						rows = append(rows, roleRow(part.kind, r.Value))
					}
				}
			}
			return c.Show(all, func() {
				if len(rows) == 0 {
					c.Say("No roles found.")
					return
				}
				c.Table(roleHeader, rows)
			})
		},
	}
}

// roleFlags are those of the verbs that write a role.
type roleFlags struct {
	display, service, description string
	actions                       []string
}

func (r *roleFlags) define(f *pflag.FlagSet) {
	f.StringVar(&r.display, "display-name", "", "name that people see")
	f.StringSliceVarP(&r.actions, "actions", "a", nil, "`ACTIONS` of the role, separated by commas: kms.secrets.list")
	f.StringVarP(&r.description, "description", "d", "", "description")
}

func roleCreateVerb() shell.Verb {
	var r roleFlags
	v := shell.Verb{
		Example: `  kagiban iam role-create KeyLister --display-name "Key Lister" --service-name kms --actions kms.secrets.list`,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&r.service, "service-name", "", "service that the role is for")
			r.define(f)
		},
	}
	return customRoles.Create(v, func(_ context.Context, _ *shell.Call, s *shell.Session, name string) (client.Request, error) {
		if r.display == "" || r.service == "" || len(r.actions) == 0 {
			return client.Request{}, shell.Usagef("--display-name, --service-name and --actions are required")
		}
		body := map[string]any{"name": name, "account_id": s.Account(), "service_name": r.service, "display_name": r.display,
			"actions": r.actions}
		if r.description != "" {
			body["description"] = r.description
		}
		return client.Request{Body: body}, nil
	})
}

func roleUpdateVerb() shell.Verb {
	var r roleFlags
	change := func(c *shell.Call) (map[string]any, error) {
		body := map[string]any{}
		for flag, value := range map[string]any{"display-name": r.display, "description": r.description, "actions": r.actions} {
			if c.Given(flag) {
				body[strings.ReplaceAll(flag, "-", "_")] = value
			}
		}
		if len(body) == 0 {
			return nil, shell.Usagef("nothing to change: give --display-name, --description or --actions")
		}
		return body, nil
	}
	return customRoles.Update(shell.Verb{Flags: r.define}, http.MethodPut, change, func(old client.Role, body map[string]any) {
		object.Complete(body, map[string]any{"display_name": old.DisplayName, "description": old.Description, "actions": old.Actions})
	})
}
