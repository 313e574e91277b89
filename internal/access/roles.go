package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// roleName is the documented form of a custom role's name.
var roleName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,29}$`)

// Bounds of the texts of a custom role, as documented.
const (
	maxRoleDisplayName = 50
	maxRoleDescription = 250
)

func roleEvent(verb string, r *CustomRole, params ...string) store.Event {
	return store.Event{Action: "iam-access-management.role." + verb, CRN: r.CRN(), Params: params,
		Message: "IAM Access Management: " + verb + " role " + r.Name}
}

// NoRole is the error for a role that is not there, or not for the caller to know.
func NoRole(roleID string) *fault.Error {
	return &fault.Error{Kind: fault.NotFound, Code: "role_not_found", Message: "Role with Id " + roleID + " not found."}
}

// asBody gives a fault the code that the policy API has for bodies.
func asBody(err error) error {
	e := *fault.Of(err)
	e.Code = policy.CodeInvalidBody
	return &e
}

func badRole(field, format string, args ...any) error {
	return asBody(fault.Field(field, format, args...))
}

// RoleSpec is a custom role that is to be made; Service.RoleSpec makes one.
type RoleSpec struct {
	Role    *CustomRole
	catalog *policy.Catalog
}

// RoleSpec readies a role for its check.
func (s *Service) RoleSpec(r *CustomRole) RoleSpec { return RoleSpec{r, s.authority.Catalog()} }

// Validate judges a custom role against the catalogue: texts, service, and at
// least one action that the service itself defines.
func (spec RoleSpec) Validate() error {
	r, catalog := spec.Role, spec.catalog
	if !roleName.MatchString(r.Name) {
		return badRole("name", "Property 'name' must begin with a capital letter and hold at most 30 letters and digits.")
	}
	if err := checkRole(r.DisplayName, r.Description, r.Actions); err != nil {
		return err
	}
	return checkActions(r, catalog)
}

// checkRole judges what a role may say whatever the catalogue holds.
func checkRole(displayName, description string, actions []string) error {
	if n := utf8.RuneCountInString(displayName); n < 1 || n > maxRoleDisplayName {
		return badRole("display_name", "Property 'display_name' must have 1 to %d characters.", maxRoleDisplayName)
	}
	if utf8.RuneCountInString(description) > maxRoleDescription {
		return badRole("description", "Property 'description' must have at most %d characters.", maxRoleDescription)
	}
	if err := cmp.Or(valid.Line("display_name", displayName), valid.Prose("description", description)); err != nil {
		return asBody(err)
	}
	if len(actions) == 0 {
		return badRole("actions", "Property 'actions' is missing or empty.")
	}
	return nil
}

// checkActions judges the service and the actions of a role by the catalogue.
func checkActions(r *CustomRole, catalog *policy.Catalog) error {
	if r.Service == "" || r.Service == policy.AllServices {
		return badRole("service_name", "Property 'service_name' is missing or no service.")
	}
	if _, ok := catalog.Service(r.Service); !ok {
		return badRole("service_name", "Service '%s' is not in the catalogue.", r.Service)
	}
	own := false
	for i, a := range r.Actions {
		if _, ok := catalog.Action(r.Service, a); !ok {
			return badRole(fmt.Sprintf("actions[%d]", i), "Action '%s' does not exist on service '%s'.", a, r.Service)
		}
		own = own || strings.HasPrefix(a, r.Service+".")
	}
	if !own {
		return badRole("actions", "Property 'actions' must hold at least one action that service '%s' defines.", r.Service)
	}
	return nil
}

// RoleConflict is the Body of a role conflict.
type RoleConflict struct{ Existing *CustomRole }

// noRoleConflict refuses a second role with the same name, and on the same
// service one with the same actions or the same display name: clients find
// roles by that.
func noRoleConflict(ctx context.Context, tx store.Tx, r *CustomRole) error {
	others, err := CustomRoles.List(ctx, tx, store.Query{Account: r.Account})
	if err != nil {
		return err
	}
	mine := sortedSet(r.Actions)
	for _, o := range others {
		if o.ID == r.ID {
			continue
		}
		if o.Name == r.Name || o.Service == r.Service && (o.DisplayName == r.DisplayName || slices.Equal(sortedSet(o.Actions), mine)) {
			return &fault.Error{Kind: fault.Conflict, Code: "role_conflict_error", Body: RoleConflict{o},
				Message: fmt.Sprintf("Role '%s' (%s) has the same name, or the same display name or actions on the same service.", o.DisplayName, o.ID)}
		}
	}
	return nil
}

// notBuiltIn refuses the display name of a role that the catalogue has on the
// same service: clients that look for "Viewer" would find the custom role.
func (s *Service) notBuiltIn(r *CustomRole) error {
	for _, other := range s.authority.Catalog().RolesOf(r.Service) {
		if other.DisplayName == r.DisplayName {
			return &fault.Error{Kind: fault.Conflict, Code: "role_conflict_error",
				Message: fmt.Sprintf("Service '%s' has a role '%s' already (%s).", r.Service, r.DisplayName, other.CRN)}
		}
	}
	return nil
}

func sortedSet(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}

// CreateRole stores a new custom role. It fails with fault.Forbidden when
// authorizations name it already, from a role of its name that was deleted, and
// who asks does not hold what it would give by them.
func (s *Service) CreateRole(ctx context.Context, who asker.Asker, account string, spec valid.Of[RoleSpec]) (*CustomRole, error) {
	r := spec.Value().Role
	rights, err := who.Rights(ctx, account)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		return s.createRole(ctx, tx, rights, account, r)
	})
	return r, err
}

// createRole makes a role that was checked, inside a transaction, by what the
// rights hold.
func (s *Service) createRole(ctx context.Context, tx store.Tx, rights asker.Rights, account string, r *CustomRole) error {
	n, err := CustomRoles.Count(ctx, tx, store.Query{Account: account})
	if err != nil {
		return err
	}
	if n >= s.limits.CustomRoles {
		return limitReached("custom roles", s.limits.CustomRoles)
	}
	r.Meta = store.Meta{Account: account, ID: s.ids.Hex(16), Name: r.Name, Description: r.Description}
	if err := s.mayBe(ctx, tx, r); err != nil {
		return err
	}
	if err := s.mayWiden(ctx, tx, rights, r, r.Actions); err != nil {
		return err
	}
	return CustomRoles.Create(ctx, tx, r, roleEvent("create", r))
}

// mayBe refuses a role that clients could take for another one.
func (s *Service) mayBe(ctx context.Context, tx store.Tx, r *CustomRole) error {
	if err := s.notBuiltIn(r); err != nil {
		return err
	}
	return noRoleConflict(ctx, tx, r)
}

// GetRole gives a custom role.
func (s *Service) GetRole(ctx context.Context, roleID string) (*CustomRole, error) {
	r, err := CustomRoles.Get(ctx, s.db.Direct(), "", roleID)
	if errors.Is(err, fault.NotFound) {
		return nil, NoRole(roleID)
	}
	return r, err
}

// ListRoles gives the custom roles of an account.
func (s *Service) ListRoles(ctx context.Context, account string) ([]*CustomRole, error) {
	return CustomRoles.List(ctx, s.db.Direct(), store.Query{Account: account})
}

// RolePatch is what can change of a custom role; nil leaves a text.
type RolePatch struct {
	DisplayName string
	Actions     []string
	Description *string
}

// Validate checks what can be checked without the role and the catalogue.
func (p RolePatch) Validate() error {
	description := ""
	if p.Description != nil {
		description = *p.Description
	}
	return checkRole(p.DisplayName, description, p.Actions)
}

// UpdateRole changes a custom role that was found; name and service stay. It
// fails with fault.Invalid when the catalogue does not know the actions, with
// fault.Forbidden when authorizations name the role and who asks does not hold
// those that are added, and with store.ErrMoved.
func (s *Service) UpdateRole(ctx context.Context, who asker.Asker, found *CustomRole, ifMatch string, checked valid.Of[RolePatch],
) (*CustomRole, error) {
	patch := checked.Value()
	rights, err := who.Rights(ctx, found.Account)
	if err != nil {
		return nil, err
	}
	return CustomRoles.Edit(ctx, s.db, found, func(tx store.Tx, r *CustomRole) (store.Event, error) {
		before := r.Actions
		r.DisplayName, r.Actions = patch.DisplayName, patch.Actions
		if patch.Description != nil {
			r.Description = *patch.Description
		}
		if err := checkActions(r, s.authority.Catalog()); err != nil {
			return store.Event{}, err
		}
		if err := s.mayWiden(ctx, tx, rights, r, beyond(before, patch.Actions)); err != nil {
			return store.Event{}, err
		}
		if err := r.Match(ifMatch); err != nil {
			e := *fault.Of(err)
			e.Code, e.Body = "role_conflict_error", RoleConflict{found}
			return store.Event{}, &e
		}
		if r.Template != nil {
			return store.Event{}, managedByEnterprise("role")
		}
		return roleEvent("update", r, "display_name", "actions", "description"), s.mayBe(ctx, tx, r)
	})
}

// DeleteRole deletes a custom role that was found and takes it out of the
// policies that name it; a policy that is left without roles grants nothing. It
// fails with store.ErrMoved.
func (s *Service) DeleteRole(ctx context.Context, found *CustomRole) error {
	if found.Template != nil {
		return managedByEnterprise("role")
	}
	return CustomRoles.Remove(ctx, s.db, found, func(tx store.Tx) (store.Event, error) {
		return roleEvent("delete", found), withdraw(ctx, tx, found)
	})
}

// withdraw takes a role out of the active policies that name it.
func withdraw(ctx context.Context, tx store.Tx, r *CustomRole) error {
	policies, err := Policies.List(ctx, tx, store.Query{Account: r.Account, Parent: string(policy.StateActive)})
	if err != nil {
		return err
	}
	for _, p := range policies {
		if !names(p, r) {
			continue
		}
		p.Doc.RoleIDs = slices.DeleteFunc(slices.Clone(p.Doc.RoleIDs), func(crn string) bool { return sameRole(crn, r.CRN()) })
		if err := Policies.Update(ctx, tx, p, policyEvent("update", p, "roles")); err != nil {
			return err
		}
	}
	return nil
}
