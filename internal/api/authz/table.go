// Package authz is the decision API: services ask whether a subject may do
// something to one of their resources, and people ask why, who, and what if. The
// first three operations have the shapes that enforcement libraries of IBM
// Cloud speak. Package policy decides; this one reads questions and writes
// answers, by hand where it is hot.
package authz

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

// Family is the API's name, title and envelope.
var Family = &httpapi.Family{Name: "authz", Title: "Authorization decisions", Service: "iam-authz", WriteError: httpapi.WriteErrors}

// API serves the table. It is safe for concurrent use.
type API struct {
	access    *access.Service
	authority *authority.Authority
	presence  authority.Presence
}

// New makes the API over the access service.
func New(a *access.Service, auth *authority.Authority, p authority.Presence) *API {
	return &API{a, auth, p}
}

// actionAsk is what a caller needs on a service to ask about it: who may read
// its policies can work the answers out.
const actionAsk = "iam.policy.read"

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	const each = "each question is decided on its own: it is answered to the service that it is about, " +
		"to its own subject, and to those who may read the service's policies"
	return httpapi.Table(Family,
		httpapi.Raw{ID: "authorize", Method: http.MethodPost, Path: "/v2/authz", Status: 200, Self: each,
			Takes: httpapi.Type[authzIn](), Gives: httpapi.Type[authzOut](), Serve: a.authorize},
		httpapi.Raw{ID: "authorize_bulk", Method: http.MethodPut, Path: "/v2/authz/bulk", Status: 200, Self: each,
			Takes: httpapi.Type[bulkIn](), Gives: httpapi.Type[bulkOut](), Serve: a.bulk},
		httpapi.Raw{ID: "list_authorized_roles", Method: http.MethodPost, Path: "/v2/authz/roles", Status: 200, Self: each,
			Takes: httpapi.Type[authzIn](), Gives: httpapi.Type[rolesOut](), Serve: a.roles},
		httpapi.Op[explainIn, httpapi.None, Explanation]{ID: "explain_decision", Method: http.MethodPost, Path: "/v2/authz/explain", Status: 200,
			Self: each, Do: a.explain},
		httpapi.Op[whoCanIn, *question, Grantees]{ID: "list_authorized_identities", Method: http.MethodPost, Path: "/v2/authz/who_can",
			Status: 200, Action: actionAsk, Find: findService, Do: a.whoCan},
		httpapi.Op[whatIfIn, change, Shifts]{ID: "compare_policy", Method: http.MethodPost, Path: "/v2/authz/what_if", Status: 200,
			Action: actionAsk, Find: a.findChange, Do: a.whatIf},
	)
}

// mayAsk tells whether the caller may ask about a subject and a service: as the
// service itself, as the subject, or as somebody who may read the policies of
// the service or of the resource in question.
func (a *API) mayAsk(ctx context.Context, c *httpapi.Call, q *question) (bool, error) {
	caller := &c.Caller.Subject
	if caller.Kind == policy.KindService && serves(caller.Source.ServiceName, q.Resource.ServiceName) {
		return true, nil
	}
	if asksAboutItself(c, q) {
		q.Subject.Login = caller.Login
		// What it may do elsewhere is told to who is let in there.
		return c.Admitted(ctx, q.Resource.Account)
	}
	return a.mayRead(ctx, c, &q.Resource)
}

// asksAboutItself tells whether a question is about its caller. All that names
// a subject counts: a question may name a service beside the caller's own id.
func asksAboutItself(c *httpapi.Call, q *question) bool {
	caller := &c.Caller.Subject
	return caller.IAMID != "" && caller.IAMID == q.Subject.IAMID && caller.Account == q.Subject.Account && caller.Kind == q.Subject.Kind
}

// mayRead tells whether the caller may read the policies of a resource's
// service or of the resource.
func (a *API) mayRead(ctx context.Context, c *httpapi.Call, r *policy.Resource) (bool, error) {
	whole := policy.Resource{Account: r.Account, ServiceName: r.ServiceName}
	if r.ServiceName == "" {
		whole.ServiceType, whole.ServiceGroupID = r.ServiceType, r.ServiceGroupID
	}
	yes, err := c.May(ctx, actionAsk, whole)
	if yes || err != nil {
		return yes, err
	}
	return c.May(ctx, actionAsk, *r)
}

// serves tells whether a service is another one or has it as a part.
func serves(service, other string) bool {
	return service != "" && (other == service || strings.HasPrefix(other, service+"."))
}

// snapshot gives an account's snapshot; nil for an account that is not there,
// which denies everything.
func (a *API) snapshot(ctx context.Context, account string) (*policy.Snapshot, error) {
	s, err := a.authority.Snapshot(ctx, account)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	return s, err
}

// active tells whether the subject of a question may act at all, and completes it
// and the resource with what is known of them. A token without session was not
// got by one.
func (a *API) active(ctx context.Context, s *policy.Snapshot, q *question) (bool, error) {
	yes, err := a.presence.Active(ctx, &q.Subject)
	if err == nil && yes && (!q.shown || q.session != "") {
		login := q.Subject.Login
		err = a.access.Recall(ctx, s, &q.Subject, q.session, q.Environment.Now)
		q.Subject.Login = login
	}
	if err == nil {
		err = a.authority.Complete(ctx, &q.Request)
	}
	return yes, err
}

// decide answers one question that may be asked.
func (a *API) decide(ctx context.Context, s *policy.Snapshot, q *question) (policy.Decision, error) {
	if s == nil || q.expired {
		return policy.Decision{Reason: policy.ReasonNoPolicy}, nil
	}
	active, err := a.active(ctx, s, q)
	if err != nil || !active {
		return policy.Decision{Reason: policy.ReasonNoPolicy, Seq: s.Seq()}, err
	}
	return a.authority.DecideIn(s, &q.Request), nil
}
