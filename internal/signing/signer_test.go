package signing_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/kagiban/kagiban/internal/signing"
)

// verifies judges a signature with the standard library alone.
func verifies(t testing.TB, key *signing.PublicKey, digest, sig []byte) bool {
	t.Helper()
	der, err := key.MarshalPKIX()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	switch public := parsed.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest, sig) == nil
	case *ecdsa.PublicKey:
		return len(sig) == 64 && ecdsa.Verify(public, digest, new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	}
	t.Fatalf("key of type %T", parsed)
	return false
}

// eachSigner runs a test with every kind of key on every engine.
func eachSigner(t *testing.T, test func(t *testing.T, key *signing.Key, signer signing.Signer)) {
	for _, engine := range engines() {
		for _, key := range []*signing.Key{rsaKey(), ecKey()} {
			t.Run(string(engine)+"/"+string(key.Algorithm), func(t *testing.T) {
				test(t, key, newSigner(t, key, engine))
			})
		}
	}
}

func TestSignaturesVerifyWithTheStandardLibrary(t *testing.T) {
	eachSigner(t, func(t *testing.T, key *signing.Key, signer signing.Signer) {
		if signer.Algorithm() != key.Algorithm {
			t.Errorf("signer is for %s", signer.Algorithm())
		}
		// ECDSA signatures have short numbers about once in 128 times, which must be
		// padded: enough rounds to meet some.
		rounds := map[signing.Algorithm]int{signing.RS256: 5, signing.ES256: 1500}[key.Algorithm]
		for i := range rounds {
			digest := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
			sig, err := signer.Sign(digest[:])
			if err != nil || !verifies(t, key.Public(), digest[:], sig) {
				t.Fatalf("round %d: signature of %d bytes does not verify (%v)", i, len(sig), err)
			}
			digest[0] ^= 1
			if i == 0 && verifies(t, key.Public(), digest[:], sig) {
				t.Error("the signature verifies another digest")
			}
		}
	})
}

func TestRSASignaturesAreTheSameOnAllEngines(t *testing.T) {
	digest := sha256.Sum256([]byte("token"))
	var first []byte
	for _, engine := range engines() {
		sig, err := newSigner(t, rsaKey(), engine).Sign(digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = sig
		}
		if string(sig) != string(first) {
			t.Errorf("%s signs differently", engine)
		}
	}
}

func TestLargerRSAKeysSignOnAllEngines(t *testing.T) {
	digest := sha256.Sum256([]byte("token"))
	for _, bits := range []int{3072, 4096} {
		key, err := signing.GenerateKey(signing.RS256, bits, "large")
		if err != nil {
			t.Fatal(err)
		}
		for _, engine := range engines() {
			sig, err := newSigner(t, key, engine).Sign(digest[:])
			if err != nil || len(sig) != bits/8 || !verifies(t, key.Public(), digest[:], sig) {
				t.Errorf("RSA-%d on %s: %d bytes, %v", bits, engine, len(sig), err)
			}
		}
	}
}

func TestOnlySHA256DigestsAreSigned(t *testing.T) {
	eachSigner(t, func(t *testing.T, _ *signing.Key, signer signing.Signer) {
		for _, size := range []int{0, 1, 20, 31, 33, 64, 4096} {
			if sig, err := signer.Sign(make([]byte, size)); err == nil || sig != nil {
				t.Errorf("%d bytes are signed", size)
			}
		}
		if sig, err := signer.Sign(nil); err == nil || sig != nil {
			t.Error("nil is signed")
		}
		digest := sha256.Sum256(nil)
		if _, err := signer.Sign(digest[:]); err != nil {
			t.Errorf("after refusals a good digest fails: %v", err)
		}
	})
}

func TestSignersMayBeSharedAndDroppedWhileInUse(t *testing.T) {
	digest := sha256.Sum256([]byte("token"))
	eachSigner(t, func(t *testing.T, key *signing.Key, shared signing.Signer) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 10 {
					// One signer in use by all, and one that becomes garbage as soon as
					// it has signed.
					for _, signer := range []signing.Signer{shared, newSigner(t, key, engineOf(shared))} {
						sig, err := signer.Sign(digest[:])
						if err != nil || !verifies(t, key.Public(), digest[:], sig) {
							t.Errorf("bad signature under concurrency: %v", err)
							return
						}
					}
					runtime.GC()
				}
			})
		}
		wg.Wait()
	})
}

func engineOf(signer signing.Signer) signing.Engine {
	if strings.HasPrefix(signer.Engine(), "openssl 3.") {
		return signing.EngineOpenSSL
	}
	return signing.EngineGo
}

func TestEngineChoice(t *testing.T) {
	signer := newSigner(t, ecKey(), signing.EngineGo)
	if signer.Engine() != "go" {
		t.Errorf("engine go is %q", signer.Engine())
	}
	auto := newSigner(t, ecKey(), signing.EngineAuto)
	if want := engines()[len(engines())-1]; engineOf(auto) != want {
		t.Errorf("auto takes %q where %s is to be had", auto.Engine(), want)
	}
	if _, err := signing.NewSigner(ecKey(), "boring"); err == nil {
		t.Error("an unknown engine is accepted")
	}
	for name, want := range map[string]signing.Engine{
		"": signing.EngineAuto, "auto": signing.EngineAuto, "go": signing.EngineGo, "openssl": signing.EngineOpenSSL,
	} {
		if got, err := signing.ParseEngine(name); err != nil || got != want {
			t.Errorf("ParseEngine(%q) is %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"OpenSSL", "boring", " go"} {
		if _, err := signing.ParseEngine(name); err == nil {
			t.Errorf("engine %q is accepted", name)
		}
	}
}
