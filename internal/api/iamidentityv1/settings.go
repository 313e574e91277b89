package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

func (a *API) settingsRows() []httpapi.Operation {
	const own, effective = "/v1/accounts/{account_id}/settings/identity", "/v1/accounts/{account_id}/effective_settings/identity"
	return httpapi.Table(Family,
		httpapi.Op[getSettingsIn, *account.Settings, AccountSettings]{ID: "get_account_settings", Method: "GET", Path: own, Status: 200,
			Action: "iam-identity.account.get", Find: findSettings[getSettingsIn](a), Do: a.getSettings},
		httpapi.Op[updateSettingsIn, settingsChange, AccountSettings]{ID: "update_account_settings", Method: "PUT", Path: own, Status: 200,
			Action: "iam-identity.account.update", Check: (*updateSettingsIn).present,
			Find: httpapi.Checking(updateSettingsIn.spec, findSettings[updateSettingsIn](a)), Do: a.updateSettings},
		httpapi.Op[getSettingsIn, *account.Settings, EffectiveSettings]{ID: "get_effective_account_settings", Method: "GET", Path: effective,
			Status: 200, Action: "iam-identity.account.get", Find: findSettings[getSettingsIn](a), Do: a.getEffectiveSettings},
	)
}

// The forms of what an answer always shows, also when it is empty.
type (
	shown        string
	shownUserMFA []UserMFA
	shownDomains []DomainRestriction //nolint:unused // the linter does not see type arguments
)

func (shown) IsZero() bool        { return false }
func (shownUserMFA) IsZero() bool { return false }
func (shownDomains) IsZero() bool { return false } //nolint:unused // encoding/json calls it

// SettingValues are what an account's settings come to; the restrictions of
// domains are not told.
type SettingValues account.Values[shown, shownUserMFA, httpapi.None]

// UserMFA is the MFA demand for one user. Name, user name and e-mail address
// are there only when the client has them resolved.
type UserMFA struct {
	IAMID    string `json:"iam_id"`
	MFA      string `json:"mfa"`
	Name     string `json:"name,omitempty"`
	UserName string `json:"userName,omitempty"`
	Email    string `json:"email,omitempty"`
}

// DomainRestriction bounds the e-mail addresses that may be invited from a realm.
type DomainRestriction struct {
	RealmID            string   `json:"realm_id"`
	Patterns           []string `json:"invitation_email_allow_patterns"`
	RestrictInvitation bool     `json:"restrict_invitation"`
}

// AccountSettings is the answer that shows an account's settings. All of its
// lists are always there, history too.
type AccountSettings struct {
	AccountID string          `json:"account_id"`
	EntityTag string          `json:"entity_tag"`
	History   []HistoryRecord `json:"history"`
	account.Values[shown, shownUserMFA, shownDomains]
}

// EffectiveSettings is the answer that shows what applies in an account.
type EffectiveSettings struct {
	AccountID string             `json:"account_id"`
	Effective SettingValues      `json:"effective"`
	Account   *AccountSettings   `json:"account"`
	Templates []AssignedTemplate `json:"assigned_templates,omitempty"`
}

// AssignedTemplate is a settings template that an enterprise lays on the
// account, with the settings that it sets.
type AssignedTemplate struct {
	TemplateID      string `json:"template_id"`
	TemplateVersion int    `json:"template_version"`
	TemplateName    string `json:"template_name"`
	kinds.SettingsDoc
}

func wireSettings(s *account.Settings, history []HistoryRecord) *AccountSettings {
	out := &AccountSettings{AccountID: s.ID, EntityTag: s.Tag, History: append([]HistoryRecord{}, history...)}
	account.CopyTexts(&out.Values, (*rules)(&s.Rules), show)
	out.UserMFA = lists.Map(s.UserMFA, wireUserMFA)
	out.RestrictUserDomains = lists.Map(s.RestrictUserDomains, func(d account.DomainRestriction) DomainRestriction {
		return DomainRestriction{d.RealmID, append([]string{}, d.InvitationEmailAllowPatterns...), d.RestrictInvitation}
	})
	return out
}

func wireValues(r *account.Rules) (out SettingValues) {
	account.CopyTexts((*account.Values[shown, shownUserMFA, httpapi.None])(&out), (*rules)(r), show)
	out.UserMFA = lists.Map(r.UserMFA, wireUserMFA)
	return out
}

type rules = account.Values[string, []account.UserMFA, []account.DomainRestriction]

func show(text string) shown { return shown(text) }

