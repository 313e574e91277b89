package enterprisemanagementv1

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
)

// defaultLimit is what clients ask for when they page; the official default is
// not public.
const defaultLimit = 10

// pageIn is the paging of every list.
type pageIn struct {
	Next  string `query:"next_docid"`
	Limit *int   `query:"limit"`
}

func (p pageIn) size() (int, error) {
	switch {
	case p.Limit == nil || *p.Limit == 0:
		return defaultLimit, nil
	case *p.Limit < 0 || *p.Limit > lists.MaxSize:
		return 0, fault.Field("limit", "Parameter 'limit' must be between 0 and %d.", lists.MaxSize)
	}
	return *p.Limit, nil
}

// start opens the page token; query binds it to its list.
func (a *API) start(p pageIn, query string) (*store.Cursor, error) {
	if p.Next == "" {
		return nil, nil
	}
	t, err := a.pages.Open(p.Next, query, "next_docid")
	if err != nil {
		return nil, err
	}
	return &t.Cursor, nil
}

// collect gathers one page of visible nodes from a walk.
func collect[N, W any](a *API, c *httpapi.Call, size int, query string, base func(*N) *store.Meta, wire func(*N) *W,
	walk func(visit func(*N) (bool, error)) error, visible func(*N) (bool, error)) (*list[W], error) {
	out := &list[W]{Resources: []*W{}}
	var last *N
	err := walk(func(n *N) (bool, error) {
		yes, err := visible(n)
		if err != nil || !yes {
			return true, err
		}
		if len(out.Resources) == size {
			token := a.pages.Seal(lists.Token{Cursor: *store.CursorAt(store.ByID, base(last)), Query: query})
			// Relative on the official service; the pager reads only next_docid.
			out.NextURL = strings.TrimPrefix(lists.Link("", c.URL, "next_docid", token), c.Base)
			return false, nil
		}
		last = n
		out.Resources = append(out.Resources, wire(n))
		return true, nil
	})
	out.RowsCount = len(out.Resources)
	return out, err
}

type listEnterprisesIn struct {
	pageIn
	EnterpriseAccount string `query:"enterprise_account_id"`
	AccountGroup      string `query:"account_group_id"`
	Account           string `query:"account_id"`
}

