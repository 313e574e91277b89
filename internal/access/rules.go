package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

func ruleEvent(verb string, g *Group, r *GroupRule) store.Event {
	return store.Event{Action: "iam-groups.rule." + verb, Params: []string{"rules"}, CRN: GroupCRN(g),
		Message: fmt.Sprintf("IAM Access Groups: %s rule %s of group %s", verb, r.Name, g.Name)}
}

// claimOperators are the operators of dynamic rules.
var claimOperators = []policy.ClaimOperator{policy.ClaimEquals, policy.ClaimEqualsIgnoreCase, policy.ClaimNotEquals,
	policy.ClaimNotEqualsIgnoreCase, policy.ClaimContains, policy.ClaimIn}

// maxConditions bounds the conditions of a rule (documented for templates).
const maxConditions = 50

// RuleSpec is what a dynamic rule says.
type RuleSpec struct {
	Name, RealmName string
	Hours           int // 1 to 24
	Conditions      []policy.ClaimCondition
}

// Validate implements valid.Checker.
func (r RuleSpec) Validate() error {
	switch {
	case r.Hours < 1 || r.Hours > 24:
		return fault.Field("expiration", "Property 'expiration' must be a number of hours from 1 to 24.")
	case r.RealmName == "" || len(r.RealmName) > 1000:
		return fault.Field("realm_name", "Property 'realm_name' is missing, empty or longer than 1000 characters.")
	case len(r.Name) > 300:
		return fault.Field("name", "Property 'name' must have at most 300 characters.")
	case len(r.Conditions) == 0 || len(r.Conditions) > maxConditions:
		return fault.Field("conditions", "Property 'conditions' must hold 1 to %d conditions.", maxConditions)
	}
	if err := cmp.Or(valid.Line("name", r.Name), valid.Line("realm_name", r.RealmName)); err != nil {
		return err
	}
	for i, c := range r.Conditions {
		field := fmt.Sprintf("conditions[%d]", i)
		switch {
		case c.Claim == "" || len(c.Claim) > 300:
			return fault.Field(field+".claim", "Property '%s.claim' is missing, empty or longer than 300 characters.", field)
		case !slices.Contains(claimOperators, c.Operator):
			return fault.Field(field+".operator", "Property '%s.operator' must be one of %v.", field, claimOperators)
		case len(c.Value) > 1000:
			return fault.Field(field+".value", "Property '%s.value' must have at most 1000 characters.", field)
		}
		if err := cmp.Or(valid.Line(field+".claim", c.Claim), valid.Line(field+".value", c.Value)); err != nil {
			return err
		}
		// A condition that no login can fulfil was meant otherwise.
		if _, err := policy.CompileClaim(c); err != nil {
			return fault.Field(field+".value", "Property '%s': %v.", field, err)
		}
	}
	return nil
}

// rule gives a new rule of a group.
func (s *Service) rule(g *Group, r RuleSpec) *GroupRule {
	return &GroupRule{Meta: store.Meta{Account: g.Account, ID: s.ids.New(id.ClaimRule), Parent: g.ID, Name: r.Name},
		RealmName: r.RealmName, Hours: r.Hours, Conditions: r.Conditions}
}

// CreateRule adds a dynamic rule to a group that was found.
func (s *Service) CreateRule(ctx context.Context, g *Group, r valid.Of[RuleSpec]) (*GroupRule, error) {
	var rule *GroupRule
	err := s.within(ctx, g, func(tx store.Tx) error {
		if g.Template != nil && !g.Controls.AddRules {
			return closedByEnterprise("rules to this access group")
		}
		n, err := GroupRules.Count(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
		if err != nil {
			return err
		}
		if n >= s.limits.RulesPerGroup {
			return limitReached("rules of a group", s.limits.RulesPerGroup)
		}
		rule = s.rule(g, r.Value())
		return GroupRules.Create(ctx, tx, rule, ruleEvent("create", g, rule))
	})
	return rule, err
}

// ListRules gives the rules of a group in the order of their creation.
func (s *Service) ListRules(ctx context.Context, g *Group) ([]*GroupRule, error) {
	return GroupRules.List(ctx, s.db.Direct(), store.Query{Account: g.Account, Parent: g.ID})
}

// GetRule gives a rule of a group.
func (s *Service) GetRule(ctx context.Context, g *Group, ruleID string) (*GroupRule, error) {
	return ruleOf(ctx, s.db.Direct(), g, ruleID)
}

func ruleOf(ctx context.Context, r store.Reader, g *Group, ruleID string) (*GroupRule, error) {
	rule, err := GroupRules.Get(ctx, r, g.Account, ruleID)
	if errors.Is(err, fault.NotFound) || err == nil && rule.Parent != g.ID {
		return nil, &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: "Rule with Id " + ruleID + " not found."}
	}
	return rule, err
}

// ReplaceRule replaces a rule of a group that was found, at the version that
// ifMatch names. A replacement without name keeps the stored one: Terraform
// leaves it out.
func (s *Service) ReplaceRule(ctx context.Context, g *Group, ruleID, ifMatch string, next valid.Of[RuleSpec]) (*GroupRule, error) {
	var rule *GroupRule
	err := s.within(ctx, g, func(tx store.Tx) (err error) {
		if rule, err = ruleOf(ctx, tx, g, ruleID); err != nil {
			return err
		}
		if err := rule.Match(ifMatch); err != nil {
			return err
		}
		if rule.Managed && !rule.Updatable {
			return managedByEnterprise("rule")
		}
		r := next.Value()
		rule.Name, rule.RealmName, rule.Hours, rule.Conditions = cmp.Or(r.Name, rule.Name), r.RealmName, r.Hours, r.Conditions
		return GroupRules.Update(ctx, tx, rule, ruleEvent("update", g, rule))
	})
	return rule, err
}

// DeleteRule deletes a rule of a group that was found.
func (s *Service) DeleteRule(ctx context.Context, g *Group, ruleID string) error {
	return s.within(ctx, g, func(tx store.Tx) error {
		rule, err := ruleOf(ctx, tx, g, ruleID)
		if err != nil {
			return err
		}
		if rule.Managed && !rule.Removable {
			return managedByEnterprise("rule")
		}
		return GroupRules.Delete(ctx, tx, rule, ruleEvent("delete", g, rule))
	})
}

// CountRules counts the dynamic rules of an access group; one that the account
// does not have has none.
func (s *Service) CountRules(ctx context.Context, accountID, groupID string) (int, error) {
	return GroupRules.Count(ctx, s.db.Direct(), store.Query{Account: accountID, Parent: groupID})
}
