package session

import (
	"slices"
	"time"
)

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
	// of: it ends when one of them is ended on purpose.
	Roots []string `json:"roots,omitempty"`
	// Within are the sessions that it came of and lives in: it ends with them,
	// however they end. A delegation has none; its end was chosen.
	Within []string `json:"within,omitempty"`
	// Until ends everything that comes of the login; zero: lifetimes alone do.
	Until time.Time `json:"until,omitzero"`
}

// maxRoots bounds how long a chain of grants may be: each link that is a login
// of its own adds one or two roots, and tokens carry them.
const maxRoots = 16

// add takes roots into the lineage that are not in it.
func (l *Lineage) add(roots ...string) {
	for _, root := range roots {
		if !slices.Contains(l.Roots, root) {
			l.Roots = append(slices.Clip(l.Roots), root)
		}
	}
}

// Heir is the lineage of what comes of a refresh token and is a login of its
// own: it ends with the login of the token, and no later than the token would
// have. Session still names the one that it comes out of.
func (t *RefreshToken) Heir() Lineage {
	l := t.Lineage
	l.Until = l.within(t.Valid)
	l.add(t.Family)
	if t.Session != "" {
		l.add(t.Session)
		l.Within = []string{t.Session} // which knows what it lives in
	}
	return l
}

// Heir is the lineage of what comes of a token of the session.
func (se *Session) Heir(l Lineage) Lineage {
	l.Session, l.Within = se.ID, []string{se.ID}
	l.add(se.Roots...)
	l.add(se.ID)
	l.Until = l.within(se.Ends)
	return l
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
