package httpapi

import (
	"encoding/json"
	"reflect"
)

// Text is a text that clients may send as a JSON number too: the tutorials do
// where the SDK sends texts.
type Text string

// UnmarshalJSON takes a string, or a whole number as its digits.
func (t *Text) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err == nil {
		*t = Text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return WrongType("value other than a string or a whole number")
	}
	if _, err := n.Int64(); err != nil {
		return WrongType("number that is not whole")
	}
	*t = Text(n)
	return nil
}

// WrongType is the error of a property that holds another JSON value than it
// takes: the decoder adds the property's name.
func WrongType(value string) error {
	return &json.UnmarshalTypeError{Value: value, Type: reflect.TypeFor[string]()}
}
