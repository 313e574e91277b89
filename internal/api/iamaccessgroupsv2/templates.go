package iamaccessgroupsv2

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/kagiban/kagiban/internal/api/templatewire"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// kind is that of the templates of this family.
func (a *API) kind() *templatewire.Kind {
	return &templatewire.Kind{Templates: a.templates, Name: kinds.Group, Service: "iam-groups"}
}

// templateRows are the operations about templates and their assignments. Other
// than in the families beside it, updating a version answers 201 and committing
// takes a precondition.
func (a *API) templateRows() []httpapi.Operation {
	on := func(verb string) httpapi.Access { return httpapi.Action("iam-groups.group-template." + verb) }
	as := func(verb string) httpapi.Access { return httpapi.Action("iam-groups.group-assignment." + verb) }
	k := a.kind()
	const all, assignments = "/v1/group_templates", "/v1/group_assignments"
	const one, version, assigned = all + "/{template_id}", all + "/{template_id}/versions/{version_num}", assignments + "/{assignment_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "create_template", http.MethodPost, all, 201, on("create"), a.onNewTemplate, a.createTemplate),
		httpapi.OldOp(Family, "list_templates", http.MethodGet, all, 200, on("read"), inTemplates, a.listTemplates),
		httpapi.OldOp(Family, "create_template_version", http.MethodPost, one+"/versions", 201, on("create"), templatewire.OnTemplate[newVersionIn](k), a.addVersion),
		httpapi.OldOp(Family, "list_template_versions", http.MethodGet, one+"/versions", 200, on("read"), templatewire.OnTemplate[listVersionsIn](k), a.listVersions),
		httpapi.OldOp(Family, "get_template_version", http.MethodGet, version, 200, on("read"), templatewire.OnTemplate[versionIn](k), a.version),
		httpapi.OldOp(Family, "update_template_version", http.MethodPut, version, 201, on("update"), templatewire.OnTemplate[updateVersionIn](k), a.updateVersion),
		httpapi.OldOp(Family, "delete_template_version", http.MethodDelete, version, 204, on("delete"), templatewire.OnTemplate[versionIn](k), a.deleteVersion),
		httpapi.OldOp(Family, "commit_template", http.MethodPost, version+"/commit", 204, on("update"), templatewire.OnTemplate[commitIn](k), a.commit),
		httpapi.OldOp(Family, "get_latest_template_version", http.MethodGet, one, 200, on("read"), templatewire.OnTemplate[templateIn](k), a.latest),
		httpapi.OldOp(Family, "delete_template", http.MethodDelete, one, 204, on("delete"), templatewire.OnTemplate[templateIn](k), a.deleteTemplate),
		httpapi.OldOp(Family, "create_assignment", http.MethodPost, assignments, 202, as("create"), a.onAssigned, a.assign),
		httpapi.OldOp(Family, "list_assignments", http.MethodGet, assignments, 200, as("read"), inAssignments, a.listAssignments),
		httpapi.OldOp(Family, "get_assignment", http.MethodGet, assigned, 200, as("read"), templatewire.OnAssignment[assignmentIn](k), a.assignment),
		httpapi.OldOp(Family, "update_assignment", http.MethodPatch, assigned, 202, as("update"), templatewire.OnAssignment[reassignIn](k), a.reassign),
		httpapi.OldOp(Family, "delete_assignment", http.MethodDelete, assigned, 202, as("delete"), templatewire.OnAssignment[assignmentIn](k), a.unassign),
	}
}

// templateBody is what clients send of a version.
type templateBody struct {
	Name        *string                  `json:"name"`
	AccountID   string                   `json:"account_id"`
	Description *string                  `json:"description"`
	Group       json.RawMessage          `json:"group"`
	References  []templatewire.Reference `json:"policy_template_references"`
}

// draft gives the domain form. Without a group the payload stays as it is, or
// empty in a new template.
func (b *templateBody) draft(fresh bool) (template.Draft, error) {
	d := template.Draft{Name: b.Name, Description: b.Description}
	if len(b.Group) > 0 && string(b.Group) != "null" {
		raw, err := json.Marshal(map[string]json.RawMessage{"group": b.Group})
		if err != nil {
			return d, fault.Field("group", "Property 'group' is malformed.")
		}
		d.Payload = raw
	} else if fresh {
		d.Payload = json.RawMessage("{}")
	}
	var err error
	d.References, err = templatewire.Sent(b.References)
	return d, err
}

