package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
)

func (a *API) preferenceRows() []httpapi.Operation {
	const all = "/v1/preferences/accounts/{account_id}/identities/{iam_id}"
	const one = all + "/{service}/{preference_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "update_preference_on_scope_account", "PUT", one, 200, act("preferences.update"), at[setPreferenceIn](a), a.setPreference),
		httpapi.OldOp(Family, "delete_preferences_on_scope_account", "DELETE", one, 204, act("preferences.update"), at[preferenceRef](a), a.deletePreference),
		httpapi.OldOp(Family, "get_preferences_on_scope_account", "GET", one, 200, act("preferences.read"), at[preferenceRef](a), a.getPreference),
		httpapi.OldOp(Family, "get_all_preferences_on_scope_account", "GET", all, 200, act("preferences.read"), at[preferencesRef](a), a.getPreferences),
	}
}

// Preference is the answer that shows a preference; one of the values is there.
type Preference struct {
	Service     string   `json:"service"`
	ID          string   `json:"id"`
	AccountID   string   `json:"account_id"`
	Scope       string   `json:"scope"`
	ValueString string   `json:"value_string,omitempty"`
	ValueList   []string `json:"value_list_of_strings,omitzero"`
}

func wirePreference(p *identity.Preference) *Preference {
	return &Preference{Service: p.Service, ID: p.Name, AccountID: p.Account, Scope: "account", ValueString: p.Value, ValueList: p.Values}
}

// PreferenceList holds the preferences of an identity.
type PreferenceList struct {
	Preferences []*Preference `json:"preferences"`
}

// preferencesRef names the preferences of an identity in the path. The
// identity may read its own.
type preferencesRef struct {
	AccountID string `path:"account_id"`
	IAMID     string `path:"iam_id"`
}

func (r *preferencesRef) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	k := identity.PreferenceKey{Account: r.AccountID, IAMID: r.IAMID}
	c.Seeks("Profile", k.ProfileOf())
	return target(r.AccountID, typePreferences, "", r.IAMID, ""), nil
}

// Validate checks the identity.
func (r *preferencesRef) Validate() error {
	return identity.PreferenceKey{Account: r.AccountID, IAMID: r.IAMID}.CheckOwner()
}

func (a *API) getPreferences(ctx context.Context, _ *httpapi.Call, in *preferencesRef) (*PreferenceList, error) {
	prefs, err := a.ids.Preferences(ctx, in.AccountID, in.IAMID)
	if err != nil {
		return nil, err
	}
	out := &PreferenceList{Preferences: make([]*Preference, len(prefs))}
	for i, p := range prefs {
		out.Preferences[i] = wirePreference(p)
	}
	return out, nil
}

// preferenceRef names one preference in the path.
type preferenceRef struct {
	preferencesRef
	Service      string `path:"service"`
	PreferenceID string `path:"preference_id"`
}

func (r *preferenceRef) key() identity.PreferenceKey {
	return identity.PreferenceKey{Account: r.AccountID, IAMID: r.IAMID, Service: r.Service, Name: r.PreferenceID}
}

// Validate checks that the preference is a known one.
func (r *preferenceRef) Validate() error { return r.key().Validate() }

type setPreferenceIn struct {
	preferenceRef
	Body struct {
		ValueString *string  `json:"value_string"`
		ValueList   []string `json:"value_list_of_strings"`
	}
}

func (in *setPreferenceIn) value() identity.PreferenceValue {
	return identity.PreferenceValue{Text: in.Body.ValueString, List: in.Body.ValueList}
}

// Validate checks preference and value.
func (in *setPreferenceIn) Validate() error {
	if err := in.key().Validate(); err != nil {
		return err
	}
	return in.value().Validate(in.key())
}

func (a *API) setPreference(ctx context.Context, _ *httpapi.Call, in *setPreferenceIn) (*Preference, error) {
	pref, err := a.ids.SetPreference(ctx, in.key(), in.value())
	if err != nil {
		return nil, err
	}
	return wirePreference(pref), nil
}

func (a *API) getPreference(ctx context.Context, _ *httpapi.Call, in *preferenceRef) (*Preference, error) {
	pref, err := a.ids.Preference(ctx, in.key())
	if err != nil {
		return nil, err
	}
	return wirePreference(pref), nil
}

func (a *API) deletePreference(ctx context.Context, _ *httpapi.Call, in *preferenceRef) (*done, error) {
	return nil, a.ids.DeletePreference(ctx, in.key())
}
