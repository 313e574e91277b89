// Package storetest is the conformance suite of the stores: what package store
// promises, as tests that every implementation passes. It is imported by tests
// only.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Options are what the suite needs of a store that it opens.
type Options struct {
	Now func() time.Time // clock of stamps and expiry
}

// Open gives a fresh, empty, migrated store. It closes the store and removes
// its data when the test ends.
type Open func(t *testing.T, o Options) store.DB

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"Objects", objectTests},
		{"Transactions", transactionTests},
		{"Text", textTests},
		{"Lists", listTests},
		{"Events", eventTests},
		{"Tokens", tokenTests},
		{"Activity", activityTests},
		{"Jobs", jobTests},
		{"Concurrency", concurrencyTests},
		{"Life", lifeTests},
		{"Model", modelTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, tt := range group.tests {
				t.Run(tt.name, func(t *testing.T) {
					clock := newClock()
					db := open(t, Options{Now: clock.Now})
					tt.run(&env{T: t, ctx: t.Context(), db: db, clock: clock})
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(*env)
}

// env is what a test of the suite works with.
type env struct {
	*testing.T
	ctx   context.Context
	db    store.DB
	clock *clock
}

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2030, 1, 2, 3, 4, 5, 678_901_000, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// badge is the kind of object that the suite stores.
type badge struct {
	store.Meta
	Color  string   `json:"color"`
	Labels []string `json:"labels,omitempty"` // each a unique key
}

func badgeKeys(b *badge) []store.Key {
	var keys []store.Key
	for _, l := range b.Labels {
		keys = append(keys, store.Key{Space: "label", Value: l})
	}
	return keys
}

var (
	badges = store.NewCollection("badge", badgeKeys)
	medals = store.NewCollection[badge]("medal", nil)
)

func label(value string) store.Key { return store.Key{Space: "label", Value: value} }

func newBadge(account, id, name string, labels ...string) *badge {
	return &badge{Meta: store.Meta{Account: account, ID: id, Name: name}, Color: "red", Labels: labels}
}

// must stops the test on an error.
func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// fails checks the kind of an error.
func (e *env) fails(err error, want fault.Kind) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Errorf("got error %v, want kind %s", err, want)
	}
}

func (e *env) equal(got, want any) {
	e.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		e.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

func (e *env) create(b *badge) *badge {
	e.Helper()
	e.must(e.tryCreate(b))
	return b
}

func (e *env) tryCreate(b *badge) error {
	return e.db.Update(e.ctx, func(tx store.Tx) error {
		return badges.Create(e.ctx, tx, b, store.Event{Action: "badge.create"})
	})
}

// change reads a badge, changes it and writes it back.
func (e *env) change(account, id string, how func(*badge)) error {
	return e.db.Update(e.ctx, func(tx store.Tx) error {
		b, err := badges.Get(e.ctx, tx, account, id)
		if err != nil {
			return err
		}
		how(b)
		return badges.Update(e.ctx, tx, b, store.Event{Action: "badge.update"})
	})
}

func (e *env) remove(b *badge) error {
	return e.db.Update(e.ctx, func(tx store.Tx) error {
		return badges.Delete(e.ctx, tx, b, store.Event{Action: "badge.delete"})
	})
}

func (e *env) get(account, id string) *badge {
	e.Helper()
	b, err := badges.Get(e.ctx, e.db.Direct(), account, id)
	e.must(err)
	return b
}

func (e *env) absent(account, id string) {
	e.Helper()
	_, err := badges.Get(e.ctx, e.db.Direct(), account, id)
	e.fails(err, fault.NotFound)
}

func (e *env) events(account string) []store.Event {
	e.Helper()
	events, err := e.db.Events(e.ctx, account, 0, 0)
	e.must(err)
	return events
}

// summary gives events in a form that tests can spell out.
func summary(events []store.Event) []string {
	out := []string{}
	for _, ev := range events {
		out = append(out, fmt.Sprintf("%s/%d %s %s", ev.Account, ev.Seq, ev.Op, ev.Target))
	}
	return out
}

// together runs fn n times at once and gives the errors.
func together(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// successes counts the calls that succeeded and fails the test on errors of
// other kinds than those named.
func (e *env) successes(errs []error, allowed ...fault.Kind) int {
	e.Helper()
	n := 0
next:
	for _, err := range errs {
		if err == nil {
			n++
			continue
		}
		for _, kind := range allowed {
			if errors.Is(err, kind) {
				continue next
			}
		}
		e.Errorf("unexpected error: %v", err)
	}
	return n
}
