// Package template owns enterprise templates of every kind, their versions and
// assignments, and the reconciler that makes each account hold what is
// assigned to it. The six kinds (trusted profile, account settings, access
// policy, role, action control, access group) differ only in what they check
// and in what they make; each is a Kind that its own domain supplies.
package template

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/store"
)

// Template is the head of a template's versions. Meta.Account is the
// enterprise account, Meta.Parent the kind, Meta.Name the name that all
// versions share.
type Template struct {
	store.Meta
	Latest int `json:"latest"` // highest version number ever given
}

// Kind gives the name of the template's kind.
func (t *Template) Kind() string { return t.Parent }

// Version is one version of a template. Meta.ID is VersionID, Meta.Parent the
// template; the entity tag is the version's own.
type Version struct {
	store.Meta
	Kind      string          `json:"kind"`
	Number    int             `json:"number"` // from 1
	Committed bool            `json:"committed,omitempty"`
	Payload   json.RawMessage `json:"payload,omitempty"` // the kind's own document
	// References are versions of other templates that come with this one: the
	// policies of a profile or group.
	References []Reference `json:"references,omitempty"`
}

// Reference names a version of another template.
type Reference struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// VersionID is the id of a Version object.
func VersionID(template string, number int) string { return template + "/" + strconv.Itoa(number) }

// Types of target.
const (
	TargetAccount    = "Account"
	TargetGroup      = "AccountGroup"
	TargetEnterprise = "Enterprise"
)

// Status of an assignment or of one account in it.
type Status string

// The statuses. Accepted and InProgress move on by themselves.
const (
	Accepted   Status = "accepted"
	InProgress Status = "in_progress"
	Succeeded  Status = "succeeded"
	Failed     Status = "failed"
	Superseded Status = "superseded"
)

// Operations that an assignment is going through or went through last.
const (
	OpAssign = "assign"
	OpUpdate = "update"
	OpRemove = "remove"
)

// Assignment lays a template version on an account or on all accounts of a
// group. Meta.Account is the enterprise account, Meta.Parent the template,
// Meta.Owner the target, Meta.Name the kind.
type Assignment struct {
	store.Meta
	Number     int    `json:"number"` // version of the template
	TargetType string `json:"target_type"`
	Status     Status `json:"status"`
	Operation  string `json:"operation"`
	// Revision counts the wishes: +1 for each assign, update and remove. A
	// Result of an older revision is work still to do.
	Revision int `json:"revision"`
	// Subject is what a policy assignment gives to (iam_id or access_group_id).
	Subject *Subject `json:"subject,omitempty"`
	// Given are the actions of its roles that who made the last wish held in the
	// enterprise account, sorted: what it may give to services.
	Given []string `json:"given,omitempty"`
}

// Subject is the subject of a policy assignment.
type Subject struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// unfinished tells that the wish of the assignment is still being fulfilled.
func (a *Assignment) unfinished() bool { return a.Status == Accepted || a.Status == InProgress }

// Kind gives the name of the template's kind.
func (a *Assignment) Kind() string { return a.Name }

// Template gives the id of the assigned template.
func (a *Assignment) Template() string { return a.Parent }

// Target gives the id of the account, group or enterprise that it is for.
func (a *Assignment) Target() string { return a.Owner }

// Result is what an assignment came to in one account. Meta.Account is the
// enterprise account, Meta.Parent the assignment, Meta.Owner the account.
type Result struct {
	store.Meta
	Revision int     `json:"revision"`
	Status   Status  `json:"status"`
	Made     []Made  `json:"made,omitempty"`
	Error    *Error  `json:"error,omitempty"`
	Parts    []*Part `json:"parts,omitempty"`
	// Retry is set while the status is InProgress: an internal error keeps the
	// account from being settled, and Error says so.
	Retry Retry `json:"retry,omitzero"`
}

// waiting tells that the account is not settled and must not be tried yet.
func (r *Result) waiting(now time.Time) bool { return r.Status == InProgress && now.Before(r.Retry.At) }

// Part is the outcome for one referenced template.
type Part struct {
	Reference
	Status Status `json:"status"`
	Made   string `json:"made,omitempty"`
}

// ResultID is the id of a Result object.
func ResultID(assignment, account string) string { return assignment + "/" + account }

// Error is why an account could not be made to hold a template.
type Error struct {
	Name    string `json:"name"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"status"`
}

// Made is one object that a template made in an account. Kind tells the
// template kind that made it; ID the object.
type Made struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Template and Number tell the template that made it when it came with
	// another one's assignment; they are empty for the assigned one.
	Template string `json:"template,omitempty"`
	Number   int    `json:"number,omitempty"`
}

