// Package throttle bounds guessing: it counts failed attempts, per source and
// per target, and tells when somebody has to wait. Who asks, and for what, is
// its callers' business.
//
// There are two ways to ask, by what is judged. What people choose or type in
// (passwords, passcodes, secrets of clients) is asked for with Reserve before it
// is judged: over the limit nothing is judged, and of many at once no more than
// the limit. What nobody can guess (keys and tokens of 250 bits) is told of with
// Refused afterwards: a right one passes whatever its source did before.
package throttle

import (
	"container/heap"
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
)

// Limit is a bucket of failed attempts: Burst at once, then one each Every.
type Limit struct {
	Burst int
	Every time.Duration
}

// capacity bounds the buckets of one limit in memory, about 200 bytes each.
// Whoever fills it pushes out those who failed least, and last of all a bucket
// that somebody emptied: each that takes its place has to be emptied as far.
const capacity = 32 << 10

// Throttle counts failures. Only they count: whoever is right leaves nothing
// behind. It is safe for concurrent use.
type Throttle struct {
	now func() time.Time
	// mu guards pools and everything in them.
	mu    sync.Mutex
	pools map[Limit]*pool
}

// pool holds the buckets of one limit that are not full, the fullest first: one
// limit cannot push out those of another.
type pool struct {
	byName map[string]*bucket
	idle   order // those with nobody inside
}

// bucket is what somebody has left. It is in memory while it is not full, or
// somebody is inside.
type bucket struct {
	who   string
	limit Limit
	// failed are the failures that count still, as of the time at.
	failed float64
	at     time.Time
	// inside are the attempts that are being judged, left is closed when one ends.
	inside int
	left   chan struct{}
	place  int // in the pool's order, -1 when somebody is inside
}

// New makes a Throttle that nobody has failed at.
func New(now func() time.Time) *Throttle { return &Throttle{now: now, pools: map[Limit]*pool{}} }

// Forget forgives everybody.
func (t *Throttle) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.pools {
		for _, b := range p.byName {
			b.failed = 0
		}
		p.idle = nil
		p.byName = map[string]*bucket{}
	}
}

// Bound is a limit with whom it binds.
type Bound struct {
	Limit Limit
	Who   string
}

// Attempt is a place that is held while something is judged.
type Attempt struct {
	t       *Throttle
	buckets []*bucket
}

// Reserve takes a place at each bound before an attempt is judged, or gives
// fault.RateLimited, upon which nothing may be judged and nothing is remembered.
// While others are judged who may yet be right, it waits for them. Name the
// source first: one that is over its limit then leaves nothing at any target.
func (t *Throttle) Reserve(ctx context.Context, bounds ...Bound) (*Attempt, error) {
	a := &Attempt{t: t}
	for _, bound := range bounds {
		b, err := t.enter(ctx, bound)
		if err != nil {
			a.leave(0)
			return nil, err
		}
		a.buckets = append(a.buckets, b)
	}
	return a, nil
}

// Done gives the places back, and counts a failure when err says that what was
// judged was not good. It gives err.
func (a *Attempt) Done(err error) error {
	failures := 0.0
	if isRefusal(err) {
		failures = 1
	}
	a.leave(failures)
	return err
}

// isRefusal tells that a credential was not good from a failure of the server.
func isRefusal(err error) bool {
	return errors.Is(err, fault.Invalid) || errors.Is(err, fault.Unauthenticated)
}

func (a *Attempt) leave(failures float64) {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	now := a.t.now()
	for _, b := range a.buckets {
		b.fill(now)
		b.failed += failures
		b.inside--
		close(b.left)
		b.left = make(chan struct{})
		a.t.settle(b, now)
	}
	a.buckets = nil
}

