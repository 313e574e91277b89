package app_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/dev/demo"
)

// whoami asks for something that needs a living token.
func (s *server) whoami(auth []string) int {
	return s.call("GET", "/v1/serviceids?account_id="+s.Demo().Root, "", auth...).code
}

func TestMovingTheClockEndsTokens(t *testing.T) {
	s := run(t, nil)
	auth := s.owner()
	if got := s.whoami(auth); got != 200 {
		t.Fatalf("a fresh token: %d", got)
	}
	var clock struct {
		Now    time.Time
		Offset string
	}
	s.want(200, "POST", "/dev/v1/clock", `{"advance":"2h"}`, &clock)
	if clock.Offset != "2h0m0s" || clock.Now.Before(time.Now().Add(119*time.Minute)) {
		t.Errorf("the clock shows %+v", clock)
	}
	if got := s.whoami(auth); got != 401 {
		t.Errorf("two hours later: %d, want 401", got)
	}
	if got := s.whoami(s.owner()); got != 200 {
		t.Errorf("a token of the moved time: %d", got)
	}
	s.want(200, "POST", "/dev/v1/clock", `{"set":"2031-02-03T04:05:06Z"}`, &clock)
	if got := clock.Now.Format(time.DateOnly); got != "2031-02-03" {
		t.Errorf("the clock shows %s", got)
	}
	s.want(200, "DELETE", "/dev/v1/clock", "", &clock)
	if clock.Offset != "0s" {
		t.Errorf("real time has offset %s", clock.Offset)
	}
	if got := s.whoami(auth); got != 200 {
		t.Errorf("the first token in real time again: %d", got)
	}
}

func TestAWrongClockIsRefused(t *testing.T) {
	s := run(t, nil)
	for _, body := range []string{`{}`, `{"advance":"2h","set":"2031-02-03T04:05:06Z"}`, `{"advance":"soon"}`, `{"set":"tomorrow"}`,
		`{"advance":"9999999h"}`, `{"set":"9999-01-01T00:00:00Z"}`, `{"set":"0001-01-01T00:00:00Z"}`, `{"advance":2}`} {
		s.want(400, "POST", "/dev/v1/clock", body, nil)
	}
}

func TestFaultsHitTheChosenOperation(t *testing.T) {
	s := run(t, nil)
	auth := s.owner()
	s.want(201, "POST", "/dev/v1/faults", `{"operation":"list_service_ids","status":503,"count":2,"retry_after":7}`, nil)
	for i, want := range []int{503, 503, 200} {
		if got := s.whoami(auth); got != want {
			t.Errorf("call %d: %d, want %d", i+1, got, want)
		}
	}
	s.want(201, "POST", "/dev/v1/faults", `{"operation":"iamtoken.*","status":429,"retry_after":7}`, nil)
	a := s.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {s.Demo().OwnerKey.Value.Reveal()}})
	if a.code != 429 || a.header.Get("Retry-After") != "7" {
		t.Errorf("token endpoint: %d, Retry-After %q", a.code, a.header.Get("Retry-After"))
	}
	if got := s.whoami(auth); got != 200 {
		t.Errorf("another family: %d", got)
	}
	var list struct {
		Faults []struct {
			ID   string
			Hits int
		}
	}
	s.want(200, "GET", "/dev/v1/faults", "", &list)
	if len(list.Faults) != 1 || list.Faults[0].Hits != 1 {
		t.Errorf("faults in force: %+v", list)
	}
	s.want(204, "DELETE", "/dev/v1/faults/"+list.Faults[0].ID, "", nil)
	s.want(404, "DELETE", "/dev/v1/faults/"+list.Faults[0].ID, "", nil)
	s.want(201, "POST", "/dev/v1/faults", `{"operation":"*","status":500}`, nil)
	s.want(200, "GET", "/dev/v1/clock", "", nil) // the aids themselves never fail
	s.want(204, "DELETE", "/dev/v1/faults", "", nil)
	s.owner()
}

