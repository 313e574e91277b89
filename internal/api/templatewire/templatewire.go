// Package templatewire is what the API families that serve enterprise templates
// have in common: who is asked for, what is not there, versions and references
// as clients write them. Paths, bodies, envelopes and paging are the families'.
package templatewire

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// Kind is one kind of template as a family serves it.
type Kind struct {
	Templates *template.Service
	Name      string // of package kinds
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
	return k.Templates.On(k.Name, account, templateID)
}

// worded gives an error the family's code.
func (k *Kind) worded(about string, err error) error {
	if err == nil || k.Word == nil || errors.Is(err, store.ErrMoved) { // that is for the adapter
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

func (r OfTemplate) templateID() string { return r.TemplateID }

// OfAssignment is the path parameter of operations on an assignment.
type OfAssignment struct {
	AssignmentID string `path:"assignment_id"`
}

func (r OfAssignment) assignmentID() string { return r.AssignmentID }

// FindTemplate finds the template that an operation is about. In embeds
// OfTemplate.
func FindTemplate[In interface{ templateID() string }](k *Kind) func(context.Context, *httpapi.Call, *In) (*template.Template,
	httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*template.Template, httpapi.Target, error) {
		return k.Find(ctx, c, (*in).templateID())
	}
}

// Find finds a template.
func (k *Kind) Find(ctx context.Context, c *httpapi.Call, templateID string) (*template.Template, httpapi.Target, error) {
	absent := k.absent(c, Template, template.NoTemplate(templateID))
	head, err := k.Templates.Template(ctx, k.Name, templateID)
	if errors.Is(err, fault.NotFound) {
		err = absent
	}
	if err != nil {
		return nil, httpapi.Target{}, err
	}
	return head, k.Target(head.Account, head.ID), nil
}

// Found is a template with one of its versions.
type Found struct {
	Template *template.Template
	Version  *template.Version
	absent   error // why there is no such version; only who may know of the template learns it
}

// FindVersion finds the version that an operation is about, or the latest one
// when its number is "". In embeds OfTemplate.
func FindVersion[In interface {
	templateID() string
	VersionNumber() string
}](k *Kind) func(context.Context, *httpapi.Call, *In) (Found, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (found Found, target httpapi.Target, err error) {
		if found.Template, target, err = k.Find(ctx, c, (*in).templateID()); err != nil {
			return found, target, err
		}
		n, text := 0, (*in).VersionNumber()
		if text != "" {
			if n, err = strconv.Atoi(text); err != nil || n < 1 { // what is no number names no version
				found.absent = template.NoVersion(found.Template.ID, text)
				return found, target, nil
			}
		}
		found.Version, err = k.Templates.Version(ctx, found.Template, n)
		if errors.Is(err, fault.NotFound) {
			found.absent, err = err, nil
		}
		return found, target, err
	}
}

// Versioned has an operation done on a version that is there, and gives its
// errors the family's codes.
func Versioned[In, Out any](k *Kind, do func(context.Context, *httpapi.Call, *In, Found) (*Out, error)) func(context.Context,
	*httpapi.Call, *In, Found) (*Out, error) {
	return Worded(k, Template, func(ctx context.Context, c *httpapi.Call, in *In, found Found) (*Out, error) {
		if found.absent != nil {
			return nil, found.absent
		}
		return do(ctx, c, in, found)
	})
}

// FindAssignment finds the assignment that an operation is about. In embeds
// OfAssignment.
func FindAssignment[In interface{ assignmentID() string }](k *Kind) func(context.Context, *httpapi.Call, *In) (*template.Assignment,
	httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*template.Assignment, httpapi.Target, error) {
		assignmentID := (*in).assignmentID()
		absent := k.absent(c, Assignment, template.NoAssignment(assignmentID))
		a, err := k.Templates.Assignment(ctx, k.Name, assignmentID)
		if errors.Is(err, fault.NotFound) {
			err = absent
		}
		if err != nil {
			return nil, httpapi.Target{}, err
		}
		return a, k.Target(a.Account, a.Template()), nil
	}
}

// Worded gives the errors of an operation the family's codes.
func Worded[In, Found, Out any](k *Kind, about string, do func(context.Context, *httpapi.Call, *In, Found) (*Out,
	error)) func(context.Context, *httpapi.Call, *In, Found) (*Out, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In, found Found) (*Out, error) {
		out, err := do(ctx, c, in, found)
		return out, k.worded(about, err)
	}
}

// Next is a template and its next version.
type Next struct {
	Template *template.Template
	Version  template.Checked
}

