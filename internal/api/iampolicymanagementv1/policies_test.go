package iampolicymanagementv1

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

const (
	acct   = apitest.Account
	owner  = apitest.Owner
	member = apitest.Member
)

func serve(t testing.TB, change ...func(*apitest.Options)) *apitest.Server {
	return apitest.New(t, func(s *apitest.Server) []httpapi.Operation { return New(s.Access, s.Templates, s.Pages).Operations() }, change...)
}

type m = map[string]any

// v1 gives a v1 body: a role on "name=value" attributes for an identity.
func v1(subject, role string, attributes ...string) m {
	return m{"type": "access", "subjects": []m{{"attributes": []m{{"name": "iam_id", "value": subject}}}},
		"roles": []m{{"role_id": apitest.Role(role)}}, "resources": []m{{"attributes": pairs("name", attributes)}}}
}

// v2 gives a v2 body.
func v2(subject, role string, attributes ...string) m {
	list := pairs("key", attributes)
	for _, a := range list {
		a["operator"] = "stringEquals"
	}
	return m{"type": "access", "subject": m{"attributes": []m{{"key": "iam_id", "operator": "stringEquals", "value": subject}}},
		"control": m{"grant": m{"roles": []m{{"role_id": apitest.Role(role)}}}}, "resource": m{"attributes": list}}
}

func pairs(name string, attributes []string) []m {
	var list []m
	for _, pair := range append(slices.Clone(attributes), "accountId="+acct) {
		key, value, _ := strings.Cut(pair, "=")
		list = append(list, m{name: key, "value": value})
	}
	return list
}

func with(body m, key string, value any) m {
	out := m{key: value}
	for k, v := range body {
		if k != key {
			out[k] = v
		}
	}
	return out
}

// subset compares the parts of an answer that a request has.
func subset(t *testing.T, a *apitest.Answer, sent m, keys ...string) {
	t.Helper()
	var got m
	if err := json.Unmarshal(a.Body, &got); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var want m
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if diff := cmp.Diff(want[k], got[k]); diff != "" {
			t.Errorf("%s is not echoed as it was sent (-sent +got):\n%s", k, diff)
		}
	}
}

var (
	uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	tagForm  = regexp.MustCompile(`^[0-9]+-[0-9a-f]{32}$`)
	timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
)

func TestV1PolicyIsEchoedInOrderAndAsSent(t *testing.T) {
	s := serve(t)
	body := m{"type": "access", "description": "everything of a project",
		"subjects": []m{{"attributes": []m{{"name": "iam_id", "value": "IBMid-GoSDK1"}}}},
		"roles":    []m{{"role_id": apitest.Role("Viewer")}},
		"resources": []m{{
			"attributes": []m{{"name": "serviceType", "value": "service"}, {"name": "accountId", "value": acct, "operator": "stringEquals"}},
			"tags":       []m{{"name": "project", "value": "prototype", "operator": "stringEquals"}}}}}
	a := s.Do(owner, "POST", "/v1/policies", body, "Accept-Language: de", "Transaction-Id: abc-123").Want(201)
	subset(t, a, body, "type", "description", "subjects", "resources")
	if a.Text("roles.0.display_name") != "Viewer" || a.Text("roles.0.role_id") != apitest.Role("Viewer") {
		t.Errorf("roles carry their names, got %s", a.Text("roles.0"))
	}
	for path, form := range map[string]*regexp.Regexp{"id": uuidForm, "created_at": timeForm, "last_modified_at": timeForm} {
		if !form.MatchString(a.Text(path)) {
			t.Errorf("%s is %q", path, a.Text(path))
		}
	}
	if a.Text("created_by_id") != owner || a.Text("state") != "active" || !strings.HasSuffix(a.Text("href"), "/v1/policies/"+a.Text("id")) {
		t.Errorf("metadata: %s", a.Body)
	}
	if !tagForm.MatchString(a.ETag()) || a.Header.Get("Transaction-Id") != "abc-123" {
		t.Errorf("headers: %v", a.Header)
	}
	got := s.Do(owner, "GET", "/v1/policies/"+a.Text("id"), nil).Want(200)
	subset(t, got, body, "type", "description", "subjects", "resources")
	if got.ETag() != a.ETag() {
		t.Error("reading changed the entity tag")
	}
}

