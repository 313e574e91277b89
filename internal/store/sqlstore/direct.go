package sqlstore

import (
	"context"

	"github.com/kagiban/kagiban/internal/store"
)

// Direct is a reader that borrows a connection for each call. Run lends one.
type Direct struct {
	Run func(ctx context.Context, fn func(*Reader) error) error
}

var _ store.Reader = Direct{}

func borrow[T any](ctx context.Context, d Direct, read func(*Reader) (T, error)) (T, error) {
	var out T
	err := d.Run(ctx, func(r *Reader) (err error) {
		out, err = read(r)
		return err
	})
	return out, err
}

// Get implements store.Reader.
func (d Direct) Get(ctx context.Context, kind, account, id string) (*store.Record, error) {
	return borrow(ctx, d, func(r *Reader) (*store.Record, error) { return r.Get(ctx, kind, account, id) })
}

// Lookup implements store.Reader.
func (d Direct) Lookup(ctx context.Context, key store.Key) (*store.Record, error) {
	return borrow(ctx, d, func(r *Reader) (*store.Record, error) { return r.Lookup(ctx, key) })
}

// List implements store.Reader.
func (d Direct) List(ctx context.Context, q store.Query) ([]*store.Record, error) {
	return borrow(ctx, d, func(r *Reader) ([]*store.Record, error) { return r.List(ctx, q) })
}

// IDs implements store.Reader.
func (d Direct) IDs(ctx context.Context, q store.Query) ([]string, error) {
	return borrow(ctx, d, func(r *Reader) ([]string, error) { return r.IDs(ctx, q) })
}

// Count implements store.Reader.
func (d Direct) Count(ctx context.Context, q store.Query) (int, error) {
	return borrow(ctx, d, func(r *Reader) (int, error) { return r.Count(ctx, q) })
}

// History implements store.Reader.
func (d Direct) History(ctx context.Context, account, kind, id string, limit int) ([]store.Event, error) {
	return borrow(ctx, d, func(r *Reader) ([]store.Event, error) { return r.History(ctx, account, kind, id, limit) })
}

// Events is Reader.Events.
func (d Direct) Events(ctx context.Context, account string, after int64, limit int) ([]store.Event, error) {
	return borrow(ctx, d, func(r *Reader) ([]store.Event, error) { return r.Events(ctx, account, after, limit) })
}

// AllEvents is Reader.AllEvents.
func (d Direct) AllEvents(ctx context.Context, since int64, limit int) ([]store.Event, error) {
	return borrow(ctx, d, func(r *Reader) ([]store.Event, error) { return r.AllEvents(ctx, since, limit) })
}

// Head is Reader.Head.
func (d Direct) Head(ctx context.Context, account string) (int64, error) {
	return borrow(ctx, d, func(r *Reader) (int64, error) { return r.Head(ctx, account) })
}

// GetActivity is Reader.GetActivity.
func (d Direct) GetActivity(ctx context.Context, account, subject string) (store.Activity, error) {
	return borrow(ctx, d, func(r *Reader) (store.Activity, error) { return r.GetActivity(ctx, account, subject) })
}

// ListActivity is Reader.ListActivity.
func (d Direct) ListActivity(ctx context.Context, account string) ([]store.Activity, error) {
	return borrow(ctx, d, func(r *Reader) ([]store.Activity, error) { return r.ListActivity(ctx, account) })
}
