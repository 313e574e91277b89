package enterprise_test

import (
	"fmt"
	"testing"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
)

func TestAnEnterpriseHoldsAccountsUpToItsLimit(t *testing.T) {
	f := plant(t, limits(enterprise.Limits{Accounts: 3, Groups: 1}))
	top := f.mine.Place()
	one := f.child(top, "one")
	_, err := f.newChild(top, "two")
	refused(t, "the fourth account", err, fault.Limit)
	f.ok(f.Tree.DeleteAccount(t.Context(), one))
	if _, err = f.newChild(top, "two"); err != nil {
		t.Errorf("in the place of a cancelled account: %v", err)
	}
}

func TestAnEnterpriseHoldsGroupsUpToItsLimit(t *testing.T) {
	f := plant(t, limits(enterprise.Limits{Accounts: 3, Groups: 1}))
	top := f.mine.Place()
	g := f.group(top, "first")
	_, err := f.newGroup(top, "second")
	refused(t, "the second group", err, fault.Limit)
	f.ok(f.Tree.DeleteGroup(t.Context(), g))
	if _, err := f.newGroup(top, "second"); err != nil {
		t.Errorf("in the place of a deleted group: %v", err)
	}
}

// The enterprise is a tier, each group is one, accounts are the last.
func TestGroupsNestUpToTheLimitOfTiers(t *testing.T) {
	for _, tiers := range []int{2, 3, 5, 8} {
		t.Run(fmt.Sprint(tiers), func(t *testing.T) {
			f := plant(t, limits(enterprise.Limits{Tiers: tiers}))
			at := f.mine.Place()
			for range tiers - 2 {
				at = f.group(at, "group").Place()
			}
			_, err := f.newGroup(at, "group")
			refused(t, "a group at the tier of accounts", err, fault.Limit)
		})
	}
}

func TestAnAccountOfAnEnterpriseHasItsNameAlone(t *testing.T) {
	f := plant(t)
	one := f.child(f.mine.Place(), "one")
	_, err := f.newChild(f.group(f.mine.Place(), "elsewhere").Place(), "one")
	refused(t, "the same name", err, fault.Conflict)
	f.ok(f.Tree.DeleteAccount(t.Context(), one))
	f.child(f.mine.Place(), "one")
}
