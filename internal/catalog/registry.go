package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Own is a service that the operator registered. It belongs to the
// installation: Meta.Account is store.System, Meta.ID and Meta.Name its name.
type Own struct {
	store.Meta
	Service Service `json:"service"`
}

// Services are the own services.
var Services = store.NewCollection[Own]("service", nil)

// MaxServices bounds the own services of an installation: each is compiled
// into every catalogue.
const MaxServices = 200

// Registry holds the catalogue of an installation: the services of files, which
// never change while the process runs, and the own services of the store, whose
// events it follows until Close. It is safe for concurrent use.
type Registry struct {
	db     store.DB
	base   *Set
	log    *slog.Logger
	cancel func()

	// wanted counts the events about own services, loaded is its value when the
	// current catalogue began to be read.
	wanted  atomic.Uint64
	loaded  atomic.Uint64
	current atomic.Pointer[policy.Catalog]
	turn    sync.Mutex // held by the one who reads
}

// NewRegistry reads the own services and compiles the first catalogue. A fault
// in the files is an error; an own service that no longer fits them (a newer
// version of the program has a service of that name) is left out with a warning.
func NewRegistry(ctx context.Context, db store.DB, base *Set, log *slog.Logger) (*Registry, error) {
	r := &Registry{db: db, base: base, log: log}
	r.wanted.Store(1)
	r.cancel = db.Subscribe(r.follow)
	if _, err := r.Fresh(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close ends the following of events.
func (r *Registry) Close() { r.cancel() }

func (r *Registry) follow(events []store.Event) {
	for i := range events {
		if events[i].Op == store.Reset || events[i].Written().Kind == Services.Kind() {
			r.wanted.Add(1)
		}
	}
}

// Refresh reads the catalogue anew if something has happened since it was read.
// It costs next to nothing otherwise: a server calls it before each request, so
// that code without a way to the store can use Current.
func (r *Registry) Refresh(ctx context.Context) error {
	if _, fresh := r.Current(); fresh {
		return nil
	}
	_, err := r.Fresh(ctx)
	return err
}

// wrote reads the catalogue anew, for those who use Current, after a write that
// ended with err, and gives that error.
func (r *Registry) wrote(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	if err := r.Refresh(context.WithoutCancel(ctx)); err != nil {
		// The write is done; whoever asks next reads again.
		r.log.Warn("reading the catalogue after a change failed", "error", err.Error())
	}
	return nil
}

// Current is the catalogue in memory, and whether nothing has happened since it
// was read.
func (r *Registry) Current() (c *policy.Catalog, fresh bool) {
	fresh = r.loaded.Load() == r.wanted.Load()
	return r.current.Load(), fresh
}

// Fresh is the newest catalogue, read from the store if need be.
func (r *Registry) Fresh(ctx context.Context) (*policy.Catalog, error) {
	r.turn.Lock()
	defer r.turn.Unlock()
	wanted := r.wanted.Load()
	if r.loaded.Load() == wanted {
		return r.current.Load(), nil
	}
	own, err := Services.List(ctx, r.db.Direct(), store.Query{Account: store.System, Order: store.ByID})
	if err != nil {
		return nil, fmt.Errorf("reading own services: %w", err)
	}
	c, err := r.compile(own)
	if err != nil {
		return nil, err
	}
	r.current.Store(c)
	r.loaded.Store(wanted)
	return c, nil
}

// compile makes the catalogue with those of the own services that fit.
func (r *Registry) compile(own []*Own) (*policy.Catalog, error) {
	fit := make([]Service, 0, len(own))
	for _, o := range own {
		fit = append(fit, o.Service)
	}
	c, err := r.compiled(fit)
	if err == nil {
		return c, nil
	}
	fit = fit[:0]
	for _, o := range own {
		if r.clashes(&o.Service) {
			r.log.Warn("an own service is left out of the catalogue", "service", o.ID, "error", "the name is built in")
			continue
		}
		next := append(slices.Clone(fit), o.Service)
		if _, err := r.compiled(next); err != nil {
			r.log.Warn("an own service is left out of the catalogue", "service", o.ID, "error", err.Error())
			continue
		}
		fit = next
	}
	return r.compiled(fit)
}

// clashes tells whether a name is that of a service of the files, or the first
// part of the actions that every service has ("iam" of iam.policy.create).
func (r *Registry) clashes(s *Service) bool {
	if _, ok := r.base.Service(s.Name); ok {
		return true
	}
	return slices.ContainsFunc(r.base.common, func(g Grant) bool {
		return slices.ContainsFunc(g.Actions, func(a string) bool { return strings.HasPrefix(a, s.Name+".") })
	})
}

func (r *Registry) compiled(own []Service) (*policy.Catalog, error) {
	for i := range own {
		if r.clashes(&own[i]) {
			return nil, fmt.Errorf("own service %s has a built-in name", own[i].Name)
		}
	}
	services, err := r.base.Expand(own...)
	if err != nil {
		return nil, err
	}
	return policy.CompileCatalog(services)
}

// NoService is the error for an own service that is not there.
func NoService(name string) *fault.Error {
	return &fault.Error{Kind: fault.NotFound, Code: "service_not_found", Message: "Service '" + clip(name) + "' not found."}
}

// CRN is the resource name of an own service.
func (o *Own) CRN() string { return "crn:v1:bluemix:public:kagiban::::service:" + o.ID }

// Resource is what is decided on: own services belong to the installation,
// whose operators' account is home. With name "" it is all of them.
func Resource(home, name string) policy.Resource {
	return policy.Resource{Account: home, ServiceName: "kagiban", ResourceType: "service", Resource: name}
}

func event(verb string, o *Own) store.Event {
	return store.Event{Action: "kagiban.service." + verb, CRN: o.CRN(), Message: "Kagiban: " + verb + " service " + o.ID}
}

// Create registers an own service. It fails with fault.Conflict when the name
// is taken, built in or own, and fault.Invalid when the service does not fit.
func (r *Registry) Create(ctx context.Context, checked valid.Of[Service]) (*Own, error) {
	s := checked.Value()
	if r.clashes(&s) {
		return nil, taken(s.Name)
	}
	o := &Own{Meta: store.Meta{Account: store.System, ID: s.Name, Name: s.Name}, Service: s}
	err := r.db.Update(ctx, func(tx store.Tx) error {
		own, err := Services.List(ctx, tx, store.Query{Account: store.System})
		if err != nil {
			return err
		}
		switch {
		case slices.ContainsFunc(own, func(x *Own) bool { return x.ID == s.Name }):
			return taken(s.Name)
		case len(own) >= MaxServices:
			return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: "The limit of own services is reached.",
				Details: fmt.Sprintf("At most %d are allowed.", MaxServices)}
		}
		if err := r.fits(s, own); err != nil {
			return err
		}
		return Services.Create(ctx, tx, o, event("create", o))
	})
	return o, r.wrote(ctx, err)
}

func taken(name string) error {
	return &fault.Error{Kind: fault.Conflict, Code: "service_conflict_error", Message: "Service '" + name + "' exists already."}
}

// fits compiles the catalogue as it would be, for what only the whole shows: an
// unknown parent, a loop of parents.
func (r *Registry) fits(s Service, own []*Own) error {
	all := []Service{s}
	for _, o := range own {
		if o.ID != s.Name && !r.clashes(&o.Service) {
			all = append(all, o.Service)
		}
	}
	if _, err := r.compiled(all); err != nil {
		return &fault.Error{Kind: fault.Invalid, Code: "invalid_body", Message: "The service does not fit the catalogue.", Details: err.Error()}
	}
	return nil
}

// Get gives an own service, or NoService.
func (r *Registry) Get(ctx context.Context, name string) (*Own, error) {
	if len(name) > 200 {
		return nil, NoService(name)
	}
	o, err := Services.Get(ctx, r.db.Direct(), store.System, name)
	if errors.Is(err, fault.NotFound) {
		return nil, NoService(name)
	}
	return o, err
}

// List gives the own services by name.
func (r *Registry) List(ctx context.Context) ([]*Own, error) {
	return Services.List(ctx, r.db.Direct(), store.Query{Account: store.System, Order: store.ByID})
}

// Replace puts another definition in the place of the one of an own service that
// was found; ifMatch "" means whatever version. Policies and custom roles stay:
// roles and actions that are gone grant nothing. It fails with store.ErrMoved
// when another write came first.
func (r *Registry) Replace(ctx context.Context, found *Own, ifMatch string, checked valid.Of[Service]) (*Own, error) {
	s := checked.Value()
	if s.Name != found.ID {
		return nil, bad("name", "of a service cannot be changed.")
	}
	if ifMatch != "" {
		if err := found.Match(ifMatch); err != nil {
			return nil, err
		}
	}
	o, err := Services.Edit(ctx, r.db, found, func(tx store.Tx, o *Own) (store.Event, error) {
		own, err := Services.List(ctx, tx, store.Query{Account: store.System})
		if err != nil {
			return store.Event{}, err
		}
		o.Service = s
		return event("update", o), r.fits(s, own)
	})
	return o, r.wrote(ctx, err)
}

// Delete removes an own service that was found, unless another own service is a
// part of it. It fails with store.ErrMoved when another write came first.
func (r *Registry) Delete(ctx context.Context, found *Own) error {
	err := Services.Remove(ctx, r.db, found, func(tx store.Tx) (store.Event, error) {
		own, err := Services.List(ctx, tx, store.Query{Account: store.System})
		if err != nil {
			return store.Event{}, err
		}
		if i := slices.IndexFunc(own, func(x *Own) bool { return x.Service.Parent == found.ID }); i >= 0 {
			return store.Event{}, &fault.Error{Kind: fault.Conflict, Code: "service_conflict_error",
				Message: "Service '" + own[i].ID + "' is a part of service '" + found.ID + "'. Delete it first."}
		}
		return event("delete", found), nil
	})
	return r.wrote(ctx, err)
}
