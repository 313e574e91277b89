package session_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

const (
	person  = "IBMid-ADA"
	acct    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	another = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// world is a session service over a store in memory, with a clock to move.
type world struct {
	*session.Service
	t   testing.TB
	db  *sqlitestore.DB
	now *time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	db, err := sqlitestore.Open(context.Background(), sqlitestore.Options{Memory: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{t: t, db: db, now: &now}
	return w.node()
}

// node gives another node over the same store.
func (w *world) node() *world {
	w.t.Helper()
	s, err := session.New(session.Config{DB: w.db, Pepper: make([]byte, secret.PepperSize), Now: func() time.Time { return *w.now },
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
	return &world{Service: s, t: w.t, db: w.db, now: w.now}
}

func (w *world) pass(d time.Duration) { *w.now = w.now.Add(d) }

// login is an entry of a person who logs in with the command line.
func login() session.Entry {
	return session.Entry{
		Lineage: session.Lineage{IAMID: person, Account: acct, Origin: "password"}, ClientID: "bx", Begins: true, Refreshing: true,
		Limits: session.Limits{Refresh: 72 * time.Hour, Session: 24 * time.Hour, Inactivity: 2 * time.Hour, Sessions: math.MaxInt},
	}
}

// record makes a login that must succeed.
func (w *world) record(e session.Entry) session.Recorded {
	w.t.Helper()
	out, err := w.Record(w.t.Context(), e, *w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// redeem exchanges a refresh token of bx as the grant does: find, check, record.
func (w *world) redeem(value string) (session.Recorded, error) {
	w.t.Helper()
	ctx, v := w.t.Context(), secret.New(value)
	t, err := w.Find(ctx, v, "bx")
	if err == nil {
		err = w.Check(ctx, t)
	}
	if err != nil {
		return session.Recorded{}, err
	}
	e := login()
	e.Lineage, e.Begins, e.Redeems, e.Family = t.Lineage, false, v, t.Family
	return w.Record(ctx, e, *w.now)
}

func (w *world) alive(sessionID string) bool {
	w.t.Helper()
	_, err := w.Get(w.t.Context(), sessionID)
	if err != nil && !errors.Is(err, fault.Invalid) {
		w.t.Fatal(err)
	}
	return err == nil
}

// refused compares an error with a number of the token envelope.
func refused(t testing.TB, what string, err error, number string) {
	t.Helper()
	if err == nil || fault.Of(err).Number != number {
		t.Errorf("%s: %v, want %s", what, err, number)
	}
}

func TestASessionEnds(t *testing.T) {
	for name, end := range map[string]func(*world, string){
		"by time": func(w *world, id string) {
			for range 24 {
				w.pass(time.Hour)
				w.Touch(id)
			}
		},
		"by inactivity": func(w *world, _ string) { w.pass(2 * time.Hour) },
		"on purpose": func(w *world, id string) {
			if err := w.End(w.t.Context(), id); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.record(login())
			if !w.alive(a.Session.ID) {
				t.Fatal("it is over before it began")
			}
			if end(w, a.Session.ID); w.alive(a.Session.ID) {
				t.Error("it goes on")
			}
			_, err := w.redeem(a.Refresh)
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("its refresh token: %v", err)
			}
		})
	}
}

func TestATokenThatIsSeenKeepsItsSessionAlive(t *testing.T) {
	w := newWorld(t)
	id := w.record(login()).Session.ID
	for range 5 {
		w.pass(time.Hour + 59*time.Minute)
		if !w.alive(id) {
			t.Fatal("it ended in between")
		}
		w.Touch(id)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour + 59*time.Minute)
	if !w.node().alive(id) {
		t.Error("another node does not know when it was seen")
	}
}

func TestOnlyItsClientKeepsASessionAlive(t *testing.T) {
	w := newWorld(t)
	id := w.record(login()).Session.ID
	w.pass(time.Hour)
	refused(t, "another client", w.KeepAlive(t.Context(), "kube", id), "BXNIM0439E")
	if err := w.KeepAlive(t.Context(), "bx", id); err != nil {
		t.Fatal(err)
	}
	w.pass(90 * time.Minute)
	if !w.alive(id) {
		t.Error("it was kept alive for nothing")
	}
	refused(t, "no session", w.KeepAlive(t.Context(), "bx", "C-of-somebody's-own-making"), "BXNIM0439E")
}

func TestTheOldestSessionMakesRoom(t *testing.T) {
	w := newWorld(t)
	e := login()
	e.Limits.Sessions = 2
	var ids []string
	for range 3 {
		w.pass(time.Minute)
		ids = append(ids, w.record(e).Session.ID)
	}
	for i, want := range []bool{false, true, true} {
		if w.alive(ids[i]) != want {
			t.Errorf("session %d of three: alive is not %v", i+1, want)
		}
	}
	other := e
	other.IAMID = "IBMid-BOB"
	if w.record(other); !w.alive(ids[1]) {
		t.Error("a session of somebody else took its place")
	}
	w.pass(time.Hour + 50*time.Minute)
	w.Touch(ids[2])
	w.pass(30 * time.Minute) // the second is idle by now
	last := w.record(e).Session.ID
	if !w.alive(ids[2]) || !w.alive(last) {
		t.Error("an idle session counts")
	}
}

func TestASessionOfAnEndedOneTakesNoRoom(t *testing.T) {
	w := newWorld(t)
	outer := w.record(login())
	e := login()
	e.IAMID, e.Limits.Sessions = "iam-Profile-1", 2
	first := w.record(e)
	w.pass(time.Minute)
	e.Within = []string{outer.Session.ID}
	within := w.record(e)
	if !w.alive(within.Session.ID) {
		t.Fatal("it is over before it began")
	}
	if err := w.End(t.Context(), outer.Session.ID); err != nil {
		t.Fatal(err)
	}
	if w.alive(within.Session.ID) {
		t.Error("it lives on")
	}
	e.Within = nil
	if w.record(e); !w.alive(first.Session.ID) {
		t.Error("another had to make room for it")
	}
}

func TestASessionThatEndedElsewhereIsBelievedForSecondsOnly(t *testing.T) {
	w := newWorld(t)
	id := w.record(login()).Session.ID
	other := w.node()
	if !other.alive(id) {
		t.Fatal("the other node does not know it")
	}
	if err := w.End(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if w.pass(session.Trust); other.alive(id) {
		t.Errorf("the other node believes in it after %s", session.Trust)
	}
}

// TestAnEndingIsKnownElsewhereWithinSeconds: what the tokens of a login without
// session came of is asked of memory, which reads what was ended on other nodes.
func TestAnEndingIsKnownElsewhereWithinSeconds(t *testing.T) {
	w := newWorld(t)
	e := unbound()
	a := w.record(e)
	other := w.node()
	holds := func(n *world) bool {
		err := n.Holds(t.Context(), &session.Lineage{Roots: a.Roots})
		if err != nil && !errors.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !holds(w) || !holds(other) {
		t.Fatal("it ended before it began")
	}
	if _, err := w.Logout(t.Context(), secret.New(a.Refresh), "bx"); err != nil {
		t.Fatal(err)
	}
	if holds(w) {
		t.Error("it goes on where it was ended")
	}
	if w.pass(session.Trust); holds(other) {
		t.Errorf("it goes on elsewhere after %s", session.Trust)
	}
	if holds(w.node()) {
		t.Error("a node that has just started does not know it")
	}
	for range 14 { // an access token lives for an hour
		if w.pass(5 * time.Minute); holds(other) || holds(w) {
			t.Fatal("it is forgotten while its tokens live")
		}
	}
}

func TestEndingsAreBelievedForAMinuteWithoutTheStore(t *testing.T) {
	w := newWorld(t)
	a, b := w.record(unbound()), w.record(unbound())
	if _, err := w.Logout(t.Context(), secret.New(a.Refresh), "bx"); err != nil {
		t.Fatal(err)
	}
	holds := func(r session.Recorded) error { return w.Holds(t.Context(), &session.Lineage{Roots: r.Roots}) }
	if err := holds(b); err != nil {
		t.Fatal(err)
	}
	w.db.Close()
	for age := time.Duration(0); age < session.Unconfirmed-session.Trust; age += session.Trust {
		w.pass(session.Trust)
		if err := holds(b); err != nil {
			t.Fatalf("after %s: %v", age, err)
		}
		refused(t, "what was ended", holds(a), "BXNIM0407E")
	}
	w.pass(2 * session.Trust)
	if err := holds(b); err == nil || errors.Is(err, fault.Invalid) {
		t.Errorf("a node out of contact believes for ever: %v", err)
	}
}

func TestAResetForgetsEverything(t *testing.T) {
	w := newWorld(t)
	e := login()
	e.Realm, e.Claims = "https://idp.example.com", []account.Claim{{Name: "department", Values: []string{"billing"}}}
	id := w.record(e).Session.ID
	if list, err := w.Logins(t.Context(), acct, ""); err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := w.db.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list, err := w.Logins(t.Context(), acct, ""); err != nil || len(list) != 0 || w.alive(id) {
		t.Errorf("still known: %+v, %v", list, err)
	}
}

func TestWhatWasSaidOfAPersonStaysWithTheSession(t *testing.T) {
	w := newWorld(t)
	w.record(login()) // nothing was said
	e := login()
	e.Realm, e.Claims = "https://idp.example.com", []account.Claim{{Name: "department", Values: []string{"billing"}}}
	began := *w.now
	a := w.record(e)
	w.pass(time.Minute)
	moved := login()
	moved.Lineage.Account, moved.Session, moved.Begins = another, a.Session.ID, false
	w.record(moved)
	for _, in := range []string{acct, another} {
		list, err := w.Logins(t.Context(), in, person)
		if err != nil || len(list) != 1 || list[0].Account != in || list[0].Realm != e.Realm || !list[0].LoginAt.Equal(began) ||
			list[0].Claims[0].Name != "department" {
			t.Errorf("in %s: %+v, %v", in, list, err)
		}
	}
	if err := w.End(t.Context(), a.Session.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := w.Logins(t.Context(), acct, ""); err != nil || len(list) != 0 {
		t.Errorf("after the end: %+v, %v", list, err)
	}
}
