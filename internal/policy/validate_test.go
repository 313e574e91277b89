package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
)

// validPolicy is a policy with nothing wrong; tests spoil one thing of it.
func validPolicy() *policy.Policy {
	return &policy.Policy{
		ID: "p", Account: "acct", Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive,
		Subject:  []policy.Attribute{equals(policy.AttrIAMID, "IBMid-1")},
		Resource: []policy.Attribute{equals(policy.AttrServiceName, "storage"), equals(policy.AttrAccountID, "acct")},
		RoleIDs:  []string{roleCRN("Viewer")},
	}
}

func validAuthorization() *policy.Policy {
	p := validPolicy()
	p.Type = policy.TypeAuthorization
	p.Subject = []policy.Attribute{equals(policy.AttrServiceName, "storage"), equals(policy.AttrAccountID, "acct")}
	p.Resource[0] = equals(policy.AttrServiceName, "vault")
	return p
}

func attr(key string, op policy.Operator, v policy.Value) policy.Attribute {
	return policy.Attribute{Key: key, Operator: op, Value: v}
}

func long(n int) policy.Value { return policy.String(strings.Repeat("鍵", n)) }

func numbered(n int) policy.Value {
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprint("v", i))
	}
	return policytest.StringList(texts...)
}

var customSweeper = policy.CustomRole{Service: "storage", Role: policy.Role{CRN: customCRN("Sweeper")}}