func TestV1PolicyReadsThroughV2(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v1/policies", v1(member, "Editor", "serviceName=kms", "region=us-south")).Want(201)
	got := s.Do(owner, "GET", "/v2/policies/"+a.Text("id"), nil).Want(200)
	if !strings.HasSuffix(got.Text("href"), "/v1/policies/"+a.Text("id")) {
		t.Errorf("href is %s: Terraform chooses the API by it", got.Text("href"))
	}
	subset(t, got, v2(member, "Editor", "serviceName=kms", "region=us-south"), "type", "subject", "control", "resource")
}

// rule is a weekly window.
var rule = m{"operator": "and", "conditions": []m{
	{"key": "{{environment.attributes.day_of_week}}", "operator": "dayOfWeekAnyOf", "value": []string{"1+00:00", "2+00:00"}},
	{"key": "{{environment.attributes.current_time}}", "operator": "timeGreaterThanOrEquals", "value": "09:00:00+00:00"},
	{"key": "{{environment.attributes.current_time}}", "operator": "timeLessThanOrEquals", "value": "17:00:00+00:00"},
}}

func weekly(body m) m {
	return with(with(body, "rule", rule), "pattern", "time-based-conditions:weekly:custom-hours")
}

func TestV2PolicyIsAPlaceholderToV1(t *testing.T) {
	s := serve(t)
	body := weekly(v2(member, "Viewer", "serviceName=kms"))
	a := s.Do(owner, "POST", "/v2/policies", body).Want(201)
	subset(t, a, body, "type", "subject", "control", "resource", "rule", "pattern")
	listed := s.Do(owner, "GET", "/v1/policies?account_id="+acct+"&iam_id="+member, nil).Want(200)
	if listed.Len("policies") != 1 {
		t.Fatalf("the real subject must be found: %s", listed.Body)
	}
	for path, want := range map[string]string{
		"id": a.Text("id"), "state": "active", "type": "access",
		"subjects.0.attributes.0.value":    "unsupported version",
		"roles.0.role_id":                  "crn:v1:bluemix:public:iam::::role:UnsupportedVersion",
		"roles.0.display_name":             "Unsupported Version",
		"resources.0.attributes.0.name":    "accountId",
		"resources.0.attributes.0.value":   acct,
		"resources.0.attributes.1":         "",
		"created_at":                       a.Text("created_at"),
		"last_modified_by_id":              owner,
		"subjects.0.attributes.0.operator": "",
	} {
		if got := listed.Text("policies.0." + path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if !strings.Contains(listed.Text("policies.0.href"), "/v2/policies/") {
		t.Errorf("href is %s: the suites' cleanup goes by it", listed.Text("policies.0.href"))
	}
	if text := listed.Text("policies.0.description"); !strings.HasPrefix(text, "**") || !strings.HasSuffix(text, "**") {
		t.Errorf("description is %q", text)
	}
}

func TestReplacingNeedsTheCurrentTag(t *testing.T) {
	s := serve(t)
	body := v1(member, "Viewer", "serviceName=kms")
	a := s.Do(owner, "POST", "/v1/policies", body).Want(201)
	path := "/v1/policies/" + a.Text("id")
	s.Do(owner, "PUT", path, body).Refused(400, "invalid_body")
	s.Do(owner, "PATCH", path, m{"state": "active"}).Refused(400, "invalid_body")
	stale := s.Do(owner, "PUT", path, body, "If-Match: 7-00000000000000000000000000000000").Refused(409, "policy_conflict_error")
	if stale.Text("errors.0.details.conflicts_with.etag") != a.ETag() {
		t.Errorf("a stale tag is answered with the current one, got %s", stale.Body)
	}
	next := s.Do(owner, "PUT", path, v1(member, "Editor", "serviceName=kms"), "If-Match: "+a.ETag()).Want(200)
	if next.ETag() == a.ETag() || next.Text("id") != a.Text("id") || next.Text("roles.0.display_name") != "Editor" {
		t.Errorf("replaced: %s", next.Body)
	}
	s.Do(owner, "PUT", path, body, "If-Match: "+a.ETag()).Refused(409, "policy_conflict_error")
	s.Do(owner, "PUT", path, body, "If-Match: *").Want(200)
	up := s.Do(owner, "PUT", "/v2/policies/"+a.Text("id"), v2(member, "Viewer", "serviceName=kms"), "If-Match: *").Want(200)
	if !strings.Contains(up.Text("href"), "/v2/policies/") || up.Text("id") != a.Text("id") {
		t.Errorf("a v1 policy becomes a v2 policy with the same id, got %s", up.Body)
	}
}

func TestTypeAndAccountOfAPolicyAreFixed(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v2/policies", v2(member, "Reader", "serviceName=kms")).Want(201)
	path := "/v2/policies/" + a.Text("id")
	s.Do(owner, "PUT", path, authorization("cloud-object-storage", "kms", "Reader"), "If-Match: *").Refused(400, "invalid_body")
	s.NewAccount(apitest.Absent, owner) // the owner of both accounts
	moved := v2(member, "Reader", "serviceName=kms")
	moved["resource"] = m{"attributes": []m{{"key": "accountId", "operator": "stringEquals", "value": apitest.Absent},
		{"key": "serviceName", "operator": "stringEquals", "value": "kms"}}}
	s.Do(owner, "PUT", path, moved, "If-Match: *").Refused(400, "invalid_body")
}

func TestDeletedPolicyCanBeRestored(t *testing.T) {
	s := serve(t)
	body := v1(member, "Viewer", "serviceName=kms")
	a := s.Do(owner, "POST", "/v1/policies", body).Want(201)
	path := "/v1/policies/" + a.Text("id")
	same := s.Do(owner, "PATCH", path, m{"state": "active"}, "If-Match: "+a.ETag()).Want(200)
	if same.Text("state") != "active" || same.ETag() != a.ETag() {
		t.Errorf("restoring an active policy changes nothing, got %s", same.Body)
	}
	gone := s.Do(owner, "DELETE", path, nil).Want(204)
	if len(gone.Body) != 0 {
		t.Errorf("204 with a body: %s", gone.Body)
	}
	s.Do(owner, "GET", path, nil).Refused(404, "policy_not_found")
	s.Do(owner, "GET", "/v2/policies/"+a.Text("id"), nil).Refused(404, "policy_not_found")
	s.Do(owner, "DELETE", path, nil).Refused(404, "policy_not_found")
	s.Do(owner, "PUT", path, body, "If-Match: *").Refused(404, "policy_not_found")
	for state, want := range map[string]int{"": 0, "active": 0, "deleted": 1} {
		if got := s.Do(owner, "GET", "/v1/policies?account_id="+acct+"&state="+state, nil).Want(200).Len("policies"); got != want {
			t.Errorf("state %q lists %d policies, want %d", state, got, want)
		}
	}
	back := s.Do(owner, "PATCH", path, m{"state": "active"}, "If-Match: *").Want(200)
	if back.Text("state") != "active" {
		t.Errorf("restored: %s", back.Body)
	}
	s.Do(owner, "GET", path, nil).Want(200)
	s.Do(owner, "PATCH", path, m{"state": "deleted"}, "If-Match: *").Refused(400, "invalid_body")

	// Another policy has taken its place meanwhile.
	s.Do(owner, "DELETE", path, nil).Want(204)
	s.Do(owner, "POST", "/v1/policies", body).Want(201)
	s.Do(owner, "PATCH", path, m{"state": "active"}, "If-Match: *").Refused(409, "policy_conflict_error")
}

func TestDecisionsFollowThePolicyAtOnce(t *testing.T) {
	s := serve(t)
	list := "/v1/policies?account_id=" + acct + "&iam_id=" + member
	body := v1(member, "Administrator", "serviceName=kms")
	s.Do(member, "POST", "/v1/policies", v1("IBMid-FRIEND", "Viewer", "serviceName=kms")).Refused(403, "insufficent_permissions")
	a := s.Do(owner, "POST", "/v1/policies", body).Want(201)
	s.Do(member, "POST", "/v1/policies", v1("IBMid-FRIEND", "Viewer", "serviceName=kms")).Want(201)
	if s.Do(member, "GET", list, nil).Want(200).Len("policies") != 1 {
		t.Error("an administrator of the service reads its policies")
	}
	s.Do(owner, "PUT", "/v1/policies/"+a.Text("id"), v1(member, "Operator", "serviceName=kms"), "If-Match: *").Want(200)
	s.Do(member, "POST", "/v1/policies", v1("IBMid-ENEMY", "Viewer", "serviceName=kms")).Refused(403, "insufficent_permissions")
	s.Do(owner, "DELETE", "/v1/policies/"+a.Text("id"), nil).Want(204)
	if s.Do(member, "GET", list, nil).Want(200).Len("policies") != 0 {
		t.Error("a deleted policy still allows")
	}
}

func TestAccessIsGivenOnlyWhereTheGiverAdministers(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Administrator", "serviceName=kms")
	for _, c := range []struct {
		name   string
		target []string
		status int
	}{
		{"the service itself", []string{"serviceName=kms"}, 201},
		{"an instance of it", []string{"serviceName=kms", "serviceInstance=i1"}, 201},
		{"a resource group of it", []string{"serviceName=kms", "resourceGroupId=g1"}, 201},
		{"another service", []string{"serviceName=cloud-object-storage"}, 403},
		{"all services", []string{"serviceType=service"}, 403},
		{"the resources of a group", []string{"resourceGroupId=g1"}, 403},
	} {
		body := v1("IBMid-FRIEND", "Viewer", c.target...)
		if a := s.Do(member, "POST", "/v1/policies", body); a.Status != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.name, a.Status, c.status, a.Body)
		}
	}
	// A policy cannot be moved to where its editor does not administer.
	mine := s.Do(member, "POST", "/v1/policies", v1("IBMid-SECOND", "Viewer", "serviceName=kms")).Want(201)
	s.Do(member, "PUT", "/v1/policies/"+mine.Text("id"), v1("IBMid-SECOND", "Viewer", "serviceType=service"), "If-Match: *").Refused(403,
		"insufficent_permissions")
	wide := s.Do(owner, "POST", "/v1/policies", v1("IBMid-SECOND", "Viewer", "serviceType=service")).Want(201)
	s.Do(member, "PUT", "/v1/policies/"+wide.Text("id"), v1("IBMid-SECOND", "Viewer", "serviceName=kms", "region=eu"),
		"If-Match: *").Refused(403, "insufficent_permissions")
	s.Do(member, "DELETE", "/v1/policies/"+wide.Text("id"), nil).Refused(403, "insufficent_permissions")
	// A wildcard is covered by no instance.
	s.Grant("IBMid-INSTANCE", "Administrator", "serviceName=kms", "serviceInstance=dev-1")
	matching := v1("IBMid-FRIEND", "Viewer", "serviceName=kms")
	matching["resources"] = []m{{"attributes": []m{{"name": "accountId", "value": acct}, {"name": "serviceName", "value": "kms"},
		{"name": "serviceInstance", "value": "dev-*", "operator": "stringMatch"}}}}
	s.Do("IBMid-INSTANCE", "POST", "/v1/policies", matching).Refused(403, "insufficent_permissions")
}

