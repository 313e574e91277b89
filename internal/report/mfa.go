package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// UserMFA tells how a user stands towards the account's demand for a second
// factor. This server enrols nobody: a user complies when none is demanded.
type UserMFA struct {
	IAMID string `json:"iam_id"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	// Default is the demand of the account, Specific the one for this user ("":
	// none), Effective the one that counts; see account.MFALevels.
	Default   string `json:"default"`
	Specific  string `json:"specific,omitempty"`
	Effective string `json:"effective"`
	Complies  bool   `json:"complies"`
}

// IAMID is the IAM id of whose standing is asked for.
type IAMID string

// Validate demands one of a length that there may be.
func (i IAMID) Validate() error {
	const most = 256
	if i == "" {
		return fault.Missing("iam_id")
	}
	if len(i) > most {
		return fault.Field("iam_id", "Parameter 'iam_id' is longer than %d bytes.", most)
	}
	return nil
}

// MFAStatus tells how a user of an account stands towards its demand,
// fault.NotFound for who is no user of it.
func (s *Service) MFAStatus(ctx context.Context, accountID string, whose valid.Of[IAMID]) (*UserMFA, error) {
	iamID := string(whose.Value())
	var out UserMFA
	err := s.db.View(ctx, func(r store.Reader) error {
		rules, err := rulesOf(ctx, r, accountID)
		if err != nil {
			return err
		}
		user, err := account.Users.Get(ctx, r, accountID, iamID)
		if errors.Is(err, fault.NotFound) {
			return fault.NoObject("User", iamID)
		}
		if err != nil {
			return fmt.Errorf("reading user: %w", err)
		}
		out = mfaOf(rules, user)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// mfa judges all users of an account.
func (s *Service) mfa(ctx context.Context, accountID string) ([]UserMFA, error) {
	out := []UserMFA{}
	err := s.db.View(ctx, func(r store.Reader) error {
		rules, err := rulesOf(ctx, r, accountID)
		if err != nil {
			return err
		}
		users, err := account.Users.List(ctx, r, store.Query{Account: accountID, Order: store.ByID})
		if err != nil {
			return fmt.Errorf("listing users: %w", err)
		}
		for _, u := range users {
			out = append(out, mfaOf(rules, u))
		}
		return nil
	})
	return out, err
}

// rulesOf gives the rules that are in force in an account.
func rulesOf(ctx context.Context, r store.Reader, accountID string) (*account.Rules, error) {
	settings, err := account.SettingsByAcct.Get(ctx, r, accountID, accountID)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.NoObject("Account", accountID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	return settings.InForce(), nil
}

func mfaOf(rules *account.Rules, u *account.User) UserMFA {
	d := rules.MFAOf(u.ID)
	return UserMFA{
		IAMID: u.ID, Name: u.Name, Email: u.Email,
		Default: d.Default, Specific: d.Specific, Effective: d.Effective, Complies: !d.Factor,
	}
}
