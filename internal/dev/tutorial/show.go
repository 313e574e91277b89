package tutorial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

type object = map[string]any

// Refused is an answer that was not the expected one.
type Refused struct {
	Status  int
	Message string
}

// Error tells status and message.
func (r *Refused) Error() string {
	return fmt.Sprintf("the server answered %d: %s", r.Status, r.Message)
}

func (p *player) say(format string, args ...any) {
	fmt.Fprintf(p.Out, format+"\n", args...)
}

// quiet is the player without its voice: for polling.
func (p *player) quiet() *player {
	q := *p
	q.Out = io.Discard
	return &q
}

func (p *player) get(ctx context.Context, path string, out any) error {
	return p.send(ctx, http.MethodGet, path, nil, out)
}

func (p *player) post(ctx context.Context, path string, body object, out any) error {
	return p.send(ctx, http.MethodPost, path, body, out)
}

// send sends a request with the token of step 1 and shows it with its answer.
func (p *player) send(ctx context.Context, method, path string, body object, out any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, p.Base+path, bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+p.setupToken)
	if raw != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	p.say("  %s %s", method, path)
	p.show(raw)
	return p.do(r, out)
}

// form sends a form without a token.
func (p *player) form(ctx context.Context, path string, form url.Values, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	p.say("  POST %s", path)
	for _, key := range slices.Sorted(maps.Keys(form)) {
		p.say("    %s = %s", key, shorten(key, form.Get(key)))
	}
	return p.do(r, out)
}

func (p *player) do(r *http.Request, out any) error {
	answer, err := p.HTTP.Do(r)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	p.say("  %s", answer.Status)
	p.show(raw)
	p.say("")
	if answer.StatusCode > 299 {
		return &Refused{answer.StatusCode, messageOf(raw)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// messageOf finds the text of an error in the shapes that the APIs use.
func messageOf(raw []byte) string {
	var body struct {
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
		Message      string `json:"message"`
		ErrorMessage string `json:"errorMessage"`
	}
	if json.Unmarshal(raw, &body) == nil {
		if len(body.Errors) > 0 {
			return body.Errors[0].Message
		}
		if text := body.Message + body.ErrorMessage; text != "" {
			return text
		}
	}
	return "no reason given"
}

// show prints a JSON document, indented, without its secrets.
func (p *player) show(raw []byte) {
	if len(raw) == 0 {
		return
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		p.say("    (%d bytes that are no JSON)", len(raw))
		return
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("    ", "  ")
	_ = e.Encode(hide(v)) // it was decoded from JSON
	p.say("    %s", strings.TrimSpace(out.String()))
}

// hide shortens secrets in a decoded document.
func hide(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			if text, ok := x.(string); ok {
				v[key] = shorten(key, text)
			} else {
				v[key] = hide(x)
			}
		}
	case []any:
		for i := range v {
			v[i] = hide(v[i])
		}
	}
	return v
}

// shorten hides the value of a key that holds a secret; "not_supported" is what
// stands in the place of a refresh token.
func shorten(key, value string) string {
	switch key {
	case "apikey", "access_token", "refresh_token":
		if value != "" && value != "not_supported" {
			return "***"
		}
	}
	return value
}
