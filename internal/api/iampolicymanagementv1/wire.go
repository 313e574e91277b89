package iampolicymanagementv1

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/document"
	"github.com/kagiban/kagiban/internal/store"
)

// meta is what every stored document carries on the wire.
type meta struct {
	ID             string `json:"id"`
	Href           string `json:"href,omitempty"`
	CreatedAt      string `json:"created_at"`
	CreatedByID    string `json:"created_by_id"`
	LastModifiedAt string `json:"last_modified_at"`
	LastModifiedBy string `json:"last_modified_by_id"`
}

func wireMeta(m *store.Meta, href string) meta {
	return meta{ID: m.ID, Href: href, CreatedAt: httpapi.Millis(m.CreatedAt), CreatedByID: m.CreatedBy,
		LastModifiedAt: httpapi.Millis(m.ModifiedAt), LastModifiedBy: m.ModifiedBy}
}

// templateMark is the template metadata of a managed policy.
type templateMark struct {
	ID           string `json:"id"`
	Version      string `json:"version"`
	AssignmentID string `json:"assignment_id"`
	RootID       string `json:"root_id,omitempty"`
	RootVersion  string `json:"root_version,omitempty"`
}

func wireMark(m *access.TemplateMark) *templateMark {
	if m == nil {
		return nil
	}
	return &templateMark{m.ID, m.Version, m.AssignmentID, m.RootID, m.RootVersion}
}

type v1Policy struct {
	meta
	*document.V1
	State    string        `json:"state"`
	Template *templateMark `json:"template,omitempty"`
}

type v2Policy struct {
	meta
	*document.V2
	State               string        `json:"state"`
	Template            *templateMark `json:"template,omitempty"`
	LastPermitAt        string        `json:"last_permit_at,omitempty"`
	LastPermitFrequency *int64        `json:"last_permit_frequency,omitempty"`
}

// href says through which API a policy is updated: Terraform decides by it.
func href(c *httpapi.Call, p *access.Policy) string {
	if p.Doc.Version == policy.V2 {
		return c.Base + "/v2/policies/" + p.ID
	}
	return c.Base + "/v1/policies/" + p.ID
}

// wireV1 shows a policy to a v1 client: a v2 policy only as a placeholder.
func wireV1(c *httpapi.Call, p *access.Policy, roles access.Roles) *v1Policy {
	out := &v1Policy{meta: wireMeta(&p.Meta, href(c, p)), State: string(p.Doc.State), Template: wireMark(p.Template)}
	if p.Doc.Version == policy.V2 {
		doc := p.Doc
		doc.Account = p.Account
		out.V1 = document.Placeholder(&doc)
		return out
	}
	out.V1 = document.ToV1(&p.Doc)
	nameRoles(out.V1.Roles, roles)
	return out
}

func (a *API) oneV1(ctx context.Context, c *httpapi.Call, p *access.Policy) (*v1Policy, error) {
	roles, err := a.access.RolesIn(ctx, p.Account)
	if err != nil {
		return nil, err
	}
	return wireV1(c, p, roles), nil
}

func (a *API) wireV2(c *httpapi.Call, p *access.Policy) *v2Policy {
	return &v2Policy{meta: wireMeta(&p.Meta, href(c, p)), V2: document.ToV2(&p.Doc), State: string(p.Doc.State),
		Template: wireMark(p.Template)}
}

// nameRoles fills in what a role id stands for.
func nameRoles(list []document.Role, roles access.Roles) {
	for i := range list {
		if r, ok := roles.Named(list[i].RoleID); ok {
			list[i].DisplayName, list[i].Description = r.DisplayName, r.Description
		}
	}
}

// Formats of v2 answers.
const (
	formatDisplay    = "display"
	formatLastPermit = "include_last_permit"
)

func checkFormat(format string) error {
	if format != "" && format != formatDisplay && format != formatLastPermit {
		return fault.Field("format", "Parameter 'format' must be %s or %s.", formatDisplay, formatLastPermit)
	}
	return nil
}

