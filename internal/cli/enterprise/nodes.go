package enterprise

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// pick names one node by name or ID.
type pick struct{ name, id string }

func (p *pick) flags(f *pflag.FlagSet) {
	f.StringVarP(&p.name, "name", "n", "", "its name")
	f.StringVar(&p.id, "id", "", "its ID")
}

func (p *pick) check() error {
	if (p.name == "") == (p.id == "") {
		return shell.Usagef("give either --name or --id")
	}
	return nil
}

// find looks a node up by ID, or by name in the whole enterprise.
func find[T any](ctx context.Context, s *shell.Session, path, noun string, p pick, key func(T) (id, name string)) (client.Object[T],
	error) {
	var none client.Object[T]
	if p.id != "" {
		return client.Get[T](ctx, s.API, path+client.Path(p.id))
	}
	e, err := own(ctx, s)
	if err != nil {
		return none, err
	}
	list, err := client.List[T](ctx, s.API, client.ByDocument, path, "resources", url.Values{"enterprise_id": {e.Value.ID}})
	if err != nil {
		return none, err
	}
	var ids []string
	for _, x := range list {
		if id, name := key(x.Value); name == p.name {
			none, ids = x, append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return none, shell.Problemf("%s %s was not found.", noun, p.name)
	case 1:
		return none, nil
	}
	return none, shell.Problemf("Several are named %s. Give --id with one of:\n  %s", p.name, strings.Join(ids, "\n  "))
}

func findGroup(ctx context.Context, s *shell.Session, p pick) (group, error) {
	return find(ctx, s, "/v1/account-groups", "Account group", p, func(g client.AccountGroup) (string, string) { return g.ID, g.Name })
}

func findAccount(ctx context.Context, s *shell.Session, p pick) (account, error) {
	return find(ctx, s, "/v1/accounts", "Account", p, func(a client.EnterpriseAccount) (string, string) { return a.ID, a.Name })
}

// parent names the place of a node: a group, or the enterprise.
type parent struct{ name, id string }

func (p *parent) flags(f *pflag.FlagSet) {
	f.StringVar(&p.name, "parent-account-group", "", "`NAME` of the account group (default: the enterprise)")
	f.StringVar(&p.id, "parent-account-group-id", "", "`ID` of the account group")
}

// crn gives the resource name of the place.
func (p *parent) crn(ctx context.Context, s *shell.Session) (string, error) {
	if p.name == "" && p.id == "" {
		e, err := own(ctx, s)
		return e.Value.CRN, err
	}
	if p.name != "" && p.id != "" {
		return "", shell.Usagef("give --parent-account-group or --parent-account-group-id, not both")
	}
	g, err := findGroup(ctx, s, pick(*p))
	return g.Value.CRN, err
}

// short is the last part of a resource name: the ID.
func short(crn string) string { return crn[strings.LastIndexByte(crn, ':')+1:] }

// listVerb lists the nodes below a place.
func listVerb[T any](use, noun, path string, header []string, row func(T) []string) shell.Verb {
	var p parent
	var recursive bool
	return shell.Verb{
		Use: use, Short: "List the " + noun + "s of the enterprise or of one account group", Output: true,
		Flags: func(f *pflag.FlagSet) {
			p.flags(f)
			f.BoolVar(&recursive, "recursive", false, "with all that is further below")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Retrieving the %ss of the enterprise as %s", noun, s.User())
			crn, err := p.crn(ctx, s)
			if err != nil {
				return err
			}
			query := url.Values{"parent": {crn}}
			if recursive {
				e, err := own(ctx, s)
				if err != nil {
					return err
				}
				query = url.Values{"enterprise_id": {e.Value.ID}}
			}
			list, err := client.List[T](ctx, s.API, client.ByDocument, path, "resources", query)
			if err != nil {
				return err
			}
			if recursive && strings.Contains(crn, ":account-group:") {
				list = below(list, short(crn))
			}
			return c.Show(list, func() {
				if len(list) == 0 {
					c.Say("No %ss found.", noun)
					return
				}
				rows := make([][]string, len(list))
				for i, x := range list {
					rows[i] = row(x.Value)
				}
				c.Table(header, rows)
			})
		},
	}
}

// below keeps the nodes that have a group on their path.
func below[T any](list []client.Object[T], groupID string) []client.Object[T] {
	kept := []client.Object[T]{}
	for _, x := range list {
		var path string
		switch v := any(x.Value).(type) {
		case client.AccountGroup:
			path = v.Path
		case client.EnterpriseAccount:
			path = v.Path
		}
		if strings.Contains(path+"/", "account-group:"+groupID+"/") {
			kept = append(kept, x)
		}
	}
	return kept
}

func groupRows(g client.AccountGroup) [][2]string {
	return [][2]string{{"Name:", g.Name}, {"ID:", g.ID}, {"Parent:", g.Parent}, {"State:", g.State}, {"Contact:", g.ContactIAMID},
		{"CRN:", g.CRN}, {"Created At:", g.CreatedAt}}
}

func groupVerbs() []shell.Verb {
	return []shell.Verb{
		listVerb("account-groups", "account group", "/v1/account-groups", []string{"Name", "ID", "Parent", "State", "Contact"},
			func(g client.AccountGroup) []string {
				return []string{g.Name, g.ID, short(g.Parent), g.State, g.ContactEmail}
			}),
		nodeVerb("account-group", "account group", findGroup, groupRows), groupCreateVerb(), groupUpdateVerb(),
		deleteVerb("account-group-delete", "account group", "/v1/account-groups", findGroup,
			func(g client.AccountGroup) (string, string) { return g.ID, g.Name }),
	}
}

func accountRows(a client.EnterpriseAccount) [][2]string {
	return [][2]string{{"Name:", a.Name}, {"ID:", a.ID}, {"Parent:", a.Parent}, {"State:", a.State}, {"Owner:", a.OwnerEmail},
		{"CRN:", a.CRN}, {"Created At:", a.CreatedAt}}
}

func accountVerbs() []shell.Verb {
	return []shell.Verb{
		listVerb("accounts", "account", "/v1/accounts", []string{"Name", "ID", "Parent", "State", "Owner"},
			func(a client.EnterpriseAccount) []string {
				return []string{a.Name, a.ID, short(a.Parent), a.State, a.OwnerEmail}
			}),
		nodeVerb("account-show", "account", findAccount, accountRows), accountCreateVerb(), accountMoveVerb(),
		deleteVerb("account-delete", "account", "/v1/accounts", findAccount,
			func(a client.EnterpriseAccount) (string, string) { return a.ID, a.Name }),
		accountImportVerb(),
	}
}

type finder[T any] func(context.Context, *shell.Session, pick) (client.Object[T], error)

// nodeVerb shows one node.
func nodeVerb[T any](use, noun string, find finder[T], rows func(T) [][2]string) shell.Verb {
	var p pick
	return shell.Verb{
		Use: use, Short: "Show one " + noun, Output: true, Flags: p.flags,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := p.check(); err != nil {
				return err
			}
			c.Progress("Retrieving %s %s as %s", noun, p.name+p.id, s.User())
			x, err := find(ctx, s, p)
			if err != nil {
				return err
			}
			return c.Show(x, func() { c.Details(rows(x.Value)) })
		},
	}
}

