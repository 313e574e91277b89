// Package sqlitestore keeps Kagiban's objects in an SQLite database: a file
// for one node, or memory for development. It adds to package sqlstore what is
// SQLite's: opening and tuning, one writer at a time with group commit, and a
// pool of readers. It starts no goroutine.
//
// A file belongs to one serving process. Other processes may read and write
// it, but their events are not told to this process's subscribers.
package sqlitestore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options say which database to open and how. Path or Memory must be set.
type Options struct {
	// Path of the database file; it is made, with mode 0600, when it is not
	// there. Two files of the same name with -wal and -shm lie beside it.
	Path string
	// Memory keeps everything in the process and forgets it on Close. The
	// schema is made by Open.
	Memory bool
	// Relaxed lets a power failure take back the last writes (synchronous
	// NORMAL). A crash of the process loses nothing either way.
	Relaxed bool
	// Readers is the number of connections for reading, opened on demand;
	// 0 means 4. The engine does not read faster with more than the cores.
	Readers int
	// MaxBytes bounds the database file; writes beyond it fail with
	// fault.Unavailable. 0 means no bound.
	MaxBytes int64
	// Now is the clock of stamps and expiry; nil means time.Now.
	Now func() time.Time
	// Fault, for tests, is asked at each Point; an error is treated as one of
	// the disk.
	Fault func(Point) error
}

// Point is a place where a test can make the disk fail.
type Point string

// The points.
const (
	BeforeBegin  Point = "begin"  // before a batch of transactions begins
	BeforeCommit Point = "commit" // before a batch is made durable
)

// DB is an open database.
type DB struct {
	opts    Options
	now     func() time.Time
	sql     *sql.DB
	writer  *writer
	readers *readers // nil in memory: readers share the writer's connection
	feed    sqlstore.Feed
	calls
}

type calls = sqlstore.Calls

var _ store.DB = (*DB)(nil)

// Open opens the database. It does not migrate a file: see Migrate and CheckSchema.
func Open(ctx context.Context, opts Options) (*DB, error) {
	if opts.Memory == (opts.Path != "") {
		return nil, errors.New("opening a database: either a path or memory is needed")
	}
	if opts.Readers <= 0 {
		opts.Readers = 4
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	db := &DB{opts: opts, now: opts.Now}
	db.calls = calls{
		Read: func(ctx context.Context, fn func(*sqlstore.Reader) error) error {
			return db.read(ctx, func(s *session) error { return fn(sqlstore.NewReader(s)) })
		},
		Write: func(ctx context.Context, fn func(*sqlstore.Tx) error) error { return db.writer.do(ctx, fn) },
	}
	if err := db.open(ctx); err != nil {
		if db.sql != nil {
			db.sql.Close()
		}
		return nil, fmt.Errorf("opening database %s: %w", opts.Path, err)
	}
	return db, nil
}

func (db *DB) open(ctx context.Context) (err error) {
	name := ":memory:"
	if !db.opts.Memory {
		if name, err = db.prepareFile(); err != nil {
			return err
		}
	}
	if db.sql, err = sql.Open("sqlite", name); err != nil {
		return err
	}
	if db.opts.Memory {
		db.sql.SetMaxOpenConns(1) // a second connection would be a second database
		if err := db.Migrate(ctx); err != nil {
			return err
		}
	} else {
		db.sql.SetMaxIdleConns(0) // connections are kept here, not there
		db.readers = newReaders(db.opts.Readers, db.openReader)
	}
	s, err := db.openSession(ctx, db.writerPragmas()...)
	if err != nil {
		return err
	}
	db.writer = newWriter(db, s)
	if db.opts.MaxBytes > 0 {
		return db.SetMaxBytes(ctx, db.opts.MaxBytes)
	}
	return nil
}

// prepareFile makes the file, so that its mode and that of its companions is
// 0600, and gives its name for the driver.
func (db *DB) prepareFile() (string, error) {
	path, err := filepath.Abs(db.opts.Path)
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}).String(), nil
}

func (db *DB) writerPragmas() []string {
	if db.opts.Memory {
		return []string{"PRAGMA journal_mode = MEMORY", "PRAGMA temp_store = MEMORY"}
	}
	sync := "PRAGMA synchronous = FULL"
	if db.opts.Relaxed {
		sync = "PRAGMA synchronous = NORMAL"
	}
	return []string{
		"PRAGMA journal_mode = WAL", sync,
		"PRAGMA journal_size_limit = 67108864", "PRAGMA temp_store = MEMORY",
		"PRAGMA cache_size = -8192", "PRAGMA wal_autocheckpoint = 4000",
	}
}

