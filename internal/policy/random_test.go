package policy_test

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
)

// Random accounts and requests over the catalogue of the scenarios. The sets
// of words are small on purpose, so that policies and requests meet often.

var (
	someIDs      = []string{"IBMid-1", "IBMid-2", "IBMid-3", "iam-ServiceId-1", "iam-Profile-1"}
	someGroups   = []string{"AccessGroupId-1", "AccessGroupId-2", "AccessGroupId-3", policy.PublicAccessGroupID}
	someServices = []string{"storage", "vault", "iam-groups", "iam-identity", "iam-access-management", "iam-access-management.customRole",
		"container-registry", "library", "desk", "unheard"}
	someRoles = []string{"Viewer", "Editor", "Administrator", "Reader", "Writer", "Manager", "storage:ObjectReader", "custom:One",
		"custom:Two", "container-registry:Reader", "storage:Manager", "crn:v1:ibmcloud:public:iam::::role:Viewer", "library:Librarian",
		"storage:Sealer", "iam-identity:ServiceIdCreator", "iam-identity:TemplateAdministrator"}
	someActions = []string{"storage.object.read", "storage.object.write", "storage.bucket.delete", "vault.key.read",
		"iam-groups.groups.read", "iam-access-management.customRole.read", "iam-access-management.settings.read",
		"container-registry.image.pull", "resource-controller.instance.retrieve", "iam.policy.create", "library.book.lend", "storage.object.seal",
		"library.book.burn", "iam-identity.serviceid.create", "iam-identity.serviceid.get", "iam-identity.profile-template.create",
		"library.card-template.create", "iam-identity.apikey.get", "desk.ticket.open", "no.such.action"}
	someValues    = []string{"a", "b", "ab", "abc", "é", "*"}
	somePatterns  = []string{"*", "a*", "*b", "a?c", "?", "{{*}}", "a{{?}}*", "a*b*", "**", ""}
	someKeys      = []string{"region", "serviceInstance", "resourceType", "resource", "resourceGroupId", "colour"}
	someTags      = []string{"k:a", "k:b", "k:", "l:a"}
	someAccounts  = []string{"acct", "other", "third"}
	someRealms    = []string{"corp", "partner", ""}
	someClock     = []string{policy.KeyDayOfWeek, policy.KeyCurrentTime, policy.KeyCurrentDate, policy.KeyCurrentDateTime}
	someTimes     = []string{"00:00:00+00:00", "10:30:00+00:00", "23:59:59+00:00", "12:00:00+05:30", "06:00:00-11:00", "9:00"}
	someDates     = []string{"2026-03-04+00:00", "2026-03-05+14:00", "2026-03-03-12:00", "2026-02-30+00:00"}
	someDateTimes = []string{"2026-03-04T10:30:00+00:00", "2026-03-04T23:00:00+13:00", "2026-03-06T00:00:00-08:00", "soon"}
	someDays      = []string{"1", "3", "4+00:00", "3-12:00", "5+14:00", "7", "8"}
	clockOps      = []policy.Operator{policy.OpTimeLessThan, policy.OpTimeLessThanOrEquals, policy.OpTimeGreaterThan,
		policy.OpTimeGreaterThanOrEquals, policy.OpDateLessThan, policy.OpDateLessThanOrEquals, policy.OpDateGreaterThan,
		policy.OpDateGreaterThanOrEquals, policy.OpDateTimeLessThan, policy.OpDateTimeLessThanOrEquals, policy.OpDateTimeGreaterThan,
		policy.OpDateTimeGreaterThanOrEquals, policy.OpDayOfWeekEquals, policy.OpDayOfWeekAnyOf}
	stringOps = []policy.Operator{"", policy.OpStringEquals, policy.OpStringEquals, policy.OpStringMatch, policy.OpStringExists,
		policy.OpStringEqualsAnyOf, policy.OpStringMatchAnyOf, "unheard"}
)

func one[T any](t *rapid.T, label string, from []T) T {
	return rapid.SampledFrom(from).Draw(t, label)
}

func chance(t *rapid.T, label string, percent int) bool {
	return rapid.IntRange(1, 100).Draw(t, label) <= percent
}

func several[T any](t *rapid.T, label string, from []T, most int) []T {
	return rapid.SliceOfN(rapid.SampledFrom(from), 0, most).Draw(t, label)
}

