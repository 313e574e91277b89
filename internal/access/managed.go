package access

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// What enterprise templates lay on accounts. All functions work inside the
// caller's transaction; what is in the way is found before the first write,
// because after a failed write the transaction could only be rolled back.

// LayPolicy makes or changes the policy of a template. policyID is "" for a new
// one; one that is gone is made again.
func (s *Service) LayPolicy(ctx context.Context, tx store.Tx, policyID string, doc *policy.Policy, mark *TemplateMark) (*Policy, error) {
	if policyID == "" {
		return s.CreatePolicyIn(ctx, tx, doc, mark)
	}
	p, err := Policies.Get(ctx, tx, AccountOf(doc), policyID)
	if errors.Is(err, fault.NotFound) {
		return s.CreatePolicyIn(ctx, tx, doc, mark)
	}
	if err != nil {
		return nil, err
	}
	p.Doc, p.Template = *doc, mark
	p.Doc.State, p.Parent = policy.StateActive, string(policy.StateActive)
	p.Owner, p.Description = subjectOf(doc), doc.Description
	if err := noConflict(ctx, tx, p); err != nil {
		return nil, err
	}
	return p, Policies.Update(ctx, tx, p, policyEvent("update", p, "policy"))
}

// LiftPolicy takes a template's policy from an account for good.
func LiftPolicy(ctx context.Context, tx store.Tx, account, policyID string) error {
	p, err := Policies.Get(ctx, tx, account, policyID)
	if err != nil {
		return fault.Ignore(fault.NotFound, err)
	}
	return Policies.Delete(ctx, tx, p, policyEvent("delete", p))
}

// LayRole makes or changes the custom role of a template. roleID is "" for a
// new one. A role that the same template made already, through another
// assignment, is taken as it is. Where authorizations name the role, it gives
// them no more than the rights hold, as UpdateRole and CreateRole.
func (s *Service) LayRole(ctx context.Context, tx store.Tx, rights asker.Rights, account, roleID string, r *CustomRole) (*CustomRole,
	error) {
	if err := s.RoleSpec(r).Validate(); err != nil {
		return nil, err
	}
	var old *CustomRole
	var err error
	if roleID != "" {
		old, err = CustomRoles.Get(ctx, tx, account, roleID)
	} else {
		old, err = CustomRoles.Lookup(ctx, tx, roleKey(account, r.Name))
		if err == nil && (old.Template == nil || old.Template.ID != r.Template.ID) {
			return nil, fault.New(fault.Conflict, "The account has a role named '%s' already.", r.Name)
		}
	}
	if errors.Is(err, fault.NotFound) {
		return r, forGiver(r, s.createRole(ctx, tx, rights, account, r))
	}
	if err == nil {
		err = forGiver(old, s.mayWiden(ctx, tx, rights, old, beyond(old.Actions, r.Actions)))
	}
	if err != nil {
		return nil, err
	}
	old.DisplayName, old.Description, old.Actions, old.Template = r.DisplayName, r.Description, r.Actions, r.Template
	if err := noRoleConflict(ctx, tx, old); err != nil {
		return nil, err
	}
	return old, CustomRoles.Update(ctx, tx, old, roleEvent("update", old, "display_name", "actions", "description"))
}

// LiftRole takes a template's role from an account and from its policies.
func (s *Service) LiftRole(ctx context.Context, tx store.Tx, account, roleID string) error {
	r, err := CustomRoles.Get(ctx, tx, account, roleID)
	if err != nil {
		return fault.Ignore(fault.NotFound, err)
	}
	if err := withdraw(ctx, tx, r); err != nil {
		return err
	}
	return CustomRoles.Delete(ctx, tx, r, roleEvent("delete", r))
}

