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

// Place is where roles are to be given, as far as that says which ones fit: on a
// service, on a group of services or on all of a type; the zero Place is every
// service that has nothing of its own. In access policies and in authorizations the
// same roles fit.
type Place struct{ Service, Group, Type string }

// resource gives the attributes by which a policy names the place.
func (p Place) resource() []policy.Attribute {
	one := func(key, value string) []policy.Attribute {
		return []policy.Attribute{{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}}
	}
	switch {
	case p.Group != "":
		return one(policy.AttrServiceGroupID, p.Group)
	case p.Type != "":
		return one(policy.AttrServiceType, p.Type)
	case p.Service != "":
		return one(policy.AttrServiceName, p.Service)
	}
	return one(policy.AttrServiceName, policy.AllServices)
}

// RolesAt gives the roles of the catalogue that a policy may give at a place.
func (s *Service) RolesAt(p Place) []policy.Role { return s.authority.Catalog().Offered(p.resource()) }

// CustomRolesAt gives the roles of an account that a policy may give at a place; at
// the zero Place all that it has.
func (s *Service) CustomRolesAt(ctx context.Context, account string, p Place) ([]*CustomRole, error) {
	list, err := s.ListRoles(ctx, account)
	catalog, resource := s.authority.Catalog(), p.resource()
	return slices.DeleteFunc(list, func(r *CustomRole) bool { return p != Place{} && !catalog.OffersCustom(resource, r.Form()) }), err
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
