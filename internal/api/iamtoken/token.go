package iamtoken

import (
	"context"
	"net/http"
	"strconv"
	"sync"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/token"
)

var jsonType = []string{"application/json"}

// token answers POST /identity/token. It is the hot path: no map, no
// reflection, one write.
func (a *API) token(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	out, err := a.tokens.Issue(ctx, f.request(c, r))
	if err != nil {
		return err
	}
	pooled := answers.Get().(*[]byte)
	defer answers.Put(pooled)
	*pooled = appendResponse((*pooled)[:0], out)
	writeBody(w, c, http.StatusOK, *pooled)
	return nil
}

var answers = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

// writeBody answers with JSON that is encoded already.
func writeBody(w http.ResponseWriter, c *httpapi.Call, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	c.Status = status
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client is gone
}

// appendResponse encodes the answer. All texts in it are made here of letters,
// digits and "-_. ", so that none needs an escape; numbers are JSON numbers,
// which clients insist on.
func appendResponse(b []byte, r *token.Response) []byte {
	b = append(b, '{')
	b = appendText(b, "access_token", r.AccessToken)
	b = appendText(b, "refresh_token", r.RefreshToken)
	b = appendText(b, "delegated_refresh_token", r.DelegatedRefreshToken)
	b = appendText(b, "id_token", r.IDToken)
	b = appendText(b, "session_id", r.SessionID)
	if r.AccessToken != "" {
		b = appendText(b, "token_type", "Bearer")
		b = appendNumber(b, "expires_in", r.ExpiresIn)
		b = appendNumber(b, "expiration", r.Expiration)
		if r.RefreshExpiration != 0 {
			b = appendNumber(b, "refresh_token_expiration", r.RefreshExpiration)
		}
	}
	b = appendText(b, "scope", r.Scope)
	return append(b, '}', '\n')
}

func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

func appendText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = append(appendName(b, name), '"')
	b = append(b, text...)
	return append(b, '"')
}

func appendNumber(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(appendName(b, name), n, 10)
}
