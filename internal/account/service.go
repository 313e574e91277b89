package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// Config is what a Service needs. DB is required.
type Config struct {
	DB  store.DB
	Now func() time.Time // nil: time.Now
	IDs id.Generator     // the zero value draws from crypto/rand
	// Departed takes what a user who leaves an account has in other packages out
	// of it, in the same transaction; nil: nothing.
	Departed func(ctx context.Context, tx store.Tx, accountID, iamID string) error
}

// Service owns accounts, their users and their settings. It is safe for
// concurrent use. It decides no access: its callers have asked already.
type Service struct {
	db       store.DB
	now      func() time.Time
	ids      id.Generator
	departed func(ctx context.Context, tx store.Tx, accountID, iamID string) error
}

// New makes the service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Departed == nil {
		c.Departed = func(context.Context, store.Tx, string, string) error { return nil }
	}
	return &Service{db: c.DB, now: c.Now, ids: c.IDs, departed: c.Departed}
}

// Audit actions of this package. IBM names the settings' one; the others
// follow the names of its account and user management services.
const (
	ActionAccountCreate  = "account-management.account.create"
	ActionAccountUpdate  = "account-management.account.update"
	ActionUserCreate     = "user-management.user.create"
	ActionUserUpdate     = "user-management.user.update"
	ActionUserDelete     = "user-management.user.delete"
	ActionLoginUpdate    = "user-management.user-login.update"
	ActionSettingsUpdate = "iam-identity.accountsettings.update"
)

// NewAccount says what account to make.
type NewAccount struct {
	ID   string // 32 lower-case hex digits; "" draws one
	Name string
	// Owner becomes the first user. Its ID is the owner's IAM id.
	Owner NewUser

	State             string // "" means ACTIVE
	MFA               string // that its settings begin with; "" means NONE
	Enterprise        string
	ParentGroup       string
	EnterpriseRoot    bool
	EnterpriseManaged bool
	Classic           string
}

// Create makes an account with its default settings and its owner's
// membership, in one transaction. Errors: fault.Invalid, fault.Conflict when
// the id is taken.
func (s *Service) Create(ctx context.Context, n NewAccount) (acct *Account, err error) {
	err = s.db.Update(ctx, func(tx store.Tx) error {
		acct, err = s.CreateIn(ctx, tx, n)
		return err
	})
	return acct, err
}

// CreateIn is Create inside a transaction.
func (s *Service) CreateIn(ctx context.Context, tx store.Tx, n NewAccount) (*Account, error) {
	if n.ID == "" {
		n.ID = s.ids.Hex(16)
	}
	if n.State == "" {
		n.State = Active
	}
	if err := n.validate(); err != nil {
		return nil, err
	}
	acct := &Account{
		Meta:  store.Meta{Account: n.ID, ID: n.ID, Name: n.Name, Owner: n.Owner.ID},
		State: n.State, Enterprise: n.Enterprise, ParentGroup: n.ParentGroup,
		EnterpriseRoot: n.EnterpriseRoot, EnterpriseManaged: n.EnterpriseManaged, Classic: n.Classic,
	}
	err := Accounts.Create(ctx, tx, acct, store.Event{Action: ActionAccountCreate, Message: "Account Management: create account " + n.Name})
	if errors.Is(err, fault.Conflict) {
		return nil, fault.New(fault.Conflict, "Account '%s' exists already.", n.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("storing account: %w", err)
	}
	// The settings are born with the account, so their birth is no event of its own.
	settings := DefaultSettings(n.ID)
	settings.MFA = cmp.Or(n.MFA, settings.MFA)
	if err := SettingsByAcct.Create(ctx, tx, settings, store.Silent); err != nil {
		return nil, fmt.Errorf("storing settings: %w", err)
	}
	_, err = putUser(ctx, tx, n.ID, n.Owner)
	return acct, err
}

func (n NewAccount) validate() error {
	if !id.IsAccount(n.ID) {
		return fault.Field("account_id", "Property 'account_id' must be 32 lower-case hexadecimal digits.")
	}
	if err := checkText("name", n.Name, 1, maxName); err != nil {
		return err
	}
	if err := checkState(n.State); err != nil {
		return err
	}
	if n.MFA != "" {
		if err := oneOf("mfa", n.MFA, MFALevels...); err != nil {
			return err
		}
	}
	return n.Owner.validate()
}

// Account gives one account, fault.NotFound if there is none.
func (s *Service) Account(ctx context.Context, accountID string) (acct *Account, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		acct, err = get(ctx, r, Accounts, "Account", accountID, accountID)
		return err
	})
	return acct, err
}

// get reads an object and words its absence for the client.
func get[T any](ctx context.Context, r store.Reader, c *store.Collection[T], what, accountID, objectID string) (*T, error) {
	if accountID == "" || objectID == "" {
		return nil, fault.NoObject(what, objectID)
	}
	obj, err := c.Get(ctx, r, accountID, objectID)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.NoObject(what, objectID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c.Kind(), err)
	}
	return obj, nil
}
