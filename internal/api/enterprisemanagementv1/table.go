// Package enterprisemanagementv1 is the wire of the Enterprise Management API
// as the SDK package of the same name speaks it: rows, shapes and mapping.
// Package enterprise has the rules.
package enterprisemanagementv1

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
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
	tree  *enterprise.Service
	pages *lists.Sealer
}

// New makes the API over the tree.
func New(tree *enterprise.Service, pages *lists.Sealer) *API { return &API{tree, pages} }

// What is found, with what the request says of it.
type (
	sourced  = httpapi.Given[*account.Account, enterprise.NewEnterprise]
	changed  = httpapi.Given[*enterprise.Enterprise, enterprise.Change]
	regroup  = httpapi.Given[*enterprise.Group, enterprise.Change]
	newGroup = httpapi.Given[enterprise.Place, enterprise.NewGroup]
	newChild = httpapi.Given[enterprise.Place, enterprise.NewAccount]
)

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	const (
		enterprises, oneEnterprise = "/v1/enterprises", "/v1/enterprises/{enterprise_id}"
		accounts, oneAccount       = "/v1/accounts", "/v1/accounts/{account_id}"
		groups, oneGroup           = "/v1/account-groups", "/v1/account-groups/{account_group_id}"
		own                        = "lists only what the caller may read"
	)
	return httpapi.Table(Family,
		httpapi.Op[createEnterpriseIn, sourced, createEnterpriseOut]{ID: "create_enterprise", Method: http.MethodPost, Path: enterprises,
			Status: 202, Action: enterprise.ActionMake, Check: (*createEnterpriseIn).check,
			Find: httpapi.Checking(createEnterpriseIn.spec, a.findSource), Do: a.createEnterprise},
		httpapi.Op[listEnterprisesIn, httpapi.None, list[enterpriseOut]]{ID: "list_enterprises", Method: http.MethodGet, Path: enterprises,
			Status: 200, Self: own, Check: (*listEnterprisesIn).check, Do: a.listEnterprises},
		httpapi.Op[enterpriseRef, *enterprise.Enterprise, enterpriseOut]{ID: "get_enterprise", Method: http.MethodGet, Path: oneEnterprise,
			Status: 200, Action: "enterprise.enterprise.retrieve", Find: findEnterprise[enterpriseRef](a), Do: a.getEnterprise},
		httpapi.Op[updateEnterpriseIn, changed, httpapi.None]{ID: "update_enterprise", Method: http.MethodPatch, Path: oneEnterprise,
			Status: 204, Action: "enterprise.enterprise.update",
			Find: httpapi.Checking(updateEnterpriseIn.spec, findEnterprise[updateEnterpriseIn](a)), Do: a.updateEnterprise},
		httpapi.Op[importIn, *enterprise.Enterprise, httpapi.None]{ID: "import_account_to_enterprise", Method: http.MethodPut,
			Path: oneEnterprise + "/import/accounts/{account_id}", Status: 202,
			Action: "enterprise.enterprise.import", Find: findEnterprise[importIn](a), Do: a.importAccount},
		httpapi.Op[createAccountIn, newChild, createAccountOut]{ID: "create_account", Method: http.MethodPost, Path: accounts,
			Status: 202, Limit: 16 << 10, Action: "enterprise.account.create", Check: (*createAccountIn).check,
			Find: httpapi.Checking(createAccountIn.spec, findPlace[createAccountIn](a)), Do: a.createAccount},
		httpapi.Op[listAccountsIn, enterprise.Scope, list[accountOut]]{ID: "list_accounts", Method: http.MethodGet, Path: accounts,
			Status: 200, Self: own, Check: (*listAccountsIn).check, Find: findScope[listAccountsIn](a), Do: a.listAccounts},
		httpapi.Op[accountRef, *enterprise.Member, accountOut]{ID: "get_account", Method: http.MethodGet, Path: oneAccount,
			Status: 200, Action: "enterprise.account.retrieve", Find: findAccount[accountRef](a), Do: a.getAccount},
		httpapi.Op[moveIn, *enterprise.Member, httpapi.None]{ID: "update_account", Method: http.MethodPatch, Path: oneAccount,
			Status: 202, Action: "enterprise.account.move", Check: (*moveIn).check, Find: findAccount[moveIn](a), Do: a.moveAccount},
		httpapi.Op[accountRef, *enterprise.Member, httpapi.None]{ID: "delete_account", Method: http.MethodDelete, Path: oneAccount,
			Status: 204, Action: "enterprise.account.delete", Find: findAccount[accountRef](a), Do: a.deleteAccount},
		httpapi.Op[traitsIn, *enterprise.Member, traitsOut]{ID: "update_account_traits", Method: http.MethodPatch, Path: oneAccount + "/traits",
			Status: 200, Action: "iam-identity.account.update", Find: a.findTraits, Do: a.updateTraits},
		httpapi.Op[createGroupIn, newGroup, createGroupOut]{ID: "create_account_group", Method: http.MethodPost, Path: groups,
			Status: 201, Action: "enterprise.account-group.create", Check: (*createGroupIn).check,
			Find: httpapi.Checking(createGroupIn.spec, findPlace[createGroupIn](a)), Do: a.createGroup},
		httpapi.Op[listGroupsIn, enterprise.Scope, list[groupOut]]{ID: "list_account_groups", Method: http.MethodGet, Path: groups,
			Status: 200, Self: own, Check: (*listGroupsIn).check, Find: findScope[listGroupsIn](a), Do: a.listGroups},
		httpapi.Op[groupRef, *enterprise.Group, groupOut]{ID: "get_account_group", Method: http.MethodGet, Path: oneGroup,
			Status: 200, Action: "enterprise.account-group.retrieve", Find: findGroup[groupRef](a), Do: a.getGroup},
		httpapi.Op[updateGroupIn, regroup, httpapi.None]{ID: "update_account_group", Method: http.MethodPatch, Path: oneGroup,
			Status: 204, Action: "enterprise.account-group.update",
			Find: httpapi.Checking(updateGroupIn.spec, findGroup[updateGroupIn](a)), Do: a.updateGroup},
		httpapi.Op[groupRef, *enterprise.Group, httpapi.None]{ID: "delete_account_group", Method: http.MethodDelete, Path: oneGroup,
			Status: 204, Action: "enterprise.account-group.delete", Find: findGroup[groupRef](a), Do: a.deleteGroup},
	)
}

