package template

import (
	"context"

	"github.com/kagiban/kagiban/internal/store"
)

// Count counts the templates of a kind that an account has.
func (s *Service) Count(ctx context.Context, accountID, kind string) (int, error) {
	return Templates.Count(ctx, s.db.Direct(), store.Query{Account: accountID, Parent: kind})
}

// CountVersions counts the versions of a template; one that the account does not
// have has none.
func (s *Service) CountVersions(ctx context.Context, accountID, templateID string) (int, error) {
	return Versions.Count(ctx, s.db.Direct(), store.Query{Account: accountID, Parent: templateID})
}
