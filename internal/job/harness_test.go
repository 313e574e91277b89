package job_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// world is a store with clocks that tests move. Each node has its own hold of
// the store where that is PostgreSQL.
type world struct {
	*testing.T
	open func() store.DB
	db   store.DB

	mu   sync.Mutex
	now  time.Time
	wall time.Time
}

// on runs a test on both stores.
func on(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		w := newWorld(t)
		db, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Memory: true, Now: w.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		w.open, w.db = func() store.DB { return db }, db
		test(w)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := storetest.Postgres(t)
		w := newWorld(t)
		w.open = func() store.DB {
			db, err := pgstore.Open(pgstore.Options{DSN: dsn, Now: w.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			return db
		}
		w.db = w.open()
		test(w)
	})
}

func newWorld(t *testing.T) *world {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return &world{T: t, now: at, wall: at}
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) Wall() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wall
}

// pass lets time pass, for the domain and for the machine.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.wall = w.now.Add(d), w.wall.Add(d)
}

// node makes a runner of some kinds.
func (w *world) node(name string, kinds ...job.Kind) *job.Runner {
	return job.New(job.Config{DB: w.open(), Node: name, Now: w.Now, Wall: w.Wall, Poll: time.Millisecond}, kinds...)
}

// start lets a node run; stop ends it as a shutdown does, and waits.
func (w *world) start(r *job.Runner) (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	w.Cleanup(stop)
	return stop
}

func (w *world) schedule(o job.Order) {
	w.Helper()
	w.must(w.db.Update(w.Context(), func(tx store.Tx) error { return job.Schedule(w.Context(), tx, o) }))
}

func (w *world) work(r *job.Runner) {
	w.Helper()
	w.must(r.Pass(w.Context()))
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// one gives the only job of a kind; nil when there is none.
func (w *world) one(kind string) *store.Job {
	w.Helper()
	found, err := w.db.Jobs().List(w.Context(), store.JobsQuery{Kind: kind})
	w.must(err)
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0]
	}
	w.Fatalf("%d jobs of kind %s", len(found), kind)
	return nil
}

// soon waits until something is so.
func (w *world) soon(what string, so func() bool) {
	w.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			w.Fatalf("it never came to be that %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// diary notes who ran what.
type diary struct {
	mu    sync.Mutex
	notes []string
}

func (d *diary) add(note string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, note)
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.notes...)
}
