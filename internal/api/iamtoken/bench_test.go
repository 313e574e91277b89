package iamtoken_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/token"
)

// sink is a ResponseWriter that keeps nothing.
type sink struct {
	h      http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// body is a request body that can be read again.
type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

// BenchmarkAPIKeyExchange is POST /identity/token with an API key through the
// router, without the network: everything that the product adds to a bare
// server. "raw" is the signature alone. The audit line goes through a JSON
// handler that discards it.
func BenchmarkAPIKeyExchange(b *testing.B) {
	for _, alg := range []signing.Algorithm{signing.ES256, signing.RS256} {
		for _, engine := range []signing.Engine{signing.EngineGo, signing.EngineAuto} {
			b.Run(string(alg)+"/"+string(engine)+"/exchange", func(b *testing.B) { benchExchange(b, alg, engine) })
			b.Run(string(alg)+"/"+string(engine)+"/raw", func(b *testing.B) { benchSignature(b, alg, engine) })
		}
	}
}

func benchExchange(b *testing.B, alg signing.Algorithm, engine signing.Engine) {
	w := newWorld(b, func(c *apitest.TokenConfig) {
		c.Algorithm, c.Engine, c.Log = alg, engine, slog.New(slog.NewJSONHandler(io.Discard, nil))
	})
	form := []byte(url.Values{"grant_type": {token.GrantAPIKey}, "apikey": {userKey}, "response_type": {"cloud_iam"}}.Encode())
	out := &sink{h: http.Header{}}
	send := new(body)
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/identity/token"}, Header: http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"},
		"User-Agent": {"ibm-go-sdk-core/iam-authenticator-5.22.1"}},
		Body: send, ContentLength: int64(len(form)), RemoteAddr: "203.0.113.9:40000", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	b.ReportAllocs()
	for b.Loop() {
		send.Reset(form)
		clear(out.h)
		w.router.ServeHTTP(out, r)
		if out.status != http.StatusOK {
			b.Fatalf("status %d", out.status)
		}
	}
}

func benchSignature(b *testing.B, alg signing.Algorithm, engine signing.Engine) {
	key, err := signing.GenerateKey(alg, 0, "bench")
	if err != nil {
		b.Fatal(err)
	}
	signer, err := signing.NewSigner(key, engine)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("claims"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := signer.Sign(digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAuthenticate is the check of a bearer token that was seen before.
func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b)
	access := w.mustToken(apikey(userKey)).text("access_token")
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.tokens.Authenticate(ctx, access, netip.Addr{}); err != nil {
			b.Fatal(err)
		}
	}
}
