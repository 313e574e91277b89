package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ValueKind says which JSON type a Value was written as.
type ValueKind uint8

// The kinds of value that clients send. KindNone is an absent value or null.
const (
	KindNone ValueKind = iota
	KindString
	KindBool
	KindNumber
	KindList
)

// Value is the value of an attribute or condition, kept exactly as the client
// wrote it so that it can be echoed. Comparison uses Strings.
type Value struct {
	Kind ValueKind
	// Text is the string, "true" or "false", or the literal of the number.
	Text string
	// List holds the elements when Kind is KindList. Lists do not nest.
	List []Value
}

// String makes a string value.
func String(s string) Value { return Value{Kind: KindString, Text: s} }

// Bool makes a JSON true or false.
func Bool(b bool) Value {
	if b {
		return Value{Kind: KindBool, Text: "true"}
	}
	return Value{Kind: KindBool, Text: "false"}
}

// Strings gives the elements of a list, or the one element of a scalar, as
// text: numbers as written, booleans as "true" and "false". It is empty for
// KindNone.
func (v Value) Strings() []string {
	switch v.Kind {
	case KindNone:
		return nil
	case KindList:
		out := make([]string, len(v.List))
		for i, e := range v.List {
			out[i] = e.Text
		}
		return out
	default:
		return []string{v.Text}
	}
}

// Equal reports whether both values have the same kind, text and elements.
func (v Value) Equal(w Value) bool {
	return v.Kind == w.Kind && v.Text == w.Text && slices.EqualFunc(v.List, w.List, Value.Equal)
}

// MarshalJSON writes the value in the JSON type that it was read in.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.Kind {
	case KindNone:
		return []byte("null"), nil
	case KindBool, KindNumber:
		return []byte(v.Text), nil
	case KindString:
		return marshalPlain(v.Text)
	case KindList:
		if v.List == nil {
			return []byte("[]"), nil
		}
		return marshalPlain(v.List)
	default:
		return nil, fmt.Errorf("encoding value: kind %d is unknown", v.Kind)
	}
}

// marshalPlain encodes without HTML escapes: a wildcard or a '<' in a value
// must come back as it was sent.
func marshalPlain(x any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(x); err != nil {
		return nil, fmt.Errorf("encoding value: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// ErrValueType is returned for objects and for arrays in arrays.
var ErrValueType = errors.New("value must be a string, boolean, number or an array of these")

// UnmarshalJSON accepts a string, boolean, number, null or an array of
// strings, booleans and numbers.
func (v *Value) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '[' {
		return v.unmarshalScalar(data)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("decoding value: %w", err)
	}
	*v = Value{Kind: KindList, List: make([]Value, len(raw))}
	for i, r := range raw {
		if err := v.List[i].unmarshalScalar(bytes.TrimSpace(r)); err != nil {
			return err
		}
		if v.List[i].Kind == KindNone {
			return ErrValueType
		}
	}
	return nil
}

// plainString tells whether a JSON string stands for what it looks like: letters
// of ASCII without escapes. Accounts are read faster by it, who hold hundreds of
// thousands of such values.
func plainString(data []byte) bool {
	last := len(data) - 1
	if last < 1 || data[0] != '"' || data[last] != '"' {
		return false
	}
	for _, c := range data[1:last] {
		if c < 0x20 || c >= 0x7f || c == '\\' || c == '"' {
			return false
		}
	}
	return true
}

func (v *Value) unmarshalScalar(data []byte) error {
	if len(data) == 0 {
		return ErrValueType
	}
	switch c := data[0]; {
	case plainString(data):
		*v = String(string(data[1 : len(data)-1]))
	case c == '"':
		*v = Value{Kind: KindString}
		if err := json.Unmarshal(data, &v.Text); err != nil {
			return fmt.Errorf("decoding value: %w", err)
		}
	case c == 't' || c == 'f':
		var b bool
		if err := json.Unmarshal(data, &b); err != nil {
			return fmt.Errorf("decoding value: %w", err)
		}
		*v = Bool(b)
	case c == 'n':
		*v = Value{}
	case c == '-' || c >= '0' && c <= '9':
		var n json.Number
		if err := json.Unmarshal(data, &n); err != nil {
			return fmt.Errorf("decoding value: %w", err)
		}
		*v = Value{Kind: KindNumber, Text: n.String()}
	default:
		return ErrValueType
	}
	return nil
}
