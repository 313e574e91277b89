package iamtoken

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

// passcodeHTML is the page with the words {title} and {content} to be replaced.
// Its style sheet is bound by its hash in the content security policy, and
// there is no script. It is no html/template: linking that package keeps every
// method of the program alive, which costs 4 MB of memory.
//
//go:embed passcode.html
var passcodeHTML string

// pagePolicy lets the page do nothing but show itself and send its form back.
var pagePolicy = "default-src 'none'; style-src '" + styleHash(passcodeHTML) +
	"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// styleHash gives the CSP source of the page's only style element.
func styleHash(page string) string {
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page is what passcode.html shows.
type page struct {
	Title     string
	Passcode  string // shown once when set
	Error     string
	SignedOut bool
}

const (
	signedOutHTML = `<p>There is no login session in this browser. To end a session of the command line, log out there.</p>`
	passcodeText  = `<p>Enter this code where you are logging in. It works once and only for a few minutes.</p>
<output aria-label="One-time passcode">{passcode}</output>`
	formHTML = `<p>Log in to get a one-time code for the command line or another device.</p>
{error}<form method="post" action="/identity/passcode">
<label for="username">E-mail</label>
<input id="username" name="username" type="email" autocomplete="username" required maxlength="254" autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024">
<button>Show a passcode</button>
</form>`
	errorHTML = `<p class="error" role="alert">{error}</p>
`
)

// html is the page. Everything that is filled in is escaped.
func (p *page) html() string {
	fill := func(text, word, value string) string { return strings.ReplaceAll(text, word, html.EscapeString(value)) }
	var content string
	switch {
	case p.SignedOut:
		content = signedOutHTML
	case p.Passcode != "":
		content = fill(passcodeText, "{passcode}", p.Passcode)
	case p.Error != "":
		content = strings.ReplaceAll(formHTML, "{error}", fill(errorHTML, "{error}", p.Error))
	default:
		content = strings.ReplaceAll(formHTML, "{error}", "")
	}
	return strings.NewReplacer("{title}", html.EscapeString(p.Title), "{content}", content).Replace(passcodeHTML)
}

// passcodePage answers GET /identity/passcode with a form for e-mail and
// password. There is no browser session yet that could stand for them.
func (a *API) passcodePage(_ context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
	return a.writePage(c, w, http.StatusOK, page{Title: "One-time passcode"})
}

// passcode answers both senders of POST /identity/passcode: the form of the
// page (username, password) and programs (refresh_token).
func (a *API) passcode(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	req := f.request(c, r)
	if f.values[fieldUsername] != "" || f.values[fieldPassword] != "" {
		return a.passcodeFromPage(ctx, c, w, r, f)
	}
	code, err := a.tokens.Passcode(ctx, req)
	if err != nil {
		return err
	}
	return httpapi.WriteJSON(w, c, http.StatusOK, struct {
		Passcode string `json:"passcode"`
	}{code.Reveal()})
}

func (a *API) passcodeFromPage(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request, f *form) error {
	if err := a.protect.Check(r); err != nil {
		return a.writePage(c, w, http.StatusForbidden, page{Title: "One-time passcode",
			Error: "The form came from another site. Open this page again."})
	}
	req := f.request(c, r)
	code, err := a.tokens.PasscodeFor(ctx, req.Username, req.Password, c.Address)
	if err == nil {
		return a.writePage(c, w, http.StatusOK, page{Title: "One-time passcode", Passcode: code.Reveal()})
	}
	e := fault.Of(err)
	if e.Kind == fault.Internal || errors.Is(err, fault.Unavailable) {
		return err
	}
	c.Err = e
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprintf("%.0f", max(e.RetryAfter.Seconds(), 1)))
	}
	return a.writePage(c, w, httpapi.StatusOf(e.Kind), page{Title: "One-time passcode", Error: e.Message})
}

func (a *API) writePage(c *httpapi.Call, w http.ResponseWriter, status int, p page) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", httpapi.Challenge)
	}
	c.Status = status
	w.WriteHeader(status)
	_, _ = io.WriteString(w, p.html()) // an error means that the client is gone
	return nil
}

// logout ends the login of a refresh token (form, with its client) or the
// session of an access token (Bearer header). A browser without either sees a
// page: there is no browser session to end.
func (a *API) logout(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	text := bearerOf(r)
	switch {
	case f.values[fieldRefreshToken] != "":
		err = a.tokens.Logout(ctx, f.request(c, r))
	case text != "":
		err = a.tokens.LogoutToken(ctx, text)
	default:
		return a.writePage(c, w, http.StatusOK, page{Title: "Signed out", SignedOut: true})
	}
	if err != nil {
		return err
	}
	c.Status = http.StatusNoContent
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sessionState answers PATCH /v1/sessions/{session_id}/state, with which the
// command line keeps a session alive. The body is empty.
func (a *API) sessionState(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	if err := a.tokens.KeepAlive(ctx, clientOf(r, new(form)), c.Address, r.PathValue("session_id")); err != nil {
		return err
	}
	c.Status = http.StatusNoContent
	w.WriteHeader(http.StatusNoContent)
	return nil
}
