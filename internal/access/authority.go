package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// Authority answers decisions from one immutable snapshot per account. A
// snapshot is built when it is first asked for and replaced after the account's
// events touched it: a decision that starts after a write returned sees the
// write. It is safe for concurrent use.
type Authority struct {
	db      store.DB
	catalog atomic.Pointer[policy.Catalog]
	cancel  func()

	mu       sync.Mutex
	accounts map[string]*view
}

// view is the place of one account's snapshot.
type view struct {
	moved atomic.Uint64 // +1 with each event that matters
	ready atomic.Pointer[built]
	build sync.Mutex // one builder at a time
}

// built is a snapshot and the count of events that it has seen.
type built struct {
	snapshot *policy.Snapshot
	moved    uint64
}

// NewAuthority makes an Authority that follows the store's events until Close.
func NewAuthority(db store.DB, catalog *policy.Catalog) *Authority {
	a := &Authority{db: db, accounts: map[string]*view{}}
	a.catalog.Store(catalog)
	a.cancel = db.Subscribe(a.follow)
	return a
}

// Close ends the following of events.
func (a *Authority) Close() { a.cancel() }

// Catalog is the catalogue that decisions are made with.
func (a *Authority) Catalog() *policy.Catalog { return a.catalog.Load() }

// SetCatalog replaces the catalogue; every snapshot is built anew.
func (a *Authority) SetCatalog(c *policy.Catalog) {
	a.catalog.Store(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.accounts {
		v.moved.Add(1)
	}
}

// relevant are the kinds of object that a snapshot is made of.
var relevant = map[string]bool{
	account.Accounts.Kind(): true, Policies.Kind(): true, CustomRoles.Kind(): true, Groups.Kind(): true,
	Members.Kind(): true, GroupRules.Kind(): true, SettingsByAcct.Kind(): true, Controls.Kind(): true,
}

func (a *Authority) follow(events []store.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range events {
		if e.Op == store.Reset {
			a.accounts = map[string]*view{}
			return
		}
		if v := a.accounts[e.Account]; v != nil && relevant[e.Kind] {
			v.moved.Add(1)
		}
	}
}

// Decide asks policy.Decide with the snapshot of the resource's account. An
// account that does not exist denies like one that grants nothing. Errors are
// those of the store.
func (a *Authority) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	s, err := a.Snapshot(ctx, r.Resource.Account)
	if errors.Is(err, fault.NotFound) {
		return policy.Decision{Reason: policy.ReasonOtherAccount}, nil
	}
	if err != nil {
		return policy.Decision{}, err
	}
	return policy.Decide(s, &r), nil
}

// Snapshot gives the current snapshot of an account, fault.NotFound when there
// is no such account.
func (a *Authority) Snapshot(ctx context.Context, accountID string) (*policy.Snapshot, error) {
	v, known := a.view(accountID)
	if b := v.ready.Load(); b != nil && b.moved == v.moved.Load() {
		return b.snapshot, nil
	}
	v.build.Lock()
	defer v.build.Unlock()
	moved := v.moved.Load()
	if b := v.ready.Load(); b != nil && b.moved == moved {
		return b.snapshot, nil
	}
	s, err := a.load(ctx, accountID)
	if err != nil {
		if !known {
			a.forget(accountID, v)
		}
		return nil, err
	}
	v.ready.Store(&built{snapshot: s, moved: moved})
	return s, nil
}

// ready gives an account's snapshot if one is built, however old, else nil.
func (a *Authority) ready(accountID string) *policy.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	if v := a.accounts[accountID]; v != nil {
		if b := v.ready.Load(); b != nil {
			return b.snapshot
		}
	}
	return nil
}

func (a *Authority) view(accountID string) (v *view, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v = a.accounts[accountID]
	if v == nil {
		v = &view{}
		a.accounts[accountID] = v
		return v, false
	}
	return v, true
}

// forget drops the place of an account that is not there, so that questions
// about invented accounts do not fill the memory.
func (a *Authority) forget(accountID string, v *view) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accounts[accountID] == v && v.ready.Load() == nil {
		delete(a.accounts, accountID)
	}
}

