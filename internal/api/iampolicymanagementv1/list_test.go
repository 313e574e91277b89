package iampolicymanagementv1

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/api/apitest"
)

func TestListsHoldOnlyWhatTheCallerMayRead(t *testing.T) {
	s := serve(t)
	s.Do(owner, "POST", "/v1/policies", v1("IBMid-A", "Viewer", "serviceName=kms")).Want(201)
	s.Do(owner, "POST", "/v1/policies", v1("IBMid-A", "Viewer", "serviceName=watson")).Want(201)
	s.Do(owner, "POST", "/v2/policies", v2("IBMid-B", "Viewer", "serviceName=kms")).Want(201)
	s.Grant(member, "Viewer", "serviceName=kms")
	for _, c := range []struct {
		caller, query string
		want          int
	}{
		{owner, "", 4}, {member, "", 3}, {"IBMid-NOBODY", "", 0}, {apitest.OtherOwner + "@" + apitest.Other, "", 0},
		{owner, "&iam_id=IBMid-A", 2}, {owner, "&service_name=kms", 3}, {owner, "&service_type=service", 0}, {owner, "&type=access", 4},
		{owner, "&type=authorization", 0}, {owner, "&service_group_id=IAM", 0}, {owner, "&tag_name=env", 0},
	} {
		for _, api := range []string{"/v1/policies", "/v2/policies"} {
			a := s.Do(c.caller, "GET", api+"?account_id="+acct+c.query, nil).Want(200)
			if a.Len("policies") != c.want {
				t.Errorf("%s lists %d policies, want %d", a.What, a.Len("policies"), c.want)
			}
		}
	}
	// An account that is not there looks like one without policies for the caller.
	a, b := s.Do(owner, "GET", "/v1/policies?account_id="+apitest.Absent, nil),
		s.Do(owner, "GET", "/v1/policies?account_id="+apitest.Other, nil)
	if a.Status != b.Status || string(a.Body) != string(b.Body) || a.Len("policies") != 0 {
		t.Errorf("absent: %d %s\nforeign: %d %s", a.Status, a.Body, b.Status, b.Body)
	}
	for query, code := range map[string]string{"": "missing_required_query_parameter", "?account_id=x": "invalid_body",
		"?account_id=" + acct + "&state=gone":  "invalid_body",
		"?account_id=" + acct + "&sort=colour": "invalid_body", "?account_id=" + acct + "&limit=0": "invalid_body",
		"?account_id=" + acct + "&limit=101": "invalid_body",
		"?account_id=" + acct + "&limit=x":   "invalid_body", "?account_id=" + acct + "&format=xml": "invalid_body",
		"?account_id=" + acct + "&type=both": "invalid_body",
		"?account_id=" + acct + "&start=!!":  "invalid_body", "?account_id=" + acct + "&start=e30": "invalid_body",
		"?account_id=" + acct + "&iam_id=a&access_group_id=b": "invalid_body"} {
		s.Do(owner, "GET", "/v1/policies"+query, nil).Refused(400, code)
	}
}

// Who holds little is shown exactly what that covers.
func TestANarrowGrantShowsWhatItCovers(t *testing.T) {
	s := serve(t)
	const one, many, names = "IBMid-ONE", "IBMid-MANY", "IBMid-NAMES"
	s.Grant(one, "Viewer", "serviceName=kms", "serviceInstance=i1")
	s.Grant(many, "Viewer", "serviceType=service")
	var roles []string
	for name, action := range map[string]string{"First": "kms.secrets.list", "Second": "kms.secrets.create"} {
		roles = append(roles, s.Do(owner, "POST", "/v2/roles", role(name, "kms", action)).Want(201).Text("id"))
	}
	s.Grant(names, "Viewer", "serviceName=iam-access-management", "resourceType=customRole", "resource="+roles[1])
	for _, on := range [][]string{{"serviceName=kms", "serviceInstance=i1"}, {"serviceName=kms", "serviceInstance=i2"}, {"serviceName=kms"}} {
		s.Do(owner, "POST", "/v2/policies", v2("IBMid-A", "Viewer", on...)).Want(201)
	}
	for who, want := range map[string]int{owner: 6, one: 2, many: 5, names: 1, "IBMid-NOBODY": 0} {
		for _, api := range []string{"/v1/policies", "/v2/policies"} {
			if got := s.Do(who, "GET", api+"?account_id="+acct, nil).Want(200).Len("policies"); got != want {
				t.Errorf("%s lists %d policies of %s, want %d", who, got, api, want)
			}
		}
	}
	for who, want := range map[string][]string{owner: roles, names: roles[1:], one: nil} {
		got := s.Do(who, "GET", "/v2/roles?account_id="+acct, nil).Want(200).Each("custom_roles", "id")
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s lists roles %v, want %v", who, got, want)
		}
	}
}

