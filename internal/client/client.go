// Package client calls a Kagiban server, or any server that speaks the same
// APIs, on behalf of the command line: it builds requests, turns answers into
// values or typed errors, follows paging to the end, and traces calls with
// their secrets blotted out. It keeps no session; who is logged in and when a
// token is renewed is its caller's business.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

// maxBody bounds an answer, in bytes. The largest real answer, a page of 100
// profiles with their history, stays under one megabyte.
const maxBody = 32 << 20

// Config says which server to call and how.
type Config struct {
	// Base is the server's URL as ParseBase returns it.
	Base string
	// Timeout bounds one call, body included; zero means none.
	Timeout time.Duration
	// SkipVerify accepts any TLS certificate.
	SkipVerify bool
	// Trace, when set, receives every request and answer, secrets blotted out.
	Trace io.Writer
	// Correlation is sent as X-Correlation-ID with every call.
	Correlation string
	// UserAgent is sent as User-Agent.
	UserAgent string
	// NewID makes the X-Request-ID of each call; required.
	NewID func() string
	// Now dates the lines of the trace; required with Trace.
	Now func() time.Time
}

// Bearer gives the access token of a call. Renew is true when the server has
// just refused the token that Bearer gave before.
type Bearer func(ctx context.Context, renew bool) (secret.Value, error)

// Client calls one server. It is safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	bearer Bearer
}

// New returns a client that calls without a token; see WithBearer.
func New(cfg Config) *Client {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: cfg.SkipVerify} //nolint:gosec // asked for by flag
	var transport http.RoundTripper = base
	if cfg.Trace != nil {
		transport = &tracer{next: base, out: cfg.Trace, now: cfg.Now}
	}
	return &Client{cfg: cfg, http: &http.Client{
		Transport: transport,
		Timeout:   cfg.Timeout,
		// A followed redirect would carry keys to another place, or turn a
		// POST into a GET; the user shall name the right URL instead.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// WithBearer returns a client that sends the token of bearer with every Call.
func (c *Client) WithBearer(bearer Bearer) *Client {
	with := *c
	with.bearer = bearer
	return &with
}

// Base is the URL of the server, without a trailing slash.
func (c *Client) Base() string { return c.cfg.Base }

// Correlation is the id under which the server's operator finds the calls.
func (c *Client) Correlation() string { return c.cfg.Correlation }

// ParseBase turns what a user wrote as the server's URL into a base URL:
// https unless a scheme is given, no trailing slash, no query, no credentials.
func ParseBase(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", errors.New("the URL is empty")
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is not a URL", text)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%q: the scheme must be http or https", text)
	case u.Hostname() == "":
		return "", fmt.Errorf("%q names no host", text)
	case u.User != nil:
		return "", errors.New("the URL must not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("%q must end with the host or a path", text)
	}
	return strings.TrimRight(u.Scheme+"://"+u.Host+u.EscapedPath(), "/"), nil
}

// Request is one call of a JSON API.
type Request struct {
	Method string
	// Path begins with a slash; variable segments are escaped by Path.
	Path   string
	Query  url.Values
	Header http.Header
	// Body is encoded as JSON when not nil.
	Body any
	// Answer, when not nil, is filled with the headers of a good answer.
	Answer http.Header
}

// Path joins segments into a path, each escaped as a whole, so that a CRN with
// its slashes stays one segment.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// Call sends r with a bearer token and decodes the answer into out, which may
// be nil. A token that the server refuses with 401 is renewed once and the
// call repeated. Errors are a *ServerError, an *UnreachableError, or what the
// Bearer function returned.
func (c *Client) Call(ctx context.Context, r Request, out any) error {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = json.Marshal(r.Body); err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
	}
	answer, err := c.authorized(ctx, r, body, false)
	var refused *ServerError
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && c.bearer != nil {
		answer, err = c.authorized(ctx, r, body, true)
	}
	if err != nil {
		return err
	}
	return decode(answer, out)
}

func (c *Client) authorized(ctx context.Context, r Request, body []byte, renew bool) ([]byte, error) {
	header := http.Header{}
	for name, values := range r.Header {
		header[name] = values
	}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	if c.bearer != nil {
		token, err := c.bearer(ctx, renew)
		if err != nil {
			return nil, err
		}
		header.Set("Authorization", "Bearer "+token.Reveal())
	}
	path := r.Path
	if query := r.Query.Encode(); query != "" {
		path += "?" + query
	}
	return c.send(ctx, r.Method, path, header, body, r.Answer)
}

// send is the one way out: every call passes here. The headers of a good answer
// go to answered, unless that is nil.
func (c *Client) send(ctx context.Context, method, pathQuery string, header http.Header, body []byte, answered http.Header) ([]byte,
	error) {
	req, err := http.NewRequestWithContext(ctx, method, c.cfg.Base+pathQuery, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("building the request: %w", err)
	}
	req.Header = header
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	req.Header.Set("X-Request-ID", c.cfg.NewID())
	req.Header.Set("X-Correlation-ID", c.cfg.Correlation)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(ctx, c.cfg.Base, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, unreachable(ctx, c.cfg.Base, err)
	}
	if len(answer) > maxBody {
		return nil, fmt.Errorf("the server's answer to %s %s is larger than %d MB", method, req.URL.Path, maxBody>>20)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, parseError(resp, answer)
	}
	if answered != nil {
		maps.Copy(answered, resp.Header)
	}
	return answer, nil
}

// decode fills out from a JSON answer; an empty answer leaves it as it is.
func decode(answer []byte, out any) error {
	if out == nil || len(bytes.TrimSpace(answer)) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return nil
}
