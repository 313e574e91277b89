package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// States of a user. Only an active user gets tokens in the account.
const (
	UserActive   = "ACTIVE"
	UserPending  = "PENDING"
	UserDisabled = "DISABLED"
)

// Longest values in bytes. 254 is the longest e-mail address (RFC 5321); IAM
// ids of the samples have under 64.
const (
	maxName  = 300
	maxEmail = 254
	maxIAMID = 256
)

// NewUser says who becomes a user of an account.
type NewUser struct {
	ID         string // IAM id, e.g. "IBMid-270000ABCD"
	Name       string // "" means given and family name, or else the e-mail address
	Email      string
	GivenName  string
	FamilyName string
	State      string // "" means ACTIVE
	AllowedIPs string
}

func (n NewUser) validate() error {
	if n.ID == "" {
		return fault.Missing("iam_id")
	}
	if err := checkText("iam_id", n.ID, 1, maxIAMID); err != nil {
		return err
	}
	if strings.HasPrefix(n.ID, id.IAMPrefix) || strings.HasPrefix(n.ID, id.CRNPrefix) || strings.ContainsAny(n.ID, "/ ") {
		return fault.Field("iam_id", "Property 'iam_id' is not the IAM ID of a user.")
	}
	if local, domain, ok := strings.Cut(n.Email, "@"); !ok || local == "" || domain == "" {
		return fault.Field("email", "Property 'email' is not an e-mail address.")
	}
	if err := checkText("email", n.Email, 3, maxEmail); err != nil {
		return err
	}
	switch n.State {
	case "", UserActive, UserPending, UserDisabled:
	default:
		return fault.Field("state", "Property 'state' must be ACTIVE, PENDING or DISABLED.")
	}
	for field, v := range map[string]string{"name": n.Name, "given_name": n.GivenName, "family_name": n.FamilyName} {
		if err := checkText(field, v, 0, maxName); err != nil {
			return err
		}
	}
	return CheckAddresses("allowed_ip_addresses", n.AllowedIPs)
}

func (n NewUser) displayName() string {
	if n.Name != "" {
		return n.Name
	}
	if full := strings.TrimSpace(n.GivenName + " " + n.FamilyName); full != "" {
		return full
	}
	return n.Email
}

// Elsewhere says how the person becomes a user of another account.
func (u *User) Elsewhere() NewUser {
	return NewUser{ID: u.ID, Name: u.Name, Email: u.Email, GivenName: u.GivenName, FamilyName: u.FamilyName}
}

// PutUser makes a person a user of an account, or replaces the membership.
// Errors: fault.Invalid, fault.NotFound for the account.
func (s *Service) PutUser(ctx context.Context, accountID string, n NewUser) (user *User, err error) {
	if err := n.validate(); err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if _, err := get(ctx, tx, Accounts, "Account", accountID, accountID); err != nil {
			return err
		}
		user, err = putUser(ctx, tx, accountID, n)
		return err
	})
	return user, err
}

func putUser(ctx context.Context, tx store.Tx, accountID string, n NewUser) (*User, error) {
	user, err := Users.Get(ctx, tx, accountID, n.ID)
	write, action, verb := Users.Update, ActionUserUpdate, "update"
	if errors.Is(err, fault.NotFound) {
		user, err = &User{Meta: store.Meta{Account: accountID, ID: n.ID, Owner: n.ID}}, nil
		write, action, verb = Users.Create, ActionUserCreate, "create"
	}
	if err != nil {
		return nil, fmt.Errorf("reading user: %w", err)
	}
	user.Name, user.Email, user.GivenName, user.FamilyName, user.AllowedIPs = n.displayName(), n.Email, n.GivenName, n.FamilyName, n.AllowedIPs
	if user.State = n.State; n.State == "" {
		user.State = UserActive
	}
	if err := write(ctx, tx, user, store.Event{Action: action, Message: "User Management: " + verb + " user " + user.Name}); err != nil {
		return nil, fmt.Errorf("storing user: %w", err)
	}
	return user, nil
}

// User gives a person's membership of an account, fault.NotFound if there is none.
func (s *Service) User(ctx context.Context, accountID, iamID string) (user *User, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		user, err = get(ctx, r, Users, "User", accountID, iamID)
		return err
	})
	return user, err
}

// RemoveUser ends a membership, with all that the user has in the account
// (Config.Departed). The owner cannot be removed (fault.Conflict); store.ErrMoved.
func (s *Service) RemoveUser(ctx context.Context, user *User) error {
	return Users.Remove(ctx, s.db, user, func(tx store.Tx) (ev store.Event, err error) {
		acct, err := get(ctx, tx, Accounts, "Account", user.Account, user.Account)
		if err != nil {
			return ev, err
		}
		if acct.Owner == user.ID {
			return ev, fault.New(fault.Conflict, "The owner of an account cannot be removed from it.")
		}
		ev = store.Event{Action: ActionUserDelete, Message: "User Management: delete user " + user.Name}
		return ev, s.departed(ctx, tx, user.Account, user.ID)
	})
}

// NewLogin is a person's local credential.
type NewLogin struct {
	IAMID, Email   string
	PasswordHash   string // what secret.Passwords.Hash gives; "" refuses password login
	DefaultAccount string
	// Realm vouches for the person, "" for that of the IAM id, and says the claims.
	Realm  string
	Claims []Claim
}

// SetLoginIn gives a person a local credential, or replaces it, inside a
// transaction. Errors: fault.Invalid, fault.Conflict when another person has the
// e-mail address.
func (s *Service) SetLoginIn(ctx context.Context, tx store.Tx, n NewLogin) error {
	if err := (NewUser{ID: n.IAMID, Email: n.Email}).validate(); err != nil {
		return err
	}
	login, err := Logins.Get(ctx, tx, store.System, n.IAMID)
	write := Logins.Update
	if errors.Is(err, fault.NotFound) {
		login, err, write = &Login{Meta: store.Meta{Account: store.System, ID: n.IAMID, Owner: n.IAMID}}, nil, Logins.Create
	}
	if err != nil {
		return fmt.Errorf("reading login: %w", err)
	}
	login.Name, login.Email, login.PasswordHash, login.DefaultAccount = n.Email, n.Email, n.PasswordHash, n.DefaultAccount
	login.Realm, login.Claims = n.Realm, n.Claims
	err = write(ctx, tx, login, store.Event{Action: ActionLoginUpdate, Message: "User Management: update login " + n.Email})
	if errors.Is(err, fault.Conflict) {
		return fault.New(fault.Conflict, "Another person has the e-mail address '%s'.", n.Email)
	}
	return err
}

// RenewPassword stores another hash of the password that a person has already.
// Nothing happens when the login was changed meanwhile.
func RenewPassword(ctx context.Context, db store.DB, found *Login, hash string) error {
	_, err := Logins.Edit(ctx, db, found, func(_ store.Tx, login *Login) (store.Event, error) {
		login.PasswordHash = hash
		return store.Event{Message: "User Management: renew the hash of a password"}, nil
	})
	if errors.Is(err, store.ErrMoved) {
		return nil
	}
	return err
}

// checkText bounds a text of one line.
func checkText(field, text string, least, most int) error {
	if len(text) < least {
		return fault.Missing(field)
	}
	if len(text) > most {
		return fault.Field(field, "Property '%s' is longer than %d bytes.", field, most)
	}
	return valid.Line(field, text)
}
