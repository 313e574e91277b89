package template_test

import (
	"context"
	"fmt"
	"strings"
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

var allKinds = []string{kinds.Profile, kinds.Settings, kinds.Policy, kinds.Role, kinds.Control, kinds.Group}

// wholeDoc gives the smallest whole template of a kind.
func wholeDoc(kind string) object {
	return map[string]object{
		kinds.Profile: profileDoc("P", ""), kinds.Settings: {"account_settings": object{"mfa": "LEVEL1"}},
		kinds.Group: {"group": object{"name": "G"}}, kinds.Role: roleDoc("R", "kms.secrets.list"),
		kinds.Policy:  policyDoc("serviceName", "kms", "Reader"),
		kinds.Control: {"action_control": object{"service_name": "iam-groups", "actions": []string{"iam-groups.groups.create"}}},
	}[kind]
}

func roleDoc(name string, actions ...string) object {
	return object{"role": object{"name": name, "display_name": name, "service_name": "kms", "actions": actions}}
}

// referring are templates of every kind that can refer, to a version of another
// one: by kind, with the kind of what they refer to.
func (f *forest) referring() map[string]func(to template.Reference) template.Draft {
	refer := func(doc object) func(template.Reference) template.Draft {
		return func(to template.Reference) template.Draft {
			d := draft("refers", doc)
			d.References = []template.Reference{to}
			return d
		}
	}
	return map[string]func(template.Reference) template.Draft{
		kinds.Profile: refer(profileDoc("P", "")),
		kinds.Group:   refer(object{"group": object{"name": "G"}}),
		kinds.Policy: func(to template.Reference) template.Draft {
			return draft("refers", lets("Reader", object{"id": to.ID, "version": fmt.Sprint(to.Version)}))
		},
	}
}

// referred is what templates of a kind refer to.
func (f *forest) referred(kind string) template.Reference {
	if kind == kinds.Policy {
		return template.Reference{Kind: kinds.Role, Version: 1,
			ID: f.template(kinds.Role, draft("referred", roleDoc("Lister", "kms.secrets.list"))).ID}
	}
	return template.Reference{Kind: kinds.Policy, Version: 1,
		ID: f.template(kinds.Policy, draft("referred", policyDoc("serviceName", "kms", "Reader"))).ID}
}

// A template refers to nothing that its author may not read; whether it is there
// the answer does not tell.
func TestATemplateRefersOnlyToWhatItsAuthorMayRead(t *testing.T) {
	f := plant(t)
	member := f.As(apitest.Member, f.root)
	var kept []func() error
	for kind, refers := range f.referring() {
		to := f.referred(kind)
		absent := to
		absent.ID = strings.Repeat("0", 8)
		own := f.template(kind, func() template.Draft { d := refers(to); d.Committed = false; return d }())
		version := must(f.ts.Version(f.ctx, own, 1))(t)
		for what, write := range map[string]func(template.Draft) error{
			"create": func(d template.Draft) error {
				_, _, err := f.ts.Create(f.ctx, member, f.root, must(f.ts.CheckNew(kind, d))(t))
				return err
			},
			"new version": func(d template.Draft) error {
				_, _, err := f.ts.AddVersion(f.ctx, member, f.head(own), must(f.ts.Check(kind, d))(t))
				return err
			},
			"replace": func(d template.Draft) error {
				_, _, err := f.ts.UpdateVersion(f.ctx, member, f.head(own), version, "", must(f.ts.Check(kind, d))(t))
				return err
			},
		} {
			hidden, none := write(refers(to)), write(refers(absent))
			f.refused(hidden, fault.Invalid, "has no version 1")
			if hidden == nil || none == nil || strings.ReplaceAll(hidden.Error(), to.ID, absent.ID) != none.Error() {
				t.Errorf("%s of %s template: what may not be read answers %v, what is not there %v", what, kind, hidden, none)
			}
			if what != "replace" { // it can be done but once
				kept = append(kept, func() error { return write(refers(to)) })
			}
		}
	}
	f.Grant(apitest.Member, "TemplateAdministrator", "serviceName=iam-access-management")
	for _, write := range kept {
		f.ok(write())
	}
}

// Whatever comes with a template must be its giver's to assign by itself: at
// first, by another version and when it is repeated.
func TestAssigningNeedsTheRightToAssignAllThatComesWithATemplate(t *testing.T) {
	f := plant(t)
	member := f.As(apitest.Member, f.root)
	f.Grant(apitest.Member, "Viewer", "serviceName=enterprise")
	f.Grant(apitest.Member, "Manager", "serviceName=kms")
	for kind, refers := range f.referring() {
		to := f.referred(kind)
		tmpl := f.template(kind, refers(to))
		child := f.child(f.ent, "child "+kind)
		allowed := f.child(f.ent, "other "+kind)
		_, err := f.ts.Assign(f.ctx, member, tmpl, onAccount(child))
		f.forbidden("assigning "+kind, err, fault.Forbidden)
		f.wantNothing(child)
		a := must(f.ts.Assign(f.ctx, asker.System, tmpl, onAccount(child)))(t)
		_, err = f.ts.Reassign(f.ctx, member, a, "*", 1)
		f.forbidden("repeating "+kind, err, fault.Forbidden)
		f.next(tmpl, refers(to))
		_, err = f.ts.Reassign(f.ctx, member, a, "*", 2)
		f.forbidden("another version of "+kind, err, fault.Forbidden)

		p := f.Grant(apitest.Member, "TemplateAssignmentAdministrator", "serviceName=iam-access-management")
		_, err = f.ts.Assign(f.ctx, member, tmpl, onAccount(allowed))
		f.ok(err)
		f.ok(f.DeletePolicy(p))
	}
}

// What assigning needs, changing and removing an assignment need as well.
func TestEverythingAboutAssignmentsNeedsSightOfTheEnterprise(t *testing.T) {
	f := plant(t)
	member, other := f.As(apitest.Member, f.root), f.As(apitest.OtherOwner, apitest.Other)
	for _, service := range []string{"iam-identity", "iam-groups", "iam-access-management"} {
		f.Grant(apitest.Member, "TemplateAssignmentAdministrator", "serviceName="+service)
	}
	for _, kind := range allKinds {
		tmpl := f.template(kind, draft(kind, wholeDoc(kind)))
		subject := &template.Subject{ID: apitest.Member, Type: "iam_id"}
		w := onAccount(f.child(f.ent, "child "+kind))
		w.Subject = subject
		a := must(f.ts.Assign(f.ctx, asker.System, tmpl, w))(t)
		w.Target = f.child(f.ent, "free "+kind)
		verbs := []struct {
			name string
			do   func(who asker.Asker) error
		}{
			{"assign", func(who asker.Asker) error { _, err := f.ts.Assign(f.ctx, who, tmpl, w); return err }},
			{"update", func(who asker.Asker) error { _, err := f.ts.Reassign(f.ctx, who, f.now(a), "*", 1); return err }},
			{"remove", func(who asker.Asker) error { return f.ts.Unassign(f.ctx, who, f.now(a)) }},
		}
		for _, verb := range verbs {
			f.forbidden("to "+verb.name+" "+kind+" without sight", verb.do(member), fault.Forbidden)
			f.forbidden("to "+verb.name+" "+kind+" from outside", verb.do(other), fault.NotFound)
		}
		p := f.Grant(apitest.Member, "Viewer", "serviceName=enterprise")
		for _, verb := range verbs {
			if err := verb.do(member); err != nil {
				t.Errorf("to %s %s with sight: %v", verb.name, kind, err)
			}
		}
		f.ok(f.DeletePolicy(p))
	}
}

// names has the service is do on kms of an account what a custom role there says.
func (f *forest) names(accountID, role string) *access.Policy {
	f.T.Helper()
	equal := func(key, value string) policy.Attribute {
		return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
	}
	crn := (&access.CustomRole{Meta: store.Meta{Account: accountID, Name: role}}).CRN()
	return must(f.CreatePolicy(asker.System, &policy.Policy{Version: policy.V2, Type: policy.TypeAuthorization, State: policy.StateActive,
		Subject:  []policy.Attribute{equal("serviceName", "is"), equal("accountId", accountID)},
		Resource: []policy.Attribute{equal("serviceName", "kms"), equal("accountId", accountID)}, RoleIDs: []string{crn}}))(f.T)
}

// outcome tells what an assignment of an account came to.
func (f *forest) outcome(a *template.Assignment) *template.Result {
	f.T.Helper()
	return must(f.ts.Results(f.ctx, a))(f.T)[0]
}

func (f *forest) actions(accountID string) (out []string) {
	f.T.Helper()
	for _, r := range must(access.CustomRoles.List(f.ctx, f.DB.Direct(), store.Query{Account: accountID}))(f.T) {
		out = append(out, r.Name+": "+strings.Join(r.Actions, " "))
	}
	return out
}

// Where an authorization of an account names a role, a template gives it no more
// than who assigned the template holds, as if they changed the role themselves:
// neither by another version, nor by a role of a name that lived before, nor
// where the account joins later.
func TestARoleTemplateGivesServicesNoMoreThanItsGiverHolds(t *testing.T) {
	f := plant(t)
	member, owner := f.As(apitest.Member, f.root), f.As(apitest.Owner, f.root)
	f.Grant(apitest.Member, "Viewer", "serviceName=enterprise")
	f.Grant(apitest.Member, "Reader", "serviceName=kms")
	const list, create = "kms.secrets.list", "kms.secrets.create"
	refused := func(what string, a *template.Assignment) {
		t.Helper()
		r := f.outcome(a)
		if r.Status != template.Failed || r.Error == nil || r.Error.Status != 403 || !strings.Contains(r.Error.Message, create) {
			t.Errorf("%s: %s %+v", what, r.Status, r.Error)
		}
	}
	succeeded := func(what string, a *template.Assignment, accountID, want string) {
		t.Helper()
		if r := f.outcome(a); r.Status != template.Succeeded {
			t.Errorf("%s: %s %+v", what, r.Status, r.Error)
		}
		if got := f.actions(accountID); len(got) != 1 || got[0] != want {
			t.Errorf("%s: the account has the roles %q", what, got)
		}
	}

	tmpl, child := f.template(kinds.Role, draft("r", roleDoc("Worker", list))), f.child(f.ent, "child")
	a := must(f.ts.Assign(f.ctx, member, tmpl, onAccount(child)))(t)
	succeeded("at first", a, child, "Worker: "+list)
	f.next(tmpl, draft("r", roleDoc("Worker", list, create)))
	a = must(f.ts.Reassign(f.ctx, member, a, "*", 2))(t)
	succeeded("widening what nothing names", a, child, "Worker: "+list+" "+create)
	a = must(f.ts.Reassign(f.ctx, member, a, "*", 1))(t)
	f.names(child, "Worker")
	a = must(f.ts.Reassign(f.ctx, member, a, "*", 2))(t)
	refused("widening what an authorization names", a)
	if got := f.actions(child); len(got) != 1 || got[0] != "Worker: "+list {
		t.Errorf("what was refused left %q", got)
	}
	a = must(f.ts.Reassign(f.ctx, owner, a, "*", 2))(t)
	succeeded("the owner's widening it", a, child, "Worker: "+list+" "+create)

	lived := f.child(f.ent, "lived")
	f.revive(lived)
	old := f.template(kinds.Role, draft("o", roleDoc("Lived", list, create)))
	b := must(f.ts.Assign(f.ctx, member, old, onAccount(lived)))(t)
	refused("a role of a name that an authorization kept", b)
	b = must(f.ts.Reassign(f.ctx, owner, b, "*", 1))(t)
	succeeded("the owner's giving it", b, lived, "Lived: "+list+" "+create)

	group, later := f.group(f.ent, "group"), f.child(f.ent, "later")
	f.revive(later)
	w := onAccount(idOf(group))
	w.TargetType = template.TargetGroup
	c := must(f.ts.Assign(f.ctx, member, old, w))(t)
	f.pass()
	f.move(later, group)
	f.pass()
	refused("an account that joined later", c)
}

// revive leaves an authorization that names a role Lived, which is not there any
// more: it was deleted with it and came back.
func (f *forest) revive(accountID string) {
	f.T.Helper()
	r := &access.CustomRole{DisplayName: "Lived", Service: "kms", Actions: []string{"kms.secrets.list"}}
	r.Name = "Lived"
	r = must(f.Access.CreateRole(f.ctx, asker.System, accountID, apitest.Checked(f.T, f.Access.RoleSpec(r))))(f.T)
	p := f.names(accountID, "Lived")
	f.ok(f.DeletePolicy(p.ID))
	f.ok(f.Access.DeleteRole(f.ctx, r))
	f.Update(func(ctx context.Context, tx store.Tx) error {
		p, err := access.Policies.Get(ctx, tx, accountID, p.ID)
		if err != nil {
			return err
		}
		p.Doc.State, p.Parent = policy.StateActive, string(policy.StateActive)
		return access.Policies.Update(ctx, tx, p, store.Event{})
	})
}

// An authorization that names the role of a role template gets the version that
// its giver may give, even where another assignment laid a wider one.
func TestAnAuthorizationOfATemplateTakesNoRoleThatWasWidened(t *testing.T) {
	f := plant(t)
	member := f.As(apitest.Member, f.root)
	f.Grant(apitest.Member, "Viewer", "serviceName=enterprise")
	f.Grant(apitest.Member, "Reader", "serviceName=kms")
	f.Grant(apitest.Member, "TemplateAssignmentAdministrator", "serviceName=iam-access-management")
	role := f.template(kinds.Role, draft("r", roleDoc("Worker", "kms.secrets.list")))
	byRole := f.template(kinds.Policy, draft("p", lets("", object{"id": role.ID, "version": "1"})))
	f.next(role, draft("r", roleDoc("Worker", "kms.secrets.list", "kms.secrets.create")))
	for version, want := range map[int]template.Status{1: template.Succeeded, 2: template.Failed} {
		child := f.child(f.ent, fmt.Sprint("child ", version))
		w := onAccount(child)
		w.Number = version
		must(f.ts.Assign(f.ctx, asker.System, role, w))(t)
		a := must(f.ts.Assign(f.ctx, member, byRole, onAccount(child)))(t)
		if r := f.outcome(a); r.Status != want {
			t.Errorf("over version %d of the role: %s %+v", version, r.Status, r.Error)
		}
	}
}
