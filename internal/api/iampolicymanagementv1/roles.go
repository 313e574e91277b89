package iampolicymanagementv1

import (
	"context"
	"slices"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

// catalogRole is a role of the catalogue on the wire.
type catalogRole struct {
	DisplayName string   `json:"display_name"`
	Description string   `json:"description"`
	Actions     []string `json:"actions"`
	CRN         string   `json:"crn"`
}

// customRole is a custom role on the wire.
type customRole struct {
	meta
	catalogRole
	Name        string        `json:"name"`
	AccountID   string        `json:"account_id"`
	ServiceName string        `json:"service_name"`
	Template    *templateMark `json:"template,omitempty"`
}

func wireRole(c *httpapi.Call, r *access.CustomRole) *customRole {
	return &customRole{meta: wireMeta(&r.Meta, c.Base+"/v2/roles/"+r.ID), Name: r.Name, AccountID: r.Account, ServiceName: r.Service,
		catalogRole: catalogRole{r.DisplayName, r.Description, r.Actions, r.CRN()}, Template: wireMark(r.Template)}
}

type listRolesIn struct {
	AccountID      string `query:"account_id"`
	ServiceName    string `query:"service_name"`
	SourceService  string `query:"source_service_name"`
	PolicyType     string `query:"policy_type"`
	ServiceGroupID string `query:"service_group_id"`
}

// Validate checks the filters.
func (in *listRolesIn) Validate() error {
	if in.AccountID != "" {
		if err := checkAccount(in.AccountID); err != nil {
			return err
		}
	}
	if in.ServiceName != "" && in.ServiceGroupID != "" {
		return fault.Field("service_group_id", "Parameters 'service_name' and 'service_group_id' exclude each other.")
	}
	return nil
}

type roleList struct {
	CustomRoles  []*customRole `json:"custom_roles"`
	ServiceRoles []catalogRole `json:"service_roles"`
	SystemRoles  []catalogRole `json:"system_roles"`
}

func (a *API) listRoles(ctx context.Context, c *httpapi.Call, in *listRolesIn) (*roleList, error) {
	out := &roleList{CustomRoles: []*customRole{}, ServiceRoles: []catalogRole{}, SystemRoles: []catalogRole{}}
	for _, r := range a.access.CatalogRoles(in.ServiceName, in.ServiceGroupID, in.SourceService) {
		w := catalogRole{r.DisplayName, r.Description, r.Actions, r.CRN}
		if r.Kind == policy.RoleSystem {
			out.SystemRoles = append(out.SystemRoles, w)
		} else {
			out.ServiceRoles = append(out.ServiceRoles, w)
		}
	}
	if in.AccountID == "" || in.SourceService != "" {
		return out, nil
	}
	custom, err := a.access.ListRoles(ctx, in.AccountID, in.ServiceName)
	if err != nil {
		return nil, err
	}
	for _, r := range custom {
		if in.ServiceGroupID != "" && !a.access.InGroup(r.Service, in.ServiceGroupID) {
			continue
		}
		yes, err := c.May(ctx, "iam-access-management.customRole.read", roleTarget(r.Account, r.ID))
		if err != nil {
			return nil, err
		}
		if yes {
			out.CustomRoles = append(out.CustomRoles, wireRole(c, r))
		}
	}
	return out, nil
}

type createRoleIn struct {
	Body struct {
		Name        string   `json:"name"`
		AccountID   string   `json:"account_id"`
		ServiceName string   `json:"service_name"`
		DisplayName string   `json:"display_name"`
		Description string   `json:"description"`
		Actions     []string `json:"actions"`
	}
}

func (in *createRoleIn) role() *access.CustomRole {
	r := &access.CustomRole{DisplayName: in.Body.DisplayName, Service: in.Body.ServiceName, Actions: in.Body.Actions}
	r.Name, r.Description = in.Body.Name, in.Body.Description
	return r
}

func onNewRole(a *API) func(context.Context, *httpapi.Call, *createRoleIn) (httpapi.Target, error) {
	return func(_ context.Context, _ *httpapi.Call, in *createRoleIn) (httpapi.Target, error) {
		if err := checkAccount(in.Body.AccountID); err != nil {
			e := *fault.Of(err)
			e.Code = policy.CodeInvalidBody
			return httpapi.Target{}, &e
		}
		return roleTarget(in.Body.AccountID, ""), a.access.CheckRole(in.role())
	}
}

func (a *API) createRole(ctx context.Context, c *httpapi.Call, in *createRoleIn) (*customRole, error) {
	r, err := a.access.CreateRole(ctx, in.Body.AccountID, in.role())
	if err != nil {
		return nil, err
	}
	c.SetETag(r.Tag)
	return wireRole(c, r), nil
}

type roleIn struct {
	RoleID string `path:"role_id"`
}

func (in roleIn) roleID() string { return in.RoleID }

func (a *API) getRole(ctx context.Context, c *httpapi.Call, in *roleIn) (*customRole, error) {
	r, err := a.access.GetRole(ctx, in.RoleID)
	if err != nil {
		return nil, err
	}
	c.SetETag(r.Tag)
	return wireRole(c, r), nil
}

type replaceRoleIn struct {
	roleIn
	IfMatch string `header:"If-Match"`
	Body    struct {
		DisplayName string   `json:"display_name"`
		Description *string  `json:"description"`
		Actions     []string `json:"actions"`
	}
}

// Validate checks the precondition header.
func (in *replaceRoleIn) Validate() error { return needTag(in.IfMatch) }

// mayWiden refuses to add actions to a role that authorization policies name
// when the caller does not hold them on their targets: changing the role gives
// them to a service as creating the policy would.
func (a *API) mayWiden(ctx context.Context, c *httpapi.Call, roleID string, actions []string) error {
	r, err := a.access.GetRole(ctx, roleID)
	if err != nil {
		return err
	}
	more := slices.DeleteFunc(slices.Clone(actions), func(x string) bool { return slices.Contains(r.Actions, x) })
	if len(more) == 0 {
		return nil
	}
	policies, err := a.access.AuthorizationsWith(ctx, r)
	if err != nil {
		return err
	}
	for _, p := range policies {
		err := a.holds(ctx, c, &p.Doc, func(service string) []string {
			if service != r.Service {
				return nil
			}
			return more
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *API) replaceRole(ctx context.Context, c *httpapi.Call, in *replaceRoleIn) (*customRole, error) {
	if err := a.mayWiden(ctx, c, in.RoleID, in.Body.Actions); err != nil {
		return nil, err
	}
	r, err := a.access.UpdateRole(ctx, in.RoleID, in.IfMatch, access.RolePatch{
		DisplayName: in.Body.DisplayName, Actions: in.Body.Actions, Description: in.Body.Description})
	if err != nil {
		return nil, err
	}
	c.SetETag(r.Tag)
	return wireRole(c, r), nil
}

func (a *API) deleteRole(ctx context.Context, _ *httpapi.Call, in *roleIn) (*customRole, error) {
	return nil, a.access.DeleteRole(ctx, in.RoleID)
}
