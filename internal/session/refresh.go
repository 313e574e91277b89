package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

// Spaces of short-lived records. Their keys are keyed hashes of the token.
const (
	refreshSpace   = "refresh"
	delegatedSpace = "delegated"
)

const (
	// keepExpired is how long an expired refresh token is still recognised, so
	// that its owner reads "expired" and not "invalid".
	keepExpired = 24 * time.Hour
	// MaxDelegatedLife bounds delegated refresh tokens.
	MaxDelegatedLife = 30 * 24 * time.Hour
	// maxFamilyLife is longer than the rest of the life of anything that came of
	// a login: settings allow refresh tokens 72 hours.
	maxFamilyLife = MaxDelegatedLife + account.DefaultRefreshToken + 2*keepExpired
)

// RefreshToken is the stored form of a refresh token.
type RefreshToken struct {
	Lineage
	ClientID string `json:"client_id"`
	// Family joins all tokens that descend from one login.
	Family string `json:"family"`
	// Valid is when it expires; the record lives keepExpired longer.
	Valid time.Time `json:"valid"`
	// Used is when it was first exchanged; after the grace it is a replay.
	Used time.Time `json:"used,omitzero"`
}

// delegatedToken is the stored form of a delegated refresh token.
type delegatedToken struct {
	Lineage
	Receivers []string `json:"receivers"`
}

// putRefresh stores a new refresh token and gives its value.
func (s *Service) putRefresh(ctx context.Context, tx store.Tx, t RefreshToken, now time.Time) (secret.Value, error) {
	value, err := secret.NewRefreshToken(s.random)
	if err != nil {
		return secret.Value{}, err
	}
	return value, s.writeRefresh(ctx, tx, s.refreshHash.Lookup(value), t, now)
}

func (s *Service) writeRefresh(ctx context.Context, tx store.Tx, key string, t RefreshToken, created time.Time) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encoding a refresh token: %w", err)
	}
	return tx.Tokens().Put(ctx, store.Token{Space: refreshSpace, Key: key, Account: t.Account, Owner: t.IAMID,
		Created: created, Expires: t.Valid.Add(keepExpired), Body: body})
}

// Find gives a refresh token that belongs to the client, lives, and came of a
// login that was not ended. It does not use it up, nor look at whether it was
// used: see Check. Every reason to refuse but expiry reads the same to the caller.
func (s *Service) Find(ctx context.Context, value secret.Value, clientID string) (*RefreshToken, error) {
	return s.redeemable(ctx, s.db.Tokens(), value, clientID, s.now())
}

func (s *Service) redeemable(ctx context.Context, tokens store.Tokens, value secret.Value, clientID string, now time.Time) (*RefreshToken,
	error) {
	rec, err := tokens.Get(ctx, refreshSpace, s.refreshHash.Lookup(value))
	if errors.Is(err, fault.NotFound) {
		return nil, errInvalid("")
	}
	if err != nil {
		return nil, fmt.Errorf("reading a refresh token: %w", err)
	}
	t := new(RefreshToken)
	if err := json.Unmarshal(rec.Body, t); err != nil {
		return nil, fmt.Errorf("decoding a refresh token: %w", err)
	}
	if t.ClientID != clientID {
		return nil, errInvalid("The refresh token belongs to another client.")
	}
	if err := notRevoked(ctx, tokens, append(slices.Clone(t.Roots), t.Family)); err != nil {
		return nil, err
	}
	if !now.Before(t.Valid) {
		return nil, ErrExpired
	}
	return t, nil
}

// Check refuses a refresh token that was used before the grace, upon which its
// login is ended, and one whose session is over, or one that its login came of.
func (s *Service) Check(ctx context.Context, t *RefreshToken) error {
	if now := s.now(); s.replayed(t, now) {
		return s.refuseReplay(ctx, t, now)
	}
	if t.Session != "" {
		if _, err := s.Get(ctx, t.Session); err != nil {
			return err
		}
	}
	return s.Holds(ctx, &t.Lineage)
}

// notRevoked refuses what came of a login that was ended on purpose.
func notRevoked(ctx context.Context, tokens store.Tokens, roots []string) error {
	for _, root := range roots {
		switch _, err := tokens.Get(ctx, revokedSpace, root); {
		case err == nil:
			return errInvalid("")
		case !errors.Is(err, fault.NotFound):
			return fmt.Errorf("reading a revocation: %w", err)
		}
	}
	return nil
}

// errReplay is what rotate gives when a used token comes again.
var errReplay = errors.New("refresh token used again")

