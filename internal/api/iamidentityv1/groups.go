package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
)

func (a *API) groupRows() []httpapi.Operation {
	const all, one = "/v1/serviceid_groups", "/v1/serviceid_groups/{id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "list_service_id_group", "GET", all, 200, act("serviceid-group.list"), at[listGroupsIn](a), a.listGroups),
		httpapi.OldOp(Family, "create_service_id_group", "POST", all, 201, act("serviceid-group.create"), at[createGroupIn](a), a.createGroup),
		httpapi.OldOp(Family, "get_service_id_group", "GET", one, 200, act("serviceid-group.get"), at[groupRef](a), a.getGroup),
		httpapi.OldOp(Family, "update_service_id_group", "PUT", one, 200, act("serviceid-group.update"), at[updateGroupIn](a), a.updateGroup),
		httpapi.OldOp(Family, "delete_service_id_group", "DELETE", one, 204, act("serviceid-group.delete"), at[groupRef](a), a.deleteGroup),
	}
}

// ServiceIDGroup is the answer that shows a group.
type ServiceIDGroup struct {
	ID          string `json:"id"`
	EntityTag   string `json:"entity_tag"`
	AccountID   string `json:"account_id"`
	CRN         string `json:"crn"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	CreatedAt   string `json:"created_at"`
	CreatedBy   string `json:"created_by"`
	ModifiedAt  string `json:"modified_at"`
}

func wireGroup(g *identity.ServiceIDGroup) *ServiceIDGroup {
	return &ServiceIDGroup{
		ID: g.ID, EntityTag: g.Tag, AccountID: g.Account, CRN: g.CRN(), Name: g.Name, Description: g.Description,
		CreatedAt: stamp(g.CreatedAt), CreatedBy: g.CreatedBy, ModifiedAt: stamp(g.ModifiedAt),
	}
}

// ServiceIDGroupList holds the groups of an account.
type ServiceIDGroupList struct {
	Groups []*ServiceIDGroup `json:"serviceid_groups"`
}

// groupRef names a group in the path.
type groupRef struct {
	ID string `path:"id"`

	group *identity.ServiceIDGroup
}

func (r *groupRef) find(ctx context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	c.Seeks("ServiceIdGroup", r.ID)
	if r.group, err = a.ids.Group(ctx, r.ID); err != nil {
		return t, err
	}
	return target(r.group.Account, typeGroup, r.group.ID, "", ""), nil
}

type listGroupsIn struct {
	AccountID string `query:"account_id"`
}

// Validate demands the account.
func (in *listGroupsIn) Validate() error { return identity.CheckAccount("account_id", in.AccountID) }

func (in *listGroupsIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	c.Seeks("Account", in.AccountID)
	return target(in.AccountID, typeGroup, "", "", ""), nil
}

func (a *API) listGroups(ctx context.Context, _ *httpapi.Call, in *listGroupsIn) (*ServiceIDGroupList, error) {
	groups, err := a.ids.Groups(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	out := &ServiceIDGroupList{Groups: make([]*ServiceIDGroup, len(groups))}
	for i, g := range groups {
		out.Groups[i] = wireGroup(g)
	}
	return out, nil
}

type createGroupIn struct {
	Body struct {
		AccountID   string `json:"account_id"`
		Name        string `json:"name"`
		Description string `json:"description"`
	}
}

func (in *createGroupIn) spec() identity.NewGroup {
	return identity.NewGroup{Account: in.Body.AccountID, Name: in.Body.Name, Description: in.Body.Description}
}

// Validate checks the body.
func (in *createGroupIn) Validate() error {
	n := in.spec()
	return n.Validate()
}

func (in *createGroupIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	c.Seeks("Account", in.Body.AccountID)
	return target(in.Body.AccountID, typeGroup, "", "", ""), nil
}

func (a *API) createGroup(ctx context.Context, c *httpapi.Call, in *createGroupIn) (*ServiceIDGroup, error) {
	g, err := a.ids.CreateGroup(ctx, in.spec())
	if err != nil {
		return nil, err
	}
	c.SetETag(g.Tag)
	return wireGroup(g), nil
}

func (a *API) getGroup(_ context.Context, c *httpapi.Call, in *groupRef) (*ServiceIDGroup, error) {
	c.SetETag(in.group.Tag)
	return wireGroup(in.group), nil
}

type updateGroupIn struct {
	groupRef
	ifMatch
	Body struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
	}
}

func (in *updateGroupIn) change() identity.GroupChange {
	return identity.GroupChange{Name: in.Body.Name, Description: in.Body.Description}
}

// Validate checks precondition and body.
func (in *updateGroupIn) Validate() error {
	if err := in.present(); err != nil {
		return err
	}
	change := in.change()
	return change.Validate()
}

func (a *API) updateGroup(ctx context.Context, c *httpapi.Call, in *updateGroupIn) (*ServiceIDGroup, error) {
	g, err := a.ids.UpdateGroup(ctx, in.ID, in.IfMatch, in.change())
	if err != nil {
		return nil, err
	}
	c.SetETag(g.Tag)
	return wireGroup(g), nil
}

func (a *API) deleteGroup(ctx context.Context, _ *httpapi.Call, in *groupRef) (*done, error) {
	return nil, a.ids.DeleteGroup(ctx, in.ID)
}
