package activity_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/activity"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

const account = "0123456789abcdef0123456789abcdef"

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) store.DB {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func get(t *testing.T, c *activity.Counter, subject string) store.Activity {
	t.Helper()
	a, err := c.Get(t.Context(), account, subject)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestUsesCountBeforeAndAfterTheyAreWritten(t *testing.T) {
	c := activity.New(open(t), activity.Policies)
	c.Add(noon, account, "p1", "", "p2")
	c.Add(noon.Add(time.Second), account, "p1")
	for _, written := range []bool{false, true} {
		if a := get(t, c, "p1"); a.Count != 2 || !a.Last.Equal(noon.Add(time.Second)) {
			t.Errorf("written %v: p1 was used %d times, last at %s", written, a.Count, a.Last)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.Add(noon.Add(-time.Hour), account, "p1")
	if a := get(t, c, "p1"); a.Count != 3 || !a.Last.Equal(noon.Add(time.Second)) {
		t.Errorf("an older use must count and not move the last one, got %+v", a)
	}
	if a := get(t, c, "unused"); a.Count != 0 || !a.Last.IsZero() {
		t.Errorf("what was never used has no activity, got %+v", a)
	}
}

func TestCountersWithDifferentPrefixesDoNotSeeEachOther(t *testing.T) {
	db := open(t)
	keys, policies := activity.New(db, ""), activity.New(db, activity.Policies)
	keys.Add(noon, account, "ApiKey-1", "same")
	policies.Add(noon, account, "p1", "same")
	for _, c := range []*activity.Counter{keys, policies} {
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	policies.Add(noon, account, "p2")
	for _, c := range []struct {
		counter *activity.Counter
		want    string
	}{{keys, "ApiKey-1 same"}, {policies, "p1 p2 same"}} {
		list, err := c.counter.List(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, a := range list {
			names = append(names, a.Subject)
			if a.Count != 1 {
				t.Errorf("%s was used once, not %d times", a.Subject, a.Count)
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("listed %q, want %q", got, c.want)
		}
	}
}

// failing refuses the first batch.
type failing struct {
	store.DB
	left int
}

func (f *failing) AddActivity(ctx context.Context, batch []store.Activity) error {
	if f.left > 0 {
		f.left--
		return errors.New("disk full")
	}
	return f.DB.AddActivity(ctx, batch)
}

func TestCountsThatCannotBeWrittenAreKept(t *testing.T) {
	db := open(t)
	c := activity.New(&failing{DB: db, left: 1}, activity.Policies)
	c.Add(noon, account, "p1")
	if err := c.Flush(t.Context()); err == nil {
		t.Fatal("a failed write must be told")
	}
	c.Add(noon, account, "p1")
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored, err := db.GetActivity(t.Context(), account, "policy/p1")
	if err != nil || stored.Count != 2 {
		t.Errorf("stored %+v, %v; want 2 uses", stored, err)
	}
}

func TestNothingIsLostOrCountedTwiceBesideAFlush(t *testing.T) {
	c := activity.New(open(t), "")
	const users, uses = 8, 200
	var all sync.WaitGroup
	for range users {
		all.Go(func() {
			for range uses {
				c.Add(noon, account, "a", "b")
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for last := int64(0); ; {
		n := get(t, c, "a").Count
		if n < last {
			t.Fatalf("the count went from %d to %d", last, n)
		}
		last = n
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			if n := get(t, c, "a").Count; n != users*uses {
				t.Errorf("counted %d of %d", n, users*uses)
			}
			return
		default:
		}
	}
}

func TestForgottenCountsAreGone(t *testing.T) {
	c := activity.New(open(t), "")
	c.Add(noon, account, "a")
	c.Forget()
	if a := get(t, c, "a"); a.Count != 0 {
		t.Errorf("still %d", a.Count)
	}
}