// find is how rows find an N: it gives with it the resource to decide on.
type find[In, N any] = func(context.Context, *httpapi.Call, *In) (N, httpapi.Target, error)

// finding makes the Find of rows about a node that the request names: the row's
// action is decided on all that reaches the node. what is its name in errors.
func finding[In any, N enterprise.Node](what string, named func(In) string, read func(ctx context.Context, nodeID string) (N, error),
) find[In, N] {
	return func(ctx context.Context, c *httpapi.Call, in *In) (n N, on httpapi.Target, err error) {
		nodeID := named(*in)
		c.SeeksOr(enterprise.NoNode(what, nodeID))
		if n, err = read(ctx, nodeID); err != nil {
			return n, on, err
		}
		on, err = enterprise.Reach(ctx, c, c.Op.Access.Action, n)
		return n, on, err
	}
}

func findEnterprise[In interface{ enterpriseID() string }](a *API) find[In, *enterprise.Enterprise] {
	return finding("enterprise", In.enterpriseID, a.tree.Enterprise)
}

func findGroup[In interface{ groupID() string }](a *API) find[In, *enterprise.Group] {
	return finding("account-group", In.groupID, a.tree.Group)
}

func findAccount[In interface{ accountID() string }](a *API) find[In, *enterprise.Member] {
	return finding("account", In.accountID, a.tree.Member)
}

func findPlace[In interface{ parent() string }](a *API) find[In, enterprise.Place] {
	return finding("parent", In.parent, a.tree.Place)
}

func findScope[In interface {
	scope() (parent, group, ent string)
}](a *API) find[In, enterprise.Scope] {
	return func(ctx context.Context, c *httpapi.Call, in *In) (sc enterprise.Scope, _ httpapi.Target, err error) {
		parent, group, ent := (*in).scope()
		sc, err = a.tree.Scope(ctx, c, parent, group, ent)
		return sc, httpapi.Target{}, err
	}
}

// findSource finds the account that an enterprise is to be made of.
func (a *API) findSource(ctx context.Context, c *httpapi.Call, in *createEnterpriseIn) (*account.Account, httpapi.Target, error) {
	c.SeeksOr(enterprise.NoNode("account", in.Body.SourceAccount))
	source, err := a.tree.Account(ctx, in.Body.SourceAccount)
	return source, enterprise.Billing(in.Body.SourceAccount), err
}

// findTraits finds an account whose identity settings are to change.
func (a *API) findTraits(ctx context.Context, c *httpapi.Call, in *traitsIn) (*enterprise.Member, httpapi.Target, error) {
	c.SeeksOr(enterprise.NoNode("account", in.AccountID))
	m, err := a.tree.Member(ctx, in.AccountID)
	return m, httpapi.Target{ServiceName: "iam-identity", Account: in.AccountID, ResourceType: "settings"}, err
}
