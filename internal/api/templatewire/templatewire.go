// Package templatewire is what the API families that serve enterprise templates
// have in common: who is asked for, what is not there, versions and references
// as clients write them. Paths, bodies, envelopes and paging are the families'.
package templatewire

import (
	"context"
	"encoding/json"
	"reflect"
	"strconv"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// Kind is one kind of template as a family serves it.
type Kind struct {
	Templates *template.Service
	Name      string // of package kinds
	Service   string // that its actions belong to, e.g. "iam-groups"
	// Word gives an error the family's own code; about is Template, Assignment or
	// Assigning. nil leaves errors as they are.
	Word func(about string, e *fault.Error)
}

// What an operation is about.
const (
	Template   = "template"
	Assignment = "assignment"
	Assigning  = "assigning" // what is not there is a template then, all else is about the assignment
)

// Target is the resource that actions on a template are decided on, and those
// on its assignments; templateID is "" for all of an account.
func (k *Kind) Target(account, templateID string) httpapi.Target {
	return httpapi.Target{ServiceName: k.Service, Account: account, ResourceType: "template", Resource: templateID}
}

// worded gives an error the family's code.
func (k *Kind) worded(about string, err error) error {
	if err == nil || k.Word == nil {
		return err
	}
	e := *fault.Of(err)
	k.Word(about, &e)
	return &e
}

// absent words an error for what is not there, and has the call answer with it
// to callers who may not know whether it is.
func (k *Kind) absent(c *httpapi.Call, about string, e *fault.Error) *fault.Error {
	worded := fault.Of(k.worded(about, e))
	c.SeeksOr(worded)
	return worded
}

// OfTemplate is the path parameter of operations on a template.
type OfTemplate struct {
	TemplateID string `path:"template_id"`
}

func (r *OfTemplate) templateID() string { return r.TemplateID }

// OfAssignment is the path parameter of operations on an assignment.
type OfAssignment struct {
	AssignmentID string `path:"assignment_id"`
}

func (r *OfAssignment) assignmentID() string { return r.AssignmentID }

// OnTemplate is the target of operations on a stored template. In embeds
// OfTemplate.
func OnTemplate[In any](k *Kind) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		return k.find(ctx, c, any(in).(interface{ templateID() string }).templateID())
	}
}

func (k *Kind) find(ctx context.Context, c *httpapi.Call, templateID string) (httpapi.Target, error) {
	absent := k.absent(c, Template, template.NoTemplate(templateID))
	head, err := k.Templates.Template(ctx, k.Name, templateID)
	if err != nil {
		if fault.Of(err).Kind == fault.NotFound {
			err = absent
		}
		return httpapi.Target{}, err
	}
	return k.Target(head.Account, head.ID), nil
}

// OnAssigned is the target of assigning a template. Beside the action itself
// that needs sight of the enterprise.
func (k *Kind) OnAssigned(ctx context.Context, c *httpapi.Call, templateID string) (httpapi.Target, error) {
	t, err := k.find(ctx, c, templateID)
	if err != nil {
		return t, err
	}
	return t, c.Authorize(ctx, "enterprise.enterprise.retrieve", httpapi.Target{ServiceName: "enterprise", Account: t.Account})
}

// OnAssignment is the target of operations on a stored assignment. In embeds
// OfAssignment.
func OnAssignment[In any](k *Kind) func(context.Context, *httpapi.Call, *In) (httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (httpapi.Target, error) {
		assignmentID := any(in).(interface{ assignmentID() string }).assignmentID()
		absent := k.absent(c, Assignment, template.NoAssignment(assignmentID))
		a, err := k.Templates.Assignment(ctx, k.Name, assignmentID)
		if err != nil {
			if fault.Of(err).Kind == fault.NotFound {
				err = absent
			}
			return httpapi.Target{}, err
		}
		return k.Target(a.Account, a.Template()), nil
	}
}

// Worded gives the errors of an operation the family's codes.
func Worded[In, Out any](k *Kind, about string, do func(context.Context, *httpapi.Call, *In) (*Out, error)) func(context.Context, *httpapi.Call, *In) (*Out, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*Out, error) {
		out, err := do(ctx, c, in)
		return out, k.worded(about, err)
	}
}

// Read gives a version of a template with its head. number is as the client
// wrote it; "" stands for the latest.
func (k *Kind) Read(ctx context.Context, templateID, number string) (*template.Template, *template.Version, error) {
	n := 0
	if number != "" {
		var err error
		if n, err = Number(templateID, number); err != nil {
			return nil, nil, err
		}
	}
	head, err := k.Templates.Template(ctx, k.Name, templateID)
	if err != nil {
		return nil, nil, err
	}
	v, err := k.Templates.Version(ctx, head, n)
	return head, v, err
}

// Number reads the number of a version of a template in a path; what is no
// number names no version.
func Number(templateID, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, template.NoVersion(templateID, text)
	}
	return n, nil
}

// Assigned reads the number of the version that is to be assigned.
func Assigned(text httpapi.Text) (int, error) {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 {
		return 0, fault.Field("template_version", "Property 'template_version' must be a version number.")
	}
	return n, nil
}

// Whole is a whole number that clients may send as a text too: where one family
// has numbers the others have texts.
type Whole int

// UnmarshalJSON takes a whole number, or its digits in a string.
func (w *Whole) UnmarshalJSON(raw []byte) error {
	var t httpapi.Text
	if err := t.UnmarshalJSON(raw); err != nil {
		return err
	}
	n, err := strconv.Atoi(string(t))
	if err != nil {
		return &json.UnmarshalTypeError{Value: "string that is no whole number", Type: reflect.TypeFor[int]()}
	}
	*w = Whole(n)
	return nil
}

// Reference names a version of a policy template that comes with another one.
type Reference struct {
	ID      string       `json:"id"`
	Version httpapi.Text `json:"version"`
}

// Sent gives references in their domain form; nil stays nil: nothing was sent.
func Sent(list []Reference) ([]template.Reference, error) {
	if list == nil {
		return nil, nil
	}
	out := []template.Reference{}
	for i, r := range list {
		n, err := strconv.Atoi(string(r.Version))
		if err != nil || n < 1 || r.ID == "" {
			return nil, fault.Field("policy_template_references", "Property 'policy_template_references[%d]' must hold an id and a version number.", i)
		}
		out = append(out, template.Reference{Kind: kinds.Policy, ID: r.ID, Version: n})
	}
	return out, nil
}

// Shown gives the references of a version as clients write them.
func Shown(v *template.Version) []Reference {
	out := []Reference{}
	for _, r := range v.References {
		out = append(out, Reference{r.ID, httpapi.Text(strconv.Itoa(r.Version))})
	}
	return out
}

// Filter selects assignments; empty fields do not restrict.
type Filter struct{ TemplateID, Version, Target, TargetType, Status string }

// Assignments gives the assignments of a root account that a filter selects,
// oldest first.
func (k *Kind) Assignments(ctx context.Context, root string, f Filter) ([]*template.Assignment, error) {
	all, err := k.Templates.ListAssignments(ctx, k.Name, root)
	if err != nil {
		return nil, err
	}
	var out []*template.Assignment
	for _, a := range all {
		if is(f.TemplateID, a.Template()) && is(f.Version, strconv.Itoa(a.Number)) && is(f.Target, a.Target()) &&
			is(f.TargetType, a.TargetType) && is(f.Status, string(a.Status)) {
			out = append(out, a)
		}
	}
	return out, nil
}

func is(want, got string) bool { return want == "" || want == got }
