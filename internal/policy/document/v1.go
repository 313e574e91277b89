package document

import (
	"fmt"

	"github.com/kagiban/kagiban/internal/policy"
)

// V1 is the body of a v1 policy.
type V1 struct {
	Type        string       `json:"type"`
	Description string       `json:"description,omitempty"`
	Subjects    []V1Subject  `json:"subjects"`
	Roles       []Role       `json:"roles"`
	Resources   []V1Resource `json:"resources"`
}

// V1Subject is who a v1 policy is for.
type V1Subject struct {
	Attributes []V1Attribute `json:"attributes"`
}

// V1Resource is what a v1 policy is about.
type V1Resource struct {
	Attributes []V1Attribute `json:"attributes"`
	Tags       []V1Attribute `json:"tags,omitzero"`
}

// V1Attribute is an attribute or tag. Without an operator it means
// stringEquals, and it is echoed without one.
type V1Attribute struct {
	Name     string       `json:"name"`
	Value    policy.Value `json:"value,omitzero"`
	Operator string       `json:"operator,omitempty"`
}

// DecodeV1 reads a v1 body.
func DecodeV1(data []byte) (*policy.Policy, error) {
	var d struct {
		V1
		stored
	}
	if err := decode(data, &d); err != nil {
		return nil, err
	}
	return d.Policy()
}

// Policy gives the neutral policy, active and without id and account. It fails
// with Problems when the document has not exactly one subject and one resource.
func (d *V1) Policy() (*policy.Policy, error) {
	var bad policy.Problems
	one := func(field string, n int) {
		if n != 1 {
			bad = append(bad, policy.Problem{Field: field, Kind: policy.ProblemCount,
				Detail: fmt.Sprintf("exactly one is required, not %d", n)})
		}
	}
	one("subjects", len(d.Subjects))
	one("resources", len(d.Resources))
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return &policy.Policy{
		Version: policy.V1, Type: policy.Type(d.Type), State: policy.StateActive, Description: d.Description,
		Subject:  fromV1(d.Subjects[0].Attributes),
		Resource: fromV1(d.Resources[0].Attributes),
		Tags:     fromV1(d.Resources[0].Tags),
		RoleIDs:  roleIDs(d.Roles),
	}, nil
}

// ToV1 gives the v1 document of a policy that was written as one. Policies of
// the v2 schema have a Placeholder instead.
func ToV1(p *policy.Policy) *V1 {
	return &V1{
		Type: string(p.Type), Description: p.Description,
		Subjects:  []V1Subject{{Attributes: toV1(p.Subject)}},
		Roles:     roles(p.RoleIDs),
		Resources: []V1Resource{{Attributes: toV1(p.Resource), Tags: toV1(p.Tags)}},
	}
}

// What a v1 client sees in place of a v2 policy.
const (
	placeholderText    = "**This policy uses a newer policy version. Send a GET request to its href to read it.**"
	placeholderSubject = "unsupported version"
	placeholderRole    = "crn:v1:bluemix:public:iam::::role:UnsupportedVersion"
	placeholderName    = "Unsupported Version"
)

// Placeholder gives the v1 document that stands for a v2 policy in v1 answers.
// It shows the type and account and nothing else of the policy; the id, state
// and the v2 href around it are real.
func Placeholder(p *policy.Policy) *V1 {
	return &V1{
		Type: string(p.Type), Description: placeholderText,
		Subjects: []V1Subject{{Attributes: []V1Attribute{{Name: policy.AttrIAMID, Value: policy.String(placeholderSubject)}}}},
		Roles:    []Role{{RoleID: placeholderRole, DisplayName: placeholderName, Description: placeholderText}},
		Resources: []V1Resource{{Attributes: []V1Attribute{
			{Name: policy.AttrAccountID, Value: policy.String(p.Account)},
		}}},
	}
}

func fromV1(list []V1Attribute) []policy.Attribute {
	return each(list, func(a V1Attribute) policy.Attribute {
		return policy.Attribute{Key: a.Name, Operator: policy.Operator(a.Operator), Value: a.Value}
	})
}

func toV1(list []policy.Attribute) []V1Attribute {
	return each(list, func(a policy.Attribute) V1Attribute {
		return V1Attribute{Name: a.Key, Operator: string(a.Operator), Value: a.Value}
	})
}
