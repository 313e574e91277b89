package iamtoken_test

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/throttle"
	"github.com/kagiban/kagiban/internal/token"
)

func TestDiscoveryNamesTheServerAndTheIssuer(t *testing.T) {
	w := newWorld(t)
	a := w.send(http.MethodGet, "/identity/.well-known/openid-configuration", "")
	for name, want := range map[string]string{
		"issuer": issuer, "token_endpoint": baseURL + "/identity/token", "passcode_endpoint": baseURL + "/identity/passcode",
		"jwks_uri": baseURL + "/identity/keys", "userinfo_endpoint": baseURL + "/identity/userinfo",
	} {
		if a.text(name) != want {
			t.Errorf("%s = %q, want %q", name, a.text(name), want)
		}
	}
	for name, said := range a.body { // what is named works
		text, _ := said.(string)
		path, under := strings.CutPrefix(text, baseURL)
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if got := w.send(method, path, ""); !under || got.status == http.StatusNotFound || got.status == http.StatusNotImplemented {
				t.Errorf("%s is %q, where %s answers %d", name, text, method, got.status)
			}
		}
	}
	if b := w.send(http.MethodGet, "/.well-known/openid-configuration", ""); b.raw != a.raw {
		t.Error("the document at the root is another one")
	}
	grants, _ := a.body["grant_types_supported"].([]any)
	if len(grants) != 7 {
		t.Errorf("grants %v, want the seven that work", grants)
	}
}

