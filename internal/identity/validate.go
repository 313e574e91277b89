package identity

import (
	"slices"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/valid"
)

// Longest values in bytes. The official service names no figures but for own
// API key values; these keep index rows and page tokens small.
const (
	maxID          = 512 // the stores' own bound on ids
	maxName        = 300
	maxDescription = 1000
	maxEmail       = 254 // RFC 5321
	maxIAMID       = 256
	maxValue       = 1024
	minValue       = 32 // SDK text of create_api_key
)

// text checks a property's length and what it holds; descriptions may have line
// breaks.
func text(field, value string, most int) error {
	if len(value) > most {
		return fault.Field(field, "Property '%s' is longer than %d bytes.", field, most)
	}
	if strings.HasSuffix(field, "description") {
		return valid.Prose(field, value)
	}
	return valid.Line(field, value)
}

// required is text for a property that must not be empty.
func required(field, value string, most int) error {
	if strings.TrimSpace(value) == "" {
		return fault.Missing(field)
	}
	return text(field, value, most)
}

// optionalName checks the name of a change: it may be left out, not emptied.
func optionalName(name *string) error {
	if name == nil {
		return nil
	}
	return required("name", *name, maxName)
}

func optionalText(field string, value *string, most int) error {
	if value == nil {
		return nil
	}
	return text(field, *value, most)
}

// described checks name and description of a change.
func described(name, description *string) error {
	if err := optionalName(name); err != nil {
		return err
	}
	return optionalText("description", description, maxDescription)
}

func oneOf(field, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fault.Field(field, "'%s' must be one of %s.", field, strings.Join(allowed, ", "))
}

// CheckAccount checks the form of an account id in a request.
func CheckAccount(field, accountID string) error {
	if accountID == "" {
		return fault.Missing(field)
	}
	if !id.IsAccount(accountID) {
		return fault.Field(field, "'%s' is not the ID of an account.", field)
	}
	return nil
}

// clip shortens a client's text for a message.
func clip(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return strings.ToValidUTF8(s, "")
}

// expiryLayouts are the forms of expires_at: the documented one has minutes
// and an offset without colon; the official suites send seconds.
var expiryLayouts = []string{
	"2006-01-02T15:04-0700", "2006-01-02T15:04:05-0700",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00",
	"2006-01-02T15:04-07", "2006-01-02T15:04:05-07",
}

// parseExpiry reads expires_at; "" is the zero time (never).
func parseExpiry(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if len(text) <= 40 {
		for _, layout := range expiryLayouts {
			// Years before 1970 could be the zero time, which means never.
			if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, fault.Field("expires_at", "Property 'expires_at' must be a time in the form yyyy-MM-ddTHH:mm+0000.")
}
