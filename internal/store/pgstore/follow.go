package pgstore

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

const (
	// overlap is how far back a look at the heads reaches. It must exceed
	// transactionTime, because a head carries the time before its commit, plus
	// the difference between the nodes' clocks.
	overlap = 15 * time.Second
	// Every wideEvery a look reaches wideOverlap back, for a node whose clock
	// is further off or that was stopped for a while.
	wideEvery   = 30 * time.Second
	wideOverlap = 15 * time.Minute
	// rest is the shortest time between two looks.
	rest = 5 * time.Millisecond
	// portion is the number of events read at a time.
	portion = 500
	// startWait bounds how long the first subscriber waits for the heads.
	startWait = 3 * time.Second
)

const touchedHeads = `SELECT account, seq FROM heads WHERE touched_at > $1`

// follower tells this node's subscribers of every event: of own writes before
// Update returns, of other nodes' writes as it finds them in the log. Events
// of one account go out in the order of their numbers.
type follower struct {
	db   *DB
	feed sqlstore.Feed
	node string // names this node in notifications

	start   sync.Mutex // held while the first subscriber starts the work
	started bool
	end     context.CancelFunc
	work    sync.WaitGroup
	wake    chan struct{} // a notification came
	kick    chan struct{} // a notification is to be sent

	mu sync.Mutex // held while subscribers are told; guards all below
	// known is the last event told of each account: about 100 bytes each.
	// nil until it was learned where the log ends.
	known map[string]int64
	seen  atomic.Int64 // time of the last good look, in nanoseconds
}

func newFollower(db *DB) *follower {
	return &follower{db: db, node: rand.Text(), wake: make(chan struct{}, 1), kick: make(chan struct{}, 1)}
}

func (f *follower) subscribe(fn func([]store.Event)) (cancel func()) {
	cancel = f.feed.Subscribe(fn)
	f.start.Lock()
	defer f.start.Unlock()
	if f.started || f.db.life.enter() != nil {
		return cancel
	}
	defer f.db.life.leave()
	f.started = true
	ctx, end := context.WithCancel(context.Background())
	f.end = end
	begin, done := context.WithTimeout(ctx, startWait)
	defer done()
	if err := f.learn(begin); err != nil {
		f.db.opts.Log.Warn("cannot read the heads of the log yet", "error", err)
	}
	f.work.Go(func() { f.poll(ctx) })
	f.work.Go(func() { f.listen(ctx) })
	f.work.Go(func() { f.notify(ctx) })
	return cancel
}

func (f *follower) stop() {
	f.start.Lock()
	defer f.start.Unlock()
	if f.end != nil {
		f.end()
	}
	f.work.Wait()
}

func (f *follower) lag() time.Duration {
	seen := f.seen.Load()
	if seen == 0 {
		return 0
	}
	return time.Since(time.Unix(0, seen))
}

// heads reads which accounts' logs moved since a time.
func (f *follower) heads(ctx context.Context, since time.Time) (map[string]int64, error) {
	rows, err := f.db.pool.Query(ctx, touchedHeads, since.UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	heads := map[string]int64{}
	for rows.Next() {
		var account string
		var seq int64
		if err := rows.Scan(&account, &seq); err != nil {
			return nil, classify(err)
		}
		heads[account] = seq
	}
	return heads, classify(rows.Err())
}

// learn finds out where the log ends: from there on events are told.
func (f *follower) learn(ctx context.Context) error {
	started := time.Now()
	heads, err := f.heads(ctx, time.UnixMicro(-1))
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = heads
	f.seen.Store(started.UnixNano())
	return nil
}

// poll looks for news when a notification comes, and anyway now and then.
func (f *follower) poll(ctx context.Context) {
	ticker := time.NewTicker(f.db.opts.Poll)
	defer ticker.Stop()
	var wide time.Time // of the last wide look
	troubled := false
	for {
		reach := overlap
		if time.Since(wide) > wideEvery {
			reach = wideOverlap
		}
		started := time.Now()
		err := f.look(ctx, reach)
		took := time.Since(started)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && reach == wideOverlap:
			wide = time.Now()
		case err != nil:
			wide = time.Time{}
		}
		if (err != nil) != troubled {
			troubled = err != nil
			f.db.opts.Log.Warn("following the log of events", "works", !troubled, "error", err)
		}
		// On a busy system notifications come without end; looking must not
		// take more than a third of the time.
		if !sleep(ctx, max(rest, 2*took)) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-f.wake:
		}
	}
}

