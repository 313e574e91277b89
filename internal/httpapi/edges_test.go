package httpapi_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

// trusting makes a bench behind the proxies that httptest sends from.
func trusting(t *testing.T, ops ...httpapi.Operation) *bench {
	t.Helper()
	return newBench(t, func(c *httpapi.Config) { c.Trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, ops...)
}

func TestHTTPSIsBelievedOfTrustedProxiesOnly(t *testing.T) {
	one := get[empty]("one", "/one")
	for _, c := range []struct {
		name   string
		b      *bench
		target string
		header []string
		secure bool
	}{
		{"a stranger says so", newBench(t, nil, one), "http://h/one", []string{"X-Forwarded-Proto", "https"}, false},
		{"a trusted proxy says so", trusting(t, one), "http://h/one", []string{"X-Forwarded-Proto", "https"}, true},
		{"in capitals", trusting(t, one), "http://h/one", []string{"X-Forwarded-Proto", "HTTPS"}, true},
		{"a trusted proxy says http", trusting(t, one), "http://h/one", []string{"X-Forwarded-Proto", "http"}, false},
		{"and says nothing", trusting(t, one), "http://h/one", nil, false},
		{"it says two things", trusting(t, one), "http://h/one", []string{"X-Forwarded-Proto", "https, http"}, false},
		{"TLS", newBench(t, nil, one), "https://h/one", nil, true},
	} {
		w := c.b.do("GET", c.target, "", c.header...)
		base := map[bool]string{true: "https://h", false: "http://h"}[c.secure]
		if got := c.b.calls[0].Base; got != base {
			t.Errorf("%s: links begin with %s", c.name, got)
		}
		if got := w.Header().Get("Strict-Transport-Security") != ""; got != c.secure {
			t.Errorf("%s: Strict-Transport-Security is %v", c.name, got)
		}
	}
}

func TestEveryRefusalForWantOfATokenSaysWhichOne(t *testing.T) {
	b := newBench(t, nil, mine[empty]("one", "/one"), plain("two", func(context.Context) error { return fault.Unauthenticated }))
	for _, c := range []struct{ path, header, want string }{
		{"/one", "", `Bearer realm="kagiban"`},
		{"/one", "Bearer bad", `Bearer realm="kagiban", error="invalid_token"`},
		{"/one", "Basic Zm9v", `Bearer realm="kagiban", error="invalid_token"`},
		{"/two", "", `Bearer realm="kagiban", error="invalid_token"`},
	} {
		w := b.do("GET", c.path, "", "Authorization", c.header)
		if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || got != c.want {
			t.Errorf("%s with %q: %d %q", c.path, c.header, w.Code, got)
		}
	}
	if w := b.do("GET", "/one", ""); w.Header().Get("WWW-Authenticate") != "" {
		t.Error("an answer to a good token asks for one")
	}
}

func TestTwoAuthorizationHeadersAreRefused(t *testing.T) {
	b := newBench(t, nil, mine[empty]("one", "/one"), get[empty]("two", "/two"))
	for _, path := range []string{"/one", "/two"} {
		for _, second := range []string{"Bearer good", "Bearer bad", ""} {
			r := httptest.NewRequest("GET", path, nil)
			r.Header["Authorization"] = []string{"Bearer good", second}
			refused(t, b.send(r), 400)
		}
	}
}

func TestAParameterHasOneValue(t *testing.T) {
	type in struct {
		Name string   `query:"name"`
		Size *int     `query:"size"`
		Tags []string `query:"tags"`
		Tag  string   `header:"If-Match"`
	}
	b := newBench(t, nil, get[in]("one", "/one"))
	for query, want := range map[string]int{"name=a&name=a": 200, "name=a&name=b": 400, "name=a&name=": 400, "size=1&size=2": 400,
		"tags=a&tags=b": 200, "tags=a&tags=%00": 400} {
		if w := b.do("GET", "/one?"+query, ""); w.Code != want {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
	r := httptest.NewRequest("GET", "/one", nil)
	r.Header["If-Match"] = []string{"1", "2"}
	refused(t, b.send(r), 400)
}

func TestQueryAndBodyAgree(t *testing.T) {
	type in struct {
		Name string `query:"name"`
		Body struct {
			Name  string `json:"name"`
			Other string `json:"other"`
			Size  int    `json:"size"`
		}
	}
	b := newBench(t, nil, one(httpapi.Op[in, httpapi.None, empty]{ID: "make", Method: http.MethodPost, Path: "/make", Status: 204,
		Public: public, Do: func(context.Context, *httpapi.Call, *in, httpapi.None) (*empty, error) { return nil, nil }}))
	for _, c := range []struct {
		query, body string
		want        int
	}{
		{"name=a", `{"name":"a"}`, 204}, {"name=a", `{"other":"b"}`, 204}, {"size=2", `{"size":2}`, 204}, {"size=1", `{"size":2}`, 400},
		{"other=a", `{"other":null}`, 204},
		{"name=a", `{"name":"b"}`, 400}, {"name=a", `{"name":""}`, 400},
		{"other=a", `{"other":"b"}`, 400}, // the operation does not even heed it in the query
	} {
		if w := b.do("POST", "/make?"+c.query, c.body); w.Code != c.want {
			t.Errorf("?%s with %s: %d %s", c.query, c.body, w.Code, w.Body)
		}
	}
}

func TestWhatNothingServesIsNamed(t *testing.T) {
	set := metrics.NewSet()
	m := httpapi.NewMetrics(set)
	b := newBench(t, func(c *httpapi.Config) {
		seen := c.Observe
		c.Observe = func(call *httpapi.Call) { seen(call); m.Observe(call) }
	}, get[empty]("one", "/one"))
	_, message := refused(t, b.do("DELETE", "/v9/nothing?apikey=swordfish", ""), 404)
	if message != "There is nothing at DELETE /v9/nothing." {
		t.Errorf("the answer is %q", message)
	}
	if line := b.log.String(); !strings.Contains(line, `"method":"DELETE","path":"/v9/nothing"`) || strings.Contains(line, "swordfish") {
		t.Errorf("the log says %s", line)
	}
	if c := b.calls[0]; c.Asked() != "DELETE" || c.Path() != "/v9/nothing" {
		t.Errorf("the call is of %s %s", c.Asked(), c.Path())
	}
	if _, message := refused(t, b.do("PATCH", "/one", "{}"), 405); !strings.Contains(message, "PATCH") || !strings.Contains(message, "/one") {
		t.Errorf("a wrong method: %q", message)
	}
	if _, message := refused(t, b.do("GET", "/a%0ab%1b"+strings.Repeat("x", 500), ""), 404); strings.ContainsAny(message, "\n\x1b") ||
		len(message) > 200 {
		t.Errorf("the answer repeats %q", message)
	}
	if strings.ContainsAny(b.calls[2].Path(), "\n\x1b") {
		t.Errorf("the log repeats %q", b.calls[2].Path())
	}
	for range 100 { // they are one operation: what is remembered does not grow
		b.do("GET", "/v9/nothing", "")
	}
	for _, c := range b.calls[3:] {
		if c.Op != b.calls[0].Op {
			t.Fatal("each path that is not there is an operation of its own")
		}
	}
	var out bytes.Buffer
	set.WritePrometheus(&out)
	if !strings.Contains(out.String(), `operation="none",status="404"} 102`) {
		t.Errorf("the metrics say %s", out.String())
	}
}

func TestPagesOfAnyOriginReadOnlyWhatIsOpen(t *testing.T) {
	open := httpapi.Raw{ID: "open", Method: http.MethodGet, Path: "/open", Status: 200, Public: public, AnyOrigin: true,
		Serve: func(_ context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
			return httpapi.WriteJSON(w, c, 200, struct{}{})
		}}
	b := newBench(t, nil, one(open), mine[empty]("mine", "/mine"))
	for path, want := range map[string]string{"/open": "*", "/mine": "", "/nothing": ""} {
		h := b.do("GET", path, "", "Origin", "https://page.example").Header()
		if h.Get("Access-Control-Allow-Origin") != want || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, h)
		}
		w := b.do("OPTIONS", path, "", "Origin", "https://page.example", "Access-Control-Request-Method", "GET")
		if w.Header().Get("Access-Control-Allow-Origin") != want || (w.Code == 204) != (want != "") {
			t.Errorf("before %s: %d %v", path, w.Code, w.Header())
		}
		if strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "POST") {
			t.Errorf("%s may be written to", path)
		}
	}
}

