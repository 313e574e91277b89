package iam

import (
	"context"
	"net/http"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// Profiles are the trusted profiles of the session's account.
var Profiles = object.Kind[client.Profile]{
	Noun: "trusted profile", Verb: "trusted-profile", Prefix: "Profile-",
	Path: "/v1/profiles", Array: "profiles", Pages: client.ByToken,
	Named:  byName,
	Key:    func(p client.Profile) (string, string) { return p.ID, p.Name },
	About:  func(p client.Profile) string { return p.Description },
	Header: []string{"ID", "Name", "Description", "Created At", "Last Updated"},
	Row: func(p client.Profile) []string {
		return []string{p.ID, p.Name, p.Description, p.CreatedAt, p.ModifiedAt}
	},
	Rows: profileRows,
}

// ofProfile are the objects of a profile that lie beneath it at part.
func ofProfile(part string) *object.Owner {
	return &object.Owner{Noun: "trusted profile", Use: "NAME|ID", Path: func(ctx context.Context, s *shell.Session, nameOrID string) (string,
		error) {
		profile, err := Profiles.Find(ctx, s, nameOrID)
		return Profiles.PathOf(profile.Value.ID, part), err
	}}
}

func profileRows(p client.Profile) [][2]string {
	rows := [][2]string{
		{"ID", p.ID},
		{"Name", p.Name},
		{"Description", p.Description},
	}
	if p.Email != "" {
		rows = append(rows, [2]string{"Email", p.Email})
	}
	return append(rows,
		[2]string{"CRN", p.CRN},
		[2]string{"Version", p.EntityTag},
		[2]string{"Created At", p.CreatedAt},
		[2]string{"Last Updated", p.ModifiedAt},
	)
}

func profileVerbs() []shell.Verb {
	var description, email string
	create := shell.Verb{Flags: func(f *pflag.FlagSet) {
		f.StringVarP(&description, "description", "d", "", "description")
		f.StringVarP(&email, "email", "e", "", "e-mail address of the profile")
	}}
	renaming, renamed := object.Renaming([2]string{"email", "new e-mail address"})
	return []shell.Verb{
		profilesVerb(),
		Profiles.Show(),
		Profiles.Create(create, func(_ context.Context, _ *shell.Call, s *shell.Session, name string) (client.Request, error) {
			return client.Request{Body: struct {
				named
				Email string `json:"email,omitempty"`
			}{named{name, s.Account(), description}, email}}, nil
		}),
		Profiles.Update(shell.Verb{Flags: renaming}, http.MethodPut, renamed, nil),
		Profiles.Delete(shell.Verb{}, "", nil),
	}
}

// profilesVerb lists the account's profiles as others list theirs, or those of
// any account that the identity may assume.
func profilesVerb() shell.Verb {
	var canAssume bool
	v := Profiles.List(shell.Verb{Flags: func(f *pflag.FlagSet) {
		f.BoolVar(&canAssume, "can-assume", false, "list the profiles that you may assume, in any account")
	}}, nil)
	v.Anywhere = true
	ofAccount := v.Do
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		if !canAssume {
			if err := c.NeedAccount(); err != nil {
				return err
			}
			return ofAccount(ctx, c, s)
		}
		bare := c.Given("id") || c.Given("uuid")
		object.Progress(c, bare, "Getting all trusted profiles that %s can assume", c.BaseUser())
		_, list, err := assumable(ctx, c)
		if err != nil {
			return err
		}
		k := Profiles
		k.Header = []string{"ID", "Name", "Account ID", "Description"}
		k.Row = func(p client.Profile) []string { return []string{p.ID, p.Name, p.AccountID, p.Description} }
		return k.Print(c, list, object.FilterOf(c), bare)
	}
	return v
}
