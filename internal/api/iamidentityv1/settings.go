package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

func (a *API) settingsRows() []httpapi.Operation {
	const own, effective = "/v1/accounts/{account_id}/settings/identity", "/v1/accounts/{account_id}/effective_settings/identity"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "get_account_settings", "GET", own, 200, act("account.get"), at[getSettingsIn](a), a.getSettings),
		httpapi.OldOp(Family, "update_account_settings", "PUT", own, 200, act("account.update"), at[updateSettingsIn](a), a.updateSettings),
		httpapi.OldOp(Family, "get_effective_account_settings", "GET", effective, 200, act("account.get"), at[getSettingsIn](a), a.getEffectiveSettings),
	}
}

// SettingValues are the settings that account and effective settings share.
type SettingValues struct {
	RestrictCreateServiceID      string    `json:"restrict_create_service_id"`
	RestrictCreatePlatformAPIKey string    `json:"restrict_create_platform_apikey"`
	RestrictUserListVisibility   string    `json:"restrict_user_list_visibility"`
	AllowedIPAddresses           string    `json:"allowed_ip_addresses"`
	MFA                          string    `json:"mfa"`
	UserMFA                      []UserMFA `json:"user_mfa"`
	SessionExpiration            string    `json:"session_expiration_in_seconds"`
	SessionInvalidation          string    `json:"session_invalidation_in_seconds"`
	MaxSessions                  string    `json:"max_sessions_per_identity"`
	AccessTokenExpiration        string    `json:"system_access_token_expiration_in_seconds"`
	RefreshTokenExpiration       string    `json:"system_refresh_token_expiration_in_seconds"`
}

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
	SettingValues
	RestrictUserDomains []DomainRestriction `json:"restrict_user_domains"`
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

func wireAssigned(a *account.Assigned) AssignedTemplate {
	v := &a.Values
	out := AssignedTemplate{TemplateID: a.Template, TemplateVersion: a.Version, TemplateName: a.Name, SettingsDoc: kinds.SettingsDoc{
		RestrictCreateServiceID: kinds.Text(v.RestrictCreateServiceID), RestrictCreatePlatformAPIKey: kinds.Text(v.RestrictCreatePlatformAPIKey),
		RestrictUserListVisibility: kinds.Text(v.RestrictUserListVisibility), AllowedIPAddresses: kinds.Text(v.AllowedIPAddresses),
		MFA: kinds.Text(v.MFA), UserMFA: v.UserMFA, SessionExpiration: kinds.Text(v.SessionExpiration),
		SessionInvalidation: kinds.Text(v.SessionInvalidation), MaxSessions: kinds.Text(v.MaxSessions),
		AccessTokenExpiration: kinds.Text(v.AccessTokenExpiration), RefreshTokenExpiration: kinds.Text(v.RefreshTokenExpiration),
	}}
	if len(v.RestrictUserDomains) > 0 {
		out.RestrictUserDomains = &kinds.DomainsDoc{AccountSufficient: a.DomainsSufficient, Restrictions: v.RestrictUserDomains}
	}
	return out
}

func wireSettings(s *account.Settings, history []HistoryRecord) *AccountSettings {
	out := &AccountSettings{
		AccountID: s.ID, EntityTag: s.Tag, History: append([]HistoryRecord{}, history...), SettingValues: wireValues(s),
		RestrictUserDomains: make([]DomainRestriction, len(s.RestrictUserDomains)),
	}
	for i, d := range s.RestrictUserDomains {
		out.RestrictUserDomains[i] = DomainRestriction{d.RealmID, append([]string{}, d.InvitationEmailAllowPatterns...), d.RestrictInvitation}
	}
	return out
}

func wireValues(s *account.Settings) SettingValues {
	out := SettingValues{
		RestrictCreateServiceID: s.RestrictCreateServiceID, RestrictCreatePlatformAPIKey: s.RestrictCreatePlatformAPIKey,
		RestrictUserListVisibility: s.RestrictUserListVisibility, AllowedIPAddresses: s.AllowedIPAddresses, MFA: s.MFA,
		UserMFA: make([]UserMFA, len(s.UserMFA)), SessionExpiration: s.SessionExpiration, SessionInvalidation: s.SessionInvalidation,
		MaxSessions: s.MaxSessions, AccessTokenExpiration: s.AccessTokenExpiration, RefreshTokenExpiration: s.RefreshTokenExpiration,
	}
	for i, u := range s.UserMFA {
		out.UserMFA[i] = UserMFA{IAMID: u.IAMID, MFA: u.MFA}
	}
	return out
}

type getSettingsIn struct {
	accountRef
	IncludeHistory bool `query:"include_history"`
	ResolveUserMFA bool `query:"resolve_user_mfa"`
}

func (a *API) getSettings(ctx context.Context, c *httpapi.Call, in *getSettingsIn) (*AccountSettings, error) {
	_, out, err := a.readSettings(ctx, in)
	if err != nil {
		return nil, err
	}
	c.SetETag(out.EntityTag)
	return out, nil
}

