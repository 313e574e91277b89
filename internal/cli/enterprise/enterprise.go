// Package enterprise holds the verbs of "kagiban enterprise" and the verbs on
// enterprise templates that "kagiban iam" has. Each is a table or a detail view
// around one or two calls; it decides nothing.
package enterprise

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

type enterprise = client.Object[client.Enterprise]

// Command is "kagiban enterprise".
func Command(s *shell.Shell) *cobra.Command {
	cmd := shell.Group("enterprise", "Manage an enterprise: account groups, accounts, what templates do in them")
	for _, verbs := range [][]shell.Verb{rootVerbs(), groupVerbs(), accountVerbs(), {watchVerb()}} {
		for _, v := range verbs {
			cmd.AddCommand(s.Command(v))
		}
	}
	return cmd
}

// own gives the enterprise that the session's account belongs to.
func own(ctx context.Context, s *shell.Session) (enterprise, error) {
	list, err := client.List[client.Enterprise](ctx, s.API, client.ByDocument, "/v1/enterprises", "resources",
		url.Values{"account_id": {s.Account()}})
	if err != nil {
		return enterprise{}, err
	}
	if len(list) == 0 {
		return enterprise{}, shell.Problem("The targeted account belongs to no enterprise. Create one with: kagiban enterprise create NAME")
	}
	return list[0], nil
}

// patch changes an object whose answer has no body.
func patch(ctx context.Context, s *shell.Session, path string, body any) error {
	return s.API.Call(ctx, client.Request{Method: http.MethodPatch, Path: path, Body: body}, nil)
}

func rootVerbs() []shell.Verb {
	return []shell.Verb{showVerb(), createVerb(), updateVerb()}
}

func enterpriseRows(e client.Enterprise) [][2]string {
	return [][2]string{
		{"Name:", e.Name}, {"ID:", e.ID}, {"Enterprise Account ID:", e.AccountID}, {"Domain:", e.Domain}, {"State:", e.State},
		{"Primary Contact:", e.ContactIAMID}, {"CRN:", e.CRN}, {"Created At:", e.CreatedAt},
	}
}

func showVerb() shell.Verb {
	return shell.Verb{
		Use: "show", Short: "Show the enterprise of the targeted account", Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Retrieving the enterprise of account %s as %s", s.Account(), s.User())
			e, err := own(ctx, s)
			if err != nil {
				return err
			}
			return c.Show(e, func() { c.Details(enterpriseRows(e.Value)) })
		},
	}
}

func createVerb() shell.Verb {
	var domain, contact string
	return shell.Verb{
		Use: "create NAME", Short: "Make an enterprise with the targeted account as its first child", Args: cobra.ExactArgs(1), Output: true,
		Force: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVarP(&domain, "domain", "d", "", "domain of the enterprise, such as example.com")
			f.StringVar(&contact, "primary-contact-id", "", "IAM `ID` of the primary contact (default: you)")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := c.Confirm("Account %s will be incorporated into enterprise %s\n(which cannot be undone). Do you want to proceed?",
				s.Account(), c.Args[0]); err != nil {
				return err
			}
			if contact == "" {
				contact = s.Claims.IAMID
			}
			c.Progress("Creating enterprise %s as %s", c.Args[0], s.User())
			body := map[string]string{"source_account_id": s.Account(), "name": c.Args[0], "primary_contact_iam_id": contact}
			if domain != "" {
				body["domain"] = domain
			}
			type made struct {
				ID      string `json:"enterprise_id"`
				Account string `json:"enterprise_account_id"`
			}
			out, err := client.Post[made](ctx, s.API, "/v1/enterprises", nil, body)
			if err != nil {
				return err
			}
			return c.Show(out, func() {
				c.Details([][2]string{{"ID:", out.Value.ID}, {"Enterprise Account ID:", out.Value.Account}})
			})
		},
	}
}

func updateVerb() shell.Verb {
	var name, domain string
	return shell.Verb{
		Use: "update", Short: "Rename the enterprise or give it another domain", Force: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVarP(&name, "name", "n", "", "new name")
			f.StringVarP(&domain, "domain", "d", "", "new domain")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			body := map[string]string{}
			if c.Given("name") {
				body["name"] = name
			}
			if c.Given("domain") {
				body["domain"] = domain
			}
			if len(body) == 0 {
				return shell.Usagef("nothing to change: give --name or --domain")
			}
			e, err := own(ctx, s)
			if err != nil {
				return err
			}
			if err := c.Confirm("Really change enterprise %s?", e.Value.Name); err != nil {
				return err
			}
			c.Progress("Updating enterprise %s as %s", e.Value.Name, s.User())
			if err := patch(ctx, s, "/v1/enterprises"+client.Path(e.Value.ID), body); err != nil {
				return err
			}
			c.Done("Enterprise %s is updated successfully", e.Value.Name)
			return nil
		},
	}
}
