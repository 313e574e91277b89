// Package iampolicymanagementv1 is the wire of the Policy Management API as
// the SDK package of the same name speaks it: rows, shapes and mapping.
// Package access stores, package policy judges.
package iampolicymanagementv1

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/template"
)

// Family is the API's name, title and envelope.
var Family = &httpapi.Family{Name: "iampolicymanagementv1", Title: "IAM Policy Management", Service: "iam-access-management", WriteError: writeError, JSONOnly: true}

// writeError renders the errors[] envelope with the family's own codes. Its
// details are an object, never a text.
func writeError(w http.ResponseWriter, c *httpapi.Call, e *fault.Error, status int) {
	out := *httpapi.InMessage(e)
	switch e.Kind {
	case fault.Unauthenticated:
		out.Code = "invalid_token"
	case fault.Forbidden:
		out.Code = "insufficent_permissions" // spelt so on the official service
	case fault.Invalid:
		if out.Code == "" {
			out.Code = "invalid_body"
		}
	case fault.RateLimited:
		out.Code = "too_many_requests"
	case fault.Internal, fault.Unavailable:
		out.Code = "request_not_processed"
	}
	if conflict, ok := e.Body.(access.RoleConflict); ok {
		out.Body = conflictsWith{ConflictsWith: conflictRef{ETag: conflict.Existing.Tag, Role: conflict.Existing.ID}}
	}
	httpapi.WriteErrors(w, c, &out, status)
}

// API serves the table.
type API struct {
	access    *access.Service
	templates *template.Service
}

// New makes the API over the access and template services.
func New(a *access.Service, t *template.Service) *API { return &API{a, t} }

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	on, own := httpapi.Action, httpapi.Self("lists only what the caller may read")
	return append([]httpapi.Operation{
		httpapi.OldOp(Family, "list_policies", http.MethodGet, "/v1/policies", 200, own, nil, a.listV1),
		httpapi.OldOp(Family, "create_policy", http.MethodPost, "/v1/policies", 201, on("iam.policy.create"), onNew[createV1In](a), a.createV1),
		httpapi.OldOp(Family, "replace_policy", http.MethodPut, "/v1/policies/{policy_id}", 200, on("iam.policy.update"), onReplaced[replaceV1In](a), a.replaceV1),
		httpapi.OldOp(Family, "get_policy", http.MethodGet, "/v1/policies/{policy_id}", 200, on("iam.policy.read"), onPolicy[getIn](a, false), a.getV1),
		httpapi.OldOp(Family, "delete_policy", http.MethodDelete, "/v1/policies/{policy_id}", 204, on("iam.policy.delete"), onPolicy[policyIn](a, false), a.deletePolicy),
		httpapi.OldOp(Family, "update_policy_state", http.MethodPatch, "/v1/policies/{policy_id}", 200, on("iam.policy.update"), onPolicy[stateIn](a, true), a.updateState),
		httpapi.OldOp(Family, "list_v2_policies", http.MethodGet, "/v2/policies", 200, own, nil, a.listV2),
		httpapi.OldOp(Family, "create_v2_policy", http.MethodPost, "/v2/policies", 201, on("iam.policy.create"), onNew[createV2In](a), a.createV2),
		httpapi.OldOp(Family, "replace_v2_policy", http.MethodPut, "/v2/policies/{policy_id}", 200, on("iam.policy.update"), onReplaced[replaceV2In](a), a.replaceV2),
		httpapi.OldOp(Family, "get_v2_policy", http.MethodGet, "/v2/policies/{policy_id}", 200, on("iam.policy.read"), onPolicy[getIn](a, false), a.getV2),
		httpapi.OldOp(Family, "delete_v2_policy", http.MethodDelete, "/v2/policies/{policy_id}", 204, on("iam.policy.delete"), onPolicy[policyIn](a, false), a.deletePolicy),
		httpapi.OldOp(Family, "list_roles", http.MethodGet, "/v2/roles", 200, httpapi.Self("custom roles are listed only to those who may read them"), nil, a.listRoles),
		httpapi.OldOp(Family, "create_role", http.MethodPost, "/v2/roles", 201, on("iam-access-management.customRole.create"), onNewRole(a), a.createRole),
		httpapi.OldOp(Family, "replace_role", http.MethodPut, "/v2/roles/{role_id}", 200, on("iam-access-management.customRole.update"), onRole[replaceRoleIn](a), a.replaceRole),
		httpapi.OldOp(Family, "get_role", http.MethodGet, "/v2/roles/{role_id}", 200, on("iam-access-management.customRole.read"), onRole[roleIn](a), a.getRole),
		httpapi.OldOp(Family, "delete_role", http.MethodDelete, "/v2/roles/{role_id}", 204, on("iam-access-management.customRole.delete"), onRole[roleIn](a), a.deleteRole),
		httpapi.OldOp(Family, "get_settings", http.MethodGet, "/v1/accounts/{account_id}/settings/access_management", 200, on("iam-access-management.settings.read"), onSettings[settingsIn], a.getSettings),
		httpapi.OldOp(Family, "update_settings", http.MethodPatch, "/v1/accounts/{account_id}/settings/access_management", 200, on("iam-access-management.settings.update"), onSettings[updateSettingsIn], a.updateSettings),
	}, a.templateRows()...)
}

