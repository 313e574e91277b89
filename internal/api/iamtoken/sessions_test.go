package iamtoken_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/throttle"
	"github.com/kagiban/kagiban/internal/token"
)

func TestRefreshTokenIsReplacedAtEachUse(t *testing.T) {
	w := newWorld(t)
	a := w.mustToken(apikey(userKey), bx)
	if a.number("refresh_token_expiration") != w.server.Now().Add(72*time.Hour).Unix() || a.text("session_id") != "" ||
		a.number("expires_in") != 3600 {
		t.Errorf("API key without sessions: %s", a.raw)
	}
	seen := map[string]bool{a.text("refresh_token"): true}
	for range 3 {
		w.server.Pass(time.Hour)
		a = w.mustToken(refresh(a.text("refresh_token")), bx)
		if seen[a.text("refresh_token")] {
			t.Fatal("the refresh token stayed the same")
		}
		seen[a.text("refresh_token")] = true
		c := w.claims(a.text("access_token"))
		if c.GrantType != "refresh_token" || c.ClientID != "bx" || c.IAMID != userIAM || c.Account.BSS != acctA {
			t.Errorf("refreshed token %+v", c)
		}
	}
}

func TestUsedRefreshTokenWorksWithinTheGraceAndThenEndsTheLogin(t *testing.T) {
	w := newWorld(t)
	first := w.mustToken(apikey(userKey), bx).text("refresh_token")
	w.server.Pass(time.Minute)
	a := w.mustToken(refresh(first), bx)
	w.server.Pass(time.Minute)
	b := w.mustToken(refresh(first), bx) // a second process with the same file
	w.mustToken(refresh(a.text("refresh_token")), bx)
	w.server.Pass(time.Second)
	w.wants(w.token(refresh(first), bx), 400, "BXNIM0407E")
	w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, "BXNIM0407E")
	w.wants(w.token(refresh(b.text("refresh_token")), bx), 400, "BXNIM0407E")
	w.mustToken(apikey(userKey), bx) // the key itself is not touched
}

func TestRefreshTokenBelongsToItsClient(t *testing.T) {
	w := newWorld(t)
	value := w.mustToken(apikey(userKey), bx).text("refresh_token")
	w.wants(w.token(refresh(value), basic("kube", "kube")), 400, "BXNIM0407E")
	w.wants(w.token(refresh(value)), 400, "BXNIM0407E")
	w.mustToken(append(refresh(value), "client_id", "bx", "client_secret", "bx"))
}

func TestRefreshTokenExpires(t *testing.T) {
	w := newWorld(t)
	w.changeSettings(acctA, func(s *account.Settings) { s.RefreshTokenExpiration = "900" })
	value := w.mustToken(apikey(svcKey), bx).text("refresh_token")
	w.server.Pass(900 * time.Second)
	w.wants(w.token(refresh(value), bx), 400, "BXNIM0408E")
	w.server.Pass(25 * time.Hour)
	w.wants(w.token(refresh(value), bx), 400, "BXNIM0407E")
}

func TestChangesOfTheKeyReachItsTokensAtTheRefresh(t *testing.T) {
	tests := []struct {
		name   string
		change func(*world)
		code   string
	}{
		{"disabled", func(w *world) { w.changeKey("ApiKey-2", func(k *identity.APIKey) { k.Disabled = true }) }, "BXNIM0462E"},
		{"expired", func(w *world) { w.changeKey("ApiKey-2", func(k *identity.APIKey) { k.ExpiresAt = w.server.Now() }) }, "BXNIM0425E"},
		{"deleted", func(w *world) { w.deleteKey("ApiKey-2") }, "BXNIM0415E"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.mustToken(apikey(svcKey), bx)
			tt.change(w)
			w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, tt.code)
			if who := w.send(http.MethodGet, "/whoami", "", bearer(a.text("access_token"))); who.status != http.StatusOK {
				t.Errorf("the issued token no longer works: %s", who.raw)
			}
		})
	}
}

func TestAccountOfAnAPIKeySessionCannotBeSwitched(t *testing.T) {
	w := newWorld(t)
	a := w.mustToken(apikey(cliKey), bx)
	refused := w.token(refresh(a.text("refresh_token"), "account", acctB), bx)
	w.wants(refused, 400, "BXNIM0413E")
	const want = "Cannot switch accounts for a token that was created using the grant type urn:ibm:params:oauth:grant-type:apikey."
	if refused.text("errorMessage") != want || refused.text("errorDetails") != "" {
		t.Errorf("message %q, details %q; the command line prints %q", refused.text("errorMessage"), refused.text("errorDetails"), want)
	}
	w.wants(w.token(refresh(a.text("refresh_token"), "bss_account", acctB, "ims_account", "1"), bx), 400, "BXNIM0413E")
	again := w.mustToken(refresh(a.text("refresh_token"), "account", acctA), bx)
	w.wants(w.token(refresh(again.text("refresh_token"), "account", acctB), bx), 400, "BXNIM0413E") // nor after a refresh
}

