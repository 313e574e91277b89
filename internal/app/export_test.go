package app

import (
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/template"
)

// Limits gives what bounds the enterprises of a server.
func Limits(a *App) (enterprise.Limits, template.Limits) {
	return a.core.tree.Limits(), a.core.templates.Limits()
}

// AccessLimits gives what bounds the policies, groups and roles of accounts.
func AccessLimits(a *App) access.Limits { return a.core.access.Limits() }

// ShortTimeouts makes a server impatient with slow clients.
func ShortTimeouts(c *Config, d time.Duration) {
	c.limits = limits{header: d, read: d, write: 10 * time.Second, idle: d}
}

// Waiting tells whether a long poll waits.
func Waiting(a *App) bool {
	a.core.polls.mu.Lock()
	defer a.core.polls.mu.Unlock()
	return a.core.polls.end != nil
}

// Hasten ends the delay before a shutdown.
func Hasten(a *App) { close(a.hasten) }

// WatchCertificate makes a server look at its certificate's file for each
// connection.
func WatchCertificate(c *Config) {
	c.limits = defaultLimits
	c.limits.certificate = 0
}

// IdentityLimits gives what bounds the identities and identity providers of accounts.
func IdentityLimits(a *App) (identity.Limits, int) {
	return a.core.identity.Limits(), a.core.idps.Limit()
}
