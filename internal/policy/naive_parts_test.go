package policy_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/policy"
)

// serviceKeys are the attributes that say which services a scope is about.
var serviceKeys = []string{policy.AttrServiceName, policy.AttrServiceType, policy.AttrServiceGroupID}

// parts writes a question about many services as one question for each: those that
// are defined, those that a list names, and one of a name that nobody has thought of.
// Services that do not know the action are left out.
func (n *naive) parts() (out []policy.Request) {
	if n.r.Resource.ServiceName != "" {
		return nil
	}
	var narrowed []policy.Attribute
	stranger, listed := "unlisted", []string{}
	for key, value := range map[string]string{"serviceType": n.r.Resource.ServiceType, "service_group_id": n.r.Resource.ServiceGroupID} {
		if value != "" {
			narrowed = append(narrowed, equals(key, value))
		}
	}
	part := n.r
	part.Resource.ServiceType, part.Resource.ServiceGroupID, part.Resource.Scope = "", "", nil
	for _, a := range n.r.Resource.Scope {
		if !slices.Contains(serviceKeys, a.Key) {
			part.Resource.Scope = append(part.Resource.Scope, a)
			continue
		}
		narrowed = append(narrowed, a)
		if a.Key == policy.AttrServiceName && a.Operator == policy.OpStringMatch {
			stranger = strings.ReplaceAll(a.Value.Text, "*", "unlisted")
		}
		if a.Key == policy.AttrServiceName && a.Operator == policy.OpStringEqualsAnyOf {
			listed = append(listed, a.Value.Strings()...)
		}
	}
	for _, s := range n.services {
		listed = append(listed, s.Name)
	}
	for _, c := range n.in.Controls {
		listed = append(listed, c.Service)
	}
	slices.Sort(listed)
	for _, name := range append(slices.Compact(listed), stranger) {
		part.Resource.ServiceName = name
		one := naive{n.in, n.services, part}
		outside := slices.ContainsFunc(narrowed, func(a policy.Attribute) bool { return !policyAttributeHolds(a, one.resourceValues(a.Key)) })
		if !outside && slices.Contains(one.knownActions(), part.Action) {
			out = append(out, part)
		}
	}
	return out
}

// open reports whether a comparison wants an attribute to be missing that a scope
// leaves open: it may have any value.
func (n *naive) open(a policy.Attribute) bool {
	return n.r.Resource.Whole && a.Operator == policy.OpStringExists && strings.EqualFold(a.Value.Text, "false")
}

// grantParts reads the policies for each part.
func (n *naive) grantParts() policy.Reason {
	reason := policy.ReasonNoPolicy
	for _, r := range n.parts() {
		one := naive{n.in, n.services, r}
		switch found := one.grant(); {
		case found == policy.ReasonNoPolicy:
			return found
		case reason != policy.ReasonPolicy:
			reason = found
		}
	}
	return reason
}

// controlled reports whether a control is about the service, or one of them.
func (n *naive) controlled(c policy.ActionControl) bool {
	return slices.Contains(n.serviceNames(), c.Service) || slices.ContainsFunc(n.parts(), func(r policy.Request) bool {
		one := naive{n.in, n.services, r}
		return slices.Contains(one.serviceNames(), c.Service)
	})
}

// drawScope draws a scope that names no service: what it says of services may be any
// comparison, all else is plain.
func drawScope(t *rapid.T) policy.Resource {
	p := &policy.Policy{Resource: []policy.Attribute{equals(policy.AttrAccountID, "acct")}}
	kinds := []func() policy.Attribute{
		func() policy.Attribute {
			return equals(policy.AttrServiceType, one(t, "type", []string{"service", "platform_service", "*"}))
		},
		func() policy.Attribute {
			return equals(policy.AttrServiceGroupID, one(t, "group", []string{"IAM", "*"}))
		},
		func() policy.Attribute { return equals(policy.AttrResourceGroupID, "a") },
		func() policy.Attribute {
			return policy.Attribute{Key: policy.AttrServiceName, Operator: policy.OpStringMatch,
				Value: policy.String(one(t, "pattern", []string{"iam-*", "*"}))}
		},
		func() policy.Attribute {
			a := drawAttribute(t, policy.AttrServiceName, someServices)
			if a.Operator != policy.OpStringEqualsAnyOf || len(a.Value.Strings()) == 0 {
				return policy.Attribute{Key: a.Key, Operator: policy.OpStringExists, Value: policy.Bool(true)}
			}
			return a
		},
	}
	p.Resource = append(p.Resource, one(t, "services", kinds)())
	for _, key := range []string{policy.AttrRegion, policy.AttrResourceGroupID} {
		if chance(t, "narrowed", 30) && p.Resource[1].Key != key {
			p.Resource = append(p.Resource, equals(key, "a"))
		}
	}
	return policy.ScopeOf(p)
}

