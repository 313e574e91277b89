package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/store"
)

// maxAPIKey bounds what is looked up as an API key. Keys of ours have 44
// characters; an account may bring its own.
const maxAPIKey = 4096

// apiKeyGrant exchanges an API key of a user or service ID. The key fixes the
// account.
type apiKeyGrant struct{}

// loginKey names a prepared login: key hash and client.
type loginKey struct {
	sum    [32]byte
	client *oauth.Client
}

// keyLogin is what does not change between two exchanges of a key: its state,
// its identity's standing and the encoded claims. Stamps of the standing tell
// when it is outdated.
type keyLogin struct {
	standing *standing
	claims   claimSet
	keyID    string
	expires  time.Time // zero: never
	sessions bool
	user     bool
}

func (apiKeyGrant) login(ctx context.Context, s *Service, r *Request, client *oauth.Client) (*login, error) {
	if r.APIKey.IsZero() {
		return nil, errMissing("apikey")
	}
	if len(r.APIKey.Reveal()) > maxAPIKey {
		return nil, errKeyUnknown()
	}
	at := loginKey{s.keyHash.Sum(r.APIKey), client}
	k, ok := s.logins.Get(at)
	if !ok || !s.state.holds(&k.standing.stamps) {
		var err error
		if k, err = s.prepareKey(ctx, r, client); err != nil {
			return nil, err
		}
		s.logins.Put(at, k)
	}
	if !k.expires.IsZero() && !s.cfg.Now().Before(k.expires) {
		return nil, errKeyExpired()
	}
	l := &login{
		Lineage:  session.Lineage{IAMID: k.standing.iamID, Account: k.standing.account, Origin: GrantAPIKey, KeyID: k.keyID},
		standing: k.standing, grant: GrantAPIKey, action: "iam-identity.serviceid-apikey.login", claims: k.claims,
		presented: k.keyID, keyEnds: k.expires, fresh: k.sessions,
	}
	if k.user {
		l.action = "iam-identity.user-apikey.login"
	}
	return l, nil
}

// prepareKey reads a key, its identity and their account. Only unknown keys
// count as failed attempts.
func (s *Service) prepareKey(ctx context.Context, r *Request, client *oauth.Client) (*keyLogin, error) {
	hash := store.Key{Space: identity.KeySpace, Value: s.keyHash.Lookup(r.APIKey)}
	first, err := lookup(ctx, s.state, identity.APIKeys, hash)
	if errors.Is(err, fault.NotFound) {
		return nil, s.throttle.Refused(s.bySource(r.Address), errKeyUnknown())
	}
	if err != nil {
		return nil, fmt.Errorf("looking an API key up: %w", err)
	}
	// The account is known only now: what its stamps are to vouch for has to be
	// read after they were taken.
	began := s.state.begin(first.Account)
	key, err := lookup(ctx, s.state, identity.APIKeys, hash)
	if errors.Is(err, fault.NotFound) {
		return nil, errKeyUnknown()
	}
	if err != nil {
		return nil, fmt.Errorf("looking an API key up: %w", err)
	}
	if err := usable(key, s.cfg.Now()); err != nil {
		return nil, err
	}
	st, err := s.owner(ctx, key)
	if err != nil {
		return nil, err
	}
	st.stamps.accounts = append(st.stamps.accounts, began.accounts...)
	k := &keyLogin{standing: st, keyID: key.ID, expires: key.ExpiresAt, sessions: key.SupportSessions && key.IsUser(), user: key.IsUser()}
	template := login{Lineage: session.Lineage{Origin: GrantAPIKey, KeyID: key.ID}, standing: st, grant: GrantAPIKey}
	k.claims, err = template.prepare(s.cfg.Issuer, client, "")
	return k, err
}

// usable refuses keys that exist and may not be used. A lock does not matter:
// it protects the key from changes.
func usable(key *identity.APIKey, now time.Time) error {
	if key.Disabled {
		return errKeyDisabled()
	}
	if !key.ExpiresAt.IsZero() && !now.Before(key.ExpiresAt) {
		return errKeyExpired()
	}
	return nil
}

// owner gives the standing of a key's identity.
func (s *Service) owner(ctx context.Context, key *identity.APIKey) (*standing, error) {
	if key.IsUser() {
		return s.userIn(ctx, key.Owner, key.Account)
	}
	objectID, ok := id.OfIAM(key.Owner)
	if !ok {
		return nil, fmt.Errorf("API key %s belongs to %q, which is no identity", key.ID, key.Owner)
	}
	return s.serviceIDIn(ctx, objectID, key.Account)
}
