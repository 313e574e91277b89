package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
)

// ClaimRule is the answer that shows a claim rule.
type ClaimRule struct {
	ID         string      `json:"id"`
	EntityTag  string      `json:"entity_tag"`
	CreatedAt  string      `json:"created_at"`
	ModifiedAt string      `json:"modified_at"`
	Name       string      `json:"name,omitempty"`
	Type       string      `json:"type"`
	RealmName  string      `json:"realm_name,omitempty"`
	Expiration int         `json:"expiration"` // the model demands it of every type
	CRType     string      `json:"cr_type,omitempty"`
	Conditions []Condition `json:"conditions"`
}

// Condition compares one claim.
type Condition struct {
	Claim    string `json:"claim"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

func wireRule(r *identity.ClaimRule) *ClaimRule {
	out := &ClaimRule{
		ID: r.ID, EntityTag: r.Tag, CreatedAt: stamp(r.CreatedAt), ModifiedAt: stamp(r.ModifiedAt), Name: r.Name,
		Type: r.Type, RealmName: r.RealmName, Expiration: r.Expiration, CRType: r.CRType, Conditions: make([]Condition, len(r.Conditions)),
	}
	for i, c := range r.Conditions {
		out.Conditions[i] = Condition(c)
	}
	return out
}

// ClaimRuleList holds the claim rules of a profile.
type ClaimRuleList struct {
	Rules []*ClaimRule `json:"rules"`
}

// ruleBody is what a client says of a claim rule.
type ruleBody struct {
	Name       *string     `json:"name"`
	Type       string      `json:"type"`
	RealmName  string      `json:"realm_name"`
	CRType     string      `json:"cr_type"`
	Expiration *int        `json:"expiration"`
	Conditions []Condition `json:"conditions"`
}

func (b *ruleBody) spec() identity.RuleSpec {
	spec := identity.RuleSpec{Name: b.Name, Type: b.Type, RealmName: b.RealmName, CRType: b.CRType, Expiration: b.Expiration}
	for _, c := range b.Conditions {
		spec.Conditions = append(spec.Conditions, identity.Condition(c))
	}
	return spec
}

type createRuleIn struct {
	profileRef
	Body ruleBody
}

// Validate checks the body.
func (in *createRuleIn) Validate() error {
	spec := in.Body.spec()
	return spec.Validate()
}

func (a *API) createRule(ctx context.Context, c *httpapi.Call, in *createRuleIn) (*ClaimRule, error) {
	rule, err := a.ids.CreateRule(ctx, in.ProfileID, in.Body.spec())
	if err != nil {
		return nil, err
	}
	c.SetETag(rule.Tag)
	return wireRule(rule), nil
}

func (a *API) listRules(ctx context.Context, _ *httpapi.Call, in *profileRef) (*ClaimRuleList, error) {
	rules, err := a.ids.Rules(ctx, in.ProfileID)
	if err != nil {
		return nil, err
	}
	out := &ClaimRuleList{Rules: make([]*ClaimRule, len(rules))}
	for i, r := range rules {
		out.Rules[i] = wireRule(r)
	}
	return out, nil
}

// ruleRef names a claim rule in the path; the decision is on its profile.
type ruleRef struct {
	profileRef
	RuleID string `path:"rule_id"`
}

func (a *API) getRule(ctx context.Context, c *httpapi.Call, in *ruleRef) (*ClaimRule, error) {
	rule, err := a.ids.Rule(ctx, in.ProfileID, in.RuleID)
	if err != nil {
		return nil, err
	}
	c.SetETag(rule.Tag)
	return wireRule(rule), nil
}

type updateRuleIn struct {
	ruleRef
	ifMatch
	Body ruleBody
}

// Validate checks precondition and body.
func (in *updateRuleIn) Validate() error {
	if err := in.present(); err != nil {
		return err
	}
	spec := in.Body.spec()
	return spec.Validate()
}

func (a *API) updateRule(ctx context.Context, c *httpapi.Call, in *updateRuleIn) (*ClaimRule, error) {
	rule, err := a.ids.UpdateRule(ctx, in.ProfileID, in.RuleID, in.IfMatch, in.Body.spec())
	if err != nil {
		return nil, err
	}
	c.SetETag(rule.Tag)
	return wireRule(rule), nil
}

func (a *API) deleteRule(ctx context.Context, _ *httpapi.Call, in *ruleRef) (*done, error) {
	return nil, a.ids.DeleteRule(ctx, in.ProfileID, in.RuleID)
}
