package signing_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

// start is the time at which the tests' stories begin.
var start = time.Date(2026, 11, 22, 2, 40, 0, 0, time.UTC)

// rsaKey is one RSA key for all tests: making one takes a tenth of a second.
var rsaKey = sync.OnceValue(func() *signing.Key { return mustKey(signing.RS256, "202611220240") })

// ecKey is derived from a fixed number, so that all processes of a fuzz run
// have the same key.
var ecKey = sync.OnceValue(func() *signing.Key {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), ecScalar())
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	key, err := signing.ParseKey("202611220241", der)
	if err != nil {
		panic(err)
	}
	return key
})

// ecScalar is the private number of ecKey: 1, 2, … 32.
func ecScalar() []byte {
	scalar := make([]byte, 32)
	for i := range scalar {
		scalar[i] = byte(i + 1)
	}
	return scalar
}

func mustKey(alg signing.Algorithm, id string) *signing.Key {
	key, err := signing.GenerateKey(alg, 0, id)
	if err != nil {
		panic(err)
	}
	return key
}

// engines are those that this machine has.
func engines() []signing.Engine {
	if signing.EngineOpenSSL.Check() != nil {
		return []signing.Engine{signing.EngineGo}
	}
	return []signing.Engine{signing.EngineGo, signing.EngineOpenSSL}
}

func newSigner(t testing.TB, key *signing.Key, engine signing.Engine) signing.Signer {
	t.Helper()
	signer, err := signing.NewSigner(key, engine)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func newMinter(t testing.TB, key *signing.Key, engine signing.Engine) *signing.Minter {
	t.Helper()
	minter, err := signing.NewMinter(key.ID, newSigner(t, key, engine), nil)
	if err != nil {
		t.Fatal(err)
	}
	return minter
}

func mint(t testing.TB, key *signing.Key, claims string) string {
	t.Helper()
	token, err := newMinter(t, key, signing.EngineGo).Compact(t.Context(), []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
