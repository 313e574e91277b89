package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// admits finds a claim rule of a profile that lets somebody in, nil for none: in
// a login that goes on, the one that did before if it is still there; at first,
// one whose realm and conditions fit the login. As with access groups, claims
// count only in the account that the token is of.
func (s *Service) admits(ctx context.Context, who *assumer, p *identity.Profile) (*identity.ClaimRule, error) {
	if who.rule != "" {
		rule, err := identity.Rules.Get(ctx, s.cfg.DB.Direct(), p.Account, who.rule)
		if errors.Is(err, fault.NotFound) || err == nil && rule.Parent != p.ID {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading claim rule %s: %w", who.rule, err)
		}
		return rule, nil
	}
	if len(who.login.Claims) == 0 || who.account != p.Account {
		return nil, nil
	}
	rules, err := identity.Rules.List(ctx, s.cfg.DB.Direct(), store.Query{Account: p.Account, Parent: p.ID})
	if err != nil {
		return nil, fmt.Errorf("reading the claim rules of profile %s: %w", p.ID, err)
	}
	for _, rule := range rules {
		if fits(rule, &who.login) {
			return rule, nil
		}
	}
	return nil, nil
}

// fits tells whether a login is at the realm of a rule and satisfies all its
// conditions. Without any nothing does.
func fits(rule *identity.ClaimRule, login *policy.Subject) bool {
	if rule.Type != identity.RuleSAML || rule.RealmName != login.Realm {
		return false
	}
	for _, c := range rule.Conditions {
		t, err := compileCondition(c)
		if err != nil || !t.Match(login.Claims) {
			return false
		}
	}
	return len(rule.Conditions) > 0
}

// compileCondition reads a condition as those of access groups are read.
func compileCondition(c identity.Condition) (policy.ClaimTest, error) {
	return policy.CompileClaim(c.Claimed())
}
