package lists

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
)

// Bounds of a filter. The official clients send one comparison; a list of 2,000
// objects evaluates the filter for each of them.
const (
	MaxFilterLength = 1024 // bytes
	MaxTerms        = 32   // comparisons
	MaxDepth        = 16   // nested parentheses and negations
)

// Filter is a parsed filter: comparisons of an attribute with a quoted text,
// joined by and, or, not and parentheses, as SCIM (RFC 7644 section 3.4.2.2) has
// it. It owns no attribute: every list says which ones it has and gives their
// values. It is immutable and safe for concurrent use; a
// nil Filter matches everything.
type Filter struct{ root node }

// Match tells whether an object passes; value gives its attributes, "" for one
// that the object does not have. Texts compare without regard to case, as SCIM
// says for attributes that are not case-exact.
func (f *Filter) Match(value func(attribute string) string) bool {
	return f == nil || f.root.match(value)
}

// String prints the filter so that ParseFilter reads the same filter again.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	var b strings.Builder
	f.root.print(&b)
	return b.String()
}

type node interface {
	match(value func(string) string) bool
	print(b *strings.Builder)
}

// compare is "attribute operator value". fold is the value in lower case.
type compare struct{ attribute, operator, value, fold string }

type not struct{ of node }

// join is a list of two or more nodes of which one (or) or all (and) must match.
type join struct {
	or bool
	of []node
}

func (c *compare) match(value func(string) string) bool {
	have := strings.ToLower(value(c.attribute))
	switch c.operator {
	case "eq":
		return have == c.fold
	case "ne":
		return have != c.fold
	case "co":
		return strings.Contains(have, c.fold)
	case "sw":
		return strings.HasPrefix(have, c.fold)
	case "ew":
		return strings.HasSuffix(have, c.fold)
	case "gt":
		return have > c.fold
	case "ge":
		return have >= c.fold
	case "lt":
		return have < c.fold
	case "le":
		return have <= c.fold
	}
	return have != "" // pr: present
}

func (c *compare) print(b *strings.Builder) {
	b.WriteString(c.attribute + " " + c.operator)
	if c.operator == "pr" {
		return
	}
	b.WriteString(` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.value) + `"`)
}

func (n *not) match(value func(string) string) bool { return !n.of.match(value) }

func (n *not) print(b *strings.Builder) {
	b.WriteString("not (")
	n.of.print(b)
	b.WriteByte(')')
}

func (j *join) match(value func(string) string) bool {
	for _, n := range j.of {
		if n.match(value) == j.or {
			return j.or
		}
	}
	return !j.or
}

func (j *join) print(b *strings.Builder) {
	for i, n := range j.of {
		if i > 0 {
			if j.or {
				b.WriteString(" or ")
			} else {
				b.WriteString(" and ")
			}
		}
		// Only an or inside an and needs parentheses: and binds tighter, and
		// lists of one kind are the same flat.
		if inner, ok := n.(*join); ok && inner.or && !j.or {
			b.WriteByte('(')
			n.print(b)
			b.WriteByte(')')
		} else {
			n.print(b)
		}
	}
}

// operators are those of SCIM; pr takes no value.
var operators = []string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}

// ParseFilter reads a filter over the given attributes. Keywords, operators and
// attributes are read without regard to case. The error is fault.Invalid and
// names the parameter "filter". An empty text gives nil.
func ParseFilter(text string, attributes []string) (*Filter, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > MaxFilterLength {
		return nil, fault.Field("filter", "Parameter 'filter' is longer than %d bytes.", MaxFilterLength)
	}
	if !utf8.ValidString(text) {
		return nil, fault.Field("filter", "Parameter 'filter' is not valid UTF-8.")
	}
	p := &parser{rest: text, attributes: attributes}
	root, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.rest != "" {
		return nil, p.fail("'and', 'or' or the end")
	}
	return &Filter{root}, nil
}

type parser struct {
	rest       string
	attributes []string
	terms      int
}

func (p *parser) skip() { p.rest = strings.TrimLeft(p.rest, " \t") }

