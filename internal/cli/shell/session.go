package shell

import (
	"context"
	"errors"
	"time"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/client"
	"github.com/kagiban/kagiban/internal/secret"
)

// earlyBy is how long before its end a token counts as dead: the time that a
// call may take on its way (the official clients' value).
const earlyBy = 10 * time.Second

// Session is the logged-in identity during one run of a verb.
type Session struct {
	// API calls the server with the session's token.
	API *client.Client
	// Claims are those of the token.
	Claims client.Claims

	call *Call
}

// Session returns the session, its token renewed if it was dead. Without one
// it returns ErrLoggedOut.
func (c *Call) Session(ctx context.Context) (*Session, error) {
	if !c.Settings.LoggedIn() {
		return nil, ErrLoggedOut
	}
	api, err := c.Endpoint()
	if err != nil {
		return nil, err
	}
	s := &Session{call: c}
	s.API = api.WithBearer(s.bearer)
	if _, err := s.bearer(ctx, false); err != nil {
		return nil, err
	}
	return s, nil
}

// Account is the session's account.
func (s *Session) Account() string { return s.Claims.Account.ID }

// User is how the session's identity is shown.
func (s *Session) User() string { return s.Claims.User() }

// Token is the session's access token.
func (s *Session) Token() secret.Value { return s.call.Settings.Tokens.Access }

// bearer gives a living token, and stores a renewed one.
func (s *Session) bearer(ctx context.Context, renew bool) (secret.Value, error) {
	c := s.call
	stale := c.Settings.Tokens.Access
	claims, err := client.ParseClaims(stale)
	if err != nil {
		return secret.Value{}, Problemf("%v. %s", err, loginHint)
	}
	if renew || claims.ExpiresBefore(c.Now().Add(earlyBy)) {
		if err := s.renew(ctx, stale, renew); err != nil {
			return secret.Value{}, err
		}
		if claims, err = client.ParseClaims(c.Settings.Tokens.Access); err != nil {
			return secret.Value{}, err
		}
	}
	s.Claims = claims
	return c.Settings.Tokens.Access, nil
}

// renew replaces the stale token, in the settings too. Another process may
// have done so while this one waited for the lock; then its token serves.
// Refused says that the server called the token dead, whatever this machine's
// clock says.
func (s *Session) renew(ctx context.Context, stale secret.Value, refused bool) error {
	c := s.call
	api, err := c.Endpoint()
	if err != nil {
		return err
	}
	return c.Store.Update(func(set *settings.Settings) error {
		if !set.LoggedIn() {
			return ErrLoggedOut
		}
		if set.Tokens.Access.Equal(stale) {
			if err := renewTokens(ctx, api, set, c.Now(), refused); err != nil {
				return err
			}
		}
		c.Settings = *set
		return nil
	})
}

// BaseToken gives a living access token of the identity that logged in, which
// an assumed profile hides. Dead says that the server refused the one before.
func (c *Call) BaseToken(ctx context.Context, dead bool) (secret.Value, error) {
	if c.Settings.AssumedProfile.ID == "" {
		s, err := c.Session(ctx)
		if err != nil {
			return secret.Value{}, err
		}
		return s.bearer(ctx, dead)
	}
	api, err := c.Endpoint()
	if err != nil {
		return secret.Value{}, err
	}
	err = c.Store.Update(func(set *settings.Settings) error {
		if err := renewFallback(ctx, api, set, c.Now(), dead); err != nil {
			return err
		}
		c.Settings = *set
		return nil
	})
	return c.Settings.Fallback.Tokens.Access, err
}

// BaseUser is how the identity that logged in is shown.
func (c *Call) BaseUser() string {
	tokens := c.Settings.Tokens
	if c.Settings.AssumedProfile.ID != "" {
		tokens = c.Settings.Fallback.Tokens
	}
	claims, err := client.ParseClaims(tokens.Access)
	if err != nil { // BaseToken tells what is wrong with it
		return "?"
	}
	return claims.User()
}

// errEnded says that a session cannot be renewed.
const errEnded = Problem("Your session has expired. " + loginHint)

// renewTokens renews the session's tokens with its refresh token. A session
// that acts as a trusted profile and cannot be renewed so assumes the profile
// anew, from the identity behind it.
func renewTokens(ctx context.Context, api *client.Client, set *settings.Settings, now time.Time, dead bool) error {
	tokens, err := refresh(ctx, api, set.Tokens)
	if err == nil {
		set.Tokens = tokens
		return nil
	}
	var refused *client.ServerError
	if set.AssumedProfile.ID == "" || !errors.Is(err, errEnded) && !errors.As(err, &refused) {
		return err
	}
	if err := renewFallback(ctx, api, set, now, dead); err != nil {
		return err
	}
	again, err := api.Assume(ctx, set.Fallback.Tokens.Access, set.AssumedProfile.ID)
	if err != nil {
		return err
	}
	set.Tokens = settings.Tokens{Access: again.Access, Refresh: again.Refresh}
	return nil
}

// renewFallback makes the access token of the identity behind an assumed
// profile usable. Dead says that it is not, even if its time has not come.
func renewFallback(ctx context.Context, api *client.Client, set *settings.Settings, now time.Time, dead bool) error {
	claims, err := client.ParseClaims(set.Fallback.Tokens.Access)
	if err == nil && !dead && !claims.ExpiresBefore(now.Add(earlyBy)) {
		return nil
	}
	tokens, err := refresh(ctx, api, set.Fallback.Tokens)
	if err != nil {
		return err
	}
	set.Fallback.Tokens = tokens
	return nil
}

func refresh(ctx context.Context, api *client.Client, old settings.Tokens) (settings.Tokens, error) {
	if old.Refresh.IsZero() {
		return settings.Tokens{}, errEnded
	}
	token, err := api.ByRefreshToken(ctx, old.Refresh, "")
	if err != nil {
		return settings.Tokens{}, err
	}
	if token.Refresh.IsZero() { // a server that does not rotate
		token.Refresh = old.Refresh
	}
	return settings.Tokens{Access: token.Access, Refresh: token.Refresh}, nil
}
