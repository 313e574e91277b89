package pgstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

// conn runs statements: on the pool each as a transaction of its own, or inside
// of a transaction.
type conn struct {
	on interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	}
}

var _ sqlstore.Conn = conn{}

// Query implements sqlstore.Conn.
func (c conn) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := c.on.QueryContext(ctx, query, args...)
	return rows, classify(err)
}

// Exec implements sqlstore.Conn.
func (c conn) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	res, err := c.on.ExecContext(ctx, query, args...)
	return res, classify(err)
}

// Classify implements sqlstore.Conn.
func (c conn) Classify(err error) error { return classify(err) }

// Errors that tell what may be done about a failure. They stand in the chain
// behind a fault.Unavailable, so that a caller who gets one knows enough.
var (
	errCollision = errors.New("collision with another transaction")
	errLost      = errors.New("connection lost")
)

// classify makes faults of the driver's errors. Its texts stay in the cause.
func classify(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil, sqlstore.IsContext(err):
		return err
	case errors.As(err, new(*fault.Error)):
		return err // classified before
	case errors.As(err, &pg):
		return classifyServer(pg, err)
	case connectionError(err):
		return sqlstore.Unavailable(errors.Join(errLost, err))
	case errors.Is(err, sql.ErrTxDone): // ended by the limit on transactions
		return sqlstore.Unavailable(err)
	}
	return err
}

// classifyServer judges by the SQLSTATE codes of PostgreSQL's manual, appendix A.
func classifyServer(pg *pgconn.PgError, err error) error {
	switch pg.Code {
	case "40001", "40P01": // serialization failure, deadlock
		return sqlstore.Unavailable(errors.Join(errCollision, err))
	case "57P01", "57P02", "57P03", "57P05", "25P03": // shutdown, crash, start-up, idle too long
		return sqlstore.Unavailable(errors.Join(errLost, err))
	case "57014", "55P03", "25006": // statement timeout, lock timeout, read-only replica
		return sqlstore.Unavailable(err)
	}
	switch {
	case strings.HasPrefix(pg.Code, "08"): // connection exceptions
		return sqlstore.Unavailable(errors.Join(errLost, err))
	case strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "58"): // resources, system
		return sqlstore.Unavailable(err)
	}
	return err
}

func connectionError(err error) bool {
	return errors.As(err, new(net.Error)) || errors.As(err, new(*pgconn.ConnectError)) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err)
}

var errClosed = sqlstore.Unavailable(errors.New("the store is closed"))

// life counts the calls under way, so that Close can wait for them.
type life struct {
	mu     sync.Mutex // guards all below
	calls  int
	closed bool
	idle   chan struct{} // closed when the last call of a closed store ends
}

func (l *life) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	l.calls++
	return nil
}

func (l *life) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls--
	if l.closed && l.calls == 0 {
		close(l.idle)
	}
}

// close turns newcomers away and waits; false if somebody closed before.
func (l *life) close() bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.closed = true
	l.idle = make(chan struct{})
	busy := l.calls > 0
	l.mu.Unlock()
	if busy {
		<-l.idle
	}
	return true
}
