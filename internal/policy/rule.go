package policy

import (
	"strings"
	"time"
)

// Keys of the clock in rules.
const (
	KeyDayOfWeek       = "{{environment.attributes.day_of_week}}"
	KeyCurrentTime     = "{{environment.attributes.current_time}}"
	KeyCurrentDate     = "{{environment.attributes.current_date}}"
	KeyCurrentDateTime = "{{environment.attributes.current_date_time}}"
)

const (
	resourceKeyPrefix    = "{{resource.attributes."
	environmentKeyPrefix = "{{environment.attributes."
	ruleKeySuffix        = "}}"
	// envSourceIP is the environment attribute that holds the client's address.
	envSourceIP = "ipAddress"
)

// rule is a compiled Rule.
type rule struct {
	any   bool // conditions are joined by or
	kids  []rule
	leaf  leaf
	group bool
	// timed and attributed say what the rule depends on: the clock, and
	// attributes that may differ with each request.
	timed, attributed bool
}

type leafSource uint8

const (
	fromNowhere leafSource = iota
	fromResource
	fromEnvironment
	fromClock
)

// leaf is one comparison of a rule.
type leaf struct {
	source leafSource
	cond   cond
	clock  []clockTest // any of them must hold
}

// compileRule compiles a rule. A comparison with an unknown key or operator or
// an unreadable value is false wherever it stands; an empty group is false.
func compileRule(r *Rule) rule {
	if !r.IsGroup() {
		l := compileLeaf(r)
		return rule{leaf: l, timed: l.source == fromClock, attributed: l.source == fromResource || l.source == fromEnvironment}
	}
	out := rule{group: true, any: r.Operator == OpOr}
	if r.Operator != OpAnd && r.Operator != OpOr {
		return out
	}
	for i := range r.Conditions {
		kid := compileRule(&r.Conditions[i])
		out.kids = append(out.kids, kid)
		out.timed = out.timed || kid.timed
		out.attributed = out.attributed || kid.attributed
	}
	return out
}

func compileLeaf(r *Rule) leaf {
	if tests, ok := compileClock(r); ok {
		return leaf{source: fromClock, clock: tests}
	}
	if name, ok := ruleAttribute(r.Key, resourceKeyPrefix); ok {
		return leaf{source: fromResource, cond: compileCond(resourceKeys[name], name, r.Operator, r.Value)}
	}
	if name, ok := ruleAttribute(r.Key, environmentKeyPrefix); ok && !isClockKey(r.Key) {
		return leaf{source: fromEnvironment, cond: compileCond(keyOther, name, r.Operator, r.Value)}
	}
	return leaf{}
}

// ruleAttribute takes the attribute's name out of a rule key.
func ruleAttribute(key, prefix string) (string, bool) {
	name, ok := strings.CutPrefix(key, prefix)
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, ruleKeySuffix)
	return name, ok && name != ""
}

func isClockKey(key string) bool {
	return key == KeyDayOfWeek || key == KeyCurrentTime || key == KeyCurrentDate || key == KeyCurrentDateTime
}

// holds evaluates the rule for a request.
func (r *rule) holds(t *target, env *Environment) bool {
	if !r.group {
		return r.leaf.holds(t, env)
	}
	for i := range r.kids {
		if r.kids[i].holds(t, env) == r.any {
			return r.any
		}
	}
	return !r.any && len(r.kids) > 0
}

func (l *leaf) holds(t *target, env *Environment) bool {
	switch l.source {
	case fromResource:
		return t.holds(&l.cond)
	case fromEnvironment:
		return l.cond.holds(environmentAttribute(env, l.cond.more.name))
	case fromClock:
		for i := range l.clock {
			if l.clock[i].holds(env.Now) {
				return true
			}
		}
	case fromNowhere:
	}
	return false
}

func environmentAttribute(env *Environment, name string) (string, bool) {
	for i := range env.Attributes {
		if env.Attributes[i].Name == name {
			return env.Attributes[i].Value, true
		}
	}
	if name == envSourceIP && env.SourceIP.IsValid() {
		return env.SourceIP.Unmap().String(), true
	}
	return "", false
}

// next is the first instant after now at which a clock comparison of the rule
// may change its answer; zero when none will.
func (r *rule) next(now time.Time) time.Time {
	var first time.Time
	for i := range r.kids {
		first = earlier(first, r.kids[i].next(now))
	}
	for i := range r.leaf.clock {
		first = earlier(first, r.leaf.clock[i].next(now))
	}
	return first
}

// earlier is the earlier of two instants of which zero ones are never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
