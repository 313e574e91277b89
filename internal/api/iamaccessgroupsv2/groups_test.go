package iamaccessgroupsv2_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/iamaccessgroupsv2"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

const (
	acct   = apitest.Account
	owner  = apitest.Owner
	member = apitest.Member
	public = "AccessGroupId-PublicAccess"
	// absent has the form of a group's id.
	absent = "AccessGroupId-00000000-0000-4000-8000-000000000000"
)

type m = map[string]any

func serve(t testing.TB, change ...func(*apitest.Options)) *apitest.Server {
	return apitest.New(t, func(s *apitest.Server) []httpapi.Operation {
		return iamaccessgroupsv2.New(s.Access, s.Templates, s.Pages).Operations()
	}, change...)
}

func newGroup(s *apitest.Server, name string) string {
	s.T.Helper()
	return s.Do(owner, "POST", "/v2/groups?account_id="+acct, m{"name": name}).Want(201).Text("id")
}

// add makes identities members.
func add(s *apitest.Server, group string, iamIDs ...string) *apitest.Answer {
	s.T.Helper()
	var list []m
	for _, iamID := range iamIDs {
		typ := "user"
		if strings.HasPrefix(iamID, "iam-ServiceId-") {
			typ = "service"
		}
		if strings.HasPrefix(iamID, "iam-Profile-") {
			typ = "profile"
		}
		list = append(list, m{"iam_id": iamID, "type": typ})
	}
	return s.Do(owner, "PUT", "/v2/groups/"+group+"/members", m{"members": list}).Want(207)
}

func TestGroupLives(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v2/groups?account_id="+acct, m{"name": "Managers"}, "Transaction-Id: tx-1").Want(201)
	if v, ok := a.At("description").(string); !ok || v != "" {
		t.Errorf("a group without description has the empty one: %s", a.Body)
	}
	if !regexp.MustCompile(`^AccessGroupId-[0-9a-f-]{36}$`).MatchString(a.Text("id")) || a.Text("account_id") != acct || a.At("crn") != nil ||
		a.Text("created_by_id") != owner || !regexp.MustCompile(`\.\d{3}Z$`).MatchString(a.Text("created_at")) ||
		a.Header.Get("Transaction-Id") != "tx-1" {
		t.Errorf("created: %s", a.Body)
	}
	path := "/v2/groups/" + a.Text("id")
	got := s.Do(owner, "GET", path+"?show_crn=true&show_federated=true", nil).Want(200)
	if got.Text("crn") != "crn:v1:bluemix:public:iam-groups::a/"+acct+"::access-group:"+a.Text("id") ||
		got.Text("is_federated") != "false" || got.Header.Get("Transaction-Id") == "" {
		t.Errorf("read: %s", got.Body)
	}
	if !regexp.MustCompile(`^1-[0-9a-f]{32}$`).MatchString(got.ETag()) {
		t.Errorf("entity tag %s", got.ETag())
	}
	s.Do(owner, "PATCH", path, m{"description": "x"}).Refused(400, "invalid_body")
	s.Do(owner, "PATCH", path, m{"description": "x"}, "If-Match: 1-00000000000000000000000000000000").Refused(409, "conflict")
	changed := s.Do(owner, "PATCH", path, m{"description": "who manages"}, "If-Match: "+got.ETag()).Want(200)
	if changed.Text("name") != "Managers" || changed.Text("description") != "who manages" || changed.ETag() == got.ETag() {
		t.Errorf("changed: %s", changed.Body)
	}
	s.Do(owner, "PATCH", path, m{"name": ""}, "If-Match: *").Refused(400, "invalid_body")
	s.Do(owner, "DELETE", path, nil).Want(204)
	missing := s.Do(owner, "GET", path, nil).Refused(404, "not_found")
	if !strings.Contains(missing.Text("errors.0.message"), a.Text("id")) {
		t.Errorf("the message names the group: %s", missing.Body)
	}
	s.Do(owner, "DELETE", path, nil).Refused(404, "not_found")
	s.Do(owner, "PATCH", path, m{"name": "x"}, "If-Match: *").Refused(404, "not_found")
}

