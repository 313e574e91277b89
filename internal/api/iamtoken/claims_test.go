package iamtoken_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/token"
)

const realm = "https://idp.example.com"

// vouch has the realm say things of the user, who gets a password.
func (w *world) vouch(claims ...account.Claim) {
	w.t.Helper()
	w.setPassword()
	w.write(func(ctx context.Context, tx store.Tx) error {
		l, err := account.Logins.Get(ctx, tx, store.System, userIAM)
		if err != nil {
			return err
		}
		l.Realm, l.Claims = realm, claims
		return account.Logins.Update(ctx, tx, l, store.Event{})
	})
}

var (
	manager = account.Claim{Name: "isManager", Values: []string{"true"}}
	teams   = account.Claim{Name: "teams", Values: []string{"red", "blue"}, List: true}
)

// holder is the subject of decisions behind a token.
func (w *world) holder(a answer) policy.Subject {
	w.t.Helper()
	p, err := w.tokens.Authenticate(w.t.Context(), a.text("access_token"), netip.Addr{})
	if err != nil {
		w.t.Fatal(err)
	}
	return p.Subject
}

// people gives "IAMID at login time" of those who are logged in with claims.
func (w *world) people(accountID, iamID string) []string {
	w.t.Helper()
	list, err := w.tokens.Sessions.Logins(w.t.Context(), accountID, iamID)
	if err != nil {
		w.t.Fatal(err)
	}
	out := []string{}
	for _, sub := range list {
		if sub.Account != accountID || sub.Realm != realm || len(sub.Claims) == 0 || sub.Kind != policy.KindUser {
			w.t.Errorf("login %+v", sub)
		}
		out = append(out, fmt.Sprintf("%s %s", sub.IAMID, sub.LoginAt.Format("15:04")))
	}
	return out
}

func TestALoginKeepsWhatWasSaidOfThePerson(t *testing.T) {
	w := newWorld(t)
	w.vouch(manager, teams)
	want := []policy.Claim{{Name: "isManager", Values: []string{"true"}}, {Name: "teams", Values: []string{"red", "blue"}, List: true}}
	began := w.server.Now()
	check := func(when string, a answer) {
		t.Helper()
		sub := w.holder(a)
		if diff := cmp.Diff(want, sub.Claims); diff != "" || sub.Realm != realm || !sub.LoginAt.Equal(began) || sub.Account != acctA {
			t.Errorf("%s: realm %q, login %s, account %q\n%s", when, sub.Realm, sub.LoginAt, sub.Account, diff)
		}
	}
	first := w.mustToken(passwordForm("account", acctA), bx)
	check("at the login", first)
	w.server.Pass(50 * time.Minute)
	next := w.mustToken(refresh(first.text("refresh_token")), bx)
	check("50 minutes later", next)

	// What is said later is said of the next login.
	w.write(func(ctx context.Context, tx store.Tx) error {
		l, err := account.Logins.Get(ctx, tx, store.System, userIAM)
		if err != nil {
			return err
		}
		l.Claims = nil
		return account.Logins.Update(ctx, tx, l, store.Event{})
	})
	check("when nobody says so any more", next)
	if sub := w.holder(w.mustToken(passwordForm("account", acctA), bx)); len(sub.Claims) != 0 {
		t.Errorf("a new login has %+v", sub.Claims)
	}
}

func TestEveryWayToLogInCarriesTheClaims(t *testing.T) {
	w := newWorld(t)
	w.vouch(manager)
	code := w.send(http.MethodPost, "/identity/passcode", pairs("refresh_token", w.mustToken(passwordForm(), bx).text("refresh_token")),
		bx).text("passcode")
	for name, a := range map[string]answer{
		"passcode":                       w.mustToken([]string{"grant_type", token.GrantPasscode, "passcode", code, "account", acctA}, bx),
		"a client that keeps no session": w.mustToken(passwordForm("account", acctA), basic("kube", "kube")),
		"choosing an account later":      w.mustToken(refresh(w.mustToken(passwordForm(), bx).text("refresh_token"), "account", acctA), bx),
	} {
		if sub := w.holder(a); len(sub.Claims) != 1 || sub.Realm != realm {
			t.Errorf("%s: %+v", name, sub)
		}
	}
	for name, a := range map[string]answer{"an API key": w.mustToken(apikey(userKey)),
		"an API key with sessions": w.mustToken(apikey(cliKey), bx)} {
		if sub := w.holder(a); len(sub.Claims) != 0 {
			t.Errorf("%s is no login at the realm: %+v", name, sub)
		}
	}
}