func TestPasswordLoginChoosesItsAccountWithTheRefreshToken(t *testing.T) {
	w := newWorld(t)
	w.setPassword()
	a := w.mustToken(passwordForm(), bx)
	c := w.claims(a.text("access_token"))
	if c.Account.BSS != "" || c.Account.Valid || c.Account.Frozen || a.number("expires_in") != 1200 ||
		!strings.HasPrefix(a.text("session_id"), id.Session) {
		t.Errorf("first token of a login: %+v, %s", c, a.raw)
	}
	for _, acct := range []string{acctA, acctB} {
		a = w.mustToken(refresh(a.text("refresh_token"), "account", acct), bx)
		c := w.claims(a.text("access_token"))
		if c.Account.BSS != acct || !c.Account.Valid || c.Account.Frozen || c.SessionID != a.text("session_id") {
			t.Errorf("after choosing %s: %+v", acct, c)
		}
	}
	w.wants(w.token(refresh(a.text("refresh_token"), "account", strings.Repeat("c", 32)), bx), 400, "BXNIM0410E")
	w.wants(w.token(refresh(a.text("refresh_token"), "account", "nonsense"), bx), 400, "BXNIM0106E")
	if got := w.claims(w.mustToken(append(passwordForm(), "account", acctB), bx).text("access_token")).Account.BSS; got != acctB {
		t.Errorf("login with an account is bound to %q", got)
	}
}

func TestWrongPasswords(t *testing.T) {
	w := newWorld(t, func(c *apitest.TokenConfig) {
		c.Limits = token.DefaultLimits
		c.Limits.PasswordTarget = throttle.Limit{Burst: 2, Every: time.Minute}
	})
	w.setPassword()
	wrong := []string{"grant_type", "password", "username", email, "password", "nonsense"}
	w.wants(w.token(wrong, bx), 401, "BXNIM0602E")
	w.wants(w.token([]string{"grant_type", "password", "username", "nobody@example.com", "password", "nonsense"}, bx), 401, "BXNIM0602E")
	w.wants(w.token(wrong, bx), 401, "BXNIM0602E")
	limited := w.token(passwordForm(), bx) // even the right one: guessing must not go on
	if limited.status != http.StatusTooManyRequests || limited.header.Get("Retry-After") != "60" || limited.text("errorMessage") == "" {
		t.Errorf("after two failures: %d, Retry-After %q, %s", limited.status, limited.header.Get("Retry-After"), limited.raw)
	}
	w.server.Pass(time.Minute)
	w.mustToken(passwordForm(), bx)
}

func TestUserWithoutAnActiveAccountCannotLogIn(t *testing.T) {
	w := newWorld(t)
	w.setPassword()
	for _, a := range []string{acctA, acctB} {
		w.changeUser(a, func(u *account.User) { u.State = "DISABLED" })
	}
	w.wants(w.token(passwordForm(), bx), 400, "BXNIM0410E")
}

func TestAccountsThatForbidPasswordsRefuseThem(t *testing.T) {
	for _, mfa := range []string{"NONE_NO_ROPC", "TOTP4ALL", "LEVEL3"} {
		w := newWorld(t)
		w.setPassword()
		w.changeSettings(acctA, func(s *account.Settings) { s.MFA = mfa })
		w.wants(w.token(append(passwordForm(), "account", acctA), bx), 400, "BXNIM0608E")
		w.mustToken(append(passwordForm(), "account", acctB), bx)
		w.mustToken(apikey(userKey))
		w.changeSettings(acctA, func(s *account.Settings) { s.UserMFA = []account.UserMFA{{IAMID: userIAM, MFA: "NONE"}} })
		w.mustToken(append(passwordForm(), "account", acctA), bx)
	}
}

func TestPasscodeWorksOnceAndNotForLong(t *testing.T) {
	w := newWorld(t)
	w.setPassword()
	login := w.mustToken(passwordForm(), bx)
	passcode := func() []string {
		t.Helper()
		a := w.send(http.MethodPost, "/identity/passcode", pairs(append(refresh(login.text("refresh_token")), "response_type", "cloud_iam")...),
			bx)
		if a.status != http.StatusOK || a.text("passcode") == "" {
			t.Fatalf("no passcode: %d %s", a.status, a.raw)
		}
		return []string{"grant_type", token.GrantPasscode, "passcode", a.text("passcode")}
	}
	code := passcode()
	a := w.mustToken(code, bx)
	if c := w.claims(a.text("access_token")); c.GrantType != token.GrantPasscode || c.Account.BSS != "" || c.SessionID == "" ||
		c.SessionID == login.text("session_id") {
		t.Errorf("token of a passcode: %+v", c)
	}
	w.wants(w.token(code, bx), 401, "BXNIM0602E")
	code = passcode()
	w.server.Pass(5 * time.Minute)
	w.wants(w.token(code, bx), 401, "BXNIM0602E")
	if c := w.claims(w.mustToken(append(passcode(), "account", acctB), bx).text("access_token")); c.Account.BSS != acctB {
		t.Errorf("passcode with account: %+v", c)
	}
}

