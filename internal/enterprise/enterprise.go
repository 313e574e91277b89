// Package enterprise owns the tree of an enterprise: the root, account groups
// and the accounts in them, with their moves and ends. What templates lay on
// the accounts of the tree is package template's.
package enterprise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// Enterprise is the root of a tree. Meta.Account is its enterprise account,
// Meta.Owner the primary contact.
type Enterprise struct {
	store.Meta
	Domain        string `json:"domain,omitempty"`
	State         string `json:"state"`
	SourceAccount string `json:"source_account_id,omitempty"`
	ContactEmail  string `json:"primary_contact_email,omitempty"`
}

// Group is an account group. Meta.Account is the enterprise account,
// Meta.Parent the enterprise or the group above, Meta.Owner the contact.
type Group struct {
	store.Meta
	Enterprise string `json:"enterprise_id"`
	// Above are the ids of the groups above, outermost first.
	Above        []string `json:"above,omitempty"`
	State        string   `json:"state"` // ACTIVE or DELETED
	ContactEmail string   `json:"primary_contact_email,omitempty"`
}

// Member is an account's place in the tree. Meta.Account is the enterprise
// account, Meta.ID the member's account id, Meta.Parent the enterprise or group
// that holds it, Meta.Owner the account's owner. It lives in the enterprise
// account so that the tree is read in one place.
type Member struct {
	store.Meta
	Enterprise string   `json:"enterprise_id"`
	Above      []string `json:"above,omitempty"` // ids of all groups above, outermost first
	State      string   `json:"state"`
	Managed    bool     `json:"enterprise_iam_managed,omitempty"`
	OwnerEmail string   `json:"owner_email,omitempty"`
	Root       bool     `json:"is_enterprise_account,omitempty"`
}

// Deleted is the state of a group that was deleted. It stays as a tombstone
// that is hidden from lists and still takes accounts: deletion is asynchronous
// on the official service, whose suite puts an account into a group it has
// just deleted. An account in it revives it.
const Deleted = "DELETED"

// The collections of this package.
var (
	Enterprises = store.NewCollection[Enterprise]("enterprise", nil)
	Groups      = store.NewCollection[Group]("account-group", nil)
	Members     = store.NewCollection[Member]("enterprise-account", nil)
)

// Limits bound a tree; the defaults are the documented ones. Deleted groups and
// cancelled accounts do not count.
type Limits struct {
	Tiers, Groups, Accounts int // the enterprise itself counts as one tier
}

// DefaultLimits are those of the official service's documentation.
var DefaultLimits = Limits{Tiers: 5, Groups: 500, Accounts: 1000}

// Service changes trees. All fields are required. It is safe for concurrent use.
type Service struct {
	DB       store.DB
	Accounts *account.Service
	IDs      id.Generator
	Now      func() time.Time
	Limits   Limits
}

// CRN is the resource name of a node of a tree: kind is enterprise,
// account-group or account.
func CRN(root, kind, nodeID string) string {
	return "crn:v1:bluemix:public:enterprise::a/" + root + "::" + kind + ":" + nodeID
}

func event(what, verb, root, nodeID, name string, params ...string) store.Event {
	return store.Event{Action: "enterprise." + what + "." + verb, CRN: CRN(root, what, nodeID), Params: params, Name: name,
		Message: "Enterprise Management: " + verb + " " + what + " " + name}
}

// NoNode is the error for a node that is not there, or not for the caller to know.
func NoNode(kind, nodeID string) *fault.Error {
	return &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: fmt.Sprintf("The %s '%s' was not found.", kind, nodeID)}
}

// CheckName validates the name of a node: 3 to 60 characters.
func CheckName(name string) error {
	if n := utf8.RuneCountInString(strings.TrimSpace(name)); n < 3 || n > 60 {
		return fault.Field("name", "Property 'name' must have 3 to 60 characters.")
	}
	return nil
}

// Place is a node that can hold others: the enterprise or a group of it.
type Place struct {
	Root, Enterprise, ID string
	Group                bool
	Above                []string // groups above, the place itself included when it is one
}

// CRN is the resource name of the place.
func (p Place) CRN() string {
	if p.Group {
		return CRN(p.Root, "account-group", p.ID)
	}
	return CRN(p.Root, "enterprise", p.ID)
}

