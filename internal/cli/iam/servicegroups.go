package iam

import (
	"context"
	"net/http"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var serviceGroups = object.Kind[client.ServiceIDGroup]{
	Noun: "service ID group", Verb: "service-id-group", Prefix: "ServiceIdGroup-",
	Path: "/v1/serviceid_groups", Array: "serviceid_groups", Pages: client.ByToken,
	Key:    func(g client.ServiceIDGroup) (string, string) { return g.ID, g.Name },
	About:  func(g client.ServiceIDGroup) string { return g.Description },
	Header: []string{"ID", "Name", "Created At", "Last Updated", "Description"},
	Row: func(g client.ServiceIDGroup) []string {
		return []string{g.ID, g.Name, g.CreatedAt, g.ModifiedAt, g.Description}
	},
	Rows: serviceGroupRows,
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
	var description string
	create := shell.Verb{Flags: func(f *pflag.FlagSet) { f.StringVarP(&description, "description", "d", "", "description") }}
	renaming, renamed := object.Renaming()
	k := serviceGroups
	return []shell.Verb{
		k.List(shell.Verb{}, nil),
		k.Show(),
		k.Create(create, func(_ context.Context, _ *shell.Call, s *shell.Session, name string) (client.Request, error) {
			return client.Request{Body: named{name, s.Account(), description}}, nil
		}),
		k.Update(shell.Verb{Flags: renaming}, http.MethodPut, renamed, func(old client.ServiceIDGroup, body map[string]any) {
			if _, given := body["name"]; !given { // the API demands the name
				body["name"] = old.Name
			}
		}),
		k.Delete(shell.Verb{Short: "Delete an empty service ID group"}, "", nil),
	}
}

// named is what every new object of an account has.
type named struct {
	Name        string `json:"name"`
	AccountID   string `json:"account_id"`
	Description string `json:"description,omitempty"`
}
