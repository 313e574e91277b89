// Package enterprise owns the tree of an enterprise: the root, account groups
// and the accounts in them, with their moves and ends. What templates lay on
// the accounts of the tree is package template's.
package enterprise

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/limit"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
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

// Limits bound a tree; 0 stands for the default. Deleted groups and cancelled
// accounts do not count. Lowering one takes nothing away, it only stops what
// would add more.
type Limits struct {
	Tiers, Groups, Accounts int // the enterprise itself counts as one tier
}

// Rows are the limits as an operator sets them. The defaults are those of the
// official service's documentation.
func (l *Limits) Rows() []limit.Row {
	return []limit.Row{
		{Key: "enterprise.max_accounts", To: &l.Accounts, Usual: 1000, Most: 100000,
			Help: "Most accounts of an enterprise, its own account included; cancelled ones do not count."},
		{Key: "enterprise.max_groups", To: &l.Groups, Usual: 500, Most: 10000, Help: "Most account groups of an enterprise."},
		{Key: "enterprise.max_tiers", To: &l.Tiers, Usual: 5, Least: 2, Most: 20,
			Help: "Most tiers of an enterprise: the enterprise itself is one, nested account groups are one each, and accounts are the last."},
	}
}

// Config is what a Service needs. DB and Accounts are required; Identities and
// Policies only where accounts begin with a service ID of their owner.
type Config struct {
	DB         store.DB
	Accounts   *account.Service
	Identities Identities
	Policies   Policies
	IDs        id.Generator // the zero value draws from crypto/rand
	Limits     Limits
	// Moved hears of a tree one of whose accounts joined, moved, left or changed
	// its state, in the same transaction; nil: nobody.
	Moved func(ctx context.Context, tx store.Tx, root string) error
}

// Service changes trees. It is safe for concurrent use.
type Service struct {
	db         store.DB
	accounts   *account.Service
	identities Identities
	policies   Policies
	ids        id.Generator
	limits     Limits
	moved      func(ctx context.Context, tx store.Tx, root string) error
}

// New makes the service.
func New(c Config) *Service {
	if c.Moved == nil {
		c.Moved = func(context.Context, store.Tx, string) error { return nil }
	}
	limit.Fill(c.Limits.Rows())
	return &Service{db: c.DB, accounts: c.Accounts, identities: c.Identities, policies: c.Policies, ids: c.IDs, moved: c.Moved,
		limits: c.Limits}
}

// Limits are those in force.
func (s *Service) Limits() Limits { return s.limits }

// The kinds of node, as resource names and policies write them.
const (
	kindEnterprise = "enterprise"
	kindGroup      = "account-group"
	kindAccount    = "account"
)

// CRN is the resource name of a node of a tree: kind is enterprise,
// account-group or account.
func CRN(root, kind, nodeID string) string { return crn.Of("enterprise", root, kind, nodeID) }

// CRN is the resource name of the enterprise.
func (e *Enterprise) CRN() string { return CRN(e.Account, kindEnterprise, e.ID) }

// CRN is the resource name of the group.
func (g *Group) CRN() string { return CRN(g.Account, kindGroup, g.ID) }

// CRN is the resource name of the account as a part of the tree.
func (m *Member) CRN() string { return CRN(m.Account, kindAccount, m.ID) }

func event(what, verb, root, nodeID, name string, params ...string) store.Event {
	return store.Event{Action: "enterprise." + what + "." + verb, CRN: CRN(root, what, nodeID), Params: params, Name: name,
		Message: "Enterprise Management: " + verb + " " + what + " " + name}
}

// NoNode is the error for a node that is not there, or not for the caller to know.
func NoNode(kind, nodeID string) *fault.Error {
	return &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: fmt.Sprintf("The %s '%s' was not found.", kind, nodeID)}
}

func orNoNode(err error, kind, nodeID string) error {
	if errors.Is(err, fault.NotFound) {
		return NoNode(kind, nodeID)
	}
	return err
}

// checkName validates the name of a node: 3 to 60 characters.
func checkName(name string) error {
	if n := utf8.RuneCountInString(strings.TrimSpace(name)); n < 3 || n > 60 {
		return fault.Field("name", "Property 'name' must have 3 to 60 characters.")
	}
	return valid.Line("name", name)
}

