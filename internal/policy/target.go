package policy

import (
	"slices"
	"strings"
)

// target is the resource of a request, with the attributes that follow from
// the catalogue.
type target struct {
	res *Resource
	// view gives the roles and actions; the fallback for unknown services.
	view *service
	// known is set for services of the catalogue; any other has a name of its
	// own. See names.
	known *service
	pins  pins

	serviceType  string
	serviceGroup string
	group        string

	oneName [1]string
	oneHash [1]uint32
}

// resourceTypeGroup is the resourceType of a resource group itself. The group
// is not one of the resources in it.
const resourceTypeGroup = "resource-group"

// fill resolves the resource against the catalogue.
func (t *target) fill(c *Catalog, r *Resource) {
	t.res = r
	if r.ResourceType != resourceTypeGroup {
		t.group = r.ResourceGroupID
	}
	t.pins.fill(r, t.group)
	if r.Unlisted {
		t.view, t.serviceType = c.fallback, ServiceTypeService
		return
	}
	if r.ServiceName == "" {
		t.view = c.fallback
		t.serviceType, t.serviceGroup = r.ServiceType, r.ServiceGroupID
		return
	}
	if v := c.services[r.ServiceName]; v != nil {
		t.view, t.known = v, v
		t.serviceType, t.serviceGroup = v.serviceType, v.group
		return
	}
	t.view = c.fallback
	t.oneName[0], t.oneHash[0] = r.ServiceName, hash32(r.ServiceName)
	t.serviceType = ServiceTypeService
}

// many reports whether the request is about many services.
func (t *target) many() bool { return t.res.ServiceName == "" && !t.res.Unlisted }

// names are the service and its parents, empty when the request names no
// service.
func (t *target) names() []string {
	switch {
	case t.known != nil:
		return t.known.names
	case t.oneName[0] != "":
		return t.oneName[:]
	}
	return nil
}

// hashes are those of names.
func (t *target) hashes() []uint32 {
	switch {
	case t.known != nil:
		return t.known.hashes
	case t.oneName[0] != "":
		return t.oneHash[:]
	}
	return nil
}

// holds compares an attribute of the resource with a condition.
func (t *target) holds(c *cond) bool {
	// What follows from the service is known, however a scope words it.
	follows := t.res.ServiceName != "" && (c.key == keyServiceType || c.key == keyServiceGroup)
	if len(t.res.Scope) > 0 && !follows {
		if a := t.scope(c); a != nil {
			return c.covers(a)
		}
	}
	if t.res.Unlisted && (c.key == keyServiceName || c.key == keyServiceGroup) {
		return c.test == testPresent && c.key == keyServiceName || c.test == testAbsent && c.key == keyServiceGroup
	}
	if c.test == testAbsent && t.res.Whole {
		return false
	}
	if c.key == keyServiceName {
		return c.holdsAny(t.names())
	}
	value, present := t.attribute(c)
	return c.holds(value, present)
}

// holdsTag looks for a tag of a policy among the resource's.
func (t *target) holdsTag(c *tagCond) bool {
	if c.holds(t.res.Tags) {
		return true
	}
	return slices.ContainsFunc(t.res.ScopeTags, func(a Attribute) bool { return c.covers(compileTag(a)) })
}

// attribute finds a single-valued attribute. Named fields are absent when
// empty, further attributes when not listed.
func (t *target) attribute(c *cond) (string, bool) {
	var v string
	switch c.key {
	case keyAccount:
		v = t.res.Account
	case keyServiceType:
		v = t.serviceType
	case keyServiceGroup:
		v = t.serviceGroup
	case keyRegion:
		v = t.res.Region
	case keyInstance:
		v = t.res.ServiceInstance
	case keyResourceType:
		v = t.res.ResourceType
	case keyResource:
		v = t.res.Resource
	case keyResourceGroup:
		v = t.group
	case keyOther:
		for i := range t.res.Attributes {
			if t.res.Attributes[i].Name == c.more.name {
				return t.res.Attributes[i].Value, true
			}
		}
	}
	return v, v != ""
}

// scope finds the attribute by which a request about many resources limits
// them.
func (t *target) scope(c *cond) *Attribute {
	name := c.name()
	for i := range t.res.Scope {
		if t.res.Scope[i].Key == name {
			return &t.res.Scope[i]
		}
	}
	return nil
}

// covers reports whether every value that an attribute stands for satisfies
// the condition, as far as that is plain: both are the same, or the condition
// asks only that the attribute is there.
func (c *cond) covers(a *Attribute) bool {
	other := compileAttribute(c.key, *a)
	if c.test == testPresent {
		return other.test != testAbsent && other.test != testNever
	}
	if c.test != other.test || c.text != other.text || c.test == testNever {
		return false
	}
	if c.more == nil || other.more == nil {
		return true
	}
	return equalMore(c.more, other.more)
}

func equalMore(a, b *condMore) bool {
	return slices.Equal(a.texts, b.texts) && slices.EqualFunc(a.wild, b.wild, func(x, y Wildcard) bool { return x.equal(&y) })
}

// value gives the attribute as text for an explanation.
func (t *target) value(c *cond) (string, bool) {
	if c.key == keyServiceName {
		return t.res.ServiceName, t.res.ServiceName != ""
	}
	return t.attribute(c)
}

// sourceHolds compares an attribute of a service that acts for itself.
func sourceHolds(s *Source, c *cond) bool {
	if c.key == keyAccountGroup {
		return c.holdsAny(s.AccountGroupIDs)
	}
	return c.holds(sourceValue(s, c))
}

// sourceValue gives an attribute as text, several account groups joined.
func sourceValue(s *Source, c *cond) (string, bool) {
	var v string
	switch c.key {
	case keyServiceName:
		v = s.ServiceName
	case keyInstance:
		v = s.ServiceInstance
	case keyRegion:
		v = s.Region
	case keyResourceType:
		v = s.ResourceType
	case keyResource:
		v = s.Resource
	case keyAccount:
		v = s.AccountID
	case keyResourceGroup:
		v = s.ResourceGroupID
	case keyEnterprise:
		v = s.EnterpriseID
	case keyAccountGroup:
		v = strings.Join(s.AccountGroupIDs, ", ")
	}
	return v, v != ""
}
