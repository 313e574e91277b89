package iamaccessgroupsv2

import (
	"context"
	"strconv"

	"github.com/kagiban/kagiban/internal/api/templatewire"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

type assignmentOut struct {
	ID              string               `json:"id"`
	AccountID       string               `json:"account_id"`
	TemplateID      string               `json:"template_id"`
	TemplateVersion string               `json:"template_version"`
	TargetType      string               `json:"target_type"`
	Target          string               `json:"target"`
	Operation       string               `json:"operation"`
	Status          string               `json:"status"`
	Resources       []assignmentResource `json:"resources,omitempty"`
	stamped
}

type assignmentResource struct {
	Target     string            `json:"target"`
	Group      *assignedGroup    `json:"group,omitempty"`
	References []assignmentEntry `json:"policy_template_references,omitempty"`
}

type assignedGroup struct {
	Group   assignmentEntry   `json:"group"`
	Members []assignmentEntry `json:"members"`
	Rules   []assignmentEntry `json:"rules"`
}

type assignmentEntry struct {
	ID        string `json:"id"`
	Name      string `json:"name,omitempty"`
	Version   string `json:"version,omitempty"`
	Resource  string `json:"resource"`
	Error     string `json:"error"`
	Operation string `json:"operation,omitempty"`
	Status    string `json:"status"`
}

func (a *API) wireAssignment(ctx context.Context, c *httpapi.Call, x *template.Assignment, verbose bool) (*assignmentOut, error) {
	out := &assignmentOut{ID: x.ID, AccountID: x.Account, TemplateID: x.Template(), TemplateVersion: strconv.Itoa(x.Number), TargetType: x.TargetType,
		Target: x.Target(), Operation: x.Operation, Status: string(x.Status), stamped: wireStamps(&x.Meta, c.Base+"/v1/group_assignments/"+x.ID)}
	if !verbose {
		return out, nil
	}
	results, err := a.templates.Results(ctx, x)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		g := &assignedGroup{Group: assignmentEntry{Version: out.TemplateVersion, Operation: x.Operation, Status: string(r.Status)},
			Members: []assignmentEntry{}, Rules: []assignmentEntry{}}
		for _, m := range r.Made {
			if m.Kind == kinds.Group {
				g.Group.ID, g.Group.Resource = m.ID, m.ID
			}
		}
		if r.Error != nil {
			g.Group.Error = r.Error.Message
		}
		w := assignmentResource{Target: r.Owner, Group: g}
		for _, p := range r.Parts {
			w.References = append(w.References, assignmentEntry{ID: p.ID, Version: strconv.Itoa(p.Version), Resource: p.Made, Operation: x.Operation, Status: string(p.Status)})
		}
		out.Resources = append(out.Resources, w)
	}
	return out, nil
}

type assignIn struct {
	Body struct {
		TemplateID string       `json:"template_id"`
		Version    httpapi.Text `json:"template_version"`
		TargetType string       `json:"target_type"`
		Target     string       `json:"target"`
	}
}

// Validate checks the required properties.
func (in *assignIn) Validate() error {
	switch {
	case in.Body.TemplateID == "":
		return fault.Missing("template_id")
	case in.Body.Target == "":
		return fault.Missing("target")
	case in.Body.TargetType != template.TargetAccount && in.Body.TargetType != template.TargetGroup:
		return fault.Field("target_type", "Property 'target_type' must be Account or AccountGroup.")
	}
	_, err := templatewire.Assigned(in.Body.Version)
	return err
}

func (a *API) onAssigned(ctx context.Context, c *httpapi.Call, in *assignIn) (httpapi.Target, error) {
	return a.kind().OnAssigned(ctx, c, in.Body.TemplateID)
}

func (a *API) assign(ctx context.Context, c *httpapi.Call, in *assignIn) (*assignmentOut, error) {
	number, err := templatewire.Assigned(in.Body.Version)
	if err != nil {
		return nil, err
	}
	x, err := a.templates.Assign(ctx, template.Wish{Kind: kinds.Group, Template: in.Body.TemplateID, Number: number,
		TargetType: in.Body.TargetType, Target: in.Body.Target})
	if err != nil {
		return nil, err
	}
	c.SetETag(x.Tag)
	return a.wireAssignment(ctx, c, x, false)
}

type assignmentIn struct {
	templatewire.OfAssignment
	Verbose bool `query:"verbose"`
}

func (a *API) assignment(ctx context.Context, c *httpapi.Call, in *assignmentIn) (*assignmentOut, error) {
	x, err := a.templates.Assignment(ctx, kinds.Group, in.AssignmentID)
	if err != nil {
		return nil, err
	}
	c.SetETag(x.Tag)
	return a.wireAssignment(ctx, c, x, in.Verbose)
}

type reassignIn struct {
	assignmentIn
	IfMatch string `header:"If-Match"`
	Body    struct {
		Version httpapi.Text `json:"template_version"`
	}
}

// Validate checks header and version.
func (in *reassignIn) Validate() error {
	if in.IfMatch == "" {
		return fault.Missing("If-Match")
	}
	_, err := templatewire.Assigned(in.Body.Version)
	return err
}

func (a *API) reassign(ctx context.Context, c *httpapi.Call, in *reassignIn) (*assignmentOut, error) {
	number, err := templatewire.Assigned(in.Body.Version)
	if err != nil {
		return nil, err
	}
	x, err := a.templates.Reassign(ctx, kinds.Group, in.AssignmentID, in.IfMatch, number)
	if err != nil {
		return nil, err
	}
	c.SetETag(x.Tag)
	return a.wireAssignment(ctx, c, x, false)
}

func (a *API) unassign(ctx context.Context, _ *httpapi.Call, in *assignmentIn) (*struct{}, error) {
	return nil, a.templates.Unassign(ctx, kinds.Group, in.AssignmentID)
}

type listAssignmentsIn struct {
	accountParam
	offsetIn
	TemplateID string `query:"template_id"`
	Version    string `query:"template_version"`
	Target     string `query:"target"`
	Status     string `query:"status"`
}

func inAssignments(ctx context.Context, c *httpapi.Call, in *listAssignmentsIn) (httpapi.Target, error) {
	return inAccount(ctx, c, in)
}

type assignmentList struct {
	lists.Offsets
	Assignments []*assignmentOut `json:"assignments"`
}

func (a *API) listAssignments(ctx context.Context, c *httpapi.Call, in *listAssignmentsIn) (*assignmentList, error) {
	all, err := a.kind().Assignments(ctx, in.AccountID, templatewire.Filter{TemplateID: in.TemplateID, Version: in.Version, Target: in.Target, Status: in.Status})
	if err != nil {
		return nil, err
	}
	head, from, to, err := lists.ByOffset(c.Base, c.URL, in.Limit, in.Offset, len(all))
	if err != nil {
		return nil, err
	}
	out := &assignmentList{Offsets: head, Assignments: []*assignmentOut{}}
	for _, x := range all[from:to] {
		w, err := a.wireAssignment(ctx, c, x, false)
		if err != nil {
			return nil, err
		}
		out.Assignments = append(out.Assignments, w)
	}
	return out, nil
}
