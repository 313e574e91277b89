package iampolicymanagementv1

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/store"
)

// plant makes apitest's account the root of an enterprise whose templates the
// member administers, with one child, and gives the child.
func plant(s *apitest.Server) string {
	s.T.Helper()
	ent := &enterprise.Enterprise{Meta: store.Meta{Account: acct, ID: "ffffffffffffffffffffffffffffffff", Name: "Enterprise"},
		State: account.Active}
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return enterprise.Enterprises.Create(ctx, tx, ent, store.Event{})
	})
	child := s.NewChild(ent.CRN(), enterprise.NewAccount{Name: "child", Owner: owner, Managed: true})
	s.Grant(member, "TemplateAdministrator TemplateAssignmentAdministrator", "service_group_id=IAM")
	s.Grant(member, "Viewer", "serviceName=enterprise")
	return child
}

// The SDK lists these codes; clients tell by them what is in the way.
func TestErrorsAboutTemplatesCarryTheCodesOfTheirKind(t *testing.T) {
	s := serve(t)
	child := plant(s)
	body := m{"name": "no deletion", "account_id": acct, "committed": true,
		"action_control": m{"service_name": "am-test-service", "actions": []string{"am-test-service.test.delete"}}}
	made := s.Do(member, "POST", "/v1/action_control_templates", body).Want(201)
	path := "/v1/action_control_templates/" + made.Text("id")
	wish := func(version any) m {
		return m{"target": m{"type": "Account", "id": child}, "templates": []m{{"id": made.Text("id"), "version": version}}}
	}
	s.Do(member, "GET", path+"/versions/x", nil).Refused(404, "action_control_template_not_found")
	s.Do(member, "GET", path+"/versions/9", nil).Refused(404, "action_control_template_not_found")
	s.Do(member, "POST", "/v1/action_control_assignments", wish("9")).Refused(404, "action_control_template_not_found")
	s.Do(member, "POST", "/v1/action_control_assignments", wish("one")).Refused(400, "invalid_body")
	given := s.Do(member, "POST", "/v1/action_control_assignments", wish(1)).Want(201) // as the tutorials write it
	assigned := "/v1/action_control_assignments/" + given.Text("assignments.0.id")
	s.Do(member, "POST", "/v1/action_control_assignments", wish("1")).Refused(409, "action_control_assignment_conflict_error")
	s.Do(member, "PATCH", assigned, m{"template_version": 1}, "If-Match: 0-0").Refused(409, "action_control_assignment_conflict_error")
	s.Do(member, "PATCH", assigned, m{"template_version": "7"}, "If-Match: *").Refused(404, "action_control_template_not_found")
	s.Do(member, "DELETE", path, nil).Refused(409, "action_control_template_conflict_error")
	s.Do(member, "PUT", path+"/versions/1", body, "If-Match: *").Refused(422, "unable_to_process")
	s.Do(member, "DELETE", assigned, nil).Want(204)
	s.Do(member, "GET", assigned, nil).Refused(404, "action_control_assignment_not_found")
	s.Do(member, "DELETE", path, nil).Want(204)
}

func TestAPageOfTemplatesGoesOnWhereItsLastOneWas(t *testing.T) {
	s := serve(t)
	plant(s)
	var ids []string
	for _, name := range []string{"a", "b", "c", "d"} {
		body := m{"name": name, "account_id": acct, "action_control": m{"service_name": "am-test-service",
			"actions": []string{"am-test-service.test.delete"}}}
		ids = append(ids, s.Do(member, "POST", "/v1/action_control_templates", body).Want(201).Text("id"))
		s.Pass(time.Second)
	}
	path := "/v1/action_control_templates?account_id=" + acct + "&limit=2"
	first := s.Do(member, "GET", path, nil).Want(200)
	s.Do(member, "DELETE", "/v1/action_control_templates/"+ids[1], nil).Want(204)
	next := path + "&start=" + first.Text("next.start")
	if got := s.Do(member, "GET", next, nil).Want(200).Each("action_control_templates", "id"); !slices.Equal(got, ids[2:]) {
		t.Errorf("the second page holds %v, want %v", got, ids[2:])
	}
	s.Do(member, "GET", next+"&name=a", nil).Refused(400, "invalid_body")
}

// Official clients compare the sentence whole, and follow the href to the
// template: it names no version.
func TestATemplateOfEachKindNamesItselfAndSaysThatACommittedVersionIsFinal(t *testing.T) {
	s := serve(t)
	plant(s)
	for _, test := range []struct {
		kind, noun, property string
		says                 m
	}{
		{"policy", "Policy", "policy", m{"type": "access",
			"control":  m{"grant": m{"roles": []m{{"role_id": "crn:v1:bluemix:public:iam::::role:Viewer"}}}},
			"resource": m{"attributes": []m{{"key": "serviceName", "operator": "stringEquals", "value": "am-test-service"}}}}},
		{"role", "Role", "role", m{"name": "Reader", "display_name": "A reader", "service_name": "am-test-service",
			"actions": []string{"am-test-service.test.delete"}}},
		{"action_control", "Action control", "action_control", m{"service_name": "am-test-service",
			"actions": []string{"am-test-service.test.delete"}}},
	} {
		body := m{"name": "final " + test.kind, "account_id": acct, "committed": true, test.property: test.says}
		made := s.Do(member, "POST", "/v1/"+test.kind+"_templates", body).Want(201)
		path := "/v1/" + test.kind + "_templates/" + made.Text("id")
		next := s.Do(member, "POST", path+"/versions", body).Want(201)
		for _, a := range []*apitest.Answer{made, next, s.Do(member, "GET", path, nil), s.Do(member, "GET", path+"/versions/1", nil)} {
			if got := a.Text("href"); !strings.HasSuffix(got, path) {
				t.Errorf("%s: href %s, want one that ends in %s", a.What, got, path)
			}
		}
		a := s.Do(member, "PUT", path+"/versions/2", body, "If-Match: "+next.ETag()).Refused(422, "unable_to_process")
		want := test.noun + " template id '" + made.Text("id") + "' and version '2' is committed and cannot be updated"
		if got := a.Text("errors.0.message"); got != want {
			t.Errorf("%s: says %q, want %q", a.What, got, want)
		}
	}
}