// load reads everything that gives access in an account, in one consistent state.
func (a *Authority) load(ctx context.Context, accountID string) (*policy.Snapshot, error) {
	in := policy.Input{Account: accountID, Catalog: a.Catalog(), PublicAccess: true}
	err := a.db.View(ctx, func(r store.Reader) error {
		acct, err := account.Accounts.Get(ctx, r, accountID, accountID)
		if err != nil {
			return err
		}
		in.Owner, in.State = acct.Owner, policy.AccountState(acct.State)
		settings, err := SettingsByAcct.Get(ctx, r, accountID, accountID)
		switch {
		case err == nil:
			in.PublicAccess, in.External = !settings.PublicAccessOff, settings.External
		case !errors.Is(err, fault.NotFound):
			return err
		}
		if in.Policies, err = loadPolicies(ctx, r, accountID); err != nil {
			return err
		}
		if in.Groups, err = loadGroups(ctx, r, accountID); err != nil {
			return err
		}
		return loadRolesAndControls(ctx, r, &in)
	})
	if err != nil {
		if errors.Is(err, fault.NotFound) {
			return nil, err
		}
		return nil, fmt.Errorf("loading access of account %s: %w", accountID, err)
	}
	return policy.NewSnapshot(in), nil
}

func loadPolicies(ctx context.Context, r store.Reader, accountID string) ([]*policy.Policy, error) {
	stored, err := Policies.List(ctx, r, store.Query{Account: accountID, Parent: string(policy.StateActive), Order: store.ByID})
	if err != nil {
		return nil, err
	}
	out := make([]*policy.Policy, len(stored))
	for i, p := range stored {
		out[i] = engineForm(p)
	}
	return out, nil
}

// engineForm gives the document with the identity that lives in the metadata.
func engineForm(p *Policy) *policy.Policy {
	d := p.Doc
	d.ID, d.Account = p.ID, p.Account
	return &d
}

func loadGroups(ctx context.Context, r store.Reader, accountID string) ([]policy.Group, error) {
	all := store.Query{Account: accountID, Order: store.ByID}
	groups, err := Groups.List(ctx, r, all)
	if err != nil {
		return nil, err
	}
	members, err := Members.List(ctx, r, all)
	if err != nil {
		return nil, err
	}
	rules, err := GroupRules.List(ctx, r, all)
	if err != nil {
		return nil, err
	}
	out := make([]policy.Group, len(groups))
	at := make(map[string]int, len(groups))
	for i, g := range groups {
		out[i] = policy.Group{ID: g.ID, Name: g.Name}
		at[g.ID] = i
	}
	for _, m := range members {
		if i, ok := at[m.Parent]; ok {
			out[i].Members = append(out[i].Members, m.Owner)
		}
	}
	for _, rule := range rules {
		if i, ok := at[rule.Parent]; ok {
			out[i].Rules = append(out[i].Rules, policy.DynamicRule{ID: rule.ID, Name: rule.Name, Realm: rule.RealmName,
				Expiration: time.Duration(rule.Hours) * time.Hour, Conditions: rule.Conditions})
		}
	}
	return out, nil
}

func loadRolesAndControls(ctx context.Context, r store.Reader, in *policy.Input) error {
	all := store.Query{Account: in.Account, Order: store.ByID}
	roles, err := CustomRoles.List(ctx, r, all)
	if err != nil {
		return err
	}
	for _, role := range roles {
		in.CustomRoles = append(in.CustomRoles, policy.CustomRole{Service: role.Service, Role: policy.Role{
			CRN: role.CRN(), Name: role.Name, DisplayName: role.DisplayName, Description: role.Description,
			Kind: policy.RoleCustom, Actions: role.Actions}})
	}
	controls, err := Controls.List(ctx, r, all)
	if err != nil {
		return err
	}
	for _, c := range controls {
		in.Controls = append(in.Controls, policy.ActionControl{ID: c.ID, Service: c.Service, Actions: c.Actions})
	}
	return nil
}
