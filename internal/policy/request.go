package policy

import (
	"net/netip"
	"time"
)

// SubjectKind is the kind of identity that asks.
type SubjectKind uint8

// The kinds of subject. The zero value is a caller without a token; it holds
// only what the public access group holds.
const (
	KindAnonymous SubjectKind = iota
	KindUser
	KindServiceID
	KindProfile
	// KindService is a service of the platform that acts for itself (a CRN
	// token); only authorization policies give it access.
	KindService
)

// Subject is who asks. The caller of the engine has verified the token and the
// state of the identity.
type Subject struct {
	Kind SubjectKind
	// IAMID is the identity of the token: the profile's for a profile token.
	IAMID string
	// Account is the account that the token belongs to.
	Account string

	// Realm, Claims and LoginAt describe a federated login; dynamic rules of
	// access groups use them. They count only for KindUser and only in the
	// account that the token belongs to.
	Realm   string
	Claims  []Claim
	LoginAt time.Time

	// Source describes a KindService subject.
	Source Source

	// Login is how it got its token, as far as that is known.
	Login Login
	// Belongs tells whether it is a member of the account of the resource.
	Belongs Belonging
	// Addresses are the person's own allowed addresses there; nil: any.
	Addresses Addresses
}

// Claim is one claim of a federated login. A claim with List false has exactly
// one value.
type Claim struct {
	Name   string
	Values []string
	List   bool
}

// Source holds the attributes of a service that acts for itself, from its CRN.
// Empty fields are absent attributes.
type Source struct {
	ServiceName     string
	ServiceInstance string
	Region          string
	ResourceType    string
	Resource        string
	AccountID       string
	ResourceGroupID string
	// EnterpriseID and AccountGroupIDs place the source's account: its
	// enterprise and every account group above it.
	EnterpriseID    string
	AccountGroupIDs []string
}

// Resource is what the action is to be done to. Empty fields are absent: a
// request without ServiceInstance asks at the level of the account.
type Resource struct {
	Account         string
	ServiceName     string
	Region          string
	ServiceInstance string
	ResourceType    string
	Resource        string
	ResourceGroupID string
	// Owner is the IAM id that the object belongs to (the identity of an API
	// key), Creator the one that made it. They may do the service's
	// SelfActions to the object without a policy, with a token of its account.
	Owner   string
	Creator string
	// Tags are the access-management tags of the resource, "name:value".
	Tags []string
	// Attributes are further attributes of the service. A name of a field
	// above is ignored here: attributes never override the CRN.
	Attributes []NamedValue

	// ServiceType and ServiceGroupID are read only when ServiceName is empty:
	// the request is then about all services of a type or group, and answered as
	// Catalog.Parts says. With a ServiceName both follow from the catalogue.
	ServiceType    string
	ServiceGroupID string
	// Unlisted is true when the request is about all services that the catalogue
	// does not know, as one of Catalog.Parts is. ServiceName is empty then, and
	// ServiceType and ServiceGroupID are not read.
	Unlisted bool
	// Whole is true when the request is about everything that fits its
	// attributes, as in ScopeOf: an absent attribute may then have any value.
	Whole bool
	// Scope holds attributes that stand for many values (wildcards, lists) when
	// the request is about every resource a policy covers. Only policies that
	// constrain such an attribute identically, or not at all, match.
	Scope []Attribute
	// ScopeTags are tags with wildcards in the same sense.
	ScopeTags []Attribute
}

// NamedValue is an attribute of the request. An empty Value is present.
type NamedValue struct {
	Name  string
	Value string
}

// Environment is when and from where the request comes.
type Environment struct {
	Now time.Time
	// SourceIP is the client's address; rules see it as ipAddress.
	SourceIP netip.Addr
	// Client tells that somebody's client is behind the request. One whose address
	// nobody knows is in no list; a question may leave the address open instead.
	Client     bool
	Attributes []NamedValue
}

// Addressed tells whether lists of addresses are to be asked.
func (e *Environment) Addressed() bool { return e.Client || e.SourceIP.IsValid() }

// Request is one question: may Subject do Action to Resource now?
type Request struct {
	Subject     Subject
	Action      string
	Resource    Resource
	Environment Environment
}
