package iamtoken_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/store"
)

// countingDB counts how often the database is asked, and runs transactions
// twice when told to, as a store does after a collision.
type countingDB struct {
	store.DB
	asked atomic.Int64
	twice bool
}

func (db *countingDB) Direct() store.Reader { db.asked.Add(1); return db.DB.Direct() }
func (db *countingDB) Tokens() store.Tokens { db.asked.Add(1); return db.DB.Tokens() }
func (db *countingDB) View(ctx context.Context, fn func(store.Reader) error) error {
	db.asked.Add(1)
	return db.DB.View(ctx, fn)
}

var errCollision = errors.New("collision")

func (db *countingDB) Update(ctx context.Context, fn func(store.Tx) error) error {
	db.asked.Add(1)
	if db.twice {
		err := db.DB.Update(ctx, func(tx store.Tx) error {
			if err := fn(tx); err != nil {
				return err
			}
			return errCollision
		})
		if !errors.Is(err, errCollision) {
			return err
		}
	}
	return db.DB.Update(ctx, fn)
}

// counted makes a world whose token service sees the database through a counter.
func counted(t *testing.T) (*world, *countingDB) {
	t.Helper()
	w := newWorld(t)
	db := &countingDB{DB: w.server.DB}
	node := newNode(t, w.server, func(c *apitest.TokenConfig) { c.DB = db })
	w.tokens, w.router = node.tokens, node.router
	return w, db
}

func TestNothingIsReadWhenNothingHasChanged(t *testing.T) {
	w, db := counted(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	var access string
	round := func() {
		for _, key := range []string{svcKey, userKey} {
			access = w.mustToken(apikey(key)).text("access_token")
		}
		w.mustToken(assume(access, "profile_name", "there", "account", acctB))
		if who := w.send(http.MethodGet, "/whoami", "", bearer(access)); who.status != http.StatusOK {
			t.Fatal(who.raw)
		}
	}
	round()
	before := db.asked.Load()
	for range 3 {
		round()
	}
	// The token of a round is new to the check of bearer tokens, and its subject
	// is in memory.
	if n := db.asked.Load() - before; n != 0 {
		t.Errorf("the database was asked %d times", n)
	}
	w.changeSettings(acctA, func(s *account.Settings) { s.AccessTokenExpiration = "900" })
	if got := w.mustToken(apikey(userKey)).number("expires_in"); got != 900 {
		t.Errorf("expires_in %d after the change", got)
	}
	if db.asked.Load() == before {
		t.Error("the change was seen without a look: the counter does not count")
	}
}

func TestLoginSurvivesATransactionThatRunsTwice(t *testing.T) {
	w, db := counted(t)
	db.twice = true
	a := w.mustToken(apikey(cliKey), bx)
	a = w.mustToken(refresh(a.text("refresh_token")), bx)
	w.mustToken(refresh(a.text("refresh_token")), bx)
	if got, err := w.sessions(); err != nil || len(got) != 1 {
		t.Errorf("%d sessions, %v; want one", len(got), err)
	}
}

func TestNoSecretIsStoredInClear(t *testing.T) {
	w := newWorld(t)
	w.setPassword()
	a := w.mustToken(apikey(cliKey), bx)
	d := w.mustToken(append(apikey(userKey), "response_type", "delegated_refresh_token", "receiver_client_ids", "kube"))
	code := w.send(http.MethodPost, "/identity/passcode", pairs(refresh(a.text("refresh_token"))...), bx).text("passcode")
	dump := w.dump()
	for name, text := range map[string]string{"access token": a.text("access_token"), "refresh token": a.text("refresh_token"),
		"delegated token": d.text("delegated_refresh_token"), "passcode": code, "password": password, "API key": userKey} {
		if text == "" || strings.Contains(dump, text) {
			t.Errorf("the %s %q is in the store", name, text)
		}
	}
	if !strings.Contains(dump, a.text("session_id")) {
		t.Error("the dump does not show what is stored")
	}
}

func TestFailedWritesLoseNoActivity(t *testing.T) {
	w := newWorld(t)
	failing := &failingDB{DB: w.server.DB}
	node := newNode(t, w.server, func(c *apitest.TokenConfig) { c.DB = failing })
	node.mustToken(apikey(svcKey))
	failing.fail.Store(true)
	if err := node.tokens.Flush(context.Background()); err == nil {
		t.Error("the failure is not told")
	}
	node.mustToken(apikey(svcKey))
	failing.fail.Store(false)
	if err := node.tokens.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, err := w.tokens.Activity(context.Background(), acctA, service); err != nil || got.Count != 2 {
		t.Errorf("stored %+v, %v, want a count of 2", got, err)
	}
}

type failingDB struct {
	store.DB
	fail atomic.Bool
}

func (db *failingDB) AddActivity(ctx context.Context, batch []store.Activity) error {
	if db.fail.Load() {
		return errors.New("the disk is full")
	}
	return db.DB.AddActivity(ctx, batch)
}
