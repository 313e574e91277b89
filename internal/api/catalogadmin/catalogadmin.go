// Package catalogadmin is the wire of Kagiban's own API for services of the
// operator's: with it, products that are not part of the built-in catalogue get
// actions and roles that policies can give. Package catalog has the rules.
package catalogadmin

import (
	"context"
	"net/http"

	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
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
	const one = "/kagiban/v1/services/{name}"
	on := func(verb string) httpapi.Access { return httpapi.Action("kagiban.service." + verb) }
	return []httpapi.Operation{
		httpapi.OldOp(Family, "create_service", http.MethodPost, "/kagiban/v1/services", 201, on("create"), atHome[createIn](a), a.create),
		httpapi.OldOp(Family, "list_services", http.MethodGet, "/kagiban/v1/services", 200, on("read"), atHome[listIn](a), a.list),
		httpapi.OldOp(Family, "get_service", http.MethodGet, one, 200, on("read"), atHome[nameIn](a), a.get),
		httpapi.OldOp(Family, "replace_service", http.MethodPut, one, 200, on("update"), atHome[replaceIn](a), a.replace),
		httpapi.OldOp(Family, "delete_service", http.MethodDelete, one, 204, on("delete"), atHome[nameIn](a), a.delete),
	}
}

// atHome is the target of all operations: own services belong to the
// installation.
func atHome[In any](a *API) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, _ *httpapi.Call, in *In) (httpapi.Target, error) {
		home, err := a.home(ctx)
		if err != nil {
			return httpapi.Target{}, err
		}
		target := httpapi.Target{Account: home, ServiceName: "kagiban", ResourceType: "service"}
		if named, ok := any(in).(interface{ name() string }); ok {
			target.Resource = named.name()
		}
		return target, nil
	}
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
		CreatedAt: httpapi.Millis(o.CreatedAt), CreatedByID: o.CreatedBy, LastModifiedAt: httpapi.Millis(o.ModifiedAt), LastModifiedBy: o.ModifiedBy}
}

type createIn struct{ Body catalog.Service }

// Validate checks the form.
func (in *createIn) Validate() error { return in.Body.Check() }

func (a *API) create(ctx context.Context, c *httpapi.Call, in *createIn) (*service, error) {
	o, err := a.registry.Create(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	c.SetETag(o.Tag)
	return wire(c, o), nil
}

type listIn struct{}

type services struct {
	Services []*service `json:"services"`
}

func (a *API) list(ctx context.Context, c *httpapi.Call, _ *listIn) (*services, error) {
	own, err := a.registry.List(ctx)
	if err != nil {
		return nil, err
	}
	out := &services{Services: []*service{}}
	for _, o := range own {
		out.Services = append(out.Services, wire(c, o))
	}
	return out, nil
}

type nameIn struct {
	Name string `path:"name"`
}

func (in nameIn) name() string { return in.Name }

func (a *API) get(ctx context.Context, c *httpapi.Call, in *nameIn) (*service, error) {
	o, err := a.registry.Get(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	c.SetETag(o.Tag)
	return wire(c, o), nil
}

type replaceIn struct {
	nameIn
	IfMatch string `header:"If-Match"`
	Body    catalog.Service
}

// Validate checks the form; the name may be left to the path.
func (in *replaceIn) Validate() error {
	if in.Body.Name == "" {
		in.Body.Name = in.Name
	}
	return in.Body.Check()
}

func (a *API) replace(ctx context.Context, c *httpapi.Call, in *replaceIn) (*service, error) {
	o, err := a.registry.Replace(ctx, in.Name, in.IfMatch, in.Body)
	if err != nil {
		return nil, err
	}
	c.SetETag(o.Tag)
	return wire(c, o), nil
}

func (a *API) delete(ctx context.Context, _ *httpapi.Call, in *nameIn) (*service, error) {
	return nil, a.registry.Delete(ctx, in.Name)
}
