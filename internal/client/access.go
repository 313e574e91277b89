package client

import (
	"encoding/json"
	"fmt"
	"strings"
)

// AccessGroup bundles identities that policies give access to.
type AccessGroup struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	Description    string `json:"description"`
	CRN            string `json:"crn"`
	CreatedAt      string `json:"created_at"`
	LastModifiedAt string `json:"last_modified_at"`
}

// GroupMember is an identity in an access group.
type GroupMember struct {
	IAMID      string `json:"iam_id"`
	Membership string `json:"membership_type"` // static or dynamic
	Name       string `json:"name"`
	Email      string `json:"email"`
	CreatedAt  string `json:"created_at"`
}

// GroupOutcome is what became of one member, or of one group, in a call about
// several.
type GroupOutcome struct {
	IAMID   string `json:"iam_id"`
	GroupID string `json:"access_group_id"`
	Status  int    `json:"status_code"`
	Errors  []struct {
		Message string `json:"message"`
	} `json:"errors"`
}

// Problem says why it failed, "" if it did not.
func (o *GroupOutcome) Problem() string {
	if o.Status < 300 && len(o.Errors) == 0 {
		return ""
	}
	what := firstOf(o.IAMID, o.GroupID)
	if len(o.Errors) == 0 {
		return fmt.Sprintf("%s: status code %d", what, o.Status)
	}
	return what + ": " + oneLine(o.Errors[0].Message)
}

// GroupRule makes federated users members of an access group.
type GroupRule struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	RealmName  string      `json:"realm_name"`
	Expiration int         `json:"expiration"` // hours
	Conditions []Condition `json:"conditions"`
	CreatedAt  string      `json:"created_at"`
}

// Role is a role of the catalogue or, with an ID, one of an account's own.
type Role struct {
	ID          string   `json:"id"`
	CRN         string   `json:"crn"`
	Name        string   `json:"name"`
	DisplayName string   `json:"display_name"`
	Description string   `json:"description"`
	Service     string   `json:"service_name"`
	Actions     []string `json:"actions"`
	CreatedAt   string   `json:"created_at"`
}

// ShortName is the name of a custom role, and for the others the end of the CRN.
func (r *Role) ShortName() string {
	return firstOf(r.Name, r.CRN[strings.LastIndex(r.CRN, ":")+1:])
}

// Roles are the roles that fit a service, as the API parts them.
type Roles struct {
	Custom  []Object[Role] `json:"custom_roles"`
	Service []Object[Role] `json:"service_roles"`
	System  []Object[Role] `json:"system_roles"`
}

// Attribute is a comparison in a policy. The schemas call Key by other names.
type Attribute struct {
	Key      string
	Operator string // "" in the old schema means stringEquals
	Value    any
}

// UnmarshalJSON reads an attribute of either schema.
func (a *Attribute) UnmarshalJSON(raw []byte) error {
	var w struct {
		Key      string `json:"key"`
		Name     string `json:"name"`
		Operator string `json:"operator"`
		Value    any    `json:"value"`
	}
	err := json.Unmarshal(raw, &w)
	*a = Attribute{firstOf(w.Key, w.Name), w.Operator, w.Value}
	return err
}

// Policy is a policy of either schema, read into one form.
type Policy struct {
	ID             string
	Type           string // access or authorization
	Href           string
	Description    string
	Subject        []Attribute
	Roles          []PolicyRole
	Resource, Tags []Attribute
	// Rule and Pattern are the condition of a policy of the second schema.
	Rule    json.RawMessage
	Pattern string
	// Managed is the ID of the template that the policy came from, or "".
	Managed string
}

// PolicyRole is a role that a policy gives.
type PolicyRole struct {
	ID          string `json:"role_id"`
	DisplayName string `json:"display_name"`
}

type attributes struct {
	Attributes []Attribute `json:"attributes"`
	Tags       []Attribute `json:"tags"`
}

// UnmarshalJSON reads a policy of either schema; of a part that the old schema
// holds in a list, the first counts, because there is only one.
func (p *Policy) UnmarshalJSON(raw []byte) error {
	var w struct {
		ID          string          `json:"id"`
		Type        string          `json:"type"`
		Href        string          `json:"href"`
		Description string          `json:"description"`
		Rule        json.RawMessage `json:"rule"`
		Pattern     string          `json:"pattern"`
		Template    struct {
			ID string `json:"id"`
		} `json:"template"`
		Subject  attributes `json:"subject"`
		Resource attributes `json:"resource"`
		Control  struct {
			Grant struct {
				Roles []PolicyRole `json:"roles"`
			} `json:"grant"`
		} `json:"control"`
		Subjects  []attributes `json:"subjects"`
		Resources []attributes `json:"resources"`
		Roles     []PolicyRole `json:"roles"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if len(w.Subjects) > 0 {
		w.Subject = w.Subjects[0]
	}
	if len(w.Resources) > 0 {
		w.Resource = w.Resources[0]
	}
	*p = Policy{
		ID: w.ID, Type: w.Type, Href: w.Href, Description: w.Description,
		Subject: w.Subject.Attributes, Resource: w.Resource.Attributes, Tags: w.Resource.Tags,
		Roles: append(w.Control.Grant.Roles, w.Roles...), Rule: w.Rule, Pattern: w.Pattern, Managed: w.Template.ID,
	}
	return nil
}

// Schema is the version of the API that the policy belongs to: v1 or v2.
func (p *Policy) Schema() string {
	if strings.Contains(p.Href, "/v2/policies/") {
		return "v2"
	}
	return "v1"
}

// Who gives the subject attribute of an access policy: iam_id or
// access_group_id, and its value.
func (p *Policy) Who() (key, value string) {
	if len(p.Subject) == 0 {
		return "", ""
	}
	value, _ = p.Subject[0].Value.(string)
	return p.Subject[0].Key, value
}

// Body is what the API of a schema takes for the policy: without what the
// server adds.
func (p *Policy) Body(schema string) map[string]any {
	key, old := "key", schema == "v1"
	if old {
		key = "name"
	}
	words := func(list []Attribute, operators bool) []map[string]any {
		out := make([]map[string]any, len(list))
		for i, a := range list {
			out[i] = map[string]any{key: a.Key, "value": a.Value}
			if operators {
				out[i]["operator"] = firstOf(a.Operator, "stringEquals")
			}
		}
		return out
	}
	roles := make([]map[string]any, len(p.Roles))
	for i, r := range p.Roles {
		roles[i] = map[string]any{"role_id": r.ID}
	}
	subject := map[string]any{"attributes": words(p.Subject, !old)} // subjects of the old schema have no operators
	resource := map[string]any{"attributes": words(p.Resource, true)}
	if len(p.Tags) > 0 {
		resource["tags"] = words(p.Tags, true)
	}
	body := map[string]any{"type": p.Type}
	if p.Description != "" {
		body["description"] = p.Description
	}
	if old {
		body["subjects"], body["roles"], body["resources"] = []any{subject}, roles, []any{resource}
		return body
	}
	body["subject"], body["resource"] = subject, resource
	body["control"] = map[string]any{"grant": map[string]any{"roles": roles}}
	if len(p.Rule) > 0 && string(p.Rule) != "null" {
		body["rule"], body["pattern"] = p.Rule, p.Pattern
	}
	return body
}
