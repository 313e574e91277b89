package iampolicymanagementv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/valid"
)

type settingsRef struct {
	AccountID string `path:"account_id"`
}

func settingsTarget(account string) httpapi.Target {
	return httpapi.Target{ServiceName: "iam-access-management", Account: account, ResourceType: "settings"}
}

// identityType is the setting for one type of identity.
type identityType struct {
	State   string   `json:"state"`
	Allowed []string `json:"external_allowed_accounts"`
}

type interaction struct {
	IdentityTypes struct {
		User      *identityType `json:"user,omitempty"`
		ServiceID *identityType `json:"service_id,omitempty"`
		Service   *identityType `json:"service,omitempty"`
	} `json:"identity_types"`
}

type settings struct {
	Interaction interaction `json:"external_account_identity_interaction"`
}

func wireSettings(s *access.Settings) *settings {
	show := func(set policy.ExternalSetting) *identityType {
		out := &identityType{State: string(set.Mode), Allowed: set.Allowed}
		if out.State == "" {
			out.State = string(policy.ExternalEnabled)
		}
		if out.Allowed == nil {
			out.Allowed = []string{}
		}
		return out
	}
	out := &settings{}
	types := &out.Interaction.IdentityTypes
	types.User, types.ServiceID, types.Service = show(s.External.User), show(s.External.ServiceID), show(s.External.Service)
	return out
}

func (a *API) findSettings(ctx context.Context, _ *httpapi.Call, in *settingsRef) (*access.Settings, httpapi.Target, error) {
	if err := checkAccount(in.AccountID); err != nil {
		return nil, httpapi.Target{}, err
	}
	s, err := a.access.GetSettings(ctx, in.AccountID)
	return s, settingsTarget(in.AccountID), err
}

func (a *API) getSettings(_ context.Context, c *httpapi.Call, _ *settingsRef, s *access.Settings) (*settings, error) {
	return httpapi.Shown(c, s, nil, wireSettings)
}

type updateSettingsIn struct {
	settingsRef
	httpapi.Conditional
	Body settings
}

// check asks for the precondition, and that each type that is sent is sent whole.
func (in *updateSettingsIn) check() error {
	if err := in.Present(); err != nil {
		return err
	}
	types := in.Body.Interaction.IdentityTypes
	if types.User == nil && types.ServiceID == nil && types.Service == nil {
		return fault.Missing("external_account_identity_interaction.identity_types")
	}
	for _, t := range []struct {
		name string
		sent *identityType
	}{{"user", types.User}, {"service_id", types.ServiceID}, {"service", types.Service}} {
		if t.sent != nil && t.sent.Allowed == nil {
			return fault.Missing(t.name + ".external_allowed_accounts")
		}
	}
	return nil
}

// settingsPatch is a change that was checked.
type settingsPatch = valid.Of[access.ExternalPatch]

// findSettingsPatch reads the change; the settings themselves are always there.
func findSettingsPatch(_ context.Context, _ *httpapi.Call, in *updateSettingsIn) (settingsPatch, httpapi.Target, error) {
	if err := checkAccount(in.AccountID); err != nil {
		return settingsPatch{}, httpapi.Target{}, err
	}
	read := func(t *identityType) *policy.ExternalSetting {
		if t == nil {
			return nil
		}
		return &policy.ExternalSetting{Mode: policy.ExternalMode(t.State), Allowed: t.Allowed}
	}
	types := in.Body.Interaction.IdentityTypes
	patch, err := valid.Check(access.ExternalPatch{User: read(types.User), ServiceID: read(types.ServiceID), Service: read(types.Service)})
	return patch, settingsTarget(in.AccountID), err
}

func (a *API) updateSettings(ctx context.Context, c *httpapi.Call, in *updateSettingsIn, patch settingsPatch) (*settings, error) {
	s, err := a.access.SetExternal(ctx, in.AccountID, in.IfMatch, patch)
	return httpapi.Shown(c, s, err, wireSettings)
}
