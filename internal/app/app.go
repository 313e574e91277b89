// Package app builds a running server out of the parts: store, secrets, domain
// services, table of operations, listeners and the work in the background. It
// is the only package that knows them all: each brings a module, and the server
// is the list of modules. It holds no rule of IAM.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/dev/demo"
	"github.com/kagiban/kagiban/internal/dev/devapi"
	"github.com/kagiban/kagiban/internal/store"
)

// Config is what a server is made from.
type Config struct {
	config.Settings
	// Version is shown in metrics and documents.
	Version string
	Log     *slog.Logger
	// Dev, when set, makes a development server: demo data and aids.
	Dev *Dev

	limits limits // zero: defaultLimits
	// under, when set, is put between the services and their store; for tests.
	under func(store.DB) store.DB
}

// Dev are the choices of `kagiban dev`. With an empty Database everything is
// in memory.
type Dev struct {
	// Random gives the demo data other ids and keys at each fresh start.
	Random bool
}

// App is a server that is ready to run. Make it with New, end it with Close.
type App struct {
	cfg     Config
	now     func() time.Time
	clock   *devapi.Clock // nil outside of dev
	db      store.DB
	core    *core
	dev     *devMode // nil outside of dev
	metrics *meters

	certs    *certificates // nil without TLS
	listener net.Listener
	admin    net.Listener // nil when metrics share the main listener
	draining atomic.Bool
	hasten   chan struct{} // closed by tests to end the shutdown delay
}

// New opens the store, checks its schema, builds the services and binds the
// addresses, so that everything that can go wrong at start goes wrong here. It
// serves nothing yet. Background work of the services has begun: Close ends it.
func New(ctx context.Context, cfg Config) (_ *App, err error) {
	if cfg.limits == (limits{}) {
		cfg.limits = defaultLimits
	}
	a := &App{cfg: cfg, now: time.Now, hasten: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if cfg.Dev != nil {
		a.clock = devapi.NewClock(nil)
		a.now = a.clock.Now
		a.dev = &devMode{app: a, faults: devapi.NewFaults(), requests: devapi.NewRequests()}
	}
	if err := a.loadCertificate(); err != nil {
		return nil, err
	}
	if err := a.listen(ctx); err != nil {
		return nil, err
	}
	a.metrics = newMeters(cfg.Version)
	db, err := openStore(ctx, &cfg.Settings, a.now, cfg.Log)
	if err != nil {
		return nil, err
	}
	a.db = newTimedStore(db, a.metrics.set)
	if cfg.under != nil {
		a.db = cfg.under(a.db)
	}
	if a.core, err = a.newCore(ctx); err != nil {
		return nil, err
	}
	a.metrics.showJobs(a.db, a.now)
	a.metrics.showTokens(a.core.tokens, a.core.keys, a.now)
	return a, nil
}

func (a *App) listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	if a.listener, err = lc.Listen(ctx, "tcp", a.cfg.Listen); err != nil {
		return fmt.Errorf("listening on %s: %w", a.cfg.Listen, err)
	}
	if a.cfg.MetricsListen == "" {
		return nil
	}
	if a.admin, err = lc.Listen(ctx, "tcp", a.cfg.MetricsListen); err != nil {
		return fmt.Errorf("listening on %s: %w", a.cfg.MetricsListen, err)
	}
	return nil
}

// Addr is the address that the server listens on, with the real port.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// URL is where clients on this machine reach the server.
func (a *App) URL() string {
	scheme := "http"
	if a.cfg.TLSCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(a.listener.Addr().String())
	if err != nil {
		return scheme + "://" + a.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Issuer is the URL of the service as tokens and links name it.
func (a *App) Issuer() string {
	if a.cfg.Issuer != "" {
		return a.cfg.Issuer
	}
	return a.URL()
}

// publicURL is where clients reach the endpoints. In development the issuer
// may be any name, that of the official service included, so links use the
// server's own address.
func (a *App) publicURL() string {
	if a.dev != nil {
		return a.URL()
	}
	return a.Issuer()
}

// Demo gives the demo data of a development server, nil otherwise.
func (a *App) Demo() *demo.Data {
	if a.dev == nil {
		return nil
	}
	return a.dev.data
}

// Run serves until the context ends, then finishes the requests in flight
// within the shutdown timeout. The error tells what ended the service before
// its time, or which requests were cut off.
func (a *App) Run(ctx context.Context) error {
	main := a.mainServer()
	servers := []*http.Server{main}
	failed := make(chan error, 2)
	go func() { failed <- serve(main, a.listener) }()
	if a.admin != nil {
		admin := a.adminServer()
		servers = append(servers, admin)
		go func() { failed <- serve(admin, a.admin) }()
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	lasting := a.startWork(work)

	var early error
	running := len(servers)
	select {
	case <-ctx.Done():
	case <-a.core.started.failed: // Close tells why
	case early = <-failed:
		running--
	}
	late := a.shutdown(servers)
	for range running {
		early = errors.Join(early, <-failed)
	}
	stopWork()
	lasting.Wait()
	return errors.Join(early, late)
}

// shutdown says that it is not ready any more, and after the delay ends long
// polls, lets the other requests finish, and cuts off what is left when the
// time is over.
func (a *App) shutdown(servers []*http.Server) (err error) {
	a.draining.Store(true)
	if a.cfg.ShutdownDelay > 0 {
		select {
		case <-time.After(a.cfg.ShutdownDelay):
		case <-a.hasten:
		}
	}
	a.core.polls.close()
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout)
	defer cancel()
	for _, s := range servers {
		if e := s.Shutdown(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("finishing requests in flight: %w", e), s.Close())
		}
	}
	return err
}

// Close releases everything. It may be called after Run has returned, or
// instead of Run, and more than once.
func (a *App) Close() error {
	var err error
	if a.core != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		err = a.core.modules.close(ctx)
	}
	for _, l := range []net.Listener{a.listener, a.admin} {
		if l == nil {
			continue
		}
		if e := l.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	if a.db != nil {
		err = errors.Join(err, a.db.Close())
	}
	return err
}
