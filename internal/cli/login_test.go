package cli

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLoginWithAOneTimeCode(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/identity/token" {
			w.WriteHeader(404)
			return
		}
		if r.FormValue("grant_type") != "urn:ibm:params:oauth:grant-type:passcode" || r.FormValue("passcode") != "4711" {
			w.WriteHeader(400)
			return
		}
		claims := base64.RawURLEncoding.EncodeToString([]byte(`{"iam_id":"IBMid-1","email":"ada@example.com","account":{"bss":"acct"}}`))
		fmt.Fprintf(w, `{"access_token":"e30.%s.x","refresh_token":"r"}`, claims)
	}))
	defer server.Close()
	home := t.TempDir()
	getenv := func(name string) string { return map[string]string{"KAGIBAN_HOME": home}[name] }
	for code, want := range map[string]int{"4711\n": exitOK, "wrong\n": exitFailure, "": exitFailure} {
		var out, errs bytes.Buffer
		got := Main([]string{"login", "-a", server.URL, "--sso"}, strings.NewReader(code), &out, &errs, getenv)
		if got != want || !strings.Contains(out.String(), "Get One Time Code from "+server.URL+"/identity/passcode to proceed.\n") {
			t.Errorf("%q: exit code %d\n%s%s", code, got, &out, &errs)
		}
		if want == exitOK && !strings.Contains(out.String(), "User:             ada@example.com\nAccount:           (acct)\n") {
			t.Errorf("%s%s", &out, &errs)
		}
	}
}

func TestAKeyFileHoldsTheBareKeyOrJSON(t *testing.T) {
	for _, tt := range []struct{ content, want string }{
		{"abc", "abc"},
		{" abc\r\n", "abc"},
		{"\ufeffabc\n", "abc"},
		{`{"name":"n","apikey":"abc"}`, "abc"},
		{"\ufeff{\"apikey\":\"abc\"}\n", "abc"},
		{"", ""},
		{"\n", ""},
		{"two words", ""},
		{"one\ntwo", ""},
		{`{"key":"abc"}`, ""},
		{`{"apikey":7}`, ""},
		{`{"apikey":"a b"}`, ""},
		{`{`, ""},
	} {
		got, err := parseKeyFile("f", []byte(tt.content))
		if got.Reveal() != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v", tt.content, got.Reveal(), err)
		}
	}
}

func FuzzParseKeyFile(f *testing.F) {
	f.Add([]byte("abc"))
	f.Add([]byte(`{"apikey":"abc"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		key, err := parseKeyFile("f", content)
		if err == nil && (key.IsZero() || strings.ContainsAny(key.Reveal(), " \t\r\n")) {
			t.Errorf("%q gave an unusable key", content)
		}
		if err != nil && len(content) > 60 && strings.Contains(err.Error(), string(content)) {
			t.Error("the error quotes the file")
		}
	})
}

func TestWhichServersAreReachedUnencrypted(t *testing.T) {
	for base, want := range map[string]bool{
		"http://127.0.0.1:4280": false, "http://[::1]:4280": false, "http://localhost": false, "http://dev.localhost:1": false,
		"https://iam.example.com": false, "http://iam.example.com": true, "http://10.0.0.1": true, "http://notlocalhost": true,
	} {
		if got := isOpen(base); got != want {
			t.Errorf("%s: %v, want %v", base, got, want)
		}
	}
}
