package account_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

const (
	acct  = "0123456789abcdef0123456789abcdef"
	owner = "IBMid-270000OWNR"
)

func newService(t *testing.T) (*account.Service, store.DB) {
	t.Helper()
	db, err := sqlitestore.Open(context.Background(), sqlitestore.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return account.New(account.Config{DB: db, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }}), db
}

func newAccount() account.NewAccount {
	return account.NewAccount{ID: acct, Name: "Acme", Owner: account.NewUser{ID: owner, Email: "ann@example.com", GivenName: "Ann",
		FamilyName: "Own"}}
}

func create(t *testing.T, s *account.Service) {
	t.Helper()
	if _, err := s.Create(context.Background(), newAccount()); err != nil {
		t.Fatal(err)
	}
}

func TestNewAccountHasOwnerAndDefaultSettings(t *testing.T) {
	s, db := newService(t)
	ctx := context.Background()
	create(t, s)

	a, err := s.Account(ctx, acct)
	if err != nil || a.Owner != owner || a.State != account.Active {
		t.Fatalf("account: %+v, %v", a, err)
	}
	u, err := s.User(ctx, acct, owner)
	if err != nil || u.Name != "Ann Own" || u.State != account.UserActive {
		t.Fatalf("owner: %+v, %v", u, err)
	}
	set, err := s.Settings(ctx, acct)
	if err != nil {
		t.Fatal(err)
	}
	want := account.DefaultSettings(acct)
	want.Meta = set.Meta
	if diff := cmp.Diff(want, set); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	events, err := db.Events(ctx, acct, 0, 10)
	if err != nil || len(events) != 3 {
		t.Fatalf("one transaction writes account, settings and owner: %d events, %v", len(events), err)
	}
	if _, err := s.Create(ctx, newAccount()); !errors.Is(err, fault.Conflict) {
		t.Errorf("same id again: %v", err)
	}
}

func TestAccountWithoutIDDrawsOne(t *testing.T) {
	s, _ := newService(t)
	n := newAccount()
	n.ID = ""
	a, err := s.Create(context.Background(), n)
	if err != nil || len(a.ID) != 32 || a.ID != a.Account {
		t.Fatalf("got %+v, %v", a, err)
	}
}

func TestWrongAccountIsRefused(t *testing.T) {
	s, db := newService(t)
	for field, spoil := range map[string]func(*account.NewAccount){
		"account_id": func(n *account.NewAccount) { n.ID = "InvalidID" },
		"name":       func(n *account.NewAccount) { n.Name = "" },
		"state":      func(n *account.NewAccount) { n.State = "BROKEN" },
		"iam_id":     func(n *account.NewAccount) { n.Owner.ID = "iam-ServiceId-1" },
		"email":      func(n *account.NewAccount) { n.Owner.Email = "ann" },
	} {
		n := newAccount()
		spoil(&n)
		if _, err := s.Create(context.Background(), n); fault.Of(err).Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	if head, err := db.Head(context.Background(), acct); head != 0 || err != nil {
		t.Errorf("a refused account left %d events, %v", head, err)
	}
}

func TestUsersComeChangeAndGo(t *testing.T) {
	s, db := newService(t)
	ctx := context.Background()
	create(t, s)
	bob := account.NewUser{ID: "IBMid-270000BOB1", Email: "bob@example.com"}
	if _, err := s.PutUser(ctx, acct, bob); err != nil {
		t.Fatal(err)
	}
	bob.State = account.UserDisabled
	u, err := s.PutUser(ctx, acct, bob)
	if err != nil || u.State != account.UserDisabled || u.Name != "bob@example.com" || u.Version != 2 {
		t.Fatalf("changed user: %+v, %v", u, err)
	}
	if n, err := account.Users.Count(ctx, db.Direct(), store.Query{Account: acct}); err != nil || n != 2 {
		t.Fatalf("users: %d, %v", n, err)
	}
	ann, err := s.User(ctx, acct, owner)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveUser(ctx, ann); !errors.Is(err, fault.Conflict) {
		t.Errorf("removing the owner: %v", err)
	}
	if err := s.RemoveUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveUser(ctx, u); !errors.Is(err, store.ErrMoved) {
		t.Errorf("removing one who is not there any more: %v", err)
	}
	if _, err := s.User(ctx, acct, bob.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("removed user: %v", err)
	}
	if _, err := s.PutUser(ctx, "ffffffffffffffffffffffffffffffff", bob); !errors.Is(err, fault.NotFound) {
		t.Errorf("user of an unknown account: %v", err)
	}
}

func TestLoginIsFoundByEmailWithoutCase(t *testing.T) {
	s, db := newService(t)
	ctx := context.Background()
	set := func(iamID, email string) error {
		return db.Update(ctx, func(tx store.Tx) error {
			return s.SetLoginIn(ctx, tx, account.NewLogin{IAMID: iamID, Email: email, PasswordHash: "hash", DefaultAccount: acct})
		})
	}
	for range 2 { // the second call replaces
		if err := set(owner, "Ann@Example.com"); err != nil {
			t.Fatal(err)
		}
	}
	err := db.View(ctx, func(r store.Reader) error {
		l, err := account.Logins.Lookup(ctx, r, account.EmailKey("ann@EXAMPLE.com"))
		if err == nil && (l.ID != owner || l.DefaultAccount != acct) {
			t.Errorf("got %+v", l)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := set("IBMid-270000BOB1", "ann@example.com"); !errors.Is(err, fault.Conflict) {
		t.Errorf("second person with the address: %v", err)
	}
}
