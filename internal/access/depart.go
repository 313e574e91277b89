package access

import (
	"context"
	"fmt"

	"github.com/kagiban/kagiban/internal/store"
)

// Depart deletes what an account gave an identity that leaves it: policies, those
// that could be restored included, and memberships. What an enterprise template
// gave stays until its assignment takes it back, and what it has in other
// accounts stays: ids never come again, and whoever is gone is refused before
// any policy is read.
func Depart(ctx context.Context, tx store.Tx, accountID, iamID string) error {
	if err := deleteOwnPolicies(ctx, tx, accountID, iamID); err != nil {
		return fmt.Errorf("deleting the policies of %s: %w", iamID, err)
	}
	members, err := Members.List(ctx, tx, store.Query{Account: accountID, Owner: iamID})
	if err != nil {
		return fmt.Errorf("listing the memberships of %s: %w", iamID, err)
	}
	for _, m := range members {
		if m.Managed {
			continue
		}
		g, err := Groups.Get(ctx, tx, accountID, m.Parent)
		if err != nil {
			return fmt.Errorf("reading the group of a member: %w", err)
		}
		if err := Members.Delete(ctx, tx, m, memberEvent("delete", g, m)); err != nil {
			return fmt.Errorf("deleting the memberships of %s: %w", iamID, err)
		}
	}
	return nil
}
