package sqlstore

import (
	"context"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

// Lend lends what a call works on, for as long as fn runs. It may run fn again.
type Lend[V any] func(ctx context.Context, fn func(V) error) error

func borrow[V, T any](ctx context.Context, lend Lend[V], call func(V) (T, error)) (T, error) {
	var out, none T
	err := lend(ctx, func(v V) (err error) {
		out, err = call(v)
		return err
	})
	if err != nil {
		return none, err // what was not made durable was not written, and a token not taken
	}
	return out, nil
}

// Calls are the methods of store.DB that read or write once, outside of a
// transaction of the caller.
type Calls struct {
	Read  Lend[*Reader]
	Write Lend[*Tx]
}

// Direct implements store.DB.
func (c Calls) Direct() store.Reader { return direct{c.Read} }

// Events implements store.DB.
func (c Calls) Events(ctx context.Context, account string, after int64, limit int) ([]store.Event, error) {
	return borrow(ctx, c.Read, func(r *Reader) ([]store.Event, error) { return r.Events(ctx, account, after, limit) })
}

// AllEvents implements store.DB.
func (c Calls) AllEvents(ctx context.Context, since time.Time, limit int) ([]store.Event, error) {
	return borrow(ctx, c.Read, func(r *Reader) ([]store.Event, error) { return r.AllEvents(ctx, since.UnixMicro(), limit) })
}

// Head implements store.DB.
func (c Calls) Head(ctx context.Context, account string) (int64, error) {
	return borrow(ctx, c.Read, func(r *Reader) (int64, error) { return r.Head(ctx, account) })
}

// AddActivity implements store.DB.
func (c Calls) AddActivity(ctx context.Context, batch []store.Activity) error {
	return c.Write(ctx, func(tx *Tx) error { return tx.AddActivity(ctx, batch) })
}

// GetActivity implements store.DB.
func (c Calls) GetActivity(ctx context.Context, account, subject string) (store.Activity, error) {
	return borrow(ctx, c.Read, func(r *Reader) (store.Activity, error) { return r.GetActivity(ctx, account, subject) })
}

// ListActivity implements store.DB.
func (c Calls) ListActivity(ctx context.Context, account string) ([]store.Activity, error) {
	return borrow(ctx, c.Read, func(r *Reader) ([]store.Activity, error) { return r.ListActivity(ctx, account) })
}

// Reset implements store.DB.
func (c Calls) Reset(ctx context.Context) error {
	return c.Write(ctx, func(tx *Tx) error { return tx.Clear(ctx) })
}

// direct is a reader that borrows a connection for each call.
type direct struct{ lend Lend[*Reader] }

func (d direct) Get(ctx context.Context, kind, account, id string) (*store.Record, error) {
	return borrow(ctx, d.lend, func(r *Reader) (*store.Record, error) { return r.Get(ctx, kind, account, id) })
}

func (d direct) Lookup(ctx context.Context, key store.Key) (*store.Record, error) {
	return borrow(ctx, d.lend, func(r *Reader) (*store.Record, error) { return r.Lookup(ctx, key) })
}

func (d direct) List(ctx context.Context, q store.Query) ([]*store.Record, error) {
	return borrow(ctx, d.lend, func(r *Reader) ([]*store.Record, error) { return r.List(ctx, q) })
}

func (d direct) IDs(ctx context.Context, q store.Query) ([]string, error) {
	return borrow(ctx, d.lend, func(r *Reader) ([]string, error) { return r.IDs(ctx, q) })
}

func (d direct) Count(ctx context.Context, q store.Query) (int, error) {
	return borrow(ctx, d.lend, func(r *Reader) (int, error) { return r.Count(ctx, q) })
}

func (d direct) History(ctx context.Context, account, kind, id string, limit int) ([]store.Event, error) {
	return borrow(ctx, d.lend, func(r *Reader) ([]store.Event, error) { return r.History(ctx, account, kind, id, limit) })
}

// DirectTokens are short-lived records of which each call is a transaction of
// its own.
type DirectTokens struct{ Read, Write Lend[store.Tokens] }

// Put implements store.Tokens.
func (t DirectTokens) Put(ctx context.Context, tok store.Token) error {
	return t.Write(ctx, func(in store.Tokens) error { return in.Put(ctx, tok) })
}

// Get implements store.Tokens.
func (t DirectTokens) Get(ctx context.Context, space, key string) (*store.Token, error) {
	return borrow(ctx, t.Read, func(in store.Tokens) (*store.Token, error) { return in.Get(ctx, space, key) })
}

// Take implements store.Tokens.
func (t DirectTokens) Take(ctx context.Context, space, key string) (*store.Token, error) {
	return borrow(ctx, t.Write, func(in store.Tokens) (*store.Token, error) { return in.Take(ctx, space, key) })
}

// List implements store.Tokens.
func (t DirectTokens) List(ctx context.Context, space, account, owner string) ([]*store.Token, error) {
	return borrow(ctx, t.Read, func(in store.Tokens) ([]*store.Token, error) { return in.List(ctx, space, account, owner) })
}

// Delete implements store.Tokens.
func (t DirectTokens) Delete(ctx context.Context, space, key string) error {
	return t.Write(ctx, func(in store.Tokens) error { return in.Delete(ctx, space, key) })
}

// Sweep implements store.Tokens.
func (t DirectTokens) Sweep(ctx context.Context, limit int) (int, error) {
	return borrow(ctx, t.Write, func(in store.Tokens) (int, error) { return in.Sweep(ctx, limit) })
}

// DirectJobs are jobs of which each call is a transaction of its own.
type DirectJobs struct{ Read, Write Lend[store.Jobs] }

// Schedule implements store.Jobs.
func (t DirectJobs) Schedule(ctx context.Context, j store.Job) error {
	return t.Write(ctx, func(in store.Jobs) error { return in.Schedule(ctx, j) })
}

// Swap implements store.Jobs.
func (t DirectJobs) Swap(ctx context.Context, was, is *store.Job) (bool, error) {
	return borrow(ctx, t.Write, func(in store.Jobs) (bool, error) { return in.Swap(ctx, was, is) })
}

// Due implements store.Jobs.
func (t DirectJobs) Due(ctx context.Context, q store.JobsDue) ([]*store.Job, error) {
	return borrow(ctx, t.Read, func(in store.Jobs) ([]*store.Job, error) { return in.Due(ctx, q) })
}

// List implements store.Jobs.
func (t DirectJobs) List(ctx context.Context, q store.JobsQuery) ([]*store.Job, error) {
	return borrow(ctx, t.Read, func(in store.Jobs) ([]*store.Job, error) { return in.List(ctx, q) })
}

// Tally implements store.Jobs.
func (t DirectJobs) Tally(ctx context.Context, now, wall time.Time) ([]store.JobTally, error) {
	return borrow(ctx, t.Read, func(in store.Jobs) ([]store.JobTally, error) { return in.Tally(ctx, now, wall) })
}

// Cancel implements store.Jobs.
func (t DirectJobs) Cancel(ctx context.Context, kind, account, id string) error {
	return t.Write(ctx, func(in store.Jobs) error { return in.Cancel(ctx, kind, account, id) })
}

// Sweep implements store.Jobs.
func (t DirectJobs) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	return borrow(ctx, t.Write, func(in store.Jobs) (int, error) { return in.Sweep(ctx, now, limit) })
}