func TestASecondPathIsTheSameOperation(t *testing.T) {
	aliased := httpapi.Raw{ID: "one", Method: http.MethodGet, Path: "/one", Alias: "/other", Status: 200, Public: public,
		Serve: func(_ context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
			return httpapi.WriteJSON(w, c, 200, struct{}{})
		}}
	b := newBench(t, nil, one(aliased))
	b.do("GET", "/one", "")
	b.do("GET", "/other/", "")
	if b.calls[0].Op != b.calls[1].Op || b.calls[1].Status != 200 {
		t.Errorf("got %+v", b.calls)
	}
	refused(t, b.do("POST", "/other", "{}"), 405)
}

func TestWhatTheSDKCallsAndNobodyServesSaysSo(t *testing.T) {
	table := []httpapi.Operation{get[empty]("mine", "/v2/resource_groups")} // in the way of an SDK's operation
	more, err := httpapi.Unbuilt(table)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, nil, append(table, more...)...)
	_, message := refused(t, b.do("POST", "/v2/resource_instances", "{}"), 501)
	if !strings.Contains(message, "create_resource_instance") {
		t.Errorf("the answer is %q", message)
	}
	refused(t, b.do("POST", "/v2/resource_instances", "{}", "Authorization", ""), 401)
	if w := b.do("GET", "/v2/resource_groups", ""); w.Code != 200 {
		t.Errorf("what is served: %d", w.Code)
	}
	// Two operations that are called alike, and two that only a name tells apart.
	for path, names := range map[string][]string{
		"/v1/billing-options":                  {"list_billing_options", "get_billing_options"},
		"/api/v1/x/artifacts/y":                {"get_artifact"},
		"/api/v1/notifications/x/preferences/": {"get_preferences"},
	} {
		if _, message := refused(t, b.do("GET", path, ""), 501); !strings.Contains(message, strings.Join(names, " or ")) {
			t.Errorf("%s: %q does not name %v", path, message, names)
		}
	}
	refused(t, b.do("GET", "/api/v1/x/y/z", ""), 404)
	covered, err := httpapi.Cover(append(table, more...))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range covered {
		if want := httpapi.StateNotBuilt; c.State != want && c.Path != "/v2/resource_groups" {
			t.Errorf("%s %s is %q, want %q", c.Family, c.Operation, c.State, want)
		}
	}
	if again, err := httpapi.Unbuilt(append(table, more...)); err != nil || len(again) != 0 {
		t.Errorf("%d are left, %v", len(again), err)
	}
}

