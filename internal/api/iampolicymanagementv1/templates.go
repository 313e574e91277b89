package iampolicymanagementv1

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/api/templatewire"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// templated serves the operations of one kind of template. The three kinds of
// this API differ in names and payload only.
type templated struct {
	*API
	templatewire.Kind        // its Name is the payload's property, too, and the noun of paths and operations
	noun              string // in IAM actions
}

// templateRows are the operations about templates and their assignments.
func (a *API) templateRows() []httpapi.Operation {
	var rows []httpapi.Operation
	for _, t := range []*templated{{noun: "policy"}, {noun: "action-control"}, {noun: "role"}} {
		t.API, t.Kind = a, templatewire.Kind{Templates: a.templates, Name: strings.ReplaceAll(t.noun, "-", "_")}
		t.Word = func(about string, e *fault.Error) { word(t.Name, about, e) }
		rows = append(rows, t.rows()...)
	}
	return rows
}

// word gives the error of an operation on a template or an assignment the code
// that the SDK knows, such as policy_assignment_conflict_error.
func word(kind, about string, e *fault.Error) {
	if about == templatewire.Assigning {
		about = templatewire.Assignment
		if e.Kind == fault.NotFound {
			about = templatewire.Template
		}
	}
	switch e.Kind {
	case fault.NotFound:
		e.Code, e.Details = kind+"_"+about+"_not_found", ""
	case fault.Conflict, fault.Stale:
		e.Code = kind + "_" + about + "_conflict_error"
	case fault.State:
		e.Code = "unable_to_process"
	}
}

func (t *templated) templatesPath() string   { return "/v1/" + t.Name + "_templates" }
func (t *templated) assignmentsPath() string { return "/v1/" + t.Name + "_assignments" }

