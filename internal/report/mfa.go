package report

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
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

// MFAStatus tells how a user of an account stands towards its demand,
// fault.NotFound for who is no user of it.
func (s *Service) MFAStatus(ctx context.Context, accountID, iamID string) (*UserMFA, error) {
	const most = 256 // longest IAM id
	if iamID == "" {
		return nil, fault.Missing("iam_id")
	}
	if len(iamID) > most {
		return nil, fault.Field("iam_id", "Parameter 'iam_id' is longer than %d bytes.", most)
	}
	var out UserMFA
	err := s.DB.View(ctx, func(r store.Reader) error {
		settings, err := settingsOf(ctx, r, accountID)
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
		out = standing(settings, demands(settings), user)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// mfa gives the standing of all users of an account.
func (s *Service) mfa(ctx context.Context, accountID string) ([]UserMFA, error) {
	out := []UserMFA{}
	err := s.DB.View(ctx, func(r store.Reader) error {
		settings, err := settingsOf(ctx, r, accountID)
		if err != nil {
			return err
		}
		users, err := account.Users.List(ctx, r, store.Query{Account: accountID, Order: store.ByID})
		if err != nil {
			return fmt.Errorf("listing users: %w", err)
		}
		specific := demands(settings)
		for _, u := range users {
			out = append(out, standing(settings, specific, u))
		}
		return nil
	})
	return out, err
}

// settingsOf gives the settings that are in force in an account.
func settingsOf(ctx context.Context, r store.Reader, accountID string) (*account.Settings, error) {
	settings, err := account.SettingsByAcct.Get(ctx, r, accountID, accountID)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.NoObject("Account", accountID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	return settings.InForce(), nil
}

// demands are the demands for single users, by IAM id.
func demands(s *account.Settings) map[string]string {
	out := make(map[string]string, len(s.UserMFA))
	for _, u := range s.UserMFA {
		out[u.IAMID] = u.MFA
	}
	return out
}

func standing(s *account.Settings, specific map[string]string, u *account.User) UserMFA {
	out := UserMFA{IAMID: u.ID, Name: u.Name, Email: u.Email, Default: s.MFA, Specific: specific[u.ID]}
	if out.Default == "" || out.Default == account.NotSet {
		out.Default = "NONE"
	}
	out.Effective = out.Default
	if out.Specific != "" {
		out.Effective = out.Specific
	}
	switch out.Effective {
	case "NONE", "NONE_NO_ROPC":
		out.Complies = true
	case "TOTP": // demanded of users of the default realm only
		out.Complies = !strings.HasPrefix(u.ID, id.UserRealm)
	}
	return out
}
