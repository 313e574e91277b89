package policy

import "time"

// AccountState is the life state of an account.
type AccountState string

// AccountActive is the only state in which anything is allowed.
const AccountActive AccountState = "ACTIVE"

// Input is everything a snapshot is made of. The snapshot keeps references to
// the slices and policies; they must not be changed afterwards.
type Input struct {
	Account string
	// Owner is the IAM id of the account owner.
	Owner   string
	State   AccountState
	Catalog *Catalog
	// Policies of the account; those that are not active are ignored.
	Policies []*Policy
	Groups   []Group
	// PublicAccess is the account's switch for PublicAccessGroupID.
	PublicAccess bool
	CustomRoles  []CustomRole
	Controls     []ActionControl
	External     ExternalIdentity
	// Demands are what the account asks of whoever acts in it; nil: nothing.
	Demands *Demands
	// Restricted are the actions that members of the account need a policy for,
	// although they are among a service's MemberActions.
	Restricted []string
	// Seq is the position in the event log up to which the input is complete.
	Seq int64
}

// Group is an access group with its members.
type Group struct {
	ID   string
	Name string
	// Members are the IAM ids of static members, in any order.
	Members []string
	Rules   []DynamicRule
}

// DynamicRule makes users of a federated login members of a group for a while.
type DynamicRule struct {
	ID string
	// Realm is the entity id of the identity provider of the login.
	Realm string
	// Expiration is how long after the login the membership lasts.
	Expiration time.Duration
	// Conditions must all hold; without any, nobody is a member.
	Conditions []ClaimCondition
}

// ClaimCondition compares one claim of a login.
type ClaimCondition struct {
	Claim    string
	Operator ClaimOperator
	// Value is a JSON value in a string, as clients send it: "\"Admins\"".
	Value string
}

// ClaimOperator compares a claim with the value of a condition.
type ClaimOperator string

// The operators of dynamic rules and trusted profile rules.
const (
	ClaimEquals              ClaimOperator = "EQUALS"
	ClaimEqualsIgnoreCase    ClaimOperator = "EQUALS_IGNORE_CASE"
	ClaimNotEquals           ClaimOperator = "NOT_EQUALS"
	ClaimNotEqualsIgnoreCase ClaimOperator = "NOT_EQUALS_IGNORE_CASE"
	ClaimContains            ClaimOperator = "CONTAINS"
	ClaimIn                  ClaimOperator = "IN"
)

// ActionControl forbids actions of one service to everybody in the account.
type ActionControl struct {
	ID      string
	Service string
	Actions []string
}

// ExternalMode is how an account treats identities whose tokens come from
// another account.
type ExternalMode string

// The zero mode is ExternalEnabled.
const (
	ExternalEnabled ExternalMode = "enabled"
	ExternalLimited ExternalMode = "limited"
	ExternalMonitor ExternalMode = "monitor"
)

// ExternalSetting is the mode for one type of identity and the accounts that
// are exempt in the limited and monitor modes.
type ExternalSetting struct {
	Mode    ExternalMode
	Allowed []string
}

// ExternalIdentity is the account's setting per type of identity. Trusted
// profiles have none.
type ExternalIdentity struct {
	User      ExternalSetting
	ServiceID ExternalSetting
	Service   ExternalSetting
}