func TestWhoIsLoggedInWithClaims(t *testing.T) {
	w := newWorld(t)
	w.vouch(manager)
	wants := func(when string, in string, want ...string) {
		t.Helper()
		if want == nil {
			want = []string{}
		}
		if diff := cmp.Diff(want, w.people(in, "")); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	wants("nobody", acctA)
	unbound := w.mustToken(passwordForm(), bx)
	wants("no account chosen", acctA)
	w.mustToken(refresh(unbound.text("refresh_token"), "account", acctA), bx)
	wants("account A chosen", acctA, userIAM+" 12:00")
	wants("account A chosen", acctB)
	w.server.Pass(time.Minute)
	second := w.mustToken(passwordForm("account", acctA), bx)
	wants("two logins", acctA, userIAM+" 12:01", userIAM+" 12:00")
	if got := w.people(acctA, "IBMid-9999999999"); len(got) != 0 {
		t.Errorf("somebody else: %v", got)
	}
	if got := w.second(issuer).people(acctA, userIAM); len(got) != 2 {
		t.Errorf("another node sees %v", got)
	}
	w.send(http.MethodPost, "/identity/logout", pairs("refresh_token", second.text("refresh_token")), bx)
	wants("one logged out", acctA, userIAM+" 12:00")
	w.server.Pass(3 * time.Hour)
	wants("idle", acctA)
}

// letIn lets logins with a claim assume a profile for an hour.
func (w *world) letIn(ruleID, profile, accountID, realmName string, conditions ...identity.Condition) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		return identity.Rules.Create(ctx, tx, &identity.ClaimRule{Meta: store.Meta{Account: accountID, ID: ruleID, Parent: profile},
			Type: identity.RuleSAML, RealmName: realmName, Expiration: 3600, Conditions: conditions}, store.Event{})
	})
}

func TestAClaimRuleLetsALoginAssumeAProfile(t *testing.T) {
	w := newWorld(t)
	w.vouch(manager, teams)
	is := identity.Condition{Claim: "isManager", Operator: "EQUALS", Value: `"true"`}
	w.letIn("ClaimRule-1", profileA, acctA, realm, is, identity.Condition{Claim: "teams", Operator: "CONTAINS", Value: "red"})
	login := w.mustToken(passwordForm("account", acctA), bx)
	w.letIn("ClaimRule-2", profileB, acctB, realm, is)
	if list := w.send(http.MethodPost, "/identity/profiles", pairs("access_token", login.text("access_token")),
		bx); list.number("count") != 1 || !strings.Contains(list.raw, profileA) {
		t.Errorf("profiles to be assumed: %s", list.raw)
	}
	if list := w.send(http.MethodPost, "/identity/profiles", pairs("access_token", w.mustToken(apikey(userKey)).text("access_token")),
		bx); list.number("count") != 0 {
		t.Errorf("profiles to be assumed with a key: %s", list.raw)
	}
	a := w.mustToken(assume(login.text("access_token"), "profile_id", profileA), bx)
	if c := w.claims(a.text("access_token")); c.IAMID != "iam-"+profileA || c.Authn.IAMID != userIAM {
		t.Errorf("claims %+v", c)
	}
	if end := a.number("refresh_token_expiration"); end != w.server.Now().Add(time.Hour).Unix() {
		t.Errorf("the profile's login ends at %s, want after the rule's hour", time.Unix(end, 0))
	}
	w.mustToken([]string{"grant_type", token.GrantAssume, "refresh_token", login.text("refresh_token"), "profile_id", profileA}, bx)
	w.server.Pass(30 * time.Minute)
	a = w.mustToken(refresh(a.text("refresh_token")), bx)
	w.server.Pass(29 * time.Minute)
	a = w.mustToken(refresh(a.text("refresh_token")), bx)
	if left := a.number("expires_in"); left != 60 {
		t.Errorf("the last token lives %d s, want 60", left)
	}
	w.server.Pass(time.Minute)
	w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, "BXNIM0408E")
}

func TestWhomClaimRulesDoNotLetIn(t *testing.T) {
	w := newWorld(t)
	w.vouch(manager)
	is := identity.Condition{Claim: "isManager", Operator: "EQUALS", Value: `"true"`}
	not := identity.Condition{Claim: "isManager", Operator: "EQUALS", Value: `"false"`}
	login := w.mustToken(passwordForm("account", acctA), bx)
	ask := assume(login.text("access_token"), "profile_id", profileA)
	w.letIn("ClaimRule-1", profileA, acctA, realm, is, not)
	w.letIn("ClaimRule-2", profileA, acctA, "https://other.example.com", is)
	w.letIn("ClaimRule-3", profileA, acctA, realm)
	w.letIn("ClaimRule-4", profileB, acctB, realm, is)
	w.wants(w.token(ask, bx), 400, "BXNIM0398E")
	w.wants(w.token(assume(login.text("access_token"), "profile_id", profileB), bx), 400, "BXNIM0398E") // another account's
	w.letIn("ClaimRule-5", profileA, acctA, realm, is)
	a := w.mustToken(ask, bx)
	// no login at the realm
	w.wants(w.token(assume(w.mustToken(apikey(userKey)).text("access_token"), "profile_id", profileA), bx), 400, "BXNIM0398E")
	w.write(func(ctx context.Context, tx store.Tx) error {
		rule, err := identity.Rules.Get(ctx, tx, acctA, "ClaimRule-5")
		if err != nil {
			return err
		}
		return identity.Rules.Delete(ctx, tx, rule, store.Event{})
	})
	w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, "BXNIM0398E")
	w.wants(w.token(ask, bx), 400, "BXNIM0398E")
}

func TestClaimRulesDoNotReplaceASecondFactor(t *testing.T) {
	w := newWorld(t)
	w.vouch(manager)
	w.letIn("ClaimRule-1", profileA, acctA, realm, identity.Condition{Claim: "isManager", Operator: "EQUALS", Value: `"true"`})
	login := w.mustToken(passwordForm("account", acctA), bx)
	w.changeSettings(acctA, func(s *account.Settings) { s.MFA = "TOTP" })
	w.wants(w.token(assume(login.text("access_token"), "profile_id", profileA), bx), 400, "BXNIM0398E")
}
