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

	// The parts of rest: before the first star, between stars, after the last.
	// Without a star all of it is in head.
	star  bool
	head  []rune
	parts []piece
	tail  []rune
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
	w.split()
	return w
}

// split cuts the pattern at its stars.
func (w *Wildcard) split() {
	w.head = w.rest
	at := slices.Index(w.rest, anyRun)
	if at < 0 {
		return
	}
	w.star, w.head = true, w.rest[:at]
	for rest := w.rest[at+1:]; ; rest = rest[at+1:] {
		if at = slices.Index(rest, anyRun); at < 0 {
			w.tail = rest
			return
		}
		w.parts = append(w.parts, newPiece(rest[:at]))
	}
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

// Match reports whether the whole of s fits the pattern. Its time grows with
// the length of s, and for a part with '?' between two stars with a 64th of the
// part's length too: no pattern makes it slow.
func (w *Wildcard) Match(s string) bool {
	s, ok := strings.CutPrefix(s, w.prefix)
	if !ok {
		return false
	}
	n, ok := start(s, w.head)
	if !w.star {
		return ok && n == len(s)
	}
	if !ok {
		return false
	}
	s = s[n:]
	if n, ok = end(s, w.tail); !ok {
		return false
	}
	s = s[:len(s)-n]
	for i := range w.parts {
		// The first place where a part fits leaves the most for those after it.
		if n = w.parts[i].after(s); n < 0 {
			return false
		}
		s = s[n:]
	}
	return true
}

// start gives the length of the text at the beginning of s that fits.
func start(s string, pattern []rune) (int, bool) {
	at := 0
	for _, p := range pattern {
		if at == len(s) {
			return 0, false
		}
		c, size := nextChar(s[at:])
		if p != anyOne && p != c {
			return 0, false
		}
		at += size
	}
	return at, true
}

// end gives the length of the text at the end of s that fits.
func end(s string, pattern []rune) (int, bool) {
	left := len(s)
	for i := len(pattern) - 1; i >= 0; i-- {
		if left == 0 {
			return 0, false
		}
		_, size := utf8.DecodeLastRuneInString(s[:left])
		left -= size
		if c, _ := nextChar(s[left:]); pattern[i] != anyOne && pattern[i] != c {
			return 0, false
		}
	}
	return len(s) - left, true
}

// piece is the part of a pattern between two stars.
type piece struct {
	// text is the whole part when no '?' is in it.
	text string
	// Otherwise the places of each character in the part are bits in places;
	// any has those of '?' alone, for every other character.
	places map[rune][]uint64
	any    []uint64
	length int // characters
}

func newPiece(pattern []rune) piece {
	if !slices.ContainsFunc(pattern, func(c rune) bool { return c < 0 || c > utf8.MaxRune }) {
		return piece{text: string(pattern)}
	}
	p := piece{length: len(pattern), any: make([]uint64, (len(pattern)+63)/64), places: map[rune][]uint64{}}
	set := func(bits []uint64, i int) { bits[i/64] |= 1 << (i % 64) }
	for i, c := range pattern {
		if c == anyOne {
			set(p.any, i)
		}
	}
	for i, c := range pattern {
		if c == anyOne {
			continue
		}
		if p.places[c] == nil {
			p.places[c] = slices.Clone(p.any)
		}
		set(p.places[c], i)
	}
	return p
}

// after finds the first text in s that fits the piece and gives where it ends,
// -1 when there is none.
func (p *piece) after(s string) int {
	if p.text != "" {
		if i := strings.Index(s, p.text); i >= 0 {
			return i + len(p.text)
		}
		return -1
	}
	// Bit i of begun says that the last i+1 characters fit the first i+1 of the
	// piece: all beginnings are followed at once.
	var inline [16]uint64
	begun := inline[:min(len(p.any), len(inline))]
	if len(p.any) > len(inline) {
		begun = make([]uint64, len(p.any))
	}
	last := p.length - 1
	for at := 0; at < len(s); {
		c, size := nextChar(s[at:])
		at += size
		fits, ok := p.places[c]
		if !ok {
			fits = p.any
		}
		carry := uint64(1)
		for i, bits := range begun {
			begun[i] = (bits<<1 | carry) & fits[i]
			carry = bits >> 63
		}
		if begun[last/64]>>(last%64)&1 == 1 {
			return at
		}
	}
	return -1
}

// any reports whether every text fits.
func (w *Wildcard) any() bool { return w.prefix == "" && len(w.rest) == 1 && w.rest[0] == anyRun }

// equal reports whether two patterns are the same.
func (w *Wildcard) equal(v *Wildcard) bool {
	return w.prefix == v.prefix && slices.Equal(w.rest, v.rest)
}
