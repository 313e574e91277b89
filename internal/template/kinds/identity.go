package kinds

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/valid"
)

// ProfilePayload is what a trusted profile template says.
type ProfilePayload struct {
	Profile        *ProfileDoc  `json:"profile,omitempty"`
	ActionControls *ControlsDoc `json:"action_controls,omitempty"`
}

// ControlsDoc says what an account may do to the parts of the profile; an
// absent part is left to identity.DefaultControls.
type ControlsDoc struct {
	Identities *PartControl `json:"identities,omitempty"`
	Rules      *PartControl `json:"rules,omitempty"`
	Policies   *PartControl `json:"policies,omitempty"`
}

// PartControl is the action control of one sort of part.
type PartControl struct {
	Add    bool `json:"add"`
	Remove bool `json:"remove"`
}

func (d *ControlsDoc) controls() identity.Controls {
	c := identity.DefaultControls
	if d == nil {
		return c
	}
	for _, part := range []struct {
		from *PartControl
		to   *identity.Control
	}{{d.Identities, &c.Identities}, {d.Rules, &c.Rules}, {d.Policies, &c.Policies}} {
		if part.from != nil {
			*part.to = identity.Control(*part.from)
		}
	}
	return c
}

// ProfileDoc is the profile that a template makes.
type ProfileDoc struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Email       string        `json:"email,omitempty"`
	Rules       []RuleDoc     `json:"rules,omitempty"`
	Identities  []IdentityDoc `json:"identities,omitempty"`
}

// RuleDoc is a claim rule of a template.
type RuleDoc struct {
	Name       string               `json:"name,omitempty"`
	Type       string               `json:"type"`
	RealmName  string               `json:"realm_name,omitempty"`
	Expiration *int                 `json:"expiration,omitempty"`
	Conditions []identity.Condition `json:"conditions"`
}

// IdentityDoc is a trusted identity of a template. IAMID is filled in for
// answers.
type IdentityDoc struct {
	IAMID       string   `json:"iam_id,omitempty"`
	Identifier  string   `json:"identifier"`
	Type        string   `json:"type"`
	Accounts    []string `json:"accounts,omitempty"`
	Description string   `json:"description,omitempty"`
}

// IAM gives the IAM id of the identity.
func (d *IdentityDoc) IAM() string {
	switch d.Type {
	case identity.TrustService:
		return id.IAMOf(strings.TrimPrefix(d.Identifier, id.IAMPrefix))
	case identity.TrustCRN:
		return id.CRNPrefix + d.Identifier
	}
	return d.Identifier
}

// managed gives the domain form of the profile.
func (d *ProfileDoc) managed() *identity.ManagedProfile {
	m := &identity.ManagedProfile{Name: d.Name, Description: d.Description, Email: d.Email}
	for _, r := range d.Rules {
		spec := identity.RuleSpec{Type: r.Type, RealmName: r.RealmName, Expiration: r.Expiration, Conditions: r.Conditions}
		if r.Name != "" {
			spec.Name = &r.Name
		}
		m.Rules = append(m.Rules, spec)
	}
	for _, i := range d.Identities {
		m.Trusts = append(m.Trusts, identity.TrustSpec{Type: i.Type, Identifier: i.Identifier, Accounts: i.Accounts, Description: i.Description})
	}
	return m
}

// profileDocument is a trusted profile template.
type profileDocument struct {
	alone
	ids     *identity.Service
	profile *identity.ManagedProfile // nil: not said yet
}

func profileKind(ids *identity.Service) *template.Kind {
	return &template.Kind{
		Name: Profile, Service: "iam-identity", Noun: "profile", Parts: []string{"profile", "action_controls"}, Refers: true,
		TemplatePrefix: "ProfileTemplate-", AssignmentPrefix: "TemplateAssignment-",
		Title: "profile template", Action: "iam-identity.profile-template",
		Decode: func(payload json.RawMessage) (template.Document, error) {
			var p ProfilePayload
			if err := decode(payload, &p); err != nil || p.Profile == nil {
				return profileDocument{}, err
			}
			m := p.Profile.managed()
			m.Controls = p.ActionControls.controls()
			return profileDocument{ids: ids, profile: m}, nil
		},
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return ids.LiftProfile(ctx, tx, accountID, m.ID)
		},
	}
}

// Check implements template.Document.
func (d profileDocument) Check(final bool) error {
	if d.profile == nil {
		return missing("profile", final)
	}
	return d.profile.Validate()
}

