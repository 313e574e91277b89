package secret

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"sync"
)

// PepperSize is the length in bytes of the key that look-up hashes are made
// under.
//
// The pepper is random and stored sealed, not derived from the master key: a
// look-up hash cannot be recomputed without the secret that it hides, so with a
// derived pepper a change of the master key would lose every API key.
const PepperSize = 32

// Hasher turns secrets of high entropy (API keys, refresh tokens) into look-up
// keys: HMAC-SHA-256 under a subkey that belongs to one purpose, so that equal
// secrets of two purposes have unrelated hashes. Passwords and one-time
// passcodes have too little entropy for it when the pepper leaks; passwords go
// to Passwords. Safe for concurrent use.
type Hasher struct {
	pool sync.Pool
}

// hashState is one reusable HMAC computation with its scratch memory.
type hashState struct {
	mac   hash.Hash
	input []byte
	sum   [sha256.Size]byte
	text  [lookupLength]byte
}

// lookupLength is the length of a look-up key: 32 bytes in base64url.
const lookupLength = 43

// NewHasher returns the hasher of one purpose. The pepper must have PepperSize
// bytes or more; the purpose must not be empty.
func NewHasher(pepper []byte, purpose Purpose) (*Hasher, error) {
	if len(pepper) < PepperSize {
		return nil, fmt.Errorf("making a look-up hasher: the pepper has %d bytes, %d are needed", len(pepper), PepperSize)
	}
	if purpose == "" {
		return nil, fmt.Errorf("making a look-up hasher: the purpose is empty")
	}
	key, err := hkdf.Key(sha256.New, pepper, nil, "kagiban/lookup/"+string(purpose), sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving a look-up key: %w", err)
	}
	h := &Hasher{}
	h.pool.New = func() any { return &hashState{mac: hmac.New(sha256.New, key), input: make([]byte, 0, 128)} }
	return h, nil
}

// Lookup returns the look-up key of a secret: 43 characters of base64url, one
// allocation.
func (h *Hasher) Lookup(v Value) string {
	s := h.pool.Get().(*hashState)
	h.sum(s, v)
	base64.RawURLEncoding.Encode(s.text[:], s.sum[:])
	text := string(s.text[:])
	h.pool.Put(s)
	return text
}

// Sum returns the bytes that Lookup encodes; it does not allocate, for maps
// keyed by array.
func (h *Hasher) Sum(v Value) [sha256.Size]byte {
	s := h.pool.Get().(*hashState)
	h.sum(s, v)
	sum := s.sum
	h.pool.Put(s)
	return sum
}

func (h *Hasher) sum(s *hashState, v Value) {
	s.input = append(s.input[:0], v.Reveal()...)
	s.mac.Reset()
	s.mac.Write(s.input)
	s.mac.Sum(s.sum[:0])
	clear(s.input)
}
