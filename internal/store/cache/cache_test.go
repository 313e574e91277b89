package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

type apiKey struct {
	store.Meta
	Locked bool   `json:"locked"`
	Secret string `json:"secret"` // stands for the keyed hash
}

var keys = store.NewCollection("apikey", func(k *apiKey) []store.Key {
	return []store.Key{hash(k.Secret)}
})

func hash(secret string) store.Key { return store.Key{Space: "apikey", Value: secret} }

// watched counts and can hold up the readings of a store.
type watched struct {
	store.DB
	reads atomic.Int64
	// after, if set, is called between reading and answering.
	after atomic.Pointer[func()]
}

func (w *watched) Direct() store.Reader { return &watchedReader{w.DB.Direct(), w} }

type watchedReader struct {
	store.Reader
	w *watched
}

func (r *watchedReader) done() {
	r.w.reads.Add(1)
	if f := r.w.after.Load(); f != nil {
		(*f)()
	}
}

func (r *watchedReader) Get(ctx context.Context, kind, account, id string) (*store.Record, error) {
	defer r.done()
	return r.Reader.Get(ctx, kind, account, id)
}

func (r *watchedReader) Lookup(ctx context.Context, key store.Key) (*store.Record, error) {
	defer r.done()
	return r.Reader.Lookup(ctx, key)
}

type bench struct {
	testing.TB
	db    *watched
	cache *cache.Cache
}

func newBench(t testing.TB, capacity int) *bench {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{TB: t, db: &watched{DB: db}}
	b.cache = cache.New(b.db, capacity)
	t.Cleanup(func() {
		b.cache.Close()
		db.Close()
	})
	return b
}

