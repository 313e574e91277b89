package token

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/session"
)

// Claims are the claims of an access token, in the names and types that
// official clients read without checking (the Terraform provider panics when
// iam_id or account.bss are absent).
type Claims struct {
	FixedClaims
	StampClaims
}

// FixedClaims do not change between two exchanges of one credential.
type FixedClaims struct {
	IAMID              string        `json:"iam_id"`
	ID                 string        `json:"id"` // always equal to IAMID
	Realm              string        `json:"realmid"`
	Identifier         string        `json:"identifier"`
	GivenName          string        `json:"given_name,omitempty"`
	FamilyName         string        `json:"family_name,omitempty"`
	Name               string        `json:"name,omitempty"`
	Email              string        `json:"email,omitempty"`
	Sub                string        `json:"sub"`
	SubType            string        `json:"sub_type,omitempty"` // "" for users, "ServiceId", "Profile", "CRN"
	UniqueInstanceCRNs []string      `json:"unique_instance_crns,omitempty"`
	Authn              session.Authn `json:"authn"`
	Account            AccountClaims `json:"account"`
	Issuer             string        `json:"iss"`
	GrantType          string        `json:"grant_type"`
	Scope              string        `json:"scope"`
	ClientID           string        `json:"client_id"`
	ACR                int           `json:"acr"`
	AMR                []string      `json:"amr"`
	// KeyID is the API key behind the login, so that what comes of it ends with
	// the key. It is a claim of our own.
	KeyID string `json:"apikey_id,omitempty"`
	// Actors are the identities that the token was got through: who assumed the
	// profile, who acts for the service. It works as long as all of them are
	// there. A claim of our own, too.
	Actors []Actor `json:"actors,omitempty"`
	// Audience is set in ID tokens only; it is what tells them from access tokens.
	Audience string `json:"aud,omitempty"`
	// service is the name of a service that acts for itself.
	service string
}

// AccountClaims name the account that the token belongs to. A login that is not
// bound to an account yet has no bss and is not valid for any service.
type AccountClaims struct {
	Valid bool   `json:"valid"`
	BSS   string `json:"bss,omitempty"`
	IMS   string `json:"ims,omitempty"` // linked classic account
	// Frozen means that the account cannot be switched with this token.
	Frozen bool `json:"frozen,omitempty"`
}

// Actor is an identity in an account.
type Actor struct {
	IAMID   string `json:"iam_id"`
	Account string `json:"account,omitempty"`
}

// StampClaims differ from token to token.
type StampClaims struct {
	JTI       string `json:"jti"`
	SessionID string `json:"session_id,omitempty"`
	IssuedAt  int64  `json:"iat"` // seconds since 1970
	Expires   int64  `json:"exp"`
	Origins
}

// Origins are claims of our own that say what a token came of; see
// session.Lineage. With a login session it is the session that knows.
type Origins struct {
	Roots  []string `json:"login_roots,omitempty"`
	Within []string `json:"login_within,omitempty"`
	Until  int64    `json:"login_until,omitempty"` // seconds since 1970
}

// Subject types of the claim sub_type.
const (
	subTypeServiceID = "ServiceId"
	subTypeProfile   = "Profile"
	subTypeService   = "CRN"
)

// Kind tells what the token's subject is.
func (c *FixedClaims) Kind() policy.SubjectKind {
	switch c.SubType {
	case subTypeServiceID:
		return policy.KindServiceID
	case subTypeProfile:
		return policy.KindProfile
	case subTypeService:
		return policy.KindService
	}
	return policy.KindUser
}

// subjectClaims are the claims that say who the subject is.
func userClaims(u *account.User) FixedClaims {
	realm, identifier, _ := strings.Cut(u.ID, "-")
	c := FixedClaims{IAMID: u.ID, ID: u.ID, Realm: realm, Identifier: identifier, Sub: u.Email,
		GivenName: u.GivenName, FamilyName: u.FamilyName, Name: u.Name, Email: u.Email}
	c.Authn = session.Authn{Sub: c.Sub, IAMID: c.IAMID, Name: c.Name, GivenName: c.GivenName, FamilyName: c.FamilyName, Email: c.Email}
	return c
}

func serviceIDClaims(s *identity.ServiceID) FixedClaims {
	iamID := id.IAMOf(s.ID)
	c := FixedClaims{IAMID: iamID, ID: iamID, Realm: "iam", Identifier: s.ID, Sub: s.ID, SubType: subTypeServiceID,
		Name: s.Name, UniqueInstanceCRNs: s.UniqueInstanceCRNs}
	c.Authn = session.Authn{Sub: s.ID, IAMID: iamID, SubType: subTypeServiceID, Name: s.Name}
	return c
}

func profileClaims(p *identity.Profile, authn session.Authn) FixedClaims {
	iamID := id.IAMOf(p.ID)
	return FixedClaims{IAMID: iamID, ID: iamID, Realm: "iam", Identifier: p.ID, Sub: p.ID, SubType: subTypeProfile,
		Name: p.Name, Authn: authn}
}

// claimSet is the encoded form of fixed claims, open at its end: it is made
// once and finished for each token.
type claimSet []byte

func prepareClaims(c *FixedClaims) (claimSet, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding claims: %w", err)
	}
	return raw[:len(raw)-1], nil
}

// appendTo appends the finished JSON object.
func (set claimSet) appendTo(buf []byte, s StampClaims) []byte {
	buf = append(buf, set...)
	buf = append(buf, `,"jti":"`...)
	buf = append(buf, s.JTI...) // a UUID: needs no escapes
	if s.SessionID != "" {
		buf = append(buf, `","session_id":"`...)
		buf = append(buf, s.SessionID...) // "C-" and a UUID
	}
	buf = append(buf, `","iat":`...)
	buf = strconv.AppendInt(buf, s.IssuedAt, 10)
	buf = append(buf, `,"exp":`...)
	buf = strconv.AppendInt(buf, s.Expires, 10)
	buf = appendIDs(buf, "login_roots", s.Roots)
	buf = appendIDs(buf, "login_within", s.Within)
	if s.Until != 0 {
		buf = append(buf, `,"login_until":`...)
		buf = strconv.AppendInt(buf, s.Until, 10)
	}
	return append(buf, '}')
}

// appendIDs appends a list of ids of ours, which need no escapes.
func appendIDs(buf []byte, name string, ids []string) []byte {
	if len(ids) == 0 {
		return buf
	}
	buf = append(append(append(buf, `,"`...), name...), `":["`...)
	for i, one := range ids {
		if i > 0 {
			buf = append(buf, `","`...)
		}
		buf = append(buf, one...)
	}
	return append(buf, `"]`...)
}

// decodeClaims reads the payload of a verified token.
func decodeClaims(payload []byte) (*Claims, error) {
	c := new(Claims)
	if err := json.Unmarshal(payload, c); err != nil {
		return nil, fmt.Errorf("decoding claims: %w", err)
	}
	return c, nil
}