// fail says what was expected, and where in a few of the client's characters.
func (p *parser) fail(expected string) error {
	near := "its end"
	if p.rest != "" {
		near = "'" + strings.ToValidUTF8(p.rest[:min(len(p.rest), 20)], "") + "'"
	}
	return fault.Field("filter", "Parameter 'filter' needs %s near %s.", expected, near)
}

// keyword takes a word if it comes next, followed by space, parenthesis or the end.
func (p *parser) keyword(word string) bool {
	p.skip()
	if len(p.rest) < len(word) || !strings.EqualFold(p.rest[:len(word)], word) {
		return false
	}
	after := p.rest[len(word):]
	if after != "" && !strings.ContainsRune(" \t(", rune(after[0])) {
		return false
	}
	p.rest = after
	return true
}

// expression reads terms joined by or; and binds tighter.
func (p *parser) expression(depth int) (node, error) {
	return p.joined(depth, "or", func() (node, error) {
		return p.joined(depth, "and", func() (node, error) { return p.term(depth) })
	})
}

func (p *parser) joined(depth int, word string, operand func() (node, error)) (node, error) {
	if depth > MaxDepth {
		return nil, fault.Field("filter", "Parameter 'filter' is nested deeper than %d levels.", MaxDepth)
	}
	first, err := operand()
	if err != nil {
		return nil, err
	}
	all := []node{first}
	for p.keyword(word) {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	if len(all) == 1 {
		return first, nil
	}
	return &join{or: word == "or", of: all}, nil
}

func (p *parser) term(depth int) (node, error) {
	if p.keyword("not") {
		if p.skip(); !strings.HasPrefix(p.rest, "(") {
			return nil, p.fail("'(' after 'not'")
		}
		inner, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		return &not{inner}, nil
	}
	p.skip()
	if !strings.HasPrefix(p.rest, "(") {
		return p.comparison()
	}
	p.rest = p.rest[1:]
	inner, err := p.expression(depth + 1)
	if err != nil {
		return nil, err
	}
	if p.skip(); !strings.HasPrefix(p.rest, ")") {
		return nil, p.fail("')'")
	}
	p.rest = p.rest[1:]
	return inner, nil
}

func (p *parser) comparison() (node, error) {
	if p.terms++; p.terms > MaxTerms {
		return nil, fault.Field("filter", "Parameter 'filter' holds more than %d comparisons.", MaxTerms)
	}
	at := p.rest
	attribute := strings.ToLower(p.word())
	if !slices.Contains(p.attributes, attribute) {
		p.rest = at
		return nil, p.fail("one of the attributes " + strings.Join(p.attributes, ", "))
	}
	p.skip()
	at = p.rest
	operator := strings.ToLower(p.word())
	if !slices.Contains(operators, operator) {
		p.rest = at
		return nil, p.fail("one of the operators " + strings.Join(operators, ", "))
	}
	c := &compare{attribute: attribute, operator: operator}
	if operator == "pr" {
		return c, nil
	}
	value, err := p.value()
	if err != nil {
		return nil, err
	}
	c.value, c.fold = value, strings.ToLower(value)
	return c, nil
}

// word takes letters, digits, '_' and '.'.
func (p *parser) word() string {
	end := 0
	for end < len(p.rest) {
		c := p.rest[end]
		if c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			break
		}
		end++
	}
	word := p.rest[:end]
	p.rest = p.rest[end:]
	return word
}

// value takes a text in double quotes with \" and \\ inside, or bare true or false.
func (p *parser) value() (string, error) {
	p.skip()
	at := p.rest
	if !strings.HasPrefix(p.rest, `"`) {
		if word := strings.ToLower(p.word()); word == "true" || word == "false" {
			return word, nil
		}
		p.rest = at
		return "", p.fail("a value in double quotes")
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case '\\':
			i++
			if i == len(p.rest) || (p.rest[i] != '"' && p.rest[i] != '\\') {
				p.rest = p.rest[i-1:]
				return "", p.fail(`\" or \\`)
			}
			b.WriteByte(p.rest[i])
		default:
			if c < 0x20 || c == 0x7f {
				p.rest = p.rest[i:]
				return "", p.fail("no control character")
			}
			b.WriteByte(c)
		}
	}
	return "", p.fail("a closing double quote")
}
