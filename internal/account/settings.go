package account

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Values of the restrict settings.
const (
	Restricted    = "RESTRICTED"
	NotRestricted = "NOT_RESTRICTED"
)

// MFALevels are the values of the mfa setting, weakest first as far as they
// have an order.
var MFALevels = []string{"NONE", "NONE_NO_ROPC", "TOTP", "TOTP4ALL", "LEVEL1", "LEVEL2", "LEVEL3"}

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
type SettingsChange struct {
	RestrictCreateServiceID      *string
	RestrictCreatePlatformAPIKey *string
	RestrictUserListVisibility   *string
	AllowedIPAddresses           *string // "" allows every address
	MFA                          *string
	UserMFA                      *[]UserMFA // replaces the list
	SessionExpiration            *string
	SessionInvalidation          *string
	MaxSessions                  *string
	AccessTokenExpiration        *string
	RefreshTokenExpiration       *string
	// RestrictUserDomains holds one entry for each realm to change. An entry
	// with nothing but a realm removes that realm's restriction.
	RestrictUserDomains *[]DomainChange
}

// DomainChange replaces, or removes, the restriction of one realm.
type DomainChange struct {
	RealmID  string
	Patterns []string // nil: not given
	Restrict *bool    // nil: not given
}

func (d DomainChange) removes() bool { return d.Patterns == nil && d.Restrict == nil }

// Validate checks every setting that is given and brings numbers to their
// plain decimal form. The error is fault.Invalid and names the setting.
func (c *SettingsChange) Validate() error {
	if err := oneOf("restrict_create_service_id", c.RestrictCreateServiceID, Restricted, NotRestricted, NotSet); err != nil {
		return err
	}
	if err := oneOf("restrict_create_platform_apikey", c.RestrictCreatePlatformAPIKey, Restricted, NotRestricted, NotSet); err != nil {
		return err
	}
	if err := oneOf("restrict_user_list_visibility", c.RestrictUserListVisibility, Restricted, NotRestricted); err != nil {
		return err
	}
	if err := oneOf("mfa", c.MFA, MFALevels...); err != nil {
		return err
	}
	if c.AllowedIPAddresses != nil {
		if err := CheckAddresses("allowed_ip_addresses", *c.AllowedIPAddresses); err != nil {
			return err
		}
	}
	for _, n := range []struct {
		field    string
		value    *string
		from, to int
	}{
		{"session_expiration_in_seconds", c.SessionExpiration, minSeconds, maxSessionExpiration},
		{"session_invalidation_in_seconds", c.SessionInvalidation, minSeconds, maxSessionInvalidation},
		{"max_sessions_per_identity", c.MaxSessions, 1, maxSessions},
		{"system_access_token_expiration_in_seconds", c.AccessTokenExpiration, minSeconds, maxAccessToken},
		{"system_refresh_token_expiration_in_seconds", c.RefreshTokenExpiration, minSeconds, maxRefreshToken},
	} {
		if err := inRange(n.field, n.value, n.from, n.to); err != nil {
			return err
		}
	}
	if err := c.validateUserMFA(); err != nil {
		return err
	}
	return c.validateDomains()
}

func (c *SettingsChange) validateUserMFA() error {
	if c.UserMFA == nil {
		return nil
	}
	if len(*c.UserMFA) > maxUserMFA {
		return fault.Field("user_mfa", "Property 'user_mfa' holds more than %d entries.", maxUserMFA)
	}
	seen := map[string]bool{}
	for _, u := range *c.UserMFA {
		if err := checkText("user_mfa.iam_id", u.IAMID, 1, maxIAMID); err != nil {
			return err
		}
		if err := oneOf("user_mfa.mfa", &u.MFA, MFALevels...); err != nil {
			return err
		}
		if seen[u.IAMID] {
			return fault.Field("user_mfa", "Property 'user_mfa' names '%s' twice.", u.IAMID)
		}
		seen[u.IAMID] = true
	}
	return nil
}

func (c *SettingsChange) validateDomains() error {
	if c.RestrictUserDomains == nil {
		return nil
	}
	if len(*c.RestrictUserDomains) > maxRealms {
		return fault.Field("restrict_user_domains", "Property 'restrict_user_domains' holds more than %d entries.", maxRealms)
	}
	seen := map[string]bool{}
	for _, d := range *c.RestrictUserDomains {
		if err := checkText("restrict_user_domains.realm_id", d.RealmID, 1, maxName); err != nil {
			return err
		}
		if seen[d.RealmID] {
			return fault.Field("restrict_user_domains", "Property 'restrict_user_domains' names realm '%s' twice.", d.RealmID)
		}
		seen[d.RealmID] = true
		if len(d.Patterns) > maxPatterns {
			return fault.Field("invitation_email_allow_patterns", "Property 'invitation_email_allow_patterns' holds more than %d patterns.", maxPatterns)
		}
		for _, p := range d.Patterns {
			if err := checkText("invitation_email_allow_patterns", p, 1, maxEmail); err != nil {
				return err
			}
		}
	}
	return nil
}

