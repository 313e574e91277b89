package iamidentityv1

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/kagiban/kagiban/internal/api/templatewire"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// templated serves the operations of one kind of template; the two kinds of
// this API differ in paths, names and payload only.
type templated struct {
	*API
	templatewire.Kind
	// path and assignments are the collections' paths; noun is the kind in
	// actions, list the name of the array in lists.
	path, assignments, noun, list string
}

func (a *API) templateRows() []httpapi.Operation {
	kind := func(name string) templatewire.Kind {
		return templatewire.Kind{Templates: a.templates, Name: name, Service: "iam-identity"}
	}
	profiles := &templated{a, kind(kinds.Profile), "/v1/profile_templates", "/v1/profile_assignments", "profile", "profile_templates"}
	settings := &templated{a, kind(kinds.Settings), "/v1/account_settings_templates", "/v1/account_settings_assignments", "account-settings", "account_settings_templates"}
	return append(profiles.rows("profile_template", "trusted_profile_assignment"), settings.rows("account_settings_template", "account_settings_assignment")...)
}

// rows are the fifteen operations of a kind; one and assignment are the nouns
// in the SDK's operation names.
func (t *templated) rows(one, assignment string) []httpapi.Operation {
	on := func(verb string) httpapi.Access { return act(t.noun + "-template." + verb) }
	as := func(verb string) httpapi.Access { return act(t.noun + "-assignment." + verb) }
	single, versions := t.path+"/{template_id}", t.path+"/{template_id}/versions"
	version, assigned := versions+"/{version}", t.assignments+"/{assignment_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "list_"+one+"s", "GET", t.path, 200, on("read"), t.inAccount, t.listTemplates),
		httpapi.OldOp(Family, "create_"+one, "POST", t.path, 201, on("create"), t.inBody, t.create),
		httpapi.OldOp(Family, "get_latest_"+one+"_version", "GET", single, 200, on("read"), templatewire.OnTemplate[latestIn](&t.Kind), t.latest),
		httpapi.OldOp(Family, "delete_all_versions_of_"+one, "DELETE", single, 204, on("delete"), templatewire.OnTemplate[latestIn](&t.Kind), t.deleteAll),
		httpapi.OldOp(Family, "list_versions_of_"+one, "GET", versions, 200, on("read"), templatewire.OnTemplate[versionsIn](&t.Kind), t.listVersions),
		httpapi.OldOp(Family, "create_"+one+"_version", "POST", versions, 201, on("create"), templatewire.OnTemplate[newVersionIn](&t.Kind), t.addVersion),
		httpapi.OldOp(Family, "get_"+one+"_version", "GET", version, 200, on("read"), templatewire.OnTemplate[versionIn](&t.Kind), t.version),
		httpapi.OldOp(Family, "update_"+one+"_version", "PUT", version, 200, on("update"), templatewire.OnTemplate[updateVersionIn](&t.Kind), t.update),
		httpapi.OldOp(Family, "delete_"+one+"_version", "DELETE", version, 204, on("delete"), templatewire.OnTemplate[versionIn](&t.Kind), t.deleteVersion),
		httpapi.OldOp(Family, "commit_"+one, "POST", version+"/commit", 204, on("update"), templatewire.OnTemplate[versionIn](&t.Kind), t.commit),
		httpapi.OldOp(Family, "list_"+assignment+"s", "GET", t.assignments, 200, as("read"), t.inAssignments, t.listAssignments),
		httpapi.OldOp(Family, "create_"+assignment, "POST", t.assignments, 202, as("create"), t.onAssigned, t.assign),
		httpapi.OldOp(Family, "get_"+assignment, "GET", assigned, 200, as("read"), templatewire.OnAssignment[assignmentIn](&t.Kind), t.assignment),
		httpapi.OldOp(Family, "delete_"+assignment, "DELETE", assigned, 202, as("delete"), templatewire.OnAssignment[assignmentIn](&t.Kind), t.unassign),
		httpapi.OldOp(Family, "update_"+assignment, "PATCH", assigned, 202, as("update"), templatewire.OnAssignment[reassignIn](&t.Kind), t.reassign),
	}
}

