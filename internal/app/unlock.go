package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/store"
)

// Unlock lets the owner of an account in again: see account.Service.Unlock. It
// tells whether templates of the enterprise still demand something.
func Unlock(ctx context.Context, s *config.Settings, log *slog.Logger, accountID string) (still bool, err error) {
	ctx = store.WithOrigin(ctx, store.Origin{Name: "operator", Operation: "unlock"})
	err = withStore(ctx, s, log, func(db store.DB, _ *secrets) error {
		set, err := account.New(account.Config{DB: db, Now: time.Now}).Unlock(ctx, accountID)
		if err != nil {
			return err
		}
		rules := set.Effective()
		still = rules.MFA != account.MFANone || rules.AllowedIPAddresses != ""
		return nil
	})
	return still, err
}
