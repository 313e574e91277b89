package authority

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// settingsOf gives the identity settings of an account.
func settingsOf(ctx context.Context, r store.Reader, accountID string) (*account.Settings, error) {
	set, err := account.SettingsByAcct.Get(ctx, r, accountID, accountID)
	if errors.Is(err, fault.NotFound) {
		return account.DefaultSettings(accountID), nil
	}
	return set, err
}

// demands gives what settings ask of whoever acts in their account, nil when
// they ask nothing.
func (a *Authority) demands(s *account.Settings) *policy.Demands {
	d := &policy.Demands{OwnToo: !a.issuedOnly}
	var lists allOf
	for _, text := range s.AddressLists() {
		if list := account.ParseAddresses(text); list.Restricts() {
			lists = append(lists, list)
		}
	}
	if lists != nil {
		d.Addresses = lists
	}
	if rules := s.InForce(); asksLogins(rules) {
		d.Asks = func(iamID string) (factor, more bool) {
			asked := rules.MFAOf(iamID)
			return asked.Factor, asked.NoPassword
		}
	}
	if d.Addresses == nil && d.Asks == nil {
		return nil
	}
	return d
}

// asksLogins tells whether rules ask anybody for more than a password.
func asksLogins(r *account.Rules) bool {
	return r.MFAOf("").NoPassword || // of a person without an entry
		slices.ContainsFunc(r.UserMFA, func(u account.UserMFA) bool { return r.MFAOf(u.IAMID).NoPassword })
}

// restricted are the actions that settings take from those who are nothing but
// members of the account.
func restricted(s *account.Settings) (actions []string) {
	if s.RestrictsServiceIDs() {
		actions = append(actions, "iam-identity.serviceid.create")
	}
	if s.RestrictsUserKeys() {
		actions = append(actions, "iam-identity.user-apikey.create")
	}
	return actions
}

// allOf are lists of which each must allow an address.
type allOf []account.AddressList

// Allows implements policy.Addresses.
func (l allOf) Allows(a netip.Addr) bool {
	return !slices.ContainsFunc(l, func(list account.AddressList) bool { return !list.Allows(a) })
}
