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
