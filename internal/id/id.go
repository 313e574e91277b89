// Package id makes and recognises identifiers: object ids, IAM ids and entity
// tags. Formats live only here. It owns no object and no store.
package id

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Prefixes of the object ids of IBM Cloud IAM.
const (
	APIKey           = "ApiKey-"
	ServiceID        = "ServiceId-"
	ServiceIDGroup   = "ServiceIdGroup-"
	Profile          = "Profile-"
	ClaimRule        = "ClaimRule-"
	Link             = "Link-"
	AccessGroup      = "AccessGroupId-"
	IdentityProvider = "idp-"
	Session          = "C-"
)

// IAM id prefixes: an IAM id names an identity everywhere.
const (
	IAMPrefix = "iam-"   // service IDs and profiles: "iam-" + object id
	CRNPrefix = "crn-"   // service instances and compute resources: "crn-" + CRN
	UserRealm = "IBMid-" // users of the default realm
)

// Generator makes ids from a source of randomness. The zero value reads
// crypto/rand. It is safe for concurrent use when its reader is.
type Generator struct{ Random io.Reader }

// read fills b. It panics when the source of randomness fails: no id is better
// than a guessable one.
func (g Generator) read(b []byte) {
	if g.Random == nil {
		_, _ = rand.Read(b) // never fails, and lets b stay on the stack
		return
	}
	random := make([]byte, len(b))
	if _, err := io.ReadFull(g.Random, random); err != nil {
		panic("reading randomness: " + err.Error())
	}
	copy(b, random)
}

// UUID gives a random version 4 UUID in lower case.
func (g Generator) UUID() string {
	var u uuid.UUID
	g.read(u[:])
	u[6] = u[6]&0x0f | 0x40 // version 4
	u[8] = u[8]&0x3f | 0x80 // variant of RFC 9562
	return u.String()
}

// New gives prefix + UUID.
func (g Generator) New(prefix string) string { return prefix + g.UUID() }

// Hex gives n random bytes as 2n lower-case hex digits; account ids have n = 16.
func (g Generator) Hex(n int) string {
	var random [32]byte
	var text [2 * len(random)]byte
	if n > len(random) {
		return g.Hex(len(random)) + g.Hex(n-len(random))
	}
	g.read(random[:n])
	return string(hex.AppendEncode(text[:0], random[:n]))
}

// ETag gives the entity tag of a version: "<version>-<32 hex>". The random
// part keeps a deleted and restored object's tags apart.
func (g Generator) ETag(version int64) string {
	return strconv.FormatInt(version, 10) + "-" + g.Hex(16)
}

// IsAccount reports whether s has the form of an account id: 32 lower-case hex digits.
func IsAccount(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// IAMOf gives the IAM id of a service ID or profile id.
func IAMOf(objectID string) string { return IAMPrefix + objectID }

// OfIAM gives the object id inside an IAM id of a service ID or profile, and
// false for identities of other kinds.
func OfIAM(iamID string) (string, bool) {
	rest, ok := strings.CutPrefix(iamID, IAMPrefix)
	if !ok || !(strings.HasPrefix(rest, ServiceID) || strings.HasPrefix(rest, Profile)) {
		return "", false
	}
	return rest, true
}
