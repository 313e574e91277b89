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
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// navigation are the entries that the console's navigation can show (SDK text
// of update_preference_on_scope_account).
var navigation = []string{"slash", "projects", "rex", "containers", "databases", "is", "logmet", "automation", "complianceAndSecurity",
	"apis", "cp4d", "partner-center", "sap", "satellite", "vmWare", "watsonx"}

// maxLandingPage bounds the path of the landing page in bytes; ours.
const maxLandingPage = 500

// PreferenceOwner names an identity that has preferences in an account.
type PreferenceOwner struct{ Account, IAMID string }

// ProfileOf gives the profile whose preferences they are.
func (o PreferenceOwner) ProfileOf() string { return strings.TrimPrefix(o.IAMID, id.IAMPrefix) }

// Validate checks that preferences of this identity can exist: only trusted
// profiles have any.
func (o PreferenceOwner) Validate() error {
	if err := CheckAccount("account_id", o.Account); err != nil {
		return err
	}
	if !strings.HasPrefix(o.ProfileOf(), id.Profile) || o.ProfileOf() == o.IAMID || len(o.IAMID) > maxIAMID {
		return fault.Field("iam_id", "Parameter 'iam_id' must be the IAM ID of a trusted profile.")
	}
	return nil
}

// Resource is what decisions about preferences are made on: the identity may
// read its own.
func (o PreferenceOwner) Resource() policy.Resource {
	r := resource(o.Account, typePreferences, "")
	r.Owner = o.IAMID
	return r
}

// PreferenceKey names a preference of an identity in an account.
type PreferenceKey struct {
	PreferenceOwner
	Service, Name string
}

// Validate checks that the preference is a known one.
func (k PreferenceKey) Validate() error {
	if err := k.PreferenceOwner.Validate(); err != nil {
		return err
	}
	if k.Service != "console" {
		return fault.Field("service", "Parameter 'service' must be console.")
	}
	return oneOf("preference_id", k.Name, "landing_page", "global_left_navigation")
}

// NewPreference is a preference as it shall be: a text or a list of texts;
// exactly one is not nil.
type NewPreference struct {
	PreferenceKey
	Text *string
	List []string
}

// Validate checks that the preference is a known one and takes the value.
func (v NewPreference) Validate() error {
	if err := v.PreferenceKey.Validate(); err != nil {
		return err
	}
	if v.Name == "landing_page" {
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

// profile reads the profile that preferences belong to.
func (o PreferenceOwner) profile(ctx context.Context, r store.Reader) (*Profile, error) {
	return findIn(ctx, r, Profiles, whatProfile, o.Account, o.ProfileOf())
}

// SetPreference stores a preference, or gives fault.NotFound for the profile.
func (s *Service) SetPreference(ctx context.Context, checked valid.Of[NewPreference]) (pref *Preference, err error) {
	n := checked.Value()
	k := n.PreferenceKey
	err = s.db.Update(ctx, func(tx store.Tx) error {
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
		pref.Value, pref.Values = "", slices.Clone(n.List)
		if n.Text != nil {
			pref.Value = *n.Text
		}
		ev := preference.updated(&pref.Meta, []string{k.Name}, requestData{})
		if exists {
			return Preferences.Update(ctx, tx, pref, ev)
		}
		return Preferences.Create(ctx, tx, pref, ev)
	})
	return pref, err
}

// Preference gives a preference, or fault.NotFound for the profile or when it
// is not set.
func (s *Service) Preference(ctx context.Context, k valid.Of[PreferenceKey]) (pref *Preference, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		pref, err = k.Value().find(ctx, r)
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

// Preferences gives the preferences of a profile, or fault.NotFound for it.
func (s *Service) Preferences(ctx context.Context, o valid.Of[PreferenceOwner]) (prefs []*Preference, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		p, err := o.Value().profile(ctx, r)
		if err != nil {
			return err
		}
		prefs, err = Preferences.List(ctx, r, store.Query{Account: p.Account, Parent: p.ID, Order: store.ByID})
		return err
	})
	return prefs, err
}

// DeletePreference unsets a preference, or gives fault.NotFound for the profile
// or when it is not set.
func (s *Service) DeletePreference(ctx context.Context, k valid.Of[PreferenceKey]) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		pref, err := k.Value().find(ctx, tx)
		if err != nil {
			return err
		}
		ev := preference.event(store.Delete, pref.Account, pref.ID, pref.Name, nil, requestData{})
		return Preferences.Delete(ctx, tx, pref, ev)
	})
}
