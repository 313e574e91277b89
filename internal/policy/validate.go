package policy

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/valid"
)

// Limits of a document. They are public statements of the service that this
// one is compatible with.
const (
	// MaxValueLength is the longest attribute value in characters.
	MaxValueLength = 1000
	// MaxAnyOf is how many values an AnyOf operator takes.
	MaxAnyOf = 10
	// MinRuleConditions and MaxRuleConditions bound the comparisons of an
	// attribute-based rule; the upper bound holds for every rule.
	MinRuleConditions = 2
	MaxRuleConditions = 10
	// MaxRuleDepth is how many groups may lie in each other.
	MaxRuleDepth = 2
)

// Validate checks a policy as far as nothing need be known of its account: its
// form, the places of its attributes, its rule, and that its roles exist and fit
// the service. The account's own roles are left to ValidateCustomRoles. The
// error is that of Problems.Err.
func Validate(p *Policy, c *Catalog) error { return validate(p, c, false) }

// ValidateTemplate checks the policy of a template. It has no accountId, which
// each target account fills in, and subject, resource and roles may be missing
// until it is assigned. It can name no custom role.
func ValidateTemplate(p *Policy, c *Catalog) error { return validate(p, c, true) }

func validate(p *Policy, c *Catalog, template bool) error {
	v := newValidation(p, c)
	v.template = template
	if p.Type != TypeAccess && p.Type != TypeAuthorization {
		v.add("type", ProblemUnknown, "type must be access or authorization")
		return v.Err()
	}
	v.subject()
	v.resource()
	v.tags()
	v.roles()
	v.rule()
	return v.Err()
}

// fieldPaths names the parts of a document in the words of its schema.
type fieldPaths struct{ subject, resource, key, roles string }

// paths by whether the schema is v1.
var paths = map[bool]fieldPaths{
	true:  {"subjects[0]", "resources[0]", "name", "roles"},
	false: {"subject", "resource", "key", "control.grant.roles"},
}

type validation struct {
	Problems
	p        *Policy
	catalog  *Catalog
	template bool
	at       fieldPaths
}

func newValidation(p *Policy, c *Catalog) validation {
	return validation{p: p, catalog: c, at: paths[p.Version == V1]}
}

func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

func (v *validation) subject() {
	list := v.at.subject + ".attributes"
	if len(v.p.Subject) == 0 {
		if !v.template {
			v.add(list, ProblemMissing, "a subject is required")
		}
		return
	}
	v.duplicates(list, v.p.Subject)
	for i, a := range v.p.Subject {
		at := item(list, i)
		v.operator(at, a, OpStringEquals, OpStringExists)
		v.value(at, a, 1)
		switch {
		case a.Key == "":
			v.add(at+"."+v.at.key, ProblemMissing, "the attribute has no name")
		case v.p.Type == TypeAccess && a.Key != AttrIAMID && a.Key != AttrAccessGroupID:
			v.add(at+"."+v.at.key, ProblemPlace, "the subject of an access policy is iam_id or access_group_id, not %s", a.Key)
		case v.p.Type == TypeAccess && a.Operator != "" && a.Operator != OpStringEquals:
			v.add(at+".operator", ProblemPlace, "%s must be compared with stringEquals", a.Key)
		case v.p.Type == TypeAccess && isAny(a):
			v.add(at+".value", ProblemValue, "the subject of an access policy is one identity or access group")
		case v.p.Type == TypeAuthorization && sourceKeys[a.Key] == keyOther:
			v.add(at+"."+v.at.key, ProblemPlace, "%s is not an attribute of the source of an authorization", a.Key)
		}
	}
	if v.p.Type == TypeAccess {
		if len(v.p.Subject) > 1 {
			v.add(list, ProblemCount, "an access policy has exactly one subject attribute")
		}
		return
	}
	if !has(v.p.Subject, AttrServiceName) && !has(v.p.Subject, AttrResourceGroupID) {
		v.add(list, ProblemMissing, "serviceName or resourceGroupId is required")
	}
	if v.template {
		v.noAccount(list, v.p.Subject)
	} else if !has(v.p.Subject, AttrAccountID) && !has(v.p.Subject, AttrEnterpriseID) && !has(v.p.Subject, AttrAccountGroupID) {
		v.add(list, ProblemMissing, "accountId is required")
	}
}

