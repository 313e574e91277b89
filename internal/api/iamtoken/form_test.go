package iamtoken

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/token"
)

// FuzzForm compares the parser with the standard library's: what both accept
// they must read alike.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "grant_type=a&apikey=b", "apikey=%41+b", "apikey=%4", "apikey=a&apikey=b", "a=b&&=&c", "apikey=%00",
		"scope=%ff",
		"api%6bey=x", "apikey", "apikey=a;b=c", "apikey=%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got form
		if err := got.parse(text); err != nil {
			return
		}
		want, err := url.ParseQuery(text)
		if err != nil && !strings.Contains(text, ";") && !badUnknown(text) {
			t.Fatalf("%q is accepted, the library says %v", text, err)
		}
		if err != nil {
			return
		}
		for name, values := range want {
			at, known := fieldOf(name)
			if !known {
				continue
			}
			if got.values[at] != lastNonEmpty(values) {
				t.Errorf("%s of %q: %q, the library reads %q", name, text, got.values[at], values)
			}
			if v := got.values[at]; strings.IndexByte(v, 0) >= 0 || !utf8.ValidString(v) {
				t.Errorf("%s of %q: %q must not pass", name, text, v)
			}
		}
	})
}

// badUnknown tells whether a value of an unknown parameter is malformed, which
// the parser does not look at.
func badUnknown(text string) bool {
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if n, ok := unescape(name); ok {
			if _, known := fieldOf(n); !known {
				if _, err := url.QueryUnescape(value); err != nil {
					return true
				}
			}
		}
	}
	return false
}

func lastNonEmpty(values []string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"", "Basic Yng6Yng=", "basic Yng6Yng", "Basic", "Basic !!!", "Bearer x", "Basic Ong6",
		"Basic " + base64.StdEncoding.EncodeToString([]byte("a:b:c"))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got, basic := parseBasic(header)
		if basic != got.Given {
			t.Fatalf("%q: basic %v, given %v", header, basic, got.Given)
		}
		r := &http.Request{Header: http.Header{"Authorization": {header}}}
		if user, pass, ok := r.BasicAuth(); ok && len(header) < maxAuthorization && (got.ID != user || got.Secret.Reveal() != pass) {
			t.Fatalf("%q: %q, the library reads %q", header, got.ID, user)
		}
		if !basic && (got.ID != "" || !got.Secret.IsZero()) {
			t.Fatalf("%q: credentials without a header", header)
		}
	})
}

func TestClientsAreReadFromHeaderAndForm(t *testing.T) {
	tests := []struct {
		name, header, body string
		given              bool
		id, secret         string
	}{
		{"none", "", "", false, "", ""},
		{"Basic", "Basic Yng6Yng=", "", true, "bx", "bx"},
		{"Basic without padding", "Basic Yng6Yng", "", true, "bx", "bx"},
		{"lower-case scheme", "basic Yng6Yng=", "", true, "bx", "bx"},
		{"secret with colons", "Basic " + base64.StdEncoding.EncodeToString([]byte("a:b:c")), "", true, "a", "b:c"},
		{"form", "", "client_id=a&client_secret=b", true, "a", "b"},
		{"header wins over form", "Basic Yng6Yng=", "client_id=a&client_secret=b", true, "bx", "bx"},
		{"Bearer is no client", "Bearer abc", "", false, "", ""},
		{"malformed Basic is an unknown client", "Basic ???", "client_id=a&client_secret=b", true, "", ""},
		{"default client", "", "client_id=default", false, "", ""},
		{"id alone is an unknown client", "", "client_id=bx", true, "bx", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			var f form
			if err := f.parse(tt.body); err != nil {
				t.Fatal(err)
			}
			got := clientOf(r, &f)
			if got.Given != tt.given || got.ID != tt.id || got.Secret.Reveal() != tt.secret {
				t.Errorf("given %v, id %q, secret %q", got.Given, got.ID, got.Secret.Reveal())
			}
		})
	}
}

func TestResponseHasNumbersWhereClientsReadNumbers(t *testing.T) {
	got := string(appendResponse(nil, &token.Response{AccessToken: "a.b.c", RefreshToken: "r", SessionID: "C-1", Scope: "ibm openid",
		ExpiresIn: 1200, Expiration: 1781000000, RefreshExpiration: 1781086400}))
	const want = `{"access_token":"a.b.c","refresh_token":"r","session_id":"C-1","token_type":"Bearer","expires_in":1200,` +
		`"expiration":1781000000,"refresh_token_expiration":1781086400,"scope":"ibm openid"}` + "\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(appendResponse(nil, &token.Response{DelegatedRefreshToken: "d"})); got != `{"delegated_refresh_token":"d"}`+"\n" {
		t.Errorf("delegated only: %s", got)
	}
}