func TestADelayedCallGoesOnWhenTheFaultIsCleared(t *testing.T) {
	s := run(t, nil)
	auth := s.owner()
	s.want(201, "POST", "/dev/v1/faults", `{"operation":"list_service_ids","delay":"1m"}`, nil)
	done := make(chan int)
	go func() { done <- s.whoami(auth) }()
	s.until(func() bool { return strings.Contains(s.want(200, "GET", "/dev/v1/faults", "", nil).body, `"hits":1`) })
	s.want(204, "DELETE", "/dev/v1/faults", "", nil)
	if got := <-done; got != 200 {
		t.Errorf("the delayed call answered %d", got)
	}
}

// until repeats a question to the server until the answer is yes; the test's
// own time limit ends it.
func (s *server) until(yes func() bool) {
	for !yes() {
		if s.t.Context().Err() != nil {
			s.t.Fatal("it never happened")
		}
	}
}

func TestAWrongFaultIsRefused(t *testing.T) {
	s := run(t, nil)
	for _, body := range []string{`{}`, `{"operation":"list_service_ids"}`, `{"operation":"list_servce_ids","status":500}`,
		`{"operation":"*","status":200}`,
		`{"operation":"*","status":500,"share":1.5}`, `{"operation":"*","status":500,"count":-1}`, `{"operation":"*","delay":"2m"}`,
		`{"operation":"*","delay":"-1s"}`, `{"operation":"set_clock","status":500}`, `{"operation":"*","status":500,"retry_after":-1}`} {
		s.want(400, "POST", "/dev/v1/faults", body, nil)
	}
}

func TestTheLastRequestsShowCallerAndDecision(t *testing.T) {
	s := run(t, nil)
	auth := s.login(s.Demo().ServiceKey.Value) // a service ID that may only look
	s.want(403, "POST", "/v1/profiles", `{"account_id":"`+s.Demo().Root+`","name":"p"}`, nil, auth...)
	var got struct {
		Requests []struct {
			Operation, Caller, Account, Action, Error string
			Status                                    int
			Decision                                  *struct{ Allowed bool }
		}
	}
	raw := s.want(200, "GET", "/dev/v1/requests?limit=1", "", &got).body
	r := got.Requests[0]
	if r.Operation != "create_profile" || r.Status != 403 || r.Caller != "iam-"+s.Demo().ServiceID || r.Account != s.Demo().Root ||
		r.Action != "iam-identity.profile.create" || r.Decision == nil || r.Decision.Allowed {
		t.Errorf("got %s", raw)
	}
	all := s.want(200, "GET", "/dev/v1/requests", "", nil).body
	if strings.Contains(all, s.Demo().ServiceKey.Value.Reveal()) || strings.Contains(all, strings.TrimPrefix(auth[1], "Bearer ")) {
		t.Error("the requests show secrets")
	}
	s.want(400, "GET", "/dev/v1/requests?limit=0", "", nil)
}

func TestAResetBringsTheDemoDataBack(t *testing.T) {
	s := run(t, nil)
	auth, d := s.owner(), s.Demo()
	count := func() int {
		var list struct{ Serviceids []json.RawMessage }
		s.want(200, "GET", "/v1/serviceids?account_id="+d.Root, "", &list, auth...)
		return len(list.Serviceids)
	}
	before := count()
	s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+d.Root+`","name":"extra"}`, nil, auth...)
	s.want(204, "DELETE", "/v1/apikeys/"+d.OwnerKey.ID, "", nil, auth...)
	s.want(200, "POST", "/dev/v1/clock", `{"advance":"30m"}`, nil)
	s.want(204, "POST", "/dev/v1/reset", "", nil)
	if got := count(); got != before {
		t.Errorf("%d service IDs after the reset, %d before", got, before)
	}
	if got := s.whoami(s.owner()); got != 200 {
		t.Errorf("a key that was deleted does not work after the reset: %d", got)
	}
	if !strings.Contains(s.want(200, "GET", "/dev/v1/clock", "", nil).body, `"offset":"0s"`) {
		t.Error("the clock is still moved")
	}
}

