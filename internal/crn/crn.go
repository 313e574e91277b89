// Package crn parses and prints Cloud Resource Names: ten colon-separated
// segments that name a resource. It owns no knowledge of services.
package crn

import (
	"errors"
	"strings"
)

// CRN is a parsed name. Empty segments stay empty; Resource may hold colons
// and slashes of its own.
type CRN struct {
	Version, CName, CType, Service, Region, Scope, Instance, ResourceType, Resource string
}

// MaxLength bounds the names that Parse takes. Longer ones are refused: no
// public sample is near it, and every policy look-up would pay for it.
const MaxLength = 1024

// Parse reads "crn:v1:cname:ctype:service:region:scope:instance:type:resource".
func Parse(s string) (CRN, error) {
	if len(s) > MaxLength {
		return CRN{}, errors.New("CRN is longer than 1024 bytes")
	}
	for _, c := range []byte(s) {
		if c < 0x20 || c == 0x7f {
			return CRN{}, errors.New("CRN holds a control character")
		}
	}
	p := strings.SplitN(s, ":", 10)
	if len(p) != 10 || p[0] != "crn" || p[1] != "v1" {
		return CRN{}, errors.New("CRN must have ten segments that begin with crn:v1")
	}
	return CRN{p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9]}, nil
}

// String prints the ten segments; it is the inverse of Parse.
func (c CRN) String() string {
	return strings.Join([]string{"crn", c.Version, c.CName, c.CType, c.Service, c.Region, c.Scope, c.Instance, c.ResourceType, c.Resource},
		":")
}

// Account gives the account of an "a/<account>" scope, "" for other scopes.
func (c CRN) Account() string {
	account, ok := strings.CutPrefix(c.Scope, "a/")
	if !ok {
		return ""
	}
	return account
}

// Of makes the name of an object of a global account-management service,
// e.g. Of("iam-identity", account, "apikey", id).
func Of(service, account, resourceType, resource string) string {
	return "crn:v1:bluemix:public:" + service + "::a/" + account + "::" + resourceType + ":" + resource
}