func (a *API) readSettings(ctx context.Context, in *getSettingsIn) (*account.Settings, *AccountSettings, error) {
	s, err := a.accounts.Settings(ctx, in.AccountID)
	if err != nil {
		return nil, nil, err
	}
	var history []HistoryRecord
	if in.IncludeHistory {
		events, err := a.accounts.SettingsHistory(ctx, in.AccountID, identity.HistoryLimit)
		if err != nil {
			return nil, nil, err
		}
		history = wireHistory(events)
	}
	out := wireSettings(s, history)
	if in.ResolveUserMFA {
		err = a.resolveUserMFA(ctx, in.AccountID, out.UserMFA)
	}
	return s, out, err
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

func (a *API) getEffectiveSettings(ctx context.Context, _ *httpapi.Call, in *getSettingsIn) (*EffectiveSettings, error) {
	s, shown, err := a.readSettings(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &EffectiveSettings{AccountID: s.ID, Effective: wireValues(s.Effective()), Account: shown}
	for i := range s.Assigned {
		out.Templates = append(out.Templates, wireAssigned(&s.Assigned[i]))
		if out.Effective.AllowedIPAddresses == "" {
			// Where both sides have a list an address must be on each; one text
			// cannot say that, and shows the account's own.
			out.Effective.AllowedIPAddresses = s.Assigned[i].Values.AllowedIPAddresses
		}
	}
	if in.ResolveUserMFA {
		err = a.resolveUserMFA(ctx, in.AccountID, out.Effective.UserMFA)
	}
	return out, err
}

type updateSettingsIn struct {
	accountRef
	ifMatch
	Body struct {
		RestrictCreateServiceID      *string        `json:"restrict_create_service_id"`
		RestrictCreatePlatformAPIKey *string        `json:"restrict_create_platform_apikey"`
		RestrictUserListVisibility   *string        `json:"restrict_user_list_visibility"`
		AllowedIPAddresses           *string        `json:"allowed_ip_addresses"`
		MFA                          *string        `json:"mfa"`
		UserMFA                      *[]UserMFA     `json:"user_mfa"`
		SessionExpiration            *Text          `json:"session_expiration_in_seconds"`
		SessionInvalidation          *Text          `json:"session_invalidation_in_seconds"`
		MaxSessions                  *Text          `json:"max_sessions_per_identity"`
		AccessTokenExpiration        *Text          `json:"system_access_token_expiration_in_seconds"`
		RefreshTokenExpiration       *Text          `json:"system_refresh_token_expiration_in_seconds"`
		RestrictUserDomains          *[]domainsBody `json:"restrict_user_domains"`
	}
}

type domainsBody struct {
	RealmID            string   `json:"realm_id"`
	Patterns           []string `json:"invitation_email_allow_patterns"`
	RestrictInvitation *bool    `json:"restrict_invitation"`
}

func (in *updateSettingsIn) change() account.SettingsChange {
	b := &in.Body
	out := account.SettingsChange{
		RestrictCreateServiceID: b.RestrictCreateServiceID, RestrictCreatePlatformAPIKey: b.RestrictCreatePlatformAPIKey,
		RestrictUserListVisibility: b.RestrictUserListVisibility, AllowedIPAddresses: b.AllowedIPAddresses, MFA: b.MFA,
		SessionExpiration: (*string)(b.SessionExpiration), SessionInvalidation: (*string)(b.SessionInvalidation),
		MaxSessions: (*string)(b.MaxSessions), AccessTokenExpiration: (*string)(b.AccessTokenExpiration),
		RefreshTokenExpiration: (*string)(b.RefreshTokenExpiration),
	}
	if b.UserMFA != nil {
		list := make([]account.UserMFA, len(*b.UserMFA))
		for i, u := range *b.UserMFA {
			list[i] = account.UserMFA{IAMID: u.IAMID, MFA: u.MFA}
		}
		out.UserMFA = &list
	}
	if b.RestrictUserDomains != nil {
		list := make([]account.DomainChange, len(*b.RestrictUserDomains))
		for i, d := range *b.RestrictUserDomains {
			list[i] = account.DomainChange{RealmID: d.RealmID, Patterns: d.Patterns, Restrict: d.RestrictInvitation}
		}
		out.RestrictUserDomains = &list
	}
	return out
}

// Validate checks precondition and body.
func (in *updateSettingsIn) Validate() error {
	if err := in.present(); err != nil {
		return err
	}
	change := in.change()
	return change.Validate()
}

func (a *API) updateSettings(ctx context.Context, c *httpapi.Call, in *updateSettingsIn) (*AccountSettings, error) {
	s, err := a.accounts.UpdateSettings(ctx, in.AccountID, in.IfMatch, in.change())
	if err != nil {
		return nil, err
	}
	c.SetETag(s.Tag)
	return wireSettings(s, nil), nil
}
