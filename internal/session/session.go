package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// space holds login sessions. All of them lie in account store.System:
// a session belongs to a person or profile and may change its account.
const space = "session"

// Session is a login session: what a person began by logging in through an
// interactive client, and what ends by time, inactivity or on purpose.
type Session struct {
	ID       string    `json:"-"`
	IAMID    string    `json:"-"`
	Account  string    `json:"account,omitempty"` // of the newest token, "" as long as none is chosen
	ClientID string    `json:"client_id"`
	Grant    string    `json:"grant"`
	Created  time.Time `json:"-"`
	Ends     time.Time `json:"-"`
	// Active is the last time that a token of the session was seen.
	Active time.Time `json:"active"`
	// Inactivity ends the session when it was not seen for as long, in seconds.
	Inactivity int64 `json:"inactivity"`
	// KeyID is the API key that it came of, "" if none; Roots and Within are
	// those of its lineage.
	KeyID  string   `json:"key_id,omitempty"`
	Roots  []string `json:"roots,omitempty"`
	Within []string `json:"within,omitempty"`
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
	return store.Token{Space: space, Key: se.ID, Account: store.System, Owner: se.IAMID,
		Created: se.Created, Expires: se.Ends, Body: body}, nil
}

func sessionOf(t *store.Token) (*Session, error) {
	se := &Session{ID: t.Key, IAMID: t.Owner, Created: t.Created, Ends: t.Expires}
	if err := json.Unmarshal(t.Body, se); err != nil {
		return nil, fmt.Errorf("decoding session %s: %w", t.Key, err)
	}
	return se, nil
}

