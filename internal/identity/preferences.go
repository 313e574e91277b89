package identity

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// navigation are the entries that the console's navigation can show (SDK text
// of update_preference_on_scope_account).
var navigation = []string{"slash", "projects", "rex", "containers", "databases", "is", "logmet", "automation", "complianceAndSecurity",
	"apis", "cp4d", "partner-center", "sap", "satellite", "vmWare", "watsonx"}

// maxLandingPage bounds the path of the landing page in bytes; ours.
const maxLandingPage = 500

// PreferenceKey names a preference of an identity in an account.
type PreferenceKey struct{ Account, IAMID, Service, Name string }

// ProfileOf gives the profile whose preference it is.
func (k PreferenceKey) ProfileOf() string { return strings.TrimPrefix(k.IAMID, id.IAMPrefix) }

// CheckOwner checks that preferences of this identity can exist: only trusted
// profiles have any.
func (k PreferenceKey) CheckOwner() error {
	if err := CheckAccount("account_id", k.Account); err != nil {
		return err
	}
	if !strings.HasPrefix(k.ProfileOf(), id.Profile) || k.ProfileOf() == k.IAMID || len(k.IAMID) > maxIAMID {
		return fault.Field("iam_id", "Parameter 'iam_id' must be the IAM ID of a trusted profile.")
	}
	return nil
}

// Validate checks that the preference is a known one.
func (k PreferenceKey) Validate() error {
	if err := k.CheckOwner(); err != nil {
		return err
	}
	if k.Service != "console" {
		return fault.Field("service", "Parameter 'service' must be console.")
	}
	return oneOf("preference_id", k.Name, "landing_page", "global_left_navigation")
}

// PreferenceValue is a text or a list of texts; exactly one is not nil.
type PreferenceValue struct {
	Text *string
	List []string
}

// Validate checks a value for its preference.
func (v PreferenceValue) Validate(k PreferenceKey) error {
	if k.Name == "landing_page" {
		if v.Text == nil || v.List != nil {
			return fault.Field("value_string", "Preference 'landing_page' takes property 'value_string' and no other.")
		}
		return checkLandingPage(*v.Text)
	}
	if v.List == nil || v.Text != nil {
		return fault.Field("value_list_of_strings", "Preference 'global_left_navigation' takes property 'value_list_of_strings' and no other.")
	}
	if len(v.List) > len(navigation) {
		return fault.Field("value_list_of_strings", "Property 'value_list_of_strings' holds more than %d entries.", len(navigation))
	}
	for _, entry := range v.List {
		if err := oneOf("value_list_of_strings", entry, navigation...); err != nil {
			return err
		}
	}
	return nil
}

// checkLandingPage takes a path of the console. A host in it would lead the
// user elsewhere after login.
func checkLandingPage(path string) error {
	bad := fault.Field("value_string", "Property 'value_string' must be a path of the console, like /billing.")
	if len(path) > maxLandingPage || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return bad
	}
	if u, err := url.Parse(path); err != nil || u.Host != "" || u.Scheme != "" {
		return bad
	}
	return text("value_string", path, maxLandingPage)
}

// profile reads the profile that a preference belongs to.
func (k PreferenceKey) profile(ctx context.Context, r store.Reader) (*Profile, error) {
	return findIn(ctx, r, Profiles, whatProfile, k.Account, k.ProfileOf())
}

// SetPreference stores a preference. Errors: fault.Invalid, fault.NotFound for
// the profile.
func (s *Service) SetPreference(ctx context.Context, k PreferenceKey, v PreferenceValue) (pref *Preference, err error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if err := v.Validate(k); err != nil {
		return nil, err
	}
	err = s.DB.Update(ctx, func(tx store.Tx) error {
		p, err := k.profile(ctx, tx)
		if err != nil {
			return err
		}
		pref, err = Preferences.Get(ctx, tx, k.Account, PreferenceID(k.IAMID, k.Service, k.Name))
		exists := err == nil
		if errors.Is(err, fault.NotFound) {
			pref, err = &Preference{Meta: store.Meta{Account: k.Account, ID: PreferenceID(k.IAMID, k.Service, k.Name),
				Parent: p.ID, Owner: k.IAMID, Name: k.Name}, Service: k.Service}, nil
		}
		if err != nil {
			return fmt.Errorf("reading preference: %w", err)
		}
		pref.Value, pref.Values = "", slices.Clone(v.List)
		if v.Text != nil {
			pref.Value = *v.Text
		}
		ev := preference.updated(&pref.Meta, []string{k.Name}, requestData{})
		if exists {
			return Preferences.Update(ctx, tx, pref, ev)
		}
		return Preferences.Create(ctx, tx, pref, ev)
	})
	return pref, err
}

// Preference gives a preference. Errors: fault.Invalid, fault.NotFound for the
// profile or when it is not set.
func (s *Service) Preference(ctx context.Context, k PreferenceKey) (pref *Preference, err error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	err = s.DB.View(ctx, func(r store.Reader) error {
		pref, err = k.find(ctx, r)
		return err
	})
	return pref, err
}

func (k PreferenceKey) find(ctx context.Context, r store.Reader) (*Preference, error) {
	if _, err := k.profile(ctx, r); err != nil {
		return nil, err
	}
	pref, err := Preferences.Get(ctx, r, k.Account, PreferenceID(k.IAMID, k.Service, k.Name))
	if errors.Is(err, fault.NotFound) {
		return nil, fault.NoObject("Preference", k.Service+"/"+k.Name)
	}
	return pref, err
}

// Preferences gives the preferences of a profile.
func (s *Service) Preferences(ctx context.Context, accountID, iamID string) (prefs []*Preference, err error) {
	k := PreferenceKey{Account: accountID, IAMID: iamID}
	if err := k.CheckOwner(); err != nil {
		return nil, err
	}
	err = s.DB.View(ctx, func(r store.Reader) error {
		p, err := k.profile(ctx, r)
		if err != nil {
			return err
		}
		prefs, err = Preferences.List(ctx, r, store.Query{Account: accountID, Parent: p.ID, Order: store.ByID})
		return err
	})
	return prefs, err
}

// DeletePreference unsets a preference. Errors: fault.Invalid, fault.NotFound
// for the profile or when it is not set.
func (s *Service) DeletePreference(ctx context.Context, k PreferenceKey) error {
	if err := k.Validate(); err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx store.Tx) error {
		pref, err := k.find(ctx, tx)
		if err != nil {
			return err
		}
		ev := preference.event(store.Delete, pref.Account, pref.ID, pref.Name, nil, requestData{})
		return Preferences.Delete(ctx, tx, pref, ev)
	})
}
