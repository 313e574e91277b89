package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/accountmanagementv4"
	"github.com/kagiban/kagiban/internal/api/authz"
	"github.com/kagiban/kagiban/internal/api/catalogadmin"
	"github.com/kagiban/kagiban/internal/api/enterprisemanagementv1"
	"github.com/kagiban/kagiban/internal/api/iamaccessgroupsv2"
	"github.com/kagiban/kagiban/internal/api/iamidentityv1"
	"github.com/kagiban/kagiban/internal/api/iampolicymanagementv1"
	"github.com/kagiban/kagiban/internal/api/iamtoken"
	"github.com/kagiban/kagiban/internal/api/kagibanv1"
	"github.com/kagiban/kagiban/internal/audit"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/dev/devapi"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/report"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/signing/keyring"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
	"github.com/kagiban/kagiban/internal/throttle"
	"github.com/kagiban/kagiban/internal/token"
)

// core is everything between the store and the listeners: the services and the
// table of operations.
type core struct {
	secrets   *secrets
	objects   *cache.Cache // what decisions and tokens ask of identities
	services  *catalog.Registry
	authority *authority.Authority
	access    *access.Service
	accounts  *account.Service
	identity  *identity.Service
	tree      *enterprise.Service
	templates *template.Service
	reports   *report.Service
	idps      *idp.Service
	keys      *keyring.Keyring
	sessions  *session.Service
	tokens    *token.Service
	router    *httpapi.Router
	feed      *audit.Feed
	polls     polls
	started   *starting
	modules   modules
}

func (a *App) newCore(ctx context.Context) (_ *core, err error) {
	c := &core{}
	c.modules.add(module{observe: a.metrics.observe, close: quietly(c.polls.close)})
	if a.dev != nil { // before all others: what fails on demand does nothing else
		c.modules.add(module{intercept: a.dev.faults.Intercept, observe: a.dev.requests.Observe})
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.modules.close(ctx))
		}
	}()
	if c.secrets, err = openSecrets(ctx, a.db, a.cfg.MasterKeys); err != nil {
		return nil, err
	}
	demoIsThere := true
	if a.dev != nil {
		if demoIsThere, err = a.deriveDemo(ctx, c.secrets); err != nil {
			return nil, err
		}
	}
	for _, build := range a.services() {
		m, err := build(ctx, c)
		if err != nil {
			return nil, err
		}
		c.modules.add(m)
	}
	if !demoIsThere {
		if err := a.loadDemo(ctx, c); err != nil {
			return nil, err
		}
	}
	c.modules.add(a.families(c)...)
	table := c.modules.rows()
	unbuilt, err := httpapi.Unbuilt(table)
	if err != nil {
		return nil, err
	}
	table = append(table, unbuilt...)
	cfg := httpapi.Config{
		Operations: table, Authenticator: iamtoken.NewAuthenticator(c.tokens), Authorizer: c.authority, Now: a.now, Log: a.cfg.Log,
		Trusted: a.cfg.TrustedProxies, Default: systemFamily, Observe: c.modules.observe(), Intercept: c.modules.intercept(),
	}
	if a.dev != nil {
		a.dev.faults.Know(table)
	}
	if c.router, err = httpapi.NewRouter(cfg); err != nil {
		return nil, fmt.Errorf("building the table of operations: %w", err)
	}
	return c, nil
}

// objectsKept bounds the identities, accounts and settings in memory. Each
// decision asks whether its subject is still there: an account of 100,000
// policies may have 50,000 users, whose records take some 50 MB. Only what is
// asked about is kept.
const objectsKept = 1 << 17

// services make the modules of the domain, in an order in which each finds what
// it stands on in the core. None of them has begun to work.
func (a *App) services() []func(context.Context, *core) (module, error) {
	return []func(context.Context, *core) (module, error){
		a.newCatalog, a.newObjects, a.newAuthority, a.newKeys, a.newSessions, a.newTokens, a.newAccess, a.newAccounts, a.newIdentities,
		a.newTree, a.newTemplates, a.newReports, a.newIdPs, a.newStart,
	}
}

