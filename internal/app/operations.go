package app

import (
	"context"
	"crypto/rand"
	"log/slog"

	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
)

// Operations gives the table of `kagiban serve`, for reports: of a server in
// memory that never serves.
func Operations(ctx context.Context) ([]httpapi.Operation, error) {
	key, err := secret.GenerateMasterKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	set, err := config.Load(config.Sources{}) // the defaults
	if err != nil {
		return nil, err
	}
	set.Listen, set.MasterKeys, set.Algorithm = "127.0.0.1:0", []secret.MasterKey{key}, signing.ES256
	a, err := New(ctx, Config{Settings: *set, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return a.core.router.Operations(), a.Close()
}
