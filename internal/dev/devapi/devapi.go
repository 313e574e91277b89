// Package devapi holds the aids of `kagiban dev`: a clock that can be moved,
// faults on demand, a look at the last requests and events, and a reset. They
// are rows of the table of operations like everything else; `kagiban serve`
// does not have these rows. The package owns no demo data and no store.
package devapi

import (
	"context"
	"net/http"
	"time"

	"github.com/kagiban/kagiban/internal/audit"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
)

// Family is the API family of the development aids.
var Family = &httpapi.Family{Name: "devapi", Title: "Development aids", WriteError: httpapi.WriteErrors, Strict: true}

// public is the rule of every row: whoever reaches a development server on the
// loopback interface owns it. Guard keeps web pages out.
const public = "development aid of a server on this machine; others are kept out by the client's address, Host and Origin"

// Config is what the aids work on. All fields are required.
type Config struct {
	Clock    *Clock
	Faults   *Faults
	Requests *Requests
	// Reset brings the demo data back.
	Reset func(context.Context) error
	// DB gives the store whose events are shown; it may change with a reset.
	DB func() store.DB
	// Observer names the server in rendered events.
	Observer audit.Observer
}

// API offers the development aids. It is safe for concurrent use.
type API struct{ cfg Config }

// New makes the API.
func New(cfg Config) *API { return &API{cfg: cfg} }

// Operations gives the rows.
func (a *API) Operations() []httpapi.Operation {
	return httpapi.Table(Family,
		httpapi.Op[none, none, ClockState]{ID: "get_clock", Method: http.MethodGet, Path: "/dev/v1/clock", Status: 200, Public: public,
			Do: a.getClock},
		httpapi.Op[setClockIn, none, ClockState]{ID: "set_clock", Method: http.MethodPost, Path: "/dev/v1/clock", Status: 200, Public: public,
			Do: a.setClock},
		httpapi.Op[none, none, ClockState]{ID: "delete_clock", Method: http.MethodDelete, Path: "/dev/v1/clock", Status: 200, Public: public,
			Do: a.deleteClock},
		httpapi.Op[none, none, FaultList]{ID: "list_faults", Method: http.MethodGet, Path: "/dev/v1/faults", Status: 200, Public: public,
			Do: a.listFaults},
		httpapi.Op[createFaultIn, none, FaultState]{ID: "create_fault", Method: http.MethodPost, Path: "/dev/v1/faults", Status: 201,
			Public: public, Check: (*createFaultIn).check, Do: a.createFault},
		httpapi.Op[none, none, none]{ID: "delete_faults", Method: http.MethodDelete, Path: "/dev/v1/faults", Status: 204, Public: public,
			Do: a.deleteFaults},
		httpapi.Op[faultIn, none, none]{ID: "delete_fault", Method: http.MethodDelete, Path: "/dev/v1/faults/{id}", Status: 204, Public: public,
			Do: a.deleteFault},
		httpapi.Op[listRequestsIn, none, RequestList]{ID: "list_requests", Method: http.MethodGet, Path: "/dev/v1/requests", Status: 200,
			Public: public, Do: a.listRequests},
		httpapi.Op[listEventsIn, none, EventList]{ID: "list_dev_events", Method: http.MethodGet, Path: "/dev/v1/events", Status: 200,
			Public: public, Do: a.listEvents},
		httpapi.Op[none, none, none]{ID: "reset", Method: http.MethodPost, Path: ResetPath, Status: 204, Public: public, Do: a.reset},
	)
}

// ResetPath is the path of the reset operation, which the server must let
// through while it holds all others back.
const ResetPath = "/dev/v1/reset"

type none = httpapi.None

// ClockState is the answer of the clock operations.
type ClockState struct {
	Now time.Time `json:"now"` // the server's time
	// Offset is how far it is ahead of real time, in Go's notation ("2h0m0s").
	Offset string `json:"offset"`
}

func (a *API) clockState() *ClockState {
	now, offset := a.cfg.Clock.read()
	return &ClockState{Now: now, Offset: offset.Round(time.Second).String()}
}

func (a *API) getClock(context.Context, *httpapi.Call, *none, none) (*ClockState, error) {
	return a.clockState(), nil
}

type setClockIn struct {
	Body struct {
		Advance *string `json:"advance"` // Go duration: "2h", "90m", "-10s"
		Set     *string `json:"set"`     // RFC 3339
	}
}