// newCatalog reads the catalogue: the built-in services, those of catalog_dir
// and the own services of the store.
func (a *App) newCatalog(ctx context.Context, c *core) (module, error) {
	var folders []fs.FS
	if a.cfg.CatalogDir != "" {
		folders = append(folders, os.DirFS(a.cfg.CatalogDir))
	}
	set, err := catalog.BuiltinSet(folders...)
	if err != nil {
		return module{}, fmt.Errorf("reading the catalogue: %w", err)
	}
	if c.services, err = catalog.NewRegistry(ctx, a.db, set, a.cfg.Log); err != nil {
		return module{}, err
	}
	return module{close: quietly(c.services.Close), intercept: func(ctx context.Context, _ *httpapi.Call) error {
		return c.services.Refresh(ctx) // what other nodes have registered
	}}, nil
}

func (a *App) newObjects(_ context.Context, c *core) (module, error) {
	c.objects, c.feed = cache.New(a.db, objectsKept), audit.NewFeed(a.db)
	return module{close: quietly(func() { c.feed.Close(); c.objects.Close() })}, nil
}

func (a *App) newAuthority(_ context.Context, c *core) (module, error) {
	c.authority = authority.New(authority.Config{DB: a.db, Catalogs: c.services, Place: placeIn(c.objects), Objects: c.objects,
		IssuedOnly: !a.cfg.BindAddresses})
	return module{maintain: c.authority.Flush, close: func(ctx context.Context) error {
		defer c.authority.Close()
		return c.authority.Flush(ctx)
	}}, nil
}

func (a *App) newKeys(_ context.Context, c *core) (_ module, err error) {
	if c.keys, err = newKeyring(a.db, c.secrets, &a.cfg.Settings, a.now, a.cfg.Log); err != nil {
		return module{}, err
	}
	return module{close: quietly(c.keys.Close), maintain: func(ctx context.Context) error {
		if !a.cfg.Postgres() && a.cfg.Database != "" {
			c.keys.Recheck() // `kagiban keys` may have written to the file
		}
		return c.keys.Maintain(ctx)
	}}, nil
}

func (a *App) newSessions(_ context.Context, c *core) (_ module, err error) {
	if c.sessions, err = session.New(session.Config{DB: a.db, Pepper: c.secrets.pepper, Now: a.now, Log: a.cfg.Log}); err != nil {
		return module{}, err
	}
	return module{jobs: c.sessions.Jobs(), maintain: c.sessions.Flush, close: c.sessions.Close}, nil
}

// newTokens makes what issues tokens.
func (a *App) newTokens(_ context.Context, c *core) (module, error) {
	var configured []oauth.Client
	for _, client := range a.cfg.Clients {
		configured = append(configured, oauth.Client{ID: client.ID, Secret: client.Secret, Refresh: oauth.RefreshRotating})
	}
	guesses := throttle.New(a.now)
	clients, err := oauth.New(oauth.Config{Clients: configured, Throttle: guesses})
	if err != nil {
		return module{}, err
	}
	c.tokens, err = token.New(token.Config{
		DB: a.db, Cache: c.objects, Keys: c.keys, Sessions: c.sessions, Clients: clients, Throttle: guesses, Pepper: c.secrets.pepper,
		Issuer: token.IssuerOf(a.Issuer()), Now: a.now, Log: a.cfg.Log, Observe: a.metrics.exchanged, ActAs: a.actAs(c), Leeway: a.cfg.Leeway,
		IssuedOnly: !a.cfg.BindAddresses,
	})
	if err != nil {
		return module{}, err
	}
	return module{maintain: c.tokens.Flush, close: c.tokens.Close}, nil
}

func (a *App) newAccess(_ context.Context, c *core) (module, error) {
	c.access = access.New(access.Config{DB: a.db, Authority: c.authority, Now: a.now, Limits: a.cfg.Access, Logins: c.sessions})
	return module{}, nil
}

func (a *App) newAccounts(_ context.Context, c *core) (module, error) {
	c.accounts = account.New(account.Config{DB: a.db, Now: a.now, Departed: departed})
	return module{}, nil
}

func (a *App) newIdentities(_ context.Context, c *core) (module, error) {
	hasher, err := c.secrets.hasher(secret.PurposeAPIKey)
	if err != nil {
		return module{}, err
	}
	c.identity = identity.New(identity.Config{
		DB: a.db, Now: a.now, Hasher: hasher, Sealer: c.secrets.sealer, Pages: lists.NewSealer(c.secrets.pageKey),
		Activity: c.tokens, Departed: access.Depart, Limits: a.cfg.Identity,
	})
	return module{jobs: c.identity.Jobs()}, nil
}

