package enterprise

import (
	"context"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/store"
)

// Filter selects nodes of trees. Empty fields do not restrict.
type Filter struct {
	Enterprise string // all nodes of an enterprise, at any depth
	Parent     string // direct children of an enterprise or group, by id
	Deleted    bool   // deleted groups and cancelled accounts too
}

// scan walks the objects of one kind under the filter in the order of their
// ids, from a cursor, and calls visit until it says stop.
func scan[T any](ctx context.Context, s *Service, c *store.Collection[T], q store.Query, after *store.Cursor, base func(*T) *store.Meta, visit func(*T) (more bool, err error)) error {
	const batch = 100
	q.Order, q.Limit, q.After = store.ByID, batch, after
	for {
		list, err := c.List(ctx, s.DB.Direct(), q)
		if err != nil {
			return err
		}
		for _, x := range list {
			more, err := visit(x)
			if err != nil || !more {
				return err
			}
		}
		if len(list) < batch {
			return nil
		}
		q.After = store.CursorAt(store.ByID, base(list[len(list)-1]))
	}
}

// EachGroup visits the account groups of a root account under a filter.
func (s *Service) EachGroup(ctx context.Context, root string, f Filter, after *store.Cursor, visit func(*Group) (bool, error)) error {
	return scan(ctx, s, Groups, store.Query{Account: root, Parent: f.Parent}, after, (*Group).Base, func(g *Group) (bool, error) {
		if g.State == Deleted && !f.Deleted {
			return true, nil
		}
		return visit(g)
	})
}

// EachMember visits the accounts of a root account's tree under a filter.
func (s *Service) EachMember(ctx context.Context, root string, f Filter, after *store.Cursor, visit func(*Member) (bool, error)) error {
	return scan(ctx, s, Members, store.Query{Account: root, Parent: f.Parent}, after, (*Member).Base, func(m *Member) (bool, error) {
		if m.State == account.Canceled && !f.Deleted {
			return true, nil
		}
		return visit(m)
	})
}

// OfRoot gives the enterprise of a root account, fault.NotFound when the
// account is none.
func (s *Service) OfRoot(ctx context.Context, root string) (*Enterprise, error) {
	list, err := Enterprises.List(ctx, s.DB.Direct(), store.Query{Account: root})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, NoNode("enterprise", root)
	}
	return list[0], nil
}

// OfContact gives the enterprises whose primary contact is an identity.
func (s *Service) OfContact(ctx context.Context, iamID string) ([]*Enterprise, error) {
	return Enterprises.List(ctx, s.DB.Direct(), store.Query{Owner: iamID})
}
