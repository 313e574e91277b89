package policy

import (
	"slices"
	"strings"
	"time"
)

// Granted is what a subject may do to a resource.
type Granted struct {
	// Actions are allowed now, sorted. Steady is the part of them that
	// policies without a rule allow, so that it may be kept by a client.
	//
	// The slices may be shared with the catalogue and must not be changed.
	Actions []string
	Steady  []string
}

// ActionsOn lists all actions that Decide would allow to the request's subject
// on its resource; the request's action is ignored.
func ActionsOn(s *Snapshot, r *Request) Granted {
	var q query
	if q.resolve(s, r) != 0 || q.external() == ExternalDeny || q.unmet() != 0 {
		return Granted{}
	}
	return q.granted()
}

// GivableOn lists the actions that the request's subject may give to others on
// its resource, sorted: those that it may do itself, and all that there are if it
// owns the account, whose owner lacks no role that it cannot give to itself.
func GivableOn(s *Snapshot, r *Request) []string {
	var q query
	if q.resolve(s, r) != 0 || q.external() == ExternalDeny || q.unmet() != 0 {
		return nil
	}
	if q.isOwner() {
		return q.target.view.actionNames
	}
	return q.granted().Actions
}

// granted lists what the subject may do on the target.
func (q *query) granted() Granted {
	steady := q.steady()
	all := q.withRuled(steady)
	q.byPart(steady, (*query).steady)
	q.byPart(all, func(part *query) actionBits { return part.withRuled(part.steady()) })
	q.removeForbidden(steady)
	q.removeForbidden(all)
	v := q.target.view
	g := Granted{Actions: v.namesOf(all)}
	g.Steady = g.Actions
	if !slices.Equal(steady, all) {
		g.Steady = v.namesOf(steady)
	}
	return g
}

// steady marks what the subject may do on the target by what holds always.
func (q *query) steady() actionBits {
	bits := newActionBits(len(q.target.view.actions))
	if q.isOwner() {
		bits.addAll(q.target.view.owner)
	}
	if q.isSelf() {
		bits.addAll(q.target.view.self)
	}
	if q.isMember() {
		q.addMemberActions(bits)
	}
	q.candidates(false, func(c *compiled, _ via) bool {
		q.addActions(bits, c)
		return true
	})
	return bits
}

// withRuled gives a set with what policies with a rule give on the target.
func (q *query) withRuled(steady actionBits) actionBits {
	all := slices.Clone(steady)
	q.candidates(true, func(c *compiled, _ via) bool {
		q.addActions(all, c)
		return true
	})
	return all
}

// addActions adds what a policy gives on the target, if it covers it.
func (q *query) addActions(to actionBits, c *compiled) {
	if !q.covers(c) || c.rule != nil && !q.consult(c.rule) {
		return
	}
	for _, id := range c.roles {
		if bits := q.roleActions(id); bits != nil {
			to.addAll(bits)
		}
	}
}

// roleActions gives the actions of a role on the target's service, nil when it
// has none there.
func (q *query) roleActions(id roleID) actionBits {
	v := q.target.view
	if i, ok := v.byRole[id]; ok {
		return v.roles[i].bits
	}
	r := q.s.roles[id]
	if r == nil || !slices.Contains(q.target.names(), r.def.Service) {
		return nil
	}
	bits := newActionBits(len(v.actions))
	for a := range r.actions {
		if i, ok := v.index[a]; ok {
			bits.add(i)
		}
	}
	return bits
}

func (q *query) removeForbidden(bits actionBits) {
	for action := range q.s.forbidden {
		if i, ok := q.target.view.index[action]; ok && q.control(action) != nil {
			bits.remove(i)
		}
	}
}

// namesOf lists a set's actions, sorted. The common case, exactly one role's
// actions, costs no allocation.
func (v *service) namesOf(bits actionBits) []string {
	for i := range v.roles {
		if slices.Equal(v.roles[i].bits, bits) {
			return v.roles[i].names
		}
	}
	var out []string
	for i := range v.actions {
		if bits.has(i) {
			out = append(out, v.actions[i].ID)
		}
	}
	return out
}

