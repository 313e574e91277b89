package enterprise

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// Node is a part of a tree: an *Enterprise, a *Group, a *Member or a Place.
type Node interface {
	// path gives the resources on which a role reaches the node: the node itself,
	// the groups above it from the nearest on, the enterprise. All policies about
	// them live in the enterprise account.
	path() []policy.Resource
}

func resource(root, kind, nodeID string) policy.Resource {
	return policy.Resource{ServiceName: "enterprise", Account: root, ResourceType: kind, Resource: nodeID}
}

func (e *Enterprise) path() []policy.Resource { return e.Place().path() }
func (g *Group) path() []policy.Resource      { return g.Place().path() }
func (m *Member) path() []policy.Resource {
	above := Place{Root: m.Account, Enterprise: m.Enterprise, Above: m.Above}
	return append([]policy.Resource{resource(m.Account, kindAccount, m.ID)}, above.path()...)
}
func (p Place) path() (path []policy.Resource) {
	for _, groupID := range slices.Backward(p.Above) {
		path = append(path, resource(p.Root, kindGroup, groupID))
	}
	return append(path, resource(p.Root, kindEnterprise, p.Enterprise))
}

// Reach gives the resource on which an action on a node is decided: the node
// itself or, because a role on a group or the enterprise holds for everything
// below, the nearest place above on which the asker has the action. It must not
// be called inside a transaction.
func Reach(ctx context.Context, who asker.Asker, action string, n Node) (policy.Resource, error) {
	on, _, err := reach(ctx, who, action, n)
	return on, err
}

func reach(ctx context.Context, who asker.Asker, action string, n Node) (on policy.Resource, yes bool, err error) {
	path := n.path()
	for _, on := range path {
		if yes, err := who.May(ctx, action, on); yes || err != nil {
			return on, yes, err
		}
	}
	return path[0], false, nil
}

// need gives nil to an asker whose right to an action reaches a node, else what
// asker.Refusal says.
func need(ctx context.Context, who asker.Asker, action string, n Node, absent *fault.Error) error {
	on, yes, err := reach(ctx, who, action, n)
	if err != nil || yes {
		return err
	}
	sub := who.Subject()
	return asker.Refusal(&sub, action, on, absent)
}

// Place is a node that can hold others, as it was found: the enterprise or a
// group of it.
type Place struct {
	Root, Enterprise, ID string
	Above                []string // groups above what is put there, outermost first
	enterprise           *Enterprise
	group                *Group // nil: the enterprise itself
}

// Place is the enterprise as a place.
func (e *Enterprise) Place() Place {
	return Place{Root: e.Account, Enterprise: e.ID, ID: e.ID, enterprise: e}
}

// Place is the group as a place.
func (g *Group) Place() Place {
	return Place{Root: g.Account, Enterprise: g.Enterprise, ID: g.ID, Above: append(slices.Clone(g.Above), g.ID), group: g}
}

func (p Place) groupID() string {
	if p.group == nil {
		return ""
	}
	return p.group.ID
}

// take makes a place ready for one more node: it must be as it was found, and a
// deleted group comes back.
func (p Place) take(ctx context.Context, tx store.Tx) error {
	switch {
	case p.group == nil:
		return Enterprises.Hold(ctx, tx, p.enterprise)
	case !p.group.gone():
		return Groups.Hold(ctx, tx, p.group)
	}
	g := *p.group
	g.State = account.Active
	return Groups.Update(ctx, tx, &g, event(kindGroup, "update", g.Account, g.ID, g.Name, "state"))
}

// Place finds the place that a parent CRN names: fault.Invalid for what is no
// such CRN, fault.NotFound for what is not there.
func (s *Service) Place(ctx context.Context, parent string) (Place, error) {
	name, err := crn.Parse(parent)
	var p Place
	var is string
	switch {
	case err == nil && name.ResourceType == kindEnterprise:
		var e *Enterprise
		if e, err = s.Enterprise(ctx, name.Resource); err == nil {
			p, is = e.Place(), e.CRN()
		}
	case err == nil && name.ResourceType == kindGroup:
		var g *Group
		if g, err = s.Group(ctx, name.Resource); err == nil {
			p, is = g.Place(), g.CRN()
		}
	default:
		return p, fault.Field("parent", "Property 'parent' must be the CRN of an enterprise or account group.")
	}
	if errors.Is(err, fault.NotFound) || err == nil && is != parent {
		return Place{}, NoNode("parent", parent)
	}
	return p, err
}

// within refuses one more node where an enterprise holds as many living ones as
// it may. Only near the limit are they told from the dead one by one.
func within[T any, N node[T]](ctx context.Context, r store.Reader, c *store.Collection[T], root string, limit int, what string) error {
	n, err := c.Count(ctx, r, store.Query{Account: root})
	if err != nil || n < limit {
		return err
	}
	all, err := c.List(ctx, r, store.Query{Account: root})
	if err != nil {
		return err
	}
	if n = living[T, N](all); n < limit {
		return nil
	}
	return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: fmt.Sprintf("The enterprise holds %d %s, its limit.", n, what)}
}

// node is what groups and accounts have in common.
type node[T any] interface {
	*T
	Node
	store.Entity
	// gone tells whether it is but a record of what was.
	gone() bool
}

func (g *Group) gone() bool  { return g.State == Deleted }
func (m *Member) gone() bool { return m.State == account.Canceled }

func living[T any, N node[T]](all []*T) (n int) {
	for _, x := range all {
		if !N(x).gone() {
			n++
		}
	}
	return n
}
