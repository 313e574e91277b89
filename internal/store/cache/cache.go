// Package cache keeps decoded objects in memory for the hot paths: an API key
// exchange must not read the database when nothing has changed. It reads
// through to a store and forgets by its events, so that after Update has
// returned nobody at this node gets the old state from here.
//
// What it gives is shared: callers must not change it. It holds no rule of IAM
// and must not be used inside a transaction, which has a reader of its own.
package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

const (
	// counters is the number of change counters of each sort. Objects share
	// them by hash: a write makes one in 16,384 entries be read again in vain.
	counters = 1 << 14
	// absentCapacity bounds the remembered failures. They live apart from the
	// objects, so that somebody who guesses keys drives out only guesses.
	absentCapacity = 4096
	// loadTime bounds a read that several callers may wait for.
	loadTime = 10 * time.Second
)

// Cache is safe for concurrent use.
type Cache struct {
	db      store.DB
	objects *otter.Cache[key, *entry] // by kind, account ("" too), id
	lookups *otter.Cache[key, *entry] // by kind, space, value
	absent  *otter.Cache[key, *entry] // failures of both
	flights singleflight.Group
	seed    maphash.Seed
	end     func()

	misses atomic.Int64 // for tests
	// epoch moves before any counter does.
	epoch       atomic.Uint64
	changes     [counters]atomic.Uint64 // by kind and id; by kind alone for new objects
	generations [counters]atomic.Uint64 // by account
}

type key struct{ kind, a, b string }

// entry is what was read, valid as long as its counter stands where it stood
// before the reading began. A write that comes between the reading and the
// storing has moved the counter: what was stored too late is never used.
type entry struct {
	value   any   // *T; nil if absent
	err     error // if absent
	counter *atomic.Uint64
	stamp   uint64
}

func (e *entry) fresh() bool { return e.counter.Load() == e.stamp }

// New makes a cache for capacity objects and as many look-ups. It subscribes to
// the store until Close.
func New(db store.DB, capacity int) *Cache {
	c := &Cache{
		db:      db,
		objects: otter.Must(&otter.Options[key, *entry]{MaximumSize: capacity}),
		lookups: otter.Must(&otter.Options[key, *entry]{MaximumSize: capacity}),
		absent:  otter.Must(&otter.Options[key, *entry]{MaximumSize: absentCapacity}),
		seed:    maphash.MakeSeed(),
	}
	c.end = db.Subscribe(c.forget)
	return c
}

// Close ends the subscription. The cache must not be used any more.
func (c *Cache) Close() { c.end() }

// Get gives an object by its id, as Collection.Get does on the store. The
// object is shared and must not be changed.
func Get[T any](ctx context.Context, c *Cache, of *store.Collection[T], account, id string) (*T, error) {
	k := key{of.Kind(), account, id}
	if v, err, ok := found[T](c, c.objects, k); ok {
		return v, err
	}
	counter := c.change(k.kind, id)
	stamp := counter.Load()
	flight := "get\x00" + k.kind + "\x00" + account + "\x00" + id + "\x00" + strconv.FormatUint(stamp, 10)
	return load[T](ctx, c, flight, func(ctx context.Context) (*entry, error) {
		if e, ok := c.objects.GetIfPresent(k); ok && e.fresh() {
			return e, nil // another flight has landed just now
		}
		v, err := of.Get(ctx, c.db.Direct(), account, id)
		e := &entry{value: v, err: err, counter: counter, stamp: stamp}
		return e, c.keep(c.objects, k, e)
	})
}

// Lookup gives the object of a kind that holds a key, as Collection.Lookup
// does on the store. The object is shared and must not be changed.
func Lookup[T any](ctx context.Context, c *Cache, of *store.Collection[T], by store.Key) (*T, error) {
	k := key{of.Kind(), by.Space, by.Value}
	if v, err, ok := found[T](c, c.lookups, k); ok {
		return v, err
	}
	epoch := c.epoch.Load()
	flight := "lookup\x00" + k.kind + "\x00" + by.Space + "\x00" + by.Value + "\x00" + strconv.FormatUint(epoch, 10)
	return load[T](ctx, c, flight, func(ctx context.Context) (*entry, error) {
		if e, ok := c.lookups.GetIfPresent(k); ok && e.fresh() {
			return e, nil
		}
		return lookUp(ctx, c, of, k, epoch)
	})
}

