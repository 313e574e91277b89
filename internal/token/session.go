package token

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// sessionSpace holds login sessions. All of them lie in account store.System:
// a session belongs to a person or profile and may change its account.
const sessionSpace = "session"

// Session is a login session: what a person began by logging in through an
// interactive client, and what ends by time, inactivity or on purpose.
type Session struct {
	ID       string    `json:"-"`
	IAMID    string    `json:"-"`
	Account  string    `json:"account,omitempty"` // of the first token
	ClientID string    `json:"client_id"`
	Grant    string    `json:"grant"`
	Created  time.Time `json:"-"`
	Ends     time.Time `json:"-"`
	// Active is the last time that a token of the session was seen.
	Active time.Time `json:"active"`
	// Inactivity ends the session when it was not seen for as long, in seconds.
	Inactivity int64 `json:"inactivity"`
	// Realm and Claims are who vouched for the person at the login and what it
	// said; without claims both are empty.
	Realm  string          `json:"realm,omitempty"`
	Claims []account.Claim `json:"claims,omitempty"`
}

// alive tells whether the session is neither over nor idle.
func (se *Session) alive(now time.Time) bool {
	return now.Before(se.Ends) && now.Sub(se.Active) < time.Duration(se.Inactivity)*time.Second
}

func (se *Session) record() (store.Token, error) {
	body, err := json.Marshal(se)
	if err != nil {
		return store.Token{}, fmt.Errorf("encoding a session: %w", err)
	}
	return store.Token{Space: sessionSpace, Key: se.ID, Account: store.System, Owner: se.IAMID,
		Created: se.Created, Expires: se.Ends, Body: body}, nil
}

func sessionOf(t *store.Token) (*Session, error) {
	se := &Session{ID: t.Key, IAMID: t.Owner, Created: t.Created, Ends: t.Expires}
	if err := json.Unmarshal(t.Body, se); err != nil {
		return nil, fmt.Errorf("decoding session %s: %w", t.Key, err)
	}
	return se, nil
}

