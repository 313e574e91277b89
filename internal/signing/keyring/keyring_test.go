package keyring_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/signing/keyring"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

type world struct {
	t   *testing.T
	db  *sqlitestore.DB
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	var err error
	if w.db, err = sqlitestore.Open(context.Background(), sqlitestore.Options{Memory: true,
		Now: func() time.Time { return w.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	return w
}

// node starts a keyring over the store.
func (w *world) node(db store.DB) *keyring.Keyring {
	w.t.Helper()
	master, err := secret.ParseMasterKey(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		w.t.Fatal(err)
	}
	sealer, err := secret.NewSealer(nil, master)
	if err != nil {
		w.t.Fatal(err)
	}
	k, err := keyring.New(keyring.Config{DB: db, Sealer: sealer, TokenLife: time.Hour, Algorithm: signing.ES256, Engine: signing.EngineGo,
		RotateAfter: 30 * 24 * time.Hour, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(k.Close)
	if err := k.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return k
}

func kid(k *keyring.Keyring) string { id, _, _ := k.Signer(); return id }

func (w *world) maintain(k *keyring.Keyring) {
	w.t.Helper()
	if err := k.Maintain(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestKeysAreChangedByAgeAndStayAsLongAsTheirTokens(t *testing.T) {
	w := newWorld(t)
	k := w.node(w.db)
	first, began := kid(k), w.now
	if w.maintain(k); kid(k) != first || !k.Since().Equal(began) {
		t.Fatalf("changed at once: %s since %v", kid(k), k.Since())
	}
	w.now = w.now.Add(31 * 24 * time.Hour)
	w.maintain(k)
	second := kid(k)
	if second == first || k.PublicKey(first) == nil || k.PublicKey(second) == nil {
		t.Fatalf("%s after %s: both must be published", second, first)
	}
	w.now = w.now.Add(2 * time.Hour)
	if w.maintain(k); k.PublicKey(first) != nil || kid(k) != second {
		t.Error("the old key is published longer than its tokens live")
	}
}

func TestNodesShareOneRing(t *testing.T) {
	w := newWorld(t)
	one, two := w.node(w.db), w.node(w.db)
	if kid(one) != kid(two) {
		t.Fatal("each has keys of its own")
	}
	before := kid(one)
	if err := one.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if two.Fresh(t.Context()); kid(two) != kid(one) || kid(two) == before || two.PublicKey(before) == nil {
		t.Errorf("%s there, %s here", kid(two), kid(one))
	}
}

// TestAChangeIsPlannedAnewWhenAnotherNodeWasQuicker: the second node hears of
// nothing and finds out when it writes.
func TestAChangeIsPlannedAnewWhenAnotherNodeWasQuicker(t *testing.T) {
	w := newWorld(t)
	one, deaf := w.node(w.db), w.node(silent{w.db})
	if err := one.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	quicker := kid(one)
	if err := deaf.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	one.Fresh(t.Context())
	if kid(one) != kid(deaf) || kid(one) == quicker || deaf.PublicKey(quicker) == nil {
		t.Errorf("here %s, there %s, between %s", kid(one), kid(deaf), quicker)
	}
}

// silent is a store that tells nobody of its writes, as a file that another
// process writes to.
type silent struct{ store.DB }

func (silent) Subscribe(func([]store.Event)) func() { return func() {} }

func TestAKeyThatBecameKnownSignsAndProvesNothingAnyMore(t *testing.T) {
	w := newWorld(t)
	k, deaf := w.node(w.db), w.node(silent{w.db})
	known := kid(k)
	if err := k.Revoke(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	if k.PublicKey(known) != nil || kid(k) == known || kid(k) == "" {
		t.Errorf("signs with %s", kid(k))
	}
	deaf.Recheck()
	deaf.Fresh(t.Context())
	if deaf.PublicKey(known) != nil || kid(deaf) != kid(k) {
		t.Error("a node that was told to look again still believes it")
	}
	if err := k.Revoke(t.Context(), known); !errors.Is(err, fault.NotFound) {
		t.Errorf("once more: %v", err)
	}
}

func TestKeysOutliveAReset(t *testing.T) {
	w := newWorld(t)
	k := w.node(w.db)
	before := kid(k)
	if err := w.db.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.Fresh(t.Context()); kid(k) != before {
		t.Error("the tokens that clients hold are void")
	}
	if again := w.node(w.db); kid(again) != before {
		t.Error("the keys were not written back")
	}
}

func TestNothingIsSignedBeforeTheStart(t *testing.T) {
	w := newWorld(t)
	k := w.node(w.db)
	text, err := k.Compact(t.Context(), []byte(`{"sub":"x"}`))
	if err != nil || strings.Count(text, ".") != 2 {
		t.Errorf("%q, %v", text, err)
	}
	idle, err := keyring.New(keyring.Config{DB: silent{w.db}, Sealer: new(secret.Sealer), TokenLife: time.Hour, Algorithm: signing.ES256,
		Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := idle.Compact(t.Context(), []byte(`{}`)); !errors.Is(err, signing.ErrNoKey) {
		t.Errorf("before the start: %v", err)
	}
}
