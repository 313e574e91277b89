package authority_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// fill writes policies into the account, 40 for each identity.
func fill(b testing.TB, s *apitest.Server, policies int) {
	b.Helper()
	const batch = 5000
	for from := 0; from < policies; from += batch {
		s.Update(func(ctx context.Context, tx store.Tx) error {
			for i := from; i < min(from+batch, policies); i++ {
				subject := fmt.Sprint("IBMid-", i/40)
				p := &access.Policy{Meta: store.Meta{Account: acct, ID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i),
					Parent: string(policy.StateActive), Owner: subject}}
				p.Doc = *doc(subject, "Viewer", services[i%len(services)])
				p.Doc.Resource = append(p.Doc.Resource, policy.Attribute{Key: policy.AttrServiceInstance, Operator: policy.OpStringEquals,
					Value: policy.String(fmt.Sprint("instance-", i))})
				if err := access.Policies.Create(ctx, tx, p, store.Event{Action: "iam-am.policy.create"}); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// BenchmarkChangedPolicy measures what one changed policy costs in an account
// of many: the write, and the first decision after it.
func BenchmarkChangedPolicy(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := apitest.New(b, nil, func(o *apitest.Options) { o.Access.Policies = 2 * n })
			fill(b, s, n)
			q := question("IBMid-1", "iam.policy.read", "kms")
			if _, err := s.Authority.Decide(b.Context(), q); err != nil {
				b.Fatal(err)
			}
			b.Run("create+decide", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					p, err := s.CreatePolicy(asker.System, doc(fmt.Sprint("IBMid-new-", i), "Viewer", "kms"))
					if err != nil {
						b.Fatal(err)
					}
					d, err := s.Authority.Decide(b.Context(), q)
					if err != nil || d.Seq == 0 {
						b.Fatal(err)
					}
					b.StopTimer()
					if err := s.DeletePolicy(p.ID); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			})
			change := func(b *testing.B, i int) {
				target := fmt.Sprintf("%08x-0000-4000-8000-000000000000", i%n)
				next := doc(fmt.Sprint("IBMid-", i%n/40), []string{"Editor", "Viewer"}[i%2], services[i%n%len(services)])
				next.Resource = append(next.Resource, policy.Attribute{Key: policy.AttrServiceInstance, Operator: policy.OpStringEquals,
					Value: policy.String(fmt.Sprint("instance-", i%n))})
				if err := s.ReplacePolicy(asker.System, target, next); err != nil {
					b.Fatal(err)
				}
			}
			b.Run("replace+decide", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					change(b, i)
					if _, err := s.Authority.Decide(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("decide", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					change(b, i)
					b.StartTimer()
					if _, err := s.Authority.Decide(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkLoad measures the first decision about an account, and reports the
// memory that its snapshot takes.
func BenchmarkLoad(b *testing.B) {
	const n = 100_000
	s := apitest.New(b, nil)
	fill(b, s, n)
	q := question("IBMid-1", "iam.policy.read", "kms")
	for b.Loop() {
		b.StopTimer()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		a := authority.New(authority.Config{DB: s.DB, Catalogs: s.Registry})
		if _, err := a.Decide(b.Context(), q); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
		b.ReportMetric(float64(a.Size()), "size")
		a.Close()
		b.StartTimer()
	}
}

// BenchmarkManyWriters measures new policies of one account in PostgreSQL, 32
// at a time, in an account of 10,000. Without a snapshot in memory each of them
// counts the policies that are there.
func BenchmarkManyWriters(b *testing.B) {
	for name, decide := range map[string]bool{"snapshot in memory": true, "no snapshot": false} {
		b.Run(name, func(b *testing.B) {
			db, err := pgstore.Open(pgstore.Options{DSN: storetest.Postgres(b), MaxConns: 16})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if err := db.Migrate(b.Context()); err != nil {
				b.Fatal(err)
			}
			s := apitest.New(b, nil)
			s.DB = db
			s.NewAccount(acct, apitest.Owner)
			fill(b, s, 10_000)
			authority := authority.New(authority.Config{DB: db, Catalogs: s.Registry})
			defer authority.Close()
			service := access.New(access.Config{DB: db, Authority: authority, Now: s.Now, Limits: access.Limits{Policies: 1_000_000}})
			if decide {
				if _, err := authority.Decide(b.Context(), question("IBMid-1", "iam.policy.read", "kms")); err != nil {
					b.Fatal(err)
				}
			}
			ctx := store.WithOrigin(b.Context(), store.Origin{Account: acct})
			var n atomic.Int64
			b.SetParallelism(16) // of each core
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := service.CreatePolicy(ctx, asker.System, apitest.Checked(b,
						service.PolicySpec(doc(fmt.Sprint("IBMid-new-", n.Add(1)), "Viewer", "kms")))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "policies/s")
		})
	}
}
