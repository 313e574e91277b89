package httpapi_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/httpapi/openapitest"
)

type tree struct {
	Name     string            `json:"name"`
	Children []*tree           `json:"children,omitempty"`
	Labels   map[string]string `json:"labels"`
	Born     time.Time         `json:"born"`
	Raw      json.RawMessage   `json:"raw,omitempty"`
	Data     []byte            `json:"data"`
	Hidden   string            `json:"-"`
	base
}

type base struct {
	ID string `json:"id"`
}

type plant struct {
	Garden string   `path:"garden"`
	Tags   []string `query:"tags"`
	Match  string   `header:"If-Match"`
	Body   struct {
		Tree *tree `json:"tree"`
	}
}

func describe(t *testing.T, ops ...httpapi.Operation) map[string]any {
	t.Helper()
	raw, err := httpapi.OpenAPI(ops, httpapi.Info{Title: "T", Version: "1", Server: "http://x"})
	if err != nil {
		t.Fatal(err)
	}
	if faults := openapitest.Check(raw); len(faults) > 0 {
		t.Fatalf("not a valid document: %s", strings.Join(faults, "; "))
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at walks into a document.
func at(t *testing.T, v any, path ...string) any {
	t.Helper()
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok || m[p] == nil {
			t.Fatalf("nothing at %s of %v", p, path)
		}
		v = m[p]
	}
	return v
}

func TestTheDocumentDescribesWhatTheBinderReads(t *testing.T) {
	doc := describe(t,
		one(httpapi.Op[plant, httpapi.None, plant]{ID: "plant", Method: http.MethodPost, Path: "/v1/{garden}", Status: 201, Action: "thing.do",
			Find: inAccount[plant](home), Do: echo[plant]}),
		get[named2]("get", "/v1/{garden}"))
	row := at(t, doc, "paths", "/v1/{garden}", "post")
	if got := at(t, row, "operationId"); got != "things_plant" {
		t.Errorf("operationId is %v", got)
	}
	var names []string
	for _, p := range at(t, row, "parameters").([]any) {
		names = append(names, at(t, p, "in").(string)+" "+at(t, p, "name").(string))
	}
	slices.Sort(names)
	if got := strings.Join(names, ", "); got != "header If-Match, path garden, query tags" {
		t.Errorf("parameters are %s", got)
	}
	if got := at(t, row, "x-kagiban-action"); got != "thing.do" {
		t.Errorf("action is %v", got)
	}
	if got := at(t, row, "security").([]any); len(got) != 1 {
		t.Errorf("security is %v", got)
	}
	if got := at(t, doc, "paths", "/v1/{garden}", "get", "security").([]any); len(got) != 0 {
		t.Errorf("security of a public operation is %v", got)
	}
	schema := at(t, doc, "components", "schemas", "httpapi_test.tree", "properties").(map[string]any)
	for name, want := range map[string]string{
		"name": `{"type":"string"}`, "children": `{"items":{"$ref":"#/components/schemas/httpapi_test.tree"},"type":"array"}`,
		"labels": `{"additionalProperties":{"type":"string"},"type":"object"}`, "born": `{"format":"date-time","type":"string"}`,
		"raw": `{}`, "data": `{"format":"byte","type":"string"}`, "id": `{"type":"string"}`,
	} {
		if got, _ := json.Marshal(schema[name]); string(got) != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if schema["Hidden"] != nil || schema["-"] != nil {
		t.Error("a field that is not sent is described")
	}
}

type named2 struct {
	Garden string `path:"garden"`
}

func TestOnlyAnswersHaveRequiredProperties(t *testing.T) {
	doc := describe(t,
		one(httpapi.Raw{ID: "x", Method: http.MethodGet, Path: "/x", Status: 200, Public: public,
			Takes: httpapi.Type[struct{ Body onlySent }](), Gives: httpapi.Type[onlyGiven]()}))
	if got := at(t, doc, "components", "schemas", "httpapi_test.onlyGiven", "required").([]any); len(got) != 2 || got[0] != "id" ||
		got[1] != "text" {
		t.Errorf("required in an answer: %v", got)
	}
	if at(t, doc, "components", "schemas", "httpapi_test.onlyGiven", "properties").(map[string]any)["rest"] != nil {
		t.Error("a property that is never there is described")
	}
	if got := at(t, doc, "components", "schemas", "httpapi_test.onlySent").(map[string]any)["required"]; got != nil {
		t.Errorf("required in a request: %v", got)
	}
}

type onlySent struct {
	Name string `json:"name"`
}

type onlyGiven struct {
	ID   string       `json:"id"`
	Note string       `json:"note,omitempty"`
	Rest httpapi.None `json:"rest,omitzero"` // never there, and not described
	Text always       `json:"text,omitzero"`
}

// always is a text that is there when it is empty, too.
type always string

func (always) IsZero() bool { return false }

func TestTheDocumentIsStable(t *testing.T) {
	ops := []httpapi.Operation{get[named]("a", "/a/{name}"), get[empty]("b", "/b")}
	one, _ := httpapi.OpenAPI(ops, httpapi.Info{})
	two, _ := httpapi.OpenAPI(ops, httpapi.Info{})
	if string(one) != string(two) {
		t.Error("the same table gave two documents")
	}
}

func TestComponentNamesHaveNoBrackets(t *testing.T) {
	doc := describe(t, one(httpapi.Raw{ID: "a", Method: http.MethodGet, Path: "/a", Status: 200, Public: public,
		Gives: httpapi.Type[page[tree]]()}))
	for name := range at(t, doc, "components", "schemas").(map[string]any) {
		if !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(name) {
			t.Errorf("component name %q is not allowed", name)
		}
	}
}

type page[T any] struct{ Items []T }
