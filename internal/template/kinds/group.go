package kinds

import (
	"context"
	"encoding/json"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/valid"
)

// GroupPayload is what an access group template says.
type GroupPayload struct {
	Group *GroupDoc `json:"group,omitempty"`
}

// GroupDoc is the access group that a template makes.
type GroupDoc struct {
	Name           string         `json:"name"`
	Description    string         `json:"description,omitempty"`
	Members        *MembersDoc    `json:"members,omitempty"`
	Assertions     *AssertionsDoc `json:"assertions,omitempty"`
	ActionControls *struct {
		Access *GroupControl `json:"access,omitempty"`
	} `json:"action_controls,omitempty"`
}

// GroupControl is an action control of a group template. Other than in profile
// templates an absent one is no: so the documentation has it.
type GroupControl struct {
	Add    *bool `json:"add,omitempty"`
	Remove *bool `json:"remove,omitempty"` // of what the template gives
	Update *bool `json:"update,omitempty"` // of rules that the template gives
}

func yes(b *bool) bool { return b != nil && *b }

// over gives the controls of one rule over those of all rules.
func (c *GroupControl) over(all *GroupControl) (remove, update bool) {
	for _, x := range []*GroupControl{all, c} {
		if x == nil {
			continue
		}
		if x.Remove != nil {
			remove = *x.Remove
		}
		if x.Update != nil {
			update = *x.Update
		}
	}
	return remove, update
}

func (d *GroupDoc) controls() (c access.GroupControls) {
	if d.Members != nil && d.Members.ActionControls != nil {
		c.AddMembers, c.RemoveMembers = yes(d.Members.ActionControls.Add), yes(d.Members.ActionControls.Remove)
	}
	if d.Assertions != nil && d.Assertions.ActionControls != nil {
		c.AddRules = yes(d.Assertions.ActionControls.Add)
	}
	if d.ActionControls != nil && d.ActionControls.Access != nil {
		c.AddPolicies = yes(d.ActionControls.Access.Add)
	}
	return c
}

// MembersDoc lists the members of a group template.
type MembersDoc struct {
	Users          []string      `json:"users,omitempty"`
	Services       []string      `json:"services,omitempty"`
	ActionControls *GroupControl `json:"action_controls,omitempty"`
}

// AssertionsDoc lists the dynamic rules of a group template.
type AssertionsDoc struct {
	Rules          []GroupRuleDoc `json:"rules,omitempty"`
	ActionControls *GroupControl  `json:"action_controls,omitempty"`
}

// GroupRuleDoc is a dynamic rule of a group template.
type GroupRuleDoc struct {
	Name           string               `json:"name,omitempty"`
	Expiration     int                  `json:"expiration,omitempty"`
	RealmName      string               `json:"realm_name,omitempty"`
	Conditions     []identity.Condition `json:"conditions,omitempty"`
	ActionControls *GroupControl        `json:"action_controls,omitempty"`
}

func (d *GroupDoc) managed() *access.ManagedGroup {
	m := &access.ManagedGroup{NewGroup: access.NewGroup{Name: d.Name, Description: d.Description}, Controls: d.controls()}
	if d.Members != nil {
		for _, u := range d.Members.Users {
			m.Members = append(m.Members, access.NewMember{IAMID: u, Type: access.MemberUser})
		}
		for _, s := range d.Members.Services {
			m.Members = append(m.Members, access.NewMember{IAMID: s, Type: access.MemberService})
		}
	}
	if d.Assertions == nil {
		return m
	}
	for _, r := range d.Assertions.Rules {
		rule := access.ManagedRule{RuleSpec: access.RuleSpec{Name: r.Name, RealmName: r.RealmName, Hours: r.Expiration}}
		for _, c := range r.Conditions {
			rule.Conditions = append(rule.Conditions, c.Claimed())
		}
		rule.Removable, rule.Updatable = r.ActionControls.over(d.Assertions.ActionControls)
		m.Rules = append(m.Rules, rule)
	}
	return m
}

// groupDocument is an access group template.
type groupDocument struct {
	alone
	acc   *access.Service
	group *access.ManagedGroup // nil: not said yet
}

func groupKind(acc *access.Service) *template.Kind {
	return &template.Kind{
		Name: Group, Service: "iam-groups", Noun: "group", Parts: []string{"group"}, Refers: true,
		TemplatePrefix: "AccessGroupTemplateId-", AssignmentPrefix: "AccessGroupAssignmentId-",
		Title: "access group template", Action: "iam-groups.group-template",
		Decode: func(payload json.RawMessage) (template.Document, error) {
			var p GroupPayload
			if err := decode(payload, &p); err != nil || p.Group == nil {
				return groupDocument{}, err
			}
			return groupDocument{acc: acc, group: p.Group.managed()}, nil
		},
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return access.LiftGroup(ctx, tx, accountID, m.ID)
		},
	}
}

// Check implements template.Document.
func (d groupDocument) Check(final bool) error {
	if d.group == nil {
		return missing("group", final)
	}
	return d.group.Validate()
}

// Apply implements template.Document.
func (d groupDocument) Apply(ctx context.Context, l *template.Lay) ([]template.Made, error) {
	m := *d.group
	m.Name, m.Template = expand(m.Name, l), mark(l)
	checked, err := valid.Check(m) // names grow in an account
	if err != nil {
		return nil, err
	}
	g, err := d.acc.LayGroup(ctx, l.Tx, l.Account.ID, l.Held(), checked)
	if err != nil {
		return nil, err
	}
	return made(l, g.ID), nil
}
