package signing

import (
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Keys finds verification keys by kid. PublicKey returns nil for an unknown
// kid, and the same pointer for as long as the key is part of the set: the
// Verifier takes another pointer as a sign that the key was replaced.
// Implementations are safe for concurrent use.
type Keys interface {
	PublicKey(kid string) *PublicKey
}

// KeySet is a fixed set of keys.
type KeySet struct {
	keys map[string]*PublicKey
}

var _ Keys = (*KeySet)(nil)

// NewKeySet returns a set of the given keys, whose ids must differ.
func NewKeySet(keys ...*PublicKey) (*KeySet, error) {
	set := &KeySet{keys: make(map[string]*PublicKey, len(keys))}
	for _, key := range keys {
		if set.keys[key.ID] != nil {
			return nil, fmt.Errorf("building a key set: %w: kid %s occurs twice", ErrKey, key.ID)
		}
		set.keys[key.ID] = key
	}
	return set, nil
}

// PublicKey returns the key with the given kid, or nil.
func (s *KeySet) PublicKey(kid string) *PublicKey { return s.keys[kid] }

// Len is the number of keys.
func (s *KeySet) Len() int { return len(s.keys) }

// Bounds of a foreign JWKS document. Published ones have fewer than ten keys.
const (
	maxJWKS     = 256 << 10
	maxJWKSKeys = 100
)

// ParseJWKS reads a JWKS document, such as that of a cluster. Keys that can
// verify no token here are left out, as RFC 7517 section 5 advises: other types
// or uses, no kid, numbers out of the limits of ParseKey. It fails when no key
// remains or a kid occurs twice.
func ParseJWKS(document []byte) (*KeySet, error) {
	if len(document) > maxJWKS {
		return nil, fmt.Errorf("reading a JWKS: %w: %d bytes are too long", ErrKey, len(document))
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &raw); err != nil {
		return nil, fmt.Errorf("reading a JWKS: %w: %w", ErrKey, err)
	}
	if len(raw.Keys) > maxJWKSKeys {
		return nil, fmt.Errorf("reading a JWKS: %w: %d keys are too many", ErrKey, len(raw.Keys))
	}
	var keys []*PublicKey
	for _, entry := range raw.Keys {
		if key := parseJWK(entry); key != nil {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("reading a JWKS: %w: it has no acceptable RS256 or ES256 key with a kid", ErrKey)
	}
	return NewKeySet(keys...)
}

// parseJWK returns nil for a key that is of no use here.
func parseJWK(entry []byte) *PublicKey {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(entry); err != nil || jwk.Use != "" && jwk.Use != "sig" {
		return nil
	}
	// Of a key with private members this is the public half.
	public := jwk.Public()
	key, err := NewPublicKey(jwk.KeyID, public.Key)
	if err != nil || jwk.Algorithm != "" && jwk.Algorithm != string(key.Algorithm) {
		return nil
	}
	return key
}

// JWK renders the key as a member of a JWKS document: kty, kid, alg, use and
// the numbers of the key.
func (k *PublicKey) JWK() ([]byte, error) {
	jwk := jose.JSONWebKey{Key: k.key, KeyID: k.ID, Algorithm: string(k.Algorithm), Use: "sig"}
	out, err := jwk.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("rendering key %s: %w", k.ID, err)
	}
	return out, nil
}

// RenderJWKS renders a JWKS document with the keys in the given order.
func RenderJWKS(keys []*PublicKey) ([]byte, error) {
	document := struct {
		Keys []json.RawMessage `json:"keys"`
	}{Keys: make([]json.RawMessage, 0, len(keys))}
	for _, key := range keys {
		jwk, err := key.JWK()
		if err != nil {
			return nil, err
		}
		document.Keys = append(document.Keys, jwk)
	}
	out, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("rendering a JWKS: %w", err)
	}
	return out, nil
}
