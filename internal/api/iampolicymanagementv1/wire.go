package iampolicymanagementv1

import (
	"context"
	"time"

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
func (a *API) wireV1(c *httpapi.Call, p *access.Policy) *v1Policy {
	out := &v1Policy{meta: wireMeta(&p.Meta, href(c, p)), State: string(p.Doc.State), Template: wireMark(p.Template)}
	if p.Doc.Version == policy.V2 {
		doc := p.Doc
		doc.Account = p.Account
		out.V1 = document.Placeholder(&doc)
		return out
	}
	out.V1 = document.ToV1(&p.Doc)
	a.nameRoles(p.Account, out.V1.Roles)
	return out
}

func (a *API) wireV2(c *httpapi.Call, p *access.Policy) *v2Policy {
	return &v2Policy{meta: wireMeta(&p.Meta, href(c, p)), V2: document.ToV2(&p.Doc), State: string(p.Doc.State), Template: wireMark(p.Template)}
}

// nameRoles fills in what a role id stands for.
func (a *API) nameRoles(account string, roles []document.Role) {
	for i := range roles {
		if r, ok := a.access.RoleByCRN(account, roles[i].RoleID); ok {
			roles[i].DisplayName, roles[i].Description = r.DisplayName, r.Description
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

// decorate adds what a format asks for.
func (a *API) decorate(ctx context.Context, format string, stored []*access.Policy, out []*v2Policy) error {
	for i, p := range stored {
		switch format {
		case formatDisplay:
			if out[i].Control == nil {
				continue
			}
			roles := out[i].Control.Grant.Roles
			a.nameRoles(p.Account, roles)
			for j := range roles {
				roles[j].Actions = a.displayActions(p, roles[j].RoleID)
			}
		case formatLastPermit:
			last, err := a.access.LastPermit(ctx, p)
			if err != nil {
				return err
			}
			out[i].LastPermitFrequency = &last.Count
			if !last.Last.IsZero() {
				out[i].LastPermitAt = last.Last.UTC().Format(time.RFC3339)
			}
		}
	}
	return nil
}

func (a *API) displayActions(p *access.Policy, roleID string) []document.Action {
	out := []document.Action{}
	r, ok := a.access.RoleByCRN(p.Account, roleID)
	if !ok {
		return out
	}
	service := policy.ScopeOf(&p.Doc).ServiceName
	for _, id := range r.Actions {
		action, _ := a.access.Authority.Catalog().Action(service, id)
		out = append(out, document.Action{ID: id, DisplayName: action.DisplayName, Description: action.Description})
	}
	return out
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

func conflict(c *httpapi.Call, p *access.Policy) conflictsWith {
	a := &API{}
	ref := conflictRef{ETag: p.Tag}
	if c.URL != nil && len(c.URL.Path) > 3 && c.URL.Path[:4] == "/v2/" {
		ref.Policy = a.wireV2(c, p)
	} else {
		out := &v1Policy{meta: wireMeta(&p.Meta, href(c, p)), V1: document.ToV1(&p.Doc), State: string(p.Doc.State)}
		ref.Policy = out
	}
	return conflictsWith{ref}
}
