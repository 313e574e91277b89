package iampolicymanagementv1

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
)

// nothingStored fails when a refused request left a policy.
func nothingStored(t *testing.T, s *apitest.Server) {
	t.Helper()
	if a := s.Do(owner, "GET", "/v2/policies?account_id="+acct, nil).Want(200); a.Len("policies") != 0 {
		t.Errorf("a refused policy was stored: %s", a.Body)
	}
}

func TestMalformedV1PoliciesAreRefused(t *testing.T) {
	s := serve(t)
	good := func() m { return v1(member, "Viewer", "serviceName=kms") }
	attributes := func(list ...m) []m { return []m{{"attributes": append(list, m{"name": "accountId", "value": acct})}} }
	for name, body := range map[string]any{
		"no body":                   "",
		"no JSON":                   "{",
		"a list":                    "[]",
		"null":                      "null",
		"a NUL":                     "{\"type\":\"access\x00\"}",
		"no type":                   with(good(), "type", ""),
		"unknown type":              with(good(), "type", "deny"),
		"type of a wrong type":      with(good(), "type", 7),
		"no subject":                with(good(), "subjects", []m{}),
		"two subjects":              with(good(), "subjects", []m{good()["subjects"].([]m)[0], good()["subjects"].([]m)[0]}),
		"subject without attribute": with(good(), "subjects", []m{{"attributes": []m{}}}),
		"subject of a service":      with(good(), "subjects", []m{{"attributes": []m{{"name": "serviceName", "value": "kms"}}}}),
		"no roles":                  with(good(), "roles", []m{}),
		"no such role":              with(good(), "roles", []m{{"role_id": apitest.Role("Viewer") + "s"}}),
		"role of another service": with(good(), "roles",
			[]m{{"role_id": "crn:v1:bluemix:public:iam-identity::::serviceRole:ServiceIdCreator"}}),
		"a role twice":          with(good(), "roles", []m{{"role_id": apitest.Role("Viewer")}, {"role_id": apitest.Role("Viewer")}}),
		"no resource":           with(good(), "resources", []m{}),
		"account only":          with(good(), "resources", attributes()),
		"no account":            with(good(), "resources", []m{{"attributes": []m{{"name": "serviceName", "value": "kms"}}}}),
		"empty value":           with(good(), "resources", attributes(m{"name": "serviceName", "value": ""})),
		"value too long":        with(good(), "resources", attributes(m{"name": "serviceName", "value": strings.Repeat("x", 1001)})),
		"value of a wrong type": with(good(), "resources", attributes(m{"name": "serviceName", "value": m{}})),
		"no such operator": with(good(), "resources", attributes(m{"name": "serviceName", "value": "kms",
			"operator": "stringContains"})),
		"operator of v2": with(good(), "resources", attributes(m{"name": "serviceName", "value": "kms",
			"operator": "stringEqualsAnyOf"})),
		"an attribute twice": with(good(), "resources", attributes(m{"name": "serviceName", "value": "kms"},
			m{"name": "serviceName", "value": "watson"})),
		"a rule": with(good(), "rule", m{"key": "{{environment.attributes.day_of_week}}", "operator": "dayOfWeekEquals",
			"value": "1+00:00"}),
		"a condition":   with(good(), "conditions", []m{}),
		"an effect":     with(good(), "effect", "deny"),
		"a v2 subject":  with(good(), "subject", m{}),
		"a text behind": "{} {}",
		"a subject's attribute": with(good(), "resources", attributes(m{"name": "iam_id", "value": "x"},
			m{"name": "serviceName", "value": "kms"})),
	} {
		a := s.Do(owner, "POST", "/v1/policies", body)
		if a.Status != 400 || a.Text("errors.0.code") != "invalid_body" || a.Text("errors.0.message") == "" {
			t.Errorf("%s: status %d %s", name, a.Status, a.Body)
		}
	}
	nothingStored(t, s)
}