// look finds accounts whose logs moved and tells of their events. After a
// time without contact that is longer than the wide look reaches back,
// subscribers are told to forget.
func (f *follower) look(ctx context.Context, reach time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, f.db.opts.StatementTimeout)
	defer cancel()
	f.mu.Lock()
	learned := f.known != nil
	f.mu.Unlock()
	if !learned || f.lag() > wideOverlap/2 {
		if err := f.learn(ctx); err != nil {
			return err
		}
		f.reset()
		return nil
	}
	started := time.Now()
	heads, err := f.heads(ctx, started.Add(-reach))
	if err != nil {
		return err
	}
	f.noticeReset(heads)
	for account, head := range heads {
		if err := f.catchUp(ctx, account, head); err != nil {
			return err
		}
	}
	f.seen.Store(started.UnixNano())
	return nil
}

func (f *follower) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.feed.PublishReset()
}

// noticeReset forgets everything when another node emptied the store: its log
// begins anew.
func (f *follower) noticeReset(heads map[string]int64) {
	n, ok := heads[sqlstore.ResetAccount]
	delete(heads, sqlstore.ResetAccount)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !ok || n <= f.known[sqlstore.ResetAccount] {
		return
	}
	f.known = map[string]int64{sqlstore.ResetAccount: n}
	f.feed.PublishReset()
}

// catchUp tells the events of an account up to its head.
func (f *follower) catchUp(ctx context.Context, account string, head int64) error {
	for {
		f.mu.Lock()
		known := f.known[account]
		f.mu.Unlock()
		if known >= head {
			return nil
		}
		events, err := sqlstore.NewReader(f.db.pool).Events(ctx, account, known, portion)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return nil // emptied meanwhile
		}
		f.tell(events)
	}
}

// tell publishes those events of one account that follow what is known. It
// gives false if there is a gap before them.
func (f *follower) tell(events []store.Event) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	account := events[0].Account
	for len(events) > 0 && events[0].Seq <= f.known[account] {
		events = events[1:]
	}
	switch {
	case len(events) == 0:
		return true
	case events[0].Seq > f.known[account]+1:
		return false
	}
	f.known[account] = events[len(events)-1].Seq
	f.feed.Publish(events)
	return true
}

// wrote tells of own writes that have just become durable.
func (f *follower) wrote(events []store.Event) {
	if len(events) == 0 {
		return
	}
	select {
	case f.kick <- struct{}{}:
	default:
	}
	f.mu.Lock()
	following := f.known != nil
	f.mu.Unlock()
	if !following {
		f.publish(events)
		return
	}
	for _, own := range byAccount(events) {
		if own[0].Op == store.Reset {
			f.wasReset(own[0].Seq)
			continue
		}
		if f.tell(own) {
			continue
		}
		// Another node wrote between. What it wrote comes first, if it can be
		// had; if not, subscribers still hear of this write now, and will hear
		// all of it again in order.
		ctx, cancel := context.WithTimeout(context.Background(), startWait)
		last := own[len(own)-1]
		if err := f.catchUp(ctx, last.Account, last.Seq); err != nil {
			f.publish(own)
		}
		cancel()
	}
}

func (f *follower) publish(events []store.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.feed.Publish(events)
}

// wasReset forgets what is known after this node emptied the store for the
// n-th time.
func (f *follower) wasReset(n int64) {
	f.noticeReset(map[string]int64{sqlstore.ResetAccount: n})
}

// byAccount parts the events of a transaction, keeping the order within each
// account.
func byAccount(events []store.Event) [][]store.Event {
	var out [][]store.Event
next:
	for _, ev := range events {
		for i := range out {
			if out[i][0].Account == ev.Account {
				out[i] = append(out[i], ev)
				continue next
			}
		}
		out = append(out, []store.Event{ev})
	}
	return out
}
