package audit_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/audit"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

func open(t *testing.T) store.DB {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

type thing struct{ store.Meta }

var (
	things = store.NewCollection[thing]("thing", nil)
	told   = store.Event{Action: "x.y.create"}
)

// write makes one object for each event, in one transaction.
func write(t *testing.T, db store.DB, accountID string, events ...store.Event) {
	t.Helper()
	head, err := db.Head(t.Context(), accountID)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx store.Tx) error {
		for i, ev := range events {
			name := strconv.FormatInt(head+int64(i)+1, 10)
			if err := things.Create(t.Context(), tx, &thing{store.Meta{Account: accountID, ID: name}}, ev); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func seqs(events []store.Event) []int64 {
	out := []int64{}
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

func TestPagesOfTheTrailPassOverSilentWrites(t *testing.T) {
	db := open(t)
	// 1 and 5 are told, 2 to 4 and 6 are not.
	write(t, db, account, told, store.Silent, store.Silent, store.Silent, told, store.Silent)
	for _, c := range []struct {
		after int64
		limit int
		want  []int64
		last  int64
	}{
		{0, 10, []int64{1, 5}, 6},
		{0, 2, []int64{1, 5}, 5}, // as full as what is asked for, though two events are read at a time
		{0, 1, []int64{1}, 1},
		{1, 1, []int64{5}, 5},
		{1, 2, []int64{5}, 6},
		{5, 1, []int64{}, 6},
		{6, 1, []int64{}, 6},
	} {
		page, err := audit.Read(t.Context(), db, account, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, seqs(page.Events)); diff != "" || page.Last != c.last {
			t.Errorf("%d after %d: continue after %d, want %d; -want +got\n%s", c.limit, c.after, page.Last, c.last, diff)
		}
	}
}

// eventful is a store in which something happens right after each reading of
// the log.
type eventful struct {
	store.DB
	next []func()
}

func (e *eventful) Events(ctx context.Context, accountID string, after int64, limit int) ([]store.Event, error) {
	events, err := e.DB.Events(ctx, accountID, after, limit)
	if len(e.next) > 0 {
		happens := e.next[0]
		e.next = e.next[1:]
		happens()
	}
	return events, err
}

func TestAWaitingReaderSleepsOnThroughSilentWrites(t *testing.T) {
	db := &eventful{DB: open(t)}
	feed := audit.NewFeed(db)
	defer feed.Close()
	silent, loud := func() { write(t, db, account, store.Silent) }, func() { write(t, db, account, store.Silent, told) }
	db.next = []func(){silent, silent, loud}
	page, err := feed.Await(t.Context(), account, 0, 10, time.Hour, nil)
	if diff := cmp.Diff([]int64{4}, seqs(page.Events)); err != nil || diff != "" || page.Last != 4 {
		t.Errorf("continue after %d, %v; -want +got\n%s", page.Last, err, diff)
	}
}

func TestAWaitThatEndsMovesOnPastSilentWrites(t *testing.T) {
	ending := make(chan struct{})
	for name, c := range map[string]struct {
		wait time.Duration
		end  func()
	}{
		"its time is over":     {0, func() {}},
		"the server goes down": {time.Hour, func() { close(ending) }},
	} {
		t.Run(name, func(t *testing.T) {
			db := &eventful{DB: open(t), next: []func(){c.end}}
			feed := audit.NewFeed(db)
			defer feed.Close()
			write(t, db, account, store.Silent)
			page, err := feed.Await(t.Context(), account, 0, 10, c.wait, ending)
			if err != nil || len(page.Events) != 0 || page.Last != 1 {
				t.Errorf("%+v, %v", page, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	db := &eventful{DB: open(t), next: []func(){cancel}}
	feed := audit.NewFeed(db)
	defer feed.Close()
	if _, err := feed.Await(ctx, account, 0, 10, time.Hour, nil); err == nil {
		t.Error("a reader that went away got an answer")
	}
}

func TestAFeedWakesTheReadersOfTheAccountOnly(t *testing.T) {
	db := open(t)
	feed := audit.NewFeed(db)
	defer feed.Close()
	other := strings.Repeat("f", 32)
	mine, same, theirs := feed.Next(account), feed.Next(account), feed.Next(other)
	write(t, db, account, told)
	for name, ch := range map[string]<-chan struct{}{"first": mine, "second": same} {
		select {
		case <-ch:
		default:
			t.Errorf("the %s reader sleeps on after the write returned", name)
		}
	}
	select {
	case <-theirs:
		t.Error("another account's reader was woken")
	default:
	}
	select {
	case <-feed.Next(account):
		t.Error("a new reader was woken by an old event")
	default:
	}
	if err := db.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-theirs:
	default:
		t.Error("a reset woke nobody")
	}
}
