package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// managedBy refuses an account's change to what a template made there.
func managedBy(template string) error {
	return &fault.Error{Kind: fault.Forbidden, Code: "enterprise_managed",
		Message: "This object is managed by the enterprise and cannot be changed here.",
		Details: "It was made from template '" + template + "'."}
}

// Control says what an account may do to one sort of part of an object that an
// enterprise made there. What it added itself it may always remove.
type Control struct {
	Add    bool `json:"add,omitempty"`    // parts of its own
	Remove bool `json:"remove,omitempty"` // parts that the template gave; they come back with the next assignment
}

// Controls are the action controls of a profile's parts. Links go by those of
// identities: each lets one more identity in.
type Controls struct {
	Identities Control `json:"identities,omitzero"`
	Rules      Control `json:"rules,omitzero"`
	Policies   Control `json:"policies,omitzero"`
}

// DefaultControls are in force where a template says nothing: administrators of
// the account may add trust and policies, and leave alone what the template
// defines. So the official documentation has it for profiles.
var DefaultControls = Controls{Identities: Control{Add: true}, Rules: Control{Add: true}, Policies: Control{Add: true}}

// mayAdd tells whether the account may add parts that c controls.
func (p *Profile) mayAdd(c Control) bool { return p.Template == "" || c.Add }

// closed refuses an addition that the template's action controls rule out.
func closed(p *Profile, what string) error {
	return &fault.Error{Kind: fault.Forbidden, Code: "enterprise_managed",
		Message: "The enterprise does not let this account add " + what + " to the profile.",
		Details: "It was made from template '" + p.Template + "', whose action controls rule it out."}
}

// ManagedProfile is a profile as a template lays it on an account.
type ManagedProfile struct {
	Name, Description, Email string
	Rules                    []RuleSpec
	Trusts                   TrustSpecs
	Controls                 Controls
	Template, Assignment     string
}

// Validate checks what can be checked without the store.
func (m ManagedProfile) Validate() error {
	if err := required("profile.name", m.Name, maxName); err != nil {
		return err
	}
	if err := text("profile.description", m.Description, maxDescription); err != nil {
		return err
	}
	if err := checkEmail(m.Email); err != nil {
		return err
	}
	for i := range m.Rules {
		if err := m.Rules[i].Validate(); err != nil {
			return err
		}
	}
	return m.Trusts.Validate()
}

// LayProfile makes or changes the profile of a template in an account, inside
// the caller's transaction. What the account itself added stays; controls that
// would not have let it add that are a fault.Conflict. profileID is "" for a
// new one; one that is gone is made again.
func (s *Service) LayProfile(ctx context.Context, tx store.Tx, accountID, profileID string,
	checked valid.Of[ManagedProfile]) (*Profile, error) {
	m := checked.Value()
	p, err := s.managedProfile(ctx, tx, accountID, profileID, &m)
	if err != nil {
		return nil, err
	}
	if err := s.layRules(ctx, tx, p, m.Rules); err != nil {
		return nil, err
	}
	return p, layTrusts(ctx, tx, p, m.Trusts)
}

