// Package sqlstore is the SQL body of Kagiban's stores: the statements, the
// write path with its event log, the feed of subscribers and the schema
// check, written once for SQLite and PostgreSQL. Statements use only what
// both and the engines that speak PostgreSQL's protocol share: no sequences,
// no triggers, no row locks, no JSON logic.
//
// It opens no database, starts no transaction and no goroutine; sqlitestore
// and pgstore do, and hand it a Conn.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
)

// Conn runs statements on one connection, in or outside of a transaction.
// Classify turns an error of the driver into a fault (Unavailable when trying
// again may help) and leaves errors of contexts recognisable.
type Conn interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	Exec(ctx context.Context, query string, args ...any) (sql.Result, error)
	Classify(err error) error
}

// Unavailable wraps an error of a driver as a fault that shows clients nothing
// of it.
func Unavailable(err error) error {
	return &fault.Error{Kind: fault.Unavailable, Cause: err}
}

// guard is the connection of one transaction: after the first failed
// statement no other reaches the database. SQLite ends the transaction by
// itself on some errors, and statements that came later would then each
// become durable alone.
type guard struct {
	conn   Conn
	failed error
}

func (g *guard) fail(err error) error {
	if g.failed == nil {
		g.failed = err
	}
	return err
}

func (g *guard) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if g.failed != nil {
		return nil, g.failed
	}
	rows, err := g.conn.Query(ctx, query, args...)
	if err != nil {
		return nil, g.fail(err)
	}
	return rows, nil
}

func (g *guard) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if g.failed != nil {
		return nil, g.failed
	}
	res, err := g.conn.Exec(ctx, query, args...)
	if err != nil {
		return nil, g.fail(err)
	}
	return res, nil
}

func (g *guard) Classify(err error) error {
	if err == nil {
		return nil
	}
	return g.fail(g.conn.Classify(err))
}

// each runs a query and gives every row to scan. Between rows of long results
// it looks whether the context has ended.
func each(ctx context.Context, c Conn, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		if err := scan(rows); err != nil {
			return c.Classify(err)
		}
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return c.Classify(rows.Err())
}

// affected runs a statement and gives the number of rows that it changed.
func affected(ctx context.Context, c Conn, query string, args ...any) (int64, error) {
	res, err := c.Exec(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return n, c.Classify(err)
}

// IsContext reports whether an error is the end of a context.
func IsContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// micros is the stored form of a time: microseconds since 1970, UTC.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

// Stamp is the form that times have in a store: UTC, whole microseconds.
func Stamp(t time.Time) time.Time { return fromMicros(micros(t)) }

func notFound(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, fault.NotFound)...)
}