// Whatever a row leaves open, an operation of the SDK with a word in that place
// takes nothing from it.
func TestWhatNobodyServesTakesNoRequestFromWhatIsServed(t *testing.T) {
	for pattern, requests := range map[string][]string{
		"/v2/{thing}":                   {"/v2/catalog", "/v2/resource_groups"},
		"/v3/tags/{name}":               {"/v3/tags/attach", "/v3/tags/detach"},
		"/api/v1/{id}/{rest...}":        {"/api/v1/user/accounts/a/settings", "/api/v1/x/artifacts/y"},
		"/case-management/v1/{list}":    {"/case-management/v1/cases"},
		"/v1/apikeys/{id}":              {"/v1/apikeys/details"},
		"/v1/accounts/{a}/{list}/{one}": {"/v1/accounts/a/settings/identity", "/v1/accounts/a/users/b"},
	} {
		var table []httpapi.Operation
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			table = append(table, one(httpapi.Raw{ID: strings.ToLower(method) + "_mine", Method: method, Path: pattern, Status: 200,
				Public: public, Serve: func(_ context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
					return httpapi.WriteJSON(w, c, 200, struct{}{})
				}}))
		}
		more, err := httpapi.Unbuilt(table)
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, nil, append(table, more...)...)
		for _, path := range requests {
			for _, op := range table {
				if w := b.do(op.Method, path, "{}"); w.Code != 200 {
					t.Errorf("%s %s of %s: %d %s", op.Method, path, pattern, w.Code, w.Body)
				}
			}
		}
	}
}
