package signing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

func newSealer(t testing.TB, seeds ...byte) *secret.Sealer {
	t.Helper()
	var keys []secret.MasterKey
	for _, seed := range seeds {
		key, err := secret.ParseMasterKey(fmt.Sprintf("%02x%s", seed, strings.Repeat("ab", 31)))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	sealer, err := secret.NewSealer(nil, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// options are those of an ES256 ring, whose keys are made quickly: a key signs
// for 30 days, its successor is published a day ahead, tokens live an hour.
func options(t testing.TB) signing.RingOptions {
	t.Helper()
	return signing.RingOptions{
		Name: "test", Sealer: newSealer(t, 1), MaxTokenLife: hour, Algorithm: signing.ES256,
		RotateAfter: 30 * day, PublishAhead: day,
	}
}

func newRing(t testing.TB, opts signing.RingOptions) *signing.Ring {
	t.Helper()
	ring, err := signing.NewRing(opts)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// tick runs the rotation check and says whether anything changed.
func tick(t testing.TB, ring *signing.Ring, now time.Time) bool {
	t.Helper()
	changed, err := ring.RotateIfDue(now, nil)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// states lists the ring's keys as "kid state", without removed ones.
func states(ring *signing.Ring) []string {
	var out []string
	for _, r := range ring.Records() {
		if r.State == signing.StateRemoved {
			continue
		}
		out = append(out, r.KeyID+" "+string(r.State))
	}
	return out
}

func wantStates(t testing.TB, ring *signing.Ring, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, states(ring)); diff != "" {
		t.Errorf("keys of the ring (-want +got):\n%s", diff)
	}
	var document struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(ring.JWKS(), &document); err != nil {
		t.Fatal(err)
	}
	for i, key := range document.Keys {
		if i >= len(want) || !strings.HasPrefix(want[i], key.Kid+" ") {
			t.Errorf("JWKS has %s at %d, the ring is %v", key.Kid, i, want)
		}
	}
	if len(document.Keys) != len(want) {
		t.Errorf("JWKS has %d keys, want %d", len(document.Keys), len(want))
	}
}

func compact(t testing.TB, ring *signing.Ring) string {
	t.Helper()
	token, err := ring.Compact(t.Context(), []byte(`{"exp":4000000000}`))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAKeyIsPublishedBeforeItSignsAndUntilItsTokensExpired(t *testing.T) {
	ring := newRing(t, options(t))
	if _, err := ring.Compact(t.Context(), []byte("{}")); !errors.Is(err, signing.ErrNoKey) {
		t.Errorf("an empty ring signs: %v", err)
	}
	wantStates(t, ring)
	if !tick(t, ring, start) {
		t.Fatal("an empty ring gets no key")
	}
	wantStates(t, ring, "202611220240 current")
	if !tick(t, ring, start.Add(time.Second)) || tick(t, ring, start.Add(time.Minute)) {
		t.Error("the second check does not publish a successor, or the third changes something")
	}
	wantStates(t, ring, "202611220240 current", "202611220240-2 next")
	v := payloadVerifier(ring, 10)
	first := compact(t, ring)
	if !strings.HasPrefix(first, encode(`{"kid":"202611220240","alg":"ES256"}`)) {
		t.Error("the current key does not sign")
	}

	if tick(t, ring, start.Add(30*day-time.Second)) {
		t.Error("the ring rotates before its time")
	}
	rotated := start.Add(30 * day)
	if !tick(t, ring, rotated) {
		t.Fatal("the ring does not rotate at its time")
	}
	wantStates(t, ring, "202611220240-2 current", "202612220240 next", "202611220240 retired")
	second := compact(t, ring)
	if !strings.HasPrefix(second, encode(`{"kid":"202611220240-2","alg":"ES256"}`)) {
		t.Error("the successor does not sign")
	}
	for _, token := range []string{first, second} {
		if _, err := v.Verify(token); err != nil {
			t.Errorf("a token is refused after the rotation: %v", err)
		}
	}
	if tick(t, ring, rotated.Add(hour)) {
		t.Error("the old key is dropped while a token of its last second may live")
	}
	if !tick(t, ring, rotated.Add(hour+10*time.Minute)) {
		t.Error("the old key is kept for ever")
	}
	wantStates(t, ring, "202611220240-2 current", "202612220240 next")
	if _, err := v.Verify(first); !errors.Is(err, signing.ErrUnknownKey) {
		t.Errorf("a remembered token of a dropped key: %v", err)
	}
}

func TestAKeyPublishedTooLateWaits(t *testing.T) {
	ring := newRing(t, options(t))
	tick(t, ring, start)
	// No checks ran for two months: the successor is made now and must not sign
	// before verifiers had a day to read it.
	late := start.Add(60 * day)
	tick(t, ring, late)
	wantStates(t, ring, "202611220240 current", "202701210240 next")
	if tick(t, ring, late.Add(day-time.Second)) {
		t.Error("a key signs that was published for less than a day")
	}
	tick(t, ring, late.Add(day))
	wantStates(t, ring, "202701210240 current", "202701220240 next", "202611220240 retired")
}

func TestRotationByCommandIsImmediate(t *testing.T) {
	ring := newRing(t, options(t))
	for range 2 {
		if err := ring.Rotate(start, nil); err != nil {
			t.Fatal(err)
		}
	}
	// The first made a first key; the second a successor that signs at once, and
	// one more.
	wantStates(t, ring, "202611220240-2 current", "202611220240-3 next", "202611220240 retired")
	if err := ring.Rotate(start.Add(2*hour), nil); err != nil {
		t.Fatal(err)
	}
	wantStates(t, ring, "202611220240-3 current", "202611220440 next", "202611220240-2 retired")
}

func TestARemovedKeyVerifiesNothingAtOnce(t *testing.T) {
	ring := newRing(t, options(t))
	tick(t, ring, start)
	tick(t, ring, start)
	v := payloadVerifier(ring, 10)
	token := compact(t, ring)
	if _, err := v.Verify(token); err != nil {
		t.Fatal(err)
	}
	if err := ring.Remove(start, "202611220240", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(token); !errors.Is(err, signing.ErrUnknownKey) {
		t.Errorf("a token of the removed key: %v", err)
	}
	wantStates(t, ring, "202611220240-2 current")
	if _, err := v.Verify(compact(t, ring)); err != nil {
		t.Errorf("its successor does not sign: %v", err)
	}
	if err := ring.Remove(start, "202611220240", nil); !errors.Is(err, signing.ErrUnknownKey) {
		t.Errorf("removing it again: %v", err)
	}
	// With no successor there is a new key, and it does not get a removed key's kid
	// although it is made in the same minute and the server was restarted.
	again := newRing(t, options(t))
	if err := again.Load(ring.Records()); err != nil {
		t.Fatal(err)
	}
	if err := again.Remove(start, "202611220240-2", nil); err != nil {
		t.Fatal(err)
	}
	wantStates(t, again, "202611220240-3 current")
	for _, r := range again.Records()[1:] {
		if r.State != signing.StateRemoved || len(r.Sealed) != 0 {
			t.Errorf("key %s is %s and has %d bytes", r.KeyID, r.State, len(r.Sealed))
		}
	}
	tick(t, again, start.Add(day))
	if n := len(again.Records()); n != 2 {
		t.Errorf("a day later there are %d records, want the current and the next", n)
	}
}

func TestChangingTheAlgorithmMovesTheRingOver(t *testing.T) {
	opts := options(t)
	old := newRing(t, opts)
	tick(t, old, start)
	tick(t, old, start)
	opts.Algorithm = signing.RS256
	ring := newRing(t, opts)
	if err := ring.Load(old.Records()); err != nil {
		t.Fatal(err)
	}
	tick(t, ring, start.Add(hour))
	wantStates(t, ring, "202611220240 current", "202611220340 next")
	tick(t, ring, start.Add(hour+day))
	if got := ring.Records()[0]; got.KeyID != "202611220340" || got.Algorithm != signing.RS256 {
		t.Errorf("a day later %s (%s) signs", got.KeyID, got.Algorithm)
	}
	if ring.Current().Signer().Algorithm() != signing.RS256 {
		t.Error("the signer has the old algorithm")
	}
}

func TestAShorterTokenLifeDoesNotCutOldTokensOff(t *testing.T) {
	opts := options(t)
	opts.MaxTokenLife = 24 * hour
	old := newRing(t, opts)
	tick(t, old, start)
	tick(t, old, start)
	opts.MaxTokenLife = hour
	ring := newRing(t, opts)
	if err := ring.Load(old.Records()); err != nil {
		t.Fatal(err)
	}
	if err := ring.Rotate(start.Add(day), nil); err != nil {
		t.Fatal(err)
	}
	retired := ring.Records()[2]
	if want := start.Add(2*day + 10*time.Minute); !retired.VerifyUntil.Equal(want) {
		t.Errorf("the old key verifies until %v, want %v", retired.VerifyUntil, want)
	}
	opts.MaxTokenLife = 48 * hour
	longer := newRing(t, opts)
	if err := longer.Load(ring.Records()); err != nil {
		t.Fatal(err)
	}
	if !tick(t, longer, start.Add(day)) || longer.Records()[0].TokenLifeSeconds != int64(48*hour/time.Second) {
		t.Error("a longer life is not noted with the current key")
	}
}

func TestRecordsRestoreTheRing(t *testing.T) {
	ring := newRing(t, options(t))
	for i := range 3 {
		if err := ring.Rotate(start.Add(time.Duration(i)*time.Minute), nil); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := json.Marshal(ring.Records())
	if err != nil {
		t.Fatal(err)
	}
	var records []signing.Record
	if err := json.Unmarshal(stored, &records); err != nil {
		t.Fatal(err)
	}
	again := newRing(t, options(t))
	if err := again.Load(records); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ring.Records(), again.Records()); diff != "" {
		t.Errorf("records differ:\n%s", diff)
	}
	if !bytes.Equal(ring.JWKS(), again.JWKS()) {
		t.Error("the JWKS differs")
	}
	if _, err := payloadVerifier(ring, 0).Verify(compact(t, again)); err != nil {
		t.Errorf("the restored ring's token: %v", err)
	}
	public := ring.PublicKey(records[0].KeyID)
	minter := ring.Current()
	if err := ring.Load(records); err != nil {
		t.Fatal(err)
	}
	if ring.PublicKey(records[0].KeyID) != public || ring.Current() != minter {
		t.Error("loading the same records replaces keys and empties the verifiers' caches")
	}
}

func TestRetiredKeysHaveNoPrivateHalf(t *testing.T) {
	ring := newRing(t, options(t))
	for range 2 {
		if err := ring.Rotate(start, nil); err != nil {
			t.Fatal(err)
		}
	}
	records := ring.Records()
	records[0].State, records[2].State = signing.StateRetired, signing.StateCurrent
	if err := newRing(t, options(t)).Load(records); !errors.Is(err, secret.ErrTampered) {
		t.Errorf("a retired key is made current again: %v", err)
	}
}

func TestRecordsThatSomebodyChangedAreRefused(t *testing.T) {
	ring := newRing(t, options(t))
	for range 2 {
		if err := ring.Rotate(start, nil); err != nil {
			t.Fatal(err)
		}
	}
	other := newRing(t, options(t))
	if err := other.Rotate(start, nil); err != nil {
		t.Fatal(err)
	}
	foreign := options(t)
	foreign.Name = "other"
	pkix, err := ecKey().Public().MarshalPKIX()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		opts signing.RingOptions
		edit func(r []signing.Record) []signing.Record
	}{
		{"other ring's key", options(t), func(r []signing.Record) []signing.Record { r[0].KeyID = other.Records()[0].KeyID + "x"; return r }},
		{"of another ring", foreign, func(r []signing.Record) []signing.Record { return r }},
		{"a planted public key", options(t), func(r []signing.Record) []signing.Record { r[2].Sealed = pkix; return r }},
		{"no key bytes", options(t), func(r []signing.Record) []signing.Record { r[1].Sealed = nil; return r }},
		{"two current", options(t), func(r []signing.Record) []signing.Record { r[1].State = signing.StateCurrent; return r }},
		{"two next", options(t), func(r []signing.Record) []signing.Record { r[0].State = signing.StateNext; return r }},
		{"no current", options(t), func(r []signing.Record) []signing.Record { return r[1:] }},
		{"twice", options(t), func(r []signing.Record) []signing.Record { return append(r, r[0]) }},
		{"unknown state", options(t), func(r []signing.Record) []signing.Record { r[1].State = "pending"; return r }},
		{"other algorithm", options(t), func(r []signing.Record) []signing.Record { r[0].Algorithm = signing.RS256; return r }},
		{"no kid", options(t), func(r []signing.Record) []signing.Record { r[0].KeyID = ""; return r }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := newRing(t, tt.opts)
			if err := target.Load(tt.edit(ring.Records())); err == nil {
				t.Error("the records are accepted")
			}
			if len(target.Records()) != 0 || target.Current() != nil {
				t.Error("refused records leave something behind")
			}
		})
	}
	// The same edits must not pass because the ring knows the keys already.
	for _, tt := range tests[2:] {
		before := states(ring)
		if err := ring.Load(tt.edit(ring.Records())); err == nil {
			t.Errorf("%s: a filled ring accepts the records", tt.name)
		}
		if diff := cmp.Diff(before, states(ring)); diff != "" {
			t.Errorf("%s: the ring changed:\n%s", tt.name, diff)
		}
	}
}

func TestNothingChangesBeforeItIsSaved(t *testing.T) {
	ring := newRing(t, options(t))
	tick(t, ring, start)
	before, full := states(ring), errors.New("disk full")
	fail := func([]signing.Record) error { return full }
	if _, err := ring.RotateIfDue(start, fail); !errors.Is(err, full) {
		t.Errorf("RotateIfDue: %v", err)
	}
	if err := ring.Rotate(start, fail); !errors.Is(err, full) {
		t.Errorf("Rotate: %v", err)
	}
	if err := ring.Remove(start, "202611220240", fail); !errors.Is(err, full) {
		t.Errorf("Remove: %v", err)
	}
	if diff := cmp.Diff(before, states(ring)); diff != "" {
		t.Errorf("the ring changed although saving failed:\n%s", diff)
	}
	var saved []signing.Record
	if err := ring.Rotate(start, func(records []signing.Record) error {
		if diff := cmp.Diff(before, states(ring)); diff != "" {
			t.Errorf("the change is visible before it is saved:\n%s", diff)
		}
		saved = records
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saved, ring.Records()); diff != "" {
		t.Errorf("saved records differ from the ring's:\n%s", diff)
	}
}

func TestAChangeMeanwhileIsNotOverwritten(t *testing.T) {
	ring := newRing(t, options(t))
	tick(t, ring, start)
	err := ring.Rotate(start, func([]signing.Record) error { return ring.Rotate(start, nil) })
	if !errors.Is(err, signing.ErrRingChanged) {
		t.Errorf("two rotations at a time: %v, want ErrRingChanged", err)
	}
	// The store announcing our own change while we save it is no conflict.
	if err := ring.Rotate(start, func(records []signing.Record) error { return ring.Load(records) }); err != nil {
		t.Errorf("a save that loads what it saved: %v", err)
	}
}

func TestMasterKeyRotationResealsTheRing(t *testing.T) {
	opts := options(t)
	old := newRing(t, opts)
	for range 2 {
		if err := old.Rotate(start, nil); err != nil {
			t.Fatal(err)
		}
	}
	opts.Sealer = newSealer(t, 2, 1)
	both := newRing(t, opts)
	if err := both.Load(old.Records()); err != nil {
		t.Fatal(err)
	}
	token := compact(t, both)
	minter := both.Current()
	if changed, err := both.Reseal(nil); err != nil || !changed {
		t.Fatalf("resealing: %v, %v", changed, err)
	}
	if both.Current() != minter {
		t.Error("resealing replaces the signer")
	}
	if changed, err := both.Reseal(nil); err != nil || changed {
		t.Errorf("resealing again: %v, %v", changed, err)
	}
	opts.Sealer = newSealer(t, 2)
	latest := newRing(t, opts)
	if err := latest.Load(both.Records()); err != nil {
		t.Fatalf("without the old master key: %v", err)
	}
	if _, err := payloadVerifier(latest, 0).Verify(token); err != nil {
		t.Error(err)
	}
	if err := latest.Load(old.Records()); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("records under the old master key: %v", err)
	}
}

func TestRingOptionsAreChecked(t *testing.T) {
	for name, edit := range map[string]func(*signing.RingOptions){
		"no name":           func(o *signing.RingOptions) { o.Name = "" },
		"no sealer":         func(o *signing.RingOptions) { o.Sealer = nil },
		"no token life":     func(o *signing.RingOptions) { o.MaxTokenLife = 0 },
		"unknown algorithm": func(o *signing.RingOptions) { o.Algorithm = "HS256" },
		"RSA-1024":          func(o *signing.RingOptions) { o.RSABits = 1024 },
		"published longer":  func(o *signing.RingOptions) { o.PublishAhead = 31 * day },
		"negative age":      func(o *signing.RingOptions) { o.RotateAfter = -day },
	} {
		opts := options(t)
		edit(&opts)
		if _, err := signing.NewRing(opts); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	plain := newRing(t, signing.RingOptions{Name: "r", Sealer: newSealer(t, 1), MaxTokenLife: hour})
	tick(t, plain, start)
	if r := plain.Records()[0]; r.Algorithm != signing.RS256 {
		t.Errorf("the default algorithm is %s", r.Algorithm)
	}
}

func TestReadersNeverSeeARingWithoutAKey(t *testing.T) {
	ring := newRing(t, options(t))
	tick(t, ring, start)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			v := payloadVerifier(ring, 8)
			for {
				select {
				case <-stop:
					return
				default:
				}
				token, err := ring.Compact(t.Context(), []byte(`{"exp":4000000000}`))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := v.Verify(token); err != nil {
					t.Errorf("a token of the current key: %v", err)
					return
				}
			}
		})
	}
	for i := range 30 {
		// Less than a token's life apart, so no key is dropped between signing and
		// verifying.
		if err := ring.Rotate(start.Add(time.Duration(i)*time.Second), nil); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

// TestAnyHistoryKeepsThePromises runs random checks, commands and restarts at
// advancing times, and holds the ring to what verifiers rely on.
func TestAnyHistoryKeepsThePromises(t *testing.T) {
	opts := options(t)
	rapid.Check(t, func(t *rapid.T) {
		ring, err := signing.NewRing(opts)
		if err != nil {
			t.Fatal(err)
		}
		now := start
		signedAt := map[string]time.Time{}
		removed := map[string]bool{}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*day/time.Second)).Draw(t, "pause")) * time.Second)
			switch rapid.SampledFrom([]string{"tick", "tick", "tick", "rotate", "restart", "remove"}).Draw(t, "step") {
			case "tick":
				_, err = ring.RotateIfDue(now, nil)
			case "rotate":
				err = ring.Rotate(now, nil)
			case "remove":
				if keys := states(ring); len(keys) > 0 {
					kid, _, _ := strings.Cut(rapid.SampledFrom(keys).Draw(t, "key"), " ")
					removed[kid] = true
					err = ring.Remove(now, kid, nil)
				}
			case "restart":
				records := ring.Records()
				if ring, err = signing.NewRing(opts); err == nil {
					err = ring.Load(records)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if minter := ring.Current(); minter != nil {
				if removed[minter.KeyID()] {
					t.Fatalf("the removed key %s signs", minter.KeyID())
				}
				signedAt[minter.KeyID()] = now
			}
			for kid, last := range signedAt {
				if now.Before(last.Add(opts.MaxTokenLife)) && !removed[kid] && ring.PublicKey(kid) == nil {
					t.Fatalf("at %v key %s is gone, it signed at %v", now, kid, last)
				}
			}
		}
	})
}
