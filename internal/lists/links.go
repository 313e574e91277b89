package lists

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
)

// Asked is a request for a page of a list whose links hold page tokens.
type Asked struct {
	Base string   // of links; "" makes relative ones
	URL  *url.URL // of the request: its parameters but the page's own bind the tokens
	// Scope binds the tokens to what the URL does not say, as the caller's account.
	Scope string
	Param string // the parameter that holds the token
	Token string // its value; "" is the first page
	Size  int    // of a page; 0: the whole list is one
}

// Links are the URLs of other pages: the request's own with the page token
// replaced. Previous and Next are "" at the ends; NextToken is the token in Next.
type Links struct{ First, Previous, Next, NextToken string }

// ByToken gives the page that is asked for and the links around it.
func ByToken[T any](ctx context.Context, s *Sealer, src Source[T], in Asked) (*Page[T], Links, error) {
	query := bind(in.URL, in.Scope, in.Param)
	var at Token
	if in.Token != "" {
		var err error
		if at, err = s.Open(in.Token, query, in.Param); err != nil {
			return nil, Links{}, err
		}
	}
	p, err := Cut(ctx, src, at, in.Size)
	if err != nil {
		return nil, Links{}, err
	}
	_, previous, next := p.Tokens(s, query)
	links := Links{First: Link(in.Base, in.URL, in.Param, ""), NextToken: next}
	if previous != "" {
		links.Previous = Link(in.Base, in.URL, in.Param, previous)
	}
	if next != "" {
		links.Next = Link(in.Base, in.URL, in.Param, next)
	}
	return p, links, nil
}

// bind names the list that a URL asks for, whatever page of it.
func bind(u *url.URL, scope string, page ...string) string {
	q := u.Query()
	for _, p := range append(page, "limit") {
		q.Del(p)
	}
	sum := sha256.Sum256([]byte(u.Path + "?" + q.Encode() + "\n" + scope))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Link gives the URL of another page: the request's URL with the page token
// replaced. A page token of "" makes the link to the first page.
func Link(base string, u *url.URL, param, token string) string {
	q := u.Query()
	q.Del(param)
	if token != "" {
		q.Set(param, token)
	}
	out := base + u.EscapedPath()
	if enc := q.Encode(); enc != "" {
		out += "?" + enc
	}
	return out
}
