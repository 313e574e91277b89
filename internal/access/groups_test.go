package access_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

const manager = "IBMid-MANAGER"

func person(iamID string) access.NewMember {
	return access.NewMember{IAMID: iamID, Type: access.MemberUser}
}

// wants fails the test unless an error is of a kind, "" for none.
func wants(t *testing.T, what string, err error, want fault.Kind) {
	t.Helper()
	if want == "" && err != nil || want != "" && !errors.Is(err, want) {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

// The right to one group is no right to the next one, whichever way an identity
// is to join it.
func TestWhoManagesAGroupManagesItsMembersOnly(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	mine, other, foreign := s.NewGroup(acct, "mine"), s.NewGroup(acct, "other"), s.NewGroup(apitest.Other, "foreign")
	s.Grant(manager, "Editor", "serviceName=iam-groups", "resourceType=group", "resource="+mine.ID)
	who := s.As(manager, acct)
	for _, c := range []struct {
		group *access.Group
		want  fault.Kind
	}{{mine, ""}, {other, fault.Forbidden}, {foreign, fault.NotFound}} {
		s.Join(c.group, person("IBMid-THERE"))
		_, err := s.Access.AddMembers(ctx, who, c.group, apitest.Checked(t, access.Joining{person("IBMid-NEW")}))
		wants(t, "adding to "+c.group.Name, err, c.want)
		_, err = s.Access.RemoveMembers(ctx, who, c.group, apitest.Checked(t, access.Leaving{"IBMid-THERE"}))
		wants(t, "removing from "+c.group.Name, err, c.want)
		s.Join(c.group, person("IBMid-THERE"))
		wants(t, "removing one from "+c.group.Name, s.Access.RemoveMember(ctx, who, c.group, "IBMid-THERE"), c.want)
	}
	s.Join(mine, person("IBMid-THERE"))

	spread := apitest.Checked(t, access.Spread{NewMember: person(manager), Groups: []string{mine.ID, other.ID, foreign.ID}})
	added, err := s.Access.AddToGroups(ctx, who, acct, spread)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []fault.Kind{"", fault.Forbidden, fault.NotFound} {
		wants(t, "joining "+added[i].Group, added[i].Err, want)
	}
	removed, err := s.Access.RemoveFromAll(ctx, who, acct, "IBMid-THERE")
	if err != nil || len(removed) != 2 {
		t.Fatal(removed, err)
	}
	for _, o := range removed {
		want := fault.Kind("")
		if o.Group == other.ID {
			want = fault.Forbidden
		}
		wants(t, "leaving "+o.Group, o.Err, want)
	}
	for g, want := range map[*access.Group]bool{mine: false, other: true} {
		if is, err := s.Access.IsMember(ctx, g, "IBMid-THERE"); err != nil || is != want {
			t.Errorf("member of %q afterwards: %v, %v", g.Name, is, err)
		}
	}
}

// In another account nothing of a group may be learned, not even from its
// members' side.
func TestStrangersLearnNothingOfAnAccountsGroups(t *testing.T) {
	s := serve(t)
	g := s.NewGroup(acct, "group", person(apitest.Member))
	who := s.As(apitest.OtherOwner, apitest.Other)
	spread := apitest.Checked(t, access.Spread{NewMember: person("IBMid-X"), Groups: []string{g.ID, "AccessGroupId-absent"}})
	out, err := s.Access.AddToGroups(t.Context(), who, acct, spread)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range spread.Value().Groups {
		if out[i].Err == nil || out[i].Err.Error() != access.NoGroup(id).Error() {
			t.Errorf("joining %s: %v", id, out[i].Err)
		}
	}
}

func TestNobodyJoinsThePublicGroup(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	g, err := s.Access.GetGroup(ctx, acct, policy.PublicAccessGroupID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Access.AddMembers(ctx, asker.System, g, apitest.Checked(t, access.Joining{person("IBMid-X")}))
	wants(t, "joining", err, fault.Forbidden)
	rule := access.RuleSpec{RealmName: "idp", Hours: 1, Conditions: []policy.ClaimCondition{{Claim: "team", Operator: policy.ClaimEquals,
		Value: `"x"`}}}
	_, err = s.Access.CreateRule(ctx, g, apitest.Checked(t, rule))
	wants(t, "a rule", err, fault.Forbidden)
	wants(t, "deleting it", s.Access.DeleteGroup(ctx, g, true), fault.Forbidden)
	name := "x"
	_, err = s.Access.UpdateGroup(ctx, g, "*", apitest.Checked(t, access.GroupChange{Name: &name}))
	wants(t, "renaming it", err, fault.Forbidden)
	out, err := s.Access.AddToGroups(ctx, asker.System, acct, apitest.Checked(t,
		access.Spread{NewMember: person("IBMid-X"), Groups: []string{g.ID}}))
	if err != nil || !errors.Is(out[0].Err, fault.NotFound) {
		t.Errorf("joining it among many: %v, %v", out, err)
	}
}

func TestOneMemberIsInSoManyGroups(t *testing.T) {
	s := apitest.New(t, nil, func(o *apitest.Options) { o.Access.GroupsPerMember = 2 })
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, s.NewGroup(acct, name).ID)
	}
	spread := apitest.Checked(t, access.Spread{NewMember: person("IBMid-X"), Groups: ids})
	out, err := s.Access.AddToGroups(t.Context(), asker.System, acct, spread)
	if err != nil || out[0].Err != nil || out[1].Err != nil || !errors.Is(out[2].Err, fault.Limit) {
		t.Errorf("%v, %v", out, err)
	}
}

// What was decided about a group is void when it was written meanwhile: the
// enterprise may have closed it.
func TestWhatWasDecidedAboutAGroupHoldsUntilItIsWritten(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	found := layGroup(s, "", "IBMid-FIRST")
	s.Update(func(ctx context.Context, tx store.Tx) error {
		_, err := s.Access.LayGroup(ctx, tx, acct, found.ID, apitest.Checked(t, access.ManagedGroup{
			NewGroup: access.NewGroup{Name: "closed"}, Template: &access.TemplateMark{ID: "t"}}))
		return err
	})
	list := apitest.Checked(t, access.Joining{person("IBMid-LATE")})
	if _, err := s.Access.AddMembers(ctx, asker.System, found, list); !errors.Is(err, store.ErrMoved) {
		t.Fatalf("joining a group as it was: %v", err)
	}
	again, err := s.Access.GetGroup(ctx, "", found.ID)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Access.AddMembers(ctx, asker.System, again, list); err != nil || !errors.Is(out[0].Err, fault.Forbidden) {
		t.Errorf("joining it as it is: %v, %v", out, err)
	}
}
