package iam

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var serviceGroups = kind[client.ServiceIDGroup]{
	noun: "service ID group", prefix: "ServiceIdGroup-", path: "/v1/serviceid_groups", array: "serviceid_groups",
	key: func(g client.ServiceIDGroup) (string, string) { return g.ID, g.Name },
}

func findServiceGroup(ctx context.Context, s *shell.Session, nameOrID string) (client.Object[client.ServiceIDGroup], error) {
	return serviceGroups.find(ctx, s, nameOrID, ofAccount(s))
}

func serviceGroupPath(g client.ServiceIDGroup) string {
	return serviceGroups.path + client.Path(g.ID)
}

func serviceGroupRows(g client.ServiceIDGroup) [][2]string {
	return [][2]string{
		{"ID", g.ID},
		{"Name", g.Name},
		{"Description", g.Description},
		{"CRN", g.CRN},
		{"Version", g.EntityTag},
		{"Created At", g.CreatedAt},
		{"Last Updated", g.ModifiedAt},
	}
}

func serviceGroupVerbs() []shell.Verb {
	return []shell.Verb{
		serviceGroupsVerb(), serviceGroupVerb(), serviceGroupCreateVerb(), serviceGroupUpdateVerb(), serviceGroupDeleteVerb(),
	}
}

func serviceGroupsVerb() shell.Verb {
	var match filter
	var bare bool
	return shell.Verb{
		Use:    "service-id-groups",
		Short:  "List service ID groups",
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			bareFlag(f, &bare)
			match.flags(f)
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			progress(c, bare, "Getting all service ID groups under current account as %s", session.User())
			list, err := client.List[client.ServiceIDGroup](ctx, session.API, serviceGroups.path, serviceGroups.array, ofAccount(session))
			if err != nil {
				return err
			}
			list = keep(match, list, func(g client.ServiceIDGroup) (string, string) { return g.Name, g.Description })
			if bare {
				return idOnly(c, list, func(g client.ServiceIDGroup) string { return g.ID })
			}
			header := []string{"ID", "Name", "Created At", "Last Updated", "Description"}
			return table(c, "service ID groups", header, list, func(g client.ServiceIDGroup) []string {
				return []string{g.ID, g.Name, g.CreatedAt, g.ModifiedAt, g.Description}
			})
		},
	}
}

func serviceGroupVerb() shell.Verb {
	var bare bool
	return shell.Verb{
		Use:    "service-id-group NAME|ID",
		Short:  "Show a service ID group",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Flags:  func(f *pflag.FlagSet) { bareFlag(f, &bare) },
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			progress(c, bare, "Getting service ID group %s under current account as %s", c.Args[0], session.User())
			found, err := findServiceGroup(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if bare {
				return idOnly(c, []client.Object[client.ServiceIDGroup]{found}, func(g client.ServiceIDGroup) string { return g.ID })
			}
			return details(c, found, serviceGroupRows)
		},
	}
}

func serviceGroupCreateVerb() shell.Verb {
	var description string
	return shell.Verb{
		Use:    "service-id-group-create NAME",
		Short:  "Create a service ID group",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Flags:  func(f *pflag.FlagSet) { f.StringVarP(&description, "description", "d", "", "description") },
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			name := c.Args[0]
			c.Progress("Creating service ID group %s under current account as %s", name, session.User())
			made, err := client.Post[client.ServiceIDGroup](ctx, session.API, serviceGroups.path, nil, struct {
				Name        string `json:"name"`
				AccountID   string `json:"account_id"`
				Description string `json:"description,omitempty"`
			}{name, session.Account(), description})
			if err != nil {
				return err
			}
			return created(c, made, "Service ID group "+name+" is created successfully", serviceGroupRows)
		},
	}
}

func serviceGroupUpdateVerb() shell.Verb {
	return shell.Verb{
		Use:    "service-id-group-update NAME|ID",
		Short:  "Change a service ID group",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Force:  true,
		Flags: func(f *pflag.FlagSet) {
			f.StringP("name", "n", "", "new name")
			f.StringP("description", "d", "", "new description")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			body, err := changes(c, map[string]string{"name": "name", "description": "description"})
			if err != nil {
				return err
			}
			c.Progress("Updating service ID group %s under current account as %s", c.Args[0], session.User())
			old, err := findServiceGroup(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if _, given := body["name"]; !given { // the API demands the name
				body["name"] = old.Value.Name
			}
			changed, err := client.Put[client.ServiceIDGroup](ctx, session.API, serviceGroupPath(old.Value), old.Value.EntityTag, body)
			if err != nil {
				return err
			}
			return created(c, changed, "Service ID group "+changed.Value.Name+" is updated successfully", serviceGroupRows)
		},
	}
}

func serviceGroupDeleteVerb() shell.Verb {
	return shell.Verb{
		Use:   "service-id-group-delete NAME|ID",
		Short: "Delete an empty service ID group",
		Args:  cobra.ExactArgs(1),
		Force: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			found, err := findServiceGroup(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if err := c.Confirm("Really delete service ID group %s (%s)?", found.Value.Name, found.Value.ID); err != nil {
				return err
			}
			c.Progress("Deleting service ID group %s under current account as %s", c.Args[0], session.User())
			if err := session.API.Delete(ctx, serviceGroupPath(found.Value)); err != nil {
				return err
			}
			done(c, "Service ID group %s is deleted successfully", found.Value.Name)
			return nil
		},
	}
}