func TestPublishedKeysVerifyTokens(t *testing.T) {
	for _, alg := range []signing.Algorithm{signing.ES256, signing.RS256} {
		w := newWorld(t, func(c *apitest.TokenConfig) { c.Algorithm = alg })
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(w.send(http.MethodGet, "/identity/keys", "").raw), &set); err != nil {
			t.Fatal(err)
		}
		token, err := jose.ParseSignedCompact(w.mustToken(apikey(userKey)).text("access_token"),
			[]jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := token.Verify(&set); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestIntrospectionTellsGoodTokensFromOthers(t *testing.T) {
	w := newWorld(t)
	access := w.mustToken(apikey(svcKey)).text("access_token")
	good := w.send(http.MethodPost, "/identity/introspect", pairs("token", access), bx)
	if good.body["active"] != true || good.text("iam_id") != id.IAMOf(service) || good.text("sub_type") != "ServiceId" {
		t.Errorf("good token: %s", good.raw)
	}
	for name, text := range map[string]string{"nonsense": "nonsense", "cut": access[:len(access)-4], "refresh token": "x"} {
		if a := w.send(http.MethodPost, "/identity/introspect", pairs("token", text), bx); a.status != http.StatusOK ||
			strings.TrimSpace(a.raw) != `{"active":false}` {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	w.wants(w.send(http.MethodPost, "/identity/introspect", pairs("token", access)), 401, "BXNIM0308E")
	w.wants(w.send(http.MethodPost, "/identity/introspect", pairs("token", access), basic("bx", "no")), 401, "BXNIM0310E")
	w.wants(w.send(http.MethodPost, "/identity/introspect", "", bx), 400, "BXNIM0109E")
}

func TestUserInfoAnswers200ToBadTokens(t *testing.T) {
	w := newWorld(t)
	access := w.mustToken(apikey(userKey)).text("access_token")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		good := w.send(method, "/identity/userinfo", "", bearer(access))
		owner, _ := good.body["account"].(map[string]any)
		if good.status != http.StatusOK || good.text("sub") != email || good.text("iss") != issuer || good.body["active"] != true ||
			owner["bss"] != acctA {
			t.Errorf("%s: %d %s", method, good.status, good.raw)
		}
		for _, bad := range []string{"", "nonsense", access + "x"} {
			a := w.send(method, "/identity/userinfo", "", bearer(bad))
			if a.status != http.StatusOK || a.text("errorCode") != "BXNIM0407E" || a.body["active"] != false {
				t.Errorf("%s with %q: %d %s", method, bad, a.status, a.raw)
			}
		}
	}
}

func TestProfilesThatMayBeAssumedAreListedAcrossAccounts(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	w.trust(profileA, acctA, "user", userIAM, acctB) // not from account A
	w.trust(profileA, acctA, "serviceid", service)
	user, svc := w.mustToken(apikey(userKey)).text("access_token"), w.mustToken(apikey(svcKey)).text("access_token")

	a := w.send(http.MethodPost, "/identity/profiles", pairs("access_token", user))
	profiles, _ := a.body["profiles"].([]any)
	if a.number("count") != 1 || len(profiles) != 1 {
		t.Fatalf("for the user: %s", a.raw)
	}
	got, _ := profiles[0].(map[string]any)
	if !regexp.MustCompile(`^1-[0-9a-f]{32}$`).MatchString(got["entity_tag"].(string)) {
		t.Errorf("entity tag %v", got["entity_tag"])
	}
	delete(got, "entity_tag")
	want := map[string]any{"id": profileB, "iam_id": id.IAMOf(profileB), "name": "there", "account_id": acctB,
		"crn":        "crn:v1:bluemix:public:iam-identity::a/" + acctB + "::profile:" + profileB,
		"created_at": "2026-05-04T12:00+0000", "modified_at": "2026-05-04T12:00+0000"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	if a := w.send(http.MethodGet, "/identity/profiles?access_token="+svc, ""); a.number("count") != 1 || !strings.Contains(a.raw, profileA) {
		t.Errorf("for the service ID, by query: %s", a.raw)
	}
	if a := w.send(http.MethodGet, "/identity/profiles", "", bearer(svc)); a.number("count") != 1 {
		t.Errorf("for the service ID, by header: %s", a.raw)
	}
	w.wants(w.send(http.MethodPost, "/identity/profiles", ""), 400, "BXNIM0109E")
	w.wants(w.send(http.MethodPost, "/identity/profiles", pairs("access_token", "x")), 400, "BXNIM0407E")
	w.changeAccount(acctB, func(x *account.Account) { x.State = account.Suspended })
	if a := w.send(http.MethodPost, "/identity/profiles", pairs("access_token", user)); a.number("count") != 0 ||
		!strings.Contains(a.raw, `"profiles":[]`) {
		t.Errorf("of a suspended account: %s", a.raw)
	}
}

func TestPasscodePage(t *testing.T) {
	w := newWorld(t)
	w.setPassword()
	page := w.send(http.MethodGet, "/identity/passcode", "")
	policy := page.header.Get("Content-Security-Policy")
	if page.status != http.StatusOK || !strings.Contains(page.raw, `action="/identity/passcode"`) || strings.Contains(page.raw, "<script") {
		t.Errorf("page: %d %s", page.status, page.raw)
	}
	for _, part := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "style-src 'sha256-"} {
		if !strings.Contains(policy, part) {
			t.Errorf("content security policy %q lacks %q", policy, part)
		}
	}
	login := pairs("username", email, "password", password)
	shown := w.send(http.MethodPost, "/identity/passcode", login, header("Origin", "http://example.com"),
		header("Sec-Fetch-Site", "same-origin"))
	code := regexp.MustCompile(`passcode">([A-Za-z0-9]{10})</output>`).FindStringSubmatch(shown.raw)
	if code == nil {
		t.Fatalf("no passcode: %d %s", shown.status, shown.raw)
	}
	w.mustToken([]string{"grant_type", token.GrantPasscode, "passcode", code[1]}, bx)

	if a := w.send(http.MethodPost, "/identity/passcode", login, header("Sec-Fetch-Site", "cross-site")); a.status != http.StatusForbidden ||
		strings.Contains(a.raw, "<output") {
		t.Errorf("form of another site: %d %s", a.status, a.raw)
	}
	wrong := w.send(http.MethodPost, "/identity/passcode", pairs("username", `"><script>alert(1)</script>`, "password", "x"))
	if wrong.status != http.StatusUnauthorized || strings.Contains(wrong.raw, "<script") || !strings.Contains(wrong.raw, "incorrect") {
		t.Errorf("wrong password: %d %s", wrong.status, wrong.raw)
	}
}

func TestLogoutPageOfABrowser(t *testing.T) {
	w := newWorld(t)
	if a := w.send(http.MethodGet, "/identity/logout", ""); a.status != http.StatusOK ||
		!strings.Contains(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

func TestStandardHeadersOfATokenResponse(t *testing.T) {
	w := newWorld(t)
	a := w.mustToken(apikey(userKey), header("Transaction-Id", "my-transaction"))
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Content-Language": "en-US", "Cache-Control": "no-cache, no-store, must-revalidate",
		"Pragma":  "no-cache",
		"Expires": "0", "Transaction-Id": "my-transaction", "X-Correlation-Id": "my-transaction", "Ibm-Cloud-Service-Name": "iam-identity",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestGuessingIsSlowedAndValidKeysAreNot(t *testing.T) {
	w := newWorld(t, func(c *apitest.TokenConfig) {
		c.Limits = token.DefaultLimits
		c.Limits.Credential = throttle.Limit{Burst: 3, Every: 10 * time.Second}
	})
	for range 3 {
		w.wants(w.token(apikey("guess")), 400, "BXNIM0415E")
	}
	a := w.token(apikey("guess"))
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") != "10" || a.text("errorCode") != "too_many_requests" {
		t.Errorf("fourth guess: %d, Retry-After %q, %s", a.status, a.header.Get("Retry-After"), a.raw)
	}
	w.mustToken(apikey(userKey)) // from the same address, never seen before
	w.wants(w.token(apikey("guess"), from("198.51.100.1")), 400, "BXNIM0415E")
	w.server.Pass(10 * time.Second)
	w.wants(w.token(apikey("guess")), 400, "BXNIM0415E")
	if a := w.token([]string{"grant_type", token.GrantPasscode, "passcode", "guess"}, bx); a.status != http.StatusTooManyRequests {
		t.Errorf("a passcode from there: %d %s", a.status, a.raw)
	}
}

func TestGoldenErrorBody(t *testing.T) {
	w := newWorld(t)
	a := w.token(apikey("no such key"), header("Transaction-Id", "OXRxZ2M-1"), header("User-Agent", "agent/1"))
	request, _ := a.body["context"].(map[string]any)
	stamp := regexp.MustCompile(`^\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d:\d{3} UTC$`)
	for _, name := range []string{"startTime", "endTime"} {
		if text, _ := request[name].(string); !stamp.MatchString(text) {
			t.Errorf("%s = %q", name, text)
		}
		request[name] = "T"
	}
	request["instanceId"], request["threadId"] = "I", "R"
	if text, _ := request["elapsedTime"].(string); !regexp.MustCompile(`^\d+$`).MatchString(text) {
		t.Errorf("elapsedTime %v is no text of digits", request["elapsedTime"])
	}
	request["elapsedTime"] = "0"
	want := map[string]any{
		"context": map[string]any{"requestId": "OXRxZ2M-1", "requestType": "incoming.Identity_Token", "userAgent": "agent/1", "url": baseURL,
			"instanceId": "I", "threadId": "R", "host": "kagiban.test", "startTime": "T", "endTime": "T", "elapsedTime": "0",
			"locale": "en_US", "clusterName": "kagiban"},
		"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found.",
	}
	if diff := cmp.Diff(want, a.body); diff != "" {
		t.Errorf("error body (-want +got):\n%s", diff)
	}
}

func TestNoAnswerRepeatsASecret(t *testing.T) {
	w := newWorld(t)
	secrets := []string{"s3cret-apikey", "s3cret-password", "s3cret-refresh", "s3cret-client", "s3cret-access"}
	for _, form := range [][]string{
		apikey("s3cret-apikey"), refresh("s3cret-refresh"), assume("s3cret-access", "profile_id", profileB),
		{"grant_type", "password", "username", email, "password", "s3cret-password"},
	} {
		for _, o := range []option{bx, basic("bx", "s3cret-client")} {
			a := w.token(form, o)
			for _, s := range secrets {
				if strings.Contains(a.raw, s) {
					t.Errorf("the answer repeats %s: %s", s, a.raw)
				}
			}
		}
	}
}

func TestActivityIsCountedForKeyAndIdentity(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	check := func(subject string, count int64) {
		t.Helper()
		got, err := w.tokens.Activity(ctx, acctA, subject)
		if err != nil || got.Count != count || count > 0 && !got.Last.Equal(w.server.Now()) {
			t.Errorf("%s: %+v, %v, want %d at %v", subject, got, err, count, w.server.Now())
		}
	}
	check("ApiKey-2", 0)
	for range 3 {
		w.server.Pass(time.Second)
		w.mustToken(apikey(svcKey))
	}
	check("ApiKey-2", 3)
	check(service, 3)
	if err := w.tokens.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	check("ApiKey-2", 3)
	w.mustToken(apikey(svcKey))
	check("ApiKey-2", 4)
	check(id.IAMOf(service), 4)
	w.token(apikey("unknown"))
	check(service, 4)
}
