package iamaccessgroupsv2

import (
	"context"
	"slices"
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
	out := &assignmentOut{ID: x.ID, AccountID: x.Account, TemplateID: x.Template(), TemplateVersion: strconv.Itoa(x.Number),
		TargetType: x.TargetType,
		Target:     x.Target(), Operation: x.Operation, Status: string(x.Status),
		stamped: wireStamps(&x.Meta, c.Base+"/v1/group_assignments/"+x.ID)}
	if !verbose {
		return out, nil
	}
	results, err := a.templates.Results(ctx, x)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		w, err := a.wireResult(ctx, x, r)
		if err != nil {
			return nil, err
		}
		out.Resources = append(out.Resources, w)
	}
	return out, nil
}

// wireResult shows what an assignment came to in one account: the group, what
// the template gave it, and the policies that are for it.
func (a *API) wireResult(ctx context.Context, x *template.Assignment, r *template.Result) (w assignmentResource, err error) {
	version := strconv.Itoa(x.Number)
	entry := func(id, name string) assignmentEntry {
		return assignmentEntry{ID: id, Name: name, Version: version, Resource: id, Operation: x.Operation, Status: string(r.Status)}
	}
	g := &assignedGroup{Group: entry("", ""), Members: []assignmentEntry{}, Rules: []assignmentEntry{}}
	if i := slices.IndexFunc(r.Made, func(m template.Made) bool { return m.Kind == kinds.Group }); i >= 0 {
		g.Group = entry(r.Made[i].ID, "")
		members, rules, err := a.groups.Laid(ctx, r.Owner, r.Made[i].ID)
		if err != nil {
			return w, err
		}
		for _, m := range members {
			g.Members = append(g.Members, entry(m.Owner, ""))
		}
		for _, rule := range rules {
			g.Rules = append(g.Rules, entry(rule.ID, rule.Name))
		}
	}
	if r.Error != nil {
		g.Group.Error = r.Error.Message
	}
	w = assignmentResource{Target: r.Owner, Group: g}
	for _, p := range r.Parts {
		w.References = append(w.References, assignmentEntry{ID: p.ID, Version: strconv.Itoa(p.Version), Resource: p.Made,
			Operation: x.Operation, Status: string(p.Status)})
	}
	return w, nil
}

// shownAssignment words one that was read or written, under its entity tag.
func (a *API) shownAssignment(ctx context.Context, c *httpapi.Call, x *template.Assignment, err error, verbose bool) (*assignmentOut,
	error) {
	if err != nil {
		return nil, err
	}
	c.SetETag(x.Tag)
	return a.wireAssignment(ctx, c, x, verbose)
}

type assignIn struct {
	Body struct {
		TemplateID string              `json:"template_id"`
		Version    templatewire.Number `json:"template_version"`
		TargetType string              `json:"target_type"`
		Target     string              `json:"target"`
	}
}

func (in *assignIn) check() error {
	switch {
	case in.Body.TemplateID == "":
		return fault.Missing("template_id")
	case in.Body.Target == "":
		return fault.Missing("target")
	case in.Body.TargetType != template.TargetAccount && in.Body.TargetType != template.TargetGroup:
		return fault.Field("target_type", "Property 'target_type' must be Account or AccountGroup.")
	}
	return in.Body.Version.Check()
}

func (a *API) findAssigned(ctx context.Context, c *httpapi.Call, in *assignIn) (*template.Template, httpapi.Target, error) {
	return a.kind().Find(ctx, c, in.Body.TemplateID)
}

func (a *API) assign(ctx context.Context, c *httpapi.Call, in *assignIn, t *template.Template) (*assignmentOut, error) {
	x, err := a.templates.Assign(ctx, c, t, template.Wish{Number: in.Body.Version.Int(), TargetType: in.Body.TargetType,
		Target: in.Body.Target})
	return a.shownAssignment(ctx, c, x, err, false)
}

type assignmentIn struct {
	templatewire.OfAssignment
	Verbose bool `query:"verbose"`
}

func (a *API) assignment(ctx context.Context, c *httpapi.Call, in *assignmentIn, x *template.Assignment) (*assignmentOut, error) {
	return a.shownAssignment(ctx, c, x, nil, in.Verbose)
}

type reassignIn struct {
	assignmentIn
	httpapi.Conditional
	Body struct {
		Version templatewire.Number `json:"template_version"`
	}
}

func (in *reassignIn) check() error {
	if err := in.Present(); err != nil {
		return err
	}
	return in.Body.Version.Check()
}

func (a *API) reassign(ctx context.Context, c *httpapi.Call, in *reassignIn, found *template.Assignment) (*assignmentOut, error) {
	x, err := a.templates.Reassign(ctx, c, found, in.IfMatch, in.Body.Version.Int())
	return a.shownAssignment(ctx, c, x, err, false)
}

type listAssignmentsIn struct {
	accountParam
	offsetIn
	TemplateID string `query:"template_id"`
	Version    string `query:"template_version"`
	Target     string `query:"target"`
	Status     string `query:"status"`
}

type assignmentList struct {
	lists.Offsets
	Assignments []*assignmentOut `json:"assignments"`
}

func (a *API) listAssignments(ctx context.Context, c *httpapi.Call, in *listAssignmentsIn, _ httpapi.None) (*assignmentList, error) {
	all, err := a.kind().Assignments(ctx, in.AccountID, templatewire.Filter{TemplateID: in.TemplateID, Version: in.Version,
		Target: in.Target, Status: in.Status})
	if err != nil {
		return nil, err
	}
	head, items, err := page(ctx, a, c, in.OffsetIn, all, func(x *template.Assignment) (*assignmentOut, error) {
		return a.wireAssignment(ctx, c, x, false)
	})
	return &assignmentList{head, items}, err
}
