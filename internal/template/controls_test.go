package template_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

const expiration = 3600

// claims are conditions of rules.
func claims(value string) []identity.Condition {
	return []identity.Condition{{Claim: "team", Operator: "EQUALS", Value: value}}
}

// controlled is the operators' profile with a claim rule and action controls,
// nil for none.
func (f *forest) controlled(controls any) *template.Template {
	f.T.Helper()
	doc := profileDoc("Operators", "first")
	doc["profile"].(object)["rules"] = []object{{"type": identity.RuleSAML, "realm_name": "realm", "expiration": expiration,
		"conditions": claims(`"ops"`)}}
	if controls != nil {
		doc["action_controls"] = controls
	}
	return f.template(kinds.Profile, draft("operators", doc, f.template(kinds.Policy,
		draft("services", policyDoc("serviceType", "service", "Viewer")))))
}

// everyPart is the same control for every part of a profile.
func everyPart(add, remove bool) object {
	c := object{"add": add, "remove": remove}
	return object{"identities": c, "rules": c, "policies": c}
}

func (f *forest) theProfile(accountID string) *identity.Profile {
	f.T.Helper()
	return must(identity.Profiles.List(f.ctx, f.DB.Direct(), store.Query{Account: accountID}))(f.T)[0]
}

func (f *forest) theGroup(accountID string) *access.Group {
	f.T.Helper()
	return must(access.Groups.List(f.ctx, f.DB.Direct(), store.Query{Account: accountID}))(f.T)[0]
}

// give makes a policy of the account itself.
func (f *forest) give(accountID, key, subject string) (*access.Policy, error) {
	eq := func(key, value string) policy.Attribute {
		return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
	}
	return f.CreatePolicy(asker.System, &policy.Policy{Type: policy.TypeAccess, Subject: []policy.Attribute{eq(key, subject)},
		Resource: []policy.Attribute{eq(policy.AttrServiceName, "watson"), eq(policy.AttrAccountID, accountID)},
		RoleIDs:  []string{"crn:v1:bluemix:public:iam::::role:Viewer"}})
}

// managed finds the part that the template gave.
func managed[T any](t *testing.T, list []*T, is func(*T) bool) *T {
	t.Helper()
	i := slices.IndexFunc(list, is)
	if i < 0 {
		t.Fatal("the template gave no such part")
	}
	return list[i]
}

// verdict checks whether something was allowed.
func (f *forest) verdict(what string, err error, allowed bool) {
	f.T.Helper()
	if allowed && err != nil {
		f.T.Errorf("%s: %v", what, err)
	}
	if !allowed && !errors.Is(err, fault.Forbidden) {
		f.T.Errorf("%s: %v, want it forbidden", what, err)
	}
}

func TestActionControlsOfAProfileSayWhatTheAccountMayDo(t *testing.T) {
	for name, c := range map[string]struct {
		controls    any
		add, remove bool
	}{
		"said nothing":    {nil, true, false},
		"neither":         {everyPart(false, false), false, false},
		"adding":          {everyPart(true, false), true, false},
		"removing":        {everyPart(false, true), false, true},
		"half of it said": {object{"rules": object{"add": true, "remove": false}}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := plant(t)
			child := f.child(f.ent, "child")
			a := f.assign(f.controlled(c.controls), child)
			f.want(a, template.Succeeded, results{child: template.Succeeded})
			p := f.theProfile(child)
			seconds := expiration

			_, err := f.Identity.CreateRule(f.ctx, p, apitest.Checked(t, identity.RuleSpec{Type: identity.RuleSAML, RealmName: "mine",
				Expiration: &seconds, Conditions: claims(`"mine"`)}))
			f.verdict("adding a rule", err, c.add)
			_, err = f.Identity.SetTrust(f.ctx, p, apitest.Checked(t, identity.TrustSpec{Type: identity.TrustUser, Identifier: "IBMid-550000MINE"}))
			f.verdict("adding an identity", err, c.add)
			_, err = f.Identity.CreateLink(f.ctx, p, apitest.Checked(t, identity.LinkSpec{CRType: identity.VSI,
				Resource: identity.Resource{CRN: "crn:v1:bluemix:public:is:us-south:a/" + child + "::instance:vsi"}}))
			f.verdict("adding a link", err, c.add)
			_, err = f.give(child, policy.AttrIAMID, p.Owner)
			f.verdict("adding a policy", err, c.add)

			rule := managed(t, must(f.Identity.Rules(f.ctx, p))(t), func(r *identity.ClaimRule) bool { return r.Managed })
			f.verdict("removing the template's rule", f.Identity.DeleteRule(f.ctx, p, rule.ID), c.remove)
			_, trusts, err := f.Identity.Trusts(f.ctx, p)
			f.ok(err)
			trust := managed(t, trusts, func(x *identity.Trust) bool { return x.Managed })
			f.verdict("removing the template's identity", f.Identity.DeleteTrust(f.ctx, p,
				apitest.Checked(t, identity.TrustKey{Type: trust.Type, Identifier: trust.Identifier})), c.remove)
			given := managed(t, f.policies(child), func(x *access.Policy) bool { return x.Template != nil })
			f.verdict("removing the template's policy", f.DeletePolicy(given.ID), c.remove)
			f.verdict("changing the profile", func() error {
				_, err := f.Identity.UpdateProfile(f.ctx, p, "*", apitest.Checked(t, identity.ProfileChange{Description: new(string)}))
				return err
			}(), false)
		})
	}
}

