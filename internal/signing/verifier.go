package signing

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// VerifierOptions configure a Verifier.
type VerifierOptions[T any] struct {
	// Keys finds the keys; required.
	Keys Keys
	// Issuers are the acceptable values of iss; none means that the caller checks.
	Issuers []string
	// Leeway is how far exp, iat and nbf may be missed, for clocks that differ.
	Leeway time.Duration
	// CacheSize bounds how many verified tokens are remembered; 0 means none. An
	// entry holds what Decode returns.
	CacheSize int
	// Now is the clock; required.
	Now func() time.Time
	// Decode makes the caller's type of the payload, a JSON object; required. It
	// is called once per cached token, and what it returns is shared between all
	// callers. It must not keep the payload unless T is meant to be it.
	Decode func(payload []byte) (T, error)
}

// Verified is a token whose signature, structure, issuer and times are right.
// It is shared between callers: read only.
type Verified[T any] struct {
	KeyID    string
	IssuedAt time.Time // zero when the token has no iat
	Claims   T

	key       *PublicKey
	notBefore int64 // the later of iat and nbf, in seconds
	expires   int64
}

// Verifier checks compact JWS. A token is accepted when it has a kid that Keys
// knows, the algorithm of that key, a right signature, an exp in the future and
// no iat or nbf in the future. Safe for concurrent use.
type Verifier[T any] struct {
	opts  VerifierOptions[T]
	cache *tokenCache[T]
}

// NewVerifier returns a verifier; it panics when a required option is missing,
// which is a fault of the program and not of its input.
func NewVerifier[T any](opts VerifierOptions[T]) *Verifier[T] {
	if opts.Keys == nil || opts.Now == nil || opts.Decode == nil {
		panic("signing: Keys, Now and Decode are required")
	}
	v := &Verifier[T]{opts: opts}
	if opts.CacheSize > 0 {
		v.cache = newTokenCache[T](opts.CacheSize)
	}
	return v
}

// Verify returns the content of a valid token. The error wraps one of
// ErrMalformed, ErrAlgorithm, ErrUnknownKey, ErrSignature, ErrExpired,
// ErrNotYetValid and ErrIssuer, or is what Decode returned, and never quotes
// the token.
//
// A remembered token costs one SHA-256 of its text. Its times and its key are
// checked again on each call, so expiry, a moved clock and the removal of a key
// take effect at once.
func (v *Verifier[T]) Verify(token string) (*Verified[T], error) {
	if len(token) > MaxTokenLength {
		return nil, fmt.Errorf("verifying a token: %w: longer than %d bytes", ErrMalformed, MaxTokenLength)
	}
	now := v.opts.Now().Unix()
	if v.cache == nil {
		return v.verify(token, now)
	}
	sum := hashToken(token)
	if hit := v.cache.get(sum); hit != nil {
		if v.opts.Keys.PublicKey(hit.KeyID) == hit.key && v.checkTimes(hit, now) == nil {
			return hit, nil
		}
		v.cache.remove(sum)
	}
	verified, err := v.verify(token, now)
	if err != nil {
		return nil, err
	}
	v.cache.put(sum, verified)
	return verified, nil
}

// hashToken hashes the whole text, signature included: with a hash of header and
// payload only, a wrong signature would hit the cache. The pooled copy spares an
// allocation of the token's size per call.
func hashToken(token string) [sha256.Size]byte {
	pooled := tokenBuffers.Get().(*[]byte)
	defer tokenBuffers.Put(pooled)
	*pooled = append((*pooled)[:0], token...)
	return sha256.Sum256(*pooled)
}

func (v *Verifier[T]) verify(token string, now int64) (*Verified[T], error) {
	p, err := split(token)
	if err != nil {
		return nil, fmt.Errorf("verifying a token: %w", err)
	}
	key := v.opts.Keys.PublicKey(p.kid)
	if key == nil {
		return nil, fmt.Errorf("verifying a token: %w", ErrUnknownKey)
	}
	if key.Algorithm != p.alg {
		return nil, fmt.Errorf("verifying a token: %w: not that of the key", ErrAlgorithm)
	}
	digest := sha256.Sum256([]byte(p.signed))
	if !key.verify(digest[:], p.sig) {
		return nil, fmt.Errorf("verifying a token: %w", ErrSignature)
	}
	verified, err := v.checkClaims(p.payload, now)
	if err != nil {
		return nil, fmt.Errorf("verifying a token: %w", err)
	}
	verified.KeyID, verified.key = key.ID, key
	if verified.Claims, err = v.opts.Decode(p.payload); err != nil {
		return nil, fmt.Errorf("decoding a token's claims: %w", err)
	}
	return verified, nil
}

// checkClaims judges iss, exp, iat and nbf.
func (v *Verifier[T]) checkClaims(payload []byte, now int64) (*Verified[T], error) {
	var claims struct {
		Iss string       `json:"iss"`
		Exp *numericDate `json:"exp"`
		Iat *numericDate `json:"iat"`
		Nbf *numericDate `json:"nbf"`
	}
	if payload[0] != '{' {
		return nil, fmt.Errorf("%w: the payload is not a JSON object", ErrMalformed)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, fmt.Errorf("%w: the payload is not a JSON object with valid iss, exp, iat, nbf", ErrMalformed)
	}
	if !v.acceptsIssuer(claims.Iss) {
		return nil, ErrIssuer
	}
	if claims.Exp == nil {
		return nil, fmt.Errorf("%w: exp is missing", ErrMalformed)
	}
	verified := &Verified[T]{expires: int64(*claims.Exp)}
	if claims.Iat != nil {
		verified.IssuedAt = time.Unix(int64(*claims.Iat), 0).UTC()
		verified.notBefore = int64(*claims.Iat)
	}
	if claims.Nbf != nil {
		verified.notBefore = max(verified.notBefore, int64(*claims.Nbf))
	}
	return verified, v.checkTimes(verified, now)
}

func (v *Verifier[T]) acceptsIssuer(issuer string) bool {
	for _, accepted := range v.opts.Issuers {
		if issuer == accepted {
			return true
		}
	}
	return len(v.opts.Issuers) == 0
}

func (v *Verifier[T]) checkTimes(t *Verified[T], now int64) error {
	leeway := int64(v.opts.Leeway / time.Second)
	if now >= t.expires+leeway {
		return ErrExpired
	}
	if now < t.notBefore-leeway {
		return ErrNotYetValid
	}
	return nil
}

// numericDate is a time in seconds (RFC 7519 section 2), which may have a
// fraction that is cut off.
type numericDate int64

// maxNumericDate is the end of the year 9999; it keeps sums with the leeway far
// from overflow.
const maxNumericDate = 253402300799

func (d *numericDate) UnmarshalJSON(data []byte) error {
	var number float64
	if err := json.Unmarshal(data, &number); err != nil {
		return err
	}
	if number < 0 || number > maxNumericDate {
		return fmt.Errorf("%w: a time is out of range", ErrMalformed)
	}
	*d = numericDate(number)
	return nil
}
