package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	passcodeSpace  = "passcode"
	// revokedSpace marks families of refresh tokens and sessions that were ended
	// on purpose, by id: nothing that came of them works any more.
	revokedSpace = "refresh-revoked"
)

// keepExpired is how long an expired refresh token is still recognised, so that
// its owner reads "expired" and not "invalid".
const keepExpired = 24 * time.Hour

// lineage says how a login began and as whom it continues. It is what a
// refresh token, a delegated one and a passcode stand for.
type lineage struct {
	IAMID   string `json:"iam_id"`
	Account string `json:"account,omitempty"`
	// Origin is the grant that began the login.
	Origin string `json:"origin"`
	// KeyID is the API key behind it, "" if none. The key is looked at again
	// whenever the token is used.
	KeyID string `json:"key_id,omitempty"`
	// Authn and AuthnAccount are who assumed the profile that the login is for.
	Authn        *AuthnClaims `json:"authn,omitempty"`
	AuthnAccount string       `json:"authn_account,omitempty"`
	Session      string       `json:"session,omitempty"`
	Scope        string       `json:"scope,omitempty"`
	// Rule is the claim rule that let a person assume the profile, "" when it is
	// in the profile's list.
	Rule string `json:"rule,omitempty"`
	// Roots are the sessions and families of refresh tokens that the login came
	// of: it ends when one of them is revoked.
	Roots []string `json:"roots,omitempty"`
	// Until ends everything that comes of the login; zero: lifetimes alone do.
	Until time.Time `json:"until,omitzero"`
}

// bound tells whether the login may not change its account.
func (l *lineage) bound() bool {
	return l.Origin == GrantAPIKey || l.Origin == GrantAssume || l.Origin == GrantIAMAuthz || l.Authn != nil
}

// refreshToken is the stored form of a refresh token.
type refreshToken struct {
	lineage
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
	lineage
	Receivers []string `json:"receivers"`
}

// putRefresh stores a new refresh token and gives its value.
func (s *Service) putRefresh(ctx context.Context, tx store.Tx, t refreshToken, now time.Time) (secret.Value, error) {
	value, err := secret.NewRefreshToken(s.cfg.Random)
	if err != nil {
		return secret.Value{}, err
	}
	return value, s.writeRefresh(ctx, tx, s.refreshHash.Lookup(value), t, now)
}

func (s *Service) writeRefresh(ctx context.Context, tx store.Tx, key string, t refreshToken, created time.Time) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encoding a refresh token: %w", err)
	}
	return tx.Tokens().Put(ctx, store.Token{Space: refreshSpace, Key: key, Account: t.Account, Owner: t.IAMID,
		Created: created, Expires: t.Valid.Add(keepExpired), Body: body})
}

// redeemable gives a refresh token that the client may use now. It does not
// change it. Every reason to refuse but expiry reads the same to the caller.
func (s *Service) redeemable(ctx context.Context, tokens store.Tokens, value secret.Value, client *Client, now time.Time) (*refreshToken, error) {
	rec, err := tokens.Get(ctx, refreshSpace, s.refreshHash.Lookup(value))
	if errors.Is(err, fault.NotFound) {
		return nil, errRefreshInvalid("")
	}
	if err != nil {
		return nil, fmt.Errorf("reading a refresh token: %w", err)
	}
	t := new(refreshToken)
	if err := json.Unmarshal(rec.Body, t); err != nil {
		return nil, fmt.Errorf("decoding a refresh token: %w", err)
	}
	if t.ClientID != client.ID {
		return nil, errRefreshInvalid("The refresh token belongs to another client.")
	}
	if err := notRevoked(ctx, tokens, append(t.Roots, t.Family)); err != nil {
		return nil, err
	}
	if !now.Before(t.Valid) {
		return nil, errRefreshExpired()
	}
	return t, nil
}

// notRevoked refuses what came of a login that was ended on purpose.
func notRevoked(ctx context.Context, tokens store.Tokens, roots []string) error {
	for _, root := range roots {
		switch _, err := tokens.Get(ctx, revokedSpace, root); {
		case err == nil:
			return errRefreshInvalid("")
		case !errors.Is(err, fault.NotFound):
			return fmt.Errorf("reading a revocation: %w", err)
		}
	}
	return nil
}

// revocation marks a family or session as ended on purpose.
func revocation(root, accountID, owner string, now time.Time) store.Token {
	return store.Token{Space: revokedSpace, Key: root, Account: accountID, Owner: owner, Created: now, Expires: now.Add(maxFamilyLife), Body: []byte("{}")}
}

// errReplay is what rotateRefresh gives when a used token comes again.
var errReplay = errors.New("refresh token used again")

// rotateRefresh marks the token behind value as used. Within the grace after
// its first use it may be used again; later it is a replay, upon which the
// caller must revoke the family.
func (s *Service) rotateRefresh(ctx context.Context, tx store.Tx, value secret.Value, client *Client, now time.Time) (*refreshToken, error) {
	t, err := s.redeemable(ctx, tx.Tokens(), value, client, now)
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
func (s *Service) replayed(t *refreshToken, now time.Time) bool {
	return !t.Used.IsZero() && now.Sub(t.Used).Abs() > s.cfg.ReuseGrace
}

// revokeFamily stops all refresh tokens that descend from one login.
func (s *Service) revokeFamily(ctx context.Context, t *refreshToken, now time.Time) error {
	if err := s.cfg.DB.Tokens().Put(ctx, revocation(t.Family, t.Account, t.IAMID, now)); err != nil {
		return fmt.Errorf("revoking refresh tokens: %w", err)
	}
	if t.Session != "" {
		return s.EndSession(ctx, t.Session)
	}
	return nil
}

// maxFamilyLife is longer than the rest of the life of anything that came of a
// login: settings allow refresh tokens 72 hours, delegated ones live for 30 days.
const maxFamilyLife = maxDelegatedLife + account.DefaultRefreshToken + 2*keepExpired

// putDelegated stores a delegated refresh token and gives its value.
func (s *Service) putDelegated(ctx context.Context, tokens store.Tokens, t delegatedToken, now time.Time) (secret.Value, error) {
	value, err := secret.NewRefreshToken(s.cfg.Random)
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

// delegated reads a delegated refresh token for one of its receivers. It
// works until it expires, any number of times: the receiver keeps it in place
// of a credential.
func (s *Service) delegated(ctx context.Context, value secret.Value, client *Client) (*delegatedToken, error) {
	rec, err := s.cfg.DB.Tokens().Get(ctx, delegatedSpace, s.refreshHash.Lookup(value))
	if errors.Is(err, fault.NotFound) {
		return nil, errRefreshInvalid("")
	}
	if err != nil {
		return nil, fmt.Errorf("reading a delegated refresh token: %w", err)
	}
	t := new(delegatedToken)
	if err := json.Unmarshal(rec.Body, t); err != nil {
		return nil, fmt.Errorf("decoding a delegated refresh token: %w", err)
	}
	if !slices.Contains(t.Receivers, client.ID) {
		return nil, errRefreshInvalid("The delegated refresh token was not made for this client.")
	}
	return t, notRevoked(ctx, s.cfg.DB.Tokens(), t.Roots)
}
