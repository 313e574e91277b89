package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/valid"
)

// binder fills a request struct. It is made once per operation.
type binder struct {
	fields []boundField
	body   []int // index of the Body field, nil if none
	strict bool  // the body may hold nothing that is not known
}

type boundField struct {
	from  string // "path", "query" or "header"
	name  string
	index []int
}

// newBinder reads the tags of a request type and checks them against the path.
func newBinder(t reflect.Type, path string) (*binder, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("request type %s is not a struct", t)
	}
	b := &binder{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Name == "Body" {
			b.body = f.Index
			continue
		}
		for _, from := range []string{"path", "query", "header"} {
			name, ok := f.Tag.Lookup(from)
			if !ok {
				continue
			}
			if !bindable(f.Type) {
				return nil, fmt.Errorf("field %s has a type that cannot be bound: %s", f.Name, f.Type)
			}
			if from == "path" && !strings.Contains(path, "{"+name+"}") {
				return nil, fmt.Errorf("path %s has no segment {%s}", path, name)
			}
			b.fields = append(b.fields, boundField{from, name, f.Index})
		}
	}
	return b, nil
}

func bindable(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	}
	return false
}

// decode fills dst from the request. Errors are fault.Invalid or fault.TooLarge
// and name the parameter or property.
func (b *binder) decode(dst any, w http.ResponseWriter, r *http.Request, limit int64) error {
	v := reflect.ValueOf(dst).Elem()
	var query url.Values
	for _, f := range b.fields {
		var values []string
		switch f.from {
		case "path":
			values = []string{r.PathValue(f.name)}
		case "query":
			if query == nil {
				q, err := url.ParseQuery(r.URL.RawQuery)
				if err != nil {
					return fault.Field("query", "The query string is malformed.")
				}
				query = q
			}
			values = query[f.name]
		case "header":
			values = r.Header.Values(f.name)
		}
		if len(values) == 0 {
			continue
		}
		if err := setField(v.FieldByIndex(f.index), f.name, values); err != nil {
			return err
		}
	}
	if b.strict {
		if err := b.noMore(r); err != nil {
			return err
		}
	}
	if b.body == nil {
		return nil
	}
	body := v.FieldByIndex(b.body)
	raw, err := readBody(w, r, limit)
	if err != nil || len(raw) == 0 && body.Kind() == reflect.Pointer { // a body that may be left out
		return err
	}
	if err := unmarshal(raw, body.Addr().Interface(), b.strict); err != nil {
		return err
	}
	return agree(r, raw)
}

// noMore refuses parameters that the operation does not have.
func (b *binder) noMore(r *http.Request) error {
	for name := range r.URL.Query() {
		if !slices.ContainsFunc(b.fields, func(f boundField) bool { return f.from == "query" && f.name == name }) {
			return fault.Field(fault.Echo(name), "There is no parameter '%s' here.", fault.Echo(name))
		}
	}
	return nil
}

// agree refuses a request whose query and body say one thing, and differently:
// whichever the operation heeds, somebody on the way may read the other.
func agree(r *http.Request, raw []byte) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(raw, &body) != nil { // no object: it has no names
		return nil
	}
	for name, values := range r.URL.Query() {
		said, ok := body[name]
		if !ok || strings.ContainsAny(string(said[:1]), "{[n") { // objects, lists and null are said by no parameter
			continue
		}
		inBody := string(said)
		_ = json.Unmarshal(said, &inBody) // a number stays as it is written
		if slices.ContainsFunc(values, func(v string) bool { return v != inBody }) {
			return fault.Field(fault.Echo(name), "Parameter '%s' stands in query and body, with different values.", fault.Echo(name))
		}
	}
	return nil
}

