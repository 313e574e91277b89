package store_test

import (
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

func TestPreconditionMustNameTheCurrentVersion(t *testing.T) {
	m := &store.Meta{ID: "Profile-1", Tag: "2-0123456789abcdef0123456789abcdef"}
	for given, want := range map[string]error{
		"":                                     fault.Invalid,
		`""`:                                   fault.Invalid,
		"*":                                    nil,
		"2-0123456789abcdef0123456789abcdef":   nil,
		`"2-0123456789abcdef0123456789abcdef"`: nil,
		"1-0123456789abcdef0123456789abcdef":   fault.Stale,
		"2":                                    fault.Stale,
		"dummy":                                fault.Stale,
	} {
		if err := m.Match(given); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", given, err, want)
		}
	}
}
