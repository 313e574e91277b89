package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/dev/devapi"
)

// limits are the time limits of connections and of what serves them. A client that sends its request
// slower than these, or reads its answer slower, is cut off: otherwise a few
// thousand idle sockets keep everybody else out.
type limits struct {
	header, read, write, idle time.Duration
	// certificate is how long a certificate is served before its file is looked
	// at again.
	certificate time.Duration
}

// defaultLimits leave room for a long poll (25 s) and for a fault that delays an
// answer by its longest (60 s).
var defaultLimits = limits{
	header: 10 * time.Second, read: 30 * time.Second, write: 90 * time.Second, idle: 2 * time.Minute, certificate: 10 * time.Second,
}

// maxHeaderBytes holds the largest tokens (a few KiB) several times.
const maxHeaderBytes = 64 << 10

func (a *App) mainServer() *http.Server {
	s := a.newServer(a.handler())
	if a.certs != nil {
		s.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: a.certs.get}
	}
	return s
}

// loadCertificate reads the certificate that is configured, if one is.
func (a *App) loadCertificate() error {
	if a.cfg.TLSCert == "" {
		return nil
	}
	a.certs = &certificates{cert: a.cfg.TLSCert, key: a.cfg.TLSKey, every: a.cfg.limits.certificate, log: a.cfg.Log}
	return a.certs.load()
}

// Reload reads the certificate again now, without waiting for the next look at
// its file. All else that is configured stays as it is.
func (a *App) Reload() {
	if a.certs == nil {
		a.cfg.Log.Info("there is no certificate to be read again")
		return
	}
	a.certs.mu.Lock()
	defer a.certs.mu.Unlock()
	a.certs.renew()
}

func (a *App) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: a.cfg.limits.header, ReadTimeout: a.cfg.limits.read, WriteTimeout: a.cfg.limits.write,
		IdleTimeout: a.cfg.limits.idle, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(a.cfg.Log.Handler(), slog.LevelDebug),
	}
}

// adminServer answers health and metrics on an address of its own.
func (a *App) adminServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeHealth(w, health{Status: "ok"}) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { writeHealth(w, a.ready(r.Context())) })
	return a.newServer(mux)
}

// handler is what the main listener serves: the router, in dev behind the
// guard of the development aids and the gate of the reset.
func (a *App) handler() http.Handler {
	if a.dev == nil {
		return a.core.router
	}
	return devapi.Guard(a.dev, a.guardHosts()...)
}

// guardHosts are the names under which the operator said that this server is
// known.
func (a *App) guardHosts() []string {
	var hosts []string
	if host, _, err := net.SplitHostPort(a.cfg.Listen); err == nil && host != "" {
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() { // no name of anybody
			host = "localhost"
		}
		hosts = append(hosts, host)
	}
	if host := hostOfURL(a.cfg.Issuer); host != "" {
		hosts = append(hosts, host)
	}
	return hosts
}

func serve(s *http.Server, l net.Listener) error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving %s: %w", l.Addr(), err)
}

// certificates holds a certificate and follows its file, so that a renewal
// needs no restart. A file that is broken meanwhile leaves the old one in use.
type certificates struct {
	cert, key string
	every     time.Duration
	log       *slog.Logger

	mu      sync.Mutex // guards the fields below
	loaded  *tls.Certificate
	changed time.Time // modification time of the loaded file
	checked time.Time
}

func (c *certificates) load() error {
	info, err := os.Stat(c.cert)
	if err != nil {
		return fmt.Errorf("reading certificate: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("reading certificate: %w", err)
	}
	c.loaded, c.changed, c.checked = &pair, info.ModTime(), time.Now()
	return nil
}

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) >= c.every {
		c.checked = time.Now()
		if info, err := os.Stat(c.cert); err != nil || !info.ModTime().Equal(c.changed) {
			c.renew()
		}
	}
	return c.loaded, nil
}

// renew wants mu. A renewal that writes two files is met half-way now and then.
func (c *certificates) renew() {
	if err := c.load(); err != nil {
		c.log.Warn("the certificate cannot be read again; the old one stays in use", "error", err.Error())
		return
	}
	c.log.Info("the certificate was read again", "expires", c.loaded.Leaf.NotAfter)
}

// ready tells whether requests can be answered.
func (a *App) ready(ctx context.Context) health {
	h := health{Status: "ready", Checks: map[string]string{"database": "ok"}}
	if a.draining.Load() {
		return health{Status: "shutting down"}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := a.db.Ping(ctx); err != nil {
		h.Status, h.Checks["database"] = "not ready", "no answer"
	}
	return h
}
