package httpapi

import (
	"net/http"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Millis prints a time as the policy and group APIs do:
// "2024-10-17T16:36:56.501Z". The identity API has a form of its own.
func Millis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// baseURL is the address under which the client reached the server, for links
// in answers. It is built from the request because one server has many names;
// links are only ever followed by the client that gets them.
func baseURL(r *http.Request, secure bool) string {
	if secure {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Shown answers with an object that was read or written: under its entity tag,
// in its form on the wire.
func Shown[T store.Entity, W any](c *Call, object T, err error, wire func(T) *W) (*W, error) {
	if err != nil {
		return nil, err
	}
	c.SetETag(object.Base().Tag)
	return wire(object), nil
}

// Conditional is the precondition of a request: the entity tag of what it changes.
type Conditional struct {
	IfMatch string `header:"If-Match"`
}

// Present is the check of rows that demand it.
func (c Conditional) Present() error {
	if c.IfMatch == "" {
		return fault.Missing("If-Match")
	}
	return nil
}
