package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

type note struct {
	store.Meta
	Text string `json:"text"`
}

var notes = store.NewCollection[note]("note", nil)

func write(ctx context.Context, db store.DB, account, id string) error {
	return db.Update(ctx, func(tx store.Tx) error {
		return notes.Create(ctx, tx, &note{Meta: store.Meta{Account: account, ID: id}}, store.Event{Action: "c"})
	})
}

func mustWrite(t *testing.T, db store.DB, account, id string) {
	t.Helper()
	if err := write(t.Context(), db, account, id); err != nil {
		t.Fatal(err)
	}
}

// inbox collects events and lets tests wait for them.
type inbox struct {
	mu     sync.Mutex
	events []store.Event
	more   chan struct{}
}

func subscribe(t *testing.T, db store.DB) *inbox {
	in := &inbox{more: make(chan struct{}, 1)}
	t.Cleanup(db.Subscribe(func(events []store.Event) {
		in.mu.Lock()
		in.events = append(in.events, events...)
		in.mu.Unlock()
		select {
		case in.more <- struct{}{}:
		default:
		}
	}))
	return in
}

func (in *inbox) all() []store.Event {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.events)
}

// wait waits until the inbox satisfies a condition.
func (in *inbox) wait(t *testing.T, what string, ok func([]store.Event) bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	for !ok(in.all()) {
		select {
		case <-in.more:
		case <-late:
			t.Fatalf("%s did not come; got %d events: %v", what, len(in.all()), in.all())
		}
	}
}

func holds(id string) func([]store.Event) bool {
	return func(events []store.Event) bool {
		return slices.ContainsFunc(events, func(ev store.Event) bool { return ev.Target == id })
	}
}

// delays gives the sorted times until a write at one node is known at another.
func delays(t *testing.T, from, to *pgstore.DB, n int) []time.Duration {
	in := subscribe(t, to)
	var out []time.Duration
	for i := range n {
		id := fmt.Sprint("n", i)
		mustWrite(t, from, "a1", id)
		start := time.Now()
		in.wait(t, id, holds(id))
		out = append(out, time.Since(start))
	}
	slices.Sort(out)
	return out
}

func TestAWriteIsKnownAtTheOtherNodeWithin100ms(t *testing.T) {
	dsn := storetest.Postgres(t)
	a, b := open(t, pgstore.Options{DSN: dsn}), open(t, pgstore.Options{DSN: dsn, Poll: time.Hour})
	subscribe(t, a) // the node that writes follows, too
	d := delays(t, a, b, 40)
	t.Logf("with notifications: median %v, slowest %v", d[20], d[39])
	if d[20] > 100*time.Millisecond {
		t.Errorf("the median is %v", d[20])
	}
}

func TestBothNodesSeeOneOrderOfOneAccount(t *testing.T) {
	dsn := storetest.Postgres(t)
	// One connection each: whoever held it while asking for another would hang.
	nodes := []*pgstore.DB{open(t, pgstore.Options{DSN: dsn, MaxConns: 1}), open(t, pgstore.Options{DSN: dsn, MaxConns: 1})}
	var inboxes []*inbox
	for _, db := range nodes {
		inboxes = append(inboxes, subscribe(t, db))
	}
	const writers, writes = 6, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range writes {
				id := fmt.Sprintf("n-%d-%d", w, i)
				db, in := nodes[w%2], inboxes[w%2]
				if err := write(t.Context(), db, "shared", id); err != nil {
					t.Error(err)
				} else if !holds(id)(in.all()) {
					t.Errorf("%s was not told before the update returned", id)
				}
			}
		})
	}
	wg.Wait()
	for _, in := range inboxes {
		in.wait(t, "the last event", func(events []store.Event) bool {
			return len(events) >= writers*writes
		})
		for i, ev := range in.all() {
			if ev.Seq != int64(i+1) {
				t.Fatalf("event %d came at place %d", ev.Seq, i+1)
			}
		}
	}
}

func TestANewNodeFollowsFromNowOn(t *testing.T) {
	dsn := storetest.Postgres(t)
	a := open(t, pgstore.Options{DSN: dsn})
	for i := range 20 {
		mustWrite(t, a, "a1", fmt.Sprint("old", i))
	}
	b := open(t, pgstore.Options{DSN: dsn})
	in := subscribe(t, b)
	mustWrite(t, a, "a1", "new")
	in.wait(t, "new", holds("new"))
	if got := in.all(); len(got) != 1 {
		t.Errorf("got %d events", len(got))
	}
	if lag := b.Lag(); lag <= 0 || lag > 5*time.Second {
		t.Errorf("lag is %v", lag)
	}
}

func TestAResetAtOneNodeIsToldAtTheOther(t *testing.T) {
	dsn := storetest.Postgres(t)
	a, b := open(t, pgstore.Options{DSN: dsn}), open(t, pgstore.Options{DSN: dsn})
	in := subscribe(t, b)
	mustWrite(t, a, "a1", "before")
	in.wait(t, "before", holds("before"))
	if err := a.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	in.wait(t, "the reset", func(events []store.Event) bool { return events[len(events)-1].Op == store.Reset })
	mustWrite(t, a, "a1", "after")
	in.wait(t, "after", holds("after"))
	if last := in.all()[len(in.all())-1]; last.Seq != 1 {
		t.Errorf("the first event after the reset is %+v", last)
	}
}

