package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
)

// A store may hand over what validation would refuse, because an older version
// wrote it. None of it may allow anything.
func TestMalformedPoliciesNeverAllow(t *testing.T) {
	services, catalog := scenarioCatalog(t)
	good := func() *policy.Policy { return access("p", "IBMid-1", []string{"Reader"}, onStorage("")...) }
	for name, change := range map[string]func(p *policy.Policy){
		"no subject":           func(p *policy.Policy) { p.Subject = nil },
		"two subjects":         func(p *policy.Policy) { p.Subject = append(p.Subject, p.Subject[0]) },
		"subject of a service": func(p *policy.Policy) { p.Subject[0].Key = policy.AttrServiceName },
		"subject with wildcard": func(p *policy.Policy) {
			p.Subject[0] = attr(policy.AttrIAMID, policy.OpStringMatch, policy.String("*"))
		},
		"subject list": func(p *policy.Policy) { p.Subject[0].Value = policytest.StringList("IBMid-1") },
		"any subject": func(p *policy.Policy) {
			p.Subject[0] = attr(policy.AttrIAMID, policy.OpStringExists, policy.Bool(true))
		},
		"unknown type":  func(p *policy.Policy) { p.Type = "grant" },
		"authorization": func(p *policy.Policy) { p.Type = policy.TypeAuthorization },
		"no state":      func(p *policy.Policy) { p.State = "" },
		"no account":    func(p *policy.Policy) { p.Resource = p.Resource[:1] },
		"account list":  func(p *policy.Policy) { p.Resource[1].Value = policytest.StringList("acct") },
		"any account": func(p *policy.Policy) {
			p.Resource[1] = attr(policy.AttrAccountID, policy.OpStringMatch, policy.String("*"))
		},
		"two accounts":  func(p *policy.Policy) { p.Resource = append(p.Resource, equals(policy.AttrAccountID, "other")) },
		"no role":       func(p *policy.Policy) { p.RoleIDs = nil },
		"no value":      func(p *policy.Policy) { p.Resource[0].Value = policy.Value{} },
		"empty service": func(p *policy.Policy) { p.Resource[0].Value = policy.String("") },
		"rule of two kinds": func(p *policy.Policy) {
			p.Rule = &policy.Rule{Operator: policy.OpStringEquals, Key: "{{resource.attributes.serviceName}}", Value: policy.String("storage"),
				Conditions: []policy.Rule{{}}}
		},
		"no days": func(p *policy.Policy) {
			p.Rule = &policy.Rule{Operator: policy.OpDayOfWeekAnyOf, Key: policy.KeyDayOfWeek, Value: policytest.StringList()}
		},
		"condition of nothing": func(p *policy.Policy) { p.Rule = &policy.Rule{} },
	} {
		p := good()
		change(p)
		in := accountWith(catalog, p)
		r := ask("IBMid-1", "storage.object.read", "")
		s := policy.NewSnapshot(in)
		if d := policy.Decide(s, &r); d.Allowed || d.Reason != naiveDecide(in, services, r) {
			t.Errorf("%s: %+v", name, d)
		}
		if e := policy.Explain(s, &r); len(e.Nearest) == 0 {
			t.Errorf("%s: nothing is explained", name)
		}
		if s.With(policy.RemovePolicy("p")).Size() >= s.Size() && p.State == policy.StateActive {
			t.Errorf("%s: removing the policy left it in the snapshot", name)
		}
	}
	r := ask("IBMid-1", "storage.object.read", "")
	if d := policy.Decide(policy.NewSnapshot(accountWith(catalog, good())), &r); !d.Allowed {
		t.Errorf("the policy that the others are spoiled from does not allow: %+v", d)
	}
}

func TestRulesSeeTheAccount(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	p := access("p", "IBMid-1", []string{"Reader"}, onStorage("")...)
	p.Rule = &policy.Rule{Operator: policy.OpStringEquals, Key: "{{resource.attributes.accountId}}", Value: policy.String("acct")}
	r := ask("IBMid-1", "storage.object.read", "")
	if d := policy.Decide(policy.NewSnapshot(accountWith(catalog, p)), &r); !d.Allowed || !d.PerRequest {
		t.Errorf("%+v", d)
	}
}

func TestDaysBeforeTheEpoch(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	p := access("p", "IBMid-1", []string{"Reader"}, onStorage("")...)
	p.Rule = &policy.Rule{Operator: policy.OpAnd, Conditions: []policy.Rule{
		clock(policy.KeyDayOfWeek, policy.OpDayOfWeekEquals, "3"), // 1969-12-31 was a Wednesday
		clock(policy.KeyCurrentDate, policy.OpDateLessThan, "1970-01-01+00:00"),
		clock(policy.KeyCurrentTime, policy.OpTimeGreaterThanOrEquals, "23:00:00+00:00"),
	}}
	s := policy.NewSnapshot(accountWith(catalog, p))
	for at, want := range map[string]bool{"1969-12-31T23:30:00Z": true, "1969-12-31T22:30:00Z": false, "1970-01-01T23:30:00Z": false,
		"1969-12-30T23:30:00Z": false} {
		r := ask("IBMid-1", "storage.object.read", "")
		r.Environment.Now = scenarioTime(t, at)
		d := policy.Decide(s, &r)
		if d.Allowed != want {
			t.Errorf("%s: %+v", at, d)
		}
		if at == "1969-12-31T23:30:00Z" && !d.Until.Equal(time.Unix(0, 0)) {
			t.Errorf("%s: until %s", at, d.Until)
		}
	}
}

