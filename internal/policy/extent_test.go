package policy_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/policy"
)

// extentOf asks about all that a resource stands for.
func extentOf(s *policy.Snapshot, r policy.Request) policy.Extent {
	r.Resource.Whole = true
	return policy.ExtentOf(s, &r, policy.Decide(s, &r))
}

// What a list leaves out after one question is what it would leave out after one
// question for each object.
func TestAnExtentAgreesWithTheDecisionsOnAllThatThereIs(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	seen := map[policy.Extent]int{}
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, catalog)
		all := drawRequest(t)
		if chance(t, "pieces", 40) {
			all.Subject = policy.Subject{Kind: policy.KindUser, IAMID: "IBMid-2", Account: one(t, "at home", []string{"acct", "other"})}
			in.Policies = append(in.Policies, piecemeal(t, "IBMid-2")...)
			all.Action = one(t, "common action", []string{"iam.policy.create", "iam.policy.read", "storage.object.read"})
		}
		s := policy.NewSnapshot(in)
		all.Resource = policy.Resource{Account: "acct", ServiceName: one(t, "service", append(someServices, ""))}
		extent := extentOf(s, all)
		seen[extent]++
		for range 12 {
			r := drawRequest(t)
			r.Subject, r.Action, r.Environment = all.Subject, all.Action, all.Environment
			if chance(t, "a scope", 50) {
				r.Resource = policy.ScopeOf(drawPolicy(t, "p"))
			}
			r.Resource.Account = "acct"
			if all.Resource.ServiceName != "" {
				r.Resource.ServiceName = all.Resource.ServiceName
				r.Resource.Scope = slices.DeleteFunc(r.Resource.Scope, func(a policy.Attribute) bool { return a.Key == policy.AttrServiceName })
			}
			if len(catalog.Parts(r.Resource)) == 0 {
				continue // about nothing
			}
			d := policy.Decide(s, &r)
			switch {
			case d.Allowed && extent == policy.Nowhere:
				t.Fatalf("nowhere, but allowed on %+v by %s", r.Resource, d.Reason)
			case !d.Allowed && d.Reason != policy.ReasonUnknownAction && extent == policy.Everywhere:
				t.Fatalf("everywhere, but on %+v refused: %s", r.Resource, d.Reason)
			}
		}
	})
	for _, extent := range []policy.Extent{policy.Nowhere, policy.Somewhere, policy.Everywhere} {
		if seen[extent] == 0 {
			t.Errorf("extent %d was never met: %v", extent, seen)
		}
	}
}

func TestAnExtentLooksAtTheServiceThatIsAskedAbout(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	s := policy.NewSnapshot(accountWith(catalog, access("reader", "IBMid-1", []string{"Viewer"}, onStorage("i1")...),
		access("all", "IBMid-2", []string{"Viewer"}, onStorage("")...)))
	for _, c := range []struct {
		who, action, service string
		want                 policy.Extent
	}{
		{"IBMid-1", "iam.policy.read", "", policy.Somewhere},
		{"IBMid-1", "iam.policy.read", "storage", policy.Somewhere},
		{"IBMid-1", "iam.policy.read", "vault", policy.Nowhere},
		{"IBMid-1", "iam.policy.create", "", policy.Nowhere},
		{"IBMid-2", "iam.policy.read", "storage", policy.Everywhere},
		{"IBMid-2", "iam.policy.read", "", policy.Somewhere},
		{"IBMid-3", "iam.policy.read", "", policy.Nowhere},
	} {
		r := ask(c.who, c.action, "")
		r.Resource.ServiceName = c.service
		if got := extentOf(s, r); got != c.want {
			t.Errorf("%s %s on %q: extent %d, want %d", c.who, c.action, c.service, got, c.want)
		}
	}
}
