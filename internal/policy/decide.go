package policy

import (
	"slices"
	"sort"
	"time"
)

// Decide answers a request. It is the only place that says yes: access is
// allowed when the subject owns the account or the object, when members of the
// account may, or when at least one of its policies allows it, and neither an
// action control nor the setting for external identities nor a demand of the
// account forbids it. The order of policies never matters to
// Allowed and Reason.
//
// A request about many services is allowed when it is for each of them, by
// whatever policies: see Catalog.Parts.
//
// It allocates nothing unless a rule reads the client's address or the subject
// has more dynamic groups than membersInline.
func Decide(s *Snapshot, r *Request) Decision {
	var q query
	if reason := q.prepare(s, r); reason != 0 {
		return Decision{Reason: reason, Seq: s.seq}
	}
	d := q.permit()
	if !d.Allowed && q.target.many() {
		d = permitParts(s, r, d)
	}
	d.Seq = s.seq
	if d.Allowed {
		q.restrict(&d)
	}
	return d
}

// query is one request being answered.
type query struct {
	s      *Snapshot
	r      *Request
	target target
	// action is the number of the action in the target's view, holders the
	// roles of the catalogue that hold it.
	action  int
	holders []roleID

	// The memberships lie in the query itself as long as they fit: it must not
	// point into itself, or it would be allocated.
	members int
	inline  [membersInline]membership
	more    []membership

	// until and perRequest collect what the rules consulted depend on.
	until      time.Time
	perRequest bool
}

// membership is a group that the subject is not listed in: the public one, or
// one that a rule admits it to.
type membership struct {
	via
	rule string
}

// membersInline is how many dynamic groups, the public one included, fit
// without an allocation. Accounts allow 5 rules per group; logins that match
// more than a handful of groups are rare.
const membersInline = 4

// prepare resolves the request; a reason other than 0 answers it already.
func (q *query) prepare(s *Snapshot, r *Request) Reason {
	if reason := q.resolve(s, r); reason != 0 {
		return reason
	}
	if !q.act(r.Action) {
		return ReasonUnknownAction
	}
	return 0
}

// act makes the query one about an action; false when the service does not know it.
func (q *query) act(action string) (ok bool) {
	if q.action, ok = q.target.view.index[action]; ok {
		q.holders = q.target.view.holders[q.action]
	}
	return ok
}

// resolve does the part of prepare that does not depend on the action.
func (q *query) resolve(s *Snapshot, r *Request) Reason {
	if s.account == "" || r.Resource.Account != s.account {
		return ReasonOtherAccount
	}
	if s.state != AccountActive {
		return ReasonAccountState
	}
	q.s, q.r = s, r
	q.target.fill(s.catalog, &r.Resource)
	q.join()
	return 0
}

// join collects the groups that the subject belongs to without being listed as
// a member.
func (q *query) join() {
	if q.s.public {
		q.addMembership(membership{via: via{group: q.s.groups[publicSlot]}})
	}
	sub := &q.r.Subject
	rules := q.s.rulesFor(sub)
	for i := range rules {
		if until, ok := rules[i].member(sub, q.r.Environment.Now); ok {
			q.addMembership(membership{via{q.s.groups[rules[i].group], until.Unix()}, rules[i].id})
		}
	}
}

func (q *query) addMembership(m membership) {
	if q.members < membersInline {
		q.inline[q.members] = m
	} else {
		q.more = append(q.more, m)
	}
	q.members++
}

func (q *query) membership(i int) *membership {
	if i < membersInline {
		return &q.inline[i]
	}
	return &q.more[i-membersInline]
}

// permit looks for something that allows.
func (q *query) permit() Decision {
	if q.isOwner() && q.target.view.owner.has(q.action) {
		return Decision{Allowed: true, Reason: ReasonOwner}
	}
	if q.isSelf() && q.target.view.self.has(q.action) {
		return Decision{Allowed: true, Reason: ReasonSelf}
	}
	if q.membersMay(q.action) && q.isMember() {
		return Decision{Allowed: true, Reason: ReasonMember}
	}
	// Policies without a rule go first, for all groups: their answer can be
	// kept for longer.
	var d Decision
	try := func(c *compiled, via via) bool {
		role := q.allows(c)
		if role < 0 {
			return true
		}
		d = q.allowed(c, role, via)
		return false
	}
	if q.candidates(false, try) && q.candidates(true, try) {
		return Decision{Reason: ReasonNoPolicy, Until: q.until, PerRequest: q.perRequest}
	}
	return d
}

