package iamtoken_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/signing"
)

// forge signs claims with a key that the server does not know, under a kid of
// the forger's choice.
func forge(t *testing.T, kid string, claims []byte) string {
	t.Helper()
	key, err := signing.GenerateKey(signing.ES256, 0, kid)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signing.NewSigner(key, signing.EngineGo)
	if err != nil {
		t.Fatal(err)
	}
	m, err := signing.NewMinter(kid, signer, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.Compact(context.Background(), claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// parts takes a token apart: decoded header and claims.
func parts(t *testing.T, text string) (head, claims []byte, signature string) {
	t.Helper()
	p := strings.Split(text, ".")
	head, err := base64.RawURLEncoding.DecodeString(p[0])
	if err != nil {
		t.Fatal(err)
	}
	if claims, err = base64.RawURLEncoding.DecodeString(p[1]); err != nil {
		t.Fatal(err)
	}
	return head, claims, p[2]
}

func TestForgedTokensAreRefusedEverywhere(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	good := w.mustToken(apikey(userKey)).text("access_token")
	head, claims, signature := parts(t, good)
	var h struct{ Kid string }
	if err := json.Unmarshal(head, &h); err != nil {
		t.Fatal(err)
	}
	swapped := []byte(strings.Replace(string(claims), acctA, acctB, 1))
	forged := map[string]string{
		"empty":                       "",
		"one word":                    "token",
		"three dots":                  "a.b.c.d",
		"alg none, no signature":      encode([]byte(`{"alg":"none"}`)) + "." + encode(claims) + ".",
		"alg none, kid, signature":    encode([]byte(`{"kid":"`+h.Kid+`","alg":"none"}`)) + "." + encode(claims) + "." + signature,
		"alg None":                    encode([]byte(`{"kid":"`+h.Kid+`","alg":"None"}`)) + "." + encode(claims) + "." + signature,
		"HMAC with the public kid":    encode([]byte(`{"kid":"`+h.Kid+`","alg":"HS256"}`)) + "." + encode(claims) + "." + signature,
		"RS256 for an ES256 key":      encode([]byte(`{"kid":"`+h.Kid+`","alg":"RS256"}`)) + "." + encode(claims) + "." + signature,
		"other claims, old signature": encode(head) + "." + encode(swapped) + "." + signature,
		"other key under our kid":     forge(t, h.Kid, claims),
		"unknown kid":                 forge(t, "202001010000", claims),
		"zero signature":              encode(head) + "." + encode(claims) + "." + encode(make([]byte, 64)),
		"padded":                      good + "=",
		"own key in the header":       encode([]byte(`{"kid":"`+h.Kid+`","alg":"ES256","jwk":{}}`)) + "." + encode(claims) + "." + signature,
		"far too long":                strings.Repeat("a", 20000),
	}
	for name, text := range forged {
		t.Run(name, func(t *testing.T) {
			who := w.send(http.MethodGet, "/whoami", "", bearer(text))
			if who.status != http.StatusUnauthorized || !strings.Contains(who.raw, `"code":"invalid_access_token"`) {
				t.Errorf("as a bearer: %d %s", who.status, who.raw)
			}
			if a := w.send(http.MethodPost, "/identity/introspect", pairs("token", text), bx); text != "" &&
				strings.TrimSpace(a.raw) != `{"active":false}` {
				t.Errorf("introspection: %s", a.raw)
			}
			if a := w.token(assume(text, "profile_id", profileB)); a.status != http.StatusBadRequest {
				t.Errorf("assume: %d %s", a.status, a.raw)
			}
		})
	}
	if who := w.send(http.MethodGet, "/whoami", "", bearer(good)); who.status != http.StatusOK {
		t.Errorf("the good one: %s", who.raw)
	}
}

func TestTokenOfAnotherIssuerIsRefused(t *testing.T) {
	w := newWorld(t)
	// Signed by our own ring, with another iss: two services over one store.
	other := w.second("https://elsewhere.example/identity")
	foreign := other.mustToken(apikey(userKey)).text("access_token")
	who := w.send(http.MethodGet, "/whoami", "", bearer(foreign))
	if who.status != http.StatusUnauthorized || !strings.Contains(who.raw, "issued by somebody else") {
		t.Errorf("%d %s", who.status, who.raw)
	}
	if who := other.send(http.MethodGet, "/whoami", "", bearer(foreign)); who.status != http.StatusOK {
		t.Errorf("at its own issuer: %d %s", who.status, who.raw)
	}
}

func TestTokensEndWithTheirTimeAndTheirSubject(t *testing.T) {
	tests := []struct {
		name, key string
		change    func(*world)
		status    int
	}{
		{"nothing happened", userKey, func(*world) {}, 200},
		{"just expired, within the leeway", userKey, func(w *world) { w.server.Pass(time.Hour + 4*time.Second) }, 200},
		{"expired", userKey, func(w *world) { w.server.Pass(time.Hour + 5*time.Second) }, 401},
		{"issued in the future", userKey, func(w *world) { w.server.Pass(-6 * time.Second) }, 401},
		{"key deleted", userKey, func(w *world) { w.deleteKey("ApiKey-1") }, 200},
		{"key disabled", svcKey, func(w *world) { w.changeKey("ApiKey-2", func(k *identity.APIKey) { k.Disabled = true }) }, 200},
		{"service ID deleted", svcKey, func(w *world) { w.deleteServiceID() }, 401},
		{"user disabled", userKey, func(w *world) { w.changeUser(acctA, func(u *account.User) { u.State = "DISABLED" }) }, 401},
		{"user disabled elsewhere", userKey, func(w *world) { w.changeUser(acctB, func(u *account.User) { u.State = "DISABLED" }) }, 200},
		{"account suspended", userKey, func(w *world) { w.changeAccount(acctA, func(a *account.Account) { a.State = account.Suspended }) }, 401},
		{"signing key revoked", userKey, func(w *world) { w.revokeKey() }, 401},
		{"signing key rotated", userKey, func(w *world) { w.rotateKeys() }, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			access := w.mustToken(apikey(tt.key)).text("access_token")
			for range 2 { // the second time from memory
				if who := w.send(http.MethodGet, "/whoami", "", bearer(access)); who.status != http.StatusOK {
					t.Fatalf("fresh token: %s", who.raw)
				}
			}
			tt.change(w)
			for range 2 {
				if who := w.send(http.MethodGet, "/whoami", "", bearer(access)); who.status != tt.status {
					t.Errorf("%d %s, want %d", who.status, who.raw, tt.status)
				}
			}
		})
	}
}

func TestRotatedKeysStayPublishedUntilTheirTokensHaveExpired(t *testing.T) {
	w := newWorld(t)
	kid := func() string {
		head, _, _ := parts(t, w.mustToken(apikey(userKey)).text("access_token"))
		var h struct{ Kid string }
		if err := json.Unmarshal(head, &h); err != nil {
			t.Fatal(err)
		}
		return h.Kid
	}
	published := func(kid string) bool {
		return strings.Contains(w.send(http.MethodGet, "/identity/keys", "").raw, `"`+kid+`"`)
	}
	maintain := func() {
		t.Helper()
		if err := w.tokens.Keys.Maintain(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	first := kid()
	maintain()
	w.server.Pass(31 * 24 * time.Hour)
	maintain()
	second := kid()
	if second == first {
		t.Fatal("the key was not changed by age")
	}
	if !published(first) || !published(second) {
		t.Error("old and new key must be published")
	}
	w.server.Pass(2 * time.Hour)
	maintain()
	if published(first) {
		t.Error("the old key is published longer than its tokens live")
	}
}

func TestOtherNodesFollowARotation(t *testing.T) {
	w := newWorld(t)
	other := w.second(issuer)
	w.rotateKeys()
	access := w.mustToken(apikey(userKey)).text("access_token")
	if who := other.send(http.MethodGet, "/whoami", "", bearer(access)); who.status != http.StatusOK {
		t.Errorf("the other node does not know the new key: %s", who.raw)
	}
	if a, b := w.send(http.MethodGet, "/identity/keys", ""), other.send(http.MethodGet, "/identity/keys", ""); a.raw != b.raw {
		t.Errorf("keys differ: %s, %s", a.raw, b.raw)
	}
	other.rotateKeys()
	w.rotateKeys()
	if a, b := w.send(http.MethodGet, "/identity/keys", ""), other.send(http.MethodGet, "/identity/keys", ""); a.raw != b.raw {
		t.Errorf("keys differ after both rotated: %s, %s", a.raw, b.raw)
	}
}

func TestKeysOutliveAReset(t *testing.T) {
	w := newWorld(t)
	before := w.send(http.MethodGet, "/identity/keys", "").raw
	if err := w.server.DB.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.wants(w.token(apikey(userKey)), 400, "BXNIM0415E")
	w.server.NewAccount(acctA, apitest.Owner)
	w.server.NewAccount(acctB, apitest.OtherOwner)
	w.seed()
	access := w.mustToken(apikey(userKey)).text("access_token")
	if who := w.send(http.MethodGet, "/whoami", "", bearer(access)); who.status != http.StatusOK {
		t.Errorf("after the reset: %s", who.raw)
	}
	after := w.second(issuer).send(http.MethodGet, "/identity/keys", "").raw
	if key := strings.TrimSuffix(before, "]}"); !strings.HasPrefix(after, key) {
		t.Errorf("keys after the reset %s, before %s", after, before)
	}
}

func FuzzBearer(f *testing.F) {
	w := newWorld(f)
	good := w.mustToken(apikey(userKey)).text("access_token")
	for _, seed := range []string{"", "a.b.c", good, good[:len(good)-1], strings.Replace(good, ".", "..", 1), "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := w.tokens.Authenticate(context.Background(), text, netip.Addr{})
		if (err == nil) != (text == good) {
			t.Fatalf("%q: %+v, %v", text, p, err)
		}
	})
}
