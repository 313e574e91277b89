package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/token"
)

// RotateKeys lets a new signing key sign from now on. A server that runs on the
// same database takes it over within seconds; tokens of the old key stay valid.
func RotateKeys(ctx context.Context, s *config.Settings, log *slog.Logger) error {
	return withTokens(ctx, s, log, func(t *token.Service) error { return t.RotateKeys(ctx) })
}

// RevokeKey takes a signing key out, because it became known to others: every
// token that it signed is refused. fault.NotFound for an unknown key.
func RevokeKey(ctx context.Context, s *config.Settings, log *slog.Logger, kid string) error {
	return withTokens(ctx, s, log, func(t *token.Service) error { return t.RevokeKey(ctx, kid) })
}

// withTokens opens the configured store and its token service for one change.
func withTokens(ctx context.Context, s *config.Settings, log *slog.Logger, change func(*token.Service) error) error {
	return withStore(ctx, s, log, func(db store.DB, secrets *secrets) error {
		cfg := Config{Settings: *s}
		t, err := token.New(token.Config{
			DB: db, Sealer: secrets.sealer, Pepper: secrets.pepper, Issuer: token.IssuerOf(s.Issuer), Algorithm: s.Algorithm,
			Engine: s.Engine, RotateAfter: cfg.rotateAfter(), Now: time.Now, Log: log,
		})
		if err != nil {
			return err
		}
		if err := t.Start(ctx); err != nil {
			return errors.Join(err, t.Close(ctx))
		}
		return errors.Join(change(t), t.Close(ctx))
	})
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