// Held is what an account holds of a template: by which assignment, which
// version, and the objects. Meta.Account is the account, Meta.ID the template,
// Meta.Parent the enterprise account.
type Held struct {
	store.Meta
	Assignment string `json:"assignment"`
	Number     int    `json:"number"`
	Revision   int    `json:"revision"`
	Made       []Made `json:"made"`
}

// of tells whether an account holds something of a version of a template; number
// 0 stands for any.
func (h *Held) of(templateID string, number int) bool {
	return h.ID == templateID && (number == 0 || h.Number == number) || slices.ContainsFunc(h.Made, func(x Made) bool {
		return x.Template == templateID && (number == 0 || x.Number == number)
	})
}

// Synced tells up to which version of its place in the tree an account was
// reconciled. Meta.Account is the enterprise account, Meta.ID the account. An
// account whose place is newer has joined, moved, changed its state or left.
type Synced struct {
	store.Meta
	Place int64 `json:"place"`
	// Retry is set when an internal error kept the account from being reconciled
	// at a newer place, the one of version Tried.
	Retry Retry `json:"retry,omitzero"`
	Tried int64 `json:"tried,omitempty"`
}

// The collections of this package.
var (
	Templates   = store.NewCollection[Template]("template", nil)
	Versions    = store.NewCollection[Version]("template-version", nil)
	Assignments = store.NewCollection[Assignment]("template-assignment", nil)
	Results     = store.NewCollection[Result]("template-result", nil)
	Helds       = store.NewCollection[Held]("template-held", nil)
	Synceds     = store.NewCollection[Synced]("template-synced", nil)
)

// Source is a version of a template with what its payload says.
type Source struct {
	Template *Template
	Version  *Version
	Document Document
}

// Lay is one template version being laid on one account. All writes go through
// Tx: either the account holds the whole template afterwards or nothing of it
// changed.
type Lay struct {
	Source
	Tx         store.Tx
	Account    *account.Account
	Assignment *Assignment
	// Uses are the versions that the document draws on, in its order.
	Uses []Source
	// Before is what the account holds by the assignment now, nil if nothing.
	Before []Made
	// Owner is the object that referenced policies are for: the IAM id of the
	// profile or the id of the group made just before. "" for the head itself.
	Owner string
	// Root is the template that pulled this one in, nil for the head itself.
	Root *Version
	// Rights are what the assignment may give to services.
	Rights asker.Rights
}

// Held gives the object of the template's own kind that it made in the account
// before, "" if none.
func (l *Lay) Held() string {
	by := l.Template.ID
	if by == l.Assignment.Template() {
		by = ""
	}
	for _, m := range l.Before {
		if m.Kind == l.Template.Kind() && m.Template == by {
			return m.ID
		}
	}
	return ""
}

// Document is a payload as its kind reads it. It is immutable.
type Document interface {
	// Check judges it as it is created or changed. final is true when the version
	// is committed or assigned: then nothing may be missing.
	Check(final bool) error
	// Uses gives the versions of other templates that it draws on beside the
	// version's references.
	Uses() []Reference
	// MayGive refuses to have it assigned by one who may not give what it gives,
	// and gives the actions of its own role that who asks holds. root is the
	// enterprise account, uses are what Uses names.
	MayGive(ctx context.Context, who asker.Asker, root string, uses []Document) (held []string, err error)
	// Apply makes the account hold it (creating, or changing what Before names)
	// and gives the objects that it made, the one of its own kind first.
	Apply(ctx context.Context, l *Lay) ([]Made, error)
}

// Kind is one kind of template. What it and its documents do must be
// deterministic in what is found and must not write outside of the transaction;
// errors of kind fault.Internal and fault.Unavailable are retried, less and less
// often, all others become the account's error.
type Kind struct {
	Name string
	// Service is what its actions belong to, Noun what they call it: "policy" of
	// policy-template.read and policy-assignment.create.
	Service, Noun string
	// Parts are the properties of a payload.
	Parts []string
	// Refers tells that versions may refer to policy templates.
	Refers bool
	// TemplatePrefix and AssignmentPrefix begin the ids.
	TemplatePrefix, AssignmentPrefix string
	// Title names the kind in messages, e.g. "trusted profile template".
	Title string
	// Action is the audit action's stem: Action + ".create".
	Action string
	// OneOnly: only one template of this kind may be assigned to an account.
	OneOnly bool
	// Sole: an account takes no two objects of this kind that say the same,
	// whichever templates they come of.
	Sole bool
	// Decode reads a payload.
	Decode func(payload json.RawMessage) (Document, error)
	// Remove takes one object away that Apply made; one that is gone already is
	// no error.
	Remove func(ctx context.Context, tx store.Tx, accountID string, m Made) error
}
