// Package fault is the one error type of the domain: a kind that callers
// branch on, a text that is safe to show to the client, and a private cause.
// It knows nothing of HTTP; package httpapi maps kinds to status codes and the
// API families render their envelopes.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what went wrong, independent of any transport. Kinds are strings
// in logs and golden files: they may be added, never renamed. A Kind is itself
// an error so that errors.Is(err, fault.NotFound) works.
type Kind string

// Error makes a bare kind usable with errors.Is.
func (k Kind) Error() string { return string(k) }

// The kinds, in the order in which a request meets them.
const (
	Unauthenticated  Kind = "unauthenticated"          // no usable credential
	Invalid          Kind = "invalid"                  // the request is wrong in form or value
	TooLarge         Kind = "too_large"                // the body is over its limit
	ContentType      Kind = "unsupported_content_type" // the body is of another type than JSON
	MethodNotAllowed Kind = "method_not_allowed"       // path known, method not
	NotFound         Kind = "not_found"                // no such object, or none that the caller may know of
	Forbidden        Kind = "forbidden"                // known object, no permission
	Conflict         Kind = "conflict"                 // the state of the object does not permit it
	Stale            Kind = "stale"                    // the entity tag is not the current one
	State            Kind = "invalid_state"            // the object is final (a committed template)
	Limit            Kind = "limit"                    // an account's limit is reached
	RateLimited      Kind = "rate_limited"             // too many requests from this source
	NotBuilt         Kind = "not_built"                // the operation is known and not offered yet
	Unavailable      Kind = "unavailable"              // a dependency does not answer; try again
	Internal         Kind = "internal"                 // a defect; the text stays in the log
)

// Error carries a kind with what the client may read. The zero value of each
// field means "use the family's default for the kind". Errors are values:
// they are never changed after they were returned.
type Error struct {
	Kind    Kind
	Code    string // machine word of the envelope, e.g. "not_found"
	Number  string // message number, e.g. "BXNIM0102E"
	Message string // one sentence for the client
	Details string // what exactly, with the name of the field or object
	Field   string // offending request field, "" if none
	// Body is a value that an envelope places beside the message
	// (the conflicting policy of a 409).
	Body any
	// RetryAfter tells when to try again; 0 leaves the header out.
	RetryAfter time.Duration
	// Cause is logged and never shown.
	Cause error
}

// Error is for logs: kind, message, details and cause.
func (e *Error) Error() string {
	text := string(e.Kind)
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Details != "" {
		text += " (" + e.Details + ")"
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Is reports a match with the kind itself, for errors.Is(err, fault.NotFound).
func (e *Error) Is(target error) bool {
	kind, ok := target.(Kind)
	return ok && kind == e.Kind
}

// Unwrap gives the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of a kind with a client-safe message.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Field makes an Invalid error that names the request field.
func Field(field, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Missing makes the Invalid error for a required field that is absent or empty.
func Missing(field string) *Error {
	return Field(field, "Property '%s' is missing or empty.", field)
}

// NoObject makes the NotFound error for an object; what is the type name shown
// to clients ("ApiKey"). Foreign and absent objects give the same text.
func NoObject(what, id string) *Error {
	return &Error{
		Kind: NotFound, Code: "not_found", Number: "BXNIM0102E",
		Message: "Unable to find object",
		Details: fmt.Sprintf("Object type '%s' with ID '%s' not found.", what, id),
	}
}

// Wrap makes an Internal error: the text stays in the log.
func Wrap(cause error, doing string) *Error {
	return &Error{Kind: Internal, Cause: fmt.Errorf("%s: %w", doing, cause)}
}

// Of gives the *Error inside err, or wraps err as Internal.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var kind Kind
	if errors.As(err, &kind) {
		return &Error{Kind: kind, Cause: err}
	}
	return &Error{Kind: Internal, Cause: err}
}

// Ignore makes errors of a kind no error.
func Ignore(kind Kind, err error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

// maxEcho bounds how much of a caller's value an error text repeats.
const maxEcho = 100

// Echo makes a caller's value fit for an error text.
func Echo(s string) string {
	if len(s) > maxEcho {
		s = s[:maxEcho] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\'' || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
}