// Two attributes of one name cannot be stored; a scope made from them still
// covers no more than the policy.
func TestAScopeWithAnAttributeTwice(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	q := access("q", "IBMid-1", []string{"Administrator"}, append(onStorage("i1"), equals(policy.AttrServiceInstance, "i2"))...)
	p := access("p", "IBMid-1", []string{"Administrator"}, onStorage("i1")...)
	if allows(catalog, p, onScope(p, q)) {
		t.Error("a policy on i1 covers a scope of i1 and i2")
	}
}

func TestExplanationsShowTheClockAsRulesWriteIt(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	p := access("p", "IBMid-1", []string{"Reader"}, onStorage("")...)
	p.Rule = &policy.Rule{Operator: policy.OpAnd, Conditions: []policy.Rule{
		clock(policy.KeyDayOfWeek, policy.OpDayOfWeekEquals, "1+14:00"),
		clock(policy.KeyCurrentTime, policy.OpTimeLessThan, "01:00:00+01:00"),
		clock(policy.KeyCurrentDate, policy.OpDateLessThan, "2020-01-01-11:00"),
		clock(policy.KeyCurrentDateTime, policy.OpDateTimeLessThan, "2020-01-01T00:00:00+05:30"),
		{Key: policy.KeyDayOfWeek, Operator: policy.OpDayOfWeekAnyOf, Value: policytest.StringList()},
	}}
	r := ask("IBMid-1", "storage.object.read", "")
	words := strings.Join(policy.Explain(policy.NewSnapshot(accountWith(catalog, p)), &r).Nearest, "\n")
	for _, want := range []string{`"4+14:00"`, `"11:30:00+01:00"`, `"2026-03-03-11:00"`, `"2026-03-04T16:00:00+05:30"`} {
		if !strings.Contains(words, want) {
			t.Errorf("explanation lacks %s:\n%s", want, words)
		}
	}
}

// Whoever may act only where an attribute is missing may not act everywhere.
func TestAPolicyOnMissingAttributesDoesNotCoverTheWhole(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	narrow := access("p", "IBMid-1", []string{"Administrator"}, append(onStorage(""),
		attr("region", policy.OpStringExists, policy.Bool(false)))...)
	wide := access("q", "IBMid-1", []string{"Administrator"}, onStorage("")...)
	if allows(catalog, narrow, onScope(narrow, wide)) {
		t.Error("a policy for resources without a region covers all resources")
	}
	if !allows(catalog, wide, onScope(wide, narrow)) || !allows(catalog, narrow, onScope(narrow, narrow)) {
		t.Error("an equal or wider policy does not cover resources without a region")
	}
	r := ask("IBMid-1", universalAction, "")
	if !allows(catalog, narrow, r) {
		t.Error("a single resource without a region is not covered")
	}
}

// An empty id is nobody's, whatever kind of subject comes with it.
func TestNobodyOwnsByAnEmptyID(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	s := policy.NewSnapshot(accountWith(catalog))
	for _, kind := range []policy.SubjectKind{policy.KindAnonymous, policy.KindUser, policy.KindServiceID, policy.KindProfile,
		policy.KindService} {
		for action, service := range map[string]string{"storage.bucket.delete": "storage", "iam-identity.apikey.get": "iam-identity"} {
			r := policy.Request{Subject: policy.Subject{Kind: kind, Account: "acct"}, Action: action,
				Resource: policy.Resource{Account: "acct", ServiceName: service}}
			if d := policy.Decide(s, &r); d.Allowed {
				t.Errorf("%d %s: %+v", kind, action, d)
			}
		}
	}
}

// A policy for resources that have an attribute covers no scope of those that
// lack it, or of a comparison that nobody understands.
func TestAPolicyOnPresentAttributesCoversOnlyThose(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	on := func(op policy.Operator, v policy.Value) *policy.Policy {
		return access("p", "IBMid-1", []string{"Administrator"}, append(onStorage(""), attr("region", op, v))...)
	}
	present := on(policy.OpStringExists, policy.Bool(true))
	for _, c := range []struct {
		scope *policy.Policy
		want  bool
	}{
		{on(policy.OpStringExists, policy.Bool(false)), false}, {on("stringLike", policy.String("x")), false},
		{on(policy.OpStringExists, policy.String("maybe")), false},
		{present, true}, {on(policy.OpStringMatch, policy.String("s*")), true},
		{on(policy.OpStringEqualsAnyOf, policytest.StringList("a", "b")), true}, {on(policy.OpStringEquals, policy.String("a")), true},
	} {
		if got := allows(catalog, present, onScope(present, c.scope)); got != c.want {
			t.Errorf("%s %v: %v", c.scope.Resource[1].Operator, c.scope.Resource[1].Value.Strings(), got)
		}
	}
}
