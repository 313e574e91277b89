package iamtoken_test

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/throttle"
	"github.com/kagiban/kagiban/internal/token"
)

var kube = basic("kube", "kube")

// addressOfTests is where the requests of the tests come from.
var addressOfTests = netip.MustParseAddr("203.0.113.9")

// delegate continues a login and hands it to another service for a while.
func (w *world) delegate(refreshToken, seconds string) (next, delegated string) {
	w.t.Helper()
	a := w.mustToken(refresh(refreshToken, "response_type", "cloud_iam delegated_refresh_token", "receiver_client_ids", "kube",
		"delegated_refresh_token_expiry", seconds), bx)
	return a.text("refresh_token"), a.text("delegated_refresh_token")
}

func redeem(delegated string) []string {
	return []string{"grant_type", token.GrantDelegated, "refresh_token", delegated}
}

func TestWhatWasAssumedWithAnAPIKeyEndsWithTheKey(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(*world)
		code string
	}{
		"deleted":  {func(w *world) { w.deleteKey("ApiKey-1") }, "BXNIM0415E"},
		"disabled": {func(w *world) { w.changeKey("ApiKey-1", func(k *identity.APIKey) { k.Disabled = true }) }, "BXNIM0462E"},
		"expired":  {func(w *world) { w.changeKey("ApiKey-1", func(k *identity.APIKey) { k.ExpiresAt = w.server.Now() }) }, "BXNIM0425E"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.trust(profileB, acctB, "user", userIAM, acctA)
			login := w.mustToken(apikey(userKey), bx)
			byToken := w.mustToken(assume(login.text("access_token"), "profile_id", profileB), bx)
			byRefresh := w.mustToken([]string{"grant_type", token.GrantAssume, "refresh_token", login.text("refresh_token"), "profile_id",
				profileB}, bx)
			_, delegated := w.delegate(byToken.text("refresh_token"), "600")
			byKube := w.mustToken(redeem(delegated), kube)
			end.do(w)
			for way, a := range map[string]answer{
				"the login":             w.token(refresh(login.text("refresh_token")), bx),
				"assumed by token":      w.token(refresh(byToken.text("refresh_token")), bx),
				"assumed by refresh":    w.token(refresh(byRefresh.text("refresh_token")), bx),
				"delegated":             w.token(redeem(delegated), kube),
				"delegated before":      w.token(refresh(byKube.text("refresh_token")), kube),
				"assuming with a token": w.token(assume(login.text("access_token"), "profile_id", profileB), bx),
			} {
				if a.status != http.StatusBadRequest || a.text("errorCode") != end.code {
					t.Errorf("%s: %d %s, want %s", way, a.status, a.text("errorCode"), end.code)
				}
			}
			if who := w.send(http.MethodGet, "/whoami", "", bearer(byToken.text("access_token"))); who.status != http.StatusOK {
				t.Errorf("the issued token no longer works: %s", who.raw)
			}
		})
	}
}

func TestALockedKeyWorksOn(t *testing.T) {
	w := newWorld(t) // the lock protects the key from changes and nobody from the key
	a := w.mustToken(apikey(userKey), bx)
	w.changeKey("ApiKey-1", func(k *identity.APIKey) { k.Locked = true })
	w.mustToken(refresh(a.text("refresh_token")), bx)
	w.mustToken(apikey(userKey))
}

func TestTheAddressesOfWhoAssumesBindTheProfileToo(t *testing.T) {
	for name, restrict := range map[string]func(*world){
		"the account's list": func(w *world) {
			w.changeSettings(acctA, func(s *account.Settings) { s.AllowedIPAddresses = "198.51.100.1" })
		},
		"the user's list": func(w *world) { w.changeUser(acctA, func(u *account.User) { u.AllowedIPs = "198.51.100.1" }) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.trust(profileB, acctB, "user", userIAM, acctA)
			access := w.mustToken(apikey(userKey)).text("access_token")
			there := w.mustToken(assume(access, "profile_id", profileB), bx)
			restrict(w)
			w.wants(w.token(assume(access, "profile_id", profileB), bx), 401, "BXNIM0430E")
			w.wants(w.token(refresh(there.text("refresh_token")), bx), 401, "BXNIM0430E")
			w.mustToken(assume(access, "profile_id", profileB), bx, from("198.51.100.1"))
			w.mustToken(refresh(there.text("refresh_token")), bx, from("198.51.100.1"))
		})
	}
}

