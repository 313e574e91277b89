package signing_test

import (
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"
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
	var read jose.JSONWebKeySet
	if err := json.Unmarshal(document, &read); err != nil {
		t.Fatal(err)
	}
	for _, key := range []*signing.Key{rsaKey(), ecKey()} {
		found := read.Key(key.ID)
		if len(found) != 1 {
			t.Fatalf("go-jose finds %d keys of the kid of %s", len(found), key)
		}
		if public, err := signing.NewPublicKey(key.ID, found[0].Key); err != nil || !public.Equal(key.Public()) {
			t.Errorf("%s comes back as %v, %v", key, public, err)
		}
	}
	if empty, err := signing.RenderJWKS(nil); err != nil || string(empty) != `{"keys":[]}` {
		t.Errorf("no keys render as %s, %v", empty, err)
	}
}