func TestPasscodeOfAnAPIKeyLoginStaysInItsAccount(t *testing.T) {
	w := newWorld(t)
	value := w.mustToken(apikey(userKey), bx).text("refresh_token")
	code := func() string {
		return w.send(http.MethodPost, "/identity/passcode", pairs(refresh(value)...), bx).text("passcode")
	}
	w.wants(w.token([]string{"grant_type", token.GrantPasscode, "passcode", code(), "account", acctB}, bx), 400, "BXNIM0413E")
	a := w.mustToken([]string{"grant_type", token.GrantPasscode, "passcode", code()}, bx)
	if c := w.claims(a.text("access_token")); c.Account.BSS != acctA || !c.Account.Frozen {
		t.Errorf("token %+v", c)
	}
	w.wants(w.token(refresh(a.text("refresh_token"), "account", acctB), bx), 400, "BXNIM0413E")
	w.deleteKey("ApiKey-1")
	w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, "BXNIM0415E")
}

func TestServiceIDGetsNoPasscode(t *testing.T) {
	w := newWorld(t)
	value := w.mustToken(apikey(svcKey), bx).text("refresh_token")
	w.wants(w.send(http.MethodPost, "/identity/passcode", pairs(refresh(value)...), bx), 400, "BXNIM0453E")
}

func TestKeyThatSupportsSessionsBeginsOneThroughTheCommandLine(t *testing.T) {
	w := newWorld(t)
	if a := w.mustToken(apikey(cliKey)); a.text("session_id") != "" || a.number("expires_in") != 3600 {
		t.Errorf("without the command line's client: %s", a.raw)
	}
	a := w.mustToken(apikey(cliKey), bx)
	end := w.server.Now().Add(24 * time.Hour).Unix()
	if a.text("session_id") == "" || a.number("expires_in") != 1200 || a.number("refresh_token_expiration") != end {
		t.Errorf("with it: %s", a.raw)
	}
	w.server.Pass(time.Hour)
	if a = w.mustToken(refresh(a.text("refresh_token")), bx); a.number("refresh_token_expiration") != end {
		t.Error("a refresh moves the end of the session")
	}
}

func TestSessionEndsAfterItsTime(t *testing.T) {
	w := newWorld(t)
	w.changeSettings(acctA, func(s *account.Settings) { s.SessionExpiration = "3600" })
	a := w.mustToken(apikey(cliKey), bx)
	w.server.Pass(50 * time.Minute)
	a = w.mustToken(refresh(a.text("refresh_token")), bx)
	if a.number("expires_in") != 600 {
		t.Errorf("the token outlives its session: %s", a.raw)
	}
	w.server.Pass(10 * time.Minute)
	w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, "BXNIM0408E")
}

func TestIdleSessionIsInvalidated(t *testing.T) {
	w := newWorld(t)
	w.changeSettings(acctA, func(s *account.Settings) { s.SessionInvalidation = "900" })
	a := w.mustToken(apikey(cliKey), bx)
	for range 3 { // each request that brings the token counts as activity
		w.server.Pass(300 * time.Second)
		w.send(http.MethodGet, "/whoami", "", bearer(a.text("access_token")))
	}
	w.server.Pass(800 * time.Second)
	if keep := w.send(http.MethodPatch, "/v1/sessions/"+a.text("session_id")+"/state", "", bx); keep.status != http.StatusNoContent {
		t.Errorf("keeping alive: %d %s", keep.status, keep.raw)
	}
	w.server.Pass(800 * time.Second)
	a = w.mustToken(refresh(a.text("refresh_token")), bx)
	w.server.Pass(900 * time.Second)
	idle := w.token(refresh(a.text("refresh_token")), bx)
	w.wants(idle, 400, "BXNIM0439E")
	if want := "Session '" + a.text("session_id") + "' is invalidated due to inactivity."; idle.text("errorMessage") != want {
		t.Errorf("message %q, want %q", idle.text("errorMessage"), want)
	}
	w.wants(w.send(http.MethodPatch, "/v1/sessions/"+a.text("session_id")+"/state", "", bx), 400, "BXNIM0439E")
	if who := w.send(http.MethodGet, "/whoami", "", bearer(a.text("access_token"))); who.status != http.StatusUnauthorized {
		t.Errorf("a token of an idle session works: %s", who.raw)
	}
}

