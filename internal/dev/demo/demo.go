// Package demo is the data of `kagiban dev`: one enterprise with its accounts,
// people, machine identities and keys, and the two accounts of the cross-account
// story. Every id and secret is derived from a seed and a label, so that the
// same seed gives the same data whatever else is added, and no secret stands in
// the source. The package gives its data to the services that own it; it serves
// nothing.
package demo

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"

	"golang.org/x/crypto/argon2"

	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/secret"
)

// SeedSize is the length of a seed in bytes.
const SeedSize = sha256.Size

// FixedSeed is the seed of every start without --random. It is no secret.
func FixedSeed() []byte {
	sum := sha256.Sum256([]byte("kagiban demo data, first edition"))
	return sum[:]
}

// Data names everything in the demo data set.
type Data struct {
	seed []byte

	Enterprise string // enterprise id
	Group      string // account group id, holds Child
	Root       string // enterprise account
	Child      string // child account with enterprise-managed IAM
	Caller     string // first account of the cross-account story
	Called     string // second account of the cross-account story

	Owner   Person // owns Root and Child
	Admin   Person // administrates Root
	Member  Person // plain user of Root
	Console Person // logs in to Root with a password
	// Visitor belongs to Caller and may assume Profile; Host owns Called.
	Visitor, Host Person
	// MemberEmail is an address that no user has: to be invited.
	MemberEmail string

	Profile     string // tp-allow-access-billing in Called
	ServiceID   string // service ID of Root
	AccessGroup string // access group of Root
	// PolicyTemplate is a committed policy template of Root.
	PolicyTemplate string

	OwnerKey, AdminKey, VisitorKey, ServiceKey Key
	Password                                   secret.Value // of Console
}

// Person is a user.
type Person struct{ IAMID, Email, Given, Family string }

// Name is the full name.
func (p Person) Name() string { return p.Given + " " + p.Family }

// Key is an API key with its value.
type Key struct {
	ID    string
	Value secret.Value
}

// Realm vouches for Console: it says that its department is billing and that it
// is in the groups people and auditors.
const Realm = "https://login.example.com/demo"

// ProfileName is the name of the trusted profile in the cross-account story.
const ProfileName = "tp-allow-access-billing"

// New derives the data of a seed of SeedSize bytes.
func New(seed []byte) (*Data, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("deriving demo data: the seed has %d bytes, %d are needed", len(seed), SeedSize)
	}
	d := &Data{seed: seed, MemberEmail: "new.member@example.com"}
	d.Enterprise, d.Group = d.hex("enterprise"), d.hex("account group")
	d.Root, d.Child = d.hex("account root"), d.hex("account child")
	d.Caller, d.Called = d.hex("account caller"), d.hex("account called")
	d.Owner = d.person("Robin", "Demo")
	d.Admin = d.person("Sam", "Admin")
	d.Member = d.person("Kim", "Member")
	d.Console = d.person("Alex", "Console")
	d.Visitor = d.person("Noa", "Visitor")
	d.Host = d.person("Jo", "Host")
	d.Profile = d.id("profile", id.Profile)
	d.ServiceID = d.id("service id", id.ServiceID)
	d.AccessGroup = d.id("access group", id.AccessGroup)
	d.PolicyTemplate = d.id("policy template", "policyTemplate-")
	var err error
	for _, k := range []struct {
		to    *Key
		label string
	}{{&d.OwnerKey, "owner"}, {&d.AdminKey, "admin"}, {&d.VisitorKey, "visitor"}, {&d.ServiceKey, "service"}} {
		k.to.ID = d.id("key id "+k.label, id.APIKey)
		if k.to.Value, err = secret.NewAPIKey(d.source("key value " + k.label)); err != nil {
			return nil, err
		}
	}
	if d.Password, err = secret.NewPasscode(d.source("password")); err != nil {
		return nil, err
	}
	return d, nil
}

// Seed gives the seed that the data was derived from.
func (d *Data) Seed() []byte { return d.seed }

// source gives the random stream of one label.
func (d *Data) source(label string) io.Reader {
	return rand.NewChaCha8(sha256.Sum256(append(append([]byte{}, d.seed...), label...)))
}

func (d *Data) hex(label string) string { return id.Generator{Random: d.source(label)}.Hex(16) }

func (d *Data) id(label, prefix string) string {
	return id.Generator{Random: d.source(label)}.New(prefix)
}

// person derives a user; the IAM id has the form that the Terraform provider
// checks: ten of A-Z and 0-9.
func (d *Data) person(given, family string) Person {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	raw := make([]byte, 10)
	// A ChaCha8 stream never fails.
	_, _ = io.ReadFull(d.source("person "+family), raw)
	for i, b := range raw {
		raw[i] = alphabet[int(b)%len(alphabet)]
	}
	p := Person{IAMID: id.UserRealm + string(raw), Given: given, Family: family}
	p.Email = lower(given) + "." + lower(family) + "@example.com"
	return p
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// passwordHash makes the argon2id hash of a demo password with the least
// parameters that package secret accepts: the real ones take 19 MiB and a
// quarter of the time that a start may take. A login replaces it.
func (d *Data) passwordHash() string {
	const memory, passes, lanes = 4 * 1024, 1, 1
	salt := make([]byte, 16)
	_, _ = io.ReadFull(d.source("salt"), salt)
	key := argon2.IDKey([]byte(d.Password.Reveal()), salt, passes, memory, lanes, 32)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, enc.EncodeToString(salt),
		enc.EncodeToString(key))
}
