package policy

import (
	"net/netip"
	"slices"
)

// Demands are what an account asks of whoever acts in it, whichever account the
// token is of. They give nothing: whoever has no access is refused for that. They
// are immutable.
type Demands struct {
	// Addresses are where clients may be; nil: anywhere.
	Addresses Addresses
	// OwnToo lets Addresses bind tokens of the account itself wherever they are
	// used, and not only where they are issued.
	OwnToo bool
	// Asks tells what a person must have shown at the login: a second factor, or
	// at least more than user name and password. nil asks nothing.
	Asks func(iamID string) (factor, more bool)
}

// Addresses is a list of client addresses.
type Addresses interface{ Allows(netip.Addr) bool }

// Login is how the one who acts got its token.
type Login struct {
	// IAMID is who logged in: the identity itself, or the one who assumed the
	// profile. "" when that is not known.
	IAMID string
	// Password tells that nothing but user name and password was shown.
	Password bool
}

// Belonging tells whether a subject is a member of the account of the resource.
type Belonging uint8

// Who has a token of an account belongs to it, unless more is known.
const (
	BelongsByToken Belonging = iota
	Belongs
	BelongsNot
)

// unmet gives the first demand that the subject does not meet, 0 when it meets
// all. Services that act for themselves run elsewhere and log nobody in.
func (q *query) unmet() Reason {
	sub := &q.r.Subject
	if sub.Kind == KindUser && sub.Account == "" {
		return ReasonUnbound
	}
	d := q.s.demands
	if d == nil && sub.Addresses == nil || !q.readsIdentity() {
		return 0
	}
	from, addressed := q.r.Environment.SourceIP, q.r.Environment.Addressed()
	if sub.Addresses != nil && addressed && !sub.Addresses.Allows(from) {
		return ReasonAddress
	}
	if d == nil {
		return 0
	}
	foreign := sub.Account != q.s.account
	if d.Addresses != nil && (foreign || d.OwnToo) && addressed && !d.Addresses.Allows(from) {
		return ReasonAddress
	}
	// What the account asked of a login for itself was judged when the token was issued.
	if foreign && d.Asks != nil && sub.Login.IAMID != "" && KindOf(sub.Login.IAMID) == KindUser {
		// No login has a second factor, so none is enough where one is asked for.
		if factor, more := d.Asks(sub.Login.IAMID); factor || more && sub.Login.Password {
			return ReasonFactor
		}
	}
	return 0
}

// Admits tells whether a request's subject meets what the account demands of
// whoever acts in it, whatever access it has; the request's action is ignored.
func Admits(s *Snapshot, r *Request) bool {
	q := query{s: s, r: r}
	return q.unmet() == 0
}

// addressed reports whether the answer depends on the client's address because
// of a demand.
func (q *query) addressed() bool {
	return q.r.Environment.Addressed() && (q.r.Subject.Addresses != nil || q.s.demands != nil && q.s.demands.Addresses != nil)
}

// isMember reports whether the subject belongs to the account, so that it may do
// the service's MemberActions. The owner does with any token of its own.
func (q *query) isMember() bool {
	sub := &q.r.Subject
	if sub.IAMID == "" || !q.readsIdentity() {
		return false
	}
	switch sub.Belongs {
	case Belongs:
		return true
	case BelongsNot:
		return q.isOwner()
	case BelongsByToken:
	}
	return sub.Account == q.s.account || q.isOwner()
}

// membersMay reports whether members of the account may do an action without a policy.
func (q *query) membersMay(action int) bool {
	return q.target.view.member.has(action) && !slices.Contains(q.s.restricted, q.target.view.actions[action].ID)
}

// addMemberActions adds what members may do.
func (q *query) addMemberActions(to actionBits) {
	for i := range q.target.view.actions {
		if q.membersMay(i) {
			to.add(i)
		}
	}
}

// demandWords says which demand of the account keeps somebody out who has access.
func demandWords(reason Reason) []string {
	switch reason {
	case ReasonAddress:
		return []string{"Access exists, but the client's address is not in the list of allowed addresses."}
	case ReasonFactor:
		return []string{"Access exists, but the account demands a stronger login than the one behind the token, which is of another account."}
	case ReasonUnbound:
		return []string{"Access exists, but the token is bound to no account: choose the account first."}
	}
	return nil
}
