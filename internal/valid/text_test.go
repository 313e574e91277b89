package valid_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/valid"
)

func TestTextsAreFitForLogsAndTerminals(t *testing.T) {
	for _, c := range []struct {
		text        string
		line, prose bool
	}{
		{"", true, true}, {"Ops team", true, true}, {"運用 ✓ Ü", true, true}, {"\ufffd", true, true},
		{"a\nb", false, true}, {"a\tb", false, true}, {"a\r\nb", false, true},
		{"a\x00b", false, false}, {"a\x1b[2Jb", false, false}, {"a\x7f", false, false}, {"a\x08", false, false},
		{"a\u0085b", false, false}, {"a\u009bb", false, false}, {"a\u2028b", false, false}, {"a\u2029b", false, false},
		{"a\u202eb", false, false}, {"a\u2066b", false, false},
		{"a\xffb", false, false}, {"a\xc3", false, false}, {"\xed\xa0\x80", false, false},
	} {
		for name, got := range map[string]error{"line": valid.Line("name", c.text), "prose": valid.Prose("name", c.text)} {
			want := map[string]bool{"line": c.line, "prose": c.prose}[name]
			if (got == nil) != want || got != nil && (!errors.Is(got, fault.Invalid) || !strings.Contains(got.Error(), "'name'")) {
				t.Errorf("%q as %s: %v", c.text, name, got)
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\xffb")
	f.Add("a\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		fit := utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl) && !strings.ContainsAny(text, "\u2028\u2029\u202a\u202e")
		if valid.Line("x", text) == nil && !fit {
			t.Errorf("%q passed", text)
		}
		if valid.Line("x", text) == nil && valid.Prose("x", text) != nil {
			t.Errorf("%q is a line and no prose", text)
		}
	})
}
