package token_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/token"
)

const sessionKey = "the key with sessions of the owner of the account"

// withSessions gives the owner a key that begins login sessions.
func (w *world) withSessions() *identity.APIKey {
	w.t.Helper()
	key, _, err := w.server.Identity.CreateAPIKey(w.t.Context(), asker.System, apitest.Checked(w.t,
		identity.NewAPIKey{IAMID: apitest.Owner, Account: apitest.Account,
			Traits: identity.KeyTraits{Name: new("cli"), SupportSessions: new(true)}, Value: secret.New(sessionKey)}))
	w.must(err)
	return key
}

func (w *world) assumingByRefresh(refresh string) token.Request {
	return token.Request{GrantType: token.GrantAssume, RefreshToken: secret.New(refresh), ProfileID: w.profile.ID, Client: bx}
}

func (w *world) logout(refresh string) {
	w.t.Helper()
	w.must(w.Logout(w.t.Context(), &token.Request{RefreshToken: secret.New(refresh), Client: bx, Address: here}))
}

func (w *world) delegated(refresh, seconds string) *token.Response {
	r := byRefresh(refresh)
	r.ResponseType, r.ReceiverClientIDs, r.DelegatedExpiry = "cloud_iam delegated_refresh_token", "kube", seconds
	return w.get(r)
}

// refusedAs checks that a request is refused, with a number.
func (w *world) refusedAs(number, what string, r token.Request) {
	w.t.Helper()
	if _, err := w.ask(r); fault.Of(err).Number != number {
		w.t.Errorf("%s: %v, want %s", what, err, number)
	}
}

func (w *world) refusedBearer(what, access string) {
	w.t.Helper()
	if _, err := w.Authenticate(w.t.Context(), access, netip.Addr{}); fault.Of(err).Code != "invalid_access_token" {
		w.t.Errorf("%s: %v", what, err)
	}
}

func TestAProfileAssumedWithARefreshTokenEndsWithItsLogin(t *testing.T) {
	for how, end := range map[string]func(w *world, first, last string){
		"logout": func(w *world, _, last string) { w.logout(last) },
		"replay": func(w *world, first, _ string) {
			w.server.Pass(session.ReuseGrace + time.Second)
			w.refusedAs("BXNIM0407E", "the replay", byRefresh(first))
		},
	} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			login := w.get(byKey(ownerKey, bx)) // without a session
			next := w.get(byRefresh(login.RefreshToken))
			profile := w.get(w.assumingByRefresh(next.RefreshToken))
			byAccess := w.get(w.assuming(next.AccessToken))
			end(w, login.RefreshToken, next.RefreshToken)
			for what, p := range map[string]*token.Response{"by refresh token": profile, "by access token": byAccess} {
				w.refusedAs("BXNIM0407E", what, byRefresh(p.RefreshToken))
				w.refusedBearer(what, p.AccessToken)
			}
			w.refusedBearer("the login's own token", next.AccessToken)
		})
	}
}

func TestADelegationOfSecondsMakesNoLoginOfHours(t *testing.T) {
	w := newWorld(t)
	lent := w.delegated(w.get(byKey(ownerKey, bx)).RefreshToken, "5")
	redeemed := w.get(byDelegation(lent.DelegatedRefreshToken))
	profile := w.get(w.assuming(redeemed.AccessToken))
	if profile.ExpiresIn > 5 || profile.RefreshExpiration > w.server.Now().Unix()+5 {
		t.Errorf("the profile lives %d s, its refresh token until %d", profile.ExpiresIn, profile.RefreshExpiration)
	}
	w.server.Pass(6 * time.Second)
	w.refusedAs("BXNIM0408E", "the profile", byRefresh(profile.RefreshToken))
	w.refusedAs("BXNIM0408E", "assuming within the leeway of the clock", w.assuming(redeemed.AccessToken))
}

func TestAPasscodeEndsWithTheLoginThatMadeIt(t *testing.T) {
	for how, begin := range map[string]token.Request{"of a person": byPassword(), "of an API key": byKey(ownerKey, bx)} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			login := w.get(begin)
			code := func() token.Request {
				value, err := w.Passcode(t.Context(), &token.Request{RefreshToken: secret.New(login.RefreshToken), Client: bx, Address: here})
				w.must(err)
				return token.Request{GrantType: token.GrantPasscode, Passcode: value, Account: apitest.Account, Client: bx}
			}
			used, unused := w.get(code()), code()
			w.logout(login.RefreshToken)
			w.refusedAs("BXNIM0602E", "a passcode", unused)
			w.refusedBearer("the login by passcode", used.AccessToken)
			w.refusedAs("BXNIM0407E", "its refresh token", byRefresh(used.RefreshToken))
		})
	}
}