func (q *query) isOwner() bool {
	sub := &q.r.Subject
	return sub.Kind == KindUser && sub.IAMID != "" && sub.IAMID == q.s.owner
}

// isSelf reports whether the object is the subject's own. The token must be of
// the object's account: a key made elsewhere carries no rights of its owner
// here.
func (q *query) isSelf() bool {
	sub, res := &q.r.Subject, &q.r.Resource
	return sub.IAMID != "" && q.readsIdentity() && (sub.IAMID == res.Owner || sub.IAMID == res.Creator) &&
		sub.Account == q.s.account
}

// readsIdentity reports whether the subject's id counts: in access policies,
// as a member of groups, as owner or creator of an object.
func (q *query) readsIdentity() bool {
	k := q.r.Subject.Kind
	return k == KindUser || k == KindServiceID || k == KindProfile
}

// visitor is given a candidate and how it applies. It returns whether to go on.
type visitor func(c *compiled, via via) bool

// via is the group through which a policy applies; the zero value means that
// it names the subject itself. until ends a dynamic membership, in seconds
// since 1970; 0 for none. It is a small value and no pointer, which would make
// every query an allocation.
type via struct {
	group *group
	until int64
}

// candidates visits the policies of the subject, with or without a rule, that
// may be about the target. It returns false when a visit ended it.
func (q *query) candidates(ruled bool, visit visitor) bool {
	switch q.r.Subject.Kind {
	case KindUser, KindServiceID, KindProfile:
		sub, ok := q.s.subjects.get(q.r.Subject.IAMID)
		if !ok {
			break
		}
		if !q.scan(&sub.grants, ruled, via{}, visit) {
			return false
		}
		for _, slot := range sub.groups {
			g := q.s.groups[slot]
			if g.len() > 0 && !q.scan(&g.grants, ruled, via{group: g}, visit) {
				return false
			}
		}
	case KindService:
		if g, ok := q.s.sources.get(q.r.Subject.Source.ServiceName); ok && !q.scan(g, ruled, via{}, visit) {
			return false
		}
		if g, ok := q.s.sources.get(""); ok && q.r.Subject.Source.ServiceName != "" && !q.scan(g, ruled, via{}, visit) {
			return false
		}
	case KindAnonymous: // holds what the public group holds
	}
	for i := range q.members {
		m := q.membership(i)
		if !q.scan(&m.group.grants, ruled, m.via, visit) {
			return false
		}
	}
	return true
}

// longIndex is from which length an index is searched instead of walked: at 16
// bytes an entry, 64 of them are read in the time of a few cache misses.
const longIndex = 64

// scan visits the entries of one index.
func (q *query) scan(g *grants, ruled bool, via via, visit visitor) bool {
	list := g.plain
	if ruled {
		list = g.ruled
	}
	if len(list) <= longIndex {
		return q.walk(list, via, visit)
	}
	if !q.walkService(list, 0, via, visit) {
		return false
	}
	for _, h := range q.target.hashes() {
		if !q.walkService(list, h, via, visit) {
			return false
		}
	}
	return true
}

// walkService visits the entries of a long list that name this service, or
// none if it is 0.
func (q *query) walkService(list []entry, service uint32, via via, visit visitor) bool {
	list = entryRange(list, entry{service: service}, entry{service: service, pin: ^pin(0)})
	p := &q.target.pins
	if p.manyTags {
		return q.walk(list, via, visit)
	}
	if !q.walk(entryRange(list, entry{service: service}, entry{service: service}), via, visit) {
		return false
	}
	for _, x := range p.list[:p.len] {
		only := entry{service: service, pin: x}
		if !q.walk(entryRange(list, only, only), via, visit) {
			return false
		}
	}
	return true
}

// entryRange cuts the entries from one key to another, inclusive, out of a
// sorted list.
func entryRange(list []entry, from, to entry) []entry {
	list = list[sort.Search(len(list), func(i int) bool { return list[i].key() >= from.key() }):]
	return list[:sort.Search(len(list), func(i int) bool { return list[i].key() > to.key() })]
}

// walk visits the entries that their hashes do not rule out.
func (q *query) walk(list []entry, via via, visit visitor) bool {
	hashes := q.target.hashes()
	for i := range list {
		e := &list[i]
		if e.service != 0 && !slices.Contains(hashes, e.service) || !q.target.pins.admit(e.pin) {
			continue
		}
		if !visit(e.policy, via) {
			return false
		}
	}
	return true
}

