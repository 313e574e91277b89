package app

import (
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/limit"
)

// Limits gives the bounds that the services of a server keep to.
func Limits(a *App) []limit.Row {
	c := a.core
	identities, idps, rights, tree, templates := c.identity.Limits(), c.idps.Limits(), c.access.Limits(), c.tree.Limits(), c.templates.Limits()
	return slices.Concat(identities.Rows(), idps.Rows(), rights.Rows(), tree.Rows(), templates.Rows())
}

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