// decorate adds what a format asks for to policies of one account.
func (a *API) decorate(ctx context.Context, format, account string, stored []*access.Policy, out []*v2Policy) error {
	switch format {
	case formatDisplay:
		roles, err := a.access.RolesIn(ctx, account)
		if err != nil {
			return err
		}
		for i, p := range stored {
			if out[i].Control == nil {
				continue
			}
			list := out[i].Control.Grant.Roles
			nameRoles(list, roles)
			for j := range list {
				list[j].Actions = a.displayActions(p, list[j].RoleID, roles)
			}
		}
	case formatLastPermit:
		last, err := a.lastPermits(ctx, account, stored)
		if err != nil {
			return err
		}
		for i, p := range stored {
			used := last[p.ID]
			out[i].LastPermitFrequency = &used.Count
			if !used.Last.IsZero() {
				out[i].LastPermitAt = httpapi.Millis(used.Last)
			}
		}
	}
	return nil
}

// lastPermits gives the uses of policies: one read for one, one for many.
func (a *API) lastPermits(ctx context.Context, account string, of []*access.Policy) (map[string]store.Activity, error) {
	if len(of) != 1 {
		return a.access.LastPermits(ctx, account)
	}
	used, err := a.access.LastPermit(ctx, of[0])
	return map[string]store.Activity{of[0].ID: used}, err
}

// displayActions gives the actions of a role on the policy's service, or on all
// services of its group.
func (a *API) displayActions(p *access.Policy, roleID string, roles access.Roles) []document.Action {
	scope := policy.ScopeOf(&p.Doc)
	services := []string{scope.ServiceName}
	if scope.ServiceGroupID != "" {
		services = nil
		for _, s := range a.access.ServicesOf(scope.ServiceGroupID) {
			services = append(services, s.Name)
		}
	}
	out := []document.Action{}
	for _, service := range services {
		for _, action := range roles.Actions(service, roleID) {
			out = append(out, document.Action{ID: action.ID, DisplayName: action.DisplayName, Description: action.Description})
		}
	}
	slices.SortFunc(out, func(x, y document.Action) int { return strings.Compare(x.ID, y.ID) })
	return slices.CompactFunc(out, func(x, y document.Action) bool { return x.ID == y.ID })
}

// conflictsWith is the details of a 409: the whole policy in the way, in the
// schema of the API that was called, because clients update its roles instead.
type conflictsWith struct {
	ConflictsWith conflictRef `json:"conflicts_with"`
}

type conflictRef struct {
	ETag   string `json:"etag"`
	Policy any    `json:"policy,omitempty"`
	Role   string `json:"role,omitempty"`
}

// named gives an error with the object that is in the way as the schema of the
// called API shows it, if the caller may read it.
func (a *API) named(ctx context.Context, c *httpapi.Call, schema policy.Version, err error) error {
	var e *fault.Error
	if !errors.As(err, &e) {
		return err
	}
	conflict, ok := e.Body.(access.PolicyConflict)
	if !ok {
		return err
	}
	p, out := conflict.Existing, *e
	out.Body = nil
	if yes, denied := c.May(ctx, "iam.policy.read", policy.ScopeOf(&p.Doc)); denied != nil || !yes {
		return &out
	}
	ref := conflictRef{ETag: p.Tag, Policy: a.wireV2(c, p)}
	if schema == policy.V1 {
		if ref.Policy, err = a.asV1(ctx, c, p); err != nil {
			return err
		}
	}
	out.Body = conflictsWith{ref}
	return &out
}

// asV1 shows a policy to a v1 client that needs its attributes: a v2 policy
// whose attributes a v1 document can say is shown with them.
func (a *API) asV1(ctx context.Context, c *httpapi.Call, p *access.Policy) (*v1Policy, error) {
	shown := *p
	if p.Doc.Rule == nil && p.Doc.Pattern == "" {
		shown.Doc.Version = policy.V1
	}
	out, err := a.oneV1(ctx, c, &shown)
	if err == nil {
		out.Href = href(c, p)
	}
	return out, err
}
