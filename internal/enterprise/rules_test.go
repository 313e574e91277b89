package enterprise_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

const admin = "IBMid-ADMIN"

func TestARoleOnAGroupHoldsForEverythingBelow(t *testing.T) {
	f := plant(t)
	left, right := f.group(f.mine.Place(), "left"), f.group(f.mine.Place(), "right")
	below := f.group(left.Place(), "below")
	who := f.administers(admin, left)
	for name, c := range map[string]struct {
		node  enterprise.Node
		holds bool
	}{
		"the group":            {left, true},
		"a group below":        {below, true},
		"an account below":     {f.child(below.Place(), "deep"), true},
		"a place below":        {below.Place(), true},
		"a group beside":       {right, false},
		"an account beside":    {f.child(right.Place(), "away"), false},
		"the enterprise above": {f.mine, false},
		"another enterprise":   {f.foreign, false},
	} {
		on, err := enterprise.Reach(t.Context(), who, "enterprise.account.move", c.node)
		f.ok(err)
		if got, err := who.May(t.Context(), "enterprise.account.move", on); err != nil || got != c.holds {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.holds)
		}
	}
}

func TestAMoveNeedsTheRightWhereTheAccountIsAndWhereItGoes(t *testing.T) {
	f := plant(t)
	left, right := f.group(f.mine.Place(), "left"), f.group(f.mine.Place(), "right")
	m := f.child(left.Place(), "wanderer")
	move := func(who asker.Asker) error { return f.Tree.Move(t.Context(), who, m, right.CRN()) }
	refused(t, "with the right where it is", move(f.administers("IBMid-LEFT", left)), fault.Forbidden)
	refused(t, "with the right where it goes", move(f.administers("IBMid-RIGHT", right)), fault.Forbidden)
	elsewhere := f.As("IBMid-LEFT", apitest.Account)
	refused(t, "with a token of another account", move(elsewhere), fault.NotFound)
	if got := f.member(m.ID); got.Parent != left.ID {
		t.Fatalf("it moved to %s", got.Parent)
	}
	f.ok(move(f.administers(admin, left, right)))
	if a, err := f.Accounts.Account(t.Context(), m.ID); err != nil || a.ParentGroup != right.ID || f.member(m.ID).Parent != right.ID {
		t.Errorf("it is in %s, its place in %s, %v", a.ParentGroup, f.member(m.ID).Parent, err)
	}
}

func TestAnAccountStaysInItsEnterprise(t *testing.T) {
	f := plant(t)
	gone := f.child(f.mine.Place(), "gone")
	f.ok(f.Tree.DeleteAccount(t.Context(), gone))
	for name, c := range map[string]struct {
		accountID string
		to        string
	}{
		"to another enterprise":  {apitest.Account, f.foreign.CRN()},
		"the root":               {f.mine.Account, f.group(f.mine.Place(), "group").CRN()},
		"a cancelled account":    {gone.ID, f.mine.CRN()},
		"to what holds no nodes": {apitest.Account, f.member(apitest.Account).CRN()},
	} {
		refused(t, name, f.Tree.Move(t.Context(), asker.System, f.member(c.accountID), c.to), fault.Invalid)
	}
}

