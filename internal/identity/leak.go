package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

// LeakedKey does to an API key whose value was found in public what its owner
// asked for: disable it, delete it, or only tell, which its history does in
// each case. A lock does not protect it: the action was chosen for just this
// case. It gives the key as it is afterwards, or as it was, and what was done
// (LeakDisable, LeakDelete, LeakNone); fault.NotFound for a value that is no key.
func (s *Service) LeakedKey(ctx context.Context, value secret.Value) (key *APIKey, done string, err error) {
	hash := store.Key{Space: KeySpace, Value: s.hasher.Lookup(value)}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if key, err = APIKeys.Lookup(ctx, tx, hash); err != nil {
			return err
		}
		switch done = key.ActionWhenLeaked; done {
		case LeakDelete:
			return APIKeys.Delete(ctx, tx, key, leaked(key.object().deleted(&key.Meta)))
		case LeakDisable:
			key.Disabled = true
			disable := true
			return APIKeys.Update(ctx, tx, key, leaked(key.object().updated(&key.Meta, []string{"disabled"}, requestData{Disable: &disable})))
		}
		done = LeakNone
		return APIKeys.Update(ctx, tx, key, leaked(key.object().updated(&key.Meta, nil, requestData{})))
	})
	if errors.Is(err, fault.NotFound) {
		return nil, "", fault.NoObject(whatAPIKey, ByValue)
	}
	if err != nil {
		return nil, "", fmt.Errorf("acting on a leaked API key: %w", err)
	}
	return key, done, nil
}

// leaked words the event of what was done to a leaked key.
func leaked(ev store.Event) store.Event {
	ev.Message += ": its value was found in public"
	return ev
}
