// Package iampolicymanagementv1 is the wire of the Policy Management API as
// the SDK package of the same name speaks it: rows, shapes and mapping.
// Package access stores, package policy judges.
package iampolicymanagementv1

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/template"
)

// Family is the API's name, title and envelope.
var Family = &httpapi.Family{Name: "iampolicymanagementv1", Title: "IAM Policy Management", Service: "iam-access-management",
	WriteError: writeError, JSONOnly: true}

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
	pages     *lists.Sealer // of page tokens
}

// New makes the API over the access and template services.
func New(a *access.Service, t *template.Service, pages *lists.Sealer) *API {
	return &API{a, t, pages}
}

// onlyReadable says who may list policies.
const onlyReadable = "lists only what the caller may read"

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	return slices.Concat(a.policyRows(), a.roleRows(), a.settingsRows(), a.templateRows())
}

func (a *API) policyRows() []httpapi.Operation {
	const v1, v2 = "/v1/policies", "/v2/policies"
	const oneV1, oneV2 = v1 + "/{policy_id}", v2 + "/{policy_id}"
	return httpapi.Table(Family,
		httpapi.Op[listIn, httpapi.None, v1List]{ID: "list_policies", Method: http.MethodGet, Path: v1, Status: 200,
			Self: onlyReadable, Check: (*listIn).check, Do: a.listV1},
		httpapi.Op[createV1In, newPolicy, v1Policy]{ID: "create_policy", Method: http.MethodPost, Path: v1, Status: 201,
			Action: "iam.policy.create", Find: findNew[createV1In](a), Do: a.createV1},
		httpapi.Op[replaceV1In, replacement, v1Policy]{ID: "replace_policy", Method: http.MethodPut, Path: oneV1, Status: 200,
			Action: updatePolicy, Check: (*replaceV1In).Present, Find: findReplaced[replaceV1In](a), Do: a.replaceV1},
		httpapi.Op[getIn, *access.Policy, v1Policy]{ID: "get_policy", Method: http.MethodGet, Path: oneV1, Status: 200,
			Action: "iam.policy.read", Check: (*getIn).check, Find: findPolicy[getIn](a), Do: a.getV1},
		httpapi.Op[policyRef, *access.Policy, httpapi.None]{ID: "delete_policy", Method: http.MethodDelete, Path: oneV1, Status: 204,
			Action: "iam.policy.delete", Find: findPolicy[policyRef](a), Do: a.deletePolicy},
		httpapi.Op[stateIn, *access.Policy, v1Policy]{ID: "update_policy_state", Method: http.MethodPatch, Path: oneV1, Status: 200,
			Action: updatePolicy, Check: (*stateIn).check, Find: a.findDeletedToo, Do: a.updateState},
		httpapi.Op[listIn, httpapi.None, v2List]{ID: "list_v2_policies", Method: http.MethodGet, Path: v2, Status: 200,
			Self: onlyReadable, Check: (*listIn).check, Do: a.listV2},
		httpapi.Op[createV2In, newPolicy, v2Policy]{ID: "create_v2_policy", Method: http.MethodPost, Path: v2, Status: 201,
			Action: "iam.policy.create", Find: findNew[createV2In](a), Do: a.createV2},
		httpapi.Op[replaceV2In, replacement, v2Policy]{ID: "replace_v2_policy", Method: http.MethodPut, Path: oneV2, Status: 200,
			Action: updatePolicy, Check: (*replaceV2In).Present, Find: findReplaced[replaceV2In](a), Do: a.replaceV2},
		httpapi.Op[getIn, *access.Policy, v2Policy]{ID: "get_v2_policy", Method: http.MethodGet, Path: oneV2, Status: 200,
			Action: "iam.policy.read", Check: (*getIn).check, Find: findPolicy[getIn](a), Do: a.getV2},
		httpapi.Op[policyRef, *access.Policy, httpapi.None]{ID: "delete_v2_policy", Method: http.MethodDelete, Path: oneV2, Status: 204,
			Action: "iam.policy.delete", Find: findPolicy[policyRef](a), Do: a.deletePolicy},
	)
}

func (a *API) roleRows() []httpapi.Operation {
	const all, one, action = "/v2/roles", "/v2/roles/{role_id}", "iam-access-management.customRole."
	return httpapi.Table(Family,
		httpapi.Op[listRolesIn, httpapi.None, roleList]{ID: "list_roles", Method: http.MethodGet, Path: all, Status: 200,
			Self: "custom roles are listed only to those who may read them", Check: (*listRolesIn).check, Do: a.listRoles},
		httpapi.Op[createRoleIn, newRole, customRole]{ID: "create_role", Method: http.MethodPost, Path: all, Status: 201,
			Action: action + "create", Find: a.findNewRole, Do: a.createRole},
		httpapi.Op[replaceRoleIn, changedRole, customRole]{ID: "replace_role", Method: http.MethodPut, Path: one, Status: 200,
			Action: action + "update", Check: (*replaceRoleIn).Present,
			Find: httpapi.Checking(replaceRoleIn.patch, findRole[replaceRoleIn](a)), Do: a.replaceRole},
		httpapi.Op[roleRef, *access.CustomRole, customRole]{ID: "get_role", Method: http.MethodGet, Path: one, Status: 200,
			Action: action + "read", Find: findRole[roleRef](a), Do: a.getRole},
		httpapi.Op[roleRef, *access.CustomRole, httpapi.None]{ID: "delete_role", Method: http.MethodDelete, Path: one, Status: 204,
			Action: action + "delete", Find: findRole[roleRef](a), Do: a.deleteRole},
	)
}

func (a *API) settingsRows() []httpapi.Operation {
	const path, action = "/v1/accounts/{account_id}/settings/access_management", "iam-access-management.settings."
	return httpapi.Table(Family,
		httpapi.Op[settingsRef, *access.Settings, settings]{ID: "get_settings", Method: http.MethodGet, Path: path, Status: 200,
			Action: action + "read", Find: a.findSettings, Do: a.getSettings},
		httpapi.Op[updateSettingsIn, settingsPatch, settings]{ID: "update_settings", Method: http.MethodPatch, Path: path, Status: 200,
			Action: action + "update", Check: (*updateSettingsIn).check, Find: findSettingsPatch, Do: a.updateSettings},
	)
}

func roleTarget(account, role string) httpapi.Target {
	return httpapi.Target{ServiceName: "iam-access-management", Account: account, ResourceType: "customRole", Resource: role}
}

func checkAccount(account string) error {
	switch {
	case account == "":
		return &fault.Error{Kind: fault.Invalid, Code: "missing_required_query_parameter", Field: "account_id",
			Message: "Parameter 'account_id' is missing or empty."}
	case !id.IsAccount(account):
		return fault.Field("account_id", "Parameter 'account_id' is no account id.")
	}
	return nil
}

// raw is a JSON body that is decoded by package document.
type raw = json.RawMessage