func drawInput(t *rapid.T, catalog *policy.Catalog) policy.Input {
	in := policy.Input{
		Account: "acct", State: policy.AccountActive, Catalog: catalog, Seq: 1,
		Owner: one(t, "owner", []string{"", "IBMid-1", "iam-ServiceId-1"}), PublicAccess: chance(t, "public", 50),
		External: policy.ExternalIdentity{User: drawExternal(t), ServiceID: drawExternal(t), Service: drawExternal(t)},
	}
	if chance(t, "demanding", 30) {
		in.Demands = drawDemands(t)
	}
	if chance(t, "restricting", 30) {
		in.Restricted = []string{"desk.ticket.open"}
	}
	for _, id := range someGroups[:3] {
		if chance(t, "group exists", 80) {
			in.Groups = append(in.Groups, drawGroup(t, id))
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "custom roles") {
		in.CustomRoles = append(in.CustomRoles, drawCustomRole(t, i))
	}
	for i := range rapid.IntRange(0, 1).Draw(t, "controls") {
		in.Controls = append(in.Controls, policy.ActionControl{ID: fmt.Sprint("control-", i), Service: one(t, "controlled", someServices),
			Actions: several(t, "controls", someActions, 3)})
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "policies") {
		in.Policies = append(in.Policies, drawPolicy(t, fmt.Sprint("policy-", i)))
	}
	return in
}

func drawDemands(t *rapid.T) *policy.Demands {
	d := &demandSet{OwnToo: rapid.Bool().Draw(t, "own too"), Factor: several(t, "factor", someIDs, 2), More: several(t, "more", someIDs, 2)}
	if rapid.Bool().Draw(t, "listing") {
		d.Addresses = addressSet(several(t, "addresses", []string{"10.0.0.1", "10.0.0.2"}, 1))
	}
	return d.input()
}

func drawExternal(t *rapid.T) policy.ExternalSetting {
	return policy.ExternalSetting{
		Mode:    one(t, "mode", []policy.ExternalMode{"", policy.ExternalEnabled, policy.ExternalLimited, policy.ExternalMonitor}),
		Allowed: several(t, "allowed", someAccounts, 1),
	}
}

func drawGroup(t *rapid.T, id string) policy.Group {
	g := policy.Group{ID: id, Name: id, Members: several(t, "members", someIDs, 3)}
	for i := range rapid.IntRange(0, 2).Draw(t, "rules") {
		r := policy.DynamicRule{ID: fmt.Sprint("rule-", i), Realm: one(t, "realm", someRealms),
			Expiration: time.Duration(rapid.IntRange(0, 24).Draw(t, "hours")) * time.Hour}
		for range rapid.IntRange(0, 2).Draw(t, "conditions") {
			r.Conditions = append(r.Conditions, policy.ClaimCondition{
				Claim: one(t, "claim", []string{"team", "level"}),
				Operator: one(t, "claim operator", []policy.ClaimOperator{policy.ClaimEquals, policy.ClaimNotEquals, policy.ClaimContains,
					policy.ClaimIn, "LIKE"}),
				Value: one(t, "claim value", []string{`"a"`, `"ab"`, `3`, `["a","b"]`, `a`}),
			})
		}
		g.Rules = append(g.Rules, r)
	}
	return g
}

func drawCustomRole(t *rapid.T, i int) policy.CustomRole {
	name := []string{"One", "Two"}[i]
	return policy.CustomRole{Service: one(t, "role service", someServices), Role: policy.Role{
		CRN: customCRN(name), Name: name, Kind: policy.RoleCustom, Actions: several(t, "role actions", someActions, 4),
	}}
}

func drawPolicy(t *rapid.T, id string) *policy.Policy {
	p := &policy.Policy{ID: id, Account: "acct", Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive}
	switch kind := rapid.IntRange(0, 9).Draw(t, "subject"); {
	case kind < 4:
		p.Subject = []policy.Attribute{equals(policy.AttrIAMID, one(t, "iam id", someIDs))}
	case kind < 8:
		p.Subject = []policy.Attribute{equals(policy.AttrAccessGroupID, one(t, "group id", someGroups))}
	default:
		p.Type = policy.TypeAuthorization
		for _, key := range several(t, "source", []string{"serviceName", "serviceInstance", "accountId", "resourceGroupId", "enterpriseId",
			"AccountGroupId", "iam_id"}, 3) {
			p.Subject = append(p.Subject, drawAttribute(t, key, append(someValues, "storage")))
		}
	}
	for range rapid.IntRange(1, 2).Draw(t, "roles") {
		p.RoleIDs = append(p.RoleIDs, roleCRN(one(t, "role", someRoles)))
	}
	switch rapid.IntRange(0, 4).Draw(t, "target") {
	case 0:
		p.Resource = append(p.Resource, equals(policy.AttrServiceType, one(t, "type", []string{"service", "platform_service", "*"})))
	case 1:
		p.Resource = append(p.Resource, equals(policy.AttrServiceGroupID, one(t, "group", []string{"IAM", "IAM", "*"})))
	case 2:
		p.Resource = append(p.Resource, drawAttribute(t, policy.AttrServiceName, append(someServices, "iam-*")))
	default:
		p.Resource = append(p.Resource, equals(policy.AttrServiceName, one(t, "service", someServices)))
	}
	for range rapid.IntRange(0, 2).Draw(t, "attributes") {
		p.Resource = append(p.Resource, drawAttribute(t, one(t, "key", someKeys), someValues))
	}
	p.Resource = append(p.Resource, equals(policy.AttrAccountID, "acct"))
	if chance(t, "tagged", 15) {
		op := one(t, "tag operator", []policy.Operator{"", policy.OpStringEquals, policy.OpStringMatch, policy.OpStringExists})
		p.Tags = []policy.Attribute{{Key: "k", Operator: op, Value: policy.String(one(t, "tag", append(somePatterns, "a")))}}
	}
	if chance(t, "ruled", 35) {
		r := drawRule(t, 0)
		p.Rule, p.Pattern = &r, policy.PatternAttributeBase
	}
	return p
}

func drawAttribute(t *rapid.T, key string, values []string) policy.Attribute {
	op := one(t, "operator", stringOps)
	return policy.Attribute{Key: key, Operator: op, Value: drawValue(t, op, values)}
}

func drawValue(t *rapid.T, op policy.Operator, values []string) policy.Value {
	switch op {
	case policy.OpStringExists:
		return one(t, "exists", []policy.Value{policy.Bool(true), policy.Bool(false), policy.String("true"), policy.String("x")})
	case policy.OpStringMatch:
		return policy.String(one(t, "pattern", append(somePatterns, values...)))
	case policy.OpStringEqualsAnyOf:
		return policytest.StringList(several(t, "values", values, 3)...)
	case policy.OpStringMatchAnyOf:
		return policytest.StringList(several(t, "patterns", append(somePatterns, values...), 3)...)
	}
	if chance(t, "a list in place of a value", 3) {
		return policytest.StringList(one(t, "value", values))
	}
	return policy.String(one(t, "value", values))
}

func drawRule(t *rapid.T, depth int) policy.Rule {
	if depth < 2 && chance(t, "joined", 50) {
		r := policy.Rule{Operator: one(t, "join", []policy.Operator{policy.OpAnd, policy.OpOr})}
		for range rapid.IntRange(0, 3).Draw(t, "conditions") {
			r.Conditions = append(r.Conditions, drawRule(t, depth+1))
		}
		return r
	}
	if chance(t, "clock", 60) {
		return drawClockRule(t)
	}
	key := one(t, "rule key", []string{"{{resource.attributes.path}}", "{{resource.attributes.region}}",
		"{{resource.attributes.serviceName}}", "{{environment.attributes.colour}}", "{{environment.attributes.ipAddress}}", "{{other}}", "path"})
	a := drawAttribute(t, key, append(someValues, "storage", "10.0.0.1"))
	return policy.Rule{Key: key, Operator: a.Operator, Value: a.Value}
}

func drawClockRule(t *rapid.T) policy.Rule {
	r := policy.Rule{Key: one(t, "clock key", someClock), Operator: one(t, "clock operator", clockOps)}
	switch r.Key {
	case policy.KeyDayOfWeek:
		r.Operator = one(t, "day operator", []policy.Operator{policy.OpDayOfWeekEquals, policy.OpDayOfWeekAnyOf})
		r.Value = policy.String(one(t, "day", someDays))
		if r.Operator == policy.OpDayOfWeekAnyOf {
			r.Value = policytest.StringList(several(t, "days", someDays, 3)...)
		}
	case policy.KeyCurrentTime:
		r.Operator = one(t, "time operator", append(slices.Clone(clockOps[:4]), clockOps[8:12]...))
		r.Value = policy.String(one(t, "time", someTimes))
	case policy.KeyCurrentDate:
		r.Operator = one(t, "date operator", clockOps[:8])
		r.Value = policy.String(one(t, "date", someDates))
	default:
		r.Operator = one(t, "instant operator", clockOps[4:12])
		r.Value = policy.String(one(t, "instant", someDateTimes))
	}
	return r
}

func drawRequest(t *rapid.T) policy.Request {
	r := policy.Request{
		Action: one(t, "action", someActions),
		Resource: policy.Resource{
			Account: "acct", ServiceName: one(t, "service", append(someServices, "")),
			ServiceInstance: one(t, "instance", append(someValues, "", "")), Region: one(t, "region", append(someValues, "")),
			ResourceType: one(t, "resource type", append(someValues, "", "resource-group")), Resource: one(t, "resource", append(someValues, "")),
			ResourceGroupID: one(t, "resource group", append(someValues, "")), Tags: several(t, "tags", someTags, 2),
			ServiceType: one(t, "service type", []string{"", "service"}), ServiceGroupID: one(t, "service group", []string{"", "IAM"}),
		},
		Environment: policy.Environment{Now: drawTime(t)},
	}
	if chance(t, "owned", 20) {
		r.Resource.Owner, r.Resource.Creator = one(t, "object of", append(someIDs, "")), one(t, "made by", append(someIDs, ""))
	}
	if chance(t, "another account", 3) {
		r.Resource.Account = "other"
	}
	for _, name := range several(t, "further attributes", []string{"colour", "path", "region"}, 2) {
		r.Resource.Attributes = append(r.Resource.Attributes, policy.NamedValue{Name: name, Value: one(t, "attribute", append(someValues, ""))})
	}
	if chance(t, "environment", 40) {
		r.Environment.Attributes = []policy.NamedValue{{Name: "colour", Value: one(t, "colour", someValues)}}
		r.Environment.SourceIP = netip.MustParseAddr("10.0.0.1")
	}
	id := one(t, "who", append(someIDs, ""))
	r.Subject = policy.Subject{IAMID: id, Kind: policy.KindOf(id), Account: one(t, "from", someAccounts)}
	if chance(t, "login", 50) {
		r.Subject.Account = "acct"
		r.Subject.Realm, r.Subject.LoginAt = one(t, "realm", someRealms), r.Environment.Now.Add(-3*time.Hour)
		for _, name := range []string{"team", "level"} {
			list := rapid.Bool().Draw(t, "list")
			values := []string{one(t, "claim value", []string{"a", "ab", "3"})}
			if list {
				values = several(t, "claim values", []string{"a", "b", "3"}, 2)
			}
			r.Subject.Claims = append(r.Subject.Claims, policy.Claim{Name: name, Values: values, List: list})
		}
	}
	if chance(t, "no account", 5) {
		r.Subject.Account = ""
	}
	if chance(t, "known login", 50) {
		r.Subject.Login = policy.Login{IAMID: one(t, "behind", append(someIDs, id)), Password: rapid.Bool().Draw(t, "password")}
	}
	if chance(t, "own addresses", 10) {
		r.Subject.Addresses = addressSet(several(t, "own addresses", []string{"10.0.0.1", "10.0.0.2"}, 1))
	}
	r.Subject.Belongs = one(t, "belongs", []policy.Belonging{policy.BelongsByToken, policy.BelongsByToken, policy.Belongs, policy.BelongsNot})
	if chance(t, "a service asks", 20) {
		r.Subject = policy.Subject{Kind: policy.KindService, Account: r.Subject.Account, Source: policy.Source{
			ServiceName: one(t, "source", []string{"storage", "a", ""}), ServiceInstance: one(t, "source instance", []string{"a", ""}),
			AccountID: one(t, "source account", []string{"a", "b"}), ResourceGroupID: one(t, "source group", []string{"", "ab"}),
			EnterpriseID: one(t, "enterprise", []string{"", "a"}), AccountGroupIDs: several(t, "account groups", []string{"a", "b"}, 2),
		}}
	}
	return r
}

// drawTime gives an instant within the days that the rules speak of.
func drawTime(t *rapid.T) time.Time {
	seconds := rapid.IntRange(0, 6*24*3600).Draw(t, "seconds")
	return time.Date(2026, 3, 2, 0, 0, seconds, rapid.IntRange(0, 999_999_999).Draw(t, "nanoseconds"), time.UTC)
}
