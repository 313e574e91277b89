package authz

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// decoded reads any value with the scanner into what encoding/json makes of it,
// numbers as text.
func decoded(s *scanner) (any, error) {
	switch s.next() {
	case '{':
		out := map[string]any{}
		err := s.object(func(name string) error {
			v, err := decoded(s)
			out[name] = v
			return err
		})
		return out, err
	case '[':
		out := []any{}
		err := s.array(func() error {
			v, err := decoded(s)
			out = append(out, v)
			return err
		})
		return out, err
	case '"':
		return s.str()
	case 't', 'f':
		text, _, err := s.value()
		return text == "true", err
	default:
		text, absent, err := s.value()
		if absent || err != nil {
			return nil, err
		}
		return json.Number(text), nil
	}
}

func depth(v any) int {
	most := 0
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			most = max(most, depth(x))
		}
	case []any:
		for _, x := range v {
			most = max(most, depth(x))
		}
	default:
		return 0
	}
	return most + 1
}

func FuzzScanner(f *testing.F) {
	for _, text := range []string{`[{"subject":{"attributes":{"id":"IBMid-1"}},"action":"a.b.c","resource":{"crn":"crn:v1"}}]`, ` { } `,
		`[]`, `null`, `true`, `-0.5e+10`, `"a\u00e9\ud83d\ude00\"\\"`,
		"\"\xff\"", `[1,]`, `{"a":1,}`, `01`, `1.`, `1e`, `-`, `"`, `"\`, `{"a"}`, `[[[[1]]]]`, "\"\x01\"", `nul`, `{"a":1}{`, "\ufeff[]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var want any
		valid := json.Valid([]byte(text)) && d.Decode(&want) == nil
		s := scanner{text: text}
		if valid && depth(want) > maxDepth {
			return
		}
		got, err := decoded(&s)
		if err == nil {
			err = s.end()
		}
		if (err == nil) != valid {
			t.Fatalf("%q: encoding/json says valid %v, the scanner %v", text, valid, err)
		}
		if valid && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, want %#v", text, got, want)
		}
		s = scanner{text: text}
		err = s.skip(0)
		if err == nil {
			err = s.end()
		}
		if (err == nil) != valid {
			t.Fatalf("%q: skipping says %v", text, err)
		}
	})
}

func FuzzQuestions(f *testing.F) {
	f.Add(`[{"subject":{"attributes":{"id":"IBMid-1","accountId":"a"}},"action":"a.b.c","resource":{"crn":"crn:v1:b:p:kms::a/1:i::"},"environment":{"attributes":{"ipAddress":"10.0.0.1"}}}]`)
	f.Add(`[{"subject":{"accessTokenBody":"eyJpYW1faWQiOiJ4IiwiZXhwIjoxfQ"},"resource":{"attributes":{"tags":["a:b"],"x":1}}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		r := reader{scanner: scanner{text: text}, now: time.Unix(0, 0)}
		list, err := r.questions()
		if err == nil && (len(list) == 0 || len(list) > maxQuestions || !json.Valid([]byte(text))) {
			t.Errorf("%q: %d questions", text, len(list))
		}
		r = reader{scanner: scanner{text: text}, now: time.Unix(0, 0)}
		if _, all, err := r.bulk(); err == nil && (len(all) == 0 || len(all) > maxResources) {
			t.Errorf("%q: %d resources", text, len(all))
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\x00\x1f\x7f ü 😀 \xff\xc0\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		var w writer
		w.text(s)
		var back string
		if err := json.Unmarshal(w.buf, &back); err != nil {
			t.Fatalf("%q became %s: %v", s, w.buf, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); strings.ToValidUTF8(back, "") != back ||
			strings.Count(back, "\ufffd") < strings.Count(want, "\ufffd") {
			t.Errorf("%q came back as %q", s, back)
		}
	})
}
