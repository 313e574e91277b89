package identity_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

// lay lays a template's profile on the first account.
func lay(s *apitest.Server, m identity.ManagedProfile) (p *identity.Profile) {
	s.T.Helper()
	s.Update(func(ctx context.Context, tx store.Tx) (err error) {
		p, err = s.Identity.LayProfile(ctx, tx, acct, "", apitest.Checked(s.T, m))
		return err
	})
	return p
}

// The accounts of a trusted user say from where it may assume the profile: who
// could change them would change whom the enterprise trusts.
func TestAnAccountCannotChangeWhomTheEnterpriseTrusts(t *testing.T) {
	s, ctx := serve(t), t.Context()
	const elsewhere = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	given := identity.TrustSpec{Type: identity.TrustUser, Identifier: user, Accounts: []string{acct}, Description: "auditor"}
	p := lay(s, identity.ManagedProfile{Name: "audit", Trusts: identity.TrustSpecs{given}, Template: "t", Assignment: "a",
		Controls: identity.DefaultControls})
	wider := given
	wider.Accounts = []string{acct, elsewhere}
	if _, err := s.Identity.SetTrust(ctx, p, apitest.Checked(t, wider)); !errors.Is(err, fault.Forbidden) {
		t.Errorf("setting the trusted identity: %v", err)
	}
	if _, _, err := s.Identity.SetTrusts(ctx, p, "*", apitest.Checked(t, identity.TrustSpecs{wider})); !errors.Is(err, fault.Forbidden) {
		t.Errorf("setting all trusted identities: %v", err)
	}
	own := identity.TrustSpec{Type: identity.TrustUser, Identifier: user + "2"}
	if _, trusts, err := s.Identity.SetTrusts(ctx, p, "*", apitest.Checked(t, identity.TrustSpecs{given,
		own})); err != nil || len(trusts) != 2 {
		t.Errorf("sending what is there with one more: %v", err)
	}
	trust, err := s.Identity.Trust(ctx, p, apitest.Checked(t, identity.TrustKey{Type: identity.TrustUser, Identifier: user}))
	if err != nil || !trust.Managed || len(trust.Accounts) != 1 || trust.Accounts[0] != acct {
		t.Errorf("afterwards: %+v, %v", trust, err)
	}
}

// Each trust is written once: half as many rows where an enterprise of 10,000
// accounts gets a profile.
func TestATemplatesTrustIsWrittenOnce(t *testing.T) {
	s, ctx := serve(t), t.Context()
	given := identity.TrustSpec{Type: identity.TrustUser, Identifier: user, Accounts: []string{acct}}
	p := lay(s, identity.ManagedProfile{Name: "audit", Trusts: identity.TrustSpecs{given}, Template: "t"})
	trust, err := s.Identity.Trust(ctx, p, apitest.Checked(t, identity.TrustKey{Type: identity.TrustUser, Identifier: user}))
	if err != nil || !trust.Managed || trust.Version != 1 {
		t.Errorf("%+v, %v", trust, err)
	}
}
