package token_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/token"
)

// bounds are lifetimes of an account in seconds, and its number of sessions; 0
// leaves one as it is.
type bounds struct{ access, refresh, session, idle, sessions int }

func (w *world) bind(accountID string, b bounds) {
	w.t.Helper()
	set, err := w.server.Accounts.Settings(w.t.Context(), accountID)
	w.must(err)
	c := account.SettingsChange{}
	for to, n := range map[**string]int{&c.AccessTokenExpiration: b.access, &c.RefreshTokenExpiration: b.refresh,
		&c.SessionExpiration: b.session, &c.SessionInvalidation: b.idle, &c.MaxSessions: b.sessions} {
		if n != 0 {
			*to = new(fmt.Sprint(n))
		}
	}
	_, err = w.server.Accounts.UpdateSettings(w.t.Context(), set, "*", apitest.Checked(w.t, c))
	w.must(err)
}

// inBoth makes the owner of the first account a user of the other one too.
func (w *world) inBoth() {
	w.t.Helper()
	_, err := w.server.Accounts.PutUser(w.t.Context(), apitest.Other, account.NewUser{ID: apitest.Owner, Email: email})
	w.must(err)
}

// choosing continues a login in an account.
func choosing(login *token.Response, accountID string) token.Request {
	r := byRefresh(login.RefreshToken)
	r.Account = accountID
	return r
}

func unbound() token.Request {
	r := byPassword()
	r.Account = ""
	return r
}

// TestAnotherAccountsSettingsChangeNothing: whatever one account of a person
// sets, tokens for another one, and those for none, stay as they were.
func TestAnotherAccountsSettingsChangeNothing(t *testing.T) {
	w := newWorld(t)
	w.inBoth()
	w.bind(apitest.Account, bounds{access: 1800, refresh: 7200, session: 10800})
	ways := map[string]func() *token.Response{
		"key":               func() *token.Response { return w.get(byKey(ownerKey, oauth.Credentials{})) },
		"key and refresh":   func() *token.Response { return w.get(byKey(ownerKey, bx)) },
		"password":          func() *token.Response { return w.get(byPassword()) },
		"password, no acct": func() *token.Response { return w.get(unbound()) },
		"account chosen":    func() *token.Response { return w.get(choosing(w.get(unbound()), apitest.Account)) },
	}
	lives := func(out *token.Response) [2]int64 {
		return [2]int64{out.ExpiresIn, max(out.RefreshExpiration-w.server.Now().Unix(), 0)}
	}
	before := map[string][2]int64{}
	for name, way := range ways {
		before[name] = lives(way())
	}
	w.bind(apitest.Other, bounds{access: 900, refresh: 900, session: 900, idle: 900, sessions: 1})
	first := w.get(byPassword())
	for name, way := range ways {
		if got := lives(way()); got != before[name] {
			t.Errorf("%s: %d s and %d s, were %d", name, got[0], got[1], before[name])
		}
	}
	w.server.Pass(20 * time.Minute)
	w.get(byRefresh(first.RefreshToken)) // neither idle, nor over, nor too many
	if robot := w.get(byKey(robotKey, bx)); robot.ExpiresIn != 1800 {
		t.Errorf("the service ID: %d s", robot.ExpiresIn)
	}
}

// TestASessionKeepsTheBoundsOfTheAccountThatItEnters: it began under none.
func TestASessionKeepsTheBoundsOfTheAccountThatItEnters(t *testing.T) {
	w := newWorld(t)
	w.inBoth()
	w.bind(apitest.Other, bounds{session: 1800, idle: 900, sessions: 1})
	elsewhere, late := w.get(byPassword()), w.get(unbound())
	first := w.get(choosing(w.get(unbound()), apitest.Other))
	if life := first.RefreshExpiration - w.server.Now().Unix(); life != 1800 {
		t.Errorf("the session lives for %d s", life)
	}
	second := w.get(choosing(w.get(unbound()), apitest.Other))
	if _, err := w.ask(byRefresh(first.RefreshToken)); fault.Of(err).Number != "BXNIM0439E" {
		t.Errorf("one session too many: %v", err)
	}
	w.server.Pass(16 * time.Minute)
	if _, err := w.ask(byRefresh(second.RefreshToken)); fault.Of(err).Number != "BXNIM0439E" {
		t.Errorf("an idle session: %v", err)
	}
	w.server.Pass(15 * time.Minute)
	if _, err := w.ask(choosing(late, apitest.Other)); fault.Of(err).Number != "BXNIM0439E" {
		t.Errorf("a session that is older than the account lets it be: %v", err)
	}
	w.get(choosing(late, apitest.Account)) // it lives on where it may
	w.get(byRefresh(elsewhere.RefreshToken))
}
