package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/httpapi/openapitest"
)

func TestProbesAnswerWithoutToken(t *testing.T) {
	s := run(t, serve)
	var got struct{ Status string }
	s.want(200, "GET", "/healthz", "", &got)
	if got.Status != "ok" {
		t.Errorf("health is %q", got.Status)
	}
	s.want(200, "GET", "/readyz", "", &got)
	if got.Status != "ready" {
		t.Errorf("readiness is %q", got.Status)
	}
}

func TestTheFrontPageIsForBrowsersAndProgramsAlike(t *testing.T) {
	s := run(t, nil)
	var about struct{ Name, Mode, Issuer string }
	s.want(200, "GET", "/", "", &about)
	if about.Name != "kagiban" || about.Mode != "dev" || about.Issuer != s.URL() {
		t.Errorf("got %+v", about)
	}
	page := s.want(200, "GET", "/", "", nil, "Accept", "text/html,*/*")
	if got := page.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("Content-Type is %q", got)
	}
	if strings.Contains(page.body, "<script") || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error("the page may run scripts")
	}
	for _, text := range []string{"development server", s.URL(), `href="/openapi.json"`} {
		if !strings.Contains(page.body, text) {
			t.Errorf("the page lacks %s", text)
		}
	}
	if strings.ContainsAny(page.body[strings.Index(page.body, "<p>"):], "{}") {
		t.Error("the page shows a word in braces that was not replaced")
	}
}