func TestMalformedV2PoliciesAreRefused(t *testing.T) {
	s := serve(t)
	good := func() m { return v2(member, "Viewer", "serviceName=kms") }
	condition := func(key, op string, value any) m { return m{"key": key, "operator": op, "value": value} }
	path := condition("{{resource.attributes.path}}", "stringMatch", "a/*")
	ruled := func(rule any, pattern string) m { return with(with(good(), "rule", rule), "pattern", pattern) }
	and := func(conditions ...m) m { return m{"operator": "and", "conditions": conditions} }
	const attributes, once = "attribute-based-condition:resource:literal-and-wildcard", "time-based-conditions:once"
	at := func(op, value string) m { return condition("{{environment.attributes.current_date_time}}", op, value) }
	var eleven []m
	for i := range 11 {
		eleven = append(eleven, condition(fmt.Sprintf("{{resource.attributes.a%d}}", i), "stringEquals", "x"))
	}
	for name, body := range map[string]any{
		"no control":              with(good(), "control", nil),
		"no subject":              with(good(), "subject", nil),
		"a v1 subject":            with(good(), "subjects", []m{}),
		"a denial":                with(good(), "control", m{"deny": m{"roles": []m{}}}),
		"a negation":              ruled(with(and(path, path), "not", true), attributes),
		"a list as subject":       with(good(), "subject", []m{}),
		"no resource":             with(good(), "resource", nil),
		"no operator":             with(good(), "subject", m{"attributes": []m{{"key": "iam_id", "value": member}}}),
		"rule without pattern":    with(good(), "rule", and(path, path)),
		"pattern without rule":    with(good(), "pattern", attributes),
		"unknown pattern":         ruled(and(path, path), "time-based-conditions:monthly"),
		"one attribute condition": ruled(path, attributes),
		"eleven conditions":       ruled(and(eleven...), attributes),
		"three levels":            ruled(and(path, and(path, and(path, path))), attributes),
		"unknown operator":        ruled(and(path, condition("{{resource.attributes.x}}", "stringContains", "x")), attributes),
		"unknown joiner":          ruled(m{"operator": "not", "conditions": []m{path, path}}, attributes),
		"unknown key":             ruled(and(path, condition("{{subject.attributes.x}}", "stringEquals", "x")), attributes),
		"a time that is none": ruled(and(at("dateTimeGreaterThanOrEquals", "yesterday"),
			at("dateTimeLessThanOrEquals", "2026-05-04T12:00:00+00:00")), once),
		"a day that is none": ruled(condition("{{environment.attributes.day_of_week}}", "dayOfWeekEquals", "8+00:00"),
			"time-based-conditions:weekly:all-day"),
		"time in attributes": ruled(and(path, at("dateTimeLessThan", "2026-05-04T12:00:00+00:00")), attributes),
		"attributes in time": ruled(and(path, at("dateTimeLessThan", "2026-05-04T12:00:00+00:00")), once),
		"once and weekly": ruled(and(at("dateTimeLessThan", "2026-05-04T12:00:00+00:00"),
			condition("{{environment.attributes.day_of_week}}", "dayOfWeekEquals", "1+00:00")), once),
		"eleven values": with(good(), "resource", m{"attributes": []m{{"key": "accountId", "operator": "stringEquals", "value": acct},
			{"key": "serviceName", "operator": "stringEqualsAnyOf", "value": strings.Split("a b c d e f g h i j k", " ")}}}),
		"exists without boolean": with(good(), "resource", m{"attributes": []m{{"key": "accountId", "operator": "stringEquals", "value": acct},
			{"key": "serviceName", "operator": "stringExists", "value": "yes"}}}),
		"tags beside a service": with(good(), "resource", m{"attributes": good()["resource"].(m)["attributes"],
			"tags": []m{{"key": "env", "operator": "stringEquals", "value": "dev"}}}),
		"tag with a v2 operator": with(good(), "resource", m{"attributes": []m{{"key": "accountId", "operator": "stringEquals", "value": acct},
			{"key": "serviceType", "operator": "stringEquals", "value": "service"}},
			"tags": []m{{"key": "env", "operator": "stringExists", "value": true}}}),
		"authorization of nobody": with(authorization("project", "kms", "Reader"), "subject",
			m{"attributes": []m{{"key": "accountId", "operator": "stringEquals", "value": acct}}}),
		"authorization of a user": with(authorization("project", "kms", "Reader"), "subject",
			m{"attributes": []m{{"key": "iam_id", "operator": "stringEquals", "value": member}}}),
		"deeper than any rule": ruled(json.RawMessage(strings.Repeat(`{"operator":"and","conditions":[`, 500)+`{}`+strings.Repeat(`]}`,
			500)), attributes),
	} {
		a := s.Do(owner, "POST", "/v2/policies", body)
		if a.Status != 400 || a.Text("errors.0.code") != "invalid_body" || a.Text("errors.0.message") == "" {
			t.Errorf("%s: status %d %s", name, a.Status, a.Body)
		}
	}
	nothingStored(t, s)
	long := with(good(), "description", strings.Repeat("é", 5000))
	if a := s.Do(owner, "POST", "/v2/policies", long); a.Status != 400 {
		t.Errorf("an endless description: status %d", a.Status)
	}
	huge := with(good(), "description", strings.Repeat("x", 1<<20))
	if a := s.Do(owner, "POST", "/v2/policies", huge); a.Status != 413 {
		t.Errorf("a body over the limit: status %d", a.Status)
	}
	nothingStored(t, s)
}