func TestADelegationEndsAtItsTimeWhateverIsMadeOfIt(t *testing.T) {
	w := newWorld(t)
	_, delegated := w.delegate(w.mustToken(apikey(userKey), bx).text("refresh_token"), "5400")
	a := w.mustToken(redeem(delegated), kube)
	if a.number("expires_in") != 3600 || a.number("refresh_token_expiration") != w.server.Now().Add(90*time.Minute).Unix() {
		t.Errorf("redeemed at once: %s", a.raw)
	}
	w.server.Pass(time.Hour)
	a = w.mustToken(refresh(a.text("refresh_token")), kube)
	if a.number("expires_in") != 1800 || a.number("refresh_token_expiration") != w.server.Now().Add(30*time.Minute).Unix() {
		t.Errorf("after an hour: %s", a.raw)
	}
	again := w.mustToken(refresh(a.text("refresh_token"), "response_type", "delegated_refresh_token", "receiver_client_ids", "ce"), kube)
	w.server.Pass(30 * time.Minute)
	w.wants(w.token(redeem(delegated), kube), 400, "BXNIM0407E")
	w.wants(w.token(refresh(a.text("refresh_token")), kube), 400, "BXNIM0408E")
	w.wants(w.token(redeem(again.text("delegated_refresh_token")), basic("ce", "ce")), 400, "BXNIM0407E")
}

func TestADelegationOutlivesASessionThatEndsByItself(t *testing.T) {
	w := newWorld(t)
	_, delegated := w.delegate(w.mustToken(apikey(cliKey), bx).text("refresh_token"), "518400")
	w.server.Pass(48 * time.Hour)
	if got := w.mustToken(redeem(delegated), kube); got.text("session_id") != "" || got.number("expires_in") != 3600 {
		t.Errorf("redeemed after the session: %s", got.raw)
	}
}

func TestADelegationEndsWithALoginThatIsEndedOnPurpose(t *testing.T) {
	for name, c := range map[string]struct {
		key string
		end func(w *world, login answer, next string)
	}{
		"logout by refresh token": {cliKey, func(w *world, _ answer, next string) {
			w.send(http.MethodPost, "/identity/logout", pairs("refresh_token", next), bx)
		}},
		"logout by access token": {cliKey, func(w *world, login answer, _ string) {
			w.send(http.MethodGet, "/identity/logout", "", bearer(login.text("access_token")))
		}},
		"session revoked": {cliKey, func(w *world, login answer, _ string) {
			if err := w.tokens.Sessions.End(w.t.Context(), login.text("session_id")); err != nil {
				w.t.Fatal(err)
			}
		}},
		"logout without a session": {userKey, func(w *world, _ answer, next string) {
			w.send(http.MethodPost, "/identity/logout", pairs("refresh_token", next), bx)
		}},
		"replay of a refresh token": {userKey, func(w *world, login answer, _ string) {
			w.server.Pass(2 * time.Minute)
			w.wants(w.token(refresh(login.text("refresh_token")), bx), 400, "BXNIM0407E")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			login := w.mustToken(apikey(c.key), bx)
			next, delegated := w.delegate(login.text("refresh_token"), "518400")
			a := w.mustToken(redeem(delegated), kube)
			further := w.mustToken(refresh(a.text("refresh_token"), "response_type", "cloud_iam delegated_refresh_token", "receiver_client_ids",
				"ce"), kube)
			other := w.mustToken(apikey(c.key), bx)
			c.end(w, login, next)
			w.wants(w.token(redeem(delegated), kube), 400, "BXNIM0407E")
			w.wants(w.token(refresh(further.text("refresh_token")), kube), 400, "BXNIM0407E")
			w.wants(w.token(redeem(further.text("delegated_refresh_token")), basic("ce", "ce")), 400, "BXNIM0407E")
			w.mustToken(refresh(other.text("refresh_token")), bx) // another login is not touched
		})
	}
}

