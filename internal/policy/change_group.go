package policy

import (
	"cmp"
	"slices"
	"strings"
)

// group gives the record of a group, ready to be changed; it makes one for an
// id that is not known yet.
func (b *builder) group(id string) *group {
	slot, ok := b.s.groupSlots.get(id)
	if !ok {
		slot = b.newSlot()
		b.s.groupSlots = b.s.groupSlots.set(b.by, id, slot)
		b.s.groups[slot] = &group{id: id, grants: grants{by: b.by}}
	}
	b.ownGroups()
	old := b.s.groups[slot]
	if old.by == b.by {
		return old
	}
	fresh := *old
	fresh.grants = old.copyFor(b.by)
	b.s.groups[slot] = &fresh
	return &fresh
}

func (b *builder) ownGroups() {
	if !b.groupsCopied {
		b.s.groups = slices.Clone(b.s.groups)
		b.s.freeSlots = slices.Clone(b.s.freeSlots)
		b.groupsCopied = true
	}
}

func (b *builder) newSlot() int32 {
	b.ownGroups()
	if n := len(b.s.freeSlots); n > 0 {
		slot := b.s.freeSlots[n-1]
		b.s.freeSlots = b.s.freeSlots[:n-1]
		return slot
	}
	b.s.groups = append(b.s.groups, nil)
	return int32(len(b.s.groups) - 1)
}

func (b *builder) putGroup(in Group) {
	if in.ID == PublicAccessGroupID {
		// Everybody is a member already, so members and rules mean nothing.
		b.group(in.ID).name = in.Name
		return
	}
	g := b.group(in.ID)
	b.rulesChanged = b.rulesChanged || len(g.rules) > 0 || len(in.Rules) > 0
	g.name, g.known, g.rules = in.Name, true, in.Rules
	members := slices.Clone(in.Members)
	slices.Sort(members)
	members = slices.Compact(members)
	slot, _ := b.s.groupSlots.get(in.ID)
	for _, id := range g.members {
		if _, stays := slices.BinarySearch(members, id); !stays {
			b.leave(id, slot)
		}
	}
	for _, id := range members {
		if _, was := slices.BinarySearch(g.members, id); !was {
			b.join(id, slot)
		}
	}
	g.members = members
}

func (b *builder) removeGroup(id string) {
	slot, ok := b.s.groupSlots.get(id)
	if !ok || slot == publicSlot {
		return
	}
	g := b.group(id)
	b.rulesChanged = b.rulesChanged || len(g.rules) > 0
	for _, member := range g.members {
		b.leave(member, slot)
	}
	g.known, g.members, g.rules = false, nil, nil
	b.dropGroup(id)
}

// dropGroup frees the slot of a group that neither exists nor has policies.
func (b *builder) dropGroup(id string) {
	slot, ok := b.s.groupSlots.get(id)
	if !ok || b.s.groups[slot].known || b.s.groups[slot].grants.len() > 0 {
		return
	}
	b.ownGroups()
	b.s.groupSlots = b.s.groupSlots.remove(b.by, id)
	b.s.groups[slot] = nil
	b.s.freeSlots = append(b.s.freeSlots, slot)
}

func (b *builder) changeMembers(groupID string, iamIDs []string, add bool) {
	slot, ok := b.s.groupSlots.get(groupID)
	if !ok || slot == publicSlot || !b.s.groups[slot].known {
		return
	}
	g := b.group(groupID)
	g.members = slices.Clone(g.members)
	for _, id := range iamIDs {
		i, in := slices.BinarySearch(g.members, id)
		switch {
		case add && !in:
			g.members = slices.Insert(g.members, i, id)
			b.join(id, slot)
		case !add && in:
			g.members = slices.Delete(g.members, i, i+1)
			b.leave(id, slot)
		}
	}
}

// join keeps a subject's groups in the order of their ids, whatever slots they
// have and whenever it joined: every node names the same policy.
func (b *builder) join(iamID string, slot int32) {
	s := b.subject(iamID)
	at, _ := slices.BinarySearchFunc(s.groups, b.s.groups[slot].id, func(g int32,
		id string) int {
		return strings.Compare(b.s.groups[g].id, id)
	})
	s.groups = slices.Insert(s.groups, at, slot)
}

func (b *builder) leave(iamID string, slot int32) {
	s := b.subject(iamID)
	s.groups = slices.DeleteFunc(s.groups, func(g int32) bool { return g == slot })
	b.dropSubject(iamID)
}

// collectDynamic builds the rules of all groups anew, by realm. Those that admit
// for longest come first, so that an answer holds for as long as it can, and
// equal ones in the order of their ids, on every node.
func (b *builder) collectDynamic() {
	b.s.dynamic = map[string][]dynamicRule{}
	for slot, g := range b.s.groups {
		if g == nil {
			continue
		}
		for _, r := range g.rules {
			if compiled, ok := compileDynamic(int32(slot), r); ok {
				b.s.dynamic[r.Realm] = append(b.s.dynamic[r.Realm], compiled)
			}
		}
	}
	for _, rules := range b.s.dynamic {
		slices.SortFunc(rules, func(x, y dynamicRule) int {
			return cmp.Or(cmp.Compare(y.expiry, x.expiry), strings.Compare(b.s.groups[x.group].id, b.s.groups[y.group].id),
				strings.Compare(x.id, y.id))
		})
	}
}