// listEnterprises finds the enterprise of an account or group; without a filter
// those that the caller is the contact of. A caller may always know the
// enterprise of its own account.
func (a *API) listEnterprises(ctx context.Context, c *httpapi.Call, in *listEnterprisesIn) (*list[enterpriseOut], error) {
	if _, err := in.size(); err != nil {
		return nil, err
	}
	found, err := a.candidates(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := &list[enterpriseOut]{Resources: []*enterpriseOut{}}
	for _, e := range found {
		// of is the filter that found it: another one beside it says nothing, and
		// a login that has not chosen an account has none.
		of := cmp.Or(in.EnterpriseAccount, in.Account)
		yes := of != "" && c.Caller.Account == of || e.Owner == c.Caller.IAMID
		if !yes {
			if yes, err = c.May(ctx, "enterprise.enterprise.retrieve", node(e.Account, "enterprise", e.ID)); err != nil {
				return nil, err
			}
		}
		if yes {
			out.Resources = append(out.Resources, wireEnterprise(e))
		}
	}
	out.RowsCount = len(out.Resources)
	return out, nil
}

func (a *API) candidates(ctx context.Context, c *httpapi.Call, in *listEnterprisesIn) ([]*enterprise.Enterprise, error) {
	var ent string
	switch {
	case in.EnterpriseAccount != "":
		e, err := a.tree.OfRoot(ctx, in.EnterpriseAccount)
		return one(e, err)
	case in.Account != "":
		m, err := a.tree.Member(ctx, in.Account)
		if err != nil {
			return nil, absent(err)
		}
		ent = m.Enterprise
	case in.AccountGroup != "":
		g, err := a.tree.Group(ctx, in.AccountGroup)
		if err != nil {
			return nil, absent(err)
		}
		ent = g.Enterprise
	default:
		return a.tree.OfContact(ctx, c.Caller.IAMID)
	}
	e, err := a.tree.Enterprise(ctx, ent)
	return one(e, err)
}

func one(e *enterprise.Enterprise, err error) ([]*enterprise.Enterprise, error) {
	if err != nil {
		return nil, absent(err)
	}
	return []*enterprise.Enterprise{e}, nil
}

// absent turns "not found" into an empty list.
func absent(err error) error {
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// scope says which part of which tree a list is about. An empty root means
// that there is nothing to list.
func (a *API) scope(ctx context.Context, c *httpapi.Call, ent, group, parent string) (root string, f enterprise.Filter, err error) {
	switch {
	case parent != "":
		p, err := a.tree.Place(ctx, parent)
		if err != nil {
			return "", f, absent(err)
		}
		return p.Root, enterprise.Filter{Parent: p.ID}, nil
	case group != "":
		g, err := a.tree.Group(ctx, group)
		if err != nil {
			return "", f, absent(err)
		}
		return g.Account, enterprise.Filter{Parent: g.ID}, nil
	case ent != "":
		e, err := a.tree.Enterprise(ctx, ent)
		if err != nil {
			return "", f, absent(err)
		}
		return e.Account, f, nil
	}
	return c.Caller.Account, f, nil
}

type listGroupsIn struct {
	pageIn
	Enterprise  string `query:"enterprise_id"`
	ParentGroup string `query:"parent_account_group_id"`
	Parent      string `query:"parent"`
	Deleted     bool   `query:"include_deleted"`
}

func (a *API) listGroups(ctx context.Context, c *httpapi.Call, in *listGroupsIn) (*list[groupOut], error) {
	size, err := in.size()
	if err != nil {
		return nil, err
	}
	root, f, err := a.scope(ctx, c, in.Enterprise, in.ParentGroup, in.Parent)
	if err != nil || root == "" {
		return &list[groupOut]{Resources: []*groupOut{}}, err
	}
	f.Deleted = in.Deleted
	query := strings.Join([]string{"groups", root, f.Parent}, "/")
	after, err := a.start(in.pageIn, query)
	if err != nil {
		return nil, err
	}
	return collect(a, c, size, query, (*enterprise.Group).Base, wireGroup,
		func(visit func(*enterprise.Group) (bool, error)) error {
			return a.tree.EachGroup(ctx, root, f, after, visit)
		},
		func(g *enterprise.Group) (bool, error) {
			t, err := reach(ctx, c, "enterprise.account-group.retrieve", g.Account, "account-group", g.ID, g.Enterprise, g.Above)
			if err != nil {
				return false, err
			}
			return c.May(ctx, "enterprise.account-group.retrieve", t)
		})
}

type listAccountsIn struct {
	pageIn
	Enterprise string `query:"enterprise_id"`
	Group      string `query:"account_group_id"`
	Parent     string `query:"parent"`
	Deleted    bool   `query:"include_deleted"`
}

func (a *API) listAccounts(ctx context.Context, c *httpapi.Call, in *listAccountsIn) (*list[accountOut], error) {
	size, err := in.size()
	if err != nil {
		return nil, err
	}
	root, f, err := a.scope(ctx, c, in.Enterprise, in.Group, in.Parent)
	if err != nil || root == "" {
		return &list[accountOut]{Resources: []*accountOut{}}, err
	}
	f.Deleted = in.Deleted
	query := strings.Join([]string{"accounts", root, f.Parent}, "/")
	after, err := a.start(in.pageIn, query)
	if err != nil {
		return nil, err
	}
	return collect(a, c, size, query, (*enterprise.Member).Base, wireAccount,
		func(visit func(*enterprise.Member) (bool, error)) error {
			return a.tree.EachMember(ctx, root, f, after, visit)
		},
		func(m *enterprise.Member) (bool, error) {
			t, err := reach(ctx, c, "enterprise.account.retrieve", m.Account, "account", m.ID, m.Enterprise, m.Above)
			if err != nil {
				return false, err
			}
			return c.May(ctx, "enterprise.account.retrieve", t)
		})
}
