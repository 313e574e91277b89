package identity_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

// The accounts of a trusted user say from where it may assume the profile: who
// could change them would change whom the enterprise trusts.
func TestAnAccountCannotChangeWhomTheEnterpriseTrusts(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	const elsewhere = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	given := identity.TrustSpec{Type: identity.TrustUser, Identifier: user, Accounts: []string{acct}, Description: "auditor"}
	var p *identity.Profile
	if err := s.DB.Update(ctx, func(tx store.Tx) (err error) {
		p, err = s.LayProfile(ctx, tx, acct, "", &identity.ManagedProfile{Name: "audit", Trusts: []identity.TrustSpec{given}, Template: "t", Assignment: "a",
			Controls: identity.DefaultControls})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	wider := given
	wider.Accounts = []string{acct, elsewhere}
	if _, err := s.SetTrust(ctx, p.ID, wider); !errors.Is(err, fault.Forbidden) {
		t.Errorf("setting the trusted identity: %v", err)
	}
	if _, _, err := s.SetTrusts(ctx, p.ID, "*", []identity.TrustSpec{wider}); !errors.Is(err, fault.Forbidden) {
		t.Errorf("setting all trusted identities: %v", err)
	}
	own := identity.TrustSpec{Type: identity.TrustUser, Identifier: user + "2"}
	if _, trusts, err := s.SetTrusts(ctx, p.ID, "*", []identity.TrustSpec{given, own}); err != nil || len(trusts) != 2 {
		t.Errorf("sending what is there with one more: %v", err)
	}
	trust, err := s.Trust(ctx, p.ID, identity.TrustUser, user)
	if err != nil || !trust.Managed || len(trust.Accounts) != 1 || trust.Accounts[0] != acct {
		t.Errorf("afterwards: %+v, %v", trust, err)
	}
}

// Each trust is written once: half as many rows where an enterprise of 10,000
// accounts gets a profile.
func TestATemplatesTrustIsWrittenOnce(t *testing.T) {
	s, _ := newService(t)
	ctx := context.Background()
	given := identity.TrustSpec{Type: identity.TrustUser, Identifier: user, Accounts: []string{acct}}
	var p *identity.Profile
	if err := s.DB.Update(ctx, func(tx store.Tx) (err error) {
		p, err = s.LayProfile(ctx, tx, acct, "", &identity.ManagedProfile{Name: "audit", Trusts: []identity.TrustSpec{given}, Template: "t"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	trust, err := s.Trust(ctx, p.ID, identity.TrustUser, user)
	if err != nil || !trust.Managed || trust.Version != 1 {
		t.Errorf("%+v, %v", trust, err)
	}
}
