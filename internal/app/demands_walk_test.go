package app

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/policy"
)

// demand changes what the account demands.
func (w *walker) demand(c account.SettingsChange) {
	w.t.Helper()
	set, err := w.app.core.accounts.Settings(w.t.Context(), w.acct)
	if err == nil {
		_, err = w.app.core.accounts.UpdateSettings(w.t.Context(), set, "*", apitest.Checked(w.t, c))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// ownToken is a real token of the owner, of the account.
func (w *walker) ownToken() string {
	w.t.Helper()
	form := url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {w.app.Demo().OwnerKey.Value.Reveal()}}
	q := httptest.NewRequest(http.MethodPost, "/identity/token", strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.app.core.router.ServeHTTP(rec, q)
	_, rest, found := strings.Cut(rec.Body.String(), `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	if !found {
		w.t.Fatalf("no token: %d %s", rec.Code, rec.Body)
	}
	return token
}

// Whoever owns an account gets from no operation on it anything but what a
// stranger gets, with a token of another account whose login or address the
// account does not take, and with one that is bound to none; a token of the
// account's own from outside its addresses is refused everywhere.
func TestNoOperationLetsAnybodyPastTheDemandsOfAnAccount(t *testing.T) {
	w := newWalker(t)
	d := w.app.Demo()
	real := w.ownToken()
	var all []request
	for _, op := range w.operations() {
		if op.Access.Public == "" && op.Built && !aboutOthers[key(op)] {
			all = append(all, w.build(op))
		}
	}
	list, factor, none := "203.0.113.1", "LEVEL3", ""
	noFactor := account.MFANone
	foreign, unbound, stranger := w.owner+"@"+d.Child, w.owner+"@", d.Visitor.IAMID+"@"+d.Caller
	for _, c := range []struct {
		name, caller string
		demands      account.SettingsChange
		reason       policy.Reason
	}{
		{"a foreign token from outside the list", foreign, account.SettingsChange{AllowedIPAddresses: &list, MFA: &noFactor},
			policy.ReasonAddress},
		{"a foreign token without second factor", foreign, account.SettingsChange{AllowedIPAddresses: &none, MFA: &factor}, policy.ReasonFactor},
		{"a token without account", unbound, account.SettingsChange{AllowedIPAddresses: &none, MFA: &noFactor}, policy.ReasonUnbound},
	} {
		w.demand(c.demands)
		before, kept := w.head(), 0
		for _, r := range all {
			got := w.send(c.caller, r)
			for _, a := range w.decisions {
				if a.Resource.Account == w.acct && a.Allowed {
					t.Errorf("%s: %s may do %s: %s", c.name, key(r.op), a.Action, a.Reason)
				}
				if a.Reason == c.reason {
					kept++
				}
			}
			if got.status >= 400 {
				continue
			}
			if other := w.send(stranger, r); r.op.Access.Action != "" || other.status != got.status || other.body != got.body {
				t.Errorf("%s: %s answers %d %s; a stranger gets %d %s", c.name, key(r.op), got.status, got.body, other.status, other.body)
			}
		}
		if after := w.head(); after != before {
			t.Errorf("%s wrote events %d to %d", c.name, before, after)
		}
		if kept < len(all)/2 {
			t.Errorf("%s was kept out by the demand %d times in %d operations", c.name, kept, len(all))
		}
	}
	w.demand(account.SettingsChange{AllowedIPAddresses: &list, MFA: &noFactor})
	for _, r := range all {
		q := httptest.NewRequest(r.op.Method, r.path, strings.NewReader(r.body))
		q.Header.Set("Authorization", "Bearer "+real)
		rec := httptest.NewRecorder()
		w.app.core.router.ServeHTTP(rec, q)
		if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "may not be used from this IP address") {
			t.Errorf("%s with a token of the account from outside its list: %d %s", key(r.op), rec.Code, rec.Body)
		}
	}
	t.Logf("%d operations", len(all))
}

// aboutOthers are operations whose samples are about an account of their own.
var aboutOthers = map[string]bool{"enterprisemanagementv1.create_enterprise": true, "enterprisemanagementv1.update_account_traits": true}
