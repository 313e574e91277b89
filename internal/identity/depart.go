package identity

import (
	"context"
	"fmt"

	"github.com/kagiban/kagiban/internal/store"
)

// Depart deletes the API keys that a user has in an account which it leaves,
// locked ones too.
func Depart(ctx context.Context, tx store.Tx, accountID, iamID string) error {
	keys, err := APIKeys.List(ctx, tx, store.Query{Account: accountID, Owner: iamID})
	if err != nil {
		return fmt.Errorf("listing API keys: %w", err)
	}
	for _, key := range keys {
		if err := APIKeys.Delete(ctx, tx, key, key.object().deleted(&key.Meta)); err != nil {
			return fmt.Errorf("deleting API key: %w", err)
		}
	}
	return nil
}
