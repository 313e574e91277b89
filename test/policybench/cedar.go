package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
)

// cedarGroups is cedar-go with one policy set per group. Which sets belong to
// the user of a request is known before the clock runs.
type cedarGroups struct {
	sets     []*cedar.PolicySet
	requests []cedarRequest
}

type cedarRequest struct {
	request  cedar.Request
	entities cedar.EntityMap
	sets     []*cedar.PolicySet
}

func newCedarGroups(a *policytest.Account, requests []policy.Request) *cedarGroups {
	e := &cedarGroups{sets: make([]*cedar.PolicySet, len(a.Input.Groups))}
	for i := range e.sets {
		e.sets[i] = cedar.NewPolicySet()
	}
	for i, p := range a.Input.Policies {
		var c cedar.Policy
		if err := c.UnmarshalCedar([]byte(cedarText(p))); err != nil {
			panic(fmt.Sprintf("%s: %v", cedarText(p), err))
		}
		e.sets[i/policytest.PoliciesPerGroup].Add(cedar.PolicyID(p.ID), &c)
	}
	users := map[string]int{}
	for u := range a.GroupsOf {
		users[policytest.User(u)] = u
	}
	for i := range requests {
		r := cedarRequestOf(&requests[i], a.GroupsOf[users[requests[i].Subject.IAMID]])
		for _, g := range a.GroupsOf[users[requests[i].Subject.IAMID]] {
			r.sets = append(r.sets, e.sets[g])
		}
		e.requests = append(e.requests, r)
	}
	return e
}

func (e *cedarGroups) name() string { return "cedar-go, a set per group" }

func (e *cedarGroups) decide(i int) bool {
	r := &e.requests[i]
	for _, set := range r.sets {
		if ok, _ := cedar.Authorize(set, r.entities, r.request); ok == cedar.Allow {
			return true
		}
	}
	return false
}

// cedarText writes a policy in Cedar. Roles are actions of which the single
// actions are part, as Cedar models action groups.
func cedarText(p *policy.Policy) string {
	role := p.RoleIDs[0]
	var when []string
	for _, a := range p.Resource {
		if a.Key == policy.AttrAccountID || a.Key == policy.AttrServiceType {
			continue
		}
		switch a.Operator {
		case policy.OpStringEquals:
			when = append(when, fmt.Sprintf("resource.%s == %q", a.Key, a.Value.Text))
		case policy.OpStringMatch:
			when = append(when, fmt.Sprintf("resource.%s like %q", a.Key, a.Value.Text))
		case policy.OpStringExists:
			when = append(when, "resource has "+a.Key)
		case policy.OpStringEqualsAnyOf:
			when = append(when, fmt.Sprintf("[%s].contains(resource.%s)", quoteAll(a.Value.Strings()), a.Key))
		}
	}
	for _, t := range p.Tags {
		when = append(when, fmt.Sprintf("resource.tags.contains(%q)", t.Key+":"+t.Value.Text))
	}
	switch p.Pattern {
	case policy.PatternWeeklyHours:
		when = append(when, "context.day <= 5 && context.seconds >= 32400 && context.seconds <= 61200")
	case policy.PatternAttributeBase:
		when = append(when, `((resource has path && resource.path like "shared/*") || `+
			`(resource has prefix && ["", "shared/"].contains(resource.prefix) && resource has delimiter && resource.delimiter == "/"))`)
	}
	return fmt.Sprintf("permit (principal in Group::%q, action in Action::%q, resource) when { %s };",
		p.Subject[0].Value.Text, role, strings.Join(when, " && "))
}

func quoteAll(texts []string) string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}

func cedarRequestOf(r *policy.Request, groups []int) cedarRequest {
	user := cedar.NewEntityUID("User", cedar.String(r.Subject.IAMID))
	action := cedar.NewEntityUID("Action", cedar.String(r.Action))
	resource := cedar.NewEntityUID("Resource", "asked")
	var memberOf []cedar.EntityUID
	entities := cedar.EntityMap{}
	for _, g := range groups {
		uid := cedar.NewEntityUID("Group", cedar.String(policytest.Group(g)))
		memberOf = append(memberOf, uid)
		entities[uid] = cedar.Entity{UID: uid}
	}
	entities[user] = cedar.Entity{UID: user, Parents: cedar.NewEntityUIDSet(memberOf...)}
	var roles []cedar.EntityUID
	for n := range policytest.RoleNames {
		if actionNumber(r.Action) < 2*(n+1) {
			roles = append(roles, cedar.NewEntityUID("Action", cedar.String(policytest.Role(n))))
		}
	}
	entities[action] = cedar.Entity{UID: action, Parents: cedar.NewEntityUIDSet(roles...)}
	entities[resource] = cedar.Entity{UID: resource, Attributes: cedarAttributes(&r.Resource)}
	now := r.Environment.Now
	day := (int(now.Weekday())+6)%7 + 1
	return cedarRequest{entities: entities, request: cedar.Request{
		Principal: user, Action: action, Resource: resource,
		Context: cedar.NewRecord(cedar.RecordMap{
			"day": cedar.Long(day), "seconds": cedar.Long(now.Sub(now.Truncate(24*time.Hour)) / time.Second),
		}),
	}}
}

func cedarAttributes(r *policy.Resource) cedar.Record {
	m := cedar.RecordMap{
		"serviceName": cedar.String(r.ServiceName), "serviceInstance": cedar.String(r.ServiceInstance),
		"region": cedar.String(r.Region), "resourceType": cedar.String(r.ResourceType),
		"resource": cedar.String(r.Resource), "resourceGroupId": cedar.String(r.ResourceGroupID),
	}
	for _, a := range r.Attributes {
		m[cedar.String(a.Name)] = cedar.String(a.Value)
	}
	var tags []cedar.Value
	for _, t := range r.Tags {
		tags = append(tags, cedar.String(t))
	}
	m["tags"] = cedar.NewSet(tags...)
	return cedar.NewRecord(m)
}

// actionNumber is the number of an action within its service.
func actionNumber(action string) int { return int(action[len(action)-1] - '0') }
