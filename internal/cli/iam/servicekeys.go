package iam

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

func serviceKeyVerbs() []shell.Verb {
	verbs := []shell.Verb{serviceKeysVerb(), serviceKeyVerb(), serviceKeyCreateVerb(), serviceKeyUpdateVerb(), serviceKeyDeleteVerb()}
	for _, change := range keyChanges {
		verbs = append(verbs, shell.Verb{
			Use:   "service-api-key-" + change.verb + " KEY SERVICE_ID",
			Short: change.short + " an API key of a service ID",
			Args:  cobra.ExactArgs(2),
			Force: true,
			Do:    forService(change.run),
		})
	}
	return verbs
}

// forService runs something for the service ID that the second argument names.
func forService(run func(context.Context, *shell.Call, *shell.Session, owner) error) func(context.Context, *shell.Call,
	*shell.Session) error {
	return func(ctx context.Context, c *shell.Call, session *shell.Session) error {
		o, err := ofService(ctx, session, c.Args[1])
		if err != nil {
			return err
		}
		return run(ctx, c, session, o)
	}
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
				return keyTable(c, list, match, bare)
			}
			object.Progress(c, bare, "Getting all service ID API keys under %s as %s", session.Account(), session.User())
			query := object.OfAccount(session)
			query.Set("scope", "account")
			query.Set("type", "serviceid")
			list, err := apiKeys.All(ctx, session, query)
			if err != nil {
				return err
			}
			return allKeysTable(c, list, match, bare)
		},
	}
}

// allKeysTable is keyTable with the owner of each key.
func allKeysTable(c *shell.Call, list []client.Object[client.APIKey], match object.Filter, bare bool) error {
	if bare {
		return keyTable(c, list, match, bare)
	}
	list = object.Keep(match, list, func(k client.APIKey) (string, string) { return k.Name, k.Description })
	header := []string{"Name", "ID", "Bound To", "Created At", "Locked", "Disabled", "Description"}
	return object.Table(c, "API keys", header, list, func(k client.APIKey) []string {
		return []string{k.Name, k.ID, k.IAMID, k.CreatedAt, yesNo(k.Locked), yesNo(k.Disabled), k.Description}
	})
}

func serviceKeyVerb() shell.Verb {
	var bare bool
	return shell.Verb{
		Use:    "service-api-key KEY SERVICE_ID",
		Short:  "Show an API key of a service ID",
		Args:   cobra.ExactArgs(2),
		Output: true,
		Force:  true,
		Flags:  func(f *pflag.FlagSet) { object.IDFlag(f, &bare) },
		Do: forService(func(ctx context.Context, c *shell.Call, session *shell.Session, o owner) error {
			return showKey(ctx, c, session, o, bare)
		}),
	}
}

func serviceKeyCreateVerb() shell.Verb {
	var n newKey
	return shell.Verb{
		Use:     "service-api-key-create NAME SERVICE_ID",
		Short:   "Create an API key of a service ID",
		Example: `  kagiban iam service-api-key-create deploy my-service --output json | jq -r .apikey`,
		Args:    cobra.ExactArgs(2),
		Output:  true,
		Force:   true,
		Flags:   n.flags,
		Values:  leakActions,
		Do:      forService(n.create),
	}
}

func serviceKeyUpdateVerb() shell.Verb {
	return shell.Verb{
		Use:    "service-api-key-update KEY SERVICE_ID",
		Short:  "Change an API key of a service ID",
		Args:   cobra.ExactArgs(2),
		Output: true,
		Force:  true,
		Flags:  keyUpdateFlags,
		Values: leakActions,
		Do:     forService(updateKey),
	}
}

func serviceKeyDeleteVerb() shell.Verb {
	return shell.Verb{
		Use:   "service-api-key-delete KEY SERVICE_ID",
		Short: "Delete an API key of a service ID",
		Args:  cobra.ExactArgs(2),
		Force: true,
		Do:    forService(deleteKey),
	}
}
