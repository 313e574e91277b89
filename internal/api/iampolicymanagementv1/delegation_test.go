package iampolicymanagementv1

import (
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
)

// authorization gives a v2 body that lets one service act on another.
func authorization(source, target, role string) m {
	b := v2("", role, "serviceName="+target)
	b["type"] = "authorization"
	b["subject"] = m{"attributes": []m{{"key": "accountId", "operator": "stringEquals", "value": acct},
		{"key": "serviceName", "operator": "stringEquals", "value": source}}}
	return b
}

func TestAuthorizationGivesOnlyWhatItsCreatorHolds(t *testing.T) {
	s := serve(t)
	s.Do(owner, "POST", "/v2/policies", authorization("cloud-object-storage", "kms", "Reader")).Want(201)
	v1Form := m{"type": "authorization", "roles": []m{{"role_id": apitest.Role("Reader")}},
		"subjects":  []m{{"attributes": []m{{"name": "accountId", "value": acct}, {"name": "serviceName", "value": "project"}}}},
		"resources": []m{{"attributes": []m{{"name": "accountId", "value": acct}, {"name": "serviceName", "value": "kms"}}}}}
	s.Do(owner, "POST", "/v1/policies", v1Form).Want(201)

	s.Grant(member, "Administrator", "serviceName=kms")
	a := s.Do(member, "POST", "/v2/policies", authorization("is", "kms", "Reader")).Refused(403, "insufficent_permissions")
	if !strings.Contains(a.Text("errors.0.message"), "Action kms.") {
		t.Errorf("the missing action is told, got %s", a.Body)
	}
	s.Grant("IBMid-BOTH", "Administrator Reader", "serviceName=kms")
	s.Do("IBMid-BOTH", "POST", "/v2/policies", authorization("is", "kms", "Reader")).Want(201)
	s.Do("IBMid-BOTH", "POST", "/v2/policies", authorization("watson", "kms", "Writer")).Refused(403, "insufficent_permissions")
	listed := s.Do(owner, "GET", "/v2/policies?type=authorization&account_id="+acct, nil).Want(200)
	if listed.Len("policies") != 3 {
		t.Errorf("%d authorizations are listed", listed.Len("policies"))
	}
	// Replacing is giving, too.
	mine := s.Do(owner, "POST", "/v2/policies", authorization("messagehub", "kms", "Reader")).Want(201)
	s.Do("IBMid-BOTH", "PUT", "/v2/policies/"+mine.Text("id"), authorization("messagehub", "kms", "Manager"), "If-Match: *").Refused(403,
		"insufficent_permissions")
}

// targets gives an authorization for a source service whose target is told by
// other attributes than one name of a service.
func targets(source string, attributes ...m) m {
	b := authorization(source, "kms", "Manager")
	b["resource"] = m{"attributes": append(attributes, m{"key": "accountId", "operator": "stringEquals", "value": acct})}
	return b
}

// Who administers all services and may not use them must not have a service use
// them instead, however the target is worded.
func TestAnAuthorizationOfManyServicesGivesOnlyWhatItsCreatorHolds(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Administrator", "serviceType=service")
	s.Grant("IBMid-BOTH", "Administrator Manager", "serviceType=service")
	all := m{"key": "serviceType", "operator": "stringEquals", "value": "service"}
	for source, attributes := range map[string][]m{
		"is":         {all},
		"watson":     {all, {"key": "region", "operator": "stringEquals", "value": "eu-de"}},
		"messagehub": {{"key": "serviceName", "operator": "stringMatch", "value": "k*"}, all},
	} {
		s.Do(member, "POST", "/v2/policies", targets(source, attributes...)).Refused(403, "insufficent_permissions")
	}
	s.Do("IBMid-BOTH", "POST", "/v2/policies", targets("is", all)).Want(201)
	s.Do(owner, "POST", "/v2/policies", targets("project", all)).Want(201)
}

