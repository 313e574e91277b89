package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/throttle"
)

var (
	wrong     = fault.New(fault.Unauthenticated, "wrong")
	errBroken = errors.New("the store does not answer")
)

// clock is a throttle with a clock to move.
type clock struct {
	*throttle.Throttle
	t   testing.TB
	now time.Time
}

func newClock(t testing.TB) *clock {
	c := &clock{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	c.Throttle = throttle.New(func() time.Time { return c.now })
	return c
}

// guess is an attempt that is judged and gives err; it tells whether it was.
func (c *clock) guess(err error, bounds ...throttle.Bound) bool {
	c.t.Helper()
	a, refused := c.Reserve(c.t.Context(), bounds...)
	if refused != nil {
		if !errors.Is(refused, fault.RateLimited) || fault.Of(refused).RetryAfter < time.Second {
			c.t.Errorf("refused with %v", refused)
		}
		return false
	}
	if got := a.Done(err); got != err {
		c.t.Errorf("%v became %v", err, got)
	}
	return true
}

func TestOnlyFailuresCount(t *testing.T) {
	c, a := newClock(t), throttle.Bound{Limit: throttle.Limit{Burst: 2, Every: time.Minute}, Who: "a"}
	b := throttle.Bound{Limit: a.Limit, Who: "b"}
	for range 10 {
		if !c.guess(nil, a) || !c.guess(errBroken, a) {
			t.Fatal("what was right, or a failure of the server, counts")
		}
	}
	for range 2 {
		if !c.guess(wrong, a) {
			t.Fatal("within the burst")
		}
	}
	if c.guess(nil, a) {
		t.Error("after the burst somebody is heard")
	}
	if !c.guess(wrong, b) {
		t.Error("another source has to wait")
	}
	c.now = c.now.Add(-time.Hour) // the development clock may go back
	if c.guess(nil, a) {
		t.Error("going back in time opens the bucket")
	}
	c.now = c.now.Add(time.Hour + 59*time.Second)
	if c.guess(nil, a) {
		t.Error("open a second too early")
	}
	c.now = c.now.Add(time.Second)
	if !c.guess(wrong, a) || c.guess(nil, a) {
		t.Error("after a minute there is one more, and no second")
	}
	if c.Forget(); !c.guess(nil, a) {
		t.Error("nothing was forgiven")
	}
}

func TestWhatNobodyCanGuessIsJudgedFirst(t *testing.T) {
	c, a := newClock(t), throttle.Bound{Limit: throttle.Limit{Burst: 1, Every: time.Minute}, Who: "a"}
	for range 5 {
		if err := c.Refused(a, errBroken); err != errBroken {
			t.Fatalf("a failure of the server: %v", err)
		}
	}
	if err := c.Refused(a, wrong); err != wrong {
		t.Errorf("the first: %v", err)
	}
	if err := c.Refused(a, wrong); !errors.Is(err, fault.RateLimited) || fault.Of(err).RetryAfter != time.Minute {
		t.Errorf("the second: %v", err)
	}
}

// TestOfManyAtOnceNoMoreThanTheLimitAreJudged, however they interleave.
func TestOfManyAtOnceNoMoreThanTheLimitAreJudged(t *testing.T) {
	const many, burst = 150, 10
	c := newClock(t)
	source := throttle.Bound{Limit: throttle.Limit{Burst: 50, Every: time.Hour}, Who: "a"}
	target := throttle.Bound{Limit: throttle.Limit{Burst: burst, Every: time.Hour}, Who: "victim"}
	var judged, refused atomic.Int64
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			a, err := c.Reserve(t.Context(), source, target)
			if err != nil {
				refused.Add(1)
				return
			}
			judged.Add(1)
			_ = a.Done(wrong)
		})
	}
	all.Wait()
	if judged.Load() != burst || refused.Load() != many-burst {
		t.Errorf("%d judged, %d refused", judged.Load(), refused.Load())
	}
}

// TestWhoMayBeRightHoldsNobodyUp: many right attempts at once are all heard, one
// after the other where there is little room.
func TestWhoMayBeRightHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, b := newClock(t), throttle.Bound{Limit: throttle.Limit{Burst: 1, Every: time.Hour}, Who: "a"}
		first, err := c.Reserve(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		var heard atomic.Int64
		for range 5 {
			go func() {
				if a, err := c.Reserve(t.Context(), b); err == nil {
					heard.Add(1)
					_ = a.Done(nil)
				}
			}()
		}
		gone, leave := context.WithCancel(t.Context())
		var left error
		go func() { _, left = c.Reserve(gone, b) }()
		synctest.Wait()
		if heard.Load() != 0 {
			t.Error("two are inside a place for one")
		}
		leave()
		synctest.Wait()
		if !errors.Is(left, context.Canceled) {
			t.Errorf("who has gone waits on: %v", left)
		}
		_ = first.Done(nil)
		synctest.Wait()
		if heard.Load() != 5 {
			t.Errorf("%d of 5 were heard", heard.Load())
		}
	})
}

// TestNobodyPushesAVictimsBucketOut: not a source that is over its limit, by
// naming others; not many sources, by failing a little each.
func TestNobodyPushesAVictimsBucketOut(t *testing.T) {
	const many = 33200 // more than there is room for
	source := func(who string) throttle.Bound {
		return throttle.Bound{Limit: throttle.Limit{Burst: 5, Every: time.Minute}, Who: who}
	}
	target := func(who string) throttle.Bound {
		return throttle.Bound{Limit: throttle.Limit{Burst: 10, Every: time.Minute}, Who: who}
	}
	for name, push := range map[string]func(c *clock){
		"one source over its limit": func(c *clock) {
			for i := range many {
				c.guess(wrong, source("attacker"), target(fmt.Sprint("name ", i)))
			}
		},
		"many sources at many targets": func(c *clock) {
			for i := range 2 * many {
				c.guess(wrong, source(fmt.Sprint("source ", i)), target(fmt.Sprint("name ", i)))
			}
		},
		"many sources with keys": func(c *clock) {
			for i := range 2 * many {
				_ = c.Refused(target(fmt.Sprint("source ", i)), wrong)
			}
		},
		"right ones": func(c *clock) {
			for i := range many {
				c.guess(nil, source(fmt.Sprint("source ", i)), target(fmt.Sprint("name ", i)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock(t)
			for i := range 10 {
				if !c.guess(wrong, source(fmt.Sprint("another source ", i)), target("victim")) {
					t.Fatal("within the burst")
				}
			}
			push(c)
			if c.guess(nil, source("a fresh source"), target("victim")) {
				t.Error("the victim's failures are forgotten")
			}
		})
	}
}

func TestOneCustomerIsOneSource(t *testing.T) {
	for a, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "::ffff:203.0.113.9": "203.0.113.9",
		"2001:db8:1:2::1": "2001:db8:1:2::/64", "2001:db8:1:2:ffff::7": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := throttle.Source(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is of %s, want %s", a, got, want)
		}
	}
}