func setField(v reflect.Value, name string, values []string) error {
	text := values[0]
	for _, other := range values {
		if strings.ContainsFunc(other, valid.Control) {
			return fault.Field(name, "Parameter '%s' holds a control character.", name)
		}
		if other != text && v.Kind() != reflect.Slice { // two readers could disagree on which one counts
			return fault.Field(name, "Parameter '%s' is given twice, with different values.", name)
		}
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true":
			v.SetBool(true)
		case "false", "":
			v.SetBool(false)
		default:
			return fault.Field(name, "Parameter '%s' must be true or false.", name)
		}
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fault.Field(name, "Parameter '%s' must be a whole number.", name)
		}
		v.SetInt(int64(n))
	case reflect.Slice:
		for _, item := range values {
			for part := range strings.SplitSeq(item, ",") {
				if part = strings.TrimSpace(part); part != "" {
					v.Set(reflect.Append(v, reflect.ValueOf(part).Convert(v.Type().Elem())))
				}
			}
		}
	}
	return nil
}

// DecodeJSON reads a JSON body of at most limit bytes into dst: exactly one
// value, unknown properties ignored (as the official service does).
func DecodeJSON(w http.ResponseWriter, r *http.Request, limit int64, dst any) error {
	raw, err := readBody(w, r, limit)
	if err != nil {
		return err
	}
	return unmarshal(raw, dst, false)
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, BodyFault(err, limit)
	}
	return raw, nil
}

// unmarshal decodes a body. A strict one refuses properties that dst does not
// have.
func unmarshal(raw []byte, dst any, strict bool) error {
	if len(raw) == 0 {
		return fault.Field("body", "The request body is missing.")
	}
	if slices.Contains(raw, 0) {
		return fault.Field("body", "The request body holds a NUL character.")
	}
	if !utf8.Valid(raw) {
		return fault.Field("body", "The request body is not valid UTF-8.")
	}
	if err := checkTexts(raw); err != nil {
		return err
	}
	err := json.Unmarshal(raw, dst)
	if err == nil && strict {
		return onlyKnown(raw, dst)
	}
	return jsonFault(err, reflect.TypeOf(dst))
}

// onlyKnown refuses a JSON text with properties that dst does not have.
func onlyKnown(raw []byte, dst any) error {
	in := json.NewDecoder(bytes.NewReader(raw))
	in.DisallowUnknownFields()
	err := in.Decode(dst)
	if err == nil {
		return nil
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		name = strings.Trim(name, `"`)
		return fault.Field(fault.Echo(name), "There is no property '%s' here.", fault.Echo(name))
	}
	return jsonFault(err, reflect.TypeOf(dst))
}

// saysJSON tells whether a request's Content-Type is JSON, or not given.
func saysJSON(r *http.Request) bool {
	given := r.Header.Get("Content-Type")
	if given == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(given)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

// jsonFault words a decoding error for the client, without Go's type names. body
// is the type that was decoded into.
func jsonFault(err error, body reflect.Type) error {
	if err == nil {
		return nil
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return known
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		field := propertyPath(body, wrongType.Field)
		if field == "" {
			field = "body"
		}
		return fault.Field(field, "Property '%s' must not be a JSON %s.", field, wrongType.Value)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fault.Field("body", "The request body is not valid JSON (near byte %d).", syntax.Offset)
	}
	return &fault.Error{Kind: fault.Invalid, Field: "body", Message: "The request body is not valid JSON.", Cause: err}
}

// propertyPath takes the names of embedded structs out of the path of a property
// in a type: clients see an embedded struct's properties as the outer one's.
func propertyPath(t reflect.Type, path string) string {
	var out []string
	for step := range strings.SplitSeq(path, ".") {
		for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map) {
			t = t.Elem()
		}
		var field reflect.StructField
		if t != nil && t.Kind() == reflect.Struct {
			field, _ = t.FieldByNameFunc(func(name string) bool {
				f, _ := t.FieldByName(name)
				tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				return tag == step || f.Anonymous && tag == "" && name == step
			})
		}
		if t = field.Type; !field.Anonymous || field.Tag.Get("json") != "" {
			out = append(out, step)
		}
	}
	return strings.Join(out, ".")
}
