// Package catalogadmin is the wire of Kagiban's own API for services of the
// operator's: with it, products that are not part of the built-in catalogue get
// actions and roles that policies can give. Package catalog has the rules.
package catalogadmin

import (
	"context"
	"errors"
	"net/http"

	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/valid"
)

// Family is the API's name, title and envelope.
var Family = &httpapi.Family{Name: "catalogadmin", Title: "Catalogue of services", Service: "kagiban", WriteError: writeError}

// writeError gives errors of form the word of the policy API.
func writeError(w http.ResponseWriter, c *httpapi.Call, e *fault.Error, status int) {
	out := *e
	if out.Kind == fault.Invalid && out.Code == "" {
		out.Code = "invalid_body"
	}
	httpapi.WriteErrors(w, c, &out, status)
}

// API serves the table. It is safe for concurrent use.
type API struct {
	registry *catalog.Registry
	home     func(context.Context) (string, error)
}

// New makes the API. home gives the account of the installation's operators, in
// which the actions are decided; fault.NotFound when it has none.
func New(r *catalog.Registry, home func(context.Context) (string, error)) *API { return &API{r, home} }

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	const all, one = "/kagiban/v1/services", "/kagiban/v1/services/{name}"
	return httpapi.Table(Family,
		httpapi.Op[createIn, definition, service]{ID: "create_service", Method: http.MethodPost, Path: all, Status: 201,
			Action: "kagiban.service.create", Find: a.findNew, Do: a.create},
		httpapi.Op[httpapi.None, httpapi.None, services]{ID: "list_services", Method: http.MethodGet, Path: all, Status: 200,
			Action: "kagiban.service.read", Find: a.findAll, Do: a.list},
		httpapi.Op[nameIn, found, service]{ID: "get_service", Method: http.MethodGet, Path: one, Status: 200,
			Action: "kagiban.service.read", Find: a.find, Do: a.get},
		httpapi.Op[replaceIn, replacement, service]{ID: "replace_service", Method: http.MethodPut, Path: one, Status: 200,
			Action: "kagiban.service.update", Find: a.findReplaced, Do: a.replace},
		httpapi.Op[nameIn, found, httpapi.None]{ID: "delete_service", Method: http.MethodDelete, Path: one, Status: 204,
			Action: "kagiban.service.delete", Find: a.find, Do: a.delete},
	)
}

// target is what is decided on: a service of the installation.
func (a *API) target(ctx context.Context, name string) (httpapi.Target, error) {
	home, err := a.home(ctx)
	if err != nil {
		return httpapi.Target{}, err
	}
	return catalog.Resource(home, name), nil
}

// service is an own service on the wire.
type service struct {
	catalog.Service
	Href           string `json:"href"`
	CRN            string `json:"crn"`
	CreatedAt      string `json:"created_at"`
	CreatedByID    string `json:"created_by_id"`
	LastModifiedAt string `json:"last_modified_at"`
	LastModifiedBy string `json:"last_modified_by_id"`
}

func wire(c *httpapi.Call, o *catalog.Own) *service {
	return &service{Service: o.Service, Href: c.Base + "/kagiban/v1/services/" + o.ID, CRN: o.CRN(),
		CreatedAt: httpapi.Millis(o.CreatedAt), CreatedByID: o.CreatedBy, LastModifiedAt: httpapi.Millis(o.ModifiedAt),
		LastModifiedBy: o.ModifiedBy}
}

type definition = valid.Of[catalog.Service]

type createIn struct{ Body catalog.Service }

func (a *API) findNew(ctx context.Context, _ *httpapi.Call, in *createIn) (d definition, t httpapi.Target, err error) {
	if d, err = valid.Check(in.Body); err != nil {
		return d, t, err
	}
	t, err = a.target(ctx, "")
	return d, t, err
}

func (a *API) create(ctx context.Context, c *httpapi.Call, _ *createIn, d definition) (*service, error) {
	o, err := a.registry.Create(ctx, d)
	return shown(c, o, err)
}

// shown words an own service that was read or written.
func shown(c *httpapi.Call, o *catalog.Own, err error) (*service, error) {
	return httpapi.Shown(c, o, err, func(o *catalog.Own) *service { return wire(c, o) })
}

type services struct {
	Services []*service `json:"services"`
}

func (a *API) findAll(ctx context.Context, _ *httpapi.Call, _ *httpapi.None) (_ httpapi.None, t httpapi.Target, err error) {
	t, err = a.target(ctx, "")
	return httpapi.None{}, t, err
}

func (a *API) list(ctx context.Context, c *httpapi.Call, _ *httpapi.None, _ httpapi.None) (*services, error) {
	own, err := a.registry.List(ctx)
	return &services{lists.Map(own, func(o *catalog.Own) *service { return wire(c, o) })}, err
}

type nameIn struct {
	Name string `path:"name"`
}

// found is an own service, or that there is none: only who may do what is asked
// learns which there are.
type found struct {
	own    *catalog.Own
	absent error
}

func (a *API) find(ctx context.Context, _ *httpapi.Call, in *nameIn) (f found, t httpapi.Target, err error) {
	if t, err = a.target(ctx, in.Name); err != nil {
		return f, t, err
	}
	f.own, err = a.registry.Get(ctx, in.Name)
	if errors.Is(err, fault.NotFound) {
		return found{absent: err}, t, nil
	}
	return f, t, err
}

func (a *API) get(_ context.Context, c *httpapi.Call, _ *nameIn, f found) (*service, error) {
	return shown(c, f.own, f.absent)
}

type replaceIn struct {
	nameIn
	httpapi.Conditional
	Body catalog.Service
}

// replacement is a service and what is to stand in its place.
type replacement struct {
	found
	by definition
}

func (a *API) findReplaced(ctx context.Context, c *httpapi.Call, in *replaceIn) (r replacement, t httpapi.Target, err error) {
	s := in.Body
	if s.Name == "" {
		s.Name = in.Name // it may be left to the path
	}
	if r.by, err = valid.Check(s); err != nil {
		return r, t, err
	}
	r.found, t, err = a.find(ctx, c, &in.nameIn)
	return r, t, err
}

func (a *API) replace(ctx context.Context, c *httpapi.Call, in *replaceIn, r replacement) (*service, error) {
	if r.absent != nil {
		return nil, r.absent
	}
	o, err := a.registry.Replace(ctx, r.own, in.IfMatch, r.by)
	return shown(c, o, err)
}

func (a *API) delete(ctx context.Context, _ *httpapi.Call, _ *nameIn, f found) (*httpapi.None, error) {
	if f.absent != nil {
		return nil, f.absent
	}
	return nil, a.registry.Delete(ctx, f.own)
}
