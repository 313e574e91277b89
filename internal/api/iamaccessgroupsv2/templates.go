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
	return &templatewire.Kind{Templates: a.templates, Name: kinds.Group}
}

// templateRows are the operations about templates and their assignments. Other
// than in the families beside it, updating a version answers 201 and committing
// takes a precondition.
func (a *API) templateRows() []httpapi.Operation {
	k := a.kind()
	const on, as = "iam-groups.group-template.", "iam-groups.group-assignment."
	const all, assignments = "/v1/group_templates", "/v1/group_assignments"
	const one, version, assigned = all + "/{template_id}", all + "/{template_id}/versions/{version_num}", assignments + "/{assignment_id}"
	return httpapi.Table(Family,
		httpapi.Op[createTemplateIn, template.Checked, templateOut]{ID: "create_template", Method: http.MethodPost, Path: all, Status: 201,
			Action: on + "create", Find: a.findNewTemplate, Do: a.createTemplate},
		httpapi.Op[listTemplatesIn, httpapi.None, templateList]{ID: "list_templates", Method: http.MethodGet, Path: all, Status: 200,
			Action: on + "read", Find: inAccount[listTemplatesIn], Do: a.listTemplates},
		httpapi.Op[newVersionIn, templatewire.Next, templateOut]{ID: "create_template_version", Method: http.MethodPost, Path: one + "/versions",
			Status: 201,
			Action: on + "create", Find: a.findNewVersion, Do: a.addVersion},
		httpapi.Op[listVersionsIn, *template.Template, versionList]{ID: "list_template_versions", Method: http.MethodGet,
			Path: one + "/versions", Status: 200,
			Action: on + "read", Find: templatewire.FindTemplate[listVersionsIn](k), Do: a.listVersions},
		httpapi.Op[versionIn, templatewire.Found, templateOut]{ID: "get_template_version", Method: http.MethodGet, Path: version, Status: 200,
			Action: on + "read", Find: templatewire.FindVersion[versionIn](k), Do: templatewire.Versioned(k, a.version)},
		httpapi.Op[updateVersionIn, templatewire.Found, templateOut]{ID: "update_template_version", Method: http.MethodPut, Path: version,
			Status: 201,
			Action: on + "update", Check: (*updateVersionIn).Present, Find: templatewire.FindVersion[updateVersionIn](k),
			Do: templatewire.Versioned(k, a.updateVersion)},
		httpapi.Op[versionIn, templatewire.Found, httpapi.None]{ID: "delete_template_version", Method: http.MethodDelete, Path: version,
			Status: 204,
			Action: on + "delete", Find: templatewire.FindVersion[versionIn](k), Do: templatewire.DeleteVersion[versionIn](k)},
		httpapi.Op[commitIn, templatewire.Found, httpapi.None]{ID: "commit_template", Method: http.MethodPost, Path: version + "/commit",
			Status: 204,
			Action: on + "update", Check: (*commitIn).Present, Find: templatewire.FindVersion[commitIn](k), Do: templatewire.Versioned(k, a.commit)},
		httpapi.Op[templateIn, templatewire.Found, templateOut]{ID: "get_latest_template_version", Method: http.MethodGet, Path: one, Status: 200,
			Action: on + "read", Find: templatewire.FindVersion[templateIn](k), Do: templatewire.Versioned(k, a.latest)},
		httpapi.Op[templateIn, *template.Template, httpapi.None]{ID: "delete_template", Method: http.MethodDelete, Path: one, Status: 204,
			Action: on + "delete", Find: templatewire.FindTemplate[templateIn](k), Do: templatewire.Delete[templateIn](k)},
		httpapi.Op[assignIn, *template.Template, assignmentOut]{ID: "create_assignment", Method: http.MethodPost, Path: assignments, Status: 202,
			Action: as + "create", Check: (*assignIn).check, Find: a.findAssigned, Do: a.assign},
		httpapi.Op[listAssignmentsIn, httpapi.None, assignmentList]{ID: "list_assignments", Method: http.MethodGet, Path: assignments,
			Status: 200,
			Action: as + "read", Find: inAccount[listAssignmentsIn], Do: a.listAssignments},
		httpapi.Op[assignmentIn, *template.Assignment, assignmentOut]{ID: "get_assignment", Method: http.MethodGet, Path: assigned, Status: 200,
			Action: as + "read", Find: templatewire.FindAssignment[assignmentIn](k), Do: a.assignment},
		httpapi.Op[reassignIn, *template.Assignment, assignmentOut]{ID: "update_assignment", Method: http.MethodPatch, Path: assigned,
			Status: 202,
			Action: as + "update", Check: (*reassignIn).check, Find: templatewire.FindAssignment[reassignIn](k), Do: a.reassign},
		httpapi.Op[assignmentIn, *template.Assignment, httpapi.None]{ID: "delete_assignment", Method: http.MethodDelete, Path: assigned,
			Status: 202,
			Action: as + "delete", Find: templatewire.FindAssignment[assignmentIn](k), Do: templatewire.Unassign[assignmentIn](k)},
	)
}

