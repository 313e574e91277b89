// Package access owns what gives access: stored policies, custom roles, access
// groups with members and dynamic rules, and the account settings about them.
// Package authority makes decisions of them; this one knows no wire format.
package access

import (
	"strings"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// Policy is a stored policy. Meta.Owner is the subject: an IAM id, an access
// group id, or "" for authorization policies. Meta.Parent is its state, so that
// listing and counting the active ones are index reads although deleted ones
// are kept.
type Policy struct {
	store.Meta
	Doc policy.Policy `json:"doc"`
	// Template marks a policy that a template assignment made.
	Template *TemplateMark `json:"template,omitempty"`
}

// TemplateMark says which template and assignment made an object.
type TemplateMark struct {
	ID           string `json:"id"`
	Version      string `json:"version"`
	AssignmentID string `json:"assignment_id"`
	RootID       string `json:"root_id,omitempty"`
	RootVersion  string `json:"root_version,omitempty"`
}

// CustomRole is a role that an account defined. Meta.Name is its name; the
// CRN is made from account and name.
type CustomRole struct {
	store.Meta
	DisplayName string        `json:"display_name"`
	Service     string        `json:"service_name"`
	Actions     []string      `json:"actions"`
	Template    *TemplateMark `json:"template,omitempty"`
}

// CRN is the role's id in policies.
func (r *CustomRole) CRN() string {
	return "crn:v1:bluemix:public:iam-access-management::a/" + r.Account + "::customRole:" + r.Name
}

// Form gives the role as decisions are made with it.
func (r *CustomRole) Form() policy.CustomRole {
	return policy.CustomRole{Service: r.Service, Role: policy.Role{CRN: r.CRN(), Name: r.Name, DisplayName: r.DisplayName,
		Description: r.Description, Kind: policy.RoleCustom, Actions: r.Actions}}
}

// roleKey is the unique key of the custom role of an account that has a name.
func roleKey(account, name string) store.Key {
	return store.Key{Space: "custom-role.name", Value: account + "/" + name}
}

// Group is an access group.
type Group struct {
	store.Meta
	Template *TemplateMark `json:"template,omitempty"`
	// Controls say what the account may do to a group that an enterprise made;
	// they mean nothing for its own.
	Controls GroupControls `json:"controls,omitzero"`
}

// GroupControls are the action controls of an access group template. The zero
// value is the documented default: the account may add nothing and remove
// nothing that the template gave. What it added itself it may always change.
type GroupControls struct {
	AddMembers    bool `json:"add_members,omitempty"`
	RemoveMembers bool `json:"remove_members,omitempty"`
	AddRules      bool `json:"add_rules,omitempty"`
	AddPolicies   bool `json:"add_policies,omitempty"`
}

// Member is a static member of a group: Meta.Parent is the group, Meta.Owner
// the member's IAM id, Meta.ID is MemberID(group, iam id).
type Member struct {
	store.Meta
	Type    string `json:"type"`              // user, service or profile
	Managed bool   `json:"managed,omitempty"` // made by an enterprise template
}

// MemberID is the id of a Member object.
func MemberID(group, iamID string) string { return group + "/" + iamID }

// SplitMemberID gives the group and the IAM id that a Member's id is made of.
func SplitMemberID(memberID string) (group, iamID string) {
	group, iamID, _ = strings.Cut(memberID, "/") // ids of groups have no slash
	return group, iamID
}

// GroupRule is a dynamic rule of a group: Meta.Parent is the group.
type GroupRule struct {
	store.Meta
	RealmName  string                  `json:"realm_name"`
	Hours      int                     `json:"expiration"` // 1 to 24
	Conditions []policy.ClaimCondition `json:"conditions"`
	Managed    bool                    `json:"managed,omitempty"` // made by an enterprise template
	// Removable and Updatable are the action controls of a managed rule.
	Removable bool `json:"removable,omitempty"`
	Updatable bool `json:"updatable,omitempty"`
}

// Settings are an account's settings about access. Meta.ID is the account id.
type Settings struct {
	store.Meta
	// PublicAccessOff switches the public access group off. The zero value is
	// the default: on.
	PublicAccessOff bool                    `json:"public_access_off,omitempty"`
	External        policy.ExternalIdentity `json:"external"`
}

// Control is an action control that a template assignment laid on an account.
type Control struct {
	store.Meta
	Service  string        `json:"service_name"`
	Actions  []string      `json:"actions"`
	Template *TemplateMark `json:"template,omitempty"`
}

// The collections of this package.
var (
	Policies       = store.NewCollection("policy", uniqueKey)
	CustomRoles    = store.NewCollection("custom-role", func(r *CustomRole) []store.Key { return []store.Key{roleKey(r.Account, r.Name)} })
	Groups         = store.NewCollection[Group]("access-group", nil)
	Members        = store.NewCollection[Member]("group-member", nil)
	GroupRules     = store.NewCollection[GroupRule]("group-rule", nil)
	SettingsByAcct = store.NewCollection[Settings]("access-settings", nil)
	Controls       = store.NewCollection[Control]("action-control", nil)
)
