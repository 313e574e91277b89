package kinds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/document"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
)

// PolicyPayload is what a policy template says: a v2 policy without accountId,
// which each account fills in, and perhaps without subject.
type PolicyPayload struct {
	Policy json.RawMessage `json:"policy,omitempty"`
}

// roleTemplates gives the role templates whose roles the policy gives beside
// the roles in its control.
func (p *PolicyPayload) roleTemplates() ([]RoleReference, error) {
	var doc struct {
		Control struct {
			Grant struct {
				References []RoleReference `json:"role_template_references"`
			} `json:"grant"`
		} `json:"control"`
	}
	err := decode(p.Policy, &doc)
	return doc.Control.Grant.References, err
}

// RoleReference names a version of a role template.
type RoleReference struct {
	ID      string `json:"id"`
	Version string `json:"version"`
}

// document decodes the policy of the payload.
func (p *PolicyPayload) document() (*policy.Policy, error) {
	if len(p.Policy) == 0 {
		return nil, fault.Missing("policy")
	}
	return document.DecodeV2(p.Policy)
}

func policyKind(acc *access.Service) *template.Kind {
	roles := roleKind(acc)
	return &template.Kind{
		Name: Policy, TemplatePrefix: "policyTemplate-", AssignmentPrefix: "policyAssignment-",
		Title: "policy template", Action: "iam-am.policy-template",
		Check: func(_ context.Context, _ string, payload json.RawMessage, final bool) error {
			return checkPolicy(acc, payload, final)
		},
		Uses: rolesOf,
		Apply: func(ctx context.Context, l *template.Lay) ([]template.Made, error) {
			return applyPolicy(ctx, acc, roles, l)
		},
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return access.LiftPolicy(ctx, tx, accountID, m.ID)
		},
	}
}

// rolesOf gives the versions of role templates that a policy template gives.
func rolesOf(payload json.RawMessage) ([]template.Reference, error) {
	var p PolicyPayload
	if err := decode(payload, &p); err != nil {
		return nil, err
	}
	refs, err := p.roleTemplates()
	if err != nil {
		return nil, err
	}
	var out []template.Reference
	for _, ref := range refs {
		n, err := strconv.Atoi(ref.Version)
		if err != nil || ref.ID == "" {
			return nil, fault.Field("policy.control.grant.role_template_references", "A reference to a role template must hold an id and a version number.")
		}
		out = append(out, template.Reference{Kind: Role, ID: ref.ID, Version: n})
	}
	return out, nil
}

func checkPolicy(acc *access.Service, payload json.RawMessage, final bool) error {
	var p PolicyPayload
	if err := decode(payload, &p); err != nil {
		return err
	}
	doc, err := p.document()
	if err != nil {
		return err
	}
	refs, err := p.roleTemplates()
	if err != nil {
		return err
	}
	if final && len(doc.RoleIDs) == 0 && len(refs) == 0 {
		return &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: "policy.control", Message: "The template gives no role: property 'policy.control' is missing."}
	}
	return acc.CheckTemplate(doc)
}

// applyPolicy fills in what depends on the account: accountId, the subject when
// the policy comes with a profile or group, and the roles of role templates.
func applyPolicy(ctx context.Context, acc *access.Service, roles *template.Kind, l *template.Lay) ([]template.Made, error) {
	var p PolicyPayload
	if err := decode(l.Version.Payload, &p); err != nil {
		return nil, err
	}
	doc, err := p.document()
	if err != nil {
		return nil, err
	}
	var made []template.Made
	refs, err := p.roleTemplates()
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		crn, m, err := roleOf(ctx, acc, roles, l, ref)
		if err != nil {
			return nil, err
		}
		doc.RoleIDs = append(doc.RoleIDs, crn)
		made = append(made, m...)
	}
	doc.Resource = withAccount(doc.Resource, l.Account.ID)
	switch {
	case l.Owner != "":
		doc.Subject = []policy.Attribute{subjectOf(l.Owner)}
	case l.Assignment.Subject != nil:
		doc.Subject = []policy.Attribute{{Key: l.Assignment.Subject.Type, Operator: policy.OpStringEquals, Value: policy.String(l.Assignment.Subject.ID)}}
	case doc.Type == policy.TypeAuthorization:
		doc.Subject = withAccount(doc.Subject, l.Account.ID)
	}
	if len(doc.Subject) == 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Message: "The policy has no subject: assign it through a profile or access group template, or name a subject."}
	}
	stored, err := acc.LayPolicy(ctx, l.Tx, before(l, Policy), doc, mark(l))
	if err != nil {
		return nil, err
	}
	return append([]template.Made{{Kind: Policy, ID: stored.ID}}, made...), nil
}

// withAccount appends accountId, last as clients expect it, unless it is there.
func withAccount(list []policy.Attribute, account string) []policy.Attribute {
	if slices.ContainsFunc(list, func(a policy.Attribute) bool { return a.Key == policy.AttrAccountID }) {
		return list
	}
	return append(slices.Clone(list), policy.Attribute{Key: policy.AttrAccountID, Operator: policy.OpStringEquals, Value: policy.String(account)})
}

// subjectOf names the profile or group that a policy is for.
func subjectOf(owner string) policy.Attribute {
	if strings.HasPrefix(owner, id.AccessGroup) {
		return policy.Attribute{Key: policy.AttrAccessGroupID, Operator: policy.OpStringEquals, Value: policy.String(owner)}
	}
	return policy.Attribute{Key: policy.AttrIAMID, Operator: policy.OpStringEquals, Value: policy.String(id.IAMOf(owner))}
}