// allows evaluates one policy and gives the position of a role of it that
// permits, -1 when it does not allow.
func (q *query) allows(c *compiled) int {
	role := q.grantingRole(c)
	if role < 0 || !q.covers(c) {
		return -1
	}
	if c.rule != nil && !q.consult(c.rule) {
		return -1
	}
	return role
}

// consult evaluates a rule and notes what the answer depends on.
func (q *query) consult(r *rule) bool {
	q.perRequest = q.perRequest || r.attributed
	if r.timed {
		q.until = earlier(q.until, r.next(q.r.Environment.Now))
	}
	return r.holds(&q.target, &q.r.Environment)
}

// covers reports whether the policy is about this source and resource; its
// rule apart.
func (q *query) covers(c *compiled) bool {
	for i := range c.subject {
		if !sourceHolds(&q.r.Subject.Source, &c.subject[i]) {
			return false
		}
	}
	return q.coversTarget(c)
}

// coversTarget reports whether the policy is about this resource.
func (q *query) coversTarget(c *compiled) bool {
	for i := range c.conds {
		if !q.target.holds(&c.conds[i]) {
			return false
		}
	}
	for i := range c.tags {
		if !q.target.holdsTag(&c.tags[i]) {
			return false
		}
	}
	return true
}

// grantingRole gives the position of the first of the policy's roles that holds
// the action on the resource's service, -1 when none does.
func (q *query) grantingRole(c *compiled) int {
	for i, id := range c.roles {
		if slices.Contains(q.holders, id) || q.customHolds(id) {
			return i
		}
	}
	return -1
}

// customHolds reports whether a custom role holds the action on the resource's
// service.
func (q *query) customHolds(id roleID) bool {
	if len(q.s.roles) == 0 {
		return false
	}
	r := q.s.roles[id]
	return r != nil && r.actions[q.r.Action] && slices.Contains(q.target.names(), r.def.Service)
}

func (q *query) allowed(c *compiled, role int, via via) Decision {
	d := Decision{
		Allowed: true, Reason: ReasonPolicy, PolicyID: c.src.ID, RoleID: c.src.RoleIDs[role],
	}
	if c.rule != nil {
		d.PerRequest = c.rule.attributed
		d.Until = q.until
	}
	if via.group != nil {
		d.GroupID = via.group.id
	}
	if via.until != 0 {
		d.Until = earlier(d.Until, time.Unix(via.until, 0).UTC())
	}
	return d
}

// restrict applies what forbids although something allows.
func (q *query) restrict(d *Decision) {
	if c := q.control(q.r.Action); c != nil {
		*d = Decision{Reason: ReasonActionControl, ControlID: c.ID, Seq: d.Seq}
		return
	}
	d.External = q.external()
	if d.External == ExternalDeny {
		*d = Decision{Reason: ReasonExternalIdentity, External: ExternalDeny, Seq: d.Seq}
		return
	}
	d.PerRequest = d.PerRequest || q.addressed()
	if reason := q.unmet(); reason != 0 {
		*d = Decision{Reason: reason, External: d.External, Seq: d.Seq, PerRequest: q.addressed()}
	}
}

// control finds an action control that forbids the action on the resource's
// service, or on one of them.
func (q *query) control(action string) *ActionControl {
	controls := q.s.forbidden[action]
	for i, c := range controls {
		if slices.Contains(q.target.names(), c.Service) {
			return &controls[i]
		}
	}
	if len(controls) > 0 && q.target.many() {
		return controlOfPart(q.s.catalog, &q.r.Resource, action, controls)
	}
	return nil
}

// external applies the account's setting for identities of other accounts.
func (q *query) external() ExternalOutcome {
	sub := &q.r.Subject
	if sub.Account == q.s.account {
		return ExternalNone
	}
	var set *ExternalSetting
	switch sub.Kind {
	case KindUser:
		set = &q.s.external.User
	case KindServiceID:
		set = &q.s.external.ServiceID
	case KindService:
		set = &q.s.external.Service
	default:
		return ExternalNone
	}
	listed := slices.Contains(set.Allowed, sub.Account)
	switch set.Mode {
	case ExternalLimited:
		if listed {
			return ExternalPermit
		}
		return ExternalDeny
	case ExternalMonitor:
		if listed {
			return ExternalMonitorPermit
		}
		return ExternalMonitorDeny
	case ExternalEnabled:
	}
	return ExternalNone
}
