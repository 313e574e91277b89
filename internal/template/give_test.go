package template_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

func onAccount(target string) template.Wish {
	return template.Wish{Number: 1, TargetType: template.TargetAccount, Target: target}
}

func (f *forest) forbidden(what string, err error, kind fault.Kind) {
	f.T.Helper()
	if !errors.Is(err, kind) {
		f.T.Errorf("%s: %v, want %s", what, err, kind)
	}
}

func TestAssigningNeedsSightOfTheEnterprise(t *testing.T) {
	f := plant(t)
	child, tmpl := f.child(f.ent, "child"), f.operators()
	member := f.As(apitest.Member, f.root)
	_, err := f.ts.Assign(f.ctx, member, tmpl, onAccount(child))
	f.forbidden("a member who does not see the enterprise", err, fault.Forbidden)
	_, err = f.ts.Assign(f.ctx, f.As(apitest.OtherOwner, apitest.Other), tmpl, onAccount(child))
	f.refused(err, fault.NotFound, "Template with Id "+tmpl.ID+" not found")
	f.wantNothing(child)
	f.Grant(apitest.Member, "Viewer", "serviceName=enterprise")
	f.Grant(apitest.Member, "TemplateAssignmentAdministrator", "serviceName=iam-access-management")
	_, err = f.ts.Assign(f.ctx, member, tmpl, onAccount(child))
	f.ok(err)
	f.wantWhole("Operators: first", child)
}

// lets is a template of an authorization: source may do on kms what a role gives.
func lets(role string, more ...object) object {
	grant := object{"roles": []object{}}
	if role != "" {
		grant["roles"] = []object{{"role_id": apitest.Role(role)}}
	}
	for _, ref := range more {
		grant["role_template_references"] = []object{ref}
	}
	equal := func(value string) object {
		return object{"attributes": []object{{"key": "serviceName", "operator": "stringEquals", "value": value}}}
	}
	return object{"policy": object{"type": "authorization", "subject": equal("is"), "resource": equal("kms"),
		"control": object{"grant": grant}}}
}

// What a service may do for whoever asks it, nobody may give it by a template
// that could not give it directly, neither at first nor by another version.
func TestAnAuthorizationOfATemplateGivesNoMoreThanItsGiverHolds(t *testing.T) {
	f := plant(t)
	f.Grant(apitest.Member, "Viewer", "serviceName=enterprise")
	f.Grant(apitest.Member, "Reader", "serviceName=kms")
	for _, who := range []string{apitest.Member, apitest.Owner} {
		f.Grant(who, "TemplateAssignmentAdministrator", "serviceName=iam-access-management")
	}
	child := f.child(f.ent, "child")
	member, owner := f.As(apitest.Member, f.root), f.As(apitest.Owner, f.root)
	reader, writer := f.template(kinds.Policy, draft("r", lets("Reader"))), f.template(kinds.Policy, draft("w", lets("Writer")))
	role := f.template(kinds.Role, draft("makers", object{"role": object{"name": "Makers", "display_name": "Makers", "service_name": "kms",
		"actions": []string{"kms.secrets.create"}}}))
	byRole := f.template(kinds.Policy, draft("byrole", lets("", object{"id": role.ID, "version": "1"})))
	within := f.template(kinds.Profile, draft("p", profileDoc("P", ""), writer))

	for name, tmpl := range map[string]*template.Template{"a stronger role": writer, "a role template": byRole, "a profile template": within} {
		_, err := f.ts.Assign(f.ctx, member, tmpl, onAccount(child))
		f.forbidden("the member's giving "+name, err, fault.Forbidden)
	}
	f.wantNothing(child)
	a, err := f.ts.Assign(f.ctx, member, reader, onAccount(child))
	f.ok(err)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	f.next(reader, draft("r", lets("Writer")))
	_, err = f.ts.Reassign(f.ctx, member, a, "*", 2)
	f.forbidden("the member's assigning the next version", err, fault.Forbidden)
	_, err = f.ts.Reassign(f.ctx, owner, a, "*", 2)
	f.ok(err)
	a, err = f.ts.Assign(f.ctx, owner, byRole, onAccount(f.child(f.ent, "second")))
	f.ok(err)
	if f.status(a) != template.Succeeded {
		t.Errorf("the owner's assignment is %s", f.status(a))
	}
}

// Two role templates of one policy are two roles, each time that it is laid.
func TestAPolicyKeepsTheRolesOfAllItsRoleTemplates(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	var refs []object
	for name, action := range map[string]string{"First": "create", "Second": "update"} {
		r := f.template(kinds.Role, draft(name, object{"role": object{"name": name, "display_name": name, "service_name": "iam-groups",
			"actions": []string{"iam-groups.groups." + action}}}))
		refs = append(refs, object{"id": r.ID, "version": "1"})
	}
	doc := policyDoc("serviceName", "iam-groups", "Viewer")
	doc["policy"].(object)["control"] = object{"grant": object{"role_template_references": refs}}
	pol := f.template(kinds.Policy, draft("makers", doc))
	roles := func() (names []string) {
		for _, r := range must(access.CustomRoles.List(f.ctx, f.DB.Direct(), store.Query{Account: child}))(t) {
			names = append(names, r.Name+" "+r.DisplayName)
		}
		slices.Sort(names)
		return names
	}
	for what, tmpl := range map[string]*template.Template{
		"a policy": pol, "a profile with it": f.template(kinds.Profile, draft("p", profileDoc("P", ""), pol)),
	} {
		w := onAccount(child)
		w.Subject = &template.Subject{ID: apitest.Member, Type: "iam_id"}
		a := must(f.ts.Assign(f.ctx, asker.System, tmpl, w))(t)
		for range 2 {
			f.want(a, template.Succeeded, results{child: template.Succeeded})
			if got := roles(); !slices.Equal(got, []string{"First First", "Second Second"}) {
				t.Errorf("%s: the account has the roles %q", what, got)
			}
			r := must(f.ts.Results(f.ctx, a))(t)[0]
			if r.Error != nil {
				t.Fatalf("%s: %+v", what, r.Error)
			}
			for _, p := range r.Parts {
				if p.Made != f.policies(child)[0].ID {
					t.Errorf("%s: its part made %s", what, p.Made)
				}
			}
			a = f.reassign(a, 1)
		}
		f.ok(f.unassign(a))
		if got := roles(); len(got) != 0 {
			t.Errorf("%s leaves the roles %q", what, got)
		}
	}
}
