package signing_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

// eachBenchSigner runs a benchmark with every kind of key on every engine.
func eachBenchSigner(b *testing.B, bench func(b *testing.B, signer signing.Signer)) {
	for _, kind := range []struct {
		name string
		alg  signing.Algorithm
		bits int
	}{
		{"RS256-2048", signing.RS256, 2048},
		{"RS256-3072", signing.RS256, 3072},
		{"RS256-4096", signing.RS256, 4096},
		{"ES256", signing.ES256, 0},
	} {
		key, err := signing.GenerateKey(kind.alg, kind.bits, "bench")
		if err != nil {
			b.Fatal(err)
		}
		for _, engine := range engines() {
			signer := newSigner(b, key, engine)
			b.Run(fmt.Sprintf("%s/%s", kind.name, engine), func(b *testing.B) {
				b.ReportAllocs()
				bench(b, signer)
			})
		}
	}
}

func BenchmarkSign(b *testing.B) {
	digest := sha256.Sum256([]byte("token"))
	eachBenchSigner(b, func(b *testing.B, signer signing.Signer) {
		for b.Loop() {
			if _, err := signer.Sign(digest[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSignParallel(b *testing.B) {
	digest := sha256.Sum256([]byte("token"))
	eachBenchSigner(b, func(b *testing.B, signer signing.Signer) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := signer.Sign(digest[:]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// benchClaims have the size of a service ID's claims with two CRNs.
func benchClaims() []byte {
	claims := claimsAt(start)
	return []byte(claims[:len(claims)-1] + `,"pad":"` + strings.Repeat("c", 1170-len(claims)-9) + `"}`)
}

// nullSigner shows what a token costs without its signature.
type nullSigner struct{ signing.Signer }

func (nullSigner) Sign([]byte) ([]byte, error) { return nullSignature, nil }

var nullSignature = make([]byte, 256)

func BenchmarkCompact(b *testing.B) {
	claims := benchClaims()
	run := func(b *testing.B, signer signing.Signer) {
		minter, err := signing.NewMinter("202611220240", signer, signing.NewLimiter(0))
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := minter.Compact(b.Context(), claims); err != nil {
				b.Fatal(err)
			}
		}
	}
	eachBenchSigner(b, run)
	signer := nullSigner{newSigner(b, rsaKey(), signing.EngineGo)}
	b.Run("RS256-2048/no-signature", func(b *testing.B) {
		b.ReportAllocs()
		run(b, signer)
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, key := range []*signing.Key{rsaKey(), ecKey()} {
		token := mint(b, key, string(benchClaims()))
		for name, cache := range map[string]int{"cached": 1000, "uncached": 0} {
			b.Run(string(key.Algorithm)+"/"+name, func(b *testing.B) {
				v := signing.NewVerifier(signing.VerifierOptions[json.RawMessage]{
					Keys: setOf(key), Issuers: []string{issuer}, CacheSize: cache,
					Now: func() time.Time { return start }, Decode: payload,
				})
				b.ReportAllocs()
				for b.Loop() {
					if _, err := v.Verify(token); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