// RoleGrant is a role that a subject holds on a resource.
type RoleGrant struct {
	Role Role
	// Actions are the role's actions on this resource, sorted by id, without
	// those that an action control forbids.
	Actions []Action
	// Policies are the ids of the policies that give the role, sorted; empty
	// for the roles of the account owner.
	Policies []string
}

// RolesOn lists the roles that the request's subject holds on its resource now,
// ordered by kind and CRN; the request's action is ignored. What owners and
// creators may do to their own objects is no role.
func RolesOn(s *Snapshot, r *Request) []RoleGrant {
	var q query
	if q.resolve(s, r) != 0 || q.external() == ExternalDeny || q.unmet() != 0 {
		return nil
	}
	found := q.rolesHeld()
	if q.target.many() {
		q.addRolesByPart(found)
	}
	out := make([]RoleGrant, 0, len(found))
	for _, g := range found {
		slices.Sort(g.Policies)
		g.Policies = slices.Compact(g.Policies)
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b RoleGrant) int {
		if a.Role.Kind != b.Role.Kind {
			return int(a.Role.Kind) - int(b.Role.Kind)
		}
		return strings.Compare(a.Role.CRN, b.Role.CRN)
	})
	return out
}

// rolesHeld gives the roles that the subject holds on the target, by CRN.
func (q *query) rolesHeld() map[string]*RoleGrant {
	found := map[string]*RoleGrant{}
	if q.isOwner() {
		v := q.target.view
		for id, i := range v.byRole {
			if !v.roles[i].role.Apart {
				q.addRole(found, id, "")
			}
		}
	}
	for _, ruled := range [...]bool{false, true} {
		q.candidates(ruled, func(c *compiled, _ via) bool {
			if q.covers(c) && (c.rule == nil || q.consult(c.rule)) {
				for _, id := range c.roles {
					q.addRole(found, id, c.src.ID)
				}
			}
			return true
		})
	}
	return found
}

// addRolesByPart adds the roles that the subject holds on each of many services
// that has them.
func (q *query) addRolesByPart(found map[string]*RoleGrant) {
	roles := q.target.view.byRole
	known, policies := map[roleID]bool{}, map[roleID][]string{}
	lacking := map[roleID]bool{}
	for part := range q.parts() {
		v, held := part.target.view, part.rolesHeld()
		for id := range roles {
			if i, ok := v.byRole[id]; !ok {
				continue
			} else if g := held[v.roles[i].role.CRN]; g == nil {
				lacking[id] = true
			} else {
				known[id], policies[id] = true, append(policies[id], g.Policies...)
			}
		}
		if len(lacking) == len(roles) {
			return
		}
	}
	for id := range known {
		if !lacking[id] {
			q.addRole(found, id, "")
			g := found[q.roleDef(id).CRN]
			g.Policies = append(g.Policies, policies[id]...)
		}
	}
}

func (q *query) addRole(found map[string]*RoleGrant, id roleID, policyID string) {
	bits := q.roleActions(id)
	if bits == nil {
		return
	}
	def := q.roleDef(id)
	g := found[def.CRN]
	if g == nil {
		g = &RoleGrant{Role: def}
		allowed := slices.Clone(bits)
		q.removeForbidden(allowed)
		for i, a := range q.target.view.actions {
			if allowed.has(i) {
				g.Actions = append(g.Actions, a)
			}
		}
		found[def.CRN] = g
	}
	if policyID != "" {
		g.Policies = append(g.Policies, policyID)
	}
}

// roleDef gives the definition of a role that roleActions knows.
func (q *query) roleDef(id roleID) Role {
	v := q.target.view
	if i, ok := v.byRole[id]; ok {
		return v.roles[i].role
	}
	return q.s.roles[id].def.Role
}

// Obligation tells a client what it may keep of an answer.
type Obligation struct {
	// Actions may be allowed from memory for MaxAge: every action that the
	// subject has on the resource by policies without a rule.
	Actions []string
	MaxAge  time.Duration
}

// ObligationOf completes a decision with what a client may keep. Nothing may be
// kept when the answer depended on attributes of the request.
func ObligationOf(s *Snapshot, r *Request, d Decision) Obligation {
	o := Obligation{MaxAge: d.MaxAge(r.Environment.Now)}
	if d.Allowed {
		o.Actions = ActionsOn(s, r).Steady
	}
	return o
}
