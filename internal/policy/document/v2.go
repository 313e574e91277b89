package document

import (
	"cmp"
	"encoding/json"

	"github.com/kagiban/kagiban/internal/policy"
)

// V2 is the body of a v2 policy.
type V2 struct {
	Type        string      `json:"type"`
	Description string      `json:"description,omitempty"`
	Subject     *V2Subject  `json:"subject,omitempty"`
	Control     *V2Control  `json:"control,omitempty"`
	Resource    *V2Resource `json:"resource,omitempty"`
	Rule        *V2Rule     `json:"rule,omitempty"`
	Pattern     string      `json:"pattern,omitempty"`
}

// V2Subject is who a v2 policy is for.
type V2Subject struct {
	Attributes []V2Attribute `json:"attributes"`
}

// V2Resource is what a v2 policy is about.
type V2Resource struct {
	Attributes []V2Attribute `json:"attributes"`
	Tags       []V2Attribute `json:"tags,omitzero"`
}

// V2Attribute is an attribute or tag.
type V2Attribute struct {
	Key      string       `json:"key"`
	Operator string       `json:"operator"`
	Value    policy.Value `json:"value,omitzero"`
}

// V2Control says what the policy does; there is nothing but a grant.
type V2Control struct {
	Grant V2Grant `json:"grant"`
}

// V2Grant gives roles.
type V2Grant struct {
	Roles []Role `json:"roles"`
	// RoleTemplates is not part of a policy: the policies of templates name
	// roles of other templates there.
	RoleTemplates json.RawMessage `json:"role_template_references,omitempty"`
}

// V2Rule is one comparison, or conditions joined by and or or.
type V2Rule struct {
	Key        string       `json:"key,omitempty"`
	Operator   string       `json:"operator"`
	Value      policy.Value `json:"value,omitzero"`
	Conditions []V2Rule     `json:"conditions,omitempty"`
}

// DecodeV2 reads a v2 body.
func DecodeV2(data []byte) (*policy.Policy, error) {
	p, _, err := DecodeTemplate(data)
	return p, err
}

// DecodeTemplate reads the v2 policy of a template, and gives the references to
// role templates beside it as they were sent.
func DecodeTemplate(data []byte) (p *policy.Policy, roleTemplates json.RawMessage, err error) {
	var d struct {
		V2
		stored
	}
	if err := decode(data, &d); err != nil {
		return nil, nil, err
	}
	if d.Control != nil {
		roleTemplates = d.Control.Grant.RoleTemplates
	}
	return d.Policy(), roleTemplates, nil
}

// Policy gives the neutral policy, active and without id and account. Parts
// that the document lacks stay empty.
func (d *V2) Policy() *policy.Policy {
	p := &policy.Policy{
		Version: policy.V2, Type: policy.Type(d.Type), State: policy.StateActive,
		Description: d.Description, Pattern: d.Pattern,
	}
	if d.Subject != nil {
		p.Subject = fromV2(d.Subject.Attributes)
	}
	if d.Resource != nil {
		p.Resource, p.Tags = fromV2(d.Resource.Attributes), fromV2(d.Resource.Tags)
	}
	if d.Control != nil {
		p.RoleIDs = roleIDs(d.Control.Grant.Roles)
	}
	if d.Rule != nil {
		r := d.Rule.rule()
		p.Rule = &r
	}
	return p
}

// ToV2 gives the v2 document of a policy of either schema. Attributes of v1
// policies that came without an operator have stringEquals.
func ToV2(p *policy.Policy) *V2 {
	d := &V2{Type: string(p.Type), Description: p.Description, Pattern: p.Pattern}
	if p.Subject != nil {
		d.Subject = &V2Subject{Attributes: toV2(p.Subject)}
	}
	if p.Resource != nil || p.Tags != nil {
		d.Resource = &V2Resource{Attributes: toV2(p.Resource), Tags: toV2(p.Tags)}
	}
	if p.RoleIDs != nil {
		d.Control = &V2Control{Grant: V2Grant{Roles: roles(p.RoleIDs)}}
	}
	if p.Rule != nil {
		r := toRule(p.Rule)
		d.Rule = &r
	}
	return d
}

func fromV2(list []V2Attribute) []policy.Attribute {
	return each(list, func(a V2Attribute) policy.Attribute {
		return policy.Attribute{Key: a.Key, Operator: policy.Operator(a.Operator), Value: a.Value}
	})
}

func toV2(list []policy.Attribute) []V2Attribute {
	return each(list, func(a policy.Attribute) V2Attribute {
		return V2Attribute{Key: a.Key, Operator: string(cmp.Or(a.Operator, policy.OpStringEquals)), Value: a.Value}
	})
}

func (r *V2Rule) rule() policy.Rule {
	out := policy.Rule{Key: r.Key, Operator: policy.Operator(r.Operator), Value: r.Value}
	for i := range r.Conditions {
		out.Conditions = append(out.Conditions, r.Conditions[i].rule())
	}
	return out
}

func toRule(r *policy.Rule) V2Rule {
	out := V2Rule{Key: r.Key, Operator: string(r.Operator), Value: r.Value}
	for i := range r.Conditions {
		out.Conditions = append(out.Conditions, toRule(&r.Conditions[i]))
	}
	return out
}