// rotate marks the token behind value as used. Within the grace after
// its first use it may be used again; later it is a replay, upon which the
// caller must revoke the family.
func (s *Service) rotate(ctx context.Context, tx store.Tx, value secret.Value, clientID string, now time.Time) (*RefreshToken, error) {
	t, err := s.redeemable(ctx, tx.Tokens(), value, clientID, now)
	if err != nil {
		return nil, err
	}
	if s.replayed(t, now) {
		return t, errReplay
	}
	if !t.Used.IsZero() {
		return t, nil
	}
	used := *t
	used.Used = now
	return t, s.writeRefresh(ctx, tx, s.refreshHash.Lookup(value), used, now)
}

// replayed tells whether a token comes again after the grace that followed its
// first use. A clock that was set back counts as time too.
func (s *Service) replayed(t *RefreshToken, now time.Time) bool {
	return !t.Used.IsZero() && now.Sub(t.Used).Abs() > ReuseGrace
}

// refuseReplay ends a login whose used refresh token came again: one of two
// who hold it must have stolen it, and nobody can tell which.
func (s *Service) refuseReplay(ctx context.Context, t *RefreshToken, now time.Time) error {
	s.log.LogAttrs(ctx, slog.LevelWarn, "used refresh token came again: its login is ended", slog.String("iam_id", t.IAMID),
		slog.String("account", t.Account), slog.String("client_id", t.ClientID), slog.String("transaction_id", store.OriginOf(ctx).TransactionID))
	if err := s.revokeFamily(ctx, t, now); err != nil {
		return err
	}
	return errInvalid("The refresh token was used before.")
}

// revokeFamily ends a login: all refresh tokens that descend from it, its
// session, and what came of either.
func (s *Service) revokeFamily(ctx context.Context, t *RefreshToken, now time.Time) error {
	err := s.db.Update(ctx, func(tx store.Tx) error {
		if t.Session != "" {
			if err := endIn(ctx, tx.Tokens(), t.Session, now); err != nil {
				return err
			}
		}
		return revoke(ctx, tx.Tokens(), t.Family, t.Account, t.IAMID, now)
	})
	if err != nil {
		return fmt.Errorf("revoking refresh tokens: %w", err)
	}
	s.endings.note(t.Family, now)
	if t.Session != "" {
		s.forget(t.Session, now)
	}
	return nil
}

// Logout ends the login of a refresh token: all tokens that descend from it and
// its session. It gives the token, nil for one that is not good.
func (s *Service) Logout(ctx context.Context, value secret.Value, clientID string) (*RefreshToken, error) {
	t, err := s.Find(ctx, value, clientID)
	if errors.Is(err, fault.Invalid) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return t, s.revokeFamily(ctx, t, s.now())
}

// putDelegated stores a delegated refresh token and gives its value.
func (s *Service) putDelegated(ctx context.Context, tokens store.Tokens, t delegatedToken, now time.Time) (secret.Value, error) {
	value, err := secret.NewRefreshToken(s.random)
	if err != nil {
		return secret.Value{}, err
	}
	body, err := json.Marshal(t)
	if err != nil {
		return secret.Value{}, fmt.Errorf("encoding a delegated refresh token: %w", err)
	}
	err = tokens.Put(ctx, store.Token{Space: delegatedSpace, Key: s.refreshHash.Lookup(value), Account: t.Account, Owner: t.IAMID,
		Created: now, Expires: t.Until, Body: body})
	if err != nil {
		return secret.Value{}, fmt.Errorf("storing a delegated refresh token: %w", err)
	}
	return value, nil
}

// Delegated gives the login behind a delegated refresh token to one of its
// receivers. It works until it expires, any number of times: the receiver keeps
// it in place of a credential.
func (s *Service) Delegated(ctx context.Context, value secret.Value, clientID string) (*Lineage, error) {
	rec, err := s.db.Tokens().Get(ctx, delegatedSpace, s.refreshHash.Lookup(value))
	if errors.Is(err, fault.NotFound) {
		return nil, errInvalid("")
	}
	if err != nil {
		return nil, fmt.Errorf("reading a delegated refresh token: %w", err)
	}
	t := new(delegatedToken)
	if err := json.Unmarshal(rec.Body, t); err != nil {
		return nil, fmt.Errorf("decoding a delegated refresh token: %w", err)
	}
	if !slices.Contains(t.Receivers, clientID) {
		return nil, errInvalid("The delegated refresh token was not made for this client.")
	}
	return &t.Lineage, notRevoked(ctx, s.db.Tokens(), t.Roots)
}