func TestMalformedGroupsAreRefused(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		query string
		body  any
	}{
		{"", m{"name": "x"}}, {"?account_id=x", m{"name": "x"}}, {"?account_id=" + acct, m{}}, {"?account_id=" + acct, m{"name": "  "}},
		{"?account_id=" + acct, m{"name": strings.Repeat("x", 101)}}, {"?account_id=" + acct,
			m{"name": "x", "description": strings.Repeat("x", 251)}},
		{"?account_id=" + acct, m{"name": 7}}, {"?account_id=" + acct, "{"}, {"?account_id=" + acct, ""},
	} {
		s.Do(owner, "POST", "/v2/groups"+c.query, c.body).Refused(400, "invalid_body")
	}
	if n := s.Do(owner, "GET", "/v2/groups?hide_public_access=true&account_id="+acct, nil).Want(200).Text("total_count"); n != "0" {
		t.Errorf("%s refused groups were stored", n)
	}
	s = serve(t, func(o *apitest.Options) { o.Access.Groups = 1 })
	newGroup(s, "first")
	s.Do(owner, "POST", "/v2/groups?account_id="+acct, m{"name": "second"}).Refused(409, "limit_exceeded")
}

func TestGroupWithMembersOrRulesIsDeletedByForce(t *testing.T) {
	s := serve(t)
	withMember, withRule, withPolicy := newGroup(s, "member"), newGroup(s, "rule"), newGroup(s, "same name as another")
	newGroup(s, "same name as another")
	add(s, withMember, member)
	s.Do(owner, "POST", "/v2/groups/"+withRule+"/rules", claimRule("1")).Want(201)
	grantGroup(s, withPolicy, "Viewer", "serviceName=iam-groups")
	for _, group := range []string{withMember, withRule} {
		s.Do(owner, "DELETE", "/v2/groups/"+group, nil).Refused(409, "group_not_empty")
		s.Do(owner, "DELETE", "/v2/groups/"+group+"?force=false", nil).Refused(409, "group_not_empty")
		s.Do(owner, "DELETE", "/v2/groups/"+group+"?force=true", nil).Want(204)
	}
	s.Do(owner, "DELETE", "/v2/groups/"+withPolicy, nil).Want(204)
	s.Do(owner, "GET", "/v2/groups/"+withMember+"/members", nil).Refused(404, "not_found")
}

func TestGroupsAreListedInPages(t *testing.T) {
	s := serve(t)
	ids := map[string]string{}
	for _, name := range []string{"beta", "alpha", "delta", "gamma"} {
		ids[name] = newGroup(s, name)
	}
	s.Do(owner, "PATCH", "/v2/groups/"+ids["alpha"], m{"description": "the FIRST letter"}, "If-Match: *").Want(200)
	s.Do(owner, "POST", "/v2/groups/"+ids["delta"]+"/rules", claimRule("1")).Want(201)
	add(s, ids["beta"], member)
	base := "/v2/groups?account_id=" + acct
	for query, want := range map[string]string{
		"":                                    "Public Access alpha beta delta gamma",
		"&hide_public_access=true":            "alpha beta delta gamma",
		"&hide_public_access=true&sort=-name": "gamma delta beta alpha",
		"&hide_public_access=true&sort=-description":     "alpha *",
		"&hide_public_access=true&sort=-is_federated":    "delta *",
		"&search=name:ELT":                               "delta",
		"&search=description:first":                      "alpha",
		"&search=id:" + ids["gamma"]:                     "gamma",
		"&search=name:nothing":                           "",
		"&iam_id=" + member:                              "beta",
		"&iam_id=" + member + "&membership_type=static":  "beta",
		"&iam_id=" + member + "&membership_type=dynamic": "",
		"&iam_id=IBMid-NOBODY":                           "",
	} {
		a := s.Do(owner, "GET", base+query, nil).Want(200)
		got := strings.Join(a.Each("groups", "name"), " ")
		if prefix, ok := strings.CutSuffix(want, "*"); ok && !strings.HasPrefix(got, prefix) || !ok && got != want {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
		if a.Text("total_count") != fmt.Sprint(a.Len("groups")) || a.Text("limit") != "50" || a.Text("offset") != "0" || a.At("next") != nil {
			t.Errorf("%q: head of the list %s", query, a.Body)
		}
	}
	whole := s.Do(owner, "GET", base, nil).Want(200).Each("groups", "id")
	var paged []string
	for path := base + "&limit=2"; path != ""; {
		a := s.Do(owner, "GET", path, nil).Want(200)
		paged = append(paged, a.Each("groups", "id")...)
		next := a.Text("next.href")
		if next != "" && !strings.Contains(next, "offset=") {
			t.Fatalf("next is %s: pagers read its offset", next)
		}
		path = strings.TrimPrefix(next, "http://example.com")
	}
	if !slices.Equal(whole, paged) {
		t.Errorf("pages hold %v, the list %v", paged, whole)
	}
	for _, query := range []string{"&limit=101", "&limit=-1", "&offset=-1", "&sort=colour", "&search=colour:red", "&search=x",
		"&membership_type=some", "&limit=x"} {
		s.Do(owner, "GET", base+query, nil).Refused(400, "invalid_body")
	}
}

// Links go on where a page ended; those who count for themselves are served, too.
func TestAPageOfGroupsGoesOnWhereItsLastOneWas(t *testing.T) {
	s := serve(t)
	ids := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		ids[name] = newGroup(s, name)
	}
	path := "/v2/groups?hide_public_access=true&limit=2&account_id=" + acct
	first := s.Do(owner, "GET", path, nil).Want(200)
	s.Do(owner, "DELETE", "/v2/groups/"+ids["b"], nil).Want(204)
	next := s.Do(owner, "GET", strings.TrimPrefix(first.Text("next.href"), "http://example.com"), nil).Want(200)
	if got := strings.Join(next.Each("groups", "name"), " "); got != "c d" || next.Text("offset") != "2" || next.Text("total_count") != "4" {
		t.Errorf("the second page by its link: %s", next.Body)
	}
	if got := strings.Join(s.Do(owner, "GET", path+"&offset=2", nil).Want(200).Each("groups", "name"), " "); got != "d e" {
		t.Errorf("the second page by its offset: %s", got)
	}
	s.Do(owner, "GET", path+"&offset=2&start=x", nil).Refused(400, "invalid_body")
}

