package enterprise

import (
	"cmp"
	"context"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/lists"
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
		yes := of != "" && sub.Account == of
		if !yes && e.Owner == sub.IAMID { // its contact acts in its account
			if yes, err = who.Admitted(ctx, e.Account); err != nil {
				return nil, err
			}
		}
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

// Groups gives the account groups of a scope that the asker may see, in the order
// of their ids; with gone the deleted ones too.
func (s *Service) Groups(ctx context.Context, who asker.Asker, sc Scope, gone bool) (lists.Source[Group], error) {
	return visible(ctx, s, Groups, who, "enterprise.account-group.retrieve", sc, gone)
}

// Members gives the accounts of a scope that the asker may see, in the order of
// their ids; with gone the cancelled ones too.
func (s *Service) Members(ctx context.Context, who asker.Asker, sc Scope, gone bool) (lists.Source[Member], error) {
	return visible(ctx, s, Members, who, "enterprise.account.retrieve", sc, gone)
}

// visible lists the nodes on which the asker may do an action.
func visible[T any, N node[T]](ctx context.Context, s *Service, c *store.Collection[T], who asker.Asker, action string,
	sc Scope, gone bool) (lists.Source[T], error) {
	sight, err := asker.Look(ctx, who, action, resource(sc.Root, "", ""))
	if err != nil {
		return nil, err
	}
	if sight.Nothing() {
		sc.Root = ""
	}
	return nodes(s, c, sc, func(n N) (bool, error) {
		if !gone && n.gone() {
			return false, nil
		}
		return sight.Sees(ctx, n.path()...)
	}), nil
}

// EachMember visits the accounts of a root account's tree, but cancelled ones, in
// the order of their ids.
func (s *Service) EachMember(ctx context.Context, root string, visit func(*Member) error) error {
	living := nodes(s, Members, Scope{Root: root}, func(m *Member) (bool, error) { return !m.gone(), nil })
	return lists.Each(ctx, living, visit)
}

// nodes lists the nodes of a scope that pass keep.
func nodes[T any, N node[T]](s *Service, c *store.Collection[T], sc Scope, keep func(N) (bool, error)) lists.Source[T] {
	if sc.Root == "" {
		return lists.Sorted[T](nil, store.ByID, false)
	}
	return lists.Stored[T]{Of: c, From: s.db.Direct(), Query: store.Query{Account: sc.Root, Parent: sc.Parent, Order: store.ByID},
		Keep: func(x *T) (bool, error) { return keep(x) }}
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
