package identity_test

import (
	"testing"

	"github.com/kagiban/kagiban/internal/identity"
)

// Claim rules are judged as the rules of access groups are.
func TestClaimRulesRefuseWhatNoLoginCanSatisfy(t *testing.T) {
	hour := 3600
	for value, good := range map[string]bool{
		`"admins"`: true, `admins`: true, `"\"admins\""`: true, `""admins""`: true,
		`["admins"]`: false, `["admins`: false, `{"a":1}`: false, `null`: false, `"admins`: false,
	} {
		spec := identity.RuleSpec{Type: identity.RuleSAML, RealmName: "https://idp.example.com", Expiration: &hour,
			Conditions: []identity.Condition{{Claim: "group", Operator: "EQUALS", Value: value}}}
		if err := spec.Validate(); (err == nil) != good {
			t.Errorf("EQUALS %s: %v", value, err)
		}
	}
}
