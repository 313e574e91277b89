package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
)

func (a *API) serviceIDRows() []httpapi.Operation {
	const all, one = "/v1/serviceids", "/v1/serviceids/{id}"
	member := httpapi.Self("every member of an account may create service IDs unless the account restricts it; the handler asks then")
	return []httpapi.Operation{
		httpapi.OldOp(Family, "list_service_ids", "GET", all, 200, act("serviceid.get"), at[listServiceIDsIn](a), a.listServiceIDs),
		httpapi.OldOp(Family, "create_service_id", "POST", all, 201, member, nil, a.createServiceID),
		httpapi.OldOp(Family, "get_service_id", "GET", one, 200, act("serviceid.get"), at[getServiceIDIn](a), a.getServiceID),
		httpapi.OldOp(Family, "update_service_id", "PUT", one, 200, act("serviceid.update"), at[updateServiceIDIn](a), a.updateServiceID),
		httpapi.OldOp(Family, "delete_service_id", "DELETE", one, 204, act("serviceid.delete"), at[serviceIDRef](a), a.deleteServiceID),
		httpapi.OldOp(Family, "lock_service_id", "POST", one+"/lock", 204, act("serviceid.update"), at[serviceIDRef](a), a.lockServiceID),
		httpapi.OldOp(Family, "unlock_service_id", "DELETE", one+"/lock", 204, act("serviceid.update"), at[serviceIDRef](a), a.unlockServiceID),
	}
}

// ServiceID is the answer that shows a service ID.
type ServiceID struct {
	ID                 string          `json:"id"`
	IAMID              string          `json:"iam_id"`
	EntityTag          string          `json:"entity_tag"`
	CRN                string          `json:"crn"`
	Locked             bool            `json:"locked"`
	CreatedAt          string          `json:"created_at"`
	ModifiedAt         string          `json:"modified_at"`
	AccountID          string          `json:"account_id"`
	GroupID            string          `json:"group_id,omitempty"` // only when asked for
	Name               string          `json:"name"`
	Description        string          `json:"description,omitempty"`
	UniqueInstanceCRNs []string        `json:"unique_instance_crns"`
	History            []HistoryRecord `json:"history,omitzero"`
	APIKey             *APIKey         `json:"apikey,omitempty"` // only of a key that was made with it
	Activity           *Activity       `json:"activity,omitempty"`
}

func wireServiceID(v *identity.ServiceID, showGroup bool) *ServiceID {
	out := &ServiceID{
		ID: v.ID, IAMID: v.Owner, EntityTag: v.Tag, CRN: v.CRN(), Locked: v.Locked,
		CreatedAt: stamp(v.CreatedAt), ModifiedAt: stamp(v.ModifiedAt), AccountID: v.Account,
		Name: v.Name, Description: v.Description, UniqueInstanceCRNs: append([]string{}, v.UniqueInstanceCRNs...),
	}
	if showGroup {
		out.GroupID = v.Parent
	}
	return out
}

// ServiceIDList is a page of service IDs.
type ServiceIDList struct {
	Paging
	ServiceIDs []*ServiceID `json:"serviceids"`
}

// serviceIDRef names a service ID in the path.
type serviceIDRef struct {
	ID string `path:"id"`

	found  *identity.ServiceID
	target httpapi.Target
}

func (r *serviceIDRef) find(ctx context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	c.Seeks("ServiceId", r.ID)
	if r.found, err = a.ids.ServiceID(ctx, r.ID); err != nil {
		return t, err
	}
	r.target = target(r.found.Account, typeServiceID, r.found.ID, "", r.found.CreatedBy)
	return r.target, nil
}

type listServiceIDsIn struct {
	listIn
	GroupID     string `query:"group_id"`
	Name        string `query:"name"`
	ShowGroupID bool   `query:"show_group_id"`

	resolved identity.ListQuery
}

func (in *listServiceIDsIn) find(_ context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	q := in.query()
	q.Group, q.Name = in.GroupID, in.Name
	if in.resolved, err = a.ids.ServiceIDQuery(q); err != nil {
		return t, err
	}
	c.Seeks("Account", in.resolved.Account)
	return target(in.resolved.Account, typeServiceID, "", "", ""), nil
}

