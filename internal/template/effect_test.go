package template_test

import (
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// allowed asks for a decision about a service in an account.
func (f *forest) allowed(iamID, action, service, accountID string) bool {
	f.T.Helper()
	d, err := f.Authority.Decide(f.ctx, policy.Request{
		Subject: policy.Subject{Kind: policy.KindOf(iamID), IAMID: iamID, Account: accountID}, Action: action,
		Resource: policy.Resource{Account: accountID, ServiceName: service}, Environment: policy.Environment{Now: apitest.Noon},
	})
	f.ok(err)
	return d.Allowed
}

func TestThePoliciesOfAProfileTemplateGiveItAccess(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	a := f.assign(f.operators(), child)
	profile := f.policies(child)[0].Owner
	if !f.allowed(profile, "kms.instances.list", "kms", child) && !f.allowed(profile, "cloudantnosqldb.account.list", "cloudantnosqldb",
		child) &&
		!f.allowed(profile, "resource-controller.instance.create", "kms", child) {
		t.Error("the profile administrates no service")
	}
	f.ok(f.unassign(a))
	if f.allowed(profile, "resource-controller.instance.create", "kms", child) {
		t.Error("the profile has access after the removal")
	}
}

func TestWhatATemplateMadeIsProtectedInTheChild(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	f.assign(f.operators(), child)
	p := f.policies(child)[0]
	owner := apitest.Owner + "@" + child
	f.Do(owner, "GET", "/v1/policies/"+p.ID, nil).Want(200)
	f.Do(owner, "DELETE", "/v1/policies/"+p.ID, nil).Want(403)
	f.Do(owner, "PUT", "/v2/policies/"+p.ID, `{"type":"access","subject":{"attributes":[{"key":"iam_id","operator":"stringEquals","value":"`+
		p.Owner+`"}]},`+
		`"resource":{"attributes":[{"key":"accountId","operator":"stringEquals","value":"`+child+
		`"},{"key":"serviceName","operator":"stringEquals","value":"kms"}]},`+
		`"control":{"grant":{"roles":[{"role_id":"`+apitest.Role("Viewer")+`"}]}}}`, "If-Match: "+p.Tag).Want(403)
	f.wantWhole("Operators: first", child)
}

func TestAnActionControlForbidsTheOwnerToo(t *testing.T) {
	f := plant(t)
	child, other := f.child(f.ent, "child"), f.child(f.ent, "other")
	const action = "iam-groups.groups.create"
	if !f.allowed(apitest.Owner, action, "iam-groups", child) {
		t.Fatal("the owner may not do it anyway")
	}
	tmpl := f.template(kinds.Control, draft("no groups", object{"action_control": object{"service_name": "iam-groups",
		"actions": []string{action}}}))
	a := f.assign(tmpl, child)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	if f.allowed(apitest.Owner, action, "iam-groups", child) {
		t.Error("the owner may still do it")
	}
	if !f.allowed(apitest.Owner, action, "iam-groups", other) {
		t.Error("another account is bound, too")
	}
	f.ok(f.unassign(a))
	if !f.allowed(apitest.Owner, action, "iam-groups", child) {
		t.Error("the owner may not do it after the removal")
	}
}

func TestAPolicyTemplateBringsTheRolesOfItsRoleTemplates(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	role := f.template(kinds.Role, draft("group makers", object{"role": object{"name": "GroupMaker", "display_name": "Group maker",
		"service_name": "iam-groups", "actions": []string{"iam-groups.groups.create"}}}))
	doc := policyDoc("serviceName", "iam-groups", "Viewer")
	doc["policy"].(object)["control"] = object{"grant": object{"role_template_references": []object{{"id": role.ID, "version": "1"}}}}
	tmpl := f.template(kinds.Policy, draft("makers", doc))
	w := template.Wish{Number: 1, TargetType: template.TargetAccount, Target: child,
		Subject: &template.Subject{ID: apitest.Member, Type: policy.AttrIAMID}}
	a := must(f.ts.Assign(f.ctx, asker.System, tmpl, w))(t)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	if !f.allowed(apitest.Member, "iam-groups.groups.create", "iam-groups", child) {
		t.Error("the subject may not do what the role says")
	}
	roles := func() []*access.CustomRole {
		return must(access.CustomRoles.List(f.ctx, f.DB.Direct(), store.Query{Account: child}))(t)
	}
	if got := roles(); len(got) != 1 || got[0].Name != "GroupMaker" || got[0].Template == nil {
		t.Errorf("the account has roles %+v", got)
	}
	f.refused(f.delete(role), fault.Conflict, "assigned")
	f.ok(f.unassign(a))
	if len(roles()) != 0 || f.allowed(apitest.Member, "iam-groups.groups.create", "iam-groups", child) {
		t.Error("the role outlives the assignment")
	}
	f.ok(f.delete(role))
}

func TestARoleAssignedByItselfOutlivesThePolicyThatUsesIt(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	role := f.template(kinds.Role, draft("group makers", object{"role": object{"name": "GroupMaker", "display_name": "Group maker",
		"service_name": "iam-groups", "actions": []string{"iam-groups.groups.create"}}}))
	f.assign(role, child)
	doc := policyDoc("serviceName", "iam-groups", "Viewer")
	doc["policy"].(object)["control"] = object{"grant": object{"role_template_references": []object{{"id": role.ID, "version": "1"}}}}
	profile := f.template(kinds.Profile, draft("p", profileDoc("P", ""), f.template(kinds.Policy, draft("makers", doc))))
	a := f.assign(profile, child)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	f.ok(f.unassign(a))
	got := must(access.CustomRoles.List(f.ctx, f.DB.Direct(), store.Query{Account: child}))(t)
	if len(got) != 1 {
		t.Errorf("the account has %d roles", len(got))
	}
}

func TestAGroupTemplateMakesTheGroupWithItsMembersAndPolicies(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	tmpl := f.template(kinds.Group, draft("auditors", object{"group": object{"name": "Auditors",
		"members": object{"users": []string{apitest.Member}}}},
		f.template(kinds.Policy, draft("viewers", policyDoc("serviceName", "iam-groups", "Viewer")))))
	a := f.assign(tmpl, child)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	groups := func() (names []string) {
		for _, g := range must(access.Groups.List(f.ctx, f.DB.Direct(), store.Query{Account: child}))(t) {
			if g.Template != nil {
				names = append(names, g.Name)
			}
		}
		return names
	}
	if !slices.Equal(groups(), []string{"Auditors"}) || !f.allowed(apitest.Member, "iam-groups.groups.read", "iam-groups", child) {
		t.Errorf("groups %v; the member may read them: %v", groups(), f.allowed(apitest.Member, "iam-groups.groups.read", "iam-groups", child))
	}
	f.ok(f.unassign(a))
	if len(groups())+len(f.policies(child)) != 0 {
		t.Errorf("left are %v and %d policies", groups(), len(f.policies(child)))
	}
}
