package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Founder is who an installation begins with. Email is required.
type Founder struct {
	Email string
	Name  string // "": the e-mail address
	// Account is the name of the account, "": the founder's name.
	Account string
}

// First is what Init made.
type First struct {
	Account, IAMID, Email string
	KeyID                 string
	Key                   secret.Value // stored nowhere
}

// ErrInitialized says that the installation has an account already.
var ErrInitialized = errors.New("this installation has its first account already; nothing was changed")

// founding is the mark that Init leaves, so that of two at the same time one
// finds it.
type founding struct {
	store.Meta
	Account string `json:"account_id"`
}

// firstAccount is the id of the mark.
const firstAccount = "first-account"

var foundings = store.NewCollection[founding]("founding", nil)

// Init makes the first account with its owner and an API key, in one
// transaction, and the schema before if need be. It fails with ErrInitialized
// when there is an account.
func Init(ctx context.Context, s *config.Settings, f Founder) (_ *First, err error) {
	if err := f.fill(); err != nil {
		return nil, err
	}
	set := *s
	set.AutoMigrate = true
	db, err := openStore(ctx, &set, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	secrets, err := openSecrets(ctx, db, set.MasterKeys)
	if err != nil {
		return nil, err
	}
	hasher, err := secrets.hasher(secret.PurposeAPIKey)
	if err != nil {
		return nil, err
	}
	var ids id.Generator
	first := &First{Account: ids.Hex(16), IAMID: id.UserRealm + userNumber(ids), Email: f.Email}
	err = db.Update(ctx, func(tx store.Tx) error { return begin(ctx, db, tx, f, first, hasher) })
	if errors.Is(err, fault.Conflict) {
		return nil, ErrInitialized
	}
	if err != nil {
		return nil, fmt.Errorf("making the first account: %w", err)
	}
	return first, nil
}

func (f *Founder) fill() error {
	f.Email = strings.TrimSpace(f.Email)
	if at := strings.LastIndexByte(f.Email, '@'); at < 1 || at == len(f.Email)-1 || len(f.Email) > 254 ||
		strings.ContainsAny(f.Email, " \t\r\n<>,;") {
		return fmt.Errorf("%q is not an e-mail address", f.Email)
	}
	if f.Name == "" {
		f.Name = f.Email
	}
	if f.Account == "" {
		f.Account = f.Name
	}
	return nil
}

// userNumber gives the part after the realm: ten upper-case hex digits fit the
// form that official clients check (ten of A-Z and 0-9).
func userNumber(ids id.Generator) string { return strings.ToUpper(ids.Hex(5)) }

// begin makes what an installation begins with, in a transaction.
func begin(ctx context.Context, db store.DB, tx store.Tx, f Founder, first *First, hasher *secret.Hasher) error {
	n, err := account.Accounts.Count(ctx, tx, store.Query{})
	if err != nil {
		return err
	}
	if n > 0 {
		return fault.Conflict
	}
	ctx = store.WithOrigin(ctx, store.Origin{IAMID: first.IAMID, Name: first.Email, Account: first.Account, Operation: "init"})
	at, owner := first.Account, first.IAMID
	mark := &founding{Meta: store.Meta{Account: store.System, ID: firstAccount}, Account: at}
	if err := foundings.Create(ctx, tx, mark, store.Event{Action: "kagiban.founding.create",
		Message: "Kagiban: begin the installation"}); err != nil {
		return err
	}
	accounts := account.New(account.Config{})
	if _, err := accounts.CreateIn(ctx, tx, account.NewAccount{ID: at, Name: f.Account,
		Owner: account.NewUser{ID: owner, Name: f.Name, Email: f.Email}}); err != nil {
		return err
	}
	if err := accounts.SetLoginIn(ctx, tx, account.NewLogin{IAMID: owner, Email: f.Email, DefaultAccount: at}); err != nil {
		return err
	}
	key, err := valid.Check(identity.NewAPIKey{IAMID: owner, Account: at, Traits: identity.KeyTraits{
		Name: new("first-key"), Description: new("Made with the account"), ActionWhenLeaked: new(identity.LeakNone)}})
	if err != nil {
		return err
	}
	made, value, err := identity.New(identity.Config{DB: store.Joined(db, tx), Hasher: hasher}).CreateAPIKey(ctx, asker.System, key)
	if err != nil {
		return err
	}
	first.KeyID, first.Key = made.ID, value
	return nil
}
