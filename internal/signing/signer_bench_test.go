package signing_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

// benchKeys are the keys that the benchmarks sign with.
var benchKeys = []struct {
	name string
	alg  signing.Algorithm
	bits int
}{
	{"RS256-2048", signing.RS256, 2048},
	{"RS256-3072", signing.RS256, 3072},
	{"RS256-4096", signing.RS256, 4096},
	{"ES256", signing.ES256, 0},
}

func benchSigner(b *testing.B, alg signing.Algorithm, bits int, engine signing.Engine) signing.Signer {
	b.Helper()
	key, err := signing.GenerateKey(alg, bits, "bench", time.Unix(0, 0))
	if err != nil {
		b.Fatal(err)
	}
	signer, err := signing.NewSigner(key, engine)
	if errors.Is(err, signing.ErrNoOpenSSL) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	return signer
}

func BenchmarkSign(b *testing.B) {
	digest := sha256.Sum256([]byte("token"))
	for _, key := range benchKeys {
		for _, engine := range []signing.Engine{signing.EngineGo, signing.EngineOpenSSL} {
			b.Run(fmt.Sprintf("%s/%s", key.name, engine), func(b *testing.B) {
				signer := benchSigner(b, key.alg, key.bits, engine)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := signer.Sign(digest[:]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkSignParallel(b *testing.B) {
	digest := sha256.Sum256([]byte("token"))
	for _, key := range benchKeys {
		for _, engine := range []signing.Engine{signing.EngineGo, signing.EngineOpenSSL} {
			b.Run(fmt.Sprintf("%s/%s", key.name, engine), func(b *testing.B) {
				signer := benchSigner(b, key.alg, key.bits, engine)
				b.ReportAllocs()
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
	}
}