func TestSessionStateWantsTheSessionsClient(t *testing.T) {
	w := newWorld(t)
	path := "/v1/sessions/" + w.mustToken(apikey(cliKey), bx).text("session_id") + "/state"
	w.wants(w.send(http.MethodPatch, path, ""), 401, "BXNIM0308E")
	w.wants(w.send(http.MethodPatch, path, "", basic("bx", "no")), 401, "BXNIM0310E")
	w.wants(w.send(http.MethodPatch, path, "", basic("kube", "kube")), 400, "BXNIM0439E")
	w.wants(w.send(http.MethodPatch, "/v1/sessions/C-nonsense/state", "", bx), 400, "BXNIM0439E")
	w.wants(w.send(http.MethodPatch, "/v1/sessions/C-00000000-0000-4000-8000-000000000000/state", "", bx), 400, "BXNIM0439E")
}

func TestOldestSessionsEndWhenThereAreTooMany(t *testing.T) {
	w := newWorld(t)
	w.changeSettings(acctA, func(s *account.Settings) { s.MaxSessions = "2" })
	var logins []answer
	for range 3 {
		logins = append(logins, w.mustToken(apikey(cliKey), bx))
		w.send(http.MethodGet, "/whoami", "", bearer(logins[0].text("access_token"))) // now it is in memory
		w.server.Pass(time.Second)
	}
	w.wants(w.token(refresh(logins[0].text("refresh_token")), bx), 400, "BXNIM0439E")
	if who := w.send(http.MethodGet, "/whoami", "", bearer(logins[0].text("access_token"))); who.status != http.StatusUnauthorized {
		t.Error("the token of the session that had to go works on")
	}
	for _, l := range logins[1:] {
		w.mustToken(refresh(l.text("refresh_token")), bx)
	}
	if got, err := w.sessions(); err != nil || len(got) != 2 {
		t.Errorf("%d sessions, %v", len(got), err)
	}
}

func TestProfileAssumedOutOfASessionHasItsOwn(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	login := w.mustToken(apikey(cliKey), bx)
	a := w.mustToken(assume(login.text("access_token"), "profile_id", profileB), bx)
	if a.text("session_id") == "" || a.text("session_id") == login.text("session_id") || a.number("expires_in") != 1200 {
		t.Errorf("assumed in a session: %s", a.raw)
	}
	a = w.mustToken(refresh(a.text("refresh_token")), bx)
	if c := w.claims(a.text("access_token")); c.SubType != "Profile" || c.Authn.IAMID != userIAM || c.Account.BSS != acctB {
		t.Errorf("refreshed profile token %+v", c)
	}
	w.wants(w.token(refresh(a.text("refresh_token"), "account", acctA), bx), 400, "BXNIM0413E")
	byRefresh := w.mustToken([]string{"grant_type", token.GrantAssume, "refresh_token", login.text("refresh_token"), "profile_id", profileB},
		bx)
	if w.claims(byRefresh.text("access_token")).IAMID != id.IAMOf(profileB) {
		t.Error("assuming with a refresh token")
	}
	w.deleteProfile(acctB, profileB)
	w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, "BXNIM0398E")
	if who := w.send(http.MethodGet, "/whoami", "", bearer(a.text("access_token"))); who.status != http.StatusUnauthorized {
		t.Errorf("the token of a deleted profile works: %s", who.raw)
	}
}

func TestLogoutEndsTheLogin(t *testing.T) {
	w := newWorld(t)
	a := w.mustToken(apikey(cliKey), bx)
	next := w.mustToken(refresh(a.text("refresh_token")), bx)
	if out := w.send(http.MethodPost, "/identity/logout", pairs("refresh_token", next.text("refresh_token")),
		bx); out.status != http.StatusNoContent {
		t.Fatalf("logout: %d %s", out.status, out.raw)
	}
	w.wants(w.token(refresh(next.text("refresh_token")), bx), 400, "BXNIM0407E")
	w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, "BXNIM0407E")
	if who := w.send(http.MethodGet, "/whoami", "", bearer(next.text("access_token"))); who.status != http.StatusUnauthorized {
		t.Errorf("the token works after the logout: %s", who.raw)
	}

	b := w.mustToken(apikey(cliKey), bx)
	if out := w.send(http.MethodGet, "/identity/logout", "", bearer(b.text("access_token"))); out.status != http.StatusNoContent {
		t.Fatalf("logout by access token: %d %s", out.status, out.raw)
	}
	w.wants(w.token(refresh(b.text("refresh_token")), bx), 400, "BXNIM0439E")
	if out := w.send(http.MethodPost, "/identity/logout", pairs("refresh_token", "unknown"), bx); out.status != http.StatusNoContent {
		t.Errorf("logout of an unknown token: %d", out.status)
	}
}
