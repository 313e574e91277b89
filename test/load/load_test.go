package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

func TestLoadIsSentToLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"10.0.0.1:80", "192.0.2.7:80", "example.com:80", "0.0.0.0:80", "127.0.0.1"} {
		if _, err := newRequest(addr, "/", "", formType, ""); err == nil {
			t.Errorf("newRequest(%q) is accepted", addr)
		}
	}
	for _, addr := range []string{"127.0.0.1:80", "[::1]:80"} {
		if _, err := newRequest(addr, "/", "", formType, ""); err != nil {
			t.Errorf("newRequest(%q): %v", addr, err)
		}
	}
}

func TestResponsesAreReadToTheirEnd(t *testing.T) {
	const fixed = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
	in := bufio.NewReader(strings.NewReader(fixed + chunked + fixed))
	for i := range 3 {
		status, body, err := readResponse(in, true)
		if err != nil || status != 200 || string(body) != "abc" {
			t.Errorf("response %d: status %d, body %q, error %v", i, status, body, err)
		}
	}
	if _, _, err := readResponse(in, true); err != io.EOF {
		t.Errorf("error = %v after the last response, want EOF", err)
	}
}

func FuzzResponse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab")
	f.Fuzz(func(t *testing.T, text string) {
		_, body, err := readResponse(bufio.NewReader(strings.NewReader(text)), true)
		if err == nil && len(body) > len(text) {
			t.Errorf("a body of %d bytes out of %d", len(body), len(text))
		}
	})
}

func TestGeneratorCountsWhatTheBareServerAnswers(t *testing.T) {
	signer, err := newSigner(signing.ES256)
	if err != nil {
		t.Fatal(err)
	}
	minter, err := signing.NewMinter("load", signer, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(bareHandler(minter))
	defer server.Close()
	r, err := newRequest(strings.TrimPrefix(server.URL, "http://"), "/identity/token", "", formType, apikeyForm("k"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := r.token(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(token); n < 1500 || n > 2200 {
		t.Errorf("the token has %d bytes; one with 1.2 KB of claims has about 1,800", n)
	}
	s, err := generate(t.Context(), r, 4, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if s.perSecond <= 0 || s.p50 <= 0 || s.p99 < s.p50 {
		t.Errorf("sample = %+v", s)
	}
}

func TestRefusalsMakeAMeasurementVoid(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "slow down", http.StatusTooManyRequests)
	}))
	defer server.Close()
	r, err := newRequest(strings.TrimPrefix(server.URL, "http://"), "/", "", formType, "")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := generate(t.Context(), r, 2, 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "429 slow down") {
		t.Errorf("sample %+v, error %v, want the refusal", s, err)
	}
}

func TestRatioIsTheMedianOfTheRounds(t *testing.T) {
	a, b := cell{"RS256", "product", 64}, cell{"RS256", "peer", 64}
	r := &results{samples: map[cell][]sample{
		a: {{perSecond: 100}, {perSecond: 50}, {perSecond: 10}},
		b: {{perSecond: 50}, {perSecond: 20}, {perSecond: 20}},
	}}
	if got, ok := r.ratio(a, b); !ok || got != 2 {
		t.Errorf("ratio = %v, %v, want 2", got, ok)
	}
	if _, ok := r.ratio(a, cell{"RS256", "bare", 64}); ok {
		t.Error("a ratio to what was not measured")
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		name string
		l    limit
		want bool
	}{
		{"at its floor", limit{value: 1, bound: 1, known: true}, true},
		{"within the tolerance", limit{value: 0.81, bound: 1, known: true}, true},
		{"too low", limit{value: 0.79, bound: 1, known: true}, false},
		{"well under its ceiling", limit{value: 1, bound: 40, below: true, known: true}, true},
		{"over its ceiling", limit{value: 49, bound: 40, below: true, known: true}, false},
		{"not measured", limit{value: 9, bound: 1}, false},
	}
	for _, tt := range tests {
		if got := tt.l.ok(); got != tt.want {
			t.Errorf("%s: ok = %v", tt.name, got)
		}
	}
}

func TestFlagsAreBounded(t *testing.T) {
	for _, args := range [][]string{
		{"-conns", "0"}, {"-conns", "100000"}, {"-rounds", "0"}, {"-duration", "1h"}, {"-algs", "none"}, {"-gate", "-conns", "1"},
		{"-sizes", "10"}, {"-sizes", "1000,x"}, {"-authz"},
	} {
		if _, err := parseFlags(args); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

func TestHalfOfTheQuestionsAreAllowed(t *testing.T) {
	s := newShape("a", 1000)
	allowed := 0
	for i, q := range s.inquiries(2000) {
		if q.allowed {
			allowed++
		} else if i%2 == 0 {
			t.Errorf("question %d is about what a policy of the user allows, and denied", i)
		}
	}
	if allowed < 1000 || allowed > 1100 {
		t.Errorf("%d of 2000 questions are allowed", allowed)
	}
}

func TestConnectionsSendEveryQuestion(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen[string(body)]++
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		echo(w, r)
	}))
	defer server.Close()
	r, err := newRequest(strings.TrimPrefix(server.URL, "http://"), "/", "", jsonType, "[1]", "[2]", "[3]", "[4]", "[5]")
	if err != nil {
		t.Fatal(err)
	}
	if answers, err := r.answers(t.Context(), 5); err != nil || string(answers[4]) != "[5]\n" {
		t.Errorf("answers %q, error %v", answers, err)
	}
	if _, err := generate(t.Context(), r, 2, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	least, most := 1<<30, 0
	for _, n := range seen {
		least, most = min(least, n), max(most, n)
	}
	if len(seen) != 5 || most > 2*least+10 {
		t.Errorf("the questions were sent so often: %v", seen)
	}
}
