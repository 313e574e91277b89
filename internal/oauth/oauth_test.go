package oauth_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/throttle"
)

var (
	here  = netip.MustParseAddr("203.0.113.9")
	there = netip.MustParseAddr("203.0.113.10")
)

func words(id, password string) oauth.Credentials {
	return oauth.Credentials{Given: true, ID: id, Secret: secret.New(password)}
}

func clients(t *testing.T, now *time.Time, configured ...oauth.Client) *oauth.Clients {
	t.Helper()
	cs, err := oauth.New(oauth.Config{Clients: configured, Throttle: throttle.New(func() time.Time { return *now }),
		Limit: throttle.Limit{Burst: 2, Every: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

func TestClientsThatOfficialToolsBringAlong(t *testing.T) {
	cs := clients(t, new(time.Time))
	for id, interactive := range map[string]bool{"bx": true, "kube": false, "ce": false} {
		c, err := cs.Authenticate(t.Context(), words(id, id), here)
		if err != nil || c.ID != id || c.Interactive != interactive || c.Refresh != oauth.RefreshRotating {
			t.Errorf("%s: %+v, %v", id, c, err)
		}
	}
	if c, err := cs.Authenticate(t.Context(), oauth.Credentials{}, here); c != oauth.Nobody || err != nil {
		t.Errorf("without a client: %+v, %v", c, err)
	}
	for _, c := range []oauth.Credentials{words("bx", "kube"), words("nobody", "nobody"), words("", ""), words(oauth.DefaultClientID, "")} {
		if _, err := clients(t, new(time.Time)).Authenticate(t.Context(), c, here); !errors.Is(err, fault.Unauthenticated) ||
			fault.Of(err).Number != "BXNIM0310E" {
			t.Errorf("%s: %v", c.ID, err)
		}
	}
}

func TestAConfiguredClientTakesThePlaceOfABuiltInOne(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	cs := clients(t, &now, oauth.Client{ID: "bx", Secret: secret.New("of the operator")})
	if _, err := cs.Authenticate(t.Context(), words("bx", "bx"), here); err == nil {
		t.Error("the secret that everybody knows still works")
	}
	c, err := cs.Authenticate(t.Context(), words("bx", "of the operator"), here)
	if err != nil || c.Interactive || c.Refresh != oauth.RefreshNone {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestGuessingASecretIsBounded(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	cs := clients(t, &now, oauth.Client{ID: "portal", Secret: secret.New("right")})
	for range 2 {
		if _, err := cs.Authenticate(t.Context(), words("portal", "wrong"), here); !errors.Is(err, fault.Unauthenticated) {
			t.Fatal(err)
		}
	}
	for _, guess := range []string{"wrong", "right"} { // the right one must not show
		if _, err := cs.Authenticate(t.Context(), words("portal", guess), here); !errors.Is(err, fault.RateLimited) {
			t.Errorf("%s after the burst: %v", guess, err)
		}
	}
	if _, err := cs.Authenticate(t.Context(), words("bx", "bx"), here); err != nil {
		t.Errorf("a client about which nothing is to be guessed: %v", err)
	}
	if _, err := cs.Authenticate(t.Context(), words("portal", "right"), there); err != nil {
		t.Errorf("another source: %v", err)
	}
	now = now.Add(time.Minute)
	if _, err := cs.Authenticate(t.Context(), words("portal", "right"), here); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

func TestClientsThatAreNotWholeAreRefused(t *testing.T) {
	good := oauth.Client{ID: "portal", Secret: secret.New("x")}
	for name, configured := range map[string][]oauth.Client{
		"no id": {{Secret: secret.New("x")}}, "no secret": {{ID: "portal"}},
		"the id of nobody": {{ID: oauth.DefaultClientID, Secret: secret.New("x")}},
		"twice":            {good, good}, "an unknown kind": {{ID: "portal", Secret: secret.New("x"), Refresh: "eternal"}},
	} {
		if _, err := oauth.New(oauth.Config{Clients: configured, Throttle: throttle.New(time.Now)}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
