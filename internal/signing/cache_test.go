package signing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"
)

// story is a verifier whose clock and keys a test moves.
type story struct {
	t       *testing.T
	now     time.Time
	keys    map[string]*PublicKey
	decoded int
	minter  *Minter
	key     *Key
	*Verifier[int]
}

func (s *story) PublicKey(kid string) *PublicKey { return s.keys[kid] }

func newStory(t *testing.T, cache int) *story {
	t.Helper()
	key, err := GenerateKey(ES256, 0, "k")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(key, EngineGo)
	if err != nil {
		t.Fatal(err)
	}
	minter, err := NewMinter("k", signer, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, now: time.Unix(1e9, 0), keys: map[string]*PublicKey{"k": key.Public()}, minter: minter, key: key}
	s.Verifier = NewVerifier(VerifierOptions[int]{
		Keys: s, CacheSize: cache, Now: func() time.Time { return s.now },
		Decode: func([]byte) (int, error) { s.decoded++; return s.decoded, nil },
	})
	return s
}

func (s *story) token(n int) string {
	s.t.Helper()
	token, err := s.minter.Compact(s.t.Context(), fmt.Appendf(nil, `{"iat":1000000000,"exp":1000003600,"n":%d}`, n))
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

func (c *tokenCache[T]) len() int { return len(c.young) + len(c.old) }

func TestACachedTokenIsDecodedOnce(t *testing.T) {
	s := newStory(t, 10)
	token := s.token(1)
	first, err := s.Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if again, err := s.Verify(token); err != nil || again != first {
			t.Errorf("got %v, %v; want the remembered %v", again, err, first)
		}
	}
	if s.decoded != 1 {
		t.Errorf("decoded %d times", s.decoded)
	}
}

func TestARememberedTokenExpires(t *testing.T) {
	s := newStory(t, 10)
	token := s.token(1)
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	s.now = time.Unix(1000003600, 0)
	if _, err := s.Verify(token); !errors.Is(err, ErrExpired) || s.cache.len() != 0 {
		t.Errorf("at exp: %v, %d entries kept", err, s.cache.len())
	}
	s.now = time.Unix(1000003599, 0)
	if _, err := s.Verify(token); err != nil {
		t.Errorf("with the clock set back: %v", err)
	}
	s.now = time.Unix(1e9-1, 0)
	if _, err := s.Verify(token); !errors.Is(err, ErrNotYetValid) {
		t.Errorf("with the clock set back before iat: %v", err)
	}
}

func TestARememberedTokenFallsWithItsKey(t *testing.T) {
	s := newStory(t, 10)
	token := s.token(1)
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	genuine := s.keys["k"]
	delete(s.keys, "k")
	if _, err := s.Verify(token); !errors.Is(err, ErrUnknownKey) || s.cache.len() != 0 {
		t.Errorf("without its key: %v, %d entries kept", err, s.cache.len())
	}
	s.keys["k"] = genuine
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	other, err := GenerateKey(ES256, 0, "k")
	if err != nil {
		t.Fatal(err)
	}
	s.keys["k"] = other.Public()
	if _, err := s.Verify(token); !errors.Is(err, ErrSignature) {
		t.Errorf("with another key under the kid: %v", err)
	}
}

func TestTheSignatureIsPartOfTheCacheKey(t *testing.T) {
	s := newStory(t, 10)
	token := s.token(1)
	if _, err := s.Verify(token); err != nil {
		t.Fatal(err)
	}
	forged := token[:len(token)-86] + s.token(2)[len(token)-86:]
	if _, err := s.Verify(forged); !errors.Is(err, ErrSignature) {
		t.Errorf("a remembered payload with another signature: %v", err)
	}
}

func TestTheCacheIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	c := newTokenCache[int](100)
	sum := func(i int) [sha256.Size]byte { return sha256.Sum256([]byte{byte(i), byte(i >> 8)}) }
	hot := &Verified[int]{}
	c.put(sum(-1), hot)
	for i := range 5000 {
		c.put(sum(i), &Verified[int]{})
		if c.len() > 101 {
			t.Fatalf("%d entries after %d tokens", c.len(), i)
		}
		if i%20 == 0 && c.get(sum(-1)) != hot {
			t.Fatalf("an entry in use is dropped after %d others", i)
		}
	}
	if c.get(sum(0)) != nil || c.get(sum(4999)) == nil {
		t.Error("the oldest entry is kept or the youngest dropped")
	}
	c.remove(sum(4999))
	if c.get(sum(4999)) != nil {
		t.Error("a removed entry is found")
	}
}

func TestFailedTokensAreNotRemembered(t *testing.T) {
	s := newStory(t, 10)
	for i := range 20 {
		_, _ = s.Verify(fmt.Sprintf("junk-%d", i))
	}
	if s.cache.len() != 0 {
		t.Errorf("%d refused tokens are kept", s.cache.len())
	}
}
