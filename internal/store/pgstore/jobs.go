package pgstore

import (
	"context"
	"time"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

// jobs gives each call its own statement; each is atomic in itself.
type jobs struct {
	db *DB
	in *sqlstore.Jobs
}

// Jobs implements store.DB.
func (db *DB) Jobs() store.Jobs {
	return jobs{db, sqlstore.NewJobs(db.pool, db.opts.Now, db.follow.feed.Scheduled)}
}

func (t jobs) Schedule(ctx context.Context, j store.Job) error {
	return t.db.writing(ctx, func() error { return t.in.Schedule(ctx, j) })
}

func (t jobs) Swap(ctx context.Context, was, is *store.Job) (ok bool, err error) {
	err = t.db.writing(ctx, func() error {
		ok, err = t.in.Swap(ctx, was, is)
		return err
	})
	return ok, err
}

func (t jobs) Due(ctx context.Context, q store.JobsDue) (found []*store.Job, err error) {
	err = t.db.reading(ctx, func() error {
		found, err = t.in.Due(ctx, q)
		return err
	})
	return found, err
}

func (t jobs) List(ctx context.Context, q store.JobsQuery) (found []*store.Job, err error) {
	err = t.db.reading(ctx, func() error {
		found, err = t.in.List(ctx, q)
		return err
	})
	return found, err
}

func (t jobs) Tally(ctx context.Context, now, wall time.Time) (tally []store.JobTally, err error) {
	err = t.db.reading(ctx, func() error {
		tally, err = t.in.Tally(ctx, now, wall)
		return err
	})
	return tally, err
}

func (t jobs) Cancel(ctx context.Context, kind, account, id string) error {
	return t.db.writing(ctx, func() error { return t.in.Cancel(ctx, kind, account, id) })
}

func (t jobs) Sweep(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = t.db.writing(ctx, func() error {
		n, err = t.in.Sweep(ctx, now, limit)
		return err
	})
	return n, err
}