// isSessionID recognises our session ids, so that nothing else reaches the store.
func isSessionID(s string) bool {
	if len(s) != len(id.Session)+36 || s[:len(id.Session)] != id.Session {
		return false
	}
	for _, c := range []byte(s[len(id.Session):]) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// beginSession makes a session inside a transaction and ends the person's
// oldest ones when there are more than the limit. It gives the ids of those,
// which the caller must drop from memory when the transaction is through.
func (s *Service) beginSession(ctx context.Context, tx store.Tx, l *login, client *Client, now time.Time) (_ *Session, ended []string, err error) {
	st := l.standing
	if st.life.maxSessions != math.MaxInt {
		if ended, err = s.makeRoom(ctx, tx, st, now); err != nil {
			return nil, nil, err
		}
	}
	se := &Session{ID: l.Session, IAMID: st.iamID, Account: st.account, ClientID: client.ID, Grant: l.Origin,
		Created: now, Ends: l.within(now.Add(st.life.session)), Active: now, Inactivity: int64(st.life.inactivity / time.Second),
		Realm: l.realm, Claims: l.said}
	rec, err := se.record()
	if err != nil {
		return nil, nil, err
	}
	return se, ended, tx.Tokens().Put(ctx, rec)
}

// makeRoom ends the oldest sessions so that one more fits. Idle ones count as
// ended.
func (s *Service) makeRoom(ctx context.Context, tx store.Tx, st *standing, now time.Time) (ended []string, err error) {
	records, err := tx.Tokens().List(ctx, sessionSpace, store.System, st.iamID)
	if err != nil {
		return nil, err
	}
	var live []*Session
	for _, rec := range records {
		se, err := sessionOf(rec)
		if err != nil {
			return nil, err
		}
		if s.sessions.merged(se).alive(now) {
			live = append(live, se)
		}
	}
	slices.SortStableFunc(live, func(a, b *Session) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	for len(live) >= st.life.maxSessions {
		if err := tx.Tokens().Delete(ctx, sessionSpace, live[0].ID); err != nil {
			return nil, err
		}
		ended = append(ended, live[0].ID)
		live = live[1:]
	}
	return ended, nil
}

// Sessions lists the living sessions of a user or profile, oldest first.
func (s *Service) Sessions(ctx context.Context, iamID string) ([]*Session, error) {
	records, err := s.cfg.DB.Tokens().List(ctx, sessionSpace, store.System, iamID)
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	out := make([]*Session, 0, len(records))
	for _, rec := range records {
		se, err := sessionOf(rec)
		if err != nil {
			return nil, err
		}
		if se = s.sessions.merged(se); se.alive(s.cfg.Now()) {
			out = append(out, se)
		}
	}
	return out, nil
}

// EndSession ends a session: its refresh tokens and those that were delegated
// from it stop at once, its access tokens
// within sessionTrust on other nodes and at once on this one. It is no error
// when there is none.
func (s *Service) EndSession(ctx context.Context, sessionID string) error {
	if !isSessionID(sessionID) {
		return nil
	}
	err := s.cfg.DB.Update(ctx, func(tx store.Tx) error {
		if err := tx.Tokens().Delete(ctx, sessionSpace, sessionID); err != nil {
			return err
		}
		return tx.Tokens().Put(ctx, revocation(sessionID, store.System, "", s.cfg.Now()))
	})
	if err != nil {
		return fmt.Errorf("ending session %s: %w", sessionID, err)
	}
	s.sessions.drop(sessionID)
	return nil
}

// KeepAlive marks a session as active, which the command line asks for while a
// person works with it. The client must be the one of the session. A session
// that is over or idle gives BXNIM0439E, upon which clients log in again.
func (s *Service) KeepAlive(ctx context.Context, c Credentials, from netip.Addr, sessionID string) error {
	if !c.Given {
		return errClientMissing("session state")
	}
	client, err := s.client(c, from)
	if err != nil {
		return err
	}
	se, err := s.session(ctx, sessionID)
	if err != nil {
		return err
	}
	if se.ClientID != client.ID {
		return errSessionIdle(sessionID)
	}
	s.sessions.touch(sessionID, s.cfg.Now())
	return s.sessions.flush(ctx)
}

// session gives a living session, or BXNIM0439E.
func (s *Service) session(ctx context.Context, sessionID string) (*Session, error) {
	if !isSessionID(sessionID) {
		return nil, errSessionIdle(sessionID)
	}
	se, err := s.sessions.load(ctx, sessionID, s.cfg.Now())
	if err != nil {
		return nil, err
	}
	if se == nil || !se.alive(s.cfg.Now()) {
		return nil, errSessionIdle(sessionID)
	}
	return se, nil
}

// sessionTrust is how long what is known of a session is believed without
// asking the store: within it a session that another node ended lives on here.
const sessionTrust = 5 * time.Second

// sweepEvery spaces the deletions of expired records.
const sweepEvery = time.Minute

// sessionTracker keeps sessions in memory and collects when they were seen, so
// that a request with a session's token costs no database.
type sessionTracker struct {
	db    store.DB
	cache *bounded[string, *tracked]
	// mu guards touched and swept.
	mu      sync.Mutex
	touched map[string]time.Time
	swept   time.Time
}

// tracked is a session as it was read at a time; session is nil when there was none.
type tracked struct {
	session *Session
	read    time.Time
}

func newSessionTracker(db store.DB, capacity int) *sessionTracker {
	return &sessionTracker{db: db, cache: newBounded[string, *tracked](capacity), touched: map[string]time.Time{}}
}

func (t *sessionTracker) sweepDue(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if gap := now.Sub(t.swept); gap >= 0 && gap < sweepEvery {
		return false
	}
	t.swept = now
	return true
}

// load gives a session with its newest activity, nil if there is none.
func (t *sessionTracker) load(ctx context.Context, sessionID string, now time.Time) (*Session, error) {
	if hit, ok := t.cache.get(sessionID); ok {
		if age := now.Sub(hit.read); age >= 0 && age < sessionTrust {
			return t.merged(hit.session), nil
		}
	}
	rec, err := t.db.Tokens().Get(ctx, sessionSpace, sessionID)
	if errors.Is(err, fault.NotFound) {
		t.cache.put(sessionID, &tracked{read: now})
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading session %s: %w", sessionID, err)
	}
	se, err := sessionOf(rec)
	if err != nil {
		return nil, err
	}
	t.cache.put(sessionID, &tracked{session: se, read: now})
	return t.merged(se), nil
}

// merged adds activity that is not written yet.
func (t *sessionTracker) merged(se *Session) *Session {
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
func (t *sessionTracker) touch(sessionID string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.After(t.touched[sessionID]) {
		t.touched[sessionID] = now
	}
}

func (t *sessionTracker) drop(sessionID string) {
	t.cache.remove(sessionID)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.touched, sessionID)
}

func (t *sessionTracker) clear() {
	t.cache.clear()
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.touched)
}

// flush writes when sessions were seen. Sessions that ended meanwhile stay
// ended; what cannot be written is kept for the next time.
func (t *sessionTracker) flush(ctx context.Context) error {
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
			t.cache.remove(sessionID)
		}
	}
	if err != nil {
		return fmt.Errorf("writing the activity of sessions: %w", err)
	}
	return nil
}

func writeSeen(ctx context.Context, tx store.Tx, sessionID string, seen time.Time) error {
	rec, err := tx.Tokens().Get(ctx, sessionSpace, sessionID)
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
