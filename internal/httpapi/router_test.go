package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
)

type named struct {
	Name string `path:"name"`
}

func TestARowThatNobodyDecidedOnDoesNotStart(t *testing.T) {
	good := get[empty]("one", "/one")
	bare := good
	bare.Access = httpapi.Access{}
	both := good
	both.Access = httpapi.Access{Self: "a", Public: "b"}
	slash := get[empty]("slash", "/slash/")
	overlap := get[empty]("other", "/one")
	for name, ops := range map[string][]httpapi.Operation{
		"without access rule": {bare}, "with two access rules": {both}, "twice": {good, good},
		"with a trailing slash": {slash}, "on the path of another": {good, overlap},
		"without handler": {{ID: "x", Family: family, Access: httpapi.Access{Public: public}, Success: 200}},
	} {
		if _, err := httpapi.NewRouter(httpapi.Config{Operations: ops}); err == nil {
			t.Errorf("a row %s was taken", name)
		}
	}
}

func TestAnActionWithoutResourceCannotBeWritten(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a row with an action and no target was taken")
		}
	}()
	one(httpapi.Op[empty, httpapi.None, empty]{ID: "x", Method: http.MethodGet, Path: "/x", Status: 200, Action: "thing.do", Do: echo[empty]})
}

func TestRefusalsComeInTheDocumentedOrder(t *testing.T) {
	type in struct {
		Size *int `query:"size"`
		Body struct {
			Name string `json:"name"`
		}
	}
	var found error
	op := one(httpapi.Op[in, httpapi.None, in]{ID: "change", Method: http.MethodPut, Path: "/change", Status: 200, Action: "thing.forbidden",
		Find: func(context.Context, *httpapi.Call, *in) (httpapi.None, httpapi.Target, error) {
			return httpapi.None{}, httpapi.Target{Account: home}, found
		},
		Do: func(context.Context, *httpapi.Call, *in, httpapi.None) (*in, error) {
			return nil, fault.New(fault.Conflict, "taken")
		}})
	b := newBench(t, nil, op)

	found = fault.NoObject("Thing", "1")
	if w := b.do("PUT", "/change?size=x", "{", "Authorization", ""); w.Code != 401 {
		t.Errorf("no token before everything else: got %d", w.Code)
	}
	if w := b.do("PUT", "/change?size=x", "{}"); w.Code != 400 {
		t.Errorf("a wrong parameter before an absent object: got %d", w.Code)
	}
	if w := b.do("PUT", "/change", "{}"); w.Code != 404 {
		t.Errorf("an absent object before a missing permission: got %d", w.Code)
	}
	found = nil
	if w := b.do("PUT", "/change", "{}"); w.Code != 403 {
		t.Errorf("a missing permission before a conflict: got %d", w.Code)
	}
	b = newBench(t, func(c *httpapi.Config) { c.Authorizer = granted{"thing.forbidden": true} }, op)
	if w := b.do("PUT", "/change", "{}"); w.Code != 409 {
		t.Errorf("with everything in order: got %d, want the conflict", w.Code)
	}
}

func TestAnotherAccountsObjectLooksLikeNone(t *testing.T) {
	row := func(id, account string) httpapi.Operation {
		return one(httpapi.Op[empty, httpapi.None, empty]{ID: id, Method: http.MethodGet, Path: "/" + id, Status: 200, Action: "thing.forbidden",
			Find: inAccount[empty](account), Do: echo[empty]})
	}
	b := newBench(t, nil, row("own", home), row("foreign", foreign))
	refused(t, b.do("GET", "/own", ""), 403)
	refused(t, b.do("GET", "/foreign", ""), 404)
}

func TestBearerTokens(t *testing.T) {
	b := newBench(t, nil, mine[empty]("mine", "/mine"))
	for header, want := range map[string]int{
		"Bearer good": 200, "bearer good": 200, "BEARER  good": 200, "": 401, "good": 401, "Basic good": 401, "Bearer": 401, "Bearer bad": 401,
	} {
		if w := b.do("GET", "/mine", "", "Authorization", header); w.Code != want {
			t.Errorf("Authorization %q: got %d, want %d", header, w.Code, want)
		}
	}
}

