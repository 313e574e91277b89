package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/policy"
)

// The shape of the data: N policies in one account, N/10 groups with ten of
// them each, N/2 users in four groups each, so that a decision has forty
// candidates. Every kind of condition occurs. Half of the questions are about
// something that a policy of the user covers.
const (
	policiesPerGroup = 10
	groupsPerUser    = 4
	benchServices    = 8
	benchActions     = 8
)

var benchNow = time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC) // a Wednesday

type benchAccount struct {
	input policy.Input
	// of lists the groups of each user.
	of [][]int
}

func benchCatalog(tb testing.TB) *policy.Catalog {
	tb.Helper()
	var services []policy.Service
	for s := range benchServices {
		svc := policy.Service{Name: fmt.Sprintf("service-%d", s)}
		for a := range benchActions {
			svc.Actions = append(svc.Actions, policy.Action{ID: benchAction(s, a)})
		}
		for i, name := range []string{"Viewer", "Operator", "Editor", "Administrator"} {
			r := policy.Role{CRN: benchRole(i), Name: name, DisplayName: name, Kind: policy.RoleSystem}
			for a := range 2 * (i + 1) {
				r.Actions = append(r.Actions, benchAction(s, a))
			}
			svc.Roles = append(svc.Roles, r)
		}
		services = append(services, svc)
	}
	c, err := policy.CompileCatalog(services)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func benchAction(service, n int) string { return fmt.Sprintf("service-%d.thing.verb%d", service, n) }

func benchRole(n int) string {
	return "crn:v1:bluemix:public:iam::::role:" + []string{"Viewer", "Operator", "Editor", "Administrator"}[n]
}

func benchUser(n int) string  { return fmt.Sprintf("IBMid-%08d", n) }
func benchGroup(n int) string { return fmt.Sprintf("AccessGroupId-%08d", n) }

func equals(key, value string) policy.Attribute {
	return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
}

// benchPolicy makes the n-th policy. Its kind of condition follows from n, all
// else from the generator.
func benchPolicy(rng *rand.Rand, n int) *policy.Policy {
	p := &policy.Policy{
		ID: fmt.Sprintf("policy-%08d", n), Account: "acct", Version: policy.V2,
		Type: policy.TypeAccess, State: policy.StateActive,
		Subject: []policy.Attribute{equals(policy.AttrAccessGroupID, benchGroup(n/policiesPerGroup))},
		RoleIDs: []string{benchRole(rng.IntN(4))},
	}
	service := equals(policy.AttrServiceName, fmt.Sprintf("service-%d", rng.IntN(benchServices)))
	instance := equals(policy.AttrServiceInstance, benchInstance(rng))
	p.Resource = []policy.Attribute{service, instance}
	switch n % policiesPerGroup {
	case 0:
		p.Resource = append(p.Resource, equals(policy.AttrResourceType, "bucket"),
			policy.Attribute{Key: policy.AttrResource, Operator: policy.OpStringMatch, Value: policy.String("logs-*-prod")})
	case 1:
		p.Resource = []policy.Attribute{service, equals(policy.AttrResourceGroupID, fmt.Sprintf("rg-%d", rng.IntN(100)))}
	case 2:
		p.Resource = []policy.Attribute{equals(policy.AttrServiceType, policy.ServiceTypeService)}
		p.Tags = []policy.Attribute{equals("project", fmt.Sprintf("p%d", rng.IntN(100)))}
	case 3:
		p.Pattern, p.Rule = policy.PatternWeeklyHours, workingHours()
	case 4:
		p.Pattern, p.Rule = policy.PatternAttributeBase, folderRule()
	case 5:
		p.Resource = []policy.Attribute{service, equals(policy.AttrRegion, fmt.Sprintf("region-%d", rng.IntN(10))),
			{Key: policy.AttrResourceType, Operator: policy.OpStringExists, Value: policy.Bool(true)}}
	case 6:
		p.Resource = append(p.Resource, policy.Attribute{Key: policy.AttrResourceType,
			Operator: policy.OpStringEqualsAnyOf, Value: policy.StringList("bucket", "topic", "key")})
	}
	p.Resource = append(p.Resource, equals(policy.AttrAccountID, "acct"))
	return p
}

func benchInstance(rng *rand.Rand) string {
	return fmt.Sprintf("3f9c1a52-77b0-4d1e-9c55-%012d", rng.IntN(1_000_000))
}

func workingHours() *policy.Rule {
	return &policy.Rule{Operator: policy.OpAnd, Conditions: []policy.Rule{
		{Key: policy.KeyDayOfWeek, Operator: policy.OpDayOfWeekAnyOf, Value: policy.StringList("1+00:00", "2+00:00", "3+00:00", "4+00:00", "5+00:00")},
		{Key: policy.KeyCurrentTime, Operator: policy.OpTimeGreaterThanOrEquals, Value: policy.String("09:00:00+00:00")},
		{Key: policy.KeyCurrentTime, Operator: policy.OpTimeLessThanOrEquals, Value: policy.String("17:00:00+00:00")},
	}}
}

func folderRule() *policy.Rule {
	return &policy.Rule{Operator: policy.OpOr, Conditions: []policy.Rule{
		{Key: "{{resource.attributes.path}}", Operator: policy.OpStringMatch, Value: policy.String("shared/*")},
		{Operator: policy.OpAnd, Conditions: []policy.Rule{
			{Key: "{{resource.attributes.prefix}}", Operator: policy.OpStringEqualsAnyOf, Value: policy.StringList("", "shared/")},
			{Key: "{{resource.attributes.delimiter}}", Operator: policy.OpStringEquals, Value: policy.String("/")},
		}},
	}}
}

func newBenchAccount(tb testing.TB, n int) benchAccount {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	a := benchAccount{input: policy.Input{
		Account: "acct", Owner: "IBMid-owner", State: policy.AccountActive,
		Catalog: benchCatalog(tb), PublicAccess: true, Seq: 1,
	}}
	for i := range n {
		a.input.Policies = append(a.input.Policies, benchPolicy(rng, i))
	}
	groups := make([]policy.Group, n/policiesPerGroup)
	for g := range groups {
		groups[g].ID = benchGroup(g)
	}
	for u := range n / 2 {
		var mine []int
		for _, g := range someOf(rng, len(groups)) {
			groups[g].Members = append(groups[g].Members, benchUser(u))
			mine = append(mine, g)
		}
		a.of = append(a.of, mine)
	}
	a.input.Groups = groups
	return a
}

// requests makes questions of users at random; every second one is about the
// target of one of the user's policies.
func (a *benchAccount) requests(n int) []policy.Request {
	rng := rand.New(rand.NewPCG(2, uint64(n)))
	out := make([]policy.Request, n)
	for i := range out {
		u := rng.IntN(len(a.of))
		from := rng.IntN(len(a.input.Policies))
		if i%2 == 0 {
			from = a.of[u][rng.IntN(groupsPerUser)]*policiesPerGroup + rng.IntN(policiesPerGroup)
		}
		out[i] = a.request(rng, benchUser(u), a.input.Policies[from])
	}
	return out
}

// request asks about something that a policy covers.
func (a *benchAccount) request(rng *rand.Rand, user string, p *policy.Policy) policy.Request {
	service := rng.IntN(benchServices)
	r := policy.Request{
		Subject:     policy.Subject{Kind: policy.KindUser, IAMID: user, Account: "acct"},
		Environment: policy.Environment{Now: benchNow},
		Resource: policy.Resource{
			Account: "acct", ServiceInstance: benchInstance(rng), Region: "region-1", ResourceType: "bucket",
			Resource: "logs-7-prod", ResourceGroupID: "rg-1", Tags: []string{"env:test", "project:p1"},
			Attributes: []policy.NamedValue{{Name: "path", Value: "shared/report"}},
		},
	}
	for _, at := range p.Resource {
		switch at.Key {
		case policy.AttrServiceName:
			fmt.Sscanf(at.Value.Text, "service-%d", &service)
		case policy.AttrServiceInstance:
			r.Resource.ServiceInstance = at.Value.Text
		case policy.AttrResourceGroupID:
			r.Resource.ResourceGroupID = at.Value.Text
		case policy.AttrRegion:
			r.Resource.Region = at.Value.Text
		}
	}
	for _, tag := range p.Tags {
		r.Resource.Tags[1] = tag.Key + ":" + tag.Value.Text
	}
	r.Resource.ServiceName = fmt.Sprintf("service-%d", service)
	r.Action = benchAction(service, rng.IntN(2))
	return r
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			a := newBenchAccount(b, n)
			s := policy.NewSnapshot(a.input)
			requests := a.requests(1 << 14)
			allowed := 0
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if policy.Decide(s, &requests[i&(len(requests)-1)]).Allowed {
					allowed++
				}
				i++
			}
			b.ReportMetric(float64(allowed)/float64(i), "allowed/op")
		})
	}
}

func BenchmarkChangeOnePolicy(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			a := newBenchAccount(b, n)
			s := policy.NewSnapshot(a.input)
			rng := rand.New(rand.NewPCG(3, 3))
			for b.Loop() {
				s = s.With(policy.PutPolicy(benchPolicy(rng, rng.IntN(n))), policy.SetSeq(s.Seq()+1))
			}
		})
	}
}

func BenchmarkNewSnapshot(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			a := newBenchAccount(b, n)
			for b.Loop() {
				policy.NewSnapshot(a.input)
			}
		})
	}
}

// someOf picks groupsPerUser different numbers below n.
func someOf(rng *rand.Rand, n int) []int {
	var out []int
	for len(out) < groupsPerUser {
		if g := rng.IntN(n); !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}