func wireUserMFA(u account.UserMFA) UserMFA { return UserMFA{IAMID: u.IAMID, MFA: u.MFA} }

type getSettingsIn struct {
	accountRef
	IncludeHistory bool `query:"include_history"`
	ResolveUserMFA bool `query:"resolve_user_mfa"`
}

// findSettings finds the settings of the account in the path.
func findSettings[In interface{ accountID() string }](a *API,
) func(context.Context, *httpapi.Call, *In) (*account.Settings, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*account.Settings, httpapi.Target, error) {
		accountID := (*in).accountID()
		c.Seeks("Account", accountID)
		s, err := a.accounts.Settings(ctx, accountID)
		return s, target(accountID, typeSettings, ""), err
	}
}

func (a *API) getSettings(ctx context.Context, c *httpapi.Call, in *getSettingsIn, s *account.Settings) (*AccountSettings, error) {
	c.SetETag(s.Tag)
	return a.showSettings(ctx, in, s)
}

func (a *API) showSettings(ctx context.Context, in *getSettingsIn, s *account.Settings) (*AccountSettings, error) {
	var history []HistoryRecord
	if in.IncludeHistory {
		events, err := a.accounts.SettingsHistory(ctx, s, identity.HistoryLimit)
		if err != nil {
			return nil, err
		}
		history = wireHistory(events)
	}
	out := wireSettings(s, history)
	if !in.ResolveUserMFA {
		return out, nil
	}
	return out, a.resolveUserMFA(ctx, s.ID, out.UserMFA)
}

// resolveUserMFA fills in who the users are, as far as they are in the account.
func (a *API) resolveUserMFA(ctx context.Context, accountID string, list []UserMFA) error {
	for i := range list {
		user, err := a.accounts.User(ctx, accountID, list[i].IAMID)
		if fault.Of(err).Kind == fault.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		list[i].Name, list[i].UserName, list[i].Email = user.Name, user.Email, user.Email
	}
	return nil
}

func (a *API) getEffectiveSettings(ctx context.Context, _ *httpapi.Call, in *getSettingsIn, s *account.Settings,
) (*EffectiveSettings, error) {
	shown, err := a.showSettings(ctx, in, s)
	if err != nil {
		return nil, err
	}
	out := &EffectiveSettings{AccountID: s.ID, Effective: wireValues(s.Effective()), Account: shown}
	for i := range s.Assigned {
		t := &s.Assigned[i]
		out.Templates = append(out.Templates, AssignedTemplate{t.Template, t.Version, t.Name, kinds.SettingsDocOf(t)})
	}
	if in.ResolveUserMFA {
		err = a.resolveUserMFA(ctx, s.ID, out.Effective.UserMFA)
	}
	return out, err
}

type updateSettingsIn struct {
	accountRef
	ifMatch
	Body settingsBody
}

type settingsBody account.Values[*Text, []UserMFA, []domainsBody]

type domainsBody struct {
	RealmID            string   `json:"realm_id"`
	Patterns           []string `json:"invitation_email_allow_patterns"`
	RestrictInvitation *bool    `json:"restrict_invitation"`
}

func (in updateSettingsIn) spec() account.SettingsChange {
	b := &in.Body
	var out account.SettingsChange
	account.CopyTexts((*account.Values[*string, []account.UserMFA, []account.DomainChange])(&out),
		(*account.Values[*Text, []UserMFA, []domainsBody])(b), func(t *Text) *string { return (*string)(t) })
	if b.UserMFA != nil {
		out.UserMFA = lists.Map(b.UserMFA, func(u UserMFA) account.UserMFA { return account.UserMFA{IAMID: u.IAMID, MFA: u.MFA} })
	}
	if b.RestrictUserDomains != nil {
		out.RestrictUserDomains = lists.Map(b.RestrictUserDomains, func(d domainsBody) account.DomainChange {
			return account.DomainChange{RealmID: d.RealmID, Patterns: d.Patterns, Restrict: d.RestrictInvitation}
		})
	}
	return out
}

type settingsChange = httpapi.Given[*account.Settings, account.SettingsChange]

func (a *API) updateSettings(ctx context.Context, c *httpapi.Call, in *updateSettingsIn, g settingsChange) (*AccountSettings, error) {
	s, err := a.accounts.UpdateSettings(ctx, g.Found, in.IfMatch, g.Spec)
	if err != nil {
		return nil, err
	}
	c.SetETag(s.Tag)
	return wireSettings(s, nil), nil
}