func TestAProfileEndsWithTheLoginThatAssumedIt(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	login := w.mustToken(apikey(cliKey), bx)
	there := w.mustToken(assume(login.text("access_token"), "profile_id", profileB), bx)
	w.send(http.MethodPost, "/identity/logout", pairs("refresh_token", login.text("refresh_token")), bx)
	w.wants(w.token(refresh(there.text("refresh_token")), bx), 400, "BXNIM0407E")
}

// guarded knows a client whose secret an operator chose.
func guarded(c *apitest.TokenConfig) {
	c.Clients = []oauth.Client{{ID: "portal", Secret: secret.New("the operator's choice"), Refresh: oauth.RefreshRotating}}
	c.Limits = token.DefaultLimits
	c.ClientLimit = throttle.Limit{Burst: 2, Every: time.Minute}
}

func TestARightGuessOfAClientsSecretIsNoneWhenThereWereTooMany(t *testing.T) {
	w := newWorld(t, guarded)
	right := basic("portal", "the operator's choice")
	w.mustToken(apikey(userKey), right)
	for range 2 {
		w.wants(w.token(apikey(userKey), basic("portal", "guess")), 401, "BXNIM0310E")
	}
	for name, a := range map[string]answer{
		"a token":        w.token(apikey(userKey), right),
		"a wrong guess":  w.token(apikey(userKey), basic("portal", "guess")),
		"a client's id":  w.token(apikey(userKey), basic("nobody", "guess")),
		"introspection":  w.send(http.MethodPost, "/identity/introspect", pairs("token", "x"), right),
		"logout":         w.send(http.MethodPost, "/identity/logout", pairs("refresh_token", "x"), right),
		"a passcode":     w.send(http.MethodPost, "/identity/passcode", pairs("refresh_token", "x"), right),
		"profiles":       w.send(http.MethodPost, "/identity/profiles", pairs("access_token", "x"), right),
		"a session kept": w.send(http.MethodPatch, "/v1/sessions/C-00000000-0000-4000-8000-000000000000/state", "", right),
	} {
		if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	w.mustToken(apikey(userKey), right, from("198.51.100.1"))
	w.mustToken(apikey(userKey), bx) // its secret is no secret
	w.mustToken(apikey(userKey))
	w.server.Pass(time.Minute)
	w.mustToken(apikey(userKey), right)
}

// NONE_NO_ROPC forbids the grant in which a program is given the password
// (resource owner password credentials). On the passcode page it is the person
// who gives it, and to this server only: that is the login that the value leaves.
func TestNoPasswordGrantLeavesThePasscodePage(t *testing.T) {
	w := newWorld(t)
	w.setPassword()
	w.changeSettings(acctA, func(s *account.Settings) { s.MFA = "NONE_NO_ROPC" })
	w.wants(w.token(passwordForm("account", acctA), bx), 400, "BXNIM0608E")
	code, err := w.tokens.PasscodeFor(t.Context(), email, secret.New(password), addressOfTests)
	if err != nil {
		t.Fatal(err)
	}
	w.mustToken([]string{"grant_type", token.GrantPasscode, "passcode", code.Reveal(), "account", acctA}, bx)
	w.changeSettings(acctA, func(s *account.Settings) { s.MFA = "TOTP4ALL" })
	if code, err = w.tokens.PasscodeFor(t.Context(), email, secret.New(password), addressOfTests); err != nil {
		t.Fatal(err)
	}
	w.wants(w.token([]string{"grant_type", token.GrantPasscode, "passcode", code.Reveal(), "account", acctA}, bx), 400, "BXNIM0608E")
}