func TestWhatTheAccountRemovedComesBackWithTheNextAssignment(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	a := f.assign(f.controlled(everyPart(false, true)), child)
	p := f.theProfile(child)
	f.ok(f.Identity.DeleteRule(f.ctx, p, must(f.Identity.Rules(f.ctx, p))(t)[0].ID))
	_, _, err := f.Identity.SetTrusts(f.ctx, p, "*", apitest.Checked(t, identity.TrustSpecs(nil)))
	f.ok(err)
	f.ok(f.DeletePolicy(f.policies(child)[0].ID))
	a = f.reassign(a, 1)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	_, trusts, err := f.Identity.Trusts(f.ctx, p)
	f.ok(err)
	if rules := must(f.Identity.Rules(f.ctx, p))(t); len(rules) != 1 || len(trusts) != 1 ||
		f.policies(child)[0].Doc.State != policy.StateActive {
		t.Errorf("%d rules, %d identities, policy %s", len(rules), len(trusts), f.policies(child)[0].Doc.State)
	}
}

func TestAStricterVersionFailsWhereTheAccountAddedSomething(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	tmpl := f.controlled(everyPart(true, false))
	a := f.assign(tmpl, child)
	p := f.theProfile(child)
	own := must(f.give(child, policy.AttrIAMID, p.Owner))(t)
	doc := profileDoc("Operators", "second")
	doc["action_controls"] = everyPart(false, false)
	f.next(tmpl, draft("operators", doc))
	a = f.reassign(a, 2)
	f.want(a, template.Failed, results{child: template.Failed})
	r := must(f.ts.Results(f.ctx, a))(t)[0]
	if r.Error == nil || r.Error.Code != "action_control_conflict" || r.Error.Status != 409 {
		t.Errorf("the account's error is %+v", r.Error)
	}
	if got := f.theProfile(child); got.Description != "first" || !got.Controls.Rules.Add {
		t.Errorf("the profile was changed nevertheless: %+v", got)
	}
	f.ok(f.DeletePolicy(own.ID))
	a = f.reassign(a, 2)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
}

// groupDoc is a group template with one member and two rules, the second of
// which has controls of its own.
func groupDoc(add, remove, policies any) object {
	return object{"group": object{"name": "Auditors",
		"members": object{"users": []string{"IBMid-550000AUDI"}, "action_controls": object{"add": add, "remove": remove}},
		"assertions": object{"action_controls": object{"add": add, "remove": remove, "update": remove}, "rules": []object{
			{"name": "first", "expiration": 12, "realm_name": "realm", "conditions": claims(`"audit"`)},
			{"name": "second", "expiration": 12, "realm_name": "realm", "conditions": claims(`"other"`),
				"action_controls": object{"remove": false, "update": false}},
		}},
		"action_controls": object{"access": object{"add": policies}}}}
}