// stamped are the dates of templates and assignments.
type stamped struct {
	Href           string `json:"href"`
	CreatedAt      string `json:"created_at"`
	CreatedByID    string `json:"created_by_id"`
	LastModifiedAt string `json:"last_modified_at"`
	LastModifiedBy string `json:"last_modified_by_id"`
}

func wireStamps(m *store.Meta, href string) stamped {
	return stamped{href, httpapi.Millis(m.CreatedAt), m.CreatedBy, httpapi.Millis(m.ModifiedAt), m.ModifiedBy}
}

// templateOut is a version on the wire; versions are texts here.
type templateOut struct {
	ID          string                   `json:"id"`
	Name        string                   `json:"name"`
	Description string                   `json:"description"`
	AccountID   string                   `json:"account_id"`
	Version     string                   `json:"version"`
	Committed   bool                     `json:"committed"`
	Group       json.RawMessage          `json:"group,omitempty"`
	References  []templatewire.Reference `json:"policy_template_references"`
	stamped
}

func (a *API) wireTemplate(c *httpapi.Call, t *template.Template, v *template.Version, group bool) (*templateOut, error) {
	number := strconv.Itoa(v.Number)
	out := &templateOut{ID: t.ID, Name: t.Name, Description: v.Description, AccountID: t.Account, Version: number, Committed: v.Committed,
		References: templatewire.Shown(v), stamped: wireStamps(&v.Meta, c.Base+"/v1/group_templates/"+t.ID+"/versions/"+number)}
	if !group {
		return out, nil
	}
	var payload struct {
		Group json.RawMessage `json:"group"`
	}
	if err := json.Unmarshal(v.Payload, &payload); err != nil {
		return nil, fault.Wrap(err, "reading stored template")
	}
	out.Group = payload.Group
	return out, nil
}

func (a *API) shownTemplate(c *httpapi.Call, t *template.Template, v *template.Version) (*templateOut, error) {
	c.SetETag(v.Tag)
	return a.wireTemplate(c, t, v, true)
}

type templateIn struct {
	templatewire.OfTemplate
	Verbose bool `query:"verbose"`
}

type createTemplateIn struct{ Body templateBody }

func (in *createTemplateIn) accountID() string { return in.Body.AccountID }

func (a *API) onNewTemplate(ctx context.Context, c *httpapi.Call, in *createTemplateIn) (httpapi.Target, error) {
	t, err := inAccount(ctx, c, in)
	if err != nil {
		return t, err
	}
	d, err := in.Body.draft(true)
	if err != nil {
		return t, err
	}
	if d.Name == nil {
		return t, fault.Missing("name")
	}
	return t, a.templates.Check(ctx, kinds.Group, in.Body.AccountID, d)
}

func (a *API) createTemplate(ctx context.Context, c *httpapi.Call, in *createTemplateIn) (*templateOut, error) {
	d, err := in.Body.draft(true)
	if err != nil {
		return nil, err
	}
	t, v, err := a.templates.Create(ctx, kinds.Group, in.Body.AccountID, d)
	if err != nil {
		return nil, err
	}
	return a.shownTemplate(c, t, v)
}

type newVersionIn struct {
	templateIn
	Body templateBody
}

func (a *API) addVersion(ctx context.Context, c *httpapi.Call, in *newVersionIn) (*templateOut, error) {
	d, err := in.Body.draft(true)
	if err != nil {
		return nil, err
	}
	if err := a.templates.Check(ctx, kinds.Group, "", d); err != nil {
		return nil, err
	}
	t, v, err := a.templates.AddVersion(ctx, kinds.Group, in.TemplateID, d)
	if err != nil {
		return nil, err
	}
	return a.shownTemplate(c, t, v)
}

type versionIn struct {
	templateIn
	Version string `path:"version_num"`
}

func (a *API) readVersion(ctx context.Context, c *httpapi.Call, templateID, number string) (*templateOut, error) {
	t, v, err := a.kind().Read(ctx, templateID, number)
	if err != nil {
		return nil, err
	}
	return a.shownTemplate(c, t, v)
}

func (a *API) version(ctx context.Context, c *httpapi.Call, in *versionIn) (*templateOut, error) {
	return a.readVersion(ctx, c, in.TemplateID, in.Version)
}

