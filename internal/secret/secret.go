// Package secret holds the types and the cryptography for values that must
// not be seen: a string type that never prints itself, keyed hashes to look
// high-entropy values up by, envelope encryption under a master key, password
// hashes, and generators of opaque credentials.
//
// Which store keeps a hash or a sealed value, when a credential expires and
// who may see it belong to the callers. Signing keys as keys belong to package
// signing; this package only seals their bytes.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what every way of printing a Value shows, the empty one included.
const Redacted = "[redacted]"

// ErrRedactedInput says that somebody tried to decode the text that stands for
// a hidden value as if it were the value. It means that a Value was serialised
// where Reveal should have been called, so it must never pass silently.
var ErrRedactedInput = errors.New("decoding a secret: the input is the redaction mark, not a secret")

// Value is a secret string. It is immutable, cheap to copy and safe for
// concurrent use; the zero Value is the empty secret.
//
// The text sits behind a pointer on purpose: fmt cannot call methods on
// unexported struct fields and would print a string held directly, while it
// prints a nested pointer as an address. For the same reason == compares
// identity, not content; use Equal.
type Value struct {
	text *string
}

// New returns the secret with the given text.
func New(text string) Value {
	if text == "" {
		return Value{}
	}
	kept := text // the parameter itself would be moved to the heap even when empty
	return Value{text: &kept}
}

// Reveal returns the text. Call it only where the secret leaves the process on
// purpose or enters a cryptographic function.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero reports whether the secret is empty; encoding/json's omitzero uses it.
func (v Value) IsZero() bool { return v.text == nil || *v.text == "" }

// Equal reports whether both secrets have the same text. The time it takes
// depends on the lengths only, not on where the texts differ.
func (v Value) Equal(other Value) bool {
	a, b := sha256.Sum256([]byte(v.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns the redaction mark.
func (Value) String() string { return Redacted }

// GoString returns the redaction mark.
func (Value) GoString() string { return Redacted }

// Format writes the redaction mark for every verb and flag; without it %x and
// %d would reach the fields.
func (Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Redacted) }

// LogValue makes log/slog write the redaction mark.
func (Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON encodes the redaction mark; a response that shows the secret has
// a plain string field filled by Reveal.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText encodes the redaction mark.
func (Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText takes the text as the secret, and refuses the redaction mark
// with ErrRedactedInput.
func (v *Value) UnmarshalText(text []byte) error {
	if string(text) == Redacted {
		return ErrRedactedInput
	}
	*v = New(string(text))
	return nil
}

// UnmarshalJSON accepts a JSON string; null leaves the Value as it is. Errors
// never quote the input.
func (v *Value) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New("decoding a secret: not a JSON string")
	}
	return v.UnmarshalText([]byte(text))
}
