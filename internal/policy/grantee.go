package policy

import (
	"cmp"
	"slices"
	"strings"
)

// GranteeKind says who a Grantee stands for.
type GranteeKind uint8

// The kinds of grantee.
const (
	// GranteeOwner is the account's owner.
	GranteeOwner GranteeKind = iota + 1
	// GranteeIdentity is one user, service ID or trusted profile.
	GranteeIdentity
	// GranteeDynamic is every user whose login satisfies a rule of a group.
	GranteeDynamic
	// GranteeEveryone is every caller, with or without a token.
	GranteeEveryone
	// GranteeService is every service that fits the source of an authorization
	// policy.
	GranteeService
	// GranteeMember is every member of the account.
	GranteeMember
)

var granteeText = [...]string{
	GranteeOwner: "owner", GranteeIdentity: "identity", GranteeDynamic: "dynamic",
	GranteeEveryone: "everyone", GranteeService: "service", GranteeMember: "member",
}

// String names the kind for output.
func (k GranteeKind) String() string {
	if int(k) < len(granteeText) && granteeText[k] != "" {
		return granteeText[k]
	}
	return "unknown"
}

// Grantee is somebody who has access.
type Grantee struct {
	Kind GranteeKind
	// IAMID is set for an owner or identity.
	IAMID string
	// GroupID and RuleID are set for GranteeDynamic, GroupID for
	// GranteeEveryone.
	GroupID string
	RuleID  string
	// Source is set for GranteeService.
	Source []Attribute
	// Policies are the ids of the policies that allow it, sorted; empty for the
	// rights of owners of the account or the object.
	Policies []string
}

// KindOf tells the kind of an identity from its IAM id.
func KindOf(iamID string) SubjectKind {
	switch {
	case iamID == "":
		return KindAnonymous
	case strings.HasPrefix(iamID, "iam-ServiceId-"):
		return KindServiceID
	case strings.HasPrefix(iamID, "iam-Profile-"):
		return KindProfile
	case strings.HasPrefix(iamID, "crn-"):
		return KindService
	}
	return KindUser
}

// key makes grantees comparable.
func (g *Grantee) key() string {
	key := string(rune(g.Kind)) + g.IAMID + "\x00" + g.GroupID + "\x00" + g.RuleID
	for _, a := range g.Source {
		key += "\x00" + a.Key + "\x01" + string(a.Operator) + "\x01" + strings.Join(a.Value.Strings(), "\x02")
	}
	return key
}

// holders lists everybody to whom a policy applies.
func (s *Snapshot) holders(h *held) []Grantee {
	switch h.home.kind {
	case homeIdentity:
		// An authorization, not an access policy, is what a service needs.
		if KindOf(h.home.key) == KindService {
			return nil
		}
		return []Grantee{{Kind: GranteeIdentity, IAMID: h.home.key}}
	case homeSource:
		return []Grantee{{Kind: GranteeService, Source: h.src.Subject}}
	case homeGroup:
		if h.home.key == PublicAccessGroupID {
			if !s.public {
				return nil
			}
			return []Grantee{{Kind: GranteeEveryone, GroupID: h.home.key}}
		}
		return s.members(h.home.key)
	case homeNone:
	}
	return nil
}

// members lists the static and dynamic members of a group.
func (s *Snapshot) members(groupID string) []Grantee {
	g := s.groupAt(groupID)
	if g == nil {
		return nil
	}
	var out []Grantee
	for _, m := range g.members {
		if KindOf(m) != KindService {
			out = append(out, Grantee{Kind: GranteeIdentity, IAMID: m})
		}
	}
	for _, r := range g.rules {
		if _, ok := compileDynamic(0, r); ok {
			out = append(out, Grantee{Kind: GranteeDynamic, GroupID: groupID, RuleID: r.ID})
		}
	}
	return out
}

// granteeSet collects grantees and the policies that they have.
type granteeSet map[string]*Grantee

func (set granteeSet) add(g Grantee, policyID string) {
	key := g.key()
	if set[key] == nil {
		set[key] = &g
	}
	if policyID != "" {
		set[key].Policies = append(set[key].Policies, policyID)
	}
}

// and gives those that are in both sets, with the policies of both; nil is the set
// of all.
func (set granteeSet) and(other granteeSet) granteeSet {
	if set == nil {
		return other
	}
	out := granteeSet{}
	for key, g := range set {
		if other[key] != nil {
			out[key] = g
			g.Policies = append(g.Policies, other[key].Policies...)
		}
	}
	return out
}

func (set granteeSet) sorted() []Grantee {
	out := make([]Grantee, 0, len(set))
	for _, g := range set {
		slices.Sort(g.Policies)
		g.Policies = slices.Compact(g.Policies)
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b Grantee) int {
		if c := cmp.Compare(a.Kind, b.Kind); c != 0 {
			return c
		}
		return strings.Compare(a.key(), b.key())
	})
	return out
}

// WhoCan lists everybody whom Decide would allow the action on the resource
// now, with a token of this account. Callers whose access depends on more than
// their id (logins, services, callers without a token) appear as what admits
// them. Its cost grows with the number of policies in the account.
func WhoCan(s *Snapshot, action string, resource Resource, env Environment) []Grantee {
	r := &Request{Action: action, Resource: resource, Environment: env, Subject: Subject{Account: s.account}}
	var q query
	if q.prepare(s, r) != 0 || q.control(action) != nil {
		return nil
	}
	if d := s.demands; d != nil && d.Addresses != nil && d.OwnToo && env.Addressed() && !d.Addresses.Allows(env.SourceIP) {
		return nil
	}
	found := q.grantees()
	var each granteeSet // of all parts
	for part := range q.parts() {
		if !part.act(action) {
			continue
		}
		if each = each.and(part.grantees()); len(each) == 0 {
			break
		}
	}
	for _, g := range each {
		found.add(*g, "")
		for _, id := range g.Policies {
			found.add(*g, id)
		}
	}
	return found.sorted()
}

// grantees collects everybody to whom something allows the action on the target.
func (q *query) grantees() granteeSet {
	s, resource := q.s, &q.r.Resource
	found := granteeSet{}
	if q.membersMay(q.action) {
		found.add(Grantee{Kind: GranteeMember}, "")
	}
	if q.target.view.owner.has(q.action) && s.owner != "" && KindOf(s.owner) == KindUser {
		found.add(Grantee{Kind: GranteeOwner, IAMID: s.owner}, "")
	}
	if q.target.view.self.has(q.action) {
		for _, id := range [...]string{resource.Owner, resource.Creator} {
			if k := KindOf(id); k != KindAnonymous && k != KindService {
				found.add(Grantee{Kind: GranteeIdentity, IAMID: id}, "")
			}
		}
	}
	for id, h := range s.policies.all() {
		if h.policy == nil || q.grantingRole(h.policy) < 0 || !q.coversTarget(h.policy) {
			continue
		}
		if h.policy.rule != nil && !q.consult(h.policy.rule) {
			continue
		}
		for _, g := range s.holders(h) {
			found.add(g, id)
		}
	}
	return found
}
