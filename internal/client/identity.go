package client

import "encoding/json"

// The objects of the identity API, with the properties that tables show and
// verbs need; Object carries the rest. Times are texts as the server sends them.

// ServiceID is a machine identity.
type ServiceID struct {
	ID          string `json:"id"`
	IAMID       string `json:"iam_id"`
	EntityTag   string `json:"entity_tag"`
	CRN         string `json:"crn"`
	Locked      bool   `json:"locked"`
	CreatedAt   string `json:"created_at"`
	ModifiedAt  string `json:"modified_at"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

// ServiceIDGroup bundles service IDs.
type ServiceIDGroup struct {
	ID          string `json:"id"`
	EntityTag   string `json:"entity_tag"`
	CRN         string `json:"crn"`
	Name        string `json:"name"`
	Description string `json:"description"`
	CreatedAt   string `json:"created_at"`
	ModifiedAt  string `json:"modified_at"`
}

// APIKey is a key of a user or a service ID. Value is the key itself, which
// the server gives once.
type APIKey struct {
	ID               string `json:"id"`
	EntityTag        string `json:"entity_tag"`
	CRN              string `json:"crn"`
	Locked           bool   `json:"locked"`
	Disabled         bool   `json:"disabled"`
	CreatedAt        string `json:"created_at"`
	ModifiedAt       string `json:"modified_at"`
	ExpiresAt        string `json:"expires_at"`
	ActionWhenLeaked string `json:"action_when_leaked"`
	Name             string `json:"name"`
	Description      string `json:"description"`
	IAMID            string `json:"iam_id"`
	Value            string `json:"apikey"`
}

// Profile is a trusted profile.
type Profile struct {
	ID          string `json:"id"`
	EntityTag   string `json:"entity_tag"`
	CRN         string `json:"crn"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Email       string `json:"email"`
	CreatedAt   string `json:"created_at"`
	ModifiedAt  string `json:"modified_at"`
	AccountID   string `json:"account_id"`
}

// Rule lets federated users or compute resources assume a profile.
type Rule struct {
	ID         string      `json:"id"`
	EntityTag  string      `json:"entity_tag"`
	CreatedAt  string      `json:"created_at"`
	Name       string      `json:"name"`
	Type       string      `json:"type"`
	RealmName  string      `json:"realm_name"`
	Expiration int         `json:"expiration"`
	CRType     string      `json:"cr_type"`
	Conditions []Condition `json:"conditions"`
}

// Condition compares one claim with a value, which is JSON as text.
type Condition struct {
	Claim    string `json:"claim"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

// Link lets one compute resource assume a profile.
type Link struct {
	ID        string       `json:"id"`
	EntityTag string       `json:"entity_tag"`
	CreatedAt string       `json:"created_at"`
	Name      string       `json:"name"`
	CRType    string       `json:"cr_type"`
	Link      LinkResource `json:"link"`
}

// LinkResource names a compute resource.
type LinkResource struct {
	CRN           string `json:"crn"`
	Namespace     string `json:"namespace,omitempty"`
	Name          string `json:"name,omitempty"`
	ComponentType string `json:"component_type,omitempty"`
	ComponentName string `json:"component_name,omitempty"`
}

// ProfileIdentity is an identity that may assume a profile.
type ProfileIdentity struct {
	IAMID       string   `json:"iam_id"`
	Identifier  string   `json:"identifier"`
	Type        string   `json:"type"`
	Accounts    []string `json:"accounts"`
	Description string   `json:"description"`
}

// AccountSettings are an account's rules for its identities, by property.
type AccountSettings map[string]json.RawMessage

// Text gives a property that is a text, "" otherwise.
func (s AccountSettings) Text(property string) string { return text(s[property]) }

// Account is what the accounts API tells of an account.
type Account struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Owner   string `json:"owner_userid"`
	Status  string `json:"status"`
	Classic string `json:"linked_softlayer_account"`
}
