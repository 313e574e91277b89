package idp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Longest values in bytes; the official service names no figures.
const (
	maxName  = 300
	maxAlias = 100
)

// Login gives the login settings of an account; an account that never set any
// has empty ones. fault.NotFound for an account that is not there.
func (s *Service) Login(ctx context.Context, accountID string) (out *LoginSettings, err error) {
	err = s.DB.View(ctx, func(r store.Reader) error {
		out, err = loginOf(ctx, r, accountID)
		return err
	})
	return out, err
}

func loginOf(ctx context.Context, r store.Reader, accountID string) (*LoginSettings, error) {
	if _, err := accountOf(ctx, r, accountID); err != nil {
		return nil, err
	}
	l, err := Logins.Get(ctx, r, accountID, accountID)
	if errors.Is(err, fault.NotFound) {
		return &LoginSettings{Meta: store.Meta{Account: accountID, ID: accountID}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading login settings: %w", err)
	}
	return l, nil
}

// CheckAlias checks the form of an alias; "" takes the account's alias away.
func CheckAlias(alias string) error {
	if alias == "" {
		return nil
	}
	if err := required("alias", alias, maxAlias); err != nil {
		return err
	}
	if strings.ContainsAny(alias, "/?#%\\ ") { // it is part of the login page's URL
		return fault.Field("alias", "Property 'alias' holds a character that is not permitted.")
	}
	return nil
}

// SetAlias changes the alias of an account. Errors: fault.Invalid,
// fault.NotFound for the account, fault.Conflict when another account has it.
func (s *Service) SetAlias(ctx context.Context, accountID, alias string) (l *LoginSettings, err error) {
	if err := CheckAlias(alias); err != nil {
		return nil, err
	}
	err = s.DB.Update(ctx, func(tx store.Tx) error {
		if l, err = loginOf(ctx, tx, accountID); err != nil || l.Alias == alias {
			return err
		}
		l.Alias = alias
		ev := store.Event{
			Action: "iam-identity.login-settings.update", Name: accountID, Params: []string{"alias"},
			CRN: crn.Of("iam-identity", accountID, "settings", accountID), Message: "IAM Identity Service: update login-settings " + accountID,
		}
		if l.Version == 0 {
			err = Logins.Create(ctx, tx, l, ev)
		} else {
			err = Logins.Update(ctx, tx, l, ev)
		}
		if errors.Is(err, fault.Conflict) {
			return &fault.Error{Kind: fault.Conflict, Code: "conflict", Field: "alias", Message: "The alias is taken.",
				Details: fmt.Sprintf("Another account has the alias '%s'.", alias)}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// required checks a text that must not be empty and refuses control
// characters, which would forge lines in logs and tables.
func required(field, value string, most int) error {
	if strings.TrimSpace(value) == "" {
		return fault.Missing(field)
	}
	if len(value) > most {
		return fault.Field(field, "Property '%s' is longer than %d bytes.", field, most)
	}
	if !utf8.ValidString(value) || strings.ContainsFunc(value, func(c rune) bool { return c < 0x20 || c == 0x7f }) {
		return fault.Field(field, "Property '%s' holds a control character.", field)
	}
	return nil
}
