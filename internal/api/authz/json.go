package authz

import (
	"encoding/json"
	"errors"
	"strings"
)

// scanner reads a JSON text from front to back. The text is copied into one
// string, and every value without escapes is a part of it, so that a question
// costs one allocation however many attributes it has. It accepts exactly what
// encoding/json accepts (FuzzScanner compares them), up to maxDepth.
type scanner struct {
	text string
	at   int
}

// maxDepth bounds nesting; no question needs more than five levels.
const maxDepth = 32

var (
	errSyntax = errors.New("the text is not valid JSON")
	errType   = errors.New("a value has another type than it should")
)

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next gives the first byte of the next value without taking it, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// take takes one byte if it is the next.
func (s *scanner) take(c byte) bool {
	if s.next() == c {
		s.at++
		return true
	}
	return false
}

// end checks that nothing is left.
func (s *scanner) end() error {
	if s.next() != 0 || s.at < len(s.text) {
		return errSyntax
	}
	return nil
}

// object calls field for each property; field must take the value.
func (s *scanner) object(field func(name string) error) error {
	if s.next() == 'n' {
		return s.word("null")
	}
	if !s.take('{') {
		return s.wrong()
	}
	if s.take('}') {
		return nil
	}
	for {
		name, err := s.str()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return errSyntax
		}
		if err := field(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
	}
}

// array calls item for each element; item must take the value.
func (s *scanner) array(item func() error) error {
	if s.next() == 'n' {
		return s.word("null")
	}
	if !s.take('[') {
		return s.wrong()
	}
	if s.take(']') {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return errSyntax
		}
	}
}

// wrong is the error for a value of another type, if it is a value.
func (s *scanner) wrong() error {
	if err := s.skip(0); err != nil {
		return err
	}
	return errType
}

// str takes a string.
func (s *scanner) str() (string, error) {
	if s.next() != '"' {
		return "", s.wrong()
	}
	start := s.at + 1
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return s.text[start:i], nil
		case c == '\\' || c >= 0x80:
			return s.slowString(start - 1)
		case c < 0x20:
			return "", errSyntax
		}
	}
	return "", errSyntax
}

// slowString takes a string with escapes or bytes that may not be UTF-8.
func (s *scanner) slowString(start int) (string, error) {
	for i := start + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case '"':
			s.at = i + 1
			var out string
			if err := json.Unmarshal([]byte(s.text[start:s.at]), &out); err != nil {
				return "", errSyntax
			}
			return out, nil
		}
	}
	return "", errSyntax
}

// value takes a string, number or boolean as text; absent is true for null.
func (s *scanner) value() (text string, absent bool, err error) {
	switch c := s.next(); c {
	case '"':
		text, err = s.str()
		return text, false, err
	case 'n':
		return "", true, s.word("null")
	case 'f':
		return "false", false, s.word("false")
	case 't':
		return "true", false, s.word("true")
	case '{', '[':
		return "", false, s.wrong()
	default:
		start := s.at
		err = s.number()
		return s.text[start:s.at], false, err
	}
}

func (s *scanner) word(w string) error {
	if !strings.HasPrefix(s.text[s.at:], w) {
		return errSyntax
	}
	s.at += len(w)
	return nil
}

// number takes a number in the form that JSON gives it.
func (s *scanner) number() error {
	if s.at < len(s.text) && s.text[s.at] == '-' {
		s.at++
	}
	switch {
	case s.at < len(s.text) && s.text[s.at] == '0':
		s.at++
	case s.digits() == 0:
		return errSyntax
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if s.digits() == 0 {
			return errSyntax
		}
	}
	if s.at < len(s.text) && (s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			return errSyntax
		}
	}
	return nil
}

func (s *scanner) digits() (n int) {
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
		n++
	}
	return n
}

// skip takes a value of any type.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return errSyntax
	}
	switch s.next() {
	case '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case '[':
		return s.array(func() error { return s.skip(depth + 1) })
	default:
		_, _, err := s.value()
		return err
	}
}