func checkContact(iamID string) error {
	if strings.TrimSpace(iamID) == "" {
		return fault.Missing("primary_contact_iam_id")
	}
	return nil
}

// Enterprise gives an enterprise.
func (s *Service) Enterprise(ctx context.Context, entID string) (*Enterprise, error) {
	e, err := Enterprises.Get(ctx, s.db.Direct(), "", entID)
	return e, orNoNode(err, kindEnterprise, entID)
}

// Group gives an account group, deleted ones included.
func (s *Service) Group(ctx context.Context, groupID string) (*Group, error) {
	g, err := Groups.Get(ctx, s.db.Direct(), "", groupID)
	return g, orNoNode(err, kindGroup, groupID)
}

// Member gives an account's place in its enterprise.
func (s *Service) Member(ctx context.Context, accountID string) (*Member, error) {
	m, err := Members.Get(ctx, s.db.Direct(), "", accountID)
	return m, orNoNode(err, kindAccount, accountID)
}

// Account gives an account that may become a part of an enterprise.
func (s *Service) Account(ctx context.Context, accountID string) (*account.Account, error) {
	a, err := s.accounts.Account(ctx, accountID)
	return a, orNoNode(err, kindAccount, accountID)
}

// Change is what may change of an enterprise or a group; nil leaves a property.
// A new contact must be a user of the enterprise account.
type Change struct {
	Name, Contact *string
	Domain        *string // enterprises have one
}

// Validate checks what is given.
func (c Change) Validate() error {
	if c.Domain != nil && utf8.RuneCountInString(*c.Domain) > 60 {
		return fault.Field("domain", "Property 'domain' must have at most 60 characters.")
	}
	if c.Name != nil {
		if err := checkName(*c.Name); err != nil {
			return err
		}
	}
	if c.Domain != nil {
		return valid.Line("domain", *c.Domain)
	}
	return nil
}

// apply writes the change and gives the names of what it set.
func (c *Change) apply(ctx context.Context, r store.Reader, m *store.Meta, domain, email *string) (params []string, err error) {
	if c.Name != nil {
		m.Name, params = *c.Name, append(params, "name")
	}
	if c.Domain != nil {
		*domain, params = *c.Domain, append(params, "domain")
	}
	if c.Contact != nil {
		m.Owner, params = *c.Contact, append(params, "primary_contact_iam_id")
		*email, err = contactEmail(ctx, r, m.Account, m.Owner)
	}
	return params, err
}