// deleteVerb deletes one node.
func deleteVerb[T any](use, noun, path string, find finder[T], key func(T) (id, name string)) shell.Verb {
	var p pick
	return shell.Verb{
		Use: use, Short: "Delete one " + noun, Force: true, Flags: p.flags,
		Long: "Delete one " + noun + ". An account that is deleted is cancelled and cannot come back.",
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := p.check(); err != nil {
				return err
			}
			x, err := find(ctx, s, p)
			if err != nil {
				return err
			}
			nodeID, name := key(x.Value)
			if err := c.Confirm("Really delete %s %s (%s)?", noun, name, nodeID); err != nil {
				return err
			}
			c.Progress("Deleting %s %s as %s", noun, name, s.User())
			if err := s.API.Delete(ctx, path+client.Path(nodeID)); err != nil {
				return err
			}
			c.Done("The %s %s is deleted successfully", noun, name)
			return nil
		},
	}
}

func groupCreateVerb() shell.Verb {
	var p parent
	var contact string
	return shell.Verb{
		Use: "account-group-create NAME", Short: "Create an account group", Args: cobra.ExactArgs(1), Output: true,
		Flags: func(f *pflag.FlagSet) {
			p.flags(f)
			f.StringVar(&contact, "primary-contact-id", "", "IAM `ID` of the contact (default: you)")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if contact == "" {
				contact = s.Claims.IAMID
			}
			c.Progress("Creating account group %s as %s", c.Args[0], s.User())
			crn, err := p.crn(ctx, s)
			if err != nil {
				return err
			}
			type made struct {
				ID string `json:"account_group_id"`
			}
			out, err := client.Post[made](ctx, s.API, "/v1/account-groups", nil,
				map[string]string{"parent": crn, "name": c.Args[0], "primary_contact_iam_id": contact})
			if err != nil {
				return err
			}
			return c.Show(out, func() {
				c.Say("Account group %s is created successfully", c.Args[0])
				c.Details([][2]string{{"Account Group ID:", out.Value.ID}})
			})
		},
	}
}