// templateBody is what clients send of a version. commited is how the tutorial
// spells committed.
type templateBody struct {
	AccountID      string                   `json:"account_id"`
	Name           *string                  `json:"name"`
	Description    *string                  `json:"description"`
	Profile        json.RawMessage          `json:"profile"`
	Settings       json.RawMessage          `json:"account_settings"`
	References     []templatewire.Reference `json:"policy_template_references"`
	ActionControls json.RawMessage          `json:"action_controls"`
	Committed      bool                     `json:"committed"`
	Commited       bool                     `json:"commited"`
}

// draft gives the domain form; before is the stored payload, whose parts stay
// where the client sends none.
func (b *templateBody) draft(before json.RawMessage) (template.Draft, error) {
	d := template.Draft{Name: b.Name, Description: b.Description, Committed: b.Committed || b.Commited}
	parts := map[string]json.RawMessage{}
	if len(before) > 0 {
		if err := json.Unmarshal(before, &parts); err != nil {
			return d, fault.Wrap(err, "reading stored template")
		}
	}
	sent := false
	for key, raw := range map[string]json.RawMessage{"profile": b.Profile, "account_settings": b.Settings, "action_controls": b.ActionControls} {
		if len(raw) > 0 && string(raw) != "null" {
			parts[key], sent = raw, true
		}
	}
	if sent || before == nil {
		raw, err := json.Marshal(parts)
		if err != nil {
			return d, fault.Wrap(err, "encoding template")
		}
		d.Payload = raw
	}
	var err error
	d.References, err = templatewire.Sent(b.References)
	return d, err
}

// templateOut is a version on the wire.
type templateOut struct {
	ID             string                   `json:"id"`
	Version        int                      `json:"version"`
	AccountID      string                   `json:"account_id"`
	Name           string                   `json:"name"`
	Description    string                   `json:"description,omitempty"`
	Committed      bool                     `json:"committed"`
	Profile        *kinds.ProfileDoc        `json:"profile,omitempty"`
	Settings       *kinds.SettingsDoc       `json:"account_settings,omitempty"`
	References     []templatewire.Reference `json:"policy_template_references,omitempty"`
	ActionControls *kinds.ControlsDoc       `json:"action_controls,omitempty"`
	History        []HistoryRecord          `json:"history,omitempty"`
	EntityTag      string                   `json:"entity_tag"`
	CRN            string                   `json:"crn"`
	templateStamps
}

// templateStamps have a form of their own: a colon before the milliseconds.
type templateStamps struct {
	CreatedAt      string `json:"created_at"`
	CreatedByID    string `json:"created_by_id"`
	LastModifiedAt string `json:"last_modified_at"`
	LastModifiedBy string `json:"last_modified_by_id"`
}

func wireTemplateStamps(m *store.Meta) templateStamps {
	print := func(t time.Time) string {
		return t.UTC().Format("2006-01-02T15:04:05") + fmt.Sprintf(":%03d+0000", t.Nanosecond()/1_000_000)
	}
	return templateStamps{print(m.CreatedAt), m.CreatedBy, print(m.ModifiedAt), m.ModifiedBy}
}

func (t *templated) wire(ctx context.Context, head *template.Template, v *template.Version, history bool) (*templateOut, error) {
	out := &templateOut{ID: head.ID, Version: v.Number, AccountID: head.Account, Name: head.Name, Description: v.Description,
		Committed: v.Committed, EntityTag: v.Tag, CRN: template.CRN(head), templateStamps: wireTemplateStamps(&v.Meta)}
	var payload struct {
		kinds.ProfilePayload
		kinds.SettingsPayload
	}
	if err := json.Unmarshal(v.Payload, &payload); err != nil {
		return nil, fault.Wrap(err, "reading stored template")
	}
	out.Profile, out.Settings, out.ActionControls = payload.Profile, payload.Settings, payload.ActionControls
	if out.Profile != nil {
		for i := range out.Profile.Identities {
			out.Profile.Identities[i].IAMID = out.Profile.Identities[i].IAM()
		}
	}
	out.References = templatewire.Shown(v)
	var err error
	out.History, err = t.history(ctx, history, template.Versions.Kind(), &v.Meta)
	return out, err
}

// shown sets the entity tag and words a version.
func (t *templated) shown(ctx context.Context, c *httpapi.Call, head *template.Template, v *template.Version, history bool) (*templateOut, error) {
	c.SetETag(v.Tag)
	return t.wire(ctx, head, v, history)
}

type createTemplateIn struct{ Body templateBody }

