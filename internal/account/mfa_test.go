package account_test

import (
	"testing"

	"github.com/kagiban/kagiban/internal/account"
)

// What each value of the mfa setting asks of a person: of users of the default
// realm (IBMid) and of another one, by the account's setting and by one for the
// person alone.
func TestWhatAnAccountAsksOfAPersonWhoLogsIn(t *testing.T) {
	const own, federated = "IBMid-270000ANN1", "appid-1234"
	for _, tt := range []struct {
		mfa                          string
		ownFactor, ownNoPassword     bool
		otherFactor, otherNoPassword bool
	}{
		{"", false, false, false, false},
		{"NOT_SET", false, false, false, false},
		{"NONE", false, false, false, false},
		{"NONE_NO_ROPC", false, true, false, true},
		{"TOTP", true, true, false, true}, // users of other realms log in with their own identity provider
		{"TOTP4ALL", true, true, true, true},
		{"LEVEL1", true, true, true, true},
		{"LEVEL2", true, true, true, true},
		{"LEVEL3", true, true, true, true},
	} {
		for _, who := range []struct {
			iamID              string
			factor, noPassword bool
		}{{own, tt.ownFactor, tt.ownNoPassword}, {federated, tt.otherFactor, tt.otherNoPassword}} {
			effective := tt.mfa
			if effective == "" || effective == account.NotSet {
				effective = "NONE"
			}
			for name, c := range map[string]struct {
				rules account.Rules
				want  account.Demand
			}{
				"of everybody": {account.Rules{MFA: tt.mfa}, account.Demand{Default: effective, Effective: effective}},
				"of somebody else": {account.Rules{MFA: tt.mfa, UserMFA: []account.UserMFA{{IAMID: "IBMid-ELSE", MFA: "LEVEL3"},
					{IAMID: "IBMid-OTHER", MFA: "NONE"}}},
					account.Demand{Default: effective, Effective: effective}},
				"of the person, little of others": {account.Rules{MFA: "NONE", UserMFA: []account.UserMFA{{IAMID: who.iamID, MFA: effective}}},
					account.Demand{Default: "NONE", Specific: effective, Effective: effective}},
				"of the person, much of others": {account.Rules{MFA: "LEVEL3", UserMFA: []account.UserMFA{{IAMID: who.iamID, MFA: effective}}},
					account.Demand{Default: "LEVEL3", Specific: effective, Effective: effective}},
			} {
				c.want.Factor, c.want.NoPassword = who.factor, who.noPassword
				if got := c.rules.MFAOf(who.iamID); got != c.want {
					t.Errorf("%q %s, asked of %s: %+v, want %+v", tt.mfa, name, who.iamID, got, c.want)
				}
			}
		}
	}
}

// Stricter levels ask for all that weaker ones ask, or merging the settings of
// an enterprise into an account's could lift a demand.
func TestAStricterLevelAsksForNoLess(t *testing.T) {
	for _, iamID := range []string{"IBMid-1", "appid-1"} {
		var before account.Demand
		for _, level := range account.MFALevels {
			d := (&account.Rules{MFA: level}).MFAOf(iamID)
			if before.Factor && !d.Factor || before.NoPassword && !d.NoPassword {
				t.Errorf("%s asks less of %s than the level before it", level, iamID)
			}
			before = d
		}
	}
}
