package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

// maxTraced bounds the part of a body that is not JSON or a form, in bytes.
const maxTraced = 4096

// tracer prints calls with their secrets blotted out. Secrets are found by the
// name of their field or header; what has been found once is blotted out
// wherever it turns up later, in an error text for example; and whatever looks
// like a JWT is blotted out everywhere.
type tracer struct {
	next http.RoundTripper
	out  io.Writer
	now  func() time.Time

	mu   sync.Mutex // guards know, and keeps the texts of two calls apart
	know []string   // secrets seen so far, longest first
}

// RoundTrip prints the request, sends it, and prints the answer.
func (t *tracer) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	start := t.now()
	t.request(start, req, sent)
	resp, err := t.next.RoundTrip(req)
	end := t.now()
	if err != nil {
		t.write(fmt.Sprintf("%s%v\n\n", responseHead(start, end), err))
		return nil, err
	}
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(got))
	t.write(responseHead(start, end) + "HTTP/1.1 " + resp.Status + "\n" + t.message(resp.Header, got))
	return resp, nil
}

func (t *tracer) request(start time.Time, req *http.Request, body []byte) {
	head := fmt.Sprintf("REQUEST: [%s]\n%s %s HTTP/1.1\nHost: %s\n", start.Format(time.RFC3339), req.Method, t.target(req.URL), req.URL.Host)
	t.write(head + t.message(req.Header, body))
}

func responseHead(start, end time.Time) string {
	return fmt.Sprintf("RESPONSE: [%s] Elapsed: %dms\n", end.Format(time.RFC3339), end.Sub(start).Milliseconds())
}

func (t *tracer) write(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = io.WriteString(t.out, t.scrub(text)) // a trace that cannot be written must not stop the call
}

// message gives headers and body.
func (t *tracer) message(header http.Header, body []byte) string {
	var b strings.Builder
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, value := range header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, t.header(name, value))
		}
	}
	if len(body) > 0 {
		b.WriteString("\n" + t.body(header.Get("Content-Type"), body) + "\n")
	}
	b.WriteString("\n")
	return b.String()
}

func (t *tracer) target(u *url.URL) string {
	if u.RawQuery == "" {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + t.formText(u.RawQuery)
}

// header blots out the credentials of a header; the scheme stays readable.
func (t *tracer) header(name, value string) string {
	switch strings.ToLower(name) {
	case "authorization", "proxy-authorization":
		scheme, rest, _ := strings.Cut(value, " ")
		t.remember(rest)
		return scheme + " " + secret.Redacted
	case "iam-apikey", "cookie", "set-cookie":
		t.remember(value)
		return secret.Redacted
	}
	return value
}

func (t *tracer) body(kind string, body []byte) string {
	switch {
	case strings.HasPrefix(kind, "application/x-www-form-urlencoded"):
		return t.formText(string(body))
	case json.Valid(body):
		return t.jsonText(body)
	case len(body) > maxTraced:
		return string(body[:maxTraced]) + fmt.Sprintf("… (%d bytes)", len(body))
	}
	return string(body)
}

func (t *tracer) formText(raw string) string {
	form, err := url.ParseQuery(raw)
	if err != nil {
		return secret.Redacted
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	sort.Strings(names)
	var parts []string
	for _, name := range names {
		for _, value := range form[name] {
			// "code" is a credential in a form and an error's name in JSON.
			if (isSecretName(name) || name == "code") && value != "" {
				t.remember(value)
				parts = append(parts, name+"="+secret.Redacted)
				continue
			}
			parts = append(parts, name+"="+url.QueryEscape(value))
		}
	}
	return strings.Join(parts, "&")
}

func (t *tracer) jsonText(body []byte) string {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return secret.Redacted
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(t.blot(v, false)); err != nil {
		return secret.Redacted
	}
	return strings.TrimRight(b.String(), "\n")
}

// blot replaces the texts under secret names. Everything under "secrets" goes,
// however deep it lies; an object under another secret name, such as the key
// that is born with a service ID, is looked at field by field.
func (t *tracer) blot(v any, hidden bool) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			_, isText := inner.(string)
			v[name] = t.blot(inner, hidden || name == "secrets" || isText && isSecretName(name))
		}
	case []any:
		for i := range v {
			v[i] = t.blot(v[i], hidden)
		}
	case string:
		if hidden && v != "" {
			t.remember(v)
			return secret.Redacted
		}
	}
	return v
}

// isSecretName tells whether a field holds a credential. Numbers are never
// blotted out, so lifetimes such as refresh_token_expiration stay readable.
func isSecretName(name string) bool {
	n := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
	switch n {
	case "apikey", "password", "passcode", "securitycode", "securityquestionanswer",
		"secret", "clientsecret", "privatekey", "keyvalue", "cookie", "iamcookie", "identitycookie":
		return true
	case "pagetoken":
		return false
	}
	return strings.HasSuffix(n, "token")
}

// remember notes a secret so that scrub finds it elsewhere. Short values are
// not noted: they would blot out innocent text.
func (t *tracer) remember(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const shortest = 8
	if len(value) < shortest || value == noRefreshToken {
		return
	}
	for _, k := range t.know {
		if k == value {
			return
		}
	}
	t.know = append(t.know, value)
	sort.Slice(t.know, func(i, j int) bool { return len(t.know[i]) > len(t.know[j]) })
}

var jwtPattern = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`)

func (t *tracer) scrub(text string) string {
	for _, k := range t.know {
		text = strings.ReplaceAll(text, k, secret.Redacted)
		if escaped := url.QueryEscape(k); escaped != k {
			text = strings.ReplaceAll(text, escaped, secret.Redacted)
		}
	}
	return jwtPattern.ReplaceAllString(text, secret.Redacted)
}
