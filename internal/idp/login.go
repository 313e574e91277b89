package idp

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Longest values in bytes; the official service names no figures.
const (
	maxName  = 300
	maxAlias = 100
)

// Login gives the login settings of an account; an account that never set any
// has empty ones. fault.NotFound for an account that is not there.
func (s *Service) Login(ctx context.Context, accountID string) (out *LoginSettings, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		if _, err := accountOf(ctx, r, accountID); err != nil {
			return err
		}
		out, err = Logins.Get(ctx, r, accountID, accountID)
		if errors.Is(err, fault.NotFound) {
			out, err = &LoginSettings{Meta: store.Meta{Account: accountID, ID: accountID}}, nil
		}
		return err
	})
	return out, err
}

// LoginChange holds the login settings to change; nil leaves one as it is.
type LoginChange struct {
	Alias *string // "" takes the account's alias away
}

// Validate checks the form of the alias.
func (c LoginChange) Validate() error {
	if c.Alias == nil || *c.Alias == "" {
		return nil
	}
	if err := required("alias", *c.Alias, maxAlias); err != nil {
		return err
	}
	if strings.ContainsAny(*c.Alias, "/?#%\\ ") { // it is part of the login page's URL
		return fault.Field("alias", "Property 'alias' holds a character that is not permitted.")
	}
	return nil
}

// UpdateLogin changes login settings that were found. Errors: fault.Conflict
// when another account has the alias, store.ErrMoved.
func (s *Service) UpdateLogin(ctx context.Context, found *LoginSettings, checked valid.Of[LoginChange]) (*LoginSettings, error) {
	c := checked.Value()
	if c.Alias == nil || *c.Alias == found.Alias {
		return found, nil
	}
	next := *found
	next.Alias = *c.Alias
	err := s.db.Update(ctx, func(tx store.Tx) error { return next.put(ctx, tx) })
	if errors.Is(err, fault.Conflict) && !errors.Is(err, store.ErrMoved) {
		err = &fault.Error{Kind: fault.Conflict, Code: "conflict", Field: "alias", Message: "The alias is taken.",
			Details: fmt.Sprintf("Another account has the alias '%s'.", next.Alias)}
	}
	if err != nil {
		return nil, err
	}
	return &next, nil
}

// put writes settings with another alias, the first time too.
func (l *LoginSettings) put(ctx context.Context, tx store.Tx) error {
	ev := store.Event{
		Action: "iam-identity.login-settings.update", Name: l.Account, Params: []string{"alias"},
		CRN: crn.Of("iam-identity", l.Account, "settings", l.Account), Message: "IAM Identity Service: update login-settings " + l.Account,
	}
	if l.Version > 0 {
		return Logins.Update(ctx, tx, l, ev)
	}
	_, err := Logins.Get(ctx, tx, l.Account, l.ID)
	if err == nil {
		return fmt.Errorf("login settings were made meanwhile: %w", store.ErrMoved)
	}
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	return Logins.Create(ctx, tx, l, ev)
}

// required checks a text of one line that must not be empty.
func required(field, value string, most int) error {
	if strings.TrimSpace(value) == "" {
		return fault.Missing(field)
	}
	if len(value) > most {
		return fault.Field(field, "Property '%s' is longer than %d bytes.", field, most)
	}
	return valid.Line(field, value)
}
