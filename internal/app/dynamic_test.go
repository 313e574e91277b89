package app_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/dev/demo"
)

// console logs the demo's user with a password in.
func (s *server) console() (header []string, refresh string) {
	s.t.Helper()
	return s.session(url.Values{"grant_type": {"password"}, "username": {s.Demo().Console.Email}, "password": {s.Demo().Password.Reveal()},
		"account": {s.Demo().Root}})
}

func (s *server) session(form url.Values) (header []string, refresh string) {
	s.t.Helper()
	var out struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	a := s.grant(form, "Authorization", "Basic Yng6Yng=")
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.code != 200 {
		s.t.Fatalf("login: %d %s", a.code, a.body)
	}
	return []string{"Authorization", "Bearer " + out.Access}, out.Refresh
}

func TestRulesMakePeopleMembersForAWhileAfterTheirLogin(t *testing.T) {
	s := run(t, nil)
	root, owner, who := s.Demo().Root, s.owner(), s.Demo().Console.IAMID
	var group struct{ ID string }
	s.want(201, "POST", "/v2/groups?account_id="+root, `{"name":"Auditors"}`, &group, owner...)
	s.want(201, "POST", "/v2/groups/"+group.ID+"/rules", fmt.Sprintf(`{"name":"auditors","expiration":1,"realm_name":%q,"conditions":[`+
		`{"claim":"groups","operator":"CONTAINS","value":"\"auditors\""},{"claim":"department","operator":"EQUALS","value":"\"billing\""}]}`,
		demo.Realm), nil, owner...)
	s.want(201, "POST", "/v2/policies", policyOf("access", attribute("access_group_id", group.ID),
		"crn:v1:bluemix:public:iam::::serviceRole:Reader",
		attribute("accountId", root)+","+attribute("serviceName", "kms")), nil, owner...)

	ask := func(caller []string, subject string) bool {
		t.Helper()
		var out struct {
			Responses []struct {
				Decision struct{ Permitted bool } `json:"authorizationDecision"`
			}
		}
		s.want(200, "POST", "/v2/authz",
			fmt.Sprintf(`[{"subject":%s,"action":"kms.secrets.list","resource":{"attributes":{"serviceName":"kms","accountId":%q}}}]`, subject,
				root), &out, caller...)
		return out.Responses[0].Decision.Permitted
	}
	listed := func(path, field string) (out []string) {
		t.Helper()
		var page map[string]json.RawMessage
		s.want(200, "GET", path, "", &page, owner...)
		var items []map[string]any
		for _, list := range []string{"members", "groups"} {
			if raw := page[list]; raw != nil {
				if err := json.Unmarshal(raw, &items); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, item := range items {
			out = append(out, fmt.Sprint(item[field]))
		}
		return out
	}
	wants := func(when string, member bool, token []string) {
		t.Helper()
		status, one, of := 404, "[]", "[]"
		if member {
			status, one, of = 204, "["+who+"]", "["+group.ID+"]"
		}
		s.want(status, "HEAD", "/v2/groups/"+group.ID+"/members/"+who, "", nil, owner...)
		members := "/v2/groups/" + group.ID + "/members"
		for query, want := range map[string]string{"": one, "?membership_type=all": one, "?membership_type=dynamic": one,
			"?membership_type=dynamic&type=user": one,
			"?membership_type=static":            "[]", "?membership_type=dynamic&type=service": "[]"} {
			if got := fmt.Sprint(listed(members+query, "iam_id")); got != want {
				t.Errorf("%s: members%s are %s, want %s", when, query, got, want)
			}
		}
		groups := "/v2/groups?account_id=" + root + "&iam_id=" + who
		for query, want := range map[string]string{"": of, "&membership_type=all": of, "&membership_type=dynamic": of,
			"&membership_type=static": "[]"} {
			if got := fmt.Sprint(listed(groups+query, "id")); got != want {
				t.Errorf("%s: groups%s are %s, want %s", when, query, got, want)
			}
		}
		if got := ask(owner, `{"attributes":{"id":"`+who+`"}}`); got != member {
			t.Errorf("%s: the person may: %v, want %v", when, got, member)
		}
		if token != nil {
			if got := ask(owner, `{"accessTokenBody":"`+strings.Split(token[1], ".")[1]+`"}`); got != member {
				t.Errorf("%s: the token may: %v, want %v", when, got, member)
			}
			if got := ask(token, `{"attributes":{"id":"`+who+`"}}`); got != member {
				t.Errorf("%s: the person hears %v about itself, want %v", when, got, member)
			}
		}
	}

	wants("before the login", false, nil)
	token, refresh := s.console()
	wants("after the login", true, token)
	if how := listed("/v2/groups/"+group.ID+"/members", "membership_type"); fmt.Sprint(how) != "[dynamic]" {
		t.Errorf("membership types %v", how)
	}
	s.want(404, "DELETE", "/v2/groups/"+group.ID+"/members/"+who, "", nil, owner...) // only rules change them

	s.want(200, "POST", "/dev/v1/clock", `{"advance":"59m"}`, nil)
	owner = s.owner()
	token, _ = s.session(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	wants("59 minutes later", true, token)
	s.want(200, "POST", "/dev/v1/clock", `{"advance":"1m"}`, nil)
	wants("after the rule's hour, in the same session", false, token)

	token, refresh = s.console()
	wants("after a new login", true, token)
	s.call("POST", "/identity/logout", "refresh_token="+refresh, "Authorization", "Basic Yng6Yng=", "Content-Type",
		"application/x-www-form-urlencoded")
	wants("after the logout", false, nil)
}

func TestARuleOpensOperationsToThoseItAdmits(t *testing.T) {
	s := run(t, nil)
	root, owner := s.Demo().Root, s.owner()
	var group struct{ ID string }
	s.want(201, "POST", "/v2/groups?account_id="+root, `{"name":"Billing"}`, &group, owner...)
	s.want(201, "POST", "/v2/policies", policyOf("access", attribute("access_group_id", group.ID),
		"crn:v1:bluemix:public:iam::::role:TemplateAdministrator",
		attribute("accountId", root)+","+attribute("serviceName", "iam-groups")), nil, owner...)
	token, _ := s.console()
	create := func(want int) {
		s.want(want, "POST", "/v1/group_templates", `{"name":"Made","account_id":"`+root+`","group":{"name":"made"}}`, nil, token...)
	}
	create(403)
	s.want(201, "POST", "/v2/groups/"+group.ID+"/rules",
		fmt.Sprintf(`{"expiration":24,"realm_name":%q,"conditions":[{"claim":"department","operator":"IN","value":"[\"billing\"]"}]}`,
			demo.Realm), nil, owner...)
	create(201)
}