func (a *App) newTree(_ context.Context, c *core) (module, error) {
	c.tree = enterprise.New(enterprise.Config{
		DB: a.db, Accounts: c.accounts, Identities: c.identity, Policies: c.access, Limits: a.cfg.Enterprise, Moved: template.Moved,
	})
	return module{}, nil
}

func (a *App) newTemplates(_ context.Context, c *core) (module, error) {
	c.templates = template.New(template.Config{
		DB: a.db, Now: a.now, Tree: c.tree, Kinds: kinds.All(c.identity, c.access), Limits: a.cfg.Templates, Meter: a.metrics,
		Trouble: func(accountID string, err error) {
			a.cfg.Log.Error("an account is not settled and is tried again later", "account", accountID, "error", err.Error())
		},
	})
	return module{jobs: c.templates.Jobs()}, nil
}

func (a *App) newReports(_ context.Context, c *core) (module, error) {
	c.reports = report.New(report.Config{DB: a.db, Now: a.now, Activity: c.tokens})
	return module{jobs: c.reports.Jobs()}, nil
}

func (a *App) newIdPs(_ context.Context, c *core) (module, error) {
	c.idps = idp.New(idp.Config{DB: a.db, Now: a.now, Sealer: c.secrets.sealer, Limits: a.cfg.IdPs})
	return module{}, nil
}

// newStart is what has to be ready before the first answer.
func (a *App) newStart(_ context.Context, c *core) (module, error) {
	c.started = start(c.keys.Start)
	return module{intercept: c.started.intercept, close: func(context.Context) error { return c.started.stop() }}, nil
}

// departed takes what a user had in an account out of it.
func departed(ctx context.Context, tx store.Tx, accountID, iamID string) error {
	if err := identity.Depart(ctx, tx, accountID, iamID); err != nil {
		return err
	}
	return access.Depart(ctx, tx, accountID, iamID)
}

// families are the modules of the API.
func (a *App) families(c *core) []module {
	pages := lists.NewSealer(c.secrets.pageKey)
	all := []module{
		{rows: newSystem(a, func() []httpapi.Operation { return c.router.Operations() }).operations()},
		{rows: iamtoken.New(iamtoken.Config{Tokens: c.tokens, Keys: c.keys, BaseURL: a.publicURL()}).Operations()},
		{rows: iamidentityv1.New(iamidentityv1.Config{
			Identities: c.identity, Accounts: c.accounts, Access: c.access, Templates: c.templates, Reports: c.reports, IdPs: c.idps,
			Pages: pages, BaseURL: a.publicURL(),
		}).Operations()},
		{rows: accountmanagementv4.New(c.accounts).Operations()},
		{rows: enterprisemanagementv1.New(c.tree, pages).Operations()},
		{rows: iampolicymanagementv1.New(c.access, c.templates, pages).Operations()},
		{rows: iamaccessgroupsv2.New(c.access, c.templates, pages).Operations()},
		{rows: authz.New(c.access, c.authority, authority.NewPresence(c.objects)).Operations()},
		{rows: catalogadmin.New(c.services, a.home).Operations()},
		{rows: kagibanv1.New(kagibanv1.Config{
			DB: a.db, Feed: c.feed, Observer: a.observer(), Ending: c.polls.ending, Identities: c.identity, Home: a.home,
			Pages: lists.NewSealer(c.secrets.pageKey),
		}).Operations()},
	}
	if a.dev != nil {
		all = append(all, module{rows: devapi.New(devapi.Config{
			Clock: a.clock, Faults: a.dev.faults, Requests: a.dev.requests, Reset: a.reset, DB: func() store.DB { return a.db },
			Observer: a.observer(),
		}).Operations()})
	}
	return all
}

// observer names this server in audit records.
func (a *App) observer() audit.Observer {
	return audit.Observer{ID: a.Issuer(), Name: "Kagiban", TypeURI: "security/edge/activity-tracker"}
}

// closeTimeout bounds the writing of what is in memory at the end.
const closeTimeout = 5 * time.Second

// home gives the account of the installation's operators: the one that
// `kagiban init` made, the enterprise's own in development.
func (a *App) home(ctx context.Context) (string, error) {
	if d := a.Demo(); d != nil {
		return d.Root, nil
	}
	f, err := foundings.Get(ctx, a.db.Direct(), store.System, firstAccount)
	if errors.Is(err, fault.NotFound) {
		return "", &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: "The installation has no account yet."}
	}
	if err != nil {
		return "", fmt.Errorf("looking for the first account: %w", err)
	}
	return f.Account, nil
}
