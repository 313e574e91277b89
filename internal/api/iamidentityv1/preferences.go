package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) preferenceRows() []httpapi.Operation {
	const all = "/v1/preferences/accounts/{account_id}/identities/{iam_id}"
	const one = all + "/{service}/{preference_id}"
	const read, update = "iam-identity.preferences.read", "iam-identity.preferences.update"
	return httpapi.Table(Family,
		httpapi.Op[setPreferenceIn, valid.Of[identity.NewPreference], Preference]{ID: "update_preference_on_scope_account", Method: "PUT",
			Path: one, Status: 200,
			Action: update, Find: findPreference[setPreferenceIn], Do: a.setPreference},
		httpapi.Op[preferenceRef, valid.Of[identity.PreferenceKey], httpapi.None]{ID: "delete_preferences_on_scope_account",
			Method: "DELETE", Path: one, Status: 204,
			Action: update, Find: findPreference[preferenceRef], Do: a.deletePreference},
		httpapi.Op[preferenceRef, valid.Of[identity.PreferenceKey], Preference]{ID: "get_preferences_on_scope_account", Method: "GET",
			Path: one, Status: 200,
			Action: read, Find: findPreference[preferenceRef], Do: a.getPreference},
		httpapi.Op[preferencesRef, valid.Of[identity.PreferenceOwner], PreferenceList]{ID: "get_all_preferences_on_scope_account",
			Method: "GET", Path: all, Status: 200,
			Action: read, Find: findPreference[preferencesRef], Do: a.getPreferences},
	)
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

// preferencesRef names the preferences of an identity in the path.
type preferencesRef struct {
	AccountID string `path:"account_id"`
	IAMID     string `path:"iam_id"`
}

func (r preferencesRef) owner() identity.PreferenceOwner {
	return identity.PreferenceOwner{Account: r.AccountID, IAMID: r.IAMID}
}

func (r preferencesRef) spec() identity.PreferenceOwner { return r.owner() }

// findPreference finds nothing but whose preferences are meant: one that is not
// set can be.
func findPreference[In interface {
	owner() identity.PreferenceOwner
	spec() Spec
}, Spec valid.Checker](_ context.Context, c *httpapi.Call, in *In) (valid.Of[Spec], httpapi.Target, error) {
	spec, err := valid.Check((*in).spec())
	if err != nil {
		return spec, httpapi.Target{}, err
	}
	owner := (*in).owner()
	c.Seeks("Profile", owner.ProfileOf())
	return spec, owner.Resource(), nil
}

func (a *API) getPreferences(ctx context.Context, _ *httpapi.Call, _ *preferencesRef,
	o valid.Of[identity.PreferenceOwner]) (*PreferenceList, error) {
	prefs, err := a.ids.Preferences(ctx, o)
	return &PreferenceList{Preferences: lists.Map(prefs, wirePreference)}, err
}

// preferenceRef names one preference in the path.
type preferenceRef struct {
	preferencesRef
	Service      string `path:"service"`
	PreferenceID string `path:"preference_id"`
}

func (r preferenceRef) spec() identity.PreferenceKey {
	return identity.PreferenceKey{PreferenceOwner: r.owner(), Service: r.Service, Name: r.PreferenceID}
}

type setPreferenceIn struct {
	preferenceRef
	Body struct {
		ValueString *string  `json:"value_string"`
		ValueList   []string `json:"value_list_of_strings"`
	}
}

func (in setPreferenceIn) spec() identity.NewPreference {
	return identity.NewPreference{PreferenceKey: in.preferenceRef.spec(), Text: in.Body.ValueString, List: in.Body.ValueList}
}

func (a *API) setPreference(ctx context.Context, _ *httpapi.Call, _ *setPreferenceIn,
	n valid.Of[identity.NewPreference]) (*Preference, error) {
	pref, err := a.ids.SetPreference(ctx, n)
	if err != nil {
		return nil, err
	}
	return wirePreference(pref), nil
}

func (a *API) getPreference(ctx context.Context, _ *httpapi.Call, _ *preferenceRef,
	k valid.Of[identity.PreferenceKey]) (*Preference, error) {
	pref, err := a.ids.Preference(ctx, k)
	if err != nil {
		return nil, err
	}
	return wirePreference(pref), nil
}

func (a *API) deletePreference(ctx context.Context, _ *httpapi.Call, _ *preferenceRef,
	k valid.Of[identity.PreferenceKey]) (*httpapi.None, error) {
	return nil, a.ids.DeletePreference(ctx, k)
}
