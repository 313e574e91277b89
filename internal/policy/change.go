package policy

import (
	"maps"
	"slices"
)

// Change is one difference between two snapshots of an account.
type Change func(*builder)

// PutPolicy adds a policy or replaces the one with its id. A policy that is not
// active is removed.
func PutPolicy(p *Policy) Change { return func(b *builder) { b.putPolicy(p) } }

// RemovePolicy removes a policy; an unknown id changes nothing.
func RemovePolicy(id string) Change { return func(b *builder) { b.removePolicy(id) } }

// PutGroup adds a group or replaces its name, members and rules. Policies of
// the group stay.
func PutGroup(g Group) Change { return func(b *builder) { b.putGroup(g) } }

// RemoveGroup removes a group with its memberships and rules. Policies that
// name it stay and give nobody anything.
func RemoveGroup(id string) Change { return func(b *builder) { b.removeGroup(id) } }

// AddMembers adds static members to a group; members that are there already
// stay.
func AddMembers(groupID string, iamIDs ...string) Change {
	return func(b *builder) { b.changeMembers(groupID, iamIDs, true) }
}

// RemoveMembers removes static members from a group.
func RemoveMembers(groupID string, iamIDs ...string) Change {
	return func(b *builder) { b.changeMembers(groupID, iamIDs, false) }
}

// PutCustomRole adds a custom role or replaces the one with its CRN. Policies
// that name the CRN have it from now on.
func PutCustomRole(r CustomRole) Change { return func(b *builder) { b.putRole(r) } }

// RemoveCustomRole removes a custom role by CRN. Policies that name it keep
// their other roles.
func RemoveCustomRole(crn string) Change {
	return func(b *builder) {
		if id, ok := b.s.role(canonicalRole(crn)); ok {
			b.ownRoles()
			delete(b.s.roles, id)
		}
	}
}

// PutControl adds an action control or replaces the one with its id.
func PutControl(c ActionControl) Change {
	return func(b *builder) {
		b.ownControls()
		b.s.controls[c.ID] = c
	}
}

// RemoveControl removes an action control by id.
func RemoveControl(id string) Change {
	return func(b *builder) {
		b.ownControls()
		delete(b.s.controls, id)
	}
}

// SetOwner changes the account's owner.
func SetOwner(iamID string) Change { return func(b *builder) { b.s.owner = iamID } }

// SetState changes the account's state.
func SetState(state AccountState) Change { return func(b *builder) { b.s.state = state } }

// SetPublicAccess switches the public access group on or off.
func SetPublicAccess(on bool) Change { return func(b *builder) { b.s.public = on } }

// SetExternal changes the setting for identities of other accounts.
func SetExternal(e ExternalIdentity) Change { return func(b *builder) { b.s.external = e } }

// SetDemands changes what the account asks of whoever acts in it; nil: nothing.
func SetDemands(d *Demands) Change { return func(b *builder) { b.s.demands = d } }

// SetRestricted changes which actions members of the account need a policy for.
func SetRestricted(actions []string) Change { return func(b *builder) { b.s.restricted = actions } }

// SetSeq records the position in the event log that the changes reach.
func SetSeq(seq int64) Change { return func(b *builder) { b.s.seq = seq } }

// SetCatalog compiles all policies against another catalogue. Its cost grows
// with the number of policies.
func SetCatalog(c *Catalog) Change { return func(b *builder) { b.setCatalog(c) } }

// With returns a snapshot with the changes applied in order. The receiver stays
// valid. The cost of a change depends on the subject or group that it touches,
// not on the size of the account, save for a pointer per group.
func (s *Snapshot) With(changes ...Change) *Snapshot {
	next := *s
	b := &builder{s: &next, by: new(edit)}
	for _, change := range changes {
		change(b)
	}
	b.finish()
	return &next
}

// builder makes one snapshot. What it has copied or made carries its mark and
// is changed in place from then on.
type builder struct {
	s  *Snapshot
	by *edit

	unsorted []*grants
	// These say which whole parts were copied, or must be built again.
	groupsCopied, rolesCopied, controlsCopied, rulesChanged bool
}

func (b *builder) finish() {
	for _, g := range b.unsorted {
		g.sort()
	}
	if b.rulesChanged {
		b.collectDynamic()
	}
	if b.controlsCopied {
		b.s.forbidden = map[string][]ActionControl{}
		for _, id := range slices.Sorted(maps.Keys(b.s.controls)) {
			for _, a := range b.s.controls[id].Actions {
				b.s.forbidden[a] = append(b.s.forbidden[a], b.s.controls[id])
			}
		}
	}
}

