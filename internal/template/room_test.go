package template_test

import (
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// Old goes before new comes: two policy templates that say the same may follow
// one another, of profiles and of groups.
func TestAVersionMayReferToAnotherTemplateThatSaysTheSame(t *testing.T) {
	for kind, payload := range map[string]object{
		kinds.Profile: profileDoc("Operators", "first"),
		kinds.Group:   {"group": object{"name": "Operators", "description": "first"}},
	} {
		t.Run(kind, func(t *testing.T) {
			f := plant(t)
			child := f.child(f.ent, "child")
			same := policyDoc("serviceName", "kms", "Viewer")
			old := f.template(kinds.Policy, draft("old", same))
			tmpl := f.template(kind, draft("operators", payload, old))
			a := f.assign(tmpl, child)
			f.want(a, template.Succeeded, results{child: template.Succeeded})

			f.next(tmpl, draft("operators", payload, f.template(kinds.Policy, draft("new", same))))
			a = f.reassign(a, 2)
			f.pass()
			f.want(a, template.Succeeded, results{child: template.Succeeded})
			if got := f.policies(child); len(got) != 1 {
				t.Errorf("the account holds %d policies, want one", len(got))
			}
			f.ok(f.deleteVersion(tmpl, 1))
			f.ok(f.delete(old))
		})
	}
}

// A template is in use as long as an account holds something of it, whatever its
// assignment wishes for by now.
func TestATemplateIsInUseWhereItStands(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	old := f.template(kinds.Policy, draft("old", policyDoc("serviceName", "kms", "Viewer")))
	tmpl := f.template(kinds.Profile, draft("operators", profileDoc("Operators", "first"), old))
	a := f.assign(tmpl, child)
	f.next(tmpl, draft("operators", profileDoc("Operators", "second"),
		f.template(kinds.Policy, draft("new", policyDoc("serviceName", "kms", "Editor"))),
		f.template(kinds.Policy, draft("twin", policyDoc("serviceName", "kms", "Operator")))))
	a = f.reassign(a, 2)
	f.pass()
	f.want(a, template.Failed, results{child: template.Failed})
	f.refused(f.delete(old), fault.Conflict, "in use")
	f.refused(f.deleteVersion(tmpl, 1), fault.Conflict, "in use")
}

// What an assignment was found to give, and what is there when it is written, is
// the same.
func TestNoTemplateIsAssignedWithoutWhatComesWithIt(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	gone := f.template(kinds.Policy, draft("gone", policyDoc("serviceName", "kms", "Viewer")))
	tmpl := f.template(kinds.Profile, draft("operators", profileDoc("Operators", "first"), gone))
	f.Meanwhile(func() { f.ok(f.delete(gone)) })
	if _, err := f.try(tmpl, 1, child); !errors.Is(err, store.ErrMoved) {
		t.Errorf("assigning it: %v", err)
	}
	_, err := f.try(tmpl, 1, child)
	f.refused(err, fault.Invalid, "has no version 1")
}