func TestNobodyMeetsHalfOfAReset(t *testing.T) {
	s := run(t, nil)
	auth := s.owner()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if got := s.whoami(auth); got != 200 {
					t.Errorf("during a reset: %d", got)
					return
				}
			}
		})
	}
	for range 5 {
		s.want(204, "POST", "/dev/v1/reset", "", nil)
	}
	close(stop)
	wg.Wait()
}

func TestPagesOfOtherOriginsAreKeptFromTheAids(t *testing.T) {
	s := run(t, nil)
	port := s.Addr().String()[strings.LastIndex(s.Addr().String(), ":"):]
	for _, c := range []struct {
		name   string
		header []string
		want   int
	}{
		{"a program", nil, 200},
		{"localhost", []string{"Host", "localhost" + port}, 200},
		{"a rebound name", []string{"Host", "evil.example" + port}, 403},
		{"an address of another machine", []string{"Host", "192.0.2.1" + port}, 403},
		{"a page of another site", []string{"Origin", "https://evil.example"}, 403},
		{"a sandboxed page", []string{"Origin", "null"}, 403},
		{"a link from another site", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page of another port", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"our own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", s.URL()}, 200},
		{"typed by hand", []string{"Sec-Fetch-Site", "none"}, 200},
	} {
		for _, path := range []string{"/dev/v1/clock", "//dev/v1/clock", "///dev//v1/clock/", "/%64ev/v1/clock"} {
			if got := s.call("GET", path, "", c.header...).code; got != c.want {
				t.Errorf("%s on %s: %d, want %d", c.name, path, got, c.want)
			}
		}
	}
	s.want(200, "GET", "/identity/keys", "", nil, "Host", "evil.example", "Origin", "https://evil.example") // only the aids are guarded
}

func TestEventsAreShownInTheCADFShape(t *testing.T) {
	s := run(t, nil)
	auth, root := s.owner(), s.Demo().Root
	created := s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+root+`","name":"seen"}`, nil,
		append(auth, "Transaction-Id", "tx-7", "User-Agent", "test/1")...)
	var list struct {
		Events []map[string]any
	}
	s.want(200, "GET", "/dev/v1/events?account_id="+root+"&after=0", "", &list)
	last := list.Events[len(list.Events)-1]
	if last["action"] != "iam-identity.account-serviceid.create" || last["outcome"] != "success" || last["correlationId"] != "tx-7" {
		t.Errorf("the event of %s is %v", created.body, last)
	}
	initiator := last["initiator"].(map[string]any)
	if initiator["id"] != s.Demo().Owner.IAMID || initiator["host"].(map[string]any)["agent"] != "test/1" {
		t.Errorf("initiator is %v", initiator)
	}
	s.want(200, "GET", "/dev/v1/events", "", &list)
	s.want(400, "GET", "/dev/v1/events?since=yesterday", "", nil)
}

func TestReadingEventsNeedsThePermission(t *testing.T) {
	s := run(t, nil)
	d := s.Demo()
	path := "/kagiban/v1/accounts/" + d.Root + "/events"
	s.want(401, "GET", path, "", nil)
	s.want(200, "GET", path, "", nil, s.owner()...)
	s.want(200, "GET", path, "", nil, s.login(d.AdminKey.Value)...)
	s.want(403, "GET", path, "", nil, s.login(d.ServiceKey.Value)...)
	s.want(404, "GET", path, "", nil, s.login(d.VisitorKey.Value)...)
	s.want(404, "GET", "/kagiban/v1/accounts/"+strings.Repeat("0", 32)+"/events", "", nil, s.owner()...)
	for _, query := range []string{"?limit=0", "?limit=1001", "?after=-1", "?last=-1", "?last=1&after=1", "?wait=26s", "?wait=x", "?after=x"} {
		s.want(400, "GET", path+query, "", nil, s.owner()...)
	}
	s.want(400, "GET", "/kagiban/v1/accounts/x/events", "", nil, s.owner()...)
}