func TestForeignPolicyIsRefusedLikeAnAbsentOne(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v1/policies", v1(member, "Viewer", "serviceName=kms")).Want(201)
	stranger := apitest.OtherOwner + "@" + apitest.Other
	for _, api := range []string{"/v1/policies/", "/v2/policies/"} {
		for _, method := range []string{"GET", "DELETE", "PUT", "PATCH"} {
			var body any
			switch {
			case method == "PATCH" && api == "/v2/policies/":
				continue
			case method == "PATCH":
				body = m{"state": "active"}
			case method == "PUT" && api == "/v1/policies/":
				body = v1(member, "Editor", "serviceName=kms")
			case method == "PUT":
				body = v2(member, "Editor", "serviceName=kms")
			}
			ask := func(policyID string) *apitest.Answer {
				return s.Do(stranger, method, api+policyID, body, "If-Match: *", "Transaction-Id: t")
			}
			absentID := "00000000-0000-4000-8000-000000000000"
			foreign, absent := ask(a.Text("id")), ask(absentID)
			if foreign.Status != 404 || strings.ReplaceAll(string(foreign.Body), a.Text("id"), absentID) != string(absent.Body) {
				t.Errorf("%s: foreign %d %s\nabsent %d %s", foreign.What, foreign.Status, foreign.Body, absent.Status, absent.Body)
			}
		}
	}
	if s.Do(stranger, "GET", "/v1/policies?account_id="+acct, nil).Want(200).Len("policies") != 0 {
		t.Error("a stranger sees policies")
	}
	s.Do(owner, "GET", "/v1/policies/"+a.Text("id"), nil).Want(200)
}

