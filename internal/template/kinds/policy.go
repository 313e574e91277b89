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
	"github.com/kagiban/kagiban/internal/asker"
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

// policyDocument is a policy template. Its policy gives the roles of role
// templates beside those in its control.
type policyDocument struct {
	acc    *access.Service
	policy *policy.Policy
	roles  []template.Reference
}

func policyKind(acc *access.Service) *template.Kind {
	return &template.Kind{
		Name: Policy, Service: "iam-access-management", Noun: "policy", Parts: []string{"policy"}, Sole: true,
		TemplatePrefix: "policyTemplate-", AssignmentPrefix: "policyAssignment-",
		Title: "policy template", Action: "iam-am.policy-template",
		Decode: func(payload json.RawMessage) (template.Document, error) { return decodePolicy(acc, payload) },
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return access.LiftPolicy(ctx, tx, accountID, m.ID)
		},
	}
}

func decodePolicy(acc *access.Service, payload json.RawMessage) (template.Document, error) {
	var p PolicyPayload
	if err := decode(payload, &p); err != nil {
		return nil, err
	}
	if len(p.Policy) == 0 {
		return nil, fault.Missing("policy")
	}
	doc, roles, err := document.DecodeTemplate(p.Policy)
	if err != nil {
		return nil, err
	}
	d := policyDocument{acc: acc, policy: doc}
	d.roles, err = rolesOf(roles)
	return d, err
}

// rolesOf reads the references to role templates in a grant.
func rolesOf(raw json.RawMessage) ([]template.Reference, error) {
	var refs []struct {
		ID      string `json:"id"`
		Version string `json:"version"`
	}
	bad := fault.Field("policy.control.grant.role_template_references", "A reference to a role template must hold an id and a version number.")
	if len(raw) > 0 && json.Unmarshal(raw, &refs) != nil {
		return nil, bad
	}
	var out []template.Reference
	for _, ref := range refs {
		n, err := strconv.Atoi(ref.Version)
		if err != nil || ref.ID == "" {
			return nil, bad
		}
		out = append(out, template.Reference{Kind: Role, ID: ref.ID, Version: n})
	}
	return out, nil
}

// Check implements template.Document.
func (d policyDocument) Check(final bool) error {
	if final && len(d.policy.RoleIDs) == 0 && len(d.roles) == 0 {
		return &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: "policy.control",
			Message: "The template gives no role: property 'policy.control' is missing."}
	}
	return d.acc.CheckTemplate(d.policy)
}

// Uses implements template.Document: the role templates.
func (d policyDocument) Uses() []template.Reference { return d.roles }

// MayGive implements template.Document: what an authorization gives to a service,
// by role templates too, its giver must hold, as where an account makes it
// itself. Enterprises give in their accounts what their givers hold in the
// enterprise account.
func (d policyDocument) MayGive(ctx context.Context, who asker.Asker, root string, uses []template.Document) ([]string, error) {
	doc := *d.policy
	doc.Resource = withAccount(doc.Resource, root)
	var roles []*access.CustomRole
	for _, says := range uses {
		if role, ok := says.(roleDocument); ok && role.role != nil {
			roles = append(roles, role.role)
		}
	}
	return nil, d.acc.MayDelegate(ctx, who, &doc, roles...)
}

// Apply implements template.Document. It fills in what depends on the account:
// accountId, the subject when the policy comes with a profile or group, and the
// roles of role templates.
func (d policyDocument) Apply(ctx context.Context, l *template.Lay) ([]template.Made, error) {
	doc := *d.policy
	doc.RoleIDs = slices.Clone(doc.RoleIDs)
	var roles []template.Made
	for _, src := range l.Uses {
		crn, m, err := d.roleOf(ctx, l, src)
		if err != nil {
			return nil, err
		}
		doc.RoleIDs, roles = append(doc.RoleIDs, crn), append(roles, m...)
	}
	doc.Resource = withAccount(doc.Resource, l.Account.ID)
	switch {
	case l.Owner != "":
		doc.Subject = []policy.Attribute{subjectOf(l.Owner)}
	case l.Assignment.Subject != nil:
		doc.Subject = []policy.Attribute{{Key: l.Assignment.Subject.Type, Operator: policy.OpStringEquals,
			Value: policy.String(l.Assignment.Subject.ID)}}
	case doc.Type == policy.TypeAuthorization:
		doc.Subject = withAccount(doc.Subject, l.Account.ID)
	}
	if len(doc.Subject) == 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody,
			Message: "The policy has no subject: assign it through a profile or access group template, or name a subject."}
	}
	stored, err := d.acc.LayPolicy(ctx, l.Tx, l.Held(), &doc, mark(l))
	if err != nil {
		return nil, err
	}
	return append(made(l, stored.ID), roles...), nil
}

// withAccount appends accountId, last as clients expect it, unless it is there.
func withAccount(list []policy.Attribute, account string) []policy.Attribute {
	if slices.ContainsFunc(list, func(a policy.Attribute) bool { return a.Key == policy.AttrAccountID }) {
		return list
	}
	return append(slices.Clone(list), policy.Attribute{Key: policy.AttrAccountID, Operator: policy.OpStringEquals,
		Value: policy.String(account)})
}

