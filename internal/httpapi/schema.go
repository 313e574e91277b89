package httpapi

import (
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schema is the part of JSON Schema (2020-12, as OpenAPI 3.1 uses it) that Go
// types are described with. The zero value allows anything.
type schema struct {
	Ref        string             `json:"$ref,omitempty"`
	Type       string             `json:"type,omitempty"`
	Format     string             `json:"format,omitempty"`
	Items      *schema            `json:"items,omitempty"`
	Properties map[string]*schema `json:"properties,omitempty"`
	Values     *schema            `json:"additionalProperties,omitempty"`
	Required   []string           `json:"required,omitempty"`
}

// schemas collects the named schemas of one document.
type schemas struct {
	byName  map[string]*schema
	names   map[reflect.Type]string
	request map[reflect.Type]bool // types that requests hold: nothing in them is required
}

func newSchemas() *schemas {
	return &schemas{byName: map[string]*schema{}, names: map[reflect.Type]string{}, request: map[reflect.Type]bool{}}
}

// markRequest notes every struct that a request type reaches.
func (s *schemas) markRequest(t reflect.Type) {
	if t == nil {
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		s.markRequest(t.Elem())
	case reflect.Struct:
		if s.request[t] {
			return
		}
		s.request[t] = true
		for i := range t.NumField() {
			s.markRequest(t.Field(i).Type)
		}
	}
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	timeType      = reflect.TypeFor[time.Time]()
)

// of describes a type; structs with a name become components.
func (s *schemas) of(t reflect.Type) *schema {
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem())
	}
	switch {
	case t == timeType:
		return &schema{Type: "string", Format: "date-time"}
	case t.Implements(jsonMarshaler) || reflect.PointerTo(t).Implements(jsonMarshaler):
		return &schema{} // the type writes itself in its own way
	case t.Implements(textMarshaler):
		return &schema{Type: "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return &schema{Type: "string"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Float32, reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return &schema{Type: "integer"}
	case reflect.Int64, reflect.Uint64:
		return &schema{Type: "integer", Format: "int64"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return &schema{Type: "string", Format: "byte"}
		}
		return &schema{Type: "array", Items: s.of(t.Elem())}
	case reflect.Map:
		return &schema{Type: "object", Values: s.of(t.Elem())}
	case reflect.Struct:
		return s.object(t)
	}
	return &schema{}
}

// object describes a struct: by reference when the type has a name, so that
// types may hold themselves.
func (s *schemas) object(t reflect.Type) *schema {
	if t.Name() == "" {
		return s.properties(t)
	}
	name, known := s.names[t]
	if !known {
		name = s.free(t)
		s.names[t] = name
		s.byName[name] = nil // taken while the properties are described
		s.byName[name] = s.properties(t)
	}
	return &schema{Ref: "#/components/schemas/" + name}
}

// free finds a component name for a type: package and type, with a number when
// two packages of one name collide.
func (s *schemas) free(t reflect.Type) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-' {
			return r
		}
		return '_' // brackets of generic types
	}, path.Base(t.PkgPath())+"."+t.Name())
	name := clean
	for n := 2; ; n++ {
		if _, taken := s.byName[name]; !taken {
			return name
		}
		name = clean + strconv.Itoa(n)
	}
}

func (s *schemas) properties(t reflect.Type) *schema {
	out := &schema{Type: "object", Properties: map[string]*schema{}}
	s.collect(t, out)
	if s.request[t] {
		out.Required = nil
	}
	slices.Sort(out.Required)
	return out
}

// collect adds the fields of a struct as encoding/json names them.
func (s *schemas) collect(t reflect.Type, out *schema) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && options == "" {
			continue
		}
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if f.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			before := len(out.Required)
			s.collect(inner, out)
			if f.Type.Kind() == reflect.Pointer { // nil: none of its properties
				out.Required = out.Required[:before]
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if isNothing(f.Type) && strings.Contains(options, "omitzero") {
			continue // never there
		}
		out.Properties[name] = s.of(f.Type)
		if !mayBeAbsent(f.Type, options) {
			out.Required = append(out.Required, name)
		}
	}
}

// mayBeAbsent tells whether encoding/json leaves a field out for some value. A
// type may say of all its values that they are not zero.
func mayBeAbsent(t reflect.Type, options string) bool {
	if strings.Contains(options, "omitempty") {
		return true
	}
	if !strings.Contains(options, "omitzero") {
		return false
	}
	says, ok := reflect.Zero(t).Interface().(interface{ IsZero() bool })
	return !ok || t.Kind() == reflect.Pointer || says.IsZero()
}
