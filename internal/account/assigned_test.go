package account

import (
	"testing"
	"time"
)

func TestOfOwnAndAssignedSettingsTheStricterIsInForce(t *testing.T) {
	own := DefaultSettings("0123456789abcdef0123456789abcdef")
	own.AccessTokenExpiration, own.MaxSessions, own.MFA = "1200", NotSet, "LEVEL3"
	own.RestrictCreateServiceID = NotRestricted
	own.Assigned = []Assigned{{Template: "T", Values: Rules{AccessTokenExpiration: "3000", SessionExpiration: "900",
		MaxSessions: "2", MFA: "LEVEL1", RestrictCreateServiceID: Restricted, UserMFA: []UserMFA{{IAMID: "IBMid-X", MFA: "TOTP"}}}}}
	if got := own.AccessTokenLifetime(); got != 20*time.Minute {
		t.Errorf("token life %s: the account's own is stricter", got)
	}
	if got := own.SessionLifetime(); got != 15*time.Minute {
		t.Errorf("session life %s: the assigned one is stricter", got)
	}
	if got := own.SessionLimit(); got != 2 {
		t.Errorf("session limit %d: only the template sets one", got)
	}
	if !own.RestrictsServiceIDs() {
		t.Error("the template restricts service IDs, the account's permission must not lift that")
	}
	e := own.Effective()
	if e.MFA != "LEVEL3" || len(e.UserMFA) != 1 {
		t.Errorf("effective MFA %s %v", e.MFA, e.UserMFA)
	}
	if own.AccessTokenExpiration != "1200" || len(own.UserMFA) != 0 {
		t.Error("merging changed the account's own settings")
	}
}

func TestEveryAddressListCounts(t *testing.T) {
	s := DefaultSettings("0123456789abcdef0123456789abcdef")
	s.AllowedIPAddresses = "192.0.2.0/24"
	s.Assigned = []Assigned{{Values: Rules{AllowedIPAddresses: "192.0.2.7"}}}
	if got := s.AddressLists(); len(got) != 2 || got[0] != "192.0.2.0/24" || got[1] != "192.0.2.7" {
		t.Errorf("lists %q", got)
	}
}

func TestAnAssignedRealmJoinsOrYieldsToTheAccounts(t *testing.T) {
	s := DefaultSettings("0123456789abcdef0123456789abcdef")
	s.RestrictUserDomains = []DomainRestriction{{RealmID: "IBMid", InvitationEmailAllowPatterns: []string{"*@a.example.com",
		"*@b.example.com"}, RestrictInvitation: true}}
	s.Assigned = []Assigned{{Values: Rules{RestrictUserDomains: []DomainRestriction{{RealmID: "IBMid",
		InvitationEmailAllowPatterns: []string{"*@a.example.com"}, RestrictInvitation: true}}}}}
	if s.MayInvite("IBMid", "x@b.example.com") || !s.MayInvite("IBMid", "x@a.example.com") {
		t.Error("both restrictions must be met")
	}
	s.Assigned[0].DomainsSufficient = true
	if !s.MayInvite("IBMid", "x@b.example.com") {
		t.Error("the account's own restriction is declared sufficient")
	}
}

// An exception of the account's own would else be the way around what the
// enterprise demands of everybody in it.
func TestAnOwnExceptionDoesNotLiftTheDemandOfATemplate(t *testing.T) {
	own := DefaultSettings("0123456789abcdef0123456789abcdef")
	own.UserMFA = []UserMFA{{IAMID: "IBMid-WEAK", MFA: "NONE"}, {IAMID: "IBMid-STRONG", MFA: "LEVEL3"}, {IAMID: "IBMid-EXEMPT", MFA: "NONE"}}
	own.Assigned = []Assigned{{Template: "T", Values: Rules{MFA: "LEVEL2", UserMFA: []UserMFA{{IAMID: "IBMid-EXEMPT", MFA: "NONE_NO_ROPC"}}}}}
	want := map[string]string{
		"IBMid-WEAK":   "LEVEL2",
		"IBMid-STRONG": "LEVEL3",
		"IBMid-EXEMPT": "NONE_NO_ROPC", // by the template itself
	}
	for _, u := range own.InForce().UserMFA {
		if u.MFA != want[u.IAMID] {
			t.Errorf("%s: %s is in force, want %s", u.IAMID, u.MFA, want[u.IAMID])
		}
	}
}

// A template exempts from its own demand only. What the account, or another
// template, demands of everybody holds for the exempted, too.
func TestAnExceptionOfATemplateDoesNotLiftTheDemandOfTheAccount(t *testing.T) {
	exempt := Assigned{Template: "T", Values: Rules{MFA: "LEVEL3", UserMFA: []UserMFA{{IAMID: "IBMid-X", MFA: "NONE"},
		{IAMID: "IBMid-Y", MFA: "LEVEL3"}}}}
	for name, c := range map[string]struct {
		own   string
		other []Assigned
		want  string
	}{
		"the account demands little": {"NONE", nil, "NONE"},
		"the account demands more":   {"TOTP4ALL", nil, "TOTP4ALL"},
		"another template does":      {"NONE", []Assigned{{Template: "U", Values: Rules{MFA: "LEVEL2"}}}, "LEVEL2"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, order := range []bool{true, false} {
				s := DefaultSettings("0123456789abcdef0123456789abcdef")
				s.MFA = c.own
				s.Assigned = append([]Assigned{exempt}, c.other...)
				if order {
					s.Assigned = append(append([]Assigned{}, c.other...), exempt)
				}
				got := map[string]string{}
				for _, u := range s.InForce().UserMFA {
					got[u.IAMID] = u.MFA
				}
				if got["IBMid-X"] != c.want || got["IBMid-Y"] != "LEVEL3" {
					t.Errorf("in force are %v, want %s for the exempted one", got, c.want)
				}
			}
		})
	}
}
