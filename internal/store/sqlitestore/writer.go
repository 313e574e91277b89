package sqlitestore

import (
	"context"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

// maxBatch bounds the transactions that are made durable together, and with
// them the time that the first of a batch waits.
const maxBatch = 128

// writer lets callers write one after the other and makes their transactions
// durable together (group commit): a caller whose function has run hands its
// turn to the next in the queue, inside the same SQLite transaction; the last,
// behind whom nobody waits, commits for all. One sync of the disk then pays
// for as many writes as there are callers.
//
// Each function runs on its caller's goroutine within a savepoint, so that its
// error or panic takes back only its own writes.
type writer struct {
	turn  turn
	fault func(Point) error
	feed  *sqlstore.Feed
	opts  func() sqlstore.TxOptions
	limit int // transactions in a batch

	// The rest belongs to the holder of the turn.
	session *session
	open    *batch // begun and not committed, or nil
}

// batch is one SQLite transaction that holds those of several callers.
type batch struct {
	members int
	events  []store.Event
	jobs    bool          // were scheduled
	done    chan struct{} // closed when the fate of the batch is known
	err     error         // set before done is closed
}

func newWriter(db *DB, s *session) *writer {
	w := &writer{session: s, feed: &db.feed, fault: db.opts.Fault, limit: maxBatch}
	if w.fault == nil {
		w.fault = func(Point) error { return nil }
	}
	if db.opts.Memory {
		w.limit = 1 // nothing is gained by waiting, and readers share the connection
	}
	w.opts = func() sqlstore.TxOptions { return sqlstore.TxOptions{Now: db.now(), Wall: time.Now} }
	return w
}

// do runs fn as a transaction and returns when it is durable.
func (w *writer) do(ctx context.Context, fn func(*sqlstore.Tx) error) error {
	if err := w.turn.acquire(ctx); err != nil {
		return err
	}
	b, err := w.take(ctx, fn)
	if err != nil {
		return err
	}
	<-b.done
	return b.err
}

// take uses the turn for one transaction and passes it on, even if fn panics.
func (w *writer) take(ctx context.Context, fn func(*sqlstore.Tx) error) (*batch, error) {
	defer w.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := w.begin(); err != nil {
		return nil, err
	}
	b := w.open // attempt may abandon it
	return b, w.attempt(ctx, fn)
}

func (w *writer) begin() error {
	if w.open != nil {
		return nil
	}
	if err := w.fault(BeforeBegin); err != nil {
		return sqlstore.Unavailable(err)
	}
	if err := w.session.run("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	w.open = &batch{done: make(chan struct{})}
	return nil
}

// attempt runs fn within a savepoint of the open batch.
func (w *writer) attempt(ctx context.Context, fn func(*sqlstore.Tx) error) (err error) {
	if err := w.session.run("SAVEPOINT one"); err != nil {
		w.abandon(err)
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	kept := false
	defer func() {
		if !kept {
			w.undo()
		}
	}()
	tx := sqlstore.NewTx(w.session, w.opts())
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Finish(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.session.run("RELEASE one"); err != nil {
		return fmt.Errorf("ending a transaction: %w", err)
	}
	kept = true
	w.open.members++
	w.open.events = append(w.open.events, tx.Events()...)
	w.open.jobs = w.open.jobs || tx.Scheduled()
	return nil
}

// undo takes back the present savepoint. When SQLite has ended the whole
// transaction by itself, as it does on a full disk, there is none any more and
// the batch is lost.
func (w *writer) undo() {
	err := w.session.run("ROLLBACK TO one")
	if err == nil {
		err = w.session.run("RELEASE one")
	}
	if err != nil {
		w.abandon(err)
	}
}

// abandon fails everybody in the batch.
func (w *writer) abandon(err error) {
	_ = w.session.run("ROLLBACK") // fails when SQLite has done it already
	w.open.err = sqlstore.Unavailable(fmt.Errorf("the batch of transactions was lost: %w", err))
	close(w.open.done)
	w.open = nil
}

// leave passes the turn on with the batch, or commits the batch.
func (w *writer) leave() {
	if w.open != nil && w.open.members < w.limit && w.turn.pass() {
		return
	}
	w.commit()
	w.turn.release()
}

func (w *writer) commit() {
	b := w.open
	if b == nil {
		return
	}
	err := w.fault(BeforeCommit)
	if err == nil {
		err = w.session.run("COMMIT")
	}
	if err != nil {
		w.abandon(err)
		return
	}
	w.open = nil
	w.feed.Publish(b.events)
	if b.jobs {
		w.feed.Scheduled()
	}
	close(b.done)
}

// alone lends the connection outside of any transaction.
func (w *writer) alone(ctx context.Context, fn func(*session) error) error {
	if err := w.turn.acquire(ctx); err != nil {
		return err
	}
	defer w.turn.release()
	w.commit()
	if err := ctx.Err(); err != nil {
		return err
	}
	return fn(w.session)
}

// close waits for the queue and closes the connection; false if it was closed.
func (w *writer) close() bool {
	if !w.turn.close() {
		return false
	}
	w.commit()
	w.session.close()
	return true
}
