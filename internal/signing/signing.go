// Package signing makes and checks the signatures of tokens: keys and their
// public form (JWK, JWKS), signers over Go's cryptography or OpenSSL's, the
// assembly of compact JWS, verification with a cache, and the ring of keys
// through which one issuer rotates.
//
// What a token claims, how long it lives and whether its subject may still act
// are not decided here; nor does the package know a store: the ring exports
// records that the caller keeps.
package signing

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Algorithm is a JWS signature algorithm (RFC 7518 section 3.1).
type Algorithm string

// The algorithms in use. IBM Cloud IAM signs with RS256; ES256 costs a
// thirtieth of it and can be chosen by configuration.
const (
	RS256 Algorithm = "RS256"
	ES256 Algorithm = "ES256"
)

// ParseAlgorithm reads the name of an algorithm as it stands in configuration
// and in JWS headers.
func ParseAlgorithm(name string) (Algorithm, error) {
	switch alg := Algorithm(name); alg {
	case RS256, ES256:
		return alg, nil
	}
	return "", fmt.Errorf("%w: %q is not one of RS256, ES256", ErrAlgorithm, name)
}

// Reasons for which a token or a key is refused. Verify and the parsers wrap
// exactly one of them.
var (
	// ErrMalformed: not a compact JWS of acceptable form.
	ErrMalformed = errors.New("malformed token")
	// ErrAlgorithm: an algorithm that is not allowed, or not that of the key.
	ErrAlgorithm = errors.New("algorithm not allowed")
	// ErrUnknownKey: no key has the token's kid; it may have been removed.
	ErrUnknownKey = errors.New("unknown signing key")
	// ErrSignature: the signature does not belong to the token.
	ErrSignature = errors.New("invalid signature")
	// ErrExpired: the token's time is over.
	ErrExpired = errors.New("token expired")
	// ErrNotYetValid: iat or nbf lie in the future by more than the leeway.
	ErrNotYetValid = errors.New("token not yet valid")
	// ErrIssuer: another issuer's token.
	ErrIssuer = errors.New("wrong issuer")
	// ErrKey: bytes that hold no acceptable key.
	ErrKey = errors.New("unacceptable key")
)

// Limiter bounds how many expensive signatures run at a time. An RSA signature
// keeps a core busy for about a millisecond; without a bound a burst of token
// requests makes every cheap request wait behind it. Safe for concurrent use.
type Limiter struct {
	slots chan struct{}
}

// NewLimiter returns a limiter of n slots; n of 0 or less means one per core
// (GOMAXPROCS).
func NewLimiter(n int) *Limiter {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return &Limiter{slots: make(chan struct{}, n)}
}

// acquire waits for a slot, in order of arrival, or for the end of ctx.
func (l *Limiter) acquire(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limiter) release() { <-l.slots }