func TestNobodyLearnsOfTheRolesOfAnotherAccount(t *testing.T) {
	s := serve(t)
	s.Do(owner, "POST", "/v2/roles", role("Mine", "kms", "kms.secrets.list")).Want(201)
	stranger := apitest.OtherOwner + "@" + apitest.Other
	ask := func(name string) string {
		crn := "crn:v1:bluemix:public:iam-access-management::a/" + acct + "::customRole:" + name
		return string(s.Do(stranger, "POST", "/v1/policies", v1(member, crn, "serviceName=kms"), "Transaction-Id: t").Body)
	}
	if there, absent := ask("Mine"), ask("None"); there != absent {
		t.Errorf("a role that is there: %s\none that is not: %s", there, absent)
	}
}

func TestIdenticalPolicyConflictsInTheSchemaOfTheCaller(t *testing.T) {
	s := serve(t)
	first := s.Do(owner, "POST", "/v1/policies", with(v1(member, "Viewer", "serviceName=kms", "region=eu"), "description", "first")).Want(201)
	for _, c := range []struct {
		path string
		body m
		at   string
	}{
		{"/v1/policies", v1(member, "Editor", "region=eu", "serviceName=kms"), "resources.0.attributes.0.name"},
		{"/v2/policies", v2(member, "Editor", "region=eu", "serviceName=kms"), "resource.attributes.0.key"},
	} {
		a := s.Do(owner, "POST", c.path, c.body).Refused(409, "policy_conflict_error")
		existing := "errors.0.details.conflicts_with.policy."
		if a.Text("status_code") != "409" || a.Text("trace") != a.Header.Get("Transaction-Id") ||
			!strings.Contains(a.Text("errors.0.message"), "("+first.Text("id")+")") {
			t.Errorf("%s: %s", c.path, a.Body)
		}
		for path, want := range map[string]string{"id": first.Text("id"), "description": "first", "state": "active", "href": first.Text("href"),
			c.at: "serviceName"} {
			if got := a.Text(existing + path); got != want {
				t.Errorf("%s: %s of the policy in the way is %q, want %q", c.path, path, got, want)
			}
		}
		if a.Text("errors.0.details.conflicts_with.etag") != first.ETag() {
			t.Errorf("%s: no entity tag: %s", c.path, a.Body)
		}
	}
	if name := s.Do(owner, "POST", "/v1/policies", v1(member, "Editor", "region=eu",
		"serviceName=kms")).Text("errors.0.details.conflicts_with.policy.roles.0.display_name"); name != "Viewer" {
		t.Errorf("the roles of the policy in the way carry their names, got %q", name)
	}
	// What makes a policy another one.
	s.Do(owner, "POST", "/v2/policies", weekly(v2(member, "Viewer", "serviceName=kms", "region=eu"))).Want(201)
	s.Do(owner, "POST", "/v1/policies", v1(member, "Viewer", "serviceName=kms")).Want(201)
	s.Do(owner, "POST", "/v1/policies", v1("IBMid-SECOND", "Viewer", "serviceName=kms", "region=eu")).Want(201)
	// A v2 policy in the way of a v1 one is told in full.
	s.Do(owner, "POST", "/v2/policies", v2(member, "Viewer", "serviceName=watson")).Want(201)
	a := s.Do(owner, "POST", "/v1/policies", v1(member, "Editor", "serviceName=watson")).Refused(409, "policy_conflict_error")
	if got := a.Text("errors.0.details.conflicts_with.policy.resources.0.attributes.0.value"); got != "watson" {
		t.Errorf("told %q of the v2 policy in the way: %s", got, a.Body)
	}
	// A policy does not conflict with itself, but does with another when it moves there.
	s.Do(owner, "PUT", "/v1/policies/"+first.Text("id"), v1(member, "Editor", "serviceName=kms", "region=eu"), "If-Match: *").Want(200)
	s.Do(owner, "PUT", "/v1/policies/"+first.Text("id"), v1(member, "Editor", "serviceName=kms"), "If-Match: *").Refused(409,
		"policy_conflict_error")
}

