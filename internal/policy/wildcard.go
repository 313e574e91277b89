package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Wildcard is a compiled stringMatch value: '*' stands for any number of
// characters, '?' for exactly one, and {{*}} and {{?}} for themselves. The zero
// Wildcard matches the empty string.
type Wildcard struct {
	// prefix is the literal text before the first wildcard; most patterns are
	// decided by it alone.
	prefix string
	// rest is the pattern after the prefix; anyRun and anyOne stand for the
	// wildcards.
	rest []rune
}

// Runes that cannot occur in text.
const (
	anyRun rune = -1
	anyOne rune = -2
)

// ParseWildcard compiles a stringMatch value. Every text is a valid pattern.
// Comparison is by Unicode character and case-sensitive.
func ParseWildcard(pattern string) Wildcard {
	var w Wildcard
	var literal strings.Builder
	for len(pattern) > 0 {
		token, size := nextToken(pattern)
		switch {
		case token == anyRun && len(w.rest) > 0 && w.rest[len(w.rest)-1] == anyRun:
			// A run of stars is one star.
		case token >= 0 && w.rest == nil:
			literal.WriteString(escapedText(pattern[:size]))
		default:
			w.rest = append(w.rest, token)
		}
		pattern = pattern[size:]
	}
	w.prefix = literal.String()
	return w
}

// nextToken reads one character, wildcard or escape and its length in bytes.
func nextToken(p string) (rune, int) {
	switch {
	case strings.HasPrefix(p, "{{*}}"):
		return '*', 5
	case strings.HasPrefix(p, "{{?}}"):
		return '?', 5
	case p[0] == '*':
		return anyRun, 1
	case p[0] == '?':
		return anyOne, 1
	}
	return nextChar(p)
}

// nextChar reads one character. A byte that is no UTF-8 is a character of its
// own, different from every other.
func nextChar(s string) (rune, int) {
	c, size := utf8.DecodeRuneInString(s)
	if c == utf8.RuneError && size == 1 {
		return utf8.MaxRune + 1 + rune(s[0]), 1
	}
	return c, size
}

// escapedText gives the literal text of a token.
func escapedText(token string) string {
	switch token {
	case "{{*}}":
		return "*"
	case "{{?}}":
		return "?"
	}
	return token
}

// Match reports whether the whole of s fits the pattern.
func (w Wildcard) Match(s string) bool {
	s, ok := strings.CutPrefix(s, w.prefix)
	if !ok {
		return false
	}
	if len(w.rest) == 1 && w.rest[0] == anyRun {
		return true
	}
	// On a mismatch only the last star needs to try again, one character
	// further: the stars before it took the shortest text they could.
	p, at := 0, 0
	star, retry := -1, 0
	for at < len(s) {
		c, size := nextChar(s[at:])
		switch {
		case p < len(w.rest) && w.rest[p] == anyRun:
			star, retry = p, at
			p++
		case p < len(w.rest) && (w.rest[p] == anyOne || w.rest[p] == c):
			p++
			at += size
		case star >= 0:
			_, size = nextChar(s[retry:])
			retry += size
			p, at = star+1, retry
		default:
			return false
		}
	}
	for p < len(w.rest) && w.rest[p] == anyRun {
		p++
	}
	return p == len(w.rest)
}

// equal reports whether two patterns are the same.
func (w Wildcard) equal(v Wildcard) bool {
	return w.prefix == v.prefix && slices.Equal(w.rest, v.rest)
}
