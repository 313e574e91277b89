package sqlitestore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

// defaultPatience bounds the wait for the turn. Only a function that calls the
// store from inside its own transaction, and thus waits for itself, comes near.
const defaultPatience = 30 * time.Second

var errImpatient = sqlstore.Unavailable(errors.New("waiting for a turn to write: is the store used inside its own transaction?"))

// turn is a lock with a queue, first come, first served. It differs from a
// mutex in that its holder can pass it to the next in the queue knowing that
// there is one: a batch of transactions must never be left without somebody
// who commits it. The zero value is free.
type turn struct {
	patience time.Duration // 0 means defaultPatience

	mu     sync.Mutex // guards all below
	held   bool
	closed bool
	queue  []*waiter
}

type waiter struct {
	ready   chan struct{} // closed when the turn is granted
	granted bool
}

// acquire waits for the turn. A turn that arrives together with the end of the
// context is taken: it must be used or passed on.
func (t *turn) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return errClosed
	}
	if !t.held {
		t.held = true
		t.mu.Unlock()
		return nil
	}
	me := t.enqueue()
	t.mu.Unlock()

	timer := time.NewTimer(cmp.Or(t.patience, defaultPatience))
	defer timer.Stop()
	select {
	case <-me.ready:
		return nil
	case <-ctx.Done():
		return t.giveUp(me, ctx.Err())
	case <-timer.C:
		return t.giveUp(me, errImpatient)
	}
}

func (t *turn) enqueue() *waiter {
	me := &waiter{ready: make(chan struct{})}
	t.queue = append(t.queue, me)
	return me
}

func (t *turn) giveUp(me *waiter, why error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if me.granted {
		return nil
	}
	t.queue = slices.DeleteFunc(t.queue, func(w *waiter) bool { return w == me })
	return why
}

// grant hands the turn to the next in the queue, if there is one. mu is held.
func (t *turn) grant() bool {
	if len(t.queue) == 0 {
		return false
	}
	next := t.queue[0]
	t.queue[0] = nil
	t.queue = t.queue[1:]
	next.granted = true
	close(next.ready)
	return true
}

// pass hands the turn to the next in the queue; false, and the caller keeps
// it, if nobody waits.
func (t *turn) pass() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.grant()
}

// release hands the turn on or makes it free.
func (t *turn) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = t.grant()
}

// close turns newcomers away, waits for those in the queue and keeps the turn
// for ever; false if somebody closed before.
func (t *turn) close() bool {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return false
	}
	t.closed = true
	if !t.held {
		t.held = true
		t.mu.Unlock()
		return true
	}
	me := t.enqueue()
	t.mu.Unlock()
	<-me.ready
	return true
}