// Update changes an enterprise.
func (s *Service) Update(ctx context.Context, found *Enterprise, v valid.Of[Change]) error {
	c := v.Value()
	_, err := Enterprises.Edit(ctx, s.db, found, func(tx store.Tx, e *Enterprise) (store.Event, error) {
		params, err := c.apply(ctx, tx, &e.Meta, &e.Domain, &e.ContactEmail)
		return event(kindEnterprise, "update", e.Account, e.ID, e.Name, params...), err
	})
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

// NewEnterprise says what enterprise to make of an account.
type NewEnterprise struct{ Name, Contact, Domain string }

// Validate checks what is required.
func (n NewEnterprise) Validate() error {
	if err := checkContact(n.Contact); err != nil {
		return err
	}
	return Change{Name: &n.Name, Domain: &n.Domain}.Validate()
}

// ActionMake is the right over an account to make it part of an enterprise: to
// make one of it, or to import it. It is decided on Billing.
const ActionMake = "billing.enterprise.create"

// Billing is the resource on which ActionMake is decided: the account's billing.
func Billing(accountID string) policy.Resource {
	return policy.Resource{ServiceName: "billing", Account: accountID}
}

func needBilling(ctx context.Context, who asker.Asker, accountID string) error {
	return asker.Need(ctx, who, ActionMake, Billing(accountID), NoNode(kindAccount, accountID))
}

// Create makes an enterprise out of an account: a new enterprise account, owned
// by the contact, becomes the root, and the source account its first child. The
// asker needs ActionMake over the account.
func (s *Service) Create(ctx context.Context, who asker.Asker, source *account.Account, v valid.Of[NewEnterprise]) (*Enterprise, error) {
	n := v.Value()
	if err := needBilling(ctx, who, source.ID); err != nil {
		return nil, err
	}
	var e *Enterprise
	err := s.db.Update(ctx, func(tx store.Tx) error {
		contact, err := account.Users.Get(ctx, tx, source.ID, n.Contact)
		if errors.Is(err, fault.NotFound) {
			return fault.Field("primary_contact_iam_id", "Property 'primary_contact_iam_id' must be a user of the source account.")
		}
		if err != nil {
			return err
		}
		if e, err = s.begin(ctx, tx, contact.Elsewhere(), n, source.ID); err != nil {
			return err
		}
		return s.adopt(ctx, tx, e.Place(), source)
	})
	return e, err
}

// Begin makes an enterprise of no account: a new one becomes its root, and its
// owner the contact. The server itself begins with it: nobody is asked.
func (s *Service) Begin(ctx context.Context, owner account.NewUser, v valid.Of[NewEnterprise]) (e *Enterprise, err error) {
	err = s.db.Update(ctx, func(tx store.Tx) error {
		e, err = s.begin(ctx, tx, owner, v.Value(), "")
		return err
	})
	return e, err
}

// begin makes an enterprise with its root account.
func (s *Service) begin(ctx context.Context, tx store.Tx, owner account.NewUser, n NewEnterprise, source string) (*Enterprise, error) {
	entID := s.ids.Hex(16)
	root, err := s.accounts.CreateIn(ctx, tx, account.NewAccount{Name: n.Name, Owner: owner,
		Enterprise: entID, EnterpriseRoot: true})
	if err != nil {
		return nil, err
	}
	e := &Enterprise{Meta: store.Meta{Account: root.ID, ID: entID, Name: n.Name, Owner: owner.ID}, Domain: n.Domain,
		State: account.Active, SourceAccount: source, ContactEmail: owner.Email}
	if err := Enterprises.Create(ctx, tx, e, event(kindEnterprise, "create", root.ID, entID, n.Name)); err != nil {
		return nil, err
	}
	return e, s.join(ctx, tx, e.Place(), root, owner.Email, "create")
}

// Import makes an account that belongs to no enterprise a child of a place, which
// its CRN names; "" is the enterprise itself. The asker needs the right to import
// into the enterprise, and ActionMake over the account.
func (s *Service) Import(ctx context.Context, who asker.Asker, e *Enterprise, accountID, parent string) error {
	if err := need(ctx, who, "enterprise.enterprise.import", e, NoNode(kindEnterprise, e.ID)); err != nil {
		return err
	}
	a, err := s.Account(ctx, accountID)
	if err != nil {
		return err
	}
	if err := needBilling(ctx, who, a.ID); err != nil {
		return err
	}
	at := e.Place()
	if parent != "" {
		if at, err = s.Place(ctx, parent); err != nil {
			return err
		}
		if at.Enterprise != e.ID { // as if it were not there
			return NoNode("parent", parent)
		}
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		if err := Enterprises.Hold(ctx, tx, e); err != nil {
			return err
		}
		if err := at.take(ctx, tx); err != nil {
			return err
		}
		return s.adopt(ctx, tx, at, a)
	})
}

// adopt makes an account that exists a child.
func (s *Service) adopt(ctx context.Context, tx store.Tx, at Place, found *account.Account) error {
	a, err := s.accounts.JoinIn(ctx, tx, found, at.Enterprise, at.groupID())
	if err != nil {
		return err
	}
	email := ""
	if u, err := account.Users.Get(ctx, tx, a.ID, a.Owner); err == nil {
		email = u.Email
	}
	return s.join(ctx, tx, at, a, email, "import")
}

// join puts an account into a place of the tree.
func (s *Service) join(ctx context.Context, tx store.Tx, at Place, a *account.Account, ownerEmail, verb string) error {
	if err := within(ctx, tx, Members, at.Root, s.limits.Accounts, "accounts"); err != nil {
		return err
	}
	m := &Member{Meta: store.Meta{Account: at.Root, ID: a.ID, Parent: at.ID, Name: a.Name, Owner: a.Owner}, Enterprise: at.Enterprise,
		Above: at.Above, State: a.State, Managed: a.EnterpriseManaged, OwnerEmail: ownerEmail, Root: a.EnterpriseRoot}
	if err := Members.Create(ctx, tx, m, event(kindAccount, verb, at.Root, a.ID, a.Name)); err != nil {
		return err
	}
	return s.moved(ctx, tx, at.Root)
}