func TestActionControlsOfAGroupSayWhatTheAccountMayDo(t *testing.T) {
	for name, c := range map[string]struct {
		add, remove, policies any
	}{
		"said nothing": {nil, nil, nil},
		"nothing":      {false, false, false},
		"adding":       {true, false, true},
		"removing":     {false, true, false},
		"policies":     {false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := plant(t)
			child := f.child(f.ent, "child")
			f.assign(f.template(kinds.Group, draft("auditors", groupDoc(c.add, c.remove, c.policies))), child)
			g := f.theGroup(child)
			add, remove := c.add == true, c.remove == true

			mine := access.NewMember{IAMID: "IBMid-550000MINE", Type: access.MemberUser}
			out := must(f.Access.AddMembers(f.ctx, asker.System, g, apitest.Checked(t, access.Joining{mine})))(t)
			f.verdict("adding a member", out[0].Err, add)
			out = must(f.Access.AddToGroups(f.ctx, asker.System, child, apitest.Checked(t,
				access.Spread{NewMember: mine, Groups: []string{g.ID}})))(t)
			f.verdict("adding a member from its side", out[0].Err, add)
			spec := apitest.Checked(t, access.RuleSpec{Name: "mine", RealmName: "mine", Hours: 1,
				Conditions: []policy.ClaimCondition{{Claim: "team", Operator: policy.ClaimEquals, Value: `"mine"`}}})
			rule, err := f.Access.CreateRule(f.ctx, g, spec)
			f.verdict("adding a rule", err, add)
			_, err = f.give(child, policy.AttrAccessGroupID, g.ID)
			f.verdict("adding a policy", err, c.policies == true)

			all := must(f.Access.ListRules(f.ctx, g))(t)
			rules := []*access.GroupRule{managed(t, all, func(r *access.GroupRule) bool { return r.Name == "first" }),
				managed(t, all, func(r *access.GroupRule) bool { return r.Name == "second" })}
			_, err = f.Access.ReplaceRule(f.ctx, g, rules[0].ID, "*", spec)
			f.verdict("changing the template's rule", err, remove)
			_, err = f.Access.ReplaceRule(f.ctx, g, rules[1].ID, "*", spec)
			f.verdict("changing a rule with controls of its own", err, false)
			f.verdict("removing the template's rule", f.Access.DeleteRule(f.ctx, g, rules[0].ID), remove)
			f.verdict("removing a rule with controls of its own", f.Access.DeleteRule(f.ctx, g, rules[1].ID), false)
			f.verdict("removing the template's member", f.Access.RemoveMember(f.ctx, asker.System, g, "IBMid-550000AUDI"), remove)
			if add {
				f.verdict("removing a member of its own", f.Access.RemoveMember(f.ctx, asker.System, g, mine.IAMID), true)
				f.verdict("removing a rule of its own", f.Access.DeleteRule(f.ctx, g, rule.ID), true)
			}
		})
	}
}

func TestAStricterGroupVersionFailsUntilTheAccountsAdditionsAreGone(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	tmpl := f.template(kinds.Group, draft("auditors", groupDoc(true, false, true)))
	a := f.assign(tmpl, child)
	g := f.theGroup(child)
	f.Join(g, access.NewMember{IAMID: "IBMid-550000MINE", Type: access.MemberUser})
	f.next(tmpl, draft("auditors", groupDoc(false, false, true)))
	a = f.reassign(a, 2)
	f.want(a, template.Failed, results{child: template.Failed})
	f.ok(f.Access.RemoveMember(f.ctx, asker.System, g, "IBMid-550000MINE"))
	a = f.reassign(a, 2)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
}

// Both ways round would delete the policy; the assignment would still say that
// the account holds it.
func TestAnAccountCannotDeleteATemplatesPolicyThroughItsSubject(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	own := f.NewGroup(child, "own")
	for _, subject := range []string{own.ID, policy.PublicAccessGroupID} {
		tmpl := f.template(kinds.Policy, draft("to "+subject, policyDoc("serviceName", "kms", "Viewer")))
		must(f.ts.Assign(f.ctx, asker.System, tmpl, template.Wish{Number: 1, TargetType: template.TargetAccount, Target: child,
			Subject: &template.Subject{ID: subject, Type: policy.AttrAccessGroupID}}))(t)
		must(f.give(child, policy.AttrAccessGroupID, subject))(t)
	}
	f.ok(f.Access.DeleteGroup(f.ctx, own, true))
	must(f.Access.SetPublicAccess(f.ctx, child, false))(t)
	left := f.policies(child)
	if len(left) != 2 || left[0].Template == nil || left[1].Template == nil {
		t.Errorf("%d policies are left, want the two of the templates", len(left))
	}
}

func TestActionControlsMustBeWellFormed(t *testing.T) {
	f := plant(t)
	for kind, doc := range map[string]object{
		kinds.Profile: {"profile": object{"name": "P"}, "action_controls": object{"rules": object{"add": "yes"}}},
		kinds.Group:   {"group": object{"name": "G", "members": object{"action_controls": object{"add": "yes"}}}},
	} {
		_, _, err := f.create(kind, f.root, draft("bad", doc))
		f.refused(err, fault.Invalid, "add")
	}
}