func TestAccountsAndSubjectsHaveRoomForSoManyPolicies(t *testing.T) {
	s := serve(t, func(o *apitest.Options) { o.Access.Policies, o.Access.PoliciesPerOwner = 3, 2 })
	first := s.Do(owner, "POST", "/v1/policies", v1(member, "Viewer", "serviceName=kms")).Want(201)
	s.Do(owner, "POST", "/v2/policies", v2(member, "Viewer", "serviceName=watson")).Want(201)
	a := s.Do(owner, "POST", "/v2/policies", v2(member, "Viewer", "serviceName=project")).Refused(422, "unable_to_process")
	if !strings.HasPrefix(a.Text("errors.0.message"), "Exceeded maximum policies quota") {
		t.Errorf("message %q", a.Text("errors.0.message"))
	}
	other := s.Do(owner, "POST", "/v2/policies", v2("IBMid-SECOND", "Viewer", "serviceName=project")).Want(201)
	s.Do(owner, "POST", "/v2/policies", v2("IBMid-THIRD", "Viewer", "serviceName=project")).Refused(422, "unable_to_process")
	// Nor by way of a replacement or a restoration.
	s.Do(owner, "PUT", "/v2/policies/"+other.Text("id"), v2(member, "Viewer", "serviceName=project"), "If-Match: *").Refused(422,
		"unable_to_process")
	s.Do(owner, "DELETE", "/v1/policies/"+first.Text("id"), nil).Want(204)
	s.Do(owner, "POST", "/v2/policies", v2("IBMid-THIRD", "Viewer", "serviceName=project")).Want(201)
	s.Do(owner, "PATCH", "/v1/policies/"+first.Text("id"), m{"state": "active"}, "If-Match: *").Refused(422, "unable_to_process")
}

