package policy_test

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/policy"
)

// The scenario files are described in testdata/scenarios/README.md.

type scenarioFile struct {
	Scenarios []scenario `yaml:"scenarios"`
}

type scenario struct {
	Name     string                 `yaml:"name"`
	State    string                 `yaml:"state"`
	Owner    string                 `yaml:"owner"`
	Public   bool                   `yaml:"public"`
	Groups   []scenarioGroup        `yaml:"groups"`
	Roles    []scenarioRole         `yaml:"roles"`
	Policies []scenarioPolicy       `yaml:"policies"`
	Controls []scenarioControl      `yaml:"controls"`
	External map[string]externalSet `yaml:"external"`
	Demands  *demandSet             `yaml:"demands"`
	// Restricted are actions that members need a policy for.
	Restricted []string       `yaml:"restricted"`
	Cases      []scenarioCase `yaml:"cases"`
}

type scenarioGroup struct {
	ID      string         `yaml:"id"`
	Members []string       `yaml:"members"`
	Rules   []scenarioRule `yaml:"rules"`
}

type scenarioRule struct {
	ID    string     `yaml:"id"`
	Realm string     `yaml:"realm"`
	Hours int        `yaml:"hours"`
	When  [][]string `yaml:"when"`
}

type scenarioRole struct {
	Name    string   `yaml:"name"`
	Service string   `yaml:"service"`
	Actions []string `yaml:"actions"`
}

type scenarioPolicy struct {
	ID    string   `yaml:"id"`
	For   any      `yaml:"for"`
	Roles []string `yaml:"roles"`
	On    pairs    `yaml:"on"`
	Tags  pairs    `yaml:"tags"`
	Rule  any      `yaml:"rule"`
	State string   `yaml:"state"`
	// Account is the value of accountId, "acct" when left out.
	Account string `yaml:"account"`
}

type scenarioControl struct {
	ID      string   `yaml:"id"`
	Service string   `yaml:"service"`
	Actions []string `yaml:"actions"`
}

type externalSet struct {
	Mode    string   `yaml:"mode"`
	Allowed []string `yaml:"allowed"`
}

// demandSet is what an account demands.
type demandSet struct {
	Addresses addressSet `yaml:"addresses"`
	OwnToo    bool       `yaml:"own_too"`
	Factor    []string   `yaml:"factor"` // of whom a second factor is asked
	More      []string   `yaml:"more"`   // of whom more than a password is asked
}

func (d *demandSet) input() *policy.Demands {
	if d == nil {
		return nil
	}
	out := &policy.Demands{OwnToo: d.OwnToo, Asks: func(iamID string) (factor, more bool) {
		return slices.Contains(d.Factor, iamID), slices.Contains(d.More, iamID)
	}}
	if d.Addresses != nil {
		out.Addresses = d.Addresses
	}
	return out
}

// addressSet is a list of single addresses.
type addressSet []string

func (l addressSet) Allows(a netip.Addr) bool { return slices.Contains(l, a.String()) }

type scenarioCase struct {
	Name  string     `yaml:"name"`
	Who   string     `yaml:"who"`
	From  string     `yaml:"from"`
	Login *loginCase `yaml:"login"`
	// Behind is who logged in, Password that nothing else was shown.
	Behind   string `yaml:"behind"`
	Password bool   `yaml:"password"`
	// Belongs tells that a member is known to be one, or not: "yes" or "no".
	Belongs string     `yaml:"belongs"`
	Own     addressSet `yaml:"own"`
	Source  pairs      `yaml:"source"`
	Do      string     `yaml:"do"`
	On      pairs      `yaml:"on"`
	Tags    []string   `yaml:"tags"`
	Of      string     `yaml:"of"`
	MadeBy  string     `yaml:"made_by"`
	At      string     `yaml:"at"`
	IP      string     `yaml:"ip"`
	Env     pairs      `yaml:"env"`
	Expect  string     `yaml:"expect"`
	By      string     `yaml:"by"`
	Nearer  string     `yaml:"nearest"`
	Until   string     `yaml:"until"`
}

type loginCase struct {
	Realm  string `yaml:"realm"`
	At     string `yaml:"at"`
	Claims pairs  `yaml:"claims"`
}

const scenarioAccount = "acct"