func TestValidPoliciesPass(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	for name, change := range map[string]func(p *policy.Policy){
		"as it is":             func(*policy.Policy) {},
		"v1 without operators": func(p *policy.Policy) { p.Version = policy.V1; p.Subject[0].Operator = ""; p.Resource[0].Operator = "" },
		"group subject":        func(p *policy.Policy) { p.Subject[0] = equals(policy.AttrAccessGroupID, "AccessGroupId-1") },
		"all operators": func(p *policy.Policy) {
			p.Resource = append(p.Resource, attr("region", policy.OpStringExists, policy.Bool(true)),
				attr("serviceInstance", policy.OpStringMatch, policy.String("a*")),
				attr("resourceType", policy.OpStringEqualsAnyOf, policytest.StringList("a", "b")),
				attr("resource", policy.OpStringMatchAnyOf, policy.String("a*")))
		},
		"longest value": func(p *policy.Policy) {
			p.Resource = append(p.Resource, attr("colour", policy.OpStringEquals, long(1000)))
		},
		"ten values": func(p *policy.Policy) {
			p.Resource = append(p.Resource, attr("colour", policy.OpStringEqualsAnyOf, numbered(10)))
		},
		"exists as text": func(p *policy.Policy) {
			p.Resource = append(p.Resource, attr("colour", policy.OpStringExists, policy.String("false")))
		},
		"all services": func(p *policy.Policy) { p.Resource[0] = equals(policy.AttrServiceType, "service") },
		"all services with a tag": func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceType, "service")
			p.Tags = []policy.Attribute{equals("project", "x"), attr("env", policy.OpStringMatch, policy.String("t*"))}
		},
		"account management": func(p *policy.Policy) { p.Resource[0] = equals(policy.AttrServiceType, "platform_service") },
		"IAM group": func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceGroupID, "IAM")
			p.RoleIDs = append(p.RoleIDs, roleCRN("iam-identity:ServiceIdCreator"))
		},
		"resource group": func(p *policy.Policy) { p.Resource[0] = equals(policy.AttrResourceGroupID, "rg") },
		"stars": func(p *policy.Policy) {
			p.Version, p.Resource[0] = policy.V1, attr(policy.AttrServiceName, "", policy.String("*"))
			for _, key := range []string{"region", "serviceInstance", "resourceType", "resource", "resourceGroupId", "vpcId"} {
				p.Resource = append(p.Resource, attr(key, "", policy.String("*")))
			}
		},
		"any type":        func(p *policy.Policy) { p.Resource[0] = equals(policy.AttrServiceType, "*") },
		"any group":       func(p *policy.Policy) { p.Resource[0] = equals(policy.AttrServiceGroupID, "*") },
		"any of its type": func(p *policy.Policy) { p.Resource = append(p.Resource, equals(policy.AttrServiceType, "*")) },
		"resource group itself": func(p *policy.Policy) {
			p.Resource = []policy.Attribute{equals(policy.AttrResourceType, "resource-group"), equals(policy.AttrResource, "rg"),
				equals(policy.AttrAccountID, "acct")}
		},
		"unknown service": func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceName, "unheard")
			p.RoleIDs = []string{roleCRN("Editor"), roleCRN("Writer")}
		},
		"own role of a service": func(p *policy.Policy) { p.RoleIDs = []string{roleCRN("storage:ObjectReader")} },
		"own role under all services": func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceType, "service")
			p.RoleIDs = []string{roleCRN("storage:ObjectReader")}
		},
		"role by its other name": func(p *policy.Policy) { p.RoleIDs = []string{roleCRN("storage:Reader")} },
		"role of another cloud":  func(p *policy.Policy) { p.RoleIDs = []string{"crn:v1:ibmcloud:public:iam::::role:Viewer"} },
		"custom role":            func(p *policy.Policy) { p.RoleIDs = []string{customCRN("Sweeper")} },
		"role of the parent": func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceName, "iam-access-management.customRole")
		},
		"service with its type": func(p *policy.Policy) { p.Resource = append(p.Resource, equals(policy.AttrServiceType, "service")) },
		"several services": func(p *policy.Policy) {
			p.Resource[0] = attr(policy.AttrServiceName, policy.OpStringEqualsAnyOf, policytest.StringList("storage", "vault"))
		},
		"once": func(p *policy.Policy) {
			p.Pattern = policy.PatternOnce
			p.Rule = &policy.Rule{Operator: policy.OpAnd, Conditions: []policy.Rule{clock(policy.KeyCurrentDateTime, policy.OpDateTimeGreaterThan,
				"2026-03-04T09:00:00+00:00"), clock(policy.KeyCurrentDate, policy.OpDateLessThan, "2026-03-05+00:00")}}
		},
		"weekly hours": func(p *policy.Policy) { p.Pattern = policy.PatternWeeklyHours; p.Rule = workingHours() },
		"weekly":       func(p *policy.Policy) { p.Pattern = policy.PatternWeekly; p.Rule = workingHours() },
		"weekly all day": func(p *policy.Policy) {
			r := clock(policy.KeyDayOfWeek, policy.OpDayOfWeekEquals, "1+00:00")
			p.Pattern, p.Rule = policy.PatternWeeklyAllDay, &r
		},
		"one day in place of a list": func(p *policy.Policy) {
			r := clock(policy.KeyDayOfWeek, policy.OpDayOfWeekAnyOf, "1")
			p.Pattern, p.Rule = policy.PatternWeekly, &r
		},
		"time with dateTime operators": func(p *policy.Policy) {
			r := clock(policy.KeyCurrentTime, policy.OpDateTimeLessThan, "09:00:00+00:00")
			p.Pattern, p.Rule = policy.PatternWeeklyHours, &r
		},
		"attributes": func(p *policy.Policy) { p.Pattern, p.Rule = policy.PatternAttributeBase, folderRule() },
		"environment attribute": func(p *policy.Policy) {
			p.Pattern, p.Rule = policy.PatternAttributeBase, folderRule()
			p.Rule.Conditions[0].Key = "{{environment.attributes.delimiter}}"
		},
		"ten conditions": func(p *policy.Policy) { p.Pattern, p.Rule = policy.PatternAttributeBase, conditions(10) },
	} {
		p := validPolicy()
		change(p)
		if err := validateWith(p, catalog, customSweeper); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(p *policy.Policy){
		"as it is": func(*policy.Policy) {},
		"resource group": func(p *policy.Policy) {
			p.Subject[0] = attr(policy.AttrResourceGroupID, policy.OpStringExists, policy.Bool(true))
		},
		"enterprise":    func(p *policy.Policy) { p.Subject[1] = equals(policy.AttrEnterpriseID, "e") },
		"account group": func(p *policy.Policy) { p.Subject[1] = equals(policy.AttrAccountGroupID, "g") },
		"instance": func(p *policy.Policy) {
			p.Subject = append(p.Subject, equals(policy.AttrServiceInstance, "i"), equals(policy.AttrRegion, "r"),
				equals(policy.AttrResourceType, "t"), equals(policy.AttrResource, "x"))
		},
	} {
		p := validAuthorization()
		change(p)
		if err := policy.Validate(p, catalog); err != nil {
			t.Errorf("authorization, %s: %v", name, err)
		}
	}
}

