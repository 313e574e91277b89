// Package pgstore keeps Kagiban's objects in PostgreSQL 15 or later, for one
// node or several. It adds to package sqlstore what is PostgreSQL's: the pool,
// serializable transactions with retries, and the following of the log that
// tells this node's subscribers of other nodes' writes.
//
// It starts three goroutines with the first subscriber, which Close ends: the
// follower of the log, the listener for notifications and their sender.
// Notifications only hasten the follower; without them it polls.
package pgstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options say which database to use and how. DSN must be set.
type Options struct {
	// DSN is a connection string in URL or keyword form. It may hold a
	// password and is never logged.
	DSN string
	// MaxConns bounds the pool; 0 means 10. One more connection listens.
	MaxConns int
	// StatementTimeout ends statements on the server; 0 means 10 s. A value
	// in the DSN wins.
	StatementTimeout time.Duration
	// Poll is the time between looks at the log when no notification comes;
	// 0 means 250 ms.
	Poll time.Duration
	// Now is the clock of stamps and expiry; nil means time.Now.
	Now func() time.Time
	// Log receives trouble of the background work; nil discards it.
	Log *slog.Logger
	// Fault, for tests, is asked at each Point; an error is treated as one of
	// the database.
	Fault func(Point) error
}

// Point is a place where a test can make the database fail.
type Point string

// The points.
const (
	BeforeBegin  Point = "begin"
	BeforeCommit Point = "commit"
)

// DB is a store in PostgreSQL.
type DB struct {
	opts   Options
	config *pgx.ConnConfig
	sql    *sql.DB
	pool   conn
	life   life
	gates  gates
	follow *follower
	calls
}

type calls = sqlstore.Calls

var _ store.DB = (*DB)(nil)

// Open prepares the store. It does not connect yet and does not migrate: see
// CheckSchema and Migrate.
func Open(opts Options) (*DB, error) {
	config, err := pgx.ParseConfig(opts.DSN) // its errors hide the password
	if err != nil {
		return nil, fmt.Errorf("reading the database's connection string: %w", err)
	}
	opts = withDefaults(opts)
	setDefault(config.RuntimeParams, "application_name", "kagiban")
	setDefault(config.RuntimeParams, "statement_timeout", strconv.FormatInt(opts.StatementTimeout.Milliseconds(), 10))
	setDefault(config.RuntimeParams, "idle_in_transaction_session_timeout", strconv.FormatInt(transactionTime.Milliseconds(), 10))
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	// A peer that vanished without a word is noticed within half a minute.
	config.DialFunc = (&net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4},
	}).DialContext

	db := &DB{opts: opts, config: config, sql: stdlib.OpenDB(*config)}
	db.sql.SetMaxOpenConns(opts.MaxConns)
	db.sql.SetMaxIdleConns(opts.MaxConns)
	db.sql.SetConnMaxIdleTime(5 * time.Minute)
	db.sql.SetConnMaxLifetime(time.Hour) // spreads over replicas that came later
	db.pool = conn{db.sql}
	db.calls = calls{
		Read: lent(db.reading, sqlstore.NewReader(db.pool)),
		Write: func(ctx context.Context, fn func(*sqlstore.Tx) error) error {
			return db.update(ctx, sql.LevelReadCommitted, fn)
		},
	}
	db.follow = newFollower(db)
	return db, nil
}

func withDefaults(o Options) Options {
	if o.MaxConns <= 0 {
		o.MaxConns = 10
	}
	if o.StatementTimeout <= 0 {
		o.StatementTimeout = 10 * time.Second
	}
	if o.Poll <= 0 {
		o.Poll = 250 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Fault == nil {
		o.Fault = func(Point) error { return nil }
	}
	return o
}

func setDefault(params map[string]string, name, value string) {
	if _, ok := params[name]; !ok {
		params[name] = value
	}
}

var schema = sqlstore.Schema{
	Dialect: goose.DialectPostgres, Files: migrations,
	TableExists: `SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1`,
}

// Migrate brings the schema to the newest version. Nodes that start together
// take turns: a row with a lease is the lock. Statements have no time limit.
func (db *DB) Migrate(ctx context.Context) error {
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableName("kagiban_schema_lock"), lock.WithTableLockTimeout(100*time.Millisecond, 3000))
	if err != nil {
		return fmt.Errorf("preparing the migration: %w", err)
	}
	config := db.config.Copy()
	config.RuntimeParams["statement_timeout"] = "0"
	own := stdlib.OpenDB(*config)
	defer own.Close()
	if err := own.PingContext(ctx); err != nil {
		return fmt.Errorf("migrating the database: %w", classify(err))
	}
	return schema.Migrate(ctx, own, goose.WithLocker(locker))
}

// CheckSchema fails when the schema is older or newer than this program.
func (db *DB) CheckSchema(ctx context.Context) error {
	return db.reading(ctx, func() error { return schema.Check(ctx, db.pool) })
}

// Tokens implements store.DB; each call is one statement, atomic in itself.
func (db *DB) Tokens() store.Tokens {
	var in store.Tokens = sqlstore.NewTokens(db.pool, db.opts.Now)
	return sqlstore.DirectTokens{Read: lent(db.reading, in), Write: lent(db.writing, in)}
}

// Jobs implements store.DB; each call is one statement, atomic in itself.
func (db *DB) Jobs() store.Jobs {
	var in store.Jobs = sqlstore.NewJobs(db.pool, db.opts.Now, db.follow.feed.Scheduled)
	return sqlstore.DirectJobs{Read: lent(db.reading, in), Write: lent(db.writing, in)}
}

// lent lends a view of the pool; run does the call, again if need be.
func lent[V any](run func(context.Context, func() error) error, view V) sqlstore.Lend[V] {
	return func(ctx context.Context, fn func(V) error) error { return run(ctx, func() error { return fn(view) }) }
}

// Subscribe implements store.DB. The first call waits until it is known where
// the log ends; if that cannot be learned, subscribers get a store.Reset once
// it can.
func (db *DB) Subscribe(fn func([]store.Event)) (cancel func()) { return db.follow.subscribe(fn) }

// OnSchedule implements store.DB.
func (db *DB) OnSchedule(fn func()) (cancel func()) { return db.follow.feed.OnSchedule(fn) }

// Lag tells how long ago this node last knew that it had seen all events of
// other nodes; 0 before the first Subscribe.
func (db *DB) Lag() time.Duration { return db.follow.lag() }

// Ping implements store.DB.
func (db *DB) Ping(ctx context.Context) error {
	return db.reading(ctx, func() error {
		_, err := db.pool.Exec(ctx, "SELECT 1")
		return err
	})
}

// Close waits for the calls under way, ends the background work and closes the
// connections. Calls that come later fail with fault.Unavailable.
func (db *DB) Close() error {
	if !db.life.close() {
		return nil
	}
	db.follow.stop()
	return db.sql.Close()
}
