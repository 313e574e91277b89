package policy

// ScopeOf gives the resource that stands for everything a policy covers. A
// request about it asks for the right over the policy's whole target: only
// policies with an equal or wider target allow it. The policy's rule is not
// part of it.
func ScopeOf(p *Policy) Resource {
	r := Resource{Whole: true}
	for _, a := range p.Resource {
		if !isPlainEquals(a) || isAny(a) || a.Value.Text == "" || !r.set(a.Key, a.Value.Text) {
			r.Scope = append(r.Scope, a)
		}
	}
	for _, t := range p.Tags {
		if isPlainEquals(t) && !isAny(t) {
			r.Tags = append(r.Tags, t.Key+":"+t.Value.Text)
		} else {
			r.ScopeTags = append(r.ScopeTags, t)
		}
	}
	return r
}

// set fills an attribute by name; false when it has a value already.
func (r *Resource) set(key, value string) bool {
	fields := map[string]*string{
		AttrAccountID: &r.Account, AttrServiceName: &r.ServiceName, AttrServiceType: &r.ServiceType,
		AttrServiceGroupID: &r.ServiceGroupID, AttrRegion: &r.Region, AttrServiceInstance: &r.ServiceInstance,
		AttrResourceType: &r.ResourceType, AttrResource: &r.Resource, AttrResourceGroupID: &r.ResourceGroupID,
	}
	field, known := fields[key]
	if !known {
		r.Attributes = append(r.Attributes, NamedValue{Name: key, Value: value})
		return true
	}
	if *field != "" {
		return false
	}
	*field = value
	return true
}
