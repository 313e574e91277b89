package pgstore

import (
	"context"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

// tokens gives each call its own statement; each is atomic in itself.
type tokens struct {
	db *DB
	in *sqlstore.Tokens
}

// Tokens implements store.DB.
func (db *DB) Tokens() store.Tokens {
	return tokens{db, sqlstore.NewTokens(db.pool, db.opts.Now)}
}

func (t tokens) Put(ctx context.Context, tok store.Token) error {
	return t.db.writing(ctx, func() error { return t.in.Put(ctx, tok) })
}

func (t tokens) Get(ctx context.Context, space, key string) (tok *store.Token, err error) {
	err = t.db.reading(ctx, func() error {
		tok, err = t.in.Get(ctx, space, key)
		return err
	})
	return tok, err
}

func (t tokens) Take(ctx context.Context, space, key string) (tok *store.Token, err error) {
	err = t.db.writing(ctx, func() error {
		tok, err = t.in.Take(ctx, space, key)
		return err
	})
	return tok, err
}

func (t tokens) List(ctx context.Context, space, account, owner string) (found []*store.Token, err error) {
	err = t.db.reading(ctx, func() error {
		found, err = t.in.List(ctx, space, account, owner)
		return err
	})
	return found, err
}

func (t tokens) Delete(ctx context.Context, space, key string) error {
	return t.db.writing(ctx, func() error { return t.in.Delete(ctx, space, key) })
}

func (t tokens) Sweep(ctx context.Context, limit int) (n int, err error) {
	err = t.db.writing(ctx, func() error {
		n, err = t.in.Sweep(ctx, limit)
		return err
	})
	return n, err
}
