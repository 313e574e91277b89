// Package iamidentityv1 is the wire of IBM Cloud's IAM Identity Services API
// as the SDK package of this name speaks it: the rows of its 103 operations,
// the forms of requests and answers, and their mapping to packages identity,
// account, template, report and idp. It owns no rule of IAM.
package iamidentityv1

import (
	"context"
	"slices"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/report"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/valid"
)

// Family is this API.
var Family = &httpapi.Family{
	Name: "iamidentityv1", Title: "IAM Identity Services", Service: "iam-identity", WriteError: httpapi.WriteErrors,
}

// Config is what the API needs. All fields but BaseURL are required.
type Config struct {
	Identities *identity.Service
	Accounts   *account.Service
	Templates  *template.Service
	Reports    *report.Service
	IdPs       *idp.Service
	// BaseURL is put in front of the links of lists, without slash at its end;
	// "" leaves them relative, which the official clients take too.
	BaseURL string
}

// API serves the operations. It is safe for concurrent use.
type API struct {
	ids       *identity.Service
	accounts  *account.Service
	templates *template.Service
	reports   *report.Service
	idps      *idp.Service
	base      string
}

// New makes the API.
func New(c Config) *API {
	return &API{ids: c.Identities, accounts: c.Accounts, templates: c.Templates, reports: c.Reports, idps: c.IdPs, base: c.BaseURL}
}

// Operations gives the rows of the table.
func (a *API) Operations() []httpapi.Operation {
	return slices.Concat(a.keyRows(), a.serviceIDRows(), a.groupRows(), a.profileRows(), a.trustRows(),
		a.settingsRows(), a.preferenceRows(), a.limitRows(), a.templateRows(), a.reportRows(), a.idpRows(), a.loginRows())
}

// act is the access rule of an action of this service.
func act(name string) httpapi.Access { return httpapi.Action("iam-identity." + name) }

// target names a resource of this service for the decision function. owner is
// the identity that the object belongs to, creator the one that made it, ""
// where neither has rights of its own.
func target(accountID, resourceType, resource, owner, creator string) httpapi.Target {
	return httpapi.Target{
		Account: accountID, ServiceName: "iam-identity", ResourceType: resourceType, Resource: resource,
		Owner: owner, Creator: creator,
	}
}

// Resource types of this service, as context-based restrictions and policies
// name them.
const (
	typeAPIKey      = "apikey"    // keys of users
	typeServiceID   = "serviceid" // service IDs and their keys
	typeGroup       = "serviceid-group"
	typeProfile     = "profile"
	typeSettings    = "settings"
	typePreferences = "preferences"
	typeReport      = "report"
	typeIdP         = "idp"
)

// ref is the part of a request that names an object. find looks for it (404)
// and gives the resource to decide on.
type ref interface {
	find(ctx context.Context, a *API, c *httpapi.Call) (httpapi.Target, error)
}

// at makes the target function of a request that embeds a ref.
func at[In any, P interface {
	*In
	ref
}](a *API) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		return P(in).find(ctx, a, c)
	}
}

// accountRef names an account in the path.
type accountRef struct {
	AccountID string `path:"account_id"`
}

func (r accountRef) accountID() string { return r.AccountID }

func (r *accountRef) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	c.Seeks("Account", r.AccountID)
	return target(r.AccountID, typeSettings, "", "", ""), nil
}

// ifMatch is the precondition that most updates demand.
type ifMatch struct {
	IfMatch string `header:"If-Match"`
}

func (i ifMatch) present() error {
	if i.IfMatch == "" {
		return (&store.Meta{}).Match("")
	}
	return nil
}

// edit is an object that was found, and what shall be done to it, checked.
type edit[Found any, Change valid.Checker] struct {
	found  Found
	change valid.Of[Change]
}

// changing makes the Find of a row that changes what another Find finds. The
// change is checked first: what is malformed is so whatever there is.
func changing[In interface{ change() Change }, Found any, Change valid.Checker](find func(context.Context, *httpapi.Call, *In) (Found, httpapi.Target, error),
) func(context.Context, *httpapi.Call, *In) (edit[Found, Change], httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (e edit[Found, Change], t httpapi.Target, err error) {
		if e.change, err = valid.Check((*in).change()); err != nil {
			return e, t, err
		}
		e.found, t, err = find(ctx, c, in)
		return e, t, err
	}
}

// ownAccount refuses another account than the token's with the text of an
// account that is not there.
func ownAccount(c *httpapi.Call, accountID string) error {
	if accountID != c.Caller.Account {
		return fault.NoObject("Account", accountID)
	}
	return nil
}

// done is the answer of operations without one.
type done = struct{}
