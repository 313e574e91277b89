package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
)

func (a *API) ruleRows() []httpapi.Operation {
	const all, one = "/v1/profiles/{profile_id}/rules", "/v1/profiles/{profile_id}/rules/{rule_id}"
	return httpapi.Table(Family,
		httpapi.Op[createRuleIn, ruleSpec, ClaimRule]{ID: "create_claim_rule", Method: "POST", Path: all, Status: 201,
			Action: updateProfile, Find: httpapi.Checking(createRuleIn.spec, findProfile[createRuleIn](a)), Do: a.createRule},
		httpapi.Op[profileRef, *identity.Profile, ClaimRuleList]{ID: "list_claim_rules", Method: "GET", Path: all, Status: 200,
			Action: readProfile, Find: findProfile[profileRef](a), Do: a.listRules},
		httpapi.Op[ruleRef, *identity.Profile, ClaimRule]{ID: "get_claim_rule", Method: "GET", Path: one, Status: 200,
			Action: readProfile, Find: findProfile[ruleRef](a), Do: a.getRule},
		httpapi.Op[updateRuleIn, ruleSpec, ClaimRule]{ID: "update_claim_rule", Method: "PUT", Path: one, Status: 200,
			Action: updateProfile, Check: (*updateRuleIn).present, Find: httpapi.Checking(updateRuleIn.spec, findProfile[updateRuleIn](a)),
			Do: a.updateRule},
		httpapi.Op[ruleRef, *identity.Profile, httpapi.None]{ID: "delete_claim_rule", Method: "DELETE", Path: one, Status: 204,
			Action: updateProfile, Find: findProfile[ruleRef](a), Do: a.deleteRule},
	)
}

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
	return &ClaimRule{
		ID: r.ID, EntityTag: r.Tag, CreatedAt: stamp(r.CreatedAt), ModifiedAt: stamp(r.ModifiedAt), Name: r.Name,
		Type: r.Type, RealmName: r.RealmName, Expiration: r.Expiration, CRType: r.CRType,
		Conditions: lists.Map(r.Conditions, func(c identity.Condition) Condition { return Condition(c) }),
	}
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

func (in createRuleIn) spec() identity.RuleSpec { return in.Body.spec() }

type ruleSpec = httpapi.Given[*identity.Profile, identity.RuleSpec]

func (a *API) createRule(ctx context.Context, c *httpapi.Call, _ *createRuleIn, g ruleSpec) (*ClaimRule, error) {
	rule, err := a.ids.CreateRule(ctx, g.Found, g.Spec)
	return httpapi.Shown(c, rule, err, wireRule)
}

func (a *API) listRules(ctx context.Context, _ *httpapi.Call, _ *profileRef, p *identity.Profile) (*ClaimRuleList, error) {
	rules, err := a.ids.Rules(ctx, p)
	return &ClaimRuleList{Rules: lists.Map(rules, wireRule)}, err
}

// ruleRef names a claim rule in the path; the decision is on its profile.
type ruleRef struct {
	profileRef
	RuleID string `path:"rule_id"`
}

func (a *API) getRule(ctx context.Context, c *httpapi.Call, in *ruleRef, p *identity.Profile) (*ClaimRule, error) {
	rule, err := a.ids.Rule(ctx, p, in.RuleID)
	return httpapi.Shown(c, rule, err, wireRule)
}

type updateRuleIn struct {
	ruleRef
	ifMatch
	Body ruleBody
}

func (in updateRuleIn) spec() identity.RuleSpec { return in.Body.spec() }

func (a *API) updateRule(ctx context.Context, c *httpapi.Call, in *updateRuleIn, g ruleSpec) (*ClaimRule, error) {
	rule, err := a.ids.UpdateRule(ctx, g.Found, in.RuleID, in.IfMatch, g.Spec)
	return httpapi.Shown(c, rule, err, wireRule)
}

func (a *API) deleteRule(ctx context.Context, _ *httpapi.Call, in *ruleRef, p *identity.Profile) (*httpapi.None, error) {
	return nil, a.ids.DeleteRule(ctx, p, in.RuleID)
}
