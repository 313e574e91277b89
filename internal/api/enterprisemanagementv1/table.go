// Package enterprisemanagementv1 is the wire of the Enterprise Management API
// as the SDK package of the same name speaks it: rows, shapes and mapping.
// Package enterprise has the rules.
package enterprisemanagementv1

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
)

// Family is the API's name, title and envelope. The SDK's service URL ends in
// /v1; the paths here hold it.
var Family = &httpapi.Family{Name: "enterprisemanagementv1", Title: "Enterprise Management", Service: "enterprise", WriteError: writeError}

// writeError renders the family's envelope: a message, a trace, and errors
// with their targets.
func writeError(w http.ResponseWriter, c *httpapi.Call, e *fault.Error, status int) {
	type target struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	type item struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Target  target `json:"target"`
	}
	it := item{Code: e.Code, Message: e.Message}
	switch {
	case e.Kind == fault.Unauthenticated:
		it.Code = "invalid_token"
	case it.Code == "":
		it.Code = string(e.Kind)
	}
	if it.Message == "" {
		it.Message = http.StatusText(status)
	}
	if e.Field != "" {
		it.Target = target{"field", e.Field}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here means that the client is gone.
	_ = json.NewEncoder(w).Encode(struct {
		Message string `json:"message"`
		Trace   string `json:"trace"`
		Errors  []item `json:"errors"`
	}{it.Message, c.TransactionID, []item{it}})
}

// API serves the table.
type API struct {
	tree   *enterprise.Service
	ids    *identity.Service
	access *access.Service
	pages  *lists.Sealer
}

// New makes the API over the tree. What a new account may begin with is made by
// ids and acc.
func New(tree *enterprise.Service, ids *identity.Service, acc *access.Service, pages *lists.Sealer) *API {
	return &API{tree, ids, acc, pages}
}

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	on, own := httpapi.Action, httpapi.Self("lists only what the caller may read")
	return []httpapi.Operation{
		httpapi.OldOp(Family, "create_enterprise", http.MethodPost, "/v1/enterprises", 202, on("billing.enterprise.create"), onSource, a.createEnterprise),
		httpapi.OldOp(Family, "list_enterprises", http.MethodGet, "/v1/enterprises", 200, own, nil, a.listEnterprises),
		httpapi.OldOp(Family, "get_enterprise", http.MethodGet, "/v1/enterprises/{enterprise_id}", 200, on("enterprise.enterprise.retrieve"), onEnterprise[enterpriseIn](a), a.getEnterprise),
		httpapi.OldOp(Family, "update_enterprise", http.MethodPatch, "/v1/enterprises/{enterprise_id}", 204, on("enterprise.enterprise.update"), onEnterprise[updateEnterpriseIn](a), a.updateEnterprise),
		httpapi.OldOp(Family, "import_account_to_enterprise", http.MethodPut, "/v1/enterprises/{enterprise_id}/import/accounts/{account_id}", 202, on("enterprise.enterprise.import"), onEnterprise[importIn](a), a.importAccount),
		httpapi.OldOp(Family, "create_account", http.MethodPost, "/v1/accounts", 202, on("enterprise.account.create"), onParent[createAccountIn](a, "enterprise.account.create"), a.createAccount).Limited(16 << 10),
		httpapi.OldOp(Family, "list_accounts", http.MethodGet, "/v1/accounts", 200, own, nil, a.listAccounts),
		httpapi.OldOp(Family, "get_account", http.MethodGet, "/v1/accounts/{account_id}", 200, on("enterprise.account.retrieve"), onAccount[accountIn](a, "enterprise.account.retrieve"), a.getAccount),
		httpapi.OldOp(Family, "update_account", http.MethodPatch, "/v1/accounts/{account_id}", 202, on("enterprise.account.move"), onMove(a), a.moveAccount),
		httpapi.OldOp(Family, "delete_account", http.MethodDelete, "/v1/accounts/{account_id}", 204, on("enterprise.account.delete"), onAccount[accountIn](a, "enterprise.account.delete"), a.deleteAccount),
		httpapi.OldOp(Family, "update_account_traits", http.MethodPatch, "/v1/accounts/{account_id}/traits", 200, on("iam-identity.account.update"), onTraits, a.updateTraits),
		httpapi.OldOp(Family, "create_account_group", http.MethodPost, "/v1/account-groups", 201, on("enterprise.account-group.create"), onParent[createGroupIn](a, "enterprise.account-group.create"), a.createGroup),
		httpapi.OldOp(Family, "list_account_groups", http.MethodGet, "/v1/account-groups", 200, own, nil, a.listGroups),
		httpapi.OldOp(Family, "get_account_group", http.MethodGet, "/v1/account-groups/{account_group_id}", 200, on("enterprise.account-group.retrieve"), onGroup[groupIn](a, "enterprise.account-group.retrieve"), a.getGroup),
		httpapi.OldOp(Family, "update_account_group", http.MethodPatch, "/v1/account-groups/{account_group_id}", 204, on("enterprise.account-group.update"), onGroup[updateGroupIn](a, "enterprise.account-group.update"), a.updateGroup),
		httpapi.OldOp(Family, "delete_account_group", http.MethodDelete, "/v1/account-groups/{account_group_id}", 204, on("enterprise.account-group.delete"), onGroup[groupIn](a, "enterprise.account-group.delete"), a.deleteGroup),
	}
}

