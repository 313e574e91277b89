package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
)

func access(id, who string, roles []string, resource ...policy.Attribute) *policy.Policy {
	key := policy.AttrIAMID
	if strings.HasPrefix(who, "AccessGroupId-") {
		key = policy.AttrAccessGroupID
	}
	p := &policy.Policy{
		ID: id, Account: "acct", Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive,
		Subject: []policy.Attribute{equals(key, who)}, Resource: append(resource, equals(policy.AttrAccountID, "acct")),
	}
	for _, r := range roles {
		p.RoleIDs = append(p.RoleIDs, roleCRN(r))
	}
	return p
}

func onStorage(instance string) []policy.Attribute {
	out := []policy.Attribute{equals(policy.AttrServiceName, "storage")}
	if instance != "" {
		out = append(out, equals(policy.AttrServiceInstance, instance))
	}
	return out
}

func ask(who, action, instance string) policy.Request {
	return policy.Request{
		Subject: policy.Subject{Kind: policy.KindOf(who), IAMID: who, Account: "acct"}, Action: action,
		Resource:    policy.Resource{Account: "acct", ServiceName: "storage", ServiceInstance: instance},
		Environment: policy.Environment{Now: policytest.Now},
	}
}

func TestDecisionsNameWhatPermitted(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	in := accountWith(catalog,
		access("own", "IBMid-1", []string{"Viewer", "Reader"}, onStorage("i1")...),
		access("group", "AccessGroupId-1", []string{"Writer"}, onStorage("")...))
	in.Groups = []policy.Group{{ID: "AccessGroupId-1", Members: []string{"IBMid-1"}}}
	in.Seq = 12
	s := policy.NewSnapshot(in)
	r := ask("IBMid-1", "storage.object.read", "i1")
	want := policy.Decision{Allowed: true, Reason: policy.ReasonPolicy, PolicyID: "own", RoleID: roleCRN("Reader"), Seq: 12}
	if diff := cmp.Diff(want, policy.Decide(s, &r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r = ask("IBMid-1", "storage.object.write", "i1")
	want = policy.Decision{Allowed: true, Reason: policy.ReasonPolicy, PolicyID: "group", RoleID: roleCRN("Writer"),
		GroupID: "AccessGroupId-1", Seq: 12}
	if diff := cmp.Diff(want, policy.Decide(s, &r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r = ask("IBMid-1", "storage.bucket.delete", "i1")
	if diff := cmp.Diff(policy.Decision{Reason: policy.ReasonNoPolicy, Seq: 12}, policy.Decide(s, &r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Account() != "acct" || s.Seq() != 12 || s.Owner() != "" || s.Catalog() != catalog {
		t.Errorf("snapshot of %q at %d", s.Account(), s.Seq())
	}
}

func TestHowLongAnAnswerMayBeKept(t *testing.T) {
	now := policytest.Now
	for _, c := range []struct {
		name string
		d    policy.Decision
		want time.Duration
	}{
		{"permit", policy.Decision{Allowed: true}, 600 * time.Second},
		{"deny", policy.Decision{}, 120 * time.Second},
		{"permit until soon", policy.Decision{Allowed: true, Until: now.Add(30 * time.Second)}, 30 * time.Second},
		{"permit until late", policy.Decision{Allowed: true, Until: now.Add(time.Hour)}, 600 * time.Second},
		{"over already", policy.Decision{Allowed: true, Until: now.Add(-time.Second)}, 0},
		{"by attributes of the request", policy.Decision{Allowed: true, PerRequest: true}, 0},
	} {
		if got := c.d.MaxAge(now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestObligationsListWhatHoldsWithoutARule(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	timed := access("timed", "IBMid-1", []string{"Manager"}, onStorage("")...)
	timed.Pattern, timed.Rule = policy.PatternWeeklyHours, workingHours()
	s := policy.NewSnapshot(accountWith(catalog, access("steady", "IBMid-1", []string{"Reader"}, onStorage("")...), timed))
	r := ask("IBMid-1", "storage.bucket.delete", "i1")
	d := policy.Decide(s, &r)
	o := policy.ObligationOf(s, &r, d)
	if diff := cmp.Diff([]string{"storage.bucket.list", "storage.object.read"}, o.Actions); diff != "" || o.MaxAge != 600*time.Second {
		t.Errorf("max age %s, actions (-want +got):\n%s", o.MaxAge, diff)
	}
	if got := policy.ActionsOn(s, &r).Actions; !slices.Contains(got, "storage.bucket.delete") {
		t.Errorf("actions now are %v", got)
	}
	r.Environment.Now = policytest.Now.Add(12 * time.Hour)
	if got := policy.ActionsOn(s, &r).Actions; slices.Contains(got, "storage.bucket.delete") {
		t.Errorf("actions at night are %v", got)
	}
	d = policy.Decide(s, &r)
	if o := policy.ObligationOf(s, &r, d); d.Allowed || o.Actions != nil || o.MaxAge != 120*time.Second {
		t.Errorf("a denial obliges to %+v", o)
	}
}

func TestADenialByAttributesOfTheRequestIsNotKept(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	p := access("p", "IBMid-1", []string{"Reader"}, onStorage("")...)
	p.Pattern, p.Rule = policy.PatternAttributeBase, folderRule()
	s := policy.NewSnapshot(accountWith(catalog, p))
	r := ask("IBMid-1", "storage.object.read", "")
	if d := policy.Decide(s, &r); d.Allowed || !d.PerRequest || d.MaxAge(policytest.Now) != 0 {
		t.Errorf("a path outside the folder: %+v", d)
	}
	r.Resource.Attributes = []policy.NamedValue{{Name: "path", Value: "shared/x"}}
	if d := policy.Decide(s, &r); !d.Allowed || !d.PerRequest {
		t.Errorf("a path in the folder: %+v", d)
	}
	r = ask("IBMid-1", "storage.object.write", "")
	if d := policy.Decide(s, &r); d.Allowed || d.PerRequest {
		t.Errorf("an action that the policy does not give: %+v", d)
	}
}

func TestRolesOnAResource(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	in := accountWith(catalog,
		access("b", "IBMid-1", []string{"Reader", "custom:Sweeper"}, onStorage("")...),
		access("a", "IBMid-1", []string{"Reader", "Viewer", "custom:Gone", "vault:Manager"}, onStorage("i1")...),
		access("elsewhere", "IBMid-1", []string{"Manager"}, onStorage("i2")...))
	in.CustomRoles = []policy.CustomRole{{Service: "storage", Role: policy.Role{CRN: customCRN("Sweeper"), Kind: policy.RoleCustom,
		Actions: []string{"storage.bucket.delete"}}}}
	in.Controls = []policy.ActionControl{{ID: "c", Service: "storage", Actions: []string{"storage.object.read"}}}
	in.Owner = "IBMid-owner"
	s := policy.NewSnapshot(in)
	describe := func(who string) []string {
		r := ask(who, "", "i1")
		var out []string
		for _, g := range policy.RolesOn(s, &r) {
			var actions []string
			for _, a := range g.Actions {
				actions = append(actions, a.ID)
			}
			out = append(out, fmt.Sprintf("%s %v by %v", g.Role.CRN[strings.LastIndex(g.Role.CRN, ":")+1:], actions, g.Policies))
		}
		return out
	}
	want := []string{
		"Viewer [iam.policy.read iam.role.read resource-controller.instance.retrieve] by [a]",
		"Reader [storage.bucket.list] by [a b]",
		"Sweeper [storage.bucket.delete] by [b]",
	}
	if diff := cmp.Diff(want, describe("IBMid-1")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := describe("IBMid-owner"); len(got) != len(catalog.RolesOf("storage")) {
		t.Errorf("the owner's roles are %v", got)
	}
	if got := describe("IBMid-2"); len(got) != 0 {
		t.Errorf("a stranger's roles are %v", got)
	}
	r := ask("IBMid-1", "", "i1")
	r.Resource.Account = "other"
	if policy.RolesOn(s, &r) != nil || policy.ActionsOn(s, &r).Actions != nil {
		t.Error("roles in another account")
	}
}

func TestMonitoringTellsWhatLimitingWouldDo(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	for _, c := range []struct {
		mode    policy.ExternalMode
		from    string
		allowed bool
		want    policy.ExternalOutcome
	}{
		{policy.ExternalMonitor, "stranger", true, policy.ExternalMonitorDeny},
		{policy.ExternalMonitor, "friend", true, policy.ExternalMonitorPermit},
		{policy.ExternalMonitor, "acct", true, policy.ExternalNone},
		{policy.ExternalLimited, "stranger", false, policy.ExternalDeny},
		{policy.ExternalLimited, "friend", true, policy.ExternalPermit},
		{policy.ExternalEnabled, "stranger", true, policy.ExternalNone},
		{"", "stranger", true, policy.ExternalNone},
	} {
		in := accountWith(catalog, access("p", "IBMid-1", []string{"Reader"}, onStorage("")...))
		in.External.User = policy.ExternalSetting{Mode: c.mode, Allowed: []string{"friend"}}
		r := ask("IBMid-1", "storage.object.read", "")
		r.Subject.Account = c.from
		if d := policy.Decide(policy.NewSnapshot(in), &r); d.Allowed != c.allowed || d.External != c.want {
			t.Errorf("mode %q, token of %s: %+v", c.mode, c.from, d)
		}
	}
}

func TestWhoCan(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	source := &policy.Policy{
		ID: "s2s", Account: "acct", Type: policy.TypeAuthorization, State: policy.StateActive,
		Subject:  []policy.Attribute{equals(policy.AttrServiceName, "database"), equals(policy.AttrAccountID, "acct")},
		Resource: append(onStorage(""), equals(policy.AttrAccountID, "acct")), RoleIDs: []string{roleCRN("Reader")},
	}
	night := access("night", "IBMid-2", []string{"Reader"}, onStorage("")...)
	night.Rule = &policy.Rule{Key: policy.KeyCurrentTime, Operator: policy.OpTimeGreaterThan, Value: policy.String("22:00:00+00:00")}
	in := accountWith(catalog, night,
		access("direct", "IBMid-1", []string{"Reader"}, onStorage("")...),
		access("direct-too", "IBMid-1", []string{"Manager"}, onStorage("i1")...),
		access("elsewhere", "IBMid-2", []string{"Reader"}, onStorage("i9")...),
		access("group", "AccessGroupId-1", []string{"Writer"}, onStorage("i1")...),
		access("public", policy.PublicAccessGroupID, []string{"Reader"}, onStorage("i1")...),
		access("no-group", "AccessGroupId-9", []string{"Reader"}, onStorage("")...),
		access("crn", "crn-crn:v1:x", []string{"Reader"}, onStorage("")...), source)
	in.Groups = []policy.Group{{ID: "AccessGroupId-1", Members: []string{"iam-ServiceId-1", "IBMid-3", "crn-crn:v1:x"},
		Rules: []policy.DynamicRule{
			{ID: "r1", Realm: "corp", Expiration: time.Hour, Conditions: []policy.ClaimCondition{{Claim: "c", Operator: policy.ClaimEquals,
				Value: `"x"`}}},
			{ID: "never", Realm: "corp", Expiration: time.Hour},
		}}}
	in.Owner, in.PublicAccess = "IBMid-owner", true
	s := policy.NewSnapshot(in)
	who := func() []string {
		var out []string
		r := ask("", "storage.object.read", "i1")
		for _, g := range policy.WhoCan(s, r.Action, r.Resource, r.Environment) {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s%s%s %v", g.Kind, g.IAMID, g.GroupID, g.RuleID, g.Policies)))
		}
		return out
	}
	want := []string{
		"owner IBMid-owner []", "identity IBMid-1 [direct direct-too]", "identity IBMid-3 [group]",
		"identity iam-ServiceId-1 [group]", "dynamic AccessGroupId-1r1 [group]",
		"everyone AccessGroupId-PublicAccess [public]", "service  [s2s]",
	}
	if diff := cmp.Diff(want, who()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r := ask("", "iam-identity.apikey.get", "")
	r.Resource.ServiceName, r.Resource.Owner, r.Resource.Creator = "iam-identity", "IBMid-7", "crn-crn:v1:x"
	if got := policy.WhoCan(s, r.Action, r.Resource, r.Environment); len(got) != 2 || got[1].IAMID != "IBMid-7" {
		t.Errorf("who can read a key of their own: %+v", got)
	}
	s = s.With(policy.PutControl(policy.ActionControl{ID: "c", Service: "storage", Actions: []string{"storage.object.read"}}))
	if got := who(); got != nil {
		t.Errorf("under a control: %v", got)
	}
}

func TestDiffOfOnePolicy(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	in := accountWith(catalog,
		access("had", "IBMid-1", []string{"Reader"}, onStorage("")...),
		access("group", "AccessGroupId-1", []string{"Reader"}, onStorage("i1")...))
	in.Groups = []policy.Group{{ID: "AccessGroupId-1", Members: []string{"IBMid-1", "IBMid-2"}}}
	before := policy.NewSnapshot(in)
	show := func(after *policy.Snapshot, resources ...policy.Resource) []string {
		var out []string
		for _, s := range policy.Diff(before, after, resources...) {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s%s%s +%v -%v +?%v -?%v", s.Grantee.Kind, " "+s.Grantee.IAMID, s.Grantee.RuleID,
				s.Gained, s.Lost, s.GainedWhen, s.LostWhen)))
		}
		return out
	}
	timed := access("group", "AccessGroupId-1", []string{"Reader"}, onStorage("i1")...)
	timed.Pattern, timed.Rule = policy.PatternWeeklyHours, workingHours()
	rule := policy.DynamicRule{ID: "r", Realm: "corp", Expiration: time.Hour,
		Conditions: []policy.ClaimCondition{{Claim: "c", Operator: policy.ClaimEquals, Value: `"x"`}}}
	authorization := &policy.Policy{ID: "s2s", Type: policy.TypeAuthorization, State: policy.StateActive,
		Subject:  []policy.Attribute{equals(policy.AttrServiceName, "database"), equals(policy.AttrAccountID, "acct")},
		Resource: append(onStorage(""), equals(policy.AttrAccountID, "acct")), RoleIDs: []string{roleCRN("Reader")}}
	for _, c := range []struct {
		name   string
		change policy.Change
		want   []string
	}{
		{"nothing", policy.SetSeq(9), nil},
		{"who has it already gains nothing", policy.PutPolicy(access("group", "AccessGroupId-1", []string{"Writer"}, onStorage("i1")...)),
			[]string{"identity IBMid-1 +[storage.object.write] -[] +?[] -?[]", "identity IBMid-2 +[storage.object.write] -[] +?[] -?[]"}},
		{"removal", policy.RemovePolicy("group"), []string{"identity IBMid-2 +[] -[storage.bucket.list storage.object.read] +?[] -?[]"}},
		{"a rule is added", policy.PutPolicy(timed),
			[]string{"identity IBMid-2 +[] -[storage.bucket.list storage.object.read] +?[storage.bucket.list storage.object.read] -?[]"}},
		{"a member leaves", policy.RemoveMembers("AccessGroupId-1", "IBMid-2"),
			[]string{"identity IBMid-2 +[] -[storage.bucket.list storage.object.read] +?[] -?[]"}},
		{"a rule admits", policy.PutGroup(policy.Group{ID: "AccessGroupId-1", Members: []string{"IBMid-1", "IBMid-2"},
			Rules: []policy.DynamicRule{rule}}),
			[]string{"dynamic r +[storage.bucket.list storage.object.read] -[] +?[] -?[]"}},
		{"a control", policy.PutControl(policy.ActionControl{ID: "c", Service: "storage", Actions: []string{"storage.object.read"}}),
			[]string{"identity IBMid-1 +[] -[storage.object.read] +?[] -?[]", "identity IBMid-1 +[] -[storage.object.read] +?[] -?[]",
				"identity IBMid-2 +[] -[storage.object.read] +?[] -?[]"}},
		{"an authorization", policy.PutPolicy(authorization), []string{"service  +[storage.bucket.list storage.object.read] -[] +?[] -?[]"}},
		{"the account is suspended", policy.SetState("SUSPENDED"), []string{
			"identity IBMid-1 +[] -[storage.bucket.list storage.object.read] +?[] -?[]",
			"identity IBMid-1 +[] -[storage.bucket.list storage.object.read] +?[] -?[]",
			"identity IBMid-2 +[] -[storage.bucket.list storage.object.read] +?[] -?[]"}},
	} {
		if diff := cmp.Diff(c.want, show(before.With(c.change))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	after := before.With(policy.PutPolicy(access("all", "IBMid-2", []string{"Reader"}, onStorage("")...)))
	if diff := cmp.Diff([]string{"identity IBMid-2 +[storage.bucket.list storage.object.read] -[] +?[] -?[]"},
		show(after, policy.Resource{Account: "acct", ServiceName: "storage", ServiceInstance: "i7"},
			policy.Resource{Account: "acct", ServiceName: "storage", ServiceInstance: "i1"})); diff != "" {
		t.Errorf("on given resources (-want +got):\n%s", diff)
	}
}

func TestDiffSeesControlsAndGroupsThatAppear(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	in := accountWith(catalog, access("p", "AccessGroupId-1", []string{"Reader"}, onStorage("")...))
	in.Controls = []policy.ActionControl{{ID: "c", Service: "storage", Actions: []string{"storage.object.read"}}}
	before := policy.NewSnapshot(in)
	with := before.With(policy.PutGroup(policy.Group{ID: "AccessGroupId-1", Members: []string{"IBMid-1"}}))
	got := policy.Diff(before, with)
	if len(got) != 1 || !slices.Equal(got[0].Gained, []string{"storage.bucket.list"}) {
		t.Errorf("a group appeared: %+v", got)
	}
	got = policy.Diff(with, with.With(policy.PutControl(policy.ActionControl{ID: "c", Service: "storage",
		Actions: []string{"storage.bucket.list"}})))
	if len(got) != 1 || !slices.Equal(got[0].Gained, []string{"storage.object.read"}) ||
		!slices.Equal(got[0].Lost, []string{"storage.bucket.list"}) {
		t.Errorf("a control changed: %+v", got)
	}
	other := before.With(policy.PutPolicy(access("q", "AccessGroupId-2", []string{"Reader"}, onStorage("")...)))
	if got := policy.Diff(before, other); len(got) != 0 {
		t.Errorf("a policy of a group that does not exist: %+v", got)
	}
}

func TestDiffSeesCustomRoles(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	role := policy.CustomRole{Service: "storage", Role: policy.Role{CRN: customCRN("Sweeper"), Actions: []string{"storage.bucket.list"}}}
	in := accountWith(catalog, access("p", "IBMid-1", []string{"custom:Sweeper"}, onStorage("")...),
		access("q", "IBMid-2", []string{"Reader"}, onStorage("")...))
	in.CustomRoles = []policy.CustomRole{role}
	before := policy.NewSnapshot(in)
	role.Actions = []string{"storage.bucket.delete"}
	got := policy.Diff(before, before.With(policy.PutCustomRole(role)))
	if len(got) != 1 || got[0].Grantee.IAMID != "IBMid-1" || !slices.Equal(got[0].Gained, []string{"storage.bucket.delete"}) ||
		!slices.Equal(got[0].Lost, []string{"storage.bucket.list"}) {
		t.Errorf("a changed role: %+v", got)
	}
	got = policy.Diff(before, before.With(policy.RemoveCustomRole(role.CRN)))
	if len(got) != 1 || !slices.Equal(got[0].Lost, []string{"storage.bucket.list"}) {
		t.Errorf("a removed role: %+v", got)
	}
}

// A long index is searched, a short one walked: both must see the same.
func TestLongIndexesAgreeWithTheNaiveTwin(t *testing.T) {
	services, catalog := scenarioCatalog(t)
	const longest = 400
	rapid.Check(t, func(t *rapid.T) {
		in := accountWith(catalog)
		n := rapid.IntRange(200, longest).Draw(t, "policies")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for i := range n {
			target := []policy.Attribute{equals(policy.AttrServiceName, someServices[rng.IntN(len(someServices))])}
			if rng.IntN(4) == 0 {
				target[0] = equals(policy.AttrServiceType, []string{"service", "platform_service"}[rng.IntN(2)])
			}
			if rng.IntN(2) == 0 {
				target = append(target, equals(policy.AttrServiceInstance, fmt.Sprint("i", rng.IntN(20))))
			}
			target = append(target, equals("number", fmt.Sprint(rng.IntN(n))))
			p := access(fmt.Sprint("policy-", i), "IBMid-1", []string{"Viewer"}, target...)
			if i%2 == 0 {
				p.Rule = workingHours()
			}
			in.Policies = append(in.Policies, p)
		}
		// The last few come one by one, as changes do.
		built := in
		built.Policies = in.Policies[:n-6]
		s := policy.NewSnapshot(built)
		for _, p := range in.Policies[n-6:] {
			s = s.With(policy.PutPolicy(p))
		}
		for i := range 30 {
			r := ask("IBMid-1", "resource-controller.instance.retrieve", "")
			r.Resource = policy.ScopeOf(in.Policies[rng.IntN(n)])
			if i < 6 {
				r.Resource = policy.ScopeOf(in.Policies[n-1-i])
			}
			r.Resource.Whole, r.Resource.Tags = false, []string{"a:b"}
			if i%3 == 0 {
				r.Resource.ServiceInstance = fmt.Sprint("i", rng.IntN(20))
			}
			if r.Resource.ServiceName == "" {
				r.Resource.ServiceName = someServices[rng.IntN(len(someServices))]
			}
			if got, want := policy.Decide(s, &r).Reason, naiveDecide(in, services, r); got != want {
				t.Fatalf("engine: %s, twin: %s", got, want)
			}
		}
	})
}

// The index remembers a bounded number of tags of a request.
func TestEveryOneOfManyTagsCounts(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	const tags = 30
	var few, many []*policy.Policy
	for i := range tags {
		p := access(fmt.Sprint("p", i), fmt.Sprint("IBMid-", i), []string{"Reader"}, equals(policy.AttrServiceType, "service"))
		p.Tags = []policy.Attribute{equals("k", fmt.Sprint(i))}
		few = append(few, p)
	}
	for i := range 200 {
		p := access(fmt.Sprint("q", i), "IBMid-long", []string{"Reader"}, equals(policy.AttrServiceType, "service"),
			equals("number", fmt.Sprint(i)))
		p.Tags = []policy.Attribute{equals("k", fmt.Sprint(i))}
		many = append(many, p)
	}
	s := policy.NewSnapshot(accountWith(catalog, append(few, many...)...))
	for i := range tags + 1 {
		r := ask(fmt.Sprint("IBMid-", i), "storage.object.read", "i1")
		for n := range tags {
			r.Resource.Tags = append(r.Resource.Tags, fmt.Sprint("k:", n))
		}
		if d := policy.Decide(s, &r); d.Allowed != (i < tags) {
			t.Errorf("tag %d of %d: %+v", i, tags, d)
		}
		r.Subject.IAMID = "IBMid-long"
		r.Resource.Attributes = []policy.NamedValue{{Name: "number", Value: fmt.Sprint(i)}}
		if d := policy.Decide(s, &r); d.Allowed != (i < tags) {
			t.Errorf("tag %d of %d, long index: %+v", i, tags, d)
		}
	}
}

func TestDecisionsRunBesideChanges(t *testing.T) {
	a := policytest.New(500)
	s := policy.NewSnapshot(a.Input)
	requests := a.Requests(256)
	var want []policy.Decision
	for i := range requests {
		want = append(want, policy.Decide(s, &requests[i]))
	}
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for i := range requests {
				if got := policy.Decide(s, &requests[i]); got != want[i] {
					t.Errorf("request %d: %+v, before the changes %+v", i, got, want[i])
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(5, 5))
	next := s
	for i := range 200 {
		next = next.With(policy.PutPolicy(policytest.Policy(rng, rng.IntN(500))), policy.AddMembers(policytest.Group(i%50), policytest.User(i)),
			policy.SetSeq(int64(i)))
	}
	readers.Wait()
}

func TestADecisionAllocatesNothing(t *testing.T) {
	a := policytest.New(1000)
	s := policy.NewSnapshot(a.Input)
	requests := a.Requests(256)
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		policy.Decide(s, &requests[i%len(requests)])
		i++
	}); n != 0 {
		t.Errorf("%.1f allocations per decision", n)
	}
}

func TestManyDynamicGroupsCount(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	in := accountWith(catalog)
	for i := range 9 {
		id := fmt.Sprint("AccessGroupId-", i)
		in.Groups = append(in.Groups, policy.Group{ID: id, Rules: []policy.DynamicRule{{
			ID: "r", Realm: "corp", Expiration: time.Hour, Conditions: []policy.ClaimCondition{{Claim: "c", Operator: policy.ClaimEquals,
				Value: `"x"`}}}}})
		in.Policies = append(in.Policies, access(fmt.Sprint("p", i), id, []string{"Reader"}, onStorage(fmt.Sprint("i", i))...))
	}
	in.PublicAccess = true
	s := policy.NewSnapshot(in)
	for i := range 9 {
		r := ask("IBMid-1", "storage.object.read", fmt.Sprint("i", i))
		r.Subject.Realm, r.Subject.LoginAt, r.Subject.Claims = "corp", policytest.Now, []policy.Claim{{Name: "c", Values: []string{"x"}}}
		if d := policy.Decide(s, &r); !d.Allowed || d.GroupID != fmt.Sprint("AccessGroupId-", i) ||
			!d.Until.Equal(policytest.Now.Add(time.Hour)) {
			t.Errorf("group %d: %+v", i, d)
		}
		if e := policy.Explain(s, &r); len(e.Groups) != 10 {
			t.Errorf("explained with %d groups", len(e.Groups))
		}
	}
}

func TestARemovedGroupAdmitsNobody(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	in := accountWith(catalog, access("p", "AccessGroupId-1", []string{"Reader"}, onStorage("")...))
	in.Groups = []policy.Group{{ID: "AccessGroupId-1", Members: []string{"IBMid-2"}, Rules: []policy.DynamicRule{{
		ID: "r", Realm: "corp", Expiration: time.Hour, Conditions: []policy.ClaimCondition{{Claim: "c", Operator: policy.ClaimEquals,
			Value: `"x"`}}}}}}
	s := policy.NewSnapshot(in)
	login := ask("IBMid-1", "storage.object.read", "")
	login.Subject.Realm, login.Subject.LoginAt, login.Subject.Claims = "corp", policytest.Now,
		[]policy.Claim{{Name: "c", Values: []string{"x"}}}
	member := ask("IBMid-2", "storage.object.read", "")
	if !policy.Decide(s, &login).Allowed || !policy.Decide(s, &member).Allowed {
		t.Error("the group admits nobody while it is there")
	}
	s = s.With(policy.RemoveGroup("AccessGroupId-1"))
	if policy.Decide(s, &login).Allowed || policy.Decide(s, &member).Allowed {
		t.Error("the group admits somebody after it is gone")
	}
	s = s.With(policy.RemovePolicy("p"))
	if policy.Decide(s, &login).Allowed {
		t.Error("a rule outlived its group and policies")
	}
}

func TestGroupsThatComeAndGoLeaveNothingBehind(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	s := policy.NewSnapshot(accountWith(catalog))
	size := 0
	for i := range 20 {
		id := fmt.Sprint("AccessGroupId-", i)
		s = s.With(policy.PutGroup(policy.Group{ID: id, Members: []string{"IBMid-1"}}),
			policy.PutPolicy(access("p", id, []string{"Reader"}, onStorage("")...)))
		s = s.With(policy.RemoveGroup(id), policy.RemovePolicy("p"))
		if i == 0 {
			size = s.Size()
		}
	}
	if s.Size() != size {
		t.Errorf("size is %d after one group and %d after twenty", size, s.Size())
	}
}

func TestWithoutACatalogueNothingIsAllowed(t *testing.T) {
	in := accountWith(nil, access("p", "IBMid-1", []string{"Reader"}, onStorage("")...))
	in.Owner = "IBMid-1"
	r := ask("IBMid-1", "storage.object.read", "")
	if d := policy.Decide(policy.NewSnapshot(in), &r); d.Allowed {
		t.Errorf("%+v", d)
	}
}

func TestPoliciesCanBeListed(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	p := access("p", "IBMid-1", []string{"Reader"}, onStorage("")...)
	s := policy.NewSnapshot(accountWith(catalog, p))
	if got := s.Policies(); len(got) != 1 || got[0] != p {
		t.Errorf("policies are %v", got)
	}
	if got := s.StaticGroups("IBMid-1"); len(got) != 0 {
		t.Errorf("groups are %v", got)
	}
	if s.StaticGroups("nobody") != nil {
		t.Error("nobody has groups")
	}
}

func TestNamesOfReasonsAndKinds(t *testing.T) {
	if got := policy.Reason(99).String() + policy.GranteeKind(99).String(); got != "unknownunknown" {
		t.Errorf("names are %s", got)
	}
	for id, want := range map[string]policy.SubjectKind{
		"": policy.KindAnonymous, "IBMid-1": policy.KindUser, "iam-ServiceId-1": policy.KindServiceID,
		"iam-Profile-1": policy.KindProfile, "crn-crn:v1:x": policy.KindService,
	} {
		if got := policy.KindOf(id); got != want {
			t.Errorf("%q is of kind %d, want %d", id, got, want)
		}
	}
}