func TestPoliciesOfALockedServiceIDStay(t *testing.T) {
	s := serve(t)
	sid := &identity.ServiceID{Meta: store.Meta{Account: acct, ID: "ServiceId-1", Owner: "iam-ServiceId-1", Name: "locked"}}
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return identity.ServiceIDs.Create(ctx, tx, sid, store.Event{})
	})
	a := s.Do(owner, "POST", "/v1/policies", v1("iam-ServiceId-1", "Viewer", "serviceName=kms")).Want(201)
	s.Update(func(ctx context.Context, tx store.Tx) error {
		sid.Locked = true
		return identity.ServiceIDs.Update(ctx, tx, sid, store.Event{})
	})
	path := "/v1/policies/" + a.Text("id")
	for _, got := range []*apitest.Answer{
		s.Do(owner, "POST", "/v1/policies", v1("iam-ServiceId-1", "Viewer", "serviceName=watson")),
		s.Do(owner, "PUT", path, v1("iam-ServiceId-1", "Editor", "serviceName=kms"), "If-Match: *"),
		s.Do(owner, "PUT", path, v1(member, "Editor", "serviceName=kms"), "If-Match: *"),
		s.Do(owner, "DELETE", path, nil),
	} {
		got.Refused(409, "locked")
	}
	s.Do(owner, "GET", path, nil).Want(200)
}

