package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
)

// The users' groups are casbin roles, and so are the four nested roles of the
// actions. What casbin has no words for is a function in Go: in the hands of
// somebody who tunes it, this is as fast as it gets.
const casbinModel = `
[request_definition]
r = sub, act, res

[policy_definition]
p = sub, role, cond

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g(r.sub, p.sub) && holds(r.act, p.role) && covers(p.cond, r.res)
`

type casbinEngine struct {
	enforcer *casbin.Enforcer
	requests []policy.Request
}

func newCasbin(a *policytest.Account, requests []policy.Request) *casbinEngine {
	m, err := model.NewModelFromString(casbinModel)
	must(err)
	e, err := casbin.NewEnforcer(m)
	must(err)
	policies := map[string]*policy.Policy{}
	var rules, members [][]string
	for _, p := range a.Input.Policies {
		policies[p.ID] = p
		rules = append(rules, []string{p.Subject[0].Value.Text, p.RoleIDs[0], p.ID})
	}
	for u, groups := range a.GroupsOf {
		for _, g := range groups {
			members = append(members, []string{policytest.User(u), policytest.Group(g)})
		}
	}
	_, err = e.AddPolicies(rules)
	must(err)
	_, err = e.AddGroupingPolicies(members)
	must(err)
	e.AddFunction("holds", func(args ...any) (any, error) {
		return slices.Index(policytest.RoleNames, lastPart(args[1].(string))) >= actionNumber(args[0].(string))/2, nil
	})
	e.AddFunction("covers", func(args ...any) (any, error) {
		return covers(policies[args[0].(string)], args[1].(*policy.Request)), nil
	})
	return &casbinEngine{e, requests}
}

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("setting up casbin: %v", err))
	}
}

func lastPart(crn string) string { return crn[strings.LastIndexByte(crn, ':')+1:] }

func (c *casbinEngine) name() string { return "casbin" }

func (c *casbinEngine) decide(i int) bool {
	r := &c.requests[i]
	ok, err := c.enforcer.Enforce(r.Subject.IAMID, r.Action, r)
	must(err)
	return ok
}

// covers is written for the policies of policytest only.
func covers(p *policy.Policy, r *policy.Request) bool {
	have := map[string]string{
		"serviceName": r.Resource.ServiceName, "serviceInstance": r.Resource.ServiceInstance, "region": r.Resource.Region,
		"resourceType": r.Resource.ResourceType, "resource": r.Resource.Resource, "resourceGroupId": r.Resource.ResourceGroupID,
		"accountId": r.Resource.Account, "serviceType": policy.ServiceTypeService,
	}
	for _, a := range p.Resource {
		v := have[a.Key]
		ok := false
		switch a.Operator {
		case policy.OpStringEquals:
			ok = v == a.Value.Text
		case policy.OpStringMatch:
			before, after, _ := strings.Cut(a.Value.Text, "*")
			ok = strings.HasPrefix(v, before) && strings.HasSuffix(v, after)
		case policy.OpStringExists:
			ok = v != ""
		case policy.OpStringEqualsAnyOf:
			ok = slices.Contains(a.Value.Strings(), v)
		}
		if !ok {
			return false
		}
	}
	for _, t := range p.Tags {
		if !slices.Contains(r.Resource.Tags, t.Key+":"+t.Value.Text) {
			return false
		}
	}
	switch p.Pattern {
	case policy.PatternWeeklyHours:
		now := r.Environment.Now
		clock := now.Sub(now.Truncate(24 * time.Hour))
		return now.Weekday() != time.Saturday && now.Weekday() != time.Sunday && clock >= 9*time.Hour && clock <= 17*time.Hour
	case policy.PatternAttributeBase:
		return slices.ContainsFunc(r.Resource.Attributes, func(a policy.NamedValue) bool {
			return a.Name == "path" && strings.HasPrefix(a.Value, "shared/")
		})
	}
	return true
}
