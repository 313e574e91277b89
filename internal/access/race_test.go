package access_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// pair is where two transactions wait for each other. Whoever comes later, as
// those who try again do, passes.
type pair struct {
	came atomic.Int32
	both chan struct{}
}

func newPair() *pair { return &pair{both: make(chan struct{})} }

func (p *pair) meet() {
	switch p.came.Add(1) {
	case 1:
		<-p.both
	case 2:
		close(p.both)
	}
}

// meeting is a store whose transactions may have to meet another one: before they
// begin, or, after all that they read, before they write.
type meeting struct {
	store.DB
	begin, write *pair
}

func (m *meeting) Update(ctx context.Context, fn func(store.Tx) error) error {
	if m.begin != nil {
		m.begin.meet()
	}
	return m.DB.Update(ctx, func(tx store.Tx) error { return fn(meetingTx{tx, m.write}) })
}

type meetingTx struct {
	store.Tx
	write *pair
}

func (tx meetingTx) Write(ctx context.Context, c store.Change) error {
	if tx.write != nil {
		tx.write.meet()
	}
	return tx.Tx.Write(ctx, c)
}

// nodes are two servers over one store, with the test's own in front of it.
type nodes struct {
	*apitest.Server
	stores [2]*meeting
	access [2]*access.Service
}

func newNodes(t *testing.T, open func() store.DB) *nodes {
	t.Helper()
	s := apitest.New(t, nil, func(o *apitest.Options) { o.DB = open() })
	n := &nodes{Server: s}
	for i := range n.stores {
		n.stores[i] = &meeting{DB: open()}
		a := authority.New(authority.Config{DB: n.stores[i], Catalogs: s.Registry})
		n.access[i] = access.New(access.Config{DB: n.stores[i], Authority: a, Now: s.Now})
		t.Cleanup(a.Close)
	}
	return n
}

