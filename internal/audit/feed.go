package audit

import (
	"sync"

	"github.com/kagiban/kagiban/internal/store"
)

// Feed wakes readers of an account's events. It keeps no events: a reader that
// wakes reads the log. Make it with NewFeed; safe for concurrent use.
type Feed struct {
	cancel func()

	mu      sync.Mutex               // guards waiting
	waiting map[string]chan struct{} // by account; closed with the account's next event
}

// NewFeed makes a Feed that follows the store until Close.
func NewFeed(db store.DB) *Feed {
	f := &Feed{waiting: map[string]chan struct{}{}}
	f.cancel = db.Subscribe(f.wake)
	return f
}

// Close ends the following of the store. Readers that wait go on waiting.
func (f *Feed) Close() { f.cancel() }

// Next gives a channel that is closed with the account's next event. Take it
// before reading the log, so that no event falls between.
func (f *Feed) Next(account string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.waiting[account]
	if ch == nil {
		ch = make(chan struct{})
		f.waiting[account] = ch
	}
	return ch
}

func (f *Feed) wake(events []store.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range events {
		if events[i].Op == store.Reset {
			for account := range f.waiting {
				f.end(account)
			}
			return
		}
		f.end(events[i].Account)
	}
}

// end wants mu.
func (f *Feed) end(account string) {
	if ch := f.waiting[account]; ch != nil {
		close(ch)
		delete(f.waiting, account)
	}
}
