package iampolicymanagementv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/valid"
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
	ServiceGroupID string `query:"service_group_id"`
	// ServiceType is this server's own: the roles on all services of a type, "*"
	// for all there are.
	ServiceType string `query:"service_type"`
	// Clients that look for the roles of an authorization tell its source. A
	// target offers the same roles to each.
	SourceService string `query:"source_service_name"`
	PolicyType    string `query:"policy_type"`
}

func (in *listRolesIn) place() access.Place {
	return access.Place{Service: in.ServiceName, Group: in.ServiceGroupID, Type: in.ServiceType}
}

func (in *listRolesIn) check() error {
	if in.AccountID != "" {
		if err := checkAccount(in.AccountID); err != nil {
			return err
		}
	}
	switch t := in.ServiceType; {
	case in.ServiceName != "" && in.ServiceGroupID != "":
		return fault.Field("service_group_id", "Parameters 'service_name' and 'service_group_id' exclude each other.")
	case t != "" && (in.ServiceName != "" || in.ServiceGroupID != ""):
		return fault.Field("service_type", "Parameter 'service_type' excludes 'service_name' and 'service_group_id'.")
	case t != "" && t != "*" && t != policy.ServiceTypeService && t != policy.ServiceTypePlatform:
		return fault.Field("service_type", "Parameter 'service_type' must be service, platform_service or *.")
	}
	return nil
}

type roleList struct {
	CustomRoles  []*customRole `json:"custom_roles"`
	ServiceRoles []catalogRole `json:"service_roles"`
	SystemRoles  []catalogRole `json:"system_roles"`
}

func (a *API) listRoles(ctx context.Context, c *httpapi.Call, in *listRolesIn, _ httpapi.None) (*roleList, error) {
	out := &roleList{CustomRoles: []*customRole{}, ServiceRoles: []catalogRole{}, SystemRoles: []catalogRole{}}
	for _, r := range a.access.RolesAt(in.place()) {
		w := catalogRole{r.DisplayName, r.Description, r.Actions, r.CRN}
		if r.Kind == policy.RoleSystem {
			out.SystemRoles = append(out.SystemRoles, w)
		} else {
			out.ServiceRoles = append(out.ServiceRoles, w)
		}
	}
	if in.AccountID == "" {
		return out, nil
	}
	sight, err := c.Look(ctx, "iam-access-management.customRole.read", roleTarget(in.AccountID, ""))
	if err != nil || sight.Nothing() {
		return out, err
	}
	custom, err := a.access.CustomRolesAt(ctx, in.AccountID, in.place())
	if err != nil {
		return nil, err
	}
	for _, r := range custom {
		yes, err := sight.Sees(ctx, roleTarget(r.Account, r.ID))
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

// newRole is a role that was checked.
type newRole = valid.Of[access.RoleSpec]

func (a *API) findNewRole(_ context.Context, _ *httpapi.Call, in *createRoleIn) (newRole, httpapi.Target, error) {
	if err := checkAccount(in.Body.AccountID); err != nil {
		e := *fault.Of(err)
		e.Code = policy.CodeInvalidBody
		return newRole{}, httpapi.Target{}, &e
	}
	spec, err := valid.Check(a.access.RoleSpec(in.role()))
	return spec, roleTarget(in.Body.AccountID, ""), err
}

func (a *API) createRole(ctx context.Context, c *httpapi.Call, in *createRoleIn, spec newRole) (*customRole, error) {
	r, err := a.access.CreateRole(ctx, c, in.Body.AccountID, spec)
	return shownRole(c, r, err)
}

// shownRole words a role with its entity tag.
func shownRole(c *httpapi.Call, r *access.CustomRole, err error) (*customRole, error) {
	return httpapi.Shown(c, r, err, func(r *access.CustomRole) *customRole { return wireRole(c, r) })
}

type roleRef struct {
	RoleID string `path:"role_id"`
}

func (in roleRef) roleID() string { return in.RoleID }

// findRole finds a custom role.
func findRole[In interface{ roleID() string }](a *API,
) func(context.Context, *httpapi.Call, *In) (*access.CustomRole, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*access.CustomRole, httpapi.Target, error) {
		roleID := (*in).roleID()
		c.SeeksOr(access.NoRole(roleID))
		r, err := a.access.GetRole(ctx, roleID)
		if err != nil {
			return nil, httpapi.Target{}, err
		}
		return r, roleTarget(r.Account, r.ID), nil
	}
}

func (a *API) getRole(_ context.Context, c *httpapi.Call, _ *roleRef, r *access.CustomRole) (*customRole, error) {
	return shownRole(c, r, nil)
}

type replaceRoleIn struct {
	roleRef
	httpapi.Conditional
	Body struct {
		DisplayName string   `json:"display_name"`
		Description *string  `json:"description"`
		Actions     []string `json:"actions"`
	}
}

func (in replaceRoleIn) patch() access.RolePatch {
	return access.RolePatch{DisplayName: in.Body.DisplayName, Actions: in.Body.Actions, Description: in.Body.Description}
}

// changedRole is a role that was found, and what is to become of it.
type changedRole = httpapi.Given[*access.CustomRole, access.RolePatch]

func (a *API) replaceRole(ctx context.Context, c *httpapi.Call, in *replaceRoleIn, g changedRole) (*customRole, error) {
	r, err := a.access.UpdateRole(ctx, c, g.Found, in.IfMatch, g.Spec)
	return shownRole(c, r, err)
}

func (a *API) deleteRole(ctx context.Context, _ *httpapi.Call, _ *roleRef, r *access.CustomRole) (*httpapi.None, error) {
	return nil, a.access.DeleteRole(ctx, r)
}
