package client_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/kagiban/kagiban/internal/client"
	"github.com/kagiban/kagiban/internal/secret"
)

func silentLog() *log.Logger { return log.New(io.Discard, "", 0) }

func TestTraceShowsCallsWithoutSecrets(t *testing.T) {
	access := jwt(`{"iam_id":"IBMid-1","exp":9}`).Reveal()
	var trace bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/identity/token":
			w.Header().Set("Set-Cookie", "session=cookie-value")
			answer(w, 200, `{"access_token":"`+access+
				`","refresh_token":"refresh-token-value","token_type":"Bearer","refresh_token_expiration":12345,"delegated_refresh_token":"delegated-value"}`)
		case "/v1/apikeys":
			answer(w, 201, `{"id":"ApiKey-1","name":"ci","apikey":"new-key-value"}`)
		case "/v1/serviceids":
			answer(w, 201, `{"id":"ServiceId-1","apikey":{"id":"ApiKey-2","apikey":"inner-key-value"},"secrets":{"idp":{"signing":[{"value":"pem-value"}]}}}`)
		default:
			// An error text that quotes what was sent.
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(400)
			_, _ = io.WriteString(w, "no such key: the-api-key/with+signs; new-key-value; "+access)
		}
	}))
	defer server.Close()
	api := connect(client.Config{Base: server.URL, Trace: &trace})
	if _, err := api.ByAPIKey(t.Context(), secret.New("the-api-key/with+signs")); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ByPassword(t.Context(), "ada", secret.New("hunter-password"), ""); err != nil {
		t.Fatal(err)
	}
	api = api.WithBearer(fixed(access))
	for _, path := range []string{"/v1/apikeys", "/v1/serviceids"} {
		body := map[string]any{"name": "ci", "apikey": "own-key-value"}
		if err := api.Call(t.Context(), client.Request{Method: "POST", Path: path, Body: body}, nil); err != nil {
			t.Fatal(err)
		}
	}
	header := http.Header{"Iam-Apikey": {"header-key-value"}}
	if err := api.Call(t.Context(), client.Request{Method: "GET", Path: "/error?token=query-token-value", Header: header}, nil); err == nil {
		t.Fatal("no error")
	}
	text := trace.String()
	for _, value := range []string{
		"the-api-key", "with%2Bsigns", "hunter-password", access, "eyJ", "refresh-token-value", "delegated-value", "cookie-value",
		"new-key-value", "inner-key-value", "own-key-value", "pem-value", "header-key-value", "query-token-value", "Yng6Yng",
	} {
		if strings.Contains(text, value) {
			t.Errorf("the trace holds the secret %q", value)
		}
	}
	for _, value := range []string{
		"POST /identity/token HTTP/1.1", "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey", "username=ada",
		"apikey=" + secret.Redacted,
		"Authorization: Bearer " + secret.Redacted, "X-Request-Id: request-1", "X-Correlation-Id: correlation", "HTTP/1.1 200 OK",
		`"token_type": "Bearer"`, `"refresh_token_expiration": 12345`, `"id": "ApiKey-1"`, `"id": "ApiKey-2"`, `"name": "ci"`,
		"RESPONSE: [2026-03-01T12:00:00Z] Elapsed: 0ms", "no such key",
	} {
		if !strings.Contains(text, value) {
			t.Errorf("the trace lacks %q", value)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestTracingChangesNoCall(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answer(w, 200, `{"name":`+string(body)+`}`)
	}))
	defer server.Close()
	api := connect(client.Config{Base: server.URL, Trace: io.Discard})
	var group sync.WaitGroup // two calls at once share the tracer
	for range 2 {
		group.Go(func() {
			var out struct{ Name string }
			if err := api.Call(t.Context(), client.Request{Method: "POST", Path: "/", Body: "x"}, &out); err != nil || out.Name != "x" {
				t.Errorf("got %q, %v", out.Name, err)
			}
		})
	}
	group.Wait()
}
