package enterprisemanagementv1

import (
	"context"
	"strings"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

type done struct{}

type createEnterpriseIn struct {
	Body struct {
		SourceAccount string `json:"source_account_id"`
		Name          string `json:"name"`
		Contact       string `json:"primary_contact_iam_id"`
		Domain        string `json:"domain"`
	}
}

// Validate checks the required properties.
func (in *createEnterpriseIn) Validate() error {
	if !id.IsAccount(in.Body.SourceAccount) {
		return fault.Field("source_account_id", "Property 'source_account_id' is missing or no account id.")
	}
	if in.Body.Contact == "" {
		return fault.Missing("primary_contact_iam_id")
	}
	return enterprise.CheckName(in.Body.Name)
}

type createEnterpriseOut struct {
	ID      string `json:"enterprise_id"`
	Account string `json:"enterprise_account_id"`
}

func (a *API) createEnterprise(ctx context.Context, _ *httpapi.Call, in *createEnterpriseIn) (*createEnterpriseOut, error) {
	e, err := a.tree.Create(ctx, enterprise.NewEnterprise{SourceAccount: in.Body.SourceAccount, Name: in.Body.Name, Contact: in.Body.Contact, Domain: in.Body.Domain})
	if err != nil {
		return nil, err
	}
	return &createEnterpriseOut{e.ID, e.Account}, nil
}

type enterpriseIn struct {
	EnterpriseID string `path:"enterprise_id"`
}

func (in enterpriseIn) enterpriseID() string { return in.EnterpriseID }

func (a *API) getEnterprise(ctx context.Context, _ *httpapi.Call, in *enterpriseIn) (*enterpriseOut, error) {
	e, err := a.tree.Enterprise(ctx, in.EnterpriseID)
	if err != nil {
		return nil, err
	}
	return wireEnterprise(e), nil
}

type updateEnterpriseIn struct {
	enterpriseIn
	Body struct {
		Name    *string `json:"name"`
		Domain  *string `json:"domain"`
		Contact *string `json:"primary_contact_iam_id"`
	}
}

func (a *API) updateEnterprise(ctx context.Context, _ *httpapi.Call, in *updateEnterpriseIn) (*done, error) {
	return nil, a.tree.Update(ctx, in.EnterpriseID, in.Body.Name, in.Body.Domain, in.Body.Contact)
}

type importIn struct {
	enterpriseIn
	AccountID string `path:"account_id"`
	Body      *struct {
		Parent string `json:"parent"`
	}
}

// importAccount needs, beside the right on the enterprise, the right over the
// account that is to become a child.
func (a *API) importAccount(ctx context.Context, c *httpapi.Call, in *importIn) (*done, error) {
	c.SeeksOr(enterprise.NoNode("account", in.AccountID))
	if !id.IsAccount(in.AccountID) {
		return nil, enterprise.NoNode("account", in.AccountID)
	}
	if err := c.Authorize(ctx, "billing.enterprise.create", httpapi.Target{ServiceName: "billing", Account: in.AccountID}); err != nil {
		return nil, err
	}
	parent := ""
	if in.Body != nil {
		parent = in.Body.Parent
	}
	return nil, a.tree.Import(ctx, in.EnterpriseID, in.AccountID, parent)
}

type createAccountIn struct {
	Body struct {
		Parent string `json:"parent"`
		Name   string `json:"name"`
		Owner  string `json:"owner_iam_id"`
		Traits *struct {
			MFA     *string `json:"mfa"`
			Managed bool    `json:"enterprise_iam_managed"`
		} `json:"traits"`
		Options *struct {
			ServiceID bool `json:"create_iam_service_id_with_apikey_and_owner_policies"`
		} `json:"options"`
	}
}

func (in *createAccountIn) parent() string { return in.Body.Parent }

// Validate checks the required properties.
func (in *createAccountIn) Validate() error {
	switch {
	case in.Body.Parent == "":
		return fault.Missing("parent")
	case in.Body.Owner == "":
		return fault.Missing("owner_iam_id")
	}
	return enterprise.CheckName(in.Body.Name)
}

type createAccountOut struct {
	AccountID string `json:"account_id"`
	*ownerServiceID
}

func (a *API) createAccount(ctx context.Context, _ *httpapi.Call, in *createAccountIn) (*createAccountOut, error) {
	n := enterprise.NewAccount{Parent: in.Body.Parent, Name: in.Body.Name, Owner: in.Body.Owner}
	if t := in.Body.Traits; t != nil {
		n.MFA, n.Managed = t.MFA, t.Managed
	}
	out := &createAccountOut{}
	if in.Body.Options != nil && in.Body.Options.ServiceID {
		n.Furnish = func(ctx context.Context, tx store.Tx, accountID string) (err error) {
			out.ownerServiceID, err = a.furnish(ctx, tx, accountID)
			return err
		}
	}
	acct, err := a.tree.CreateAccount(ctx, n)
	if err != nil {
		return nil, err
	}
	out.AccountID = acct.ID
	return out, nil
}

type accountIn struct {
	AccountID string `path:"account_id"`
}

func (in accountIn) accountID() string { return in.AccountID }

func (a *API) getAccount(ctx context.Context, _ *httpapi.Call, in *accountIn) (*accountOut, error) {
	m, err := a.tree.Member(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	return wireAccount(m), nil
}

type moveIn struct {
	accountIn
	Body struct {
		Parent string `json:"parent"`
	}
}

// Validate checks the required property.
func (in *moveIn) Validate() error {
	if in.Body.Parent == "" {
		return fault.Missing("parent")
	}
	return nil
}

func (a *API) moveAccount(ctx context.Context, _ *httpapi.Call, in *moveIn) (*done, error) {
	return nil, a.tree.Move(ctx, in.AccountID, in.Body.Parent)
}

func (a *API) deleteAccount(ctx context.Context, _ *httpapi.Call, in *accountIn) (*done, error) {
	return nil, a.tree.DeleteAccount(ctx, in.AccountID)
}

type traitsIn struct {
	accountIn
	Body struct {
		Managed *bool `json:"enterprise_iam_managed"`
	}
}

type traitsOut struct {
	Managed bool `json:"enterprise_iam_managed"`
}

// updateTraits is for the owner of the account only: switching enterprise-managed
// IAM on hands the account over to its enterprise, for good.
func (a *API) updateTraits(ctx context.Context, c *httpapi.Call, in *traitsIn) (*traitsOut, error) {
	m, err := a.tree.Member(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	if m.Owner != c.Caller.IAMID {
		return nil, fault.New(fault.Forbidden, "Only the owner of an account can switch enterprise-managed IAM on.")
	}
	if in.Body.Managed != nil {
		if err := a.tree.SetManaged(ctx, in.AccountID, *in.Body.Managed); err != nil {
			return nil, err
		}
		m.Managed = *in.Body.Managed
	}
	return &traitsOut{m.Managed}, nil
}

type createGroupIn struct {
	Body struct {
		Parent  string `json:"parent"`
		Name    string `json:"name"`
		Contact string `json:"primary_contact_iam_id"`
	}
}

func (in *createGroupIn) parent() string { return in.Body.Parent }

// Validate checks the required properties.
func (in *createGroupIn) Validate() error {
	switch {
	case in.Body.Parent == "":
		return fault.Missing("parent")
	case strings.TrimSpace(in.Body.Contact) == "":
		return fault.Missing("primary_contact_iam_id")
	}
	return enterprise.CheckName(in.Body.Name)
}

type createGroupOut struct {
	ID string `json:"account_group_id"`
}

func (a *API) createGroup(ctx context.Context, _ *httpapi.Call, in *createGroupIn) (*createGroupOut, error) {
	g, err := a.tree.CreateGroup(ctx, in.Body.Parent, in.Body.Name, in.Body.Contact)
	if err != nil {
		return nil, err
	}
	return &createGroupOut{g.ID}, nil
}

type groupIn struct {
	GroupID string `path:"account_group_id"`
}

func (in groupIn) groupID() string { return in.GroupID }

func (a *API) getGroup(ctx context.Context, _ *httpapi.Call, in *groupIn) (*groupOut, error) {
	g, err := a.tree.Group(ctx, in.GroupID)
	if err != nil {
		return nil, err
	}
	return wireGroup(g), nil
}

type updateGroupIn struct {
	groupIn
	Body struct {
		Name    *string `json:"name"`
		Contact *string `json:"primary_contact_iam_id"`
	}
}

func (a *API) updateGroup(ctx context.Context, _ *httpapi.Call, in *updateGroupIn) (*done, error) {
	return nil, a.tree.UpdateGroup(ctx, in.GroupID, in.Body.Name, in.Body.Contact)
}

func (a *API) deleteGroup(ctx context.Context, _ *httpapi.Call, in *groupIn) (*done, error) {
	return nil, a.tree.DeleteGroup(ctx, in.GroupID)
}
