package devapi

import (
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
)

// Clock is real time plus an offset. Its Now is the server's time everywhere
// but in timeouts of the network. Safe for concurrent use.
type Clock struct {
	real   func() time.Time
	offset atomic.Int64 // nanoseconds
}

// NewClock makes a clock that shows real time; nil means time.Now.
func NewClock(real func() time.Time) *Clock {
	if real == nil {
		real = time.Now
	}
	return &Clock{real: real}
}

// The range of the clock: what RFC 3339 and the seconds of a token can show
// with room to spare on both sides.
var (
	earliest = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Now is the moved time, in UTC and without monotonic reading, because a moved
// clock may jump.
func (c *Clock) Now() time.Time {
	now, _ := c.read()
	return now
}

func (c *Clock) read() (now time.Time, offset time.Duration) {
	offset = time.Duration(c.offset.Load())
	return c.real().Add(offset).Round(0).UTC(), offset
}

// Advance moves the clock by d, which may be negative. Concurrent moves add up.
func (c *Clock) Advance(d time.Duration) error {
	for {
		old := c.offset.Load()
		moved := time.Duration(old) + d
		if (d > 0) != (moved > time.Duration(old)) && d != 0 {
			return fault.Field("advance", "Property 'advance' moves the clock out of its range.")
		}
		if err := inRange(c.real().Add(moved), "advance"); err != nil {
			return err
		}
		if c.offset.CompareAndSwap(old, int64(moved)) {
			return nil
		}
	}
}

// Set makes the clock show t; it runs on from there.
func (c *Clock) Set(t time.Time) error {
	if err := inRange(t, "set"); err != nil {
		return err
	}
	c.offset.Store(int64(t.Sub(c.real())))
	return nil
}

// Real makes the clock show real time again.
func (c *Clock) Real() { c.offset.Store(0) }

func inRange(t time.Time, field string) error {
	if t.Before(earliest) || t.After(latest) {
		return fault.Field(field, "Property '%s' moves the clock out of its range (%d to %d).", field, earliest.Year(), latest.Year())
	}
	return nil
}