func TestGroupsGetAccessOnlyInTheirOwnAccount(t *testing.T) {
	s := serve(t)
	mine, theirs := s.NewGroup(acct, "mine"), s.NewGroup(apitest.Other, "theirs")
	to := func(group string) m {
		return with(v1("", "Viewer", "serviceName=kms"), "subjects", []m{{"attributes": []m{{"name": "access_group_id", "value": group}}}})
	}
	s.Do(owner, "POST", "/v1/policies", to(mine.ID)).Want(201)
	a := s.Do(owner, "POST", "/v1/policies", to(theirs.ID)).Refused(400, "invalid_body")
	if !strings.Contains(a.Text("errors.0.message"), "own account") {
		t.Errorf("message %q", a.Text("errors.0.message"))
	}
	nobody := "AccessGroupId-" + id.Generator{}.UUID()
	absent := s.Do(owner, "POST", "/v1/policies", to(nobody)).Refused(400, "invalid_body")
	if strings.ReplaceAll(absent.Text("errors.0.message"), nobody, theirs.ID) != a.Text("errors.0.message") {
		t.Error("a foreign group can be told from an absent one")
	}
	if got := s.Do(owner, "GET", "/v2/policies?account_id="+acct+"&access_group_id="+mine.ID, nil).Want(200).Len("policies"); got != 1 {
		t.Errorf("%d policies of the group are listed", got)
	}
	// Its policies go with it.
	if err := s.Access.DeleteGroup(t.Context(), mine, false); err != nil {
		t.Fatal(err)
	}
	if got := s.Do(owner, "GET", "/v2/policies?account_id="+acct, nil).Want(200).Len("policies"); got != 0 {
		t.Errorf("%d policies are left of a deleted group", got)
	}
}

func TestPublicGroupHasNoPoliciesWhilePublicAccessIsOff(t *testing.T) {
	s := serve(t)
	body := with(v1("", "Reader", "serviceName=kms"), "subjects", []m{{"attributes": []m{{"name": "access_group_id",
		"value": "AccessGroupId-PublicAccess"}}}})
	a := s.Do(owner, "POST", "/v1/policies", body).Want(201)
	if _, err := s.Access.SetPublicAccess(t.Context(), acct, false); err != nil {
		t.Fatal(err)
	}
	s.Do(owner, "GET", "/v1/policies/"+a.Text("id"), nil).Refused(404, "policy_not_found")
	s.Do(owner, "POST", "/v1/policies", body).Refused(409, "public_access_disabled")
	if _, err := s.Access.SetPublicAccess(t.Context(), acct, true); err != nil {
		t.Fatal(err)
	}
	s.Do(owner, "POST", "/v1/policies", body).Want(201)
}

func TestErrorsNameTheTransaction(t *testing.T) {
	s := serve(t)
	a := s.Do("", "GET", "/v1/policies/x", nil, "Transaction-Id: my-own-id").Refused(401, "invalid_token")
	if a.Text("trace") != "my-own-id" || a.Header.Get("Transaction-Id") != "my-own-id" || a.Text("status_code") != "401" {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	a = s.Do(owner, "GET", "/v1/policies/no-such", nil).Refused(404, "policy_not_found")
	if a.Text("errors.0.message") != "Policy with Id no-such not found." || a.Text("trace") != a.Header.Get("Transaction-Id") ||
		a.Text("trace") == "" {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	if !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("Cache-Control: %s", a.Header.Get("Cache-Control"))
	}
	s.Do("expired", "GET", "/v1/policies?account_id="+acct, nil).Refused(401, "invalid_token")
}

func TestManagedPoliciesAreReadOnlyInTheAccount(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v2/policies", v2(member, "Viewer", "serviceName=kms")).Want(201)
	s.Update(func(ctx context.Context, tx store.Tx) error {
		p, err := access.Policies.Get(ctx, tx, acct, a.Text("id"))
		if err != nil {
			return err
		}
		p.Template = &access.TemplateMark{ID: "policyTemplate-1", Version: "2", AssignmentID: "policyAssignment-3"}
		return access.Policies.Update(ctx, tx, p, store.Event{})
	})
	path := "/v2/policies/" + a.Text("id")
	got := s.Do(owner, "GET", path, nil).Want(200)
	if got.Text("template.id") != "policyTemplate-1" || got.Text("template.version") != "2" ||
		got.Text("template.assignment_id") != "policyAssignment-3" {
		t.Errorf("template: %s", got.Body)
	}
	s.Do(owner, "PUT", path, v2(member, "Editor", "serviceName=kms"), "If-Match: *").Refused(403, "insufficent_permissions")
	s.Do(owner, "DELETE", path, nil).Refused(403, "insufficent_permissions")
}
