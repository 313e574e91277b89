package authz_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/authz"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

const (
	acct   = apitest.Account
	owner  = apitest.Owner
	member = apitest.Member
	// kms is the token of the service itself.
	kms = "service:kms"
)

type m = map[string]any

func serve(t testing.TB) *apitest.Server {
	return apitest.New(t, func(s *apitest.Server) []httpapi.Operation {
		return authz.New(s.Access, s.Authority, s.Presence).Operations()
	})
}

func crn(service, rest string) string {
	return "crn:v1:bluemix:public:" + service + "::a/" + acct + ":" + rest
}

func ask(iamID, action, name string) m {
	return m{"subject": m{"attributes": m{"id": iamID}}, "action": action, "resource": m{"crn": name}}
}

func permitted(a *apitest.Answer) string {
	a.T.Helper()
	var out []string
	for i := range a.Len("responses") {
		at := fmt.Sprintf("responses.%d.", i)
		text := a.Text(at + "status")
		if text == "200" {
			text = a.Text(at + "authorizationDecision.permitted")
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestServicesAskAboutTheirOwnResources(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Reader", "serviceName=kms", "serviceInstance=i1")
	questions := []m{
		ask(member, "kms.secrets.list", crn("kms", "i1::")),
		ask(member, "kms.secrets.list", crn("kms", "i1:key:k1")),
		ask(member, "kms.secrets.list", crn("kms", "i2::")),
		ask(member, "kms.secrets.list", crn("kms", "::")),
		ask(member, "kms.secrets.delete", crn("kms", "i1::")),
		ask("IBMid-NOBODY", "kms.secrets.list", crn("kms", "i1::")),
		ask(owner, "kms.secrets.delete", crn("kms", "i2::")),
		{"subject": m{"attributes": m{"id": member}}, "action": "kms.secrets.list",
			"resource": m{"attributes": m{"serviceName": "kms", "accountId": acct, "serviceInstance": "i1"}}},
	}
	a := s.Do(kms, "POST", "/v2/authz", questions).Want(200)
	if got := permitted(a); got != "true true false false false false true true" {
		t.Errorf("answers %s\n%s", got, a.Body)
	}
	if a.Text("responses.0.authorizationDecision.reason") != "" || a.Text("responses.2.authorizationDecision.reason") != "IAM" {
		t.Errorf("reasons: %s", a.Body)
	}
	if a.Len("cacheKeyPattern.resource") != 6 || a.Text("cacheKeyPattern.order.0") != "subject" {
		t.Errorf("cache key pattern: %s", a.Body)
	}
}

func TestObligationSaysWhatMayBeKept(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Reader", "serviceName=kms")
	one := []m{ask(member, "kms.secrets.list", crn("kms", "i1:key:k1"))}
	at := "responses.0.authorizationDecision.obligation."
	plain := s.Do(kms, "POST", "/v2/authz", one).Want(200)
	if plain.Text(at+"maxCacheAgeSeconds") != "600" || plain.Text(at+"actions.0") != "kms.secrets.list" || plain.Len(at+"actions") != 1 ||
		plain.At(at+"subject") != nil {
		t.Errorf("plain: %s", plain.Body)
	}
	full := s.Do(kms, "POST", "/v2/authz", one, "X-Accept-Advanced-Obligation: true").Want(200)
	var actions []string
	for i := range full.Len(at + "actions") {
		actions = append(actions, full.Text(fmt.Sprintf("%sactions.%d", at, i)))
	}
	if !slices.Contains(actions, "kms.secrets.list") || !slices.Contains(actions, "iam.policy.read") ||
		slices.Contains(actions, "kms.secrets.delete") {
		t.Errorf("actions %v", actions)
	}
	for path, want := range map[string]string{"subject.attributes.id": member, "resource.attributes.serviceName": "kms",
		"resource.attributes.accountId":       acct,
		"resource.attributes.serviceInstance": "i1", "resource.attributes.resourceType": "key", "resource.attributes.resource": "k1"} {
		if got := full.Text(at + path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	denied := s.Do(kms, "POST", "/v2/authz", []m{ask("IBMid-NOBODY", "kms.secrets.list", crn("kms", "::"))},
		"X-Accept-Advanced-Obligation: true").Want(200)
	if denied.Text(at+"maxCacheAgeSeconds") != "120" || denied.Text(at+"actions.0") != "kms.secrets.list" {
		t.Errorf("denied: %s", denied.Body)
	}
}

// ruled gives access under a rule.
func ruled(s *apitest.Server, iamID, pattern string, rule *policy.Rule) {
	s.T.Helper()
	eq := func(k, v string) policy.Attribute {
		return policy.Attribute{Key: k, Operator: policy.OpStringEquals, Value: policy.String(v)}
	}
	doc := &policy.Policy{Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive, RoleIDs: []string{apitest.Role("Reader")},
		Subject: []policy.Attribute{eq("iam_id", iamID)}, Resource: []policy.Attribute{eq("accountId", acct), eq("serviceName", "kms")},
		Pattern: pattern, Rule: rule}
	if _, err := s.CreatePolicy(asker.System, doc); err != nil {
		s.T.Fatal(err)
	}
}

func TestRulesBoundWhatMayBeKept(t *testing.T) {
	s := serve(t)
	ruled(s, member, policy.PatternOnce, &policy.Rule{Operator: policy.OpAnd, Conditions: []policy.Rule{
		{Key: "{{environment.attributes.current_date_time}}", Operator: policy.OpDateTimeGreaterThanOrEquals,
			Value: policy.String("2026-05-04T11:00:00+00:00")},
		{Key: "{{environment.attributes.current_date_time}}", Operator: policy.OpDateTimeLessThan,
			Value: policy.String("2026-05-04T12:00:30+00:00")}}})
	ruled(s, "IBMid-PATH", policy.PatternAttributeBase, &policy.Rule{Operator: policy.OpAnd, Conditions: []policy.Rule{
		{Key: "{{resource.attributes.path}}", Operator: policy.OpStringMatch, Value: policy.String("docs/*")},
		{Key: "{{resource.attributes.kind}}", Operator: policy.OpStringEquals, Value: policy.String("text")}}})
	now := func(iamID string, attributes m) (permit, age string) {
		attributes["serviceName"], attributes["accountId"] = "kms", acct
		a := s.Do(kms, "POST", "/v2/authz", []m{{"subject": m{"attributes": m{"id": iamID}}, "action": "kms.secrets.list",
			"resource": m{"attributes": attributes}}},
			"X-Accept-Advanced-Obligation: true").Want(200)
		return a.Text("responses.0.authorizationDecision.permitted"), a.Text("responses.0.authorizationDecision.obligation.maxCacheAgeSeconds")
	}
	for _, c := range []struct {
		name, iamID string
		attributes  m
		pass        time.Duration
		want, age   string
	}{
		{"in the window", member, m{}, 0, "true", "30"},
		{"nearer to its end", member, m{}, 20 * time.Second, "true", "10"},
		{"after it", member, m{}, 10 * time.Second, "false", "120"},
		{"matching path", "IBMid-PATH", m{"path": "docs/a", "kind": "text"}, 0, "true", "0"},
		{"other path", "IBMid-PATH", m{"path": "private/a", "kind": "text"}, 0, "false", "0"},
		{"no path", "IBMid-PATH", m{}, 0, "false", "0"},
	} {
		s.Pass(c.pass)
		if permit, age := now(c.iamID, c.attributes); permit != c.want || age != c.age {
			t.Errorf("%s: permitted %s for %s s, want %s for %s s", c.name, permit, age, c.want, c.age)
		}
	}
}

func TestWhoMayAsk(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Viewer", "serviceName=kms")
	s.Grant("IBMid-INSTANCE", "Viewer", "serviceName=kms", "serviceInstance=i1")
	question := ask("IBMid-X", "kms.secrets.list", crn("kms", "i1::"))
	elsewhere := ask("IBMid-X", "kms.secrets.list", strings.ReplaceAll(crn("kms", "i1::"), acct, apitest.Other))
	nowhere := ask("IBMid-X", "kms.secrets.list", strings.ReplaceAll(crn("kms", "i1::"), acct, apitest.Absent))
	for _, c := range []struct {
		name, caller string
		question     m
		want         string
	}{
		{"the service", kms, question, "false"},
		{"the service, of another account's resource", kms, elsewhere, "false"},
		{"the service, of an account that is not there", kms, nowhere, "false"},
		{"another service", "service:watson", question, "403"},
		{"a service whose name begins alike", "service:km", question, "403"},
		{"the account's owner", owner, question, "false"},
		{"who reads the service's policies", member, question, "false"},
		{"who reads the instance's policies", "IBMid-INSTANCE", question, "false"},
		{"who reads another instance's policies", "IBMid-INSTANCE", ask("IBMid-X", "kms.secrets.list", crn("kms", "i2::")), "403"},
		{"nobody in particular", "IBMid-NOBODY", question, "403"},
		{"somebody about themselves", "IBMid-NOBODY", ask("IBMid-NOBODY", "kms.secrets.list", crn("kms", "i1::")), "false"},
		{"another account's owner", apitest.OtherOwner + "@" + apitest.Other, question, "403"},
		{"somebody about an account that is not theirs", owner, elsewhere, "403"},
		{"somebody about an account that is not there", owner, nowhere, "403"},
	} {
		a := s.Do(c.caller, "POST", "/v2/authz", []m{c.question}).Want(200)
		if got := permitted(a); got != c.want {
			t.Errorf("%s: %s, want %s\n%s", c.name, got, c.want, a.Body)
		}
		bulk := m{"subject": c.question["subject"], "action": c.question["action"],
			"resources": m{"uniqueAttributes": []m{{"crn": c.question["resource"].(m)["crn"]}}}}
		b := s.Do(c.caller, "PUT", "/v2/authz/bulk", bulk)
		if c.want == "403" {
			b.Refused(403, "not_authorized")
		} else if b.Status != 200 || b.Text("decisions.0.decision") != "Deny" {
			t.Errorf("%s, bulk: %d %s", c.name, b.Status, b.Body)
		}
		r := s.Do(c.caller, "POST", "/v2/authz/roles", []m{c.question}).Want(200)
		if got := r.Text("responses.0.status"); (got == "403") != (c.want == "403") {
			t.Errorf("%s, roles: %s", c.name, r.Body)
		}
	}
	s.Do("", "POST", "/v2/authz", []m{question}).Refused(401, "missing_authorization")
	s.Do("expired", "POST", "/v2/authz", []m{question}).Refused(401, "invalid_access_token")
	// Refusals do not tell a foreign account from none.
	a, b := s.Do(owner, "POST", "/v2/authz", []m{elsewhere}, "Transaction-Id: t"),
		s.Do(owner, "POST", "/v2/authz", []m{nowhere}, "Transaction-Id: t")
	if string(a.Body) != string(b.Body) {
		t.Errorf("foreign: %s\nabsent: %s", a.Body, b.Body)
	}
}

func tokenBody(claims m) string {
	raw, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func TestSubjectsComeAsAttributesOrTokens(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Reader", "serviceName=kms")
	s.Grant("iam-ServiceId-1", "Reader", "serviceName=kms")
	s.Grant("iam-Profile-1", "Reader", "serviceName=kms")
	s.Update(func(ctx context.Context, tx store.Tx) error {
		if err := identity.ServiceIDs.Create(ctx, tx, &identity.ServiceID{Meta: store.Meta{Account: acct, ID: "ServiceId-1"}},
			store.Event{}); err != nil {
			return err
		}
		return account.Users.Create(ctx, tx, &account.User{Meta: store.Meta{Account: acct, ID: member}, State: account.Active}, store.Event{})
	})
	later, earlier := apitest.Noon.Add(time.Hour).Unix(), apitest.Noon.Add(-time.Second).Unix()
	token := func(iamID, in string, exp int64) m {
		return m{"accessTokenBody": tokenBody(m{"iam_id": iamID, "id": iamID, "realmid": "IBMid", "exp": exp, "iat": exp - 3600,
			"account": m{"valid": true, "bss": in}, "sub": "x"})}
	}
	decide := func(subject m) string {
		return permitted(s.Do(kms, "POST", "/v2/authz", []m{{"subject": subject, "action": "kms.secrets.list",
			"resource": m{"crn": crn("kms", "i1::")}}}).Want(200))
	}
	for name, c := range map[string]struct {
		subject m
		want    string
	}{
		"a user by id":                {m{"attributes": m{"id": member, "scope": "ibm openid"}}, "true"},
		"a user by token":             {token(member, acct, later), "true"},
		"a user by token with =":      {m{"accessTokenBody": token(member, acct, later)["accessTokenBody"].(string) + "=="}, "true"},
		"a user of another account":   {token(member, apitest.Other, later), "true"},
		"an expired token":            {token(member, acct, earlier), "false"},
		"a service ID":                {m{"attributes": m{"id": "iam-ServiceId-1"}}, "true"},
		"a profile that is gone":      {m{"attributes": m{"id": "iam-Profile-1"}}, "false"},
		"no token":                    {m{"accessTokenBody": "%%%"}, "400"},
		"a token that is no JSON":     {m{"accessTokenBody": base64.RawURLEncoding.EncodeToString([]byte("x"))}, "400"},
		"a token of nobody":           {m{"accessTokenBody": tokenBody(m{"exp": later})}, "400"},
		"nobody":                      {m{"attributes": m{}}, "400"},
		"nothing":                     {m{}, "400"},
		"a service without agreement": {m{"attributes": m{"id": "crn-" + crn("project", "p1::")}}, "false"},
	} {
		if got := decide(c.subject); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	s.Update(func(ctx context.Context, tx store.Tx) error {
		u, err := account.Users.Get(ctx, tx, acct, member)
		if err != nil {
			return err
		}
		u.State = "DISABLED"
		return account.Users.Update(ctx, tx, u, store.Event{})
	})
	if got := decide(token(member, acct, later)); got != "false" {
		t.Errorf("a disabled user: %s", got)
	}
	s.Update(func(ctx context.Context, tx store.Tx) error {
		sid, err := identity.ServiceIDs.Get(ctx, tx, acct, "ServiceId-1")
		if err != nil {
			return err
		}
		return identity.ServiceIDs.Delete(ctx, tx, sid, store.Event{})
	})
	if got := decide(m{"attributes": m{"id": "iam-ServiceId-1"}}); got != "false" {
		t.Errorf("a deleted service ID: %s", got)
	}
}

func TestServicesActByAuthorization(t *testing.T) {
	s := serve(t)
	eq := func(k, v string) policy.Attribute {
		return policy.Attribute{Key: k, Operator: policy.OpStringEquals, Value: policy.String(v)}
	}
	doc := &policy.Policy{Version: policy.V2, Type: policy.TypeAuthorization, State: policy.StateActive,
		RoleIDs:  []string{apitest.Role("Reader")},
		Subject:  []policy.Attribute{eq("accountId", acct), eq("serviceName", "cloud-object-storage"), eq("serviceInstance", "cos1")},
		Resource: []policy.Attribute{eq("accountId", acct), eq("serviceName", "kms")}}
	if _, err := s.CreatePolicy(asker.System, doc); err != nil {
		t.Fatal(err)
	}
	a := s.Do(kms, "POST", "/v2/authz", []m{
		ask("crn-"+crn("cloud-object-storage", "cos1::"), "kms.secrets.list", crn("kms", "i1::")),
		ask("crn-"+crn("cloud-object-storage", "cos2::"), "kms.secrets.list", crn("kms", "i1::")),
		ask("crn-"+crn("project", "cos1::"), "kms.secrets.list", crn("kms", "i1::")),
		{"subject": m{"attributes": m{"serviceName": "cloud-object-storage", "serviceInstance": "cos1", "accountId": acct}},
			"action": "kms.secrets.list", "resource": m{"crn": crn("kms", "i1::")}},
		ask("crn-"+strings.ReplaceAll(crn("cloud-object-storage", "cos1::"), acct, apitest.Other), "kms.secrets.list", crn("kms", "i1::")),
	}).Want(200)
	if got := permitted(a); got != "true false false true false" {
		t.Errorf("answers %s\n%s", got, a.Body)
	}
	for source, want := range map[string]bool{crn("cloud-object-storage", "cos1::"): true, crn("project", "p::"): false, "no crn": false} {
		d, err := s.Authority.Decide(t.Context(), policy.Request{Action: "kms.secrets.list",
			Subject:  policy.Subject{Kind: policy.KindService, IAMID: id.CRNPrefix + source, Source: policy.SourceOf(source)},
			Resource: policy.Resource{Account: acct, ServiceName: "kms"}, Environment: policy.Environment{Now: s.Now()}})
		if err != nil || d.Allowed != want {
			t.Errorf("%s: %v %v, want %v", source, d.Allowed, err, want)
		}
	}
}

func TestBulkAnswersInOrder(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Reader", "serviceName=kms", "serviceInstance=i1")
	s.Grant(member, "Reader", "serviceName=kms", "resourceGroupId=g1")
	body := m{"subject": m{"attributes": m{"id": member}}, "action": "kms.secrets.list", "resources": m{
		"sharedAttributes": m{"serviceName": "kms", "accountId": acct, "resourceType": "key"},
		"uniqueAttributes": []m{{"serviceInstance": "i1", "resource": "a"}, {"serviceInstance": "i2"},
			{"serviceInstance": "i2", "resourceGroupId": "g1"}, {}}}}
	a := s.Do(kms, "PUT", "/v2/authz/bulk", body).Want(200)
	if got := strings.Join(a.Each("decisions", "decision"), " "); got != "Permit Deny Permit Deny" {
		t.Errorf("decisions %s\n%s", got, a.Body)
	}
	if a.Text("decisions.1.reason") != "IAM" || a.Text("decisions.0.obligation.maxCacheAgeSeconds") != "600" {
		t.Errorf("%s", a.Body)
	}
	mixed := func(key, value string) m {
		other := m{"serviceName": "kms", "accountId": acct, "resourceType": "key"}
		other[key] = value
		return m{"subject": m{"attributes": m{"id": member}}, "action": "kms.secrets.list",
			"resources": m{"uniqueAttributes": []m{{"serviceName": "kms", "accountId": acct, "resourceType": "key"}, other}}}
	}
	many := make([]m, 1001)
	for i := range many {
		many[i] = m{"resource": fmt.Sprint(i)}
	}
	bulk := func(list []m) m {
		return m{"subject": m{"attributes": m{"id": member}}, "action": "kms.secrets.list",
			"resources": m{"sharedAttributes": m{"serviceName": "kms", "accountId": acct}, "uniqueAttributes": list}}
	}
	if n := s.Do(kms, "PUT", "/v2/authz/bulk", bulk(many[:1000])).Want(200).Len("decisions"); n != 1000 {
		t.Errorf("%d decisions, want 1000", n)
	}
	noAction := bulk(many[:1])
	delete(noAction, "action")
	for name, body := range map[string]any{
		"two services": mixed("serviceName", "watson"), "two accounts": mixed("accountId", apitest.Other),
		"two types": mixed("resourceType", "box"),
		"too many":  bulk(many), "none": bulk(nil), "no action": noAction, "no JSON": "{", "a list": "[]", "no resources": m{},
		"a CRN that is none": m{"subject": m{"attributes": m{"id": member}}, "action": "x",
			"resources": m{"uniqueAttributes": []m{{"crn": "x"}}}},
	} {
		a := s.Do(kms, "PUT", "/v2/authz/bulk", body)
		if a.Status != 400 || a.Text("errors.0.code") != "invalid_body" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

func TestRolesOnAResource(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Reader Viewer", "serviceName=kms")
	role := &access.CustomRole{DisplayName: "Rotator", Service: "kms", Actions: []string{"kms.secrets.rotate"}}
	role.Name = "Rotator"
	if _, err := s.CreateRole(asker.System, role); err != nil {
		t.Fatal(err)
	}
	s.Grant(member, role.CRN(), "serviceName=kms", "serviceInstance=i1")
	body := []m{{"requestId": "r1", "subject": m{"attributes": m{"id": member}}, "resource": m{"crn": crn("kms", "i1::")}},
		{"subject": m{"attributes": m{"id": member}}, "resource": m{"crn": crn("kms", "i2::")}}}
	a := s.Do(kms, "POST", "/v2/authz/roles", body, "Accept: application/vnd.authzroles.v2+json").Want(200)
	if a.Text("responses.0.requestId") != "r1" || a.Text("responses.0.subjectId.userId") != member ||
		a.Text("responses.0.attributes.serviceInstance") != "i1" || a.Text("transactionId") != a.Header.Get("Transaction-Id") {
		t.Errorf("%s", a.Body)
	}
	names := func(i int) string {
		at := fmt.Sprintf("responses.%d.", i)
		return strings.Join(a.Each(at+"roleActions", "role.displayName"), " ") + " | " +
			strings.Join(a.Each(at+"platformExtensions.roleActions", "role.displayName"), " ")
	}
	if names(0) != "Reader Rotator | Viewer" || names(1) != "Reader | Viewer" {
		t.Errorf("roles %q and %q\n%s", names(0), names(1), a.Body)
	}
	if a.Text("responses.0.roleActions.1.actions.0.action") != "kms.secrets.rotate" {
		t.Errorf("%s", a.Body)
	}
	body[1]["resource"] = m{"attributes": m{"serviceName": "kms", "accountId": apitest.Other}}
	s.Do(kms, "POST", "/v2/authz/roles", body).Refused(400, "invalid_body")
}

func TestMalformedQuestions(t *testing.T) {
	s := serve(t)
	good := ask(member, "kms.secrets.list", crn("kms", "i1::"))
	hundred := slices.Repeat([]m{good}, 100)
	if got := s.Do(kms, "POST", "/v2/authz", hundred).Want(200).Len("responses"); got != 100 {
		t.Errorf("%d answers, want 100", got)
	}
	for name, body := range map[string]any{
		"nothing": "", "no JSON": "[{", "an object": good, "null": "null", "no question": "[]", "too many": append(hundred, good),
		"a number":    "[1]",
		"text behind": "[{}] x", "action of a wrong type": `[{"action":7}]`, "subject of a wrong type": `[{"subject":[]}]`,
		"attributes of a wrong type":     `[{"resource":{"attributes":"x"}}]`,
		"an attribute that is an object": `[{"resource":{"attributes":{"x":{}}}}]`,
		"nested too deep":                "[" + strings.Repeat(`{"x":`, 100) + "1" + strings.Repeat("}", 100) + "]",
	} {
		a := s.Do(kms, "POST", "/v2/authz", body)
		if a.Status != 400 || a.Text("errors.0.code") != "invalid_body" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	s.Do(kms, "POST", "/v2/authz", "["+strings.Repeat(" ", 300<<10)+"]").Want(413)
	// What is wrong with one question is told in its place.
	without := func(key string) m {
		out := m{"requestId": key}
		for k, v := range good {
			if k != key {
				out[k] = v
			}
		}
		return out
	}
	a := s.Do(kms, "POST", "/v2/authz", []m{without("subject"), without("action"), without("resource"), good,
		ask(member, "x", "crn:v1:short"), ask(member, "x", "crn:v1:bluemix:public:kms::::::"),
		{"subject": good["subject"], "action": "x", "resource": m{"attributes": m{"accountId": acct}}}}).Want(200)
	if got := permitted(a); got != "400 400 400 false 400 400 400" {
		t.Errorf("answers %s\n%s", got, a.Body)
	}
	if a.Text("responses.1.requestId") != "action" || a.Text("responses.1.error.errors.0.code") != "invalid_body" ||
		a.Text("responses.1.error.transactionId") != a.Header.Get("Transaction-Id") {
		t.Errorf("%s", a.Body)
	}
}

// A bulk request repeats what its resources share a thousand times: without
// bounds one request takes a gigabyte, or hours of comparing.
func TestQuestionsAreBounded(t *testing.T) {
	s := serve(t)
	many := func(n int) m {
		out := m{"serviceName": "kms", "accountId": acct}
		for i := range n {
			out[fmt.Sprint("a", i)] = "x"
		}
		return out
	}
	tags := func(n int) m {
		return m{"serviceName": "kms", "accountId": acct, "tags": slices.Repeat([]string{"a:b"}, n)}
	}
	long := func(n int) m {
		return m{"serviceName": "kms", "accountId": acct, "resource": strings.Repeat("x", n)}
	}
	for _, c := range []struct {
		resource m
		status   string
	}{{many(250), "200"}, {many(251), "400"}, {tags(250), "200"}, {tags(251), "400"}, {long(4096), "200"}, {long(4097), "400"},
		{m{"serviceName": "kms", "accountId": acct, strings.Repeat("k", 4097): "x"}, "400"}} {
		one := s.Do(kms, "POST", "/v2/authz", []m{{"subject": m{"attributes": m{"id": member}}, "action": "kms.secrets.list",
			"resource": m{"attributes": c.resource}}})
		if got := one.Text("responses.0.status"); got != c.status {
			t.Errorf("one: status %s, want %s: %.200s", got, c.status, one.Body)
		}
		for _, resources := range []m{{"sharedAttributes": c.resource, "uniqueAttributes": []m{{}}}, {"uniqueAttributes": []m{c.resource}}} {
			bulk := s.Do(kms, "PUT", "/v2/authz/bulk", m{"subject": m{"attributes": m{"id": member}}, "action": "kms.secrets.list",
				"resources": resources})
			if fmt.Sprint(bulk.Status) != c.status {
				t.Errorf("bulk: status %d, want %s: %.200s", bulk.Status, c.status, bulk.Body)
			}
		}
	}
	environment := m{}
	for i := range 251 {
		environment[fmt.Sprint("e", i)] = "x"
	}
	groups := m{"serviceName": "x", "accountId": acct, "AccountGroupId": slices.Repeat([]string{"g"}, 251)}
	for name, q := range map[string]m{
		"CRN":            {"resource": m{"crn": crn("kms", "i1:bucket:"+strings.Repeat("x", 4096))}},
		"environment":    {"environment": m{"attributes": environment}},
		"account groups": {"subject": m{"attributes": groups}},
	} {
		for key, value := range ask(member, "kms.secrets.list", crn("kms", "i1::")) {
			if q[key] == nil {
				q[key] = value
			}
		}
		if a := s.Do(kms, "POST", "/v2/authz", []m{q}); a.Text("responses.0.status") != "400" {
			t.Errorf("%s: %.200s", name, a.Body)
		}
	}
}

func TestAnswersAreJSONWhateverIsAsked(t *testing.T) {
	s := serve(t)
	odd := "quote\" back\\ line\n nul\x00 umlaut ü smile 😀 sep\u2028"
	a := s.Do(kms, "POST", "/v2/authz", []m{{"requestId": odd, "subject": m{"attributes": m{"id": odd}}, "action": odd,
		"resource": m{"attributes": m{"serviceName": "kms", "accountId": acct, "resource": odd}}}},
		"X-Accept-Advanced-Obligation: true").Want(200)
	at := "responses.0.authorizationDecision.obligation."
	for _, path := range []string{"responses.0.requestId", at + "actions.0", at + "subject.attributes.id",
		at + "resource.attributes.resource"} {
		if diff := cmp.Diff(odd, a.Text(path)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}