func TestStandardHeadersAreOnEveryAnswer(t *testing.T) {
	b := newBench(t, nil, get[empty]("one", "/one"))
	for _, target := range []string{"/one", "/none"} {
		h := b.do("GET", target, "").Header()
		for _, name := range []string{"Transaction-Id", "X-Correlation-Id", "X-Request-Id", "Cache-Control", "Pragma", "Expires",
			"X-Content-Type-Options"} {
			if h.Get(name) == "" {
				t.Errorf("%s has no %s", target, name)
			}
		}
		if h.Get("Transaction-Id") != h.Get("X-Correlation-Id") {
			t.Errorf("%s: correlation id differs from transaction id", target)
		}
	}
}

func TestACallersTransactionIDIsKeptWhenItIsFitForLogs(t *testing.T) {
	b := newBench(t, nil, get[empty]("one", "/one"))
	if got := b.do("GET", "/one", "", "Transaction-Id", "abc-123").Header().Get("Transaction-Id"); got != "abc-123" {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"two words", "quote\"", strings.Repeat("x", 129), "back\\slash", "ümlaut"} {
		if got := b.do("GET", "/one", "", "Transaction-Id", bad).Header().Get("Transaction-Id"); got == bad || got == "" {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestUnknownPathAndWrongMethodGetTheEnvelope(t *testing.T) {
	b := newBench(t, nil, get[named]("one", "/one/{name}"))
	refused(t, b.do("GET", "/nothing", ""), 404)
	w := b.do("DELETE", "/one/x", "")
	refused(t, w, 405)
	if got := w.Header().Get("Allow"); !strings.Contains(got, "GET") || strings.Contains(got, "DELETE") {
		t.Errorf("Allow is %q", got)
	}
}

func TestSlashesNeverRedirect(t *testing.T) {
	b := newBench(t, nil, get[named]("one", "/v1/one/{name}"))
	for _, target := range []string{"/v1/one/x/", "//v1/one/x", "/v1//one///x//"} {
		w := b.do("GET", target, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"Name":"x"`) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestAnEscapedSlashStaysInItsSegment(t *testing.T) {
	b := newBench(t, nil, get[named]("one", "/v1/one/{name}"), get[named]("two", "/v1/one/{name}/two"))
	const crn = "crn:v1:bluemix:public:is::a/0123::instance:x"
	for _, target := range []string{"/v1/one/" + escape(crn), "//v1/one/" + escape(crn) + "/", "/v1/one/" + escape(crn) + "/two"} {
		w := b.do("GET", target, "")
		var got named
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Name != crn {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func escape(s string) string { return strings.NewReplacer("/", "%2F", ":", "%3A").Replace(s) }

func TestAPanicIsHiddenFromTheClientAndKeptInTheLog(t *testing.T) {
	b := newBench(t, nil, plain("boom", func(context.Context) error { panic("secret inside") }))
	w := b.do("GET", "/boom", "")
	if code, _ := refused(t, w, 500); code != "internal_error" {
		t.Errorf("code is %q", code)
	}
	if strings.Contains(w.Body.String(), "secret inside") || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("the answer shows internals: %s", w.Body)
	}
	if !strings.Contains(b.log.String(), "secret inside") {
		t.Error("the log does not tell what happened")
	}
	if len(b.calls) != 1 || b.calls[0].Status != 500 {
		t.Errorf("observed %+v", b.calls)
	}
}

func TestAnInternalErrorShowsNoText(t *testing.T) {
	b := newBench(t, nil, plain("broken", func(context.Context) error { return errors.New("dial tcp 10.0.0.1: password rejected") }))
	w := b.do("GET", "/broken", "")
	refused(t, w, 500)
	if strings.Contains(w.Body.String(), "10.0.0.1") {
		t.Errorf("the answer shows internals: %s", w.Body)
	}
}

func TestKindsOfFaultHaveTheirStatus(t *testing.T) {
	for kind, want := range map[fault.Kind]int{
		fault.Unauthenticated: 401, fault.Invalid: 400, fault.TooLarge: 413, fault.MethodNotAllowed: 405, fault.NotFound: 404,
		fault.Forbidden: 403, fault.Conflict: 409, fault.Stale: 409, fault.Limit: 409, fault.State: 422, fault.RateLimited: 429,
		fault.NotBuilt: 501, fault.Unavailable: 503, fault.Internal: 500, "made up": 500,
	} {
		if got := httpapi.StatusOf(kind); got != want {
			t.Errorf("%s is %d, want %d", kind, got, want)
		}
	}
}

func TestTooManyRequestsSayWhenToComeBack(t *testing.T) {
	b := newBench(t, nil, plain("busy", func(context.Context) error {
		return &fault.Error{Kind: fault.RateLimited, RetryAfter: 1500 * time.Millisecond}
	}))
	w := b.do("GET", "/busy", "")
	refused(t, w, 429)
	if got := w.Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After is %q, want 2 (rounded up)", got)
	}
}

func TestAnOperationThatIsNotBuiltAuthenticatesAndSaysSo(t *testing.T) {
	b := newBench(t, nil, one(httpapi.NotBuilt{ID: "later", Method: http.MethodGet, Path: "/later", Status: 200, Action: "thing.do"}))
	refused(t, b.do("GET", "/later", "", "Authorization", ""), 401)
	if _, message := refused(t, b.do("GET", "/later", ""), 501); !strings.Contains(message, "later") {
		t.Errorf("message %q does not name the operation", message)
	}
}

func TestInterceptedCallsNeverReachTheHandler(t *testing.T) {
	reached := false
	b := newBench(t, func(c *httpapi.Config) {
		c.Intercept = func(context.Context, *httpapi.Call) error { return fault.New(fault.Unavailable, "ordered") }
	}, plain("one", func(context.Context) error { reached = true; return nil }))
	refused(t, b.do("GET", "/one", ""), 503)
	if reached {
		t.Error("the handler ran")
	}
}

func TestWritesKnowTheirOrigin(t *testing.T) {
	var got store.Origin
	b := newBench(t, nil, one(httpapi.Op[empty, httpapi.None, empty]{ID: "one", Method: http.MethodGet, Path: "/one", Status: 204,
		Self: "for the test",
		Do: func(ctx context.Context, _ *httpapi.Call, _ *empty, _ httpapi.None) (*empty, error) {
			got = store.OriginOf(ctx)
			return nil, nil
		}}))
	w := b.do("GET", "/one", "", "User-Agent", "agent\x01/1", "Transaction-Id", "t-1")
	want := store.Origin{IAMID: "IBMid-TEST", Account: home, Credential: "token", TransactionID: "t-1", Operation: "one",
		Address: "192.0.2.1", Agent: "agent/1"}
	if w.Code != 204 || got != want {
		t.Errorf("got %d %+v, want %+v", w.Code, got, want)
	}
}

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	proxy := netip.MustParsePrefix("192.0.2.0/24")
	b := newBench(t, func(c *httpapi.Config) { c.Trusted = []netip.Prefix{proxy} }, get[empty]("one", "/one"))
	b.do("GET", "/one", "", "X-Forwarded-For", "6.6.6.6, 203.0.113.9, 192.0.2.7")
	if got := b.calls[0].Address.String(); got != "203.0.113.9" {
		t.Errorf("behind a trusted proxy: %s", got)
	}
	b = newBench(t, nil, get[empty]("one", "/one"))
	b.do("GET", "/one", "", "X-Forwarded-For", "203.0.113.9")
	if got := b.calls[0].Address.String(); got != "192.0.2.1" {
		t.Errorf("without trusted proxies: %s", got)
	}
}

func TestTheLogHasOneLinePerCallAndNoSecrets(t *testing.T) {
	b := newBench(t, nil, mine[empty]("one", "/one"))
	b.do("GET", "/one?apikey=swordfish", "", "Cookie", "swordfish")
	lines := strings.Split(strings.TrimSpace(b.log.String()), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines:\n%s", len(lines), b.log.String())
	}
	for _, secret := range []string{"swordfish", "Bearer", "good"} {
		if strings.Contains(lines[0], secret) {
			t.Errorf("the line holds %q: %s", secret, lines[0])
		}
	}
	for _, part := range []string{`"operation":"one"`, `"status":200`, `"iam_id":"IBMid-TEST"`} {
		if !strings.Contains(lines[0], part) {
			t.Errorf("the line lacks %s: %s", part, lines[0])
		}
	}
}

func TestAnAbortedHandlerIsNotAnswered(t *testing.T) {
	b := newBench(t, nil, one(httpapi.Raw{ID: "abort", Method: http.MethodGet, Path: "/abort", Status: 200, Public: public,
		Serve: func(context.Context, *httpapi.Call, http.ResponseWriter, *http.Request) error {
			panic(http.ErrAbortHandler)
		}}))
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the abort did not reach the server")
		}
	}()
	b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/abort", nil))
}
