package access

import (
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// Limits bound what one account may hold. The defaults are the documented
// ones of the official service.
type Limits struct {
	Groups           int // access groups of an account
	GroupsPerMember  int // groups that one identity is a static member of
	RulesPerGroup    int // dynamic rules of a group
	Policies         int // active policies of an account
	PoliciesPerOwner int // active policies of one subject
	TagPolicies      int // active policies with tags of an account
	CustomRoles      int // custom roles of an account
}

// DefaultLimits are those of the official service's documentation.
var DefaultLimits = Limits{Groups: 500, GroupsPerMember: 50, RulesPerGroup: 5, Policies: 4020, PoliciesPerOwner: 1000, TagPolicies: 500, CustomRoles: 40}

// Service changes what gives access. All fields but Logins are required. It is
// safe for concurrent use.
type Service struct {
	DB        store.DB
	Authority *Authority
	IDs       id.Generator
	Now       func() time.Time
	Limits    Limits
	// Logins knows those who may be members by rule; nil: nobody is.
	Logins Logins
}

// limitReached is the error of a full account.
func limitReached(what string, limit int) error {
	return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: "The limit of " + what + " is reached.",
		Details: fmt.Sprintf("At most %d are allowed.", limit)}
}