func TestARefusalTellsWhatIsWrongInItsMessage(t *testing.T) {
	s := serve(t)
	bad := v2(member, "Viewer", "serviceName=kms", "iam_id=x")
	bad["type"] = "access"
	bad["control"] = m{"grant": m{"roles": []m{}}}
	a := s.Do(owner, "POST", "/v2/policies", bad).Refused(400, "invalid_body")
	for _, part := range []string{"resource.attributes[1].key: iam_id", "control.grant.roles: at least one role"} {
		if !strings.Contains(a.Text("errors.0.message"), part) {
			t.Errorf("the message lacks %q: %s", part, a.Body)
		}
	}
	// Clients read details as an object and know no message_code here.
	foreign := s.Do(apitest.OtherOwner+"@"+apitest.Other, "POST", "/v2/policies", v2(member, "Viewer", "serviceName=kms")).Want(404)
	for _, refused := range []*apitest.Answer{a, foreign} {
		if refused.At("errors.0.details") != nil || refused.At("errors.0.message_code") != nil {
			t.Errorf("%s", refused.Body)
		}
	}
	many := v2(member, "Viewer", "serviceName=kms")
	many["resource"] = m{"attributes": slices.Repeat([]m{{"key": "", "operator": "like", "value": ""}}, 2000)}
	if a := s.Do(owner, "POST", "/v2/policies", many).Refused(400, "invalid_body"); len(a.Body) > 5000 ||
		!strings.Contains(a.Text("errors.0.message"), "more") {
		t.Errorf("%d bytes about thousands of faults", len(a.Body))
	}
}

func TestAnAccountHasRoomForSoManyPoliciesWithTags(t *testing.T) {
	s := serve(t, func(o *apitest.Options) { o.Access.TagPolicies = 2 })
	tagged := func(who string) m {
		body := v1(who, "Viewer", "serviceType=service")
		body["resources"].([]m)[0]["tags"] = []m{{"name": "project", "value": "x"}}
		return body
	}
	first := s.Do(owner, "POST", "/v1/policies", tagged("IBMid-1")).Want(201)
	s.Do(owner, "POST", "/v1/policies", tagged("IBMid-2")).Want(201)
	full := s.Do(owner, "POST", "/v1/policies", tagged("IBMid-3")).Refused(422, "unable_to_process")
	if !strings.HasPrefix(full.Text("errors.0.message"), "Exceeded maximum policies quota") {
		t.Errorf("%s", full.Body)
	}
	s.Do(owner, "POST", "/v1/policies", v1("IBMid-3", "Viewer", "serviceType=service")).Want(201)
	s.Do(owner, "DELETE", "/v1/policies/"+first.Text("id"), nil).Want(204)
	s.Do(owner, "POST", "/v1/policies", tagged("IBMid-3")).Want(201)
	s.Do(owner, "PATCH", "/v1/policies/"+first.Text("id"), m{"state": "active"}, "If-Match: *").Refused(422, "unable_to_process")
}

func TestOnlyJSONIsAPolicy(t *testing.T) {
	s := serve(t)
	body := v2(member, "Viewer", "serviceName=kms")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/xml", "json", "application/jsonp"} {
		for _, path := range []string{"/v1/policies", "/v2/policies", "/v2/roles"} {
			s.Do(owner, "POST", path, body, "Content-Type: "+kind).Refused(415, "unsupported_content_type")
		}
	}
	s.Do("", "POST", "/v2/policies", body, "Content-Type: text/plain").Refused(401, "invalid_token")
	nothingStored(t, s)
	for _, kind := range []string{"", "Application/JSON", "application/json; charset=utf-8", "application/merge-patch+json"} {
		p := s.Do(owner, "POST", "/v2/policies", body, "Content-Type: "+kind).Want(201)
		s.Do(owner, "DELETE", "/v2/policies/"+p.Text("id"), nil, "Content-Type: text/plain").Want(204)
	}
}

func TestAV1ClientCannotReplaceAV2Policy(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v2/policies", weekly(v2(member, "Reader", "serviceName=kms"))).Want(201)
	s.Do(owner, "PUT", "/v1/policies/"+a.Text("id"), v1(member, "Reader", "serviceName=kms"), "If-Match: "+a.ETag()).Refused(400,
		"invalid_body")
	if got := s.Do(owner, "GET", "/v2/policies/"+a.Text("id"), nil).Want(200); got.At("rule") == nil || got.ETag() != a.ETag() {
		t.Errorf("the rule is gone: %s", got.Body)
	}
}

// FuzzPolicies sends any body to the operations that take documents: none may
// be answered with 500, and what is stored can be read through both schemas.
func FuzzPolicies(f *testing.F) {
	seed := func(body any) {
		raw, err := json.Marshal(body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	seed(v1(member, "Viewer", "serviceName=kms"))
	seed(v2(member, "Viewer", "serviceName=kms"))
	seed(weekly(v2(member, "Reader", "serviceName=kms")))
	seed(authorization("project", "kms", "Reader"))
	seed(role("Name", "kms", "kms.secrets.list"))
	s := serve(f) // shared: what a body conflicts with is part of the game
	f.Fuzz(func(t *testing.T, body string) {
		s.T = t
		for _, path := range []string{"/v1/policies", "/v2/policies", "/v2/roles"} {
			a := s.Do(owner, "POST", path, body)
			if a.Status >= 500 {
				t.Fatalf("%s: %d %s", path, a.Status, a.Body)
			}
			if a.Status == 201 && path != "/v2/roles" {
				s.Do(owner, "GET", "/v1/policies/"+a.Text("id"), nil).Want(200)
				s.Do(owner, "GET", "/v2/policies/"+a.Text("id"), nil).Want(200)
			}
		}
	})
}