// node is a resource of the tree. All policies about it live in the enterprise
// account.
func node(root, kind, nodeID string) httpapi.Target {
	return httpapi.Target{ServiceName: "enterprise", Account: root, ResourceType: kind, Resource: nodeID}
}

// reach gives the resource on which an action is decided: the node itself or,
// because a role on a group or the enterprise holds for everything below, the
// nearest place above on which the caller has the action.
func reach(ctx context.Context, c *httpapi.Call, action, root, kind, nodeID, ent string, above []string) (httpapi.Target, error) {
	self := node(root, kind, nodeID)
	chain := []httpapi.Target{self}
	for i := len(above) - 1; i >= 0; i-- {
		chain = append(chain, node(root, "account-group", above[i]))
	}
	chain = append(chain, node(root, "enterprise", ent))
	for _, t := range chain {
		yes, err := c.May(ctx, action, t)
		if err != nil {
			return self, err
		}
		if yes {
			return t, nil
		}
	}
	return self, nil
}

func onSource(_ context.Context, c *httpapi.Call, in *createEnterpriseIn) (httpapi.Target, error) {
	c.SeeksOr(enterprise.NoNode("account", in.Body.SourceAccount))
	return httpapi.Target{ServiceName: "billing", Account: in.Body.SourceAccount}, nil
}

func onTraits(_ context.Context, c *httpapi.Call, in *traitsIn) (httpapi.Target, error) {
	c.SeeksOr(enterprise.NoNode("account", in.AccountID))
	if !id.IsAccount(in.AccountID) {
		return httpapi.Target{}, enterprise.NoNode("account", in.AccountID)
	}
	return httpapi.Target{ServiceName: "iam-identity", Account: in.AccountID, ResourceType: "settings"}, nil
}

func onEnterprise[In any](a *API) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		entID := any(in).(interface{ enterpriseID() string }).enterpriseID()
		c.SeeksOr(enterprise.NoNode("enterprise", entID))
		e, err := a.tree.Enterprise(ctx, entID)
		if err != nil {
			return httpapi.Target{}, err
		}
		return node(e.Account, "enterprise", e.ID), nil
	}
}

func onGroup[In any](a *API, action string) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		groupID := any(in).(interface{ groupID() string }).groupID()
		c.SeeksOr(enterprise.NoNode("account-group", groupID))
		g, err := a.tree.Group(ctx, groupID)
		if err != nil {
			return httpapi.Target{}, err
		}
		return reach(ctx, c, action, g.Account, "account-group", g.ID, g.Enterprise, g.Above)
	}
}

func onAccount[In any](a *API, action string) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		accountID := any(in).(interface{ accountID() string }).accountID()
		c.SeeksOr(enterprise.NoNode("account", accountID))
		m, err := a.tree.Member(ctx, accountID)
		if err != nil {
			return httpapi.Target{}, err
		}
		return reach(ctx, c, action, m.Account, "account", m.ID, m.Enterprise, m.Above)
	}
}

// onMove demands the right over the account where it is and where it goes.
func onMove(a *API) func(context.Context, *httpapi.Call, *moveIn) (httpapi.Target, error) {
	from := onAccount[moveIn](a, "enterprise.account.move")
	return func(ctx context.Context, c *httpapi.Call, in *moveIn) (httpapi.Target, error) {
		here, err := from(ctx, c, in)
		if err != nil {
			return here, err
		}
		if err := c.Authorize(ctx, "enterprise.account.move", here); err != nil {
			return here, err
		}
		return a.reachPlace(ctx, c, "enterprise.account.move", in.Body.Parent)
	}
}

func onParent[In any](a *API, action string) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		return a.reachPlace(ctx, c, action, any(in).(interface{ parent() string }).parent())
	}
}

func (a *API) reachPlace(ctx context.Context, c *httpapi.Call, action, parent string) (httpapi.Target, error) {
	c.SeeksOr(enterprise.NoNode("parent", parent))
	p, err := a.tree.Place(ctx, parent)
	if err != nil {
		if fault.Of(err).Kind == fault.NotFound {
			err = enterprise.NoNode("parent", parent)
		}
		return httpapi.Target{}, err
	}
	kind, above := "enterprise", p.Above
	if p.Group {
		kind, above = "account-group", p.Above[:len(p.Above)-1]
	}
	return reach(ctx, c, action, p.Root, kind, p.ID, p.Enterprise, above)
}
