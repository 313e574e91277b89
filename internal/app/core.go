package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/audit"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/devapi"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// core is everything between the store and the listeners: the services and the
// table of operations.
type core struct {
	secrets   *secrets
	authority *access.Authority
	router    *httpapi.Router
	polls     polls
}

// polls ends long polls: for good when the server shuts down, once when it
// resets. Safe for concurrent use.
type polls struct {
	mu     sync.Mutex // guards the fields below
	end    chan struct{}
	closed bool
}

// wait gives the channel that is closed when polls shall answer what they have.
func (p *polls) wait() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == nil {
		p.end = make(chan struct{})
	}
	return p.end
}

// release ends the polls that wait now, and with forGood all later ones.
func (p *polls) release(forGood bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil && !p.closed {
		close(p.end)
		p.end = nil
	}
	if forGood && !p.closed {
		p.end, p.closed = make(chan struct{}), true
		close(p.end)
	}
}

func (a *App) newCore(ctx context.Context) (_ *core, err error) {
	c := &core{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close(ctx))
		}
	}()
	if c.secrets, err = openSecrets(ctx, a.db, a.cfg.MasterKeys); err != nil {
		return nil, err
	}
	if a.dev != nil {
		if err := a.loadDemo(ctx, c.secrets); err != nil {
			return nil, err
		}
	}
	compiled, err := builtinCatalog()
	if err != nil {
		return nil, err
	}
	c.authority = access.NewAuthority(a.db, compiled)
	table := a.table(c)
	cfg := httpapi.Config{
		Operations: table, Authenticator: noAuthenticator{}, Authorizer: c.authority, Now: a.now, Log: a.cfg.Log,
		Trusted: a.cfg.TrustedProxies, Default: systemFamily, Observe: a.metrics.observe,
	}
	if a.dev != nil {
		a.dev.faults.Know(table)
		cfg.Intercept = a.dev.faults.Intercept
		cfg.Observe = func(call *httpapi.Call) {
			a.metrics.observe(call)
			a.dev.requests.Observe(call)
		}
	}
	if c.router, err = httpapi.NewRouter(cfg); err != nil {
		return nil, fmt.Errorf("building the table of operations: %w", err)
	}
	return c, nil
}

// table joins the rows of all families.
func (a *App) table(c *core) []httpapi.Operation {
	var table []httpapi.Operation
	table = append(table, newSystem(a, func() []httpapi.Operation { return c.router.Operations() }).operations()...)
	if a.dev != nil {
		table = append(table, devapi.New(devapi.Config{
			Clock: a.clock, Faults: a.dev.faults, Requests: a.dev.requests, Reset: a.reset, DB: func() store.DB { return a.db }, Observer: a.observer(),
		}).Operations()...)
	}
	return table
}

// observer names this server in audit records.
func (a *App) observer() audit.Observer {
	return audit.Observer{ID: a.Issuer(), Name: "Kagiban", TypeURI: "security/edge/activity-tracker"}
}

// close ends the services: what still has to be written is written.
func (c *core) close(context.Context) error {
	c.polls.release(true)
	if c.authority != nil {
		c.authority.Close()
	}
	return nil
}

// closeTimeout bounds the writing of what is in memory at the end.
const closeTimeout = 5 * time.Second

func builtinCatalog() (*policy.Catalog, error) {
	services, err := catalog.Builtin()
	if err != nil {
		return nil, err
	}
	compiled, err := policy.CompileCatalog(services)
	if err != nil {
		return nil, fmt.Errorf("compiling the catalogue: %w", err)
	}
	return compiled, nil
}

// noAuthenticator refuses every token.
type noAuthenticator struct{}

func (noAuthenticator) Authenticate(context.Context, string) (*httpapi.Caller, error) {
	return nil, fault.Unauthenticated
}
