package account_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

func ptr[T any](v T) *T { return &v }

// found gives the settings of the account.
func found(t *testing.T, s *account.Service) *account.Settings {
	t.Helper()
	out, err := s.Settings(context.Background(), acct)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checked is a change that nothing is to be said against.
func checked(t *testing.T, c account.SettingsChange) valid.Of[account.SettingsChange] {
	t.Helper()
	out, err := valid.Check(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSettingsChangeOnlyWhatIsGiven(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	create(t, s)
	before := found(t, s)
	got, err := s.UpdateSettings(ctx, before, before.Tag, checked(t, account.SettingsChange{
		MFA: ptr("LEVEL1"), SessionExpiration: ptr("03600"), AllowedIPAddresses: ptr("10.0.0.0/8, 192.168.1.1 - 192.168.1.9"),
		UserMFA: []account.UserMFA{{IAMID: owner, MFA: "NONE"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := account.DefaultSettings(acct)
	want.Meta, want.MFA, want.SessionExpiration = got.Meta, "LEVEL1", "3600"
	want.AllowedIPAddresses, want.UserMFA = "10.0.0.0/8, 192.168.1.1 - 192.168.1.9", []account.UserMFA{{IAMID: owner, MFA: "NONE"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	events, err := s.SettingsHistory(ctx, got, 10)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if last.Action != "iam-identity.accountsettings.update" || !slices.Equal(last.Params,
		[]string{"allowed_ip_addresses", "mfa", "session_expiration_in_seconds", "user_mfa"}) {
		t.Errorf("event: %+v", last)
	}
	nothing := checked(t, account.SettingsChange{})
	if _, err := s.UpdateSettings(ctx, got, before.Tag, nothing); !errors.Is(err, fault.Stale) || errors.Is(err, store.ErrMoved) {
		t.Errorf("old tag: %v", err)
	}
	if _, err := s.UpdateSettings(ctx, got, "", nothing); !errors.Is(err, fault.Invalid) {
		t.Errorf("no tag: %v", err)
	}
	if _, err := s.UpdateSettings(ctx, before, "*", nothing); !errors.Is(err, store.ErrMoved) {
		t.Errorf("settings that somebody else has changed meanwhile: %v", err)
	}
	if before.MFA != "NONE" || len(before.UserMFA) != 0 {
		t.Error("the settings that were found were changed")
	}
	if _, err := s.Settings(ctx, "ffffffffffffffffffffffffffffffff"); !errors.Is(err, fault.NotFound) {
		t.Errorf("unknown account: %v", err)
	}
}

func TestSettingOutsideItsRangeIsRefusedByName(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("10.0.0.1,", account.MaxAddresses+1), ",")
	for _, tt := range []struct {
		field  string
		change account.SettingsChange
	}{
		{"restrict_create_service_id", account.SettingsChange{RestrictCreateServiceID: ptr("YES")}},
		{"restrict_create_platform_apikey", account.SettingsChange{RestrictCreatePlatformAPIKey: ptr("")}},
		{"restrict_user_list_visibility", account.SettingsChange{RestrictUserListVisibility: ptr("NOT_SET")}}, // only in templates
		{"mfa", account.SettingsChange{MFA: ptr("LEVEL4")}},
		{"allowed_ip_addresses", account.SettingsChange{AllowedIPAddresses: ptr("10.0.0.1, office")}},
		{"allowed_ip_addresses", account.SettingsChange{AllowedIPAddresses: ptr("10.0.0.9 - 10.0.0.1")}},
		{"allowed_ip_addresses", account.SettingsChange{AllowedIPAddresses: ptr(many)}},
		{"session_expiration_in_seconds", account.SettingsChange{SessionExpiration: ptr("899")}},
		{"session_expiration_in_seconds", account.SettingsChange{SessionExpiration: ptr("86401")}},
		{"session_expiration_in_seconds", account.SettingsChange{SessionExpiration: ptr("+900")}},
		{"session_expiration_in_seconds", account.SettingsChange{SessionExpiration: ptr("")}},
		{"session_invalidation_in_seconds", account.SettingsChange{SessionInvalidation: ptr("7201")}},
		{"max_sessions_per_identity", account.SettingsChange{MaxSessions: ptr("0")}},
		{"max_sessions_per_identity", account.SettingsChange{MaxSessions: ptr("1.5")}},
		{"system_access_token_expiration_in_seconds", account.SettingsChange{AccessTokenExpiration: ptr("3601")}},
		{"system_refresh_token_expiration_in_seconds", account.SettingsChange{RefreshTokenExpiration: ptr("259201")}},
		{"user_mfa.mfa", account.SettingsChange{UserMFA: []account.UserMFA{{IAMID: owner}}}},
		{"user_mfa.iam_id", account.SettingsChange{UserMFA: []account.UserMFA{{MFA: "NONE"}}}},
		{"user_mfa", account.SettingsChange{UserMFA: []account.UserMFA{{owner, "NONE"}, {owner, "TOTP"}}}},
		{"restrict_user_domains.realm_id", account.SettingsChange{RestrictUserDomains: []account.DomainChange{{}}}},
		{"restrict_user_domains", account.SettingsChange{RestrictUserDomains: []account.DomainChange{{RealmID: "IBMid"}, {RealmID: "IBMid"}}}},
		{"invitation_email_allow_patterns", account.SettingsChange{RestrictUserDomains: []account.DomainChange{{RealmID: "IBMid",
			Patterns: []string{""}}}}},
	} {
		err := tt.change.Validate()
		if e := fault.Of(err); err == nil || e.Kind != fault.Invalid || e.Field != tt.field {
			t.Errorf("%s: got %v", tt.field, err)
		}
	}
}

// The table of settings names each as the wire does, in its order, and a
// template may lay whatever a new account begins with or an account may set.
func TestEverySettingIsKnownByItsNameOnTheWire(t *testing.T) {
	s, _ := newService(t)
	create(t, s)
	for _, tt := range []struct {
		name, value, shown, usual string
		change                    account.SettingsChange
		laid                      account.Rules
	}{
		{"restrict_create_service_id", "RESTRICTED", "RESTRICTED", "NOT_RESTRICTED",
			account.SettingsChange{RestrictCreateServiceID: ptr("RESTRICTED")}, account.Rules{RestrictCreateServiceID: "NOT_SET"}},
		{"restrict_create_platform_apikey", "RESTRICTED", "RESTRICTED", "NOT_RESTRICTED",
			account.SettingsChange{RestrictCreatePlatformAPIKey: ptr("RESTRICTED")}, account.Rules{RestrictCreatePlatformAPIKey: "NOT_SET"}},
		{"restrict_user_list_visibility", "RESTRICTED", "RESTRICTED", "NOT_RESTRICTED",
			account.SettingsChange{RestrictUserListVisibility: ptr("RESTRICTED")}, account.Rules{RestrictUserListVisibility: "NOT_SET"}},
		{"allowed_ip_addresses", "192.0.2.1", "192.0.2.1", "", account.SettingsChange{AllowedIPAddresses: ptr("192.0.2.1")},
			account.Rules{AllowedIPAddresses: "192.0.2.0/24"}},
		{"mfa", "TOTP", "TOTP", "NONE", account.SettingsChange{MFA: ptr("TOTP")}, account.Rules{MFA: "NONE"}},
		{"session_expiration_in_seconds", "00900", "900", "86400", account.SettingsChange{SessionExpiration: ptr("00900")},
			account.Rules{SessionExpiration: "NOT_SET"}},
		{"session_invalidation_in_seconds", "1000", "1000", "7200", account.SettingsChange{SessionInvalidation: ptr("1000")},
			account.Rules{SessionInvalidation: "NOT_SET"}},
		{"max_sessions_per_identity", "7", "7", "NOT_SET", account.SettingsChange{MaxSessions: ptr("7")}, account.Rules{MaxSessions: "NOT_SET"}},
		{"system_access_token_expiration_in_seconds", "1200", "1200", "3600", account.SettingsChange{AccessTokenExpiration: ptr("1200")},
			account.Rules{AccessTokenExpiration: "NOT_SET"}},
		{"system_refresh_token_expiration_in_seconds", "1300", "1300", "259200", account.SettingsChange{RefreshTokenExpiration: ptr("1300")},
			account.Rules{RefreshTokenExpiration: "NOT_SET"}},
	} {
		if got := property(t, account.DefaultSettings(acct).Effective(), tt.name); got != tt.usual {
			t.Errorf("%s is usually %q, want %q", tt.name, got, tt.usual)
		}
		after, err := s.UpdateSettings(context.Background(), found(t, s), "*", checked(t, tt.change))
		if err != nil {
			t.Fatal(err)
		}
		if got := property(t, &after.Rules, tt.name); got != tt.shown {
			t.Errorf("%s is %q after it was set to %q", tt.name, got, tt.value)
		}
		events, err := s.SettingsHistory(context.Background(), after, 100)
		if err != nil || !slices.Equal(events[len(events)-1].Params, []string{tt.name}) {
			t.Errorf("%s: the event tells of %v (%v)", tt.name, events[len(events)-1].Params, err)
		}
		if err := (account.Assigned{Values: tt.laid}).Validate(); err != nil {
			t.Errorf("%s in a template: %v", tt.name, err)
		}
	}
}

// property gives a setting by its name on the wire, "" where it is left out.
func property(t *testing.T, r *account.Rules, name string) string {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	text, _ := all[name].(string)
	return text
}

func TestOneDomainRestrictionForEachRealm(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	create(t, s)
	put := func(d ...account.DomainChange) []account.DomainRestriction {
		t.Helper()
		got, err := s.UpdateSettings(ctx, found(t, s), "*", checked(t, account.SettingsChange{RestrictUserDomains: d}))
		if err != nil {
			t.Fatal(err)
		}
		return got.RestrictUserDomains
	}
	put(account.DomainChange{RealmID: "IBMid", Patterns: []string{"*.*@ibm.com"}, Restrict: ptr(false)})
	got := put(account.DomainChange{RealmID: "appid", Restrict: ptr(true)},
		account.DomainChange{RealmID: "IBMid", Patterns: []string{"**@**ibm.com"}})
	want := []account.DomainRestriction{
		{RealmID: "IBMid", InvitationEmailAllowPatterns: []string{"**@**ibm.com"}},
		{RealmID: "appid", InvitationEmailAllowPatterns: []string{}, RestrictInvitation: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replaced and added (-want +got):\n%s", diff)
	}
	// An entry with nothing but the realm removes it, and leaves an empty list.
	got = put(account.DomainChange{RealmID: "IBMid"}, account.DomainChange{RealmID: "appid"}, account.DomainChange{RealmID: "never"})
	if got == nil || len(got) != 0 {
		t.Errorf("after removal: %#v", got)
	}
}

func TestEffectiveSettingsResolveDefaults(t *testing.T) {
	s := account.DefaultSettings(acct)
	e := s.Effective()
	want := s.Rules
	want.RestrictCreateServiceID, want.RestrictCreatePlatformAPIKey = "NOT_RESTRICTED", "NOT_RESTRICTED"
	want.SessionExpiration, want.SessionInvalidation = "86400", "7200"
	want.AccessTokenExpiration, want.RefreshTokenExpiration = "3600", "259200"
	if diff := cmp.Diff(&want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.SessionLimit() != math.MaxInt || s.AccessTokenLifetime() != time.Hour {
		t.Errorf("limit %d, lifetime %v", s.SessionLimit(), s.AccessTokenLifetime())
	}
	s.AccessTokenExpiration, s.MaxSessions, s.RestrictCreateServiceID = "900", "7", account.Restricted
	if s.AccessTokenLifetime() != 15*time.Minute || s.SessionLimit() != 7 || !s.RestrictsServiceIDs() || s.RestrictsUserKeys() {
		t.Error("values that are set do not apply")
	}
}

func TestEmailPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, email string
		want           bool
	}{
		{"*.*@ibm.com", "ann.own@ibm.com", true},
		{"*.*@ibm.com", "annown@ibm.com", false},
		{"*.*@ibm.com", "a.n.n@ibm.com", false}, // one star ends at a dot
		{"*@ibm.com", "a.b@ibm.com", false},
		{"**@**ibm.com", "a.b@de.ibm.com", true},
		{"**@**ibm.com", "a.b@ibm.com", true},
		{"**@**ibm.com", "a.b@ibm.com.evil.example", false},
		{"*@*.ibm.com", "a@b.c.ibm.com", false},
		{"?nn@example.com", "ann@example.com", true},
		{"?nn@example.com", "nn@example.com", false},
		{"ann@example.com", "ANN@Example.com", true},
		{"**", "", true},
		{"*", "a@b", false},
		{"", "", true},
		{"", "a", false},
	} {
		if got := account.MatchEmail(tt.pattern, tt.email); got != tt.want {
			t.Errorf("%q on %q: got %v", tt.pattern, tt.email, got)
		}
	}
}

func TestInvitationsFollowTheRealmsRestriction(t *testing.T) {
	s := account.DefaultSettings(acct)
	s.RestrictUserDomains = []account.DomainRestriction{
		{RealmID: "IBMid", RestrictInvitation: true, InvitationEmailAllowPatterns: []string{"**@example.com"}},
		{RealmID: "appid", RestrictInvitation: false},
	}
	for _, tt := range []struct {
		realm, email string
		want         bool
	}{{"IBMid", "a@example.com", true}, {"IBMid", "a@evil.example", false}, {"appid", "a@evil.example", true},
		{"other", "a@evil.example", true}} {
		if got := s.MayInvite(tt.realm, tt.email); got != tt.want {
			t.Errorf("%s %s: got %v", tt.realm, tt.email, got)
		}
	}
}

func FuzzMatchEmail(f *testing.F) {
	f.Add("**@**ibm.com", "a.b@ibm.com")
	f.Add("?\xff*", "\xff")
	f.Fuzz(func(t *testing.T, pattern, email string) {
		if len(pattern) > 300 || len(email) > 300 {
			return
		}
		account.MatchEmail(pattern, email)
		if !account.MatchEmail("**", email) {
			t.Fatalf("** does not match %q", email)
		}
	})
}
