package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/store"
)

// Principal is who holds a bearer token. It is shared between callers and never
// changed.
type Principal struct {
	policy.Subject
	Name      string
	Email     string
	Session   string // "" without a login session
	AuthnID   string // the original identity behind a profile, else the identity itself
	AuthnName string
	ClientID  string
	GrantType string
	Expires   time.Time
}

// bearer is a verified token with what is known of its subject.
type bearer struct {
	claims    *Claims
	principal Principal
	// vouched is the principal with the claims of its login, nil without any.
	vouched atomic.Pointer[Principal]
	kid     string
	key     *signing.PublicKey
	// checked holds the state under which the subject was last found good.
	checked atomic.Pointer[stamps]
}

// maxBearer bounds what is looked at as a bearer token.
const maxBearer = signing.MaxTokenLength

// Authenticate gives the holder of an access token. Refused, with
// fault.Unauthenticated and code invalid_access_token, are tokens of another
// issuer, with a wrong or unknown key, without signature, expired or not valid
// yet (within the leeway), ID tokens, and tokens whose account is not
// active, whose identity is gone, or whose session has ended or is idle.
// Deleting or disabling an API key does not end its tokens.
//
// A token that was seen before costs neither cryptography nor JSON, and no
// database as long as its account has not changed.
func (s *Service) Authenticate(ctx context.Context, token string) (*Principal, error) {
	b, err := s.bearer(ctx, token)
	if err != nil {
		return nil, err
	}
	return b.holder(), nil
}

func (s *Service) bearer(ctx context.Context, token string) (*bearer, error) {
	if len(token) > maxBearer {
		return nil, errBearer(signing.ErrMalformed, "The token is too long.")
	}
	s.keys.Fresh(ctx)
	b, err := s.verify(token)
	if err != nil {
		return nil, err
	}
	if held := b.checked.Load(); held == nil || !s.state.holds(held) {
		now, err := s.alive(ctx, &b.claims.FixedClaims)
		if err != nil {
			return nil, err
		}
		b.checked.Store(now)
	}
	if b.claims.SessionID != "" {
		se, err := s.sessions.Get(ctx, b.claims.SessionID)
		if err != nil {
			if errors.Is(err, fault.Invalid) {
				return nil, errBearer(err, "The session of the token has ended.")
			}
			return nil, err
		}
		s.sessions.Touch(b.claims.SessionID)
		b.hear(se)
	}
	return b, nil
}

// holder gives the token's principal with all that is known of it.
func (b *bearer) holder() *Principal {
	if p := b.vouched.Load(); p != nil {
		return p
	}
	return &b.principal
}

// hear takes over what was said of a person at the login. It never changes
// during a session.
func (b *bearer) hear(se *session.Session) {
	if len(se.Claims) == 0 || b.principal.IAMID != se.IAMID || b.vouched.Load() != nil {
		return
	}
	p := b.principal
	p.Realm, p.Claims, p.LoginAt = se.Realm, session.PolicyClaims(se.Claims), se.Created
	b.vouched.Store(&p)
}

// verify gives a token whose signature, issuer and times are right, from memory
// when it was seen before. The key of the map is the whole text: two tokens
// that differ in one character are two tokens.
func (s *Service) verify(token string) (*bearer, error) {
	if b, ok := s.known.Get(token); ok && s.keys.PublicKey(b.kid) == b.key {
		return b, s.checkTimes(b.claims)
	}
	v, err := s.verifier.Verify(token)
	if err != nil {
		return nil, errBearer(err, reason(err))
	}
	c := v.Claims
	if c.Audience != "" || c.IAMID == "" || c.ID != c.IAMID {
		return nil, errBearer(signing.ErrMalformed, "The token is no access token.")
	}
	b := &bearer{claims: c, kid: v.KeyID, key: s.keys.PublicKey(v.KeyID), principal: principalOf(c)}
	s.known.Put(token, b)
	return b, nil
}

// checkTimes judges a known token anew: the clock has moved.
func (s *Service) checkTimes(c *Claims) error {
	now, leeway := s.cfg.Now().Unix(), int64(leeway/time.Second)
	switch {
	case now >= c.Expires+leeway:
		return errBearer(signing.ErrExpired, reason(signing.ErrExpired))
	case now < c.IssuedAt-leeway:
		return errBearer(signing.ErrNotYetValid, reason(signing.ErrNotYetValid))
	}
	return nil
}

