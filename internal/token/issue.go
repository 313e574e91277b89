package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/signing"
)

// baseScope is the scope of every token.
const baseScope = "ibm openid"

// Issue answers a request for tokens. It passes the phases in their order:
// client, grant, limits, session and refresh token, claims, signature, record.
// Errors are *fault.Error with the numbers of the token envelope.
func (s *Service) Issue(ctx context.Context, r *Request) (*Response, error) {
	out, err := s.issue(ctx, r)
	if s.cfg.Observe != nil {
		s.cfg.Observe(s.grantLabel(r.GrantType), outcomeOf(err))
	}
	return out, err
}

func (s *Service) issue(ctx context.Context, r *Request) (*Response, error) {
	client, err := s.clients.Authenticate(ctx, r.Client, r.Address)
	if err != nil {
		return nil, err
	}
	g, err := s.grant(r.GrantType)
	if err != nil {
		return nil, err
	}
	want, err := responseTypes(r)
	if err != nil {
		return nil, err
	}
	l, err := g.login(ctx, s, r, client)
	if err != nil {
		return nil, err
	}
	if err := l.checkLimits(r); err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	if !l.Until.IsZero() && !now.Before(l.Until) {
		return nil, session.ErrExpired
	}
	if l.KeyID != "" && l.presented == "" {
		key, err := s.key(ctx, l.KeyID)
		if err != nil {
			return nil, err
		}
		l.keyEnds = key.ExpiresAt
	}
	kept, err := s.persist(ctx, l, client, want, now)
	if err != nil {
		return nil, err
	}
	out := &Response{DelegatedRefreshToken: kept.Delegated, RefreshToken: kept.Refresh, SessionID: l.Session}
	if want.access {
		if err := s.mint(ctx, l, client, &kept, out, now); err != nil {
			return nil, err
		}
	}
	s.record(ctx, l, client, r, now)
	return out, nil
}

// checkLimits honours what accounts and users lay on where tokens come from
// and how people log in.
func (l *login) checkLimits(r *Request) error {
	if err := l.standing.checkAddress(r.Address); err != nil {
		return err
	}
	if err := l.standing.checkTenant(r.Tenants); err != nil {
		return err
	}
	if d := l.standing.demand; l.interactive && (d.Factor || d.NoPassword && l.Origin == GrantPassword) {
		return errMFA(l.standing.account)
	}
	return nil
}

// NotSupported stands in refresh_token when there is none.
const NotSupported = "not_supported"

// persist stores what has to outlive the answer. Without an interactive or
// refreshing client there is nothing, and no database is touched.
func (s *Service) persist(ctx context.Context, l *login, client *oauth.Client, want wanted, now time.Time) (out session.Recorded,
	err error) {
	if l.once && want.delegated {
		return out, errValue("response_type", "delegated_refresh_token", "cloud_iam")
	}
	refreshing := client.Refresh == oauth.RefreshRotating && want.access
	begins := l.fresh && (client.Interactive || len(l.said) > 0) && want.access
	if !l.once && (refreshing || begins || want.delegated || l.Session != "") {
		out, err = s.sessions.Record(ctx, session.Entry{Lineage: l.Lineage, ClientID: client.ID, Begins: begins, Refreshing: refreshing,
			Receivers: want.receivers, DelegatedLife: want.delegatedLife, Redeems: l.redeems, Family: l.family, Limits: l.standing.life.Limits,
			Realm: l.realm, Claims: l.said}, now)
		if err != nil {
			return out, err
		}
	}
	if out.Session != nil {
		l.Session = out.Session.ID
	}
	if out.Refresh == "" && want.access {
		out.Refresh = NotSupported
	}
	return out, nil
}

// claimBuffers hold the memory in which claims are put together.
var claimBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 2<<10)
	return &b
}}

