package pgstore_test

import (
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// open opens a migrated store that is closed when the test ends.
func open(t testing.TB, o pgstore.Options) *pgstore.DB {
	t.Helper()
	if o.DSN == "" {
		o.DSN = storetest.Postgres(t)
	}
	db, err := pgstore.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o storetest.Options) store.DB {
		return open(t, pgstore.Options{Now: o.Now})
	})
}

// Engines that spread over machines make transactions begin again far more
// often than one PostgreSQL does.
func TestConformanceWhenCommitsCollide(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o storetest.Options) store.DB {
		var n atomic.Int64
		return open(t, pgstore.Options{Now: o.Now, Fault: func(p pgstore.Point) error {
			if p == pgstore.BeforeCommit && n.Add(1)%3 == 0 {
				return &pgconn.PgError{Code: "40001"}
			}
			return nil
		}})
	})
}

func BenchmarkPostgreSQL(b *testing.B) {
	storetest.Benchmark(b, open(b, pgstore.Options{MaxConns: 16}))
}