func (a *API) setClock(_ context.Context, _ *httpapi.Call, in *setClockIn, _ none) (*ClockState, error) {
	switch {
	case (in.Body.Advance == nil) == (in.Body.Set == nil):
		return nil, fault.Field("advance", "Exactly one of 'advance' and 'set' must be given.")
	case in.Body.Advance != nil:
		d, err := time.ParseDuration(*in.Body.Advance)
		if err != nil {
			return nil, fault.Field("advance", "Property 'advance' must be a duration such as 2h, 90m or 30s.")
		}
		if err := a.cfg.Clock.Advance(d); err != nil {
			return nil, err
		}
	default:
		t, err := time.Parse(time.RFC3339, *in.Body.Set)
		if err != nil {
			return nil, fault.Field("set", "Property 'set' must be a time such as 2030-01-02T03:04:05Z.")
		}
		if err := a.cfg.Clock.Set(t); err != nil {
			return nil, err
		}
	}
	return a.clockState(), nil
}

func (a *API) deleteClock(context.Context, *httpapi.Call, *none, none) (*ClockState, error) {
	a.cfg.Clock.Real()
	return a.clockState(), nil
}

// FaultList is the answer of list_faults.
type FaultList struct {
	Faults []FaultState `json:"faults"`
}

func (a *API) listFaults(context.Context, *httpapi.Call, *none, none) (*FaultList, error) {
	return &FaultList{Faults: a.cfg.Faults.List()}, nil
}

type createFaultIn struct{ Body FaultSpec }

// check refuses a fault that could never fire or that nobody could see.
func (in *createFaultIn) check() error { return in.Body.validate() }

func (a *API) createFault(_ context.Context, _ *httpapi.Call, in *createFaultIn, _ none) (*FaultState, error) {
	return a.cfg.Faults.Add(in.Body)
}

func (a *API) deleteFaults(context.Context, *httpapi.Call, *none, none) (*none, error) {
	a.cfg.Faults.Clear()
	return nil, nil
}

type faultIn struct {
	ID string `path:"id"`
}

func (a *API) deleteFault(_ context.Context, _ *httpapi.Call, in *faultIn, _ none) (*none, error) {
	if !a.cfg.Faults.Remove(in.ID) {
		return nil, fault.NoObject("Fault", in.ID)
	}
	return nil, nil
}

type listRequestsIn struct {
	Limit     *int   `query:"limit"`
	Operation string `query:"operation"`
}

// RequestList is the answer of list_requests, newest first.
type RequestList struct {
	Requests []Request `json:"requests"`
}

func (a *API) listRequests(_ context.Context, _ *httpapi.Call, in *listRequestsIn, _ none) (*RequestList, error) {
	limit, err := limitOf(in.Limit, requestsKept)
	if err != nil {
		return nil, err
	}
	return &RequestList{Requests: a.cfg.Requests.Last(limit, in.Operation)}, nil
}

// limitOf checks a limit parameter; absent means all.
func limitOf(given *int, most int) (int, error) {
	if given == nil {
		return most, nil
	}
	if *given < 1 || *given > most {
		return 0, fault.Field("limit", "Parameter 'limit' must be between 1 and %d.", most)
	}
	return *given, nil
}

// eventsShown bounds one answer of list_dev_events.
const eventsShown = 1000

type listEventsIn struct {
	Account string `query:"account_id"`
	After   int    `query:"after"`
	Since   string `query:"since"`
	Limit   *int   `query:"limit"`
}

// EventList is the answer of list_dev_events, oldest first.
type EventList struct {
	Events []audit.Event `json:"events"`
}

func (a *API) listEvents(ctx context.Context, _ *httpapi.Call, in *listEventsIn, _ none) (*EventList, error) {
	limit, err := limitOf(in.Limit, eventsShown)
	if err != nil {
		return nil, err
	}
	var since time.Time
	if in.Since != "" {
		if since, err = time.Parse(time.RFC3339, in.Since); err != nil {
			return nil, fault.Field("since", "Parameter 'since' must be a time such as 2030-01-02T03:04:05Z.")
		}
	}
	if in.Account != "" {
		page, err := audit.Read(ctx, a.cfg.DB(), in.Account, int64(in.After), limit)
		return &EventList{Events: audit.RenderAll(page.Events, a.cfg.Observer)}, err
	}
	events, err := a.cfg.DB().AllEvents(ctx, since, limit)
	if err != nil {
		return nil, err
	}
	return &EventList{Events: audit.RenderAll(events, a.cfg.Observer)}, nil
}

func (a *API) reset(ctx context.Context, _ *httpapi.Call, _ *none, _ none) (*none, error) {
	a.cfg.Faults.Clear()
	a.cfg.Clock.Real()
	if err := a.cfg.Reset(ctx); err != nil {
		return nil, fault.Wrap(err, "resetting")
	}
	a.cfg.Requests.Clear()
	return nil, nil
}