func (v *validation) resource() {
	list := v.at.resource + ".attributes"
	if len(v.p.Resource) == 0 && v.template {
		return
	}
	v.duplicates(list, v.p.Resource)
	operators := []Operator{OpStringEquals, OpStringMatch}
	if v.p.Version != V1 {
		operators = append(operators, OpStringExists, OpStringEqualsAnyOf, OpStringMatchAnyOf)
	}
	for i, a := range v.p.Resource {
		v.operator(item(list, i), a, operators...)
		v.value(item(list, i), a, 1)
		v.resourceAttribute(item(list, i), a)
	}
	if v.template {
		v.noAccount(list, v.p.Resource)
	} else if !has(v.p.Resource, AttrAccountID) {
		v.add(list, ProblemMissing, "accountId is required")
	}
	v.resourceTarget(list)
}

// resourceAttribute checks one attribute by itself.
func (v *validation) resourceAttribute(at string, a Attribute) {
	switch a.Key {
	case "":
		v.add(at+"."+v.at.key, ProblemMissing, "the attribute has no name")
	case AttrIAMID, AttrAccessGroupID:
		v.add(at+"."+v.at.key, ProblemPlace, "%s belongs in the subject", a.Key)
	case AttrAccountID:
		if a.Operator != "" && a.Operator != OpStringEquals {
			v.add(at+".operator", ProblemPlace, "accountId must be compared with stringEquals")
		} else if isAny(a) {
			v.add(at+".value", ProblemValue, "a policy is about one account")
		} else if v.p.Account != "" && a.Value.Text != v.p.Account {
			v.add(at+".value", ProblemValue, "the policy belongs to another account")
		}
	case AttrServiceType:
		if t := a.Value.Text; isPlainEquals(a) && !isAny(a) && t != ServiceTypeService && t != ServiceTypePlatform {
			v.add(at+".value", ProblemValue, "serviceType must be service or platform_service")
		}
	case AttrServiceGroupID:
		if isPlainEquals(a) && !isAny(a) && !v.catalog.hasGroup(a.Value.Text) {
			v.add(at+".value", ProblemValue, "there is no service group %s", a.Value.Text)
		}
	}
}

// resourceTarget checks that the attributes together name something.
func (v *validation) resourceTarget(list string) {
	service := has(v.p.Resource, AttrServiceName)
	groupObject := attribute(v.p.Resource, AttrResourceType) == resourceTypeGroup
	if !service && !has(v.p.Resource, AttrServiceType) && !has(v.p.Resource, AttrResourceGroupID) &&
		!has(v.p.Resource, AttrServiceGroupID) && !groupObject {
		v.add(list, ProblemMissing, "one of serviceType, serviceName, resourceGroupId and service_group_id is required")
	}
	for i, a := range v.p.Resource {
		at := item(list, i) + "." + v.at.key
		switch {
		case a.Key == AttrServiceGroupID && (service || has(v.p.Resource, AttrServiceType)):
			v.add(at, ProblemConflict, "service_group_id cannot be combined with serviceName or serviceType")
		case a.Key == AttrServiceType && service && v.typeContradicts(a):
			v.add(at, ProblemConflict, "the service is not of type %s", a.Value.Text)
		case a.Key == AttrServiceInstance && !service:
			v.add(at, ProblemPlace, "serviceInstance needs a serviceName")
		case a.Key == AttrResource && !service && !groupObject:
			v.add(at, ProblemPlace, "resource needs a serviceName")
		}
	}
}

// typeContradicts reports whether serviceType and serviceName exclude each
// other, so that the policy could never allow.
func (v *validation) typeContradicts(a Attribute) bool {
	name := attribute(v.p.Resource, AttrServiceName)
	return name != "" && isPlainEquals(a) && !isAny(a) && v.catalog.ServiceType(name) != a.Value.Text
}