// FindNext judges the draft of another version of a template, and finds the template.
func (k *Kind) FindNext(ctx context.Context, c *httpapi.Call, templateID string, d template.Draft) (next Next, target httpapi.Target,
	err error) {
	if next.Version, err = k.Templates.Check(k.Name, d); err == nil {
		next.Template, target, err = k.Find(ctx, c, templateID)
	}
	return next, target, err
}

// Update changes a version to what a draft says, after the precondition.
func (k *Kind) Update(ctx context.Context, c *httpapi.Call, found Found, ifMatch string, d template.Draft) (*template.Template,
	*template.Version, error) {
	change, err := k.Templates.Check(k.Name, d)
	if err != nil {
		return nil, nil, err
	}
	return k.Templates.UpdateVersion(ctx, c, found.Template, found.Version, ifMatch, change)
}

// doing is how a row does what has no answer.
type doing[In, Found any] = func(context.Context, *httpapi.Call, *In, Found) (*httpapi.None, error)

// Delete deletes a template with all of its versions.
func Delete[In any](k *Kind) doing[In, *template.Template] {
	return Worded(k, Template, func(ctx context.Context, _ *httpapi.Call, _ *In, t *template.Template) (*httpapi.None, error) {
		return nil, k.Templates.Delete(ctx, t)
	})
}

// DeleteVersion deletes one version.
func DeleteVersion[In any](k *Kind) doing[In, Found] {
	return Versioned(k, func(ctx context.Context, _ *httpapi.Call, _ *In, found Found) (*httpapi.None, error) {
		return nil, k.Templates.DeleteVersion(ctx, found.Template, found.Version)
	})
}

// Commit makes a version final, whatever its entity tag.
func Commit[In any](k *Kind) doing[In, Found] {
	return Versioned(k, func(ctx context.Context, _ *httpapi.Call, _ *In, found Found) (*httpapi.None, error) {
		return nil, k.Templates.Commit(ctx, found.Template, found.Version, "")
	})
}

// Unassign takes an assignment back.
func Unassign[In any](k *Kind) doing[In, *template.Assignment] {
	return Worded(k, Assignment, func(ctx context.Context, c *httpapi.Call, _ *In, a *template.Assignment) (*httpapi.None, error) {
		return nil, k.Templates.Unassign(ctx, c, a)
	})
}

// Number is the number of a version in a body: a text that clients may send as a
// number.
type Number httpapi.Text

// UnmarshalJSON takes what httpapi.Text takes.
func (n *Number) UnmarshalJSON(raw []byte) error { return (*httpapi.Text)(n).UnmarshalJSON(raw) }

// Int gives the number, 0 for what is none.
func (n Number) Int() int {
	i, err := strconv.Atoi(string(n))
	if err != nil || i < 1 {
		return 0
	}
	return i
}

// Check demands the number of the version that is to be assigned.
func (n Number) Check() error {
	if n.Int() == 0 {
		return fault.Field("template_version", "Property 'template_version' must be a version number.")
	}
	return nil
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
		return httpapi.WrongType("string that is no whole number")
	}
	*w = Whole(n)
	return nil
}

// Reference names a version of a policy template that comes with another one.
type Reference struct {
	ID      string `json:"id"`
	Version Number `json:"version"`
}

// Sent gives references in their domain form; nil stays nil: nothing was sent.
func Sent(list []Reference) ([]template.Reference, error) {
	if list == nil {
		return nil, nil
	}
	out := []template.Reference{}
	for i, r := range list {
		n := r.Version.Int()
		if n == 0 || r.ID == "" {
			return nil, fault.Field("policy_template_references",
				"Property 'policy_template_references[%d]' must hold an id and a version number.", i)
		}
		out = append(out, template.Reference{Kind: kinds.Policy, ID: r.ID, Version: n})
	}
	return out, nil
}

// Shown gives the references of a version as clients write them.
func Shown(v *template.Version) []Reference {
	out := []Reference{}
	for _, r := range v.References {
		out = append(out, Reference{r.ID, Number(strconv.Itoa(r.Version))})
	}
	return out
}

// WithArray encodes the head of a list with the list itself, which each kind of
// template has under a name of its own.
func WithArray(head any, name string, items any) ([]byte, error) {
	raw, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	list, err := json.Marshal(map[string]any{name: items})
	if err != nil || string(raw) == "{}" {
		return list, err
	}
	return append(append(raw[:len(raw)-1], ','), list[1:]...), nil
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
