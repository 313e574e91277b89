package policy

import (
	"slices"
	"strings"
)

// Snapshot holds the access rules of one account at one position of the event
// log. It is immutable and safe for concurrent use; With makes the next one.
type Snapshot struct {
	account string
	owner   string
	state   AccountState
	catalog *Catalog
	seq     int64

	// policies holds every active policy by id, inert ones included; inert is
	// how many of those there are.
	policies pmap[*held]
	inert    int
	subjects pmap[*subject]
	// sources holds authorization policies by the name of the source service;
	// "" has those that do not fix it.
	sources pmap[*grants]

	// groups lie in slots, so that a member's record stays valid while the
	// policies of its groups change. Slot 0 is the public group.
	groups     []*group
	groupSlots pmap[int32]
	freeSlots  []int32
	public     bool
	// dynamic are the rules of all groups by realm.
	dynamic map[string][]dynamicRule

	// roleIDs and roles hold what the catalogue does not: custom roles, and
	// CRNs that policies name and nobody defines.
	roleIDs pmap[roleID]
	roles   map[roleID]*customRole

	controls map[string]ActionControl
	// forbidden lists the controls by action.
	forbidden map[string][]ActionControl
	external  ExternalIdentity
	demands   *Demands // nil: the account asks nothing
	// restricted are the actions that members may not do by being members.
	restricted []string
}

// held is a policy in a snapshot; policy is nil when it can never allow.
type held struct {
	src    *Policy
	home   home
	policy *compiled
}

// subject is an identity with policies or static groups.
type subject struct {
	grants
	groups []int32
}

// group is an access group. A group that only policies name has no members.
type group struct {
	grants
	id      string
	name    string
	known   bool
	members []string // sorted
	rules   []DynamicRule
}

type customRole struct {
	def     CustomRole
	actions map[string]bool
}

const publicSlot = 0

// NewSnapshot builds the snapshot of an account. Policies that can never allow
// (malformed, not active, or about another account) are ignored. Without a
// catalogue nothing is allowed.
func NewSnapshot(in Input) *Snapshot {
	if in.Catalog == nil {
		in.Catalog = emptyCatalog()
	}
	base := &Snapshot{account: in.Account, catalog: in.Catalog, groups: []*group{{id: PublicAccessGroupID, known: true}}}
	base.groupSlots = base.groupSlots.set(nil, PublicAccessGroupID, publicSlot)
	changes := make([]Change, 0, len(in.Policies)+len(in.Groups)+len(in.CustomRoles)+len(in.Controls)+7)
	changes = append(changes, SetOwner(in.Owner), SetState(in.State), SetPublicAccess(in.PublicAccess),
		SetExternal(in.External), SetDemands(in.Demands), SetRestricted(in.Restricted), SetSeq(in.Seq))
	for _, r := range in.CustomRoles {
		changes = append(changes, PutCustomRole(r))
	}
	for _, c := range in.Controls {
		changes = append(changes, PutControl(c))
	}
	for _, g := range in.Groups {
		changes = append(changes, PutGroup(g))
	}
	for _, p := range in.Policies {
		changes = append(changes, PutPolicy(p))
	}
	return base.With(changes...)
}

// Account is the account that the snapshot is about.
func (s *Snapshot) Account() string { return s.account }

// Owner is the IAM id of the account's owner.
func (s *Snapshot) Owner() string { return s.owner }

// Seq is the position in the event log that the snapshot has reached.
func (s *Snapshot) Seq() int64 { return s.seq }

// Size is the number of active policies, identities and groups in the snapshot:
// what its memory grows with.
func (s *Snapshot) Size() int {
	return s.policies.len + s.subjects.len + s.sources.len + len(s.groups)
}

// Len is the number of active policies, those that can never allow included.
func (s *Snapshot) Len() int { return s.policies.len }

// LenOf is at least the number of active policies of an identity or a group:
// policies without a subject that means something count for everybody.
func (s *Snapshot) LenOf(subject string) int {
	n := s.inert
	if sub, ok := s.subjects.get(subject); ok {
		n += sub.grants.len()
	}
	if g := s.groupAt(subject); g != nil {
		n += g.grants.len()
	}
	return n
}

// Catalog is the catalogue that the snapshot was compiled against.
func (s *Snapshot) Catalog() *Catalog { return s.catalog }

// Policies lists the active policies by id.
func (s *Snapshot) Policies() []*Policy {
	out := make([]*Policy, 0, s.policies.len)
	for _, h := range s.policies.all() {
		out = append(out, h.src)
	}
	slices.SortFunc(out, func(a, b *Policy) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Tagged counts the active policies with tags. Its cost grows with the number of
// policies.
func (s *Snapshot) Tagged() (n int) {
	for _, h := range s.policies.all() {
		if len(h.src.Tags) > 0 {
			n++
		}
	}
	return n
}

// CustomRoles lists the account's custom roles by CRN.
func (s *Snapshot) CustomRoles() []CustomRole {
	out := make([]CustomRole, 0, len(s.roles))
	for _, r := range s.roles {
		out = append(out, r.def)
	}
	slices.SortFunc(out, func(a, b CustomRole) int { return strings.Compare(a.CRN, b.CRN) })
	return out
}

// StaticGroups lists the ids of the groups that an identity is a static member
// of, sorted.
func (s *Snapshot) StaticGroups(iamID string) []string {
	sub, ok := s.subjects.get(iamID)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(sub.groups))
	for _, slot := range sub.groups {
		out = append(out, s.groups[slot].id)
	}
	slices.Sort(out)
	return out
}

// groupAt finds a group by id, nil when there is none.
func (s *Snapshot) groupAt(id string) *group {
	slot, ok := s.groupSlots.get(id)
	if !ok {
		return nil
	}
	return s.groups[slot]
}

// role gives the number of a role CRN in canonical form, if it has one.
func (s *Snapshot) role(crn string) (roleID, bool) {
	if id, ok := s.catalog.roles[crn]; ok {
		return id, true
	}
	return s.roleIDs.get(crn)
}