// onBothStores runs a test with two servers over one database of each sort. What
// sets their transactions against each other: on SQLite, where only one
// runs at a time, all that is done before them; on PostgreSQL also what is read in
// them.
func onBothStores(t *testing.T, test func(t *testing.T, n *nodes, against func())) {
	t.Run("SQLite", func(t *testing.T) {
		db, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Memory: true})
		if err != nil {
			t.Fatal(err)
		}
		n := newNodes(t, func() store.DB { return db })
		test(t, n, func() {
			p := newPair()
			n.stores[0].begin, n.stores[1].begin = p, p
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := storetest.Postgres(t)
		n := newNodes(t, func() store.DB {
			db, err := pgstore.Open(pgstore.Options{DSN: dsn, MaxConns: 4})
			if err == nil {
				err = db.Migrate(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			return db
		})
		test(t, n, func() {
			begin, write := newPair(), newPair()
			for _, m := range n.stores {
				m.begin, m.write = begin, write
			}
		})
	})
}

// giving is a way to have a service hold a role: ready prepares it, and give is
// what the member asks for.
type giving struct {
	ready func(n *nodes, role string) (policyID string)
	give  func(s *access.Service, who asker.Asker, n *nodes, role, policyID string) error
}

var givings = map[string]giving{
	"a new authorization": {
		ready: func(*nodes, string) string { return "" },
		give: func(s *access.Service, who asker.Asker, n *nodes, role, _ string) error {
			_, err := s.CreatePolicy(n.T.Context(), who, apitest.Checked(n.T, s.PolicySpec(lets("is", "kms", role))))
			return err
		},
	},
	"an authorization that takes the place of another": {
		ready: func(n *nodes, _ string) string { return n.given("is", "kms", "Reader") },
		give: func(s *access.Service, who asker.Asker, n *nodes, role, policyID string) error {
			p, err := s.GetPolicy(n.T.Context(), policyID, false)
			if err == nil {
				_, err = s.ReplacePolicy(n.T.Context(), who, p, "*", apitest.Checked(n.T, s.PolicySpec(lets("is", "kms", role))))
			}
			return err
		},
	},
	"a deleted authorization that is restored": {
		ready: func(n *nodes, role string) string {
			policyID := n.given("is", "kms", role)
			if err := n.DeletePolicy(policyID); err != nil {
				n.T.Fatal(err)
			}
			return policyID
		},
		give: func(s *access.Service, who asker.Asker, n *nodes, _, policyID string) error {
			p, err := s.GetPolicy(n.T.Context(), policyID, true)
			if err == nil {
				_, err = s.RestorePolicy(n.T.Context(), who, p, "*")
			}
			return err
		},
	},
}

// given stores an authorization that the owner gives.
func (n *nodes) given(source, target, role string) string {
	n.T.Helper()
	p, err := n.CreatePolicy(n.As(apitest.Owner, acct), lets(source, target, role))
	if err != nil {
		n.T.Fatal(err)
	}
	return p.ID
}

// mayAct asks a fresh authority whether a service may do something to another.
func (n *nodes) mayAct(source, action, target string) bool {
	n.T.Helper()
	a := authority.New(authority.Config{DB: n.DB, Catalogs: n.Registry})
	defer a.Close()
	d, err := a.Decide(n.T.Context(), policy.Request{Action: action, Resource: policy.Resource{Account: acct, ServiceName: target},
		Subject:     policy.Subject{Kind: policy.KindService, Account: acct, Source: policy.Source{ServiceName: source, AccountID: acct}},
		Environment: policy.Environment{Now: n.Now()}})
	if err != nil {
		n.T.Fatal(err)
	}
	return d.Allowed
}

// Neither request is wrong by itself: the role gives no more than the member
// holds, or no authorization names it. Only together do they give a service what
// the member does not hold.
func TestNoRaceGivesAServiceWhatTheGiverDoesNotHold(t *testing.T) {
	const more = "kms.secrets.create"
	onBothStores(t, func(t *testing.T, n *nodes, against func()) {
		lister(n.Server)
		who := n.As(apitest.Member, acct)
		round := 0
		race := func(t *testing.T, g giving, against func()) {
			round++
			part := *n
			part.Server = n.For(t)
			role := newRole(part.Server, "kms", fmt.Sprint("Lister", round), "kms.secrets.list")
			policyID := g.ready(&part, role.CRN())
			if against != nil {
				against()
			}
			var widened, given error
			var both errgroup.Group
			both.Go(func() error { widened = widen(n.access[0], who, role.ID, "kms.secrets.list", more); return nil })
			both.Go(func() error { given = g.give(n.access[1], who, &part, role.CRN(), policyID); return nil })
			_ = both.Wait() // the errors are looked at below
			for _, m := range n.stores {
				m.begin, m.write = nil, nil
			}
			if refused := errors.Is(widened, fault.Forbidden); refused == errors.Is(given, fault.Forbidden) || (refused && given != nil) ||
				(!refused && widened != nil) {
				t.Errorf("widening: %v; giving: %v; want that exactly one is refused", widened, given)
			}
			if part.mayAct("is", more, "kms") {
				t.Errorf("the service may do %s, which who gave it may not", more)
			}
			r, err := n.Access.GetRole(t.Context(), role.ID)
			if err == nil {
				err = n.Access.DeleteRole(t.Context(), r)
			}
			if err != nil {
				t.Fatal(err)
			}
			forget(t, &part)
		}
		for name, g := range givings {
			t.Run(name, func(t *testing.T) {
				race(t, g, against)
				for range 20 {
					race(t, g, nil)
				}
			})
		}
	})
}

// forget deletes the authorizations that a race left.
func forget(t *testing.T, n *nodes) {
	t.Helper()
	list, err := n.Access.ListPolicies(t.Context(), acct, "", policy.StateActive)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Doc.Type != policy.TypeAuthorization {
			continue
		}
		if err := n.DeletePolicy(p.ID); err != nil {
			t.Fatal(err)
		}
	}
}
