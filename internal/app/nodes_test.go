package app_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// installation makes the first account in an empty PostgreSQL schema.
func installation(t *testing.T, dsn string) (config.Settings, *app.First) {
	t.Helper()
	set := settings(t)
	set.Database, set.Issuer = dsn, "https://iam.example.com"
	first, err := app.Init(t.Context(), &set, app.Founder{Email: "owner@example.com", Account: "Example"})
	if err != nil {
		t.Fatal(err)
	}
	return set, first
}

// node starts a server of an installation.
func node(t *testing.T, set config.Settings) *server {
	return run(t, func(c *app.Config) { c.Dev, c.Settings = nil, set })
}

// object is what these tests read of any answer.
type object struct {
	ID    string `json:"id"`
	IAMID string `json:"iam_id"`
	Key   string `json:"apikey"`
}

func (s *server) exchange(key string, header ...string) answer {
	return s.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {key}}, header...)
}

// mayList asks for a decision: may the bearer list service IDs?
func (s *server) mayList(auth []string, account string) int {
	return s.call("GET", "/v1/profiles?account_id="+account, "", auth...).code
}

// patience is how long a node may take to learn of another's write before the
// test fails; what is promised is measured.
const patience = 10 * time.Second

// soon repeats a question until its answer is the wanted one and gives the
// time that it took.
func soon(t *testing.T, what string, want int, ask func() int) time.Duration {
	t.Helper()
	start := time.Now()
	for {
		got := ask()
		if took := time.Since(start); got == want {
			return took
		} else if took > patience {
			t.Fatalf("%s: still %d after %v, want %d", what, got, took, want)
		}
	}
}