func (t *templated) rows() []httpapi.Operation {
	k := &t.Kind
	on, as := "iam-access-management."+t.noun+"-template.", "iam-access-management."+t.noun+"-assignment."
	all, one, assignments := t.templatesPath(), t.templatesPath()+"/{template_id}", t.assignmentsPath()
	version, assigned := one+"/versions/{version}", assignments+"/{assignment_id}"
	return httpapi.Table(Family,
		httpapi.Op[listTemplatesIn, httpapi.None, templateList]{ID: "list_" + t.Name + "_templates", Method: http.MethodGet, Path: all,
			Status: 200,
			Action: on + "read", Check: (*listTemplatesIn).check, Find: findList[listTemplatesIn](t), Do: t.list},
		httpapi.Op[createTemplateIn, template.Checked, templateOut]{ID: "create_" + t.Name + "_template", Method: http.MethodPost, Path: all,
			Status: 201,
			Action: on + "create", Find: t.findNew, Do: templatewire.Worded(k, templatewire.Template, t.create)},
		httpapi.Op[templateIn, templatewire.Found, templateOut]{ID: "get_" + t.Name + "_template", Method: http.MethodGet, Path: one, Status: 200,
			Action: on + "read", Find: templatewire.FindVersion[templateIn](k), Do: templatewire.Versioned(k, t.latest)},
		httpapi.Op[templateIn, *template.Template, httpapi.None]{ID: "delete_" + t.Name + "_template", Method: http.MethodDelete, Path: one,
			Status: 204,
			Action: on + "delete", Find: templatewire.FindTemplate[templateIn](k), Do: templatewire.Delete[templateIn](k)},
		httpapi.Op[newVersionIn, templatewire.Found, templateOut]{ID: "create_" + t.Name + "_template_version", Method: http.MethodPost,
			Path: one + "/versions", Status: 201,
			Action: on + "create", Find: templatewire.FindVersion[newVersionIn](k), Do: templatewire.Versioned(k, t.addVersion)},
		httpapi.Op[listVersionsIn, *template.Template, templateList]{ID: "list_" + t.Name + "_template_versions", Method: http.MethodGet,
			Path: one + "/versions", Status: 200,
			Action: on + "read", Check: (*listVersionsIn).check, Find: templatewire.FindTemplate[listVersionsIn](k),
			Do: templatewire.Worded(k, templatewire.Template, t.listVersions)},
		httpapi.Op[replaceVersionIn, templatewire.Found, templateOut]{ID: "replace_" + t.Name + "_template", Method: http.MethodPut,
			Path: version, Status: 200,
			Action: on + "update", Check: (*replaceVersionIn).Present, Find: templatewire.FindVersion[replaceVersionIn](k),
			Do: templatewire.Versioned(k, t.replaceVersion)},
		httpapi.Op[versionIn, templatewire.Found, templateOut]{ID: "get_" + t.Name + "_template_version", Method: http.MethodGet, Path: version,
			Status: 200,
			Action: on + "read", Find: templatewire.FindVersion[versionIn](k), Do: templatewire.Versioned(k, t.version)},
		httpapi.Op[versionIn, templatewire.Found, httpapi.None]{ID: "delete_" + t.Name + "_template_version", Method: http.MethodDelete,
			Path: version, Status: 204,
			Action: on + "delete", Find: templatewire.FindVersion[versionIn](k), Do: templatewire.DeleteVersion[versionIn](k)},
		httpapi.Op[versionIn, templatewire.Found, httpapi.None]{ID: "commit_" + t.Name + "_template", Method: http.MethodPost,
			Path: version + "/commit", Status: 204,
			Action: on + "update", Find: templatewire.FindVersion[versionIn](k), Do: templatewire.Commit[versionIn](k)},
		httpapi.Op[listAssignmentsIn, httpapi.None, assignmentList]{ID: "list_" + t.Name + "_assignments", Method: http.MethodGet,
			Path: assignments, Status: 200,
			Action: as + "read", Check: (*listAssignmentsIn).check, Find: findList[listAssignmentsIn](t), Do: t.listAssignments},
		httpapi.Op[assignIn, *template.Template, assignmentsOut]{ID: "create_" + t.Name + "_template_assignment", Method: http.MethodPost,
			Path: assignments, Status: 201,
			Action: as + "create", Check: (*assignIn).check, Find: t.findAssigned, Do: templatewire.Worded(k, templatewire.Assigning, t.assign)},
		httpapi.Op[assignmentIn, *template.Assignment, assignmentOut]{ID: "get_" + t.Name + "_assignment", Method: http.MethodGet,
			Path: assigned, Status: 200,
			Action: as + "read", Find: templatewire.FindAssignment[assignmentIn](k),
			Do: templatewire.Worded(k, templatewire.Assignment, t.assignment)},
		httpapi.Op[reassignIn, *template.Assignment, assignmentOut]{ID: "update_" + t.Name + "_assignment", Method: http.MethodPatch,
			Path: assigned, Status: 200,
			Action: as + "update", Check: (*reassignIn).check, Find: templatewire.FindAssignment[reassignIn](k),
			Do: templatewire.Worded(k, templatewire.Assigning, t.reassign)},
		httpapi.Op[assignmentIn, *template.Assignment, httpapi.None]{ID: "delete_" + t.Name + "_assignment", Method: http.MethodDelete,
			Path: assigned, Status: 204,
			Action: as + "delete", Find: templatewire.FindAssignment[assignmentIn](k),
			Do: templatewire.Unassign[assignmentIn](k)},
	)
}

// templateBody is what clients send of a version; which property holds the
// payload depends on the kind.
type templateBody struct {
	Name        *string `json:"name"`
	AccountID   string  `json:"account_id"`
	Description *string `json:"description"`
	Committed   bool    `json:"committed"`
	Policy      raw     `json:"policy"`
	Role        raw     `json:"role"`
	Control     raw     `json:"action_control"`
}

