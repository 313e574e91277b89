package access

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// A service acts for whoever asks it. So nobody may let one do, by an
// authorization policy or by a role that one names, what they do not hold
// themselves. What the roles hold, and which policies name them, is read in the
// transaction that gives; what who asks holds is known before it begins.

// rightsToGive gives what who asks holds where a document gives, nil when that
// does not matter: only authorizations are bound by it.
func rightsToGive(ctx context.Context, who asker.Asker, doc *policy.Policy) (asker.Rights, error) {
	if doc.Type != policy.TypeAuthorization {
		return nil, nil
	}
	return who.Rights(ctx, AccountOf(doc))
}

// checkRoles refuses a document that names custom roles which are not there or do
// not fit, or that gives more than the rights.
func (s *Service) checkRoles(ctx context.Context, tx store.Tx, rights asker.Rights, doc *policy.Policy) error {
	custom, err := rolesNamed(ctx, tx, doc)
	if err != nil {
		return err
	}
	if err := policy.ValidateCustomRoles(doc, s.authority.Catalog(), custom); err != nil {
		return err
	}
	return s.mayDelegate(rights, doc, custom)
}

// MayDelegate refuses an authorization that would give a service more than who asks
// holds in the document's account, with custom roles that are to be made for it.
// Nothing else is bound by it. It must not be called inside a transaction.
func (s *Service) MayDelegate(ctx context.Context, who asker.Asker, doc *policy.Policy, made ...*CustomRole) error {
	rights, err := rightsToGive(ctx, who, doc)
	if err != nil {
		return err
	}
	var custom []policy.CustomRole
	for _, r := range made {
		custom = append(custom, r.Form())
	}
	return s.mayDelegate(rights, doc, custom)
}

// rolesNamed gives the custom roles that a document names and its account has.
func rolesNamed(ctx context.Context, tx store.Tx, doc *policy.Policy) ([]policy.CustomRole, error) {
	var out []policy.CustomRole
	for _, crn := range doc.RoleIDs {
		name := policy.CustomRoleName(crn)
		if name == "" {
			continue
		}
		r, err := CustomRoles.Lookup(ctx, tx, roleKey(AccountOf(doc), name))
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if sameRole(r.CRN(), crn) { // not one of another account that has the same name
			out = append(out, r.Form())
		}
	}
	return out, nil
}

// mayDelegate refuses an authorization that gives a service more than the rights.
// The custom roles are those that it names.
func (s *Service) mayDelegate(rights asker.Rights, doc *policy.Policy, custom []policy.CustomRole) error {
	if doc.Type != policy.TypeAuthorization {
		return nil
	}
	catalog := s.authority.Catalog()
	return s.holds(rights, doc, func(service string) (actions []string) {
		for _, crn := range doc.RoleIDs {
			if r, ok := catalog.RoleOn(service, crn); ok {
				actions = append(actions, r.Actions...)
			}
		}
		for _, r := range custom {
			actions = append(actions, catalog.CustomOn(service, r)...)
		}
		slices.Sort(actions) // the first that is missing is told
		return slices.Compact(actions)
	})
}

// mayWiden refuses to give a custom role actions beyond the rights when
// authorizations name it: that gives them to services as creating the policy
// would.
func (s *Service) mayWiden(ctx context.Context, tx store.Tx, rights asker.Rights, r *CustomRole, more []string) error {
	if len(more) == 0 {
		return nil
	}
	list, err := Policies.List(ctx, tx, store.Query{Account: r.Account, Parent: string(policy.StateActive)})
	if err != nil {
		return err
	}
	widened := r.Form()
	widened.Actions = more
	for _, p := range list {
		if p.Doc.Type != policy.TypeAuthorization || !names(p, r) {
			continue
		}
		err := s.holds(rights, &p.Doc, func(service string) []string { return s.authority.Catalog().CustomOn(service, widened) })
		if err != nil {
			return err
		}
	}
	return nil
}

// beyond gives those of the actions that are not among the known ones.
func beyond(known, actions []string) []string {
	return slices.DeleteFunc(slices.Clone(actions), func(x string) bool { return slices.Contains(known, x) })
}

// Held gives the actions of a role that who asks may give in an account wherever the
// role could give them: on its service and the parts of it. It must not be called
// inside a transaction.
func (s *Service) Held(ctx context.Context, who asker.Asker, account string, r *CustomRole) (held []string, err error) {
	rights, err := who.Rights(ctx, account)
	if err != nil {
		return nil, err
	}
	parts := s.authority.Catalog().Parts(policy.Resource{Account: account, ServiceName: r.Service})
	for _, action := range r.Actions {
		lacking := slices.ContainsFunc(parts, func(on policy.Resource) bool {
			return slices.Contains(s.authority.Catalog().CustomOn(on.ServiceName, r.Form()), action) && rights.CannotGive(on, []string{action}) != ""
		})
		if !lacking {
			held = append(held, action)
		}
	}
	return held, nil
}

// NoWider refuses to let an authorization name the role of an account when it has
// meanwhile more than a role that was judged, and the rights lack that.
func NoWider(ctx context.Context, tx store.Tx, rights asker.Rights, account string, judged *CustomRole) error {
	r, err := CustomRoles.Lookup(ctx, tx, roleKey(account, judged.Name))
	if err != nil {
		return fault.Ignore(fault.NotFound, err)
	}
	on := policy.Resource{Account: account, ServiceName: r.Service}
	if action := rights.CannotGive(on, beyond(judged.Actions, r.Actions)); action != "" {
		return forGiver(r, lacking(action))
	}
	return nil
}

// forGiver words a refusal for the result of an assignment, which who assigned a
// role reads.
func forGiver(r *CustomRole, err error) error {
	if !errors.Is(err, fault.Forbidden) {
		return err
	}
	e := *fault.Of(err)
	e.Message = fmt.Sprintf("Authorizations of the account name role '%s' and would give services what who assigned it does not hold. %s",
		r.Name, e.Details)
	return &e
}

// names tells whether a policy names a custom role.
func names(p *Policy, r *CustomRole) bool {
	return slices.ContainsFunc(p.Doc.RoleIDs, func(crn string) bool { return sameRole(crn, r.CRN()) })
}

// holds refuses rights that lack something that an authorization is to give,
// service by service, on its target.
func (s *Service) holds(rights asker.Rights, doc *policy.Policy, given func(service string) []string) error {
	for _, target := range s.authority.Catalog().Parts(policy.ScopeOf(doc)) {
		actions := given(target.ServiceName)
		if len(actions) == 0 {
			continue
		}
		if action := rights.CannotGive(target, actions); action != "" {
			return lacking(action)
		}
	}
	return nil
}

// lacking refuses to give a service an action that its giver lacks.
func lacking(action string) error {
	return &fault.Error{Kind: fault.Forbidden, Message: "An authorization can give only what its creator holds on the target.",
		Details: "Action " + action + " is not granted to the caller."}
}
