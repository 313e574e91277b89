package iamidentityv1

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
		return templatewire.Kind{Templates: a.templates, Name: name}
	}
	profiles := &templated{a, kind(kinds.Profile), "/v1/profile_templates", "/v1/profile_assignments", "profile", "profile_templates"}
	settings := &templated{a, kind(kinds.Settings), "/v1/account_settings_templates", "/v1/account_settings_assignments", "account-settings",
		"account_settings_templates"}
	return append(profiles.rows("profile_template", "trusted_profile_assignment"),
		settings.rows("account_settings_template", "account_settings_assignment")...)
}

// rows are the fifteen operations of a kind; one and assignment are the nouns
// in the SDK's operation names.
func (t *templated) rows(one, assignment string) []httpapi.Operation {
	on, as := "iam-identity."+t.noun+"-template.", "iam-identity."+t.noun+"-assignment."
	single, versions := t.path+"/{template_id}", t.path+"/{template_id}/versions"
	version, assigned := versions+"/{version}", t.assignments+"/{assignment_id}"
	k := &t.Kind
	return httpapi.Table(Family,
		httpapi.Op[listTemplatesIn, httpapi.None, templateList]{ID: "list_" + one + "s", Method: http.MethodGet, Path: t.path, Status: 200,
			Action: on + "read", Check: (*listTemplatesIn).check, Find: findList[listTemplatesIn](t), Do: t.listTemplates},
		httpapi.Op[createTemplateIn, template.Checked, templateOut]{ID: "create_" + one, Method: http.MethodPost, Path: t.path, Status: 201,
			Action: on + "create", Find: t.findNew, Do: t.create},
		httpapi.Op[latestIn, templatewire.Found, templateOut]{ID: "get_latest_" + one + "_version", Method: http.MethodGet, Path: single,
			Status: 200,
			Action: on + "read", Find: templatewire.FindVersion[latestIn](k), Do: templatewire.Versioned(k, t.latest)},
		httpapi.Op[latestIn, *template.Template, httpapi.None]{ID: "delete_all_versions_of_" + one, Method: http.MethodDelete, Path: single,
			Status: 204,
			Action: on + "delete", Find: templatewire.FindTemplate[latestIn](k), Do: templatewire.Delete[latestIn](k)},
		httpapi.Op[versionsIn, *template.Template, templateList]{ID: "list_versions_of_" + one, Method: http.MethodGet, Path: versions,
			Status: 200,
			Action: on + "read", Check: (*versionsIn).check, Find: templatewire.FindTemplate[versionsIn](k), Do: t.listVersions},
		httpapi.Op[newVersionIn, templatewire.Next, templateOut]{ID: "create_" + one + "_version", Method: http.MethodPost, Path: versions,
			Status: 201,
			Action: on + "create", Find: t.findNewVersion, Do: t.addVersion},
		httpapi.Op[versionIn, templatewire.Found, templateOut]{ID: "get_" + one + "_version", Method: http.MethodGet, Path: version, Status: 200,
			Action: on + "read", Find: templatewire.FindVersion[versionIn](k), Do: templatewire.Versioned(k, t.version)},
		httpapi.Op[updateVersionIn, templatewire.Found, templateOut]{ID: "update_" + one + "_version", Method: http.MethodPut, Path: version,
			Status: 200,
			Action: on + "update", Check: (*updateVersionIn).present, Find: templatewire.FindVersion[updateVersionIn](k),
			Do: templatewire.Versioned(k, t.update)},
		httpapi.Op[versionIn, templatewire.Found, httpapi.None]{ID: "delete_" + one + "_version", Method: http.MethodDelete, Path: version,
			Status: 204,
			Action: on + "delete", Find: templatewire.FindVersion[versionIn](k), Do: templatewire.DeleteVersion[versionIn](k)},
		httpapi.Op[versionIn, templatewire.Found, httpapi.None]{ID: "commit_" + one, Method: http.MethodPost, Path: version + "/commit",
			Status: 204,
			Action: on + "update", Find: templatewire.FindVersion[versionIn](k), Do: templatewire.Commit[versionIn](k)},
		httpapi.Op[listAssignmentsIn, httpapi.None, assignmentList]{ID: "list_" + assignment + "s", Method: http.MethodGet, Path: t.assignments,
			Status: 200,
			Action: as + "read", Check: (*listAssignmentsIn).check, Find: findList[listAssignmentsIn](t), Do: t.listAssignments},
		httpapi.Op[assignIn, *template.Template, assignmentOut]{ID: "create_" + assignment, Method: http.MethodPost, Path: t.assignments,
			Status: 202,
			Action: as + "create", Check: (*assignIn).check, Find: t.findAssigned, Do: t.assign},
		httpapi.Op[assignmentIn, *template.Assignment, assignmentOut]{ID: "get_" + assignment, Method: http.MethodGet, Path: assigned,
			Status: 200,
			Action: as + "read", Find: templatewire.FindAssignment[assignmentIn](k), Do: t.assignment},
		httpapi.Op[assignmentIn, *template.Assignment, httpapi.None]{ID: "delete_" + assignment, Method: http.MethodDelete, Path: assigned,
			Status: 202,
			Action: as + "delete", Find: templatewire.FindAssignment[assignmentIn](k), Do: templatewire.Unassign[assignmentIn](k)},
		httpapi.Op[reassignIn, *template.Assignment, assignmentOut]{ID: "update_" + assignment, Method: http.MethodPatch, Path: assigned,
			Status: 202,
			Action: as + "update", Check: (*reassignIn).check, Find: templatewire.FindAssignment[reassignIn](k), Do: t.reassign},
	)
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
	d := template.Draft{Name: b.Name, Description: b.Description, Payload: before, Committed: b.Committed || b.Commited}
	parts := map[string]json.RawMessage{}
	if len(before) > 0 {
		if err := json.Unmarshal(before, &parts); err != nil {
			return d, fault.Wrap(err, "reading stored template")
		}
	}
	sent := before == nil
	for key, raw := range map[string]json.RawMessage{"profile": b.Profile, "account_settings": b.Settings,
		"action_controls": b.ActionControls} {
		if len(raw) > 0 && string(raw) != "null" {
			parts[key], sent = raw, true
		}
	}
	var err error
	if sent {
		if d.Payload, err = json.Marshal(parts); err != nil {
			return d, fault.Wrap(err, "encoding template")
		}
	}
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
	var profile kinds.ProfilePayload // only the kind's own part was checked when it was stored
	var settings kinds.SettingsPayload
	var payload any = &profile
	if t.Name == kinds.Settings {
		payload = &settings
	}
	if err := json.Unmarshal(v.Payload, payload); err != nil {
		return nil, fault.Wrap(err, "reading stored template")
	}
	out.Profile, out.Settings, out.ActionControls = profile.Profile, settings.Settings, profile.ActionControls
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

// shown words a version that was read or written, under its entity tag.
func (t *templated) shown(ctx context.Context, c *httpapi.Call, head *template.Template, v *template.Version, err error, history bool) (
	*templateOut, error) {
	if err != nil {
		return nil, err
	}
	c.SetETag(v.Tag)
	return t.wire(ctx, head, v, history)
}

type createTemplateIn struct{ Body templateBody }

func (t *templated) findNew(_ context.Context, c *httpapi.Call, in *createTemplateIn) (found template.Checked, target httpapi.Target,
	err error) {
	account := cmp.Or(in.Body.AccountID, c.Caller.Account)
	if !id.IsAccount(account) {
		return found, target, fault.Field("account_id", "Property 'account_id' is no account id.")
	}
	c.Seeks("Account", account)
	d, err := in.Body.draft(nil)
	if err == nil {
		found, err = t.templates.CheckNew(t.Name, d)
	}
	return found, t.Target(account, ""), err
}

func (t *templated) create(ctx context.Context, c *httpapi.Call, in *createTemplateIn, found template.Checked) (*templateOut, error) {
	head, v, err := t.templates.Create(ctx, c, cmp.Or(in.Body.AccountID, c.Caller.Account), found)
	return t.shown(ctx, c, head, v, err, false)
}

type latestIn struct {
	templatewire.OfTemplate
	IncludeHistory bool `query:"include_history"`
}

// VersionNumber says that the latest version is meant.
func (latestIn) VersionNumber() string { return "" }

func (t *templated) latest(ctx context.Context, c *httpapi.Call, in *latestIn, found templatewire.Found) (*templateOut, error) {
	return t.shown(ctx, c, found.Template, found.Version, nil, in.IncludeHistory)
}

type versionIn struct {
	templatewire.OfTemplate
	Version        string `path:"version"`
	IncludeHistory bool   `query:"include_history"`
}

// VersionNumber is that of the version that is meant.
func (in versionIn) VersionNumber() string { return in.Version }

func (t *templated) version(ctx context.Context, c *httpapi.Call, in *versionIn, found templatewire.Found) (*templateOut, error) {
	return t.shown(ctx, c, found.Template, found.Version, nil, in.IncludeHistory)
}

type newVersionIn struct {
	templatewire.OfTemplate
	Body templateBody
}

func (t *templated) findNewVersion(ctx context.Context, c *httpapi.Call, in *newVersionIn) (next templatewire.Next, target httpapi.Target,
	err error) {
	d, err := in.Body.draft(nil)
	if err != nil {
		return next, target, err
	}
	return t.FindNext(ctx, c, in.TemplateID, d)
}

func (t *templated) addVersion(ctx context.Context, c *httpapi.Call, _ *newVersionIn, next templatewire.Next) (*templateOut, error) {
	head, v, err := t.templates.AddVersion(ctx, c, next.Template, next.Version)
	return t.shown(ctx, c, head, v, err, false)
}

type updateVersionIn struct {
	versionIn
	ifMatch
	Body templateBody
}

// update reads the change here, after the decision: what it does not say stays
// as the version has it.
func (t *templated) update(ctx context.Context, c *httpapi.Call, in *updateVersionIn, found templatewire.Found) (*templateOut, error) {
	d, err := in.Body.draft(found.Version.Payload)
	if err != nil {
		return nil, err
	}
	head, v, err := t.Kind.Update(ctx, c, found, in.IfMatch, d)
	return t.shown(ctx, c, head, v, err, false)
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

func (in *listTemplatesIn) check() error {
	if in.Order != "" && in.Order != "asc" && in.Order != "desc" {
		return fault.Field("order", "Parameter 'order' must be asc or desc.")
	}
	if in.Limit == nil {
		return nil
	}
	_, err := lists.Size(*in.Limit, true, "limit")
	return err
}

func (in *listTemplatesIn) account() *string { return &in.AccountID }

// findList is about the caller's own account unless another is named.
func findList[In any, P interface {
	*In
	account() *string
}](t *templated) func(context.Context, *httpapi.Call, *In) (httpapi.None, httpapi.Target, error) {
	return func(_ context.Context, c *httpapi.Call, in *In) (none httpapi.None, target httpapi.Target, err error) {
		account := P(in).account()
		*account = cmp.Or(*account, c.Caller.Account)
		if !id.IsAccount(*account) {
			return none, target, fault.Field("account_id", "Parameter 'account_id' is no account id.")
		}
		c.Seeks("Account", *account)
		return none, t.Target(*account, ""), nil
	}
}

// place is where an object stands in the order that is asked for: by creation
// (default), last change, name or template.
func (in *listTemplatesIn) place(m *store.Meta) store.Cursor {
	at := *store.CursorAt(store.ByCreated, m)
	switch in.Sort {
	case "name":
		at.Text = m.Name
	case "last_modified_at":
		at = *store.CursorAt(store.ByModified, m)
	case "template_id":
		at.Text = m.Parent
	}
	return at
}

// page gives one page of a list that is held whole, as wire words it: templates,
// versions and assignments are few.
func page[T, W any](ctx context.Context, a *API, c *httpapi.Call, path string, in *listTemplatesIn, list []*T, wire func(*T) (*W, error)) (
	[]*W, Paging, error) {
	size := lists.DefaultSize
	if in.Limit != nil {
		size = *in.Limit
	}
	q := c.URL.Query()
	q.Set("limit", strconv.Itoa(size))
	if in.AccountID != "" {
		q.Set("account_id", in.AccountID)
	}
	src := lists.Held(list, in.Order == "desc", func(x *T) store.Cursor { return in.place(any(x).(store.Entity).Base()) })
	p, links, err := lists.ByToken(ctx, a.pages, src, lists.Asked{
		Base: a.base, URL: &url.URL{Path: path, RawQuery: q.Encode()}, Param: "pagetoken", Token: in.PageToken, Size: size})
	if err != nil {
		return nil, Paging{}, err
	}
	items, err := lists.TryMap(p.Items, wire)
	return items, Paging{Offset: p.Offset, Limit: size, First: links.First, Previous: links.Previous, Next: links.Next}, err
}

// templateList is a page of templates or versions; list is the array's name.
type templateList struct {
	Paging
	name  string
	items []*templateOut
}

// MarshalJSON puts the array under the kind's own name.
func (l *templateList) MarshalJSON() ([]byte, error) {
	return templatewire.WithArray(l.Paging, l.name, l.items)
}

func (t *templated) listTemplates(ctx context.Context, c *httpapi.Call, in *listTemplatesIn, _ httpapi.None) (*templateList, error) {
	heads, err := t.templates.List(ctx, t.Name, in.AccountID)
	if err != nil {
		return nil, err
	}
	items, paging, err := page(ctx, t.API, c, t.path, in, heads, func(h *template.Template) (*templateOut, error) {
		v, err := t.templates.Version(ctx, h, 0)
		if err != nil {
			return nil, err
		}
		return t.wire(ctx, h, v, in.IncludeHistory)
	})
	return &templateList{paging, t.list, items}, err
}

type versionsIn struct {
	templatewire.OfTemplate
	listTemplatesIn
}

func (t *templated) listVersions(ctx context.Context, c *httpapi.Call, in *versionsIn, head *template.Template) (*templateList, error) {
	versions, err := t.templates.ListVersions(ctx, head)
	if err != nil {
		return nil, err
	}
	path := t.path + "/" + head.ID + "/versions"
	items, paging, err := page(ctx, t.API, c, path, &in.listTemplatesIn, versions, func(v *template.Version) (*templateOut, error) {
		return t.wire(ctx, head, v, in.IncludeHistory)
	})
	return &templateList{paging, t.list, items}, err
}
