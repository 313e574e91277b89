package token

import (
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/session"
)

const (
	// sessionAccessLife is the life of access tokens inside a login session
	// (observed as expires_in 1200 with the command line).
	sessionAccessLife = 20 * time.Minute
	// defaultDelegatedLife is that of delegated refresh tokens: 518400 s.
	defaultDelegatedLife = 6 * 24 * time.Hour
)

// MaxAccessLife is the longest life of an access token: old signing keys stay
// published for as long.
const MaxAccessLife = account.DefaultAccessToken

// lifetimes are the effective settings of one identity. With a login session
// access and refresh do not apply.
type lifetimes struct {
	access time.Duration
	session.Limits
}

// lifetimesOf gives what the settings of an account say.
func lifetimesOf(s *account.Settings) lifetimes {
	return lifetimes{access: min(s.AccessTokenLifetime(), MaxAccessLife), Limits: session.Limits{
		Refresh: s.RefreshTokenLifetime(), Session: s.SessionLifetime(), Inactivity: s.SessionIdleTime(), Sessions: s.SessionLimit(),
	}}
}