// reason says what is wrong with a token, without any of its content.
func reason(err error) string {
	switch {
	case errors.Is(err, signing.ErrExpired):
		return "The token is expired."
	case errors.Is(err, signing.ErrNotYetValid):
		return "The token is not valid yet."
	case errors.Is(err, signing.ErrIssuer):
		return "The token was issued by somebody else."
	case errors.Is(err, signing.ErrUnknownKey), errors.Is(err, signing.ErrSignature), errors.Is(err, signing.ErrAlgorithm):
		return "The signature of the token could not be verified."
	}
	return "The token is malformed."
}

// alive checks that the subject of a token still exists in an active account.
func (s *Service) alive(ctx context.Context, c *FixedClaims) (*stamps, error) {
	held := s.state.begin(c.Account.BSS)
	if c.Account.BSS == "" {
		// A person's login without account rests on the memberships.
		st, err := s.userIn(ctx, c.IAMID, "")
		if errors.Is(err, fault.Invalid) {
			return nil, errBearer(err, "The user of the token is not active.")
		}
		if err != nil {
			return nil, err
		}
		return &st.stamps, nil
	}
	a, err := get(ctx, s.state, account.Accounts, c.Account.BSS, c.Account.BSS)
	if err == nil && a.State != account.Active {
		err = fault.NotFound
	}
	if err == nil {
		switch c.Kind() {
		case policy.KindServiceID:
			err = present(get(ctx, s.state, identity.ServiceIDs, c.Account.BSS, c.Identifier))
		case policy.KindProfile:
			err = present(get(ctx, s.state, identity.Profiles, c.Account.BSS, c.Identifier))
		case policy.KindUser:
			var u *account.User
			if u, err = get(ctx, s.state, account.Users, c.Account.BSS, c.IAMID); err == nil && u.State != account.Active {
				err = fault.NotFound
			}
		case policy.KindService: // lives as long as its account
		default:
			err = fault.NotFound
		}
	}
	if errors.Is(err, fault.NotFound) {
		return nil, errBearer(err, "The identity or the account of the token is not active.")
	}
	if err != nil {
		return nil, fmt.Errorf("checking the subject of a token: %w", err)
	}
	return &held, nil
}

func present[T any](_ *T, err error) error { return err }

func principalOf(c *Claims) Principal {
	return Principal{
		Subject: policy.Subject{Kind: c.Kind(), IAMID: c.IAMID, Account: c.Account.BSS, Realm: c.Realm, LoginAt: time.Unix(c.IssuedAt, 0).UTC(),
			Source: sourceOf(c)},
		Name: c.Name, Email: c.Email, Session: c.SessionID, AuthnID: c.Authn.IAMID, AuthnName: c.Authn.Sub,
		ClientID: c.ClientID, GrantType: c.GrantType, Expires: time.Unix(c.Expires, 0).UTC(),
	}
}

// Introspect gives the claims of a good access token; nil for any other text
// and for what the client may not ask. The client must be known.
func (s *Service) Introspect(ctx context.Context, r *Request) (*Claims, error) {
	if !r.Client.Given {
		return nil, errClientMissing("introspection")
	}
	if _, err := s.clients.Authenticate(r.Client, r.Address); err != nil {
		return nil, err
	}
	if r.AccessToken.IsZero() {
		return nil, errMissing("token")
	}
	b, err := s.bearer(ctx, r.AccessToken.Reveal())
	if errors.Is(err, fault.Unauthenticated) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return b.claims, nil
}

// UserInfo gives the claims of an access token, or BXNIM0407E.
func (s *Service) UserInfo(ctx context.Context, token string) (*Claims, error) {
	b, err := s.bearer(ctx, token)
	if err != nil {
		return nil, tokenFault(err)
	}
	return b.claims, nil
}

// LogoutToken ends the session of an access token, if it has one.
func (s *Service) LogoutToken(ctx context.Context, token string) error {
	b, err := s.bearer(ctx, token)
	if errors.Is(err, fault.Unauthenticated) {
		return nil
	}
	if err != nil {
		return err
	}
	if b.claims.SessionID == "" {
		return nil
	}
	if err := s.sessions.End(ctx, b.claims.SessionID); err != nil {
		return err
	}
	s.logLogout(ctx, b.claims.IAMID, b.claims.Account.BSS, b.claims.SessionID)
	return nil
}

func (s *Service) logLogout(ctx context.Context, iamID, accountID, sessionID string) {
	s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "logout", slog.String("action", "iam-identity.user.logout"), slog.String("outcome", "success"),
		slog.String("iam_id", iamID), slog.String("account", accountID), slog.String("session_id", sessionID),
		slog.String("transaction_id", store.OriginOf(ctx).TransactionID))
}