func TestASessionOfAProfileEndsWithTheOneThatItCameOf(t *testing.T) {
	for how, end := range map[string]func(w *world, login *token.Response){
		"logout":         func(w *world, login *token.Response) { w.logout(login.RefreshToken) },
		"the key's end":  func(w *world, _ *token.Response) { w.must(w.server.Identity.DeleteAPIKey(w.t.Context(), w.userKey)) },
		"the session":    func(w *world, login *token.Response) { w.must(w.Sessions.End(w.t.Context(), login.SessionID)) },
		"the user's end": func(w *world, _ *token.Response) { w.set(apitest.Account, account.Suspended) },
	} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			w.userKey = w.withSessions()
			login := w.get(byKey(sessionKey, bx))
			profile := w.get(w.assuming(login.AccessToken))
			if profile.SessionID == "" || profile.SessionID == login.SessionID {
				t.Fatalf("%+v", profile)
			}
			plain := w.assuming(login.AccessToken)
			plain.Client = oauth.Credentials{}
			without := w.get(plain) // no client, no session
			w.must(w.KeepAlive(t.Context(), bx, here, profile.SessionID))
			end(w, login)
			w.refusedBearer("the profile's token", profile.AccessToken)
			w.refusedBearer("that of a client without sessions", without.AccessToken)
			if _, err := w.ask(byRefresh(profile.RefreshToken)); err == nil {
				t.Error("the profile's refresh token works")
			}
			if how == "the user's end" {
				return
			}
			if err := w.KeepAlive(t.Context(), bx, here, profile.SessionID); err == nil {
				t.Error("the profile's session is kept alive")
			}
		})
	}
}

func TestAProfileInUseKeepsTheSessionAliveThatItCameOf(t *testing.T) {
	w := newWorld(t)
	w.withSessions()
	login := w.get(byKey(sessionKey, bx))
	profile := w.get(w.assuming(login.AccessToken))
	for range 3 {
		w.server.Pass(time.Hour + 30*time.Minute)
		profile = w.get(byRefresh(profile.RefreshToken))
		_, err := w.Authenticate(t.Context(), profile.AccessToken, netip.Addr{})
		w.must(err)
	}
	w.get(byRefresh(login.RefreshToken))
}

func TestATokenOfAKeyLivesNoLongerThanTheKey(t *testing.T) {
	w := newWorld(t)
	at := w.server.Now().Add(10 * time.Minute).Format(time.RFC3339)
	_, err := w.server.Identity.UpdateAPIKey(t.Context(), w.userKey, "*", apitest.Checked(t, identity.APIKeyChange{ExpiresAt: &at}))
	w.must(err)
	login := w.get(byKey(ownerKey, bx))
	for what, out := range map[string]*token.Response{"the key's": login, "refreshed": w.get(byRefresh(login.RefreshToken)),
		"the profile's": w.get(w.assuming(login.AccessToken))} {
		if out.ExpiresIn != 600 {
			t.Errorf("%s token lives %d s", what, out.ExpiresIn)
		}
	}
}

func TestAServicesTokenEndsWithWhoActsForIt(t *testing.T) {
	w := newWorld(t, actsAs)
	robot := w.get(byKey(robotKey, bx))
	acts := w.get(token.Request{GrantType: token.GrantIAMAuthz, AccessToken: secret.New(robot.AccessToken),
		DesiredIAMID: "crn-crn:v1:bluemix:public:kms:global:a/" + apitest.Account + ":1::"})
	_, err := w.Authenticate(t.Context(), acts.AccessToken, netip.Addr{})
	w.must(err)
	w.must(w.server.Identity.DeleteServiceID(t.Context(), w.svc))
	w.refusedBearer("the service's token", acts.AccessToken)
}

// TestAChainOfGrantsHasAnEnd: tokens carry what they came of, which has to stay
// small.
func TestAChainOfGrantsHasAnEnd(t *testing.T) {
	w := newWorld(t)
	refresh, links := w.get(byKey(ownerKey, bx)).RefreshToken, 0
	ask := byRefresh(refresh)
	for {
		ask.ResponseType, ask.ReceiverClientIDs = "cloud_iam delegated_refresh_token", "kube"
		out := w.get(ask)
		next, err := w.ask(byDelegation(out.DelegatedRefreshToken))
		if err != nil {
			if fault.Of(err).Number != "BXNIM0407E" || links < 10 {
				t.Errorf("after %d delegations: %v", links, err)
			}
			return
		}
		if links++; links > 20 {
			t.Fatal("it goes on for ever")
		}
		if len(next.AccessToken) > 3000 {
			t.Errorf("after %d delegations a token has %d bytes", links, len(next.AccessToken))
		}
		ask = byRefresh(next.RefreshToken)
		ask.Client = kube
	}
}
