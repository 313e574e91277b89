package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Object is an API object both as a value and as the server sent it, so that
// JSON output shows every property, in the server's order, the ones that this
// program does not know included.
type Object[T any] struct {
	Value T
	// Tag is the entity tag that a change must name: from the ETag header, or
	// in families that have it in the body, from there. "" in the lists of
	// families that send only the header.
	Tag string
	raw json.RawMessage
}

// UnmarshalJSON keeps the text and decodes it.
func (o *Object[T]) UnmarshalJSON(text []byte) error {
	o.raw = append(o.raw[:0:0], text...)
	var tagged struct {
		EntityTag string `json:"entity_tag"`
	}
	if json.Unmarshal(text, &tagged) == nil {
		o.Tag = tagged.EntityTag
	}
	return json.Unmarshal(text, &o.Value)
}

// MarshalJSON gives the server's text back; an object that was never decoded
// is encoded from its value.
func (o Object[T]) MarshalJSON() ([]byte, error) {
	if o.raw == nil {
		return json.Marshal(o.Value)
	}
	return o.raw, nil
}

// Values strips the objects of their texts.
func Values[T any](objects []Object[T]) []T {
	values := make([]T, len(objects))
	for i := range objects {
		values[i] = objects[i].Value
	}
	return values
}

// Send makes a call whose answer is one object.
func Send[T any](ctx context.Context, c *Client, r Request) (Object[T], error) {
	var out Object[T]
	header := http.Header{}
	r.Answer = header
	if err := c.Call(ctx, r, &out); err != nil {
		return Object[T]{}, err
	}
	if tag := header.Get("ETag"); tag != "" {
		out.Tag = tag
	}
	return out, nil
}

// Get reads one object.
func Get[T any](ctx context.Context, c *Client, path string) (Object[T], error) {
	return Send[T](ctx, c, Request{Method: http.MethodGet, Path: path})
}

// Post creates an object, or does whatever POST does at path.
func Post[T any](ctx context.Context, c *Client, path string, header http.Header, body any) (Object[T], error) {
	return Send[T](ctx, c, Request{Method: http.MethodPost, Path: path, Header: header, Body: body})
}

// Put changes an object of which the caller has seen the given entity tag.
func Put[T any](ctx context.Context, c *Client, path, entityTag string, body any) (Object[T], error) {
	return Send[T](ctx, c, Request{Method: http.MethodPut, Path: path, Header: IfMatch(entityTag), Body: body})
}

// IfMatch is the precondition of a change.
func IfMatch(entityTag string) http.Header { return http.Header{"If-Match": {entityTag}} }

// Delete removes what is at path.
func (c *Client) Delete(ctx context.Context, path string) error {
	return c.Call(ctx, Request{Method: http.MethodDelete, Path: path}, nil)
}

// pageSize is the most that any of the APIs gives in one page.
const pageSize = "100"

// Pages is how an API splits its lists: the parameters that bound a page and
// that continue, and the property that holds the URL of the next page.
type Pages struct{ size, token, next string }

// How the families split their lists.
var (
	ByToken    = Pages{"pagesize", "pagetoken", "next"}   // identities
	ByStart    = Pages{"limit", "start", "next"}          // policies and their templates
	ByOffset   = Pages{"limit", "offset", "next"}         // access groups
	ByDocument = Pages{"limit", "next_docid", "next_url"} // enterprises
	Whole      = Pages{}                                  // in one piece
)

// List reads a collection to its end. Array names the property of each page
// that holds the objects.
func List[T any](ctx context.Context, c *Client, pages Pages, path, array string, query url.Values) ([]Object[T], error) {
	q := url.Values{}
	if pages.size != "" {
		q.Set(pages.size, pageSize)
	}
	for k, v := range query {
		q[k] = v
	}
	all := []Object[T]{}
	for seen := map[string]bool{}; ; {
		var page map[string]json.RawMessage
		if err := c.Call(ctx, Request{Method: http.MethodGet, Path: path, Query: q}, &page); err != nil {
			return nil, err
		}
		var items []Object[T]
		if raw, ok := page[array]; ok {
			if err := json.Unmarshal(raw, &items); err != nil {
				return nil, fmt.Errorf("the server's list %q cannot be read: %w", array, err)
			}
		}
		all = append(all, items...)
		token, err := pages.nextToken(page[pages.next])
		if err != nil || token == "" {
			return all, err
		}
		if seen[token] {
			return nil, errors.New("the server's pages go in a circle")
		}
		seen[token] = true
		q.Set(pages.token, token)
	}
}

// nextToken takes the page token out of the link to the next page, which is a
// URL as text or an object with that URL as href.
func (p Pages) nextToken(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	next := text(raw)
	if next == "" && string(raw) != `""` {
		var ref struct {
			Href string `json:"href"`
		}
		if err := json.Unmarshal(raw, &ref); err != nil {
			return "", errors.New("the server's link to the next page cannot be read")
		}
		next = ref.Href
	}
	if strings.TrimSpace(next) == "" {
		return "", nil
	}
	u, err := url.Parse(next)
	if err != nil {
		return "", errors.New("the server's link to the next page is not a URL")
	}
	token := u.Query().Get(p.token)
	if token == "" {
		return "", errors.New("the server's link to the next page holds no page token")
	}
	return token, nil
}
