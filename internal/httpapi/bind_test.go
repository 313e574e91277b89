package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

type kind string

type wide struct {
	ID     string   `path:"id"`
	Size   *int     `query:"size"`
	Deep   bool     `query:"deep"`
	Tags   []string `query:"tags"`
	Kind   kind     `query:"kind"`
	Match  string   `header:"If-Match"`
	Body   wideBody
	unused int //lint:ignore U1000 unexported fields must be passed over
}

type wideBody struct {
	Name  string   `json:"name"`
	Count int      `json:"count"`
	List  []string `json:"list"`
	Inner struct {
		Flag bool `json:"flag"`
	} `json:"inner"`
}

// check asks for a name.
func (w *wide) check() error {
	if w.Body.Name == "" {
		return fault.Missing("name")
	}
	return nil
}

func bindBench(t testing.TB) *bench {
	op := one(httpapi.Op[wide, httpapi.None, wide]{ID: "put", Method: http.MethodPut, Path: "/v1/{id}", Status: 200, Public: public,
		Limit: 1000,
		Check: (*wide).check, Do: echo[wide]})
	b := &bench{}
	var err error
	b.Router, err = httpapi.NewRouter(httpapi.Config{Operations: []httpapi.Operation{op}, Log: discard, Default: family})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParametersAndBodyAreBound(t *testing.T) {
	b := bindBench(t)
	w := b.do("PUT", "/v1/a%2Fb?size=-3&deep=TRUE&tags=a,b&tags=,c&kind=k",
		`{"name":"n","count":2,"list":["x"],"inner":{"flag":true},"extra":1}`, "If-Match", "1-x")
	var got wide
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if got.ID != "a/b" || *got.Size != -3 || !got.Deep || strings.Join(got.Tags, "|") != "a|b|c" || got.Kind != "k" || got.Match != "1-x" ||
		got.Body.Name != "n" || got.Body.Count != 2 || !got.Body.Inner.Flag {
		t.Errorf("got %+v", got)
	}
}

func TestBadInputNamesTheFieldAndNoGoType(t *testing.T) {
	b := bindBench(t)
	good := `{"name":"n"}`
	for _, c := range []struct {
		name, target, body string
		status             int
		field              string // stands in the message
	}{
		{"no number", "/v1/x?size=ten", good, 400, "size"},
		{"number over all limits", "/v1/x?size=99999999999999999999", good, 400, "size"},
		{"no boolean", "/v1/x?deep=perhaps", good, 400, "deep"},
		{"malformed query", "/v1/x?size=%zz", good, 400, "query"},
		{"NUL in a parameter", "/v1/x?kind=%00", good, 400, "kind"},
		{"missing body", "/v1/x", "", 400, "body"},
		{"malformed JSON", "/v1/x", `{"name":`, 400, "JSON"},
		{"two values", "/v1/x", good + good, 400, "JSON"},
		{"a list", "/v1/x", `[]`, 400, "body"},
		{"a wrong type", "/v1/x", `{"name":7}`, 400, "name"},
		{"a wrong type inside", "/v1/x", `{"name":"n","inner":{"flag":"yes"}}`, 400, "inner.flag"},
		{"a number with a fraction", "/v1/x", `{"name":"n","count":1.5}`, 400, "count"},
		{"an empty name", "/v1/x", `{"name":""}`, 400, "name"},
		{"NUL in the body", "/v1/x", "{\"name\":\"a\x00b\"}", 400, "NUL"},
		{"too large", "/v1/x", `{"name":"` + strings.Repeat("x", 1000) + `"}`, 413, "1000 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, message := refused(t, b.do("PUT", c.target, c.body), c.status)
			if !strings.Contains(message, c.field) {
				t.Errorf("message %q does not name %s", message, c.field)
			}
			for _, internal := range []string{"httpapi", "Go ", "struct", "unmarshal", "wideBody"} {
				if strings.Contains(message, internal) {
					t.Errorf("message %q shows internals", message)
				}
			}
		})
	}
}

func TestARequestTypeThatCannotBeBoundIsRefusedAtStart(t *testing.T) {
	type floats struct {
		F float64 `query:"f"`
	}
	type stray struct {
		ID string `path:"nowhere"`
	}
	for name, build := range map[string]func(){
		"a float":           func() { get[floats]("x", "/x") },
		"a missing segment": func() { get[stray]("x", "/x") },
		"no struct":         func() { get[int]("x", "/x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken", name)
				}
			}()
			build()
		}()
	}
}

func FuzzBinder(f *testing.F) {
	f.Add("id", "size=1&deep=true&tags=a,b", `{"name":"n"}`)
	f.Add("a%2Fb", "size=&size=x", `{"name":null,"list":[null],"inner":[]}`)
	f.Add("%00", "%zz", "\x00")
	b := bindBench(f)
	f.Fuzz(func(t *testing.T, id, query, body string) {
		req, err := http.NewRequestWithContext(context.Background(), "PUT", "http://x/v1/"+id+"?"+query, strings.NewReader(body))
		if err != nil {
			return // no HTTP request
		}
		w := b.send(req)
		switch w.Code {
		case 200, 307, 400, 404, 405, 413:
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if strings.ContainsRune(w.Body.String(), 0) {
			t.Error("the answer holds a NUL character")
		}
	})
}
