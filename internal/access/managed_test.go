package access_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

// layGroup makes a group as a template does, with one member.
func layGroup(s *apitest.Server, groupID, member string) *access.Group {
	s.T.Helper()
	var g *access.Group
	s.Update(func(ctx context.Context, tx store.Tx) (err error) {
		g, err = s.Access.LayGroup(ctx, tx, acct, groupID, apitest.Checked(s.T, access.ManagedGroup{
			NewGroup: access.NewGroup{Name: "of the enterprise"}, Template: &access.TemplateMark{ID: "t"},
			Controls: access.GroupControls{AddMembers: true},
			Members:  []access.NewMember{{IAMID: member, Type: access.MemberUser}}}))
		return err
	})
	return g
}

func TestAnAccountCannotRemoveMembersThatTheEnterpriseSet(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	g := layGroup(s, "", "IBMid-AUDITOR")
	own := s.NewGroup(acct, "own", access.NewMember{IAMID: "IBMid-AUDITOR", Type: access.MemberUser})
	out, err := s.Access.RemoveFromAll(ctx, asker.System, acct, "IBMid-AUDITOR")
	if err != nil || len(out) != 2 {
		t.Fatalf("%v, %v", out, err)
	}
	for _, o := range out {
		if refused := errors.Is(o.Err, fault.Forbidden); refused != (o.Group == g.ID) {
			t.Errorf("removal from %s: %v", o.Group, o.Err)
		}
	}
	for group, want := range map[*access.Group]bool{g: true, own: false} {
		if is, err := s.Access.IsMember(ctx, group, "IBMid-AUDITOR"); err != nil || is != want {
			t.Errorf("member of %q afterwards: %v, %v", group.Name, is, err)
		}
	}
}

// An account that adds somebody before the template does would else keep the
// right to remove the member again.
func TestATemplateTakesOverMembersThatAreThere(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	g := layGroup(s, "", "IBMid-FIRST")
	s.Join(g, access.NewMember{IAMID: "IBMid-AUDITOR", Type: access.MemberUser})
	g = layGroup(s, g.ID, "IBMid-AUDITOR")
	if err := s.Access.RemoveMember(ctx, asker.System, g, "IBMid-AUDITOR"); !errors.Is(err, fault.Forbidden) {
		t.Errorf("removing a member of the template: %v", err)
	}
}

// A service ID of another account that is locked must answer like one that is
// not there: its lock guards the policies of its own account.
func TestPoliciesDoNotTellWhetherAForeignServiceIDIsLocked(t *testing.T) {
	s := serve(t)
	for in, id := range map[string]string{acct: "ServiceId-here", apitest.Other: "ServiceId-there"} {
		s.Update(func(ctx context.Context, tx store.Tx) error {
			return identity.ServiceIDs.Create(ctx, tx, &identity.ServiceID{Meta: store.Meta{Account: in, ID: id, Name: id, Owner: "iam-" + id},
				Locked: true}, store.Event{})
		})
	}
	if _, err := s.CreatePolicy(asker.System, doc("iam-ServiceId-here", "Viewer", "watson")); !errors.Is(err, fault.Conflict) {
		t.Errorf("of the account itself: %v", err)
	}
	if _, err := s.CreatePolicy(asker.System, doc("iam-ServiceId-there", "Viewer", "watson")); err != nil {
		t.Errorf("of another account: %v", err)
	}
}
