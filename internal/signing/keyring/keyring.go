// Package keyring keeps the ring of signing keys in the store: it loads, makes,
// rotates, revokes and reseals them, and follows what other nodes write. What is
// signed with them is not its business.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/store"
)

const (
	ringKind = "signing-key"
	// ringName is bound to the sealed keys and must never change.
	ringName = "identity"
)

// ringObject is the ring in the store: one object, so that two nodes that
// rotate at the same time meet at its version. The keys in it are sealed.
type ringObject struct {
	store.Meta
	Records []signing.Record `json:"records"`
}

var rings = store.NewCollection[ringObject](ringKind, nil)

// Config is what a Keyring needs. DB, Sealer, TokenLife, Now and Log are required.
type Config struct {
	DB store.DB
	// Sealer seals the keys.
	Sealer *secret.Sealer
	// TokenLife is the longest life of what is signed: old keys stay published
	// for as long.
	TokenLife time.Duration
	// Algorithm of new keys (default RS256), Engine who computes, RotateAfter as in
	// signing.RingOptions.
	Algorithm   signing.Algorithm
	Engine      signing.Engine
	RotateAfter time.Duration
	Now         func() time.Time
	Log         *slog.Logger
}

// Keyring is the ring of signing keys of an installation. It is safe for
// concurrent use.
type Keyring struct {
	db        store.DB
	now       func() time.Time
	log       *slog.Logger
	algorithm signing.Algorithm
	ring      *signing.Ring
	// stale is set when another node may have changed the ring.
	stale atomic.Bool
	// mu serialises reloading and changing the ring.
	mu     sync.Mutex
	cancel func()
}

// New makes a Keyring without keys, which follows the event log until Close. It
// reads nothing yet: call Start before the first signature.
func New(cfg Config) (*Keyring, error) {
	k := &Keyring{db: cfg.DB, now: cfg.Now, log: cfg.Log, algorithm: cfg.Algorithm}
	var err error
	k.ring, err = signing.NewRing(signing.RingOptions{
		Name: ringName, Sealer: cfg.Sealer, MaxTokenLife: cfg.TokenLife, Algorithm: cfg.Algorithm,
		Engine: cfg.Engine, RotateAfter: cfg.RotateAfter,
	})
	if err != nil {
		return nil, fmt.Errorf("making the ring of signing keys: %w", err)
	}
	k.cancel = cfg.DB.Subscribe(k.observe)
	return k, nil
}

// observe sees every event of the store.
func (k *Keyring) observe(events []store.Event) {
	for i := range events {
		if e := &events[i]; e.Op == store.Reset || e.Written().Kind == ringKind {
			k.stale.Store(true)
		}
	}
}

// Close ends the subscription.
func (k *Keyring) Close() { k.cancel() }

// Start loads the keys and makes the first one when there is none of
// the algorithm asked for (an RSA key takes 50 to 180 ms). It may run beside other work of the start; until its
// end there is nothing to sign with.
func (k *Keyring) Start(ctx context.Context) error {
	if err := k.load(ctx); err != nil {
		return err
	}
	if m := k.ring.Current(); m != nil && m.Signer().Algorithm() == k.algorithm {
		// Tokens can be issued. A successor that is due costs the making of a
		// key, some 80 ms for RSA: Maintain does that beside the first requests.
		return nil
	}
	return k.Maintain(ctx)
}

// Maintain makes the keys that are due and drops those that are over. It costs
// nothing otherwise.
func (k *Keyring) Maintain(ctx context.Context) error {
	return k.rotate(ctx, k.ring.RotateIfDue)
}

// load takes the ring from the store. Records that are gone (the store was
// reset) leave the ring as it is; the next change writes it back.
func (k *Keyring) load(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reload(ctx)
}

// reload wants mu.
func (k *Keyring) reload(ctx context.Context) error {
	k.stale.Store(false)
	obj, err := rings.Get(ctx, k.db.Direct(), store.System, ringName)
	switch {
	case errors.Is(err, fault.NotFound):
		if records := k.ring.Records(); len(records) > 0 {
			return k.save(ctx)(records)
		}
		return nil
	case err != nil:
		k.stale.Store(true)
		return fmt.Errorf("reading the signing keys: %w", err)
	}
	if err := k.ring.Load(obj.Records); err != nil {
		k.stale.Store(true)
		return fmt.Errorf("loading the signing keys: %w", err)
	}
	return nil
}

// Fresh reloads the ring when another node changed it. It costs one atomic
// read otherwise.
func (k *Keyring) Fresh(ctx context.Context) {
	if !k.stale.Load() {
		return
	}
	if err := k.load(ctx); err != nil {
		k.log.LogAttrs(ctx, slog.LevelError, "signing keys could not be reloaded; the known ones stay in use", slog.Any("error", err))
	}
}