// scenarioNow is the time of cases that give none: Wednesday, 10:30 UTC.
const scenarioNow = "2026-03-04T10:30:00Z"

func TestScenarios(t *testing.T) {
	services := scenarioServices(t)
	catalog, err := policy.CompileCatalog(services)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("finding scenarios: %v, %d files", err, len(files))
	}
	for _, name := range files {
		var file scenarioFile
		readYAML(t, name, &file)
		for _, sc := range file.Scenarios {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml")+"/"+sc.Name, func(t *testing.T) {
				in := sc.input(t, catalog)
				snapshot := policy.NewSnapshot(in)
				for i, c := range sc.Cases {
					checkCase(t, in, services, snapshot, c, fmt.Sprintf("case %d (%s %s)", i+1, c.Who, c.Do))
				}
			})
		}
	}
}

// checkCase compares the engine's answer with the expected one and with the
// naive twin's, and everything that speaks about the decision with it.
func checkCase(t *testing.T, in policy.Input, services []policy.Service, s *policy.Snapshot, c scenarioCase, at string) {
	t.Helper()
	if c.Name != "" {
		at += ": " + c.Name
	}
	r := c.request(t)
	d := policy.Decide(s, &r)
	if got := d.Reason.String(); got != c.Expect {
		t.Errorf("%s\n got %s\nwant %s\n%s", at, got, c.Expect, strings.Join(policy.Explain(s, &r).Nearest, "\n"))
	}
	if d.Allowed != (slices.Contains([]string{"policy", "owner", "self", "member"}, c.Expect)) {
		t.Errorf("%s: allowed is %v with reason %s", at, d.Allowed, d.Reason)
	}
	if c.By != "" && d.PolicyID != c.By {
		t.Errorf("%s: permitted by %q, want %q", at, d.PolicyID, c.By)
	}
	if c.Until != "" {
		until := ""
		if !d.Until.IsZero() {
			until = d.Until.Format(time.RFC3339)
		}
		if until != strings.TrimPrefix(c.Until, "never") {
			t.Errorf("%s: may change at %q, want %q", at, until, c.Until)
		}
	}
	if twin := naiveDecide(in, services, r); twin != d.Reason {
		t.Errorf("%s: the naive evaluator says %s, the engine %s", at, twin, d.Reason)
	}
	e := policy.Explain(s, &r)
	if c.Nearer != "" && !strings.Contains(strings.Join(e.Nearest, "\n"), c.Nearer) {
		t.Errorf("%s: nearest is %q, want it to contain %q", at, e.Nearest, c.Nearer)
	}
	checkAround(t, s, r, d, at)
}

// reporter is what a test of either kind can be told.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkAround holds the other questions against a decision.
func checkAround(t reporter, s *policy.Snapshot, r policy.Request, d policy.Decision, at string) {
	t.Helper()
	e := policy.Explain(s, &r)
	if e.Decision != d {
		t.Errorf("%s: Explain decides %+v, Decide %+v", at, e.Decision, d)
	}
	candidate := slices.ContainsFunc(e.Candidates, func(c policy.Candidate) bool { return c.Allows })
	if d.Reason == policy.ReasonPolicy && !candidate || d.Reason == policy.ReasonNoPolicy && candidate {
		t.Errorf("%s: reason is %s but an allowing candidate is %v", at, d.Reason, candidate)
	}
	if !d.Allowed && len(e.Nearest) == 0 {
		t.Errorf("%s: a denial without a word", at)
	}
	if got := slices.Contains(policy.ActionsOn(s, &r).Actions, r.Action); got != d.Allowed {
		t.Errorf("%s: ActionsOn lists the action is %v, allowed is %v", at, got, d.Allowed)
	}
	held := slices.ContainsFunc(policy.RolesOn(s, &r), func(g policy.RoleGrant) bool {
		return slices.ContainsFunc(g.Actions, func(a policy.Action) bool { return a.ID == r.Action })
	})
	// Different roles may allow it on different services of many.
	if d.Allowed && r.Resource.ServiceName == "" && !held {
		return
	}
	if d.Reason != policy.ReasonOwner && d.Reason != policy.ReasonSelf && d.Reason != policy.ReasonMember && held != d.Allowed {
		t.Errorf("%s: a role of RolesOn holds the action is %v, allowed is %v", at, held, d.Allowed)
	}
}

