// Package idp owns the identity providers of accounts: their configuration and
// secrets, which accounts may use them, which do, and the alias under which an
// account's login page is found. It reads and writes SAML metadata; it logs
// nobody in.
package idp

import (
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

// Types of identity provider.
const (
	TypeSAML  = "saml"
	TypeAppID = "appid"
	TypeLDAP  = "ldap"
)

// IdP is an identity provider. Meta.Account is the account that owns it.
type IdP struct {
	store.Meta
	Type             string `json:"type"`
	Active           bool   `json:"active"`
	UISetupCompleted bool   `json:"ui_setup_completed,omitempty"`
	// Properties are the configuration, in the form of the wire: SAMLProperties
	// for SAML, any object otherwise.
	Properties map[string]any `json:"properties"`
	// Sealed are the secrets, a JSON object under secret.PurposeIdentityProv
	// and the id: SAMLSecrets for SAML, any object otherwise.
	Sealed []byte `json:"sealed"`
	// Shared are the accounts and enterprises whose accounts may use it.
	Shared []Scope `json:"share_scope"`
}

// Kinds of share scope.
const (
	ScopeAccount    = "account"
	ScopeEnterprise = "enterprise" // every account of the enterprise
)

// Scope is an account or enterprise that an identity provider is shared with.
type Scope struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// offer is a share scope of an identity provider, kept with whom it is shared
// with: Meta.Account is the id of the account or enterprise, Meta.Name the
// identity provider's id.
type offer struct {
	store.Meta
	Provider string `json:"owner_account"`
}

// What an identity provider's logins do to the users of an account.
const (
	StrategyDynamic = "DYNAMIC" // users come with their first login
	StrategyStatic  = "STATIC"  // users are invited before
	StrategyNever   = "NEVER"   // logins have no user in the account
)

// Binding makes an account use an identity provider. Meta.Account is the
// account, Meta.ID the identity provider's id.
type Binding struct {
	store.Meta
	Provider  string `json:"owner_account"` // account that owns the identity provider
	Strategy  string `json:"cloud_user_strategy"`
	Active    bool   `json:"active"`
	UIDefault bool   `json:"ui_default"` // of one binding of an account at most
}

// consumer is a binding seen from the identity provider: Meta.Account is the
// account that owns it, Meta.Parent its id, Meta.Name the account that uses it.
type consumer struct {
	store.Meta
}

// Test is the record of the last test of an identity provider. Meta.ID is the
// identity provider's id.
type Test struct {
	store.Meta
	Started time.Time `json:"started"`
	Tested  string    `json:"idp_version"` // entity tag of what was tested
	Steps   []Step    `json:"steps"`
}

// Step is one step of a test, in the order in which they were done.
type Step struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Text   string `json:"text"`
}

// Passed tells whether all steps were passed.
func (t *Test) Passed() bool {
	for _, s := range t.Steps {
		if !s.Passed {
			return false
		}
	}
	return true
}

// LoginSettings are the settings of an account's login page. Meta.Account and
// Meta.ID are the account's id.
type LoginSettings struct {
	store.Meta
	Alias string `json:"alias"`
}

// The collections of this package.
var (
	IdPs      = store.NewCollection[IdP]("idp", nil)
	Bindings  = store.NewCollection[Binding]("idp-binding", nil)
	Tests     = store.NewCollection[Test]("idp-test", nil)
	Logins    = store.NewCollection("login-settings", aliasKeys)
	offers    = store.NewCollection[offer]("idp-offer", nil)
	consumers = store.NewCollection[consumer]("idp-consumer", nil)
)

// aliasKeys keeps aliases unique over all accounts, without regard to case.
func aliasKeys(l *LoginSettings) []store.Key {
	if l.Alias == "" {
		return nil
	}
	return []store.Key{{Space: "login-settings.alias", Value: strings.ToLower(l.Alias)}}
}
