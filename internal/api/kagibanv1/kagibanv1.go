// Package kagibanv1 is the wire of Kagiban's own API, for what the official
// service offers nowhere: reading an account's events as they happen, telling of
// API keys that were found in public, looking at lasting work.
package kagibanv1

import (
	"context"
	"net/http"
	"time"

	"github.com/kagiban/kagiban/internal/audit"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
)

// Family is the API's name, title and envelope.
var Family = &httpapi.Family{Name: "kagibanv1", Title: "Kagiban", WriteError: httpapi.WriteErrors}

// Config is what the API works on. All fields are required.
type Config struct {
	DB       store.DB
	Feed     *audit.Feed
	Observer audit.Observer
	// Ending gives a channel that is closed when waiting calls shall answer
	// what they have, because the server shuts down.
	Ending func() <-chan struct{}
	// Identities own the API keys.
	Identities *identity.Service
	// Home gives the account of the installation's operators, in which the
	// actions that concern all accounts are decided; fault.NotFound when there is
	// none.
	Home func(context.Context) (string, error)
	// Pages signs page tokens.
	Pages *lists.Sealer
}

// API serves the table. It is safe for concurrent use.
type API struct{ cfg Config }

// New makes the API.
func New(cfg Config) *API { return &API{cfg} }

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	return httpapi.Table(Family,
		httpapi.Op[listIn, httpapi.None, EventList]{ID: "list_events", Method: http.MethodGet, Path: "/kagiban/v1/accounts/{account_id}/events",
			Status: 200, Action: "kagiban.event.read", Check: (*listIn).check, Find: ofAccount, Do: a.list},
		httpapi.Op[leakIn, httpapi.None, Leak]{ID: "report_leaked_key", Method: http.MethodPost, Path: "/kagiban/v1/leaked_keys",
			Status: 200, Action: "kagiban.leak.report", Check: (*leakIn).check, Find: atHome[leakIn](a, "leak"), Do: a.reportLeak},
		httpapi.Op[jobsIn, httpapi.None, JobList]{ID: "list_jobs", Method: http.MethodGet, Path: "/kagiban/v1/jobs",
			Status: 200, Action: "kagiban.job.read", Check: a.checkJobs, Find: atHome[jobsIn](a, "job"), Do: a.listJobs},
	)
}

// The sizes of an answer and the longest wait. Waits end before the idle
// timeouts of common proxies (30 s and more).
const (
	defaultLimit = 100
	maxLimit     = 1000
	maxWait      = 25 * time.Second
)

type listIn struct {
	Account string `path:"account_id"`
	// After is the sequence number to continue after; absent: from the beginning.
	After *int `query:"after"`
	// Last asks for the newest events instead: at most so many.
	Last  *int   `query:"last"`
	Limit *int   `query:"limit"`
	Wait  string `query:"wait"` // how long to wait when there is no event, "25s"

	wait time.Duration
}

func (in *listIn) check() error {
	switch {
	case !id.IsAccount(in.Account):
		return fault.Field("account_id", "Parameter 'account_id' must be 32 hex digits in lower case.")
	case in.After != nil && *in.After < 0:
		return fault.Field("after", "Parameter 'after' must not be negative.")
	case in.Limit != nil && (*in.Limit < 1 || *in.Limit > maxLimit):
		return fault.Field("limit", "Parameter 'limit' must be between 1 and %d.", maxLimit)
	case in.Last != nil && (*in.Last < 0 || *in.Last > maxLimit):
		return fault.Field("last", "Parameter 'last' must be between 0 and %d.", maxLimit)
	case in.Last != nil && in.After != nil:
		return fault.Field("last", "Parameters 'last' and 'after' exclude each other.")
	case in.Wait == "":
		return nil
	}
	var err error
	if in.wait, err = time.ParseDuration(in.Wait); err != nil || in.wait < 0 || in.wait > maxWait {
		return fault.Field("wait", "Parameter 'wait' must be a duration of at most %s.", maxWait)
	}
	return nil
}

// EventList is the answer of list_events, oldest first.
type EventList struct {
	Events []audit.Event `json:"events"`
	// Last is the sequence number to continue after.
	Last int64 `json:"last"`
}

// ofAccount is the resource: the events of the account. Whether there is such
// an account is for the decision to know.
func ofAccount(_ context.Context, _ *httpapi.Call, in *listIn) (httpapi.None, httpapi.Target, error) {
	return httpapi.None{}, httpapi.Target{Account: in.Account, ServiceName: "kagiban", ResourceType: "event"}, nil
}

func (a *API) list(ctx context.Context, _ *httpapi.Call, in *listIn, _ httpapi.None) (*EventList, error) {
	after, err := a.place(ctx, in)
	if err != nil {
		return nil, err
	}
	limit := defaultLimit
	if in.Limit != nil {
		limit = *in.Limit
	}
	page, err := a.read(ctx, in, after, limit)
	if err != nil {
		return nil, err
	}
	return &EventList{Events: audit.RenderAll(page.Events, a.cfg.Observer), Last: page.Last}, nil
}

// place gives the sequence number to read after.
func (a *API) place(ctx context.Context, in *listIn) (int64, error) {
	if in.Last == nil {
		if in.After == nil {
			return 0, nil
		}
		return int64(*in.After), nil
	}
	head, err := a.cfg.DB.Head(ctx, in.Account)
	return max(head-int64(*in.Last), 0), err
}

// read reads the trail, and waits for the next event when there is none.
func (a *API) read(ctx context.Context, in *listIn, after int64, limit int) (audit.Page, error) {
	if in.wait == 0 {
		return audit.Read(ctx, a.cfg.DB, in.Account, after, limit)
	}
	return a.cfg.Feed.Await(ctx, in.Account, after, limit, in.wait, a.cfg.Ending())
}