// LayControl makes or changes the action control of a template.
func (s *Service) LayControl(ctx context.Context, tx store.Tx, account, controlID string, c *Control) (*Control, error) {
	ev := func(verb string) store.Event {
		return store.Event{Action: "iam-access-management.action-control." + verb, Name: c.Service,
			Message: "IAM Access Management: " + verb + " action control on " + c.Service}
	}
	if controlID != "" {
		old, err := Controls.Get(ctx, tx, account, controlID)
		if err == nil {
			old.Service, old.Actions, old.Description, old.Template = c.Service, c.Actions, c.Description, c.Template
			return old, Controls.Update(ctx, tx, old, ev("update"))
		}
		if !errors.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	c.Account, c.ID = account, "actionControl-"+s.ids.UUID()
	return c, Controls.Create(ctx, tx, c, ev("create"))
}

// LiftControl takes a template's action control from an account.
func LiftControl(ctx context.Context, tx store.Tx, account, controlID string) error {
	c, err := Controls.Get(ctx, tx, account, controlID)
	if err != nil {
		return fault.Ignore(fault.NotFound, err)
	}
	return Controls.Delete(ctx, tx, c, store.Event{Action: "iam-access-management.action-control.delete", Name: c.Service,
		Message: "IAM Access Management: delete action control on " + c.Service})
}

// CheckControl validates the service and actions of an action control.
func (s *Service) CheckControl(service string, actions []string) error {
	if service == "" {
		return badRole("action_control.service_name", "Property 'action_control.service_name' is missing or empty.")
	}
	if len(actions) == 0 {
		return badRole("action_control.actions", "Property 'action_control.actions' is missing or empty.")
	}
	for _, a := range actions {
		if _, ok := s.authority.Catalog().Action(service, a); !ok {
			return badRole("action_control.actions", "Action '%s' does not exist on service '%s'.", a, service)
		}
	}
	return nil
}

// ManagedGroup is an access group as a template lays it on an account.
type ManagedGroup struct {
	NewGroup
	Members  []NewMember
	Rules    []ManagedRule
	Controls GroupControls
	Template *TemplateMark
}

// ManagedRule is a dynamic rule of a template with its action controls.
type ManagedRule struct {
	RuleSpec
	Removable, Updatable bool
}

// Validate implements valid.Checker.
func (m ManagedGroup) Validate() error {
	err := m.NewGroup.Validate()
	for _, n := range m.Members {
		err = cmp.Or(err, n.Validate())
	}
	for _, r := range m.Rules {
		err = cmp.Or(err, r.Validate())
	}
	return err
}

// LayGroup makes or changes the access group of a template. What the account
// added stays; controls that would not have let it add that are a fault.Conflict.
func (s *Service) LayGroup(ctx context.Context, tx store.Tx, account, groupID string, m valid.Of[ManagedGroup]) (*Group, error) {
	want := m.Value()
	g, err := s.managedGroup(ctx, tx, account, groupID, &want)
	if err != nil {
		return nil, err
	}
	if err := layMembers(ctx, tx, g, want.Members); err != nil {
		return nil, err
	}
	return g, s.layGroupRules(ctx, tx, g, want.Rules)
}

func (s *Service) managedGroup(ctx context.Context, tx store.Tx, account, groupID string, m *ManagedGroup) (*Group, error) {
	if groupID != "" {
		g, err := Groups.Get(ctx, tx, account, groupID)
		if err == nil {
			if err := noGroupAdditions(ctx, tx, g, m); err != nil {
				return nil, err
			}
			g.Name, g.Description, g.Template, g.Controls = m.Name, m.Description, m.Template, m.Controls
			return g, Groups.Update(ctx, tx, g, groupEvent("update", g, "template"))
		}
		if !errors.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	same, err := Groups.Count(ctx, tx, store.Query{Account: account, Name: m.Name})
	if err != nil {
		return nil, err
	}
	if same > 0 {
		return nil, fault.New(fault.Conflict, "The account has an access group named '%s' already.", m.Name)
	}
	g := &Group{Meta: store.Meta{Account: account, Name: m.Name, Description: m.Description}, Template: m.Template, Controls: m.Controls}
	return g, s.found(ctx, tx, g)
}

// layMembers makes the managed members of a group those of the template.
func layMembers(ctx context.Context, tx store.Tx, g *Group, want []NewMember) error {
	have, err := Members.List(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, n := range want {
		wanted[n.IAMID] = true
	}
	present := map[string]bool{}
	for _, m := range have {
		present[m.Owner] = true
		switch {
		case m.Managed && !wanted[m.Owner]:
			err = Members.Delete(ctx, tx, m, memberEvent("delete", g, m))
		case !m.Managed && wanted[m.Owner]: // added by the account before: the template's from now on
			m.Managed = true
			err = Members.Update(ctx, tx, m, memberEvent("update", g, m))
		}
		if err != nil {
			return err
		}
	}
	for _, n := range want {
		if present[n.IAMID] {
			continue
		}
		m := n.of(g)
		m.Managed = true
		if err := Members.Create(ctx, tx, m, memberEvent("add", g, m)); err != nil {
			return err
		}
	}
	return nil
}

// layGroupRules replaces the managed rules of a group.
func (s *Service) layGroupRules(ctx context.Context, tx store.Tx, g *Group, want []ManagedRule) error {
	have, err := GroupRules.List(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
	if err != nil {
		return err
	}
	for _, r := range have {
		if !r.Managed {
			continue
		}
		if err := GroupRules.Delete(ctx, tx, r, ruleEvent("delete", g, r)); err != nil {
			return err
		}
	}
	for _, r := range want {
		rule := s.rule(g, r.RuleSpec)
		rule.Managed, rule.Removable, rule.Updatable = true, r.Removable, r.Updatable
		if err := GroupRules.Create(ctx, tx, rule, ruleEvent("create", g, rule)); err != nil {
			return err
		}
	}
	return nil
}

// Laid gives the members and rules that the template of a group gave it; none
// when the group is not there, or no template's.
func (s *Service) Laid(ctx context.Context, account, groupID string) (members []*Member, rules []*GroupRule, err error) {
	q := store.Query{Account: account, Parent: groupID}
	if members, err = Members.List(ctx, s.db.Direct(), q); err == nil {
		rules, err = GroupRules.List(ctx, s.db.Direct(), q)
	}
	return slices.DeleteFunc(members, func(m *Member) bool { return !m.Managed }),
		slices.DeleteFunc(rules, func(r *GroupRule) bool { return !r.Managed }), err
}

// LiftGroup takes a template's group from an account with its members, rules
// and policies.
func LiftGroup(ctx context.Context, tx store.Tx, account, groupID string) error {
	g, err := Groups.Get(ctx, tx, account, groupID)
	if err != nil {
		return fault.Ignore(fault.NotFound, err)
	}
	if err := empty(ctx, tx, g); err != nil {
		return err
	}
	return Groups.Delete(ctx, tx, g, groupEvent("delete", g))
}