func (t *templated) inBody(ctx context.Context, c *httpapi.Call, in *createTemplateIn) (httpapi.Target, error) {
	if in.Body.AccountID == "" {
		in.Body.AccountID = c.Caller.Account
	}
	if !id.IsAccount(in.Body.AccountID) {
		return httpapi.Target{}, fault.Field("account_id", "Property 'account_id' is no account id.")
	}
	d, err := in.Body.draft(nil)
	if err != nil {
		return httpapi.Target{}, err
	}
	if d.Name == nil {
		return httpapi.Target{}, fault.Missing("name")
	}
	c.Seeks("Account", in.Body.AccountID)
	return t.Target(in.Body.AccountID, ""), t.templates.Check(ctx, t.Name, in.Body.AccountID, d)
}

func (t *templated) create(ctx context.Context, c *httpapi.Call, in *createTemplateIn) (*templateOut, error) {
	d, err := in.Body.draft(nil)
	if err != nil {
		return nil, err
	}
	head, v, err := t.templates.Create(ctx, t.Name, in.Body.AccountID, d)
	if err != nil {
		return nil, err
	}
	return t.shown(ctx, c, head, v, false)
}

type latestIn struct {
	templatewire.OfTemplate
	IncludeHistory bool `query:"include_history"`
}

func (t *templated) latest(ctx context.Context, c *httpapi.Call, in *latestIn) (*templateOut, error) {
	return t.read(ctx, c, in.TemplateID, "", in.IncludeHistory)
}

func (t *templated) read(ctx context.Context, c *httpapi.Call, templateID, number string, history bool) (*templateOut, error) {
	head, v, err := t.Read(ctx, templateID, number)
	if err != nil {
		return nil, err
	}
	return t.shown(ctx, c, head, v, history)
}

func (t *templated) deleteAll(ctx context.Context, _ *httpapi.Call, in *latestIn) (*done, error) {
	return nil, t.templates.Delete(ctx, t.Name, in.TemplateID)
}

type versionIn struct {
	templatewire.OfTemplate
	Version        string `path:"version"`
	IncludeHistory bool   `query:"include_history"`
}

func (t *templated) version(ctx context.Context, c *httpapi.Call, in *versionIn) (*templateOut, error) {
	return t.read(ctx, c, in.TemplateID, in.Version, in.IncludeHistory)
}

