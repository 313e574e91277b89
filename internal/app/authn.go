package app

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/token"
)

// authenticator shows the token service's principals to the adapter.
type authenticator struct{ tokens *token.Service }

// Authenticate implements httpapi.Authenticator.
func (a authenticator) Authenticate(ctx context.Context, bearer string) (*httpapi.Caller, error) {
	p, err := a.tokens.Authenticate(ctx, bearer)
	if err != nil {
		return nil, err
	}
	return &httpapi.Caller{
		Subject: p.Subject, Name: p.Name, Email: p.Email, Session: p.Session, AuthnID: p.AuthnID, AuthnName: p.AuthnName,
		ClientID: p.ClientID, GrantType: p.GrantType, Expires: p.Expires,
	}, nil
}