func clock(key string, op policy.Operator, v string) policy.Rule {
	return policy.Rule{Key: key, Operator: op, Value: policy.String(v)}
}

// conditions is an attribute-based rule of n comparisons.
func conditions(n int) *policy.Rule {
	r := &policy.Rule{Operator: policy.OpOr}
	for i := range n {
		r.Conditions = append(r.Conditions, policy.Rule{Key: "{{resource.attributes.path}}", Operator: policy.OpStringEquals,
			Value: policy.String(fmt.Sprint(i))})
	}
	return r
}

func ruled(pattern string, r policy.Rule) func(p *policy.Policy) {
	return func(p *policy.Policy) { p.Pattern, p.Rule = pattern, &r }
}

func TestEveryFaultNamesItsField(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	path := func(op policy.Operator, v policy.Value) func(*policy.Policy) {
		return func(p *policy.Policy) {
			p.Pattern, p.Rule = policy.PatternAttributeBase, conditions(2)
			p.Rule.Conditions[1].Operator, p.Rule.Conditions[1].Value = op, v
		}
	}
	add := func(a policy.Attribute) func(*policy.Policy) {
		return func(p *policy.Policy) { p.Resource = append(p.Resource, a) }
	}
	for _, c := range []struct {
		name   string
		change func(p *policy.Policy)
		field  string
		kind   policy.ProblemKind
	}{
		{"unknown type", func(p *policy.Policy) { p.Type = "grant" }, "type", policy.ProblemUnknown},
		{"no subject", func(p *policy.Policy) { p.Subject = nil }, "subject.attributes", policy.ProblemMissing},
		{"two subjects", func(p *policy.Policy) { p.Subject = append(p.Subject, equals(policy.AttrAccessGroupID, "g")) }, "subject.attributes",
			policy.ProblemCount},
		{"subject of an authorization", func(p *policy.Policy) { p.Subject[0].Key = policy.AttrServiceName }, "subject.attributes[0].key",
			policy.ProblemPlace},
		{"subject without a name", func(p *policy.Policy) { p.Subject[0].Key = "" }, "subject.attributes[0].key", policy.ProblemMissing},
		{"subject without an operator", func(p *policy.Policy) { p.Subject[0].Operator = "" }, "subject.attributes[0].operator",
			policy.ProblemMissing},
		{"anybody as subject", func(p *policy.Policy) {
			p.Subject[0] = attr(policy.AttrIAMID, policy.OpStringExists, policy.Bool(true))
		}, "subject.attributes[0].operator", policy.ProblemPlace},
		{"subject with a wildcard", func(p *policy.Policy) { p.Subject[0].Operator = policy.OpStringMatch }, "subject.attributes[0].operator",
			policy.ProblemPlace},
		{"a star as subject", func(p *policy.Policy) { p.Subject[0].Value = policy.String("*") }, "subject.attributes[0].value",
			policy.ProblemValue},
		{"a star as account", func(p *policy.Policy) {
			p.Account, p.Resource[1] = "", equals(policy.AttrAccountID, "*")
		}, "resource.attributes[1].value",
			policy.ProblemValue},
		{"empty subject", func(p *policy.Policy) { p.Subject[0].Value = policy.String("") }, "subject.attributes[0].value", policy.ProblemLength},
		{"no account", func(p *policy.Policy) { p.Resource = p.Resource[:1] }, "resource.attributes", policy.ProblemMissing},
		{"another account", func(p *policy.Policy) { p.Resource[1] = equals(policy.AttrAccountID, "other") }, "resource.attributes[1].value",
			policy.ProblemValue},
		{"any account", func(p *policy.Policy) {
			p.Resource[1] = attr(policy.AttrAccountID, policy.OpStringMatch, policy.String("*"))
		}, "resource.attributes[1].operator", policy.ProblemPlace},
		{"no target", func(p *policy.Policy) { p.Resource = p.Resource[1:] }, "resource.attributes", policy.ProblemMissing},
		{"unknown operator", add(attr("region", "stringLike", policy.String("x"))), "resource.attributes[2].operator", policy.ProblemUnknown},
		{"operator in the wrong case", add(attr("region", "stringequals", policy.String("x"))), "resource.attributes[2].operator",
			policy.ProblemUnknown},
		{"operator of time", add(attr("region", policy.OpTimeLessThan, policy.String("x"))), "resource.attributes[2].operator",
			policy.ProblemPlace},
		{"no operator", add(attr("region", "", policy.String("x"))), "resource.attributes[2].operator", policy.ProblemMissing},
		{"no name", add(equals("", "x")), "resource.attributes[2].key", policy.ProblemMissing},
		{"no value", add(attr("region", policy.OpStringEquals, policy.Value{})), "resource.attributes[2].value", policy.ProblemMissing},
		{"empty value", add(equals("region", "")), "resource.attributes[2].value", policy.ProblemLength},
		{"too long a value", add(attr("region", policy.OpStringEquals, long(1001))), "resource.attributes[2].value", policy.ProblemLength},
		{"list without AnyOf", add(attr("region", policy.OpStringEquals, policytest.StringList("a"))), "resource.attributes[2].value",
			policy.ProblemValue},
		{"empty list", add(attr("region", policy.OpStringEqualsAnyOf, policytest.StringList())), "resource.attributes[2].value",
			policy.ProblemCount},
		{"eleven values", add(attr("region", policy.OpStringMatchAnyOf, numbered(11))), "resource.attributes[2].value", policy.ProblemCount},
		{"too long an element", add(attr("region", policy.OpStringEqualsAnyOf,
			policy.Value{Kind: policy.KindList, List: []policy.Value{long(1001)}})), "resource.attributes[2].value", policy.ProblemLength},
		{"exists with text", add(attr("region", policy.OpStringExists, policy.String("yes"))), "resource.attributes[2].value",
			policy.ProblemValue},
		{"exists with a list", add(attr("region", policy.OpStringExists, policytest.StringList("true"))), "resource.attributes[2].value",
			policy.ProblemValue},
		{"subject in the resource", add(equals(policy.AttrIAMID, "x")), "resource.attributes[2].key", policy.ProblemPlace},
		{"attribute twice", func(p *policy.Policy) { p.Resource = append(p.Resource, equals("region", "a"), equals("region", "b")) },
			"resource.attributes[3].key", policy.ProblemConflict},
		{"unknown service type", func(p *policy.Policy) { p.Resource[0] = equals(policy.AttrServiceType, "all") },
			"resource.attributes[0].value", policy.ProblemValue},
		{"unknown service group", func(p *policy.Policy) { p.Resource[0] = equals(policy.AttrServiceGroupID, "GROUP") },
			"resource.attributes[0].value", policy.ProblemValue},
		{"service and group", add(equals(policy.AttrServiceGroupID, "IAM")), "resource.attributes[2].key", policy.ProblemConflict},
		{"service of another type", add(equals(policy.AttrServiceType, "platform_service")), "resource.attributes[2].key",
			policy.ProblemConflict},
		{"instance without service", func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceType, "service")
			p.Resource = append(p.Resource, equals(policy.AttrServiceInstance, "i"))
		}, "resource.attributes[2].key", policy.ProblemPlace},
		{"resource without service", func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceType, "service")
			p.Resource = append(p.Resource, equals(policy.AttrResource, "i"))
		}, "resource.attributes[2].key", policy.ProblemPlace},
		{"tags with a service", func(p *policy.Policy) { p.Tags = []policy.Attribute{equals("a", "b")} }, "resource.attributes[0].key",
			policy.ProblemConflict},
		{"tags with a region", func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceType, "service")
			p.Resource = append(p.Resource, equals("region", "x"))
			p.Tags = []policy.Attribute{equals("a", "b")}
		}, "resource.attributes[2].key", policy.ProblemConflict},
		{"tag without a name", func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceType, "service")
			p.Tags = []policy.Attribute{equals("", "b")}
		}, "resource.tags[0].key", policy.ProblemMissing},
		{"tag with exists", func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceType, "service")
			p.Tags = []policy.Attribute{attr("a", policy.OpStringExists, policy.Bool(true))}
		}, "resource.tags[0].operator", policy.ProblemPlace},
		{"no role", func(p *policy.Policy) { p.RoleIDs = nil }, "control.grant.roles", policy.ProblemMissing},
		{"empty role", func(p *policy.Policy) { p.RoleIDs = []string{""} }, "control.grant.roles[0].role_id", policy.ProblemMissing},
		{"unknown role", func(p *policy.Policy) { p.RoleIDs = append(p.RoleIDs, roleCRN("Emperor")) }, "control.grant.roles[1].role_id",
			policy.ProblemRoleUnknown},
		{"deleted custom role", func(p *policy.Policy) { p.RoleIDs = []string{customCRN("Gone")} }, "control.grant.roles[0].role_id",
			policy.ProblemRoleUnknown},
		{"role of another service", func(p *policy.Policy) { p.RoleIDs = []string{roleCRN("iam-identity:ServiceIdCreator")} },
			"control.grant.roles[0].role_id", policy.ProblemRoleMisfit},
		{"custom role of another service", func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceName, "vault")
			p.RoleIDs = []string{customCRN("Sweeper")}
		}, "control.grant.roles[0].role_id", policy.ProblemRoleMisfit},
		{"service role on account management", func(p *policy.Policy) {
			p.Resource[0] = equals(policy.AttrServiceType, "platform_service")
			p.RoleIDs = []string{roleCRN("Manager")}
		}, "control.grant.roles[0].role_id", policy.ProblemRoleMisfit},
		{"role twice", func(p *policy.Policy) { p.RoleIDs = []string{roleCRN("Viewer"), roleCRN("Viewer")} }, "control.grant.roles[1].role_id",
			policy.ProblemConflict},
		{"rule without pattern", func(p *policy.Policy) { p.Rule = folderRule() }, "pattern", policy.ProblemMissing},
		{"pattern without rule", func(p *policy.Policy) { p.Pattern = policy.PatternWeekly }, "rule", policy.ProblemMissing},
		{"unknown pattern", func(p *policy.Policy) { p.Pattern, p.Rule = "monthly", folderRule() }, "pattern", policy.ProblemUnknown},
		{"rule in v1", func(p *policy.Policy) { p.Version, p.Pattern, p.Rule = policy.V1, policy.PatternWeekly, workingHours() }, "rule",
			policy.ProblemPlace},
		{"eleven conditions", func(p *policy.Policy) { p.Pattern, p.Rule = policy.PatternAttributeBase, conditions(11) }, "rule",
			policy.ProblemCount},
		{"a single condition", ruled(policy.PatternAttributeBase, conditions(1).Conditions[0]), "rule", policy.ProblemCount},
		{"one condition in a group", func(p *policy.Policy) { p.Pattern, p.Rule = policy.PatternAttributeBase, conditions(1) },
			"rule.conditions", policy.ProblemCount},
		{"an empty group", ruled(policy.PatternWeekly, policy.Rule{Operator: policy.OpAnd}), "rule.conditions", policy.ProblemCount},
		{"three levels", ruled(policy.PatternAttributeBase, policy.Rule{Operator: policy.OpOr,
			Conditions: []policy.Rule{conditions(2).Conditions[0], {Operator: policy.OpAnd,
				Conditions: []policy.Rule{conditions(2).Conditions[0], *conditions(2)}}}}), "rule.conditions[1].conditions[1]", policy.ProblemCount},
		{"unknown join", ruled(policy.PatternAttributeBase, policy.Rule{Operator: "xor", Conditions: conditions(2).Conditions}),
			"rule.operator", policy.ProblemUnknown},
		{"group with a key", ruled(policy.PatternAttributeBase, policy.Rule{Operator: policy.OpOr, Key: "x",
			Conditions: conditions(2).Conditions}), "rule", policy.ProblemConflict},
		{"condition without key", func(p *policy.Policy) {
			p.Pattern, p.Rule = policy.PatternAttributeBase, conditions(2)
			p.Rule.Conditions[0].Key = ""
		}, "rule.conditions[0].key", policy.ProblemMissing},
		{"condition of nothing", func(p *policy.Policy) {
			p.Pattern, p.Rule = policy.PatternAttributeBase, conditions(2)
			p.Rule.Conditions[0].Key = "{{subject.attributes.x}}"
		}, "rule.conditions[0].key", policy.ProblemUnknown},
		{"condition without braces", func(p *policy.Policy) {
			p.Pattern, p.Rule = policy.PatternAttributeBase, conditions(2)
			p.Rule.Conditions[0].Key = "resource.attributes.x"
		}, "rule.conditions[0].key", policy.ProblemUnknown},
		{"condition without operator", path("", policy.String("a")), "rule.conditions[1].operator", policy.ProblemMissing},
		{"condition with unknown operator", path("stringLike", policy.String("a")), "rule.conditions[1].operator", policy.ProblemUnknown},
		{"attribute with a time operator", path(policy.OpTimeLessThan, policy.String("09:00:00+00:00")), "rule.conditions[1].operator",
			policy.ProblemPlace},
		{"condition without value", path(policy.OpStringEquals, policy.Value{}), "rule.conditions[1].value", policy.ProblemMissing},
		{"condition with eleven values", path(policy.OpStringEqualsAnyOf, numbered(11)), "rule.conditions[1].value", policy.ProblemCount},
		{"condition with too long a value", path(policy.OpStringMatch, long(1001)), "rule.conditions[1].value", policy.ProblemLength},
		{"clock among attributes", func(p *policy.Policy) { p.Pattern, p.Rule = policy.PatternAttributeBase, workingHours() },
			"rule.conditions[0].key", policy.ProblemPlace},
		{"attributes in a week", func(p *policy.Policy) { p.Pattern, p.Rule = policy.PatternWeekly, conditions(2) }, "rule.conditions[0].key",
			policy.ProblemPlace},
		{"date in a week", ruled(policy.PatternWeekly, clock(policy.KeyCurrentDate, policy.OpDateLessThan, "2026-03-04+00:00")), "rule.key",
			policy.ProblemPlace},
		{"weekday once", ruled(policy.PatternOnce, clock(policy.KeyDayOfWeek, policy.OpDayOfWeekEquals, "1")), "rule.key", policy.ProblemPlace},
		{"hours all day", ruled(policy.PatternWeeklyAllDay, clock(policy.KeyCurrentTime, policy.OpTimeLessThan, "09:00:00+00:00")), "rule.key",
			policy.ProblemPlace},
		{"weekday by text", ruled(policy.PatternWeekly, clock(policy.KeyDayOfWeek, policy.OpStringEquals, "1")), "rule.operator",
			policy.ProblemPlace},
		{"time by date operator", ruled(policy.PatternWeekly, clock(policy.KeyCurrentTime, policy.OpDateLessThan, "09:00:00+00:00")),
			"rule.operator", policy.ProblemPlace},
		{"date by time operator", ruled(policy.PatternOnce, clock(policy.KeyCurrentDate, policy.OpTimeLessThan, "2026-03-04+00:00")),
			"rule.operator", policy.ProblemPlace},
		{"instant by date operator", ruled(policy.PatternOnce, clock(policy.KeyCurrentDateTime, policy.OpDateLessThan,
			"2026-03-04T09:00:00+00:00")), "rule.operator", policy.ProblemPlace},
		{"ninth day", ruled(policy.PatternWeekly, clock(policy.KeyDayOfWeek, policy.OpDayOfWeekEquals, "9")), "rule.value", policy.ProblemValue},
		{"time without offset", ruled(policy.PatternWeekly, clock(policy.KeyCurrentTime, policy.OpTimeLessThan, "09:00:00")), "rule.value",
			policy.ProblemValue},
		{"date that does not exist", ruled(policy.PatternOnce, clock(policy.KeyCurrentDate, policy.OpDateLessThan, "2026-02-30+00:00")),
			"rule.value", policy.ProblemValue},
		{"instant without T", ruled(policy.PatternOnce, clock(policy.KeyCurrentDateTime, policy.OpDateTimeLessThan,
			"2026-03-04 09:00:00+00:00")), "rule.value", policy.ProblemValue},
	} {
		p := validPolicy()
		c.change(p)
		checkProblem(t, c.name, validateWith(p, catalog, customSweeper), c.field, c.kind)
	}
}