// draft gives the domain form. before is an earlier payload, which fills in
// what a role may leave out: its name and service never change. A payload that
// is not sent stays nil.
func (t *templated) draft(b *templateBody, before json.RawMessage) (template.Draft, error) {
	d := template.Draft{Name: b.Name, Description: b.Description, Committed: b.Committed}
	parts := map[string]raw{kinds.Policy: b.Policy, kinds.Role: b.Role, kinds.Control: b.Control}
	maps.DeleteFunc(parts, func(_ string, part raw) bool { return len(part) == 0 || string(part) == "null" })
	own := parts[t.Name]
	switch {
	case own == nil && t.Name == kinds.Policy:
		return d, fault.Missing("policy")
	case len(parts) == 0:
		return d, nil
	}
	var err error
	if own != nil && t.Name == kinds.Role {
		parts[t.Name], err = sameRole(own, before)
	}
	if err == nil {
		d.Payload, err = json.Marshal(parts) // that of another kind is refused by Check
	}
	return d, err
}

// sameRole gives a role the name and service that an earlier payload has.
func sameRole(role raw, before json.RawMessage) (raw, error) {
	var old kinds.RolePayload
	if err := json.Unmarshal(before, &old); err != nil || old.Role == nil {
		return role, nil // there is none, or it says nothing yet
	}
	var fresh *kinds.RoleDoc
	if err := json.Unmarshal(role, &fresh); err != nil {
		return nil, fault.Field("role", "Property 'role' is malformed.")
	}
	fresh.Name, fresh.ServiceName = old.Role.Name, old.Role.ServiceName
	return json.Marshal(fresh)
}

// templateOut is a version on the wire; versions are texts here.
type templateOut struct {
	meta
	Name        string    `json:"name"`
	Description string    `json:"description"`
	AccountID   string    `json:"account_id"`
	Version     string    `json:"version"`
	Committed   bool      `json:"committed"`
	Policy      raw       `json:"policy,omitempty"`
	Role        raw       `json:"role,omitempty"`
	Control     raw       `json:"action_control,omitempty"`
	State       string    `json:"state"`
	Counts      *countOut `json:"counts,omitempty"`
}

// countOut tells how much room is left.
type countOut struct {
	Template limitOut `json:"template"`
	Version  limitOut `json:"version"`
}

type limitOut struct {
	Current int `json:"current"`
	Limit   int `json:"limit"`
}

// wire shows a version; its href is that of the template, whichever version it is.
func (t *templated) wire(c *httpapi.Call, head *template.Template, v *template.Version) (*templateOut, error) {
	out := &templateOut{meta: wireMeta(&v.Meta, c.Base+t.templatesPath()+"/"+head.ID), Name: head.Name, Description: v.Description,
		AccountID: head.Account, Version: strconv.Itoa(v.Number), Committed: v.Committed, State: string(policy.StateActive)}
	out.ID = head.ID
	var payload struct {
		Policy  raw `json:"policy"`
		Role    raw `json:"role"`
		Control raw `json:"action_control"`
	}
	if err := json.Unmarshal(v.Payload, &payload); err != nil {
		return nil, fault.Wrap(err, "reading stored template")
	}
	out.Policy, out.Role, out.Control = payload.Policy, payload.Role, payload.Control
	return out, nil
}

// shown words a version that was read or written, under its entity tag.
func (t *templated) shown(c *httpapi.Call, head *template.Template, v *template.Version, err error) (*templateOut, error) {
	if err != nil {
		return nil, err
	}
	c.SetETag(v.Tag)
	return t.wire(c, head, v)
}

type templateIn struct {
	templatewire.OfTemplate
	State string `query:"state"`
}

type createTemplateIn struct{ Body templateBody }

// VersionNumber says that the latest version is meant.
func (templateIn) VersionNumber() string { return "" }

func (t *templated) findNew(_ context.Context, _ *httpapi.Call, in *createTemplateIn) (found template.Checked, target httpapi.Target,
	err error) {
	if err := checkAccount(in.Body.AccountID); err != nil {
		e := *fault.Of(err)
		e.Code = policy.CodeInvalidBody
		return found, target, &e
	}
	d, err := t.draft(&in.Body, nil)
	if err == nil {
		found, err = t.templates.CheckNew(t.Name, d)
	}
	return found, t.Target(in.Body.AccountID, ""), err
}

func (t *templated) create(ctx context.Context, c *httpapi.Call, in *createTemplateIn, found template.Checked) (*templateOut, error) {
	head, v, err := t.templates.Create(ctx, c, in.Body.AccountID, found)
	return t.counted(ctx, c, head, v, err)
}

