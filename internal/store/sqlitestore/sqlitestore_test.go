package sqlitestore_test

import (
	"path/filepath"
	"testing"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// open opens a migrated store that is closed when the test ends.
func open(t testing.TB, o sqlitestore.Options) *sqlitestore.DB {
	t.Helper()
	if !o.Memory && o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "kagiban.db")
	}
	db, err := sqlitestore.Open(t.Context(), o)
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

func TestConformanceOfFiles(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o storetest.Options) store.DB {
		return open(t, sqlitestore.Options{Now: o.Now, Relaxed: true})
	})
}

func TestConformanceOfMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o storetest.Options) store.DB {
		return open(t, sqlitestore.Options{Now: o.Now, Memory: true})
	})
}

func BenchmarkFile(b *testing.B) { storetest.Benchmark(b, open(b, sqlitestore.Options{})) }

func BenchmarkMemory(b *testing.B) {
	storetest.Benchmark(b, open(b, sqlitestore.Options{Memory: true}))
}

// A development server starts with a fresh database in memory.
func BenchmarkOpenMemory(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		db, err := sqlitestore.Open(b.Context(), sqlitestore.Options{Memory: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
