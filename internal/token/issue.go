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
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/store"
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
	client, err := s.client(r.Client, r.Address)
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
		return nil, errRefreshExpired()
	}
	issued, err := s.persist(ctx, l, client, want, now)
	if err != nil {
		return nil, err
	}
	out := &Response{DelegatedRefreshToken: issued.delegated, RefreshToken: issued.refresh, SessionID: l.Session}
	if want.access {
		if err := s.mint(ctx, l, client, issued, out, now); err != nil {
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
	if l.interactive && (l.standing.mfa || l.standing.noPassword && l.Origin == GrantPassword) {
		return errMFA(l.standing.account)
	}
	return nil
}

// issued is what was made durable for an answer.
type issued struct {
	refresh, delegated string
	refreshExpires     time.Time
	session            *Session // nil without a login session
}

// persist stores what has to outlive the answer. Without an interactive or
// refreshing client there is nothing, and no database is touched.
func (s *Service) persist(ctx context.Context, l *login, client *Client, want wanted, now time.Time) (issued, error) {
	if l.once {
		if want.delegated {
			return issued{}, errValue("response_type", "delegated_refresh_token", "cloud_iam")
		}
		return issued{refresh: NotSupported}, nil
	}
	refreshing := client.Refresh == RefreshRotating && want.access
	begins := l.fresh && (client.Interactive || len(l.said) > 0) && want.access
	if refreshing || begins || want.delegated || l.Session != "" {
		return s.persistLogin(ctx, l, client, want, refreshing, begins, now)
	}
	if !want.access {
		return issued{}, nil
	}
	return issued{refresh: NotSupported}, nil
}

// persistLogin begins or continues the session and stores the refresh tokens,
// in one transaction.
func (s *Service) persistLogin(ctx context.Context, l *login, client *Client, want wanted, refreshing, begins bool, now time.Time) (issued, error) {
	w := loginWriter{s: s, l: l, client: client, want: want, refreshing: refreshing, now: now}
	switch {
	case l.Session != "":
		se, err := s.session(ctx, l.Session)
		if err != nil {
			return issued{}, err
		}
		w.session = se
	case begins:
		l.Session, w.begins = s.cfg.IDs.New(id.Session), true
	}
	if l.family == "" {
		l.family = s.cfg.IDs.UUID()
	}
	var out issued
	err := s.cfg.DB.Update(ctx, func(tx store.Tx) (err error) {
		out, err = w.write(ctx, tx)
		return err
	})
	if errors.Is(err, errReplay) {
		return issued{}, s.refuseReplay(ctx, w.replayed, now)
	}
	if err != nil {
		return issued{}, fmt.Errorf("storing refresh token and session: %w", err)
	}
	for _, sessionID := range w.ended {
		s.sessions.drop(sessionID)
	}
	if out.session != nil {
		s.people.changed(out.session)
		s.sessions.touch(out.session.ID, now)
	}
	return out, nil
}

// loginWriter writes what belongs to one login. Its transaction may run more
// than once, so nothing in it depends on an earlier run.
type loginWriter struct {
	s          *Service
	l          *login
	client     *Client
	want       wanted
	refreshing bool
	begins     bool     // a new session
	session    *Session // the session that goes on, nil if none
	now        time.Time
	replayed   *refreshToken // set with errReplay
	ended      []string      // sessions that had to make room
}

func (w *loginWriter) write(ctx context.Context, tx store.Tx) (out issued, err error) {
	out.session = w.session
	if w.want.access {
		out.refresh = NotSupported
	}
	if w.begins {
		if out.session, w.ended, err = w.s.beginSession(ctx, tx, w.l, w.client, w.now); err != nil {
			return out, err
		}
	}
	if err = w.s.noteLogin(ctx, tx, w.l.Account, out.session, w.now); err != nil {
		return out, err
	}
	if !w.l.redeems.IsZero() {
		if w.replayed, err = w.s.rotateRefresh(ctx, tx, w.l.redeems, w.client, w.now); err != nil {
			return out, err
		}
	}
	if w.refreshing {
		out.refreshExpires = w.l.within(refreshEnd(w.l.standing, out.session, w.now))
		value, err := w.s.putRefresh(ctx, tx, refreshToken{lineage: w.l.lineage, ClientID: w.client.ID, Family: w.l.family, Valid: out.refreshExpires}, w.now)
		if err != nil {
			return out, err
		}
		out.refresh = value.Reveal()
	}
	if w.want.delegated {
		d := delegatedToken{lineage: w.l.lineage, Receivers: w.want.receivers}
		// It outlives the login session, unless that is ended on purpose.
		d.Session, d.Roots = "", w.roots()
		d.Until = w.l.within(w.now.Add(w.want.delegatedLife))
		value, err := w.s.putDelegated(ctx, tx.Tokens(), d, w.now)
		if err != nil {
			return out, err
		}
		out.delegated = value.Reveal()
	}
	return out, nil
}

// roots are what ends everything that comes of the login when it is revoked.
func (w *loginWriter) roots() []string {
	roots := slices.Clone(w.l.Roots)
	if w.l.Session != "" {
		roots = append(roots, w.l.Session)
	}
	if w.refreshing || !w.l.redeems.IsZero() {
		roots = append(roots, w.l.family)
	}
	return roots
}

// refreshEnd is when a refresh token expires: with a session no later than it.
func refreshEnd(st *standing, se *Session, now time.Time) time.Time {
	if se != nil {
		return se.Ends
	}
	return now.Add(st.life.refresh)
}

// within bounds a time by the login's end, if it has one.
func (l *login) within(at time.Time) time.Time {
	if !l.Until.IsZero() && l.Until.Before(at) {
		return l.Until
	}
	return at
}

// refuseReplay ends a login whose used refresh token came again: one of two
// who hold it must have stolen it, and nobody can tell which.
func (s *Service) refuseReplay(ctx context.Context, t *refreshToken, now time.Time) error {
	s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "used refresh token came again: its login is ended", slog.String("iam_id", t.IAMID),
		slog.String("account", t.Account), slog.String("client_id", t.ClientID), slog.String("transaction_id", store.OriginOf(ctx).TransactionID))
	if err := s.revokeFamily(ctx, t, now); err != nil {
		return err
	}
	return errRefreshInvalid("The refresh token was used before.")
}