// validateWith validates a policy of an account with custom roles.
func validateWith(p *policy.Policy, c *policy.Catalog, custom ...policy.CustomRole) error {
	if err := policy.Validate(p, c); err != nil {
		return err
	}
	return policy.ValidateCustomRoles(p, c, custom)
}

func checkProblem(t *testing.T, name string, err error, field string, kind policy.ProblemKind) {
	t.Helper()
	var problems policy.Problems
	if !errors.As(err, &problems) || !errors.Is(err, fault.Invalid) {
		t.Errorf("%s: error is %v", name, err)
		return
	}
	for _, p := range problems {
		if p.Field == field && p.Kind == kind {
			return
		}
	}
	t.Errorf("%s: problems are %v, want %s at %s", name, problems, kind, field)
}

func TestFaultsOfAuthorizations(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	for _, c := range []struct {
		name   string
		change func(p *policy.Policy)
		field  string
		kind   policy.ProblemKind
	}{
		{"identity as source", func(p *policy.Policy) { p.Subject[0] = equals(policy.AttrIAMID, "x") }, "subject.attributes[0].key",
			policy.ProblemPlace},
		{"no source service", func(p *policy.Policy) { p.Subject = p.Subject[1:] }, "subject.attributes", policy.ProblemMissing},
		{"no source account", func(p *policy.Policy) { p.Subject = p.Subject[:1] }, "subject.attributes", policy.ProblemMissing},
		{"tags", func(p *policy.Policy) { p.Tags = []policy.Attribute{equals("a", "b")} }, "resource.tags", policy.ProblemPlace},
		{"no target account", func(p *policy.Policy) { p.Resource = p.Resource[:1] }, "resource.attributes", policy.ProblemMissing},
		{"source with a wildcard", func(p *policy.Policy) { p.Subject[0].Operator = policy.OpStringMatch }, "subject.attributes[0].operator",
			policy.ProblemPlace},
		{"source twice", func(p *policy.Policy) { p.Subject = append(p.Subject, p.Subject[0]) }, "subject.attributes[2].key",
			policy.ProblemConflict},
	} {
		p := validAuthorization()
		c.change(p)
		checkProblem(t, c.name, policy.Validate(p, catalog), c.field, c.kind)
	}
}

