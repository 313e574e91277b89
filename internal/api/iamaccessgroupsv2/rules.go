package iamaccessgroupsv2

import (
	"context"
	"net/http"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
)

func (a *API) ruleRows() []httpapi.Row {
	const all, rulePath = one + "/rules", one + "/rules/{rule_id}"
	return []httpapi.Row{
		httpapi.Op[createRuleIn, toGroup[access.RuleSpec], rule]{ID: "add_access_group_rule", Method: http.MethodPost, Path: all, Status: 201,
			Action: "iam-groups.rules.create", Find: findGroupFor[createRuleIn, access.RuleSpec](a), Do: a.createRule},
		httpapi.Op[groupIn, *access.Group, ruleList]{ID: "list_access_group_rules", Method: http.MethodGet, Path: all, Status: 200,
			Action: "iam-groups.rules.list", Find: findGroup[groupIn](a), Do: a.listRules},
		httpapi.Op[ruleIn, *access.Group, rule]{ID: "get_access_group_rule", Method: http.MethodGet, Path: rulePath, Status: 200,
			Action: "iam-groups.rules.read", Find: findGroup[ruleIn](a), Do: a.getRule},
		httpapi.Op[replaceRuleIn, toGroup[access.RuleSpec], rule]{ID: "replace_access_group_rule", Method: http.MethodPut, Path: rulePath,
			Status: 200, Action: "iam-groups.rules.update", Find: findGroupFor[replaceRuleIn, access.RuleSpec](a), Do: a.replaceRule},
		httpapi.Op[ruleIn, *access.Group, httpapi.None]{ID: "remove_access_group_rule", Method: http.MethodDelete, Path: rulePath, Status: 204,
			Action: "iam-groups.rules.delete", Find: findGroup[ruleIn](a), Do: a.deleteRule},
	}
}

type condition struct {
	Claim    string `json:"claim"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

// ruleBody is what clients send.
type ruleBody struct {
	Name       string      `json:"name"`
	Expiration int         `json:"expiration"`
	RealmName  string      `json:"realm_name"`
	Conditions []condition `json:"conditions"`
}

func (b *ruleBody) spec() access.RuleSpec {
	r := access.RuleSpec{Name: b.Name, RealmName: b.RealmName, Hours: b.Expiration}
	for _, c := range b.Conditions {
		r.Conditions = append(r.Conditions, policy.ClaimCondition{Claim: c.Claim, Operator: policy.ClaimOperator(c.Operator), Value: c.Value})
	}
	return r
}

// rule is a dynamic rule on the wire.
type rule struct {
	ID             string      `json:"id"`
	Name           string      `json:"name,omitempty"`
	Expiration     int         `json:"expiration"`
	RealmName      string      `json:"realm_name"`
	GroupID        string      `json:"access_group_id"`
	AccountID      string      `json:"account_id"`
	Conditions     []condition `json:"conditions"`
	CreatedAt      string      `json:"created_at"`
	CreatedByID    string      `json:"created_by_id"`
	LastModifiedAt string      `json:"last_modified_at"`
	LastModifiedBy string      `json:"last_modified_by_id"`
}

func wireRule(r *access.GroupRule) *rule {
	return &rule{ID: r.ID, Name: r.Name, Expiration: r.Hours, RealmName: r.RealmName, GroupID: r.Parent, AccountID: r.Account,
		Conditions: lists.Map(r.Conditions, func(c policy.ClaimCondition) condition {
			return condition{c.Claim, string(c.Operator), c.Value}
		}),
		CreatedAt: httpapi.Millis(r.CreatedAt), CreatedByID: r.CreatedBy,
		LastModifiedAt: httpapi.Millis(r.ModifiedAt), LastModifiedBy: r.ModifiedBy}
}

type createRuleIn struct {
	groupParam
	Body ruleBody
}

func (in createRuleIn) spec() access.RuleSpec { return in.Body.spec() }

func (a *API) createRule(ctx context.Context, c *httpapi.Call, _ *createRuleIn, found toGroup[access.RuleSpec]) (*rule, error) {
	r, err := a.groups.CreateRule(ctx, found.Group, found.sent)
	return httpapi.Shown(c, r, err, wireRule)
}

type groupIn struct{ groupParam }

type ruleList struct {
	Rules []*rule `json:"rules"`
}

func (a *API) listRules(ctx context.Context, _ *httpapi.Call, _ *groupIn, g *access.Group) (*ruleList, error) {
	rules, err := a.groups.ListRules(ctx, g)
	return &ruleList{lists.Map(rules, wireRule)}, err
}

type ruleIn struct {
	groupParam
	RuleID string `path:"rule_id"`
}

func (a *API) getRule(ctx context.Context, c *httpapi.Call, in *ruleIn, g *access.Group) (*rule, error) {
	r, err := a.groups.GetRule(ctx, g, in.RuleID)
	return httpapi.Shown(c, r, err, wireRule)
}

type replaceRuleIn struct {
	ruleIn
	httpapi.Conditional
	Body ruleBody
}

func (in replaceRuleIn) spec() access.RuleSpec { return in.Body.spec() }

func (a *API) replaceRule(ctx context.Context, c *httpapi.Call, in *replaceRuleIn, found toGroup[access.RuleSpec]) (*rule, error) {
	r, err := a.groups.ReplaceRule(ctx, found.Group, in.RuleID, in.IfMatch, found.sent)
	return httpapi.Shown(c, r, err, wireRule)
}

func (a *API) deleteRule(ctx context.Context, _ *httpapi.Call, in *ruleIn, g *access.Group) (*httpapi.None, error) {
	return nil, a.groups.DeleteRule(ctx, g, in.RuleID)
}