func (b *builder) putPolicy(p *Policy) {
	b.removePolicy(p.ID)
	if p.State != StateActive {
		return
	}
	h := &held{src: p, home: homeOf(p, b.s.account)}
	if h.home.kind != homeNone {
		h.policy = compilePolicy(p, b.internRole)
		b.index(h)
	} else {
		b.s.inert++
	}
	b.s.policies = b.s.policies.set(b.by, p.ID, h)
}

// index puts a policy where its subject is looked up.
func (b *builder) index(h *held) {
	g := b.grantsAt(h.home)
	wasDirty := g.dirty
	g.add(h.policy)
	if g.dirty && !wasDirty {
		b.unsorted = append(b.unsorted, g)
	}
}

// grantsAt gives the policies at a home, ready to be changed.
func (b *builder) grantsAt(at home) *grants {
	switch at.kind {
	case homeIdentity:
		return &b.subject(at.key).grants
	case homeGroup:
		return &b.group(at.key).grants
	default:
		g, _ := b.s.sources.get(at.key)
		if g == nil || g.by != b.by {
			if g == nil {
				g = &grants{}
			}
			fresh := g.copyFor(b.by)
			g = &fresh
			b.s.sources = b.s.sources.set(b.by, at.key, g)
		}
		return g
	}
}

func (b *builder) removePolicy(id string) {
	h, ok := b.s.policies.get(id)
	if !ok {
		return
	}
	b.s.policies = b.s.policies.remove(b.by, id)
	if h.policy == nil {
		b.s.inert--
		return
	}
	g := b.grantsAt(h.home)
	g.remove(h.policy)
	if g.len() > 0 {
		return
	}
	switch h.home.kind {
	case homeIdentity:
		b.dropSubject(h.home.key)
	case homeGroup:
		b.dropGroup(h.home.key)
	default:
		b.s.sources = b.s.sources.remove(b.by, h.home.key)
	}
}

// subject gives the record of an identity, ready to be changed.
func (b *builder) subject(iamID string) *subject {
	old, ok := b.s.subjects.get(iamID)
	if ok && old.by == b.by {
		return old
	}
	fresh := &subject{grants: grants{by: b.by}}
	if ok {
		fresh.grants = old.copyFor(b.by)
		fresh.groups = slices.Clone(old.groups)
	}
	b.s.subjects = b.s.subjects.set(b.by, iamID, fresh)
	return fresh
}

// dropSubject forgets an identity that has neither policies nor groups.
func (b *builder) dropSubject(iamID string) {
	if s, ok := b.s.subjects.get(iamID); ok && s.grants.len() == 0 && len(s.groups) == 0 {
		b.s.subjects = b.s.subjects.remove(b.by, iamID)
	}
}

// internRole gives a role CRN its number. A CRN that nobody defines gets one
// too: a role of that name may be created later.
func (b *builder) internRole(crn string) roleID {
	if id, ok := b.s.role(crn); ok {
		return id
	}
	id := roleID(len(b.s.catalog.crns) + b.s.roleIDs.len)
	b.s.roleIDs = b.s.roleIDs.set(b.by, crn, id)
	return id
}

func (b *builder) putRole(r CustomRole) {
	b.ownRoles()
	c := &customRole{def: r, actions: make(map[string]bool, len(r.Actions))}
	for _, a := range r.Actions {
		c.actions[a] = true
	}
	b.s.roles[b.internRole(canonicalRole(r.CRN))] = c
}

func (b *builder) ownRoles() {
	if !b.rolesCopied {
		b.s.roles = maps.Clone(b.s.roles)
		b.rolesCopied = true
	}
	if b.s.roles == nil {
		b.s.roles = map[roleID]*customRole{}
	}
}

func (b *builder) ownControls() {
	if !b.controlsCopied {
		b.s.controls = maps.Clone(b.s.controls)
		b.controlsCopied = true
	}
	if b.s.controls == nil {
		b.s.controls = map[string]ActionControl{}
	}
}

func (b *builder) setCatalog(c *Catalog) {
	custom := b.s.CustomRoles()
	b.s.catalog = c
	b.s.roleIDs = pmap[roleID]{}
	b.s.roles = nil
	b.rolesCopied = true
	for _, r := range custom {
		b.putRole(r)
	}
	for _, p := range b.s.Policies() {
		b.putPolicy(p)
	}
}
