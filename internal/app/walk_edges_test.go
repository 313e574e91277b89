package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/httpapi"
)

// gzipped sends a request as the owner, its body packed.
func (w *walker) gzipped(r request, encoding string) reply {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(r.body)) // into memory
	_ = z.Close()
	q := httptest.NewRequest(r.op.Method, r.path, &b)
	q.Header.Set("Authorization", "Bearer "+w.owner+"@"+w.acct)
	q.Header.Set("Content-Encoding", encoding)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("If-Match", "*")
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, q)
	return reply{rec.Code, rec.Body.String(), rec.Header()}
}

func TestEveryBodyMayBeCompressed(t *testing.T) {
	w := newWalker(t)
	n := 0
	for _, op := range w.operations() {
		if op.Access.Public != "" || !op.Built || samples[key(op)].body == "" {
			continue
		}
		n++
		if got := w.gzipped(w.build(op), "gzip"); got.status != op.Success {
			t.Errorf("%s: %d, want %d: %s", key(op), got.status, op.Success, got.body)
		}
		if got := w.gzipped(w.build(op), "br"); got.status != http.StatusUnsupportedMediaType || !strings.Contains(got.body, "br") {
			t.Errorf("%s, another encoding: %d %s", key(op), got.status, got.body)
		}
	}
	t.Logf("%d operations", n)
}

func TestWhatTheSDKCallsIsBuiltOrSaysThatItIsNot(t *testing.T) {
	w := newWalker(t)
	covered, err := httpapi.Cover(w.table)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range covered {
		if c.State == httpapi.StateAbsent {
			t.Errorf("%s.%s (%s %s) is merely not found", c.Family, c.Operation, c.Method, c.Path)
		}
		if c.State != httpapi.StateNotBuilt {
			continue
		}
		op := &httpapi.Operation{Method: c.Method}
		got := w.send(w.owner+"@"+w.acct, request{op: op, path: wildcard.ReplaceAllString(c.Path, "x"), body: "{}"})
		if got.status != http.StatusNotImplemented || !strings.Contains(got.body, c.Operation) {
			t.Errorf("%s.%s: %d %s", c.Family, c.Operation, got.status, got.body)
		}
	}
}

func TestASlowReaderDoesNotHoldTheGate(t *testing.T) {
	w := newWalker(t)
	reached, gone := make(chan struct{}), make(chan struct{})
	go w.app.dev.ServeHTTP(&stuckWriter{reached: reached, gone: gone}, httptest.NewRequest("GET", "/healthz", nil))
	defer close(gone)
	<-reached
	held := make(chan error, 1)
	go func() { held <- w.app.reset(t.Context()) }()
	select {
	case err := <-held:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("a client that does not read holds up the reset")
	}
}

// stuckWriter is a client that does not read.
type stuckWriter struct {
	header        http.Header
	reached, gone chan struct{}
}

func (s *stuckWriter) Header() http.Header {
	if s.header == nil {
		s.header = http.Header{}
	}
	return s.header
}

func (s *stuckWriter) WriteHeader(int) {}

func (s *stuckWriter) Write(p []byte) (int, error) {
	close(s.reached)
	<-s.gone
	return len(p), nil
}

// leaf is a string of a JSON text, with what sets it.
type leaf struct {
	path string
	set  func(any)
	was  any
}

// leaves finds the strings in a JSON value.
func leaves(at string, v any, set func(any)) (out []leaf) {
	switch v := v.(type) {
	case string:
		out = append(out, leaf{at, set, v})
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = append(out, leaves(at+"."+name, v[name], func(to any) { v[name] = to })...)
		}
	case []any:
		for i := range v {
			out = append(out, leaves(at+"[]", v[i], func(to any) { v[i] = to })...)
		}
	}
	return out
}

// harmless are strings that may hold what others may not: descriptions have line
// breaks, nothing of a question is kept, and the account of a further version and
// the name of its role are those of the first one, whatever is said.
var harmless = map[string]*regexp.Regexp{
	"\n": regexp.MustCompile(`\.description$|^authz\.|(_template_version|replace_[a-z_]+_template)\.account_id$|` +
		`\.(create_role_template_version|replace_role_template)\.role\.(name|service_name)$`),
	"": regexp.MustCompile(`^authz\.`),
}

// Every string of every request is refused with a control character in it, and
// with a line break unless it is prose. Properties that the samples leave out are
// added, one at a time.
func TestNoTextOfARequestHoldsControlCharacters(t *testing.T) {
	w := newWalker(t)
	n := 0
	for _, op := range w.operations() {
		if op.Access.Public != "" || !op.Built || !strings.HasPrefix(samples[key(op)].body, "{") || op.InText != "" {
			continue
		}
		r := w.build(op)
		var body map[string]any
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			t.Fatalf("%s: %v", key(op), err)
		}
		texts := leaves("", body, nil)
		for _, name := range stringsOf(op.In) {
			if _, given := body[name]; !given {
				texts = append(texts, leaf{"." + name, func(v any) {
					if body[name] = v; v == nil {
						delete(body, name)
					}
				}, nil})
			}
		}
		for _, l := range texts {
			for _, bad := range []string{"\x00", "\x1b[2J", "\u009b", "\u202e", "\n"} {
				if harmless[""].MatchString(key(op)+l.path) || harmless[bad] != nil && harmless[bad].MatchString(key(op)+l.path) {
					continue
				}
				n++
				l.set("walked" + bad + "text")
				raw, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				r.body = string(raw)
				if got := w.send(w.owner+"@"+w.acct, r); !refusedWhole(got) {
					t.Errorf("%s%s takes %q: %d %s", key(op), l.path, bad, got.status, got.body)
				}
			}
			l.set(l.was)
		}
	}
	t.Logf("%d cases", n)
}

// refusedWhole tells whether nothing of a request was done: lists are answered
// item by item.
func refusedWhole(a reply) bool {
	if a.status == http.StatusMultiStatus {
		return strings.Contains(a.body, `"status_code":4`) && !strings.Contains(a.body, `"status_code":2`)
	}
	return a.status >= 400 && a.status < 500
}

// stringsOf names the strings at the top of a request's body.
func stringsOf(in reflect.Type) (names []string) {
	body, ok := in.FieldByName("Body")
	if !ok {
		return nil
	}
	of := body.Type
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if kind := f.Type; name != "" && name != "-" && (kind.Kind() == reflect.String ||
			kind.Kind() == reflect.Pointer && kind.Elem().Kind() == reflect.String) {
			names = append(names, name)
		}
	}
	return names
}
