package idp

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/limit"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Config is what a Service needs. DB and Sealer are required.
type Config struct {
	DB     store.DB
	Now    func() time.Time // nil: time.Now
	IDs    id.Generator
	Sealer *secret.Sealer
	Limits Limits
	// NewKey makes the key of a service provider; nil makes RSA keys of 2,048
	// bits, which every SAML product takes.
	NewKey func() (crypto.Signer, error)
}

// Limits bound the identity providers that one account owns; 0 stands for the
// default.
type Limits struct{ IdPs int }

// Rows are the limits as an operator sets them. The default is that of IBM
// Cloud's page "IAM limits".
func (l *Limits) Rows() []limit.Row {
	return []limit.Row{{Key: "identity.max_identity_providers", To: &l.IdPs, Usual: 5, Most: 1000,
		Help: "Most identity providers of an account."}}
}

// Service owns the identity providers of all accounts. It is safe for
// concurrent use. It decides no access: its callers have asked already, about
// the object that they give. Functions that take what was found fail with
// store.ErrMoved when it was written or deleted meanwhile.
type Service struct {
	db     store.DB
	now    func() time.Time
	ids    id.Generator
	sealer *secret.Sealer
	limits Limits
	newKey func() (crypto.Signer, error)
}

// New makes the service.
func New(c Config) *Service {
	limit.Fill(c.Limits.Rows())
	s := &Service{db: c.DB, now: c.Now, ids: c.IDs, sealer: c.Sealer, limits: c.Limits, newKey: c.NewKey}
	if s.now == nil {
		s.now = time.Now
	}
	if s.newKey == nil {
		s.newKey = func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }
	}
	return s
}

const whatIdP = "IdP"

// event is what the audit trail tells of a change of an identity provider.
func event(verb string, m *store.Meta, params ...string) store.Event {
	return store.Event{
		Action: "iam-identity.idp." + verb, Name: m.Name, CRN: crn.Of("iam-identity", m.Account, "idp", m.ID), Params: params,
		Message: "IAM Identity Service: " + verb + " idp " + m.Name,
	}
}

// Spec says what identity provider to make.
type Spec struct {
	Account, Name, Type string
	Active              *bool          // nil: true
	Properties          map[string]any // nil: not given
	Secrets             map[string]any // nil: not given
	Shared              []Scope
}

// Draft is an identity provider to be made that nothing is to be said against.
// Only Spec.Draft makes one.
type Draft struct {
	spec Spec
	conf configuration
}

// Draft checks what can be checked without the store. Errors are fault.Invalid
// and name the property.
func (n Spec) Draft() (*Draft, error) {
	if err := identity.CheckAccount("account_id", n.Account); err != nil {
		return nil, err
	}
	if err := required("name", n.Name, maxName); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{TypeSAML, TypeAppID, TypeLDAP}, n.Type) {
		return nil, fault.Field("type", "Property 'type' must be saml, appid or ldap.")
	}
	if err := checkScopes(n.Shared); err != nil {
		return nil, err
	}
	if n.Type == TypeSAML {
		if n.Properties == nil {
			return nil, fault.Missing("properties")
		}
		if n.Secrets == nil {
			return nil, fault.Missing("secrets")
		}
	}
	conf, err := configure(n.Type, configuration{}, n.Properties, n.Secrets)
	if err != nil {
		return nil, err
	}
	return &Draft{n, *conf}, nil
}

// Create makes an identity provider. A SAML one without keys of its own gets a
// key and certificate. Errors: fault.Limit, fault.NotFound for the account.
func (s *Service) Create(ctx context.Context, d *Draft) (*IdP, error) {
	n, conf := &d.spec, d.conf
	p := &IdP{
		Meta: store.Meta{Account: n.Account, ID: s.ids.New(id.IdentityProvider), Name: n.Name},
		Type: n.Type, Active: n.Active == nil || *n.Active, Shared: append([]Scope{}, n.Shared...),
	}
	if err := s.putConfiguration(p, &conf); err != nil {
		return nil, err
	}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		if _, err := accountOf(ctx, tx, n.Account); err != nil {
			return err
		}
		count, err := count(ctx, tx, n.Account)
		if err != nil {
			return err
		}
		if count >= s.limits.IdPs {
			return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: "The maximum number of identity providers is reached.",
				Details: fmt.Sprintf("The maximum number of allowed identity providers in account %s is %d.", n.Account, s.limits.IdPs)}
		}
		if err := IdPs.Create(ctx, tx, p, event("create", &p.Meta)); err != nil {
			return fmt.Errorf("storing identity provider: %w", err)
		}
		return changeOffers(ctx, tx, p, nil, p.Shared)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Limits are those in force.
func (s *Service) Limits() Limits { return s.limits }

// Count counts the identity providers that an account owns.
func (s *Service) Count(ctx context.Context, accountID string) (int, error) {
	return count(ctx, s.db.Direct(), accountID)
}

func count(ctx context.Context, r store.Reader, accountID string) (int, error) {
	n, err := IdPs.Count(ctx, r, store.Query{Account: accountID})
	if err != nil {
		return 0, fmt.Errorf("counting identity providers: %w", err)
	}
	return n, nil
}

// IdP gives an identity provider by its id, whatever its account, or fault.NotFound.
func (s *Service) IdP(ctx context.Context, idpID string) (*IdP, error) {
	return get(ctx, s.db.Direct(), IdPs, "", idpID)
}

