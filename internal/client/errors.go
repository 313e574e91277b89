package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// Codes of the token service after which only a new login helps (the
// official command line's list).
const (
	CodeInvalidRefreshToken = "BXNIM0407E"
	CodeExpiredRefreshToken = "BXNIM0408E"
	CodeInactiveSession     = "BXNIM0439E"
)

// ServerError is a refusal by the server.
type ServerError struct {
	Status  int    // HTTP status
	Code    string // "BXNIM0415E", "not_found"; "" when the server gave none
	Message string // the most detailed text that the server gave
	// RetryAfter is the server's Retry-After as sent, "" if absent.
	RetryAfter string
}

// Error has the form that scripts know.
func (e *ServerError) Error() string {
	text := fmt.Sprintf("Remote server error. Status code: %d, error code: %s, message: %s", e.Status, e.Code, e.Message)
	if e.RetryAfter != "" {
		text += " (try again in " + e.RetryAfter + " s)"
	}
	return text
}

// NeedsLogin tells whether the session is over and only a new login helps.
func (e *ServerError) NeedsLogin() bool {
	switch e.Code {
	case CodeInvalidRefreshToken, CodeExpiredRefreshToken, CodeInactiveSession:
		return true
	}
	return false
}

// IsNotFound tells whether err is a server's 404.
func IsNotFound(err error) bool { return answered(err, http.StatusNotFound) }

// IsForbidden tells whether err is a server's 403.
func IsForbidden(err error) bool { return answered(err, http.StatusForbidden) }

func answered(err error, status int) bool {
	var e *ServerError
	return errors.As(err, &e) && e.Status == status
}

// errorBody is the union of the error documents of the APIs: the token
// service's flat one, the errors[] envelope, and OAuth's.
type errorBody struct {
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
	ErrorDetails string `json:"errorDetails"`

	Errors []struct {
		Code        string          `json:"code"`
		MessageCode string          `json:"message_code"`
		Message     string          `json:"message"`
		Details     json.RawMessage `json:"details"`
	} `json:"errors"`

	Error            json.RawMessage `json:"error"`
	ErrorDescription string          `json:"error_description"`
	Message          string          `json:"message"`
	Code             json.RawMessage `json:"code"`
}

func parseError(resp *http.Response, answer []byte) *ServerError {
	e := &ServerError{Status: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After")}
	if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
		e.Message = "The server redirects to " + to + "; use that server's URL."
		return e
	}
	var body errorBody
	if err := json.Unmarshal(answer, &body); err != nil {
		e.Message = plainText(resp.StatusCode, answer)
		return e
	}
	e.Code, e.Message = body.pick()
	e.Code, e.Message = oneLine(e.Code), oneLine(e.Message)
	if e.Message == "" {
		e.Message = http.StatusText(resp.StatusCode)
	}
	return e
}

// pick chooses code and text. Details win over the message, as in the official
// command line, because they name the object or the field.
func (b *errorBody) pick() (code, message string) {
	switch {
	case b.ErrorCode != "" || b.ErrorMessage != "":
		return b.ErrorCode, firstOf(b.ErrorDetails, b.ErrorMessage)
	case len(b.Errors) > 0:
		item := b.Errors[0]
		return firstOf(item.MessageCode, item.Code), firstOf(text(item.Details), item.Message)
	}
	return firstOf(text(b.Error), text(b.Code)), firstOf(b.ErrorDescription, b.Message, text(b.Error))
}

// text gives a JSON string's content, and "" for any other JSON.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// oneLine keeps a server's text from looking like several lines of ours.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

// plainText makes one readable line of an answer that is not JSON, such as a
// proxy's error page.
func plainText(status int, answer []byte) string {
	const most = 200
	line, _, _ := strings.Cut(strings.TrimSpace(string(answer)), "\n")
	if line == "" || strings.HasPrefix(line, "<") {
		return http.StatusText(status)
	}
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + "…"
	}
	return line
}

// UnreachableError says that no answer came from the server.
type UnreachableError struct {
	URL   string
	Cause error
	// Certificate is true when the server's TLS certificate was not accepted.
	Certificate bool
	// PlainHTTP is true when a server without TLS listens behind an https URL.
	PlainHTTP bool
}

// Error names the URL and the cause, without the request's path or query.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("Could not reach %s: %v", e.URL, e.Cause)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Cause }

func unreachable(ctx context.Context, base string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("calling %s: %w", base, ctx.Err())
	}
	e := &UnreachableError{URL: base, Cause: err}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		e.Cause = wrapped.Err
		if wrapped.Timeout() {
			e.Cause = errors.New("no answer in time")
		}
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		e.Cause = fmt.Errorf("no such host: %s", dns.Name)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		e.Cause = errors.New("the server closed the connection")
	}
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	e.Certificate = errors.As(err, &verification) || errors.As(err, &authority)
	var record tls.RecordHeaderError
	e.PlainHTTP = errors.As(err, &record) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
	return e
}
