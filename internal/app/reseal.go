package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing/keyring"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

// Resealed counts the sealed values that Reseal met, signing keys apart.
type Resealed struct {
	Checked int // opened
	Changed int // of these, sealed anew
	Lost    int // that no configured master key opens; the log names them
}

// Reseal seals everything that is sealed under a previous master key under the
// current one, so that the previous one can be dropped, and leaves nothing of
// the old in a SQLite file. Servers may run
// meanwhile when they have both keys. After an interruption it goes on where
// it was. It fails when anything cannot be opened, and does the rest.
func Reseal(ctx context.Context, s *config.Settings, log *slog.Logger) (total Resealed, err error) {
	err = withStore(ctx, s, log, func(db store.DB, secrets *secrets) error {
		r := resealer{db: db, sealer: secrets.sealer, log: log}
		err := errors.Join(
			reseal(ctx, &r, installationSecrets, purposeOf, func(o *installationSecret) *[]byte { return &o.Sealed }),
			reseal(ctx, &r, identity.APIKeys, always[identity.APIKey](secret.PurposeAPIKey), func(k *identity.APIKey) *[]byte { return &k.Sealed }),
			reseal(ctx, &r, idp.IdPs, always[idp.IdP](secret.PurposeIdentityProv), func(p *idp.IdP) *[]byte { return &p.Sealed }))
		total = r.Resealed
		return err
	})
	if err != nil {
		return total, err
	}
	if err := withKeys(ctx, s, log, func(k *keyring.Keyring) error { return k.Reseal(ctx) }); err != nil {
		return total, err
	}
	if err := compact(ctx, s); err != nil {
		return total, err
	}
	if total.Lost > 0 {
		return total, fmt.Errorf("%d sealed values cannot be opened with the configured master keys; the log names them", total.Lost)
	}
	return total, nil
}

// compact takes out of a SQLite file what was sealed under the previous key and
// overwritten: until then it lies in the file's free places, and the previous key
// opens it.
func compact(ctx context.Context, s *config.Settings) (err error) {
	if s.Postgres() || s.Database == "" {
		return nil
	}
	db, err := sqlitestore.Open(ctx, sqlitestore.Options{Path: s.Database})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Compact(ctx)
}

// purposeOf tells what an installation's secret is sealed for.
func purposeOf(o *installationSecret) secret.Purpose {
	switch o.ID {
	case pepperID:
		return secret.PurposePepper
	case pageKeyID:
		return purposePageKey
	}
	return purposeDemoSeed
}

func always[T any](p secret.Purpose) func(*T) secret.Purpose {
	return func(*T) secret.Purpose { return p }
}

type resealer struct {
	db     store.DB
	sealer *secret.Sealer
	log    *slog.Logger
	Resealed
}

// resealBatch bounds how many objects are in memory at a time.
const resealBatch = 200

// reseal goes through the objects of one kind. Values are bound to the id of
// their object.
func reseal[T any](ctx context.Context, r *resealer, objects *store.Collection[T], purpose func(*T) secret.Purpose,
	sealed func(*T) *[]byte) error {
	q := store.Query{Order: store.ByID, Limit: resealBatch}
	for {
		batch, err := objects.List(ctx, r.db.Direct(), q)
		if err != nil {
			return fmt.Errorf("resealing objects of kind %s: %w", objects.Kind(), err)
		}
		for _, obj := range batch {
			if len(*sealed(obj)) == 0 {
				continue
			}
			m := base(obj)
			changed, err := resealOne(ctx, r, objects, m, purpose, sealed)
			switch {
			case err == nil:
				r.Checked++
				r.Changed += changed
			case errors.Is(err, secret.ErrUnknownKey), errors.Is(err, secret.ErrTampered), errors.Is(err, secret.ErrSealFormat):
				r.Lost++
				r.log.Error("a sealed value cannot be opened", "kind", objects.Kind(), "account", m.Account, "id", m.ID, "error", err.Error())
			default:
				return fmt.Errorf("resealing %s %s: %w", objects.Kind(), m.ID, err)
			}
		}
		if len(batch) < resealBatch {
			return nil
		}
		q.After = store.CursorAt(store.ByID, base(batch[len(batch)-1]))
	}
}

// resealOne gives 1 when the object was written. The write is no entry of the
// audit trail: nothing that the object says has changed.
func resealOne[T any](ctx context.Context, r *resealer, objects *store.Collection[T], m *store.Meta, purpose func(*T) secret.Purpose,
	sealed func(*T) *[]byte) (changed int, err error) {
	obj, err := objects.Get(ctx, r.db.Direct(), m.Account, m.ID)
	if err != nil {
		return 0, gone(err)
	}
	if value := *sealed(obj); !r.sealer.NeedsReseal(value) {
		plain, err := r.sealer.Open(purpose(obj), m.ID, value)
		clear(plain)
		return 0, err
	}
	err = r.db.Update(ctx, func(tx store.Tx) error {
		changed = 0
		obj, err := objects.Get(ctx, tx, m.Account, m.ID)
		if err != nil || len(*sealed(obj)) == 0 {
			return gone(err)
		}
		value, err := r.sealer.Reseal(purpose(obj), m.ID, *sealed(obj))
		if err != nil {
			return err
		}
		*sealed(obj), changed = value, 1
		return objects.Update(ctx, tx, obj, store.Event{Message: "Kagiban: seal the stored secret under the current master key"})
	})
	return changed, err
}

// gone forgives that an object was deleted meanwhile.
func gone(err error) error {
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

func base[T any](obj *T) *store.Meta { return any(obj).(store.Entity).Base() }
