package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

var errRefused = errors.New("refused")

var concurrencyTests = []test{
	{"of conflicting updates exactly one wins", func(e *env) {
		e.create(newBadge("a1", "b1", "n"))
		read := *e.get("a1", "b1")
		errs := together(32, func(i int) error {
			b := read
			b.Color = fmt.Sprint("color", i)
			return e.db.Update(e.ctx, func(tx store.Tx) error {
				mine := b // the function may run again
				return badges.Update(e.ctx, tx, &mine, store.Event{Action: "u"})
			})
		})
		e.equal(e.successes(errs, fault.Stale), 1)
		e.equal(e.get("a1", "b1").Version, int64(2))
		e.equal(len(e.events("a1")), 2)
	}},
	{"of creations with one key exactly one wins", func(e *env) {
		errs := together(32, func(i int) error {
			return e.tryCreate(newBadge(fmt.Sprint("a", i%4), fmt.Sprint("b", i), "n", "same"))
		})
		e.equal(e.successes(errs, fault.Conflict), 1)
		n, err := badges.Count(e.ctx, e.db.Direct(), store.Query{})
		e.must(err)
		e.equal(n, 1)
	}},
	{"read and write in one transaction lose no update", func(e *env) {
		e.create(newBadge("a1", "b1", "0"))
		errs := together(32, func(int) error {
			for range 4 {
				err := e.change("a1", "b1", func(b *badge) {
					n, _ := strconv.Atoi(b.Name)
					b.Name = strconv.Itoa(n + 1)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		e.equal(e.successes(errs), 32)
		e.equal(e.get("a1", "b1").Name, "128")
	}},
	{"transactions behave as if one came after the other", func(e *env) {
		// Each turns one lamp off if the other is on. Run one after the other
		// they leave one on; on snapshots of their own both could go off.
		for round := range 10 {
			left, right := fmt.Sprint("left", round), fmt.Sprint("right", round)
			e.create(newBadge("a1", left, "on"))
			e.create(newBadge("a2", right, "on"))
			off := func(mineAccount, mine, otherAccount, other string) error {
				return e.db.Update(e.ctx, func(tx store.Tx) error {
					o, err := badges.Get(e.ctx, tx, otherAccount, other)
					if err != nil {
						return err
					}
					if o.Name != "on" {
						return errRefused
					}
					b, err := badges.Get(e.ctx, tx, mineAccount, mine)
					if err != nil {
						return err
					}
					b.Name = "off"
					return badges.Update(e.ctx, tx, b, store.Event{Action: "u"})
				})
			}
			errs := together(2, func(i int) error {
				if i == 0 {
					return off("a1", left, "a2", right)
				}
				return off("a2", right, "a1", left)
			})
			if (errs[0] == nil) == (errs[1] == nil) {
				e.Errorf("round %d: %v", round, errs)
			}
		}
	}},
	{"a limit that is checked in the transaction is never passed", func(e *env) {
		errs := together(32, func(i int) error {
			return e.db.Update(e.ctx, func(tx store.Tx) error {
				n, err := badges.Count(e.ctx, tx, store.Query{Account: "a1"})
				if err != nil {
					return err
				}
				if n >= 5 {
					return fault.New(fault.Limit, "full")
				}
				return badges.Create(e.ctx, tx, newBadge("a1", fmt.Sprint("b", i), "n"), store.Event{Action: "c"})
			})
		})
		e.equal(e.successes(errs, fault.Limit), 5)
	}},
	{"readers see whole transactions while writers write", func(e *env) {
		e.create(newBadge("a1", "left", "0"))
		e.create(newBadge("a1", "right", "0"))
		var done atomic.Bool
		errs := together(8, func(i int) error {
			if i < 2 {
				defer done.Store(true)
				for range 25 {
					err := e.db.Update(e.ctx, func(tx store.Tx) error {
						for _, id := range []string{"left", "right"} {
							b, err := badges.Get(e.ctx, tx, "a1", id)
							if err != nil {
								return err
							}
							n, _ := strconv.Atoi(b.Name)
							b.Name = strconv.Itoa(n + 1)
							if err := badges.Update(e.ctx, tx, b, store.Event{Action: "u"}); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						return err
					}
				}
				return nil
			}
			for !done.Load() {
				err := e.db.View(e.ctx, func(r store.Reader) error {
					left, err := badges.Get(e.ctx, r, "a1", "left")
					if err != nil {
						return err
					}
					right, err := badges.Get(e.ctx, r, "a1", "right")
					if err == nil && left.Name != right.Name {
						err = fmt.Errorf("saw %s and %s", left.Name, right.Name)
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		e.equal(e.successes(errs), 8)
		e.equal(e.get("a1", "left").Name, "50")
	}},
	{"a caller that gives up while it waits leaves the others alone", func(e *env) {
		entered, leave := make(chan struct{}), make(chan struct{})
		holder := make(chan error, 1)
		go func() {
			first := true
			holder <- e.db.Update(e.ctx, func(tx store.Tx) error {
				if err := badges.Create(e.ctx, tx, newBadge("a1", "holder", "n"), store.Event{Action: "c"}); err != nil {
					return err
				}
				if first {
					first = false
					close(entered)
				}
				<-leave
				return nil
			})
		}()
		<-entered
		ctx, cancel := context.WithCancel(e.ctx)
		waiting := make(chan error, 8)
		for i := range 8 {
			go func() {
				use := e.ctx
				if i%2 == 0 {
					use = ctx
				}
				waiting <- e.db.Update(use, func(tx store.Tx) error {
					return badges.Create(use, tx, newBadge("a1", fmt.Sprint("w", i), "n"), store.Event{Action: "c"})
				})
			}()
		}
		cancel()
		close(leave)
		e.must(<-holder)
		failed := 0
		for range 8 {
			if err := <-waiting; errors.Is(err, context.Canceled) {
				failed++
			} else {
				e.must(err)
			}
		}
		n, err := badges.Count(e.ctx, e.db.Direct(), store.Query{Account: "a1"})
		e.must(err)
		e.equal(n, 9-failed)
		e.gapless(e.events("a1"))
	}},
}

var lifeTests = []test{
	{"a context that has ended stops every call", func(e *env) {
		e.create(newBadge("a1", "b1", "n"))
		ctx, cancel := context.WithCancel(e.ctx)
		cancel()
		wrote := false
		for name, call := range map[string]func() error{
			"update": func() error {
				return e.db.Update(ctx, func(tx store.Tx) error { wrote = true; return nil })
			},
			"view":   func() error { return e.db.View(ctx, func(store.Reader) error { return nil }) },
			"direct": func() error { _, err := e.db.Direct().Get(ctx, "badge", "a1", "b1"); return err },
			"list":   func() error { _, err := badges.List(ctx, e.db.Direct(), store.Query{}); return err },
			"take":   func() error { _, err := e.db.Tokens().Take(ctx, "s", "k"); return err },
			"events": func() error { _, err := e.db.Events(ctx, "a1", 0, 0); return err },
		} {
			if err := call(); !errors.Is(err, context.Canceled) {
				e.Errorf("%s: got %v", name, err)
			}
		}
		if wrote {
			e.Error("the function ran")
		}
	}},
	{"a context that ends inside a view stops its readings", func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		err := e.db.View(e.ctx, func(r store.Reader) error {
			cancel()
			_, err := badges.Get(ctx, r, "a1", "b1")
			return err
		})
		if !errors.Is(err, context.Canceled) {
			e.Errorf("got %v", err)
		}
	}},
	{"a context that ends inside a transaction takes it back", func(e *env) {
		ctx, cancel := context.WithCancel(e.ctx)
		defer cancel()
		err := e.db.Update(ctx, func(tx store.Tx) error {
			err := badges.Create(ctx, tx, newBadge("a1", "b1", "n"), store.Event{Action: "c"})
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) {
			e.Errorf("got %v", err)
		}
		e.absent("a1", "b1")
		e.create(newBadge("a1", "b1", "n"))
	}},
	{"a reset forgets everything and tells so", func(e *env) {
		e.create(newBadge("a1", "b1", "n", "x"))
		e.must(e.db.Tokens().Put(e.ctx, e.token("k", time.Hour)))
		e.must(e.db.AddActivity(e.ctx, []store.Activity{{Account: "a1", Subject: "s", Count: 1}}))
		var r recorder
		defer e.db.Subscribe(r.take)()
		e.must(e.db.Reset(e.ctx))
		if got := r.all(); len(got) != 1 || got[0].Op != store.Reset || got[0].Account != "" {
			e.Errorf("subscribers got %+v", got)
		}
		e.absent("a1", "b1")
		_, err := badges.Lookup(e.ctx, e.db.Direct(), label("x"))
		e.fails(err, fault.NotFound)
		_, err = e.db.Tokens().Get(e.ctx, "session", "k")
		e.fails(err, fault.NotFound)
		activity, err := e.db.ListActivity(e.ctx, "a1")
		e.must(err)
		e.equal(len(activity), 0)
		all, err := e.db.AllEvents(e.ctx, time.Time{}, 10)
		e.must(err)
		e.equal(len(all), 0)
		e.create(newBadge("a1", "b1", "n", "x"))
		e.equal(summary(r.all()[1:]), []string{"a1/1 create b1"})
	}},
	{"a closed store answers that it is unavailable", func(e *env) {
		e.create(newBadge("a1", "b1", "n"))
		e.must(e.db.Ping(e.ctx))
		e.must(e.db.Close())
		e.must(e.db.Close())
		for name, err := range map[string]error{
			"update": e.tryCreate(newBadge("a1", "b2", "n")),
			"view":   e.db.View(e.ctx, func(store.Reader) error { return nil }),
			"get":    func() error { _, err := e.db.Direct().Get(e.ctx, "badge", "a1", "b1"); return err }(),
			"take":   func() error { _, err := e.db.Tokens().Take(e.ctx, "s", "k"); return err }(),
			"ping":   e.db.Ping(e.ctx),
		} {
			if !errors.Is(err, fault.Unavailable) {
				e.Errorf("%s: got %v", name, err)
			}
		}
	}},
	{"closing lets the queued work finish", func(e *env) {
		entered := make(chan struct{})
		results := make(chan error, 1)
		go func() {
			first := true
			results <- e.db.Update(e.ctx, func(tx store.Tx) error {
				if first {
					first = false
					close(entered)
				}
				return badges.Create(e.ctx, tx, newBadge("a1", "b1", "n"), store.Event{Action: "c"})
			})
		}()
		<-entered
		e.must(e.db.Close())
		if err := <-results; err != nil && !errors.Is(err, fault.Unavailable) {
			e.Errorf("got %v", err)
		}
	}},
}
