// Package iamaccessgroupsv2 is the wire of the Access Groups API as the SDK
// package of the same name speaks it: rows, request and response shapes, and
// nothing else. Package access has the rules.
package iamaccessgroupsv2

import (
	"context"
	"net/http"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/template"
)

// Family is the API's name, title and envelope.
var Family = &httpapi.Family{Name: "iamaccessgroupsv2", Title: "IAM Access Groups", Service: "iam-groups", WriteError: writeError}

// writeError renders the errors[] envelope with the family's own codes. Its
// errors have a code and a message and nothing else.
func writeError(w http.ResponseWriter, c *httpapi.Call, e *fault.Error, status int) {
	out := httpapi.InMessage(e)
	out.Code = codeOf(e)
	httpapi.WriteErrors(w, c, out, status)
}

// codeOf gives the machine word of an error. The official list is not public;
// the words follow those of the policy API.
func codeOf(e *fault.Error) string {
	switch e.Kind {
	case fault.Unauthenticated:
		return "invalid_token"
	case fault.Forbidden:
		return "insufficient_permissions"
	case fault.Internal:
		return "internal_error"
	}
	if e.Code != "" {
		return e.Code
	}
	if e.Kind == fault.Invalid {
		return "invalid_body"
	}
	return string(e.Kind)
}

// API serves the table.
type API struct {
	groups    *access.Service
	templates *template.Service
}

// New makes the API over the access and template services.
func New(groups *access.Service, t *template.Service) *API { return &API{groups, t} }

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	on := httpapi.Action
	return append([]httpapi.Operation{
		httpapi.OldOp(Family, "create_access_group", http.MethodPost, "/v2/groups", 201, on("iam-groups.groups.create"), inAccount[createIn], a.create),
		httpapi.OldOp(Family, "list_access_groups", http.MethodGet, "/v2/groups", 200, on("iam-groups.groups.list"), inAccount[listIn], a.list),
		httpapi.OldOp(Family, "get_access_group", http.MethodGet, "/v2/groups/{access_group_id}", 200, on("iam-groups.groups.read"), onGroup[getIn](a), a.get),
		httpapi.OldOp(Family, "update_access_group", http.MethodPatch, "/v2/groups/{access_group_id}", 200, on("iam-groups.groups.update"), onGroup[updateIn](a), a.update),
		httpapi.OldOp(Family, "delete_access_group", http.MethodDelete, "/v2/groups/{access_group_id}", 204, on("iam-groups.groups.delete"), onGroup[deleteIn](a), a.delete),
		httpapi.OldOp(Family, "is_member_of_access_group", http.MethodHead, "/v2/groups/{access_group_id}/members/{iam_id}", 204, on("iam-groups.members.read"), onGroup[memberIn](a), a.isMember),
		httpapi.OldOp(Family, "add_members_to_access_group", http.MethodPut, "/v2/groups/{access_group_id}/members", 207, on("iam-groups.members.add"), onGroup[addMembersIn](a), a.addMembers),
		httpapi.OldOp(Family, "list_access_group_members", http.MethodGet, "/v2/groups/{access_group_id}/members", 200, on("iam-groups.members.list"), onGroup[listMembersIn](a), a.listMembers),
		httpapi.OldOp(Family, "remove_member_from_access_group", http.MethodDelete, "/v2/groups/{access_group_id}/members/{iam_id}", 204, on("iam-groups.members.delete"), onGroup[memberIn](a), a.removeMember),
		httpapi.OldOp(Family, "remove_members_from_access_group", http.MethodPost, "/v2/groups/{access_group_id}/members/delete", 207, on("iam-groups.members.delete"), onGroup[removeMembersIn](a), a.removeMembers),
		httpapi.OldOp(Family, "remove_member_from_all_access_groups", http.MethodDelete, "/v2/groups/_allgroups/members/{iam_id}", 207, on("iam-groups.members.delete"), inAccount[allGroupsIn], a.removeFromAll),
		httpapi.OldOp(Family, "add_member_to_multiple_access_groups", http.MethodPut, "/v2/groups/_allgroups/members/{iam_id}", 207, on("iam-groups.members.add"), inAccount[addToManyIn], a.addToMany),
		httpapi.OldOp(Family, "add_access_group_rule", http.MethodPost, "/v2/groups/{access_group_id}/rules", 201, on("iam-groups.rules.create"), onGroup[createRuleIn](a), a.createRule),
		httpapi.OldOp(Family, "list_access_group_rules", http.MethodGet, "/v2/groups/{access_group_id}/rules", 200, on("iam-groups.rules.list"), onGroup[groupIn](a), a.listRules),
		httpapi.OldOp(Family, "get_access_group_rule", http.MethodGet, "/v2/groups/{access_group_id}/rules/{rule_id}", 200, on("iam-groups.rules.read"), onGroup[ruleIn](a), a.getRule),
		httpapi.OldOp(Family, "replace_access_group_rule", http.MethodPut, "/v2/groups/{access_group_id}/rules/{rule_id}", 200, on("iam-groups.rules.update"), onGroup[replaceRuleIn](a), a.replaceRule),
		httpapi.OldOp(Family, "remove_access_group_rule", http.MethodDelete, "/v2/groups/{access_group_id}/rules/{rule_id}", 204, on("iam-groups.rules.delete"), onGroup[ruleIn](a), a.deleteRule),
		httpapi.OldOp(Family, "get_account_settings", http.MethodGet, "/v2/groups/settings", 200, on("iam-groups.account-settings.read"), inAccount[accountIn], a.getSettings),
		httpapi.OldOp(Family, "update_account_settings", http.MethodPatch, "/v2/groups/settings", 200, on("iam-groups.account-settings.update"), inAccount[updateSettingsIn], a.updateSettings),
	}, a.templateRows()...)
}

// inAccount is the target of operations on an account's groups as a whole.
func inAccount[In any](_ context.Context, _ *httpapi.Call, in *In) (httpapi.Target, error) {
	account := any(in).(interface{ accountID() string }).accountID()
	if account == "" {
		return httpapi.Target{}, fault.Missing("account_id")
	}
	if !id.IsAccount(account) {
		return httpapi.Target{}, fault.Field("account_id", "Parameter 'account_id' is no account id.")
	}
	return httpapi.Target{ServiceName: "iam-groups", Account: account}, nil
}

// onGroup is the target of operations on one group. The public group lives in
// the caller's account.
func onGroup[In any](a *API) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		groupID := any(in).(interface{ groupID() string }).groupID()
		c.SeeksOr(access.NoGroup(groupID))
		g, err := a.group(ctx, c, groupID)
		if err != nil {
			return httpapi.Target{}, err
		}
		return httpapi.Target{ServiceName: "iam-groups", Account: g.Account, ResourceType: "group", Resource: g.ID}, nil
	}
}

func (a *API) group(ctx context.Context, c *httpapi.Call, groupID string) (*access.Group, error) {
	account := ""
	if groupID == policy.PublicAccessGroupID {
		account = c.Caller.Account
	}
	return a.groups.GetGroup(ctx, account, groupID)
}

type accountParam struct {
	AccountID string `query:"account_id"`
}

func (p accountParam) accountID() string { return p.AccountID }

type groupParam struct {
	GroupID string `path:"access_group_id"`
}

func (p groupParam) groupID() string { return p.GroupID }
