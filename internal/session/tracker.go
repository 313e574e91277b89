package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// Trust is how long what is known of a session is believed without
// asking the store: within it a session that another node ended lives on here.
const Trust = 5 * time.Second

// tracker keeps sessions in memory and collects when they were seen, so
// that a request with a session's token costs no database.
type tracker struct {
	db    store.DB
	cache *cache.Map[string, *tracked]
	// mu guards touched.
	mu      sync.Mutex
	touched map[string]time.Time
}

// tracked is a session as it was read at a time; session is nil when there was none.
type tracked struct {
	session *Session
	read    time.Time
}

func newTracker(db store.DB, capacity int) *tracker {
	return &tracker{db: db, cache: cache.NewMap[string, *tracked](capacity), touched: map[string]time.Time{}}
}

// load gives a session with its newest activity, nil if there is none.
func (t *tracker) load(ctx context.Context, sessionID string, now time.Time) (*Session, error) {
	if hit, ok := t.cache.Get(sessionID); ok {
		if age := now.Sub(hit.read); age >= 0 && age < Trust {
			return t.merged(hit.session), nil
		}
	}
	rec, err := t.db.Tokens().Get(ctx, space, sessionID)
	if errors.Is(err, fault.NotFound) {
		t.cache.Put(sessionID, &tracked{read: now})
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading session %s: %w", sessionID, err)
	}
	se, err := sessionOf(rec)
	if err != nil {
		return nil, err
	}
	t.cache.Put(sessionID, &tracked{session: se, read: now})
	return t.merged(se), nil
}

// known gives a session from memory, however old, nil when it is not there.
func (t *tracker) known(sessionID string) *Session {
	if hit, ok := t.cache.Get(sessionID); ok {
		return hit.session
	}
	return nil
}

// merged adds activity that is not written yet.
func (t *tracker) merged(se *Session) *Session {
	if se == nil {
		return nil
	}
	t.mu.Lock()
	seen := t.touched[se.ID]
	t.mu.Unlock()
	if !seen.After(se.Active) {
		return se
	}
	newer := *se
	newer.Active = seen
	return &newer
}

// touch notes that a session was seen.
func (t *tracker) touch(sessionID string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.After(t.touched[sessionID]) {
		t.touched[sessionID] = now
	}
}

func (t *tracker) drop(sessionID string) {
	t.cache.Remove(sessionID)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.touched, sessionID)
}

func (t *tracker) clear() {
	t.cache.Clear()
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.touched)
}

// flush writes when sessions were seen. Sessions that ended meanwhile stay
// ended; what cannot be written is kept for the next time.
func (t *tracker) flush(ctx context.Context) error {
	t.mu.Lock()
	batch := t.touched
	if len(batch) == 0 {
		t.mu.Unlock()
		return nil
	}
	t.touched = make(map[string]time.Time, len(batch))
	t.mu.Unlock()
	err := t.db.Update(ctx, func(tx store.Tx) error {
		for sessionID, seen := range batch {
			if err := writeSeen(ctx, tx, sessionID, seen); err != nil {
				return err
			}
		}
		return nil
	})
	for sessionID, seen := range batch {
		if err != nil {
			t.touch(sessionID, seen)
		} else {
			t.cache.Remove(sessionID)
		}
	}
	if err != nil {
		return fmt.Errorf("writing the activity of sessions: %w", err)
	}
	return nil
}

func writeSeen(ctx context.Context, tx store.Tx, sessionID string, seen time.Time) error {
	rec, err := tx.Tokens().Get(ctx, space, sessionID)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	se, err := sessionOf(rec)
	if err != nil || !seen.After(se.Active) {
		return err
	}
	se.Active = seen
	next, err := se.record()
	if err != nil {
		return err
	}
	return tx.Tokens().Put(ctx, next)
}
