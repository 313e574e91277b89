// Package accountmanagementv4 is the wire of the Account Management API as the
// SDK package of the same name speaks it: what an account is called and whose
// it is. Package account has the rules.
package accountmanagementv4

import (
	"context"
	"errors"
	"net/http"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

// Family is the API's name, title and envelope.
var Family = &httpapi.Family{Name: "accountmanagementv4", Title: "Account Management", Service: "account-management",
	WriteError: httpapi.WriteErrors}

// API serves the table. It is safe for concurrent use.
type API struct{ accounts *account.Service }

// New makes the API.
func New(accounts *account.Service) *API { return &API{accounts} }

// Operations is the table of the API.
func (a *API) Operations() []httpapi.Operation {
	return httpapi.Table(Family,
		httpapi.Op[getIn, *account.Account, accountOut]{ID: "get_account", Method: http.MethodGet, Path: "/v4/accounts/{account_id}",
			Status: 200, Self: "every identity may read what its own account is called", Find: a.find, Do: a.get},
	)
}

type getIn struct {
	Account string `path:"account_id"`
}

// accountOut is an account on the wire; the SDK's model requires every field.
type accountOut struct {
	Name          string `json:"name"`
	ID            string `json:"id"`
	Owner         string `json:"owner"`
	OwnerUserID   string `json:"owner_userid"`
	OwnerIAMID    string `json:"owner_iamid"`
	Type          string `json:"type"`
	Status        string `json:"status"`
	Classic       string `json:"linked_softlayer_account"`
	TeamDirectory bool   `json:"team_directory_enabled"`
	Traits        traits `json:"traits"`
}

type traits struct {
	EUSupported bool `json:"eu_supported"`
	POC         bool `json:"poc"`
	HIPAA       bool `json:"hippa"` // the API's spelling
}

// find finds the caller's own account only: any other is as absent.
func (a *API) find(ctx context.Context, c *httpapi.Call, in *getIn) (acct *account.Account, on httpapi.Target, err error) {
	if c.Caller.Account != in.Account {
		return nil, on, fault.NoObject("Account", in.Account)
	}
	acct, err = a.accounts.Account(ctx, in.Account)
	return acct, on, err
}

func (a *API) get(ctx context.Context, _ *httpapi.Call, in *getIn, acct *account.Account) (*accountOut, error) {
	out := &accountOut{
		Name: acct.Name, ID: acct.ID, Owner: acct.Owner, OwnerIAMID: acct.Owner,
		Type: "STANDARD", Status: acct.State, Classic: acct.Classic,
	}
	owner, err := a.accounts.User(ctx, in.Account, acct.Owner)
	switch {
	case err == nil:
		out.OwnerUserID = owner.Email
	case !errors.Is(err, fault.NotFound): // an owner who is no member any more
		return nil, err
	}
	return out, nil
}
