package sqlitestore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

// maxStatements bounds the prepared statements that a connection keeps. The
// fixed statements are about thirty; lists come in many forms.
const maxStatements = 80

// session is a connection with its prepared statements. It serves one caller
// at a time.
type session struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

var _ sqlstore.Conn = (*session)(nil)

func newSession(c *sql.Conn) *session {
	return &session{conn: c, statements: make(map[string]*sql.Stmt)}
}

func (s *session) prepare(query string) (*sql.Stmt, error) {
	if st, ok := s.statements[query]; ok {
		return st, nil
	}
	if len(s.statements) >= maxStatements {
		for q, st := range s.statements {
			st.Close()
			delete(s.statements, q)
			break
		}
	}
	st, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, classify(err)
	}
	s.statements[query] = st
	return st, nil
}

// Query implements sqlstore.Conn. The context is looked at before the
// statement and does not interrupt it: an interrupted write would take back
// the whole batch of transactions, and watching costs a goroutine each.
func (s *session) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := s.prepare(query) //nolint:sqlclosecheck // kept for the next time; close ends it
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(context.Background(), args...)
	if err != nil {
		return nil, classify(err)
	}
	return rows, nil
}

// Exec implements sqlstore.Conn; see Query.
func (s *session) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st, err := s.prepare(query) //nolint:sqlclosecheck // kept for the next time; close ends it
	if err != nil {
		return nil, err
	}
	res, err := st.ExecContext(context.Background(), args...)
	if err != nil {
		return nil, classify(err)
	}
	return res, nil
}

// run executes a statement that must not depend on a caller's context.
func (s *session) run(query string) error {
	_, err := s.Exec(context.Background(), query)
	return err
}

// Classify implements sqlstore.Conn.
func (s *session) Classify(err error) error { return classify(err) }

func (s *session) close() {
	for _, st := range s.statements {
		st.Close()
	}
	s.conn.Close()
}

// classify tells what a disk, a lock or another process did from defects.
func classify(err error) error {
	var e *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrConnDone), errors.Is(err, driver.ErrBadConn):
		return sqlstore.Unavailable(err)
	case !errors.As(err, &e):
		return err
	}
	switch e.Code() & 0xff { // the low byte; the rest tells more of it
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
		sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL:
		return sqlstore.Unavailable(err)
	case sqlite3.SQLITE_TOOBIG:
		return &fault.Error{Kind: fault.TooLarge, Cause: err}
	}
	return err
}
