package identity

import (
	"context"
	"fmt"
	"slices"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
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
func (r *RuleSpec) Validate() error {
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
	}
	return nil
}

func (r *RuleSpec) apply(to *ClaimRule) (done changes) {
	set(&done, "name", &to.Name, r.Name)
	set(&done, "type", &to.Type, &r.Type)
	set(&done, "realm_name", &to.RealmName, &r.RealmName)
	set(&done, "cr_type", &to.CRType, &r.CRType)
	set(&done, "expiration", &to.Expiration, r.Expiration)
	if !slices.Equal(to.Conditions, r.Conditions) {
		to.Conditions = slices.Clone(r.Conditions)
		done = append(done, "conditions")
	}
	return done
}

// CreateRule adds a claim rule to a profile. Errors: fault.Invalid,
// fault.NotFound for the profile, fault.Limit.
func (s *Service) CreateRule(ctx context.Context, profileID string, spec RuleSpec) (*ClaimRule, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	rule := &ClaimRule{Meta: store.Meta{ID: s.IDs.New(id.ClaimRule), Parent: profileID}}
	spec.apply(rule)
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		p, err := find(ctx, tx, Profiles, whatProfile, profileID)
		if err != nil {
			return err
		}
		if !p.mayAdd(p.Controls.Rules) {
			return closed(p, "rules")
		}
		count, err := Rules.Count(ctx, tx, store.Query{Account: p.Account, Parent: p.ID})
		if err != nil {
			return fmt.Errorf("counting claim rules: %w", err)
		}
		if _, err := within("claim rules", "in trusted profile "+p.ID, count, s.Limits.RulesPerProfile); err != nil {
			return err
		}
		rule.Account = p.Account
		return Rules.Create(ctx, tx, rule, partOf(p, "rules"))
	})
	if err != nil {
		return nil, err
	}
	return rule, nil
}

// Rules gives the claim rules of a profile, oldest first.
func (s *Service) Rules(ctx context.Context, profileID string) ([]*ClaimRule, error) {
	return parts(ctx, s, Rules, profileID)
}

// Rule gives a claim rule. Errors: fault.NotFound for profile or rule.
func (s *Service) Rule(ctx context.Context, profileID, ruleID string) (rule *ClaimRule, err error) {
	err = s.DB.View(ctx, func(r store.Reader) error {
		_, rule, err = findRule(ctx, r, profileID, ruleID)
		return err
	})
	return rule, err
}

func findRule(ctx context.Context, r store.Reader, profileID, ruleID string) (*Profile, *ClaimRule, error) {
	p, err := find(ctx, r, Profiles, whatProfile, profileID)
	if err != nil {
		return nil, nil, err
	}
	rule, err := part(ctx, r, Rules, whatRule, p, ruleID)
	return p, rule, err
}

// UpdateRule replaces a claim rule; its name stays when none is given. Errors:
// fault.Invalid, fault.NotFound for profile or rule, fault.Stale.
func (s *Service) UpdateRule(ctx context.Context, profileID, ruleID, ifMatch string, spec RuleSpec) (rule *ClaimRule, err error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	err = s.DB.Update(ctx, func(tx store.Tx) error {
		var p *Profile
		if p, rule, err = findRule(ctx, tx, profileID, ruleID); err != nil {
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

// DeleteRule removes a claim rule. Errors: fault.NotFound for profile or rule.
func (s *Service) DeleteRule(ctx context.Context, profileID, ruleID string) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		p, rule, err := findRule(ctx, tx, profileID, ruleID)
		if err != nil {
			return err
		}
		if rule.Managed && !p.Controls.Rules.Remove {
			return managedBy(p.Template)
		}
		return Rules.Delete(ctx, tx, rule, partOf(p, "rules"))
	})
}
