package authority

import (
	"context"
	"errors"
	"slices"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// relevant are the kinds of object that a snapshot is made of.
var relevant = map[string]bool{
	account.Accounts.Kind(): true, account.SettingsByAcct.Kind(): true,
	access.Policies.Kind(): true, access.CustomRoles.Kind(): true, access.Groups.Kind(): true,
	access.Members.Kind(): true, access.GroupRules.Kind(): true, access.SettingsByAcct.Kind(): true, access.Controls.Kind(): true,
}

// maxEvents is how many events are worth replaying: reading an object for each
// costs about 15 µs, reading all of an account 10 µs an object.
const maxEvents = 2000

// advance gives the snapshot that follows from another by the events since: it
// reads the objects that they changed, in the same state of the store as the
// events, so that the result is exactly the state at its place in the log. Owed
// are events of other accounts' logs about objects of this one.
func (a *Authority) advance(ctx context.Context, b *built, owed []store.Event, catalog *policy.Catalog) (*built, error) {
	var changes []policy.Change
	covered := b.covered
	tooMany := false
	err := a.read(ctx, func(r store.Reader, log store.LogReader) error {
		changes, tooMany = nil, false
		events, err := log.Events(ctx, b.snapshot.Account(), b.covered, maxEvents+1)
		if err != nil {
			return err
		}
		if tooMany = len(events)+len(owed) > maxEvents; tooMany {
			return nil
		}
		if len(events) > 0 {
			covered = events[len(events)-1].Seq
		}
		changes, err = a.changesOf(ctx, r, b.snapshot.Account(), slices.Concat(events, owed))
		return err
	})
	if err != nil {
		return nil, err
	}
	if tooMany {
		return a.load(ctx, b.snapshot.Account(), catalog)
	}
	if catalog != b.snapshot.Catalog() {
		changes = append(changes, policy.SetCatalog(catalog))
	}
	return &built{snapshot: b.snapshot.With(append(changes, policy.SetSeq(covered))...), covered: covered}, nil
}

// changesOf reads each object of an account that events touched once, groups
// before their members.
func (a *Authority) changesOf(ctx context.Context, r store.Reader, accountID string, events []store.Event) ([]policy.Change, error) {
	var changes []policy.Change
	seen := map[store.Ref]bool{}
	visit := func(w store.Ref, e *store.Event) error {
		if seen[w] {
			return nil
		}
		seen[w] = true
		c, err := a.reread(ctx, r, w, e)
		changes = append(changes, c...)
		return err
	}
	for _, groups := range []bool{true, false} {
		for i := range events {
			e := &events[i]
			w := e.Written()
			if w.Kind == access.GroupRules.Kind() { // a group's rules are compiled together
				w.Kind, w.ID = access.Groups.Kind(), e.Parent
			}
			if w.Account != accountID || !relevant[w.Kind] || groups != (w.Kind == access.Groups.Kind()) {
				continue
			}
			if err := visit(w, e); err != nil {
				return nil, err
			}
		}
	}
	return changes, nil
}

// reread gives the changes that bring one object to its present state.
func (a *Authority) reread(ctx context.Context, r store.Reader, w store.Ref, e *store.Event) ([]policy.Change, error) {
	switch w.Kind {
	case access.Policies.Kind():
		return read(ctx, r, access.Policies, w, policy.RemovePolicy(w.ID),
			func(p *access.Policy) policy.Change { return policy.PutPolicy(engineForm(p)) })
	case access.Members.Kind():
		group, iamID := access.SplitMemberID(w.ID)
		return read(ctx, r, access.Members, w, policy.RemoveMembers(group, iamID),
			func(m *access.Member) policy.Change { return policy.AddMembers(m.Parent, m.Owner) })
	case access.CustomRoles.Kind():
		return read(ctx, r, access.CustomRoles, w, policy.RemoveCustomRole(e.CRN),
			func(c *access.CustomRole) policy.Change { return policy.PutCustomRole(c.Form()) })
	case access.Controls.Kind():
		return read(ctx, r, access.Controls, w, policy.RemoveControl(w.ID),
			func(c *access.Control) policy.Change { return policy.PutControl(controlForm(c)) })
	case access.Groups.Kind():
		g, err := loadGroup(ctx, r, w.Account, w.ID)
		if errors.Is(err, fault.NotFound) {
			return []policy.Change{policy.RemoveGroup(w.ID)}, nil
		}
		return []policy.Change{policy.PutGroup(g)}, err
	case access.SettingsByAcct.Kind():
		set, err := access.SettingsOf(ctx, r, w.Account)
		if err != nil {
			return nil, err
		}
		return []policy.Change{policy.SetPublicAccess(!set.PublicAccessOff), policy.SetExternal(set.External)}, nil
	case account.SettingsByAcct.Kind():
		set, err := settingsOf(ctx, r, w.Account)
		if err != nil {
			return nil, err
		}
		return []policy.Change{policy.SetDemands(a.demands(set)), policy.SetRestricted(restricted(set))}, nil
	case account.Accounts.Kind():
		acct, err := account.Accounts.Get(ctx, r, w.Account, w.Account)
		if err != nil {
			return nil, err
		}
		return []policy.Change{policy.SetOwner(acct.Owner), policy.SetState(policy.AccountState(acct.State))}, nil
	}
	return nil, nil
}

// read gives the change for an object that is there, or that for one that is not.
func read[T any](ctx context.Context, r store.Reader, c *store.Collection[T], w store.Ref, gone policy.Change,
	there func(*T) policy.Change) ([]policy.Change, error) {
	obj, err := c.Get(ctx, r, w.Account, w.ID)
	if errors.Is(err, fault.NotFound) {
		return []policy.Change{gone}, nil
	}
	if err != nil {
		return nil, err
	}
	return []policy.Change{there(obj)}, nil
}
