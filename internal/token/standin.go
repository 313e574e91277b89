package token

import (
	"context"

	"github.com/kagiban/kagiban/internal/store"
)

func (st *state) generation(account string) uint64 {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.gens[account]
}

func (st *state) seen(events []store.Event) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for i := range events {
		st.gens[events[i].Account]++
	}
}

func get[T any](ctx context.Context, st *state, c *store.Collection[T], account, id string) (*T, error) {
	return c.Get(ctx, st.db.Direct(), account, id)
}

func lookup[T any](ctx context.Context, st *state, c *store.Collection[T], key store.Key) (*T, error) {
	return c.Lookup(ctx, st.db.Direct(), key)
}
