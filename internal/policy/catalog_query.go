package policy

import "slices"

// Service returns the definition of a service as it was given to
// CompileCatalog.
func (c *Catalog) Service(name string) (Service, bool) {
	v := c.services[name]
	if v == nil {
		return Service{}, false
	}
	return *v.def, true
}

// Services lists the definitions in the order in which they were given.
func (c *Catalog) Services() []Service {
	out := make([]Service, 0, len(c.names))
	for _, n := range c.names {
		out = append(out, *c.services[n].def)
	}
	return out
}

// MembersMay tells whether there is anything that members of an account may do to
// a service of it without a policy.
func (c *Catalog) MembersMay(service string) bool {
	return slices.ContainsFunc(c.viewOf(service).member, func(word uint64) bool { return word != 0 })
}

// RolesOf lists the roles that can be granted on a service, those of its
// parents included. An unknown service has the roles of AllServices.
func (c *Catalog) RolesOf(service string) []Role {
	v := c.viewOf(service)
	out := make([]Role, 0, len(v.roles))
	for _, r := range v.roles {
		out = append(out, r.role)
	}
	return out
}

// unionRoles lists the roles of services. A role that several of them have appears
// once, with the union of its actions sorted.
func unionRoles(of []*service) []Role {
	var out []Role
	at := map[string]int{}
	for _, v := range of {
		for _, r := range v.roles {
			crn := canonicalRole(r.role.CRN)
			i, ok := at[crn]
			if !ok {
				at[crn] = len(out)
				out = append(out, r.role)
				out[len(out)-1].Actions = slices.Clone(r.role.Actions)
				continue
			}
			out[i].Actions = append(out[i].Actions, r.role.Actions...)
		}
	}
	for i := range out {
		slices.Sort(out[i].Actions)
		out[i].Actions = slices.Compact(out[i].Actions)
	}
	return out
}

// hasGroup reports whether a service is of a service group.
func (c *Catalog) hasGroup(group string) bool {
	return slices.ContainsFunc(c.names, func(n string) bool { return group != "" && c.services[n].group == group })
}

// RoleOn finds a role of a service, its parents' included, by CRN in any form
// that is accepted for it. Its actions are those on this service.
func (c *Catalog) RoleOn(service, crn string) (Role, bool) {
	id, ok := c.roles[canonicalRole(crn)]
	if !ok {
		return Role{}, false
	}
	v := c.viewOf(service)
	i, ok := v.byRole[id]
	if !ok {
		return Role{}, false
	}
	return v.roles[i].role, true
}

// CustomOn gives the actions that a custom role has on a service: those that the
// service knows, if the role is one of its own or of its parents.
func (c *Catalog) CustomOn(service string, r CustomRole) []string {
	v := c.viewOf(service)
	if !slices.Contains(v.names, r.Service) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.Actions), func(a string) bool {
		_, known := v.index[a]
		return !known
	})
}

// Within tells whether a service is another one or a part of it.
func (c *Catalog) Within(service, other string) bool {
	return service == other || slices.Contains(c.viewOf(service).names, other)
}

// RoleNamed finds a role of any service by CRN, for its names: its actions are
// those on one of the services that have it.
func (c *Catalog) RoleNamed(crn string) (Role, bool) {
	id, ok := c.roles[canonicalRole(crn)]
	if !ok {
		return Role{}, false
	}
	for _, n := range c.names {
		if i, here := c.services[n].byRole[id]; here {
			return c.services[n].roles[i].role, true
		}
	}
	return Role{}, false
}

// Action finds an action that can be asked about on a service.
func (c *Catalog) Action(service, id string) (Action, bool) {
	v := c.viewOf(service)
	i, ok := v.index[id]
	if !ok {
		return Action{}, false
	}
	return v.actions[i], true
}

// ServiceType gives the serviceType attribute of a service: platform_service
// for account management services, service for all others.
func (c *Catalog) ServiceType(service string) string { return c.viewOf(service).serviceType }

// GroupOf gives the service group that a service belongs to, "" for none.
func (c *Catalog) GroupOf(service string) string { return c.viewOf(service).group }

// viewOf finds the view of a service, the fallback for unknown ones.
func (c *Catalog) viewOf(name string) *service {
	if v := c.services[name]; v != nil {
		return v
	}
	return c.fallback
}