// Bringing a deleted authorization back is giving it.
func TestADeletedAuthorizationIsRestoredOnlyByWhoCouldGiveIt(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Administrator", "serviceName=kms")
	p := s.Do(owner, "POST", "/v2/policies", authorization("is", "kms", "Manager")).Want(201)
	path := "/v1/policies/" + p.Text("id")
	s.Do(owner, "DELETE", path, nil).Want(204)
	s.Do(member, "PATCH", path, m{"state": "active"}, "If-Match: *").Refused(403, "insufficent_permissions")
	s.Do(owner, "PATCH", path, m{"state": "active"}, "If-Match: *").Want(200)
}

// Who may change custom roles must not have a service do, through a policy that
// names one, what the caller may not do.
func TestARoleOfAnAuthorizationIsWidenedOnlyByWhoHoldsTheActions(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Editor", "serviceName=iam-access-management")
	s.Grant("IBMid-BOTH", "Editor", "serviceName=iam-access-management")
	s.Grant("IBMid-BOTH", "Manager", "serviceName=kms")
	r := s.Do(owner, "POST", "/v2/roles", role("Lister", "kms", "kms.secrets.list")).Want(201)
	path := "/v2/roles/" + r.Text("id")
	widen := m{"display_name": "Lister", "actions": []string{"kms.secrets.list", "kms.secrets.create"}}
	given := authorization("is", "kms", "Reader")
	given["control"] = m{"grant": m{"roles": []m{{"role_id": r.Text("crn")}}}}
	p := s.Do(owner, "POST", "/v2/policies", given).Want(201)

	s.Do(member, "PUT", path, widen, "If-Match: *").Refused(403, "insufficent_permissions")
	s.Do(member, "PUT", path, m{"display_name": "Reader of lists", "actions": []string{"kms.secrets.list"}}, "If-Match: *").Want(200)
	s.Do("IBMid-BOTH", "PUT", path, widen, "If-Match: *").Want(200)
	s.Do(member, "PUT", path, m{"display_name": "Lister", "actions": []string{"kms.secrets.list"}}, "If-Match: *").Want(200)
	s.Do(owner, "DELETE", "/v2/policies/"+p.Text("id"), nil).Want(204)
	s.Do(member, "PUT", path, widen, "If-Match: *").Want(200)
}

// What several policies cover together is covered: whoever may give access to each
// service of a kind may give access to all of them, sees such policies, and has
// services use what they may use.
func TestPoliciesThatCoverEachServiceCoverThemAll(t *testing.T) {
	s := serve(t)
	const most = "IBMid-MOST"
	for _, who := range []string{member, most} {
		s.Grant(who, "Administrator Manager", "serviceType=service")
	}
	s.Grant(member, "Administrator", "serviceType=platform_service")
	s.Grant(most, "Administrator", "serviceName=kms")
	for _, on := range []string{"service_group_id=IAM", "resourceGroupId=X", "serviceType=platform_service"} {
		for version, form := range map[string]func(string, string, ...string) m{"v1": v1, "v2": v2} {
			made := func(as, who string) *apitest.Answer {
				return s.Do(as, "POST", "/"+version+"/policies", form(who, "Viewer", on))
			}
			p := made(member, "IBMid-"+version).Want(201)
			made(most, "IBMid-"+version+"-not").Refused(403, "insufficent_permissions")
			path := "/" + version + "/policies/" + p.Text("id")
			s.Do(member, "GET", path, nil).Want(200)
			s.Do(most, "GET", path, nil).Refused(403, "insufficent_permissions")
		}
	}
	s.Do(most, "POST", "/v2/policies", targets("is", is("resourceGroupId", "X"))).Refused(403, "insufficent_permissions")
	s.Do(member, "POST", "/v2/policies", targets("is", is("resourceGroupId", "X"))).Want(201)

	all := s.Do(owner, "GET", "/v2/policies?account_id="+acct, nil).Want(200).Len("policies")
	if got := s.Do(member, "GET", "/v2/policies?account_id="+acct, nil).Want(200).Len("policies"); got != all {
		t.Errorf("who may read each service's policies is shown %d of %d", got, all)
	}
	if got := s.Do(most, "GET", "/v2/policies?account_id="+acct, nil).Want(200).Len("policies"); got != 3 {
		t.Errorf("who may read those of services only is shown %d", got)
	}
}
