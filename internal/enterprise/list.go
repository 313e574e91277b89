package enterprise

import (
	"cmp"
	"context"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Which says whose enterprise is looked for: that of a root account, of an
// account, of an account group; the first that is given counts. Without any it is
// those whose primary contact the asker is.
type Which struct{ Root, Account, Group string }

// Enterprises gives those that the asker may see of the ones looked for: the
// enterprise of the own account, those that it is the contact of, and those that
// it may read.
func (s *Service) Enterprises(ctx context.Context, who asker.Asker, w Which) ([]*Enterprise, error) {
	found, err := s.lookFor(ctx, who, w)
	if err != nil {
		return nil, fault.Ignore(fault.NotFound, err)
	}
	sub := who.Subject()
	var out []*Enterprise
	for _, e := range found {
		// of is the filter that found it: another one beside it says nothing, and
		// a login that has not chosen an account has none.
		of := cmp.Or(w.Root, w.Account)
		yes := of != "" && sub.Account == of || e.Owner == sub.IAMID
		if !yes {
			if _, yes, err = reach(ctx, who, "enterprise.enterprise.retrieve", e); err != nil {
				return nil, err
			}
		}
		if yes {
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *Service) lookFor(ctx context.Context, who asker.Asker, w Which) ([]*Enterprise, error) {
	var entID string
	switch {
	case w.Root != "":
		return Enterprises.List(ctx, s.db.Direct(), store.Query{Account: w.Root})
	case w.Account != "":
		m, err := s.Member(ctx, w.Account)
		if err != nil {
			return nil, err
		}
		entID = m.Enterprise
	case w.Group != "":
		g, err := s.Group(ctx, w.Group)
		if err != nil {
			return nil, err
		}
		entID = g.Enterprise
	default:
		return Enterprises.List(ctx, s.db.Direct(), store.Query{Owner: who.Subject().IAMID})
	}
	e, err := s.Enterprise(ctx, entID)
	return []*Enterprise{e}, err
}

// Scope is a part of a tree: all nodes of a root account's, or with Parent the
// direct children of an enterprise or group. The zero Scope is empty.
type Scope struct{ Root, Parent string }

// Scope gives what a list is about: the children of a place that a CRN names, or
// those of a group, or a whole enterprise; the first that is given counts. Without
// any it is the tree of the asker's account. What is not there has no nodes.
func (s *Service) Scope(ctx context.Context, who asker.Asker, parent, groupID, entID string) (Scope, error) {
	var sc Scope
	var err error
	switch {
	case parent != "":
		var p Place
		p, err = s.Place(ctx, parent)
		sc = Scope{p.Root, p.ID}
	case groupID != "":
		var g *Group
		if g, err = s.Group(ctx, groupID); err == nil {
			sc = Scope{g.Account, g.ID}
		}
	case entID != "":
		var e *Enterprise
		if e, err = s.Enterprise(ctx, entID); err == nil {
			sc = Scope{Root: e.Account}
		}
	default:
		sc.Root = who.Subject().Account
	}
	return sc, fault.Ignore(fault.NotFound, err)
}

// Page says which of the nodes of a scope to give, in the order of their ids.
type Page struct {
	Gone  bool          // deleted groups and cancelled accounts too
	After *store.Cursor // nil: from the first
	Limit int
}

// Groups gives the account groups that the asker may see, and where the next page
// begins; nil when there is none.
func (s *Service) Groups(ctx context.Context, who asker.Asker, sc Scope, p Page) ([]*Group, *store.Cursor, error) {
	return visible(ctx, s, Groups, who, "enterprise.account-group.retrieve", sc, p)
}

// Members gives the accounts that the asker may see, and where the next page
// begins; nil when there is none.
func (s *Service) Members(ctx context.Context, who asker.Asker, sc Scope, p Page) ([]*Member, *store.Cursor, error) {
	return visible(ctx, s, Members, who, "enterprise.account.retrieve", sc, p)
}

// visible cuts a page out of the nodes on which the asker may do an action.
func visible[T any, N node[T]](ctx context.Context, s *Service, c *store.Collection[T], who asker.Asker, action string,
	sc Scope, p Page) (page []N, next *store.Cursor, err error) {
	err = scan(ctx, s, c, sc, p, func(n N) (bool, error) {
		_, yes, err := reach(ctx, who, action, n)
		if err != nil || !yes {
			return true, err
		}
		if len(page) == p.Limit {
			next = store.CursorAt(store.ByID, page[p.Limit-1].Base())
			return false, nil
		}
		page = append(page, n)
		return true, nil
	})
	return page, next, err
}

// EachMember visits the accounts of a root account's tree, but cancelled ones, in
// the order of their ids.
func (s *Service) EachMember(ctx context.Context, root string, visit func(*Member) error) error {
	return scan(ctx, s, Members, Scope{Root: root}, Page{}, func(m *Member) (bool, error) { return true, visit(m) })
}

// scan walks the nodes of a scope from a place on and calls visit until it says
// stop.
func scan[T any, N node[T]](ctx context.Context, s *Service, c *store.Collection[T], sc Scope, p Page,
	visit func(N) (more bool, err error)) error {
	const batch = 100
	q := store.Query{Account: sc.Root, Parent: sc.Parent, Order: store.ByID, Limit: batch, After: p.After}
	for sc.Root != "" {
		list, err := c.List(ctx, s.db.Direct(), q)
		if err != nil {
			return err
		}
		for _, x := range list {
			if n := N(x); p.Gone || !n.gone() {
				if more, err := visit(n); err != nil || !more {
					return err
				}
			}
		}
		if len(list) < batch {
			break
		}
		q.After = store.CursorAt(store.ByID, N(list[len(list)-1]).Base())
	}
	return nil
}

// OfRoot gives the enterprise of a root account, fault.NotFound when the
// account is none.
func (s *Service) OfRoot(ctx context.Context, root string) (*Enterprise, error) {
	list, err := Enterprises.List(ctx, s.db.Direct(), store.Query{Account: root})
	if err == nil && len(list) == 0 {
		err = NoNode(kindEnterprise, root)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}
