package identity

import (
	"context"
	"fmt"
	"slices"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Types of claim rules.
const (
	RuleSAML    = "Profile-SAML"
	RuleCompute = "Profile-CR"
)

// Types of compute resources, of rules and links.
const (
	VSI            = "VSI"
	PVS            = "PVS"
	BMS            = "BMS"
	IKSServiceAcct = "IKS_SA"
	ROKSServiceAcc = "ROKS_SA"
	CodeEngine     = "CE"
)

var computeTypes = []string{VSI, PVS, BMS, IKSServiceAcct, ROKSServiceAcc, CodeEngine}

// Operators of the conditions of claim rules.
var Operators = []string{"EQUALS", "NOT_EQUALS", "EQUALS_IGNORE_CASE", "NOT_EQUALS_IGNORE_CASE", "CONTAINS", "IN"}

// Bounds of a rule; no public figures exist. 30 days is the longest session
// that the console offers.
const (
	maxConditions     = 20
	maxConditionValue = 4096
	maxExpiration     = 30 * 86400
)

// RuleSpec is what a client says of a claim rule, to create or replace it.
type RuleSpec struct {
	Name       *string // nil keeps the name when replacing
	Type       string
	RealmName  string // demanded by Profile-SAML
	CRType     string // of Profile-CR; may be left out
	Expiration *int   // seconds; demanded by Profile-SAML
	Conditions []Condition
}

// Validate checks what can be checked without the store.
func (r RuleSpec) Validate() error {
	if r.Type == "" {
		return fault.Missing("type")
	}
	if err := oneOf("type", r.Type, RuleSAML, RuleCompute); err != nil {
		return err
	}
	if err := optionalText("name", r.Name, maxName); err != nil {
		return err
	}
	if err := text("realm_name", r.RealmName, maxDescription); err != nil {
		return err
	}
	if r.Type == RuleSAML && r.RealmName == "" {
		return fault.Missing("realm_name")
	}
	if r.Type == RuleSAML && r.Expiration == nil {
		return fault.Missing("expiration")
	}
	if r.Expiration != nil && (*r.Expiration < 0 || *r.Expiration > maxExpiration || *r.Expiration == 0 && r.Type == RuleSAML) {
		return fault.Field("expiration", "Property 'expiration' must be a number of seconds from 1 to %d.", maxExpiration)
	}
	if r.CRType != "" {
		if err := oneOf("cr_type", r.CRType, computeTypes...); err != nil {
			return err
		}
	}
	return r.validateConditions()
}

func (r *RuleSpec) validateConditions() error {
	if len(r.Conditions) == 0 {
		return fault.Missing("conditions")
	}
	if len(r.Conditions) > maxConditions {
		return fault.Field("conditions", "Property 'conditions' holds more than %d conditions.", maxConditions)
	}
	for _, c := range r.Conditions {
		if err := required("conditions.claim", c.Claim, maxName); err != nil {
			return err
		}
		if err := oneOf("conditions.operator", c.Operator, Operators...); err != nil {
			return err
		}
		if err := required("conditions.value", c.Value, maxConditionValue); err != nil {
			return err
		}
		// A condition that no login can fulfil was meant otherwise.
		if _, err := policy.CompileClaim(c.Claimed()); err != nil {
			return fault.Field("conditions.value", "Property 'conditions': %v.", err)
		}
	}
	return nil
}

// Claimed gives the condition as package policy judges it.
func (c Condition) Claimed() policy.ClaimCondition {
	return policy.ClaimCondition{Claim: c.Claim, Operator: policy.ClaimOperator(c.Operator), Value: c.Value}
}

func (r *RuleSpec) apply(to *ClaimRule) {
	if r.Name != nil {
		to.Name = *r.Name
	}
	if r.Expiration != nil {
		to.Expiration = *r.Expiration
	}
	to.Type, to.RealmName, to.CRType, to.Conditions = r.Type, r.RealmName, r.CRType, slices.Clone(r.Conditions)
}

// CreateRule adds a claim rule to a profile that was found. Errors:
// fault.Forbidden when an enterprise rules it out, fault.Limit, store.ErrMoved.
func (s *Service) CreateRule(ctx context.Context, p *Profile, checked valid.Of[RuleSpec]) (*ClaimRule, error) {
	spec := checked.Value()
	rule := &ClaimRule{Meta: store.Meta{Account: p.Account, ID: s.ids.New(id.ClaimRule), Parent: p.ID}}
	spec.apply(rule)
	err := s.inProfile(ctx, p, func(tx store.Tx) error {
		if !p.mayAdd(p.Controls.Rules) {
			return closed(p, "rules")
		}
		count, err := Rules.Count(ctx, tx, partsOf(p))
		if err != nil {
			return fmt.Errorf("counting claim rules: %w", err)
		}
		if _, err := within("claim rules", "in trusted profile "+p.ID, count, s.limits.RulesPerProfile); err != nil {
			return err
		}
		return Rules.Create(ctx, tx, rule, partOf(p, "rules"))
	})
	if err != nil {
		return nil, err
	}
	return rule, nil
}

// Rules gives the claim rules of a profile, oldest first.
func (s *Service) Rules(ctx context.Context, p *Profile) ([]*ClaimRule, error) {
	return Rules.List(ctx, s.db.Direct(), partsOf(p))
}

// Rule gives a claim rule of a profile, or fault.NotFound.
func (s *Service) Rule(ctx context.Context, p *Profile, ruleID string) (*ClaimRule, error) {
	return part(ctx, s.db.Direct(), Rules, whatRule, p, ruleID)
}

// UpdateRule replaces a claim rule of a profile that was found; its name stays
// when none is given. Errors: fault.NotFound for the rule, fault.Stale,
// fault.Forbidden when it is an enterprise's, store.ErrMoved.
func (s *Service) UpdateRule(ctx context.Context, p *Profile, ruleID, ifMatch string, checked valid.Of[RuleSpec]) (rule *ClaimRule,
	err error) {
	spec := checked.Value()
	err = s.inProfile(ctx, p, func(tx store.Tx) error {
		if rule, err = part(ctx, tx, Rules, whatRule, p, ruleID); err != nil {
			return err
		}
		if err := rule.Match(ifMatch); err != nil {
			return err
		}
		if rule.Managed {
			return managedBy(p.Template)
		}
		spec.apply(rule)
		return Rules.Update(ctx, tx, rule, partOf(p, "rules"))
	})
	return rule, err
}

// DeleteRule removes a claim rule of a profile that was found. Errors:
// fault.NotFound for the rule, fault.Forbidden when an enterprise keeps it,
// store.ErrMoved.
func (s *Service) DeleteRule(ctx context.Context, p *Profile, ruleID string) error {
	return s.inProfile(ctx, p, func(tx store.Tx) error {
		rule, err := part(ctx, tx, Rules, whatRule, p, ruleID)
		if err != nil {
			return err
		}
		if rule.Managed && !p.Controls.Rules.Remove {
			return managedBy(p.Template)
		}
		return Rules.Delete(ctx, tx, rule, partOf(p, "rules"))
	})
}
