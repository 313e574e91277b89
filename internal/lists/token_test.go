package lists

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/url"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

func sealer(b byte) *Sealer { return NewSealer(bytes.Repeat([]byte{b}, 32)) }

func TestTokenComesBackOnlyToItsOwnQuery(t *testing.T) {
	s := sealer(1)
	in := Token{Cursor: store.Cursor{Text: "name", ID: "ApiKey-1"}, Offset: 20, Query: "account=a"}
	text := s.Seal(in)
	got, err := s.Open(text, "account=a", "pagetoken")
	if err != nil || got != in {
		t.Fatalf("Open gave %+v, %v", got, err)
	}
	flipped, _ := base64.RawURLEncoding.DecodeString(text)
	flipped[len(flipped)-2] ^= 1
	for name, bad := range map[string]struct {
		s           *Sealer
		text, query string
	}{
		"another account's query": {s, text, "account=b"},
		"another server's key":    {sealer(2), text, "account=a"},
		"a changed body":          {s, base64.RawURLEncoding.EncodeToString(flipped), "account=a"},
		"no token":                {s, "", "account=a"},
		"garbage":                 {s, "%%%", "account=a"},
		"too long":                {s, string(bytes.Repeat([]byte("A"), maxToken+4)), "account=a"},
	} {
		_, err := bad.s.Open(bad.text, bad.query, "pagetoken")
		if !errors.Is(err, fault.Invalid) || fault.Of(err).Field != "pagetoken" {
			t.Errorf("%s: error %v, want an invalid pagetoken", name, err)
		}
	}
}

func TestSizeKeepsToItsBounds(t *testing.T) {
	if n, err := Size(0, false, "pagesize"); err != nil || n != DefaultSize {
		t.Errorf("absent: %d, %v", n, err)
	}
	for _, n := range []int{1, 100} {
		if got, err := Size(n, true, "pagesize"); err != nil || got != n {
			t.Errorf("%d: %d, %v", n, got, err)
		}
	}
	for _, n := range []int{0, -1, 101, 1 << 30} {
		if _, err := Size(n, true, "pagesize"); !errors.Is(err, fault.Invalid) {
			t.Errorf("%d: error %v, want invalid", n, err)
		}
	}
}

func TestLinkKeepsTheFiltersAndReplacesTheToken(t *testing.T) {
	u, _ := url.Parse("/v1/apikeys?account_id=1&pagetoken=old&pagesize=2")
	if got, want := Link("http://h", u, "pagetoken", "new"), "http://h/v1/apikeys?account_id=1&pagesize=2&pagetoken=new"; got != want {
		t.Errorf("next %s, want %s", got, want)
	}
	if got, want := Link("http://h", u, "pagetoken", ""), "http://h/v1/apikeys?account_id=1&pagesize=2"; got != want {
		t.Errorf("first %s, want %s", got, want)
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(3)
	f.Add(s.Seal(Token{Query: "q", Offset: 3}))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := s.Open(text, "q", "pagetoken")
		if err == nil && s.Seal(tok) != text {
			// Base64 has one canonical form and so have our tokens: anything
			// else that opens was not sealed here.
			t.Errorf("%q opened and seals to %q", text, s.Seal(tok))
		}
	})
}