func (sc *scenario) input(t *testing.T, catalog *policy.Catalog) policy.Input {
	t.Helper()
	in := policy.Input{
		Account: scenarioAccount, Owner: sc.Owner, State: policy.AccountState(sc.State), Catalog: catalog,
		PublicAccess: sc.Public, Seq: 7, Demands: sc.Demands.input(), Restricted: sc.Restricted,
		External: policy.ExternalIdentity{User: sc.external("user"), ServiceID: sc.external("service_id"), Service: sc.external("service")},
	}
	if sc.State == "" {
		in.State = policy.AccountActive
	}
	for _, g := range sc.Groups {
		group := policy.Group{ID: g.ID, Name: g.ID, Members: g.Members}
		for _, r := range g.Rules {
			rule := policy.DynamicRule{ID: r.ID, Realm: r.Realm, Expiration: time.Duration(r.Hours) * time.Hour}
			for _, w := range r.When {
				rule.Conditions = append(rule.Conditions, policy.ClaimCondition{Claim: w[0], Operator: policy.ClaimOperator(w[1]), Value: w[2]})
			}
			group.Rules = append(group.Rules, rule)
		}
		in.Groups = append(in.Groups, group)
	}
	for _, r := range sc.Roles {
		in.CustomRoles = append(in.CustomRoles, policy.CustomRole{Service: r.Service, Role: policy.Role{
			CRN: customCRN(r.Name), Name: r.Name, DisplayName: r.Name, Kind: policy.RoleCustom, Actions: r.Actions,
		}})
	}
	for _, c := range sc.Controls {
		in.Controls = append(in.Controls, policy.ActionControl{ID: c.ID, Service: c.Service, Actions: c.Actions})
	}
	for i := range sc.Policies {
		in.Policies = append(in.Policies, sc.Policies[i].policy(t))
	}
	return in
}

func (sc *scenario) external(kind string) policy.ExternalSetting {
	return policy.ExternalSetting{Mode: policy.ExternalMode(sc.External[kind].Mode), Allowed: sc.External[kind].Allowed}
}

func customCRN(name string) string {
	return "crn:v1:bluemix:public:iam-access-management::a/" + scenarioAccount + "::customRole:" + name
}

// roleCRN turns a role's name into its CRN: a platform role, a common service
// role, a custom role ("custom:Name") or a service's own ("service:Name").
func roleCRN(name string) string {
	switch service, role, own := strings.Cut(name, ":"); {
	case strings.HasPrefix(name, "crn:"):
		return name
	case service == "custom":
		return customCRN(role)
	case own:
		return "crn:v1:bluemix:public:" + service + "::::serviceRole:" + role
	case name == "Administrator" || name == "Editor" || name == "Operator" || name == "Viewer":
		return "crn:v1:bluemix:public:iam::::role:" + name
	}
	return "crn:v1:bluemix:public:iam::::serviceRole:" + name
}

func (p *scenarioPolicy) policy(t *testing.T) *policy.Policy {
	t.Helper()
	out := &policy.Policy{
		ID: p.ID, Account: scenarioAccount, Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive,
		Resource: attributes(t, p.On), Tags: attributes(t, p.Tags),
	}
	if p.State != "" {
		out.State = policy.State(p.State)
	}
	account := p.Account
	if account == "" {
		account = scenarioAccount
	}
	out.Resource = append(out.Resource, equals(policy.AttrAccountID, account))
	for _, r := range p.Roles {
		out.RoleIDs = append(out.RoleIDs, roleCRN(r))
	}
	switch who := p.For.(type) {
	case string:
		key := policy.AttrIAMID
		if strings.HasPrefix(who, "AccessGroupId-") {
			key = policy.AttrAccessGroupID
		}
		out.Subject = []policy.Attribute{equals(key, who)}
	case map[string]any:
		out.Type = policy.TypeAuthorization
		for _, k := range slices.Sorted(maps.Keys(who)) {
			out.Subject = append(out.Subject, scenarioAttribute(t, k, who[k]))
		}
	default:
		t.Fatalf("policy %s is for %T", p.ID, p.For)
	}
	if p.Rule != nil {
		r := scenarioRuleOf(t, p.Rule)
		out.Rule, out.Pattern = &r, "as the scenario likes"
	}
	return out
}

