package policy

import "time"

// Membership is a group that a dynamic rule admits a login to, until a time.
type Membership struct {
	GroupID string
	Until   time.Time
}

// HasRules reports whether any group has a dynamic rule.
func (s *Snapshot) HasRules() bool { return len(s.dynamic) > 0 }

// Admitted lists the groups whose rules admit a login at a time, once for each
// rule that does.
func (s *Snapshot) Admitted(sub *Subject, now time.Time) []Membership {
	var out []Membership
	rules := s.rulesFor(sub)
	for i := range rules {
		r := &rules[i]
		if until, ok := r.member(sub, now); ok {
			out = append(out, Membership{s.groups[r.group].id, until})
		}
	}
	return out
}

// rulesFor gives the rules that judge a login. The claims of a login at another
// account's identity provider prove nothing here: that account chooses its
// provider itself.
func (s *Snapshot) rulesFor(sub *Subject) []dynamicRule {
	if sub.Kind != KindUser || sub.Realm == "" || sub.Account != s.account {
		return nil
	}
	return s.dynamic[sub.Realm]
}
