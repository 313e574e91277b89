package policy

import "time"

// Reason says what decided. Its text is stable and safe to show.
type Reason uint8

// The reasons. The first two, ReasonSelf and ReasonMember allow, all others deny.
const (
	// ReasonPolicy: a policy of the subject or of one of its groups allows.
	ReasonPolicy Reason = iota + 1
	// ReasonOwner: the subject owns the account.
	ReasonOwner
	// ReasonNoPolicy: nothing allows it.
	ReasonNoPolicy
	// ReasonUnknownAction: neither the catalogue nor a role knows the action
	// on this service, so nothing can allow it.
	ReasonUnknownAction
	// ReasonActionControl: an action control of the account forbids it.
	ReasonActionControl
	// ReasonExternalIdentity: a policy would allow it, but the account limits
	// identities whose tokens come from other accounts.
	ReasonExternalIdentity
	// ReasonAccountState: the account is not active.
	ReasonAccountState
	// ReasonOtherAccount: the resource is not in the snapshot's account.
	ReasonOtherAccount
	// ReasonSelf: the object is the subject's own, see Service.SelfActions.
	// Action controls and the account's state still apply.
	ReasonSelf
	// ReasonMember: members of the account may do it, see Service.MemberActions.
	ReasonMember
	// ReasonAddress, ReasonFactor and ReasonUnbound: something would allow it, but
	// a demand of the account is not met: the client's address is not in a list
	// that counts, the login behind the token of another account lacks a second
	// factor, or the token is bound to no account.
	ReasonAddress
	ReasonFactor
	ReasonUnbound
)

var reasonText = [...]string{
	ReasonPolicy:           "policy",
	ReasonOwner:            "owner",
	ReasonNoPolicy:         "no_policy",
	ReasonUnknownAction:    "unknown_action",
	ReasonActionControl:    "action_control",
	ReasonExternalIdentity: "external_identity",
	ReasonAccountState:     "account_state",
	ReasonOtherAccount:     "other_account",
	ReasonSelf:             "self",
	ReasonMember:           "member",
	ReasonAddress:          "address",
	ReasonFactor:           "factor",
	ReasonUnbound:          "unbound",
}

// String gives the name used in scenario files, logs and metrics.
func (r Reason) String() string {
	if int(r) < len(reasonText) && reasonText[r] != "" {
		return reasonText[r]
	}
	return "unknown"
}

// ExternalOutcome says what the account's setting for identities of other
// accounts did.
type ExternalOutcome uint8

// The outcomes. The two monitor outcomes must be audited by the caller; they
// never change the answer.
const (
	ExternalNone ExternalOutcome = iota
	ExternalPermit
	ExternalDeny
	ExternalMonitorPermit
	ExternalMonitorDeny
)

// Decision is the answer to a Request.
type Decision struct {
	Allowed bool
	Reason  Reason
	// PolicyID and RoleID name one policy and one of its roles that permit;
	// both are empty when the answer is no or when the owner asked.
	PolicyID string
	RoleID   string
	// GroupID is the access group through which the policy applies, "" when it
	// names the subject itself.
	GroupID string
	// ControlID is the action control that forbade.
	ControlID string
	External  ExternalOutcome
	// Seq is the sequence number of the snapshot that answered.
	Seq int64

	// Until is the first instant at which the answer may change although
	// nothing is written: the next boundary of a time rule that was consulted
	// or the end of a dynamic membership. Zero when there is none.
	Until time.Time
	// PerRequest is true when a rule about attributes of the request was
	// consulted, so that the answer must not be reused.
	PerRequest bool
}

// How long a client may keep an answer: the values that public clients of the
// decision API use by default.
const (
	MaxAgePermit = 600 * time.Second
	MaxAgeDeny   = 120 * time.Second
)

// MaxAge is how long the answer may be kept from now on: MaxAgePermit or
// MaxAgeDeny, shortened to Until, and 0 when PerRequest is set.
func (d Decision) MaxAge(now time.Time) time.Duration {
	age := MaxAgeDeny
	if d.Allowed {
		age = MaxAgePermit
	}
	if d.PerRequest {
		return 0
	}
	if !d.Until.IsZero() {
		age = max(0, min(age, d.Until.Sub(now)))
	}
	return age
}
