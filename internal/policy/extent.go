package policy

import "slices"

// Extent says on how much of what a resource stands for something is allowed.
type Extent uint8

// The extents. Only Somewhere leaves questions open.
const (
	// Nowhere: the subject holds nothing there that could allow it.
	Nowhere Extent = iota
	// Somewhere: it may be allowed on some of it; ask about each.
	Somewhere
	// Everywhere: it is allowed on all of it, for now.
	Everywhere
)

// ExtentOf tells on how much of a resource, all that fits its attributes, Decide
// would allow the action to the request's subject; whole is its answer about all of
// it, asked with Resource.Whole. It looks at what the subject holds, and at nothing
// else in the account.
func ExtentOf(s *Snapshot, r *Request, whole Decision) Extent {
	if whole.Allowed {
		return Everywhere
	}
	var q query
	if q.resolve(s, r) == 0 && q.somewhere() {
		return Somewhere
	}
	return Nowhere
}

// somewhere reports whether anything could allow the action on a part of the
// target, what forbids it apart.
func (q *query) somewhere() bool {
	if q.isOwner() {
		return true
	}
	here, member, some := q.readsIdentity() && q.r.Subject.Account == q.s.account, q.isMember(), false
	q.everyPolicy(func(*compiled, via) { some = true })
	if !here && !member && !some {
		return false
	}
	var views []*service
	for part := range q.s.catalog.parts(&q.r.Resource) {
		views = append(views, q.s.catalog.viewOf(part.ServiceName))
	}
	holders := map[roleID]bool{}
	for _, v := range views {
		i, known := v.index[q.r.Action]
		if !known {
			continue
		}
		if here && v.self.has(i) || member && v.member.has(i) {
			return true
		}
		for _, id := range v.holders[i] {
			holders[id] = true
		}
	}
	found := false
	q.everyPolicy(func(c *compiled, _ via) {
		found = found || slices.ContainsFunc(c.roles, func(id roleID) bool {
			custom := q.s.roles[id]
			return holders[id] || custom != nil && custom.actions[q.r.Action]
		}) && q.mayCover(c)
	})
	return found
}

// mayCover reports whether the service that the target names, if it does, is one
// that a policy is about.
func (q *query) mayCover(c *compiled) bool {
	return q.target.many() || !slices.ContainsFunc(c.conds, func(x cond) bool {
		return (x.key == keyServiceName || x.key == keyServiceType || x.key == keyServiceGroup) && x.test != testAbsent && !q.target.holds(&x)
	})
}
