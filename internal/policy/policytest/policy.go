package policytest

import (
	"fmt"
	"math/rand/v2"

	"github.com/kagiban/kagiban/internal/policy"
)

// Kind of condition of a policy: its number modulo PoliciesPerGroup. Kinds
// beyond the last have service and instance only.
const (
	KindResource = iota // resource type and a wildcard on the resource
	KindResourceGroup
	KindTag
	KindHours  // weekly hours
	KindFolder // attribute-based rule
	KindRegion // region and any resource type
	KindTypes  // one of several resource types
)

// Policy makes the n-th policy of an account. Its group and kind of condition
// follow from n, all else from the generator.
func Policy(rng *rand.Rand, n int) *policy.Policy {
	p := &policy.Policy{
		ID: fmt.Sprintf("policy-%08d", n), Account: AccountID, Version: policy.V2,
		Type: policy.TypeAccess, State: policy.StateActive,
		Subject: []policy.Attribute{equals(policy.AttrAccessGroupID, Group(n/PoliciesPerGroup))},
		RoleIDs: []string{Role(rng.IntN(len(RoleNames)))},
	}
	service := equals(policy.AttrServiceName, Service(rng.IntN(ServiceCount)))
	p.Resource = []policy.Attribute{service, equals(policy.AttrServiceInstance, instance(rng))}
	switch n % PoliciesPerGroup {
	case KindResource:
		p.Resource = append(p.Resource, equals(policy.AttrResourceType, "bucket"),
			policy.Attribute{Key: policy.AttrResource, Operator: policy.OpStringMatch, Value: policy.String("logs-*-prod")})
	case KindResourceGroup:
		p.Resource = []policy.Attribute{service, equals(policy.AttrResourceGroupID, fmt.Sprintf("rg-%d", rng.IntN(100)))}
	case KindTag:
		p.Resource = []policy.Attribute{equals(policy.AttrServiceType, policy.ServiceTypeService)}
		p.Tags = []policy.Attribute{equals("project", fmt.Sprintf("p%d", rng.IntN(100)))}
	case KindHours:
		p.Pattern, p.Rule = policy.PatternWeeklyHours, workingHours()
	case KindFolder:
		p.Pattern, p.Rule = policy.PatternAttributeBase, folder()
	case KindRegion:
		p.Resource = []policy.Attribute{service, equals(policy.AttrRegion, fmt.Sprintf("region-%d", rng.IntN(10))),
			{Key: policy.AttrResourceType, Operator: policy.OpStringExists, Value: policy.Bool(true)}}
	case KindTypes:
		p.Resource = append(p.Resource, policy.Attribute{Key: policy.AttrResourceType,
			Operator: policy.OpStringEqualsAnyOf, Value: StringList("bucket", "topic", "key")})
	}
	p.Resource = append(p.Resource, equals(policy.AttrAccountID, AccountID))
	return p
}

// StringList makes a JSON array of strings.
func StringList(s ...string) policy.Value {
	v := policy.Value{Kind: policy.KindList, List: make([]policy.Value, len(s))}
	for i, e := range s {
		v.List[i] = policy.String(e)
	}
	return v
}

// workingHours is Monday to Friday from nine to five.
func workingHours() *policy.Rule {
	return &policy.Rule{Operator: policy.OpAnd, Conditions: []policy.Rule{
		{Key: policy.KeyDayOfWeek, Operator: policy.OpDayOfWeekAnyOf, Value: StringList("1+00:00", "2+00:00", "3+00:00", "4+00:00",
			"5+00:00")},
		{Key: policy.KeyCurrentTime, Operator: policy.OpTimeGreaterThanOrEquals, Value: policy.String("09:00:00+00:00")},
		{Key: policy.KeyCurrentTime, Operator: policy.OpTimeLessThanOrEquals, Value: policy.String("17:00:00+00:00")},
	}}
}

// folder is a path beneath shared/, or a listing of it.
func folder() *policy.Rule {
	return &policy.Rule{Operator: policy.OpOr, Conditions: []policy.Rule{
		{Key: "{{resource.attributes.path}}", Operator: policy.OpStringMatch, Value: policy.String("shared/*")},
		{Operator: policy.OpAnd, Conditions: []policy.Rule{
			{Key: "{{resource.attributes.prefix}}", Operator: policy.OpStringEqualsAnyOf, Value: StringList("", "shared/")},
			{Key: "{{resource.attributes.delimiter}}", Operator: policy.OpStringEquals, Value: policy.String("/")},
		}},
	}}
}

// Requests makes n questions of users at random. Every second one is about the
// target of one of the user's policies, the others are about any policy's.
func (a *Account) Requests(n int) []policy.Request {
	rng := rand.New(rand.NewPCG(2, uint64(n)))
	out := make([]policy.Request, n)
	for i := range out {
		u := rng.IntN(len(a.GroupsOf))
		from := rng.IntN(len(a.Input.Policies))
		if i%2 == 0 {
			from = a.GroupsOf[u][rng.IntN(GroupsPerUser)]*PoliciesPerGroup + rng.IntN(PoliciesPerGroup)
		}
		out[i] = request(rng, User(u), a.Input.Policies[from])
	}
	return out
}

// request asks about something that a policy covers.
func request(rng *rand.Rand, user string, p *policy.Policy) policy.Request {
	r := policy.Request{
		Subject:     policy.Subject{Kind: policy.KindUser, IAMID: user, Account: AccountID},
		Environment: policy.Environment{Now: Now},
		Resource:    policy.ScopeOf(p),
	}
	res := &r.Resource
	res.Whole, res.Scope, res.ServiceType = false, nil, ""
	service := rng.IntN(ServiceCount)
	if res.ServiceName == "" {
		res.ServiceName = Service(service)
	}
	for n := range ServiceCount {
		if Service(n) == res.ServiceName {
			service = n
		}
	}
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&res.ServiceInstance, instance(rng))
	fill(&res.Region, "region-1")
	fill(&res.ResourceType, "bucket")
	fill(&res.Resource, "logs-7-prod")
	fill(&res.ResourceGroupID, "rg-1")
	res.Tags = append([]string{"env:test"}, res.Tags...)
	res.Attributes = []policy.NamedValue{{Name: "path", Value: "shared/report"}}
	r.Action = Action(service, rng.IntN(2))
	return r
}
