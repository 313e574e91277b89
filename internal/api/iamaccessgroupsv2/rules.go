package iamaccessgroupsv2

import (
	"context"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

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

func (b *ruleBody) rule() *access.GroupRule {
	r := &access.GroupRule{Meta: store.Meta{Name: b.Name}, RealmName: b.RealmName, Hours: b.Expiration}
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
	out := &rule{ID: r.ID, Name: r.Name, Expiration: r.Hours, RealmName: r.RealmName, GroupID: r.Parent, AccountID: r.Account,
		Conditions: []condition{}, CreatedAt: httpapi.Millis(r.CreatedAt), CreatedByID: r.CreatedBy,
		LastModifiedAt: httpapi.Millis(r.ModifiedAt), LastModifiedBy: r.ModifiedBy}
	for _, c := range r.Conditions {
		out.Conditions = append(out.Conditions, condition{c.Claim, string(c.Operator), c.Value})
	}
	return out
}

type createRuleIn struct {
	groupParam
	Body ruleBody
}

func (in *createRuleIn) Validate() error { return access.CheckRule(in.Body.rule()) }

func (a *API) createRule(ctx context.Context, c *httpapi.Call, in *createRuleIn) (*rule, error) {
	r, err := a.groups.CreateRule(ctx, in.GroupID, in.Body.rule())
	if err != nil {
		return nil, err
	}
	c.SetETag(r.Tag)
	return wireRule(r), nil
}

type groupIn struct{ groupParam }

type ruleList struct {
	Rules []*rule `json:"rules"`
}

func (a *API) listRules(ctx context.Context, c *httpapi.Call, in *groupIn) (*ruleList, error) {
	g, err := a.group(ctx, c, in.GroupID)
	if err != nil {
		return nil, err
	}
	rules, err := a.groups.ListRules(ctx, g)
	if err != nil {
		return nil, err
	}
	out := &ruleList{Rules: []*rule{}}
	for _, r := range rules {
		out.Rules = append(out.Rules, wireRule(r))
	}
	return out, nil
}

type ruleIn struct {
	groupParam
	RuleID string `path:"rule_id"`
}

func (a *API) getRule(ctx context.Context, c *httpapi.Call, in *ruleIn) (*rule, error) {
	g, err := a.group(ctx, c, in.GroupID)
	if err != nil {
		return nil, err
	}
	r, err := a.groups.GetRule(ctx, g, in.RuleID)
	if err != nil {
		return nil, err
	}
	c.SetETag(r.Tag)
	return wireRule(r), nil
}

type replaceRuleIn struct {
	ruleIn
	IfMatch string `header:"If-Match"`
	Body    ruleBody
}

func (in *replaceRuleIn) Validate() error { return access.CheckRule(in.Body.rule()) }

func (a *API) replaceRule(ctx context.Context, c *httpapi.Call, in *replaceRuleIn) (*rule, error) {
	r, err := a.groups.ReplaceRule(ctx, in.GroupID, in.RuleID, in.IfMatch, in.Body.rule())
	if err != nil {
		return nil, err
	}
	c.SetETag(r.Tag)
	return wireRule(r), nil
}

func (a *API) deleteRule(ctx context.Context, _ *httpapi.Call, in *ruleIn) (*rule, error) {
	return nil, a.groups.DeleteRule(ctx, in.GroupID, in.RuleID)
}
