// Package policytest makes accounts for measurements of the policy engine. The
// benchmarks of the engine, of the decision API and of other engines use the
// same ones. Only tests import it.
package policytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/policy"
)

// The shape of the data: N policies in one account, N/10 groups with ten of
// them each, N/2 users in four groups each, so that a decision has forty
// candidates. Each kind of condition occurs in one group of policies after the
// other. It is the shape in which other engines were measured before.
const (
	PoliciesPerGroup = 10
	GroupsPerUser    = 4
	// ServiceCount services have ActionCount actions each and four roles, of
	// which each holds two actions more than the one before.
	ServiceCount = 8
	ActionCount  = 8
)

// AccountID is the id of every account made here.
const AccountID = "acct"

// Now is the time of all requests: a Wednesday within the hours of the rules.
var Now = time.Date(2026, 3, 4, 10, 30, 0, 0, time.UTC)

// RoleNames are the roles, weakest first.
var RoleNames = []string{"Viewer", "Operator", "Editor", "Administrator"}

// Account is an account with its policies and members.
type Account struct {
	Input policy.Input
	// GroupsOf lists the groups of each user by number.
	GroupsOf [][]int
}

// New makes an account of n policies; the same n gives the same account.
func New(n int) *Account {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	catalog, err := policy.CompileCatalog(Services())
	if err != nil {
		panic(fmt.Sprintf("the services of policytest do not compile: %v", err))
	}
	a := &Account{Input: policy.Input{
		Account: AccountID, Owner: "IBMid-owner", State: policy.AccountActive,
		Catalog: catalog, PublicAccess: true, Seq: 1,
	}}
	for i := range n {
		a.Input.Policies = append(a.Input.Policies, Policy(rng, i))
	}
	groups := make([]policy.Group, n/PoliciesPerGroup)
	for g := range groups {
		groups[g].ID = Group(g)
	}
	for u := range n / 2 {
		mine := someOf(rng, len(groups))
		for _, g := range mine {
			groups[g].Members = append(groups[g].Members, User(u))
		}
		a.GroupsOf = append(a.GroupsOf, mine)
	}
	a.Input.Groups = groups
	return a
}

// someOf picks GroupsPerUser different numbers below n.
func someOf(rng *rand.Rand, n int) []int {
	var out []int
	for len(out) < GroupsPerUser {
		if g := rng.IntN(n); !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	return out
}

// Services are the services that the policies are about.
func Services() []policy.Service {
	var out []policy.Service
	for s := range ServiceCount {
		svc := policy.Service{Name: Service(s)}
		for a := range ActionCount {
			svc.Actions = append(svc.Actions, policy.Action{ID: Action(s, a)})
		}
		for i, name := range RoleNames {
			r := policy.Role{CRN: Role(i), Name: name, DisplayName: name, Kind: policy.RoleSystem}
			for a := range 2 * (i + 1) {
				r.Actions = append(r.Actions, Action(s, a))
			}
			svc.Roles = append(svc.Roles, r)
		}
		out = append(out, svc)
	}
	return out
}

// Service, Action, Role, User and Group name things by number.
func Service(n int) string         { return fmt.Sprintf("service-%d", n) }
func Action(service, n int) string { return fmt.Sprintf("service-%d.thing.verb%d", service, n) }
func Role(n int) string            { return "crn:v1:bluemix:public:iam::::role:" + RoleNames[n] }
func User(n int) string            { return fmt.Sprintf("IBMid-%08d", n) }
func Group(n int) string           { return fmt.Sprintf("AccessGroupId-%08d", n) }

func instance(rng *rand.Rand) string {
	return fmt.Sprintf("3f9c1a52-77b0-4d1e-9c55-%012d", rng.IntN(1_000_000))
}

func equals(key, value string) policy.Attribute {
	return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
}
