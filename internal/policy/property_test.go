package policy_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/policy"
)

func scenarioCatalog(t testing.TB) ([]policy.Service, *policy.Catalog) {
	t.Helper()
	services := scenarioServices(t)
	c, err := policy.CompileCatalog(services)
	if err != nil {
		t.Fatal(err)
	}
	return services, c
}

func TestTheEngineAgreesWithItsNaiveTwin(t *testing.T) {
	services, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, catalog)
		s := policy.NewSnapshot(in)
		for range 4 {
			r := drawRequest(t)
			d := policy.Decide(s, &r)
			if twin := naiveDecide(in, services, r); twin != d.Reason {
				t.Fatalf("engine: %s, twin: %s\n%s", d.Reason, twin, strings.Join(policy.Explain(s, &r).Nearest, "\n"))
			}
			checkAround(t, s, r, d, "random request")
		}
	})
}

func TestAnotherPolicyNeverRemovesAPermission(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		s := policy.NewSnapshot(drawInput(t, catalog))
		r := drawRequest(t)
		before := policy.Decide(s, &r).Allowed
		after := policy.Decide(s.With(policy.PutPolicy(drawPolicy(t, "one more"))), &r).Allowed
		if before && !after {
			t.Fatal("a policy took a permission away")
		}
	})
}

func TestTheOrderOfPoliciesNeverMatters(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, catalog)
		r := drawRequest(t)
		first := policy.Decide(policy.NewSnapshot(in), &r)
		in.Policies = rapid.Permutation(in.Policies).Draw(t, "order")
		in.Groups = rapid.Permutation(in.Groups).Draw(t, "order of groups")
		second := policy.Decide(policy.NewSnapshot(in), &r)
		if first.Allowed != second.Allowed || first.Reason != second.Reason {
			t.Fatalf("%+v became %+v", first, second)
		}
	})
}

func TestNamesNeverMatter(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, catalog)
		r := drawRequest(t)
		first := policy.Decide(policy.NewSnapshot(in), &r)
		in, r = renamed(t, in, r)
		second := policy.Decide(policy.NewSnapshot(in), &r)
		if first.Allowed != second.Allowed || first.Reason != second.Reason {
			t.Fatalf("%+v became %+v", first, second)
		}
	})
}

// renamed gives every policy, group, identity and instance another id.
func renamed(t *rapid.T, in policy.Input, r policy.Request) (policy.Input, policy.Request) {
	mark := rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "mark")
	rename := func(id string) string {
		if id == "" || id == policy.PublicAccessGroupID {
			return id
		}
		return id + mark
	}
	in.Owner, r.Subject.IAMID = rename(in.Owner), rename(r.Subject.IAMID)
	r.Resource.Owner, r.Resource.Creator = rename(r.Resource.Owner), rename(r.Resource.Creator)
	groups := slices.Clone(in.Groups)
	for i := range groups {
		groups[i].ID = rename(groups[i].ID)
		groups[i].Members = slices.Clone(groups[i].Members)
		for j := range groups[i].Members {
			groups[i].Members[j] = rename(groups[i].Members[j])
		}
	}
	in.Groups = groups
	policies := make([]*policy.Policy, len(in.Policies))
	for i, p := range in.Policies {
		c := *p
		c.ID = fmt.Sprint(mark, len(in.Policies)-i)
		if c.Type == policy.TypeAccess {
			c.Subject = []policy.Attribute{equals(p.Subject[0].Key, rename(p.Subject[0].Value.Text))}
		}
		policies[i] = &c
	}
	in.Policies = policies
	return in, r
}

func TestChangesLeadToTheSameSnapshotAsABuildFromScratch(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, catalog)
		m := model{in: in}
		s := policy.NewSnapshot(in)
		r := drawRequest(t)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			before, old := policy.Decide(s, &r), s
			var changes []policy.Change
			for range rapid.IntRange(1, 3).Draw(t, "changes") {
				changes = append(changes, m.draw(t))
			}
			s = s.With(changes...)
			if policy.Decide(old, &r) != before {
				t.Fatal("a change reached back into the old snapshot")
			}
			r = drawRequest(t)
			got, want := policy.Decide(s, &r), policy.Decide(policy.NewSnapshot(m.in), &r)
			if got.Allowed != want.Allowed || got.Reason != want.Reason || got.Until != want.Until && !got.Allowed {
				t.Fatalf("step by step: %+v\nfrom scratch: %+v", got, want)
			}
		}
		checkEqualViews(t, s, policy.NewSnapshot(m.in))
	})
}

func checkEqualViews(t *rapid.T, s, fresh *policy.Snapshot) {
	for _, id := range someIDs {
		if got, want := s.StaticGroups(id), fresh.StaticGroups(id); !slices.Equal(got, want) {
			t.Fatalf("groups of %s: %v, from scratch %v", id, got, want)
		}
	}
	if got, want := policyIDs(s), policyIDs(fresh); !slices.Equal(got, want) {
		t.Fatalf("policies: %v, from scratch %v", got, want)
	}
	if got, want := len(s.CustomRoles()), len(fresh.CustomRoles()); got != want {
		t.Fatalf("%d custom roles, from scratch %d", got, want)
	}
}