// lookUp reads the holder of a key. Which counter tells of the holder's
// changes is known only after the reading; if anything has changed meanwhile,
// it reads once more, now knowing the counter.
func lookUp[T any](ctx context.Context, c *Cache, of *store.Collection[T], k key, epoch uint64) (*entry, error) {
	anyNew := c.change(k.kind, "")
	newStamp := anyNew.Load()
	var counter *atomic.Uint64
	var stamp uint64
	for try := 0; ; try++ {
		v, err := of.Lookup(ctx, c.db.Direct(), store.Key{Space: k.a, Value: k.b})
		if err != nil {
			e := &entry{err: err, counter: anyNew, stamp: newStamp}
			return e, c.keep(c.lookups, k, e)
		}
		holder := c.change(k.kind, any(v).(store.Entity).Base().ID)
		if holder != counter {
			counter, stamp = holder, holder.Load()
			if c.epoch.Load() != epoch && try < 2 {
				epoch, newStamp = c.epoch.Load(), anyNew.Load()
				continue
			}
		}
		e := &entry{value: v, counter: counter, stamp: stamp}
		if try < 2 {
			return e, c.keep(c.lookups, k, e)
		}
		return e, nil
	}
}

// found looks into the memory. It allocates nothing.
func found[T any](c *Cache, in *otter.Cache[key, *entry], k key) (*T, error, bool) {
	if e, ok := in.GetIfPresent(k); ok && e.fresh() {
		if v, ok := e.value.(*T); ok {
			return v, nil, true
		}
	}
	if e, ok := c.absent.GetIfPresent(k); ok && e.fresh() {
		return nil, e.err, true
	}
	c.misses.Add(1)
	return nil, nil, false
}

// keep remembers what was read, or that nothing is there. Other failures are
// not remembered.
func (c *Cache) keep(in *otter.Cache[key, *entry], k key, e *entry) error {
	switch {
	case e.err == nil:
		in.Set(k, e)
		return nil
	case errors.Is(e.err, fault.NotFound):
		c.absent.Set(k, e)
	}
	return e.err
}

// load reads once for all callers that miss the same thing in the same state.
// A flight's name holds the state, so that a caller who comes after a write
// never joins a reading that began before it.
func load[T any](ctx context.Context, c *Cache, flight string, read func(context.Context) (*entry, error)) (*T, error) {
	result := c.flights.DoChan(flight, func() (any, error) {
		// It is not only for the first caller: that one may give up.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
		defer cancel()
		return read(ctx)
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		v, ok := r.Val.(*entry).value.(*T)
		if !ok {
			return nil, fmt.Errorf("reading through the cache: two types claim one kind, %T and %T", v, r.Val.(*entry).value)
		}
		return v, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// change gives the counter of an object's changes, or with id "" that of the
// writes that may give a kind's objects new keys.
func (c *Cache) change(kind, id string) *atomic.Uint64 {
	return &c.changes[maphash.Comparable(c.seed, [2]string{kind, id})%counters]
}

func (c *Cache) generation(account string) *atomic.Uint64 {
	return &c.generations[maphash.String(c.seed, account)%counters]
}

// Generation gives a number that moves with every event of an account (and
// sometimes with those of others), before Update returns at this node. A value
// derived from what was read after Generation gave n is current as long as it
// gives n.
func (c *Cache) Generation(account string) uint64 { return c.generation(account).Load() }

// forget is the subscriber.
func (c *Cache) forget(events []store.Event) {
	c.epoch.Add(1)
	for i := range events {
		ev := &events[i]
		if ev.Op == store.Reset {
			c.forgetAll()
			continue
		}
		w := ev.Written()
		c.change(w.Kind, w.ID).Add(1)
		c.change(w.Kind, "").Add(1)
		c.generation(ev.Account).Add(1)
		if w.Account != ev.Account {
			c.generation(w.Account).Add(1)
		}
		c.objects.Invalidate(key{w.Kind, w.Account, w.ID})
		c.objects.Invalidate(key{w.Kind, "", w.ID})
	}
}

func (c *Cache) forgetAll() {
	for i := range counters {
		c.changes[i].Add(1)
		c.generations[i].Add(1)
	}
	c.objects.InvalidateAll()
	c.lookups.InvalidateAll()
	c.absent.InvalidateAll()
}
