// Package lists is how lists are selected and cut into pages: the filter
// language, one cutter over the store or a list in memory, and the forms in which
// the API families ask for pages. A page token is opaque to clients, bound to the
// query that it came from, and signed, so that a forged or foreign one is a bad
// request and never a look at other rows.
package lists

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Sizes of pages on the official service.
const (
	DefaultSize = 20
	MaxSize     = 100
)

// maxToken bounds what Open and Read take. Our own tokens stay under it: the
// largest hold a filter (1,024 bytes) and a description (1,000 bytes) as
// cursor, which JSON in JSON and base64 blow up to some 10,000 bytes at worst.
const maxToken = 16 << 10

// Token is a place in a list.
type Token struct {
	Cursor store.Cursor `json:"c"`
	Back   bool         `json:"b,omitempty"` // the page before Cursor, not the one after
	Offset int          `json:"o"`           // index of the page's first item
	// Query binds the token to account, filters and order.
	Query string `json:"q"`
}

// Sealer signs and checks tokens. It is safe for concurrent use.
type Sealer struct{ key []byte }

// NewSealer makes a Sealer from a secret key of 32 bytes. Tokens live as long
// as the key: nodes that share work share it.
func NewSealer(key []byte) *Sealer { return &Sealer{key: append([]byte(nil), key...)} }

// Seal prints a token.
func (s *Sealer) Seal(t Token) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // tokens are no HTML, and URLs should stay short
	if err := enc.Encode(t); err != nil {
		panic("encoding page token: " + err.Error()) // strings and ints always encode
	}
	body := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return base64.RawURLEncoding.EncodeToString(append(s.mac(body), body...))
}

// seal binds a place to a query; nil is "".
func (s *Sealer) seal(t *Token, query string) string {
	if t == nil {
		return ""
	}
	bound := *t
	bound.Query = query
	return s.Seal(bound)
}

// Open reads a token that was sealed for the same query. The error is
// fault.Invalid and names the parameter.
func (s *Sealer) Open(text, query, param string) (Token, error) {
	t, err := s.Read(text, param)
	if err == nil && t.Query != query {
		return Token{}, foreign(param)
	}
	return t, err
}

func foreign(param string) error {
	return fault.Field(param, "Parameter '%s' is not a page token of this list.", param)
}

// Read reads a token without knowing its query, for lists that let clients
// send the token alone: the caller must go by t.Query, authorization included.
func (s *Sealer) Read(text, param string) (Token, error) {
	bad := foreign(param)
	// The decoder skips line breaks; a token has one form only.
	if len(text) > maxToken || strings.ContainsAny(text, "\r\n") {
		return Token{}, bad
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < macSize {
		return Token{}, bad
	}
	if !hmac.Equal(raw[:macSize], s.mac(raw[macSize:])) {
		return Token{}, bad
	}
	var t Token
	if json.Unmarshal(raw[macSize:], &t) != nil {
		return Token{}, bad
	}
	return t, nil
}

const macSize = 16

func (s *Sealer) mac(body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("page-token:"))
	h.Write(body)
	return h.Sum(nil)[:macSize]
}

// Size checks a requested page size. 0 means absent.
func Size(requested int, given bool, param string) (int, error) {
	if !given {
		return DefaultSize, nil
	}
	if requested < 1 || requested > MaxSize {
		return 0, fault.Field(param, "Parameter '%s' must be between 1 and %d.", param, MaxSize)
	}
	return requested, nil
}
