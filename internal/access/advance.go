package access

import (
	"context"
	"errors"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// relevant are the kinds of object that a snapshot is made of.
var relevant = map[string]bool{
	account.Accounts.Kind(): true, Policies.Kind(): true, CustomRoles.Kind(): true, Groups.Kind(): true,
	Members.Kind(): true, GroupRules.Kind(): true, SettingsByAcct.Kind(): true, Controls.Kind(): true,
}

// maxEvents is how many events are worth replaying: reading an object for each
// costs about 15 µs, reading all of an account 10 µs an object.
const maxEvents = 2000

// advance gives the snapshot that follows from another by the events since: it
// reads the objects that they changed, in the same state of the store as the
// events, so that the result is exactly the state at its place in the log.
func (a *Authority) advance(ctx context.Context, b *built, catalog *policy.Catalog) (*built, error) {
	var changes []policy.Change
	covered := b.covered
	tooMany := false
	err := a.read(ctx, func(r store.Reader, log store.LogReader) error {
		changes, tooMany = nil, false
		events, err := log.Events(ctx, b.snapshot.Account(), b.covered, maxEvents+1)
		if err != nil || len(events) == 0 {
			return err
		}
		if tooMany = len(events) > maxEvents; tooMany {
			return nil
		}
		covered = events[len(events)-1].Seq
		changes, err = changesOf(ctx, r, events)
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
	return &built{b.snapshot.With(append(changes, policy.SetSeq(covered))...), covered}, nil
}

// changesOf reads each object that events touched once, groups before their
// members.
func changesOf(ctx context.Context, r store.Reader, events []store.Event) ([]policy.Change, error) {
	var changes []policy.Change
	type object struct{ kind, id string }
	seen := map[object]bool{}
	visit := func(kind, id string, e *store.Event) error {
		if seen[object{kind, id}] {
			return nil
		}
		seen[object{kind, id}] = true
		c, err := reread(ctx, r, kind, id, e)
		changes = append(changes, c...)
		return err
	}
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case GroupRules.Kind(): // a group's rules are compiled together
			if err := visit(Groups.Kind(), e.Parent, e); err != nil {
				return nil, err
			}
		case Groups.Kind():
			if err := visit(e.Kind, e.Target, e); err != nil {
				return nil, err
			}
		}
	}
	for i := range events {
		e := &events[i]
		if !relevant[e.Kind] || e.Kind == Groups.Kind() || e.Kind == GroupRules.Kind() {
			continue
		}
		if err := visit(e.Kind, e.Target, e); err != nil {
			return nil, err
		}
	}
	return changes, nil
}

// reread gives the changes that bring one object to its present state.
func reread(ctx context.Context, r store.Reader, kind, id string, e *store.Event) ([]policy.Change, error) {
	switch kind {
	case Policies.Kind():
		return read(ctx, r, Policies, e.Account, id, policy.RemovePolicy(id), func(p *Policy) policy.Change { return policy.PutPolicy(engineForm(p)) })
	case Members.Kind():
		iamID := strings.TrimPrefix(id, e.Parent+"/")
		return read(ctx, r, Members, e.Account, id, policy.RemoveMembers(e.Parent, iamID), func(m *Member) policy.Change { return policy.AddMembers(m.Parent, m.Owner) })
	case CustomRoles.Kind():
		return read(ctx, r, CustomRoles, e.Account, id, policy.RemoveCustomRole(e.CRN), func(c *CustomRole) policy.Change { return policy.PutCustomRole(roleForm(c)) })
	case Controls.Kind():
		return read(ctx, r, Controls, e.Account, id, policy.RemoveControl(id), func(c *Control) policy.Change { return policy.PutControl(controlForm(c)) })
	case Groups.Kind():
		g, err := loadGroup(ctx, r, e.Account, id)
		if errors.Is(err, fault.NotFound) {
			return []policy.Change{policy.RemoveGroup(id)}, nil
		}
		return []policy.Change{policy.PutGroup(g)}, err
	case SettingsByAcct.Kind():
		set, err := settingsOf(ctx, r, e.Account)
		if err != nil {
			return nil, err
		}
		return []policy.Change{policy.SetPublicAccess(!set.PublicAccessOff), policy.SetExternal(set.External)}, nil
	case account.Accounts.Kind():
		acct, err := account.Accounts.Get(ctx, r, e.Account, e.Account)
		if err != nil {
			return nil, err
		}
		return []policy.Change{policy.SetOwner(acct.Owner), policy.SetState(policy.AccountState(acct.State))}, nil
	}
	return nil, nil
}

// read gives the change for an object that is there, or that for one that is not.
func read[T any](ctx context.Context, r store.Reader, c *store.Collection[T], accountID, id string, gone policy.Change, there func(*T) policy.Change) ([]policy.Change, error) {
	obj, err := c.Get(ctx, r, accountID, id)
	if errors.Is(err, fault.NotFound) {
		return []policy.Change{gone}, nil
	}
	if err != nil {
		return nil, err
	}
	return []policy.Change{there(obj)}, nil
}
