package iam

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var profiles = kind[client.Profile]{
	noun: "trusted profile", prefix: "Profile-", path: "/v1/profiles", array: "profiles",
	key: func(p client.Profile) (string, string) { return p.ID, p.Name },
}

// findProfile gets a profile of the session's account by name or ID.
func findProfile(ctx context.Context, s *shell.Session, nameOrID string) (client.Object[client.Profile], error) {
	query := ofAccount(s)
	query.Set("name", nameOrID)
	return profiles.find(ctx, s, nameOrID, query)
}

func profilePath(p client.Profile, more ...string) string {
	return "/v1" + client.Path(append([]string{"profiles", p.ID}, more...)...)
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
	return []shell.Verb{profilesVerb(), profileVerb(), profileCreateVerb(), profileUpdateVerb(), profileDeleteVerb()}
}

func profilesVerb() shell.Verb {
	var match filter
	var canAssume, bare bool
	return shell.Verb{
		Use:      "trusted-profiles",
		Short:    "List trusted profiles",
		Output:   true,
		Anywhere: true,
		Flags: func(f *pflag.FlagSet) {
			f.BoolVar(&canAssume, "can-assume", false, "list the profiles that you may assume, in any account")
			f.BoolVar(&bare, "id", false, "print bare IDs")
			match.flags(f)
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			var list []client.Object[client.Profile]
			var err error
			switch {
			case canAssume:
				progress(c, bare, "Getting all trusted profiles that %s can assume", c.BaseUser())
				_, list, err = assumable(ctx, c)
			default:
				if err := c.NeedAccount(); err != nil {
					return err
				}
				progress(c, bare, "Getting all trusted profiles under current account as %s", session.User())
				list, err = client.List[client.Profile](ctx, session.API, profiles.path, profiles.array, ofAccount(session))
			}
			if err != nil {
				return err
			}
			list = keep(match, list, func(p client.Profile) (string, string) { return p.Name, p.Description })
			if bare {
				return idOnly(c, list, func(p client.Profile) string { return p.ID })
			}
			if canAssume {
				return table(c, "trusted profiles", []string{"ID", "Name", "Account ID", "Description"}, list, func(p client.Profile) []string {
					return []string{p.ID, p.Name, p.AccountID, p.Description}
				})
			}
			return table(c, "trusted profiles", []string{"ID", "Name", "Description", "Created At", "Last Updated"}, list, func(p client.Profile) []string {
				return []string{p.ID, p.Name, p.Description, p.CreatedAt, p.ModifiedAt}
			})
		},
	}
}

// progress announces, unless only bare ids will be printed.
func progress(c *shell.Call, bare bool, format string, args ...any) {
	if !bare {
		c.Progress(format, args...)
	}
}

func profileVerb() shell.Verb {
	var bare bool
	return shell.Verb{
		Use:    "trusted-profile NAME|ID",
		Short:  "Show a trusted profile",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Flags:  func(f *pflag.FlagSet) { f.BoolVar(&bare, "id", false, "print the bare ID") },
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			progress(c, bare, "Getting trusted profile %s under current account as %s", c.Args[0], session.User())
			profile, err := findProfile(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if bare {
				return idOnly(c, []client.Object[client.Profile]{profile}, func(p client.Profile) string { return p.ID })
			}
			return details(c, profile, profileRows)
		},
	}
}

func profileCreateVerb() shell.Verb {
	var description, email string
	return shell.Verb{
		Use:    "trusted-profile-create NAME",
		Short:  "Create a trusted profile",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVarP(&description, "description", "d", "", "description")
			f.StringVarP(&email, "email", "e", "", "e-mail address of the profile")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			name := c.Args[0]
			c.Progress("Creating trusted profile %s under current account as %s", name, session.User())
			profile, err := client.Post[client.Profile](ctx, session.API, profiles.path, nil, struct {
				Name        string `json:"name"`
				AccountID   string `json:"account_id"`
				Description string `json:"description,omitempty"`
				Email       string `json:"email,omitempty"`
			}{name, session.Account(), description, email})
			if err != nil {
				return err
			}
			return created(c, profile, "Trusted profile "+name+" is created successfully", profileRows)
		},
	}
}

func profileUpdateVerb() shell.Verb {
	return shell.Verb{
		Use:    "trusted-profile-update NAME|ID",
		Short:  "Change a trusted profile",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Force:  true,
		Flags: func(f *pflag.FlagSet) {
			f.StringP("name", "n", "", "new name")
			f.StringP("description", "d", "", "new description")
			f.StringP("email", "e", "", "new e-mail address")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			body, err := changes(c, map[string]string{"name": "name", "description": "description", "email": "email"})
			if err != nil {
				return err
			}
			c.Progress("Updating trusted profile %s under current account as %s", c.Args[0], session.User())
			old, err := findProfile(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			profile, err := client.Put[client.Profile](ctx, session.API, profilePath(old.Value), old.Value.EntityTag, body)
			if err != nil {
				return err
			}
			return created(c, profile, "Trusted profile "+profile.Value.Name+" is updated successfully", profileRows)
		},
	}
}

func profileDeleteVerb() shell.Verb {
	return shell.Verb{
		Use:   "trusted-profile-delete NAME|ID",
		Short: "Delete a trusted profile",
		Args:  cobra.ExactArgs(1),
		Force: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			profile, err := findProfile(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if err := c.Confirm("Really delete trusted profile %s (%s)?", profile.Value.Name, profile.Value.ID); err != nil {
				return err
			}
			c.Progress("Deleting trusted profile %s under current account as %s", c.Args[0], session.User())
			if err := session.API.Delete(ctx, profilePath(profile.Value)); err != nil {
				return err
			}
			done(c, "Trusted profile %s is deleted successfully", profile.Value.Name)
			return nil
		},
	}
}

// listAll reads a list that has no pages.
func listAll[T any](ctx context.Context, s *shell.Session, path, array string) ([]client.Object[T], error) {
	return client.List[T](ctx, s.API, path, array, url.Values{"pagesize": nil}) // nil: no such parameter
}
