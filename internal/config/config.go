// Package config reads the settings of `kagiban serve` from file, environment
// and flags, in rising order of weight, and refuses everything that it does not
// understand: each fault gets one line that names the setting, where it was
// set and what would be right. It opens no database and no listener.
package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/limit"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/template"
)

// Settings are what `kagiban serve` runs with. Values that Load returns have
// been checked.
type Settings struct {
	Listen         string
	Issuer         string // scheme and host, no path
	TLSCert        string // path; "" for plain HTTP
	TLSKey         string
	AllowPlainHTTP bool
	TrustedProxies []netip.Prefix
	MetricsListen  string // "": /metrics is on the main listener
	MetricsAllow   []netip.Prefix
	// ShutdownDelay passes between the end of readiness and that of the listener.
	ShutdownDelay time.Duration
	// ShutdownTimeout bounds how long requests in flight may take at the end.
	ShutdownTimeout time.Duration
	LogLevel        slog.Level
	LogFormat       string // "json" or "text"

	// CatalogDir is a folder of catalogue files (*.yaml) that add services or
	// replace built-in ones; "" for none.
	CatalogDir string

	Database            string // path of a SQLite file, or URL of a PostgreSQL
	DatabaseConnections int
	AutoMigrate         bool
	// MasterKeys opens what is sealed; the first one seals.
	MasterKeys []secret.MasterKey

	Algorithm signing.Algorithm
	Engine    signing.Engine
	KeyAge    time.Duration // 0: signing keys are rotated by command only
	Leeway    time.Duration // by which the clocks of those who sign and check tokens may differ
	Clients   []Client
	// BindAddresses lets the allowed addresses of an account bind its own tokens
	// at every use, and not only where they are issued.
	BindAddresses bool

	Identity   identity.Limits
	IdPs       idp.Limits
	Access     access.Limits
	Enterprise enterprise.Limits
	Templates  template.Limits

	masterKey, previousKeys []secret.MasterKey
}

// limits are the bounds that packages of the domain want set, in the order in
// which they are shown.
func (s *Settings) limits() []limit.Row {
	return slices.Concat(s.Identity.Rows(), s.IdPs.Rows(), s.Access.Rows(), s.Enterprise.Rows(), s.Templates.Rows())
}

// Client is a configured OAuth client.
type Client struct {
	ID     string
	Secret secret.Value
}

// Postgres tells whether the database is a PostgreSQL and not a SQLite file.
func (s *Settings) Postgres() bool { return strings.Contains(s.Database, "://") }

// Faults are everything that is wrong with a configuration, one line each.
type Faults []string

// Error joins the lines.
func (f Faults) Error() string { return strings.Join(f, "\n") }

// finish checks what concerns several settings and gives the faults.
func (s *Settings) finish() (faults Faults) {
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	switch {
	case (s.TLSCert == "") != (s.TLSKey == ""):
		add("tls.cert and tls.key: both or none must be set")
	case s.TLSCert != "":
		if err := checkTLS(s.TLSCert, s.TLSKey); err != nil {
			add("tls.cert, tls.key: %v", err)
		}
	}
	if s.Listen != "" && s.TLSCert == "" && !s.AllowPlainHTTP && len(s.TrustedProxies) == 0 && !OnLoopback(s.Listen) {
		add("listen: %s is reached by other machines, and secrets would cross the network in the clear; set tls.cert and tls.key, or trusted_proxies when a proxy in front ends TLS, or allow_plain_http", s.Listen)
	}
	return append(faults, s.finishKeys()...)
}

func (s *Settings) finishKeys() (faults Faults) {
	if len(s.masterKey) > 1 {
		faults = append(faults, "master_key and master_key_file: only one of them may be set")
	}
	s.MasterKeys = append(slices.Clone(s.masterKey), s.previousKeys...)
	s.masterKey, s.previousKeys = nil, nil
	seen := map[string]bool{}
	for _, k := range s.MasterKeys {
		if seen[k.ID()] {
			faults = append(faults, fmt.Sprintf("previous_master_key_files: the key with id %s is given twice", k.ID()))
		}
		seen[k.ID()] = true
	}
	return faults
}

// OnLoopback tells whether only this machine can reach an address.
func OnLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
