package iamaccessgroupsv2_test

import (
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/enterprise"
)

// What a template gave a group in a child account its assignment names, entry by
// entry, and nothing that the child added of its own.
func TestAVerboseAssignmentShowsMembersAndRulesThatWereMade(t *testing.T) {
	s := serve(t)
	child := s.NewChild(found(s).CRN(), enterprise.NewAccount{Name: "child", Owner: owner, Managed: true})
	s.Grant(member, "TemplateAdministrator TemplateAssignmentAdministrator", "service_group_id=IAM")
	s.Grant(member, "Viewer", "serviceName=enterprise")
	group := m{"name": "Auditors",
		"members": m{"users": []string{owner}, "services": []string{}, "action_controls": m{"add": true}},
		"assertions": m{"rules": []m{{"name": "managers", "realm_name": "https://idp.example.com", "expiration": 8,
			"conditions": []m{{"claim": "isManager", "operator": "EQUALS", "value": `"true"`}}}},
			"action_controls": m{"add": true}}}
	made := s.Do(member, "POST", "/v1/group_templates", m{"name": "auditors", "account_id": acct, "group": group}).Want(201)
	path := "/v1/group_templates/" + made.Text("id")
	s.Do(member, "POST", path+"/versions/1/commit", nil, "If-Match: "+made.ETag()).Want(204)
	given := s.Do(member, "POST", "/v1/group_assignments", m{"template_id": made.Text("id"), "template_version": "1",
		"target_type": "Account", "target": child}).Want(202)
	at := "/v1/group_assignments/" + given.Text("id") + "?verbose=true"
	a := s.Do(member, "GET", at, nil).Want(200)
	laid := a.Text("resources.0.group.group.id")
	s.Do(owner, "PUT", "/v2/groups/"+laid+"/members", m{"members": []m{{"iam_id": "iam-ServiceId-x", "type": "service"}}})
	rules := s.Do(owner, "GET", "/v2/groups/"+laid+"/rules", nil).Want(200).Each("rules", "id")

	a = s.Do(member, "GET", at, nil).Want(200)
	if got := a.Each("resources.0.group.members", "id"); !slices.Equal(got, []string{owner}) {
		t.Errorf("members %v, want only those of the template\n%s", got, a.Body)
	}
	if got := a.Each("resources.0.group.rules", "id"); len(rules) != 1 || !slices.Equal(got, rules) {
		t.Errorf("rules %v, want %v\n%s", got, rules, a.Body)
	}
	for _, entry := range []string{"resources.0.group.group", "resources.0.group.members.0", "resources.0.group.rules.0"} {
		if a.Text(entry+".status") != "succeeded" || a.Text(entry+".operation") != "assign" || a.Text(entry+".version") != "1" ||
			a.Text(entry+".resource") == "" || a.At(entry+".error") != "" {
			t.Errorf("%s is not told in full\n%s", entry, a.Body)
		}
	}
	if got := a.Text("resources.0.group.rules.0.name"); got != "managers" {
		t.Errorf("rule named %q, want its name", got)
	}
}
