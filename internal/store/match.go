package store

import (
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
)

// Match checks the entity tag that a client sends as precondition of a write.
// "*" means any version, and quotes around the tag are ignored. The error is
// fault.Stale for another tag and fault.Invalid for none: every operation that
// takes a precondition demands it.
func (m *Meta) Match(ifMatch string) error {
	switch tag := strings.Trim(ifMatch, `"`); tag {
	case "":
		return fault.Field("If-Match", "Header 'If-Match' is missing or empty.")
	case "*", m.Tag:
		return nil
	}
	return &fault.Error{Kind: fault.Stale, Code: "conflict", Field: "If-Match",
		Message: "The object was changed since it was read.",
		Details: "Header 'If-Match' does not hold the current entity tag of '" + m.ID + "'. Read the object again."}
}
