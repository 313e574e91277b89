package policy

import "slices"

// roles checks that each role exists and is one of the policy's services.
func (v *validation) roles() {
	if len(v.p.RoleIDs) == 0 && !v.template {
		v.add(v.at.roles, ProblemMissing, "at least one role is required")
	}
	views := v.targetViews()
	seen := map[string]bool{}
	for i, id := range v.p.RoleIDs {
		at := item(v.at.roles, i) + ".role_id"
		crn := canonicalRole(id)
		switch {
		case id == "":
			v.add(at, ProblemMissing, "a role id is required")
		case seen[crn]:
			v.add(at, ProblemConflict, "role %s occurs twice", id)
		case v.roleFits(crn, views):
		case v.roleExists(crn):
			v.add(at, ProblemRoleMisfit, "role %s is not a role of the policy's services", id)
		default:
			v.add(at, ProblemRoleUnknown, "role %s does not exist", id)
		}
		seen[crn] = true
	}
}

// targetViews lists the services that the policy may be about; unknown ones
// are represented by the catalogue's fallback.
func (v *validation) targetViews() []*service {
	c := v.catalog
	if name := attribute(v.p.Resource, AttrServiceName); name != "" {
		return []*service{c.viewOf(name)}
	}
	var checks []cond
	for _, a := range v.p.Resource {
		if k := resourceKeys[a.Key]; k == keyServiceName || k == keyServiceType || k == keyServiceGroup {
			checks = append(checks, compileCond(k, a.Key, a.Operator, a.Value))
		}
	}
	var views []*service
	for _, name := range append([]string{AllServices}, c.names...) {
		var t target
		t.fill(c, &Resource{ServiceName: name})
		if !slices.ContainsFunc(checks, func(k cond) bool { return !t.holds(&k) }) {
			views = append(views, t.view)
		}
	}
	if len(views) == 0 {
		return []*service{c.fallback} // only of services that are not in the catalogue, or malformed
	}
	return views
}

func (v *validation) roleFits(crn string, views []*service) bool {
	if id, ok := v.catalog.roles[crn]; ok {
		for _, view := range views {
			if _, here := view.byRole[id]; here {
				return true
			}
		}
	}
	for _, r := range v.custom {
		if canonicalRole(r.CRN) == crn {
			return slices.ContainsFunc(views, func(s *service) bool { return slices.Contains(s.names, r.Service) }) ||
				r.Service == attribute(v.p.Resource, AttrServiceName)
		}
	}
	return false
}

// roleExists reports whether any service or the account has the role.
func (v *validation) roleExists(crn string) bool {
	if slices.ContainsFunc(v.custom, func(r CustomRole) bool { return canonicalRole(r.CRN) == crn }) {
		return true
	}
	id, ok := v.catalog.roles[crn]
	if !ok {
		return false
	}
	for _, view := range v.catalog.services {
		if _, here := view.byRole[id]; here {
			return true
		}
	}
	return false
}