func policyIDs(s *policy.Snapshot) []string {
	var out []string
	for _, p := range s.Policies() {
		out = append(out, p.ID)
	}
	return out
}

// model keeps the input that a series of changes amounts to.
type model struct{ in policy.Input }

func (m *model) draw(t *rapid.T) policy.Change {
	id := fmt.Sprint("policy-", rapid.IntRange(0, 14).Draw(t, "policy"))
	groupID := one(t, "group", someGroups[:3])
	switch rapid.IntRange(0, 12).Draw(t, "change") {
	case 0, 1, 2:
		p := drawPolicy(t, id)
		if chance(t, "deleted", 10) {
			p.State = policy.StateDeleted
		}
		m.in.Policies = append(without(m.in.Policies, func(p *policy.Policy) bool { return p.ID == id }), p)
		return policy.PutPolicy(p)
	case 3, 4:
		m.in.Policies = without(m.in.Policies, func(p *policy.Policy) bool { return p.ID == id })
		return policy.RemovePolicy(id)
	case 5:
		g := drawGroup(t, groupID)
		m.in.Groups = append(without(m.in.Groups, func(g policy.Group) bool { return g.ID == groupID }), g)
		return policy.PutGroup(g)
	case 6:
		m.in.Groups = without(m.in.Groups, func(g policy.Group) bool { return g.ID == groupID })
		return policy.RemoveGroup(groupID)
	case 7, 8:
		members := several(t, "members", someIDs, 2)
		join := chance(t, "join", 60)
		m.in.Groups = slices.Clone(m.in.Groups)
		for i, g := range m.in.Groups {
			if g.ID == groupID {
				g.Members = without(g.Members, func(id string) bool { return slices.Contains(members, id) })
				if join {
					g.Members = append(g.Members, members...)
				}
				m.in.Groups[i] = g
			}
		}
		if join {
			return policy.AddMembers(groupID, members...)
		}
		return policy.RemoveMembers(groupID, members...)
	case 9:
		r := drawCustomRole(t, rapid.IntRange(0, 1).Draw(t, "which role"))
		m.in.CustomRoles = without(m.in.CustomRoles, func(x policy.CustomRole) bool { return x.CRN == r.CRN })
		if chance(t, "role goes", 40) {
			return policy.RemoveCustomRole(r.CRN)
		}
		m.in.CustomRoles = append(m.in.CustomRoles, r)
		return policy.PutCustomRole(r)
	case 10:
		c := policy.ActionControl{ID: "control-0", Service: one(t, "controlled", someServices),
			Actions: several(t, "controlled actions", someActions, 3)}
		m.in.Controls = nil
		if chance(t, "control goes", 40) {
			return policy.RemoveControl(c.ID)
		}
		m.in.Controls = []policy.ActionControl{c}
		return policy.PutControl(c)
	case 11:
		m.in.Owner = one(t, "owner", someIDs)
		return policy.SetOwner(m.in.Owner)
	default:
		return policy.SetCatalog(m.in.Catalog)
	}
}

// without copies a list, leaving out what fits.
func without[T any](list []T, fits func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), fits)
}

func TestAnAnswerHoldsUntilTheTimeItNames(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		s := policy.NewSnapshot(drawInput(t, catalog))
		r := drawRequest(t)
		first := policy.Decide(s, &r)
		now := r.Environment.Now
		span := 10 * 24 * time.Hour
		if !first.Until.IsZero() {
			if !first.Until.After(now.Truncate(time.Second)) {
				t.Fatalf("asked at %s, may change at %s", now, first.Until)
			}
			span = first.Until.Sub(now)
		}
		r.Environment.Now = now.Add(time.Duration(rapid.Int64Range(0, max(0, int64(span)-1)).Draw(t, "later")))
		if later := policy.Decide(s, &r); later.Allowed != first.Allowed {
			t.Fatalf("%s at %s, until %s, but %s at %s", first.Reason, now, first.Until, later.Reason, r.Environment.Now)
		}
	})
}

func TestWhoCanListsExactlyThoseWhomDecideAllows(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, catalog)
		in.PublicAccess = false
		s := policy.NewSnapshot(in)
		r := drawRequest(t)
		r.Subject = policy.Subject{}
		listed := map[string]bool{}
		for _, g := range policy.WhoCan(s, r.Action, r.Resource, r.Environment) {
			if g.Kind == policy.GranteeOwner || g.Kind == policy.GranteeIdentity {
				listed[g.IAMID] = true
			}
			if g.Kind == policy.GranteeMember { // a token of the account makes one
				for _, id := range someIDs {
					listed[id] = true
				}
			}
		}
		allowed := map[string]bool{}
		for _, id := range someIDs {
			r.Subject = policy.Subject{IAMID: id, Kind: policy.KindOf(id), Account: "acct"}
			if policy.Decide(s, &r).Allowed {
				allowed[id] = true
			}
		}
		if !maps.Equal(listed, allowed) {
			t.Fatalf("WhoCan lists %v, Decide allows %v", listed, allowed)
		}
	})
}

