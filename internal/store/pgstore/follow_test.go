package pgstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

type note struct{ store.Meta }

var notes = store.NewCollection[note]("note", nil)

// Engines without notifications must follow as well: here the nodes take each
// other's notifications for their own and pay no heed to them.
func TestThePollFollowsWithoutNotifications(t *testing.T) {
	dsn := storetest.Postgres(t)
	var nodes []*DB
	for range 2 {
		db, err := Open(Options{DSN: dsn, Poll: 20 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.follow.node = "same"
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, db)
	}
	told := make(chan int64, 100)
	defer nodes[1].Subscribe(func(events []store.Event) {
		for _, ev := range events {
			told <- ev.Seq
		}
	})()
	var delays []time.Duration
	for i := range 20 {
		err := nodes[0].Update(t.Context(), func(tx store.Tx) error {
			return notes.Create(t.Context(), tx, &note{store.Meta{Account: "a1", ID: fmt.Sprint("n", i)}}, store.Event{Action: "c"})
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		select {
		case seq := <-told:
			if seq != int64(i+1) {
				t.Fatalf("event %d came after %d", seq, i)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the event did not come")
		}
		delays = append(delays, time.Since(start))
	}
	slices.Sort(delays)
	t.Logf("polling every 20 ms: median %v, slowest %v", delays[10], delays[19])
}

func TestGatesAreForgottenAndHeldByOne(t *testing.T) {
	var g gates
	var inside, most int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			// Different orders: the gates must sort them.
			accounts := []string{"a", "b", "c", "a"}
			if i%2 == 0 {
				slices.Reverse(accounts)
			}
			p, err := g.enter(t.Context(), accounts)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.leave()
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			if !p.try("a") {
				t.Error("a gate that is held was refused to its holder")
			}
			mu.Lock()
			inside--
			mu.Unlock()
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d were inside at once", most)
	}
	if len(g.open) != 0 {
		t.Errorf("%d gates are remembered", len(g.open))
	}
}

func TestAWaiterAtAGateMayGiveUp(t *testing.T) {
	var g gates
	holder, err := g.enter(t.Context(), []string{"b"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.enter(ctx, []string{"a", "b"}); err == nil {
		t.Error("entered through a held gate")
	}
	other, err := g.enter(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !other.try("a") || other.try("b") {
		t.Error("giving up kept a gate or opened one")
	}
	other.leave()
	holder.leave()
	if len(g.open) != 0 {
		t.Errorf("%d gates are remembered", len(g.open))
	}
}
