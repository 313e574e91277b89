package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

const passcodeSpace = "passcode"

// maxPasscode bounds what is looked up as a passcode; ours have 10 characters.
const maxPasscode = 64

// NewPasscode makes a one-time passcode that stands for a login.
func (s *Service) NewPasscode(ctx context.Context, l Lineage) (secret.Value, error) {
	code, err := secret.NewPasscode(s.random)
	if err != nil {
		return secret.Value{}, err
	}
	body, err := json.Marshal(l)
	if err != nil {
		return secret.Value{}, fmt.Errorf("encoding a passcode: %w", err)
	}
	now := s.now()
	err = s.db.Tokens().Put(ctx, store.Token{Space: passcodeSpace, Key: s.passcodeHash.Lookup(code), Account: store.System,
		Owner: l.IAMID, Created: now, Expires: l.within(now.Add(PasscodeLife)), Body: body})
	if err != nil {
		return secret.Value{}, fmt.Errorf("storing a passcode: %w", err)
	}
	return code, nil
}

// TakePasscode uses a passcode up and gives the login that it stands for, unless
// that has ended.
func (s *Service) TakePasscode(ctx context.Context, code secret.Value) (*Lineage, error) {
	if len(code.Reveal()) > maxPasscode {
		return nil, errPasscode()
	}
	rec, err := s.db.Tokens().Take(ctx, passcodeSpace, s.passcodeHash.Lookup(code))
	if errors.Is(err, fault.NotFound) {
		return nil, errPasscode()
	}
	if err != nil {
		return nil, fmt.Errorf("taking a passcode: %w", err)
	}
	l := new(Lineage)
	if err := json.Unmarshal(rec.Body, l); err != nil {
		return nil, fmt.Errorf("decoding a passcode: %w", err)
	}
	if err = notRevoked(ctx, s.db.Tokens(), l.Roots); err == nil {
		err = s.Holds(ctx, l)
	}
	if errors.Is(err, fault.Invalid) {
		return nil, errPasscode()
	}
	return l, err
}
