package iampolicymanagementv1

import (
	"context"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/api/templatewire"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// targetRef names the target of an assignment.
type targetRef struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// templateVersionRef names a version of a template; versions are texts.
type templateVersionRef = templatewire.Reference

type assignmentOut struct {
	meta
	AccountID string               `json:"account_id"`
	Target    targetRef            `json:"target"`
	Template  templateVersionRef   `json:"template"`
	Operation string               `json:"operation,omitempty"`
	Resources []assignmentResource `json:"resources"`
	Status    string               `json:"status"`
}

type assignmentResource struct {
	Target  targetRef         `json:"target"`
	Policy  *assignmentDetail `json:"policy,omitempty"`
	Role    *assignmentDetail `json:"role,omitempty"`
	Control *assignmentDetail `json:"action_control,omitempty"`
}

type assignmentDetail struct {
	Created *createdRef      `json:"resource_created,omitempty"`
	Status  string           `json:"status,omitempty"`
	Error   *assignmentError `json:"error_message,omitempty"`
}

type createdRef struct {
	ID string `json:"id"`
}

type assignmentError struct {
	Name      string `json:"name"`
	ErrorCode string `json:"errorCode"`
	Message   string `json:"message"`
	Code      string `json:"code"`
}

// operationNames are the words of role and action control assignments.
var operationNames = map[string]string{template.OpAssign: "create", template.OpUpdate: "update", template.OpRemove: "remove"}

func (t *templated) wireAssignment(ctx context.Context, c *httpapi.Call, a *template.Assignment) (*assignmentOut, error) {
	out := &assignmentOut{meta: wireMeta(&a.Meta, c.Base+t.assignmentsPath()+"/"+a.ID), AccountID: a.Account,
		Target:   targetRef{a.TargetType, a.Target()},
		Template: templateVersionRef{ID: a.Template(), Version: templatewire.Number(strconv.Itoa(a.Number))}, Status: string(a.Status),
		Resources: []assignmentResource{}}
	if t.Name != kinds.Policy {
		out.Operation = operationNames[a.Operation]
	} else if a.Status == template.Accepted {
		out.Status = string(template.InProgress) // policy assignments know no other word for it
	}
	results, err := t.templates.Results(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		d := &assignmentDetail{Status: string(r.Status)}
		for _, m := range r.Made {
			if m.Kind == t.Name && d.Created == nil {
				d.Created = &createdRef{m.ID}
			}
		}
		if r.Error != nil {
			d.Error = &assignmentError{r.Error.Name, r.Error.Code, r.Error.Message, strconv.Itoa(r.Error.Status)}
		}
		w := assignmentResource{Target: targetRef{template.TargetAccount, r.Owner}}
		switch t.Name {
		case kinds.Policy:
			w.Policy = d
		case kinds.Role:
			w.Role = d
		default:
			w.Control = d
		}
		out.Resources = append(out.Resources, w)
	}
	return out, nil
}

// shownAssignment words one that was read or written, under its entity tag.
func (t *templated) shownAssignment(ctx context.Context, c *httpapi.Call, a *template.Assignment, err error) (*assignmentOut, error) {
	if err != nil {
		return nil, err
	}
	c.SetETag(a.Tag)
	return t.wireAssignment(ctx, c, a)
}

type assignIn struct {
	Version string `query:"version"`
	Body    struct {
		Target    targetRef            `json:"target"`
		Templates []templateVersionRef `json:"templates"`
	}
}

func (in *assignIn) check() error {
	in.Body.Target.Type = strings.ReplaceAll(in.Body.Target.Type, " ", "") // the provider's texts say "Account Group"
	switch in.Body.Target.Type {
	case template.TargetAccount, template.TargetGroup, template.TargetEnterprise:
	default:
		return fault.Field("target.type", "Property 'target.type' must be Account, AccountGroup or Enterprise.")
	}
	if in.Body.Target.ID == "" {
		return fault.Missing("target.id")
	}
	if len(in.Body.Templates) != 1 {
		return fault.Field("templates", "Property 'templates' must hold exactly one template.")
	}
	if in.Body.Templates[0].Version.Int() == 0 || in.Body.Templates[0].ID == "" {
		return fault.Field("templates[0]", "Property 'templates[0]' must hold an id and a version number.")
	}
	return checkVersion(in.Version)
}

// checkVersion takes the one version of answers that there is; absent means it.
func checkVersion(version string) error {
	if version != "" && version != "1.0" {
		return fault.Field("version", "Parameter 'version' must be 1.0.")
	}
	return nil
}

func (t *templated) findAssigned(ctx context.Context, c *httpapi.Call, in *assignIn) (*template.Template, httpapi.Target, error) {
	return t.Find(ctx, c, in.Body.Templates[0].ID)
}

type assignmentsOut struct {
	Assignments []*assignmentOut `json:"assignments"`
}

func (t *templated) assign(ctx context.Context, c *httpapi.Call, in *assignIn, head *template.Template) (*assignmentsOut, error) {
	a, err := t.templates.Assign(ctx, c, head, template.Wish{Number: in.Body.Templates[0].Version.Int(), TargetType: in.Body.Target.Type,
		Target: in.Body.Target.ID})
	w, err := t.shownAssignment(ctx, c, a, err)
	return &assignmentsOut{[]*assignmentOut{w}}, err
}

type assignmentIn struct {
	templatewire.OfAssignment
	Version string `query:"version"`
}

func (t *templated) assignment(ctx context.Context, c *httpapi.Call, _ *assignmentIn, a *template.Assignment) (*assignmentOut, error) {
	return t.shownAssignment(ctx, c, a, nil)
}

type reassignIn struct {
	assignmentIn
	httpapi.Conditional
	Body struct {
		Version templatewire.Number `json:"template_version"`
	}
}

func (in *reassignIn) check() error {
	if err := in.Body.Version.Check(); err != nil {
		return err
	}
	return in.Present()
}

func (t *templated) reassign(ctx context.Context, c *httpapi.Call, in *reassignIn, found *template.Assignment) (*assignmentOut, error) {
	a, err := t.templates.Reassign(ctx, c, found, in.IfMatch, in.Body.Version.Int())
	return t.shownAssignment(ctx, c, a, err)
}

type listAssignmentsIn struct {
	pageIn
	AccountID       string `query:"account_id"`
	TemplateID      string `query:"template_id"`
	TemplateVersion string `query:"template_version"`
	Version         string `query:"version"`
}

func (in *listAssignmentsIn) check() error {
	if err := checkVersion(in.Version); err != nil {
		return err
	}
	return in.pageIn.check()
}

func (in listAssignmentsIn) account() string { return in.AccountID }

type assignmentList struct {
	pageHead
	Assignments []*assignmentOut `json:"assignments"`
}

func (t *templated) listAssignments(ctx context.Context, c *httpapi.Call, in *listAssignmentsIn, _ httpapi.None) (*assignmentList, error) {
	found, err := t.Assignments(ctx, in.AccountID, templatewire.Filter{TemplateID: in.TemplateID, Version: in.TemplateVersion})
	if err != nil {
		return nil, err
	}
	items, head, err := page(ctx, t.API, c, &in.pageIn, found, func(a *template.Assignment) (*assignmentOut, error) {
		return t.wireAssignment(ctx, c, a)
	})
	return &assignmentList{head, items}, err
}
