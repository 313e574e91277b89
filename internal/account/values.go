package account

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
)

// Values holds the settings of an account, in the order of the wire. T is the
// form of a setting that is one text, M that of the demands for single users, D
// that of the restrictions of domains: texts where they count and are answered,
// pointers where a client changes some of them, what may be absent where a
// template lays some of them.
//
// A new setting that is one text is added here, three times: to Values, to each
// and to table. Storage, changes, templates and the wire follow.
type Values[T, M, D any] struct {
	RestrictCreateServiceID      T `json:"restrict_create_service_id,omitzero"`
	RestrictCreatePlatformAPIKey T `json:"restrict_create_platform_apikey,omitzero"`
	RestrictUserListVisibility   T `json:"restrict_user_list_visibility,omitzero"`
	AllowedIPAddresses           T `json:"allowed_ip_addresses,omitzero"`
	MFA                          T `json:"mfa,omitzero"`
	UserMFA                      M `json:"user_mfa,omitzero"`
	SessionExpiration            T `json:"session_expiration_in_seconds,omitzero"`
	SessionInvalidation          T `json:"session_invalidation_in_seconds,omitzero"`
	MaxSessions                  T `json:"max_sessions_per_identity,omitzero"`
	AccessTokenExpiration        T `json:"system_access_token_expiration_in_seconds,omitzero"`
	RefreshTokenExpiration       T `json:"system_refresh_token_expiration_in_seconds,omitzero"`
	RestrictUserDomains          D `json:"restrict_user_domains,omitzero"`
}

// each gives the settings that are one text, in the order of table.
func (v *Values[T, M, D]) each() []*T {
	return []*T{
		&v.RestrictCreateServiceID, &v.RestrictCreatePlatformAPIKey, &v.RestrictUserListVisibility, &v.AllowedIPAddresses, &v.MFA,
		&v.SessionExpiration, &v.SessionInvalidation, &v.MaxSessions, &v.AccessTokenExpiration, &v.RefreshTokenExpiration,
	}
}

// CopyTexts writes the settings that are one text in another form. The two
// lists are the caller's.
func CopyTexts[T, M, D, U, N, E any](to *Values[U, N, E], from *Values[T, M, D], form func(T) U) {
	target := to.each()
	for i, v := range from.each() {
		*target[i] = form(*v)
	}
}

// setting is what is to be known of a setting that is one text.
type setting struct {
	name string
	born string // the value in a new account
	// usual is in force where nothing is set.
	usual string
	// check judges a given value and gives it in its plain form; laid does so for
	// templates, nil: like check.
	check, laid func(name, value string) (string, error)
	// rank orders values by how much they restrict: of two the higher is in
	// force. What says nothing is lowest.
	rank func(value string) int
}

// inForce gives what a value means: its plain form, or what is usual.
func (t *setting) inForce(value string) string {
	if t.rank(value) == t.rank("") {
		return t.usual
	}
	if plain, err := t.check(t.name, value); err == nil {
		return plain
	}
	return value
}

var table = []setting{
	restriction("restrict_create_service_id", NotSet),
	restriction("restrict_create_platform_apikey", NotSet),
	restriction("restrict_user_list_visibility", NotRestricted),
	{name: "allowed_ip_addresses", check: addresses, rank: func(value string) int { return min(len(value), 1) }},
	{name: "mfa", born: MFANone, usual: MFANone, check: choice(MFALevels...), rank: rankMFA},
	bound("session_expiration_in_seconds", minSeconds, maxSessionExpiration, strconv.Itoa(maxSessionExpiration)),
	bound("session_invalidation_in_seconds", minSeconds, maxSessionInvalidation, strconv.Itoa(maxSessionInvalidation)),
	bound("max_sessions_per_identity", 1, maxSessions, NotSet),
	bound("system_access_token_expiration_in_seconds", minSeconds, maxAccessToken, strconv.Itoa(maxAccessToken)),
	bound("system_refresh_token_expiration_in_seconds", minSeconds, maxRefreshToken, strconv.Itoa(maxRefreshToken)),
}

// restriction is a setting that restricts something or does not. Templates may
// leave it open; an account's own settings only where a new account does.
func restriction(name, born string) setting {
	s := setting{name: name, born: born, usual: NotRestricted, check: choice(Restricted, NotRestricted, NotSet)}
	if born != NotSet {
		s.check, s.laid = choice(Restricted, NotRestricted), s.check
	}
	s.rank = func(value string) int { return slices.Index([]string{NotRestricted, Restricted}, value) }
	return s
}

// bound is a setting that is a largest number.
func bound(name string, from, to int, usual string) setting {
	return setting{
		name: name, born: NotSet, usual: usual,
		check: func(name, value string) (string, error) { return inRange(name, value, from, to) },
		rank:  func(value string) int { return -number(value) },
	}
}

func choice(allowed ...string) func(name, value string) (string, error) {
	return func(name, value string) (string, error) { return value, oneOf(name, value, allowed...) }
}

func oneOf(name, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fault.Field(name, "Property '%s' must be one of %s.", name, strings.Join(allowed, ", "))
}

// inRange takes a whole number, and gives it without leading zeros, or NOT_SET.
func inRange(name, value string, from, to int) (string, error) {
	if value == NotSet {
		return value, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || strings.Trim(value, "0123456789") != "" || n < from || n > to {
		return "", fault.Field(name, "Property '%s' must be a whole number from %d to %d, or %s.", name, from, to, NotSet)
	}
	return strconv.Itoa(n), nil
}

func addresses(name, value string) (string, error) { return value, CheckAddresses(name, value) }

// number reads a setting as a bound: what is not set bounds nothing.
func number(text string) int {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return n
	}
	return math.MaxInt
}
