package access

import (
	"context"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// CatalogRoles gives the roles that can be granted on a service or service
// group; without either, those of all IAM-enabled services. With a source
// service it gives the service roles that a target offers to other services.
func (s *Service) CatalogRoles(service, group, source string) []policy.Role {
	catalog := s.Authority.Catalog()
	if group != "" {
		return catalog.RolesOfGroup(group)
	}
	if service == "" {
		service = policy.AllServices
	}
	roles := catalog.RolesOf(service)
	if source != "" {
		roles = slices.DeleteFunc(slices.Clone(roles), func(r policy.Role) bool { return r.Kind == policy.RoleSystem })
	}
	return roles
}

// RoleByCRN finds a role by its CRN: any service's of the catalogue, or a
// custom role of the account.
func (s *Service) RoleByCRN(account, crn string) (policy.Role, bool) {
	if strings.Contains(crn, "::customRole:") {
		b := s.Authority.ready(account)
		if b == nil {
			return policy.Role{}, false
		}
		for _, r := range b.CustomRoles() {
			if r.CRN == crn {
				return r.Role, true
			}
		}
		return policy.Role{}, false
	}
	for _, service := range s.Authority.Catalog().Services() {
		for _, r := range service.Roles {
			if r.CRN == crn {
				return r, true
			}
		}
	}
	return policy.Role{}, false
}

// ActionsOfRoles gives the union of the actions that roles have on a service.
func (s *Service) ActionsOfRoles(snapshot *policy.Snapshot, service string, roleIDs []string) []string {
	var out []string
	for _, r := range s.Authority.Catalog().RolesOf(service) {
		if slices.Contains(roleIDs, r.CRN) {
			out = append(out, r.Actions...)
		}
	}
	for _, r := range snapshot.CustomRoles() {
		if slices.Contains(roleIDs, r.CRN) {
			out = append(out, r.Actions...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// LastPermit tells how often and when last a policy allowed something.
func (s *Service) LastPermit(ctx context.Context, p *Policy) (store.Activity, error) {
	return s.DB.GetActivity(ctx, p.Account, "policy/"+p.ID)
}