// mint makes access and ID token.
func (s *Service) mint(ctx context.Context, l *login, client *oauth.Client, kept *session.Recorded, out *Response, now time.Time) error {
	life := l.standing.life.access
	if kept.Session != nil {
		life = min(sessionAccessLife, kept.Session.Ends.Sub(now))
	}
	for _, end := range []time.Time{l.Until, l.keyEnds} {
		if !end.IsZero() {
			life = min(life, end.Sub(now))
		}
	}
	// exp - iat must equal expires_in to the second.
	iat := now.Unix()
	stamp := StampClaims{JTI: s.cfg.IDs.UUID(), SessionID: l.Session, IssuedAt: iat, Expires: iat + int64(life/time.Second),
		Origins: l.origins(kept)}
	set := l.claims
	if set == nil {
		var err error
		if set, err = l.prepare(s.cfg.Issuer, client, ""); err != nil {
			return err
		}
	}
	var err error
	if out.AccessToken, err = s.sign(ctx, set, stamp); err != nil {
		return err
	}
	if l.idToken {
		if set, err = l.prepare(s.cfg.Issuer, client, client.ID); err != nil {
			return err
		}
		stamp.JTI = s.cfg.IDs.UUID()
		if out.IDToken, err = s.sign(ctx, set, stamp); err != nil {
			return err
		}
	}
	out.ExpiresIn, out.Expiration, out.Scope = stamp.Expires-stamp.IssuedAt, stamp.Expires, l.scope(client)
	if !kept.RefreshExpires.IsZero() {
		out.RefreshExpiration = kept.RefreshExpires.Unix()
	}
	return nil
}

// origins are the claims that say what the tokens of a login came of.
func (l *login) origins(kept *session.Recorded) (o Origins) {
	if l.Session != "" {
		return o
	}
	o.Roots, o.Within = l.Roots, l.Within
	if kept.Roots != nil {
		o.Roots = kept.Roots
	}
	until := l.Until
	if !kept.RefreshExpires.IsZero() {
		until = kept.RefreshExpires // which is no later
	}
	if !until.IsZero() {
		o.Until = until.Unix()
	}
	return o
}

func (s *Service) sign(ctx context.Context, set claimSet, stamp StampClaims) (string, error) {
	pooled := claimBuffers.Get().(*[]byte)
	defer claimBuffers.Put(pooled)
	*pooled = set.appendTo((*pooled)[:0], stamp)
	text, err := s.keys.Compact(ctx, *pooled)
	if errors.Is(err, signing.ErrNoKey) {
		return "", &fault.Error{Kind: fault.Unavailable, Message: "The server is starting.", RetryAfter: time.Second, Cause: err}
	}
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return text, nil
}

// scope is the scope of a login's tokens. The parameter scope adds nothing: what
// a client may have is decided by who it is. A service has its name in it.
func (l *login) scope(client *oauth.Client) string {
	scope := baseScope
	if l.standing.kind == policy.KindService {
		scope += " " + l.standing.claims.service
	}
	if client.Scope != "" {
		scope += " " + client.Scope
	}
	return scope
}

// prepare encodes the claims that are known before the token is stamped.
func (l *login) prepare(issuer string, client *oauth.Client, audience string) (claimSet, error) {
	c := l.standing.claims
	c.Issuer, c.GrantType, c.Scope, c.ClientID, c.Audience = issuer, l.grant, l.scope(client), client.ID, audience
	c.ACR, c.AMR = 1, []string{"pwd"}
	if l.standing.kind == policy.KindService {
		c.ACR, c.AMR = 0, []string{} // nobody logged in
	}
	c.Account.Frozen, c.KeyID, c.Actors = bound(&l.Lineage), l.KeyID, l.actors
	if l.Authn != nil {
		c.Actors = append(slices.Clip(c.Actors), Actor{l.Authn.IAMID, l.AuthnAccount})
	}
	return prepareClaims(&c)
}

// record counts the authentication and writes the audit line.
func (s *Service) record(ctx context.Context, l *login, client *oauth.Client, r *Request, now time.Time) {
	if l.Account != "" && l.standing.kind != policy.KindService { // instances of services are without number
		s.activity.Add(now, l.Account, l.presented, activitySubject(l.IAMID))
	}
	if !s.cfg.Log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	address := ""
	if r.Address.IsValid() {
		address = r.Address.String()
	}
	s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "login", slog.String("action", l.action), slog.String("outcome", "success"),
		slog.String("iam_id", l.IAMID), slog.String("account", l.Account), slog.String("authn_id", l.standing.claims.Authn.IAMID),
		slog.String("key_id", l.KeyID), slog.String("client_id", client.ID), slog.String("session_id", l.Session),
		slog.String("address", address), slog.String("agent", r.Agent), slog.String("transaction_id", r.TransactionID))
}