// templateBody is what clients send of a version.
type templateBody struct {
	Name        *string                  `json:"name"`
	AccountID   string                   `json:"account_id"`
	Description *string                  `json:"description"`
	Group       json.RawMessage          `json:"group"`
	References  []templatewire.Reference `json:"policy_template_references"`
}

// draft gives the domain form. Without a group the payload stays what it was
// before.
func (b *templateBody) draft(before json.RawMessage) (template.Draft, error) {
	d := template.Draft{Name: b.Name, Description: b.Description, Payload: before}
	if len(b.Group) > 0 && string(b.Group) != "null" {
		raw, err := json.Marshal(map[string]json.RawMessage{"group": b.Group})
		if err != nil {
			return d, fault.Field("group", "Property 'group' is malformed.")
		}
		d.Payload = raw
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
	Group       json.RawMessage          `json:"group"`
	References  []templatewire.Reference `json:"policy_template_references"`
	stamped
}

// groupHead is what is shown of the group where its details were not asked for,
// or nothing was said of it: clients take it for granted that a template has one.
type groupHead struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// wireTemplate shows a version; its href is that of the template, whichever version it is.
func (a *API) wireTemplate(c *httpapi.Call, t *template.Template, v *template.Version, group bool) (*templateOut, error) {
	out := &templateOut{ID: t.ID, Name: t.Name, Description: v.Description, AccountID: t.Account,
		Version: strconv.Itoa(v.Number), Committed: v.Committed,
		References: templatewire.Shown(v), stamped: wireStamps(&v.Meta, c.Base+"/v1/group_templates/"+t.ID)}
	var payload struct {
		Group json.RawMessage `json:"group"`
	}
	if err := json.Unmarshal(v.Payload, &payload); err != nil {
		return nil, fault.Wrap(err, "reading stored template")
	}
	out.Group = payload.Group
	if group && out.Group != nil {
		return out, nil
	}
	var head groupHead
	if out.Group != nil {
		if err := json.Unmarshal(out.Group, &head); err != nil {
			return nil, fault.Wrap(err, "reading stored template")
		}
	}
	var err error
	out.Group, err = json.Marshal(head)
	return out, err
}

// shownTemplate words a version that was read or written, under its entity tag.
func (a *API) shownTemplate(c *httpapi.Call, t *template.Template, v *template.Version, err error) (*templateOut, error) {
	if err != nil {
		return nil, err
	}
	c.SetETag(v.Tag)
	return a.wireTemplate(c, t, v, true)
}

type templateIn struct {
	templatewire.OfTemplate
	Verbose bool `query:"verbose"`
}

// VersionNumber says that the latest version is meant.
func (templateIn) VersionNumber() string { return "" }

type createTemplateIn struct{ Body templateBody }

func (a *API) findNewTemplate(_ context.Context, _ *httpapi.Call, in *createTemplateIn) (found template.Checked, target httpapi.Target,
	err error) {
	if target, err = accountTarget(in.Body.AccountID); err != nil {
		return found, target, err
	}
	d, err := in.Body.draft(nil)
	if err == nil {
		found, err = a.templates.CheckNew(kinds.Group, d)
	}
	return found, target, err
}

func (a *API) createTemplate(ctx context.Context, c *httpapi.Call, in *createTemplateIn, found template.Checked) (*templateOut, error) {
	t, v, err := a.templates.Create(ctx, c, in.Body.AccountID, found)
	return a.shownTemplate(c, t, v, err)
}

type newVersionIn struct {
	templatewire.OfTemplate
	Body templateBody
}

func (a *API) findNewVersion(ctx context.Context, c *httpapi.Call, in *newVersionIn) (next templatewire.Next, target httpapi.Target,
	err error) {
	d, err := in.Body.draft(nil)
	if err != nil {
		return next, target, err
	}
	return a.kind().FindNext(ctx, c, in.TemplateID, d)
}

func (a *API) addVersion(ctx context.Context, c *httpapi.Call, _ *newVersionIn, next templatewire.Next) (*templateOut, error) {
	t, v, err := a.templates.AddVersion(ctx, c, next.Template, next.Version)
	return a.shownTemplate(c, t, v, err)
}

type versionIn struct {
	templatewire.OfTemplate
	Version string `path:"version_num"`
	Verbose bool   `query:"verbose"`
}

// VersionNumber is that of the version that is meant.
func (in versionIn) VersionNumber() string { return in.Version }

func (a *API) version(_ context.Context, c *httpapi.Call, _ *versionIn, found templatewire.Found) (*templateOut, error) {
	return a.shownTemplate(c, found.Template, found.Version, nil)
}

func (a *API) latest(_ context.Context, c *httpapi.Call, _ *templateIn, found templatewire.Found) (*templateOut, error) {
	return a.shownTemplate(c, found.Template, found.Version, nil)
}

type updateVersionIn struct {
	versionIn
	httpapi.Conditional
	Body templateBody
}

// updateVersion reads the change here, after the decision: what it does not say
// stays as the version has it.
func (a *API) updateVersion(ctx context.Context, c *httpapi.Call, in *updateVersionIn, found templatewire.Found) (*templateOut, error) {
	d, err := in.Body.draft(found.Version.Payload)
	if err != nil {
		return nil, err
	}
	t, v, err := a.kind().Update(ctx, c, found, in.IfMatch, d)
	return a.shownTemplate(c, t, v, err)
}

type commitIn struct {
	versionIn
	httpapi.Conditional
}

func (a *API) commit(ctx context.Context, _ *httpapi.Call, in *commitIn, found templatewire.Found) (*httpapi.None, error) {
	return nil, a.templates.Commit(ctx, found.Template, found.Version, in.IfMatch)
}

// offsetIn is the paging of the lists about templates.
type offsetIn struct {
	lists.OffsetIn
	Verbose bool `query:"verbose"`
}

// page gives a page of templates, versions or assignments, oldest first, as wire
// words them.
func page[T, W any](ctx context.Context, a *API, c *httpapi.Call, in lists.OffsetIn, all []*T, wire func(*T) (*W, error)) (
	head lists.Offsets, items []*W, err error) {
	head, part, err := lists.ByOffset(ctx, a.pages, lists.Sorted(all, store.ByCreated, false), in, c.Base, c.URL)
	if err == nil {
		items, err = lists.TryMap(part, wire)
	}
	return head, items, err
}

type listTemplatesIn struct {
	accountParam
	offsetIn
}

type templateList struct {
	lists.Offsets
	Templates []*templateOut `json:"group_templates"`
}

func (a *API) listTemplates(ctx context.Context, c *httpapi.Call, in *listTemplatesIn, _ httpapi.None) (*templateList, error) {
	all, err := a.templates.List(ctx, kinds.Group, in.AccountID)
	if err != nil {
		return nil, err
	}
	head, items, err := page(ctx, a, c, in.OffsetIn, all, func(t *template.Template) (*templateOut, error) {
		v, err := a.templates.Version(ctx, t, 0)
		if err != nil {
			return nil, err
		}
		return a.wireTemplate(c, t, v, in.Verbose)
	})
	return &templateList{head, items}, err
}

type listVersionsIn struct {
	templateIn
	lists.OffsetIn
}

type versionList struct {
	lists.Offsets
	Versions []*templateOut `json:"group_template_versions"`
}

func (a *API) listVersions(ctx context.Context, c *httpapi.Call, in *listVersionsIn, t *template.Template) (*versionList, error) {
	all, err := a.templates.ListVersions(ctx, t)
	if err != nil {
		return nil, err
	}
	head, items, err := page(ctx, a, c, in.OffsetIn, all, func(v *template.Version) (*templateOut, error) {
		return a.wireTemplate(c, t, v, true)
	})
	return &versionList{head, items}, err
}