func (db *DB) openReader(ctx context.Context) (*session, error) {
	return db.openSession(ctx, "PRAGMA query_only = 1", "PRAGMA temp_store = MEMORY")
}

func (db *DB) openSession(ctx context.Context, pragmas ...string) (*session, error) {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return nil, classify(err)
	}
	for _, p := range pragmas {
		if _, err := conn.ExecContext(ctx, p); err != nil {
			conn.Close()
			return nil, classify(err)
		}
	}
	return newSession(conn), nil
}

var schema = sqlstore.Schema{
	Dialect: goose.DialectSQLite3, Files: migrations,
	TableExists: `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1`,
}

// Migrate brings the schema to the newest version. In memory Open has done it.
func (db *DB) Migrate(ctx context.Context) error {
	if db.opts.Memory && db.writer != nil {
		return nil
	}
	return schema.Migrate(ctx, db.sql)
}

// CheckSchema fails when the schema is older or newer than this program.
func (db *DB) CheckSchema(ctx context.Context) error {
	return db.read(ctx, func(s *session) error { return schema.Check(ctx, s) })
}

// read lends a connection for reading.
func (db *DB) read(ctx context.Context, fn func(*session) error) error {
	if db.readers == nil {
		return db.writer.alone(ctx, fn)
	}
	return db.readers.lend(ctx, fn)
}

// View implements store.DB.
func (db *DB) View(ctx context.Context, fn func(store.Reader) error) error {
	return db.read(ctx, func(s *session) (err error) {
		if db.readers != nil { // in memory nobody writes meanwhile
			if _, err := s.Exec(ctx, "BEGIN"); err != nil {
				return err
			}
			defer func() { _ = s.run("ROLLBACK") }() // nothing was written
		}
		return fn(sqlstore.NewReader(s))
	})
}

// Update implements store.DB. Transactions of several callers are made durable
// together; each keeps its own fate until then.
func (db *DB) Update(ctx context.Context, fn func(store.Tx) error) error {
	return db.writer.do(ctx, func(tx *sqlstore.Tx) error { return fn(tx) })
}

// Subscribe implements store.DB.
func (db *DB) Subscribe(fn func([]store.Event)) (cancel func()) { return db.feed.Subscribe(fn) }

// OnSchedule implements store.DB.
func (db *DB) OnSchedule(fn func()) (cancel func()) { return db.feed.OnSchedule(fn) }

// Tokens implements store.DB.
func (db *DB) Tokens() store.Tokens {
	return sqlstore.DirectTokens{
		Read: func(ctx context.Context, fn func(store.Tokens) error) error {
			return db.read(ctx, func(s *session) error { return fn(sqlstore.NewTokens(s, db.now)) })
		},
		Write: func(ctx context.Context, fn func(store.Tokens) error) error {
			return db.writer.do(ctx, func(tx *sqlstore.Tx) error { return fn(tx.Tokens()) })
		},
	}
}

// Jobs implements store.DB.
func (db *DB) Jobs() store.Jobs {
	return sqlstore.DirectJobs{
		Read: func(ctx context.Context, fn func(store.Jobs) error) error {
			return db.read(ctx, func(s *session) error { return fn(sqlstore.NewJobs(s, db.now, nil)) })
		},
		Write: func(ctx context.Context, fn func(store.Jobs) error) error {
			return db.writer.do(ctx, func(tx *sqlstore.Tx) error { return fn(tx.Jobs()) })
		},
	}
}

// Ping implements store.DB.
func (db *DB) Ping(ctx context.Context) error {
	return db.read(ctx, func(s *session) error { return s.run("SELECT 1") })
}

// SetMaxBytes changes the bound on the size of the database; 0 takes it away.
// A bound below the present size stops growth but deletes nothing.
func (db *DB) SetMaxBytes(ctx context.Context, n int64) error {
	const page, most = 4096, 1<<32 - 2 // SQLite's page size and its own bound in pages
	pages := int64(most)
	if n > 0 {
		pages = max(n/page, 1)
	}
	return db.writer.alone(ctx, func(s *session) error {
		return s.run(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	})
}

// Close lets the queued work finish and closes the database. Calls that come
// later fail with fault.Unavailable.
func (db *DB) Close() error {
	if !db.writer.close() {
		return nil
	}
	if db.readers != nil {
		db.readers.close()
	}
	return db.sql.Close()
}
