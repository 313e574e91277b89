package valid

import (
	"unicode"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
)

// Line checks a text of one line, such as a name: valid UTF-8 without anything
// that moves the cursor, breaks the line or turns the direction of a reader's
// terminal, log or table. Whoever takes a text of a client asks it or Prose.
func Line(field, text string) error { return clean(field, text, false) }

// Prose checks a text that may have several lines, such as a description: Line,
// but for line breaks and tabs.
func Prose(field, text string) error { return clean(field, text, true) }

func clean(field, text string, breaks bool) error {
	for i, r := range text {
		switch {
		case r < utf8.RuneSelf && r >= ' ' && r != 0x7f: // most of them
		case r == utf8.RuneError && !utf8.ValidString(text[i:min(i+3, len(text))]):
			return fault.Field(field, "Property '%s' is not valid UTF-8.", field)
		case breaks && (r == '\n' || r == '\r' || r == '\t'):
		case Control(r):
			return fault.Field(field, "Property '%s' holds a control character.", field)
		}
	}
	return nil
}

// Control finds the controls C0 and C1 with line breaks and tabs, the line and
// paragraph separators, and the marks that turn the direction of a text.
func Control(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || (r >= '\u202a' && r <= '\u202e') || (r >= '\u2066' && r <= '\u2069')
}