func TestAPolicyCoversItsOwnScope(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		p := plainPolicy(t, "p")
		if r := onScope(p, p); !allows(catalog, p, r) {
			e := policy.Explain(policy.NewSnapshot(accountWith(catalog, p)), &r)
			t.Fatalf("%+v does not cover %+v\n%s", p.Resource, r.Resource, strings.Join(e.Nearest, "\n"))
		}
	})
}

func TestWhoCoversAScopeCoversAllThatIsInIt(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		q := plainPolicy(t, "q")
		mine := append(piecemeal(t, q.Subject[0].Value.Text), plainPolicy(t, "p"))
		scope := onScope(q, q)
		s := policy.NewSnapshot(accountWith(catalog, mine...))
		if !policy.Decide(s, &scope).Allowed {
			return
		}
		given := policy.NewSnapshot(accountWith(catalog, q))
		for range 8 {
			r := drawRequest(t)
			r.Subject, r.Action = scope.Subject, universalAction
			r.Resource.Account, r.Resource.ServiceType, r.Resource.ServiceGroupID = "acct", "", ""
			if policy.Decide(given, &r).Allowed && !policy.Decide(s, &r).Allowed {
				t.Fatalf("%v cover the scope of %+v but not %+v", policyIDs(s), q.Resource, r.Resource)
			}
		}
	})
}

// universalAction is one that every service knows and an Administrator holds.
const universalAction = "iam.policy.create"

// plainPolicy draws a policy whose attributes can all be satisfied.
func plainPolicy(t *rapid.T, id string) *policy.Policy {
	p := drawPolicy(t, id)
	p.Type, p.Rule, p.Pattern = policy.TypeAccess, nil, ""
	p.Subject = []policy.Attribute{equals(policy.AttrIAMID, "IBMid-9")}
	p.RoleIDs = []string{roleCRN("Administrator")}
	seen := map[string]bool{}
	p.Resource = slices.DeleteFunc(p.Resource, func(a policy.Attribute) bool {
		again := seen[a.Key] || !satisfiable(a)
		seen[a.Key] = true
		return again || a.Key == policy.AttrServiceName && a.Value.Text == "library"
	})
	p.Tags = slices.DeleteFunc(p.Tags, func(a policy.Attribute) bool { return a.Operator == policy.OpStringExists })
	return p
}

func satisfiable(a policy.Attribute) bool {
	switch a.Operator {
	case "", policy.OpStringEquals, policy.OpStringMatch:
		return a.Value.Kind == policy.KindString
	case policy.OpStringExists:
		return a.Value.Text == "true" || a.Value.Text == "false"
	case policy.OpStringEqualsAnyOf, policy.OpStringMatchAnyOf:
		return len(a.Value.Strings()) > 0
	}
	return false
}

// onScope asks, as p's subject, about everything that q covers.
func onScope(p, q *policy.Policy) policy.Request {
	return policy.Request{
		Action: universalAction, Resource: policy.ScopeOf(q),
		Subject: policy.Subject{Kind: policy.KindUser, IAMID: p.Subject[0].Value.Text, Account: "acct"},
	}
}

func accountWith(catalog *policy.Catalog, p ...*policy.Policy) policy.Input {
	return policy.Input{Account: "acct", State: policy.AccountActive, Catalog: catalog, Policies: p}
}

func allows(catalog *policy.Catalog, p *policy.Policy, r policy.Request) bool {
	return policy.Decide(policy.NewSnapshot(accountWith(catalog, p)), &r).Allowed
}

func TestDiffReportsWhatDecideChanges(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, catalog)
		in.PublicAccess, in.Controls = false, nil
		in.Policies = without(in.Policies, func(p *policy.Policy) bool { return p.Rule != nil })
		before := policy.NewSnapshot(in)
		p := drawPolicy(t, one(t, "id", []string{"policy-1", "new"}))
		p.Rule = nil
		after := before.With(policy.PutPolicy(p))
		for _, shift := range policy.Diff(before, after) {
			if shift.Grantee.Kind != policy.GranteeIdentity {
				continue
			}
			id := shift.Grantee.IAMID
			r := policy.Request{Resource: shift.Resource, Subject: policy.Subject{Kind: policy.KindOf(id), IAMID: id, Account: "acct"}}
			for _, a := range shift.Gained {
				if r.Action = a; policy.Decide(before, &r).Allowed || !policy.Decide(after, &r).Allowed {
					t.Fatalf("%s is said to gain %s on %+v", id, a, shift.Resource)
				}
			}
			for _, a := range shift.Lost {
				if r.Action = a; !policy.Decide(before, &r).Allowed || policy.Decide(after, &r).Allowed {
					t.Fatalf("%s is said to lose %s on %+v", id, a, shift.Resource)
				}
			}
		}
	})
}
