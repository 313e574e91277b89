package signing

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
)

// MaxTokenLength is the longest compact JWS that is made or accepted, in bytes.
// IBM's tokens have about 2,000; common HTTP servers allow 8 or 16 KiB of
// header.
const MaxTokenLength = 16 << 10

// Minter makes compact JWS with one key. The header is encoded once, so a token
// costs one base64 pass over the claims, one SHA-256 and the signature. Safe
// for concurrent use.
type Minter struct {
	signer Signer
	kid    string
	// limit is nil when the signatures are cheap.
	limit *Limiter
	// prefix is the encoded header with its dot.
	prefix string
}

// NewMinter returns a minter whose tokens carry the header
// {"kid":…,"alg":…}, in the order and without the typ that IBM's tokens have.
// RSA signatures take a slot of limit; ES256 ones cost so little that queueing
// them gains nothing. A nil limit does not bound.
func NewMinter(kid string, signer Signer, limit *Limiter) (*Minter, error) {
	// The kid's characters need no escapes in JSON.
	if err := checkKeyID(kid); err != nil {
		return nil, fmt.Errorf("making a minter: %w", err)
	}
	header := `{"kid":"` + kid + `","alg":"` + string(signer.Algorithm()) + `"}`
	m := &Minter{signer: signer, kid: kid, prefix: base64.RawURLEncoding.EncodeToString([]byte(header)) + "."}
	if signer.Algorithm() == RS256 {
		m.limit = limit
	}
	return m, nil
}

// KeyID is the kid of the tokens.
func (m *Minter) KeyID() string { return m.kid }

// Signer returns the signer in use, for logs and metrics.
func (m *Minter) Signer() Signer { return m.signer }

// tokenBuffers holds the memory in which tokens are put together.
var tokenBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

// Compact signs claims, which must be one JSON object, and returns the token.
// It waits for a slot of the limiter and fails with the context's error when
// none becomes free in time. It keeps no reference to claims.
func (m *Minter) Compact(ctx context.Context, claims []byte) (string, error) {
	if len(m.prefix)+base64.RawURLEncoding.EncodedLen(len(claims))+1 > MaxTokenLength {
		return "", fmt.Errorf("making a token: %d bytes of claims are too long", len(claims))
	}
	pooled := tokenBuffers.Get().(*[]byte)
	defer tokenBuffers.Put(pooled)
	buf := append((*pooled)[:0], m.prefix...)
	buf = base64.RawURLEncoding.AppendEncode(buf, claims)
	*pooled = buf
	sig, err := m.sign(ctx, sha256.Sum256(buf))
	if err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	buf = append(buf, '.')
	buf = base64.RawURLEncoding.AppendEncode(buf, sig)
	*pooled = buf
	if len(buf) > MaxTokenLength {
		return "", fmt.Errorf("making a token: %d bytes of claims are too long", len(claims))
	}
	return string(buf), nil
}

func (m *Minter) sign(ctx context.Context, digest [sha256.Size]byte) ([]byte, error) {
	if m.limit == nil {
		return m.signer.Sign(digest[:])
	}
	// A caller that is gone already must not cost a millisecond.
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("waiting to sign: %w", err)
	}
	if err := m.limit.acquire(ctx); err != nil {
		return nil, fmt.Errorf("waiting to sign: %w", err)
	}
	defer m.limit.release()
	return m.signer.Sign(digest[:])
}