// Apply implements template.Document.
func (d profileDocument) Apply(ctx context.Context, l *template.Lay) ([]template.Made, error) {
	m := *d.profile
	m.Name, m.Template, m.Assignment = expand(m.Name, l), l.Template.ID, l.Assignment.ID
	old := l.Held()
	if old != "" && !m.Controls.Policies.Add {
		if err := access.NoOwnPolicies(ctx, l.Tx, l.Account.ID, id.IAMOf(old), "trusted profile", m.Name); err != nil {
			return nil, err
		}
	}
	checked, err := valid.Check(m)
	if err != nil {
		return nil, err
	}
	p, err := d.ids.LayProfile(ctx, l.Tx, l.Account.ID, old, checked)
	if err != nil {
		return nil, err
	}
	return made(l, p.ID), nil
}

// SettingsPayload is what an account settings template says. Numbers are taken
// where the SDK sends strings: the tutorials do.
type SettingsPayload struct {
	Settings *SettingsDoc `json:"account_settings,omitempty"`
}

// SettingsDoc holds the settings of a template; an absent one says nothing.
type SettingsDoc account.Values[Text, []account.UserMFA, *DomainsDoc]

// DomainsDoc restricts invitations; unlike in an account's own settings it is
// an object.
type DomainsDoc struct {
	AccountSufficient bool                        `json:"account_sufficient"`
	Restrictions      []account.DomainRestriction `json:"restrictions"`
}

// Text is a string that clients may also send as a number.
type Text string

// UnmarshalJSON takes a JSON string or number.
func (t *Text) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(t))
	}
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		return fault.Field("account_settings", "A setting must be a string or a whole number.")
	}
	*t = Text(strconv.Itoa(n))
	return nil
}

type (
	settingsDoc = account.Values[Text, []account.UserMFA, *DomainsDoc]
	rules       = account.Values[string, []account.UserMFA, []account.DomainRestriction]
)

// Assigned gives the domain form of the settings.
func (d *SettingsDoc) Assigned() account.Assigned {
	a := account.Assigned{Values: account.Rules{UserMFA: d.UserMFA}}
	account.CopyTexts((*rules)(&a.Values), (*settingsDoc)(d), func(t Text) string { return string(t) })
	if d.RestrictUserDomains != nil {
		a.DomainsSufficient = d.RestrictUserDomains.AccountSufficient
		a.Values.RestrictUserDomains = d.RestrictUserDomains.Restrictions
	}
	return a
}

// SettingsDocOf gives the settings that a template lays on an account.
func SettingsDocOf(a *account.Assigned) SettingsDoc {
	var d SettingsDoc
	account.CopyTexts((*settingsDoc)(&d), (*rules)(&a.Values), func(t string) Text { return Text(t) })
	if len(a.Values.UserMFA) > 0 {
		d.UserMFA = a.Values.UserMFA
	}
	if len(a.Values.RestrictUserDomains) > 0 {
		d.RestrictUserDomains = &DomainsDoc{AccountSufficient: a.DomainsSufficient, Restrictions: a.Values.RestrictUserDomains}
	}
	return d
}

// settingsDocument is an account settings template.
type settingsDocument struct {
	alone
	settings *account.Assigned // nil: not said yet
}

func settingsKind() *template.Kind {
	return &template.Kind{
		Name: Settings, Service: "iam-identity", Noun: "account-settings", Parts: []string{"account_settings"},
		TemplatePrefix: "AccountSettingsTemplate-", AssignmentPrefix: "TemplateAssignment-",
		Title: "account settings template", Action: "iam-identity.account-settings-template", OneOnly: true,
		Decode: func(payload json.RawMessage) (template.Document, error) {
			var p SettingsPayload
			if err := decode(payload, &p); err != nil || p.Settings == nil {
				return settingsDocument{}, err
			}
			a := p.Settings.Assigned()
			return settingsDocument{settings: &a}, nil
		},
		Remove: func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
			return account.LiftSettings(ctx, tx, accountID, m.ID)
		},
	}
}

// Check implements template.Document.
func (d settingsDocument) Check(final bool) error {
	if d.settings == nil {
		return missing("account_settings", final)
	}
	return d.settings.Validate()
}

// Apply implements template.Document.
func (d settingsDocument) Apply(ctx context.Context, l *template.Lay) ([]template.Made, error) {
	a := *d.settings
	a.Template, a.Version, a.Name = l.Template.ID, l.Version.Number, l.Template.Name
	checked, err := valid.Check(a)
	if err != nil {
		return nil, err
	}
	return made(l, l.Template.ID), account.LaySettings(ctx, l.Tx, l.Account.ID, checked)
}
