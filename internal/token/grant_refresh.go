package token

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
)

// maxOpaque bounds what is looked up as an opaque token; ours have 64 characters.
const maxOpaque = 512

// refreshGrant continues a login, possibly in another account. It replaces the
// refresh token.
type refreshGrant struct{}

func (refreshGrant) login(ctx context.Context, s *Service, r *Request, client *oauth.Client) (*login, error) {
	t, err := s.presentRefresh(ctx, r, client)
	if err != nil {
		return nil, err
	}
	lin := t.Lineage
	if r.Account != "" && r.Account != lin.Account {
		if bound(&lin) {
			return nil, errSwitch(lin.Origin)
		}
		if !id.IsAccount(r.Account) {
			return nil, errValue("account", r.Account)
		}
		lin.Account = r.Account
	}
	st, err := s.resume(ctx, &lin)
	if err != nil {
		return nil, err
	}
	return &login{Lineage: lin, standing: st, grant: GrantRefreshToken, action: "iam-identity.user-refreshtoken.login",
		interactive: lin.Origin == GrantPassword || lin.Origin == GrantPasscode, redeems: r.RefreshToken, family: t.Family}, nil
}

// presentRefresh judges the refresh token of a request without using it up: it
// must belong to the client, live, and not have been used before the grace.
func (s *Service) presentRefresh(ctx context.Context, r *Request, client *oauth.Client) (*session.RefreshToken, error) {
	if r.RefreshToken.IsZero() {
		return nil, errMissing("refresh_token")
	}
	if len(r.RefreshToken.Reveal()) > maxOpaque {
		return nil, errRefreshInvalid()
	}
	t, err := s.sessions.Find(ctx, r.RefreshToken, client.ID)
	if err != nil {
		return nil, s.throttle.Refused(s.bySource(r.Address), err)
	}
	return t, s.sessions.Check(ctx, t)
}

// resume gives the standing of a login that goes on, after looking again at
// everything that it rests on: key, identity, trust.
func (s *Service) resume(ctx context.Context, l *session.Lineage) (*standing, error) {
	if l.KeyID != "" {
		if err := s.keyStillGood(ctx, l.KeyID); err != nil {
			return nil, err
		}
	}
	objectID, isObject := id.OfIAM(l.IAMID)
	switch {
	case l.Authn != nil:
		return s.assumed(ctx, l)
	case isObject:
		return s.serviceIDIn(ctx, objectID, l.Account)
	}
	return s.userIn(ctx, l.IAMID, l.Account)
}

// keyStillGood refuses logins whose API key is gone, disabled or expired:
// changes of a key reach its tokens when they are refreshed, and its sessions at
// once.
func (s *Service) keyStillGood(ctx context.Context, keyID string) error {
	key, err := s.key(ctx, keyID)
	if err != nil {
		return err
	}
	return usable(key, s.cfg.Now())
}

// key gives an API key by its id.
func (s *Service) key(ctx context.Context, keyID string) (*identity.APIKey, error) {
	key, err := get(ctx, s.state, identity.APIKeys, "", keyID)
	if errors.Is(err, fault.NotFound) {
		return nil, errKeyUnknown()
	}
	if err != nil {
		return nil, fmt.Errorf("reading API key %s: %w", keyID, err)
	}
	return key, nil
}

// delegatedGrant lets a service that a delegated refresh token was made for act
// as the one who made it.
type delegatedGrant struct{}

func (delegatedGrant) login(ctx context.Context, s *Service, r *Request, client *oauth.Client) (*login, error) {
	if client == oauth.Nobody {
		return nil, errClientMissing(GrantDelegated)
	}
	if r.RefreshToken.IsZero() {
		return nil, errMissing("refresh_token")
	}
	if len(r.RefreshToken.Reveal()) > maxOpaque {
		return nil, errRefreshInvalid()
	}
	lin, err := s.sessions.Delegated(ctx, r.RefreshToken, client.ID)
	if err != nil {
		return nil, s.throttle.Refused(s.bySource(r.Address), err)
	}
	st, err := s.resume(ctx, lin)
	if err != nil {
		return nil, err
	}
	return &login{Lineage: *lin, standing: st, grant: GrantDelegated, action: "iam-identity.user-refreshtoken.login", idToken: true}, nil
}

// Passcode makes a one-time passcode for the user behind a refresh token,
// or profile, to be typed in elsewhere. It is bound to its account when the
// login is. Service IDs cannot: BXNIM0453E.
func (s *Service) Passcode(ctx context.Context, r *Request) (secret.Value, error) {
	client, err := s.clients.Authenticate(ctx, r.Client, r.Address)
	if err != nil {
		return secret.Value{}, err
	}
	t, err := s.presentRefresh(ctx, r, client)
	if err != nil {
		return secret.Value{}, err
	}
	st, err := s.resume(ctx, &t.Lineage)
	if err != nil {
		return secret.Value{}, err
	}
	if err := st.checkAddress(r.Address); err != nil {
		return secret.Value{}, err
	}
	if st.kind == policy.KindServiceID {
		return secret.Value{}, errSubjectType(st.claims.SubType)
	}
	return s.sessions.NewPasscode(ctx, t.Heir())
}

// Logout ends the login of a refresh token: all tokens that descend from it and
// its session. An unknown token is no error.
func (s *Service) Logout(ctx context.Context, r *Request) error {
	client, err := s.clients.Authenticate(ctx, r.Client, r.Address)
	if err != nil {
		return err
	}
	if r.RefreshToken.IsZero() || len(r.RefreshToken.Reveal()) > maxOpaque {
		return nil
	}
	t, err := s.sessions.Logout(ctx, r.RefreshToken, client.ID)
	if err != nil || t == nil {
		return err
	}
	s.logLogout(ctx, t.IAMID, t.Account, t.Session)
	return nil
}

// KeepAlive marks a session as active, for the client that it was begun with.
func (s *Service) KeepAlive(ctx context.Context, c oauth.Credentials, from netip.Addr, sessionID string) error {
	if !c.Given {
		return errClientMissing("session state")
	}
	client, err := s.clients.Authenticate(ctx, c, from)
	if err != nil {
		return err
	}
	se, err := s.sessions.Get(ctx, sessionID)
	if err == nil && se.KeyID != "" {
		err = s.keyStillGood(ctx, se.KeyID)
	}
	if err != nil {
		return err
	}
	return s.sessions.KeepAlive(ctx, client.ID, sessionID)
}
