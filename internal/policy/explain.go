package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Explanation shows how a decision came about.
type Explanation struct {
	Decision Decision
	// Owner is true when the subject owns the account.
	Owner bool
	// Self is true when the object belongs to the subject or was made by it.
	Self   bool
	Groups []GroupMembership
	// Candidates are all policies of the subject and its groups; those that
	// allow come first, then the nearest to allowing.
	Candidates []Candidate
	// Controls are the action controls that forbid the action.
	Controls []ActionControl
	// Roles are the CRNs of all roles that hold the action on the resource's
	// service, sorted.
	Roles []string
	// Nearest says in words, for a denial, what is nearest to an allow.
	Nearest []string
}

// How a subject came to be in a group.
const (
	MemberStatic  = "static"
	MemberDynamic = "dynamic"
	MemberPublic  = "public"
)

// GroupMembership is a group that the subject belongs to.
type GroupMembership struct {
	ID   string
	Name string
	// How is MemberStatic, MemberDynamic or MemberPublic.
	How string
	// RuleID and Until are set for dynamic memberships.
	RuleID string
	Until  time.Time
}

// Candidate is one policy with everything that it asks for.
type Candidate struct {
	PolicyID string
	// GroupID is the group through which it applies, "" when it names the
	// subject itself.
	GroupID string
	Allows  bool
	Checks  []Check
	// Missing counts the failed checks; a rule that is false counts once.
	Missing int
}

// Parts of a policy that a Check belongs to.
const (
	PartRole     = "role"
	PartSource   = "source"
	PartResource = "resource"
	PartTag      = "tag"
	PartRule     = "rule"
)

// Check is one thing that a policy asks for.
type Check struct {
	Part     string
	Key      string
	Operator Operator
	// Want is what the policy says: values, or role CRNs for PartRole.
	Want []string
	// Got is the request's value; Present tells a missing one from "".
	Got     string
	Present bool
	OK      bool
}

// Explain answers like Decide and shows all that led to the answer. Its cost
// grows with the number of policies of the subject and its groups. When the answer
// about many services came of one of them, the candidates, controls and roles are
// those of that one.
func Explain(s *Snapshot, r *Request) Explanation {
	e := Explanation{Decision: Decide(s, r)}
	var q query
	if q.prepare(s, r) != 0 {
		e.Nearest = gateWords(s, e.Decision.Reason, r)
		return e
	}
	q = q.telling(e.Decision)
	e.Owner, e.Self = q.isOwner(), q.isSelf()
	e.Groups = q.groupsOf()
	e.Roles = q.rolesWithAction()
	for _, c := range s.forbidden[r.Action] {
		if slices.Contains(q.target.names(), c.Service) {
			e.Controls = append(e.Controls, c)
		}
	}
	q.everyPolicy(func(c *compiled, how via) { e.Candidates = append(e.Candidates, q.candidate(c, how)) })
	slices.SortFunc(e.Candidates, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Missing, b.Missing), strings.Compare(a.PolicyID, b.PolicyID), strings.Compare(a.GroupID, b.GroupID))
	})
	if !e.Decision.Allowed {
		e.Nearest = append(partWords(&r.Resource, q.r, &e), q.nearest(&e)...)
	}
	return e
}

// telling gives the query about the part of many services from which an answer
// came: the first that is refused, or the one that the policy which it names is about.
func (q *query) telling(d Decision) query {
	if whole := *q; !q.target.many() || whole.permit().Allowed {
		return *q
	}
	for part := range q.parts() {
		if !part.act(q.r.Action) {
			continue
		}
		if one := part.permit(); one.Allowed == d.Allowed && one.PolicyID == d.PolicyID {
			return *part
		}
	}
	return *q
}

// groupsOf lists the subject's groups: static ones, then those it is not
// listed in.
func (q *query) groupsOf() []GroupMembership {
	var out []GroupMembership
	if sub, ok := q.s.subjects.get(q.r.Subject.IAMID); ok && q.readsIdentity() {
		for _, slot := range sub.groups {
			g := q.s.groups[slot]
			out = append(out, GroupMembership{ID: g.id, Name: g.name, How: MemberStatic})
		}
	}
	slices.SortFunc(out, func(a, b GroupMembership) int { return strings.Compare(a.ID, b.ID) })
	for i := range q.members {
		m := q.membership(i)
		g := GroupMembership{ID: m.group.id, Name: m.group.name, How: MemberPublic}
		if m.until != 0 {
			g.How, g.RuleID, g.Until = MemberDynamic, m.rule, time.Unix(m.until, 0).UTC()
		}
		out = append(out, g)
	}
	return out
}

