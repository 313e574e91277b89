package identity

import (
	"context"
	"fmt"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/limit"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Limits bound what an account may hold; 0 stands for the default. Lowering one
// takes nothing away, it only stops what would add more.
type Limits struct {
	APIKeysPerIdentity   int
	ServiceIDsPerGroup   int // the default group is one of them
	ServiceIDGroups      int
	Profiles             int
	RulesPerProfile      int
	LinksPerProfile      int
	Links                int
	IdentitiesPerProfile int
}

// ComputeRules is how many rules for compute resources an account may hold: it
// follows from the others.
func (l *Limits) ComputeRules() int { return l.Profiles * l.RulesPerProfile }

// Rows are the limits as an operator sets them. The defaults are those of IBM
// Cloud where its page "IAM limits" names one: API keys, service IDs, profiles,
// rules. The others are ours.
func (l *Limits) Rows() []limit.Row {
	return []limit.Row{
		{Key: "identity.max_api_keys_per_identity", To: &l.APIKeysPerIdentity, Usual: 20, Most: 10000,
			Help: "Most API keys of a user or service ID."},
		{Key: "identity.max_service_ids_per_group", To: &l.ServiceIDsPerGroup, Usual: 2000, Most: 1000000,
			Help: "Most service IDs of a service ID group; those in none are one group."},
		{Key: "identity.max_service_id_groups", To: &l.ServiceIDGroups, Usual: 100, Most: 10000,
			Help: "Most service ID groups of an account."},
		{Key: "identity.max_profiles", To: &l.Profiles, Usual: 2000, Most: 1000000, Help: "Most trusted profiles of an account."},
		{Key: "identity.max_rules_per_profile", To: &l.RulesPerProfile, Usual: 20, Most: 1000,
			Help: "Most claim rules of a trusted profile."},
		{Key: "identity.max_identities_per_profile", To: &l.IdentitiesPerProfile, Usual: 500, Most: 100000,
			Help: "Most trusted identities of a trusted profile."},
		{Key: "identity.max_links_per_profile", To: &l.LinksPerProfile, Usual: 1000, Most: 100000,
			Help: "Most links to compute resources of a trusted profile."},
		{Key: "identity.max_links", To: &l.Links, Usual: 20000, Most: 1000000, Help: "Most links to compute resources of an account."},
	}
}

// within tells whether one more object fits, and words the warning that an
// event carries from 90 % on.
func within(things, where string, count, limit int) (warning string, err error) {
	if count >= limit {
		return "", &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: "The maximum number of " + things + " is reached.",
			Details: fmt.Sprintf("The maximum number of allowed %s %s is %d.", things, where, limit)}
	}
	if (count+1)*10 >= limit*9 {
		warning = fmt.Sprintf("Warning: You have reached 90%% of the maximum number of allowed %s %s. The current count is %d and the limit is %d.",
			things, where, count+1, limit)
	}
	return warning, nil
}

// Usage asks for the counts of an account's limited objects.
type Usage struct {
	ServiceIDGroups    bool
	Profiles           bool
	Links              bool
	ComputeRules       bool
	ServiceIDsOfGroups []string
	KeysOfIdentities   []string // IAM ids; service IDs in either spelling
	RulesOf            []string // profile ids, as the next two
	LinksOf            []string
	ComputeRulesOf     []string
}

// maxUsageIDs bounds the ids of one request: each costs a count.
const maxUsageIDs = 200

// CheckUsageIDs bounds the ids that a property of a request asks counts for.
func CheckUsageIDs(field string, ids []string) error {
	if len(ids) > maxUsageIDs {
		return fault.Field(field, "Property '%s' holds more than %d IDs.", field, maxUsageIDs)
	}
	for _, one := range ids {
		if err := required(field, one, maxID); err != nil {
			return err
		}
	}
	return nil
}

// Validate bounds the request.
func (u Usage) Validate() error {
	for field, ids := range map[string][]string{
		"serviceids_per_group": u.ServiceIDsOfGroups, "apikeys_per_identity": u.KeysOfIdentities,
		"claim_rules_per_profile": u.RulesOf, "cr_links_per_profile": u.LinksOf, "cr_rules_per_profile": u.ComputeRulesOf,
	} {
		if err := CheckUsageIDs(field, ids); err != nil {
			return err
		}
	}
	return nil
}

// Counts answers a Usage. Counts that were not asked for are nil; lists are in
// the order of the request, and ids that the account does not have count 0.
type Counts struct {
	ServiceIDGroups, Profiles, Links, ComputeRules *int
	ServiceIDsOfGroups, KeysOfIdentities           []Count
	RulesOf, LinksOf, ComputeRulesOf               []Count
}

// Count is the number of objects that belong to one id.
type Count struct {
	ID    string
	Count int
}

// Usage counts what an account holds.
func (s *Service) Usage(ctx context.Context, accountID string, checked valid.Of[Usage]) (*Counts, error) {
	u := checked.Value()
	out := &Counts{}
	err := s.db.View(ctx, func(r store.Reader) error {
		c := counter{ctx: ctx, r: r, account: accountID}
		*out = Counts{
			ServiceIDGroups: c.all(u.ServiceIDGroups, ServiceIDGroups.Kind()),
			Profiles:        c.all(u.Profiles, Profiles.Kind()),
			Links:           c.all(u.Links, Links.Kind()),
			ComputeRules:    c.computeRules(u.ComputeRules, ""),
			ServiceIDsOfGroups: c.each(u.ServiceIDsOfGroups, func(group string) int {
				return c.count(store.Query{Kind: ServiceIDs.Kind(), Parent: group})
			}),
			KeysOfIdentities: c.each(u.KeysOfIdentities, func(iamID string) int {
				if object, service := ServiceIDOf(iamID); service {
					iamID = id.IAMOf(object)
				}
				return c.count(store.Query{Kind: APIKeys.Kind(), Owner: iamID})
			}),
			RulesOf:        c.each(u.RulesOf, func(p string) int { return c.count(store.Query{Kind: Rules.Kind(), Parent: p}) }),
			LinksOf:        c.each(u.LinksOf, func(p string) int { return c.count(store.Query{Kind: Links.Kind(), Parent: p}) }),
			ComputeRulesOf: c.each(u.ComputeRulesOf, func(p string) int { return *c.computeRules(true, p) }),
		}
		return c.err
	})
	if err != nil {
		return nil, fmt.Errorf("counting objects: %w", err)
	}
	return out, nil
}

// counter counts in one account and keeps the first error.
type counter struct {
	ctx     context.Context
	r       store.Reader
	account string
	err     error
}

func (c *counter) count(q store.Query) int {
	q.Account = c.account
	n, err := c.r.Count(c.ctx, q)
	if c.err == nil {
		c.err = err
	}
	return n
}

func (c *counter) all(wanted bool, kind string) *int {
	if !wanted {
		return nil
	}
	n := c.count(store.Query{Kind: kind})
	return &n
}

func (c *counter) each(ids []string, count func(string) int) (out []Count) {
	for _, one := range ids {
		out = append(out, Count{one, count(one)})
	}
	return out
}

// computeRules counts the rules for compute resources of a profile, "" being all.
func (c *counter) computeRules(wanted bool, profileID string) *int {
	if !wanted {
		return nil
	}
	rules, err := Rules.List(c.ctx, c.r, store.Query{Account: c.account, Parent: profileID})
	if c.err == nil {
		c.err = err
	}
	n := 0
	for _, r := range rules {
		if r.Type == RuleCompute {
			n++
		}
	}
	return &n
}