// save makes the function with which the ring becomes durable. It fails
// with signing.ErrRingChanged when another node changed the ring since it was
// loaded here.
func (k *Keyring) save(ctx context.Context) signing.SaveFunc {
	before := keyIDs(k.ring.Records())
	return func(records []signing.Record) error {
		event := store.Event{Action: "iam-identity.signing-key.rotate", Message: "IAM Identity Service: rotate signing keys",
			Params: keyIDs(records)}
		err := k.db.Update(ctx, func(tx store.Tx) error {
			obj, err := rings.Get(ctx, tx, store.System, ringName)
			if errors.Is(err, fault.NotFound) {
				obj = &ringObject{Meta: store.Meta{Account: store.System, ID: ringName, Name: "signing keys"}, Records: records}
				return rings.Create(ctx, tx, obj, event)
			}
			if err != nil {
				return err
			}
			if !equalIDs(keyIDs(obj.Records), before) {
				return signing.ErrRingChanged
			}
			obj.Records = records
			return rings.Update(ctx, tx, obj, event)
		})
		if errors.Is(err, fault.Conflict) || errors.Is(err, fault.Stale) {
			return signing.ErrRingChanged
		}
		return err
	}
}

// keyIDs names keys with their states: what has to be equal for two views of
// the ring to be the same.
func keyIDs(records []signing.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = r.KeyID + " " + string(r.State)
	}
	return out
}

func equalIDs(a, b []string) bool {
	seen := make(map[string]bool, len(a))
	for _, id := range a {
		seen[id] = true
	}
	for _, id := range b {
		if !seen[id] {
			return false
		}
	}
	return len(a) == len(b)
}

// rotateTries bounds how often a change of the ring is planned anew because
// another node was quicker.
const rotateTries = 5

// rotate changes the ring through step, again on the newest state when another
// node changed it meanwhile.
func (k *Keyring) rotate(ctx context.Context, step func(time.Time, signing.SaveFunc) (bool, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for try := 1; ; try++ {
		if k.stale.Load() {
			if err := k.reload(ctx); err != nil {
				return err
			}
		}
		changed, err := step(k.now(), k.save(ctx))
		if errors.Is(err, signing.ErrRingChanged) && try < rotateTries {
			k.stale.Store(true)
			continue
		}
		if err != nil {
			return fmt.Errorf("rotating the signing keys: %w", err)
		}
		if changed {
			k.logRotation(ctx)
		}
		return nil
	}
}

func (k *Keyring) logRotation(ctx context.Context) {
	if minter := k.ring.Current(); minter != nil {
		k.log.LogAttrs(ctx, slog.LevelInfo, "signing keys changed", slog.String("current", minter.KeyID()),
			slog.String("algorithm", string(minter.Signer().Algorithm())), slog.String("engine", minter.Signer().Engine()))
	}
}

// Rotate lets a new key sign from now on, whatever the age of the current
// one. Tokens of the old key stay valid.
func (k *Keyring) Rotate(ctx context.Context) error {
	return k.rotate(ctx, func(now time.Time, save signing.SaveFunc) (bool, error) {
		return true, k.ring.Rotate(now, save)
	})
}

// Revoke takes a signing key out at once, because it became known to others:
// every token that it signed is refused from now on. fault.NotFound for an
// unknown kid.
func (k *Keyring) Revoke(ctx context.Context, kid string) error {
	err := k.rotate(ctx, func(now time.Time, save signing.SaveFunc) (bool, error) {
		return true, k.ring.Remove(now, kid, save)
	})
	if errors.Is(err, signing.ErrUnknownKey) {
		return fault.NoObject("SigningKey", kid)
	}
	return err
}

// Reseal seals the signing keys under the first master key.
func (k *Keyring) Reseal(ctx context.Context) error {
	return k.rotate(ctx, func(_ time.Time, save signing.SaveFunc) (bool, error) { return k.ring.Reseal(save) })
}

// Recheck has the signing keys read again before their next change or use. Its
// owner calls it now and then when another process may have written to a store
// whose subscribers hear of this process's writes only.
func (k *Keyring) Recheck() { k.stale.Store(true) }

// JWKS gives the document of GET /identity/keys. The bytes are shared: read only.
func (k *Keyring) JWKS(ctx context.Context) []byte {
	k.Fresh(ctx)
	return k.ring.JWKS()
}

// Signer says which key signs and who computes, for logs and metrics; "" before
// Start.
func (k *Keyring) Signer() (kid string, alg signing.Algorithm, engine string) {
	minter := k.ring.Current()
	if minter == nil {
		return "", "", ""
	}
	return minter.KeyID(), minter.Signer().Algorithm(), minter.Signer().Engine()
}

// Since tells since when the current key signs; the zero time before there is one.
func (k *Keyring) Since() time.Time {
	for _, r := range k.ring.Records() {
		if r.State == signing.StateCurrent {
			return r.ActivatedAt
		}
	}
	return time.Time{}
}

// Compact signs claims with the current key. signing.ErrNoKey before Start.
func (k *Keyring) Compact(ctx context.Context, claims []byte) (string, error) {
	k.Fresh(ctx)
	return k.ring.Compact(ctx, claims)
}

// PublicKey gives a published key, nil for none. It implements signing.Keys, and
// looks at what is in memory only: see Fresh.
func (k *Keyring) PublicKey(kid string) *signing.PublicKey { return k.ring.PublicKey(kid) }
