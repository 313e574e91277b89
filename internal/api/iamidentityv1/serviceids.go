package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) serviceIDRows() []httpapi.Operation {
	const all, one = "/v1/serviceids", "/v1/serviceids/{id}"
	const read, update, remove = "iam-identity.serviceid.get", "iam-identity.serviceid.update", "iam-identity.serviceid.delete"
	return httpapi.Table(Family,
		httpapi.Op[listServiceIDsIn, *identity.Listing[identity.ServiceID], ServiceIDList]{ID: "list_service_ids", Method: "GET",
			Path: all, Status: 200,
			Action: read, Find: a.findServiceIDs, Do: a.listServiceIDs},
		httpapi.Op[createServiceIDIn, httpapi.None, ServiceID]{ID: "create_service_id", Method: "POST", Path: all, Status: 201,
			Self: "every member of an account may create service IDs unless the account restricts it; package identity asks then",
			Do:   a.createServiceID},
		httpapi.Op[getServiceIDIn, *identity.ServiceID, ServiceID]{ID: "get_service_id", Method: "GET", Path: one, Status: 200,
			Action: read, Find: findServiceID[getServiceIDIn](a), Do: a.getServiceID},
		httpapi.Op[updateServiceIDIn, serviceIDChange, ServiceID]{ID: "update_service_id", Method: "PUT", Path: one, Status: 200,
			Action: update, Check: (*updateServiceIDIn).present, Find: httpapi.Checking(updateServiceIDIn.spec,
				findServiceID[updateServiceIDIn](a)), Do: a.updateServiceID},
		httpapi.Op[serviceIDRef, *identity.ServiceID, httpapi.None]{ID: "delete_service_id", Method: "DELETE", Path: one, Status: 204,
			Action: remove, Find: findServiceID[serviceIDRef](a), Do: a.deleteServiceID},
		httpapi.Op[serviceIDRef, *identity.ServiceID, httpapi.None]{ID: "lock_service_id", Method: "POST", Path: one + "/lock", Status: 204,
			Action: update, Find: findServiceID[serviceIDRef](a), Do: a.lockServiceID(true)},
		httpapi.Op[serviceIDRef, *identity.ServiceID, httpapi.None]{ID: "unlock_service_id", Method: "DELETE", Path: one + "/lock", Status: 204,
			Action: update, Find: findServiceID[serviceIDRef](a), Do: a.lockServiceID(false)},
	)
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
}

func (r serviceIDRef) serviceID() string { return r.ID }

func findServiceID[In interface{ serviceID() string }](a *API) find[In, *identity.ServiceID] {
	return finding("ServiceId", In.serviceID, a.ids.ServiceID)
}

type listServiceIDsIn struct {
	listIn
	GroupID     string `query:"group_id"`
	Name        string `query:"name"`
	ShowGroupID bool   `query:"show_group_id"`
}

func (a *API) findServiceIDs(_ context.Context, c *httpapi.Call, in *listServiceIDsIn) (l *identity.Listing[identity.ServiceID],
	t httpapi.Target, err error) {
	q := in.query()
	q.Group, q.Name = in.GroupID, in.Name
	if l, err = a.ids.ServiceIDListing(q); err != nil {
		return nil, t, err
	}
	c.Seeks("Account", l.Account())
	return l, identity.ServiceIDsIn(l.Account()), nil
}

func (a *API) listServiceIDs(ctx context.Context, _ *httpapi.Call, in *listServiceIDsIn,
	l *identity.Listing[identity.ServiceID]) (*ServiceIDList, error) {
	found, err := a.ids.ListServiceIDs(ctx, l)
	if err != nil {
		return nil, err
	}
	list, err := lists.TryMap(found.Items, func(v *identity.ServiceID) (out *ServiceID, err error) {
		out = wireServiceID(v, in.ShowGroupID)
		out.History, err = a.history(ctx, in.IncludeHistory, identity.ServiceIDs.Kind(), &v.Meta)
		return out, err
	})
	return &ServiceIDList{paging(a, "/v1/serviceids/", found), list}, err
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

func (a *API) createServiceID(ctx context.Context, c *httpapi.Call, in *createServiceIDIn, _ httpapi.None) (*ServiceID, error) {
	n, err := valid.Check(in.spec())
	if err != nil {
		return nil, err
	}
	v, key, value, err := a.ids.CreateServiceID(ctx, c, n)
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

type getServiceIDIn struct {
	serviceIDRef
	IncludeHistory  bool `query:"include_history"`
	IncludeActivity bool `query:"include_activity"`
	ShowGroupID     bool `query:"show_group_id"`
}

func (a *API) getServiceID(ctx context.Context, c *httpapi.Call, in *getServiceIDIn, v *identity.ServiceID) (out *ServiceID, err error) {
	c.SetETag(v.Tag)
	out = wireServiceID(v, in.ShowGroupID)
	if out.History, err = a.history(ctx, in.IncludeHistory, identity.ServiceIDs.Kind(), &v.Meta); err != nil {
		return nil, err
	}
	out.Activity, err = a.activity(ctx, c, in.IncludeActivity, &v.Meta, v.Resource())
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

func (in updateServiceIDIn) spec() identity.ServiceIDChange {
	return identity.ServiceIDChange{Name: in.Body.Name, Description: in.Body.Description, UniqueInstanceCRNs: in.Body.UniqueInstanceCRNs}
}

type serviceIDChange = httpapi.Given[*identity.ServiceID, identity.ServiceIDChange]

func (a *API) updateServiceID(ctx context.Context, c *httpapi.Call, in *updateServiceIDIn, g serviceIDChange) (*ServiceID, error) {
	v, err := a.ids.UpdateServiceID(ctx, g.Found, in.IfMatch, g.Spec)
	if err != nil {
		return nil, err
	}
	c.SetETag(v.Tag)
	return wireServiceID(v, in.ShowGroupID), nil
}

func (a *API) deleteServiceID(ctx context.Context, _ *httpapi.Call, _ *serviceIDRef, v *identity.ServiceID) (*httpapi.None, error) {
	return nil, a.ids.DeleteServiceID(ctx, v)
}

func (a *API) lockServiceID(lock bool) func(context.Context, *httpapi.Call, *serviceIDRef, *identity.ServiceID) (*httpapi.None, error) {
	return func(ctx context.Context, _ *httpapi.Call, _ *serviceIDRef, v *identity.ServiceID) (*httpapi.None, error) {
		_, err := a.ids.LockServiceID(ctx, v, lock)
		return nil, err
	}
}
