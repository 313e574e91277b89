package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

// recorder is a subscriber that remembers.
type recorder struct {
	mu     sync.Mutex
	events []store.Event
}

func (r *recorder) take(events []store.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, events...)
}

func (r *recorder) has(target string) bool {
	return slices.ContainsFunc(r.all(), func(ev store.Event) bool { return ev.Target == target })
}

func (r *recorder) all() []store.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// gapless checks that the events of each account are numbered 1, 2, 3 … in
// the order given.
func (e *env) gapless(events []store.Event) map[string]int64 {
	e.Helper()
	last := map[string]int64{}
	for _, ev := range events {
		if ev.Seq != last[ev.Account]+1 {
			e.Errorf("account %s: event %d follows %d", ev.Account, ev.Seq, last[ev.Account])
		}
		last[ev.Account] = ev.Seq
	}
	return last
}

var eventTests = []test{
	{"an event tells everything of its write", func(e *env) {
		origin := store.Origin{IAMID: "iam-1", Name: "Ann", Account: "a9", Subject: "iam-2", Credential: "apikey",
			TransactionID: "t-1", Operation: "create_badge", Address: "192.0.2.1", Agent: "client/1"}
		ctx := store.WithOrigin(e.ctx, origin)
		b := newBadge("a1", "b1", "Gold")
		b.Parent = "p1"
		e.must(e.db.Update(ctx, func(tx store.Tx) error {
			return badges.Create(ctx, tx, b, store.Event{Action: "badge.create", CRN: "crn:1", Message: "made",
				Params: []string{"color"}, Data: json.RawMessage(`{"color":"red"}`)})
		}))
		want := []store.Event{{Account: "a1", Seq: 1, At: e.clock.Now(), Action: "badge.create", Op: store.Create,
			Kind: "badge", Target: "b1", Parent: "p1", Name: "Gold", CRN: "crn:1", Tag: b.Tag, Message: "made",
			Params: []string{"color"}, Data: json.RawMessage(`{"color":"red"}`), Origin: origin}}
		e.equal(e.events("a1"), want)
		history, err := e.db.Direct().History(e.ctx, "a1", "badge", "b1", 10)
		e.must(err)
		e.equal(history, want)
		all, err := e.db.AllEvents(e.ctx, time.Time{}, 10)
		e.must(err)
		e.equal(all, want)
	}},
	{"a transaction counts its own events to the head", func(e *env) {
		var heads []int64
		note := func(tx store.Tx, account string) {
			head, err := tx.Head(e.ctx, account)
			e.must(err)
			heads = append(heads, head)
		}
		e.create(newBadge("a1", "b1", "n"))
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			heads = nil
			note(tx, "a1")
			e.must(badges.Create(e.ctx, tx, newBadge("a1", "b2", "n"), store.Event{Action: "badge.create"}))
			e.must(badges.Create(e.ctx, tx, newBadge("a2", "b3", "n"), store.Event{Action: "badge.create"}))
			note(tx, "a1")
			_, err := tx.History(e.ctx, "a1", "badge", "b1", 1) // which writes what is due
			e.must(err)
			note(tx, "a1")
			note(tx, "a2")
			note(tx, "a3")
			return nil
		}))
		e.equal(heads, []int64{1, 2, 2, 1, 0})
		head, err := e.db.Head(e.ctx, "a1")
		e.must(err)
		e.equal(head, int64(2))
	}},
	{"an event may tell of another target", func(e *env) {
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			return badges.Create(e.ctx, tx, newBadge("a1", "part", "n"),
				store.Event{Action: "whole.update", Op: store.Update, Kind: "whole", Target: "w1", Name: "W"})
		}))
		history, err := e.db.Direct().History(e.ctx, "a1", "whole", "w1", 10)
		e.must(err)
		e.equal(summary(history), []string{"a1/1 update w1"})
		e.equal(history[0].Written(), store.Ref{Account: "a1", Kind: "badge", ID: "part"})
	}},
	{"history holds the newest events of one object, oldest first, and outlives it", func(e *env) {
		b := e.create(newBadge("a1", "b1", "n"))
		e.create(newBadge("a1", "b2", "n"))
		for range 4 {
			e.must(e.change("a1", "b1", func(b *badge) { b.Color += "!" }))
		}
		*b = *e.get("a1", "b1")
		e.must(e.remove(b))
		history, err := e.db.Direct().History(e.ctx, "a1", "badge", "b1", 3)
		e.must(err)
		e.equal(summary(history), []string{"a1/5 update b1", "a1/6 update b1", "a1/7 delete b1"})
		history, err = e.db.Direct().History(e.ctx, "a2", "badge", "b1", 3)
		e.must(err)
		e.equal(len(history), 0)
	}},
	{"the log is read in portions", func(e *env) {
		for i := range 10 {
			e.create(newBadge("a1", fmt.Sprint("b", i), "n"))
		}
		head, err := e.db.Head(e.ctx, "a1")
		e.must(err)
		e.equal(head, int64(10))
		got, err := e.db.Events(e.ctx, "a1", 4, 3)
		e.must(err)
		e.equal(summary(got), []string{"a1/5 create b4", "a1/6 create b5", "a1/7 create b6"})
		got, err = e.db.Events(e.ctx, "a1", 10, 3)
		e.must(err)
		e.equal(len(got), 0)
		head, err = e.db.Head(e.ctx, "never written")
		e.must(err)
		e.equal(head, int64(0))
	}},
	{"the newest events of all accounts come newest last", func(e *env) {
		start := e.clock.Now()
		for i := range 6 {
			e.clock.Advance(time.Second)
			e.create(newBadge(fmt.Sprint("a", i%2), fmt.Sprint("b", i), "n"))
		}
		got, err := e.db.AllEvents(e.ctx, start, 3)
		e.must(err)
		e.equal(summary(got), []string{"a1/2 create b3", "a0/3 create b4", "a1/3 create b5"})
		got, err = e.db.AllEvents(e.ctx, start.Add(5*time.Second), 10)
		e.must(err)
		e.equal(summary(got), []string{"a1/3 create b5"})
	}},
	{"one transaction writes the logs of several accounts", func(e *env) {
		e.create(newBadge("a2", "first", "n"))
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			for i, account := range []string{"a2", "a1", "a2"} {
				e.must(badges.Create(e.ctx, tx, newBadge(account, fmt.Sprint("b", i), "n"), store.Event{Action: "c"}))
			}
			return nil
		}))
		e.equal(summary(e.events("a1")), []string{"a1/1 create b1"})
		e.equal(summary(e.events("a2")), []string{"a2/1 create first", "a2/2 create b0", "a2/3 create b2"})
	}},
	{"subscribers have seen the events when the update returns", func(e *env) {
		var first, second recorder
		cancel := e.db.Subscribe(first.take)
		defer e.db.Subscribe(second.take)()
		e.create(newBadge("a1", "b1", "n"))
		e.equal(first.all(), e.events("a1"))
		e.equal(second.all(), e.events("a1"))
		cancel()
		e.create(newBadge("a1", "b2", "n"))
		e.equal(summary(first.all()), []string{"a1/1 create b1"})
		e.equal(summary(second.all()), []string{"a1/1 create b1", "a1/2 create b2"})
	}},
	{"nothing is told of a transaction that failed", func(e *env) {
		var r recorder
		defer e.db.Subscribe(r.take)()
		e.create(newBadge("a1", "b1", "n", "x"))
		e.successes([]error{e.tryCreate(newBadge("a1", "b2", "n", "x"))}, "conflict")
		_ = e.db.Update(e.ctx, func(tx store.Tx) error {
			e.must(badges.Create(e.ctx, tx, newBadge("a1", "b3", "n"), store.Event{Action: "c"}))
			_, err := tx.History(e.ctx, "a1", "badge", "b3", 0) // the event is in the log by now
			e.must(err)
			return errOwn
		})
		e.create(newBadge("a1", "b4", "n"))
		e.equal(summary(r.all()), []string{"a1/1 create b1", "a1/2 create b4"})
	}},
	{"concurrent writers leave no gap and subscribers see the order of the log", func(e *env) {
		var r recorder
		defer e.db.Subscribe(r.take)()
		const writers, writes = 32, 6
		errs := together(writers, func(i int) error {
			for n := range writes {
				err := e.db.Update(e.ctx, func(tx store.Tx) error {
					for _, account := range []string{fmt.Sprint("a", i%3), "shared"}[:1+n%2] {
						b := newBadge(account, fmt.Sprintf("b-%d-%d", i, n), "n")
						if err := badges.Create(e.ctx, tx, b, store.Event{Action: "c"}); err != nil {
							return err
						}
					}
					if n == 3 {
						return errOwn
					}
					return nil
				})
				if n == 3 && err == errOwn {
					continue
				}
				if err != nil {
					return err
				}
				if !r.has(fmt.Sprintf("b-%d-%d", i, n)) {
					return fmt.Errorf("the update returned before subscribers heard of b-%d-%d", i, n)
				}
			}
			return nil
		})
		e.equal(e.successes(errs), writers)
		last := e.gapless(r.all())
		e.equal(last["shared"], int64(writers*2))
		for account, seq := range last {
			head, err := e.db.Head(e.ctx, account)
			e.must(err)
			e.equal(head, seq)
			log := e.events(account)
			e.gapless(log)
			e.equal(int64(len(log)), seq)
		}
	}},
}
