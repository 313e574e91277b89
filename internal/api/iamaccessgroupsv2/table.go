// Package iamaccessgroupsv2 is the wire of the Access Groups API as the SDK
// package of the same name speaks it: rows, request and response shapes, and
// nothing else. Package access has the rules.
package iamaccessgroupsv2

import (
	"context"
	"net/http"
	"slices"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/valid"
)

// Family is the API's name, title and envelope.
var Family = &httpapi.Family{Name: "iamaccessgroupsv2", Title: "IAM Access Groups", Service: "iam-groups", WriteError: writeError}

// writeError renders the errors[] envelope with the family's own codes. Its
// errors have a code and a message and nothing else.
func writeError(w http.ResponseWriter, c *httpapi.Call, e *fault.Error, status int) {
	out := httpapi.InMessage(e)
	out.Code = codeOf(e)
	httpapi.WriteErrors(w, c, out, status)
}

// codeOf gives the machine word of an error. The official list is not public;
// the words follow those of the policy API.
func codeOf(e *fault.Error) string {
	switch e.Kind {
	case fault.Unauthenticated:
		return "invalid_token"
	case fault.Forbidden:
		return "insufficient_permissions"
	case fault.Internal:
		return "internal_error"
	}
	if e.Code != "" {
		return e.Code
	}
	if e.Kind == fault.Invalid {
		return "invalid_body"
	}
	return string(e.Kind)
}

// API serves the table.
type API struct {
	groups    *access.Service
	templates *template.Service
	pages     *lists.Sealer // of page tokens
}

// New makes the API over the access and template services.
func New(groups *access.Service, t *template.Service, pages *lists.Sealer) *API {
	return &API{groups, t, pages}
}

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	return append(httpapi.Table(Family, slices.Concat(a.groupRows(), a.memberRows(), a.ruleRows())...), a.templateRows()...)
}

// one is the path of a group.
const one = "/v2/groups/{access_group_id}"

// inAccount is the target of operations on an account's groups as a whole.
func inAccount[In interface{ accountID() string }](_ context.Context, _ *httpapi.Call, in *In) (httpapi.None, httpapi.Target, error) {
	target, err := accountTarget((*in).accountID())
	return httpapi.None{}, target, err
}

func accountTarget(account string) (httpapi.Target, error) {
	if account == "" {
		return httpapi.Target{}, fault.Missing("account_id")
	}
	if !id.IsAccount(account) {
		return httpapi.Target{}, fault.Field("account_id", "Parameter 'account_id' is no account id.")
	}
	return httpapi.Target{ServiceName: "iam-groups", Account: account}, nil
}

// sent is an input that sends something to the domain.
type sent[T any] interface{ spec() T }

// intoAccount is inAccount for what is sent into the account.
func intoAccount[In interface {
	accountID() string
	sent[T]
}, T valid.Checker](_ context.Context, _ *httpapi.Call, in *In) (spec valid.Of[T], target httpapi.Target, err error) {
	if spec, err = valid.Check((*in).spec()); err == nil {
		target, err = accountTarget((*in).accountID())
	}
	return spec, target, err
}

// findGroup finds the group that a request is about. The public group lives in
// the caller's account.
func findGroup[In interface{ groupID() string }](a *API) func(context.Context, *httpapi.Call, *In) (*access.Group, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*access.Group, httpapi.Target, error) {
		groupID, account := (*in).groupID(), ""
		if groupID == policy.PublicAccessGroupID {
			account = c.Caller.Account
		}
		c.SeeksOr(access.NoGroup(groupID))
		g, err := a.groups.GetGroup(ctx, account, groupID)
		if err != nil {
			return nil, httpapi.Target{}, err
		}
		return g, access.GroupResource(g), nil
	}
}

// toGroup is a group and what is sent to it.
type toGroup[T valid.Checker] struct {
	*access.Group
	sent valid.Of[T]
}

// findGroupFor is findGroup for what is sent to the group.
func findGroupFor[In interface {
	groupID() string
	sent[T]
}, T valid.Checker](a *API) func(context.Context, *httpapi.Call, *In) (toGroup[T], httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (found toGroup[T], target httpapi.Target, err error) {
		if found.sent, err = valid.Check((*in).spec()); err == nil {
			found.Group, target, err = findGroup[In](a)(ctx, c, in)
		}
		return found, target, err
	}
}

type accountParam struct {
	AccountID string `query:"account_id"`
}

func (p accountParam) accountID() string { return p.AccountID }

type groupParam struct {
	GroupID string `path:"access_group_id"`
}

func (p groupParam) groupID() string { return p.GroupID }
