package authority_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// write is a transaction that rests on what was decided under its context.
func write(ctx context.Context, s *apitest.Server, name string) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		set, err := account.Accounts.Get(ctx, tx, acct, acct)
		if err != nil {
			return err
		}
		set.Name = name
		return account.Accounts.Update(ctx, tx, set, store.Event{})
	})
}

// Whatever happens between a decision and the write that rests on it: the write
// is made exactly if the decision would be the same at its place in the log.
func TestNothingIsWrittenOnTheStrengthOfWhatWasRevoked(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { revokedMeanwhile(t, serve(t), 300) })
	t.Run("PostgreSQL", func(t *testing.T) {
		db, err := pgstore.Open(pgstore.Options{DSN: storetest.Postgres(t), MaxConns: 4})
		if err == nil {
			err = db.Migrate(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		revokedMeanwhile(t, apitest.New(t, nil, func(o *apitest.Options) { o.DB = db }), 60)
	})
}

func revokedMeanwhile(t *testing.T, s *apitest.Server, rounds int) {
	a := authority.New(authority.Config{DB: s.DB, Catalogs: s.Registry})
	defer a.Close()
	happens := &actor{s: s, r: rand.New(rand.NewPCG(1, 2))}
	var held, lost int
	for range rounds {
		one := pick(happens.r, []struct{ action, service, role string }{{"kms.secrets.list", "kms", "Reader"},
			{"iam-groups.groups.read", "iam-groups", "Viewer"}})
		q := question(pick(happens.r, people), one.action, one.service)
		who, service := q.Subject.IAMID, q.Resource.ServiceName
		if !allowed(t, a, who, q.Action, service) {
			if _, err := s.CreatePolicy(asker.System, doc(who, one.role, service)); err != nil {
				continue // it has it, and the account is closed to it
			}
		}
		ctx := store.WithBasis(t.Context())
		d, err := a.Decide(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if !d.Allowed {
			continue
		}
		var steps []string
		for range happens.r.IntN(4) {
			step, err := happens.step(t.Context())
			if e := fault.Of(err); err != nil && e.Kind == fault.Internal {
				t.Fatal(step, err)
			}
			steps = append(steps, step)
		}
		if happens.r.IntN(3) == 0 {
			steps = append(steps, "delete the policy")
			if id := d.PolicyID; id != "" {
				_ = s.DeletePolicy(id) // gone already: as good
			}
		}
		err = write(ctx, s, q.Action)
		want := allowed(t, a, who, q.Action, service)
		switch {
		case want && err == nil:
			held++
		case !want && errors.Is(err, fault.Forbidden):
			lost++
		default:
			t.Fatalf("%s of %s after %q: the write said %v, a new decision %t", q.Action, who, steps, err, want)
		}
	}
	if held < rounds/20 || lost < rounds/20 {
		t.Errorf("of %d rounds %d writes stood and %d fell: not enough to tell", rounds, held, lost)
	}
}

// What an asker held when it was asked has to be held when it is given.
func TestNothingIsGivenOnTheStrengthOfWhatIsHeldNoMore(t *testing.T) {
	s := serve(t)
	grant := s.Grant("IBMid-A", "Manager", "serviceName=kms")
	on := policy.Resource{Account: acct, ServiceName: "kms"}
	for _, tt := range []struct {
		name  string
		lacks string // of what is asked, "" for nothing
		then  func()
		want  error
	}{
		{"nothing happens", "", func() {}, nil},
		{"somebody else is given something", "", func() { s.Grant("IBMid-B", "Manager", "serviceName=kms") }, nil},
		{"it is taken", "", func() { _ = s.DeletePolicy(grant) }, fault.Forbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := store.WithBasis(t.Context())
			held, err := s.Authority.Rights(ctx, question("IBMid-A", "", "kms"))
			if err != nil {
				t.Fatal(err)
			}
			if missing := held.Lacks(on, []string{"kms.secrets.list"}); missing != "" {
				t.Fatal("it lacks ", missing)
			}
			tt.then()
			if err := write(ctx, s, tt.name); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

// Who is taken out of an account writes nothing there any more, whatever policies
// were left behind.
func TestNobodyWritesAfterItsEnd(t *testing.T) {
	s := serve(t)
	worker, _, _, err := s.Identity.CreateServiceID(t.Context(), asker.System,
		apitest.Checked(t, identity.NewServiceID{Account: acct, Name: "worker"}))
	if err != nil {
		t.Fatal(err)
	}
	s.Grant(worker.Owner, "Manager", "serviceName=kms")
	ctx := store.WithBasis(t.Context())
	if d, err := s.Authority.Decide(ctx, question(worker.Owner, "kms.secrets.list", "kms")); err != nil || !d.Allowed {
		t.Fatal(d, err)
	}
	if err := s.Identity.DeleteServiceID(t.Context(), worker); err != nil {
		t.Fatal(err)
	}
	if err := write(ctx, s, "late"); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("%v", err)
	}
}

// What a transaction writes itself takes nothing from what it rests on.
func TestARequestMayTakeItsOwnRights(t *testing.T) {
	s := serve(t)
	grant := s.Grant("IBMid-A", "Manager", "serviceName=kms")
	ctx := store.WithBasis(t.Context())
	if d, err := s.Authority.Decide(ctx, question("IBMid-A", "kms.secrets.list", "kms")); err != nil || !d.Allowed {
		t.Fatal(d, err)
	}
	p, err := s.Access.GetPolicy(ctx, grant, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Access.DeletePolicy(ctx, p); err != nil {
		t.Error(err)
	}
}

// What other accounts' logs tell of an account's objects, as templates do, is
// noticed as well; where it is not at hand any more, everything begins again.
func TestWhatOtherLogsTellOfIsNoticedByTheWrite(t *testing.T) {
	const parent, third = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccccccccccc"
	for _, tt := range []struct {
		name string
		then func(a *authority.Authority, revoke func())
		want error
	}{
		{"nothing happens", func(*authority.Authority, func()) {}, nil},
		{"it is revoked", func(_ *authority.Authority, revoke func()) { revoke() }, fault.Forbidden},
		{"it is revoked, and a snapshot has it", func(a *authority.Authority, revoke func()) {
			revoke()
			allowed(t, a, "IBMid-A", "kms.secrets.list", "kms")
		}, store.ErrMoved},
		{"the account has made room", func(a *authority.Authority, revoke func()) {
			if _, err := a.Snapshot(t.Context(), third); err != nil {
				t.Fatal(err)
			}
			revoke()
			allowed(t, a, "IBMid-A", "kms.secrets.list", "kms")
		}, store.ErrMoved},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t)
			s.NewAccount(third, apitest.Owner)
			a := authority.New(authority.Config{DB: s.DB, Catalogs: s.Registry, MaxSize: 1})
			defer a.Close()
			// Told of elsewhere: once before the decision, so that counts differ.
			elsewhere := func(policyID string, state policy.State) {
				p, err := s.Access.GetPolicy(t.Context(), policyID, true)
				if err != nil {
					t.Fatal(err)
				}
				p.Doc.State = state
				s.Update(func(ctx context.Context, tx store.Tx) error {
					return access.Policies.Update(ctx, tx, p, store.Event{Account: parent, Action: "test"})
				})
			}
			grant := s.Grant("IBMid-A", "Manager", "serviceName=kms")
			allowed(t, a, "IBMid-A", "kms.secrets.list", "kms")
			elsewhere(grant, policy.StateActive)
			ctx := store.WithBasis(t.Context())
			if d, err := a.Decide(ctx, question("IBMid-A", "kms.secrets.list", "kms")); err != nil || !d.Allowed {
				t.Fatal(d, err)
			}
			tt.then(a, func() { elsewhere(grant, policy.StateDeleted) })
			if err := write(ctx, s, tt.name); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}
