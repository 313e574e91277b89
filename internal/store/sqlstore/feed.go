package sqlstore

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kagiban/kagiban/internal/store"
)

// Feed holds the subscribers of one store, to events and to what is scheduled.
// The zero value is ready.
type Feed struct {
	events  listeners[[]store.Event]
	waiting listeners[struct{}]
}

// listeners are functions that hear of something.
type listeners[T any] struct {
	mu  sync.Mutex // guards replacement of all
	all atomic.Pointer[[]*listener[T]]
}

type listener[T any] struct{ fn func(T) }

// add adds a listener. A call that is under way when it is taken out may still
// finish.
func (l *listeners[T]) add(fn func(T)) (cancel func()) {
	one := &listener[T]{fn}
	l.replace(func(all []*listener[T]) []*listener[T] { return append(all, one) })
	return func() {
		l.replace(func(all []*listener[T]) []*listener[T] {
			return slices.DeleteFunc(all, func(x *listener[T]) bool { return x == one })
		})
	}
}

func (l *listeners[T]) replace(change func([]*listener[T]) []*listener[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*listener[T]
	if old := l.all.Load(); old != nil {
		all = slices.Clone(*old)
	}
	all = change(all)
	l.all.Store(&all)
}

func (l *listeners[T]) tell(what T) {
	if all := l.all.Load(); all != nil {
		for _, x := range *all {
			x.fn(what)
		}
	}
}

// Subscribe adds a subscriber. A call that is under way when the subscription
// ends may still finish.
func (f *Feed) Subscribe(fn func([]store.Event)) (cancel func()) { return f.events.add(fn) }

// OnSchedule adds who hears of jobs that were scheduled here.
func (f *Feed) OnSchedule(fn func()) (cancel func()) { return f.waiting.add(func(struct{}) { fn() }) }

// Scheduled tells of jobs that have become durable.
func (f *Feed) Scheduled() { f.waiting.tell(struct{}{}) }

// Publish tells every subscriber. Callers take turns: order is theirs to keep.
func (f *Feed) Publish(events []store.Event) {
	if len(events) == 0 {
		return
	}
	f.events.tell(events)
}

// PublishReset tells every subscriber to forget what it derived.
func (f *Feed) PublishReset() { f.Publish([]store.Event{{Op: store.Reset}}) }
