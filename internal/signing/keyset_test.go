package signing_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kagiban/kagiban/internal/signing"
)

func TestJWKSHasTheMembersThatVerifiersRead(t *testing.T) {
	document, err := signing.RenderJWKS([]*signing.PublicKey{rsaKey().Public(), ecKey().Public()})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Keys []map[string]string }
	if err := json.Unmarshal(document, &got); err != nil {
		t.Fatal(err)
	}
	n := got.Keys[0]["n"]
	x, y := got.Keys[1]["x"], got.Keys[1]["y"]
	want := []map[string]string{
		{"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": rsaKey().ID, "use": "sig"},
		{"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES256", "kid": ecKey().ID, "use": "sig"},
	}
	if diff := cmp.Diff(want, got.Keys); diff != "" {
		t.Errorf("keys differ (-want +got):\n%s", diff)
	}
	if len(n) != 342 || len(x) != 43 || len(y) != 43 {
		t.Errorf("n has %d, x %d, y %d characters", len(n), len(x), len(y))
	}
	set, err := signing.ParseJWKS(document)
	if err != nil || set.Len() != 2 {
		t.Fatalf("reading back: %v", err)
	}
	for _, key := range []*signing.Key{rsaKey(), ecKey()} {
		if public := set.PublicKey(key.ID); public == nil || !public.Equal(key.Public()) {
			t.Errorf("%s comes back as %v", key, public)
		}
	}
	if set.PublicKey("other") != nil {
		t.Error("an unknown kid has a key")
	}
	if empty, err := signing.RenderJWKS(nil); err != nil || string(empty) != `{"keys":[]}` {
		t.Errorf("no keys render as %s, %v", empty, err)
	}
}

func TestForeignJWKSDocuments(t *testing.T) {
	jwk, err := ecKey().Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	good := string(jwk)
	edit := func(old, new string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("%s has no %s", good, old)
		}
		return strings.Replace(good, old, new, 1)
	}
	tests := []struct {
		name, document string
		keys           int
	}{
		{"one key", `{"keys":[` + good + `]}`, 1},
		{"without use and alg", `{"keys":[` + strings.Replace(edit(`"use":"sig",`, ``), `"alg":"ES256",`, ``, 1) + `]}`, 1},
		{"beside an encryption key", `{"keys":[` + edit(`"use":"sig"`, `"use":"enc"`) + `,` + good + `]}`, 1},
		{"beside an unknown type", `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"o"},` + good + `]}`, 1},
		{"beside a symmetric key", `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"s","alg":"HS256"},` + good + `]}`, 1},
		{"beside a small RSA key", `{"keys":[{"kty":"RSA","n":"` + strings.Repeat("A", 171) + `","e":"AQAB","kid":"r"},` + good + `]}`, 1},
		{"beside a key without kid", `{"keys":[` + edit(`"kid":"`+ecKey().ID+`",`, ``) + `,` + good + `]}`, 1},
		{"beside another algorithm", `{"keys":[` + edit(`"alg":"ES256"`, `"alg":"ES384"`) + `,` + good + `]}`, 1},
		{"beside a word", `{"keys":["key",` + good + `]}`, 1},
		{"same kid twice", `{"keys":[` + good + `,` + good + `]}`, 0},
		{"point off the curve", `{"keys":[` + edit(`"x":"`, `"x":"AAAA`) + `]}`, 0},
		{"symmetric key only", `{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"s"}]}`, 0},
		{"no keys", `{"keys":[]}`, 0},
		{"not a set", good, 0},
		{"array", `[` + good + `]`, 0},
		{"HTML", `<html>`, 0},
		{"empty", ``, 0},
		{"too many", `{"keys":[` + strings.Repeat(good+",", 100) + good + `]}`, 0},
		{"too long", `{"keys":[` + good + `],"pad":"` + strings.Repeat("x", 256<<10) + `"}`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := signing.ParseJWKS([]byte(tt.document))
			if tt.keys == 0 {
				if !errors.Is(err, signing.ErrKey) || set != nil {
					t.Errorf("got %v, %v; want ErrKey", set, err)
				}
				return
			}
			if err != nil || set.Len() != tt.keys || set.PublicKey(ecKey().ID) == nil {
				t.Errorf("got %v, %v; want %d keys", set, err, tt.keys)
			}
		})
	}
}

func FuzzParseJWKS(f *testing.F) {
	document, err := signing.RenderJWKS([]*signing.PublicKey{ecKey().Public()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB","kid":"r"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		set, err := signing.ParseJWKS(document)
		if (err == nil) != (set != nil) || err == nil && set.Len() == 0 {
			t.Errorf("got %v, %v", set, err)
		}
	})
}
