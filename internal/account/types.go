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
// The account's own rules are kept in their wire form; see InForce for what
// counts.
type Settings struct {
	store.Meta
	Rules
	// Assigned are settings that enterprise templates lay on the account.
	Assigned []Assigned `json:"assigned,omitempty"`
}

// Rules are what the settings say, whoever says it. "", NOT_SET and empty lists
// say nothing.
type Rules Values[string, []UserMFA, []DomainRestriction]

func (r *Rules) values() *Values[string, []UserMFA, []DomainRestriction] {
	return (*Values[string, []UserMFA, []DomainRestriction])(r)
}

// DomainRestriction bounds the e-mail addresses that may be invited from a realm.
type DomainRestriction struct {
	RealmID                      string   `json:"realm_id"`
	InvitationEmailAllowPatterns []string `json:"invitation_email_allow_patterns"`
	RestrictInvitation           bool     `json:"restrict_invitation"`
}

// DefaultSettings are those of a new account: nothing restricted, nothing set.
func DefaultSettings(accountID string) *Settings {
	s := &Settings{
		Meta:  store.Meta{Account: accountID, ID: accountID},
		Rules: Rules{UserMFA: []UserMFA{}, RestrictUserDomains: []DomainRestriction{}},
	}
	for i, value := range s.values().each() {
		*value = table[i].born
	}
	return s
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