// claimBuffers hold the memory in which claims are put together.
var claimBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 2<<10)
	return &b
}}

// mint makes access and ID token.
func (s *Service) mint(ctx context.Context, l *login, client *Client, i issued, out *Response, now time.Time) error {
	life := l.standing.life.access
	if i.session != nil {
		life = min(sessionAccessLife, i.session.Ends.Sub(now))
	}
	if !l.Until.IsZero() {
		life = min(life, l.Until.Sub(now))
	}
	// exp - iat must equal expires_in to the second.
	iat := now.Unix()
	stamp := StampClaims{JTI: s.cfg.IDs.UUID(), SessionID: l.Session, IssuedAt: iat, Expires: iat + int64(life/time.Second)}
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
	if !i.refreshExpires.IsZero() {
		out.RefreshExpiration = i.refreshExpires.Unix()
	}
	return nil
}

func (s *Service) sign(ctx context.Context, set claimSet, stamp StampClaims) (string, error) {
	s.freshRing(ctx)
	pooled := claimBuffers.Get().(*[]byte)
	defer claimBuffers.Put(pooled)
	*pooled = set.appendTo((*pooled)[:0], stamp)
	text, err := s.ring.Compact(ctx, *pooled)
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
func (l *login) scope(client *Client) string {
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
func (l *login) prepare(issuer string, client *Client, audience string) (claimSet, error) {
	c := l.standing.claims
	c.Issuer, c.GrantType, c.Scope, c.ClientID, c.Audience = issuer, l.grant, l.scope(client), client.ID, audience
	c.ACR, c.AMR = 1, []string{"pwd"}
	if l.standing.kind == policy.KindService {
		c.ACR, c.AMR = 0, []string{} // nobody logged in
	}
	c.Account.Frozen, c.KeyID = l.bound(), l.KeyID
	return prepareClaims(&c)
}

// record counts the authentication and writes the audit line.
func (s *Service) record(ctx context.Context, l *login, client *Client, r *Request, now time.Time) {
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
