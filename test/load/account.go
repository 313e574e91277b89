package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/valid"
)

// grant is a policy in the plainest shape: a role on one instance of a service.
type grant struct {
	role, service int
	instance      string
}

// shape is an account of n policies "group → role → service and instance", in
// the proportions of package policytest: ten policies a group, n/2 users in
// four groups each, four nested roles over eight actions. What package
// policytest adds, other kinds of condition, is left out: each engine would say
// it in another way.
type shape struct {
	account string
	grants  []grant // of group i / policytest.PoliciesPerGroup
	groups  [][]int // of each user
}

// newShape makes the shape of n policies, the same for the same n.
func newShape(account string, n int) *shape {
	rng := rand.New(rand.NewPCG(4, uint64(n)))
	s := &shape{account: account}
	for i := range n {
		s.grants = append(s.grants, grant{rng.IntN(len(policytest.RoleNames)), rng.IntN(policytest.ServiceCount),
			fmt.Sprintf("3f9c1a52-77b0-4d1e-9c55-%012d", i)})
	}
	for range n / 2 {
		s.groups = append(s.groups, rng.Perm(n / policytest.PoliciesPerGroup)[:policytest.GroupsPerUser])
	}
	return s
}

// inquiry is one question and its answer.
type inquiry struct {
	user, action int
	grant        grant // whose service and instance the question is about
	allowed      bool
}

// inquiries makes n questions of users at random, every second of them about
// what a policy of the user allows.
func (s *shape) inquiries(n int) []inquiry {
	rng := rand.New(rand.NewPCG(5, uint64(n)))
	out := make([]inquiry, n)
	for i := range out {
		q := &out[i]
		q.user = rng.IntN(len(s.groups))
		if i%2 == 0 {
			g := s.groups[q.user][rng.IntN(policytest.GroupsPerUser)]
			q.grant = s.grants[g*policytest.PoliciesPerGroup+rng.IntN(policytest.PoliciesPerGroup)]
			q.action = rng.IntN(actionsOf(q.grant.role))
		} else {
			q.grant, q.action = s.grants[rng.IntN(len(s.grants))], rng.IntN(policytest.ActionCount)
		}
		q.allowed = s.allows(q)
	}
	return out
}

// actionsOf is how many actions a role holds: two more than the role before.
func actionsOf(role int) int { return 2 * (role + 1) }

// allows answers by looking at all policies of the user's groups.
func (s *shape) allows(q *inquiry) bool {
	for _, group := range s.groups[q.user] {
		from := group * policytest.PoliciesPerGroup
		for _, g := range s.grants[from : from+policytest.PoliciesPerGroup] {
			if g.service == q.grant.service && g.instance == q.grant.instance && q.action < actionsOf(g.role) {
				return true
			}
		}
	}
	return false
}

// question is the body of POST /v2/authz.
func (s *shape) question(q *inquiry) string {
	return fmt.Sprintf(`[{"subject":{"attributes":{"id":%q}},"action":%q,"resource":{"attributes":{"serviceName":%q,"serviceInstance":%q,"accountId":%q}}}]`,
		policytest.User(q.user), policytest.Action(q.grant.service, q.action), policytest.Service(q.grant.service), q.grant.instance, s.account)
}

// opaInput is the body of the same question to the peer.
func (s *shape) opaInput(q *inquiry) string {
	return fmt.Sprintf(`{"input":{"user":%q,"action":%q,"service":%q,"instance":%q}}`,
		policytest.User(q.user), policytest.Action(q.grant.service, q.action), policytest.Service(q.grant.service), q.grant.instance)
}

// writeOPA writes the account as the data of authz.rego.
func (s *shape) writeOPA(path string) error {
	type opaGrant struct {
		Role     string `json:"role"`
		Service  string `json:"service"`
		Instance string `json:"instance"`
	}
	groups, grants, actions := map[string][]string{}, map[string][]opaGrant{}, map[string]map[string]bool{}
	for u, mine := range s.groups {
		for _, g := range mine {
			groups[policytest.User(u)] = append(groups[policytest.User(u)], policytest.Group(g))
		}
	}
	for i, g := range s.grants {
		id := policytest.Group(i / policytest.PoliciesPerGroup)
		grants[id] = append(grants[id], opaGrant{policytest.RoleNames[g.role], policytest.Service(g.service), g.instance})
	}
	for role, name := range policytest.RoleNames {
		actions[name] = map[string]bool{}
		for service := range policytest.ServiceCount {
			for a := range actionsOf(role) {
				actions[name][policytest.Action(service, a)] = true
			}
		}
	}
	raw, err := json.Marshal(map[string]any{"groups": groups, "grants": grants, "actions": actions})
	if err != nil {
		return fmt.Errorf("encoding the peer's data: %w", err)
	}
	return os.WriteFile(path, raw, 0o600)
}

