package enterprise_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
)

// plant makes an enterprise with two accounts, its root and its first child,
// and gives its CRN.
func plant(t *testing.T, limits enterprise.Limits) (*enterprise.Service, string) {
	t.Helper()
	s := apitest.New(t, nil)
	tree := s.Tree
	tree.Limits = limits
	e, err := tree.Create(t.Context(), enterprise.NewEnterprise{SourceAccount: apitest.Account, Name: "Enterprise", Contact: apitest.Owner})
	if err != nil {
		t.Fatal(err)
	}
	return tree, enterprise.CRN(e.Account, "enterprise", e.ID)
}

func limited(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, fault.Limit) {
		t.Errorf("%s: %v, want the limit", what, err)
	}
}

func TestAnEnterpriseHoldsAccountsUpToItsLimit(t *testing.T) {
	tree, top := plant(t, enterprise.Limits{Accounts: 3, Groups: 1, Tiers: 5})
	ctx := t.Context()
	one, err := tree.CreateAccount(ctx, enterprise.NewAccount{Parent: top, Name: "one", Owner: apitest.Owner})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.CreateAccount(ctx, enterprise.NewAccount{Parent: top, Name: "two", Owner: apitest.Owner})
	limited(t, "the fourth account", err)
	if err := tree.DeleteAccount(ctx, one.ID); err != nil {
		t.Fatal(err)
	}
	if _, err = tree.CreateAccount(ctx, enterprise.NewAccount{Parent: top, Name: "two", Owner: apitest.Owner}); err != nil {
		t.Errorf("in the place of a cancelled account: %v", err)
	}
}

func TestAnEnterpriseHoldsGroupsUpToItsLimit(t *testing.T) {
	tree, top := plant(t, enterprise.Limits{Accounts: 3, Groups: 1, Tiers: 5})
	ctx := t.Context()
	g, err := tree.CreateGroup(ctx, top, "first", apitest.Owner)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.CreateGroup(ctx, top, "second", apitest.Owner)
	limited(t, "the second group", err)
	if err := tree.DeleteGroup(ctx, g.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.CreateGroup(ctx, top, "second", apitest.Owner); err != nil {
		t.Errorf("in the place of a deleted group: %v", err)
	}
}

// The enterprise is a tier, each group is one, accounts are the last.
func TestGroupsNestUpToTheLimitOfTiers(t *testing.T) {
	for _, tiers := range []int{2, 3, 5, 8} {
		t.Run(fmt.Sprint(tiers), func(t *testing.T) {
			tree, at := plant(t, enterprise.Limits{Accounts: 3, Groups: 100, Tiers: tiers})
			for i := range tiers - 2 {
				g, err := tree.CreateGroup(t.Context(), at, "group", apitest.Owner)
				if err != nil {
					t.Fatalf("group at tier %d: %v", i+2, err)
				}
				at = enterprise.CRN(g.Account, "account-group", g.ID)
			}
			_, err := tree.CreateGroup(t.Context(), at, "group", apitest.Owner)
			limited(t, "a group at the tier of accounts", err)
		})
	}
}
