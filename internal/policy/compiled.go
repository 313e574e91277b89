package policy

import (
	"cmp"
	"slices"
	"strings"
)

// compiled is a policy in the form in which it is evaluated.
type compiled struct {
	src *Policy
	// roles are the policy's roles, in its order.
	roles []roleID
	// conds are the comparisons of the resource, without accountId.
	conds []cond
	tags  []tagCond
	// subject are the comparisons of an authorization policy's source.
	subject []cond
	rule    *rule
}

// home is where a policy is indexed: under an identity, a group, or the name of
// the service that an authorization is for.
type home struct {
	kind homeKind
	key  string
}

type homeKind uint8

const (
	homeNone homeKind = iota
	homeIdentity
	homeGroup
	homeSource
)

// homeOf finds where a policy belongs. A policy that can never allow, because
// its type, subject or account is malformed, has no home.
func homeOf(p *Policy, account string) home {
	if !inAccount(p, account) {
		return home{}
	}
	switch p.Type {
	case TypeAccess:
		if len(p.Subject) != 1 {
			return home{}
		}
		key := attribute(p.Subject, p.Subject[0].Key)
		switch {
		case key == "":
			return home{}
		case p.Subject[0].Key == AttrIAMID:
			return home{homeIdentity, key}
		case p.Subject[0].Key == AttrAccessGroupID:
			return home{homeGroup, key}
		}
	case TypeAuthorization:
		for _, a := range p.Subject {
			if sourceKeys[a.Key] == keyOther {
				return home{}
			}
		}
		if len(p.Subject) > 0 {
			return home{homeSource, attribute(p.Subject, AttrServiceName)}
		}
	}
	return home{}
}

// inAccount reports whether the policy's resource is tied to the account. A
// policy reaches no other account than the one that holds it.
func inAccount(p *Policy, account string) bool {
	found := false
	for _, a := range p.Resource {
		if a.Key != AttrAccountID {
			continue
		}
		if a.Operator != "" && a.Operator != OpStringEquals || a.Value.Text != account {
			return false
		}
		found = true
	}
	return found
}

// compilePolicy compiles a policy that has a home.
func compilePolicy(p *Policy, role func(crn string) roleID) *compiled {
	c := &compiled{src: p, roles: make([]roleID, 0, len(p.RoleIDs)), conds: make([]cond, 0, len(p.Resource))}
	for _, crn := range p.RoleIDs {
		c.roles = append(c.roles, role(canonicalRole(crn)))
	}
	for _, a := range p.Resource {
		if a.Key != AttrAccountID {
			c.conds = append(c.conds, compileAttribute(resourceKeys[a.Key], a))
		}
	}
	for _, a := range p.Tags {
		c.tags = append(c.tags, compileTag(a))
	}
	if p.Type == TypeAuthorization {
		for _, a := range p.Subject {
			c.subject = append(c.subject, compileAttribute(sourceKeys[a.Key], a))
		}
	}
	if p.Rule != nil {
		r := compileRule(p.Rule)
		c.rule = &r
	}
	return c
}

// entry is one candidate in an index. service is the hash of the service that
// the policy is about, 0 when it does not fix one.
type entry struct {
	service uint32
	pin     pin
	policy  *compiled
}

func newEntry(c *compiled) entry {
	e := entry{policy: c, pin: pinOf(c.src)}
	if s := attribute(c.src.Resource, AttrServiceName); s != "" {
		e.service = hash32(s)
	}
	return e
}

// compareEntries orders by service, then pin, then policy id, so that a
// long index can be searched and every node walks it in the same order.
func compareEntries(a, b entry) int {
	if c := cmp.Compare(a.key(), b.key()); c != 0 {
		return c
	}
	return strings.Compare(a.policy.src.ID, b.policy.src.ID)
}

// key is what a long index is searched by.
func (e entry) key() uint64 { return uint64(e.service)<<32 | uint64(e.pin) }

// grants are the policies of one subject. Those without a rule come apart:
// they are cheaper to evaluate, and an answer that they give can be kept.
type grants struct {
	by *edit
	// added counts additions by this edit; dirty says that the lists wait to
	// be sorted.
	added        int
	dirty        bool
	plain, ruled []entry
}

// fewAdditions is up to how many additions of one edit are put in their place
// at once; more are sorted together at the end. Either is wrong for the other
// case by a factor of ten and more in an index of 100,000.
const fewAdditions = 8

func (g *grants) len() int { return len(g.plain) + len(g.ruled) }

// list gives the list that a policy belongs to.
func (g *grants) list(c *compiled) *[]entry {
	if c.rule != nil {
		return &g.ruled
	}
	return &g.plain
}

// copyFor returns grants that the edit may change.
func (g *grants) copyFor(by *edit) grants {
	return grants{by: by, plain: slices.Clone(g.plain), ruled: slices.Clone(g.ruled)}
}

// add puts a policy into the index. When it leaves the grants dirty, sort must
// follow before they are used.
func (g *grants) add(c *compiled) {
	list, e := g.list(c), newEntry(c)
	g.added++
	if g.added <= fewAdditions {
		i, _ := slices.BinarySearchFunc(*list, e, compareEntries)
		*list = slices.Insert(*list, i, e)
		return
	}
	*list = append(*list, e)
	g.dirty = true
}

func (g *grants) remove(c *compiled) {
	list := g.list(c)
	i := slices.IndexFunc(*list, func(e entry) bool { return e.policy == c })
	*list = slices.Delete(*list, i, i+1)
}

func (g *grants) sort() {
	slices.SortFunc(g.plain, compareEntries)
	slices.SortFunc(g.ruled, compareEntries)
	g.dirty = false
}
