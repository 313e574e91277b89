package iampolicymanagementv1

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/store"
)

func role(name, service string, actions ...string) m {
	return m{"name": name, "display_name": name, "account_id": acct, "service_name": service, "actions": actions}
}

func TestRoleListsHoldWhatClientsLookUp(t *testing.T) {
	s := serve(t)
	for _, c := range []struct{ query, list, field, want string }{
		{"service_group_id=IAM", "system_roles", "crn", "crn:v1:bluemix:public:iam::::role:Viewer"},
		{"service_group_id=IAM", "service_roles", "crn", "crn:v1:bluemix:public:iam-identity::::serviceRole:ServiceIdCreator"},
		{"service_name=alliamserviceroles", "service_roles", "display_name", "Reader Writer Manager"},
		{"service_name=alliamserviceroles", "system_roles", "display_name", "Administrator Editor Operator Viewer"},
		{"service_name=kms", "service_roles", "display_name", "Reader Writer Manager"},
		{"", "system_roles", "display_name", "Administrator Editor Operator Viewer"},
		{"service_name=resource-controller", "system_roles", "display_name", "Viewer"},
		{"source_service_name=cloud-object-storage&service_name=kms&policy_type=authorization", "service_roles", "display_name", "Reader"},
		{"source_service_name=project&service_name=secrets-manager&policy_type=authorization", "service_roles", "display_name", "SecretsReader"},
		{"service_name=iam-identity", "system_roles", "crn", "crn:v1:bluemix:public:iam::::role:TemplateAdministrator"},
	} {
		a := s.Do(owner, "GET", "/v2/roles?account_id="+acct+"&"+c.query, nil, "Accept-Language: ja").Want(200)
		have := a.Each(c.list, c.field)
		for want := range strings.FieldsSeq(c.want) {
			if !slices.Contains(have, want) {
				t.Errorf("%s: %s has no %s, has %v", c.query, c.list, want, have)
			}
		}
		if a.Len("custom_roles") != 0 {
			t.Errorf("%s: custom roles of an account that has none", c.query)
		}
	}
	mapped := s.Do(owner, "GET", "/v2/roles?service_name=iam-groups", nil).Want(200)
	if i := slices.Index(mapped.Each("system_roles", "display_name"),
		"Viewer"); !strings.Contains(mapped.Text(fmt.Sprintf("system_roles.%d.actions", i)), "iam-groups.groups.read") {
		t.Errorf("system roles have the service's actions: %s", mapped.Body)
	}
	s.Do(owner, "GET", "/v2/roles?service_name=kms&service_group_id=IAM", nil).Refused(400, "invalid_body")
	s.Do(owner, "GET", "/v2/roles?service_name=kms&service_type=service", nil).Refused(400, "invalid_body")
	s.Do(owner, "GET", "/v2/roles?service_type=other", nil).Refused(400, "invalid_body")
	s.Do(owner, "GET", "/v2/roles?account_id=mine", nil).Refused(400, "invalid_body")
	for _, service := range []string{"kms", "cloud-object-storage", "iam-identity", "is.instance"} {
		a := s.Do(owner, "GET", "/v2/roles?service_name="+service, nil).Want(200)
		shown := append(a.Each("service_roles", "display_name"), a.Each("system_roles", "display_name")...)
		slices.Sort(shown)
		if len(slices.Compact(slices.Clone(shown))) != len(shown) {
			t.Errorf("%s: two roles have one display name: %v", service, shown)
		}
	}
}