func TestMembersComeAndGo(t *testing.T) {
	s := serve(t)
	group := newGroup(s, "group")
	a := add(s, group, member, "iam-ServiceId-1", "iam-Profile-1")
	again := add(s, group, member)
	for i, want := range []string{member, "iam-ServiceId-1", "iam-Profile-1"} {
		at := fmt.Sprintf("members.%d.", i)
		if a.Text(at+"iam_id") != want || a.Text(at+"status_code") != "200" || a.Text(at+"created_by_id") != owner || a.At(at+"errors") != nil {
			t.Errorf("added: %s", a.Body)
		}
	}
	if again.Text("members.0.status_code") != "200" || again.Text("members.0.created_at") != a.Text("members.0.created_at") {
		t.Errorf("adding a member again is no fault: %s", again.Body)
	}
	path := "/v2/groups/" + group + "/members"
	head := s.Do(owner, "HEAD", path+"/"+member, nil).Want(204)
	if len(head.Body) != 0 {
		t.Errorf("an answer to HEAD has a body: %s", head.Body)
	}
	if miss := s.Do(owner, "HEAD", path+"/IBMid-NOBODY", nil); miss.Status != 404 {
		t.Errorf("HEAD of a stranger: %d", miss.Status)
	}
	list := s.Do(owner, "GET", path, nil).Want(200)
	if list.Text("total_count") != "3" || list.Text("members.0.membership_type") != "static" ||
		!strings.HasSuffix(list.Text("members.0.href"), "/members/"+member) || list.At("members.0.name") != nil {
		t.Errorf("listed: %s", list.Body)
	}
	for query, want := range map[string]int{"?type=user": 1, "?type=service": 1, "?type=profile": 1, "?membership_type=dynamic": 0,
		"?membership_type=static": 3, "?membership_type=all": 3, "?limit=2": 2, "?limit=2&offset=2": 1, "?offset=9": 0} {
		if n := s.Do(owner, "GET", path+query, nil).Want(200).Len("members"); n != want {
			t.Errorf("%s lists %d members, want %d", query, n, want)
		}
	}
	s.Do(owner, "DELETE", path+"/"+member, nil).Want(204)
	missing := s.Do(owner, "DELETE", path+"/"+member, nil).Refused(404, "not_found")
	if !strings.Contains(missing.Text("errors.0.message"), member) {
		t.Errorf("the message names the member: %s", missing.Body)
	}
	bulk := s.Do(owner, "POST", path+"/delete", m{"members": []string{member, "iam-ServiceId-1"}}).Want(207)
	if bulk.Text("access_group_id") != group || bulk.Text("members.0.status_code") != "404" ||
		bulk.Text("members.0.errors.0.code") != "not_found" || bulk.Text("members.1.status_code") != "204" {
		t.Errorf("bulk: %s", bulk.Body)
	}
	none := s.Do(owner, "POST", path+"/delete", m{"members": []string{member}}).Refused(404, "not_found")
	if !strings.Contains(none.Text("errors.0.message"), group) {
		t.Errorf("the message names the group: %s", none.Body)
	}
}

