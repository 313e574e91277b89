package access

import (
	"context"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/limit"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// Limits bound what one account may hold; 0 stands for the default. Lowering one
// takes nothing away, it only stops what would add more.
type Limits struct {
	Groups           int // access groups of an account
	GroupsPerMember  int // groups that one identity is a static member of
	RulesPerGroup    int // dynamic rules of a group
	Policies         int // active policies of an account
	PoliciesPerOwner int // active policies of one subject
	TagPolicies      int // active policies with tags of an account
	CustomRoles      int // custom roles of an account
}

// Rows are the limits as an operator sets them. The defaults are those of the
// official service's documentation.
func (l *Limits) Rows() []limit.Row {
	return []limit.Row{
		{Key: "access.max_policies", To: &l.Policies, Usual: 4020, Most: 1000000, Help: "Most active policies of an account."},
		{Key: "access.max_policies_per_subject", To: &l.PoliciesPerOwner, Usual: 1000, Most: 1000000,
			Help: "Most active policies of one identity or access group."},
		{Key: "access.max_tag_policies", To: &l.TagPolicies, Usual: 500, Most: 1000000, Help: "Most active policies with tags of an account."},
		{Key: "access.max_groups", To: &l.Groups, Usual: 500, Most: 100000, Help: "Most access groups of an account."},
		{Key: "access.max_groups_per_member", To: &l.GroupsPerMember, Usual: 50, Most: 10000,
			Help: "Most access groups that one identity is put into."},
		{Key: "access.max_rules_per_group", To: &l.RulesPerGroup, Usual: 5, Most: 1000, Help: "Most dynamic rules of an access group."},
		{Key: "access.max_custom_roles", To: &l.CustomRoles, Usual: 40, Most: 10000, Help: "Most custom roles of an account."},
	}
}

// Authority is what this package asks of the snapshots that decisions are made
// from; package authority has it.
type Authority interface {
	Catalog() *policy.Catalog
	// Snapshot gives the current snapshot of an account, fault.NotFound when
	// there is no such account.
	Snapshot(ctx context.Context, account string) (*policy.Snapshot, error)
	// InMemory gives the snapshot of an account that is in memory, nil when there
	// is none to go by, and how many events of the account's log it may lack when
	// the log is at head. It reads nothing.
	InMemory(account string, head int64) (s *policy.Snapshot, since int)
	// Permits tells how often and when last a policy allowed something, AllPermits
	// of every policy of an account that ever did.
	Permits(ctx context.Context, account, policyID string) (store.Activity, error)
	AllPermits(ctx context.Context, account string) ([]store.Activity, error)
}

// Config is what a Service needs.
type Config struct {
	DB        store.DB
	Authority Authority
	IDs       id.Generator // the zero value is random
	Now       func() time.Time
	// Limits are in force as they are: a limit of 0 lets nothing be made.
	Limits Limits
	// Logins knows those who may be members by rule; nil: nobody is.
	Logins Logins
}

// Service changes what gives access. It is safe for concurrent use.
type Service struct {
	db        store.DB
	authority Authority
	ids       id.Generator
	now       func() time.Time
	limits    Limits
	logins    Logins
}

// New makes a Service.
func New(c Config) *Service {
	limit.Fill(c.Limits.Rows())
	return &Service{db: c.DB, authority: c.Authority, ids: c.IDs, now: c.Now, limits: c.Limits, logins: c.Logins}
}

// Limits tells what bounds the accounts.
func (s *Service) Limits() Limits { return s.limits }

// limitReached is the error of a full account.
func limitReached(what string, limit int) error {
	return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: "The limit of " + what + " is reached.",
		Details: fmt.Sprintf("At most %d are allowed.", limit)}
}
