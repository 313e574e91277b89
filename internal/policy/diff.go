package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Shift is a change of what one grantee may do to one resource.
type Shift struct {
	Grantee  Grantee
	Resource Resource
	// Gained and Lost are actions that policies without a rule allow, or
	// allowed, sorted.
	Gained []string
	Lost   []string
	// GainedWhen and LostWhen are actions that are now, or were, allowed only
	// while the rule of some policy holds. An action that a rule now limits is
	// in Lost and in GainedWhen.
	GainedWhen []string
	LostWhen   []string
}

// Diff tells whose access differs between two snapshots of one account, for
// example before and after a policy is stored. It compares, for every policy
// that changed itself or whose group, role or account settings changed, what
// each of its holders may do to everything the policy covers. Other policies of
// the holder count on both sides, so that nothing is reported as gained that
// was held before. Only differences are returned, ordered by grantee.
//
// With resources given, access to those is compared instead of access to the
// targets of the changed policies.
func Diff(before, after *Snapshot, resources ...Resource) []Shift {
	type pair struct{ grantee, resource string }
	seen := map[pair]bool{}
	var out []Shift
	for _, h := range affected(before, after) {
		targets := resources
		if len(targets) == 0 {
			targets = []Resource{ScopeOf(h.src)}
		}
		for _, g := range affectedHolders(before, after, h) {
			for _, target := range targets {
				p := pair{g.key(), fmt.Sprintf("%+v", target)}
				if seen[p] {
					continue
				}
				seen[p] = true
				if s, changed := shift(before, after, g, target); changed {
					out = append(out, s)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Shift) int { return strings.Compare(a.Grantee.key(), b.Grantee.key()) })
	return out
}

// affected lists the policies, of either side, that may act differently.
func affected(before, after *Snapshot) []*held {
	roles := changedRoles(before, after)
	found := map[*held]bool{}
	for _, side := range [...][2]*Snapshot{{before, after}, {after, before}} {
		here, there := side[0], side[1]
		for id, h := range here.policies.all() {
			other, ok := there.policies.get(id)
			same := ok && other.src == h.src && !settingsDiffer(before, after) && !groupDiffers(before, after, h) &&
				!slices.ContainsFunc(h.src.RoleIDs, func(crn string) bool { return roles[canonicalRole(crn)] })
			if !same {
				found[h] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b *held) int { return strings.Compare(a.src.ID, b.src.ID) })
}

// settingsDiffer reports changes that touch every policy.
func settingsDiffer(a, b *Snapshot) bool {
	return a.state != b.state || a.catalog != b.catalog || a.public != b.public ||
		!maps.EqualFunc(a.controls, b.controls, func(x, y ActionControl) bool {
			return x.Service == y.Service && slices.Equal(x.Actions, y.Actions)
		})
}

// groupDiffers reports whether the members or rules of a policy's group differ.
// Both sides have the policy, so both know the group.
func groupDiffers(a, b *Snapshot, h *held) bool {
	if h.home.kind != homeGroup {
		return false
	}
	x, y := a.groupAt(h.home.key), b.groupAt(h.home.key)
	return !slices.Equal(x.members, y.members) || !slices.EqualFunc(x.rules, y.rules, func(r, s DynamicRule) bool {
		return r.Realm == s.Realm && r.Expiration == s.Expiration && slices.Equal(r.Conditions, s.Conditions)
	})
}

// changedRoles are the custom roles that differ, by canonical CRN.
func changedRoles(a, b *Snapshot) map[string]bool {
	out := map[string]bool{}
	for _, side := range [...][2]*Snapshot{{a, b}, {b, a}} {
		for _, r := range side[0].roles {
			crn := canonicalRole(r.def.CRN)
			id, ok := side[1].role(crn)
			if other := side[1].roles[id]; !ok || other == nil || other.def.Service != r.def.Service || !maps.Equal(other.actions, r.actions) {
				out[crn] = true
			}
		}
	}
	return out
}

// affectedHolders lists who has the policy on either side. When only the
// members of its group changed, those who stayed are left out by comparison
// later.
func affectedHolders(before, after *Snapshot, h *held) []Grantee {
	set := granteeSet{}
	for _, s := range [...]*Snapshot{before, after} {
		for _, g := range s.holders(h) {
			set.add(g, "")
		}
	}
	return set.sorted()
}

func shift(before, after *Snapshot, g Grantee, target Resource) (Shift, bool) {
	was, wasWhen := allowedTo(before, g, target)
	is, isWhen := allowedTo(after, g, target)
	s := Shift{
		Grantee: g, Resource: target,
		Gained: without(is, was), Lost: without(was, is),
		GainedWhen: without(isWhen, wasWhen), LostWhen: without(wasWhen, isWhen),
	}
	return s, len(s.Gained)+len(s.Lost)+len(s.GainedWhen)+len(s.LostWhen) > 0
}

// allowedTo lists what a grantee may do to a target: always, and only while some
// rule holds.
func allowedTo(s *Snapshot, g Grantee, target Resource) (always, when map[string]bool) {
	always, when = map[string]bool{}, map[string]bool{}
	var q query
	r := &Request{Resource: target, Subject: Subject{Account: s.account, IAMID: g.IAMID, Kind: KindOf(g.IAMID)}}
	if q.resolve(s, r) != 0 {
		return always, when
	}
	if g.Kind == GranteeDynamic {
		if in := s.groupAt(g.GroupID); in != nil && hasRule(in, g.RuleID) {
			q.addMembership(membership{via: via{group: in}})
		}
	}
	bits := q.givenTo(g, false)
	q.byPart(bits, func(part *query) actionBits { return part.givenTo(g, false) })
	ruled := q.givenTo(g, true)
	q.byPart(ruled, func(part *query) actionBits { return part.givenTo(g, true) })
	q.removeForbidden(bits)
	q.removeForbidden(ruled)
	for i, a := range q.target.view.actions {
		switch {
		case bits.has(i):
			always[a.ID] = true
		case ruled.has(i):
			when[a.ID] = true
		}
	}
	return always, when
}

// givenTo marks what a grantee may do to the target, and what it may do while a
// rule holds, too, if asked for.
func (q *query) givenTo(g Grantee, ruled bool) actionBits {
	bits := newActionBits(len(q.target.view.actions))
	if q.isOwner() {
		bits.addAll(q.target.view.owner)
	}
	if g.Kind == GranteeDynamic || q.isMember() {
		q.addMemberActions(bits)
	}
	add := func(c *compiled, _ via) bool {
		if q.coversTarget(c) {
			for _, id := range c.roles {
				if a := q.roleActions(id); a != nil {
					bits.addAll(a)
				}
			}
		}
		return true
	}
	for _, rule := range [...]bool{false, true} {
		switch {
		case rule && !ruled:
		case g.Kind == GranteeService:
			q.visitSource(g, rule, add)
		default:
			q.candidates(rule, add)
		}
	}
	return bits
}

func hasRule(g *group, ruleID string) bool {
	return slices.ContainsFunc(g.rules, func(r DynamicRule) bool { return r.ID == ruleID })
}

// visitSource visits the authorization policies with exactly this source, with or
// without a rule.
func (q *query) visitSource(g Grantee, ruled bool, visit visitor) {
	list, ok := q.s.sources.get(attribute(g.Source, AttrServiceName))
	if !ok {
		return
	}
	want := g.key()
	q.scan(list, ruled, via{}, func(c *compiled, how via) bool {
		other := Grantee{Kind: GranteeService, Source: c.src.Subject}
		return other.key() != want || visit(c, how)
	})
}

// without lists what is in a and not in b, sorted.
func without(a, b map[string]bool) []string {
	var out []string
	for x := range a {
		if !b[x] {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}