func TestAnImportNeedsTheRightOnTheEnterpriseAndOverTheAccount(t *testing.T) {
	f := plant(t)
	f.NewAccount(apitest.Absent, "IBMid-FREE") // an account without enterprise
	importing := func(who asker.Asker) error {
		return f.Tree.Import(t.Context(), who, f.mine, apitest.Absent, "")
	}
	f.Grant("IBMid-TREE", "Administrator", "accountId="+f.mine.Account, "serviceName=enterprise")
	f.Grant("IBMid-BILLS", "Administrator", "accountId="+apitest.Absent, "serviceName=billing")
	// Neither learns that what it has no right over is there.
	refused(t, "with the right on the enterprise", importing(f.As("IBMid-TREE", f.mine.Account)), fault.NotFound)
	refused(t, "with the right over the account", importing(f.As("IBMid-BILLS", apitest.Absent)), fault.NotFound)
	refused(t, "an account that is not there", f.Tree.Import(t.Context(), asker.System, f.mine, strings.Repeat("9", 32), ""), fault.NotFound)
	refused(t, "into another's place", f.Tree.Import(t.Context(), asker.System, f.mine, apitest.Absent, f.foreign.CRN()), fault.NotFound)

	f.Grant(admin, "Administrator", "accountId="+f.mine.Account, "serviceName=enterprise")
	f.Grant(admin, "Administrator", "accountId="+apitest.Absent, "serviceName=billing")
	f.ok(importing(f.As(admin, f.mine.Account)))
	refused(t, "a second time", importing(f.As(admin, f.mine.Account)), fault.Conflict)
}

func TestAnEnterpriseIsMadeByWhoeverHasTheAccountsBilling(t *testing.T) {
	f := plant(t)
	f.NewAccount(apitest.Absent, "IBMid-FREE")
	source, err := f.Tree.Account(t.Context(), apitest.Absent)
	f.ok(err)
	create := func(who asker.Asker) (*enterprise.Enterprise, error) {
		return f.Tree.Create(t.Context(), who, source, apitest.Checked(t, enterprise.NewEnterprise{Name: "New one", Contact: "IBMid-FREE"}))
	}
	_, err = create(f.As(apitest.Member, apitest.Absent))
	refused(t, "a member", err, fault.Forbidden)
	_, err = create(f.As(apitest.Owner, apitest.Account))
	refused(t, "the owner of another account", err, fault.NotFound)
	e, err := create(f.As("IBMid-FREE", apitest.Absent))
	f.ok(err)
	if m := f.member(apitest.Absent); m.Enterprise != e.ID || m.Parent != e.ID {
		t.Errorf("the account is in %+v", m)
	}
	_, err = create(asker.System)
	refused(t, "of the account as it was", err, store.ErrMoved)
	if source, err = f.Tree.Account(t.Context(), apitest.Absent); err == nil {
		_, err = create(asker.System)
	}
	refused(t, "of an account that has an enterprise", err, fault.Conflict)
}

// It hands the account over to the enterprise and cannot be taken back.
func TestOnlyTheOwnerOfAnAccountHandsItOver(t *testing.T) {
	f := plant(t)
	m, on, off := f.child(f.mine.Place(), "child"), true, false
	f.Grant(admin, "Administrator", "accountId="+m.ID, "serviceName=iam-identity")
	for _, want := range []*bool{&on, &off, nil} {
		_, err := f.Tree.SetManaged(t.Context(), f.As(admin, m.ID), m, want)
		refused(t, "an administrator", err, fault.Forbidden)
	}
	m, err := f.Tree.SetManaged(t.Context(), f.As(apitest.Owner, f.mine.Account), m, &on)
	f.ok(err)
	if a, err := f.Accounts.Account(t.Context(), m.ID); err != nil || !a.EnterpriseManaged || !m.Managed {
		t.Errorf("the owner: %+v, %+v, %v", a, m, err)
	}
	_, err = f.Tree.SetManaged(t.Context(), asker.System, m, &off)
	refused(t, "taking it back", err, fault.Conflict)
}

// What was decided about a place is void when the place has changed.
func TestWhatIsPutIntoAPlaceThatChangedIsDecidedAgain(t *testing.T) {
	f := plant(t)
	g := f.group(f.mine.Place(), "group")
	f.ok(f.Tree.DeleteGroup(t.Context(), g))
	_, err := f.newGroup(g.Place(), "below")
	refused(t, "a group below one that was deleted meanwhile", err, store.ErrMoved)
	_, err = f.newChild(g.Place(), "child")
	refused(t, "an account in it", err, store.ErrMoved)
	m := f.child(f.mine.Place(), "wanderer")
	f.ok(f.Tree.Move(t.Context(), asker.System, m, g.CRN()))
	refused(t, "a move from where it is not any more", f.Tree.Move(t.Context(), asker.System, m, f.mine.CRN()), store.ErrMoved)
	refused(t, "its end", f.Tree.DeleteAccount(t.Context(), m), store.ErrMoved)
}

