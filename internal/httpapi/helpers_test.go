package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

const (
	home    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" // account of the test's caller
	foreign = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var family = &httpapi.Family{Name: "things", Title: "Things", Service: "thing-service", WriteError: httpapi.WriteErrors}

// oneToken knows one bearer token.
type oneToken struct{}

func (oneToken) Authenticate(_ context.Context, token string, _ netip.Addr) (*httpapi.Caller, error) {
	if token != "good" {
		return nil, fault.Unauthenticated
	}
	return &httpapi.Caller{Subject: policy.Subject{Kind: policy.KindUser, IAMID: "IBMid-TEST", Account: home}}, nil
}

// granted allows the actions that are in it.
type granted map[string]bool

func (g granted) Decide(_ context.Context, r policy.Request) (policy.Decision, error) {
	return policy.Decision{Allowed: g[r.Action]}, nil
}

// bench is a router with its log and the calls that it observed.
type bench struct {
	*httpapi.Router
	log   bytes.Buffer
	calls []httpapi.Call
}

func newBench(t *testing.T, change func(*httpapi.Config), ops ...httpapi.Operation) *bench {
	t.Helper()
	b := &bench{}
	cfg := httpapi.Config{
		Operations: ops, Authenticator: oneToken{}, Authorizer: granted{"thing.do": true}, Now: time.Now,
		Log: slog.New(slog.NewJSONHandler(&b.log, nil)), Default: family,
		Observe: func(c *httpapi.Call) { b.calls = append(b.calls, *c) },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.Router, err = httpapi.NewRouter(cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

// do sends a request with the good token; header holds name, value pairs.
func (b *bench) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, r)
	req.Header.Set("Authorization", "Bearer good")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, req)
	return w
}

// envelope is the errors[] envelope as a client reads it.
type envelope struct {
	Trace      string `json:"trace"`
	StatusCode int    `json:"status_code"`
	Errors     []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Details any    `json:"details"`
	} `json:"errors"`
}

// refused checks status and envelope of a refusal and gives its error.
func refused(t *testing.T, w *httptest.ResponseRecorder, status int) (code, message string) {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("answer %d is no envelope: %v\n%s", w.Code, err, w.Body)
	}
	if w.Code != status || e.StatusCode != status || len(e.Errors) != 1 {
		t.Fatalf("got status %d, envelope %+v; want %d", w.Code, e, status)
	}
	if e.Trace == "" || e.Trace != w.Header().Get("Transaction-Id") {
		t.Errorf("trace is %q, Transaction-Id %q", e.Trace, w.Header().Get("Transaction-Id"))
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	return e.Errors[0].Code, e.Errors[0].Message
}

type empty struct{}

// echo answers what it was asked.
func echo[T any](_ context.Context, _ *httpapi.Call, in *T, _ httpapi.None) (*T, error) {
	return in, nil
}

// inAccount finds nothing but a place in an account.
func inAccount[T any](account string) func(context.Context, *httpapi.Call, *T) (httpapi.None, httpapi.Target, error) {
	return func(context.Context, *httpapi.Call, *T) (httpapi.None, httpapi.Target, error) {
		return httpapi.None{}, httpapi.Target{Account: account, ServiceName: "thing"}, nil
	}
}

// public is the reason of rows that need no token.
const public = "for the test"

// one gives the operation of a row.
func one(r httpapi.Row) httpapi.Operation { return httpapi.Table(family, r)[0] }

// get is a public row that echoes.
func get[T any](id, path string) httpapi.Operation {
	return one(httpapi.Op[T, httpapi.None, T]{ID: id, Method: http.MethodGet, Path: path, Status: 200, Public: public, Do: echo[T]})
}

// mine is a row for any caller with a token.
func mine[T any](id, path string) httpapi.Operation {
	return one(httpapi.Op[T, httpapi.None, T]{ID: id, Method: http.MethodGet, Path: path, Status: 200, Self: "for the test", Do: echo[T]})
}

// plain is a public row without anything coming in or found.
func plain(id string, do func(context.Context) error) httpapi.Operation {
	return one(httpapi.Op[empty, httpapi.None, empty]{ID: id, Method: http.MethodGet, Path: "/" + id, Status: 204, Public: public,
		Do: func(ctx context.Context, _ *httpapi.Call, _ *empty, _ httpapi.None) (*empty, error) {
			return nil, do(ctx)
		}})
}

var discard = slog.New(slog.DiscardHandler)

func (g granted) Extent(_ context.Context, r policy.Request) (policy.Extent, policy.Decision, error) {
	if g[r.Action] {
		return policy.Everywhere, policy.Decision{Allowed: true}, nil
	}
	return policy.Nowhere, policy.Decision{}, nil
}

func (granted) Admits(context.Context, policy.Request) (bool, error) { return true, nil }

func (b *bench) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

func (granted) Rights(ctx context.Context, _ policy.Request) (asker.Rights, error) {
	return asker.System.Rights(ctx, "")
}
