package cli

import (
	"strings"
	"testing"
)

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
