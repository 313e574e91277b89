package access

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// GetSettings gives an account's access settings. Every account has them: those
// that were never written are the defaults, at version 0.
func (s *Service) GetSettings(ctx context.Context, account string) (*Settings, error) {
	return SettingsOf(ctx, s.db.Direct(), account)
}

// SettingsOf is GetSettings over a reader.
func SettingsOf(ctx context.Context, r store.Reader, account string) (*Settings, error) {
	got, err := SettingsByAcct.Get(ctx, r, account, account)
	if errors.Is(err, fault.NotFound) {
		return &Settings{Meta: store.Meta{Account: account, ID: account, Tag: "0-" + account}}, nil
	}
	return got, err
}

// changeSettings changes settings that match; ifMatch "*" takes any.
func (s *Service) changeSettings(ctx context.Context, account, ifMatch string, ev store.Event, fn func(store.Tx, *Settings) error,
) (*Settings, error) {
	var out *Settings
	err := s.db.Update(ctx, func(tx store.Tx) (err error) {
		if out, err = SettingsOf(ctx, tx, account); err != nil {
			return err
		}
		if err := out.Match(ifMatch); err != nil {
			return err
		}
		if err := fn(tx, out); err != nil {
			return err
		}
		if out.Version == 0 {
			return SettingsByAcct.Create(ctx, tx, out, ev)
		}
		return SettingsByAcct.Update(ctx, tx, out, ev)
	})
	return out, err
}

// SetPublicAccess switches the public access group. Switching it off deletes
// the policies that the account gave the group.
func (s *Service) SetPublicAccess(ctx context.Context, account string, on bool) (*Settings, error) {
	ev := store.Event{Action: "iam-groups.account-settings.update", Params: []string{"public_access_enabled"},
		Message: "IAM Access Groups: update account settings"}
	return s.changeSettings(ctx, account, "*", ev, func(tx store.Tx, set *Settings) error {
		set.PublicAccessOff = !on
		if on {
			return nil
		}
		return deleteOwnPolicies(ctx, tx, account, policy.PublicAccessGroupID)
	})
}

// ExternalPatch changes the setting for some types of identity; nil leaves one.
type ExternalPatch struct{ User, ServiceID, Service *policy.ExternalSetting }

// Validate judges each setting by itself.
func (p ExternalPatch) Validate() error {
	return cmp.Or(checkExternal("user", p.User), checkExternal("service_id", p.ServiceID), checkExternal("service", p.Service))
}

// SetExternal changes how identities of other accounts are treated.
func (s *Service) SetExternal(ctx context.Context, account, ifMatch string, patch valid.Of[ExternalPatch]) (*Settings, error) {
	p := patch.Value()
	ev := store.Event{Action: "iam-access-management.account-settings.update", Params: []string{"external_account_identity_interaction"},
		Message: "IAM Access Management: update account settings"}
	return s.changeSettings(ctx, account, ifMatch, ev, func(_ store.Tx, set *Settings) error {
		for _, c := range []struct {
			from *policy.ExternalSetting
			to   *policy.ExternalSetting
		}{{p.User, &set.External.User}, {p.ServiceID, &set.External.ServiceID}, {p.Service, &set.External.Service}} {
			if c.from != nil {
				*c.to = *c.from
			}
		}
		return nil
	})
}

func checkExternal(name string, set *policy.ExternalSetting) error {
	if set == nil {
		return nil
	}
	if !slices.Contains([]policy.ExternalMode{policy.ExternalEnabled, policy.ExternalLimited, policy.ExternalMonitor}, set.Mode) {
		return fault.Field(name+".state", "Property '%s.state' must be enabled, limited or monitor.", name)
	}
	for _, a := range set.Allowed {
		if !id.IsAccount(a) {
			return fault.Field(name+".external_allowed_accounts",
				"Property '%s.external_allowed_accounts' holds something that is no account id.", name)
		}
	}
	return nil
}