func TestTheOpenAPIDocumentDescribesEveryOperation(t *testing.T) {
	s := run(t, serve)
	a := s.want(200, "GET", "/openapi.json", "", nil)
	if faults := openapitest.Check([]byte(a.body)); len(faults) > 0 {
		t.Fatalf("not a valid document:\n%s", strings.Join(faults, "\n"))
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Built       bool   `json:"x-kagiban-built"`
			RequestBody *json.RawMessage
			Responses   map[string]struct {
				Content map[string]json.RawMessage
			}
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, item := range doc.Paths {
		for method, op := range item {
			described[op.OperationID] = true
			for status, r := range op.Responses {
				if op.Built && (status == "200" || status == "201") && len(r.Content) == 0 {
					t.Errorf("%s: the answer of status %s is not described", op.OperationID, status)
				}
			}
			if op.Built && op.RequestBody == nil && method == "post" && strings.HasPrefix(path, "/identity/") && path != "/identity/logout" {
				t.Errorf("%s: the form is not described", op.OperationID)
			}
		}
	}
	table, err := app.Operations(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range table {
		if !described[op.Family.Name+"_"+op.ID] {
			t.Errorf("operation %s is not described", op.ID)
		}
	}
	if len(described) != len(table) {
		t.Errorf("%d operations are described, the table has %d", len(described), len(table))
	}
}

func TestTheTableAgreesWithTheOfficialSDK(t *testing.T) {
	table, err := app.Operations(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	covered, err := httpapi.Cover(table)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]map[httpapi.State]int{}
	for _, c := range covered {
		if counts[c.Family] == nil {
			counts[c.Family] = map[httpapi.State]int{}
		}
		counts[c.Family][c.State]++
		if c.State == httpapi.StateWrong {
			t.Errorf("%s.%s is not at %s %s", c.Family, c.Operation, c.Method, c.Path)
		}
	}
	for _, family := range []string{"iamidentityv1", "iampolicymanagementv1", "iamaccessgroupsv2"} {
		if n := counts[family][httpapi.StateAbsent]; n != 0 {
			t.Errorf("%d operations of %s have no row", n, family)
		}
		if n := counts[family][httpapi.StateOwn]; n != 0 {
			t.Errorf("%d rows of %s are not the SDK's", n, family)
		}
	}
}

func TestDevelopmentAidsAreAbsentFromServe(t *testing.T) {
	s := run(t, serve)
	for _, path := range []string{"/dev/v1/clock", "/dev/v1/faults", "/dev/v1/requests", "/dev/v1/events"} {
		s.want(404, "GET", path, "", nil)
	}
	s.want(404, "POST", "/dev/v1/reset", "{}", nil)
	s.want(404, "POST", "/dev/v1/clock", `{"advance":"1h"}`, nil)
	if s.Demo() != nil {
		t.Error("serve has demo data")
	}
	table, err := app.Operations(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range table {
		if strings.HasPrefix(op.Path, "/dev/") {
			t.Errorf("operation %s is in the table of serve", op.ID)
		}
	}
}

func TestMetricsAreForTheNetworksOfTheSetting(t *testing.T) {
	s := run(t, nil)
	s.owner()
	s.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {"wrong"}})
	a := s.want(200, "GET", "/metrics", "", nil)
	for _, line := range []string{
		`kagiban_build_info{`, `kagiban_tokens_total{grant="apikey",outcome="success"} 1`,
		`kagiban_tokens_total{grant="apikey",outcome="invalid"} 1`,
		`kagiban_requests_total{family="iamtoken",operation="get_token",status="200"} 1`, `kagiban_request_seconds_bucket{family="iamtoken"`,
		`kagiban_cache_misses_total{cache="credentials"}`, `kagiban_store_seconds_count{call="update"}`,
		`kagiban_signing_key_age_seconds{algorithm="ES256",engine="go"}`,
	} {
		if !strings.Contains(a.body, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	closed := run(t, func(c *app.Config) { c.MetricsAllow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	closed.want(404, "GET", "/metrics", "", nil)
}

func TestMetricsMayHaveAListenerOfTheirOwn(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	s := run(t, func(c *app.Config) { c.MetricsListen = address })
	s.want(404, "GET", "/metrics", "", nil)
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/identity/keys": 404} {
		resp, err := s.http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		if a := s.read(resp); a.code != want {
			t.Errorf("%s: %d, want %d", path, a.code, want)
		}
	}
}

func TestClientAddressesComeFromTrustedProxiesOnly(t *testing.T) {
	address := func(s *server) string {
		s.want(200, "GET", "/healthz", "", nil, "X-Forwarded-For", "9.9.9.9, 203.0.113.7")
		var got struct {
			Requests []struct{ Address string }
		}
		s.want(200, "GET", "/dev/v1/requests?operation=get_health&limit=1", "", &got)
		return got.Requests[0].Address
	}
	if got := address(run(t, nil)); got != "127.0.0.1" {
		t.Errorf("without trusted proxies: %s", got)
	}
	trusting := run(t, func(c *app.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	if got := address(trusting); got != "203.0.113.7" {
		t.Errorf("behind a trusted proxy: %s", got)
	}
}

func TestBadRequestsGetAnEnvelopeOverHTTP(t *testing.T) {
	s := run(t, nil)
	auth := s.owner()
	account := s.Demo().Root
	for _, c := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"unknown path", "GET", "/v9/nothing", "", 404},
		{"wrong method", "PATCH", "/v1/apikeys", "{}", 405},
		{"oversized body", "POST", "/v1/serviceids", `{"name":"` + strings.Repeat("x", httpapi.DefaultBodyLimit) + `"}`, 413},
		{"malformed body", "POST", "/v1/serviceids", `{"name":`, 400},
	} {
		a := s.call(c.method, c.path, c.body, auth...)
		var e struct {
			Trace      string            `json:"trace"`
			StatusCode int               `json:"status_code"`
			Errors     []json.RawMessage `json:"errors"`
		}
		if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.code != c.want || e.StatusCode != c.want || len(e.Errors) != 1 ||
			e.Trace == "" {
			t.Errorf("%s: got %d %s", c.name, a.code, a.body)
		}
	}
	s.want(200, "GET", "//v1///serviceids//?account_id="+account, "", nil, auth...)
	crn := "crn:v1:bluemix:public:iam-identity::a/" + account + "::serviceid:" + s.Demo().ServiceID
	a := s.call("GET", "/v1/serviceids/"+url.PathEscape(crn), "", auth...)
	if a.code == 301 || a.code == 307 || strings.Contains(a.body, "nothing at this path") {
		t.Errorf("a CRN with slashes did not stay one segment: %d %s", a.code, a.body)
	}
	s.want(200, "GET", "/healthz", "", nil) // nothing of it hurt the server
}

func TestAnAddressInUseIsAFaultOfTheStart(t *testing.T) {
	s := run(t, serve)
	cfg := app.Config{Settings: settings(t), Log: discard}
	cfg.Listen = s.Addr().String()
	if _, err := app.New(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), cfg.Listen) {
		t.Errorf("got %v, want an error that names the address", err)
	}
}

func TestADatabaseWithoutSchemaIsRefusedUntilItIsMigrated(t *testing.T) {
	cfg := app.Config{Settings: settings(t), Log: discard}
	databaseIn(t.TempDir())(&cfg)
	cfg.AutoMigrate = false
	if _, err := app.New(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "kagiban migrate") {
		t.Fatalf("got %v, want an error that tells to migrate", err)
	}
	if err := app.Migrate(context.Background(), &cfg.Settings); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnotherMasterKeyIsRefusedAtStart(t *testing.T) {
	cfg := app.Config{Settings: settings(t), Log: discard}
	databaseIn(t.TempDir())(&cfg)
	if _, err := app.Init(context.Background(), &cfg.Settings, app.Founder{Email: "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	other := cfg
	other.MasterKeys = settings(t).MasterKeys
	if _, err := app.New(context.Background(), other); err == nil || !strings.Contains(err.Error(), "master key") {
		t.Errorf("got %v, want an error about the master key", err)
	}
	other.MasterKeys = append(other.MasterKeys, cfg.MasterKeys...)
	a, err := app.New(context.Background(), other)
	if err != nil {
		t.Fatalf("with the old key as previous key: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheFirstAccountIsMadeOnce(t *testing.T) {
	set := settings(t)
	set.Database = t.TempDir() + "/kagiban.db"
	first, err := app.Init(context.Background(), &set, app.Founder{Email: "owner@example.com", Account: "Example"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Init(context.Background(), &set, app.Founder{Email: "other@example.com"}); !errors.Is(err, app.ErrInitialized) {
		t.Errorf("a second init: %v", err)
	}
	s := run(t, func(c *app.Config) { c.Dev, c.Settings = nil, set })
	auth := s.login(first.Key)
	var key struct{ IAMID, AccountID, Name string }
	raw := s.want(200, "GET", "/v1/apikeys/"+first.KeyID, "", nil, auth...).body
	if !strings.Contains(raw, first.IAMID) || !strings.Contains(raw, first.Account) || strings.Contains(raw, first.Key.Reveal()) {
		t.Errorf("the first key is %s (%+v)", raw, key)
	}
	s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"one"}`, nil, auth...)
}

func TestABadFounderIsRefused(t *testing.T) {
	set := settings(t)
	set.Database = t.TempDir() + "/kagiban.db"
	for _, email := range []string{"", "nobody", "@example.com", "a@", "a b@example.com", "a@b,c@d"} {
		if _, err := app.Init(context.Background(), &set, app.Founder{Email: email}); err == nil {
			t.Errorf("%q was taken as an e-mail address", email)
		}
	}
	if _, err := os.Stat(set.Database); err == nil {
		t.Error("a refused init made a database")
	}
}