func attributes(t *testing.T, m pairs) []policy.Attribute {
	t.Helper()
	var out []policy.Attribute
	for _, item := range m {
		out = append(out, scenarioAttribute(t, item.Key, item.Value))
	}
	return out
}

// scenarioAttribute reads "key: value" as stringEquals and "key: {operator:
// value}" as any other comparison.
func scenarioAttribute(t *testing.T, key string, v any) policy.Attribute {
	t.Helper()
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		for op, value := range m {
			return policy.Attribute{Key: key, Operator: policy.Operator(op), Value: scenarioValue(t, value)}
		}
	}
	return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: scenarioValue(t, v)}
}

func scenarioValue(t *testing.T, v any) policy.Value {
	t.Helper()
	switch x := v.(type) {
	case nil:
		return policy.Value{}
	case bool:
		return policy.Bool(x)
	case []any:
		list := policy.Value{Kind: policy.KindList}
		for _, e := range x {
			list.List = append(list.List, scenarioValue(t, e))
		}
		return list
	case string:
		return policy.String(x)
	case int, int64, uint64, float64:
		return policy.Value{Kind: policy.KindNumber, Text: fmt.Sprint(x)}
	}
	t.Fatalf("value %v has type %T", v, v)
	return policy.Value{}
}

// scenarioRuleOf reads {and: […]}, {or: […]} or {key: …, operator: value}.
func scenarioRuleOf(t *testing.T, v any) policy.Rule {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("rule is %T", v)
	}
	for _, op := range []policy.Operator{policy.OpAnd, policy.OpOr} {
		if list, ok := m[string(op)].([]any); ok {
			r := policy.Rule{Operator: op}
			for _, c := range list {
				r.Conditions = append(r.Conditions, scenarioRuleOf(t, c))
			}
			return r
		}
	}
	key, _ := m["key"].(string)
	r := policy.Rule{Key: ruleKey(key)}
	for op, value := range m {
		if op != "key" {
			r.Operator, r.Value = policy.Operator(op), scenarioValue(t, value)
		}
	}
	return r
}

func ruleKey(key string) string {
	switch {
	case strings.Contains(key, "{"):
		return key
	case strings.HasPrefix(key, "resource."):
		return "{{resource.attributes." + strings.TrimPrefix(key, "resource.") + "}}"
	}
	return "{{environment.attributes." + strings.TrimPrefix(key, "environment.") + "}}"
}

func (c *scenarioCase) request(t *testing.T) policy.Request {
	t.Helper()
	now := c.At
	if now == "" {
		now = scenarioNow
	}
	r := policy.Request{
		Subject:     policy.Subject{IAMID: c.Who, Kind: policy.KindOf(c.Who), Account: c.From},
		Action:      c.Do,
		Resource:    policy.Resource{Account: scenarioAccount, Tags: c.Tags, Owner: c.Of, Creator: c.MadeBy},
		Environment: policy.Environment{Now: scenarioTime(t, now), Attributes: namedValues(c.Env)},
	}
	switch c.From {
	case "":
		r.Subject.Account = scenarioAccount
	case "nowhere":
		r.Subject.Account = ""
	}
	r.Subject.Login = policy.Login{IAMID: c.Behind, Password: c.Password}
	r.Subject.Belongs = map[string]policy.Belonging{"yes": policy.Belongs, "no": policy.BelongsNot}[c.Belongs]
	if c.Own != nil {
		r.Subject.Addresses = c.Own
	}
	if c.IP != "" {
		r.Environment.SourceIP = netip.MustParseAddr(c.IP)
	}
	if c.Source != nil {
		r.Subject.Kind = policy.KindService
		fillSource(t, &r.Subject.Source, c.Source)
	}
	if c.Login != nil {
		r.Subject.Realm = c.Login.Realm
		r.Subject.LoginAt = scenarioTime(t, c.Login.At)
		for _, item := range c.Login.Claims {
			v := scenarioValue(t, item.Value)
			r.Subject.Claims = append(r.Subject.Claims, policy.Claim{Name: item.Key, Values: v.Strings(), List: v.Kind == policy.KindList})
		}
	}
	fillResource(&r.Resource, c.On)
	return r
}

