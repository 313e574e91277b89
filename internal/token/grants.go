package token

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
)

// Grant types, as they stand in grant_type.
const (
	urn               = "urn:ibm:params:oauth:grant-type:"
	GrantAPIKey       = urn + "apikey"
	GrantAssume       = urn + "assume"
	GrantPasscode     = urn + "passcode"
	GrantDelegated    = urn + "delegated-refresh-token"
	GrantCRToken      = urn + "cr-token"
	GrantIAMAuthz     = urn + "iam-authz"
	GrantRefreshToken = "refresh_token"
	GrantPassword     = "password"
)

// grant finds out who asks. Everything else is the same for all grants and
// stands in Issue.
type grant interface {
	// login judges the request's credential.
	login(ctx context.Context, s *Service, r *Request, client *oauth.Client) (*login, error)
}

// login is what a grant found out.
type login struct {
	session.Lineage
	standing *standing
	// grant is the claim grant_type, action the audit action.
	grant, action string
	// presented is the id of the API key that was shown, "" if none.
	presented string
	// claims are prepared already, nil otherwise.
	claims claimSet
	// fresh tells that a credential was presented which may begin a login
	// session; a refresh goes on with the one it has, or without.
	fresh bool
	// interactive marks a person's login, which MFA applies to.
	interactive bool
	// redeems is the refresh token that is exchanged, zero if none.
	redeems secret.Value
	family  string
	idToken bool
	// once forbids refresh tokens and sessions.
	once bool
	// actors are the identities that it goes through, beside who assumed a profile.
	actors []Actor
	// keyEnds is when the API key behind it expires, zero for never.
	keyEnds time.Time
	// realm vouches for a person who logs in and said these claims.
	realm string
	said  []account.Claim
}

// grantTable holds the grants. cr-token is known and not offered by this
// version.
func grantTable() map[string]grant {
	return map[string]grant{
		GrantAPIKey:       apiKeyGrant{},
		GrantRefreshToken: refreshGrant{},
		GrantAssume:       assumeGrant{},
		GrantPassword:     passwordGrant{},
		GrantPasscode:     passcodeGrant{},
		GrantDelegated:    delegatedGrant{},
		GrantCRToken:      unbuiltGrant{GrantCRToken},
		GrantIAMAuthz:     serviceGrant{},
	}
}

// GrantTypes gives the grant types that work, in order.
func (s *Service) GrantTypes() []string {
	names := slices.Sorted(maps.Keys(s.grants))
	return slices.DeleteFunc(names, func(name string) bool { _, not := s.grants[name].(unbuiltGrant); return not })
}

func (s *Service) grant(name string) (grant, error) {
	if name == "" {
		return nil, errMissing("grant_type")
	}
	if g, ok := s.grants[name]; ok {
		return g, nil
	}
	return nil, errValue("grant_type", name, s.GrantTypes()...)
}

// unbuiltGrant is known to clients and not offered yet.
type unbuiltGrant struct{ name string }

func (g unbuiltGrant) login(context.Context, *Service, *Request, *oauth.Client) (*login, error) {
	return nil, &fault.Error{Kind: fault.Invalid, Number: "BXNIM0106E", Field: "grant_type",
		Message: "Grant type '" + g.name + "' is known to this server and not offered by this version.",
		Details: "Grant type '" + strings.TrimPrefix(g.name, urn) + "' is not offered yet."}
}

// bound tells whether a login may not change its account.
func bound(l *session.Lineage) bool {
	return l.Origin == GrantAPIKey || l.Origin == GrantAssume || l.Origin == GrantIAMAuthz || l.Authn != nil
}
