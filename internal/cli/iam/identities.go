package iam

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// identityTypes are the values of --id-type; on the wire they are lower case.
var identityTypes = []string{"USER", "SERVICEID", "CRN"}

func identityType(text string) (string, error) {
	for _, t := range identityTypes {
		if strings.EqualFold(t, text) {
			return strings.ToLower(t), nil
		}
	}
	return "", shell.Usagef("--id-type must be USER, SERVICEID or CRN, not %q", text)
}

func identityTypeFlag(f *pflag.FlagSet, kind *string) {
	f.StringVar(kind, "id-type", "", "kind of identity: USER, SERVICEID or CRN")
}

func identityRows(i client.ProfileIdentity) [][2]string {
	rows := [][2]string{
		{"IAM ID", i.IAMID},
		{"Identifier", i.Identifier},
		{"Type", strings.ToUpper(i.Type)},
	}
	if len(i.Accounts) > 0 {
		rows = append(rows, [2]string{"Accounts", strings.Join(i.Accounts, "\n")})
	}
	if i.Description != "" {
		rows = append(rows, [2]string{"Description", i.Description})
	}
	return rows
}

func identityVerbs() []shell.Verb {
	return []shell.Verb{identityCreateVerb(), identityVerb(), identitiesVerb(), identityDeleteVerb()}
}

func identityCreateVerb() shell.Verb {
	var identifier, kind, description string
	var accounts []string
	return shell.Verb{
		Use:   "trusted-profile-identity-create NAME|ID",
		Short: "Let a user, service ID or resource assume a trusted profile",
		Example: `  kagiban iam trusted-profile-identity-create billing --id IBMid-1234567890 --id-type USER \
    --account ACCOUNT_ID_OF_THE_USER`,
		Args:   cobra.ExactArgs(1),
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&identifier, "id", "", "IAM ID of the user, ID of the service ID, or CRN")
			identityTypeFlag(f, &kind)
			f.StringArrayVar(&accounts, "account", nil, "account that a user may come from; may be repeated (default: the current account)")
			f.StringVarP(&description, "description", "d", "", "description")
		},
		Values: map[string][]string{"id-type": identityTypes},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			if identifier == "" || kind == "" {
				return shell.Usagef("--id and --id-type are required")
			}
			wireType, err := identityType(kind)
			if err != nil {
				return err
			}
			switch {
			case wireType != "user" && len(accounts) > 0:
				return shell.Usagef("--account is for identities of type USER")
			case wireType == "user" && len(accounts) == 0:
				accounts = []string{session.Account()}
			}
			c.Progress("Adding identity %s to trusted profile %s under current account as %s", identifier, c.Args[0], session.User())
			profile, err := Profiles.Find(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			made, err := client.Post[client.ProfileIdentity](ctx, session.API, Profiles.PathOf(profile.Value.ID, "identities", wireType), nil,
				struct {
					Identifier  string   `json:"identifier"`
					Type        string   `json:"type"`
					Accounts    []string `json:"accounts,omitempty"`
					Description string   `json:"description,omitempty"`
				}{identifier, wireType, accounts, description})
			if err != nil {
				return err
			}
			return object.Created(c, made, "Identity "+identifier+" is added to trusted profile "+profile.Value.Name, identityRows)
		},
	}
}

func identityVerb() shell.Verb {
	var kind string
	return shell.Verb{
		Use:    "trusted-profile-identity NAME|ID IDENTIFIER",
		Short:  "Show an identity that may assume a trusted profile",
		Args:   cobra.ExactArgs(2),
		Output: true,
		Flags:  func(f *pflag.FlagSet) { identityTypeFlag(f, &kind) },
		Values: map[string][]string{"id-type": identityTypes},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			wireType, err := identityType(kind)
			if err != nil {
				return err
			}
			c.Progress("Getting identity %s of trusted profile %s under current account as %s", c.Args[1], c.Args[0], session.User())
			profile, err := Profiles.Find(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			found, err := client.Get[client.ProfileIdentity](ctx, session.API, Profiles.PathOf(profile.Value.ID, "identities", wireType, c.Args[1]))
			if err != nil {
				return err
			}
			return object.Details(c, found, identityRows)
		},
	}
}

func identitiesVerb() shell.Verb {
	var kind string
	var bare bool
	return shell.Verb{
		Use:    "trusted-profile-identities NAME|ID",
		Short:  "List the identities that may assume a trusted profile",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.BoolVar(&bare, "id", false, "print bare identifiers")
			identityTypeFlag(f, &kind)
		},
		Values: map[string][]string{"id-type": identityTypes},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			wanted := ""
			if kind != "" {
				var err error
				if wanted, err = identityType(kind); err != nil {
					return err
				}
			}
			object.Progress(c, bare, "Getting identities of trusted profile %s under current account as %s", c.Args[0], session.User())
			profile, err := Profiles.Find(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			all, err := client.List[client.ProfileIdentity](ctx, session.API, client.Whole, Profiles.PathOf(profile.Value.ID, "identities"),
				"identities", nil)
			if err != nil {
				return err
			}
			list := []client.Object[client.ProfileIdentity]{}
			for _, i := range all {
				if wanted == "" || strings.EqualFold(i.Value.Type, wanted) {
					list = append(list, i)
				}
			}
			if bare {
				return object.IDs(c, list, func(i client.ProfileIdentity) string { return i.Identifier })
			}
			header := []string{"IAM ID", "Identifier", "Type", "Accounts", "Description"}
			return object.Table(c, "identities", header, list, func(i client.ProfileIdentity) []string {
				return []string{i.IAMID, i.Identifier, strings.ToUpper(i.Type), strings.Join(i.Accounts, "\n"), i.Description}
			})
		},
	}
}

func identityDeleteVerb() shell.Verb {
	var kind string
	return shell.Verb{
		Use:    "trusted-profile-identity-delete NAME|ID IDENTIFIER",
		Short:  "Stop an identity from assuming a trusted profile",
		Args:   cobra.ExactArgs(2),
		Force:  true,
		Flags:  func(f *pflag.FlagSet) { identityTypeFlag(f, &kind) },
		Values: map[string][]string{"id-type": identityTypes},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			wireType, err := identityType(kind)
			if err != nil {
				return err
			}
			profile, err := Profiles.Find(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			if err := c.Confirm("Really remove identity %s from trusted profile %s?", c.Args[1], profile.Value.Name); err != nil {
				return err
			}
			c.Progress("Removing identity %s from trusted profile %s under current account as %s", c.Args[1], c.Args[0], session.User())
			if err := session.API.Delete(ctx, Profiles.PathOf(profile.Value.ID, "identities", wireType, c.Args[1])); err != nil {
				return err
			}
			c.Done("Identity %s is removed from trusted profile %s", c.Args[1], profile.Value.Name)
			return nil
		},
	}
}