// counted words a new version with what is left of the limits.
func (t *templated) counted(ctx context.Context, c *httpapi.Call, head *template.Template, v *template.Version, err error) (*templateOut,
	error) {
	out, err := t.shown(c, head, v, err)
	if err != nil {
		return nil, err
	}
	n, err := t.templates.Counts(ctx, head)
	limits := t.templates.Limits()
	out.Counts = &countOut{limitOut{n.Templates, limits.Templates}, limitOut{n.Versions, limits.Versions}}
	return out, err
}

func (t *templated) latest(_ context.Context, c *httpapi.Call, _ *templateIn, found templatewire.Found) (*templateOut, error) {
	return t.shown(c, found.Template, found.Version, nil)
}

type versionIn struct {
	templatewire.OfTemplate
	State   string `query:"state"`
	Version string `path:"version"`
}

// VersionNumber is that of the version that is meant.
func (in versionIn) VersionNumber() string { return in.Version }

func (t *templated) version(_ context.Context, c *httpapi.Call, _ *versionIn, found templatewire.Found) (*templateOut, error) {
	return t.shown(c, found.Template, found.Version, nil)
}

type newVersionIn struct {
	templateIn
	Body templateBody
}

// addVersion reads the new version here, after the decision: a role has its
// name and service from the latest one.
func (t *templated) addVersion(ctx context.Context, c *httpapi.Call, in *newVersionIn, found templatewire.Found) (*templateOut, error) {
	d, err := t.draft(&in.Body, found.Version.Payload)
	if err != nil {
		return nil, err
	}
	next, err := t.templates.Check(t.Name, d)
	if err != nil {
		return nil, err
	}
	head, v, err := t.templates.AddVersion(ctx, c, found.Template, next)
	return t.counted(ctx, c, head, v, err)
}

type replaceVersionIn struct {
	versionIn
	httpapi.Conditional
	Body templateBody
}

// replaceVersion reads the change here, after the decision: what it does not say
// stays as the version has it.
func (t *templated) replaceVersion(ctx context.Context, c *httpapi.Call, in *replaceVersionIn, found templatewire.Found) (*templateOut,
	error) {
	d, err := t.draft(&in.Body, found.Version.Payload)
	if err != nil {
		return nil, err
	}
	if d.Payload == nil {
		d.Payload = found.Version.Payload
	}
	head, v, err := t.Kind.Update(ctx, c, found, in.IfMatch, d)
	if errors.Is(err, fault.State) && found.Version.Committed {
		err = t.final(found.Template.ID, found.Version.Number)
	}
	return t.shown(c, head, v, err)
}

// final says that a committed version cannot be changed, in words that official
// clients compare.
func (t *templated) final(id string, number int) error {
	noun := strings.ReplaceAll(t.Name, "_", " ")
	return fault.New(fault.State, "%s template id '%s' and version '%d' is committed and cannot be updated",
		strings.ToUpper(noun[:1])+noun[1:], id, number)
}

// pageIn is the optional paging of the lists about templates.
type pageIn struct {
	State string `query:"state"`
	Limit *int   `query:"limit"`
	Start string `query:"start"`
}

func (in *pageIn) check() error {
	if in.Limit != nil && (*in.Limit < 1 || *in.Limit > maxLimit) {
		return fault.Field("limit", "Parameter 'limit' must be between 1 and %d.", maxLimit)
	}
	if in.State != "" && !slices.Contains([]string{string(policy.StateActive), string(policy.StateDeleted)}, in.State) {
		return fault.Field("state", "Parameter 'state' must be active or deleted.")
	}
	return nil
}

// page is cut for templates, versions and assignments, oldest first, and words
// those that are on the page.
func page[T, W any](ctx context.Context, a *API, c *httpapi.Call, in *pageIn, list []*T, wire func(*T) (*W, error)) (items []*W,
	head pageHead, err error) {
	if in.State == string(policy.StateDeleted) { // deleted templates are gone
		list = nil
	}
	part, head, err := cut(ctx, a, c, in.Limit, in.Start, lists.Sorted(list, store.ByCreated, false))
	if err == nil {
		items, err = lists.TryMap(part, wire)
	}
	return items, head, err
}

