package policy

import (
	"slices"
	"strings"
)

// attrKey numbers the attributes that have a place of their own in a request.
type attrKey uint8

const (
	keyOther attrKey = iota
	keyAccount
	keyServiceName
	keyServiceType
	keyServiceGroup
	keyRegion
	keyInstance
	keyResourceType
	keyResource
	keyResourceGroup
	keyEnterprise
	keyAccountGroup
)

// resourceKeys are the attributes of a resource, sourceKeys those of a service
// that acts for itself. A name outside them is keyOther for a resource.
var (
	resourceKeys = map[string]attrKey{
		AttrAccountID: keyAccount, AttrServiceName: keyServiceName, AttrServiceType: keyServiceType,
		AttrServiceGroupID: keyServiceGroup, AttrRegion: keyRegion, AttrServiceInstance: keyInstance,
		AttrResourceType: keyResourceType, AttrResource: keyResource, AttrResourceGroupID: keyResourceGroup,
	}
	sourceKeys = map[string]attrKey{
		AttrAccountID: keyAccount, AttrServiceName: keyServiceName, AttrRegion: keyRegion,
		AttrServiceInstance: keyInstance, AttrResourceType: keyResourceType, AttrResource: keyResource,
		AttrResourceGroupID: keyResourceGroup, AttrEnterpriseID: keyEnterprise, AttrAccountGroupID: keyAccountGroup,
	}
)

// keyNames is the reverse of both.
var keyNames = func() (names [keyAccountGroup + 1]string) {
	for _, keys := range [...]map[string]attrKey{resourceKeys, sourceKeys} {
		for name, key := range keys {
			names[key] = name
		}
	}
	return names
}()

// test is the comparison of a condition, the operator without its list form.
type test uint8

const (
	testNever test = iota
	testEquals
	testMatch
	testAnyOf
	testPresent
	testAbsent
)

// cond is one compiled comparison. Common comparisons need only its own
// fields, so that a candidate costs few cache lines.
type cond struct {
	key  attrKey
	test test
	// text is the value of testEquals.
	text string
	more *condMore
}

type condMore struct {
	// name of a keyOther attribute.
	name  string
	texts []string
	wild  []Wildcard
}

// compileCond compiles a comparison with string operators. A comparison that
// no value can satisfy, because its operator or value is malformed, compiles
// to testNever: what cannot be understood never allows.
func compileCond(key attrKey, name string, op Operator, v Value) cond {
	c := cond{key: key}
	var more condMore
	switch op {
	case "", OpStringEquals:
		if isScalar(v) {
			c.test, c.text = testEquals, v.Text
		}
	case OpStringMatch:
		if isScalar(v) {
			c.test = testMatch
			more.wild = []Wildcard{ParseWildcard(v.Text)}
		}
	case OpStringEqualsAnyOf:
		c.test = testAnyOf
		more.texts = v.Strings()
	case OpStringMatchAnyOf:
		c.test = testMatch
		for _, s := range v.Strings() {
			more.wild = append(more.wild, ParseWildcard(s))
		}
	case OpStringExists:
		c.test = existsTest(v)
	}
	if key == keyOther {
		more.name = name
	}
	if key == keyOther || c.test == testMatch || c.test == testAnyOf {
		c.more = &more
	}
	return c
}

// compileAttribute compiles a comparison of a policy's subject or resource, where
// a lone star means all that have the attribute, whatever the operator. In rules
// it does not: they tell stringEquals and stringMatch apart.
func compileAttribute(key attrKey, a Attribute) cond {
	c := compileCond(key, a.Key, a.Operator, a.Value)
	stars := isAny(a)
	if c.test == testAnyOf || c.test == testMatch {
		stars = slices.ContainsFunc(a.Value.Strings(), func(s string) bool {
			return s == anyValue || c.test == testMatch && s != "" && strings.Trim(s, anyValue) == ""
		})
	}
	if stars {
		c.test, c.text = testPresent, ""
		if c.more != nil {
			c.more = &condMore{name: c.more.name}
		}
	}
	return c
}

// anyValue is the lone star.
const anyValue = "*"

// isAny reports whether an attribute or tag is a plain comparison with the lone
// star.
func isAny(a Attribute) bool { return isPlainEquals(a) && a.Value.Text == anyValue }

func isScalar(v Value) bool { return v.Kind != KindList && v.Kind != KindNone }

// existsTest reads the value of stringExists: a boolean, or its text form that
// clients with typed configuration send.
func existsTest(v Value) test {
	switch {
	case !isScalar(v):
		return testNever
	case strings.EqualFold(v.Text, "true"):
		return testPresent
	case strings.EqualFold(v.Text, "false"):
		return testAbsent
	}
	return testNever
}

// holds compares with the one value of an attribute; present is false when the
// attribute is missing.
func (c *cond) holds(value string, present bool) bool {
	if !present {
		return c.test == testAbsent
	}
	switch c.test {
	case testEquals:
		return value == c.text
	case testMatch:
		for i := range c.more.wild {
			if c.more.wild[i].Match(value) {
				return true
			}
		}
		return false
	case testAnyOf:
		return slices.Contains(c.more.texts, value)
	case testPresent:
		return true
	default:
		return false
	}
}

// holdsAny compares with an attribute of several values, of which one must fit.
func (c *cond) holdsAny(values []string) bool {
	if len(values) == 0 {
		return c.holds("", false)
	}
	for _, v := range values {
		if c.holds(v, true) {
			return true
		}
	}
	return false
}

// name is the attribute's name as it is written in policies.
func (c *cond) name() string {
	if c.key == keyOther {
		return c.more.name
	}
	return keyNames[c.key]
}

// tagCond is one compiled tag of a policy.
type tagCond struct {
	// text is "key:value"; with a wildcard only "key:".
	text string
	wild *Wildcard
	bad  bool
}

func compileTag(a Attribute) tagCond {
	switch {
	case !isScalar(a.Value):
		return tagCond{bad: true}
	case isPlainEquals(a) && !isAny(a):
		return tagCond{text: a.Key + ":" + a.Value.Text}
	case isAny(a) || a.Operator == OpStringMatch:
		w := ParseWildcard(a.Value.Text)
		return tagCond{text: a.Key + ":", wild: &w}
	}
	return tagCond{bad: true}
}

// holds reports whether one of the resource's tags fits.
func (t *tagCond) holds(tags []string) bool {
	if t.bad {
		return false
	}
	for _, tag := range tags {
		if t.wild == nil {
			if tag == t.text {
				return true
			}
		} else if value, ok := strings.CutPrefix(tag, t.text); ok && t.wild.Match(value) {
			return true
		}
	}
	return false
}

// covers reports whether every tag that another comparison stands for fits, as
// far as that is plain: both are the same, or this one takes any value.
func (t *tagCond) covers(u tagCond) bool {
	if t.bad || u.bad || t.wild == nil || u.wild == nil {
		return false
	}
	return t.text == u.text && (t.wild.any() || t.wild.equal(u.wild))
}