// List gives the identity providers that an account owns, oldest first.
func (s *Service) List(ctx context.Context, accountID string) ([]*IdP, error) {
	return IdPs.List(ctx, s.db.Direct(), store.Query{Account: accountID})
}

// History gives the events of an identity provider, oldest first.
func (s *Service) History(ctx context.Context, p *IdP) ([]store.Event, error) {
	return s.db.Direct().History(ctx, p.Account, IdPs.Kind(), p.ID, identity.HistoryLimit)
}

// Change holds what to change; nil leaves a property as it is. Objects in
// Properties and Secrets are merged into the present ones: null removes a
// property, lists are replaced.
type Change struct {
	Name             *string
	Active           *bool
	UISetupCompleted *bool
	Properties       map[string]any
	Secrets          map[string]any
	Shared           *[]Scope
	// ForceShare takes the identity provider away from accounts that use it
	// when Shared leaves them out.
	ForceShare bool
}

// Validate checks what can be checked without the store.
func (c Change) Validate() error {
	if c.Name != nil {
		if err := required("name", *c.Name, maxName); err != nil {
			return err
		}
	}
	if err := checkTree("properties", c.Properties, maxProperties); err != nil {
		return err
	}
	if err := checkTree("secrets", c.Secrets, maxSecrets); err != nil {
		return err
	}
	if c.Shared != nil {
		return checkScopes(*c.Shared)
	}
	return nil
}

// Update changes an identity provider that was found. Errors: fault.Invalid for
// what the change makes of the present configuration, fault.Stale,
// fault.Conflict when an account that uses it would lose it.
func (s *Service) Update(ctx context.Context, found *IdP, ifMatch string, checked valid.Of[Change]) (*IdP, error) {
	if err := found.Match(ifMatch); err != nil {
		return nil, err
	}
	c := checked.Value()
	return IdPs.Edit(ctx, s.db, found, func(tx store.Tx, p *IdP) (ev store.Event, err error) {
		params, err := s.apply(p, &c)
		if err != nil {
			return ev, err
		}
		if c.Shared != nil && !slices.Equal(*c.Shared, p.Shared) {
			if err := reshare(ctx, tx, p, *c.Shared, c.ForceShare); err != nil {
				return ev, err
			}
			params = append(params, "share_scope")
		}
		return event("update", &p.Meta, params...), nil
	})
}

// apply writes the change into p and gives the names of what it set.
func (s *Service) apply(p *IdP, c *Change) (params []string, err error) {
	if c.Name != nil && *c.Name != p.Name {
		p.Name, params = *c.Name, append(params, "name")
	}
	if c.Active != nil && *c.Active != p.Active {
		p.Active, params = *c.Active, append(params, "active")
	}
	if c.UISetupCompleted != nil && *c.UISetupCompleted != p.UISetupCompleted {
		p.UISetupCompleted, params = *c.UISetupCompleted, append(params, "ui_setup_completed")
	}
	if c.Properties != nil {
		params = append(params, "properties")
	}
	if c.Secrets != nil {
		params = append(params, "secrets")
	}
	if c.Properties == nil && c.Secrets == nil {
		return params, nil
	}
	now, err := s.open(p)
	if err != nil {
		return nil, err
	}
	conf, err := configure(p.Type, *now, c.Properties, c.Secrets)
	if err != nil {
		return nil, err
	}
	return params, s.putConfiguration(p, conf)
}

// Delete removes an identity provider that was found and that no account uses
// any more, else fault.Conflict.
func (s *Service) Delete(ctx context.Context, found *IdP) error {
	return IdPs.Remove(ctx, s.db, found, func(tx store.Tx) (ev store.Event, err error) {
		users, err := consumers.Count(ctx, tx, store.Query{Account: found.Account, Parent: found.ID})
		if err != nil {
			return ev, fmt.Errorf("counting consumers: %w", err)
		}
		if users > 0 {
			return ev, &fault.Error{Kind: fault.Conflict, Code: "delete_not_possible", Number: "BXNIM0105E", Message: "Unable to delete object",
				Details: fmt.Sprintf("Object type '%s' with ID '%s' is used by %d accounts.", whatIdP, found.ID, users)}
		}
		if err := changeOffers(ctx, tx, found, found.Shared, nil); err != nil {
			return ev, err
		}
		test, err := Tests.Get(ctx, tx, found.Account, found.ID)
		if err == nil {
			err = Tests.Delete(ctx, tx, test, store.Silent)
		}
		if err != nil && !errors.Is(err, fault.NotFound) {
			return ev, fmt.Errorf("deleting test record: %w", err)
		}
		return event("delete", &found.Meta), nil
	})
}

// get reads an object and words its absence for the client. An account of ""
// lets the id alone name it.
func get[T any](ctx context.Context, r store.Reader, c *store.Collection[T], accountID, idpID string) (*T, error) {
	const longest, shown = 512, 100 // of ids in the stores; of ids in messages
	if idpID == "" || len(idpID) > longest {
		return nil, fault.NoObject(whatIdP, idpID[:min(len(idpID), shown)])
	}
	obj, err := c.Get(ctx, r, accountID, idpID)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.NoObject(whatIdP, idpID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c.Kind(), err)
	}
	return obj, nil
}

func accountOf(ctx context.Context, r store.Reader, accountID string) (*account.Account, error) {
	a, err := account.Accounts.Get(ctx, r, accountID, accountID)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.NoObject("Account", accountID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading account: %w", err)
	}
	return a, nil
}
