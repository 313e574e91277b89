package iam

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// ServiceIDs are the service IDs of the session's account.
var ServiceIDs = object.Kind[client.ServiceID]{
	Noun: "service ID", Verb: "service-id", Prefix: "ServiceId-",
	Several: "services IDs", Where: "bound to current account", // the plural is the official one
	Path: "/v1/serviceids", Array: "serviceids", Pages: client.ByToken,
	Named:  byName,
	Key:    func(s client.ServiceID) (string, string) { return s.ID, s.Name },
	About:  func(s client.ServiceID) string { return s.Description },
	Header: []string{"ID", "Name", "Created At", "Last Updated", "Description", "Locked"},
	Row: func(s client.ServiceID) []string {
		return []string{s.ID, s.Name, s.CreatedAt, s.ModifiedAt, s.Description, yesNo(s.Locked)}
	},
	Rows: serviceIDRows,
	Facts: func(s client.ServiceID) [][2]string {
		return append(serviceIDRows(s), [2]string{"Created At", s.CreatedAt}, [2]string{"Last Updated", s.ModifiedAt})
	},
}

// byName narrows a list of the identity API.
func byName(query url.Values, name string) { query.Set("name", name) }

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

func serviceIDVerbs() []shell.Verb {
	renaming, renamed := object.Renaming()
	return []shell.Verb{
		serviceIDsVerb(),
		ServiceIDs.Show(),
		serviceIDCreateVerb(),
		ServiceIDs.Update(shell.Verb{Flags: renaming}, http.MethodPut, renamed, nil),
		ServiceIDs.Delete(shell.Verb{}, " and its API keys", nil),
		serviceIDLockVerb("lock", http.MethodPost, "Lock", "Locking", "locked"),
		serviceIDLockVerb("unlock", http.MethodDelete, "Unlock", "Unlocking", "unlocked"),
	}
}

func serviceIDsVerb() shell.Verb {
	var group string
	v := shell.Verb{Flags: func(f *pflag.FlagSet) {
		f.StringVar(&group, "group", "", "name or ID of a service ID group; without it the default group is listed")
	}}
	return ServiceIDs.List(v, func(ctx context.Context, _ *shell.Call, s *shell.Session, query url.Values) error {
		if group == "" {
			return nil
		}
		found, err := serviceGroups.Find(ctx, s, group)
		query.Set("group_id", found.Value.ID)
		return err
	})
}

func serviceIDCreateVerb() shell.Verb {
	var description, group string
	var lock bool
	v := shell.Verb{Flags: func(f *pflag.FlagSet) {
		f.StringVarP(&description, "description", "d", "", "description")
		f.StringVar(&group, "group", "", "name or ID of the service ID group to put it into")
		f.BoolVar(&lock, "lock", false, "lock it against changes at once")
	}}
	return ServiceIDs.Create(v, func(ctx context.Context, _ *shell.Call, s *shell.Session, name string) (client.Request, error) {
		body := struct {
			named
			GroupID string `json:"group_id,omitempty"`
		}{named: named{name, s.Account(), description}}
		if group != "" {
			found, err := serviceGroups.Find(ctx, s, group)
			if err != nil {
				return client.Request{}, err
			}
			body.GroupID = found.Value.ID
		}
		return client.Request{Header: lockHeader(lock), Body: body}, nil
	})
}

// lockHeader asks for an object that is locked from birth.
func lockHeader(lock bool) http.Header {
	if !lock {
		return nil
	}
	return http.Header{"Entity-Lock": {"true"}}
}

func serviceIDLockVerb(verb, method, short, doing, state string) shell.Verb {
	return shell.Verb{
		Use:   "service-id-" + verb + " NAME|ID",
		Short: short + " a service ID",
		Args:  cobra.ExactArgs(1),
		Force: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			c.Progress("%s service ID %s bound to current account as %s", doing, c.Args[0], session.User())
			found, err := ServiceIDs.Find(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if err := session.API.Call(ctx, client.Request{Method: method, Path: ServiceIDs.PathOf(found.Value.ID, "lock")}, nil); err != nil {
				return err
			}
			c.Done("Service ID %s is %s successfully", found.Value.Name, state)
			return nil
		},
	}
}
