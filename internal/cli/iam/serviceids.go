package iam

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var serviceIDs = kind[client.ServiceID]{
	noun: "service ID", prefix: "ServiceId-", path: "/v1/serviceids", array: "serviceids",
	key: func(s client.ServiceID) (string, string) { return s.ID, s.Name },
}

// findServiceID gets a service ID of the session's account by name or ID.
func findServiceID(ctx context.Context, s *shell.Session, nameOrID string) (client.Object[client.ServiceID], error) {
	query := ofAccount(s)
	query.Set("name", nameOrID)
	return serviceIDs.find(ctx, s, nameOrID, query)
}

func serviceIDPath(s client.ServiceID, more ...string) string {
	return "/v1" + client.Path(append([]string{"serviceids", s.ID}, more...)...)
}

func serviceIDRows(s client.ServiceID) [][2]string {
	return [][2]string{
		{"ID", s.ID},
		{"Name", s.Name},
		{"Description", s.Description},
		{"CRN", s.CRN},
		{"Version", s.EntityTag},
		{"Locked", yesNo(s.Locked)},
	}
}

// serviceIDFacts are serviceIDRows with the times, for a look at an old one.
func serviceIDFacts(s client.ServiceID) [][2]string {
	return append(serviceIDRows(s), [2]string{"Created At", s.CreatedAt}, [2]string{"Last Updated", s.ModifiedAt})
}

func serviceIDVerbs() []shell.Verb {
	return []shell.Verb{
		serviceIDsVerb(), serviceIDVerb(), serviceIDCreateVerb(), serviceIDUpdateVerb(), serviceIDDeleteVerb(),
		serviceIDLockVerb("lock", http.MethodPost, "Lock", "Locking", "locked"),
		serviceIDLockVerb("unlock", http.MethodDelete, "Unlock", "Unlocking", "unlocked"),
	}
}

// bareFlag defines --id and its older name --uuid.
func bareFlag(f *pflag.FlagSet, bare *bool) {
	f.BoolVar(bare, "id", false, "print bare IDs")
	f.BoolVar(bare, "uuid", false, "print bare IDs")
}

func serviceIDsVerb() shell.Verb {
	var match filter
	var bare bool
	var group string
	return shell.Verb{
		Use:    "service-ids",
		Short:  "List service IDs",
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			bareFlag(f, &bare)
			f.StringVar(&group, "group", "", "name or ID of a service ID group; without it the default group is listed")
			match.flags(f)
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			progress(c, bare, "Getting all services IDs bound to current account as %s", session.User()) // the plural is the official one
			query := ofAccount(session)
			if group != "" {
				found, err := findServiceGroup(ctx, session, group)
				if err != nil {
					return err
				}
				query.Set("group_id", found.Value.ID)
			}
			list, err := client.List[client.ServiceID](ctx, session.API, serviceIDs.path, serviceIDs.array, query)
			if err != nil {
				return err
			}
			list = keep(match, list, func(s client.ServiceID) (string, string) { return s.Name, s.Description })
			if bare {
				return idOnly(c, list, func(s client.ServiceID) string { return s.ID })
			}
			header := []string{"ID", "Name", "Created At", "Last Updated", "Description", "Locked"}
			return table(c, "service IDs", header, list, func(s client.ServiceID) []string {
				return []string{s.ID, s.Name, s.CreatedAt, s.ModifiedAt, s.Description, yesNo(s.Locked)}
			})
		},
	}
}

func serviceIDVerb() shell.Verb {
	var bare bool
	return shell.Verb{
		Use:    "service-id NAME|ID",
		Short:  "Show a service ID",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Flags:  func(f *pflag.FlagSet) { bareFlag(f, &bare) },
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			progress(c, bare, "Getting service ID %s bound to current account as %s", c.Args[0], session.User())
			found, err := findServiceID(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if bare {
				return idOnly(c, []client.Object[client.ServiceID]{found}, func(s client.ServiceID) string { return s.ID })
			}
			return details(c, found, serviceIDFacts)
		},
	}
}

func serviceIDCreateVerb() shell.Verb {
	var description, group string
	var lock bool
	return shell.Verb{
		Use:    "service-id-create NAME",
		Short:  "Create a service ID",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVarP(&description, "description", "d", "", "description")
			f.StringVar(&group, "group", "", "name or ID of the service ID group to put it into")
			f.BoolVar(&lock, "lock", false, "lock it against changes at once")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			name := c.Args[0]
			c.Progress("Creating service ID %s bound to current account as %s", name, session.User())
			body := struct {
				Name        string `json:"name"`
				AccountID   string `json:"account_id"`
				Description string `json:"description,omitempty"`
				GroupID     string `json:"group_id,omitempty"`
			}{Name: name, AccountID: session.Account(), Description: description}
			if group != "" {
				found, err := findServiceGroup(ctx, session, group)
				if err != nil {
					return err
				}
				body.GroupID = found.Value.ID
			}
			made, err := client.Post[client.ServiceID](ctx, session.API, serviceIDs.path, lockHeader(lock), body)
			if err != nil {
				return err
			}
			return created(c, made, "Service ID "+name+" is created successfully", serviceIDRows)
		},
	}
}

// lockHeader asks for an object that is locked from birth.
func lockHeader(lock bool) http.Header {
	if !lock {
		return nil
	}
	return http.Header{"Entity-Lock": {"true"}}
}

func serviceIDUpdateVerb() shell.Verb {
	return shell.Verb{
		Use:    "service-id-update NAME|ID",
		Short:  "Change a service ID",
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
			c.Progress("Updating service ID %s bound to current account as %s", c.Args[0], session.User())
			old, err := findServiceID(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			changed, err := client.Put[client.ServiceID](ctx, session.API, serviceIDPath(old.Value), old.Value.EntityTag, body)
			if err != nil {
				return err
			}
			return created(c, changed, "Service ID "+changed.Value.Name+" is updated successfully", serviceIDRows)
		},
	}
}

func serviceIDDeleteVerb() shell.Verb {
	return shell.Verb{
		Use:   "service-id-delete NAME|ID",
		Short: "Delete a service ID and its API keys",
		Args:  cobra.ExactArgs(1),
		Force: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			found, err := findServiceID(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if err := c.Confirm("Really delete service ID %s (%s) and its API keys?", found.Value.Name, found.Value.ID); err != nil {
				return err
			}
			c.Progress("Deleting service ID %s bound to current account as %s", c.Args[0], session.User())
			if err := session.API.Delete(ctx, serviceIDPath(found.Value)); err != nil {
				return err
			}
			done(c, "Service ID %s is deleted successfully", found.Value.Name)
			return nil
		},
	}
}

func serviceIDLockVerb(verb, method, short, doing, state string) shell.Verb {
	return shell.Verb{
		Use:   "service-id-" + verb + " NAME|ID",
		Short: short + " a service ID",
		Args:  cobra.ExactArgs(1),
		Force: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			c.Progress("%s service ID %s bound to current account as %s", doing, c.Args[0], session.User())
			found, err := findServiceID(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if err := session.API.Call(ctx, client.Request{Method: method, Path: serviceIDPath(found.Value, "lock")}, nil); err != nil {
				return err
			}
			done(c, "Service ID %s is %s successfully", found.Value.Name, state)
			return nil
		},
	}
}
