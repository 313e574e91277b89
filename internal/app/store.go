package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

// openStore opens the configured database and refuses one whose schema is not
// this program's; with AutoMigrate it brings the schema up to date first.
func openStore(ctx context.Context, s *config.Settings, now func() time.Time, log *slog.Logger) (store.DB, error) {
	db, err := connect(ctx, s, now, log)
	if err != nil {
		return nil, err
	}
	if s.AutoMigrate {
		err = db.Migrate(ctx)
	}
	if err == nil {
		err = db.CheckSchema(ctx)
	}
	if err != nil {
		_ = db.Close() // the first error is the one to tell
		return nil, err
	}
	return db, nil
}

// migratable is a store with a schema.
type migratable interface {
	store.DB
	Migrate(context.Context) error
	CheckSchema(context.Context) error
}

func connect(ctx context.Context, s *config.Settings, now func() time.Time, log *slog.Logger) (migratable, error) {
	switch {
	case s.Database == "":
		return sqlitestore.Open(ctx, sqlitestore.Options{Memory: true, Now: now})
	case s.Postgres():
		return pgstore.Open(pgstore.Options{DSN: s.Database, MaxConns: s.DatabaseConnections, Now: now, Log: log})
	}
	return sqlitestore.Open(ctx, sqlitestore.Options{Path: s.Database, Now: now})
}

// Migrate brings the schema of the configured database up to date.
func Migrate(ctx context.Context, s *config.Settings) error {
	db, err := connect(ctx, s, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		_ = db.Close() // the first error is the one to tell
		return err
	}
	return db.Close()
}

// ErrOwnBackup says that the database has tools of its own for backups.
var ErrOwnBackup = errors.New("only a SQLite file is copied like this; back PostgreSQL up with its own tools, such as pg_dump")

// Backup writes a copy of the configured SQLite file, as it is at one moment,
// into a new file. A server may run on it meanwhile.
func Backup(ctx context.Context, s *config.Settings, path string) (err error) {
	if s.Postgres() {
		return ErrOwnBackup
	}
	if _, err := os.Stat(s.Database); err != nil {
		return fmt.Errorf("looking for the database: %w", err)
	}
	db, err := sqlitestore.Open(ctx, sqlitestore.Options{Path: s.Database})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Backup(ctx, path)
}