func (b *bench) create(account, id, secret string) {
	b.Helper()
	k := &apiKey{Meta: store.Meta{Account: account, ID: id}, Secret: secret}
	err := b.db.Update(b.Context(), func(tx store.Tx) error {
		return keys.Create(b.Context(), tx, k, store.Event{Action: "c"})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) change(account, id string, how func(*apiKey)) {
	b.Helper()
	err := b.db.Update(b.Context(), func(tx store.Tx) error {
		k, err := keys.Get(b.Context(), tx, account, id)
		if err != nil {
			return err
		}
		how(k)
		return keys.Update(b.Context(), tx, k, store.Event{Action: "u"})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) remove(account, id string) {
	b.Helper()
	err := b.db.Update(b.Context(), func(tx store.Tx) error {
		k, err := keys.Get(b.Context(), tx, account, id)
		if err != nil {
			return err
		}
		return keys.Delete(b.Context(), tx, k, store.Event{Action: "d"})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) get(account, id string) (*apiKey, error) {
	return cache.Get(b.Context(), b.cache, keys, account, id)
}

func (b *bench) lookup(secret string) (*apiKey, error) {
	return cache.Lookup(b.Context(), b.cache, keys, hash(secret))
}

// readings gives how often the database was read by f.
func (b *bench) readings(f func()) int64 {
	before := b.db.reads.Load()
	f()
	return b.db.reads.Load() - before
}

func (b *bench) wantReadings(want int64, f func()) {
	b.Helper()
	if got := b.readings(f); got != want {
		b.Errorf("the database was read %d times, want %d", got, want)
	}
}

func (b *bench) absent(err error) {
	b.Helper()
	if !errors.Is(err, fault.NotFound) {
		b.Errorf("got %v, want not found", err)
	}
}

func TestWhatDidNotChangeIsReadOnce(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	b.wantReadings(2, func() {
		for range 10 {
			for _, read := range []func() (*apiKey, error){
				func() (*apiKey, error) { return b.get("a1", "k1") },
				func() (*apiKey, error) { return b.lookup("s1") },
			} {
				if k, err := read(); err != nil || k.ID != "k1" || k.Secret != "s1" {
					t.Fatalf("got %+v, %v", k, err)
				}
			}
		}
	})
	first, _ := b.get("a1", "k1")
	second, _ := b.get("a1", "k1")
	if first != second {
		t.Error("two callers got two copies")
	}
	if n := b.cache.Misses(); n != 2 {
		t.Errorf("missed %d times", n)
	}
}

func TestALockedKeyIsSeenByTheNextRequest(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	for range 3 {
		for _, locked := range []bool{true, false} {
			b.change("a1", "k1", func(k *apiKey) { k.Locked = locked })
			byID, err1 := b.get("a1", "k1")
			alone, err2 := b.get("", "k1")
			byKey, err3 := b.lookup("s1")
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Fatal(err)
			}
			if byID.Locked != locked || alone.Locked != locked || byKey.Locked != locked {
				t.Errorf("locked: %v; seen %v, %v and %v", locked, byID.Locked, alone.Locked, byKey.Locked)
			}
		}
	}
}

func TestADeletedKeyIsGoneAndARebornOneIsThere(t *testing.T) {
	b := newBench(t, 100)
	for range 3 {
		b.create("a1", "k1", "s1")
		for _, err := range []error{second(b.get("a1", "k1")), second(b.lookup("s1"))} {
			if err != nil {
				t.Fatal(err)
			}
		}
		b.remove("a1", "k1")
		b.absent(second(b.get("a1", "k1")))
		b.absent(second(b.get("", "k1")))
		b.absent(second(b.lookup("s1")))
	}
}

func second[A, B any](_ A, b B) B { return b }

func TestAKeyThatMovedLeadsToItsNewHolder(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	b.create("a1", "k2", "s2")
	if k, err := b.lookup("s1"); err != nil || k.ID != "k1" {
		t.Fatal(k, err)
	}
	b.change("a1", "k1", func(k *apiKey) { k.Secret = "other" })
	b.absent(second(b.lookup("s1")))
	b.change("a1", "k2", func(k *apiKey) { k.Secret = "s1" })
	if k, err := b.lookup("s1"); err != nil || k.ID != "k2" {
		t.Fatalf("got %+v, %v", k, err)
	}
}

func TestAGuessIsRememberedUntilAKeyIsMade(t *testing.T) {
	b := newBench(t, 100)
	b.wantReadings(2, func() {
		for range 10 {
			b.absent(second(b.lookup("guess")))
			b.absent(second(b.get("a1", "guess")))
		}
	})
	b.create("a1", "guess", "guess")
	for _, err := range []error{second(b.lookup("guess")), second(b.get("a1", "guess"))} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestGuessesDriveOutNoGoodEntry(t *testing.T) {
	b := newBench(t, 50)
	for i := range 50 {
		b.create("a1", fmt.Sprint("k", i), fmt.Sprint("s", i))
		if _, err := b.lookup(fmt.Sprint("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 { // the creations have moved nothing for the others
		if _, err := b.lookup(fmt.Sprint("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 10_000 {
		b.absent(second(b.lookup(fmt.Sprint("guess", i))))
	}
	again := b.readings(func() {
		for i := range 50 {
			if _, err := b.lookup(fmt.Sprint("s", i)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if again > 2 { // two for counters that objects share by chance
		t.Errorf("%d of 50 entries were lost", again)
	}
}

func TestAReadingOvertakenByAWriteIsNotKept(t *testing.T) {
	for name, read := range map[string]func(*bench) (*apiKey, error){
		"by id":  func(b *bench) (*apiKey, error) { return b.get("a1", "k1") },
		"by key": func(b *bench) (*apiKey, error) { return b.lookup("s1") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 100)
			b.create("a1", "k1", "s1")
			var once sync.Once
			overtake := func() {
				once.Do(func() { b.change("a1", "k1", func(k *apiKey) { k.Locked = true }) })
			}
			b.db.after.Store(&overtake)
			if _, err := read(b); err != nil { // may see either state: it began before the write
				t.Fatal(err)
			}
			if k, err := read(b); err != nil || !k.Locked {
				t.Errorf("after the write the cache gave %+v, %v", k, err)
			}
		})
	}
}

func TestAnAbsenceOvertakenByAWriteIsNotKept(t *testing.T) {
	b := newBench(t, 100)
	var once sync.Once
	overtake := func() { once.Do(func() { b.create("a1", "k1", "s1") }) }
	b.db.after.Store(&overtake)
	b.absent(second(b.lookup("s1")))
	if _, err := b.lookup("s1"); err != nil {
		t.Error(err)
	}
	once = sync.Once{}
	overtake = func() { once.Do(func() { b.create("a1", "k2", "s2") }) }
	b.absent(second(b.get("a1", "k2")))
	if _, err := b.get("a1", "k2"); err != nil {
		t.Error(err)
	}
}

func TestALookUpWhoseKeyMovesWhileItReadsFindsTheNewHolder(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	b.create("a1", "k2", "s2")
	var n atomic.Int64
	overtake := func() {
		if n.Add(1) == 1 {
			b.change("a1", "k1", func(k *apiKey) { k.Secret = "other" })
			b.change("a1", "k2", func(k *apiKey) { k.Secret = "s1" })
		}
	}
	b.db.after.Store(&overtake)
	for range 2 {
		if k, err := b.lookup("s1"); err != nil || k.ID != "k2" {
			t.Errorf("got %+v, %v", k, err)
		}
	}
}

func TestCallersWhoMissTheSameShareOneReading(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	const callers = 20
	release := make(chan struct{})
	hold := func() { <-release }
	b.db.after.Store(&hold)
	b.wantReadings(1, func() {
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				if _, err := b.get("a1", "k1"); err != nil {
					t.Error(err)
				}
			})
		}
		for b.cache.Misses() < callers { // all have missed, none has an answer
		}
		close(release)
		wg.Wait()
	})
}

func TestACallerWhoComesAfterAWriteJoinsNoOlderReading(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	reading, release := make(chan struct{}), make(chan struct{})
	var n atomic.Int64
	hold := func() {
		if n.Add(1) == 1 {
			close(reading)
			<-release
		}
	}
	b.db.after.Store(&hold)
	slow := make(chan struct{})
	go func() {
		defer close(slow)
		if _, err := b.get("a1", "k1"); err != nil {
			t.Error(err)
		}
	}()
	<-reading
	b.change("a1", "k1", func(k *apiKey) { k.Locked = true })
	if k, err := b.get("a1", "k1"); err != nil || !k.Locked {
		t.Errorf("got %+v, %v", k, err)
	}
	close(release)
	<-slow
	if k, err := b.get("a1", "k1"); err != nil || !k.Locked {
		t.Errorf("got %+v, %v", k, err)
	}
}

func TestACallerWhoGivesUpDoesNotSpoilTheReading(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	reading, release := make(chan struct{}), make(chan struct{})
	hold := func() { close(reading); <-release }
	b.db.after.Store(&hold)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- second(cache.Get(ctx, b.cache, keys, "a1", "k1")) }()
	<-reading
	other := make(chan error)
	go func() { other <- second(b.get("a1", "k1")) }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for b.cache.Misses() < 2 {
	}
	close(release)
	if err := <-other; err != nil {
		t.Errorf("got %v", err)
	}
}

func TestAnEventToldOfTheWholeForgetsThePart(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	if _, err := b.get("a1", "k1"); err != nil {
		t.Fatal(err)
	}
	err := b.db.Update(t.Context(), func(tx store.Tx) error {
		k, err := keys.Get(t.Context(), tx, "a1", "k1")
		if err != nil {
			return err
		}
		k.Locked = true
		return keys.Update(t.Context(), tx, k, store.Event{Action: "whole.update", Account: "a2", Kind: "whole", Target: "w1"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if k, err := b.get("a1", "k1"); err != nil || !k.Locked {
		t.Errorf("got %+v, %v", k, err)
	}
}

func TestTheGenerationOfAnAccountMovesWithItsEvents(t *testing.T) {
	b := newBench(t, 100)
	seen := b.cache.Generation("a1")
	moved := func() bool {
		now := b.cache.Generation("a1")
		defer func() { seen = now }()
		return now != seen
	}
	if moved() {
		t.Error("moved without an event")
	}
	b.create("a1", "k1", "s1")
	if !moved() {
		t.Error("stood still at a creation")
	}
	b.remove("a1", "k1")
	if !moved() {
		t.Error("stood still at a deletion")
	}
	if err := b.db.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !moved() {
		t.Error("stood still at a reset")
	}
}

func TestAResetForgetsEverything(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	_, _ = b.get("a1", "k1")
	_, _ = b.lookup("s1")
	if err := b.db.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.absent(second(b.get("a1", "k1")))
	b.absent(second(b.lookup("s1")))
}

func TestAFailureOfTheStoreIsNotRemembered(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	b.wantReadings(2, func() {
		for range 2 {
			if _, err := b.get("a1", "k1"); !errors.Is(err, fault.Unavailable) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// The cache against the store itself: whatever was done, both say the same.
func TestTheCacheNeverDiffersFromTheStore(t *testing.T) {
	b := newBench(t, 3) // small, so that entries come and go
	rapid.Check(t, func(t *rapid.T) {
		if err := b.db.Reset(b.Context()); err != nil {
			t.Fatal(err)
		}
		id := rapid.SampledFrom([]string{"k1", "k2", "k3"})
		secret := rapid.SampledFrom([]string{"s1", "s2", "s3", "s4"})
		update := func(fn func(store.Tx) error) { _ = b.db.Update(b.Context(), fn) } // refusals are fine
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				k := &apiKey{Meta: store.Meta{Account: "a1", ID: id.Draw(t, "id")}, Secret: secret.Draw(t, "secret")}
				update(func(tx store.Tx) error { return keys.Create(b.Context(), tx, k, store.Event{Action: "c"}) })
			},
			"update": func(t *rapid.T) {
				id, secret := id.Draw(t, "id"), secret.Draw(t, "secret")
				update(func(tx store.Tx) error {
					k, err := keys.Get(b.Context(), tx, "a1", id)
					if err != nil {
						return err
					}
					k.Secret, k.Locked = secret, !k.Locked
					return keys.Update(b.Context(), tx, k, store.Event{Action: "u"})
				})
			},
			"delete": func(t *rapid.T) {
				id := id.Draw(t, "id")
				update(func(tx store.Tx) error {
					k, err := keys.Get(b.Context(), tx, "a1", id)
					if err != nil {
						return err
					}
					return keys.Delete(b.Context(), tx, k, store.Event{Action: "d"})
				})
			},
			"get": func(t *rapid.T) {
				id := id.Draw(t, "id")
				account := rapid.SampledFrom([]string{"a1", "a2", ""}).Draw(t, "account")
				got, err := b.get(account, id)
				want, wantErr := keys.Get(b.Context(), b.db.DB.Direct(), account, id)
				same(t, got, err, want, wantErr)
			},
			"look up": func(t *rapid.T) {
				s := secret.Draw(t, "secret")
				got, err := b.lookup(s)
				want, wantErr := keys.Lookup(b.Context(), b.db.DB.Direct(), hash(s))
				same(t, got, err, want, wantErr)
			},
		})
	})
}

func same(t *rapid.T, got *apiKey, err error, want *apiKey, wantErr error) {
	t.Helper()
	switch {
	case errors.Is(err, fault.NotFound) && errors.Is(wantErr, fault.NotFound):
	case err != nil || wantErr != nil:
		t.Fatalf("cache: %v, store: %v", err, wantErr)
	case got.Tag != want.Tag || got.Locked != want.Locked || got.Secret != want.Secret:
		t.Fatalf("cache: %+v, store: %+v", got, want)
	}
}

func TestAHitAllocatesNothing(t *testing.T) {
	b := newBench(t, 100)
	b.create("a1", "k1", "s1")
	for name, read := range map[string]func(){
		"get":        func() { _, _ = b.get("a1", "k1") },
		"look-up":    func() { _, _ = b.lookup("s1") },
		"absent":     func() { _, _ = b.lookup("guess") },
		"generation": func() { b.cache.Generation("a1") },
	} {
		read()
		if n := testing.AllocsPerRun(1000, read); n >= 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkHit(b *testing.B) {
	x := newBench(b, 10_000)
	x.create("0123456789abcdef0123456789abcdef", "ApiKey-00000000-0000-4000-8000-000000000000", "s1")
	ctx := b.Context()
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = cache.Get(ctx, x.cache, keys, "0123456789abcdef0123456789abcdef", "ApiKey-00000000-0000-4000-8000-000000000000")
		}
	})
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		k := hash("s1")
		for b.Loop() {
			_, _ = cache.Lookup(ctx, x.cache, keys, k)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		k := hash("s1")
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = cache.Lookup(ctx, x.cache, keys, k)
			}
		})
	})
}
