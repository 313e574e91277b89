package policy

// Type is the kind of policy; it never changes during a policy's life.
type Type string

// An access policy gives roles to an identity or access group; an
// authorization policy gives them to a service.
const (
	TypeAccess        Type = "access"
	TypeAuthorization Type = "authorization"
)

// State is the life state of a policy. Only active policies decide.
type State string

// Deleted policies are kept so that they can be restored.
const (
	StateActive  State = "active"
	StateDeleted State = "deleted"
)

// Version is the schema in which a policy was written. A document keeps the
// shape it was created in until it is replaced through the other schema.
type Version uint8

// V1 documents have subjects, roles and resources; V2 documents have subject,
// control, resource, rule and pattern.
const (
	V1 Version = 1
	V2 Version = 2
)

// Operator compares an attribute with a value, or joins conditions.
type Operator string

// The string operators. An empty operator stands for OpStringEquals: v1
// documents may leave it out, and it is echoed as it came.
const (
	OpStringEquals      Operator = "stringEquals"
	OpStringExists      Operator = "stringExists"
	OpStringMatch       Operator = "stringMatch"
	OpStringEqualsAnyOf Operator = "stringEqualsAnyOf"
	OpStringMatchAnyOf  Operator = "stringMatchAnyOf"
)

// The time operators; they occur only in rules.
const (
	OpTimeLessThan                Operator = "timeLessThan"
	OpTimeLessThanOrEquals        Operator = "timeLessThanOrEquals"
	OpTimeGreaterThan             Operator = "timeGreaterThan"
	OpTimeGreaterThanOrEquals     Operator = "timeGreaterThanOrEquals"
	OpDateLessThan                Operator = "dateLessThan"
	OpDateLessThanOrEquals        Operator = "dateLessThanOrEquals"
	OpDateGreaterThan             Operator = "dateGreaterThan"
	OpDateGreaterThanOrEquals     Operator = "dateGreaterThanOrEquals"
	OpDateTimeLessThan            Operator = "dateTimeLessThan"
	OpDateTimeLessThanOrEquals    Operator = "dateTimeLessThanOrEquals"
	OpDateTimeGreaterThan         Operator = "dateTimeGreaterThan"
	OpDateTimeGreaterThanOrEquals Operator = "dateTimeGreaterThanOrEquals"
	OpDayOfWeekEquals             Operator = "dayOfWeekEquals"
	OpDayOfWeekAnyOf              Operator = "dayOfWeekAnyOf"
)

// The operators that join conditions.
const (
	OpAnd Operator = "and"
	OpOr  Operator = "or"
)

// Attribute names that the engine knows. Every other name is an attribute of
// the protected service and compared as text.
const (
	AttrAccountID       = "accountId"
	AttrServiceName     = "serviceName"
	AttrServiceType     = "serviceType"
	AttrServiceGroupID  = "service_group_id"
	AttrRegion          = "region"
	AttrServiceInstance = "serviceInstance"
	AttrResourceType    = "resourceType"
	AttrResource        = "resource"
	AttrResourceGroupID = "resourceGroupId"
	AttrIAMID           = "iam_id"
	AttrAccessGroupID   = "access_group_id"
	AttrEnterpriseID    = "enterpriseId"
	AttrAccountGroupID  = "AccountGroupId"
)

// Values of the serviceType attribute.
const (
	// ServiceTypeService covers all IAM-enabled services except the account
	// management ones.
	ServiceTypeService = "service"
	// ServiceTypePlatform covers the account management services only.
	ServiceTypePlatform = "platform_service"
)

// Patterns name the console form in which a rule was written. They limit what
// the rule may contain and do not change how it is evaluated.
const (
	PatternOnce          = "time-based-conditions:once"
	PatternWeekly        = "time-based-conditions:weekly"
	PatternWeeklyAllDay  = "time-based-conditions:weekly:all-day"
	PatternWeeklyHours   = "time-based-conditions:weekly:custom-hours"
	PatternAttributeBase = "attribute-based-condition:resource:literal-and-wildcard"
)

// PublicAccessGroupID is the built-in group of every account to which all
// users, service IDs and callers without a token belong while public access is
// switched on.
const PublicAccessGroupID = "AccessGroupId-PublicAccess"

// Attribute is one comparison of a policy: of its subject, resource or tags.
type Attribute struct {
	Key      string
	Operator Operator
	Value    Value
}

// Rule is the condition of a policy: one comparison (Key is set) or a group of
// comparisons joined by OpAnd or OpOr (Conditions is set).
type Rule struct {
	Operator   Operator
	Key        string
	Value      Value
	Conditions []Rule
}

// IsGroup reports whether the rule joins conditions instead of comparing.
func (r *Rule) IsGroup() bool {
	return r.Operator == OpAnd || r.Operator == OpOr || r.Conditions != nil
}

// Policy gives roles on resources to a subject. Attributes and tags are kept
// in the order in which they were sent. A Policy that was handed to a Snapshot
// must not be changed any more.
type Policy struct {
	ID      string
	Account string
	Version Version
	Type    Type
	State   State

	Description string
	Subject     []Attribute
	Resource    []Attribute
	Tags        []Attribute
	// RoleIDs are role CRNs in the order sent.
	RoleIDs []string
	Rule    *Rule
	Pattern string
}

// attribute finds the one value that a stringEquals attribute asks for, "" when
// there is none.
func attribute(list []Attribute, key string) string {
	for _, a := range list {
		if a.Key == key && (a.Operator == OpStringEquals || a.Operator == "") && a.Value.Kind != KindList && !isAny(a) {
			return a.Value.Text
		}
	}
	return ""
}