// fillBatch is how many objects a transaction writes.
const fillBatch = 5000

// fill writes the account into the database that `kagiban dev --data dir` has
// made: past the API, which would refuse so many policies.
func (s *shape) fill(ctx context.Context, dir string) error {
	db, err := sqlitestore.Open(ctx, sqlitestore.Options{Path: filepath.Join(dir, "kagiban.db"), Now: time.Now})
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer db.Close()
	if err := registerServices(ctx, db); err != nil {
		return err
	}
	for _, part := range []struct {
		count int
		write func(context.Context, store.Tx, int) error
	}{{len(s.groups), s.writeUser}, {len(s.grants) / policytest.PoliciesPerGroup, s.writeGroup}, {len(s.grants), s.writePolicy}} {
		for from := 0; from < part.count; from += fillBatch {
			err := db.Update(ctx, func(tx store.Tx) error {
				for i := from; i < min(from+fillBatch, part.count); i++ {
					if err := part.write(ctx, tx, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return fmt.Errorf("filling the account: %w", err)
			}
		}
	}
	return nil
}

func registerServices(ctx context.Context, db store.DB) error {
	set, err := catalog.BuiltinSet()
	if err != nil {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	registry, err := catalog.NewRegistry(ctx, db, set, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("opening the catalogue: %w", err)
	}
	defer registry.Close()
	for n := range policytest.ServiceCount {
		service := catalog.Service{Name: policytest.Service(n)}
		for role, name := range policytest.RoleNames {
			g := catalog.Grant{Roles: []string{name}}
			for a := range actionsOf(role) {
				g.Actions = append(g.Actions, policytest.Action(n, a))
			}
			service.Grants = append(service.Grants, g)
		}
		checked, err := valid.Check(service)
		if err == nil {
			_, err = registry.Create(ctx, checked)
		}
		if err != nil {
			return fmt.Errorf("registering a service: %w", err)
		}
	}
	return nil
}

// writeUser writes a user and its memberships.
func (s *shape) writeUser(ctx context.Context, tx store.Tx, n int) error {
	id := policytest.User(n)
	u := &account.User{Meta: store.Meta{Account: s.account, ID: id, Owner: id, Name: id}, Email: id + "@example.com", State: account.Active}
	if err := account.Users.Create(ctx, tx, u, store.Event{Action: "user-management.user.create"}); err != nil {
		return err
	}
	for _, g := range s.groups[n] {
		m := &access.Member{Meta: store.Meta{Account: s.account, ID: access.MemberID(policytest.Group(g), id), Parent: policytest.Group(g),
			Owner: id, Name: id}, Type: "user"}
		if err := access.Members.Create(ctx, tx, m, store.Event{Action: "iam-groups.member.add"}); err != nil {
			return err
		}
	}
	return nil
}

func (s *shape) writeGroup(ctx context.Context, tx store.Tx, n int) error {
	g := &access.Group{Meta: store.Meta{Account: s.account, ID: policytest.Group(n), Name: policytest.Group(n)}}
	return access.Groups.Create(ctx, tx, g, store.Event{Action: "iam-groups.group.create"})
}

func (s *shape) writePolicy(ctx context.Context, tx store.Tx, n int) error {
	equals := func(key, value string) policy.Attribute {
		return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
	}
	g, group := s.grants[n], policytest.Group(n/policytest.PoliciesPerGroup)
	p := &access.Policy{
		Meta: store.Meta{Account: s.account, ID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", n), Parent: string(policy.StateActive),
			Owner: group},
		Doc: policy.Policy{
			Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive,
			Subject: []policy.Attribute{equals(policy.AttrAccessGroupID, group)},
			RoleIDs: []string{policytest.Role(g.role)},
			Resource: []policy.Attribute{equals(policy.AttrServiceName, policytest.Service(g.service)),
				equals(policy.AttrServiceInstance, g.instance), equals(policy.AttrAccountID, s.account)},
		},
	}
	return access.Policies.Create(ctx, tx, p, store.Event{Action: "iam-am.policy.create"})
}