func (s *Service) managedProfile(ctx context.Context, tx store.Tx, accountID, profileID string, m *ManagedProfile) (*Profile, error) {
	if profileID != "" {
		p, err := Profiles.Get(ctx, tx, accountID, profileID)
		if err == nil {
			if err := noAdditions(ctx, tx, p, m); err != nil {
				return nil, err
			}
			before := p.Name
			p.Name, p.Description, p.Email, p.Template, p.Assignment, p.Controls = m.Name, m.Description, m.Email, m.Template, m.Assignment,
				m.Controls
			ev := profile.updated(&p.Meta, changes{"template"}, requestData{InstanceName: p.Name, PrevInstanceName: before})
			return p, nameTaken(Profiles.Update(ctx, tx, p, ev), whatProfile, p.Name)
		}
		if !errors.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	// Looked for beforehand: after a write that failed the transaction could
	// only be rolled back, and with it the work on other accounts.
	if _, err := Profiles.Lookup(ctx, tx, ProfileName(accountID, m.Name)); err == nil {
		return nil, fault.New(fault.Conflict, "The account has a trusted profile named '%s' already.", m.Name)
	} else if !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	count, err := Profiles.Count(ctx, tx, store.Query{Account: accountID})
	if err != nil {
		return nil, fmt.Errorf("counting profiles: %w", err)
	}
	warning, err := within("trusted profiles", "in account "+accountID, count, s.limits.Profiles)
	if err != nil {
		return nil, err
	}
	p := &Profile{Meta: store.Meta{Account: accountID, ID: s.ids.New(id.Profile), Name: m.Name, Description: m.Description},
		Email: m.Email, Template: m.Template, Assignment: m.Assignment, Controls: m.Controls}
	p.Owner = id.IAMOf(p.ID)
	if err := Profiles.Create(ctx, tx, p, profile.created(&p.Meta, warning)); err != nil {
		return nil, err
	}
	return p, TrustLists.Create(ctx, tx, &TrustList{store.Meta{Account: accountID, ID: p.ID, Parent: p.ID}}, store.Silent)
}

// noAdditions refuses controls that rule out what the account added: taking it
// away would break access there, so the account or the enterprise must decide.
func noAdditions(ctx context.Context, tx store.Tx, p *Profile, m *ManagedProfile) error {
	parts := partsOf(p)
	var own []string
	if !m.Controls.Rules.Add {
		rules, err := Rules.List(ctx, tx, parts)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if !r.Managed {
				own = append(own, "rule "+r.ID)
			}
		}
	}
	if !m.Controls.Identities.Add {
		trusts, err := Trusts.List(ctx, tx, parts)
		if err != nil {
			return err
		}
		for _, t := range trusts {
			if !t.Managed && !slices.ContainsFunc(m.Trusts, func(s TrustSpec) bool { return TrustID(p.ID, s.Type, s.Identifier) == t.ID }) {
				own = append(own, "identity "+t.Identifier)
			}
		}
		links, err := Links.List(ctx, tx, parts)
		if err != nil {
			return err
		}
		for _, l := range links {
			own = append(own, "link "+l.ID)
		}
	}
	return ControlConflict("trusted profile", p.Name, own)
}

// ControlConflict is the reason why a template's action controls cannot be laid
// on an object to which the account added what they rule out; nil when it
// added nothing.
func ControlConflict(what, name string, own []string) error {
	if len(own) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Conflict, Code: "action_control_conflict",
		Message: fmt.Sprintf("The account added to the %s '%s' what the template's action controls rule out: %s. Remove it there, or assign a version that allows it.", what, name, strings.Join(own[:min(len(own), 5)], ", "))}
}

// layRules replaces the managed rules of a profile.
func (s *Service) layRules(ctx context.Context, tx store.Tx, p *Profile, specs []RuleSpec) error {
	old, err := Rules.List(ctx, tx, partsOf(p))
	if err != nil {
		return err
	}
	for _, r := range old {
		if !r.Managed {
			continue
		}
		if err := Rules.Delete(ctx, tx, r, store.Silent); err != nil {
			return err
		}
	}
	for i := range specs {
		r := &ClaimRule{Meta: store.Meta{Account: p.Account, ID: s.ids.New(id.ClaimRule), Parent: p.ID}, Managed: true}
		specs[i].apply(r)
		if err := Rules.Create(ctx, tx, r, partOf(p, "rules")); err != nil {
			return err
		}
	}
	return nil
}

// layTrusts replaces the managed trusted identities of a profile.
func layTrusts(ctx context.Context, tx store.Tx, p *Profile, specs []TrustSpec) error {
	old, err := Trusts.List(ctx, tx, partsOf(p))
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, t := range specs {
		wanted[TrustID(p.ID, t.Type, t.Identifier)] = true
	}
	for _, t := range old {
		if t.Managed && !wanted[t.ID] {
			if err := Trusts.Delete(ctx, tx, t, store.Silent); err != nil {
				return err
			}
		}
	}
	for i := range specs {
		if _, err := putTrust(ctx, tx, p, &specs[i], true); err != nil {
			return err
		}
	}
	if len(specs)+len(old) == 0 {
		return nil
	}
	head, err := TrustLists.Get(ctx, tx, p.Account, p.ID)
	if err != nil {
		return err
	}
	return TrustLists.Update(ctx, tx, head, partOf(p, "identities"))
}

// LiftProfile takes a template's profile from an account, with all that the
// account added to it. One that is gone already is no error.
func (s *Service) LiftProfile(ctx context.Context, tx store.Tx, accountID, profileID string) error {
	p, err := Profiles.Get(ctx, tx, accountID, profileID)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.deleteParts(ctx, tx, p); err != nil {
		return err
	}
	return Profiles.Delete(ctx, tx, p, profile.deleted(&p.Meta))
}