func oneOf(field string, value *string, allowed ...string) error {
	if value == nil || slices.Contains(allowed, *value) {
		return nil
	}
	return fault.Field(field, "Property '%s' must be one of %s.", field, strings.Join(allowed, ", "))
}

// inRange checks a whole number or NOT_SET and rewrites it without leading zeros.
func inRange(field string, value *string, from, to int) error {
	if value == nil || *value == NotSet {
		return nil
	}
	n, err := strconv.Atoi(*value)
	if err != nil || strings.Trim(*value, "0123456789") != "" || n < from || n > to {
		return fault.Field(field, "Property '%s' must be a whole number from %d to %d, or %s.", field, from, to, NotSet)
	}
	*value = strconv.Itoa(n)
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
func (s *Service) Settings(ctx context.Context, accountID string) (out *Settings, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		out, err = get(ctx, r, SettingsByAcct, "Account", accountID, accountID)
		return err
	})
	return out, err
}

// UpdateSettings changes settings of an account. Errors: fault.Invalid,
// fault.NotFound, fault.Stale.
func (s *Service) UpdateSettings(ctx context.Context, accountID, ifMatch string, c SettingsChange) (out *Settings, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		out, err = get(ctx, tx, SettingsByAcct, "Account", accountID, accountID)
		if err != nil {
			return err
		}
		if err := out.Match(ifMatch); err != nil {
			return err
		}
		params := c.apply(out)
		return SettingsByAcct.Update(ctx, tx, out, store.Event{
			Action: ActionSettingsUpdate, Params: params, Name: accountID,
			Message: "IAM Identity Service: update accountsettings " + accountID,
		})
	})
	if err != nil {
		return nil, fmt.Errorf("updating settings: %w", err)
	}
	return out, nil
}

// SettingsHistory gives the events of an account's settings, oldest first.
func (s *Service) SettingsHistory(ctx context.Context, accountID string, limit int) (events []store.Event, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		events, err = r.History(ctx, accountID, SettingsByAcct.Kind(), accountID, limit)
		return err
	})
	return events, err
}

// apply writes the change into the settings and gives the names of what it set.
func (c *SettingsChange) apply(s *Settings) (params []string) {
	for _, f := range []struct {
		name string
		from *string
		to   *string
	}{
		{"restrict_create_service_id", c.RestrictCreateServiceID, &s.RestrictCreateServiceID},
		{"restrict_create_platform_apikey", c.RestrictCreatePlatformAPIKey, &s.RestrictCreatePlatformAPIKey},
		{"restrict_user_list_visibility", c.RestrictUserListVisibility, &s.RestrictUserListVisibility},
		{"allowed_ip_addresses", c.AllowedIPAddresses, &s.AllowedIPAddresses},
		{"mfa", c.MFA, &s.MFA},
		{"session_expiration_in_seconds", c.SessionExpiration, &s.SessionExpiration},
		{"session_invalidation_in_seconds", c.SessionInvalidation, &s.SessionInvalidation},
		{"max_sessions_per_identity", c.MaxSessions, &s.MaxSessions},
		{"system_access_token_expiration_in_seconds", c.AccessTokenExpiration, &s.AccessTokenExpiration},
		{"system_refresh_token_expiration_in_seconds", c.RefreshTokenExpiration, &s.RefreshTokenExpiration},
	} {
		if f.from != nil && *f.from != *f.to {
			*f.to = *f.from
			params = append(params, f.name)
		}
	}
	if c.UserMFA != nil && !slices.Equal(*c.UserMFA, s.UserMFA) {
		s.UserMFA = append([]UserMFA{}, *c.UserMFA...)
		params = append(params, "user_mfa")
	}
	if c.RestrictUserDomains != nil {
		for _, d := range *c.RestrictUserDomains {
			s.setDomain(d)
		}
		params = append(params, "restrict_user_domains")
	}
	return params
}

func (s *Settings) setDomain(d DomainChange) {
	at := slices.IndexFunc(s.RestrictUserDomains, func(r DomainRestriction) bool { return r.RealmID == d.RealmID })
	if d.removes() {
		if at >= 0 {
			s.RestrictUserDomains = slices.Delete(s.RestrictUserDomains, at, at+1)
		}
		return
	}
	entry := DomainRestriction{RealmID: d.RealmID, InvitationEmailAllowPatterns: append([]string{}, d.Patterns...)}
	if d.Restrict != nil {
		entry.RestrictInvitation = *d.Restrict
	}
	if at >= 0 {
		s.RestrictUserDomains[at] = entry
	} else {
		s.RestrictUserDomains = append(s.RestrictUserDomains, entry)
	}
}