func groupUpdateVerb() shell.Verb {
	var p pick
	var name, contact string
	return shell.Verb{
		Use: "account-group-update", Short: "Rename an account group or change its contact",
		Flags: func(f *pflag.FlagSet) {
			p.flags(f)
			f.StringVar(&name, "new-name", "", "new name")
			f.StringVar(&contact, "primary-contact-id", "", "IAM `ID` of the new contact")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := p.check(); err != nil {
				return err
			}
			body := map[string]string{}
			if name != "" {
				body["name"] = name
			}
			if contact != "" {
				body["primary_contact_iam_id"] = contact
			}
			if len(body) == 0 {
				return shell.Usagef("nothing to change: give --new-name or --primary-contact-id")
			}
			g, err := findGroup(ctx, s, p)
			if err != nil {
				return err
			}
			c.Progress("Updating account group %s as %s", g.Value.Name, s.User())
			if err := patch(ctx, s, "/v1/account-groups"+client.Path(g.Value.ID), body); err != nil {
				return err
			}
			c.Done("Account group %s is updated successfully", g.Value.Name)
			return nil
		},
	}
}

func accountCreateVerb() shell.Verb {
	var p parent
	var owner string
	var managed bool
	return shell.Verb{
		Use: "account-create NAME", Short: "Create an account in the enterprise", Args: cobra.ExactArgs(1), Output: true,
		Flags: func(f *pflag.FlagSet) {
			p.flags(f)
			f.StringVar(&owner, "owner", "", "IAM `ID` of its owner (default: you)")
			f.BoolVar(&managed, "enterprise-managed-iam", true, "let templates of the enterprise reach it")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if owner == "" {
				owner = s.Claims.IAMID
			}
			c.Progress("Creating account %s as %s", c.Args[0], s.User())
			crn, err := p.crn(ctx, s)
			if err != nil {
				return err
			}
			type made struct {
				ID string `json:"account_id"`
			}
			out, err := client.Post[made](ctx, s.API, "/v1/accounts", nil, map[string]any{
				"parent": crn, "name": c.Args[0], "owner_iam_id": owner, "traits": map[string]any{"enterprise_iam_managed": managed},
			})
			if err != nil {
				return err
			}
			return c.Show(out, func() {
				c.Say("Account %s is created successfully", c.Args[0])
				c.Details([][2]string{{"Account ID:", out.Value.ID}})
			})
		},
	}
}

func accountMoveVerb() shell.Verb {
	var p pick
	var to parent
	var top bool
	return shell.Verb{
		Use: "account-move", Short: "Move an account within the enterprise",
		Flags: func(f *pflag.FlagSet) {
			p.flags(f)
			to.flags(f)
			f.BoolVar(&top, "parent-enterprise", false, "move it to the top of the enterprise")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := p.check(); err != nil {
				return err
			}
			if top == (to.name+to.id != "") {
				return shell.Usagef("give one of --parent-account-group, --parent-account-group-id and --parent-enterprise")
			}
			a, err := findAccount(ctx, s, p)
			if err != nil {
				return err
			}
			crn, err := to.crn(ctx, s)
			if err != nil {
				return err
			}
			c.Progress("Moving account %s as %s", a.Value.Name, s.User())
			if err := patch(ctx, s, "/v1/accounts"+client.Path(a.Value.ID), map[string]string{"parent": crn}); err != nil {
				return err
			}
			c.Done("Account %s is moved successfully", a.Value.Name)
			return nil
		},
	}
}

func accountImportVerb() shell.Verb {
	var accountID string
	var p parent
	return shell.Verb{
		Use: "account-import", Short: "Make an account of yours a child of the enterprise", Force: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&accountID, "account-id", "", "`ID` of the account")
			p.flags(f)
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if accountID == "" {
				return shell.Usagef("give --account-id")
			}
			e, err := own(ctx, s)
			if err != nil {
				return err
			}
			crn, err := p.crn(ctx, s)
			if err != nil {
				return err
			}
			if err := c.Confirm("Account %s will be incorporated into enterprise %s\n(which cannot be undone). Do you want to proceed?", accountID,
				e.Value.Name); err != nil {
				return err
			}
			c.Progress("Importing account %s as %s", accountID, s.User())
			request := client.Request{Method: http.MethodPut, Path: "/v1" + client.Path("enterprises", e.Value.ID, "import", "accounts",
				accountID), Body: map[string]string{"parent": crn}}
			if err := s.API.Call(ctx, request, nil); err != nil {
				return err
			}
			c.Done("Account %s is imported successfully", accountID)
			return nil
		},
	}
}
