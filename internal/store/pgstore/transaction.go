package pgstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

const (
	// attempts bounds how often a transaction is tried that collides with
	// others or loses its connection before it was committed.
	attempts = 8
	// transactionTime bounds a transaction from begin to commit. Heads are
	// looked for further back than that: see overlap.
	transactionTime = 8 * time.Second
)

// View implements store.DB. It reads a snapshot.
func (db *DB) View(ctx context.Context, fn func(store.Reader) error) error {
	if err := db.life.enter(); err != nil {
		return err
	}
	defer db.life.leave()
	t, err := db.begin(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer t.end()
	return t.blame(ctx, fn(sqlstore.NewReader(conn{t.tx})))
}

// Update implements store.DB. Transactions are serializable.
func (db *DB) Update(ctx context.Context, fn func(store.Tx) error) error {
	return db.update(ctx, sql.LevelSerializable, func(tx *sqlstore.Tx) error { return fn(tx) })
}

func (db *DB) update(ctx context.Context, level sql.IsolationLevel, fn func(*sqlstore.Tx) error) error {
	if err := db.life.enter(); err != nil {
		return err
	}
	defer db.life.leave()
	var accounts []string // whose gates the next attempt waits for
	if a := store.OriginOf(ctx).Account; a != "" && db.gates.busy(a) {
		accounts = []string{a} // most callers write to the account of their token
	}
	for failed := 0; ; {
		seen, err := db.gated(ctx, level, accounts, fn)
		accounts = seen
		if errors.Is(err, errBusy) {
			continue
		}
		if !retryable(err) {
			return err
		}
		if failed++; failed >= attempts {
			return err
		}
		if err := pause(ctx, failed); err != nil {
			return err
		}
	}
}

// gated runs one attempt behind the gates of the accounts. It gives the
// accounts that the attempt turned out to write to; with errBusy, one of them
// is in use.
func (db *DB) gated(ctx context.Context, level sql.IsolationLevel, accounts []string, fn func(*sqlstore.Tx) error) (seen []string,
	err error) {
	p, err := db.gates.enter(ctx, accounts)
	if err != nil {
		return nil, err
	}
	defer p.leave()
	err = db.attempt(ctx, level, p, fn)
	return p.accounts(), err
}

// attempt runs fn as one transaction and tells the subscribers.
func (db *DB) attempt(ctx context.Context, level sql.IsolationLevel, p *pass, fn func(*sqlstore.Tx) error) error {
	if err := db.opts.Fault(BeforeBegin); err != nil {
		return classify(err)
	}
	t, err := db.begin(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	defer t.end()
	refused := false
	tx := sqlstore.NewTx(conn{t.tx}, sqlstore.TxOptions{
		Now: db.opts.Now(), Wall: time.Now,
		Claim: func(account string) error {
			if !p.try(account) {
				refused = true
				return errBusy
			}
			return nil
		},
	})
	err = fn(tx)
	if refused {
		return errBusy // whatever fn made of it
	}
	if err == nil {
		err = tx.Finish(ctx)
	} else if again := tx.Failed(); retryable(again) {
		return again // fn's own error came of the collision
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return t.blame(ctx, err)
	}
	if err := t.commit(db.opts.Fault); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	t.end() // the follower may need a connection
	db.follow.wrote(tx.Events())
	if tx.Scheduled() {
		db.follow.feed.Scheduled()
	}
	return nil
}

// errBusy asks for another attempt behind the gates that this one found shut.
var errBusy = errors.New("another writer of this process has the account")

func retryable(err error) bool {
	return errors.Is(err, errCollision) || errors.Is(err, errLost) && !errors.Is(err, errUncertain)
}

// errUncertain marks the loss of the connection while committing: the
// transaction may have become durable, and must not run again.
var errUncertain = errors.New("the outcome of the commit is not known")

// transaction is a transaction on a connection of its own.
type transaction struct {
	conn   *sql.Conn
	tx     *sql.Tx
	ctx    context.Context // ends with transactionTime
	cancel context.CancelFunc
}

// begin waits for a connection as long as the context lasts. The transaction
// itself has a time limit of its own: a context that ends in the middle of a
// commit would leave its outcome in the dark.
func (db *DB) begin(ctx context.Context, o *sql.TxOptions) (*transaction, error) {
	for try := 1; ; try++ {
		t, err := db.beginOnce(ctx, o)
		if err == nil || try == 3 || !errors.Is(err, errLost) {
			return t, err
		}
	}
}

func (db *DB) beginOnce(ctx context.Context, o *sql.TxOptions) (*transaction, error) {
	conn, err := db.sql.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database: %w", classify(err))
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTime)
	tx, err := conn.BeginTx(limited, o)
	if err != nil {
		cancel()
		conn.Close()
		return nil, fmt.Errorf("beginning a transaction: %w", classify(err))
	}
	return &transaction{conn: conn, tx: tx, ctx: limited, cancel: cancel}, nil
}

// blame tells the end of the transaction's own time from that of the caller's.
func (t *transaction) blame(ctx context.Context, err error) error {
	if sqlstore.IsContext(err) && t.ctx.Err() != nil && ctx.Err() == nil {
		return sqlstore.Unavailable(err)
	}
	return err
}

func (t *transaction) commit(fault func(Point) error) error {
	if err := fault(BeforeCommit); err != nil {
		return classify(err)
	}
	err := classify(t.tx.Commit())
	if errors.Is(err, errLost) || sqlstore.IsContext(err) {
		return sqlstore.Unavailable(errors.Join(errUncertain, err))
	}
	return err
}

// end takes the transaction back if it was not committed, and gives the
// connection back.
func (t *transaction) end() {
	_ = t.tx.Rollback() // an error means that it ended before
	t.cancel()
	_ = t.conn.Close()
}

// pause waits between attempts: up to 2, 4, 8 … ms, at most 100, evenly spread.
func pause(ctx context.Context, failed int) error {
	most := min(time.Millisecond<<failed, 100*time.Millisecond)
	timer := time.NewTimer(rand.N(most)) //nolint:gosec // no secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reading runs statements that change nothing, once more if a connection was
// found dead: after a restart of the database the pool is full of such.
func (db *DB) reading(ctx context.Context, fn func() error) error {
	return db.again(ctx, fn, func(err error) bool { return retryable(err) })
}

// writing runs a single statement that writes. It is not repeated when the
// connection was lost, because it may have been carried out.
func (db *DB) writing(ctx context.Context, fn func() error) error {
	return db.again(ctx, fn, func(err error) bool { return errors.Is(err, errCollision) })
}

func (db *DB) again(ctx context.Context, fn func() error, retry func(error) bool) error {
	if err := db.life.enter(); err != nil {
		return err
	}
	defer db.life.leave()
	for failed := 1; ; failed++ {
		err := fn()
		if !retry(err) || failed >= attempts {
			return err
		}
		if err := pause(ctx, failed); err != nil {
			return err
		}
	}
}
