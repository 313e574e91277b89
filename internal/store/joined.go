package store

import "context"

// Joined gives a store whose transactions are all part of one that has begun:
// with it services that begin transactions of their own work in that one. It ends
// with tx, and is for one goroutine.
func Joined(db DB, tx Tx) DB { return joined{db, tx} }

type joined struct {
	DB
	tx Tx
}

// Direct implements DB.
func (j joined) Direct() Reader { return j.tx }

// View implements DB.
func (j joined) View(_ context.Context, fn func(Reader) error) error { return fn(j.tx) }

// Update implements DB.
func (j joined) Update(_ context.Context, fn func(Tx) error) error { return fn(j.tx) }

// Tokens implements DB.
func (j joined) Tokens() Tokens { return j.tx.Tokens() }
