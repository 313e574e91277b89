package httpapi

import (
	"bytes"
	"encoding/json"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/valid"
)

// checkTexts refuses a JSON text with a control character in any of its strings,
// whatever the operation takes them for. Line breaks and tabs may be in values:
// whether a property is of one line is for the domain to say.
func checkTexts(raw []byte) error {
	name := "body"
	for i := 0; i < len(raw); {
		if raw[i] != '"' {
			i++
			continue
		}
		end := endOfString(raw, i)
		text, suspect := raw[i:end], suspicious(raw[i:end])
		i = end
		isName := bytes.HasPrefix(bytes.TrimLeft(raw[i:], " \t\r\n"), []byte(":"))
		if isName {
			name = string(bytes.Trim(text, `"`))
		}
		if !suspect {
			continue
		}
		var s string
		if json.Unmarshal(text, &s) != nil {
			return nil // the decoder says where
		}
		check := valid.Prose
		if isName {
			check = valid.Line
		}
		if err := check(fault.Echo(name), s); err != nil {
			return err
		}
	}
	return nil
}

// endOfString gives where the JSON string ends that begins at a place, behind its
// quote.
func endOfString(raw []byte, at int) int {
	for i := at + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// suspicious tells whether a string may stand for more than printable ASCII.
func suspicious(text []byte) bool {
	for _, c := range text {
		if c == '\\' || c < ' ' || c >= 0x7f {
			return true
		}
	}
	return false
}
