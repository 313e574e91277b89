package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

// What a key's owner wants done when the key is found in public.
const (
	leakDisable = "disable"
	leakDelete  = "delete"
)

// LeakedKey does to a key whose value was found in public what its owner asked
// for: disable it, delete it, or only tell. A lock does not protect it: the
// action was chosen for just this case. It gives the key's id and what was
// done ("disable", "delete", "none"); fault.NotFound for a value that is no key.
func (s *Service) LeakedKey(ctx context.Context, value secret.Value) (keyID, action string, err error) {
	hash := store.Key{Space: identity.KeySpace, Value: s.keyHash.Lookup(value)}
	err = s.cfg.DB.Update(ctx, func(tx store.Tx) error {
		key, err := identity.APIKeys.Lookup(ctx, tx, hash)
		if err != nil {
			return err
		}
		keyID, action = key.ID, key.ActionWhenLeaked
		ev := store.Event{CRN: crn.Of("iam-identity", key.Account, "apikey", key.ID), Data: []byte(`{"reason":"leaked"}`)}
		family := "iam-identity.serviceid-apikey."
		if key.IsUser() {
			family = "iam-identity.user-apikey."
		}
		switch {
		case action == leakDelete:
			ev.Action, ev.Message = family+"delete", "IAM Identity Service: delete leaked API key "+key.Name
			return identity.APIKeys.Delete(ctx, tx, key, ev)
		case action == leakDisable && !key.Disabled:
			key.Disabled = true
			ev.Action, ev.Message, ev.Params = family+"update", "IAM Identity Service: disable leaked API key "+key.Name, []string{"disabled"}
			return identity.APIKeys.Update(ctx, tx, key, ev)
		case action != leakDisable:
			action = "none"
		}
		return nil
	})
	if errors.Is(err, fault.NotFound) {
		return "", "", fault.NoObject("ApiKey", "leaked value")
	}
	if err != nil {
		return "", "", fmt.Errorf("acting on a leaked API key: %w", err)
	}
	s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "API key was found in public", slog.String("key_id", keyID), slog.String("action", action))
	return keyID, action, nil
}
