package account

import (
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/id"
)

// Values of the mfa setting that ask for no second factor, and the one that
// asks only users of the default realm for one.
const (
	MFANone       = "NONE"
	MFANoPassword = "NONE_NO_ROPC" // no login with nothing but user name and password
	mfaTOTP       = "TOTP"
)

// MFALevels are the values of the mfa setting, weakest first as far as they
// have an order.
var MFALevels = []string{MFANone, MFANoPassword, mfaTOTP, "TOTP4ALL", "LEVEL1", "LEVEL2", "LEVEL3"}

// rankMFA is -1 for what is not a value of the setting: it demands nothing.
func rankMFA(value string) int { return slices.Index(MFALevels, value) }

func strictestMFA(a, b string) string {
	if rankMFA(b) > rankMFA(a) {
		return b
	}
	return a
}

// UserMFA sets the MFA demand for one user.
type UserMFA struct {
	IAMID string `json:"iam_id"`
	MFA   string `json:"mfa"`
}

// Demand is what an account asks of a person who logs in.
type Demand struct {
	// Default is the account's value of MFALevels, Specific the one for this
	// person ("": none), Effective the one that counts.
	Default, Specific, Effective string
	// Factor tells that a second factor is asked for, NoPassword that user name
	// and password alone are refused.
	Factor, NoPassword bool
}

// MFAOf gives what the settings ask of the person with an IAM id. Nobody else
// says what the mfa settings mean: tokens and reports ask here.
//
// TOTP is for users of the default realm: those of other realms have logged in
// with their own identity provider, which sees to the factors. TOTP4ALL and the
// levels are for all users. Each level asks for what the weaker ones ask, so no
// level but NONE takes a password alone. What is not set asks for nothing.
func (r *Rules) MFAOf(iamID string) Demand {
	d := Demand{Default: MFANone}
	if r.MFA != "" && r.MFA != NotSet {
		d.Default = r.MFA
	}
	d.Effective = d.Default
	if i := slices.IndexFunc(r.UserMFA, func(u UserMFA) bool { return u.IAMID == iamID }); i >= 0 {
		d.Specific = r.UserMFA[i].MFA
		d.Effective = d.Specific
	}
	switch d.Effective {
	case MFANone, NotSet, "":
		return d
	case MFANoPassword:
	case mfaTOTP:
		d.Factor = strings.HasPrefix(iamID, id.UserRealm)
	default:
		d.Factor = true
	}
	d.NoPassword = true
	return d
}