// placeOf finds the place that a parent CRN names.
func placeOf(ctx context.Context, r store.Reader, parent string) (Place, error) {
	rest, isCRN := strings.CutPrefix(parent, "crn:v1:")
	bad := fault.Field("parent", "Property 'parent' must be the CRN of an enterprise or account group.")
	if !isCRN {
		return Place{}, bad
	}
	if _, groupID, ok := strings.Cut(rest, "::account-group:"); ok {
		g, err := Groups.Get(ctx, r, "", groupID)
		if errors.Is(err, fault.NotFound) || err == nil && CRN(g.Account, "account-group", g.ID) != parent {
			return Place{}, NoNode("account-group", groupID)
		}
		if err != nil {
			return Place{}, err
		}
		return Place{Root: g.Account, Enterprise: g.Enterprise, ID: g.ID, Group: true, Above: append(slices.Clone(g.Above), g.ID)}, nil
	}
	if _, entID, ok := strings.Cut(rest, "::enterprise:"); ok {
		e, err := Enterprises.Get(ctx, r, "", entID)
		if errors.Is(err, fault.NotFound) || err == nil && CRN(e.Account, "enterprise", e.ID) != parent {
			return Place{}, NoNode("enterprise", entID)
		}
		if err != nil {
			return Place{}, err
		}
		return Place{Root: e.Account, Enterprise: e.ID, ID: e.ID}, nil
	}
	return Place{}, bad
}

// Place finds the place that a parent CRN names: fault.Invalid for what is no
// such CRN, fault.NotFound for what is not there.
func (s *Service) Place(ctx context.Context, parent string) (Place, error) {
	return placeOf(ctx, s.DB.Direct(), parent)
}

// Enterprise gives an enterprise.
func (s *Service) Enterprise(ctx context.Context, entID string) (*Enterprise, error) {
	e, err := Enterprises.Get(ctx, s.DB.Direct(), "", entID)
	if errors.Is(err, fault.NotFound) {
		return nil, NoNode("enterprise", entID)
	}
	return e, err
}

// Group gives an account group, deleted ones included.
func (s *Service) Group(ctx context.Context, groupID string) (*Group, error) {
	g, err := Groups.Get(ctx, s.DB.Direct(), "", groupID)
	if errors.Is(err, fault.NotFound) {
		return nil, NoNode("account-group", groupID)
	}
	return g, err
}

// Member gives an account's place in its enterprise.
func (s *Service) Member(ctx context.Context, accountID string) (*Member, error) {
	m, err := Members.Get(ctx, s.DB.Direct(), "", accountID)
	if errors.Is(err, fault.NotFound) {
		return nil, NoNode("account", accountID)
	}
	return m, err
}

// Update changes an enterprise; nil leaves a property. A new contact must be a
// user of the enterprise account.
func (s *Service) Update(ctx context.Context, entID string, name, domain, contact *string) error {
	if name != nil {
		if err := CheckName(*name); err != nil {
			return err
		}
	}
	if domain != nil && utf8.RuneCountInString(*domain) > 60 {
		return fault.Field("domain", "Property 'domain' must have at most 60 characters.")
	}
	return s.DB.Update(ctx, func(tx store.Tx) error {
		e, err := Enterprises.Get(ctx, tx, "", entID)
		if err != nil {
			return orNoNode(err, "enterprise", entID)
		}
		var params []string
		if name != nil {
			e.Name, params = *name, append(params, "name")
		}
		if domain != nil {
			e.Domain, params = *domain, append(params, "domain")
		}
		if contact != nil {
			if e.ContactEmail, err = contactEmail(ctx, tx, e.Account, *contact); err != nil {
				return err
			}
			e.Owner, params = *contact, append(params, "primary_contact_iam_id")
		}
		return Enterprises.Update(ctx, tx, e, event("enterprise", "update", e.Account, e.ID, e.Name, params...))
	})
}

func orNoNode(err error, kind, nodeID string) error {
	if errors.Is(err, fault.NotFound) {
		return NoNode(kind, nodeID)
	}
	return err
}

// contactEmail gives the address of a contact, who must be a user of the
// enterprise account.
func contactEmail(ctx context.Context, r store.Reader, root, iamID string) (string, error) {
	u, err := account.Users.Get(ctx, r, root, iamID)
	if errors.Is(err, fault.NotFound) {
		return "", fault.Field("primary_contact_iam_id", "Property 'primary_contact_iam_id' must be a user of the enterprise account.")
	}
	if err != nil {
		return "", err
	}
	return u.Email, nil
}

// NewEnterprise says what enterprise to make.
type NewEnterprise struct{ SourceAccount, Name, Contact, Domain string }

