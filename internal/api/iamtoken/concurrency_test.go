package iamtoken_test

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/token"
)

// A change that has been made durable must be seen by the next exchange, also
// when others exchange the key all the time and keep its state in memory.
func TestDisabledKeyIsRefusedFromTheMomentOfTheChange(t *testing.T) {
	w := newWorld(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = w.exchange(userKey) // either answer is right at some moment
				}
			}
		})
	}
	for i := range 100 {
		disabled := i%2 == 0
		w.changeKey("ApiKey-1", func(k *identity.APIKey) { k.Disabled = disabled })
		if _, err := w.exchange(userKey); (err != nil) != disabled {
			t.Errorf("change %d: disabled %v, exchange gives %v", i, disabled, err)
			break
		}
	}
	close(stop)
	wg.Wait()
}

func (w *world) exchange(key string) (*token.Response, error) {
	return w.tokens.Issue(context.Background(), &token.Request{GrantType: token.GrantAPIKey, APIKey: secret.New(key),
		Address: netip.MustParseAddr("203.0.113.9")})
}

func TestOnePasscodeIsRedeemedOnceByManyAtATime(t *testing.T) {
	w := newWorld(t)
	w.setPassword()
	code, err := w.tokens.PasscodeFor(context.Background(), email, secret.New(password), netip.MustParseAddr("203.0.113.9"))
	if err != nil {
		t.Fatal(err)
	}
	const attempts = 8
	results := make(chan error, attempts)
	for range attempts {
		go func() {
			_, err := w.tokens.Issue(context.Background(), &token.Request{GrantType: token.GrantPasscode, Passcode: code,
				Client: oauth.Credentials{Given: true, ID: "bx", Secret: secret.New("bx")}, Address: netip.MustParseAddr("203.0.113.9")})
			results <- err
		}()
	}
	good := 0
	for range attempts {
		if <-results == nil {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d logins with one passcode", good)
	}
}

func TestLeakedKeyMeetsWhatItsOwnerChose(t *testing.T) {
	tests := []struct {
		choice, done string
		status       int
		code         string
	}{
		{"none", "none", 200, ""},
		{"disable", "disable", 400, "BXNIM0462E"},
		{"delete", "delete", 400, "BXNIM0415E"},
	}
	for _, tt := range tests {
		t.Run(tt.choice, func(t *testing.T) {
			w := newWorld(t)
			w.addKey("ApiKey-l", acctA, userIAM, "leaked", func(k *identity.APIKey) { k.ActionWhenLeaked, k.Locked = tt.choice, true })
			w.mustToken(apikey("leaked"))
			key, done, err := w.server.Identity.LeakedKey(context.Background(), secret.New("leaked"))
			if err != nil || key.ID != "ApiKey-l" || done != tt.done {
				t.Errorf("%+v, %s, %v", key, done, err)
			}
			w.wants(w.token(apikey("leaked")), tt.status, tt.code)
			if _, _, err := w.server.Identity.LeakedKey(context.Background(), secret.New("no key")); err == nil {
				t.Error("an unknown value is a key")
			}
			events, err := w.server.DB.Events(context.Background(), acctA, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{"none": "iam-identity.user-apikey.update", "disable": "iam-identity.user-apikey.update",
				"delete": "iam-identity.user-apikey.delete"}[tt.choice]
			if last := events[len(events)-1]; last.Action != want || last.Target != "ApiKey-l" ||
				!strings.HasSuffix(last.Message, "found in public") {
				t.Errorf("last event %s of %s, want %s", last.Action, last.Target, want)
			}
		})
	}
}