// roleOf makes sure that the account has the role of a role template and gives
// its CRN. A role that another assignment made is used and not counted as made.
func roleOf(ctx context.Context, acc *access.Service, roles *template.Kind, l *template.Lay, ref RoleReference) (string, []template.Made, error) {
	t, err := template.Templates.Get(ctx, l.Tx, l.Template.Account, ref.ID)
	if errors.Is(err, fault.NotFound) {
		return "", nil, fault.New(fault.Invalid, "Role template '%s' was not found.", ref.ID)
	}
	if err != nil {
		return "", nil, err
	}
	v, err := template.Versions.Get(ctx, l.Tx, t.Account, t.ID+"/"+ref.Version)
	if errors.Is(err, fault.NotFound) {
		return "", nil, fault.New(fault.Invalid, "Role template '%s' has no version %s.", ref.ID, ref.Version)
	}
	if err != nil {
		return "", nil, err
	}
	other, err := heldElsewhere(ctx, l, t.ID)
	if err != nil {
		return "", nil, err
	}
	sub := &template.Lay{Tx: l.Tx, Account: l.Account, Template: t, Version: v, Assignment: l.Assignment, Before: l.Before, Root: l.Root}
	var role RolePayload
	if err := decode(v.Payload, &role); err != nil || role.Role == nil {
		return "", nil, fmt.Errorf("reading role template %s: %w", ref.ID, err)
	}
	crn := (&access.CustomRole{Meta: store.Meta{Account: l.Account.ID, Name: role.Role.Name}}).CRN()
	if other {
		return crn, nil, nil
	}
	made, err := roles.Apply(ctx, sub)
	return crn, made, err
}

// heldElsewhere tells whether the account holds a template by an assignment of
// its own.
func heldElsewhere(ctx context.Context, l *template.Lay, templateID string) (bool, error) {
	h, err := get(ctx, l.Tx, template.Helds, l.Account.ID, templateID)
	return h != nil, err
}

// RolePayload is what a role template says.
type RolePayload struct {
	Role *RoleDoc `json:"role,omitempty"`
}

// RoleDoc is the role that a template makes. Name and service stay the same in
// all versions.
type RoleDoc struct {
	Name        string   `json:"name,omitempty"`
	DisplayName string   `json:"display_name"`
	ServiceName string   `json:"service_name,omitempty"`
	Description string   `json:"description,omitempty"`
	Actions     []string `json:"actions"`
}

func (d *RoleDoc) role() *access.CustomRole {
	r := &access.CustomRole{DisplayName: d.DisplayName, Service: d.ServiceName, Actions: slices.Clone(d.Actions)}
	r.Name, r.Description = d.Name, d.Description
	return r
}

func roleKind(acc *access.Service) *template.Kind {
	return &template.Kind{
		Name: Role, TemplatePrefix: "roleTemplate-", AssignmentPrefix: "roleAssignment-",
		Title: "role template", Action: "iam-access-management.role-template",
		Check: func(_ context.Context, _ string, payload json.RawMessage, final bool) error {
			var p RolePayload
			if err := decode(payload, &p); err != nil {
				return err
			}
			if p.Role == nil {
				if final {
					return fault.Missing("role")
				}
				return nil
			}
			if strings.ContainsAny(p.Role.DisplayName, "<>") {
				return fault.Field("role.display_name", "Property 'role.display_name' must not hold < or >.")
			}
			return acc.RoleSpec(p.Role.role()).Validate()
		},
		Apply: func(ctx context.Context, l *template.Lay) ([]template.Made, error) {
			var p RolePayload
			if err := decode(l.Version.Payload, &p); err != nil {
				return nil, err
			}
			r := p.Role.role()
			r.Template = mark(l)
			stored, err := acc.LayRole(ctx, l.Tx, l.Account.ID, before(l, Role), r)
			if err != nil {
				return nil, err
			}
			return []template.Made{{Kind: Role, ID: stored.ID}}, nil
		},
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return acc.LiftRole(ctx, tx, accountID, m.ID)
		},
	}
}

// ControlPayload is what an action control template says.
type ControlPayload struct {
	Control *ControlDoc `json:"action_control,omitempty"`
}

// ControlDoc is the action control that a template makes.
type ControlDoc struct {
	ServiceName string   `json:"service_name"`
	Description string   `json:"description,omitempty"`
	Actions     []string `json:"actions"`
}

func controlKind(acc *access.Service) *template.Kind {
	return &template.Kind{
		Name: Control, TemplatePrefix: "actionControlTemplate-", AssignmentPrefix: "actionControlAssignment-",
		Title: "action control template", Action: "iam-access-management.action-control-template", OneOnly: true,
		Check: func(_ context.Context, _ string, payload json.RawMessage, final bool) error {
			var p ControlPayload
			if err := decode(payload, &p); err != nil {
				return err
			}
			if p.Control == nil {
				if final {
					return fault.Missing("action_control")
				}
				return nil
			}
			return acc.CheckControl(p.Control.ServiceName, p.Control.Actions)
		},
		Apply: func(ctx context.Context, l *template.Lay) ([]template.Made, error) {
			var p ControlPayload
			if err := decode(l.Version.Payload, &p); err != nil {
				return nil, err
			}
			c := &access.Control{Service: p.Control.ServiceName, Actions: p.Control.Actions, Template: mark(l)}
			c.Description = p.Control.Description
			stored, err := acc.LayControl(ctx, l.Tx, l.Account.ID, before(l, Control), c)
			if err != nil {
				return nil, err
			}
			return []template.Made{{Kind: Control, ID: stored.ID}}, nil
		},
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return access.LiftControl(ctx, tx, accountID, m.ID)
		},
	}
}
