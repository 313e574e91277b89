package sqlstore

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kagiban/kagiban/internal/store"
)

// Feed holds the subscribers of one store. The zero value is ready.
type Feed struct {
	mu   sync.Mutex // guards replacement of subs
	subs atomic.Pointer[[]*subscriber]
}

type subscriber struct{ fn func([]store.Event) }

// Subscribe adds a subscriber. A call that is under way when the subscription
// ends may still finish.
func (f *Feed) Subscribe(fn func([]store.Event)) (cancel func()) {
	s := &subscriber{fn}
	f.replace(func(subs []*subscriber) []*subscriber { return append(subs, s) })
	return func() {
		f.replace(func(subs []*subscriber) []*subscriber {
			return slices.DeleteFunc(subs, func(x *subscriber) bool { return x == s })
		})
	}
}

func (f *Feed) replace(change func([]*subscriber) []*subscriber) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var subs []*subscriber
	if old := f.subs.Load(); old != nil {
		subs = slices.Clone(*old)
	}
	subs = change(subs)
	f.subs.Store(&subs)
}

// Publish tells every subscriber. Callers take turns: order is theirs to keep.
func (f *Feed) Publish(events []store.Event) {
	if len(events) == 0 {
		return
	}
	if subs := f.subs.Load(); subs != nil {
		for _, s := range *subs {
			s.fn(events)
		}
	}
}

// PublishReset tells every subscriber to forget what it derived.
func (f *Feed) PublishReset() { f.Publish([]store.Event{{Op: store.Reset}}) }
