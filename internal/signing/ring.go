package signing

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

// Defaults of RingOptions.
const (
	DefaultRotateAfter  = 30 * 24 * time.Hour
	DefaultPublishAhead = 24 * time.Hour
)

// retireGrace is added to the life of the last token of a retired key: another
// node may sign with the key until the change has reached it, and clocks differ.
const retireGrace = 10 * time.Minute

// removedMemory is how long a removed kid stays reserved. A kid has its minute
// in it, so this only has to cover clocks that differ.
const removedMemory = 24 * time.Hour

// Errors of a Ring.
var (
	// ErrNoKey: the ring is empty; RotateIfDue gives it a first key.
	ErrNoKey = errors.New("the key ring has no signing key")
	// ErrRingChanged: somebody else changed the ring meanwhile. What was saved may
	// be outdated: load the records again and retry.
	ErrRingChanged = errors.New("the key ring changed meanwhile")
)

// RingOptions configure a Ring.
type RingOptions struct {
	// Name is bound to the sealed keys, so that one ring's keys do not open in
	// another; required, and never to be changed.
	Name string
	// Sealer seals the keys in the records; required.
	Sealer *secret.Sealer
	// MaxTokenLife is the longest life of a token that the ring may sign; old keys
	// stay published for as long; required.
	MaxTokenLife time.Duration
	// Algorithm of new keys; empty means RS256. After a change the ring moves over
	// at the next rotation check, once the new key was published long enough.
	Algorithm Algorithm
	// RSABits is the size of new RSA keys; 0 means DefaultRSABits.
	RSABits int
	// Engine is the implementation that signs; empty means auto.
	Engine Engine
	// Limiter bounds concurrent RSA signatures; nil means one of its own with a
	// slot per core. Share one between the rings of a process.
	Limiter *Limiter
	// RotateAfter is the age at which a key stops signing, PublishAhead the time
	// that its successor must have been published by then, so that verifiers which
	// cache the JWKS know it. 0 means the defaults.
	RotateAfter  time.Duration
	PublishAhead time.Duration
}

// SaveFunc makes records durable before they take effect; an error leaves the
// ring as it was. It replaces all records kept so far and should fail when they
// were changed by another node. A nil SaveFunc keeps the ring in memory only.
type SaveFunc func([]Record) error

// Ring holds the signing keys of one issuer: the current one signs, the next
// one is published before it signs, retired ones are published until the last
// token that they signed has expired. The ring knows no store: it exports
// records, and takes them back with Load.
//
// Safe for concurrent use; readers never wait, a change swaps the whole state.
type Ring struct {
	opts  RingOptions
	state atomic.Pointer[ringState]
}

var _ Keys = (*Ring)(nil)

// NewRing returns an empty ring, to be filled by Load or RotateIfDue.
func NewRing(opts RingOptions) (*Ring, error) {
	if opts.Algorithm == "" {
		opts.Algorithm = RS256
	}
	if opts.RSABits == 0 {
		opts.RSABits = DefaultRSABits
	}
	if opts.RotateAfter == 0 {
		opts.RotateAfter = DefaultRotateAfter
	}
	if opts.PublishAhead == 0 {
		opts.PublishAhead = min(DefaultPublishAhead, opts.RotateAfter/2)
	}
	if opts.Limiter == nil {
		opts.Limiter = NewLimiter(0)
	}
	if _, err := ParseAlgorithm(string(opts.Algorithm)); err != nil {
		return nil, fmt.Errorf("making a key ring: %w", err)
	}
	switch {
	case opts.Name == "" || opts.Sealer == nil:
		return nil, errors.New("making a key ring: name and sealer are needed")
	case opts.MaxTokenLife <= 0:
		return nil, errors.New("making a key ring: the longest token life must be positive")
	case !acceptableRSABits(opts.RSABits):
		return nil, fmt.Errorf("making a key ring: RSA of %d bits is not one of 2048, 3072, 4096", opts.RSABits)
	case opts.PublishAhead < 0 || opts.RotateAfter <= opts.PublishAhead:
		return nil, errors.New("making a key ring: keys must be published for less time than they sign")
	}
	r := &Ring{opts: opts}
	empty, err := r.build(nil, nil)
	if err != nil {
		return nil, err
	}
	r.state.Store(empty)
	return r, nil
}

