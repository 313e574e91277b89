// Package kinds holds the six kinds of enterprise template: what a payload may
// say and what it makes in an account. The mechanism around them, versions,
// assignments and reconciliation, is package template's.
package kinds

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/template"
)

// Names of the kinds.
const (
	Profile  = "profile"
	Settings = "account_settings"
	Policy   = "policy"
	Role     = "role"
	Control  = "action_control"
	Group    = "access_group"
)

// All gives the six kinds over the services that hold what they make.
func All(ids *identity.Service, acc *access.Service) []*template.Kind {
	return []*template.Kind{profileKind(ids), settingsKind(), policyKind(acc), roleKind(acc), controlKind(acc), groupKind(acc)}
}

// alone is a document that draws on no other templates, and that gives what
// whoever may assign it may give, without a role.
type alone struct{}

// MayGive implements template.Document.
func (alone) MayGive(context.Context, asker.Asker, string, []template.Document) ([]string, error) {
	return nil, nil
}

// Uses implements template.Document.
func (alone) Uses() []template.Reference { return nil }

// missing refuses a final version without the property that says everything.
func missing(property string, final bool) error {
	if final {
		return fault.Missing(property)
	}
	return nil
}

// made gives the one object that a document made.
func made(l *template.Lay, objectID string) []template.Made {
	return []template.Made{{Kind: l.Template.Kind(), ID: objectID}}
}

// decode reads a payload. Payloads were checked when they were stored, so that
// an error here is about what a client just sent.
func decode(payload json.RawMessage, into any) error {
	if len(payload) == 0 {
		return nil
	}
	err := json.Unmarshal(payload, into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrongType):
		return fault.Field(wrongType.Field, "Property '%s' must not be a JSON %s.", wrongType.Field, wrongType.Value)
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return known
	}
	return fault.Field("body", "The template is not valid JSON.")
}

// expand replaces the variables that a name may hold; they are resolved when a
// version is laid on an account.
func expand(name string, l *template.Lay) string {
	if !strings.Contains(name, "${") {
		return name
	}
	return strings.NewReplacer(
		"${template_id}", l.Template.ID,
		"${template_name}", l.Template.Name,
		"${template_version}", strconv.Itoa(l.Version.Number),
		"${account_id}", l.Account.ID,
		"${account_name}", l.Account.Name,
	).Replace(name)
}

// mark says which template and assignment made an object.
func mark(l *template.Lay) *access.TemplateMark {
	m := &access.TemplateMark{ID: l.Template.ID, Version: strconv.Itoa(l.Version.Number), AssignmentID: l.Assignment.ID}
	if l.Root != nil {
		m.RootID, m.RootVersion = l.Root.Parent, strconv.Itoa(l.Root.Number)
	}
	return m
}