func (t *templated) deleteVersion(ctx context.Context, _ *httpapi.Call, in *versionIn) (*done, error) {
	number, err := templatewire.Number(in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	return nil, t.templates.DeleteVersion(ctx, t.Name, in.TemplateID, number)
}

func (t *templated) commit(ctx context.Context, _ *httpapi.Call, in *versionIn) (*done, error) {
	number, err := templatewire.Number(in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	return nil, t.templates.Commit(ctx, t.Name, in.TemplateID, number, "")
}

type newVersionIn struct {
	templatewire.OfTemplate
	Body templateBody
}

func (t *templated) addVersion(ctx context.Context, c *httpapi.Call, in *newVersionIn) (*templateOut, error) {
	d, err := in.Body.draft(nil)
	if err != nil {
		return nil, err
	}
	if err := t.templates.Check(ctx, t.Name, "", d); err != nil {
		return nil, err
	}
	head, v, err := t.templates.AddVersion(ctx, t.Name, in.TemplateID, d)
	if err != nil {
		return nil, err
	}
	return t.shown(ctx, c, head, v, false)
}

type updateVersionIn struct {
	versionIn
	ifMatch
	Body templateBody
}

// Validate checks the precondition header.
func (in *updateVersionIn) Validate() error { return in.present() }

func (t *templated) update(ctx context.Context, c *httpapi.Call, in *updateVersionIn) (*templateOut, error) {
	_, v, err := t.Read(ctx, in.TemplateID, in.Version)
	if err != nil {
		return nil, err
	}
	d, err := in.Body.draft(v.Payload)
	if err != nil {
		return nil, err
	}
	head, v, err := t.templates.UpdateVersion(ctx, t.Name, in.TemplateID, v.Number, in.IfMatch, d)
	if err != nil {
		return nil, err
	}
	return t.shown(ctx, c, head, v, false)
}

// listTemplatesIn is the paging of the lists of this file; limit is a text in
// the SDK and a number on the wire.
type listTemplatesIn struct {
	AccountID      string `query:"account_id"`
	Limit          *int   `query:"limit"`
	PageToken      string `query:"pagetoken"`
	Sort           string `query:"sort"`
	Order          string `query:"order"`
	IncludeHistory bool   `query:"include_history"`
}

// Validate bounds size and order.
func (in *listTemplatesIn) Validate() error {
	if in.Order != "" && in.Order != "asc" && in.Order != "desc" {
		return fault.Field("order", "Parameter 'order' must be asc or desc.")
	}
	if in.Limit == nil {
		return nil
	}
	_, err := lists.Size(*in.Limit, true, "limit")
	return err
}

// inAccount is about the caller's own account unless another is named.
func (t *templated) inAccount(_ context.Context, c *httpapi.Call, in *listTemplatesIn) (httpapi.Target, error) {
	if in.AccountID == "" {
		in.AccountID = c.Caller.Account
	}
	if !id.IsAccount(in.AccountID) {
		return httpapi.Target{}, fault.Field("account_id", "Parameter 'account_id' is no account id.")
	}
	c.Seeks("Account", in.AccountID)
	return t.Target(in.AccountID, ""), nil
}

// cut gives one page of a list that is held whole: templates, versions and
// assignments are few. query binds the token to the list.
func cut[T any](a *API, path, query string, in *listTemplatesIn, list []T) ([]T, Paging, error) {
	size := lists.DefaultSize
	if in.Limit != nil {
		size = *in.Limit
	}
	start := 0
	if in.PageToken != "" {
		tok, err := a.pages.Open(in.PageToken, query, "pagetoken")
		if err != nil {
			return nil, Paging{}, err
		}
		start = min(tok.Offset, len(list))
	}
	link := func(at int) string {
		q := url.Values{"pagetoken": {a.pages.Seal(lists.Token{Offset: at, Query: query})}, "limit": {strconv.Itoa(size)}}
		if in.AccountID != "" {
			q.Set("account_id", in.AccountID)
		}
		return a.base + path + "?" + q.Encode()
	}
	out := Paging{Offset: start, Limit: size, First: link(0)}
	end := min(start+size, len(list))
	if start > 0 {
		out.Previous = link(max(0, start-size))
	}
	if end < len(list) {
		out.Next = link(end)
	}
	return list[start:end], out, nil
}

// templateList is a page of templates or versions; list is the array's name.
type templateList struct {
	Paging
	name  string
	items []*templateOut
}

// MarshalJSON puts the array under the kind's own name.
func (l *templateList) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(l.Paging)
	if err != nil {
		return nil, err
	}
	items, err := json.Marshal(l.items)
	if err != nil {
		return nil, err
	}
	return append(head[:len(head)-1], fmt.Sprintf(",%q:%s}", l.name, items)...), nil
}

func (t *templated) listTemplates(ctx context.Context, _ *httpapi.Call, in *listTemplatesIn) (*templateList, error) {
	heads, err := t.templates.List(ctx, t.Name, in.AccountID)
	if err != nil {
		return nil, err
	}
	sortBy(heads, in.Sort, in.Order, func(h *template.Template) *store.Meta { return &h.Meta })
	part, paging, err := cut(t.API, t.path, "templates/"+t.Name+"/"+in.AccountID, in, heads)
	if err != nil {
		return nil, err
	}
	out := &templateList{Paging: paging, name: t.list, items: []*templateOut{}}
	for _, h := range part {
		v, err := t.templates.Version(ctx, h, 0)
		if err != nil {
			return nil, err
		}
		w, err := t.wire(ctx, h, v, in.IncludeHistory)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, w)
	}
	return out, nil
}

type versionsIn struct {
	templatewire.OfTemplate
	listTemplatesIn
}

func (t *templated) listVersions(ctx context.Context, _ *httpapi.Call, in *versionsIn) (*templateList, error) {
	head, err := t.templates.Template(ctx, t.Name, in.TemplateID)
	if err != nil {
		return nil, err
	}
	versions, err := t.templates.ListVersions(ctx, head)
	if err != nil {
		return nil, err
	}
	sortBy(versions, in.Sort, in.Order, func(v *template.Version) *store.Meta { return &v.Meta })
	part, paging, err := cut(t.API, t.path+"/"+head.ID+"/versions", "versions/"+head.ID, &in.listTemplatesIn, versions)
	if err != nil {
		return nil, err
	}
	out := &templateList{Paging: paging, name: t.list, items: []*templateOut{}}
	for _, v := range part {
		w, err := t.wire(ctx, head, v, in.IncludeHistory)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, w)
	}
	return out, nil
}
