package policy

import (
	"slices"
	"strings"
)

// customMark is in the CRN of each custom role.
const customMark = "::customRole:"

// CustomRoleName gives the name in the CRN of a custom role, "" for another role.
func CustomRoleName(crn string) string {
	_, name, _ := strings.Cut(crn, customMark)
	return name
}

// ValidateCustomRoles completes Validate with the custom roles of the policy's
// account: those that the policy names must be among them and fit the service.
func ValidateCustomRoles(p *Policy, c *Catalog, custom []CustomRole) error {
	v := newValidation(p, c)
	var views []*service
	for i, id := range p.RoleIDs {
		if CustomRoleName(id) == "" {
			continue
		}
		if views == nil {
			views = v.catalog.targetViews(p.Resource)
		}
		crn := canonicalRole(id)
		at := slices.IndexFunc(custom, func(r CustomRole) bool { return canonicalRole(r.CRN) == crn })
		switch {
		case at < 0:
			v.unknownRole(i)
		case !customFits(custom[at].Service, p.Resource, views):
			v.misfit(i)
		}
	}
	return v.Err()
}

func customFits(of string, resource []Attribute, views []*service) bool {
	return slices.ContainsFunc(views, func(s *service) bool { return slices.Contains(s.names, of) }) ||
		of == attribute(resource, AttrServiceName)
}

func (v *validation) unknownRole(i int) {
	v.add(item(v.at.roles, i)+".role_id", ProblemRoleUnknown, "role %s does not exist", v.p.RoleIDs[i])
}

func (v *validation) misfit(i int) {
	v.add(item(v.at.roles, i)+".role_id", ProblemRoleMisfit, "role %s is not a role of the policy's services", v.p.RoleIDs[i])
}

// roles checks that each role exists and is one of the policy's services.
func (v *validation) roles() {
	if len(v.p.RoleIDs) == 0 && !v.template {
		v.add(v.at.roles, ProblemMissing, "at least one role is required")
	}
	views := v.catalog.targetViews(v.p.Resource)
	seen := map[string]bool{}
	for i, id := range v.p.RoleIDs {
		at := item(v.at.roles, i) + ".role_id"
		crn := canonicalRole(id)
		switch {
		case id == "":
			v.add(at, ProblemMissing, "a role id is required")
		case seen[crn]:
			v.add(at, ProblemConflict, "role %s occurs twice", id)
		case CustomRoleName(id) != "" && !v.template:
		case v.roleFits(crn, views):
		case v.roleExists(crn):
			v.misfit(i)
		default:
			v.unknownRole(i)
		}
		seen[crn] = true
	}
}

// Offered lists the roles of the catalogue that a policy with these attributes of
// its resource may give, in access policies and in authorizations, whatever their
// source: those of the services that it may be about, each once, with the union of
// its actions sorted. Validate takes these and no others, in any spelling.
func (c *Catalog) Offered(resource []Attribute) []Role {
	views := c.targetViews(resource)
	if len(views) > 1 {
		return unionRoles(views)
	}
	out := make([]Role, 0, len(views[0].roles))
	for _, r := range views[0].roles {
		out = append(out, r.role)
	}
	return out
}

// OffersCustom reports whether a policy with these attributes of its resource may
// give a custom role; Offered says it of the catalogue's roles.
func (c *Catalog) OffersCustom(resource []Attribute, r CustomRole) bool {
	return customFits(r.Service, resource, c.targetViews(resource))
}

// targetViews lists the services that a policy may be about by the attributes of
// its resource; unknown ones are represented by the catalogue's fallback.
func (c *Catalog) targetViews(resource []Attribute) []*service {
	if name := attribute(resource, AttrServiceName); name != "" {
		return []*service{c.viewOf(name)}
	}
	var checks []cond
	for _, a := range resource {
		if k := resourceKeys[a.Key]; k == keyServiceName || k == keyServiceType || k == keyServiceGroup {
			checks = append(checks, compileAttribute(k, a))
		}
	}
	var views []*service
	for _, name := range append([]string{AllServices}, c.names...) {
		var t target
		t.fill(c, &Resource{ServiceName: name})
		if !slices.Contains(views, t.view) && !slices.ContainsFunc(checks, func(k cond) bool { return !t.holds(&k) }) {
			views = append(views, t.view)
		}
	}
	if len(views) == 0 {
		return []*service{c.fallback} // only of services that are not in the catalogue, or malformed
	}
	return views
}

func (v *validation) roleFits(crn string, views []*service) bool {
	id, ok := v.catalog.roles[crn]
	return ok && slices.ContainsFunc(views, func(s *service) bool {
		_, here := s.byRole[id]
		return here
	})
}

// roleExists reports whether any service has the role.
func (v *validation) roleExists(crn string) bool {
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
