package account

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Assigned are the settings that an enterprise template lays on an account.
// They count beside the account's own: of each setting the stricter value is
// in force.
type Assigned struct {
	Template string `json:"template_id"`
	Version  int    `json:"template_version"`
	Name     string `json:"template_name"`
	// Values holds the settings; "", NOT_SET and empty lists say nothing.
	Values Settings `json:"values"`
	// DomainsSufficient tells that the account's own restriction of a realm
	// counts alone where it has one; otherwise both must be met.
	DomainsSufficient bool `json:"account_sufficient,omitempty"`
}

// InForce gives the settings that count in the account: its own merged with
// the assigned ones, setting by setting the stricter value. Without assigned
// settings it is s itself. Address lists cannot be merged into one text; see
// AddressLists.
func (s *Settings) InForce() *Settings {
	if len(s.Assigned) == 0 {
		return s
	}
	m := *s
	m.UserMFA = slices.Clone(s.UserMFA)
	m.RestrictUserDomains = slices.Clone(s.RestrictUserDomains)
	for i := range s.Assigned {
		m.merge(&s.Assigned[i])
	}
	return &m
}

func (s *Settings) merge(a *Assigned) {
	v := &a.Values
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&s.RestrictCreateServiceID, v.RestrictCreateServiceID},
		{&s.RestrictCreatePlatformAPIKey, v.RestrictCreatePlatformAPIKey},
		{&s.RestrictUserListVisibility, v.RestrictUserListVisibility},
	} {
		if f.from == Restricted || f.from == NotRestricted && (*f.to == NotSet || *f.to == "") {
			*f.to = f.from
		}
	}
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&s.SessionExpiration, v.SessionExpiration}, {&s.SessionInvalidation, v.SessionInvalidation},
		{&s.MaxSessions, v.MaxSessions}, {&s.AccessTokenExpiration, v.AccessTokenExpiration},
		{&s.RefreshTokenExpiration, v.RefreshTokenExpiration},
	} {
		if number(f.from) < number(*f.to) {
			*f.to = f.from
		}
	}
	before := s.MFA // what a user without an entry had to meet
	s.MFA = strictestMFA(s.MFA, v.MFA)
	for i, own := range s.UserMFA { // only the template itself exempts somebody from its demand
		if !slices.ContainsFunc(v.UserMFA, func(x UserMFA) bool { return x.IAMID == own.IAMID }) {
			s.UserMFA[i].MFA = strictestMFA(own.MFA, v.MFA)
		}
	}
	for _, u := range v.UserMFA {
		i := slices.IndexFunc(s.UserMFA, func(x UserMFA) bool { return x.IAMID == u.IAMID })
		if i < 0 {
			s.UserMFA = append(s.UserMFA, UserMFA{IAMID: u.IAMID, MFA: strictestMFA(before, u.MFA)})
		} else {
			s.UserMFA[i].MFA = strictestMFA(s.UserMFA[i].MFA, u.MFA)
		}
	}
	for _, d := range v.RestrictUserDomains {
		own := slices.ContainsFunc(s.RestrictUserDomains, func(x DomainRestriction) bool { return x.RealmID == d.RealmID })
		if !own || !a.DomainsSufficient {
			s.RestrictUserDomains = append(s.RestrictUserDomains, d)
		}
	}
}

// number reads a setting as a bound: what is not set bounds nothing.
func number(text string) int {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return n
	}
	return math.MaxInt
}

func strictestMFA(a, b string) string {
	if slices.Index(MFALevels, b) > slices.Index(MFALevels, a) {
		return b
	}
	return a
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

// CheckAssigned judges the values of a settings template.
func CheckAssigned(a *Assigned) error {
	v := &a.Values
	for _, f := range []struct{ name, value string }{
		{"restrict_create_service_id", v.RestrictCreateServiceID},
		{"restrict_create_platform_apikey", v.RestrictCreatePlatformAPIKey},
		{"restrict_user_list_visibility", v.RestrictUserListVisibility},
	} {
		if f.value != "" {
			if err := oneOf(f.name, &f.value, Restricted, NotRestricted, NotSet); err != nil {
				return err
			}
		}
	}
	c := SettingsChange{}
	for _, f := range []struct {
		to   **string
		from *string
	}{
		{&c.AllowedIPAddresses, &v.AllowedIPAddresses}, {&c.MFA, &v.MFA}, {&c.SessionExpiration, &v.SessionExpiration},
		{&c.SessionInvalidation, &v.SessionInvalidation}, {&c.MaxSessions, &v.MaxSessions},
		{&c.AccessTokenExpiration, &v.AccessTokenExpiration}, {&c.RefreshTokenExpiration, &v.RefreshTokenExpiration},
	} {
		if *f.from != "" {
			*f.to = f.from
		}
	}
	if len(v.UserMFA) > 0 {
		c.UserMFA = &v.UserMFA
	}
	domains := make([]DomainChange, len(v.RestrictUserDomains))
	for i, d := range v.RestrictUserDomains {
		restrict := d.RestrictInvitation
		domains[i] = DomainChange{RealmID: d.RealmID, Patterns: d.InvitationEmailAllowPatterns, Restrict: &restrict}
	}
	if len(domains) > 0 {
		c.RestrictUserDomains = &domains
	}
	return c.Validate()
}

// LaySettings puts the settings of a template into force in an account, inside
// the caller's transaction, in the place of an earlier version.
func LaySettings(ctx context.Context, tx store.Tx, accountID string, a Assigned) error {
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