// enter takes a place in one bucket.
func (t *Throttle) enter(ctx context.Context, bound Bound) (*bucket, error) {
	for {
		b, wait, err := t.tryEnter(bound)
		if wait == nil {
			return b, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryEnter takes a place, or gives an error when none is left, or what to wait
// for when others are inside who may give theirs back.
func (t *Throttle) tryEnter(bound Bound) (*bucket, chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, b, _, err := t.open(bound)
	if err != nil {
		return nil, nil, err
	}
	if b.failed+float64(b.inside)+1 > float64(b.limit.Burst)+slack {
		return nil, b.left, nil
	}
	b.inside++
	p.take(b)
	return b, nil, nil
}

// slack forgives the rounding of numbers that are added up.
const slack = 1e-6

// Refused counts a failure that was judged already and gives err, or 429 when
// the source failed too often; errors of the server do not count.
func (t *Throttle) Refused(bound Bound, err error) error {
	if !isRefusal(err) {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p, b, now, full := t.open(bound)
	if full != nil {
		return full
	}
	b.failed++
	p.take(b)
	t.settle(b, now)
	return err
}

// open gives a bucket as it is now, a new one that is not kept yet if there is
// none, or 429 when it has no place.
func (t *Throttle) open(bound Bound) (*pool, *bucket, time.Time, error) {
	p, now := t.pool(bound.Limit), t.now()
	b := p.byName[bound.Who]
	if b == nil {
		b = &bucket{who: bound.Who, limit: bound.Limit, at: now, left: make(chan struct{}), place: -1}
	}
	if wait := b.wait(now); wait > 0 {
		return nil, nil, now, errTooMany(wait)
	}
	b.fill(now)
	return p, b, now, nil
}

func (t *Throttle) pool(limit Limit) *pool {
	p := t.pools[limit]
	if p == nil {
		p = &pool{byName: map[string]*bucket{}}
		t.pools[limit] = p
	}
	return p
}

// take keeps a bucket out of the order while somebody is inside.
func (p *pool) take(b *bucket) {
	if b.place >= 0 {
		heap.Remove(&p.idle, b.place)
	}
	p.byName[b.who] = b
}

// settle puts a bucket in its place in the order, when nobody is inside any
// more, and makes room. A full one is forgotten.
func (t *Throttle) settle(b *bucket, now time.Time) {
	p := t.pool(b.limit)
	if b.inside > 0 || p.byName[b.who] != b { // forgiven meanwhile
		return
	}
	if b.failed <= 0 {
		delete(p.byName, b.who)
		return
	}
	heap.Push(&p.idle, b)
	for len(p.idle) > 0 && (len(p.byName) > capacity || !p.idle[0].full().After(now)) {
		first := heap.Pop(&p.idle).(*bucket)
		delete(p.byName, first.who)
	}
}

// fill forgives what the time since has forgiven. A clock that was set back
// forgives nothing.
func (b *bucket) fill(now time.Time) {
	if since := now.Sub(b.at); since > 0 {
		b.failed = max(0, b.failed-float64(since)/float64(b.limit.Every))
		b.at = now
	}
}

// wait is how long it takes until there is a place again, not counting those who
// are inside.
func (b *bucket) wait(now time.Time) time.Duration {
	failed := b.failed - max(0, float64(now.Sub(b.at))/float64(b.limit.Every))
	missing := failed + 1 - float64(b.limit.Burst)
	if missing <= slack {
		return 0
	}
	return time.Duration(missing * float64(b.limit.Every))
}

// full is when the bucket is as if nobody had failed.
func (b *bucket) full() time.Time { return b.at.Add(time.Duration(b.failed * float64(b.limit.Every))) }

// order is a heap of buckets, the first to be full first.
type order []*bucket

func (o order) Len() int           { return len(o) }
func (o order) Less(i, j int) bool { return o[i].full().Before(o[j].full()) }
func (o order) Swap(i, j int)      { o[i], o[j] = o[j], o[i]; o[i].place, o[j].place = i, j }
func (o *order) Push(x any)        { b := x.(*bucket); b.place = len(*o); *o = append(*o, b) }
func (o *order) Pop() any {
	last := len(*o) - 1
	b := (*o)[last]
	(*o)[last], *o, b.place = nil, (*o)[:last], -1
	return b
}

// Source names where a request comes from: the address, of IPv6 the /64 that
// one customer holds.
func Source(a netip.Addr) string {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

func errTooMany(wait time.Duration) error {
	return &fault.Error{Kind: fault.RateLimited, Code: "too_many_requests", RetryAfter: max(wait, time.Second),
		Message: "Too many failed attempts from this source or for this user. Try again later."}
}
