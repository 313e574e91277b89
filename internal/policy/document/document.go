// Package document translates the v1 and v2 JSON documents of the policy API
// to and from the neutral policy of package policy. Attributes, tags and roles
// keep their order, and a value keeps the JSON type it was sent in, because
// clients compare what they read with what they wrote.
//
// It checks only what the neutral policy cannot represent; policy.Validate
// judges the rest. It does not own the metadata around a document (id, href,
// dates, entity tag) nor any endpoint.
package document

import (
	"encoding/json"
	"errors"

	"github.com/kagiban/kagiban/internal/policy"
)

// Role is a role of a document. Clients send only the id; answers may carry the
// rest.
type Role struct {
	RoleID      string   `json:"role_id"`
	DisplayName string   `json:"display_name,omitempty"`
	Description string   `json:"description,omitempty"`
	Actions     []Action `json:"actions,omitempty"`
}

// Action is an action of a role in answers with format=display.
type Action struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	Description string `json:"description"`
}

func roles(ids []string) []Role {
	out := make([]Role, len(ids))
	for i, id := range ids {
		out[i].RoleID = id
	}
	return out
}

func roleIDs(roles []Role) []string {
	if roles == nil {
		return nil
	}
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = r.RoleID
	}
	return out
}

// decode reads JSON into a document. Faults are Problems, like those of
// policy.Validate.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	p := policy.Problem{Field: "body", Kind: policy.ProblemValue, Detail: "the body is not a policy document"}
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &wrongType):
		if wrongType.Field != "" {
			p.Field = wrongType.Field
		}
		p.Detail = "a JSON " + wrongType.Value + " is not expected here"
	case errors.As(err, &syntax):
		p.Detail = "the body is not valid JSON"
	case errors.Is(err, policy.ErrValueType):
		p.Detail = policy.ErrValueType.Error()
	}
	return policy.Problems{p}.Err()
}
