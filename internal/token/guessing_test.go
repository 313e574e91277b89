package token_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/throttle"
	"github.com/kagiban/kagiban/internal/token"
)

// burst is how many may fail in the tests before somebody has to wait.
const burst = 5

// tight bounds guessing at everything alike, and knows a client with a secret.
func tight(c *apitest.TokenConfig) {
	limit := throttle.Limit{Burst: burst, Every: time.Hour}
	wide := throttle.Limit{Burst: 1000, Every: time.Hour}
	c.Limits = token.Limits{Credential: limit, PasswordSource: wide, PasswordTarget: limit}
	c.ClientLimit = throttle.Limit{Burst: burst, Every: 2 * time.Hour}
	c.Clients = []oauth.Client{{ID: "portal", Secret: secret.New("of the operator"), Refresh: oauth.RefreshRotating}}
}

// secretKind is something that is shown to prove who somebody is.
type secretKind struct {
	// show gives a request with a value, right or a guess; n tells guesses apart.
	show func(w *world, right bool, n int) (err error)
	// heard tells that a right one passes whatever its source did before: nobody
	// can guess it.
	heard bool
}

func guessed(right bool, value, guess string) secret.Value {
	if right {
		return secret.New(value)
	}
	return secret.New(guess)
}

func secretKinds(w *world) map[string]secretKind {
	login := w.get(byPassword())
	lent := w.delegated(w.get(byKey(ownerKey, bx)).RefreshToken, "3600")
	code, err := w.Passcode(w.t.Context(), &token.Request{RefreshToken: secret.New(login.RefreshToken), Client: bx, Address: here})
	w.must(err)
	ask := func(r token.Request) error { _, err := w.ask(r); return err }
	return map[string]secretKind{
		"password": {show: func(w *world, right bool, n int) error {
			r := byPassword()
			r.Password, r.Address = guessed(right, password, "a guess"), netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})
			_, err := w.Issue(context.Background(), &r) // from everywhere
			return err
		}},
		"password on the page": {show: func(w *world, right bool, _ int) error {
			_, err := w.PasscodeFor(context.Background(), strings.ToUpper(email), guessed(right, password, "a guess"), here)
			return err
		}},
		"passcode": {show: func(_ *world, right bool, _ int) error {
			return ask(token.Request{GrantType: token.GrantPasscode, Passcode: guessed(right, code.Reveal(), "a guess"), Account: apitest.Account,
				Client: bx})
		}},
		"secret of a client": {show: func(_ *world, right bool, _ int) error {
			return ask(byKey(ownerKey, oauth.Credentials{Given: true, ID: "portal", Secret: guessed(right, "of the operator", "a guess")}))
		}},
		"API key": {heard: true, show: func(_ *world, right bool, _ int) error {
			r := byKey(ownerKey, oauth.Credentials{})
			r.APIKey = guessed(right, ownerKey, "a guess")
			return ask(r)
		}},
		"refresh token": {heard: true, show: func(_ *world, right bool, _ int) error {
			r := byRefresh("")
			r.RefreshToken = guessed(right, lent.RefreshToken, "a guess")
			return ask(r)
		}},
		"delegated refresh token": {heard: true, show: func(_ *world, right bool, _ int) error {
			r := byDelegation("")
			r.RefreshToken = guessed(right, lent.DelegatedRefreshToken, "a guess")
			return ask(r)
		}},
	}
}

// TestOfManyGuessesAtOnceNoMoreThanTheLimitAreJudged, whatever is guessed at.
func TestOfManyGuessesAtOnceNoMoreThanTheLimitAreJudged(t *testing.T) {
	const many = 150
	for name := range secretKinds(newWorld(t, tight)) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tight)
			kind := secretKinds(w)[name]
			var mu sync.Mutex
			got := map[string]int{}
			var all sync.WaitGroup
			for n := range many {
				all.Go(func() {
					err := kind.show(w, false, n)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case isRefusal(err):
						got["judged"]++
					case errors.Is(err, fault.RateLimited):
						got["refused"]++
					default:
						t.Errorf("a guess: %v", err)
					}
				})
			}
			all.Wait()
			if got["judged"] != burst || got["refused"] != many-burst {
				t.Errorf("%v, want %d judged", got, burst)
			}
			if err := kind.show(w, true, many); kind.heard && err != nil || !kind.heard && !errors.Is(err, fault.RateLimited) {
				t.Errorf("the right one afterwards: %v", err)
			}
		})
	}
}

// TestRightPasswordsAtOnceAreAllHeard: more than the limit would be judged.
func TestRightPasswordsAtOnceAreAllHeard(t *testing.T) {
	w := newWorld(t, tight)
	var all sync.WaitGroup
	for range 4 * burst {
		all.Go(func() {
			if _, err := w.ask(byPassword()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestAnOldHashIsRenewedByALogin(t *testing.T) {
	w := newWorld(t, func(c *apitest.TokenConfig) { c.Cost = secret.Cost{MemoryKiB: 5 * 1024, Passes: 1} })
	stored := func() string {
		login, err := account.Logins.Get(t.Context(), w.server.DB.Direct(), store.System, apitest.Owner)
		w.must(err)
		return login.PasswordHash
	}
	old := stored()
	guess := byPassword()
	guess.Password = secret.New("a guess")
	if _, err := w.ask(guess); err == nil || stored() != old {
		t.Errorf("a guess: %v, renewed %v", err, stored() != old)
	}
	w.get(byPassword())
	renewed := stored()
	if !strings.HasPrefix(renewed, "$argon2id$v=19$m=5120,t=1,p=1$") {
		t.Errorf("after a login: %s", renewed)
	}
	if w.get(byPassword()); stored() != renewed {
		t.Error("it is renewed at every login")
	}
}

func TestALoginWhoseHashCannotBeRenewedSucceeds(t *testing.T) {
	w := newWorld(t, func(c *apitest.TokenConfig) { c.Cost = secret.Cost{MemoryKiB: 5 * 1024, Passes: 1} })
	w.server.Meanwhile(func() { // somebody gives another password
		w.server.Update(func(ctx context.Context, tx store.Tx) error {
			return w.server.Accounts.SetLoginIn(ctx, tx, account.NewLogin{IAMID: apitest.Owner, Email: email, PasswordHash: "another"})
		})
	})
	w.get(byPassword())
	login, err := account.Logins.Get(t.Context(), w.server.DB.Direct(), store.System, apitest.Owner)
	if err != nil || login.PasswordHash != "another" {
		t.Errorf("%+v, %v", login, err)
	}
}
