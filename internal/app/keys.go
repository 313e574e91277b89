package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/signing/keyring"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/token"
)

// RotateKeys lets a new signing key sign from now on. A server that runs on the
// same database takes it over within seconds; tokens of the old key stay valid.
func RotateKeys(ctx context.Context, s *config.Settings, log *slog.Logger) error {
	return withKeys(ctx, s, log, func(k *keyring.Keyring) error { return k.Rotate(ctx) })
}

// RevokeKey takes a signing key out, because it became known to others: every
// token that it signed is refused. fault.NotFound for an unknown key.
func RevokeKey(ctx context.Context, s *config.Settings, log *slog.Logger, kid string) error {
	return withKeys(ctx, s, log, func(k *keyring.Keyring) error { return k.Revoke(ctx, kid) })
}

// withKeys opens the configured store and its signing keys for one change.
func withKeys(ctx context.Context, s *config.Settings, log *slog.Logger, change func(*keyring.Keyring) error) error {
	return withStore(ctx, s, log, func(db store.DB, secrets *secrets) error {
		k, err := newKeyring(db, secrets, s, time.Now, log)
		if err != nil {
			return err
		}
		defer k.Close()
		if err := k.Start(ctx); err != nil {
			return err
		}
		return change(k)
	})
}

// newKeyring makes the ring of signing keys of a store.
func newKeyring(db store.DB, secrets *secrets, s *config.Settings, now func() time.Time, log *slog.Logger) (*keyring.Keyring, error) {
	return keyring.New(keyring.Config{
		DB: db, Sealer: secrets.sealer, TokenLife: token.MaxAccessLife, Algorithm: s.Algorithm, Engine: s.Engine,
		RotateAfter: rotateAfter(s.KeyAge), Now: now, Log: log,
	})
}

// never is longer than any installation lives: signing keys are rotated by
// command only.
const never = 100 * 365 * 24 * time.Hour

// rotateAfter is the age at which signing keys are replaced.
func rotateAfter(age time.Duration) time.Duration {
	if age == 0 {
		return never
	}
	return age
}

// withStore opens the configured store and its secrets for one piece of work.
func withStore(ctx context.Context, s *config.Settings, log *slog.Logger, work func(store.DB, *secrets) error) (err error) {
	db, err := openStore(ctx, s, time.Now, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	secrets, err := openSecrets(ctx, db, s.MasterKeys)
	if err != nil {
		return err
	}
	return work(db, secrets)
}