// tags checks the tags: they hold for all IAM-enabled services and are not
// combined with anything narrower.
func (v *validation) tags() {
	list := v.at.resource + ".tags"
	for i, t := range v.p.Tags {
		at := item(list, i)
		if t.Key == "" {
			v.add(at+"."+v.at.key, ProblemMissing, "the tag has no name")
		}
		v.operator(at, t, OpStringEquals, OpStringMatch)
		v.value(at, t, 1)
	}
	if len(v.p.Tags) == 0 {
		return
	}
	if v.p.Type == TypeAuthorization {
		v.add(list, ProblemPlace, "an authorization has no tags")
	}
	for i, a := range v.p.Resource {
		if a.Key == AttrAccountID || a.Key == AttrServiceType && a.Value.Text == ServiceTypeService {
			continue
		}
		v.add(item(v.at.resource+".attributes", i)+"."+v.at.key, ProblemConflict,
			"tags go with all IAM-enabled services only, not with %s", a.Key)
	}
}

// operator checks that the operator is one of those allowed; v1 documents may
// leave it out.
func (v *validation) operator(at string, a Attribute, allowed ...Operator) {
	switch {
	case a.Operator == "" && v.p.Version == V1:
	case a.Operator == "":
		v.add(at+".operator", ProblemMissing, "an operator is required")
	case !isOperator(a.Operator):
		v.add(at+".operator", ProblemUnknown, "operator %q is unknown", a.Operator)
	case !slices.Contains(allowed, a.Operator):
		v.add(at+".operator", ProblemPlace, "operator %s is not allowed here", a.Operator)
	}
}

func isOperator(op Operator) bool {
	switch op {
	case OpStringEquals, OpStringExists, OpStringMatch, OpStringEqualsAnyOf, OpStringMatchAnyOf,
		OpDayOfWeekEquals, OpDayOfWeekAnyOf:
		return true
	}
	_, compare := splitClockOperator(op)
	return compare != ""
}

func isAnyOf(op Operator) bool {
	return op == OpStringEqualsAnyOf || op == OpStringMatchAnyOf || op == OpDayOfWeekAnyOf
}

// value checks that the value has the type that the operator compares and at
// least shortest characters. One value in place of a list is accepted with
// AnyOf: clients shorten lists of one.
func (v *validation) value(at string, a Attribute, shortest int) {
	at += ".value"
	switch {
	case a.Value.Kind == KindNone:
		v.add(at, ProblemMissing, "a value is required")
		return
	case a.Operator == OpStringExists:
		if t := existsTest(a.Value); t == testNever {
			v.add(at, ProblemValue, "stringExists takes true or false")
		}
		return
	case a.Value.Kind == KindList && !isAnyOf(a.Operator):
		v.add(at, ProblemValue, "only the AnyOf operators take a list")
		return
	case a.Value.Kind == KindList && (len(a.Value.List) == 0 || len(a.Value.List) > MaxAnyOf):
		v.add(at, ProblemCount, "a list has 1 to %d values", MaxAnyOf)
		return
	}
	for _, s := range a.Value.Strings() {
		if n := utf8.RuneCountInString(s); n < shortest || n > MaxValueLength {
			v.add(at, ProblemLength, "a value has %d to %d characters", shortest, MaxValueLength)
			return
		}
		if valid.Line(at, s) != nil {
			v.add(at, ProblemValue, "a value holds no control characters")
			return
		}
	}
}

func (v *validation) duplicates(list string, attributes []Attribute) {
	seen := map[string]bool{}
	for i, a := range attributes {
		if seen[a.Key] && a.Key != "" {
			v.add(item(list, i)+"."+v.at.key, ProblemConflict, "attribute %s occurs twice", a.Key)
		}
		seen[a.Key] = true
	}
}

// noAccount rejects accountId in templates: each target brings its own.
func (v *validation) noAccount(list string, attributes []Attribute) {
	for i, a := range attributes {
		if a.Key == AttrAccountID {
			v.add(item(list, i)+"."+v.at.key, ProblemPlace, "a template has no accountId")
		}
	}
}

func has(list []Attribute, key string) bool {
	return slices.ContainsFunc(list, func(a Attribute) bool { return a.Key == key })
}

func isPlainEquals(a Attribute) bool {
	return (a.Operator == "" || a.Operator == OpStringEquals) && isScalar(a.Value)
}
