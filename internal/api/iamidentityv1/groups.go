package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) groupRows() []httpapi.Operation {
	const all, one = "/v1/serviceid_groups", "/v1/serviceid_groups/{id}"
	const action = "iam-identity.serviceid-group."
	return httpapi.Table(Family,
		httpapi.Op[listGroupsIn, httpapi.None, ServiceIDGroupList]{ID: "list_service_id_group", Method: "GET", Path: all, Status: 200,
			Action: action + "list", Find: a.findGroups, Do: a.listGroups},
		httpapi.Op[createGroupIn, valid.Of[identity.NewGroup], ServiceIDGroup]{ID: "create_service_id_group", Method: "POST", Path: all,
			Status: 201,
			Action: action + "create", Find: adding[createGroupIn](identity.GroupsIn), Do: a.createGroup},
		httpapi.Op[groupRef, *identity.ServiceIDGroup, ServiceIDGroup]{ID: "get_service_id_group", Method: "GET", Path: one, Status: 200,
			Action: action + "get", Find: findGroup[groupRef](a), Do: a.getGroup},
		httpapi.Op[updateGroupIn, groupChange, ServiceIDGroup]{ID: "update_service_id_group", Method: "PUT", Path: one, Status: 200,
			Action: action + "update", Check: (*updateGroupIn).present, Find: httpapi.Checking(updateGroupIn.spec, findGroup[updateGroupIn](a)),
			Do: a.updateGroup},
		httpapi.Op[groupRef, *identity.ServiceIDGroup, httpapi.None]{ID: "delete_service_id_group", Method: "DELETE", Path: one, Status: 204,
			Action: action + "delete", Find: findGroup[groupRef](a), Do: a.deleteGroup},
	)
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
}

func (r groupRef) group() string { return r.ID }

func findGroup[In interface{ group() string }](a *API) find[In, *identity.ServiceIDGroup] {
	return finding("ServiceIdGroup", In.group, a.ids.Group)
}

type listGroupsIn struct {
	AccountID string `query:"account_id"`
}

func (a *API) findGroups(_ context.Context, c *httpapi.Call, in *listGroupsIn) (httpapi.None, httpapi.Target, error) {
	if err := identity.CheckAccount("account_id", in.AccountID); err != nil {
		return httpapi.None{}, httpapi.Target{}, err
	}
	c.Seeks("Account", in.AccountID)
	return httpapi.None{}, identity.GroupsIn(in.AccountID), nil
}

func (a *API) listGroups(ctx context.Context, _ *httpapi.Call, in *listGroupsIn, _ httpapi.None) (*ServiceIDGroupList, error) {
	groups, err := a.ids.Groups(ctx, in.AccountID)
	return &ServiceIDGroupList{Groups: lists.Map(groups, wireGroup)}, err
}

type createGroupIn struct {
	Body struct {
		AccountID   string `json:"account_id"`
		Name        string `json:"name"`
		Description string `json:"description"`
	}
}

func (in createGroupIn) account() string { return in.Body.AccountID }

func (in createGroupIn) spec() identity.NewGroup {
	return identity.NewGroup{Account: in.Body.AccountID, Name: in.Body.Name, Description: in.Body.Description}
}

func (a *API) createGroup(ctx context.Context, c *httpapi.Call, _ *createGroupIn, n valid.Of[identity.NewGroup]) (*ServiceIDGroup, error) {
	g, err := a.ids.CreateGroup(ctx, n)
	return httpapi.Shown(c, g, err, wireGroup)
}

func (a *API) getGroup(_ context.Context, c *httpapi.Call, _ *groupRef, g *identity.ServiceIDGroup) (*ServiceIDGroup, error) {
	return httpapi.Shown(c, g, nil, wireGroup)
}

type updateGroupIn struct {
	groupRef
	ifMatch
	Body struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
	}
}

func (in updateGroupIn) spec() identity.GroupChange {
	return identity.GroupChange{Name: in.Body.Name, Description: in.Body.Description}
}

type groupChange = httpapi.Given[*identity.ServiceIDGroup, identity.GroupChange]

func (a *API) updateGroup(ctx context.Context, c *httpapi.Call, in *updateGroupIn, g groupChange) (*ServiceIDGroup, error) {
	group, err := a.ids.UpdateGroup(ctx, g.Found, in.IfMatch, g.Spec)
	return httpapi.Shown(c, group, err, wireGroup)
}

func (a *API) deleteGroup(ctx context.Context, _ *httpapi.Call, _ *groupRef, g *identity.ServiceIDGroup) (*httpapi.None, error) {
	return nil, a.ids.DeleteGroup(ctx, g)
}
