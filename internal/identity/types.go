// Package identity owns the identities that machines and people act through:
// API keys, service IDs and their groups, trusted profiles with claim rules,
// links and trusted identities, and preferences. It issues no tokens and
// decides no access.
package identity

import (
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// APIKey is a long-lived secret of a user or service ID. Meta.Owner is the
// canonical IAM id ("IBMid-…", "iam-ServiceId-…").
type APIKey struct {
	store.Meta
	// IAMID echoes what the creator sent: the tutorials send a bare
	// "ServiceId-…", and Terraform forces a new key when it comes back changed.
	IAMID string `json:"iam_id"`
	// Hash is the keyed hash of the value (secret.Hasher); the value itself is
	// not stored, except sealed for service-ID keys that ask for it.
	Hash             string    `json:"hash"`
	Sealed           []byte    `json:"sealed,omitempty"`
	StoreValue       bool      `json:"store_value,omitempty"`
	Locked           bool      `json:"locked,omitempty"`
	Disabled         bool      `json:"disabled,omitempty"`
	SupportSessions  bool      `json:"support_sessions,omitempty"`
	ActionWhenLeaked string    `json:"action_when_leaked"`
	ExpiresAt        time.Time `json:"expires_at,omitzero"`       // zero: never
	ExpiresAtText    string    `json:"expires_at_text,omitempty"` // as sent: clients compare it
	GroupID          string    `json:"group_id,omitempty"`        // group of the service ID
}

// IsUser tells whether the key belongs to a user (and not to a service ID).
func (k *APIKey) IsUser() bool { return !strings.HasPrefix(k.Owner, id.IAMPrefix+id.ServiceID) }

// ServiceID is a machine identity. Its IAM id is id.IAMOf(Meta.ID); Meta.Owner
// is the IAM id too. Meta.Parent is the service ID group, "" for the default one.
type ServiceID struct {
	store.Meta
	Locked             bool     `json:"locked,omitempty"`
	UniqueInstanceCRNs []string `json:"unique_instance_crns"`
}

// ServiceIDGroup bundles service IDs to raise an account's limits.
type ServiceIDGroup struct {
	store.Meta
}

// Profile is a trusted profile: an identity without credential of its own that
// others assume. Its IAM id is id.IAMOf(Meta.ID); Meta.Owner is the IAM id too.
type Profile struct {
	store.Meta
	Email string `json:"email,omitempty"`
	// Template and Assignment mark a profile that an enterprise made.
	Template   string `json:"template_id,omitempty"`
	Assignment string `json:"assignment_id,omitempty"`
	// Controls say what the account may do to a profile that an enterprise
	// made; they mean nothing for its own.
	Controls Controls `json:"controls,omitzero"`
}

// ClaimRule lets federated users or compute resources assume a profile when
// all its conditions hold. Meta.Parent is the profile.
type ClaimRule struct {
	store.Meta
	Type       string `json:"type"` // Profile-SAML or Profile-CR
	RealmName  string `json:"realm_name,omitempty"`
	Expiration int    `json:"expiration"` // seconds; 0 for compute resources
	CRType     string `json:"cr_type,omitempty"`
	// Managed rules were made by an enterprise template; the account cannot
	// change them.
	Managed    bool        `json:"managed,omitempty"`
	Conditions []Condition `json:"conditions"`
}

// Condition compares one claim.
type Condition struct {
	Claim    string `json:"claim"`
	Operator string `json:"operator"`
	Value    string `json:"value"` // stringified JSON, or bare text
}

// Link lets one compute resource assume a profile. Meta.Parent is the profile.
type Link struct {
	store.Meta
	CRType         string   `json:"cr_type"`
	IsCrossAccount bool     `json:"is_cross_account,omitempty"`
	Resource       Resource `json:"link"`
}

// Resource names a compute resource.
type Resource struct {
	CRN           string `json:"crn"`
	Namespace     string `json:"namespace,omitempty"`
	Name          string `json:"name,omitempty"`
	ComponentType string `json:"component_type,omitempty"`
	ComponentName string `json:"component_name,omitempty"`
}

// TrustList is the head of a profile's list of trusted identities: it gives
// the list its entity tag. Meta.ID and Meta.Parent are the profile's id. It is
// created with the profile.
type TrustList struct {
	store.Meta
}

// Trust lets one identity assume a profile. Meta.Parent is the profile,
// Meta.Owner the trusted identity's IAM id, so that the profiles that an
// identity may assume are found across accounts by owner. Meta.ID is
// TrustID(profile, type, identifier).
type Trust struct {
	store.Meta
	Type       string   `json:"type"` // user, serviceid or crn
	Identifier string   `json:"identifier"`
	Accounts   []string `json:"accounts,omitempty"` // user only: accounts that the user may come from
	Detail     string   `json:"description,omitempty"`
	Managed    bool     `json:"managed,omitempty"` // made by an enterprise template
}

// TrustID is the id of a Trust object.
func TrustID(profile, kind, identifier string) string { return profile + "/" + kind + "/" + identifier }

// Preference is a stored preference of a trusted profile. Meta.ID is
// PreferenceID(iamID, service, name); Meta.Owner is the IAM id.
type Preference struct {
	store.Meta
	Service string   `json:"service"`
	Value   string   `json:"value_string,omitempty"`
	Values  []string `json:"value_list_of_strings,omitzero"`
}

// PreferenceID is the id of a Preference object.
func PreferenceID(iamID, service, name string) string { return iamID + "/" + service + "/" + name }

// KeySpace is the look-up space of API keys: the value is secret.Hasher's
// keyed hash of the key.
const KeySpace = "apikey"

// The collections of this package.
var (
	APIKeys         = store.NewCollection("apikey", func(k *APIKey) []store.Key { return []store.Key{{Space: KeySpace, Value: k.Hash}} })
	ServiceIDs      = store.NewCollection[ServiceID]("serviceid", nil)
	ServiceIDGroups = store.NewCollection("serviceid-group", func(g *ServiceIDGroup) []store.Key {
		return []store.Key{{Space: "serviceid-group.name", Value: g.Account + "/" + g.Name}}
	})
	Profiles    = store.NewCollection("profile", func(p *Profile) []store.Key { return []store.Key{ProfileName(p.Account, p.Name)} })
	Rules       = store.NewCollection[ClaimRule]("claim-rule", nil)
	Links       = store.NewCollection[Link]("link", nil)
	TrustLists  = store.NewCollection[TrustList]("profile-identities", nil)
	Trusts      = store.NewCollection[Trust]("profile-identity", nil)
	Preferences = store.NewCollection[Preference]("preference", nil)
)

// ProfileName is the look-up key of a profile by its name in an account.
func ProfileName(account, name string) store.Key {
	return store.Key{Space: "profile.name", Value: account + "/" + name}
}