func TestBulkItemsFailOneByOne(t *testing.T) {
	s := serve(t)
	group := newGroup(s, "group")
	path := "/v2/groups/" + group + "/members"
	a := s.Do(owner, "PUT", path, m{"members": []m{
		{"iam_id": member, "type": "user"}, {"iam_id": "", "type": "user"}, {"iam_id": "IBMid-X", "type": "robot"},
		{"iam_id": "IBMid-X", "type": "service"}, {"iam_id": strings.Repeat("x", 301), "type": "user"}, {"iam_id": member, "type": "user"},
	}}).Want(207)
	if got := strings.Join(a.Each("members", "status_code"), " "); got != "200 400 400 400 400 200" {
		t.Errorf("statuses %s: %s", got, a.Body)
	}
	if a.Text("members.1.errors.0.code") != "invalid_body" || a.Text("members.1.trace") != a.Header.Get("Transaction-Id") {
		t.Errorf("a failed item tells why: %s", a.Body)
	}
	if n := s.Do(owner, "GET", path, nil).Text("total_count"); n != "1" {
		t.Errorf("%s members, want 1", n)
	}
	var fiftyOne []m
	for i := range 51 {
		fiftyOne = append(fiftyOne, m{"iam_id": fmt.Sprintf("IBMid-%d", i), "type": "user"})
	}
	for _, body := range []any{m{}, m{"members": []m{}}, m{"members": fiftyOne}, m{"members": "x"}, "{"} {
		s.Do(owner, "PUT", path, body).Refused(400, "invalid_body")
	}
	s.Do(owner, "PUT", path, m{"members": fiftyOne[:50]}).Want(207)
	s.Do(owner, "POST", path+"/delete", m{"members": []string{}}).Refused(400, "invalid_body")
	s.Do(owner, "PUT", "/v2/groups/"+absent+"/members", m{"members": fiftyOne[:1]}).Refused(404, "not_found")
	s.Do(owner, "PUT", "/v2/groups/"+public+"/members", m{"members": fiftyOne[:1]}).Refused(403, "insufficient_permissions")
}

func TestOneIdentityInManyGroups(t *testing.T) {
	s := serve(t)
	one, two := newGroup(s, "one"), newGroup(s, "two")
	foreign := s.NewGroup(apitest.Other, "foreign")
	path := "/v2/groups/_allgroups/members/" + member + "?account_id=" + acct
	a := s.Do(owner, "PUT", path, m{"type": "user", "groups": []string{one, two, absent, foreign.ID}}).Want(207)
	if got := strings.Join(a.Each("groups", "status_code"), " "); got != "200 200 404 404" || a.Text("iam_id") != member {
		t.Errorf("statuses %s: %s", got, a.Body)
	}
	if a.Text("groups.0.access_group_id") != one || strings.ReplaceAll(a.Text("groups.3.errors.0.message"), foreign.ID,
		absent) != a.Text("groups.2.errors.0.message") {
		t.Errorf("a foreign group can be told from an absent one: %s", a.Body)
	}
	s.Do(owner, "PUT", path, m{"type": "service", "groups": []string{one}}).Refused(400, "invalid_body")
	s.Do(owner, "PUT", path, m{"type": "user"}).Refused(400, "invalid_body")
	s.Do(owner, "PUT", "/v2/groups/_allgroups/members/"+member, m{"type": "user", "groups": []string{one}}).Refused(400, "invalid_body")
	gone := s.Do(owner, "DELETE", path, nil).Want(207)
	if gone.Len("groups") != 2 || gone.Text("groups.1.status_code") != "204" {
		t.Errorf("removed: %s", gone.Body)
	}
	none := s.Do(owner, "DELETE", path, nil).Refused(404, "not_found")
	if !strings.Contains(none.Text("errors.0.message"), member) {
		t.Errorf("the message names the member: %s", none.Body)
	}
	s = serve(t, func(o *apitest.Options) { o.Access.GroupsPerMember = 1 })
	one, two = newGroup(s, "one"), newGroup(s, "two")
	full := s.Do(owner, "PUT", path, m{"type": "user", "groups": []string{one, two}}).Want(207)
	if got := strings.Join(full.Each("groups", "status_code"), " "); got != "200 409" ||
		full.Text("groups.1.errors.0.code") != "limit_exceeded" {
		t.Errorf("statuses %s: %s", got, full.Body)
	}
}

