package signing_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

func TestKeyIDIsTheMinuteOfCreation(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 40, 59, 0, time.FixedZone("CET", 3600))
	if id := signing.NewKeyID(now, nil); id != "202611220240" {
		t.Errorf("kid is %s", id)
	}
	taken := map[string]bool{"202611220240": true, "202611220240-2": true}
	if id := signing.NewKeyID(now, func(kid string) bool { return taken[kid] }); id != "202611220240-3" {
		t.Errorf("third kid of the minute is %s", id)
	}
}

func TestKeysSurviveTheirStoredForm(t *testing.T) {
	for _, key := range []*signing.Key{rsaKey(), ecKey()} {
		der, err := key.MarshalPKCS8()
		if err != nil {
			t.Fatal(err)
		}
		again, err := signing.ParseKey(key.ID, der)
		if err != nil || again.Algorithm != key.Algorithm || !again.Public().Equal(key.Public()) {
			t.Errorf("%s comes back as %v, %v", key, again, err)
		}
		pkix, err := key.Public().MarshalPKIX()
		if err != nil {
			t.Fatal(err)
		}
		public, err := signing.ParsePublicKey(key.ID, pkix)
		if err != nil || !public.Equal(key.Public()) {
			t.Errorf("public half of %s: %v", key, err)
		}
		if other, err := signing.ParsePublicKey("other", pkix); err != nil || other.Equal(key.Public()) {
			t.Errorf("keys with different kids are equal (%v)", err)
		}
	}
	if rsaKey().Public().Equal(mustKey(signing.RS256, rsaKey().ID).Public()) {
		t.Error("two generated keys are equal")
	}
}

func TestUnacceptableKeysAreRefused(t *testing.T) {
	pkcs8 := func(key any, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	good, _ := rsaKey().MarshalPKCS8()
	for name, der := range map[string][]byte{
		"RSA-1024":      pkcs8(rsa.GenerateKey(rand.Reader, 1024)),
		"P-384":         pkcs8(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"Ed25519":       pkcs8(ed, err),
		"empty":         {},
		"trailing byte": append(bytes.Clone(good), 0),
		"cut off":       good[:len(good)-1],
		"damaged":       bytes.Replace(good, good[len(good)/2:len(good)/2+4], []byte{0, 0, 0, 0}, 1),
		"too long":      make([]byte, 9<<10),
	} {
		if key, err := signing.ParseKey("k", der); !errors.Is(err, signing.ErrKey) || key != nil {
			t.Errorf("%s: got %v, %v; want ErrKey", name, key, err)
		}
	}
	small := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 3}
	for name, key := range map[string]any{
		"exponent 3": small, "no modulus": &rsa.PublicKey{E: 65537}, "a byte string": []byte("secret"), "nothing": nil,
		"odd size": &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2100), E: 65537},
	} {
		if _, err := signing.NewPublicKey("k", key); !errors.Is(err, signing.ErrKey) {
			t.Errorf("public key with %s: %v", name, err)
		}
	}
	for _, bits := range []int{512, 1024, 2047, 2560, 16384} {
		if _, err := signing.GenerateKey(signing.RS256, bits, "k"); !errors.Is(err, signing.ErrKey) {
			t.Errorf("RSA-%d is generated: %v", bits, err)
		}
	}
	for _, alg := range []signing.Algorithm{"", "none", "HS256", "RS512"} {
		if _, err := signing.GenerateKey(alg, 0, "k"); !errors.Is(err, signing.ErrAlgorithm) {
			t.Errorf("a key for %q is generated: %v", alg, err)
		}
	}
	for _, id := range []string{"", `a"b`, `a\b`, "a b", "a\n", "é", strings.Repeat("k", 129)} {
		if _, err := signing.GenerateKey(signing.ES256, 0, id); !errors.Is(err, signing.ErrKey) {
			t.Errorf("kid %q is accepted: %v", id, err)
		}
	}
}

func TestPrintingAKeyShowsNoKeyMaterial(t *testing.T) {
	key := ecKey()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("rotated", "key", key, "inside", struct{ K *signing.Key }{key})
	scalar := new(big.Int).SetBytes(ecScalar())
	out := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		out += fmt.Sprintf(verb, key) + fmt.Sprintf(verb, *key)
	}
	for _, leak := range []string{scalar.String(), fmt.Sprintf("%x", scalar.Bytes()), fmt.Sprint(scalar.Bytes())[1:40]} {
		if strings.Contains(out, leak) {
			t.Errorf("the private number is printed: %s", out)
		}
	}
	if !strings.Contains(log.String(), key.ID) {
		t.Errorf("the log does not name the key: %s", log.String())
	}
}

func TestAlgorithmNames(t *testing.T) {
	for _, name := range []string{"RS256", "ES256"} {
		if alg, err := signing.ParseAlgorithm(name); err != nil || string(alg) != name {
			t.Errorf("%s: %v, %v", name, alg, err)
		}
	}
	for _, name := range []string{"", "none", "rs256", "HS256", "PS256"} {
		if _, err := signing.ParseAlgorithm(name); !errors.Is(err, signing.ErrAlgorithm) {
			t.Errorf("%q is accepted", name)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	der, err := ecKey().MarshalPKCS8()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	pkix, err := ecKey().Public().MarshalPKIX()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pkix)
	f.Fuzz(func(t *testing.T, der []byte) {
		if key, err := signing.ParseKey("k", der); err == nil {
			signer := newSigner(t, key, signing.EngineGo)
			if _, err := signer.Sign(make([]byte, 32)); err != nil {
				t.Errorf("an accepted key does not sign: %v", err)
			}
		} else if !errors.Is(err, signing.ErrKey) {
			t.Errorf("error %v does not wrap ErrKey", err)
		}
		if public, err := signing.ParsePublicKey("k", der); err == nil {
			if _, err := public.JWK(); err != nil {
				t.Errorf("an accepted public key has no JWK: %v", err)
			}
		}
	})
}
