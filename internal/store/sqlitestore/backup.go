package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a copy of the database, as it is at one moment, into a new file
// that only its owner can read. Reads and writes go on meanwhile. The copy is
// durable when Backup returns; a failed one is removed.
func (db *DB) Backup(ctx context.Context, path string) (err error) {
	if db.opts.Memory {
		return errors.New("copying the database: it is in memory")
	}
	// SQLite writes into an empty file that is there already.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("making the copy's file: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := db.copyTo(ctx, path); err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing the copy: %w", err)
	}
	return syncFolder(filepath.Dir(path))
}

func (db *DB) copyTo(ctx context.Context, path string) error {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return classify(err)
	}
	defer conn.Close()
	_, err = conn.ExecContext(ctx, "VACUUM INTO $1", path)
	return classify(err)
}

// syncFolder makes a new file's name durable.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing the copy's folder: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("syncing the copy's folder: %w", err)
	}
	return nil
}