func TestVerboseMembersHaveNames(t *testing.T) {
	s := serve(t)
	group := newGroup(s, "group")
	s.Update(func(ctx context.Context, tx store.Tx) error {
		for iamID, name := range map[string]string{member: "Zoe", "IBMid-SECOND": "Ada"} {
			u := &account.User{Meta: store.Meta{Account: acct, ID: iamID, Owner: iamID, Name: name}, Email: strings.ToLower(name) + "@example.com",
				State: "ACTIVE"}
			if err := account.Users.Create(ctx, tx, u, store.Event{}); err != nil {
				return err
			}
		}
		elsewhere := &identity.ServiceID{Meta: store.Meta{Account: apitest.Other, ID: "ServiceId-2", Owner: "iam-ServiceId-2",
			Name: "secret name"}}
		if err := identity.ServiceIDs.Create(ctx, tx, elsewhere, store.Event{}); err != nil {
			return err
		}
		return identity.ServiceIDs.Create(ctx, tx, &identity.ServiceID{Meta: store.Meta{Account: acct, ID: "ServiceId-1",
			Owner: "iam-ServiceId-1", Name: "build", Description: "builds"}}, store.Event{})
	})
	add(s, group, member, "IBMid-SECOND", "iam-ServiceId-1", "iam-ServiceId-2")
	path := "/v2/groups/" + group + "/members?verbose=true&sort="
	a := s.Do(owner, "GET", path+"name", nil).Want(200)
	if got := strings.Join(a.Each("members", "name"), ","); got != ",Ada,Zoe,build" {
		t.Errorf("by name: %s", got)
	}
	if a.Text("members.1.email") != "ada@example.com" || a.Text("members.3.description") != "builds" {
		t.Errorf("verbose: %s", a.Body)
	}
	if got := s.Do(owner, "GET", path+"-email", nil).Want(200).Text("members.0.email"); got != "zoe@example.com" {
		t.Errorf("last e-mail: %s", got)
	}
	if got := s.Do(owner, "GET", path+"-id", nil).Want(200).Text("members.0.iam_id"); got != "iam-ServiceId-2" {
		t.Errorf("last id: %s", got)
	}
	for _, query := range []string{"sort=name", "sort=colour", "type=robot", "membership_type=some", "limit=101"} {
		s.Do(owner, "GET", "/v2/groups/"+group+"/members?"+query, nil).Refused(400, "invalid_body")
	}
}

// grantGroup gives a role on resources to a group.
func grantGroup(s *apitest.Server, group, role string, resource ...string) {
	s.T.Helper()
	policyID := s.Grant("IBMid-PLACEHOLDER-"+group, role, resource...)
	p, err := s.Access.GetPolicy(context.Background(), policyID, false)
	if err != nil {
		s.T.Fatal(err)
	}
	doc := p.Doc
	doc.Subject = slices.Clone(doc.Subject)
	doc.Subject[0].Key, doc.Subject[0].Value.Text = "access_group_id", group
	if err := s.ReplacePolicy(asker.System, policyID, &doc); err != nil {
		s.T.Fatal(err)
	}
}

func TestMembershipGivesAccessUntilItEnds(t *testing.T) {
	s := serve(t)
	group := newGroup(s, "readers")
	grantGroup(s, group, "Viewer", "serviceName=iam-groups")
	list := "/v2/groups?account_id=" + acct
	s.Do(member, "GET", list, nil).Refused(403, "insufficient_permissions")
	add(s, group, member)
	s.Do(member, "GET", list, nil).Want(200)
	s.Do(owner, "DELETE", "/v2/groups/"+group+"/members/"+member, nil).Want(204)
	s.Do(member, "GET", list, nil).Refused(403, "insufficient_permissions")
	add(s, group, member)
	s.Do(member, "GET", list, nil).Want(200)
	s.Do(owner, "DELETE", "/v2/groups/"+group+"?force=true", nil).Want(204)
	s.Do(member, "GET", list, nil).Refused(403, "insufficient_permissions")
}

