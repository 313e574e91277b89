package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

type note struct{ store.Meta }

var notes = store.NewCollection[note]("note", nil)

func write(ctx context.Context, db *DB, id string) error {
	return db.Update(ctx, func(tx store.Tx) error { return put(ctx, tx, id) })
}

func put(ctx context.Context, tx store.Tx, id string) error {
	return notes.Create(ctx, tx, &note{store.Meta{Account: "a1", ID: id}}, store.Event{Action: "c"})
}

// disk is a disk that tests can stop and break.
type disk struct {
	mu      sync.Mutex
	commits int
	broken  error
	// held, if set, is closed when a commit waits for release.
	held, release chan struct{}
}

var errDisk = errors.New("no space left on device")

func (d *disk) at(p Point) error {
	d.mu.Lock()
	if p == BeforeCommit {
		d.commits++
	}
	held, release, broken := d.held, d.release, d.broken
	if p == BeforeCommit {
		d.held = nil
	}
	d.mu.Unlock()
	if p == BeforeCommit && held != nil {
		close(held)
		<-release
	}
	return broken
}

func (d *disk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.commits
}

func (d *disk) breakDown(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

func openOn(t *testing.T, d *disk) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "k.db"), Fault: d.at})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// whileCommitting runs n functions at once so that all of them queue behind a
// commit that is under way, and gives their errors.
func whileCommitting(t *testing.T, db *DB, d *disk, n int, fn func(i int) error) []error {
	t.Helper()
	d.mu.Lock()
	held := make(chan struct{})
	d.held, d.release = held, make(chan struct{})
	d.mu.Unlock()
	first := make(chan error)
	go func() { first <- write(t.Context(), db, "first") }()
	<-held
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
		waiting(&db.writer.turn, i+1)
	}
	close(d.release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	return errs
}

// waiting returns when n wait for the turn.
func waiting(q *turn, n int) {
	for {
		q.mu.Lock()
		got := len(q.queue)
		q.mu.Unlock()
		if got == n {
			return
		}
	}
}