// onNew is the target of creating a policy: everything that the policy covers.
// The right to give access is decided on what is given access to.
func onNew[In any](a *API) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(_ context.Context, _ *httpapi.Call, in *In) (httpapi.Target, error) {
		return a.scopeOfSent(any(in).(sender))
	}
}

// onReplaced is the target of replacing a policy: the new scope, after the
// right over the old one was decided.
func onReplaced[In any](a *API) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		next, err := a.scopeOfSent(any(in).(sender))
		if err != nil {
			return httpapi.Target{}, err
		}
		old, err := a.scopeOfStored(ctx, c, any(in).(interface{ policyID() string }).policyID(), false)
		if err != nil {
			return httpapi.Target{}, err
		}
		if err := c.Authorize(ctx, "iam.policy.update", old); err != nil {
			return httpapi.Target{}, err
		}
		return next, nil
	}
}

// onPolicy is the target of operations on a stored policy.
func onPolicy[In any](a *API, deletedToo bool) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		return a.scopeOfStored(ctx, c, any(in).(interface{ policyID() string }).policyID(), deletedToo)
	}
}

func onRole[In any](a *API) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		roleID := any(in).(interface{ roleID() string }).roleID()
		c.SeeksOr(access.NoRole(roleID))
		r, err := a.access.GetRole(ctx, roleID)
		if err != nil {
			return httpapi.Target{}, err
		}
		return roleTarget(r.Account, r.ID), nil
	}
}

func roleTarget(account, role string) httpapi.Target {
	return httpapi.Target{ServiceName: "iam-access-management", Account: account, ResourceType: "customRole", Resource: role}
}

func onSettings[In any](_ context.Context, _ *httpapi.Call, in *In) (httpapi.Target, error) {
	account := any(in).(interface{ accountID() string }).accountID()
	if err := checkAccount(account); err != nil {
		return httpapi.Target{}, err
	}
	return httpapi.Target{ServiceName: "iam-access-management", Account: account, ResourceType: "settings"}, nil
}

func checkAccount(account string) error {
	switch {
	case account == "":
		return &fault.Error{Kind: fault.Invalid, Code: "missing_required_query_parameter", Field: "account_id", Message: "Parameter 'account_id' is missing or empty."}
	case !id.IsAccount(account):
		return fault.Field("account_id", "Parameter 'account_id' is no account id.")
	}
	return nil
}

// raw is a JSON body that is decoded by package document.
type raw = json.RawMessage
