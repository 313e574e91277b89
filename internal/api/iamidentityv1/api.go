// Package iamidentityv1 is the wire of IBM Cloud's IAM Identity Services API
// as the SDK package of this name speaks it: the rows of its 103 operations,
// the forms of requests and answers, and their mapping to packages identity,
// account, template, report and idp; limits of package access too. It owns no rule of IAM.
package iamidentityv1

import (
	"context"
	"slices"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/lists"
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
	Access     *access.Service
	Templates  *template.Service
	Reports    *report.Service
	IdPs       *idp.Service
	Pages      *lists.Sealer // of page tokens
	// BaseURL is put in front of the links of lists, without slash at its end;
	// "" leaves them relative, which the official clients take too.
	BaseURL string
}

// API serves the operations. It is safe for concurrent use.
type API struct {
	ids       *identity.Service
	accounts  *account.Service
	access    *access.Service
	templates *template.Service
	reports   *report.Service
	idps      *idp.Service
	pages     *lists.Sealer
	base      string
}

// New makes the API.
func New(c Config) *API {
	return &API{ids: c.Identities, accounts: c.Accounts, access: c.Access, templates: c.Templates, reports: c.Reports, idps: c.IdPs,
		pages: c.Pages, base: c.BaseURL}
}

// Operations gives the rows of the table.
func (a *API) Operations() []httpapi.Operation {
	return slices.Concat(a.keyRows(), a.serviceIDRows(), a.groupRows(), a.profileRows(), a.ruleRows(), a.linkRows(), a.trustRows(),
		a.settingsRows(), a.preferenceRows(), a.limitRows(), a.templateRows(), a.reportRows(), a.idpRows(), a.loginRows())
}

// target names a resource of this service for the decision function; nobody has
// rights of its own to it.
func target(accountID, resourceType, resource string) httpapi.Target {
	return httpapi.Target{Account: accountID, ServiceName: "iam-identity", ResourceType: resourceType, Resource: resource}
}

// Resource types of this service beside those of package identity, as
// context-based restrictions and policies name them.
const (
	typeSettings = "settings"
	typeReport   = "report"
	typeIdP      = "idp"
)

// accountRef names an account in the path.
type accountRef struct {
	AccountID string `path:"account_id"`
}

func (r accountRef) accountID() string { return r.AccountID }

// find is how rows find an N: it gives with it the resource to decide on.
type find[In, N any] = func(context.Context, *httpapi.Call, *In) (N, httpapi.Target, error)

// finding makes the Find of rows about an object that the path names; what is
// the name of its type in errors.
func finding[In any, N interface{ Resource() httpapi.Target }](what string, named func(In) string,
	read func(ctx context.Context, objectID string) (N, error)) find[In, N] {
	return func(ctx context.Context, c *httpapi.Call, in *In) (object N, on httpapi.Target, err error) {
		objectID := named(*in)
		c.Seeks(what, objectID)
		if object, err = read(ctx, objectID); err != nil {
			return object, on, err
		}
		return object, object.Resource(), nil
	}
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

// addition is a request to add something to an account.
type addition[Spec valid.Checker] interface {
	spec() Spec
	account() string
}

// adding makes the Find of a row that makes something in an account: on gives
// the resource to decide on.
func adding[In addition[Spec], Spec valid.Checker](on func(accountID string) httpapi.Target,
) func(context.Context, *httpapi.Call, *In) (valid.Of[Spec], httpapi.Target, error) {
	return func(_ context.Context, c *httpapi.Call, in *In) (valid.Of[Spec], httpapi.Target, error) {
		spec, err := valid.Check((*in).spec())
		if err != nil {
			return spec, httpapi.Target{}, err
		}
		c.Seeks("Account", (*in).account())
		return spec, on((*in).account()), nil
	}
}