// everyPolicy visits all policies that apply to the subject, whatever they are
// about.
func (q *query) everyPolicy(visit func(c *compiled, how via)) {
	each := func(g *grants, how via) {
		for _, list := range [...][]entry{g.plain, g.ruled} {
			for _, e := range list {
				visit(e.policy, how)
			}
		}
	}
	if sub, ok := q.s.subjects.get(q.r.Subject.IAMID); ok && q.readsIdentity() {
		each(&sub.grants, via{})
		for _, slot := range sub.groups {
			each(&q.s.groups[slot].grants, via{group: q.s.groups[slot]})
		}
	}
	if q.r.Subject.Kind == KindService {
		names := []string{q.r.Subject.Source.ServiceName, ""}
		for _, name := range slices.Compact(names) {
			if g, ok := q.s.sources.get(name); ok {
				each(g, via{})
			}
		}
	}
	for i := range q.members {
		m := q.membership(i)
		each(&m.group.grants, m.via)
	}
}

// candidate evaluates one policy piece by piece.
func (q *query) candidate(c *compiled, how via) Candidate {
	out := Candidate{PolicyID: c.src.ID}
	if how.group != nil {
		out.GroupID = how.group.id
	}
	add := func(k Check) {
		out.Checks = append(out.Checks, k)
		if !k.OK {
			out.Missing++
		}
	}
	add(Check{Part: PartRole, Key: q.r.Action, Want: c.src.RoleIDs, OK: q.grantingRole(c) >= 0})
	for i := range c.subject {
		a := &c.src.Subject[i]
		got, present := sourceValue(&q.r.Subject.Source, &c.subject[i])
		add(Check{PartSource, a.Key, a.Operator, a.Value.Strings(), got, present, sourceHolds(&q.r.Subject.Source, &c.subject[i])})
	}
	i := 0
	for _, a := range c.src.Resource {
		if a.Key == AttrAccountID {
			continue
		}
		got, present := q.target.value(&c.conds[i])
		add(Check{PartResource, a.Key, a.Operator, a.Value.Strings(), got, present, q.target.holds(&c.conds[i])})
		i++
	}
	for i, a := range c.src.Tags {
		got := strings.Join(q.r.Resource.Tags, ", ")
		add(Check{PartTag, a.Key, a.Operator, a.Value.Strings(), got, got != "", q.target.holdsTag(&c.tags[i])})
	}
	if c.rule != nil {
		out.Checks = q.ruleChecks(out.Checks, c.rule, c.src.Rule)
		if !c.rule.holds(&q.target, &q.r.Environment) {
			out.Missing++
		}
	}
	out.Allows = out.Missing == 0
	return out
}

// ruleChecks appends the comparisons of a rule, in order.
func (q *query) ruleChecks(to []Check, r *rule, src *Rule) []Check {
	if r.group {
		for i := range r.kids {
			to = q.ruleChecks(to, &r.kids[i], &src.Conditions[i])
		}
		return to
	}
	k := Check{Part: PartRule, Key: src.Key, Operator: src.Operator, Want: src.Value.Strings()}
	switch r.leaf.source {
	case fromResource:
		k.Got, k.Present = q.target.value(&r.leaf.cond)
	case fromEnvironment:
		k.Got, k.Present = environmentAttribute(&q.r.Environment, r.leaf.cond.more.name)
	case fromClock:
		k.Got, k.Present = clockValue(&r.leaf, q.r.Environment.Now), true
	case fromNowhere:
	}
	k.OK = r.leaf.holds(&q.target, &q.r.Environment)
	return append(to, k)
}

// clockValue writes the clock in the offset and form of a rule's value.
func clockValue(l *leaf, now time.Time) string {
	if len(l.clock) == 0 {
		return ""
	}
	c := l.clock[0]
	at := localTime(now, c.offset)
	switch c.unit {
	case unitWeekday:
		return Weekday{Day: at.weekday(), Offset: c.offset}.String()
	case unitTime:
		return TimeOfDay{Seconds: at.seconds, Offset: c.offset}.String()
	case unitDate:
		return Date{Day: at.day, Offset: c.offset}.String()
	default:
		return DateTime{Unix: at.unix, Offset: c.offset}.String()
	}
}

// rolesWithAction lists the CRNs of the roles that hold the action.
func (q *query) rolesWithAction() []string {
	var out []string
	for i := range q.target.view.roles {
		if r := &q.target.view.roles[i]; r.bits.has(q.action) {
			out = append(out, r.role.CRN)
		}
	}
	for id, r := range q.s.roles {
		if q.customHolds(id) {
			out = append(out, r.def.CRN)
		}
	}
	slices.Sort(out)
	return out
}