// piecemeal gives somebody policies that together cover much of what there is.
func piecemeal(t *rapid.T, who string) (out []*policy.Policy) {
	give := func(id string, percent int, on ...policy.Attribute) {
		if !chance(t, id, percent) {
			return
		}
		if chance(t, "narrow", 10) {
			on = append(on, equals(policy.AttrResourceGroupID, "a"))
		}
		out = append(out, access(id, who, []string{one(t, "piece", []string{"Administrator", "Administrator", "Viewer"})}, on...))
	}
	give("type service", 70, equals(policy.AttrServiceType, "service"))
	give("type platform", 30, equals(policy.AttrServiceType, "platform_service"))
	give("group", 50, equals(policy.AttrServiceGroupID, "IAM"))
	give("star", 10, policy.Attribute{Key: policy.AttrServiceName, Operator: policy.OpStringMatch, Value: policy.String("*")})
	give("pattern", 30, policy.Attribute{Key: policy.AttrServiceName, Operator: policy.OpStringMatch, Value: policy.String("iam-*")})
	for _, name := range append([]string{"billing"}, someServices...) {
		give("named "+name, 80, equals(policy.AttrServiceName, name))
	}
	return out
}

func TestAScopeIsRefusedOnlyForSomePartOfIt(t *testing.T) {
	services, catalog := scenarioCatalog(t)
	var together, refused int
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t, catalog)
		r := drawRequest(t)
		if chance(t, "pieces", 80) {
			r.Subject = policy.Subject{Kind: policy.KindUser, IAMID: "IBMid-2", Account: "acct"}
			in.Policies = append(in.Policies, piecemeal(t, "IBMid-2")...)
		}
		s := policy.NewSnapshot(in)
		for range 8 {
			r.Action = one(t, "common action", []string{"iam.policy.create", "iam.policy.read", "resource-controller.instance.update"})
			r.Resource = drawScope(t)
			whole := policy.Decide(s, &r)
			n := naive{in, services, r}
			parts := n.parts()
			if len(parts) == 0 {
				continue // nobody can do it anywhere
			}
			refusedFor := slices.IndexFunc(parts, func(part policy.Request) bool { return !policy.Decide(s, &part).Allowed })
			if whole.Allowed != (refusedFor < 0) {
				t.Fatalf("as a whole %s, refused for part %d of %d\n%+v", whole.Reason, refusedFor, len(parts), r.Resource)
			}
			if twin := naiveDecide(in, services, r); twin != whole.Reason {
				t.Fatalf("engine: %s, twin: %s\n%+v", whole.Reason, twin, r.Resource)
			}
			checkAround(t, s, r, whole, "random scope")
			switch single := n.grant(); {
			case refusedFor >= 0:
				refused++
			case single == policy.ReasonNoPolicy:
				together++
			}
		}
	})
	if together == 0 || refused == 0 {
		t.Errorf("%d scopes were covered by policies together, %d were refused: the test saw too little", together, refused)
	}
}

func TestPartsAreServicesThatFit(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	show := func(on ...policy.Attribute) (names []string) {
		for _, part := range catalog.Parts(policy.ScopeOf(access("p", "IBMid-1", nil, on...))) {
			if part.ServiceType != "" || part.ServiceGroupID != "" || part.Account != "acct" || !part.Whole {
				t.Errorf("part %+v", part)
			}
			names = append(names, part.ServiceName)
			if part.Unlisted {
				names[len(names)-1] = "(others)"
			}
		}
		return names
	}
	named := func(op policy.Operator, v policy.Value) policy.Attribute {
		return policy.Attribute{Key: policy.AttrServiceName, Operator: op, Value: v}
	}
	for _, c := range []struct {
		on   policy.Attribute
		want []string
	}{
		{equals(policy.AttrServiceGroupID, "IAM"),
			[]string{"iam-identity", "iam-groups", "iam-access-management", "iam-access-management.customRole"}},
		{equals(policy.AttrServiceName, "storage"), []string{"storage"}},
		{equals(policy.AttrServiceName, "unheard"), []string{"unheard"}},
		{equals(policy.AttrServiceName, "iam-access-management"), []string{"iam-access-management", "iam-access-management.customRole"}},
		{named(policy.OpStringMatch, policy.String("iam-?roups")), []string{"(others)", "iam-groups"}},
		{named(policy.OpStringEqualsAnyOf, policy.Value{Kind: policy.KindList, List: []policy.Value{policy.String("vault"),
			policy.String("unheard")}}), []string{"unheard", "vault"}},
		{named(policy.OpStringExists, policy.Bool(false)), nil},
	} {
		if got := show(c.on); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.on, got, c.want)
		}
	}
	if got := show(equals(policy.AttrResourceGroupID, "x")); len(got) != len(catalog.Services())+1 || got[0] != "(others)" {
		t.Errorf("a resource group: %v", got)
	}
}
