package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

// installationSecret is a random value that every node of an installation
// shares: it is made once, and kept sealed under the master key.
type installationSecret struct {
	store.Meta
	Sealed []byte `json:"sealed"`
}

var installationSecrets = store.NewCollection[installationSecret]("installation-secret", nil)

// The installation's secrets, by id and purpose. Both are part of what is
// stored and must not change.
const (
	pepperID  = "pepper"
	pageKeyID = "page-key"

	purposePageKey secret.Purpose = "page-key"
)

// secrets is what the services need to hash, seal and sign.
type secrets struct {
	sealer  *secret.Sealer
	pepper  []byte // of look-up hashes
	pageKey []byte // of page tokens
}

func openSecrets(ctx context.Context, db store.DB, keys []secret.MasterKey) (*secrets, error) {
	sealer, err := secret.NewSealer(nil, keys...)
	if err != nil {
		return nil, err
	}
	s := &secrets{sealer: sealer}
	if s.pepper, err = installed(ctx, db, sealer, pepperID, secret.PurposePepper, secret.PepperSize); err != nil {
		return nil, err
	}
	if s.pageKey, err = installed(ctx, db, sealer, pageKeyID, purposePageKey, 32); err != nil {
		return nil, err
	}
	return s, nil
}

// hasher gives the look-up hasher of a purpose.
func (s *secrets) hasher(purpose secret.Purpose) (*secret.Hasher, error) {
	return secret.NewHasher(s.pepper, purpose)
}

// installed reads one of the installation's secrets and makes it when it is
// not there. Of two nodes that start at once on an empty database one makes
// it, and the other reads it.
func installed(ctx context.Context, db store.DB, sealer *secret.Sealer, id string, purpose secret.Purpose, size int) ([]byte, error) {
	value, err := readInstalled(ctx, db, sealer, id, purpose)
	if !errors.Is(err, fault.NotFound) {
		return value, err
	}
	value = make([]byte, size)
	if _, err := io.ReadFull(rand.Reader, value); err != nil {
		return nil, fmt.Errorf("drawing secret %s: %w", id, err)
	}
	err = install(ctx, db, sealer, id, purpose, value)
	if errors.Is(err, fault.Conflict) {
		return readInstalled(ctx, db, sealer, id, purpose)
	}
	return value, err
}

// install keeps a secret, fault.Conflict when there is one already.
func install(ctx context.Context, db store.DB, sealer *secret.Sealer, id string, purpose secret.Purpose, value []byte) error {
	sealed, err := sealer.Seal(purpose, id, value)
	if err != nil {
		return fmt.Errorf("sealing secret %s: %w", id, err)
	}
	err = db.Update(ctx, func(tx store.Tx) error {
		obj := &installationSecret{Meta: store.Meta{Account: store.System, ID: id}, Sealed: sealed}
		return installationSecrets.Create(ctx, tx, obj, store.Event{Action: "kagiban.installation-secret.create",
			Message: "Kagiban: create installation secret " + id})
	})
	if err != nil {
		return fmt.Errorf("keeping secret %s: %w", id, err)
	}
	return nil
}

// restore keeps the secrets again after the store was emptied: hashes and page
// tokens that are about stay good.
func (s *secrets) restore(ctx context.Context, db store.DB) error {
	return errors.Join(
		install(ctx, db, s.sealer, pepperID, secret.PurposePepper, s.pepper),
		install(ctx, db, s.sealer, pageKeyID, purposePageKey, s.pageKey))
}

func readInstalled(ctx context.Context, db store.DB, sealer *secret.Sealer, id string, purpose secret.Purpose) ([]byte, error) {
	obj, err := installationSecrets.Get(ctx, db.Direct(), store.System, id)
	if err != nil {
		return nil, err
	}
	value, err := sealer.Open(purpose, id, obj.Sealed)
	if errors.Is(err, secret.ErrUnknownKey) {
		return nil, fmt.Errorf("the master key is not the one that this database was made with: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening secret %s: %w", id, err)
	}
	return value, nil
}