func TestADeletedGroupThatTakesANodeComesBack(t *testing.T) {
	f := plant(t)
	f.NewAccount(apitest.Absent, "IBMid-FREE")
	for name, put := range map[string]func(*enterprise.Group) error{
		"a new group":   func(g *enterprise.Group) error { _, err := f.newGroup(g.Place(), "below"); return err },
		"a new account": func(g *enterprise.Group) error { _, err := f.newChild(g.Place(), "child"); return err },
		"an account that moves": func(g *enterprise.Group) error {
			return f.Tree.Move(t.Context(), asker.System, f.member(apitest.Account), g.CRN())
		},
		"an account that joins": func(g *enterprise.Group) error {
			return f.Tree.Import(t.Context(), asker.System, f.mine, apitest.Absent, g.CRN())
		},
	} {
		g := f.group(f.mine.Place(), "group")
		f.ok(f.Tree.DeleteGroup(t.Context(), g))
		refused(t, "deleting it twice", f.Tree.DeleteGroup(t.Context(), f.again(g)), fault.NotFound)
		if err := put(f.again(g)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := f.again(g).State; got != account.Active {
			t.Errorf("%s left it %s", name, got)
		}
		refused(t, "deleting it with "+name, f.Tree.DeleteGroup(t.Context(), f.again(g)), fault.Conflict)
	}
}

func TestListsGiveWhatTheAskerMaySee(t *testing.T) {
	f := plant(t)
	left, right := f.group(f.mine.Place(), "left"), f.group(f.mine.Place(), "right")
	var want []string
	for _, name := range []string{"one", "two", "three", "four", "five"} {
		want = append(want, f.child(left.Place(), name).ID)
		f.child(right.Place(), "other "+name)
	}
	f.ok(f.Tree.DeleteAccount(t.Context(), f.child(left.Place(), "gone")))
	slices.Sort(want)
	who := f.administers(admin, left)
	sc, err := f.Tree.Scope(t.Context(), who, "", "", f.mine.ID)
	f.ok(err)
	ids := func(who asker.Asker) (got []string) {
		seen, err := f.Tree.Members(t.Context(), who, sc, false)
		f.ok(err)
		f.ok(lists.Each(t.Context(), seen, func(m *enterprise.Member) error {
			got = append(got, m.ID)
			return nil
		}))
		return got
	}
	if got := ids(who); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	members, err := f.Tree.Members(t.Context(), who, sc, false)
	f.ok(err)
	first, err := lists.Cut(t.Context(), members, lists.Token{}, 2)
	if err != nil || len(first.Items) != 2 || first.Items[1].ID != want[1] {
		t.Errorf("the first page: %v, %v", first, err)
	}
	seen, err := f.Tree.Groups(t.Context(), who, sc, false)
	f.ok(err)
	groups, err := lists.All(t.Context(), seen)
	if err != nil || len(groups) != 1 || groups[0].ID != left.ID {
		t.Errorf("groups: %v, %v", groups, err)
	}
	if none := ids(f.As(apitest.OtherOwner, apitest.Other)); len(none) != 0 {
		t.Errorf("a stranger sees %d accounts", len(none))
	}
}

// Everybody may know the enterprise of the own account, and a contact its own.
func TestAnEnterpriseIsKnownToItsAccountsItsContactAndItsReaders(t *testing.T) {
	f := plant(t)
	f.Grant(admin, "Viewer", "accountId="+f.mine.Account, "serviceName=enterprise")
	stranger := f.As(apitest.Member, apitest.Other)
	for name, c := range map[string]struct {
		who   asker.Asker
		which enterprise.Which
		want  int
	}{
		"the own account's":       {f.As(apitest.Member, apitest.Account), enterprise.Which{Account: apitest.Account}, 1},
		"the contact's":           {f.As(apitest.Owner, apitest.Other), enterprise.Which{}, 1},
		"a reader's":              {f.As(admin, f.mine.Account), enterprise.Which{Root: f.mine.Account}, 1},
		"a stranger's by account": {stranger, enterprise.Which{Account: apitest.Account}, 0},
		"a stranger's by root":    {stranger, enterprise.Which{Root: f.mine.Account}, 0},
		"of no account":           {stranger, enterprise.Which{Account: apitest.Absent}, 0},
	} {
		if got, err := f.Tree.Enterprises(t.Context(), c.who, c.which); err != nil || len(got) != c.want {
			t.Errorf("%s: %d enterprises, %v, want %d", name, len(got), err, c.want)
		}
	}
}

func TestAnOwnersServiceIDMayWhatTheOwnerMay(t *testing.T) {
	f := plant(t)
	spec := apitest.Checked(t, enterprise.NewAccount{Name: "furnished", Owner: apitest.Owner, OwnerServiceID: true})
	child, err := f.Tree.CreateAccount(t.Context(), f.mine.Place(), spec)
	f.ok(err)
	if child.ServiceID.Key.Reveal() == "" {
		t.Error("its key has no value")
	}
	who := f.As(id.IAMOf(child.ServiceID.ID), child.ID)
	for action, service := range map[string]string{"iam-identity.apikey.manage": "iam-identity", "iam.policy.create": "kms",
		"kms.secrets.create": "kms"} {
		for accountID, want := range map[string]bool{child.ID: true, f.mine.Account: false} {
			if yes, err := who.May(t.Context(), action, policy.Resource{Account: accountID, ServiceName: service}); err != nil || yes != want {
				t.Errorf("%s in %s: %v, %v", action, accountID, yes, err)
			}
		}
	}
}

func TestAnAccountThatCannotBeFurnishedIsNotMade(t *testing.T) {
	f := plant(t, func(o *apitest.Options) { o.Access = access.Limits{Policies: 1} })
	_, err := f.Tree.CreateAccount(t.Context(), f.mine.Place(), apitest.Checked(t,
		enterprise.NewAccount{Name: "furnished", Owner: apitest.Owner, OwnerServiceID: true}))
	if err == nil {
		t.Fatal("the second policy is over the limit")
	}
	f.ok(f.Tree.EachMember(t.Context(), f.mine.Account, func(m *enterprise.Member) error {
		if m.Name == "furnished" {
			return errors.New("it is in the tree")
		}
		return nil
	}))
}

func TestAContactIsAUserOfTheEnterpriseAccount(t *testing.T) {
	f := plant(t)
	g, stranger, name := f.group(f.mine.Place(), "group"), apitest.OtherOwner, "renamed"
	bad, good := apitest.Checked(t, enterprise.Change{Contact: &stranger}), apitest.Checked(t, enterprise.Change{Name: &name})
	refused(t, "of an enterprise", f.Tree.Update(t.Context(), f.mine, bad), fault.Invalid)
	refused(t, "of a group", f.Tree.UpdateGroup(t.Context(), g, bad), fault.Invalid)
	f.ok(f.Tree.Update(t.Context(), f.mine, good))
	f.ok(f.Tree.UpdateGroup(t.Context(), g, good))
	refused(t, "a change of the group as it was", f.Tree.UpdateGroup(t.Context(), g, good), store.ErrMoved)
	if e, err := f.Tree.Enterprise(t.Context(), f.mine.ID); err != nil || e.Name != name || f.again(g).Name != name ||
		e.Owner != apitest.Owner {
		t.Errorf("%+v, %v", e, err)
	}
}