// Load replaces the ring's keys by the given records, in any order. On error
// the ring stays as it was. Keys that stay keep their signer and the pointer
// that PublicKey returns.
func (r *Ring) Load(records []Record) error {
	for {
		old := r.state.Load()
		state, err := r.build(records, old)
		if err != nil {
			return fmt.Errorf("loading key ring %s: %w", r.opts.Name, err)
		}
		if r.state.CompareAndSwap(old, state) {
			return nil
		}
	}
}

// Records returns the ring's state for a store, the current key first.
func (r *Ring) Records() []Record { return cloneRecords(r.state.Load().records) }

// Current returns the minter of the signing key, or nil when the ring is empty.
func (r *Ring) Current() *Minter { return r.state.Load().current }

// Compact signs claims with the current key; see Minter.Compact.
func (r *Ring) Compact(ctx context.Context, claims []byte) (string, error) {
	minter := r.Current()
	if minter == nil {
		return "", fmt.Errorf("making a token: %w", ErrNoKey)
	}
	return minter.Compact(ctx, claims)
}

// PublicKey returns the key with the given kid in whatever state, or nil. The
// next key counts too: another node may already sign with it.
func (r *Ring) PublicKey(kid string) *PublicKey {
	if entry, ok := r.state.Load().entries[kid]; ok {
		return entry.public
	}
	return nil
}

// JWKS returns the JWKS document with all keys. The bytes are shared: read only.
func (r *Ring) JWKS() []byte { return r.state.Load().jwks }

// RotateIfDue does what time demands: a first key, a successor to publish, the
// change to a successor when the current key is too old or of another algorithm
// than configured, the end of retired keys. It reports whether anything
// changed. Call it at start and about once a minute; it is cheap when nothing
// is due. It makes at most one key per call while a current key exists, so the
// successor of the first key comes with the second call, after the start.
func (r *Ring) RotateIfDue(now time.Time, save SaveFunc) (bool, error) {
	old := r.state.Load()
	p := newPlan(r, old, now)
	if err := p.due(); err != nil {
		return false, fmt.Errorf("rotating key ring %s: %w", r.opts.Name, err)
	}
	if !p.changed {
		return false, nil
	}
	return true, r.apply(old, p.records, save)
}

// Rotate changes to the next key now, whatever its age, and publishes another
// successor.
func (r *Ring) Rotate(now time.Time, save SaveFunc) error {
	old := r.state.Load()
	p := newPlan(r, old, now)
	if err := p.force(); err != nil {
		return fmt.Errorf("rotating key ring %s: %w", r.opts.Name, err)
	}
	return r.apply(old, p.records, save)
}

// Remove takes a key out at once, for one that became known to others: every
// token that it signed is refused from now on. When it was the current key its
// successor signs, or a new key when there is none. It fails with ErrUnknownKey.
func (r *Ring) Remove(now time.Time, kid string, save SaveFunc) error {
	old := r.state.Load()
	p := newPlan(r, old, now)
	if err := p.remove(kid); err != nil {
		return fmt.Errorf("removing key %q of ring %s: %w", kid, r.opts.Name, err)
	}
	return r.apply(old, p.records, save)
}

// Reseal seals every record under the sealer's first master key and reports
// whether any was under another.
func (r *Ring) Reseal(save SaveFunc) (bool, error) {
	old := r.state.Load()
	records, changed := cloneRecords(old.records), false
	for i := range records {
		if records[i].State == StateRemoved || !r.opts.Sealer.NeedsReseal(records[i].Sealed) {
			continue
		}
		sealed, err := r.opts.Sealer.Reseal(secret.PurposeSigningKey, r.objectID(&records[i]), records[i].Sealed)
		if err != nil {
			return false, fmt.Errorf("resealing key ring %s: %w", r.opts.Name, err)
		}
		records[i].Sealed, changed = sealed, true
	}
	if !changed {
		return false, nil
	}
	return true, r.apply(old, records, save)
}

// apply saves records and then swaps them in for old.
func (r *Ring) apply(old *ringState, records []Record, save SaveFunc) error {
	state, err := r.build(records, old)
	if err != nil {
		return fmt.Errorf("changing key ring %s: %w", r.opts.Name, err)
	}
	if save != nil {
		if err := save(cloneRecords(state.records)); err != nil {
			return fmt.Errorf("saving key ring %s: %w", r.opts.Name, err)
		}
	}
	if r.state.CompareAndSwap(old, state) {
		return nil
	}
	// Saving may have made the store tell us of our own change.
	if sameRecords(r.state.Load().records, state.records) {
		return nil
	}
	return fmt.Errorf("changing key ring %s: %w", r.opts.Name, ErrRingChanged)
}