func TestAWriteOnOneNodeIsInForceOnTheOther(t *testing.T) {
	set, first := installation(t, storetest.Postgres(t))
	a, b := node(t, set), node(t, set)
	owner := a.login(first.Key) // of node a, good at node b
	var id, key object
	a.want(201, "POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"app"}`, &id, owner...)
	a.want(201, "POST", "/v1/apikeys", `{"account_id":"`+first.Account+`","iam_id":"`+id.IAMID+`","name":"key"}`, &key, owner...)

	got := b.exchange(key.Key)
	if got.code != 200 {
		t.Fatalf("a new key at the other node: %d %s", got.code, got.body)
	}
	app := []string{"Authorization", "Bearer " + field(t, got, "access_token")}
	if code := b.mayList(app, first.Account); code != 403 {
		t.Fatalf("without a policy: %d", code)
	}

	var delays []time.Duration
	policy := `{"type":"access","subjects":[{"attributes":[{"name":"iam_id","value":"` + id.IAMID + `"}]}],
		"roles":[{"role_id":"crn:v1:bluemix:public:iam::::role:Viewer"}],
		"resources":[{"attributes":[{"name":"accountId","value":"` + first.Account + `"},{"name":"serviceName","value":"iam-identity"}]}]}`
	for range 10 {
		var p object
		a.want(201, "POST", "/v1/policies", policy, &p, owner...)
		delays = append(delays, soon(t, "a policy", 200, func() int { return b.mayList(app, first.Account) }))
		a.want(204, "DELETE", "/v1/policies/"+p.ID, "", nil, owner...)
		delays = append(delays, soon(t, "a policy that is gone", 403, func() int { return b.mayList(app, first.Account) }))
		a.want(204, "POST", "/v1/apikeys/"+key.ID+"/disable", "", nil, owner...)
		delays = append(delays, soon(t, "a disabled key", 400, func() int { return b.exchange(key.Key).code }))
		a.want(204, "DELETE", "/v1/apikeys/"+key.ID+"/disable", "", nil, owner...)
		delays = append(delays, soon(t, "an enabled key", 200, func() int { return b.exchange(key.Key).code }))
	}
	slices.Sort(delays)
	t.Logf("in force on the other node: median %v, slowest %v", delays[len(delays)/2], delays[len(delays)-1])
	if m := delays[len(delays)/2]; m > 100*time.Millisecond { // docs/operating.md
		t.Errorf("the median is %v", m)
	}

	a.want(204, "DELETE", "/v1/serviceids/"+id.ID, "", nil, owner...)
	soon(t, "the key of a deleted service ID", 400, func() int { return b.exchange(key.Key).code })
	soon(t, "the token of a deleted service ID", 401, func() int { return b.mayList(app, first.Account) })
}

func TestSessionsAndSigningKeysBelongToAllNodes(t *testing.T) {
	set, first := installation(t, storetest.Postgres(t))
	a, b := node(t, set), node(t, set)
	const cli = "Basic Yng6Yng=" // bx:bx
	begun := a.exchange(first.Key.Reveal(), "Authorization", cli)
	refresh := field(t, begun, "refresh_token")
	renew := func(s *server) answer {
		return s.grant(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, "Authorization", cli)
	}
	if got := renew(b); got.code != 200 {
		t.Fatalf("a refresh token of the other node: %d %s", got.code, got.body)
	}

	before := a.want(200, "GET", "/identity/keys", "", nil).body
	if err := app.RotateKeys(context.Background(), &set, discard); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*server{"first": a, "second": b} {
		soon(t, "rotation at the "+name+" node", 1, func() int {
			if s.want(200, "GET", "/identity/keys", "", nil).body != before {
				return 1
			}
			return 0
		})
	}
	var keys [2]struct{ Keys []struct{ Kid string } }
	a.want(200, "GET", "/identity/keys", "", &keys[0])
	b.want(200, "GET", "/identity/keys", "", &keys[1])
	if len(keys[0].Keys) < 2 || !slices.Equal(keys[0].Keys, keys[1].Keys) {
		t.Errorf("the nodes publish %v and %v", keys[0], keys[1])
	}
	for _, from := range []*server{a, b} {
		fresh := from.login(first.Key)
		for _, at := range []*server{a, b} {
			at.want(200, "GET", "/v1/serviceids?account_id="+first.Account, "", nil, fresh...)
		}
	}
}

func TestTwoNodesThatBeginTogetherShareOneInstallation(t *testing.T) {
	set := settings(t)
	set.Database, set.Issuer, set.AutoMigrate = storetest.Postgres(t), "https://iam.example.com", true
	type made struct {
		app *app.App
		err error
	}
	results := make(chan made, 2)
	for range 2 {
		go func() {
			a, err := app.New(t.Context(), app.Config{Settings: set, Log: discard})
			results <- made{a, err}
		}()
	}
	for range 2 {
		if m := <-results; m.err != nil {
			t.Error(m.err)
		} else if err := m.app.Close(); err != nil {
			t.Error(err)
		}
	}
	first, err := app.Init(t.Context(), &set, app.Founder{Email: "owner@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	a, b := node(t, set), node(t, set)
	token := a.login(first.Key) // one pepper finds the key, one key ring signs
	b.want(200, "GET", "/v1/serviceids?account_id="+first.Account, "", nil, token...)
}

func TestALongPollHearsOfTheOtherNodesWrites(t *testing.T) {
	set, first := installation(t, storetest.Postgres(t))
	a, b := node(t, set), node(t, set)
	owner := a.login(first.Key)
	events := "/kagiban/v1/accounts/" + first.Account + "/events"
	var page struct {
		Last int64 `json:"last"`
	}
	b.want(200, "GET", events+"?last=0", "", &page, owner...)
	heard := make(chan answer)
	go func() {
		heard <- b.call("GET", fmt.Sprintf("%s?after=%d&wait=25s", events, page.Last), "", owner...)
	}()
	b.until(func() bool { return app.Waiting(b.App) })
	a.want(201, "POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"made-elsewhere"}`, nil, owner...)
	if got := <-heard; got.code != 200 || !strings.Contains(got.body, "made-elsewhere") {
		t.Errorf("the poll at the other node: %d %s", got.code, got.body)
	}
}

func TestTheStoriesHoldOnPostgreSQL(t *testing.T) {
	storetest.Postgres(t) // or there is nothing to do
	elsewhere = func(t *testing.T) string { return storetest.Postgres(t) }
	t.Cleanup(func() { elsewhere = nil })
	for _, story := range []struct {
		name string
		test func(*testing.T)
	}{
		{"cross account", TestTheCrossAccountStoryWorks},
		{"clock", TestMovingTheClockEndsTokens},
		{"last requests", TestTheLastRequestsShowCallerAndDecision},
		{"reset", TestAResetBringsTheDemoDataBack},
		{"half of a reset", TestNobodyMeetsHalfOfAReset},
		{"events", TestEventsAreShownInTheCADFShape},
		{"permission to read events", TestReadingEventsNeedsThePermission},
		{"long poll", TestAWaitingReaderGetsTheNextEvent},
		{"demo data", TestTheDemoDataIsTheSameAtEveryFreshStart},
		{"bad requests", TestBadRequestsGetAnEnvelopeOverHTTP},
		{"probes", TestProbesAnswerWithoutToken},
		{"long polls at the end", TestLongPollsEndWithTheServer},
		{"shutdown", TestARequestThatDoesNotEndIsCutOff},
		{"rules of groups", TestRulesMakePeopleMembersForAWhileAfterTheirLogin},
		{"services", TestAServiceReachesAnotherByAuthorizationPolicyOnly},
	} {
		t.Run(story.name, story.test)
	}
}