func scenarioTime(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func namedValues(m pairs) []policy.NamedValue {
	var out []policy.NamedValue
	for _, item := range m {
		out = append(out, policy.NamedValue{Name: item.Key, Value: fmt.Sprint(item.Value)})
	}
	return out
}

func fillResource(r *policy.Resource, m pairs) {
	for _, item := range m {
		key, v := item.Key, fmt.Sprint(item.Value)
		switch key {
		case policy.AttrAccountID:
			r.Account = v
		case policy.AttrServiceName:
			r.ServiceName = v
		case policy.AttrServiceType:
			r.ServiceType = v
		case policy.AttrServiceGroupID:
			r.ServiceGroupID = v
		case policy.AttrRegion:
			r.Region = v
		case policy.AttrServiceInstance:
			r.ServiceInstance = v
		case policy.AttrResourceType:
			r.ResourceType = v
		case policy.AttrResource:
			r.Resource = v
		case policy.AttrResourceGroupID:
			r.ResourceGroupID = v
		default:
			r.Attributes = append(r.Attributes, policy.NamedValue{Name: strings.TrimPrefix(key, "+"), Value: v})
		}
	}
}

func fillSource(t *testing.T, s *policy.Source, m pairs) {
	t.Helper()
	fields := map[string]*string{
		"serviceName": &s.ServiceName, "serviceInstance": &s.ServiceInstance, "region": &s.Region,
		"resourceType": &s.ResourceType, "resource": &s.Resource, "accountId": &s.AccountID,
		"resourceGroupId": &s.ResourceGroupID, "enterpriseId": &s.EnterpriseID,
	}
	for _, item := range m {
		key := item.Key
		if key == "AccountGroupId" {
			s.AccountGroupIDs = scenarioValue(t, item.Value).Strings()
			continue
		}
		if fields[key] == nil {
			t.Fatalf("source has no attribute %s", key)
		}
		*fields[key] = fmt.Sprint(item.Value)
	}
}

// scenarioServices reads testdata/catalog.yaml.
func scenarioServices(t testing.TB) []policy.Service {
	t.Helper()
	var file struct {
		Common   map[string][]string `yaml:"common"`
		Services []struct {
			Name     string              `yaml:"name"`
			Group    string              `yaml:"group"`
			Platform bool                `yaml:"platform"`
			Parent   string              `yaml:"parent"`
			Bare     bool                `yaml:"bare"`
			OwnRoles bool                `yaml:"ownroles"`
			Actions  []string            `yaml:"actions"`
			Self     []string            `yaml:"self"`
			Apart    []string            `yaml:"apart"`
			Members  []string            `yaml:"members"`
			Roles    map[string][]string `yaml:"roles"`
		} `yaml:"services"`
	}
	readYAML(t, "testdata/catalog.yaml", &file)
	var out []policy.Service
	for _, s := range file.Services {
		svc := policy.Service{Name: s.Name, Group: s.Group, Platform: s.Platform, Parent: s.Parent, SelfActions: s.Self,
			MemberActions: s.Members}
		for _, a := range s.Actions {
			svc.Actions = append(svc.Actions, policy.Action{ID: a, DisplayName: a})
		}
		for _, name := range []string{"Administrator", "Editor", "Operator", "Viewer"} {
			own, has := s.Roles[name]
			delete(s.Roles, name)
			if s.Bare && !has {
				continue
			}
			svc.Roles = append(svc.Roles, policy.Role{CRN: roleCRN(name), Name: name, DisplayName: name,
				Kind: policy.RoleSystem, Actions: append(slices.Clone(own), file.Common[name]...)})
		}
		names := make([]string, 0, len(s.Roles))
		for name := range s.Roles {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			crn := roleCRN(name)
			common := name == "Manager" || name == "Writer" || name == "Reader"
			if !common || s.OwnRoles || s.Bare {
				crn = roleCRN(s.Name + ":" + name)
			}
			svc.Roles = append(svc.Roles, policy.Role{CRN: crn, Name: name, DisplayName: name, Kind: policy.RoleService, Actions: s.Roles[name],
				Apart: slices.Contains(s.Apart, name)})
		}
		out = append(out, svc)
	}
	return out
}