func TestAWaitingReaderGetsTheNextEvent(t *testing.T) {
	s := run(t, nil)
	auth, root := s.owner(), s.Demo().Root
	path := "/kagiban/v1/accounts/" + root + "/events"
	var page struct {
		Last   int64
		Events []struct{ Action string }
	}
	s.want(200, "GET", path+"?last=0", "", &page, auth...)
	if page.Last == 0 || len(page.Events) != 0 {
		t.Fatalf("the end of the log: %+v", page)
	}
	// Another account's templates may still be on their way, so that other events
	// come first. An empty answer is one that did not wait.
	woken := func() bool {
		return slices.ContainsFunc(page.Events, func(e struct{ Action string }) bool {
			return e.Action == "iam-identity.account-serviceid.create"
		})
	}
	for after, first := page.Last, true; first || !woken(); after, first = page.Last, false {
		got := make(chan answer)
		go func() { got <- s.call("GET", path+"?wait=25s&after="+itoa(after), "", auth...) }()
		if first {
			s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+root+`","name":"woken"}`, nil, auth...)
		}
		a := <-got
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || len(page.Events) == 0 || page.Last <= after {
			t.Fatalf("got %d %s", a.code, a.body)
		}
	}
}

func itoa(n int64) string {
	raw, _ := json.Marshal(n)
	return string(raw)
}

func TestTheDemoDataIsTheSameAtEveryFreshStart(t *testing.T) {
	fixed, err := demo.New(demo.FixedSeed())
	if err != nil {
		t.Fatal(err)
	}
	s := run(t, nil)
	if s.Demo().Root != fixed.Root || !s.Demo().OwnerKey.Value.Equal(fixed.OwnerKey.Value) {
		t.Error("a fresh start has other ids or keys")
	}
	random := run(t, func(c *app.Config) { c.Dev.Random = true })
	if random.Demo().Root == fixed.Root || random.Demo().OwnerKey.Value.Equal(fixed.OwnerKey.Value) {
		t.Error("--random gave the fixed ids or keys")
	}
	random.owner()
}

func TestRandomDemoDataSurvivesARestart(t *testing.T) {
	dir, set := t.TempDir(), settings(t)
	start := func() *server {
		return run(t, func(c *app.Config) {
			c.Settings, c.Dev.Random, c.Issuer = set, true, "http://localhost"
			databaseIn(dir)(c)
		})
	}
	first := start()
	key := first.Demo().OwnerKey.Value
	auth := first.owner()
	if err := first.end(); err != nil {
		t.Fatal(err)
	}
	second := start()
	if !second.Demo().OwnerKey.Value.Equal(key) {
		t.Error("the key is another after a restart")
	}
	second.login(key)
	if got := second.whoami(auth); got != 200 {
		t.Errorf("a token from before the restart: %d", got)
	}
}

func TestDevelopmentKeysDoNotGetIntoARealDatabase(t *testing.T) {
	cfg := app.Config{Settings: settings(t), Log: discard}
	databaseIn(t.TempDir())(&cfg)
	if _, err := app.Init(context.Background(), &cfg.Settings, app.Founder{Email: "a@example.com"}); err != nil {
		t.Fatal(err)
	}
	cfg.Dev = &app.Dev{}
	if _, err := app.New(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), "kagiban serve") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestTheCrossAccountStoryWorks(t *testing.T) {
	s := run(t, nil)
	d := s.Demo()
	auth := s.login(d.VisitorKey.Value)
	a := s.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:assume"},
		"access_token": {strings.TrimPrefix(auth[1], "Bearer ")}, "profile_name": {demo.ProfileName}, "account": {d.Called}})
	if a.code != 200 {
		t.Fatalf("assuming the profile: %d %s", a.code, a.body)
	}
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &token); err != nil {
		t.Fatal(err)
	}
	s.want(200, "GET", "/v1/profiles/"+d.Profile, "", nil, "Authorization", "Bearer "+token.Access)
	s.want(404, "GET", "/v1/profiles/"+d.Profile, "", nil, auth...)
}
