package enterprise

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
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

// node is a sort of node of the tree.
type node[T any] struct {
	noun, path string
	key        func(T) (id, name string)
	above      func(T) string // the path of the node in the tree
	header     []string       // of lists
	row        func(T) []string
	rows       func(T) [][2]string // of one node
}

var accountGroups = node[client.AccountGroup]{
	noun: "account group", path: "/v1/account-groups",
	key:    func(g client.AccountGroup) (string, string) { return g.ID, g.Name },
	above:  func(g client.AccountGroup) string { return g.Path },
	header: []string{"Name", "ID", "Parent", "State", "Contact"},
	row: func(g client.AccountGroup) []string {
		return []string{g.Name, g.ID, short(g.Parent), g.State, g.ContactEmail}
	},
	rows: func(g client.AccountGroup) [][2]string {
		return [][2]string{{"Name:", g.Name}, {"ID:", g.ID}, {"Parent:", g.Parent}, {"State:", g.State}, {"Contact:", g.ContactIAMID},
			{"CRN:", g.CRN}, {"Created At:", g.CreatedAt}}
	},
}

var accounts = node[client.EnterpriseAccount]{
	noun: "account", path: "/v1/accounts",
	key:    func(a client.EnterpriseAccount) (string, string) { return a.ID, a.Name },
	above:  func(a client.EnterpriseAccount) string { return a.Path },
	header: []string{"Name", "ID", "Parent", "State", "Owner"},
	row: func(a client.EnterpriseAccount) []string {
		return []string{a.Name, a.ID, short(a.Parent), a.State, a.OwnerEmail}
	},
	rows: func(a client.EnterpriseAccount) [][2]string {
		return [][2]string{{"Name:", a.Name}, {"ID:", a.ID}, {"Parent:", a.Parent}, {"State:", a.State}, {"Owner:", a.OwnerEmail},
			{"CRN:", a.CRN}, {"Created At:", a.CreatedAt}}
	},
}

func groupVerbs() []shell.Verb {
	return []shell.Verb{accountGroups.list("account-groups"), accountGroups.show("account-group"), groupCreateVerb(), groupUpdateVerb(),
		accountGroups.delete("account-group-delete")}
}

func accountVerbs() []shell.Verb {
	return []shell.Verb{accounts.list("accounts"), accounts.show("account-show"), accountCreateVerb(), accountMoveVerb(),
		accounts.delete("account-delete"), accountImportVerb()}
}

// all lists the nodes that a query selects.
func (n node[T]) all(ctx context.Context, s *shell.Session, query url.Values) ([]client.Object[T], error) {
	return client.List[T](ctx, s.API, client.ByDocument, n.path, "resources", query)
}

// ofEnterprise selects all nodes of the targeted account's enterprise.
func ofEnterprise(ctx context.Context, s *shell.Session) (url.Values, error) {
	e, err := own(ctx, s)
	return url.Values{"enterprise_id": {e.Value.ID}}, err
}

// find looks a node up by ID, or by name in the whole enterprise.
func (n node[T]) find(ctx context.Context, s *shell.Session, p pick) (client.Object[T], error) {
	var found client.Object[T]
	if p.id != "" {
		return client.Get[T](ctx, s.API, n.path+client.Path(p.id))
	}
	query, err := ofEnterprise(ctx, s)
	if err != nil {
		return found, err
	}
	list, err := n.all(ctx, s, query)
	if err != nil {
		return found, err
	}
	var ids []string
	for _, x := range list {
		if id, name := n.key(x.Value); name == p.name {
			found, ids = x, append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return found, shell.Problemf("%s %s was not found.", strings.ToUpper(n.noun[:1])+n.noun[1:], p.name)
	case 1:
		return found, nil
	}
	return found, shell.Problemf("Several are named %s. Give --id with one of:\n  %s", p.name, strings.Join(ids, "\n  "))
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
	g, err := accountGroups.find(ctx, s, pick(*p))
	return g.Value.CRN, err
}

// short is the last part of a resource name: the ID.
func short(crn string) string { return crn[strings.LastIndexByte(crn, ':')+1:] }

// list lists the nodes below a place.
func (n node[T]) list(use string) shell.Verb {
	var p parent
	var recursive bool
	return shell.Verb{
		Use: use, Short: "List the " + n.noun + "s of the enterprise or of one account group", Output: true,
		Flags: func(f *pflag.FlagSet) {
			p.flags(f)
			f.BoolVar(&recursive, "recursive", false, "with all that is further below")
		},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Retrieving the %ss of the enterprise as %s", n.noun, s.User())
			crn, err := p.crn(ctx, s)
			if err != nil {
				return err
			}
			query := url.Values{"parent": {crn}}
			if recursive {
				if query, err = ofEnterprise(ctx, s); err != nil {
					return err
				}
			}
			list, err := n.all(ctx, s, query)
			if err != nil {
				return err
			}
			if recursive && strings.Contains(crn, ":account-group:") {
				list = slices.DeleteFunc(list, func(x client.Object[T]) bool { return !below(n.above(x.Value), short(crn)) })
			}
			return object.Table(c, n.noun+"s", n.header, list, n.row)
		},
	}
}

// below tells whether a group is on a node's path.
func below(path, groupID string) bool {
	return strings.Contains(path+"/", "account-group:"+groupID+"/")
}

// show shows one node.
func (n node[T]) show(use string) shell.Verb {
	var p pick
	return shell.Verb{
		Use: use, Short: "Show one " + n.noun, Output: true, Flags: p.flags,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := p.check(); err != nil {
				return err
			}
			c.Progress("Retrieving %s %s as %s", n.noun, p.name+p.id, s.User())
			x, err := n.find(ctx, s, p)
			if err != nil {
				return err
			}
			return c.Show(x, func() { c.Details(n.rows(x.Value)) })
		},
	}
}

// delete deletes one node.
func (n node[T]) delete(use string) shell.Verb {
	var p pick
	return shell.Verb{
		Use: use, Short: "Delete one " + n.noun, Force: true, Flags: p.flags,
		Long: "Delete one " + n.noun + ". An account that is deleted is cancelled and cannot come back.",
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := p.check(); err != nil {
				return err
			}
			x, err := n.find(ctx, s, p)
			if err != nil {
				return err
			}
			nodeID, name := n.key(x.Value)
			if err := c.Confirm("Really delete %s %s (%s)?", n.noun, name, nodeID); err != nil {
				return err
			}
			c.Progress("Deleting %s %s as %s", n.noun, name, s.User())
			if err := s.API.Delete(ctx, n.path+client.Path(nodeID)); err != nil {
				return err
			}
			c.Done("The %s %s is deleted successfully", n.noun, name)
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
			g, err := accountGroups.find(ctx, s, p)
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
			a, err := accounts.find(ctx, s, p)
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
