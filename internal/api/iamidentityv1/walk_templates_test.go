package iamidentityv1_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
)

const entID = "ffffffffffffffffffffffffffffffff"

// found makes the first account the root of an enterprise.
func (s *server) found() {
	s.t.Helper()
	ctx := context.Background()
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		e := &enterprise.Enterprise{Meta: store.Meta{Account: acct, ID: entID, Name: "Hidden", Owner: ann}, State: account.Active}
		if err := enterprise.Enterprises.Create(ctx, tx, e, store.Event{}); err != nil {
			return err
		}
		root := &enterprise.Member{Meta: store.Meta{Account: acct, ID: acct, Parent: entID, Name: "Hidden root", Owner: ann}, Enterprise: entID,
			State: account.Active, Root: true}
		return enterprise.Members.Create(ctx, tx, root, store.Event{})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// child makes an account that templates can be laid on.
func (s *server) child() string {
	s.t.Helper()
	s.worlds++
	return s.NewChild(enterprise.CRN(acct, "enterprise", entID), enterprise.NewAccount{Name: fmt.Sprint("Child ", s.worlds), Owner: ann,
		Managed: true})
}

// templateKind is what the two kinds of template differ in.
type templateKind struct{ templates, assignments, noun, assignment, payload string }

var templateKinds = []templateKind{
	{"/v1/profile_templates", "/v1/profile_assignments", "profile_template", "trusted_profile_assignment", `"profile":{"name":"hidden made"}`},
	{"/v1/account_settings_templates", "/v1/account_settings_assignments", "account_settings_template", "account_settings_assignment",
		`"account_settings":{"mfa":"LEVEL1"}`},
}

// addTemplates puts templates into the world: for each kind one that can be
// changed, one that can be assigned to a free account, and an assignment.
func (s *server) addTemplates(w world) {
	s.t.Helper()
	for _, k := range templateKinds {
		body := func() string {
			s.worlds++
			return fmt.Sprintf(`{"name":"hidden template %d","account_id":%q,%s}`, s.worlds, acct, k.payload)
		}
		create := func() string { return text(s.t, s.do("ann", "POST", k.templates, body()).ok(201), "id") }
		w.ids[k.templates] = create()
		final := create()
		s.do("ann", "POST", k.templates+"/"+final+"/versions/1/commit", "").ok(204)
		assign := func(target string) string {
			return obj("template_id", final, "template_version", 1, "target_type", "Account", "target", target)
		}
		w.ids[k.assignments] = text(s.t, s.do("ann", "POST", k.assignments, assign(s.child())).ok(202), "id")
		w.ids["final "+k.noun] = final
		w.bodies["create_"+k.noun] = body()
		w.bodies["create_"+k.noun+"_version"] = "{" + k.payload + "}"
		w.bodies["update_"+k.noun+"_version"] = obj("description", "d")
		w.bodies["create_"+k.assignment] = assign(s.child())
		w.bodies["update_"+k.assignment] = obj("template_version", 1)
	}
	w.ids["version"] = "1"
}

// kindOf tells which id a wildcard of a template operation stands for.
func kindOf(op httpapi.Operation, wildcard string) string {
	if own := idpKindOf(op, wildcard); own != "" {
		return own
	}
	if wildcard == "template_id" || wildcard == "assignment_id" || wildcard == "id" {
		return strings.SplitN(op.Path, "/{", 2)[0]
	}
	return wildcard
}
