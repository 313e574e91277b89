package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/idp"
)

func (a *API) loginRows() []httpapi.Operation {
	const login, all, one = "/v2/loginsettings/{account_id}", "/v2/loginsettings/{account_id}/idps", "/v2/loginsettings/{account_id}/idps/{idp_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "get_login_settings", "GET", login, 200, act("account.get"), at[accountRef](a), a.getLogin),
		httpapi.OldOp(Family, "update_login_settings", "PUT", login, 200, act("account.update"), at[updateLoginIn](a), a.updateLogin),
		httpapi.OldOp(Family, "list_idp_settings", "GET", all, 200, act("idp.list"), at[listBindingsIn](a), a.listBindings),
		httpapi.OldOp(Family, "get_idp_setting", "GET", one, 200, act("idp.get"), at[bindingRef](a), a.getBinding),
		httpapi.OldOp(Family, "add_idp_setting", "POST", one, 200, act("account.enable_idp"), at[addBindingIn](a), a.addBinding),
		httpapi.OldOp(Family, "update_idp_setting", "PUT", one, 200, act("account.enable_idp"), at[updateBindingIn](a), a.updateBinding),
		httpapi.OldOp(Family, "remove_idp_setting", "DELETE", one, 204, act("account.disable_idp"), at[bindingRef](a), a.removeBinding),
	}
}

// LoginSettings is the answer that shows an account's login settings.
type LoginSettings struct {
	Alias string `json:"alias,omitempty"`
}

func (a *API) getLogin(ctx context.Context, _ *httpapi.Call, in *accountRef) (*LoginSettings, error) {
	l, err := a.idps.Login(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	return &LoginSettings{l.Alias}, nil
}

type updateLoginIn struct {
	accountRef
	Body struct {
		Alias *string `json:"alias"`
	}
}

// Validate checks the body.
func (in *updateLoginIn) Validate() error {
	if in.Body.Alias == nil {
		return nil
	}
	return idp.CheckAlias(*in.Body.Alias)
}

func (a *API) updateLogin(ctx context.Context, c *httpapi.Call, in *updateLoginIn) (*LoginSettings, error) {
	if in.Body.Alias == nil {
		return a.getLogin(ctx, c, &in.accountRef)
	}
	l, err := a.idps.SetAlias(ctx, in.AccountID, *in.Body.Alias)
	if err != nil {
		return nil, err
	}
	return &LoginSettings{l.Alias}, nil
}

// IdPSetting is the answer that shows an account's use of an identity
// provider. What it does not use has neither strategy nor flags.
type IdPSetting struct {
	IdPID             string `json:"idp_id"`
	OwnerAccount      string `json:"owner_account,omitempty"`
	OwnerAccountName  string `json:"owner_account_name,omitempty"`
	IdPName           string `json:"idp_name,omitempty"`
	IdPType           string `json:"idp_type,omitempty"`
	CloudUserStrategy string `json:"cloud_user_strategy,omitempty"`
	Active            *bool  `json:"active,omitempty"`
	UIDefault         *bool  `json:"ui_default,omitempty"`
}

// IdPSettingList holds the settings of an account.
type IdPSettingList struct {
	IdPs []*IdPSetting `json:"idps"`
}

func wireSetting(s *idp.Setting, metadata bool) *IdPSetting {
	out := &IdPSetting{IdPID: s.IdP.ID}
	if metadata {
		out.OwnerAccount, out.OwnerAccountName, out.IdPName, out.IdPType = s.IdP.Account, s.OwnerName, s.IdP.Name, s.IdP.Type
	}
	if b := s.Binding; b != nil {
		out.CloudUserStrategy, out.Active, out.UIDefault = b.Strategy, &b.Active, &b.UIDefault
	}
	return out
}

type listBindingsIn struct {
	accountRef
	Type            string `query:"type"`
	IncludeMetadata bool   `query:"include_idp_metadata"`
}

// Validate demands the kind of list.
func (in *listBindingsIn) Validate() error { return idp.CheckList(in.Type) }

func (in *listBindingsIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	c.Seeks("Account", in.AccountID)
	return target(in.AccountID, typeIdP, "", "", ""), nil
}

func (a *API) listBindings(ctx context.Context, _ *httpapi.Call, in *listBindingsIn) (*IdPSettingList, error) {
	found, err := a.idps.Settings(ctx, in.AccountID, in.Type)
	if err != nil {
		return nil, err
	}
	out := &IdPSettingList{IdPs: make([]*IdPSetting, len(found))}
	for i := range found {
		out.IdPs[i] = wireSetting(&found[i], in.IncludeMetadata)
	}
	return out, nil
}

// bindingRef names an account's use of an identity provider in the path.
type bindingRef struct {
	accountRef
	ID string `path:"idp_id"`
}

// find decides in the account: whether it may know of the identity provider is
// the domain's question.
func (r *bindingRef) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	c.Seeks("IdP", r.ID)
	return target(r.AccountID, typeIdP, r.ID, "", ""), nil
}

func (a *API) getBinding(ctx context.Context, _ *httpapi.Call, in *bindingRef) (*IdPSetting, error) {
	return settingOrError(a.idps.Setting(ctx, in.AccountID, in.ID))
}

func settingOrError(s *idp.Setting, err error) (*IdPSetting, error) {
	if err != nil {
		return nil, err
	}
	return wireSetting(s, true), nil
}

type bindingBody struct {
	Body struct {
		CloudUserStrategy *string `json:"cloud_user_strategy"`
		Active            *bool   `json:"active"`
		UIDefault         *bool   `json:"ui_default"`
	}
}

func (b *bindingBody) use() idp.Use {
	return idp.Use{Strategy: b.Body.CloudUserStrategy, Active: b.Body.Active, UIDefault: b.Body.UIDefault}
}

type addBindingIn struct {
	bindingRef
	bindingBody
}

// Validate demands the whole body.
func (in *addBindingIn) Validate() error {
	u := in.use()
	return u.Complete()
}

func (a *API) addBinding(ctx context.Context, _ *httpapi.Call, in *addBindingIn) (*IdPSetting, error) {
	return settingOrError(a.idps.Bind(ctx, in.AccountID, in.ID, in.use()))
}

type updateBindingIn struct {
	bindingRef
	bindingBody
}

// Validate checks the body.
func (in *updateBindingIn) Validate() error {
	u := in.use()
	return u.Validate()
}

func (a *API) updateBinding(ctx context.Context, _ *httpapi.Call, in *updateBindingIn) (*IdPSetting, error) {
	return settingOrError(a.idps.Rebind(ctx, in.AccountID, in.ID, in.use()))
}

func (a *API) removeBinding(ctx context.Context, _ *httpapi.Call, in *bindingRef) (*done, error) {
	return nil, a.idps.Unbind(ctx, in.AccountID, in.ID)
}