// cut ends the connections of stores whose DSN carries the name, and returns
// when the database has let them go.
func cut(t *testing.T, dsn, name string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT pid FROM pg_stat_activity WHERE application_name = $1`, name)
	if err != nil {
		t.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		// The last argument is the time to wait for the end, in milliseconds.
		if _, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend($1, 5000)`, pid); err != nil {
			t.Fatal(err)
		}
	}
	return len(pids)
}

func TestALostConnectionIsReplacedUnnoticed(t *testing.T) {
	dsn := storetest.Postgres(t)
	named := dsn + "&application_name=cut"
	db, other := open(t, pgstore.Options{DSN: named}), open(t, pgstore.Options{DSN: dsn})
	in := subscribe(t, db)
	for i := range 3 {
		id := fmt.Sprint("n", i)
		mustWrite(t, db, "a1", id)
		if cut(t, dsn, "cut") == 0 {
			t.Fatal("there was nothing to cut")
		}
		if _, err := notes.Get(t.Context(), db.Direct(), "a1", id); err != nil {
			t.Errorf("reading: %v", err)
		}
		cut(t, dsn, "cut")
		if err := db.View(t.Context(), func(r store.Reader) error {
			_, err := notes.Get(t.Context(), r, "a1", id)
			return err
		}); err != nil {
			t.Errorf("viewing: %v", err)
		}
		cut(t, dsn, "cut")
		mustWrite(t, db, "a1", id+"b")
		mustWrite(t, other, "a1", id+"c")
		in.wait(t, id+"c", holds(id+"c"))
	}
}

func TestAConnectionLostInsideATransactionStartsItAgain(t *testing.T) {
	dsn := storetest.Postgres(t)
	db := open(t, pgstore.Options{DSN: dsn + "&application_name=inside"})
	runs := 0
	err := db.Update(t.Context(), func(tx store.Tx) error {
		runs++
		if err := notes.Create(t.Context(), tx, &note{Meta: store.Meta{Account: "a1", ID: "n"}}, store.Event{Action: "c"}); err != nil {
			return err
		}
		if runs == 1 {
			cut(t, dsn, "inside")
		}
		_, err := notes.Get(t.Context(), tx, "a1", "n")
		return err
	})
	if err != nil || runs != 2 {
		t.Errorf("%d runs, error %v", runs, err)
	}
}

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	db, err := pgstore.Open(pgstore.Options{DSN: "postgres://user:hush@/db?host=" + t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	defer db.Subscribe(func([]store.Event) {})()
	for name, err := range map[string]error{
		"update": write(t.Context(), db, "a1", "n"),
		"view":   db.View(t.Context(), func(store.Reader) error { return nil }),
		"ping":   db.Ping(t.Context()),
		"check":  db.CheckSchema(t.Context()),
		"take":   func() error { _, err := db.Tokens().Take(t.Context(), "s", "k"); return err }(),
	} {
		if !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: got %v", name, err)
		}
		if text := fault.Of(err).Message + fault.Of(err).Details; text != "" {
			t.Errorf("%s: clients would read %q", name, text)
		}
	}
}

func TestAWrongConnectionStringHidesItsPassword(t *testing.T) {
	for _, dsn := range []string{"postgres://user:hush@host:notaport/db", "host=h password=hush port=nine",
		"postgres://user:hush@h/db?sslmode=odd"} {
		_, err := pgstore.Open(pgstore.Options{DSN: dsn})
		if err == nil {
			t.Errorf("%s was taken", dsn)
		} else if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "hush") {
			t.Errorf("the password is in %q", text)
		}
	}
}

func TestAStatementThatTakesTooLongIsUnavailable(t *testing.T) {
	dsn := storetest.Postgres(t)
	db := open(t, pgstore.Options{DSN: dsn, StatementTimeout: 50 * time.Millisecond})
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE objects"); err != nil {
		t.Fatal(err)
	}
	_, err = notes.Get(t.Context(), db.Direct(), "a1", "n")
	if !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestNodesThatStartTogetherMigrateOnce(t *testing.T) {
	dsn := storetest.Postgres(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := pgstore.Open(pgstore.Options{DSN: dsn})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if err := errors.Join(db.Migrate(t.Context()), db.CheckSchema(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestTheSchemaIsChecked(t *testing.T) {
	dsn := storetest.Postgres(t)
	db, err := pgstore.Open(pgstore.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CheckSchema(t.Context()); fault.Of(err).Kind != fault.State {
		t.Errorf("empty database: got %v", err)
	}
	if err := errors.Join(db.Migrate(t.Context()), db.CheckSchema(t.Context())); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "INSERT INTO kagiban_schema (version_id, is_applied) VALUES (9999, true)"); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckSchema(t.Context()); fault.Of(err).Kind != fault.State {
		t.Errorf("newer database: got %v", err)
	}
}
