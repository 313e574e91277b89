package session

import "time"

// Lineage says how a login began and as whom it continues. It is what a
// refresh token, a delegated one and a passcode stand for.
type Lineage struct {
	IAMID   string `json:"iam_id"`
	Account string `json:"account,omitempty"`
	// Origin is the grant that began the login.
	Origin string `json:"origin"`
	// KeyID is the API key behind it, "" if none. The key is looked at again
	// whenever the token is used.
	KeyID string `json:"key_id,omitempty"`
	// Authn and AuthnAccount are who assumed the profile that the login is for.
	Authn        *Authn `json:"authn,omitempty"`
	AuthnAccount string `json:"authn_account,omitempty"`
	Session      string `json:"session,omitempty"`
	// Rule is the claim rule that let a person assume the profile, "" when it is
	// in the profile's list.
	Rule string `json:"rule,omitempty"`
	// Roots are the sessions and families of refresh tokens that the login came
	// of: it ends when one of them is revoked.
	Roots []string `json:"roots,omitempty"`
	// Until ends everything that comes of the login; zero: lifetimes alone do.
	Until time.Time `json:"until,omitzero"`
}

// Authn names the identity that proved who it is: the original one behind a
// trusted profile, otherwise the subject itself. It is the claim authn, too.
type Authn struct {
	Sub        string `json:"sub"`
	IAMID      string `json:"iam_id"`
	SubType    string `json:"sub_type,omitempty"`
	Name       string `json:"name,omitempty"`
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	Email      string `json:"email,omitempty"`
}

// within bounds a time by the login's end, if it has one.
func (l *Lineage) within(at time.Time) time.Time {
	if !l.Until.IsZero() && l.Until.Before(at) {
		return l.Until
	}
	return at
}
