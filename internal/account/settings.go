package account

import (
	"context"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Values of the restrict settings.
const (
	Restricted    = "RESTRICTED"
	NotRestricted = "NOT_RESTRICTED"
)

// Bounds of the settings, in seconds, from the SDK's texts; the largest number
// of sessions and of list entries are our own.
const (
	minSeconds             = 900
	maxSessionExpiration   = 86400
	maxSessionInvalidation = 7200
	maxAccessToken         = 3600
	maxRefreshToken        = 259200
	maxSessions            = 1_000_000
	maxUserMFA             = 1000
	maxRealms              = 100
	maxPatterns            = 200
)

// SettingsChange holds the settings to change; nil leaves one as it is.
// UserMFA replaces the list. RestrictUserDomains holds one entry for each realm
// to change: one with nothing but a realm removes that realm's restriction.
type SettingsChange Values[*string, []UserMFA, []DomainChange]

func (c *SettingsChange) values() *Values[*string, []UserMFA, []DomainChange] {
	return (*Values[*string, []UserMFA, []DomainChange])(c)
}

// DomainChange replaces, or removes, the restriction of one realm.
type DomainChange struct {
	RealmID  string
	Patterns []string // nil: not given
	Restrict *bool    // nil: not given
}

func (d DomainChange) removes() bool { return d.Patterns == nil && d.Restrict == nil }

// Validate checks every setting that is given. The error is fault.Invalid and
// names the setting.
func (c SettingsChange) Validate() error {
	for i, value := range c.values().each() {
		if *value == nil {
			continue
		}
		if _, err := table[i].check(table[i].name, **value); err != nil {
			return err
		}
	}
	if err := checkUserMFA(c.UserMFA); err != nil {
		return err
	}
	return checkDomains(c.RestrictUserDomains)
}

func checkUserMFA(list []UserMFA) error {
	if len(list) > maxUserMFA {
		return fault.Field("user_mfa", "Property 'user_mfa' holds more than %d entries.", maxUserMFA)
	}
	seen := map[string]bool{}
	for _, u := range list {
		if err := checkText("user_mfa.iam_id", u.IAMID, 1, maxIAMID); err != nil {
			return err
		}
		if err := oneOf("user_mfa.mfa", u.MFA, MFALevels...); err != nil {
			return err
		}
		if seen[u.IAMID] {
			return fault.Field("user_mfa", "Property 'user_mfa' names '%s' twice.", u.IAMID)
		}
		seen[u.IAMID] = true
	}
	return nil
}

func checkDomains(list []DomainChange) error {
	if len(list) > maxRealms {
		return fault.Field("restrict_user_domains", "Property 'restrict_user_domains' holds more than %d entries.", maxRealms)
	}
	seen := map[string]bool{}
	for _, d := range list {
		if err := checkText("restrict_user_domains.realm_id", d.RealmID, 1, maxName); err != nil {
			return err
		}
		if seen[d.RealmID] {
			return fault.Field("restrict_user_domains", "Property 'restrict_user_domains' names realm '%s' twice.", d.RealmID)
		}
		seen[d.RealmID] = true
		if len(d.Patterns) > maxPatterns {
			return fault.Field("invitation_email_allow_patterns",
				"Property 'invitation_email_allow_patterns' holds more than %d patterns.", maxPatterns)
		}
		for _, p := range d.Patterns {
			if err := checkText("invitation_email_allow_patterns", p, 1, maxEmail); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckAddresses checks an allow list of client addresses. What is neither
// address, range nor network would be the name of a network zone; there are
// none yet, and a list that nothing matches would shut the account for
// everybody.
func CheckAddresses(field, text string) error {
	list := ParseAddresses(text)
	if zones := list.Zones(); len(zones) > 0 {
		return fault.Field(field, "Property '%s' holds an entry that is no IP address, range or network and names no network zone: '%s'.",
			field, strings.ToValidUTF8(zones[0][:min(len(zones[0]), 60)], ""))
	}
	if list.Len() > MaxAddresses {
		return fault.Field(field, "Property '%s' holds more than %d entries.", field, MaxAddresses)
	}
	return nil
}

// Settings gives the settings of an account, fault.NotFound without account.
func (s *Service) Settings(ctx context.Context, accountID string) (*Settings, error) {
	return get(ctx, s.db.Direct(), SettingsByAcct, "Account", accountID, accountID)
}

// UpdateSettings changes settings that were found. Errors: fault.Stale,
// store.ErrMoved.
func (s *Service) UpdateSettings(ctx context.Context, found *Settings, ifMatch string, c valid.Of[SettingsChange]) (*Settings, error) {
	if err := found.Match(ifMatch); err != nil {
		return nil, err
	}
	change := c.Value()
	return SettingsByAcct.Edit(ctx, s.db, found, func(_ store.Tx, next *Settings) (store.Event, error) {
		return store.Event{
			Action: ActionSettingsUpdate, Params: change.apply(next), Name: found.ID,
			Message: "IAM Identity Service: update accountsettings " + found.ID,
		}, nil
	})
}

// Unlock takes away what an account's own settings, and its owner's, demand of
// addresses and of second factors: the operators' way in for an owner who is
// locked out. It gives the settings, in which templates of the enterprise may
// still demand something. Errors: fault.NotFound.
func (s *Service) Unlock(ctx context.Context, accountID string) (out *Settings, err error) {
	everywhere, none := "", MFANone
	change := SettingsChange{AllowedIPAddresses: &everywhere, MFA: &none, UserMFA: []UserMFA{}}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		a, err := get(ctx, tx, Accounts, "Account", accountID, accountID)
		if err != nil {
			return err
		}
		if out, err = get(ctx, tx, SettingsByAcct, "Account", accountID, accountID); err != nil {
			return err
		}
		ev := store.Event{Action: ActionSettingsUpdate, Params: change.apply(out), Name: accountID,
			Message: "IAM Identity Service: unlock account " + accountID}
		if err := SettingsByAcct.Update(ctx, tx, out, ev); err != nil {
			return err
		}
		owner, err := Users.Get(ctx, tx, accountID, a.Owner)
		if err != nil || owner.AllowedIPs == "" {
			return fault.Ignore(fault.NotFound, err)
		}
		owner.AllowedIPs = ""
		return Users.Update(ctx, tx, owner, store.Event{Action: ActionUserUpdate, Params: []string{"allowed_ip_addresses"}, Name: owner.Name,
			Message: "User Management Service: unlock user " + owner.ID})
	})
	return out, err
}

// SettingsHistory gives the events of settings, oldest first.
func (s *Service) SettingsHistory(ctx context.Context, of *Settings, limit int) ([]store.Event, error) {
	return s.db.Direct().History(ctx, of.Account, SettingsByAcct.Kind(), of.ID, limit)
}

// apply writes the change into the settings and gives the names of what it set.
// It replaces lists and does not write into them.
func (c *SettingsChange) apply(s *Settings) (params []string) {
	to := s.values().each()
	for i, value := range c.values().each() {
		if *value == nil {
			continue
		}
		if plain, _ := table[i].check(table[i].name, **value); plain != *to[i] {
			*to[i] = plain
			params = append(params, table[i].name)
		}
	}
	if c.UserMFA != nil && !slices.Equal(c.UserMFA, s.UserMFA) {
		s.UserMFA = append([]UserMFA{}, c.UserMFA...)
		params = append(params, "user_mfa")
	}
	if c.RestrictUserDomains != nil {
		s.RestrictUserDomains = append([]DomainRestriction{}, s.RestrictUserDomains...)
		for _, d := range c.RestrictUserDomains {
			s.setDomain(d)
		}
		params = append(params, "restrict_user_domains")
	}
	return params
}

func (r *Rules) setDomain(d DomainChange) {
	at := slices.IndexFunc(r.RestrictUserDomains, func(x DomainRestriction) bool { return x.RealmID == d.RealmID })
	if d.removes() {
		if at >= 0 {
			r.RestrictUserDomains = slices.Delete(r.RestrictUserDomains, at, at+1)
		}
		return
	}
	entry := DomainRestriction{RealmID: d.RealmID, InvitationEmailAllowPatterns: append([]string{}, d.Patterns...)}
	if d.Restrict != nil {
		entry.RestrictInvitation = *d.Restrict
	}
	if at >= 0 {
		r.RestrictUserDomains[at] = entry
	} else {
		r.RestrictUserDomains = append(r.RestrictUserDomains, entry)
	}
}
