package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
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
	// checked is what was found when the subject was last looked at.
	checked atomic.Pointer[check]
}

// maxBearer bounds what is looked at as a bearer token.
const maxBearer = signing.MaxTokenLength

// Authenticate gives the holder of an access token that a client at an address
// shows. Refused, with
// fault.Unauthenticated and code invalid_access_token, are tokens of another
// issuer, with a wrong or unknown key, without signature, expired or not valid
// yet (within the leeway), ID tokens, and tokens whose account is not
// active, whose identity or one that it was got through is gone, or whose login,
// or one that it came of, was ended or has a session that is over or idle.
// Deleting or disabling an API key ends its sessions and not its other tokens.
// Where the account of the token allows other addresses only, the answer is
// fault.Forbidden.
//
// A token that was seen before costs neither cryptography nor JSON, and no
// database as long as its account has not changed; what has ended on other
// nodes is read once in session.Trust for all tokens together.
func (s *Service) Authenticate(ctx context.Context, token string, from netip.Addr) (*Principal, error) {
	b, err := s.bearer(ctx, token)
	if err != nil {
		return nil, err
	}
	if shut := b.admit(from); shut != nil && !s.cfg.IssuedOnly {
		return nil, errUsedFrom(from, shut.text)
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
	if held := b.checked.Load(); held == nil || !s.state.holds(&held.stamps) {
		now, err := s.alive(ctx, &b.claims.FixedClaims)
		if err != nil {
			return nil, err
		}
		b.checked.Store(now)
	}
	return b, s.goesOn(ctx, b)
}

// goesOn refuses a token when something that it came of has ended.
func (s *Service) goesOn(ctx context.Context, b *bearer) error {
	c := b.claims
	if c.SessionID == "" && len(c.Roots) == 0 && len(c.Within) == 0 {
		return nil // most tokens
	}
	err := s.sessions.Holds(ctx, &session.Lineage{Roots: c.Roots, Within: c.Within})
	if errors.Is(err, fault.Invalid) {
		return errBearer(err, "The login that the token came of has ended.")
	}
	if err != nil || c.SessionID == "" && len(c.Within) == 0 {
		return err
	}
	if c.KeyID != "" {
		err = s.keyStillGood(ctx, c.KeyID)
	}
	if err == nil && c.SessionID != "" {
		var se *session.Session
		if se, err = s.sessions.Get(ctx, c.SessionID); err == nil {
			s.sessions.Touch(c.SessionID)
			b.hear(se)
		}
	}
	if errors.Is(err, fault.Invalid) {
		return errBearer(err, "The session of the token has ended.")
	}
	s.sessions.Touch(c.Within...)
	return err
}

// heir is the lineage of a login that comes of an access token.
func (s *Service) heir(ctx context.Context, b *bearer) (session.Lineage, error) {
	c := b.claims
	l := session.Lineage{IAMID: c.IAMID, Account: c.Account.BSS, KeyID: c.KeyID, Roots: c.Roots, Within: c.Within}
	if c.Until != 0 {
		l.Until = time.Unix(c.Until, 0).UTC()
	}
	if c.SessionID == "" {
		return l, nil
	}
	se, err := s.sessions.Get(ctx, c.SessionID)
	if err != nil {
		return l, err
	}
	return se.Heir(l), nil
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
	passcode := se.Grant == GrantPasscode && b.principal.Login.Password
	if len(se.Claims) == 0 && !passcode || b.principal.IAMID != se.IAMID || b.vouched.Load() != nil {
		return
	}
	p := b.principal
	if len(se.Claims) > 0 {
		p.Realm, p.Claims, p.LoginAt = se.Realm, session.PolicyClaims(se.Claims), se.Created
	}
	p.Login.Password = p.Login.Password && !passcode
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
	now, leeway := s.cfg.Now().Unix(), int64(s.cfg.Leeway/time.Second)
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

// alive checks that the subject of a token, and whoever it was got through,
// still exist in active accounts.
func (s *Service) alive(ctx context.Context, c *FixedClaims) (*check, error) {
	var held stamps
	err := s.exists(ctx, &held, c.Kind(), Actor{c.IAMID, c.Account.BSS})
	for i := 0; err == nil && i < len(c.Actors); i++ {
		err = s.exists(ctx, &held, kindOf(c.Actors[i].IAMID), c.Actors[i])
	}
	if errors.Is(err, fault.NotFound) {
		return nil, errBearer(err, "The identity or the account of the token is not active.")
	}
	if err != nil {
		return nil, fmt.Errorf("checking the subject of a token: %w", err)
	}
	lists, err := s.boundTo(ctx, c)
	if err != nil {
		return nil, err
	}
	return &check{held, lists}, nil
}

// kindOf tells what an IAM id is of.
func kindOf(iamID string) policy.SubjectKind {
	objectID, isObject := id.OfIAM(iamID)
	switch {
	case isObject && strings.HasPrefix(objectID, id.Profile):
		return policy.KindProfile
	case isObject:
		return policy.KindServiceID
	}
	return policy.KindUser
}

// exists gives fault.NotFound unless an identity is in its account, and active.
func (s *Service) exists(ctx context.Context, held *stamps, kind policy.SubjectKind, who Actor) error {
	if who.Account == "" {
		// A person's login without account rests on the memberships.
		st, err := s.userIn(ctx, who.IAMID, "")
		if errors.Is(err, fault.Invalid) {
			return fault.NotFound
		}
		if err == nil {
			held.join(&st.stamps)
		}
		return err
	}
	s.state.watch(held, who.Account)
	a, err := get(ctx, s.state, account.Accounts, who.Account, who.Account)
	if err == nil && a.State != account.Active {
		err = fault.NotFound
	}
	if err != nil {
		return err
	}
	objectID, _ := id.OfIAM(who.IAMID)
	switch kind {
	case policy.KindServiceID:
		return present(get(ctx, s.state, identity.ServiceIDs, who.Account, objectID))
	case policy.KindProfile:
		return present(get(ctx, s.state, identity.Profiles, who.Account, objectID))
	case policy.KindUser:
		u, err := get(ctx, s.state, account.Users, who.Account, who.IAMID)
		if err == nil && u.State != account.Active {
			err = fault.NotFound
		}
		return err
	case policy.KindService: // lives as long as its account
		return nil
	case policy.KindAnonymous:
	}
	return fault.NotFound
}

func present[T any](_ *T, err error) error { return err }

func principalOf(c *Claims) Principal {
	return Principal{
		Subject: policy.Subject{Kind: c.Kind(), IAMID: c.IAMID, Account: c.Account.BSS, Realm: c.Realm, LoginAt: time.Unix(c.IssuedAt, 0).UTC(),
			Source: sourceOf(c), Login: loginBehind(c)},
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
	if _, err := s.clients.Authenticate(ctx, r.Client, r.Address); err != nil {
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
func (s *Service) UserInfo(ctx context.Context, token string, from netip.Addr) (*Claims, error) {
	b, err := s.bearer(ctx, token)
	if err != nil {
		return nil, tokenFault(err)
	}
	if shut := b.admit(from); shut != nil && !s.cfg.IssuedOnly {
		return nil, errAddress(from, shut.text)
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