func (a *API) listServiceIDs(ctx context.Context, _ *httpapi.Call, in *listServiceIDsIn) (*ServiceIDList, error) {
	found, err := a.ids.ListServiceIDs(ctx, in.resolved)
	if err != nil {
		return nil, err
	}
	out := &ServiceIDList{Paging: paging(a, "/v1/serviceids/", found), ServiceIDs: make([]*ServiceID, len(found.Items))}
	for i, v := range found.Items {
		out.ServiceIDs[i] = wireServiceID(v, in.ShowGroupID)
		if out.ServiceIDs[i].History, err = a.history(ctx, in.IncludeHistory, identity.ServiceIDs.Kind(), &v.Meta); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type createServiceIDIn struct {
	Lock        *bool `header:"Entity-Lock"`
	ShowGroupID bool  `query:"show_group_id"`
	Body        struct {
		AccountID          string   `json:"account_id"`
		Name               string   `json:"name"`
		GroupID            string   `json:"group_id"`
		Description        string   `json:"description"`
		UniqueInstanceCRNs []string `json:"unique_instance_crns"`
		APIKey             *keyBody `json:"apikey"`
	}
}

func (in *createServiceIDIn) spec() identity.NewServiceID {
	n := identity.NewServiceID{
		Account: in.Body.AccountID, Group: in.Body.GroupID, Name: in.Body.Name, Description: in.Body.Description,
		UniqueInstanceCRNs: in.Body.UniqueInstanceCRNs, Locked: in.Lock != nil && *in.Lock,
	}
	if in.Body.APIKey != nil {
		key := in.Body.APIKey.spec()
		n.Key = &key
	}
	return n
}

// Validate checks the body.
func (in *createServiceIDIn) Validate() error {
	n := in.spec()
	return n.Validate()
}

func (a *API) createServiceID(ctx context.Context, c *httpapi.Call, in *createServiceIDIn) (*ServiceID, error) {
	if err := a.authorizeNewServiceID(ctx, c, in.Body.AccountID); err != nil {
		return nil, err
	}
	v, key, value, err := a.ids.CreateServiceID(ctx, in.spec())
	if err != nil {
		return nil, err
	}
	c.SetETag(v.Tag)
	out := wireServiceID(v, in.ShowGroupID)
	if key != nil {
		out.APIKey = wireKey(key)
		out.APIKey.Value = value.Reveal()
	}
	return out, nil
}

// authorizeNewServiceID asks for the right to create service IDs where being
// a member of the account does not suffice.
func (a *API) authorizeNewServiceID(ctx context.Context, c *httpapi.Call, accountID string) error {
	if accountID == c.Caller.Account {
		settings, err := a.accounts.Settings(ctx, accountID)
		if err != nil || !settings.RestrictsServiceIDs() {
			return err
		}
	}
	c.Seeks("Account", accountID)
	return c.Authorize(ctx, "iam-identity.serviceid.create", target(accountID, typeServiceID, "", "", ""))
}

type getServiceIDIn struct {
	serviceIDRef
	IncludeHistory  bool `query:"include_history"`
	IncludeActivity bool `query:"include_activity"`
	ShowGroupID     bool `query:"show_group_id"`
}

func (a *API) getServiceID(ctx context.Context, c *httpapi.Call, in *getServiceIDIn) (out *ServiceID, err error) {
	c.SetETag(in.found.Tag)
	out = wireServiceID(in.found, in.ShowGroupID)
	if out.History, err = a.history(ctx, in.IncludeHistory, identity.ServiceIDs.Kind(), &in.found.Meta); err != nil {
		return nil, err
	}
	out.Activity, err = a.activity(ctx, c, in.IncludeActivity, &in.found.Meta, in.target)
	return out, err
}

type updateServiceIDIn struct {
	serviceIDRef
	ifMatch
	ShowGroupID bool `query:"show_group_id"`
	Body        struct {
		Name               *string   `json:"name"`
		Description        *string   `json:"description"`
		UniqueInstanceCRNs *[]string `json:"unique_instance_crns"`
	}
}

func (in *updateServiceIDIn) change() identity.ServiceIDChange {
	return identity.ServiceIDChange{Name: in.Body.Name, Description: in.Body.Description, UniqueInstanceCRNs: in.Body.UniqueInstanceCRNs}
}

// Validate checks precondition and body.
func (in *updateServiceIDIn) Validate() error {
	if err := in.present(); err != nil {
		return err
	}
	change := in.change()
	return change.Validate()
}

func (a *API) updateServiceID(ctx context.Context, c *httpapi.Call, in *updateServiceIDIn) (*ServiceID, error) {
	v, err := a.ids.UpdateServiceID(ctx, in.ID, in.IfMatch, in.change())
	if err != nil {
		return nil, err
	}
	c.SetETag(v.Tag)
	return wireServiceID(v, in.ShowGroupID), nil
}

func (a *API) deleteServiceID(ctx context.Context, _ *httpapi.Call, in *serviceIDRef) (*done, error) {
	return nil, a.ids.DeleteServiceID(ctx, in.ID)
}

func (a *API) lockServiceID(ctx context.Context, _ *httpapi.Call, in *serviceIDRef) (*done, error) {
	_, err := a.ids.LockServiceID(ctx, in.ID, true)
	return nil, err
}

func (a *API) unlockServiceID(ctx context.Context, _ *httpapi.Call, in *serviceIDRef) (*done, error) {
	_, err := a.ids.LockServiceID(ctx, in.ID, false)
	return nil, err
}