func TestForeignGroupIsRefusedLikeAnAbsentOne(t *testing.T) {
	s := serve(t)
	group := newGroup(s, "mine")
	add(s, group, member)
	rule := s.Do(owner, "POST", "/v2/groups/"+group+"/rules", claimRule("1")).Want(201).Text("id")
	stranger := apitest.OtherOwner + "@" + apitest.Other
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"GET", "", nil}, {"PATCH", "", m{"name": "x"}}, {"DELETE", "?force=true", nil},
		{"GET", "/members", nil}, {"PUT", "/members", m{"members": []m{{"iam_id": "IBMid-X", "type": "user"}}}},
		{"HEAD", "/members/" + member, nil}, {"DELETE", "/members/" + member, nil}, {"POST", "/members/delete", m{"members": []string{member}}},
		{"GET", "/rules", nil}, {"POST", "/rules", claimRule("1")}, {"GET", "/rules/" + rule, nil}, {"PUT", "/rules/" + rule, claimRule("2")},
		{"DELETE", "/rules/" + rule, nil},
	} {
		ask := func(id string) *apitest.Answer {
			return s.Do(stranger, c.method, "/v2/groups/"+id+c.path, c.body, "If-Match: *", "Transaction-Id: t")
		}
		there, not := ask(group), ask(absent)
		if there.Status != 404 || not.Status != 404 || strings.ReplaceAll(string(there.Body), group, absent) != string(not.Body) {
			t.Errorf("%s: foreign %d %s\nabsent %d %s", there.What, there.Status, there.Body, not.Status, not.Body)
		}
	}
	for _, path := range []string{"/v2/groups?account_id=", "/v2/groups/settings?account_id=",
		"/v2/groups/_allgroups/members/" + url.PathEscape(member) + "?account_id="} {
		method := "GET"
		if strings.Contains(path, "_allgroups") {
			method = "DELETE"
		}
		there, not := s.Do(stranger, method, path+acct, nil), s.Do(stranger, method, path+apitest.Absent, nil)
		if there.Status != 404 || there.Text("errors") != not.Text("errors") {
			t.Errorf("%s: foreign %d %s\nabsent %d %s", path, there.Status, there.Body, not.Status, not.Body)
		}
	}
	if got := s.Do(owner, "GET", "/v2/groups/"+group+"/members", nil).Want(200).Text("total_count"); got != "1" {
		t.Errorf("%s members after a stranger's visit", got)
	}
}

func TestPublicAccessIsASwitch(t *testing.T) {
	s := serve(t)
	path := "/v2/groups/settings?account_id=" + acct
	a := s.Do(owner, "GET", path, nil).Want(200)
	if a.Text("public_access_enabled") != "true" || a.Text("account_id") != acct {
		t.Errorf("by default public access is on: %s", a.Body)
	}
	grantGroup(s, public, "Viewer", "serviceName=iam-groups")
	list := "/v2/groups?account_id=" + acct
	s.Do(member, "GET", list, nil).Want(200)
	b := s.Do(owner, "PATCH", path, m{"public_access_enabled": false}).Want(200)
	if b.Text("public_access_enabled") != "false" || b.Text("last_modified_by_id") != owner {
		t.Errorf("switched off: %s", b.Body)
	}
	s.Do(member, "GET", list, nil).Refused(403, "insufficient_permissions")
	s.Do(owner, "PATCH", path, m{"public_access_enabled": true}).Want(200)
	s.Do(member, "GET", list, nil).Refused(403, "insufficient_permissions") // its policies are gone
	if got := s.Do(owner, "PATCH", path, m{}).Want(200); got.Text("public_access_enabled") != "true" {
		t.Errorf("an empty change: %s", got.Body)
	}
	s.Do(owner, "PATCH", path, m{"public_access_enabled": "no"}).Refused(400, "invalid_body")
	s.Do(member, "PATCH", path, m{"public_access_enabled": false}).Refused(403, "insufficient_permissions")
	group := s.Do(owner, "GET", "/v2/groups/"+public+"?show_crn=true", nil).Want(200)
	if group.Text("id") != public || group.Text("account_id") != acct {
		t.Errorf("the public group: %s", group.Body)
	}
	s.Do(owner, "DELETE", "/v2/groups/"+public, nil).Refused(403, "insufficient_permissions")
	s.Do(owner, "PATCH", "/v2/groups/"+public, m{"name": "x"}, "If-Match: *").Refused(403, "insufficient_permissions")
}
