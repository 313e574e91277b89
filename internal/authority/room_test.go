package authority_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// reads counts what is asked of a store, and the objects and events that it
// gives.
type reads struct{ Single, Lists, Counts, Heads, Rows int }

// countingDB counts the reads of a store, in and outside of transactions.
type countingDB struct {
	store.DB
	*reads
}

func (db countingDB) Direct() store.Reader { return countingReader{db.DB.Direct(), db.reads} }

func (db countingDB) View(ctx context.Context, fn func(store.Reader) error) error {
	return db.DB.View(ctx, func(r store.Reader) error { return fn(countingReader{r, db.reads}) })
}

func (db countingDB) Update(ctx context.Context, fn func(store.Tx) error) error {
	return db.DB.Update(ctx, func(tx store.Tx) error { return fn(countingTx{tx, countingReader{tx, db.reads}}) })
}

type countingReader struct {
	store.Reader
	*reads
}

func (r countingReader) Get(ctx context.Context, kind, account, id string) (*store.Record, error) {
	r.Single++
	return r.Reader.Get(ctx, kind, account, id)
}

func (r countingReader) Lookup(ctx context.Context, key store.Key) (*store.Record, error) {
	r.Single++
	return r.Reader.Lookup(ctx, key)
}

func (r countingReader) List(ctx context.Context, q store.Query) ([]*store.Record, error) {
	out, err := r.Reader.List(ctx, q)
	r.Lists++
	r.Rows += len(out)
	return out, err
}

func (r countingReader) Count(ctx context.Context, q store.Query) (int, error) {
	r.Counts++
	return r.Reader.Count(ctx, q)
}

func (r countingReader) Head(ctx context.Context, account string) (int64, error) {
	r.Heads++
	return r.Reader.(interface {
		Head(context.Context, string) (int64, error)
	}).Head(ctx, account)
}

func (r countingReader) Events(ctx context.Context, account string, after int64, limit int) ([]store.Event, error) {
	out, err := r.Reader.(store.LogReader).Events(ctx, account, after, limit)
	r.Lists++
	r.Rows += len(out)
	return out, err
}

type countingTx struct {
	store.Tx
	reader countingReader
}

func (tx countingTx) Get(ctx context.Context, kind, account, id string) (*store.Record, error) {
	return tx.reader.Get(ctx, kind, account, id)
}

func (tx countingTx) Lookup(ctx context.Context, key store.Key) (*store.Record, error) {
	return tx.reader.Lookup(ctx, key)
}

func (tx countingTx) List(ctx context.Context, q store.Query) ([]*store.Record, error) {
	return tx.reader.List(ctx, q)
}

func (tx countingTx) Count(ctx context.Context, q store.Query) (int, error) {
	return tx.reader.Count(ctx, q)
}

func (tx countingTx) Head(ctx context.Context, account string) (int64, error) {
	return tx.reader.Head(ctx, account)
}

// counted gives a service whose reads are counted.
func counted(t *testing.T, s *apitest.Server) (*access.Service, *authority.Authority, *reads) {
	t.Helper()
	n := &reads{}
	db := countingDB{s.DB, n}
	a := authority.New(authority.Config{DB: db, Catalogs: s.Registry})
	t.Cleanup(a.Close)
	return access.New(access.Config{DB: db, Authority: a, Now: s.Now, Limits: s.Access.Limits()}), a, n
}

