package account

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Assigned are the settings that an enterprise template lays on an account.
// They count beside the account's own: of each setting the stricter value is
// in force.
type Assigned struct {
	Template string `json:"template_id"`
	Version  int    `json:"template_version"`
	Name     string `json:"template_name"`
	// Values holds the settings; those that say nothing are left to the account.
	Values Rules `json:"values"`
	// DomainsSufficient tells that the account's own restriction of a realm
	// counts alone where it has one; otherwise both must be met.
	DomainsSufficient bool `json:"account_sufficient,omitempty"`
}

// InForce gives the rules that count in the account: its own merged with the
// assigned ones, setting by setting the stricter value. Address lists cannot be
// merged into one text: of those the first counts here; see AddressLists.
func (s *Settings) InForce() *Rules {
	if len(s.Assigned) == 0 {
		return &s.Rules
	}
	m := s.Rules
	m.UserMFA = slices.Clone(s.UserMFA)
	m.RestrictUserDomains = slices.Clone(s.RestrictUserDomains)
	for i := range s.Assigned {
		m.merge(&s.Assigned[i])
	}
	return &m
}

func (r *Rules) merge(a *Assigned) {
	v := &a.Values
	before := r.MFA // what a user without an entry had to meet
	to := r.values().each()
	for i, from := range v.values().each() {
		if table[i].rank(*from) > table[i].rank(*to[i]) {
			*to[i] = *from
		}
	}
	for i, own := range r.UserMFA { // only the template itself exempts somebody from its demand
		if !slices.ContainsFunc(v.UserMFA, func(x UserMFA) bool { return x.IAMID == own.IAMID }) {
			r.UserMFA[i].MFA = strictestMFA(own.MFA, v.MFA)
		}
	}
	for _, u := range v.UserMFA {
		i := slices.IndexFunc(r.UserMFA, func(x UserMFA) bool { return x.IAMID == u.IAMID })
		if i < 0 {
			r.UserMFA = append(r.UserMFA, UserMFA{IAMID: u.IAMID, MFA: strictestMFA(before, u.MFA)})
		} else {
			r.UserMFA[i].MFA = strictestMFA(r.UserMFA[i].MFA, u.MFA)
		}
	}
	for _, d := range v.RestrictUserDomains {
		own := slices.ContainsFunc(r.RestrictUserDomains, func(x DomainRestriction) bool { return x.RealmID == d.RealmID })
		if !own || !a.DomainsSufficient {
			r.RestrictUserDomains = append(r.RestrictUserDomains, d)
		}
	}
}

// AddressLists are the lists of client addresses that must all allow an
// address: the account's own and the assigned ones; empty lists allow all.
func (s *Settings) AddressLists() []string {
	lists := []string{s.AllowedIPAddresses}
	for i := range s.Assigned {
		lists = append(lists, s.Assigned[i].Values.AllowedIPAddresses)
	}
	return lists
}

// Validate judges what a template lays. The error is fault.Invalid and names
// the setting.
func (a Assigned) Validate() error {
	for i, value := range a.Values.values().each() {
		check := table[i].check
		if table[i].laid != nil {
			check = table[i].laid
		}
		if *value == "" {
			continue
		}
		if _, err := check(table[i].name, *value); err != nil {
			return err
		}
	}
	if err := checkUserMFA(a.Values.UserMFA); err != nil {
		return err
	}
	domains := make([]DomainChange, len(a.Values.RestrictUserDomains))
	for i, d := range a.Values.RestrictUserDomains {
		domains[i] = DomainChange{RealmID: d.RealmID, Patterns: d.InvitationEmailAllowPatterns}
	}
	return checkDomains(domains)
}

// LaySettings puts the settings of a template into force in an account, inside
// the caller's transaction, in the place of an earlier version.
func LaySettings(ctx context.Context, tx store.Tx, accountID string, checked valid.Of[Assigned]) error {
	a := checked.Value()
	return changeAssigned(ctx, tx, accountID, "lay", func(s *Settings) {
		i := slices.IndexFunc(s.Assigned, func(x Assigned) bool { return x.Template == a.Template })
		if i >= 0 {
			s.Assigned[i] = a
		} else {
			s.Assigned = append(s.Assigned, a)
		}
	})
}

// LiftSettings takes the settings of a template out of force.
func LiftSettings(ctx context.Context, tx store.Tx, accountID, template string) error {
	return changeAssigned(ctx, tx, accountID, "lift", func(s *Settings) {
		s.Assigned = slices.DeleteFunc(s.Assigned, func(x Assigned) bool { return x.Template == template })
	})
}

func changeAssigned(ctx context.Context, tx store.Tx, accountID, verb string, fn func(*Settings)) error {
	s, err := SettingsByAcct.Get(ctx, tx, accountID, accountID)
	if errors.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "Account '%s' has no settings.", accountID)
	}
	if err != nil {
		return err
	}
	fn(s)
	return SettingsByAcct.Update(ctx, tx, s, store.Event{Action: ActionSettingsUpdate, Params: []string{"assigned_templates"}, Name: accountID,
		Message: strings.Join([]string{"IAM Identity Service: update accountsettings", accountID, "(" + verb, "template)"}, " ")})
}
