package sqlitestore

import (
	"context"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

// tokens gives each call its own transaction.
type tokens struct{ db *DB }

// Tokens implements store.DB.
func (db *DB) Tokens() store.Tokens { return tokens{db} }

func (t tokens) read(ctx context.Context, fn func(store.Tokens) error) error {
	return t.db.read(ctx, func(s *session) error { return fn(sqlstore.NewTokens(s, t.db.now)) })
}

func (t tokens) write(ctx context.Context, fn func(store.Tokens) error) error {
	return t.db.writer.do(ctx, func(tx *sqlstore.Tx) error { return fn(tx.Tokens()) })
}

func (t tokens) Put(ctx context.Context, tok store.Token) error {
	return t.write(ctx, func(in store.Tokens) error { return in.Put(ctx, tok) })
}

func (t tokens) Get(ctx context.Context, space, key string) (tok *store.Token, err error) {
	err = t.read(ctx, func(in store.Tokens) (err error) {
		tok, err = in.Get(ctx, space, key)
		return err
	})
	return tok, err
}

func (t tokens) Take(ctx context.Context, space, key string) (tok *store.Token, err error) {
	err = t.write(ctx, func(in store.Tokens) (err error) {
		tok, err = in.Take(ctx, space, key)
		return err
	})
	if err != nil {
		return nil, err // a record that was read and not durably taken is nobody's
	}
	return tok, nil
}

func (t tokens) List(ctx context.Context, space, account, owner string) (found []*store.Token, err error) {
	err = t.read(ctx, func(in store.Tokens) (err error) {
		found, err = in.List(ctx, space, account, owner)
		return err
	})
	return found, err
}

func (t tokens) Delete(ctx context.Context, space, key string) error {
	return t.write(ctx, func(in store.Tokens) error { return in.Delete(ctx, space, key) })
}

func (t tokens) Sweep(ctx context.Context, limit int) (n int, err error) {
	err = t.write(ctx, func(in store.Tokens) (err error) {
		n, err = in.Sweep(ctx, limit)
		return err
	})
	return n, err
}
