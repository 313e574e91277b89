package enterprise

import (
	"context"
	"fmt"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// NewGroup says what account group to make. The contact must be a user of the
// enterprise account.
type NewGroup struct{ Name, Contact string }

// Validate checks what is required.
func (n NewGroup) Validate() error {
	if err := checkContact(n.Contact); err != nil {
		return err
	}
	return checkName(n.Name)
}

// CreateGroup makes an account group in a place.
func (s *Service) CreateGroup(ctx context.Context, at Place, v valid.Of[NewGroup]) (*Group, error) {
	n := v.Value()
	// The enterprise is one tier, the groups above are the others, and accounts
	// need one below.
	if len(at.Above)+2 > s.limits.Tiers-1 {
		return nil, &fault.Error{Kind: fault.Limit, Code: "limit_exceeded",
			Message: fmt.Sprintf("An enterprise has at most %d tiers.", s.limits.Tiers)}
	}
	var g *Group
	err := s.db.Update(ctx, func(tx store.Tx) error {
		if err := at.take(ctx, tx); err != nil {
			return err
		}
		if err := within(ctx, tx, Groups, at.Root, s.limits.Groups, "account groups"); err != nil {
			return err
		}
		email, err := contactEmail(ctx, tx, at.Root, n.Contact)
		if err != nil {
			return err
		}
		g = &Group{Meta: store.Meta{Account: at.Root, ID: s.ids.Hex(16), Parent: at.ID, Name: n.Name, Owner: n.Contact},
			Enterprise: at.Enterprise, Above: at.Above, State: account.Active, ContactEmail: email}
		return Groups.Create(ctx, tx, g, event(kindGroup, "create", at.Root, g.ID, n.Name))
	})
	return g, err
}

// UpdateGroup changes an account group.
func (s *Service) UpdateGroup(ctx context.Context, found *Group, v valid.Of[Change]) error {
	c := v.Value()
	_, err := Groups.Edit(ctx, s.db, found, func(tx store.Tx, g *Group) (store.Event, error) {
		params, err := c.apply(ctx, tx, &g.Meta, nil, &g.ContactEmail)
		return event(kindGroup, "update", g.Account, g.ID, g.Name, params...), err
	})
	return err
}

// DeleteGroup makes an empty group a tombstone; see Deleted.
func (s *Service) DeleteGroup(ctx context.Context, found *Group) error {
	if found.gone() {
		return NoNode(kindGroup, found.ID)
	}
	_, err := Groups.Edit(ctx, s.db, found, func(tx store.Tx, g *Group) (ev store.Event, err error) {
		groups, err := Groups.List(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
		if err != nil {
			return ev, err
		}
		members, err := Members.List(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
		if err != nil {
			return ev, err
		}
		if living(groups)+living(members) > 0 {
			return ev, &fault.Error{Kind: fault.Conflict, Code: "group_not_empty",
				Message: "The account group holds accounts or other groups. Move or delete them first."}
		}
		g.State = Deleted
		return event(kindGroup, "delete", g.Account, g.ID, g.Name, "state"), nil
	})
	return err
}