func (a *API) latest(ctx context.Context, c *httpapi.Call, in *templateIn) (*templateOut, error) {
	return a.readVersion(ctx, c, in.TemplateID, "")
}

type updateVersionIn struct {
	versionIn
	IfMatch string `header:"If-Match"`
	Body    templateBody
}

// Validate checks the precondition header.
func (in *updateVersionIn) Validate() error {
	if in.IfMatch == "" {
		return fault.Missing("If-Match")
	}
	return nil
}

func (a *API) updateVersion(ctx context.Context, c *httpapi.Call, in *updateVersionIn) (*templateOut, error) {
	d, err := in.Body.draft(false)
	if err != nil {
		return nil, err
	}
	number, err := templatewire.Number(in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	t, v, err := a.templates.UpdateVersion(ctx, kinds.Group, in.TemplateID, number, in.IfMatch, d)
	if err != nil {
		return nil, err
	}
	return a.shownTemplate(c, t, v)
}

func (a *API) deleteVersion(ctx context.Context, _ *httpapi.Call, in *versionIn) (*templateOut, error) {
	number, err := templatewire.Number(in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	return nil, a.templates.DeleteVersion(ctx, kinds.Group, in.TemplateID, number)
}

type commitIn struct {
	versionIn
	IfMatch string `header:"If-Match"`
}

// Validate checks the precondition header.
func (in *commitIn) Validate() error {
	if in.IfMatch == "" {
		return fault.Missing("If-Match")
	}
	return nil
}

func (a *API) commit(ctx context.Context, _ *httpapi.Call, in *commitIn) (*templateOut, error) {
	number, err := templatewire.Number(in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	return nil, a.templates.Commit(ctx, kinds.Group, in.TemplateID, number, in.IfMatch)
}

func (a *API) deleteTemplate(ctx context.Context, _ *httpapi.Call, in *templateIn) (*templateOut, error) {
	return nil, a.templates.Delete(ctx, kinds.Group, in.TemplateID)
}

// offsetIn is the paging of the lists about templates.
type offsetIn struct {
	Limit   *int `query:"limit"`
	Offset  *int `query:"offset"`
	Verbose bool `query:"verbose"`
}

type listTemplatesIn struct {
	accountParam
	offsetIn
}

func inTemplates(ctx context.Context, c *httpapi.Call, in *listTemplatesIn) (httpapi.Target, error) {
	return inAccount(ctx, c, in)
}

type templateList struct {
	lists.Offsets
	Templates []*templateOut `json:"group_templates"`
}

func (a *API) listTemplates(ctx context.Context, c *httpapi.Call, in *listTemplatesIn) (*templateList, error) {
	all, err := a.templates.List(ctx, kinds.Group, in.AccountID)
	if err != nil {
		return nil, err
	}
	head, from, to, err := lists.ByOffset(c.Base, c.URL, in.Limit, in.Offset, len(all))
	if err != nil {
		return nil, err
	}
	out := &templateList{Offsets: head, Templates: []*templateOut{}}
	for _, t := range all[from:to] {
		v, err := a.templates.Version(ctx, t, 0)
		if err != nil {
			return nil, err
		}
		w, err := a.wireTemplate(c, t, v, in.Verbose)
		if err != nil {
			return nil, err
		}
		out.Templates = append(out.Templates, w)
	}
	return out, nil
}

type listVersionsIn struct {
	templateIn
	Limit  *int `query:"limit"`
	Offset *int `query:"offset"`
}

type versionList struct {
	lists.Offsets
	Versions []*templateOut `json:"group_template_versions"`
}

func (a *API) listVersions(ctx context.Context, c *httpapi.Call, in *listVersionsIn) (*versionList, error) {
	t, err := a.templates.Template(ctx, kinds.Group, in.TemplateID)
	if err != nil {
		return nil, err
	}
	all, err := a.templates.ListVersions(ctx, t)
	if err != nil {
		return nil, err
	}
	head, from, to, err := lists.ByOffset(c.Base, c.URL, in.Limit, in.Offset, len(all))
	if err != nil {
		return nil, err
	}
	out := &versionList{Offsets: head, Versions: []*templateOut{}}
	for _, v := range all[from:to] {
		w, err := a.wireTemplate(c, t, v, true)
		if err != nil {
			return nil, err
		}
		out.Versions = append(out.Versions, w)
	}
	return out, nil
}