// isID recognises our session ids, so that nothing else reaches the store.
func isID(s string) bool {
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

// begin makes a session inside a transaction and ends the person's
// oldest ones when there are more than the limit. It gives the ids of those,
// which the caller must drop from memory when the transaction is through.
func (s *Service) begin(ctx context.Context, tx store.Tx, e *Entry, now time.Time) (_ *Session, ended []string, err error) {
	if ended, err = s.makeRoom(ctx, tx, e, now); err != nil {
		return nil, nil, err
	}
	se := &Session{ID: e.Session, IAMID: e.IAMID, Account: e.Account, ClientID: e.ClientID, Grant: e.Origin,
		Created: now, Ends: e.within(now.Add(e.Limits.Session)), Active: now, Inactivity: int64(e.Limits.Inactivity / time.Second),
		KeyID: e.KeyID, Roots: e.Roots, Within: e.Within, Realm: e.Realm, Claims: e.Claims}
	rec, err := se.record()
	if err != nil {
		return nil, nil, err
	}
	return se, ended, tx.Tokens().Put(ctx, rec)
}

// enter takes a session into the account that its person has chosen now. From
// here on that account's bounds bind it too: it began under none, or under those
// of another account. Where they leave it no time it is refused and lives on
// elsewhere (BXNIM0439E).
func (s *Service) enter(ctx context.Context, tx store.Tx, e *Entry, now time.Time) (_ *Session, ended []string, err error) {
	rec, err := tx.Tokens().Get(ctx, space, e.Session)
	if errors.Is(err, fault.NotFound) {
		return nil, nil, errIdle(e.Session)
	}
	if err != nil {
		return nil, nil, err
	}
	stored, err := sessionOf(rec)
	if err != nil {
		return nil, nil, err
	}
	se := *s.tracker.merged(stored)
	se.Account = e.Account
	if end := se.Created.Add(e.Limits.Session); end.Before(se.Ends) {
		se.Ends = end
	}
	se.Inactivity = min(se.Inactivity, int64(e.Limits.Inactivity/time.Second))
	if !se.alive(now) {
		return nil, nil, errIdle(e.Session)
	}
	if ended, err = s.makeRoom(ctx, tx, e, now); err != nil {
		return nil, nil, err
	}
	next, err := se.record()
	if err != nil {
		return nil, nil, err
	}
	return &se, ended, tx.Tokens().Put(ctx, next)
}

// makeRoom ends the oldest sessions in the account so that one more fits, if it
// bounds their number. Idle ones count as ended.
func (s *Service) makeRoom(ctx context.Context, tx store.Tx, e *Entry, now time.Time) (ended []string, err error) {
	if e.Limits.Sessions == math.MaxInt {
		return nil, nil
	}
	records, err := tx.Tokens().List(ctx, space, store.System, e.IAMID)
	if err != nil {
		return nil, err
	}
	var live []*Session
	for _, rec := range records {
		se, err := sessionOf(rec)
		if err != nil {
			return nil, err
		}
		if se.Account != e.Account || se.ID == e.Session {
			continue
		}
		alive, err := s.aliveIn(ctx, tx, se, now)
		if err != nil {
			return nil, err
		}
		if alive {
			live = append(live, se)
		}
	}
	slices.SortStableFunc(live, func(a, b *Session) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	for len(live) >= e.Limits.Sessions {
		if err := tx.Tokens().Delete(ctx, space, live[0].ID); err != nil {
			return nil, err
		}
		ended = append(ended, live[0].ID)
		live = live[1:]
	}
	return ended, nil
}

// aliveIn tells inside a transaction whether a session lives, and all that it
// lives in.
func (s *Service) aliveIn(ctx context.Context, tx store.Tx, se *Session, now time.Time) (bool, error) {
	if !s.tracker.merged(se).alive(now) {
		return false, nil
	}
	for _, sessionID := range se.Within {
		rec, err := tx.Tokens().Get(ctx, space, sessionID)
		if errors.Is(err, fault.NotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		outer, err := sessionOf(rec)
		if err != nil {
			return false, err
		}
		if alive, err := s.aliveIn(ctx, tx, outer, now); err != nil || !alive {
			return false, err
		}
	}
	return true, nil
}

// End ends a session on purpose: its refresh tokens and all that came of it stop
// at once, access tokens within Trust on other nodes and at once on this one. It
// is no error when there is none.
func (s *Service) End(ctx context.Context, sessionID string) error {
	if !isID(sessionID) {
		return nil
	}
	now := s.now()
	err := s.db.Update(ctx, func(tx store.Tx) error { return endIn(ctx, tx.Tokens(), sessionID, now) })
	if err != nil {
		return fmt.Errorf("ending session %s: %w", sessionID, err)
	}
	s.forget(sessionID, now)
	return nil
}

func endIn(ctx context.Context, tokens store.Tokens, sessionID string, now time.Time) error {
	if err := tokens.Delete(ctx, space, sessionID); err != nil {
		return err
	}
	return revoke(ctx, tokens, sessionID, store.System, "", now)
}

// forget makes this node know that a session was ended on purpose.
func (s *Service) forget(sessionID string, now time.Time) {
	s.tracker.drop(sessionID)
	s.endings.note(sessionID, now)
}

// KeepAlive marks a session as active, which the command line asks for while a
// person works with it. The client must be the one of the session. A session
// that is over or idle gives BXNIM0439E, upon which clients log in again.
func (s *Service) KeepAlive(ctx context.Context, clientID, sessionID string) error {
	se, err := s.Get(ctx, sessionID)
	if err != nil {
		return err
	}
	if se.ClientID != clientID {
		return errIdle(sessionID)
	}
	s.Touch(sessionID)
	return s.tracker.flush(ctx)
}

// Get gives a living session, or BXNIM0439E. A session that came of another
// lives as long as that one.
func (s *Service) Get(ctx context.Context, sessionID string) (*Session, error) {
	if !isID(sessionID) {
		return nil, errIdle(sessionID)
	}
	se, err := s.tracker.load(ctx, sessionID, s.now())
	if err != nil {
		return nil, err
	}
	if se == nil || !se.alive(s.now()) {
		return nil, errIdle(sessionID)
	}
	err = s.Holds(ctx, &Lineage{Roots: se.Roots, Within: se.Within})
	if errors.Is(err, fault.Invalid) {
		err = errIdle(sessionID)
	}
	if err != nil {
		return nil, err
	}
	return se, nil
}

// Holds refuses a login when something that it came of has ended. It costs no
// database as long as it asks for the same every few seconds.
func (s *Service) Holds(ctx context.Context, l *Lineage) error {
	ended, err := s.endings.any(ctx, l.Roots, s.now())
	if err != nil {
		return err
	}
	if ended {
		return errInvalid("The login that it came of was ended.")
	}
	for _, sessionID := range l.Within {
		if _, err := s.Get(ctx, sessionID); err != nil {
			return err
		}
	}
	return nil
}

// Touch notes that a token was seen that lives in sessions: they and those that
// they came of are in use. It costs no database.
func (s *Service) Touch(sessions ...string) {
	for _, sessionID := range sessions {
		s.tracker.touch(sessionID, s.now())
		if se := s.tracker.known(sessionID); se != nil {
			s.Touch(se.Within...)
		}
	}
}
