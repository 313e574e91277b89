package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) loginRows() []httpapi.Operation {
	const login = "/v2/loginsettings/{account_id}"
	const all, one = login + "/idps", login + "/idps/{idp_id}"
	return httpapi.Table(Family,
		httpapi.Op[accountRef, *idp.LoginSettings, LoginSettings]{ID: "get_login_settings", Method: "GET", Path: login, Status: 200,
			Action: "iam-identity.account.get", Find: findLogin[accountRef](a), Do: getLogin},
		httpapi.Op[updateLoginIn, loginChange, LoginSettings]{ID: "update_login_settings", Method: "PUT", Path: login, Status: 200,
			Action: "iam-identity.account.update", Find: httpapi.Checking(updateLoginIn.spec, findLogin[updateLoginIn](a)), Do: a.updateLogin},
		httpapi.Op[listBindingsIn, valid.Of[idp.Selection], IdPSettingList]{ID: "list_idp_settings", Method: "GET", Path: all, Status: 200,
			Action: "iam-identity.idp.list", Find: findBindings, Do: a.listBindings},
		httpapi.Op[bindingRef, *idp.Setting, IdPSetting]{ID: "get_idp_setting", Method: "GET", Path: one, Status: 200,
			Action: "iam-identity.idp.get", Find: findBinding[bindingRef](a), Do: getBinding},
		httpapi.Op[addBindingIn, newBinding, IdPSetting]{ID: "add_idp_setting", Method: "POST", Path: one, Status: 200,
			Action: "iam-identity.account.enable_idp", Find: httpapi.Checking(addBindingIn.spec, a.findOffer), Do: a.addBinding},
		httpapi.Op[updateBindingIn, bindingChange, IdPSetting]{ID: "update_idp_setting", Method: "PUT", Path: one, Status: 200,
			Action: "iam-identity.account.enable_idp", Find: httpapi.Checking(updateBindingIn.spec, findBinding[updateBindingIn](a)),
			Do: a.updateBinding},
		httpapi.Op[bindingRef, *idp.Setting, httpapi.None]{ID: "remove_idp_setting", Method: "DELETE", Path: one, Status: 204,
			Action: "iam-identity.account.disable_idp", Find: findBinding[bindingRef](a), Do: a.removeBinding},
	)
}

// LoginSettings is the answer that shows an account's login settings.
type LoginSettings struct {
	Alias string `json:"alias,omitempty"`
}

func findLogin[In interface{ accountID() string }](a *API,
) func(context.Context, *httpapi.Call, *In) (*idp.LoginSettings, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*idp.LoginSettings, httpapi.Target, error) {
		accountID := (*in).accountID()
		c.Seeks("Account", accountID)
		l, err := a.idps.Login(ctx, accountID)
		return l, target(accountID, typeSettings, ""), err
	}
}

func getLogin(_ context.Context, _ *httpapi.Call, _ *accountRef, l *idp.LoginSettings) (*LoginSettings, error) {
	return &LoginSettings{l.Alias}, nil
}

type updateLoginIn struct {
	accountRef
	Body struct {
		Alias *string `json:"alias"`
	}
}

func (in updateLoginIn) spec() idp.LoginChange { return idp.LoginChange{Alias: in.Body.Alias} }

type loginChange = httpapi.Given[*idp.LoginSettings, idp.LoginChange]

func (a *API) updateLogin(ctx context.Context, _ *httpapi.Call, _ *updateLoginIn, g loginChange) (*LoginSettings, error) {
	l, err := a.idps.UpdateLogin(ctx, g.Found, g.Spec)
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

func findBindings(_ context.Context, c *httpapi.Call, in *listBindingsIn) (valid.Of[idp.Selection], httpapi.Target, error) {
	which, err := valid.Check(idp.Selection(in.Type))
	c.Seeks("Account", in.AccountID)
	return which, target(in.AccountID, typeIdP, ""), err
}

func (a *API) listBindings(ctx context.Context, _ *httpapi.Call, in *listBindingsIn, which valid.Of[idp.Selection]) (*IdPSettingList,
	error) {
	found, err := a.idps.Settings(ctx, in.AccountID, which)
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

func (r bindingRef) binding() (accountID, idpID string) { return r.AccountID, r.ID }

// findBinding decides in the account that uses the identity provider.
func findBinding[In interface {
	binding() (accountID, idpID string)
}](a *API,
) func(context.Context, *httpapi.Call, *In) (*idp.Setting, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*idp.Setting, httpapi.Target, error) {
		accountID, idpID := (*in).binding()
		c.Seeks("IdP", idpID)
		s, err := a.idps.Setting(ctx, accountID, idpID)
		return s, target(accountID, typeIdP, idpID), err
	}
}

func getBinding(_ context.Context, _ *httpapi.Call, _ *bindingRef, s *idp.Setting) (*IdPSetting, error) {
	return wireSetting(s, true), nil
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

func (in addBindingIn) spec() idp.Use { return in.use() }

type newBinding = httpapi.Given[*idp.Offer, idp.Use]

func (a *API) findOffer(ctx context.Context, c *httpapi.Call, in *addBindingIn) (*idp.Offer, httpapi.Target, error) {
	c.Seeks("IdP", in.ID)
	o, err := a.idps.Offer(ctx, in.AccountID, in.ID)
	return o, target(in.AccountID, typeIdP, in.ID), err
}

func (a *API) addBinding(ctx context.Context, _ *httpapi.Call, _ *addBindingIn, g newBinding) (*IdPSetting, error) {
	return settingOrError(a.idps.Bind(ctx, g.Found, g.Spec))
}

type updateBindingIn struct {
	bindingRef
	bindingBody
}

func (in updateBindingIn) spec() idp.UseChange { return idp.UseChange(in.use()) }

type bindingChange = httpapi.Given[*idp.Setting, idp.UseChange]

func (a *API) updateBinding(ctx context.Context, _ *httpapi.Call, _ *updateBindingIn, g bindingChange) (*IdPSetting, error) {
	return settingOrError(a.idps.Rebind(ctx, g.Found, g.Spec))
}

func (a *API) removeBinding(ctx context.Context, _ *httpapi.Call, _ *bindingRef, s *idp.Setting) (*httpapi.None, error) {
	return nil, a.idps.Unbind(ctx, s)
}
