package iamtoken

import (
	"context"
	"net/netip"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/token"
)

// Authenticator checks the bearer tokens of every API.
type Authenticator struct{ tokens *token.Service }

// NewAuthenticator makes one over a token service.
func NewAuthenticator(tokens *token.Service) Authenticator { return Authenticator{tokens} }

var _ httpapi.Authenticator = Authenticator{}

// Authenticate implements httpapi.Authenticator.
func (a Authenticator) Authenticate(ctx context.Context, bearer string, from netip.Addr) (*httpapi.Caller, error) {
	p, err := a.tokens.Authenticate(ctx, bearer, from)
	if err != nil {
		return nil, err
	}
	return &httpapi.Caller{
		Subject: p.Subject, Name: p.Name, Email: p.Email, Session: p.Session, AuthnID: p.AuthnID, AuthnName: p.AuthnName,
		ClientID: p.ClientID, GrantType: p.GrantType, Expires: p.Expires,
	}, nil
}
