package sqlitestore

import (
	"context"
	"time"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

// jobs gives each call its own transaction.
type jobs struct{ db *DB }

// Jobs implements store.DB.
func (db *DB) Jobs() store.Jobs { return jobs{db} }

func (t jobs) read(ctx context.Context, fn func(store.Jobs) error) error {
	return t.db.read(ctx, func(s *session) error { return fn(sqlstore.NewJobs(s, t.db.now, nil)) })
}

func (t jobs) write(ctx context.Context, fn func(store.Jobs) error) error {
	return t.db.writer.do(ctx, func(tx *sqlstore.Tx) error { return fn(tx.Jobs()) })
}

func (t jobs) Schedule(ctx context.Context, j store.Job) error {
	return t.write(ctx, func(in store.Jobs) error { return in.Schedule(ctx, j) })
}

func (t jobs) Swap(ctx context.Context, was, is *store.Job) (ok bool, err error) {
	err = t.write(ctx, func(in store.Jobs) (err error) {
		ok, err = in.Swap(ctx, was, is)
		return err
	})
	return ok && err == nil, err // what is not durable was not written
}

func (t jobs) Due(ctx context.Context, q store.JobsDue) (found []*store.Job, err error) {
	err = t.read(ctx, func(in store.Jobs) (err error) {
		found, err = in.Due(ctx, q)
		return err
	})
	return found, err
}

func (t jobs) List(ctx context.Context, q store.JobsQuery) (found []*store.Job, err error) {
	err = t.read(ctx, func(in store.Jobs) (err error) {
		found, err = in.List(ctx, q)
		return err
	})
	return found, err
}

func (t jobs) Tally(ctx context.Context, now, wall time.Time) (tally []store.JobTally, err error) {
	err = t.read(ctx, func(in store.Jobs) (err error) {
		tally, err = in.Tally(ctx, now, wall)
		return err
	})
	return tally, err
}

func (t jobs) Cancel(ctx context.Context, kind, account, id string) error {
	return t.write(ctx, func(in store.Jobs) error { return in.Cancel(ctx, kind, account, id) })
}

func (t jobs) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = t.write(ctx, func(in store.Jobs) (err error) {
		n, err = in.Sweep(ctx, now, limit)
		return err
	})
	return n, err
}
