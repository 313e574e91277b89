package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

// Entry is a login as it is recorded: what it came of, and what it gets.
type Entry struct {
	// Lineage names in Session the one that goes on, "" if none.
	Lineage
	ClientID string
	// Begins asks for a new session when none goes on, Refreshing for a refresh
	// token, Receivers for a delegated one that lives for DelegatedLife.
	Begins, Refreshing bool
	Receivers          []string
	DelegatedLife      time.Duration
	// Redeems is the refresh token that is exchanged, and Family its; zero when
	// the login is a new one.
	Redeems secret.Value
	Family  string
	Limits  Limits
	// Realm vouches for a person who logs in and said these claims.
	Realm  string
	Claims []account.Claim
}

// Limits are the lifetimes that settings give an identity. With a session
// Refresh does not apply.
type Limits struct {
	Refresh, Session, Inactivity time.Duration
	Sessions                     int // living at once; math.MaxInt: any number
}

// Recorded is what was made durable for a login.
type Recorded struct {
	Refresh, Delegated string // "" for none
	RefreshExpires     time.Time
	Session            *Session // nil without a login session
	// Roots are those of an access token of the login.
	Roots []string
}

// Record begins or continues the session and stores the refresh tokens, in one
// transaction. A refresh token that was used before ends its login.
func (s *Service) Record(ctx context.Context, e Entry, now time.Time) (out Recorded, err error) {
	w := writer{s: s, e: &e, now: now}
	switch {
	case e.Session != "":
		se, err := s.Get(ctx, e.Session)
		if err != nil {
			return out, err
		}
		w.session = se
	case e.Begins:
		e.Session, w.begins = s.ids.New(id.Session), true
	}
	if e.Family == "" {
		e.Family = s.ids.UUID()
	}
	if len(w.roots()) > maxRoots {
		return out, errChain()
	}
	err = s.db.Update(ctx, func(tx store.Tx) (err error) {
		out, err = w.write(ctx, tx)
		return err
	})
	if errors.Is(err, errReplay) {
		return Recorded{}, s.refuseReplay(ctx, w.replayed, now)
	}
	if err != nil {
		return Recorded{}, fmt.Errorf("storing refresh token and session: %w", err)
	}
	for _, sessionID := range w.ended {
		s.tracker.drop(sessionID)
	}
	if out.Session != nil {
		if out.Session != w.session {
			s.tracker.cache.Remove(out.Session.ID)
		}
		s.people.changed(out.Session)
		s.tracker.touch(out.Session.ID, now)
	}
	return out, nil
}

// writer writes what belongs to one login. Its transaction may run more
// than once, so nothing in it depends on an earlier run.
type writer struct {
	s        *Service
	e        *Entry
	begins   bool     // a new session
	session  *Session // the session that goes on, nil if none
	now      time.Time
	replayed *RefreshToken // set with errReplay
	ended    []string      // sessions that had to make room
}

func (w *writer) write(ctx context.Context, tx store.Tx) (out Recorded, err error) {
	out.Session, out.Roots = w.session, w.roots()
	// What it comes of may have ended since it was presented.
	if err = notRevoked(ctx, tx.Tokens(), w.e.Roots); err != nil {
		return out, err
	}
	if w.begins {
		if out.Session, w.ended, err = w.s.begin(ctx, tx, w.e, w.now); err != nil {
			return out, err
		}
	} else if w.session != nil && w.e.Account != w.session.Account {
		if out.Session, w.ended, err = w.s.enter(ctx, tx, w.e, w.now); err != nil {
			return out, err
		}
	}
	if err = w.s.noteLogin(ctx, tx, w.e.Account, out.Session, w.now); err != nil {
		return out, err
	}
	if !w.e.Redeems.IsZero() {
		if w.replayed, err = w.s.rotate(ctx, tx, w.e.Redeems, w.e.ClientID, w.now); err != nil {
			return out, err
		}
	}
	if w.e.Refreshing {
		out.RefreshExpires = w.e.within(w.refreshEnd(out.Session))
		value, err := w.s.putRefresh(ctx, tx, RefreshToken{Lineage: w.e.Lineage, ClientID: w.e.ClientID, Family: w.e.Family,
			Valid: out.RefreshExpires}, w.now)
		if err != nil {
			return out, err
		}
		out.Refresh = value.Reveal()
	}
	if len(w.e.Receivers) > 0 {
		d := delegatedToken{Lineage: w.e.Lineage, Receivers: w.e.Receivers}
		// It outlives the login session, unless that is ended on purpose.
		d.Session, d.Roots, d.Within = "", w.roots(), nil
		d.Until = w.e.within(w.now.Add(w.e.DelegatedLife))
		value, err := w.s.putDelegated(ctx, tx.Tokens(), d, w.now)
		if err != nil {
			return out, err
		}
		out.Delegated = value.Reveal()
	}
	return out, nil
}

// roots are what ends everything that comes of the login when it is revoked.
func (w *writer) roots() []string {
	l := Lineage{Roots: w.e.Roots}
	if w.e.Session != "" {
		l.add(w.e.Session)
	}
	if w.e.Refreshing || !w.e.Redeems.IsZero() {
		l.add(w.e.Family)
	}
	return l.Roots
}

// refreshEnd is when a refresh token expires: with a session no later than it.
func (w *writer) refreshEnd(se *Session) time.Time {
	if se != nil {
		return se.Ends
	}
	return w.now.Add(w.e.Limits.Refresh)
}
