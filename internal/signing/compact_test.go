package signing_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/kagiban/kagiban/internal/signing"
)

func TestTokensHaveTheFormThatOtherLibrariesVerify(t *testing.T) {
	const claims = `{"iam_id":"IBMid-550000ABCD","exp":1}`
	eachSigner(t, func(t *testing.T, key *signing.Key, signer signing.Signer) {
		minter, err := signing.NewMinter(key.ID, signer, signing.NewLimiter(1))
		if err != nil {
			t.Fatal(err)
		}
		token, err := minter.Compact(t.Context(), []byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		header, err := base64.RawURLEncoding.DecodeString(token[:strings.Index(token, ".")])
		if want := `{"kid":"` + key.ID + `","alg":"` + string(key.Algorithm) + `"}`; err != nil || string(header) != want {
			t.Errorf("header is %s (%v), want %s", header, err, want)
		}
		jwk, err := key.Public().JWK()
		if err != nil {
			t.Fatal(err)
		}
		var public jose.JSONWebKey
		if err := public.UnmarshalJSON(jwk); err != nil {
			t.Fatal(err)
		}
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		if payload, err := jws.Verify(public); err != nil || string(payload) != claims {
			t.Errorf("go-jose reads %s, %v", payload, err)
		}
		if minter.KeyID() != key.ID || minter.Signer() != signer {
			t.Error("the minter names another key or signer")
		}
	})
}

func TestTokensMadeConcurrentlyDoNotMixUp(t *testing.T) {
	minter := newMinter(t, ecKey(), signing.EngineAuto)
	verifier := payloadVerifier(setOf(ecKey()), 0)
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			claims := `{"exp":1800000000,"who":"` + strings.Repeat(string(rune('a'+worker)), 100*worker) + `"}`
			for range 50 {
				token, err := minter.Compact(t.Context(), []byte(claims))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := verifier.Verify(token); err != nil || string(got.Claims) != claims {
					t.Errorf("worker %d got another's token: %v", worker, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestTokensHaveABoundedLength(t *testing.T) {
	minter := newMinter(t, rsaKey(), signing.EngineAuto)
	fits := 0
	for _, size := range []int{1000, 11000, 11900, 11990, 12020, 12100, 12288, 13000, 100000} {
		token, err := minter.Compact(t.Context(), []byte(strings.Repeat(" ", size)))
		if len(token) > signing.MaxTokenLength || (err == nil) != (token != "") {
			t.Errorf("%d bytes of claims give a token of %d bytes, %v", size, len(token), err)
		}
		if err == nil {
			fits = size
		}
	}
	if fits < 11000 || fits > 12288 {
		t.Errorf("the longest claims that fit have %d bytes", fits)
	}
}

func TestMinterRefusesKidsThatNeedEscapes(t *testing.T) {
	for _, kid := range []string{"", `a","alg":"none`, "a\\", "a\x00"} {
		if _, err := signing.NewMinter(kid, newSigner(t, ecKey(), signing.EngineGo), nil); err == nil {
			t.Errorf("kid %q is accepted", kid)
		}
	}
}

// slowSigner notes how many signatures are made at a time.
type slowSigner struct {
	alg      signing.Algorithm
	now, max atomic.Int32
}

func (s *slowSigner) Sign([]byte) ([]byte, error) {
	s.max.Store(max(s.max.Load(), s.now.Add(1)))
	defer s.now.Add(-1)
	time.Sleep(time.Second) // in a synctest bubble: no real time passes
	return make([]byte, 64), nil
}
func (s *slowSigner) Algorithm() signing.Algorithm { return s.alg }
func (s *slowSigner) Engine() string               { return "test" }

func TestRSASignaturesAreBoundedAndOthersAreNot(t *testing.T) {
	for _, tt := range []struct {
		alg      signing.Algorithm
		atOnce   int32
		duration time.Duration
	}{
		{signing.RS256, 2, 3 * time.Second},
		{signing.ES256, 6, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			signer := &slowSigner{alg: tt.alg}
			minter, err := signing.NewMinter("k", signer, signing.NewLimiter(2))
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					if _, err := minter.Compact(t.Context(), []byte("{}")); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := signer.max.Load(); got != tt.atOnce || time.Since(begin) != tt.duration {
				t.Errorf("%s: %d at once in %v, want %d in %v", tt.alg, got, time.Since(begin), tt.atOnce, tt.duration)
			}
		})
	}
}

func TestWaitingToSignEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signer := &slowSigner{alg: signing.RS256}
		minter, err := signing.NewMinter("k", signer, signing.NewLimiter(1))
		if err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := minter.Compact(gone, []byte("{}")); !errors.Is(err, context.Canceled) || signer.max.Load() != 0 {
			t.Errorf("a request that is over is signed for: %v", err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := minter.Compact(t.Context(), []byte("{}")); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := minter.Compact(short, []byte("{}")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for the slot ends with %v", err)
		}
		wg.Wait()
		if _, err := minter.Compact(t.Context(), []byte("{}")); err != nil {
			t.Errorf("the slot is not given back: %v", err)
		}
	})
}
