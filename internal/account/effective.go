package account

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What applies where an account has set nothing: the largest values of the
// SDK's texts, which the console shows as the defaults of the service.
const (
	DefaultSessionExpiration   = maxSessionExpiration * time.Second
	DefaultSessionInvalidation = maxSessionInvalidation * time.Second
	DefaultAccessToken         = maxAccessToken * time.Second
	DefaultRefreshToken        = maxRefreshToken * time.Second
)

// Effective gives the rules in force with the service's defaults in place of
// NOT_SET. max_sessions_per_identity stays NOT_SET: by default the number of
// sessions is not limited.
func (s *Settings) Effective() *Rules {
	e := *s.InForce()
	for i, value := range e.values().each() {
		*value = table[i].inForce(*value)
	}
	return &e
}

// SessionLifetime is the longest life of a login session.
func (s *Settings) SessionLifetime() time.Duration {
	return lifetime(s.InForce().SessionExpiration, DefaultSessionExpiration)
}

// SessionIdleTime is how long a login session lives without use.
func (s *Settings) SessionIdleTime() time.Duration {
	return lifetime(s.InForce().SessionInvalidation, DefaultSessionInvalidation)
}

// AccessTokenLifetime is the life of an access token outside of a login session.
func (s *Settings) AccessTokenLifetime() time.Duration {
	return lifetime(s.InForce().AccessTokenExpiration, DefaultAccessToken)
}

// RefreshTokenLifetime is the life of a refresh token outside of a login session.
func (s *Settings) RefreshTokenLifetime() time.Duration {
	return lifetime(s.InForce().RefreshTokenExpiration, DefaultRefreshToken)
}

// SessionLimit is the number of concurrent sessions of one identity;
// math.MaxInt without limit.
func (s *Settings) SessionLimit() int { return number(s.InForce().MaxSessions) }

// RestrictsServiceIDs tells whether creating a service ID needs the action
// iam-identity.serviceid.create.
func (s *Settings) RestrictsServiceIDs() bool {
	return s.InForce().RestrictCreateServiceID == Restricted
}

// RestrictsUserKeys tells whether creating an API key for oneself needs the
// action iam-identity.user-apikey.create.
func (s *Settings) RestrictsUserKeys() bool {
	return s.InForce().RestrictCreatePlatformAPIKey == Restricted
}

// MayInvite tells whether the settings let a person of a realm be invited.
func (s *Settings) MayInvite(realm, email string) bool {
	for _, d := range s.InForce().RestrictUserDomains {
		if d.RealmID != realm || !d.RestrictInvitation {
			continue
		}
		if !slices.ContainsFunc(d.InvitationEmailAllowPatterns, func(p string) bool { return MatchEmail(p, email) }) {
			return false
		}
	}
	return true
}

// MatchEmail compares an e-mail address with a pattern, without regard to
// case: '*' stands for any run without '.' and '@', '**' for any run, '?' for
// one character. It takes time in proportion to the product of the lengths.
func MatchEmail(pattern, email string) bool {
	tokens, text := emailTokens(strings.ToLower(pattern)), []rune(strings.ToLower(email))
	// reach[i] tells whether the tokens so far match the first i characters.
	reach := make([]bool, len(text)+1)
	reach[0] = true
	for _, t := range tokens {
		next := make([]bool, len(text)+1)
		for i := range next {
			switch t {
			case anyRun, shortRun:
				next[i] = reach[i] || i > 0 && next[i-1] && (t == anyRun || text[i-1] != '.' && text[i-1] != '@')
			case oneChar:
				next[i] = i > 0 && reach[i-1]
			default:
				next[i] = i > 0 && reach[i-1] && text[i-1] == t
			}
		}
		reach = next
	}
	return reach[len(text)]
}

// Wildcards of e-mail patterns, as values that no text holds.
const (
	anyRun   rune = -1
	shortRun rune = -2
	oneChar  rune = -3
)

func emailTokens(pattern string) []rune {
	var tokens []rune
	for pattern != "" {
		if rest, ok := strings.CutPrefix(pattern, "**"); ok {
			tokens, pattern = append(tokens, anyRun), rest
			continue
		}
		r, size := utf8.DecodeRuneInString(pattern)
		pattern = pattern[size:]
		switch r {
		case '*':
			r = shortRun
		case '?':
			r = oneChar
		}
		tokens = append(tokens, r)
	}
	return tokens
}

func lifetime(text string, otherwise time.Duration) time.Duration {
	if n := number(text); n < math.MaxInt {
		return time.Duration(n) * time.Second
	}
	return otherwise
}
