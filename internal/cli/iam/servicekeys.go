package iam

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var serviceKeys = keyVerbs{
	stem: "service-api-key", key: "KEY SERVICE_ID", new: "NAME SERVICE_ID", args: 2, whose: "of a service ID", force: true,
	example: `  kagiban iam service-api-key-create deploy my-service --output json | jq -r .apikey`,
	owner: func(ctx context.Context, c *shell.Call, s *shell.Session) (owner, error) {
		return ofService(ctx, s, c.Args[1])
	},
}

func serviceKeysVerb() shell.Verb {
	var match object.Filter
	var bare, all bool
	return shell.Verb{
		Use:    "service-api-keys (SERVICE_ID | --all)",
		Short:  "List the API keys of a service ID, or of all of them",
		Args:   cobra.MaximumNArgs(1),
		Output: true,
		Force:  true,
		Flags: func(f *pflag.FlagSet) {
			f.BoolVarP(&all, "all", "a", false, "list the keys of all service IDs")
			object.IDFlag(f, &bare)
			match.Flags(f, true)
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			if all == (len(c.Args) == 1) {
				return shell.Usagef("give either a service ID or --all")
			}
			if !all {
				object.Progress(c, bare, "Getting all API keys of service ID %s under %s as %s", c.Args[0], session.Account(), session.User())
				o, err := ofService(ctx, session, c.Args[0])
				if err != nil {
					return err
				}
				list, err := keys(ctx, session, o)
				if err != nil {
					return err
				}
				return apiKeys.Print(c, list, match, bare)
			}
			object.Progress(c, bare, "Getting all service ID API keys under %s as %s", session.Account(), session.User())
			query := object.OfAccount(session)
			query.Set("scope", "account")
			query.Set("type", "serviceid")
			list, err := apiKeys.All(ctx, session, query)
			if err != nil {
				return err
			}
			k := apiKeys // with the owner of each
			k.Header = []string{"Name", "ID", "Bound To", "Created At", "Locked", "Disabled", "Description"}
			k.Row = func(k client.APIKey) []string {
				return []string{k.Name, k.ID, k.IAMID, k.CreatedAt, yesNo(k.Locked), yesNo(k.Disabled), k.Description}
			}
			return k.Print(c, list, match, bare)
		},
	}
}
