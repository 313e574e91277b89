package iamidentityv1

import (
	"context"
	"strconv"

	"github.com/kagiban/kagiban/internal/api/templatewire"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// assignmentOut is an assignment on the wire. Resources are shown of a single
// one, never in lists; of one in progress only those that are in trouble: an
// internal error keeps the account from being settled, and is tried again.
type assignmentOut struct {
	ID              string               `json:"id"`
	AccountID       string               `json:"account_id"`
	TemplateID      string               `json:"template_id"`
	TemplateVersion int                  `json:"template_version"`
	TargetType      string               `json:"target_type"`
	Target          string               `json:"target"`
	Status          string               `json:"status"`
	Resources       []assignmentResource `json:"resources,omitempty"`
	History         []HistoryRecord      `json:"history,omitempty"`
	Href            string               `json:"href"`
	templateStamps
	EntityTag string `json:"entity_tag"`
	// Progress is this server's own: shown of a single one in progress.
	Progress *assignmentProgress `json:"progress,omitempty"`
}

type assignmentProgress struct {
	Settled  int `json:"settled"`
	Accounts int `json:"accounts"`
}

type assignmentResource struct {
	Target     string             `json:"target"`
	Profile    *assignmentDetail  `json:"profile,omitempty"`
	Settings   *assignmentDetail  `json:"account_settings,omitempty"`
	References []assignmentDetail `json:"policy_template_references,omitempty"`
}

type assignmentDetail struct {
	ID      string           `json:"id,omitempty"`
	Version string           `json:"version,omitempty"`
	Created *createdRef      `json:"resource_created,omitempty"`
	Error   *assignmentError `json:"error_message,omitempty"`
	Status  string           `json:"status"`
}

type createdRef struct {
	ID string `json:"id"`
}

// assignmentError is in camel case, unlike everything around it.
type assignmentError struct {
	Name       string `json:"name"`
	ErrorCode  string `json:"errorCode"`
	Message    string `json:"message"`
	StatusCode string `json:"statusCode"`
}

func (t *templated) wireAssignment(ctx context.Context, a *template.Assignment, whole, history bool) (*assignmentOut, error) {
	out := &assignmentOut{ID: a.ID, AccountID: a.Account, TemplateID: a.Template(), TemplateVersion: a.Number, TargetType: a.TargetType,
		Target: a.Target(), Status: string(a.Status), Href: t.base + t.assignments + "/" + a.ID, templateStamps: wireTemplateStamps(&a.Meta),
		EntityTag: a.Tag}
	var err error
	if out.History, err = t.history(ctx, history, template.Assignments.Kind(), &a.Meta); err != nil {
		return nil, err
	}
	if !whole {
		return out, nil
	}
	underWay := a.Status == template.Accepted || a.Status == template.InProgress
	if underWay {
		out.Progress = &assignmentProgress{}
		if out.Progress.Settled, out.Progress.Accounts, err = t.templates.Progress(ctx, a); err != nil {
			return nil, err
		}
	}
	results, err := t.templates.Results(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		if !underWay || r.Status == template.InProgress {
			out.Resources = append(out.Resources, t.wireResult(r))
		}
	}
	return out, nil
}

func (t *templated) wireResult(r *template.Result) assignmentResource {
	out := assignmentResource{Target: r.Owner}
	d := &assignmentDetail{Status: string(r.Status), Error: wireAssignmentError(r.Error)}
	for _, m := range r.Made {
		if m.Kind == t.Name {
			d.Created = &createdRef{m.ID}
		}
	}
	if t.Name == kinds.Profile {
		out.Profile = d
	} else {
		out.Settings = d
	}
	for _, p := range r.Parts {
		part := assignmentDetail{ID: p.ID, Version: strconv.Itoa(p.Version), Status: string(p.Status)}
		if p.Made != "" {
			part.Created = &createdRef{p.Made}
		}
		out.References = append(out.References, part)
	}
	return out
}

func wireAssignmentError(e *template.Error) *assignmentError {
	if e == nil {
		return nil
	}
	return &assignmentError{e.Name, e.Code, e.Message, strconv.Itoa(e.Status)}
}

type assignmentIn struct {
	templatewire.OfAssignment
	IncludeHistory bool `query:"include_history"`
}

func (t *templated) assignment(ctx context.Context, c *httpapi.Call, in *assignmentIn, a *template.Assignment) (*assignmentOut, error) {
	return t.shownAssignment(ctx, c, a, nil, in.IncludeHistory)
}

// shownAssignment words one that was read or written, under its entity tag.
func (t *templated) shownAssignment(ctx context.Context, c *httpapi.Call, a *template.Assignment, err error, history bool) (*assignmentOut,
	error) {
	if err != nil {
		return nil, err
	}
	c.SetETag(a.Tag)
	return t.wireAssignment(ctx, a, true, history)
}

type assignIn struct {
	Body struct {
		TemplateID string              `json:"template_id"`
		Version    *templatewire.Whole `json:"template_version"`
		TargetType string              `json:"target_type"`
		Target     string              `json:"target"`
	}
}

func (in *assignIn) check() error {
	switch {
	case in.Body.TemplateID == "":
		return fault.Missing("template_id")
	case in.Body.Version == nil:
		return fault.Missing("template_version")
	case in.Body.Target == "":
		return fault.Missing("target")
	case in.Body.TargetType != template.TargetAccount && in.Body.TargetType != template.TargetGroup:
		return fault.Field("target_type", "Property 'target_type' must be Account or AccountGroup.")
	}
	return nil
}

func (t *templated) findAssigned(ctx context.Context, c *httpapi.Call, in *assignIn) (*template.Template, httpapi.Target, error) {
	return t.Find(ctx, c, in.Body.TemplateID)
}

func (t *templated) assign(ctx context.Context, c *httpapi.Call, in *assignIn, head *template.Template) (*assignmentOut, error) {
	a, err := t.templates.Assign(ctx, c, head, template.Wish{Number: int(*in.Body.Version), TargetType: in.Body.TargetType,
		Target: in.Body.Target})
	return t.shownAssignment(ctx, c, a, err, false)
}

type reassignIn struct {
	assignmentIn
	ifMatch
	Body struct {
		Version *templatewire.Whole `json:"template_version"`
	}
}

func (in *reassignIn) check() error {
	if in.Body.Version == nil {
		return fault.Missing("template_version")
	}
	return in.present()
}

func (t *templated) reassign(ctx context.Context, c *httpapi.Call, in *reassignIn, found *template.Assignment) (*assignmentOut, error) {
	a, err := t.templates.Reassign(ctx, c, found, in.IfMatch, int(*in.Body.Version))
	return t.shownAssignment(ctx, c, a, err, false)
}

type listAssignmentsIn struct {
	listTemplatesIn
	TemplateID string `query:"template_id"`
	Version    string `query:"template_version"`
	Target     string `query:"target"`
	TargetType string `query:"target_type"`
}

type assignmentList struct {
	Paging
	Assignments []*assignmentOut `json:"assignments"`
}

func (t *templated) listAssignments(ctx context.Context, c *httpapi.Call, in *listAssignmentsIn, _ httpapi.None) (*assignmentList, error) {
	all, err := t.Assignments(ctx, in.AccountID, templatewire.Filter{TemplateID: in.TemplateID, Version: in.Version, Target: in.Target,
		TargetType: in.TargetType})
	if err != nil {
		return nil, err
	}
	path := t.assignments + "/"
	items, paging, err := page(ctx, t.API, c, path, &in.listTemplatesIn, all, func(a *template.Assignment) (*assignmentOut, error) {
		return t.wireAssignment(ctx, a, false, in.IncludeHistory)
	})
	return &assignmentList{paging, items}, err
}