func count(t *testing.T, db *DB) int {
	t.Helper()
	n, err := notes.Count(t.Context(), db.Direct(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestThoseWhoWaitCommitTogether(t *testing.T) {
	d := &disk{}
	db := openOn(t, d)
	errs := whileCommitting(t, db, d, 31, func(i int) error { return write(t.Context(), db, fmt.Sprint("n", i)) })
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if n := d.count(); n != 2 {
		t.Errorf("32 transactions took %d commits, want 2", n)
	}
	if n := count(t, db); n != 32 {
		t.Errorf("%d objects, want 32", n)
	}
}

func TestNobodyInABatchReturnsBeforeSubscribersHeard(t *testing.T) {
	d := &disk{}
	db := openOn(t, d)
	var heard sync.Map
	defer db.Subscribe(func(events []store.Event) {
		for range 1000 { // others get every chance to run ahead
			runtime.Gosched()
		}
		for _, ev := range events {
			heard.Store(ev.Target, true)
		}
	})()
	errs := whileCommitting(t, db, d, 8, func(i int) error {
		id := fmt.Sprint("n", i)
		err := write(t.Context(), db, id)
		if _, ok := heard.Load(id); !ok {
			t.Errorf("%s returned unheard", id)
		}
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func TestInABatchEachKeepsItsOwnFate(t *testing.T) {
	d := &disk{}
	db := openOn(t, d)
	var told []string
	defer db.Subscribe(func(events []store.Event) {
		for _, ev := range events {
			told = append(told, ev.Target)
		}
	})()
	own := errors.New("own error")
	ctx, cancel := context.WithCancel(t.Context())
	errs := whileCommitting(t, db, d, 9, func(i int) (err error) {
		id := fmt.Sprint("n", i)
		switch i % 3 {
		case 0:
			return write(t.Context(), db, id)
		case 1:
			return db.Update(t.Context(), func(tx store.Tx) error { return errors.Join(put(t.Context(), tx, id), own) })
		}
		defer func() { err = fmt.Errorf("panic: %v", recover()) }()
		return db.Update(ctx, func(tx store.Tx) error {
			cancel()
			if err := put(t.Context(), tx, id); err != nil {
				return err
			}
			panic("a defect")
		})
	})
	for i, err := range errs {
		switch {
		case i%3 == 0 && err != nil, i%3 == 1 && !errors.Is(err, own), i%3 == 2 && err == nil:
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := count(t, db); n != 4 {
		t.Errorf("%d objects, want 4", n)
	}
	if len(told) != 4 {
		t.Errorf("subscribers heard of %v", told)
	}
	head, err := db.Head(t.Context(), "a1")
	if err != nil || head != 4 {
		t.Errorf("head %d, %v", head, err)
	}
}

func TestALastInTheQueueThatGivesUpLeavesNoBatchBehind(t *testing.T) {
	d := &disk{}
	db := openOn(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	errs := whileCommitting(t, db, d, 2, func(i int) error {
		if i == 0 {
			return db.Update(t.Context(), func(tx store.Tx) error {
				cancel() // the one behind gives up while the turn is on its way
				return put(t.Context(), tx, "n0")
			})
		}
		return write(ctx, db, "n1")
	})
	if errs[0] != nil || !errors.Is(errs[1], context.Canceled) {
		t.Errorf("got %v", errs)
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d objects, want 2", n)
	}
}

func TestATurnThatComesWithTheEndOfTheContextIsTaken(t *testing.T) {
	var q turn
	if err := q.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	me := q.enqueue()
	q.release()
	if err := q.giveUp(me, context.Canceled); err != nil {
		t.Errorf("the turn is nobody's: %v", err)
	}
	other := q.enqueue()
	if err := q.giveUp(other, context.Canceled); !errors.Is(err, context.Canceled) || len(q.queue) != 0 {
		t.Errorf("got %v and %d in the queue", err, len(q.queue))
	}
}

func TestADiskThatFailsAtTheCommitFailsTheWholeBatch(t *testing.T) {
	d := &disk{}
	db := openOn(t, d)
	told := 0
	defer db.Subscribe(func(events []store.Event) { told += len(events) })()
	errs := whileCommitting(t, db, d, 8, func(i int) error {
		return db.Update(t.Context(), func(tx store.Tx) error {
			if i == 7 {
				d.breakDown(errDisk)
			}
			return put(t.Context(), tx, fmt.Sprint("n", i))
		})
	})
	for _, err := range errs {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("got %v", err)
		}
		if f := fault.Of(err); f.Message != "" || f.Details != "" {
			t.Errorf("clients would read %q %q", f.Message, f.Details)
		}
	}
	if err := write(t.Context(), db, "later"); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	if n := count(t, db); n != 1 || told != 1 {
		t.Errorf("%d objects are there and %d were told, want the first only", n, told)
	}
	d.breakDown(nil)
	if err := write(t.Context(), db, "n0"); err != nil {
		t.Errorf("after the repair: %v", err)
	}
	if head, err := db.Head(t.Context(), "a1"); err != nil || head != 2 {
		t.Errorf("head %d, %v", head, err)
	}
}

func TestAFunctionThatWaitsForItselfGetsAnError(t *testing.T) {
	db := openOn(t, &disk{})
	db.writer.turn.patience = time.Millisecond
	err := db.Update(t.Context(), func(store.Tx) error { return write(t.Context(), db, "inner") })
	if !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	db.writer.turn.patience = 0
	if err := write(t.Context(), db, "n"); err != nil {
		t.Error(err)
	}
}

func TestReadersWaitForAConnectionAsLongAsTheirContextLasts(t *testing.T) {
	db, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "k.db"), Readers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(t.Context(), func(store.Reader) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		return db.Ping(ctx)
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
