package account_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

func TestAnAccountJoinsOneEnterprise(t *testing.T) {
	s, db := newService(t)
	ctx := t.Context()
	create(t, s)
	found, err := s.Account(ctx, acct)
	if err != nil {
		t.Fatal(err)
	}
	join := func(a *account.Account) error {
		return db.Update(ctx, func(tx store.Tx) error {
			_, err := s.JoinIn(ctx, tx, a, "enterprise", "group")
			return err
		})
	}
	if err := join(found); err != nil {
		t.Fatal(err)
	}
	if err := join(found); !errors.Is(err, store.ErrMoved) {
		t.Errorf("the account as it was: %v", err)
	}
	a, err := s.Account(ctx, acct)
	if err != nil || a.Enterprise != "enterprise" || a.ParentGroup != "group" {
		t.Errorf("%+v, %v", a, err)
	}
	if err := join(a); !errors.Is(err, fault.Conflict) {
		t.Errorf("a second time: %v", err)
	}
}

func TestOnlyAnActiveAccountJoins(t *testing.T) {
	s, db := newService(t)
	ctx := t.Context()
	create(t, s)
	for _, state := range []string{account.Suspended, account.Pending, account.Canceled} {
		err := db.Update(ctx, func(tx store.Tx) error {
			if err := s.SetStateIn(ctx, tx, acct, state); err != nil {
				return err
			}
			a, err := account.Accounts.Get(ctx, tx, acct, acct)
			if err != nil {
				return err
			}
			_, err = s.JoinIn(ctx, tx, a, "enterprise", "")
			return err
		})
		if !errors.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", state, err)
		}
	}
	err := db.Update(ctx, func(tx store.Tx) error { return s.SetStateIn(ctx, tx, acct, "BROKEN") })
	if fault.Of(err).Field != "state" {
		t.Errorf("a state that there is not: %v", err)
	}
}

func TestAnAccountMayBeginWithADemand(t *testing.T) {
	s, _ := newService(t)
	n := newAccount()
	n.MFA = "LEVEL1"
	if _, err := s.Create(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	if set, err := s.Settings(t.Context(), acct); err != nil || set.MFA != "LEVEL1" {
		t.Errorf("%+v, %v", set, err)
	}
	n.ID, n.MFA = "", "LEVEL9"
	if _, err := s.Create(t.Context(), n); fault.Of(err).Field != "mfa" {
		t.Errorf("a demand that there is not: %v", err)
	}
}
