package sqlitestore

import (
	"context"
	"errors"
	"fmt"
)

// Compact writes the file anew, without the places of what was deleted or
// overwritten, and empties the write-ahead log, so that nothing old is left in
// either. Reads go on meanwhile, writes wait.
func (db *DB) Compact(ctx context.Context) error {
	if db.opts.Memory {
		return nil
	}
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return classify(err)
	}
	defer conn.Close()
	// The copy that it makes is as large as the file. It holds nothing that is not
	// in the file.
	for _, p := range []string{"PRAGMA busy_timeout = 30000", "PRAGMA temp_store = FILE", "VACUUM"} {
		if _, err := conn.ExecContext(ctx, p); err != nil {
			return fmt.Errorf("compacting the database: %w", classify(err))
		}
	}
	var busy, log, done int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done); err != nil {
		return fmt.Errorf("emptying the write-ahead log: %w", classify(err))
	}
	if busy != 0 {
		return errors.New("emptying the write-ahead log: another process is reading the database for long")
	}
	return nil
}