func TestCustomRoleLives(t *testing.T) {
	s := serve(t)
	body := m{"name": "SDKCustomRole1", "display_name": "SDKCustomRole1", "description": "lists groups", "account_id": acct,
		"service_name": "iam-groups", "actions": []string{"iam-groups.groups.read"}}
	a := s.Do(owner, "POST", "/v2/roles", body).Want(201)
	subset(t, a, body, "name", "display_name", "description", "account_id", "service_name", "actions")
	if a.Text("crn") != "crn:v1:bluemix:public:iam-access-management::a/"+acct+"::customRole:SDKCustomRole1" ||
		!timeForm.MatchString(a.Text("created_at")) || !tagForm.MatchString(a.ETag()) {
		t.Errorf("created: %s", a.Body)
	}
	path := "/v2/roles/" + a.Text("id")
	change := m{"display_name": "Renamed", "description": "other", "actions": []string{"iam-groups.groups.read"}}
	s.Do(owner, "PUT", path, change).Refused(400, "invalid_body")
	s.Do(owner, "PUT", path, change, "If-Match: 9-00000000000000000000000000000000").Refused(409, "role_conflict_error")
	got := s.Do(owner, "PUT", path, change, "If-Match: "+s.Do(owner, "GET", path, nil).Want(200).ETag()).Want(200)
	if got.Text("id") != a.Text("id") || got.Text("display_name") != "Renamed" || got.Text("name") != "SDKCustomRole1" ||
		got.ETag() == a.ETag() {
		t.Errorf("replaced: %s", got.Body)
	}
	for query, want := range map[string]int{"": 1, "&service_name=iam-groups": 1, "&service_name=kms": 0, "&service_group_id=IAM": 1} {
		if n := s.Do(owner, "GET", "/v2/roles?account_id="+acct+query, nil).Want(200).Len("custom_roles"); n != want {
			t.Errorf("%q lists %d custom roles, want %d", query, n, want)
		}
	}
	if n := s.Do(member, "GET", "/v2/roles?account_id="+acct, nil).Want(200).Len("custom_roles"); n != 0 {
		t.Errorf("a member who may not read them sees %d custom roles", n)
	}
	s.Do(owner, "DELETE", path, nil).Want(204)
	s.Do(owner, "GET", path, nil).Refused(404, "role_not_found")
	s.Do(owner, "DELETE", path, nil).Refused(404, "role_not_found")
}

func TestCustomRoleGivesItsActionsUntilItIsDeleted(t *testing.T) {
	s := serve(t)
	r := s.Do(owner, "POST", "/v2/roles", role("Lister", "iam-access-management", "iam-access-management.customRole.read")).Want(201)
	p := s.Do(owner, "POST", "/v1/policies", v1(member, r.Text("crn"), "serviceName=iam-access-management")).Want(201)
	if p.Text("roles.0.display_name") != "Lister" {
		t.Errorf("the policy names its role: %s", p.Body)
	}
	list := "/v2/roles?account_id=" + acct
	if n := s.Do(member, "GET", list, nil).Len("custom_roles"); n != 1 {
		t.Errorf("the role's holder sees %d custom roles, want 1", n)
	}
	s.Do(owner, "PUT", "/v2/roles/"+r.Text("id"), m{"display_name": "Lister", "actions": []string{"iam-access-management.settings.read"}},
		"If-Match: *").Want(200)
	if n := s.Do(member, "GET", list, nil).Len("custom_roles"); n != 0 {
		t.Errorf("without the action the holder sees %d custom roles", n)
	}
	s.Do(member, "GET", "/v1/accounts/"+acct+"/settings/access_management", nil).Want(200)
	s.Do(owner, "DELETE", "/v2/roles/"+r.Text("id"), nil).Want(204)
	s.Do(member, "GET", "/v1/accounts/"+acct+"/settings/access_management", nil).Refused(403, "insufficent_permissions")
	left := s.Do(owner, "GET", "/v1/policies/"+p.Text("id"), nil).Want(200)
	if left.Len("roles") != 0 {
		t.Errorf("the policy still has the role: %s", left.Body)
	}
}

// To make a role is not to give it: that takes the right to give access to the
// role's service.
func TestWhoMakesRolesGivesNobodyAccess(t *testing.T) {
	s := serve(t)
	s.Grant(member, "Administrator", "serviceName=iam-access-management")
	s.Grant("IBMid-EDITOR", "Editor", "serviceName=iam-access-management")
	r := s.Do(member, "POST", "/v2/roles", role("Everything", "kms", "kms.secrets.read", "iam.policy.create", "iam.policy.read",
		"iam.policy.delete")).Want(201)
	for _, given := range []string{r.Text("crn"), "Administrator", "Reader"} {
		s.Do(member, "POST", "/v1/policies", v1(member, given, "serviceName=kms")).Refused(403, "insufficent_permissions")
		if a := s.Do(member, "POST", "/v2/policies", v2(member, given, "serviceType=service")); a.Status < 400 {
			t.Errorf("%s on all services: %s", given, a.Body)
		}
	}
	s.Do("IBMid-EDITOR", "POST", "/v2/roles", role("Other", "kms", "kms.secrets.list")).Refused(403, "insufficent_permissions")
	s.Do("IBMid-EDITOR", "DELETE", "/v2/roles/"+r.Text("id"), nil).Refused(403, "insufficent_permissions")
	s.Do("IBMid-EDITOR", "POST", "/v1/policies", v1("IBMid-EDITOR", "Administrator", "serviceName=iam-access-management")).Refused(403,
		"insufficent_permissions")
	// Nobody gives what is not the service's: the role exists for kms only.
	s.Grant(member, "Administrator", "serviceName=cloud-object-storage")
	s.Do(member, "POST", "/v1/policies", v1(member, r.Text("crn"), "serviceName=cloud-object-storage")).Refused(400, "invalid_body")
	if n := s.Do(owner, "GET", "/v2/policies?account_id="+acct+"&iam_id="+member, nil).Want(200).Len("policies"); n != 2 {
		t.Errorf("%d policies, want the two that the owner gave", n)
	}
}

