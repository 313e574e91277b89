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
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

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

// stored is what answers carry around a document. Clients send it back with a
// document that they have read; it changes nothing.
type stored struct {
	ID                  any `json:"id"`
	Href                any `json:"href"`
	State               any `json:"state"`
	Version             any `json:"version"`
	CreatedAt           any `json:"created_at"`
	CreatedByID         any `json:"created_by_id"`
	LastModifiedAt      any `json:"last_modified_at"`
	LastModifiedByID    any `json:"last_modified_by_id"`
	LastPermitAt        any `json:"last_permit_at"`
	LastPermitFrequency any `json:"last_permit_frequency"`
	Template            any `json:"template"`
}

// decode reads JSON into a document. Faults are Problems, like those of
// policy.Validate. A property that the schema does not have is one: what is not
// understood (a condition, a rule sent to the v1 schema) was meant to narrow
// what the rest gives.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = io.ErrUnexpectedEOF // something follows
	}
	p := policy.Problem{Field: "body", Kind: policy.ProblemValue, Detail: "the body is not a policy document"}
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	unknown, isUnknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &wrongType):
		if wrongType.Field != "" {
			p.Field = strings.TrimPrefix(strings.TrimPrefix(wrongType.Field, "V1."), "V2.") // the embedded struct
		}
		p.Detail = "a JSON " + wrongType.Value + " is not expected here"
	case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		p.Detail = "the body is not valid JSON"
	case errors.Is(err, policy.ErrValueType):
		p.Detail = policy.ErrValueType.Error()
	case isUnknown:
		if name, err := strconv.Unquote(unknown); err == nil {
			p.Field = clip(name)
		}
		p.Kind, p.Detail = policy.ProblemUnknown, "the schema of this policy has no such property"
	}
	return policy.Problems{p}.Err()
}

// each converts a list; one that is absent stays so.
func each[A, B any](list []A, convert func(A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = convert(a)
	}
	return out
}

// clip shortens what a client sent for a message.
func clip(name string) string {
	const longest = 50
	if utf8.RuneCountInString(name) <= longest {
		return name
	}
	return string([]rune(name)[:longest]) + "…"
}