type listTemplatesIn struct {
	pageIn
	AccountID      string `query:"account_id"`
	Name           string `query:"name"`
	PolicyType     string `query:"policy_type"`
	ServiceType    string `query:"policy_service_type"`
	ServiceName    string `query:"policy_service_name"`
	ServiceGroupID string `query:"policy_service_group_id"`
	RoleName       string `query:"role_name"`
	RoleService    string `query:"role_service_name"`
}

func (in listTemplatesIn) account() string { return in.AccountID }

// findList is about all templates of an account.
func findList[In interface{ account() string }](t *templated) func(context.Context, *httpapi.Call, *In) (httpapi.None, httpapi.Target,
	error) {
	return func(_ context.Context, _ *httpapi.Call, in *In) (httpapi.None, httpapi.Target, error) {
		account := (*in).account()
		return httpapi.None{}, t.Target(account, ""), checkAccount(account)
	}
}

// templateList is a page of templates or versions under the name of its array.
type templateList struct {
	pageHead
	name  string
	items []*templateOut
}

// MarshalJSON puts the array under its own name.
func (l *templateList) MarshalJSON() ([]byte, error) {
	return templatewire.WithArray(l.pageHead, l.name, l.items)
}

func (t *templated) list(ctx context.Context, c *httpapi.Call, in *listTemplatesIn, _ httpapi.None) (*templateList, error) {
	heads, err := t.templates.List(ctx, t.Name, in.AccountID)
	if err != nil {
		return nil, err
	}
	var all []*template.Template
	latest := map[string]*template.Version{}
	for _, h := range heads {
		v, err := t.templates.Version(ctx, h, 0)
		if err != nil {
			return nil, err
		}
		if in.matches(h, v) {
			all, latest[h.ID] = append(all, h), v
		}
	}
	items, head, err := page(ctx, t.API, c, &in.pageIn, all, func(h *template.Template) (*templateOut, error) {
		return t.wire(c, h, latest[h.ID])
	})
	return &templateList{head, t.Name + "_templates", items}, err
}

// matches applies the filters on name and payload.
func (in *listTemplatesIn) matches(h *template.Template, v *template.Version) bool {
	if in.Name != "" && h.Name != in.Name {
		return false
	}
	var p struct {
		Policy *struct {
			Type     string `json:"type"`
			Resource struct {
				Attributes []struct {
					Key   string       `json:"key"`
					Value policy.Value `json:"value"`
				} `json:"attributes"`
			} `json:"resource"`
		} `json:"policy"`
		Role *kinds.RoleDoc `json:"role"`
	}
	if json.Unmarshal(v.Payload, &p) != nil {
		return false
	}
	if p.Role != nil {
		return (in.RoleName == "" || p.Role.Name == in.RoleName) && (in.RoleService == "" || p.Role.ServiceName == in.RoleService)
	}
	if p.Policy == nil {
		return true
	}
	if in.PolicyType != "" && p.Policy.Type != in.PolicyType {
		return false
	}
	for key, want := range map[string]string{policy.AttrServiceType: in.ServiceType, policy.AttrServiceName: in.ServiceName,
		policy.AttrServiceGroupID: in.ServiceGroupID} {
		found := want == ""
		for _, a := range p.Policy.Resource.Attributes {
			found = found || a.Key == key && a.Value.Text == want
		}
		if !found {
			return false
		}
	}
	return true
}

type listVersionsIn struct {
	templatewire.OfTemplate
	pageIn
}

func (t *templated) listVersions(ctx context.Context, c *httpapi.Call, in *listVersionsIn, head *template.Template) (*templateList, error) {
	versions, err := t.templates.ListVersions(ctx, head)
	if err != nil {
		return nil, err
	}
	items, paging, err := page(ctx, t.API, c, &in.pageIn, versions, func(v *template.Version) (*templateOut, error) {
		return t.wire(c, head, v)
	})
	return &templateList{paging, "versions", items}, err
}