func TestPagesHoldEveryPolicyOnce(t *testing.T) {
	s := serve(t)
	for _, service := range []string{"kms", "watson", "project", "is", "compliance"} {
		s.Do(owner, "POST", "/v1/policies", v1(member, "Viewer", "serviceName="+service)).Want(201)
		s.Pass(time.Second)
	}
	whole := s.Do(owner, "GET", "/v2/policies?account_id="+acct, nil).Want(200)
	if whole.Len("policies") != 5 || whole.At("next") != nil || whole.At("limit") != nil {
		t.Fatalf("without limit the list is whole, got %s", whole.Body)
	}
	for _, sort := range []string{"", "id", "-id", "created_at", "-last_modified_at", "href", "type", "-state", "created_by_id",
		"last_modified_by_id", "last_permit_at", "-last_permit_frequency"} {
		order := s.Do(owner, "GET", "/v2/policies?account_id="+acct+"&sort="+sort, nil).Want(200).Each("policies", "id")
		var paged []string
		path := "/v2/policies?account_id=" + acct + "&limit=2&sort=" + sort
		for range 4 {
			a := s.Do(owner, "GET", path, nil).Want(200)
			paged = append(paged, a.Each("policies", "id")...)
			if a.Text("limit") != "2" || a.Text("first.href") == "" {
				t.Errorf("head of a page: %s", a.Body)
			}
			next := a.Text("next.href")
			if next == "" {
				break
			}
			if !strings.Contains(next, "start="+a.Text("next.start")) || !strings.HasPrefix(next, "http://") {
				t.Errorf("next is %s", next)
			}
			path = next[strings.Index(next, "/v2/"):]
		}
		if diff := cmp.Diff(order, paged); diff != "" {
			t.Errorf("sort %q: the pages differ from the list (-list +pages):\n%s", sort, diff)
		}
	}
	// A page whose last policy is gone meanwhile goes on where it was.
	first := s.Do(owner, "GET", "/v2/policies?account_id="+acct+"&limit=2", nil).Want(200)
	s.Do(owner, "DELETE", "/v1/policies/"+first.Text("policies.1.id"), nil).Want(204)
	next := s.Do(owner, "GET", "/v2/policies?account_id="+acct+"&limit=2&start="+first.Text("next.start"), nil).Want(200)
	if got, want := next.Text("policies.0.id"), whole.Text("policies.2.id"); got != want {
		t.Errorf("after a deletion the next page begins with %s, want %s", got, want)
	}
}

// A role on a service group holds what it holds on each service of the group.
func TestFormatDisplayOfAServiceGroup(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v2/policies", v2(member, "Viewer", "service_group_id=IAM")).Want(201)
	got := s.Do(owner, "GET", "/v2/policies/"+a.Text("id")+"?format=display", nil).Want(200)
	ids := got.Each("control.grant.roles.0.actions", "id")
	for _, want := range []string{"iam-groups.groups.read", "iam-identity.serviceid.get", "iam.policy.read", "user-management.user.retrieve"} {
		if !slices.Contains(ids, want) {
			t.Errorf("%s is missing in %v", want, ids)
		}
	}
	if slices.Contains(ids, "iam-groups.groups.create") || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("%v", ids)
	}
}

func TestFormatsAddRolesOrPermits(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v2/policies", v2(member, "Viewer", "serviceName=iam-groups")).Want(201)
	path := "/v2/policies/" + a.Text("id")
	shown := s.Do(owner, "GET", path+"?format=display", nil).Want(200)
	if shown.Text("control.grant.roles.0.display_name") != "Viewer" || !slices.Contains(shown.Each("control.grant.roles.0.actions", "id"),
		"iam-groups.groups.list") {
		t.Errorf("display: %s", shown.Body)
	}
	before := s.Do(owner, "GET", path+"?format=include_last_permit", nil).Want(200)
	if before.Text("last_permit_frequency") != "0" || before.At("last_permit_at") != nil {
		t.Errorf("a policy that never permitted: %s", before.Body)
	}
	s.Pass(time.Hour)
	s.Do(member, "GET", "/v1/policies?account_id="+acct, nil).Want(200)
	for _, flush := range []bool{false, true} {
		if flush {
			if err := s.Authority.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		used := s.Do(owner, "GET", path+"?format=include_last_permit", nil).Want(200)
		if used.Text("last_permit_frequency") != "1" || used.Text("last_permit_at") != "2026-05-04T13:00:00.000Z" {
			t.Errorf("flushed %v: %s", flush, used.Body)
		}
		listed := s.Do(owner, "GET", "/v2/policies?format=include_last_permit&account_id="+acct, nil).Want(200)
		if listed.Text("policies.0.last_permit_frequency") != "1" {
			t.Errorf("flushed %v: %s", flush, listed.Body)
		}
	}
	if plain := s.Do(owner, "GET", path, nil).Want(200); plain.At("last_permit_frequency") != nil ||
		plain.At("control.grant.roles.0.display_name") != nil {
		t.Errorf("without format: %s", plain.Body)
	}
	s.Do(owner, "GET", path+"?format=xml", nil).Refused(400, "invalid_body")
}