// Create makes an enterprise out of an account: a new enterprise account, owned
// by the contact, becomes the root, and the source account its first child.
func (s *Service) Create(ctx context.Context, n NewEnterprise) (*Enterprise, error) {
	if err := CheckName(n.Name); err != nil {
		return nil, err
	}
	var e *Enterprise
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		source, err := account.Accounts.Get(ctx, tx, n.SourceAccount, n.SourceAccount)
		if err != nil {
			return orNoNode(err, "account", n.SourceAccount)
		}
		if source.Enterprise != "" || source.State != account.Active {
			return fault.New(fault.Conflict, "Account '%s' is not active or belongs to an enterprise already.", source.ID)
		}
		u, err := account.Users.Get(ctx, tx, source.ID, n.Contact)
		if errors.Is(err, fault.NotFound) {
			return fault.Field("primary_contact_iam_id", "Property 'primary_contact_iam_id' must be a user of the source account.")
		}
		if err != nil {
			return err
		}
		entID := s.IDs.Hex(16)
		root, err := s.Accounts.CreateIn(ctx, tx, account.NewAccount{Name: n.Name, Enterprise: entID, EnterpriseRoot: true,
			Owner: account.NewUser{ID: u.ID, Name: u.Name, Email: u.Email, GivenName: u.GivenName, FamilyName: u.FamilyName}})
		if err != nil {
			return err
		}
		e = &Enterprise{Meta: store.Meta{Account: root.ID, ID: entID, Name: n.Name, Owner: u.ID}, Domain: n.Domain, State: account.Active, SourceAccount: source.ID, ContactEmail: u.Email}
		if err := Enterprises.Create(ctx, tx, e, event("enterprise", "create", root.ID, entID, n.Name)); err != nil {
			return err
		}
		top := Place{Root: root.ID, Enterprise: entID, ID: entID}
		if err := s.join(ctx, tx, top, root, u.Email, "create"); err != nil {
			return err
		}
		return s.adopt(ctx, tx, top, source)
	})
	return e, err
}

// join puts an account into a place of the tree.
func (s *Service) join(ctx context.Context, tx store.Tx, at Place, a *account.Account, ownerEmail, verb string) error {
	if err := within(ctx, tx, Members, at.Root, s.Limits.Accounts, "accounts", func(m *Member) bool { return m.State != account.Canceled }); err != nil {
		return err
	}
	m := &Member{Meta: store.Meta{Account: at.Root, ID: a.ID, Parent: at.ID, Name: a.Name, Owner: a.Owner}, Enterprise: at.Enterprise,
		Above: at.Above, State: a.State, Managed: a.EnterpriseManaged, OwnerEmail: ownerEmail, Root: a.EnterpriseRoot}
	return Members.Create(ctx, tx, m, event("account", verb, at.Root, a.ID, a.Name))
}

// within refuses one more node where an enterprise holds as many living ones as
// it may. Only near the limit are they told from the dead one by one.
func within[T any](ctx context.Context, r store.Reader, c *store.Collection[T], root string, limit int, what string, alive func(*T) bool) error {
	n, err := c.Count(ctx, r, store.Query{Account: root})
	if err != nil || n < limit {
		return err
	}
	all, err := c.List(ctx, r, store.Query{Account: root})
	if err != nil {
		return err
	}
	n = 0
	for _, x := range all {
		if alive(x) {
			n++
		}
	}
	if n < limit {
		return nil
	}
	return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: fmt.Sprintf("The enterprise holds %d %s, its limit.", n, what)}
}

// adopt makes an account that exists a child.
func (s *Service) adopt(ctx context.Context, tx store.Tx, at Place, a *account.Account) error {
	a.Enterprise, a.ParentGroup = at.Enterprise, ""
	if at.Group {
		a.ParentGroup = at.ID
	}
	ev := store.Event{Action: account.ActionAccountUpdate, Params: []string{"enterprise"}, Message: "Account Management: account " + a.Name + " joined an enterprise"}
	if err := account.Accounts.Update(ctx, tx, a, ev); err != nil {
		return err
	}
	email := ""
	if u, err := account.Users.Get(ctx, tx, a.ID, a.Owner); err == nil {
		email = u.Email
	}
	return s.join(ctx, tx, at, a, email, "import")
}

// Import makes an account that belongs to no enterprise a child of a place.
func (s *Service) Import(ctx context.Context, entID, accountID, parent string) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		e, err := Enterprises.Get(ctx, tx, "", entID)
		if err != nil {
			return orNoNode(err, "enterprise", entID)
		}
		at := Place{Root: e.Account, Enterprise: e.ID, ID: e.ID}
		if parent != "" {
			if at, err = placeOf(ctx, tx, parent); err != nil {
				return orNoNode(err, "parent", parent)
			}
			if at.Enterprise != e.ID { // as if it were not there
				return NoNode("parent", parent)
			}
		}
		a, err := account.Accounts.Get(ctx, tx, accountID, accountID)
		if err != nil {
			return orNoNode(err, "account", accountID)
		}
		if a.Enterprise != "" || a.State != account.Active {
			return fault.New(fault.Conflict, "Account '%s' is not active or belongs to an enterprise already.", a.ID)
		}
		return s.adopt(ctx, tx, at, a)
	})
}
