package audit

import (
	"context"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

// Page is a part of an account's audit trail.
type Page struct {
	Events []store.Event // none of them silent
	Last   int64         // sequence number to continue after: what is before it was shown, or is silent
}

// Read gives what an account's trail holds after a sequence number, oldest first,
// at most limit (above 0). A page that has less ends where the log does.
func Read(ctx context.Context, db store.DB, account string, after int64, limit int) (Page, error) {
	page := Page{Last: after}
	for len(page.Events) < limit {
		ask := limit - len(page.Events)
		events, err := db.Events(ctx, account, page.Last, ask)
		if err != nil {
			return Page{}, err
		}
		for _, e := range events {
			page.Last = e.Seq
			if !e.Silent() {
				page.Events = append(page.Events, e)
			}
		}
		if len(events) < ask {
			break
		}
	}
	return page, nil
}

// Feed wakes readers of an account's events. It keeps no events: a reader that
// wakes reads the log. Make it with NewFeed; safe for concurrent use.
type Feed struct {
	db     store.DB
	cancel func()

	mu      sync.Mutex               // guards waiting
	waiting map[string]chan struct{} // by account; closed with the account's next event
}

// NewFeed makes a Feed that follows the store until Close.
func NewFeed(db store.DB) *Feed {
	f := &Feed{db: db, waiting: map[string]chan struct{}{}}
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

// Await is Read that waits, as long as there is nothing to show, for what comes
// next. It answers an empty page when its time is over or ending is closed.
func (f *Feed) Await(ctx context.Context, account string, after int64, limit int, wait time.Duration, ending <-chan struct{},
) (Page, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		next := f.Next(account) // before the read: no event falls between
		page, err := Read(ctx, f.db, account, after, limit)
		if err != nil || len(page.Events) > 0 {
			return page, err
		}
		after = page.Last
		select {
		case <-next:
		case <-timer.C:
			return page, nil
		case <-ending:
			return page, nil
		case <-ctx.Done():
			return Page{}, ctx.Err()
		}
	}
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
