package enterprisemanagementv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
)

type createEnterpriseIn struct {
	Body struct {
		SourceAccount string `json:"source_account_id"`
		Name          string `json:"name"`
		Contact       string `json:"primary_contact_iam_id"`
		Domain        string `json:"domain"`
	}
}

func (in *createEnterpriseIn) check() error {
	if !id.IsAccount(in.Body.SourceAccount) {
		return fault.Field("source_account_id", "Property 'source_account_id' is missing or no account id.")
	}
	return nil
}

func (in createEnterpriseIn) spec() enterprise.NewEnterprise {
	return enterprise.NewEnterprise{Name: in.Body.Name, Contact: in.Body.Contact, Domain: in.Body.Domain}
}

type createEnterpriseOut struct {
	ID      string `json:"enterprise_id"`
	Account string `json:"enterprise_account_id"`
}

func (a *API) createEnterprise(ctx context.Context, c *httpapi.Call, _ *createEnterpriseIn, g sourced) (*createEnterpriseOut, error) {
	e, err := a.tree.Create(ctx, c, g.Found, g.Spec)
	if err != nil {
		return nil, err
	}
	return &createEnterpriseOut{e.ID, e.Account}, nil
}

type enterpriseRef struct {
	EnterpriseID string `path:"enterprise_id"`
}

func (in enterpriseRef) enterpriseID() string { return in.EnterpriseID }

func (a *API) getEnterprise(_ context.Context, _ *httpapi.Call, _ *enterpriseRef, e *enterprise.Enterprise) (*enterpriseOut, error) {
	return wireEnterprise(e), nil
}

type updateEnterpriseIn struct {
	enterpriseRef
	Body struct {
		Name    *string `json:"name"`
		Domain  *string `json:"domain"`
		Contact *string `json:"primary_contact_iam_id"`
	}
}

func (in updateEnterpriseIn) spec() enterprise.Change {
	return enterprise.Change{Name: in.Body.Name, Domain: in.Body.Domain, Contact: in.Body.Contact}
}

func (a *API) updateEnterprise(ctx context.Context, _ *httpapi.Call, _ *updateEnterpriseIn, g changed) (*httpapi.None, error) {
	return nil, a.tree.Update(ctx, g.Found, g.Spec)
}

type importIn struct {
	enterpriseRef
	AccountID string `path:"account_id"`
	Body      *struct {
		Parent string `json:"parent"`
	}
}

func (a *API) importAccount(ctx context.Context, c *httpapi.Call, in *importIn, e *enterprise.Enterprise) (*httpapi.None, error) {
	parent := ""
	if in.Body != nil {
		parent = in.Body.Parent
	}
	return nil, a.tree.Import(ctx, c, e, in.AccountID, parent)
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

func (in createAccountIn) parent() string { return in.Body.Parent }

func (in *createAccountIn) check() error { return needParent(in.Body.Parent) }

func needParent(parent string) error {
	if parent == "" {
		return fault.Missing("parent")
	}
	return nil
}

func (in createAccountIn) spec() enterprise.NewAccount {
	n := enterprise.NewAccount{Name: in.Body.Name, Owner: in.Body.Owner}
	if t := in.Body.Traits; t != nil {
		n.MFA, n.Managed = t.MFA, t.Managed
	}
	if o := in.Body.Options; o != nil {
		n.OwnerServiceID = o.ServiceID
	}
	return n
}

type createAccountOut struct {
	AccountID string `json:"account_id"`
	*ownerServiceID
}

// ownerServiceID is in no other answer: it holds the key's value.
type ownerServiceID struct {
	ServiceID string `json:"iam_service_id"`
	KeyID     string `json:"iam_apikey_id"`
	Key       string `json:"iam_apikey"`
}

func (a *API) createAccount(ctx context.Context, _ *httpapi.Call, _ *createAccountIn, g newChild) (*createAccountOut, error) {
	child, err := a.tree.CreateAccount(ctx, g.Found, g.Spec)
	if err != nil {
		return nil, err
	}
	out := &createAccountOut{AccountID: child.ID}
	if s := child.ServiceID; s != nil {
		out.ownerServiceID = &ownerServiceID{s.ID, s.KeyID, s.Key.Reveal()}
	}
	return out, nil
}

type accountRef struct {
	AccountID string `path:"account_id"`
}

func (in accountRef) accountID() string { return in.AccountID }

func (a *API) getAccount(_ context.Context, _ *httpapi.Call, _ *accountRef, m *enterprise.Member) (*accountOut, error) {
	return wireAccount(m), nil
}

type moveIn struct {
	accountRef
	Body struct {
		Parent string `json:"parent"`
	}
}

func (in *moveIn) check() error { return needParent(in.Body.Parent) }

func (a *API) moveAccount(ctx context.Context, c *httpapi.Call, in *moveIn, m *enterprise.Member) (*httpapi.None, error) {
	return nil, a.tree.Move(ctx, c, m, in.Body.Parent)
}

func (a *API) deleteAccount(ctx context.Context, _ *httpapi.Call, _ *accountRef, m *enterprise.Member) (*httpapi.None, error) {
	return nil, a.tree.DeleteAccount(ctx, m)
}

type traitsIn struct {
	accountRef
	Body struct {
		Managed *bool `json:"enterprise_iam_managed"`
	}
}

type traitsOut struct {
	Managed bool `json:"enterprise_iam_managed"`
}

func (a *API) updateTraits(ctx context.Context, c *httpapi.Call, in *traitsIn, m *enterprise.Member) (*traitsOut, error) {
	m, err := a.tree.SetManaged(ctx, c, m, in.Body.Managed)
	if err != nil {
		return nil, err
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

func (in createGroupIn) parent() string { return in.Body.Parent }

func (in *createGroupIn) check() error { return needParent(in.Body.Parent) }

func (in createGroupIn) spec() enterprise.NewGroup {
	return enterprise.NewGroup{Name: in.Body.Name, Contact: in.Body.Contact}
}

type createGroupOut struct {
	ID string `json:"account_group_id"`
}

func (a *API) createGroup(ctx context.Context, _ *httpapi.Call, _ *createGroupIn, g newGroup) (*createGroupOut, error) {
	made, err := a.tree.CreateGroup(ctx, g.Found, g.Spec)
	if err != nil {
		return nil, err
	}
	return &createGroupOut{made.ID}, nil
}

type groupRef struct {
	GroupID string `path:"account_group_id"`
}

func (in groupRef) groupID() string { return in.GroupID }

func (a *API) getGroup(_ context.Context, _ *httpapi.Call, _ *groupRef, g *enterprise.Group) (*groupOut, error) {
	return wireGroup(g), nil
}

type updateGroupIn struct {
	groupRef
	Body struct {
		Name    *string `json:"name"`
		Contact *string `json:"primary_contact_iam_id"`
	}
}

func (in updateGroupIn) spec() enterprise.Change {
	return enterprise.Change{Name: in.Body.Name, Contact: in.Body.Contact}
}

func (a *API) updateGroup(ctx context.Context, _ *httpapi.Call, _ *updateGroupIn, g regroup) (*httpapi.None, error) {
	return nil, a.tree.UpdateGroup(ctx, g.Found, g.Spec)
}

func (a *API) deleteGroup(ctx context.Context, _ *httpapi.Call, _ *groupRef, g *enterprise.Group) (*httpapi.None, error) {
	return nil, a.tree.DeleteGroup(ctx, g)
}
