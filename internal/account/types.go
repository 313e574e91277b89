// Package account owns accounts, their users and their settings: who belongs
// where, and the rules that an account lays on its identities (lifetimes,
// addresses, sessions, restrictions). It does not own keys, profiles or
// policies.
package account

import (
	"strings"

	"github.com/kagiban/kagiban/internal/store"
)

// States of an account. Only an active account's identities get tokens.
const (
	Active    = "ACTIVE"
	Pending   = "PENDING"
	Suspended = "SUSPENDED"
	Canceled  = "CANCELED"
)

// Account is a tenant. Meta.Account and Meta.ID are both its id; Meta.Name is
// its display name; Meta.Owner is the IAM id of its owner.
type Account struct {
	store.Meta
	State string `json:"state"`
	// Enterprise is the id of the enterprise that the account belongs to, "" if none.
	Enterprise string `json:"enterprise,omitempty"`
	// ParentGroup is the id of the account group that holds it, "" for a direct child.
	ParentGroup string `json:"parent_group,omitempty"`
	// EnterpriseRoot is true for the account that owns the enterprise.
	EnterpriseRoot bool `json:"enterprise_root,omitempty"`
	// EnterpriseManaged tells whether enterprise-managed IAM is switched on.
	EnterpriseManaged bool `json:"enterprise_managed,omitempty"`
	// Classic is the linked classic infrastructure account, "" if none.
	Classic string `json:"classic,omitempty"`
}

// User is a person's membership of one account. Meta.ID and Meta.Owner are the
// IAM id ("IBMid-…"), Meta.Name the full name. The same person has one User
// object in each account.
type User struct {
	store.Meta
	Email      string `json:"email"`
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	State      string `json:"state"` // ACTIVE, PENDING, DISABLED
	// AllowedIPs restricts where the user may get tokens from, beside the
	// account's own list; same syntax.
	AllowedIPs string `json:"allowed_ips,omitempty"`
}

// Login is the local credential of a person: Meta.Account is store.System,
// Meta.ID the IAM id. It is found by e-mail, case-insensitively.
type Login struct {
	store.Meta
	Email string `json:"email"`
	// PasswordHash is an argon2id PHC string; "" refuses password login.
	PasswordHash   string `json:"password_hash,omitempty"`
	DefaultAccount string `json:"default_account,omitempty"`
	// Realm is the entity id of who vouches for the person, "" for the realm of
	// the IAM id; Claims is what it says. Rules of access groups and trusted
	// profiles judge both while a login lasts.
	Realm  string  `json:"realm,omitempty"`
	Claims []Claim `json:"claims,omitempty"`
}

// Claim is one thing that is said of a person. Without List it has one value.
type Claim struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
	List   bool     `json:"list,omitempty"`
}

// NotSet is the wire value of a setting without value.
const NotSet = "NOT_SET"

// Settings are the identity settings of an account. Meta.ID is the account id.
// All values are kept in their wire form; Validate and Effective interpret them.
type Settings struct {
	store.Meta
	RestrictCreateServiceID      string              `json:"restrict_create_service_id"`
	RestrictCreatePlatformAPIKey string              `json:"restrict_create_platform_apikey"`
	RestrictUserListVisibility   string              `json:"restrict_user_list_visibility"`
	AllowedIPAddresses           string              `json:"allowed_ip_addresses"`
	MFA                          string              `json:"mfa"`
	UserMFA                      []UserMFA           `json:"user_mfa"`
	SessionExpiration            string              `json:"session_expiration_in_seconds"`
	SessionInvalidation          string              `json:"session_invalidation_in_seconds"`
	MaxSessions                  string              `json:"max_sessions_per_identity"`
	AccessTokenExpiration        string              `json:"system_access_token_expiration_in_seconds"`
	RefreshTokenExpiration       string              `json:"system_refresh_token_expiration_in_seconds"`
	RestrictUserDomains          []DomainRestriction `json:"restrict_user_domains"`
	// Assigned are settings that enterprise templates lay on the account.
	Assigned []Assigned `json:"assigned,omitempty"`
}

// UserMFA sets the MFA demand for one user.
type UserMFA struct {
	IAMID string `json:"iam_id"`
	MFA   string `json:"mfa"`
}

// DomainRestriction bounds the e-mail addresses that may be invited from a realm.
type DomainRestriction struct {
	RealmID                      string   `json:"realm_id"`
	InvitationEmailAllowPatterns []string `json:"invitation_email_allow_patterns"`
	RestrictInvitation           bool     `json:"restrict_invitation"`
}

// DefaultSettings are those of a new account: nothing restricted, nothing set.
func DefaultSettings(accountID string) *Settings {
	return &Settings{
		Meta:                         store.Meta{Account: accountID, ID: accountID},
		RestrictCreateServiceID:      NotSet,
		RestrictCreatePlatformAPIKey: NotSet,
		RestrictUserListVisibility:   "NOT_RESTRICTED",
		MFA:                          "NONE",
		UserMFA:                      []UserMFA{},
		SessionExpiration:            NotSet,
		SessionInvalidation:          NotSet,
		MaxSessions:                  NotSet,
		AccessTokenExpiration:        NotSet,
		RefreshTokenExpiration:       NotSet,
		RestrictUserDomains:          []DomainRestriction{},
	}
}

// The collections of this package.
var (
	Accounts       = store.NewCollection[Account]("account", nil)
	Users          = store.NewCollection[User]("user", nil)
	Logins         = store.NewCollection("login", func(l *Login) []store.Key { return []store.Key{EmailKey(l.Email)} })
	SettingsByAcct = store.NewCollection[Settings]("account-settings", nil)
)

// EmailKey is the look-up key of a person's local credential.
func EmailKey(email string) store.Key {
	return store.Key{Space: "login.email", Value: strings.ToLower(strings.TrimSpace(email))}
}