// subjectOf names the profile or group that a policy is for.
func subjectOf(owner string) policy.Attribute {
	if strings.HasPrefix(owner, id.AccessGroup) {
		return policy.Attribute{Key: policy.AttrAccessGroupID, Operator: policy.OpStringEquals, Value: policy.String(owner)}
	}
	return policy.Attribute{Key: policy.AttrIAMID, Operator: policy.OpStringEquals, Value: policy.String(id.IAMOf(owner))}
}

// roleOf makes sure that the account has the role of a role template and gives
// its CRN. A role that the account holds by an assignment of the role template
// itself is used and not counted as made; it may be of another version, of which
// an authorization gives only what the assignment may.
func (d policyDocument) roleOf(ctx context.Context, l *template.Lay, src template.Source) (string, []template.Made, error) {
	role, ok := src.Document.(roleDocument)
	if !ok || role.role == nil {
		return "", nil, fmt.Errorf("%s is no role template", src.Template.ID)
	}
	crn := (&access.CustomRole{Meta: store.Meta{Account: l.Account.ID, Name: role.role.Name}}).CRN()
	if _, err := template.Helds.Get(ctx, l.Tx, l.Account.ID, src.Template.ID); !errors.Is(err, fault.NotFound) {
		if err == nil && d.policy.Type == policy.TypeAuthorization {
			err = access.NoWider(ctx, l.Tx, l.Rights, l.Account.ID, role.role)
		}
		return crn, nil, err
	}
	m, err := role.Apply(ctx, &template.Lay{Source: src, Tx: l.Tx, Account: l.Account, Assignment: l.Assignment, Before: l.Before,
		Root: l.Root, Rights: l.Rights})
	for i := range m {
		m[i].Template, m[i].Number = src.Template.ID, src.Version.Number
	}
	return crn, m, err
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
	r := &access.CustomRole{DisplayName: d.DisplayName, Service: d.ServiceName, Actions: d.Actions}
	r.Name, r.Description = d.Name, d.Description
	return r
}

// roleDocument is a role template.
type roleDocument struct {
	alone
	acc  *access.Service
	role *access.CustomRole // nil: not said yet
}

func roleKind(acc *access.Service) *template.Kind {
	return &template.Kind{
		Name: Role, Service: "iam-access-management", Noun: "role", Parts: []string{"role"},
		TemplatePrefix: "roleTemplate-", AssignmentPrefix: "roleAssignment-",
		Title: "role template", Action: "iam-access-management.role-template",
		Decode: func(payload json.RawMessage) (template.Document, error) {
			var p RolePayload
			if err := decode(payload, &p); err != nil || p.Role == nil {
				return roleDocument{}, err
			}
			return roleDocument{acc: acc, role: p.Role.role()}, nil
		},
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return acc.LiftRole(ctx, tx, accountID, m.ID)
		},
	}
}

// Check implements template.Document.
func (d roleDocument) Check(final bool) error {
	if d.role == nil {
		return missing("role", final)
	}
	if strings.ContainsAny(d.role.DisplayName, "<>") {
		return fault.Field("role.display_name", "Property 'role.display_name' must not hold < or >.")
	}
	return d.acc.RoleSpec(d.role).Validate()
}

// MayGive implements template.Document: everybody may give a role, but only to
// services what they hold.
func (d roleDocument) MayGive(ctx context.Context, who asker.Asker, root string, _ []template.Document) ([]string, error) {
	if d.role == nil {
		return nil, nil
	}
	return d.acc.Held(ctx, who, root, d.role)
}

// Apply implements template.Document.
func (d roleDocument) Apply(ctx context.Context, l *template.Lay) ([]template.Made, error) {
	r := *d.role
	r.Actions, r.Template = slices.Clone(r.Actions), mark(l)
	stored, err := d.acc.LayRole(ctx, l.Tx, l.Rights, l.Account.ID, l.Held(), &r)
	if err != nil {
		return nil, err
	}
	return made(l, stored.ID), nil
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

// controlDocument is an action control template.
type controlDocument struct {
	alone
	acc     *access.Service
	control *ControlDoc // nil: not said yet
}

func controlKind(acc *access.Service) *template.Kind {
	return &template.Kind{
		Name: Control, Service: "iam-access-management", Noun: "action-control", Parts: []string{"action_control"},
		TemplatePrefix: "actionControlTemplate-", AssignmentPrefix: "actionControlAssignment-",
		Title: "action control template", Action: "iam-access-management.action-control-template", OneOnly: true,
		Decode: func(payload json.RawMessage) (template.Document, error) {
			var p ControlPayload
			err := decode(payload, &p)
			return controlDocument{acc: acc, control: p.Control}, err
		},
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return access.LiftControl(ctx, tx, accountID, m.ID)
		},
	}
}

// Check implements template.Document.
func (d controlDocument) Check(final bool) error {
	if d.control == nil {
		return missing("action_control", final)
	}
	return d.acc.CheckControl(d.control.ServiceName, d.control.Actions)
}

// Apply implements template.Document.
func (d controlDocument) Apply(ctx context.Context, l *template.Lay) ([]template.Made, error) {
	c := &access.Control{Service: d.control.ServiceName, Actions: d.control.Actions, Template: mark(l)}
	c.Description = d.control.Description
	stored, err := d.acc.LayControl(ctx, l.Tx, l.Account.ID, l.Held(), c)
	if err != nil {
		return nil, err
	}
	return made(l, stored.ID), nil
}
