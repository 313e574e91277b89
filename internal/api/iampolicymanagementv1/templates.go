package iampolicymanagementv1

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/api/templatewire"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
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
		t.API, t.Kind = a, templatewire.Kind{Templates: a.templates, Name: strings.ReplaceAll(t.noun, "-", "_"), Service: "iam-access-management"}
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
	on := func(verb string) httpapi.Access {
		return httpapi.Action("iam-access-management." + t.noun + "-template." + verb)
	}
	as := func(verb string) httpapi.Access {
		return httpapi.Action("iam-access-management." + t.noun + "-assignment." + verb)
	}
	k := &t.Kind
	all, one := t.templatesPath(), t.templatesPath()+"/{template_id}"
	version, assigned := one+"/versions/{version}", t.assignmentsPath()+"/{assignment_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "list_"+t.Name+"_templates", http.MethodGet, all, 200, on("read"), t.inTemplateAccount, t.list),
		httpapi.OldOp(Family, "create_"+t.Name+"_template", http.MethodPost, all, 201, on("create"), t.onNewTemplate, templatewire.Worded(k, templatewire.Template, t.create)),
		httpapi.OldOp(Family, "get_"+t.Name+"_template", http.MethodGet, one, 200, on("read"), templatewire.OnTemplate[templateIn](k), templatewire.Worded(k, templatewire.Template, t.latest)),
		httpapi.OldOp(Family, "delete_"+t.Name+"_template", http.MethodDelete, one, 204, on("delete"), templatewire.OnTemplate[templateIn](k), templatewire.Worded(k, templatewire.Template, t.deleteAll)),
		httpapi.OldOp(Family, "create_"+t.Name+"_template_version", http.MethodPost, one+"/versions", 201, on("create"), templatewire.OnTemplate[newVersionIn](k), templatewire.Worded(k, templatewire.Template, t.addVersion)),
		httpapi.OldOp(Family, "list_"+t.Name+"_template_versions", http.MethodGet, one+"/versions", 200, on("read"), templatewire.OnTemplate[listVersionsIn](k), templatewire.Worded(k, templatewire.Template, t.listVersions)),
		httpapi.OldOp(Family, "replace_"+t.Name+"_template", http.MethodPut, version, 200, on("update"), templatewire.OnTemplate[replaceVersionIn](k), templatewire.Worded(k, templatewire.Template, t.replaceVersion)),
		httpapi.OldOp(Family, "get_"+t.Name+"_template_version", http.MethodGet, version, 200, on("read"), templatewire.OnTemplate[versionIn](k), templatewire.Worded(k, templatewire.Template, t.version)),
		httpapi.OldOp(Family, "delete_"+t.Name+"_template_version", http.MethodDelete, version, 204, on("delete"), templatewire.OnTemplate[versionIn](k), templatewire.Worded(k, templatewire.Template, t.deleteVersion)),
		httpapi.OldOp(Family, "commit_"+t.Name+"_template", http.MethodPost, version+"/commit", 204, on("update"), templatewire.OnTemplate[versionIn](k), templatewire.Worded(k, templatewire.Template, t.commit)),
		httpapi.OldOp(Family, "list_"+t.Name+"_assignments", http.MethodGet, t.assignmentsPath(), 200, as("read"), t.inAssignmentAccount, t.listAssignments),
		httpapi.OldOp(Family, "create_"+t.Name+"_template_assignment", http.MethodPost, t.assignmentsPath(), 201, as("create"), t.onAssigned, templatewire.Worded(k, templatewire.Assigning, t.assign)),
		httpapi.OldOp(Family, "get_"+t.Name+"_assignment", http.MethodGet, assigned, 200, as("read"), templatewire.OnAssignment[assignmentIn](k), templatewire.Worded(k, templatewire.Assignment, t.assignment)),
		httpapi.OldOp(Family, "update_"+t.Name+"_assignment", http.MethodPatch, assigned, 200, as("update"), templatewire.OnAssignment[reassignIn](k), templatewire.Worded(k, templatewire.Assigning, t.reassign)),
		httpapi.OldOp(Family, "delete_"+t.Name+"_assignment", http.MethodDelete, assigned, 204, as("delete"), templatewire.OnAssignment[assignmentIn](k), templatewire.Worded(k, templatewire.Assignment, t.unassign)),
	}
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
// what a role may leave out: its name and service never change.
func (t *templated) draft(b *templateBody, before json.RawMessage) (template.Draft, error) {
	d := template.Draft{Name: b.Name, Description: b.Description, Committed: b.Committed}
	body := map[string]raw{kinds.Policy: b.Policy, kinds.Role: b.Role, kinds.Control: b.Control}[t.Name]
	if len(body) == 0 || string(body) == "null" {
		switch {
		case t.Name == kinds.Policy:
			return d, fault.Missing("policy")
		case before == nil:
			d.Payload = json.RawMessage("{}")
		}
		return d, nil
	}
	if t.Name == kinds.Role && before != nil {
		var old, fresh kinds.RolePayload
		if err := json.Unmarshal(before, &old); err == nil && old.Role != nil {
			if err := json.Unmarshal(body, &fresh.Role); err != nil {
				return d, fault.Field("role", "Property 'role' is malformed.")
			}
			fresh.Role.Name, fresh.Role.ServiceName = old.Role.Name, old.Role.ServiceName
			encoded, err := json.Marshal(fresh)
			d.Payload = encoded
			return d, err
		}
	}
	encoded, err := json.Marshal(map[string]raw{t.Name: body})
	d.Payload = encoded
	return d, err
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

func (t *templated) wire(c *httpapi.Call, head *template.Template, v *template.Version) (*templateOut, error) {
	number := strconv.Itoa(v.Number)
	out := &templateOut{meta: wireMeta(&v.Meta, c.Base+t.templatesPath()+"/"+head.ID+"/versions/"+number), Name: head.Name,
		Description: v.Description, AccountID: head.Account, Version: number, Committed: v.Committed, State: string(policy.StateActive)}
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

// shown sets the entity tag and words a version.
func (t *templated) shown(c *httpapi.Call, head *template.Template, v *template.Version) (*templateOut, error) {
	c.SetETag(v.Tag)
	return t.wire(c, head, v)
}

type templateIn struct {
	templatewire.OfTemplate
	State string `query:"state"`
}

type createTemplateIn struct{ Body templateBody }

func (t *templated) onNewTemplate(ctx context.Context, _ *httpapi.Call, in *createTemplateIn) (httpapi.Target, error) {
	if err := checkAccount(in.Body.AccountID); err != nil {
		e := *fault.Of(err)
		e.Code = policy.CodeInvalidBody
		return httpapi.Target{}, &e
	}
	d, err := t.draft(&in.Body, nil)
	if err != nil {
		return httpapi.Target{}, err
	}
	if d.Name == nil {
		return httpapi.Target{}, fault.Missing("name")
	}
	return t.Target(in.Body.AccountID, ""), t.templates.Check(ctx, t.Name, in.Body.AccountID, d)
}

func (t *templated) create(ctx context.Context, c *httpapi.Call, in *createTemplateIn) (*templateOut, error) {
	d, err := t.draft(&in.Body, nil)
	if err != nil {
		return nil, err
	}
	head, v, err := t.templates.Create(ctx, t.Name, in.Body.AccountID, d)
	if err != nil {
		return nil, err
	}
	return t.counted(ctx, c, head, v)
}

// counted words a new version with what is left of the limits.
func (t *templated) counted(ctx context.Context, c *httpapi.Call, head *template.Template, v *template.Version) (*templateOut, error) {
	out, err := t.shown(c, head, v)
	if err != nil {
		return nil, err
	}
	templates, err := t.templates.List(ctx, t.Name, head.Account)
	if err != nil {
		return nil, err
	}
	versions, err := t.templates.ListVersions(ctx, head)
	if err != nil {
		return nil, err
	}
	out.Counts = &countOut{limitOut{len(templates), t.templates.Limits().Templates}, limitOut{len(versions), t.templates.Limits().Versions}}
	return out, nil
}

func (t *templated) read(ctx context.Context, c *httpapi.Call, templateID, number string) (*templateOut, error) {
	head, v, err := t.Read(ctx, templateID, number)
	if err != nil {
		return nil, err
	}
	return t.shown(c, head, v)
}

func (t *templated) latest(ctx context.Context, c *httpapi.Call, in *templateIn) (*templateOut, error) {
	return t.read(ctx, c, in.TemplateID, "")
}

func (t *templated) deleteAll(ctx context.Context, _ *httpapi.Call, in *templateIn) (*templateOut, error) {
	return nil, t.templates.Delete(ctx, t.Name, in.TemplateID)
}

type versionIn struct {
	templateIn
	Version string `path:"version"`
}

func (t *templated) version(ctx context.Context, c *httpapi.Call, in *versionIn) (*templateOut, error) {
	return t.read(ctx, c, in.TemplateID, in.Version)
}

func (t *templated) deleteVersion(ctx context.Context, _ *httpapi.Call, in *versionIn) (*templateOut, error) {
	number, err := templatewire.Number(in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	return nil, t.templates.DeleteVersion(ctx, t.Name, in.TemplateID, number)
}

func (t *templated) commit(ctx context.Context, _ *httpapi.Call, in *versionIn) (*templateOut, error) {
	number, err := templatewire.Number(in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	return nil, t.templates.Commit(ctx, t.Name, in.TemplateID, number, "")
}

type newVersionIn struct {
	templateIn
	Body templateBody
}

func (t *templated) addVersion(ctx context.Context, c *httpapi.Call, in *newVersionIn) (*templateOut, error) {
	head, last, err := t.Read(ctx, in.TemplateID, "")
	if err != nil {
		return nil, err
	}
	d, err := t.draft(&in.Body, last.Payload)
	if err != nil {
		return nil, err
	}
	if d.Payload == nil {
		d.Payload = json.RawMessage("{}")
	}
	if err := t.templates.Check(ctx, t.Name, head.Account, d); err != nil {
		return nil, err
	}
	head, v, err := t.templates.AddVersion(ctx, t.Name, in.TemplateID, d)
	if err != nil {
		return nil, err
	}
	return t.counted(ctx, c, head, v)
}

type replaceVersionIn struct {
	versionIn
	IfMatch string `header:"If-Match"`
	Body    templateBody
}

// Validate checks the precondition header.
func (in *replaceVersionIn) Validate() error { return needTag(in.IfMatch) }

func (t *templated) replaceVersion(ctx context.Context, c *httpapi.Call, in *replaceVersionIn) (*templateOut, error) {
	_, v, err := t.Read(ctx, in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	d, err := t.draft(&in.Body, v.Payload)
	if err != nil {
		return nil, err
	}
	head, v, err := t.templates.UpdateVersion(ctx, t.Name, in.TemplateID, v.Number, in.IfMatch, d)
	if err != nil {
		return nil, err
	}
	return t.shown(c, head, v)
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

// cutAfter gives the page that begins after the item whose key start holds.
func cutAfter[T any](c *httpapi.Call, in *pageIn, list []T, key func(T) string) ([]T, pageHead, error) {
	if in.State == string(policy.StateDeleted) { // deleted templates are gone
		list = nil
	}
	if in.Start != "" {
		after, err := base64.RawURLEncoding.DecodeString(in.Start)
		at := slices.IndexFunc(list, func(x T) bool { return key(x) == string(after) })
		if err != nil || at < 0 {
			return nil, pageHead{}, fault.Field("start", "Parameter 'start' is no page token of this list.")
		}
		list = list[at+1:]
	}
	if in.Limit == nil {
		return list, pageHead{}, nil
	}
	head := pageHead{Limit: *in.Limit, First: &pageLink{Href: link(c.Base, c.URL, "")}}
	if len(list) > *in.Limit {
		list = list[:*in.Limit]
		next := base64.RawURLEncoding.EncodeToString([]byte(key(list[len(list)-1])))
		head.Next = &pageLink{Href: link(c.Base, c.URL, next), Start: next}
	}
	return list, head, nil
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

// Validate checks the filters.
func (in *listTemplatesIn) Validate() error { return in.check() }

func (t *templated) inTemplateAccount(_ context.Context, _ *httpapi.Call, in *listTemplatesIn) (httpapi.Target, error) {
	return t.Target(in.AccountID, ""), checkAccount(in.AccountID)
}

// templateList is a page of templates or versions under the name of its array.
type templateList struct {
	pageHead
	name  string
	items []*templateOut
}

// MarshalJSON puts the array under its own name.
func (l *templateList) MarshalJSON() ([]byte, error) { return marshalList(l.pageHead, l.name, l.items) }

func marshalList[T any](head pageHead, name string, items []T) ([]byte, error) {
	fields := map[string]any{name: items}
	if head.Limit != 0 {
		fields["limit"] = head.Limit
	}
	if head.First != nil {
		fields["first"] = head.First
	}
	if head.Next != nil {
		fields["next"] = head.Next
	}
	return json.Marshal(fields)
}

func (t *templated) list(ctx context.Context, c *httpapi.Call, in *listTemplatesIn) (*templateList, error) {
	heads, err := t.templates.List(ctx, t.Name, in.AccountID)
	if err != nil {
		return nil, err
	}
	var all []*templateOut
	for _, h := range heads {
		v, err := t.templates.Version(ctx, h, 0)
		if err != nil {
			return nil, err
		}
		if !in.matches(h, v) {
			continue
		}
		w, err := t.wire(c, h, v)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	part, page, err := cutAfter(c, &in.pageIn, all, func(w *templateOut) string { return w.ID })
	return &templateList{page, t.Name + "_templates", append([]*templateOut{}, part...)}, err
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
	for key, want := range map[string]string{policy.AttrServiceType: in.ServiceType, policy.AttrServiceName: in.ServiceName, policy.AttrServiceGroupID: in.ServiceGroupID} {
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

// Validate checks the paging.
func (in *listVersionsIn) Validate() error { return in.check() }

func (t *templated) listVersions(ctx context.Context, c *httpapi.Call, in *listVersionsIn) (*templateList, error) {
	head, err := t.templates.Template(ctx, t.Name, in.TemplateID)
	if err != nil {
		return nil, err
	}
	versions, err := t.templates.ListVersions(ctx, head)
	if err != nil {
		return nil, err
	}
	part, page, err := cutAfter(c, &in.pageIn, versions, func(v *template.Version) string { return strconv.Itoa(v.Number) })
	if err != nil {
		return nil, err
	}
	out := &templateList{pageHead: page, name: "versions", items: []*templateOut{}}
	for _, v := range part {
		w, err := t.wire(c, head, v)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, w)
	}
	return out, nil
}