func TestPoliciesOutliveTheServiceThatTheyAreAbout(t *testing.T) {
	s := serve(t)
	shop := catalog.Service{Name: "web-shop", Roles: []catalog.Role{{Name: "Cashier"}},
		Grants: []catalog.Grant{{Roles: []string{"Cashier"}, Actions: []string{"order.refund"}}}}
	own := s.Register(shop)
	cashier := "crn:v1:bluemix:public:web-shop::::serviceRole:Cashier"
	body := v2(member, cashier, "serviceName=web-shop")
	p := s.Do(owner, "POST", "/v2/policies", body).Want(201)
	r := s.Do(owner, "POST", "/v2/roles", role("Till", "web-shop", "web-shop.order.refund")).Want(201)
	till := s.Do(owner, "POST", "/v2/policies", v2("IBMid-TILL", r.Text("crn"), "serviceName=web-shop")).Want(201)
	if err := s.Registry.Delete(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	path := "/v2/policies/" + p.Text("id")
	subset(t, s.Do(owner, "GET", path+"?format=include_last_permit", nil).Want(200), body, "subject", "resource", "control")
	if got := s.Do(owner, "GET", path+"?format=display", nil).Want(200); got.Len("control.grant.roles.0.actions") > 0 {
		t.Errorf("a role of nothing has actions: %s", got.Body)
	}
	s.Do(owner, "PUT", path, body, "If-Match: *").Refused(400, "invalid_body")
	s.Do(owner, "GET", "/v2/roles/"+r.Text("id"), nil).Want(200)
	s.Do(owner, "PUT", "/v2/roles/"+r.Text("id"), m{"display_name": "Till", "actions": []string{"web-shop.order.refund"}},
		"If-Match: *").Refused(400, "invalid_body")
	for iamID := range map[string]bool{member: true, "IBMid-TILL": true} {
		if s.May(iamID, "web-shop.order.refund", "web-shop") {
			t.Errorf("%s may still refund", iamID)
		}
	}
	s.Register(shop)
	for iamID := range map[string]bool{member: true, "IBMid-TILL": true} {
		if !s.May(iamID, "web-shop.order.refund", "web-shop") {
			t.Errorf("%s may not refund in the new shop", iamID)
		}
	}
	s.Do(owner, "PUT", path, body, "If-Match: *").Want(200)
	s.Do(owner, "DELETE", "/v2/policies/"+till.Text("id"), nil).Want(204)
}

func TestRolesDoNotOverlap(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v2/roles", role("First", "kms", "kms.secrets.list", "kms.secrets.create")).Want(201)
	for name, body := range map[string]m{
		"same name":                       role("First", "watson", "watson.x.y"),
		"same actions in another order":   role("Second", "kms", "kms.secrets.create", "kms.secrets.list"),
		"same display name on a service":  with(role("Second", "kms", "kms.secrets.list"), "display_name", "First"),
		"same actions, one of them twice": role("Second", "kms", "kms.secrets.create", "kms.secrets.list", "kms.secrets.list"),
	} {
		if name == "same name" {
			body = role("First", "am-test-service", "am-test-service.test.read")
		}
		got := s.Do(owner, "POST", "/v2/roles", body).Refused(409, "role_conflict_error")
		if got.Text("errors.0.details.conflicts_with.role") != a.Text("id") {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
	third := s.Do(owner, "POST", "/v2/roles", with(role("Third", "am-test-service", "am-test-service.test.read"), "display_name",
		"First")).Want(201)
	// Terraform finds roles by their display names, custom ones first.
	for _, taken := range []string{"Viewer", "Manager", "Key Manager"} {
		s.Do(owner, "POST", "/v2/roles", with(role("Fake", "kms", "kms.secrets.read"), "display_name", taken)).Refused(409, "role_conflict_error")
		s.Do(owner, "PUT", "/v2/roles/"+third.Text("id"), m{"display_name": taken, "actions": []string{"am-test-service.test.read"}},
			"If-Match: *").Refused(409, "role_conflict_error")
	}
	s = serve(t, func(o *apitest.Options) { o.Access.CustomRoles = 1 })
	s.Do(owner, "POST", "/v2/roles", role("First", "kms", "kms.secrets.list")).Want(201)
	s.Do(owner, "POST", "/v2/roles", role("Fourth", "kms", "kms.secrets.read")).Refused(409, "limit_exceeded")
}

func TestMalformedRolesAreRefusedByField(t *testing.T) {
	s := serve(t)
	good := role("Good", "kms", "kms.secrets.list")
	for _, c := range []struct {
		field string
		value any
	}{
		{"name", ""}, {"name", "lower"}, {"name", "Has Space"}, {"name", "A234567890123456789012345678901"}, {"name", 7},
		{"display_name", ""}, {"display_name", strings.Repeat("x", 51)},
		{"description", strings.Repeat("x", 251)},
		{"account_id", ""}, {"account_id", "short"},
		{"service_name", ""}, {"service_name", "no-such-service"}, {"service_name", "alliamserviceroles"},
		{"actions", nil}, {"actions", []string{}}, {"actions", []string{"kms.no.such"}}, {"actions", []string{"watson.x.y"}},
		{"actions", []string{"iam.policy.read"}}, // platform actions only
	} {
		a := s.Do(owner, "POST", "/v2/roles", with(good, c.field, c.value))
		if a.Status != 400 {
			t.Errorf("%s = %v: status %d %s", c.field, c.value, a.Status, a.Body)
		}
	}
	if n := s.Do(owner, "GET", "/v2/roles?account_id="+acct, nil).Len("custom_roles"); n != 0 {
		t.Errorf("%d malformed roles were stored", n)
	}
	// Form comes before permission, permission before conflict.
	s.Do(member, "POST", "/v2/roles", with(good, "name", "")).Refused(400, "invalid_body")
	s.Do(member, "POST", "/v2/roles", good).Refused(403, "insufficent_permissions")
}

func TestChangesOfRolesAreRefusedInOrder(t *testing.T) {
	s := serve(t)
	good := role("Lister", "kms", "kms.secrets.list")
	path := "/v2/roles/" + s.Do(owner, "POST", "/v2/roles", good).Want(201).Text("id")
	absent := "/v2/roles/" + strings.Repeat("0", 32)
	change := m{"display_name": "Lister", "actions": []string{"kms.secrets.list"}}
	for field, bad := range map[string]m{
		"display_name": with(change, "display_name", ""), "actions": with(change, "actions", []string{}),
		"description": with(change, "description", strings.Repeat("x", 251)),
	} {
		// Malformed whatever there is, and whoever asks with whatever tag.
		for _, a := range []*apitest.Answer{s.Do(owner, "PUT", absent, bad, "If-Match: *"), s.Do(member, "PUT", path, bad, "If-Match: *"),
			s.Do(owner, "PUT", path, bad, "If-Match: 1-stale")} {
			if a.Status != 400 || !strings.Contains(string(a.Body), field) {
				t.Errorf("%s: %d %s", field, a.Status, a.Body)
			}
		}
	}
	unknown := with(change, "actions", []string{"kms.secrets.list", "kms.secrets.sing"})
	s.Do(owner, "PUT", path, unknown, "If-Match: 1-stale").Refused(400, "invalid_body")
	s.Do(owner, "PUT", absent, change, "If-Match: *").Refused(404, "role_not_found")
	s.Do(owner, "PUT", path, change, "If-Match: 1-stale").Refused(409, "role_conflict_error")
	s.Do(owner, "PUT", path, change, "If-Match: *").Want(200)
}

func TestForeignRoleIsRefusedLikeAnAbsentOne(t *testing.T) {
	s := serve(t)
	a := s.Do(owner, "POST", "/v2/roles", role("Mine", "kms", "kms.secrets.list")).Want(201)
	stranger := apitest.OtherOwner + "@" + apitest.Other
	absentID := strings.Repeat("0", 32)
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		var body any
		if method == "PUT" {
			body = m{"display_name": "x", "actions": []string{"kms.secrets.list"}}
		}
		ask := func(roleID string) *apitest.Answer {
			return s.Do(stranger, method, "/v2/roles/"+roleID, body, "If-Match: *", "Transaction-Id: t")
		}
		foreign, absent := ask(a.Text("id")), ask(absentID)
		if foreign.Status != 404 || strings.ReplaceAll(string(foreign.Body), a.Text("id"), absentID) != string(absent.Body) {
			t.Errorf("foreign: %d %s\nabsent: %d %s", foreign.Status, foreign.Body, absent.Status, absent.Body)
		}
	}
	mine := s.Do(stranger, "POST", "/v2/roles", role("Other", "kms", "kms.secrets.list")).Refused(404, "not_found")
	nowhere := s.Do(stranger, "POST", "/v2/roles", with(role("Other", "kms", "kms.secrets.list"), "account_id", apitest.Absent)).Refused(404,
		"not_found")
	if mine.Text("errors") != nowhere.Text("errors") {
		t.Errorf("foreign %s\nabsent %s", mine.Body, nowhere.Body)
	}
}

func TestSettingsForIdentitiesOfOtherAccounts(t *testing.T) {
	s := serve(t)
	path := "/v1/accounts/" + acct + "/settings/access_management"
	a := s.Do(owner, "GET", path, nil).Want(200)
	at := "external_account_identity_interaction.identity_types."
	for _, typ := range []string{"user", "service_id", "service"} {
		if a.Text(at+typ+".state") != "enabled" || a.Len(at+typ+".external_allowed_accounts") != 0 {
			t.Errorf("by default everything is enabled: %s", a.Body)
		}
	}
	if !tagForm.MatchString(a.ETag()) {
		t.Errorf("entity tag %q", a.ETag())
	}
	set := func(types m) m { return m{"external_account_identity_interaction": m{"identity_types": types}} }
	limited := m{"state": "limited", "external_allowed_accounts": []string{}}
	s.Do(owner, "PATCH", path, set(m{"user": limited})).Refused(400, "invalid_body")
	s.Do(owner, "PATCH", path, set(m{"user": limited}), "If-Match: 5-00000000000000000000000000000000").Refused(409, "conflict")

	// The member's policy counts for a token of another account until the setting forbids it.
	s.Grant(member, "Viewer", "serviceName=iam-access-management")
	s.Do(member+"@"+apitest.Other, "GET", path, nil).Want(200)
	b := s.Do(owner, "PATCH", path, set(m{"user": limited}), "If-Match: "+a.ETag()).Want(200)
	if b.Text(at+"user.state") != "limited" || b.Text(at+"service.state") != "enabled" || b.ETag() == a.ETag() {
		t.Errorf("after the change: %s", b.Body)
	}
	s.Do(member+"@"+apitest.Other, "GET", path, nil).Refused(404, "not_found")
	s.Do(member, "GET", path, nil).Want(200)
	s.Do(owner, "PATCH", path, set(m{"user": m{"state": "limited", "external_allowed_accounts": []string{apitest.Other}}}),
		"If-Match: *").Want(200)
	s.Do(member+"@"+apitest.Other, "GET", path, nil).Want(200)

	for _, bad := range []m{
		{}, set(m{}), set(m{"user": m{"state": "limited"}}), set(m{"user": m{"external_allowed_accounts": []string{}}}),
		set(m{"user": m{"state": "closed", "external_allowed_accounts": []string{}}}),
		set(m{"service": m{"state": "limited", "external_allowed_accounts": []string{"x"}}}),
		set(m{"user": m{"state": 7, "external_allowed_accounts": []string{}}}),
	} {
		s.Do(owner, "PATCH", path, bad, "If-Match: *").Refused(400, "invalid_body")
	}
	s.Do(member, "PATCH", path, set(m{"user": limited}), "If-Match: *").Refused(403, "insufficent_permissions")
	s.Do(owner, "GET", "/v1/accounts/x/settings/access_management", nil).Refused(400, "invalid_body")
	foreign, absent := s.Do(owner, "GET", "/v1/accounts/"+apitest.Other+"/settings/access_management", nil),
		s.Do(owner, "GET", "/v1/accounts/"+apitest.Absent+"/settings/access_management", nil)
	if foreign.Status != 404 || foreign.Text("errors") != absent.Text("errors") {
		t.Errorf("foreign: %d %s\nabsent: %d %s", foreign.Status, foreign.Body, absent.Status, absent.Body)
	}
}

func TestActionControlOverridesEvenTheOwner(t *testing.T) {
	s := serve(t)
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return access.Controls.Create(ctx, tx, &access.Control{Meta: store.Meta{Account: acct, ID: "control-1"}, Service: "kms",
			Actions: []string{"iam.policy.create"}}, store.Event{})
	})
	s.Do(owner, "POST", "/v1/policies", v1(member, "Viewer", "serviceName=kms")).Refused(403, "insufficent_permissions")
	s.Do(owner, "POST", "/v1/policies", v1(member, "Viewer", "serviceName=watson")).Want(201)
}
