package policy

import (
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
)

// ProblemKind says what is wrong with a field of a document.
type ProblemKind string

// The kinds of problem. The first group is about form, the second about what
// the document says.
const (
	ProblemMissing  ProblemKind = "missing"  // a required field or attribute is not there
	ProblemUnknown  ProblemKind = "unknown"  // a word that has no meaning: type, operator, pattern, rule key
	ProblemValue    ProblemKind = "value"    // the value has the wrong type or cannot be read
	ProblemLength   ProblemKind = "length"   // the text is too short or too long
	ProblemCount    ProblemKind = "count"    // too few or too many of something
	ProblemPlace    ProblemKind = "place"    // known, but not allowed here
	ProblemConflict ProblemKind = "conflict" // not allowed together with another field

	ProblemRoleUnknown ProblemKind = "role_unknown" // no such role
	ProblemRoleMisfit  ProblemKind = "role_misfit"  // the role is not one of the policy's services
)

// Problem is one fault of a document.
type Problem struct {
	// Field is the path of the field in the document's own schema, for example
	// resources[0].attributes[1].value.
	Field  string
	Kind   ProblemKind
	Detail string
}

func (p Problem) String() string { return p.Field + ": " + p.Detail }

// Problems are all faults of a document, in document order.
type Problems []Problem

// maxTold is how many problems a text holds: nobody mends more at once.
const maxTold = 20

// Error lists the problems, at most maxTold of them.
func (p Problems) Error() string {
	var text []string
	for i, x := range p {
		if i == maxTold {
			text = append(text, fmt.Sprintf("and %d more", len(p)-maxTold))
			break
		}
		text = append(text, x.String())
	}
	return strings.Join(text, "; ")
}

// CodeInvalidBody is the error code of the policy API for bad documents.
const CodeInvalidBody = "invalid_body"

// Err makes the error that the domain returns: nil without problems, else a
// *fault.Error of kind Invalid about the first one, with all of them in its
// message and as its cause (errors.As finds the Problems).
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return &fault.Error{
		Kind: fault.Invalid, Code: CodeInvalidBody, Field: p[0].Field,
		Message: "Invalid body format. " + p.Error(), Cause: p,
	}
}

func (p *Problems) add(field string, kind ProblemKind, format string, args ...any) {
	*p = append(*p, Problem{Field: field, Kind: kind, Detail: fmt.Sprintf(format, args...)})
}