// createAndDecide gives what a new policy and the first decision after it read.
func createAndDecide(t *testing.T, policies int) reads {
	t.Helper()
	s := apitest.New(t, nil, func(o *apitest.Options) { o.Access.Policies = 100_000 })
	fill(t, s, policies)
	service, a, n := counted(t, s)
	q := question("IBMid-1", "iam.policy.read", "kms")
	if _, err := a.Decide(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	*n = reads{}
	// IBMid-1 has forty policies before, as everybody has.
	if _, err := service.CreatePolicy(t.Context(), asker.System, apitest.Checked(t,
		service.PolicySpec(doc("IBMid-1", "Viewer", "kms")))); err != nil {
		t.Fatal(err)
	}
	if d, err := a.Decide(t.Context(), q); err != nil || !d.Allowed {
		t.Fatalf("decision %+v, error %v, want what the new policy gives", d, err)
	}
	return *n
}

func TestANewPolicyCostsTheSameReadsInASmallAndInALargeAccount(t *testing.T) {
	small, large := createAndDecide(t, 80), createAndDecide(t, 4000)
	if diff := cmp.Diff(small, large); diff != "" {
		t.Errorf("reads (-80 policies +4,000 policies):\n%s", diff)
	}
	if large.Counts != 0 || large.Rows > 1 {
		t.Errorf("%+v, want no count, and only the event of the new policy", large)
	}
}

// isFull tells whether an error is that of a full account.
func isFull(err error) bool {
	return errors.Is(err, fault.State) && fault.Of(err).Code == "unable_to_process"
}

// whose gives the subjects of a test of quotas: one, or as many as policies.
func whose(all bool, i int) string {
	if all {
		return fmt.Sprint("IBMid-Q", i)
	}
	return "IBMid-Q"
}

func TestQuotasHoldWhateverIsInMemory(t *testing.T) {
	const limit = 5
	services := []string{"kms", "is", "watson", "is.instance", "container-registry", "secrets-manager", "am-test-service"}
	tests := map[string]func(t *testing.T, s *apitest.Server, create func(context.Context, store.Tx) error) error{
		"one after the other, nothing in memory": func(t *testing.T, s *apitest.Server, create func(context.Context, store.Tx) error) error {
			return s.DB.Update(t.Context(), func(tx store.Tx) error { return create(t.Context(), tx) })
		},
		"one after the other, after a decision about the account": func(t *testing.T, s *apitest.Server,
			create func(context.Context, store.Tx) error) error {
			if _, err := s.Authority.Decide(t.Context(), question("IBMid-Q", "iam.policy.read", "kms")); err != nil {
				t.Fatal(err)
			}
			return s.DB.Update(t.Context(), func(tx store.Tx) error { return create(t.Context(), tx) })
		},
	}
	for name, attempt := range tests {
		for _, inAccount := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", many subjects ", inAccount), func(t *testing.T) {
				s := apitest.New(t, nil, func(o *apitest.Options) {
					o.Access.Policies, o.Access.PoliciesPerOwner = 1000, limit
					if inAccount {
						o.Access.Policies, o.Access.PoliciesPerOwner = limit, 1000
					}
				})
				for i := range limit + 2 {
					err := attempt(t, s, func(ctx context.Context, tx store.Tx) error {
						_, err := s.Access.CreatePolicyIn(ctx, tx, doc(whose(inAccount, i), "Viewer", services[i]), nil)
						return err
					})
					if full := i >= limit; isFull(err) != full || !full && err != nil {
						t.Errorf("policy %d: error %v, want full %v", i+1, err, full)
					}
				}
			})
		}
	}
}

func TestQuotasCountThePoliciesOfTheSameTransaction(t *testing.T) {
	s := apitest.New(t, nil, func(o *apitest.Options) { o.Access.Policies = 5 })
	if _, err := s.Authority.Decide(t.Context(), question("IBMid-Q", "iam.policy.read", "kms")); err != nil {
		t.Fatal(err)
	}
	made := 0
	err := s.DB.Update(t.Context(), func(tx store.Tx) error {
		for i := range 6 {
			if _, err := s.Access.CreatePolicyIn(t.Context(), tx, doc(fmt.Sprint("IBMid-Q", i), "Viewer", "kms"), nil); err != nil {
				return err
			}
			made++
		}
		return nil
	})
	if !isFull(err) || made != 5 {
		t.Errorf("%d policies were made, then %v; want 5, then a full account", made, err)
	}
}

func TestADeletedPolicyMakesRoomAtOnce(t *testing.T) {
	s := apitest.New(t, nil, func(o *apitest.Options) { o.Access.Policies = 1 })
	for i := range 3 {
		if _, err := s.Authority.Decide(t.Context(), question("IBMid-Q", "iam.policy.read", "kms")); err != nil {
			t.Fatal(err)
		}
		p, err := s.CreatePolicy(asker.System, doc(fmt.Sprint("IBMid-Q", i), "Viewer", "kms"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreatePolicy(asker.System, doc(fmt.Sprint("IBMid-R", i), "Viewer", "kms")); !isFull(err) {
			t.Errorf("error %v for a second policy, want a full account", err)
		}
		if err := s.DeletePolicy(p.ID); err != nil {
			t.Fatal(err)
		}
	}
}
