package policy

// Service describes one service to the engine: what can be done with it and
// which roles allow it.
type Service struct {
	// Name is the serviceName of CRNs and policies.
	Name string
	// Group is the service_group_id the service belongs to, "IAM" or "".
	Group string
	// Platform is true for account management services. Policies with
	// serviceType "service" never cover them.
	Platform bool
	// Parent names the service of which this is a part. Policies and roles of
	// the parent hold for the child as well. "" for most services.
	Parent string
	// Actions are the actions that this service defines.
	Actions []Action
	// SelfActions are the ids of actions that the owner or creator of an object
	// may do to it without a policy: a user's own API keys, the service IDs
	// that somebody made.
	SelfActions []string
	// MemberActions are the ids of actions that every member of an account may do
	// in it without a policy, unless the account restricts them.
	MemberActions []string
	// Roles are the roles on this service. The list of a role's actions is
	// complete: platform roles contain the actions common to every service.
	Roles []Role
}

// Action is one thing that can be done, named service.noun.verb.
type Action struct {
	ID          string
	DisplayName string
	Description string
}

// RoleKind says who defines a role.
type RoleKind uint8

// System roles are the platform roles that exist on every service, service
// roles are defined by a service, custom roles by an account.
const (
	RoleSystem RoleKind = iota + 1
	RoleService
	RoleCustom
)

// Role is a set of actions on one service.
type Role struct {
	// CRN identifies the role; the same CRN on two services is one role with
	// different actions on each.
	CRN         string
	Name        string
	DisplayName string
	Description string
	Kind        RoleKind
	// Actions are ids of actions of any service in the catalogue.
	Actions []string
	// Apart is true for a role that owning the account does not bring: nobody
	// holds it without a policy, though the owner may give it to anybody. Such
	// are the roles of enterprise templates, and those for what an account's
	// settings restrict.
	Apart bool
}

// CustomRole is a role that an account defined. It has effect on resources of
// its own service and of that service's children.
type CustomRole struct {
	Role
	// Service is the name of the one service that the role is for.
	Service string
}

// AllServices is the pseudo service whose roles hold for services that the
// catalogue does not know, and for requests about all IAM-enabled services.
const AllServices = "alliamserviceroles"

// ServiceGroupIAM is the group of the four services that manage access.
const ServiceGroupIAM = "IAM"
