package access

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// CatalogRoles gives the roles that can be granted on a service or service
// group; without either, those of all IAM-enabled services. With a source
// service it gives the service roles that a target offers to other services:
// none for a target that the catalogue does not know.
func (s *Service) CatalogRoles(service, group, source string) []policy.Role {
	catalog := s.authority.Catalog()
	if group != "" {
		return catalog.RolesOfGroup(group)
	}
	if service == "" {
		service = policy.AllServices
	}
	if source == "" {
		return catalog.RolesOf(service)
	}
	if _, known := catalog.Service(service); !known {
		return nil
	}
	return slices.DeleteFunc(catalog.RolesOf(service), func(r policy.Role) bool { return r.Kind == policy.RoleSystem })
}

// InGroup tells whether a service belongs to a service group.
func (s *Service) InGroup(service, group string) bool {
	def, ok := s.authority.Catalog().Service(service)
	return ok && def.Group == group
}

// ServicesOf gives the services of a service group.
func (s *Service) ServicesOf(group string) []policy.Service {
	return slices.DeleteFunc(s.authority.Catalog().Services(), func(def policy.Service) bool { return def.Group != group })
}

// sameRole compares role CRNs: clients write both cloud names.
func sameRole(a, b string) bool { return canonical(a) == canonical(b) }

func canonical(crn string) string {
	if rest, ok := strings.CutPrefix(crn, "crn:v1:ibmcloud:"); ok {
		return "crn:v1:bluemix:" + rest
	}
	return crn
}

// Roles finds the roles of one account's policies by CRN.
type Roles struct {
	catalog *policy.Catalog
	custom  []policy.CustomRole
}

// RolesIn gives the roles of an account; of one that is not there, those of
// the catalogue.
func (s *Service) RolesIn(ctx context.Context, account string) (Roles, error) {
	snapshot, err := s.authority.Snapshot(ctx, account)
	if errors.Is(err, fault.NotFound) {
		return Roles{catalog: s.authority.Catalog()}, nil
	}
	if err != nil {
		return Roles{}, err
	}
	return Roles{snapshot.Catalog(), snapshot.CustomRoles()}, nil
}

// Named finds a role for its names, whichever services it is of.
func (r Roles) Named(crn string) (policy.Role, bool) {
	if c, ok := r.customRole(crn); ok {
		return c.Role, true
	}
	return r.catalog.RoleNamed(crn)
}

func (r Roles) customRole(crn string) (policy.CustomRole, bool) {
	for _, c := range r.custom {
		if sameRole(c.CRN, crn) {
			return c, true
		}
	}
	return policy.CustomRole{}, false
}

// Actions gives the actions that roles have on a service, sorted.
func (r Roles) Actions(service string, crns ...string) []policy.Action {
	var ids []string
	for _, crn := range crns {
		if c, ok := r.customRole(crn); ok {
			ids = append(ids, c.Actions...)
		} else if role, ok := r.catalog.RoleOn(service, crn); ok {
			ids = append(ids, role.Actions...)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	out := make([]policy.Action, len(ids))
	for i, id := range ids {
		out[i] = policy.Action{ID: id}
		if a, ok := r.catalog.Action(service, id); ok {
			out[i] = a
		}
	}
	return out
}

// LastPermit tells how often and when last a policy allowed something.
func (s *Service) LastPermit(ctx context.Context, p *Policy) (store.Activity, error) {
	return s.authority.Permits(ctx, p.Account, p.ID)
}

// LastPermits is LastPermit for all policies of an account that ever allowed
// something, by policy id.
func (s *Service) LastPermits(ctx context.Context, account string) (map[string]store.Activity, error) {
	list, err := s.authority.AllPermits(ctx, account)
	if err != nil {
		return nil, err
	}
	out := make(map[string]store.Activity, len(list))
	for _, a := range list {
		out[a.Subject] = a
	}
	return out, nil
}
