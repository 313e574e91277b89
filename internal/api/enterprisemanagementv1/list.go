package enterprisemanagementv1

import (
	"cmp"
	"context"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
)

// defaultLimit is what clients ask for when they page; the official default is
// not public.
const defaultLimit = 10

// pageIn is the paging of every list.
type pageIn struct {
	Next  string `query:"next_docid"`
	Limit int    `query:"limit"` // 0: the default
}

func (p *pageIn) check() error {
	if p.Limit < 0 || p.Limit > lists.MaxSize {
		return fault.Field("limit", "Parameter 'limit' must be between 0 and %d.", lists.MaxSize)
	}
	return nil
}

type listEnterprisesIn struct {
	pageIn
	EnterpriseAccount string `query:"enterprise_account_id"`
	AccountGroup      string `query:"account_group_id"`
	Account           string `query:"account_id"`
}

// listEnterprises answers in one page: there is hardly ever more than one.
func (a *API) listEnterprises(ctx context.Context, c *httpapi.Call, in *listEnterprisesIn, _ httpapi.None) (*list[enterpriseOut], error) {
	found, err := a.tree.Enterprises(ctx, c, enterprise.Which{Root: in.EnterpriseAccount, Account: in.Account, Group: in.AccountGroup})
	if err != nil {
		return nil, err
	}
	return wireList(found, wireEnterprise), nil
}

func wireList[N, W any](nodes []*N, wire func(*N) *W) *list[W] {
	return &list[W]{RowsCount: len(nodes), Resources: lists.Map(nodes, wire)}
}

type listGroupsIn struct {
	pageIn
	Enterprise  string `query:"enterprise_id"`
	ParentGroup string `query:"parent_account_group_id"`
	Parent      string `query:"parent"`
	Deleted     bool   `query:"include_deleted"`
}

func (in listGroupsIn) scope() (parent, group, ent string) {
	return in.Parent, in.ParentGroup, in.Enterprise
}

func (a *API) listGroups(ctx context.Context, c *httpapi.Call, in *listGroupsIn, sc enterprise.Scope) (*list[groupOut], error) {
	found, err := a.tree.Groups(ctx, c, sc, in.Deleted)
	if err != nil {
		return nil, err
	}
	return page(ctx, a, c, in.pageIn, sc, found, wireGroup)
}

type listAccountsIn struct {
	pageIn
	Enterprise string `query:"enterprise_id"`
	Group      string `query:"account_group_id"`
	Parent     string `query:"parent"`
	Deleted    bool   `query:"include_deleted"`
}

func (in listAccountsIn) scope() (parent, group, ent string) {
	return in.Parent, in.Group, in.Enterprise
}

func (a *API) listAccounts(ctx context.Context, c *httpapi.Call, in *listAccountsIn, sc enterprise.Scope) (*list[accountOut], error) {
	found, err := a.tree.Members(ctx, c, sc, in.Deleted)
	if err != nil {
		return nil, err
	}
	return page(ctx, a, c, in.pageIn, sc, found, wireAccount)
}

// page answers with one page. The page token is bound to what is listed. Links are
// relative on the official service; the pager reads only next_docid.
func page[N, W any](ctx context.Context, a *API, c *httpapi.Call, in pageIn, sc enterprise.Scope, found lists.Source[N],
	wire func(*N) *W) (*list[W], error) {
	asked := lists.Asked{URL: c.URL, Scope: sc.Root + "/" + sc.Parent, Param: "next_docid", Size: cmp.Or(in.Limit, defaultLimit)}
	if sc.Root != "" {
		asked.Token = in.Next
	}
	p, links, err := lists.ByToken(ctx, a.pages, found, asked)
	if err != nil {
		return nil, err
	}
	out := wireList(p.Items, wire)
	out.NextURL = links.Next
	return out, nil
}
