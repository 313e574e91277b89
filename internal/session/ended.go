package session

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/store"
)

const (
	// revokedSpace marks families of refresh tokens and sessions that were ended
	// on purpose, by id: nothing that came of them works any more.
	revokedSpace = "refresh-revoked"
	// endedSpace holds the same marks for as long as access tokens live, by the
	// minute: every node reads the newest of them, and so knows all.
	endedSpace = "ended"
)

const (
	// endedLife is longer than the life of an access token with any leeway.
	endedLife = account.DefaultAccessToken + 15*time.Minute
	// endedSlack is by how much the clocks of nodes may differ, together with the
	// time that a transaction may take.
	endedSlack = time.Minute
	// Unconfirmed is how long a node without contact to the store goes on to
	// believe what it knows of endings.
	Unconfirmed = time.Minute
)

// revoke marks a family or session as ended on purpose.
func revoke(ctx context.Context, tokens store.Tokens, root, accountID, owner string, now time.Time) error {
	for _, mark := range []store.Token{
		{Space: revokedSpace, Account: accountID, Owner: owner, Expires: now.Add(maxFamilyLife)},
		{Space: endedSpace, Account: store.System, Owner: minuteOf(now), Expires: now.Add(endedLife)},
	} {
		mark.Key, mark.Created, mark.Body = root, now, []byte("{}")
		if err := tokens.Put(ctx, mark); err != nil {
			return fmt.Errorf("marking a login as ended: %w", err)
		}
	}
	return nil
}

func minuteOf(at time.Time) string { return at.UTC().Format("2006-01-02T15:04") }

// endings knows which sessions and families were ended on purpose lately, so
// that a request with an access token costs no database. Its memory is bounded
// by what is ended within endedLife.
type endings struct {
	db store.DB
	// reading is held by the one who reads the store.
	reading sync.Mutex
	// mu guards the fields below.
	mu sync.RWMutex
	// read is when all marks were known; tried, when somebody last looked.
	read, tried time.Time
	// ended holds until when a mark matters.
	ended map[string]time.Time
}

func newEndings(db store.DB) *endings { return &endings{db: db, ended: map[string]time.Time{}} }

// any tells whether one of the roots was ended on purpose, here at once and on
// another node within Trust.
func (e *endings) any(ctx context.Context, roots []string, now time.Time) (bool, error) {
	if len(roots) == 0 {
		return false, nil
	}
	if err := e.renew(ctx, now); err != nil {
		return false, err
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.ContainsFunc(roots, func(root string) bool { _, ok := e.ended[root]; return ok }), nil
}

// note learns of an ending on this node.
func (e *endings) note(root string, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended[root] = now.Add(endedLife)
}

func (e *endings) clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended, e.read, e.tried = map[string]time.Time{}, time.Time{}, time.Time{}
}

// fresh tells whether nothing has to be read. A clock that was set back makes
// everything be read again.
func (e *endings) fresh(now time.Time) (read time.Time, ok bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	recent := func(at time.Time, within time.Duration) bool { age := now.Sub(at); return age >= 0 && age < within }
	return e.read, recent(e.read, Trust) || recent(e.tried, Trust) && recent(e.read, Unconfirmed)
}

func (e *endings) renew(ctx context.Context, now time.Time) error {
	if _, ok := e.fresh(now); ok {
		return nil
	}
	e.reading.Lock()
	defer e.reading.Unlock()
	read, ok := e.fresh(now)
	if ok {
		return nil
	}
	from := now.Add(-endedLife)
	if since := read.Add(-endedSlack); since.After(from) && !read.After(now) {
		from = since
	}
	marks, err := e.since(ctx, from.Truncate(time.Minute), now.Add(endedSlack))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tried = now
	if err != nil {
		if age := now.Sub(e.read); age >= 0 && age < Unconfirmed {
			return nil
		}
		return err
	}
	e.read = now
	for root, until := range e.ended {
		if !now.Before(until) {
			delete(e.ended, root)
		}
	}
	for _, m := range marks {
		e.ended[m.Key] = m.Expires
	}
	return nil
}

// since reads the marks of some minutes.
func (e *endings) since(ctx context.Context, from, to time.Time) (marks []*store.Token, err error) {
	for ; !from.After(to); from = from.Add(time.Minute) {
		some, err := e.db.Tokens().List(ctx, endedSpace, store.System, minuteOf(from))
		if err != nil {
			return nil, fmt.Errorf("reading which logins were ended: %w", err)
		}
		marks = append(marks, some...)
	}
	return marks, nil
}