func TestProblemsSpeakTheSchemaOfTheDocument(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	p := validPolicy()
	p.Version = policy.V1
	p.Subject[0] = policy.Attribute{Key: "serviceName", Value: policy.String("x")}
	p.Resource = []policy.Attribute{attr("region", policy.OpStringExists, policy.Bool(true)), equals(policy.AttrAccountID, "acct")}
	p.RoleIDs = []string{roleCRN("Emperor")}
	var problems policy.Problems
	if !errors.As(policy.Validate(p, catalog), &problems) {
		t.Fatal("nothing wrong was found")
	}
	var fields []string
	for _, p := range problems {
		fields = append(fields, p.Field)
	}
	want := []string{"subjects[0].attributes[0].name", "resources[0].attributes[0].operator", "resources[0].attributes", "roles[0].role_id"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	var f *fault.Error
	if err := policy.Validate(p, catalog); !errors.As(err, &f) || f.Code != policy.CodeInvalidBody || f.Field != want[0] ||
		!strings.Contains(f.Message, want[0]) {
		t.Errorf("error is %+v", f)
	}
}

func TestRolesNeedAServiceThatHasThem(t *testing.T) {
	empty, err := policy.CompileCatalog(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := validPolicy()
	p.RoleIDs = []string{roleCRN("Administrator")}
	checkProblem(t, "a catalogue without services", policy.Validate(p, empty), "control.grant.roles[0].role_id", policy.ProblemRoleUnknown)
}

func TestTemplatesMayBeIncomplete(t *testing.T) {
	_, catalog := scenarioCatalog(t)
	if err := policy.ValidateTemplate(&policy.Policy{Version: policy.V2, Type: policy.TypeAccess}, catalog); err != nil {
		t.Errorf("an empty template: %v", err)
	}
	p := validAuthorization()
	p.Subject, p.Resource = p.Subject[:1], p.Resource[:1]
	if err := policy.ValidateTemplate(p, catalog); err != nil {
		t.Errorf("an authorization template without accounts: %v", err)
	}
	checkProblem(t, "template with an account", policy.ValidateTemplate(validAuthorization(), catalog), "subject.attributes[1].key",
		policy.ProblemPlace)
	checkProblem(t, "template with an account", policy.ValidateTemplate(validPolicy(), catalog), "resource.attributes[1].key",
		policy.ProblemPlace)
}

func equals(key, value string) policy.Attribute {
	return attr(key, policy.OpStringEquals, policy.String(value))
}

func workingHours() *policy.Rule {
	return &policy.Rule{Operator: policy.OpAnd, Conditions: []policy.Rule{
		{Key: policy.KeyDayOfWeek, Operator: policy.OpDayOfWeekAnyOf, Value: policytest.StringList("1+00:00", "2+00:00", "3+00:00", "4+00:00",
			"5+00:00")},
		clock(policy.KeyCurrentTime, policy.OpTimeGreaterThanOrEquals, "09:00:00+00:00"),
		clock(policy.KeyCurrentTime, policy.OpTimeLessThanOrEquals, "17:00:00+00:00"),
	}}
}

func folderRule() *policy.Rule {
	return &policy.Rule{Operator: policy.OpOr, Conditions: []policy.Rule{
		{Key: "{{resource.attributes.path}}", Operator: policy.OpStringMatch, Value: policy.String("shared/*")},
		{Operator: policy.OpAnd, Conditions: []policy.Rule{
			{Key: "{{resource.attributes.prefix}}", Operator: policy.OpStringEqualsAnyOf, Value: policytest.StringList("", "shared/")},
			{Key: "{{resource.attributes.delimiter}}", Operator: policy.OpStringEquals, Value: policy.String("/")},
		}},
	}}
}
