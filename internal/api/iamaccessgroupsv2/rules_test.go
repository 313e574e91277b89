package iamaccessgroupsv2_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
)

// claimRule is the official suite's rule: claims hold spaces, realms are free text.
func claimRule(value string) m {
	return m{"name": "Test Rule Name", "realm_name": "test realm name", "expiration": 24,
		"conditions": []m{{"claim": "test claim", "operator": "EQUALS", "value": value}}}
}

func TestRuleLives(t *testing.T) {
	s := serve(t)
	group := newGroup(s, "federated")
	path := "/v2/groups/" + group + "/rules"
	a := s.Do(owner, "POST", path, claimRule("1")).Want(201)
	for field, want := range map[string]string{"name": "Test Rule Name", "realm_name": "test realm name", "expiration": "24",
		"access_group_id": group, "account_id": apitest.Account,
		"conditions.0.claim": "test claim", "conditions.0.operator": "EQUALS", "conditions.0.value": "1", "created_by_id": owner} {
		if a.Text(field) != want {
			t.Errorf("%s is %q, want %q", field, a.Text(field), want)
		}
	}
	if !regexp.MustCompile(`^ClaimRule-[0-9a-f-]{36}$`).MatchString(a.Text("id")) {
		t.Errorf("id %q", a.Text("id"))
	}
	one := path + "/" + a.Text("id")
	got := s.Do(owner, "GET", one, nil).Want(200)
	changed := claimRule("2")
	changed["realm_name"] = "updated realm"
	delete(changed, "name")
	s.Do(owner, "PUT", one, changed).Refused(400, "invalid_body")
	s.Do(owner, "PUT", one, changed, "If-Match: 9-00000000000000000000000000000000").Refused(409, "conflict")
	next := s.Do(owner, "PUT", one, changed, "If-Match: "+got.ETag()).Want(200)
	if next.Text("realm_name") != "updated realm" || next.Text("name") != "Test Rule Name" || next.ETag() == got.ETag() {
		t.Errorf("a replacement without name keeps it: %s", next.Body)
	}
	if list := s.Do(owner, "GET", path, nil).Want(200); list.Len("rules") != 1 || list.At("limit") != nil {
		t.Errorf("listed: %s", list.Body)
	}
	if g := s.Do(owner, "GET", "/v2/groups/"+group+"?show_federated=true", nil).Want(200); g.Text("is_federated") != "true" {
		t.Errorf("a group with rules is federated: %s", g.Body)
	}
	other := newGroup(s, "other")
	s.Do(owner, "GET", "/v2/groups/"+other+"/rules/"+a.Text("id"), nil).Refused(404, "not_found")
	s.Do(owner, "DELETE", "/v2/groups/"+other+"/rules/"+a.Text("id"), nil).Refused(404, "not_found")
	s.Do(owner, "DELETE", one, nil).Want(204)
	s.Do(owner, "GET", one, nil).Refused(404, "not_found")
	s.Do(owner, "DELETE", one, nil).Refused(404, "not_found")
}

func TestMalformedRulesAreRefused(t *testing.T) {
	s := serve(t)
	path := "/v2/groups/" + newGroup(s, "federated") + "/rules"
	condition := func(claim, op, value any) []m { return []m{{"claim": claim, "operator": op, "value": value}} }
	for _, c := range []struct {
		field string
		value any
	}{
		{"expiration", 0}, {"expiration", 25}, {"expiration", -1}, {"expiration", "24"}, {"expiration", 1.5},
		{"realm_name", ""}, {"realm_name", strings.Repeat("x", 1001)},
		{"name", strings.Repeat("x", 301)},
		{"conditions", nil}, {"conditions", []m{}}, {"conditions", make([]m, 51)},
		{"conditions", condition("", "EQUALS", "1")}, {"conditions", condition("c", "MATCHES", "1")},
		{"conditions", condition("c", "equals", "1")},
		{"conditions", condition("c", "EQUALS", "[no JSON")}, {"conditions", condition("c", "EQUALS", "")},
		{"conditions", condition("c", "EQUALS", 1)},
		{"conditions", condition("c", "EQUALS", `["a","b"]`)}, {"conditions", condition("c", "NOT_EQUALS", `["a"]`)},
		{"conditions", condition("c", "CONTAINS", `["a"]`)},
		{"conditions", condition("c", "EQUALS", "null")}, {"conditions", condition("c", "EQUALS", `{"a":1}`)},
		{"conditions", condition("c", "IN", `[["a"]]`)}, {"conditions", condition("c", "IN", "null")},
		{"conditions", condition("c", "EQUALS", strings.Repeat("[", 400)+strings.Repeat("]", 400))},
		{"conditions", condition("c", "IN", "[\"a\"")}, {"conditions", condition(strings.Repeat("c", 301), "EQUALS", "1")},
		{"conditions", condition("c", "EQUALS", `"`+strings.Repeat("x", 1000)+`"`)},
	} {
		body := claimRule("1")
		body[c.field] = c.value
		s.Do(owner, "POST", path, body).Refused(400, "invalid_body")
	}
	if n := s.Do(owner, "GET", path, nil).Len("rules"); n != 0 {
		t.Errorf("%d refused rules were stored", n)
	}
	for _, good := range [][2]string{{"EQUALS", `"Admins"`}, {"NOT_EQUALS", "1"}, {"CONTAINS", "true"}, {"IN", `["a","b"]`}, {"IN", "a"}} {
		body := claimRule("")
		delete(body, "name")
		body["conditions"] = condition("c", good[0], good[1])
		s.Do(owner, "POST", path, body).Want(201)
	}
	s.Do(owner, "POST", path, claimRule("6")).Refused(409, "limit_exceeded") // five rules a group
}
