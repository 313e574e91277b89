package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
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

// loadRing takes the ring from the store. Records that are gone (the store was
// reset) leave the ring as it is; the next change writes it back.
func (s *Service) loadRing(ctx context.Context) error {
	s.ringMu.Lock()
	defer s.ringMu.Unlock()
	return s.reloadRing(ctx)
}

// reloadRing wants ringMu.
func (s *Service) reloadRing(ctx context.Context) error {
	s.ringStale.Store(false)
	obj, err := s.rings.Get(ctx, s.cfg.DB.Direct(), store.System, ringName)
	switch {
	case errors.Is(err, fault.NotFound):
		if records := s.ring.Records(); len(records) > 0 {
			return s.saveRing(ctx)(records)
		}
		return nil
	case err != nil:
		s.ringStale.Store(true)
		return fmt.Errorf("reading the signing keys: %w", err)
	}
	if err := s.ring.Load(obj.Records); err != nil {
		s.ringStale.Store(true)
		return fmt.Errorf("loading the signing keys: %w", err)
	}
	return nil
}

// freshRing reloads the ring when another node changed it. It costs one atomic
// read otherwise.
func (s *Service) freshRing(ctx context.Context) {
	if !s.ringStale.Load() {
		return
	}
	if err := s.loadRing(ctx); err != nil {
		s.cfg.Log.LogAttrs(ctx, slog.LevelError, "signing keys could not be reloaded; the known ones stay in use", slog.Any("error", err))
	}
}

// saveRing makes the function with which the ring becomes durable. It fails
// with signing.ErrRingChanged when another node changed the ring since it was
// loaded here.
func (s *Service) saveRing(ctx context.Context) signing.SaveFunc {
	before := keyIDs(s.ring.Records())
	return func(records []signing.Record) error {
		event := store.Event{Action: "iam-identity.signing-key.rotate", Message: "IAM Identity Service: rotate signing keys", Params: keyIDs(records)}
		err := s.cfg.DB.Update(ctx, func(tx store.Tx) error {
			obj, err := s.rings.Get(ctx, tx, store.System, ringName)
			if errors.Is(err, fault.NotFound) {
				obj = &ringObject{Meta: store.Meta{Account: store.System, ID: ringName, Name: "signing keys"}, Records: records}
				return s.rings.Create(ctx, tx, obj, event)
			}
			if err != nil {
				return err
			}
			if !equalIDs(keyIDs(obj.Records), before) {
				return signing.ErrRingChanged
			}
			obj.Records = records
			return s.rings.Update(ctx, tx, obj, event)
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

func (s *Service) rotateIfDue(now time.Time, save signing.SaveFunc) (bool, error) {
	return s.ring.RotateIfDue(now, save)
}

// rotateTries bounds how often a change of the ring is planned anew because
// another node was quicker.
const rotateTries = 5

// rotate changes the ring through step, again on the newest state when another
// node changed it meanwhile.
func (s *Service) rotate(ctx context.Context, step func(time.Time, signing.SaveFunc) (bool, error)) (bool, error) {
	s.ringMu.Lock()
	defer s.ringMu.Unlock()
	for try := 1; ; try++ {
		if s.ringStale.Load() {
			if err := s.reloadRing(ctx); err != nil {
				return false, err
			}
		}
		changed, err := step(s.cfg.Now(), s.saveRing(ctx))
		if errors.Is(err, signing.ErrRingChanged) && try < rotateTries {
			s.ringStale.Store(true)
			continue
		}
		if err != nil {
			return false, fmt.Errorf("rotating the signing keys: %w", err)
		}
		if changed {
			s.logRotation(ctx)
		}
		return changed, nil
	}
}

func (s *Service) logRotation(ctx context.Context) {
	if minter := s.ring.Current(); minter != nil {
		s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "signing keys changed", slog.String("current", minter.KeyID()),
			slog.String("algorithm", string(minter.Signer().Algorithm())), slog.String("engine", minter.Signer().Engine()))
	}
}

// RotateKeys lets a new key sign from now on, whatever the age of the current
// one. Tokens of the old key stay valid.
func (s *Service) RotateKeys(ctx context.Context) error {
	_, err := s.rotate(ctx, func(now time.Time, save signing.SaveFunc) (bool, error) {
		return true, s.ring.Rotate(now, save)
	})
	return err
}

// RevokeKey takes a signing key out at once, because it became known to others:
// every token that it signed is refused from now on. fault.NotFound for an
// unknown kid.
func (s *Service) RevokeKey(ctx context.Context, kid string) error {
	_, err := s.rotate(ctx, func(now time.Time, save signing.SaveFunc) (bool, error) {
		return true, s.ring.Remove(now, kid, save)
	})
	if errors.Is(err, signing.ErrUnknownKey) {
		return fault.NoObject("SigningKey", kid)
	}
	return err
}

// ResealKeys seals the signing keys under the first master key.
func (s *Service) ResealKeys(ctx context.Context) error {
	_, err := s.rotate(ctx, func(_ time.Time, save signing.SaveFunc) (bool, error) { return s.ring.Reseal(save) })
	return err
}

// Recheck has the signing keys read again before their next change or use. Its
// owner calls it now and then when another process may have written to a store
// whose subscribers hear of this process's writes only.
func (s *Service) Recheck() { s.ringStale.Store(true) }

// JWKS gives the document of GET /identity/keys. The bytes are shared: read only.
func (s *Service) JWKS(ctx context.Context) []byte {
	s.freshRing(ctx)
	return s.ring.JWKS()
}

// Signer says which key signs and who computes, for logs and metrics; "" before
// Start.
func (s *Service) Signer() (kid string, alg signing.Algorithm, engine string) {
	minter := s.ring.Current()
	if minter == nil {
		return "", "", ""
	}
	return minter.KeyID(), minter.Signer().Algorithm(), minter.Signer().Engine()
}
