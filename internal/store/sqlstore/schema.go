package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/kagiban/kagiban/internal/fault"
)

// versionTable holds one row for each migration that was applied.
const versionTable = "kagiban_schema"

// Schema is the set of migrations of one dialect: files named
// NNNN_subject.sql in the folder migrations, numbered alike in every dialect.
type Schema struct {
	Dialect goose.Dialect
	Files   fs.FS
	// TableExists is a query with the table's name as $1 that gives one row
	// if the table is there.
	TableExists string
}

// Migrate brings the database to the newest version, each step in its own
// transaction. Steps that were applied before are left alone.
func (s Schema) Migrate(ctx context.Context, db *sql.DB, opts ...goose.ProviderOption) error {
	opts = append(opts, goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
	files, err := fs.Sub(s.Files, "migrations")
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	p, err := goose.NewProvider(s.Dialect, db, files, opts...)
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	return nil
}

// Check fails when the database is older or newer than this program.
func (s Schema) Check(ctx context.Context, c Conn) error {
	want, err := s.newest()
	if err != nil {
		return err
	}
	have, err := s.current(ctx, c)
	if err != nil {
		return fmt.Errorf("reading the version of the database: %w", err)
	}
	switch {
	case have == 0:
		return fault.New(fault.State, "the database is empty: run 'kagiban migrate'")
	case have < want:
		return fault.New(fault.State, "the database is at version %d and this program needs version %d: run 'kagiban migrate'", have, want)
	case have > want:
		return fault.New(fault.State, "the database is at version %d and this program knows versions up to %d: use a newer kagiban", have, want)
	}
	return nil
}

func (s Schema) current(ctx context.Context, c Conn) (int64, error) {
	found := false
	err := each(ctx, c, func(*sql.Rows) error { found = true; return nil }, s.TableExists, versionTable)
	if err != nil || !found {
		return 0, err
	}
	var version sql.NullInt64
	err = each(ctx, c, func(rows *sql.Rows) error { return rows.Scan(&version) },
		`SELECT max(version_id) FROM `+versionTable)
	return version.Int64, err
}

// newest gives the highest number among the migration files.
func (s Schema) newest() (int64, error) {
	names, err := fs.Glob(s.Files, "migrations/*.sql")
	if err != nil {
		return 0, fmt.Errorf("listing migrations: %w", err)
	}
	var newest int64
	for _, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the number of migration %s: %w", name, err)
		}
		newest = max(newest, n)
	}
	return newest, nil
}
