package app

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// equip gives an identity two policies, one of them deleted, and a membership in
// a group that has a policy of its own. It gives the group.
func equip(t *testing.T, w *walker, iamID, kind string) *access.Group {
	t.Helper()
	ctx, s := t.Context(), w.app.core.access
	eq := func(k, v string) policy.Attribute {
		return policy.Attribute{Key: k, Operator: policy.OpStringEquals, Value: policy.String(v)}
	}
	give := func(key, subject, service string) *access.Policy {
		spec := s.PolicySpec(&policy.Policy{Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive,
			RoleIDs: []string{"crn:v1:bluemix:public:iam::::serviceRole:Reader"}, Subject: []policy.Attribute{eq(key, subject)},
			Resource: []policy.Attribute{eq("accountId", w.acct), eq("serviceName", service)}})
		p, err := s.CreatePolicy(ctx, asker.System, apitest.Checked(t, spec))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	give("iam_id", iamID, "kms")
	if err := s.DeletePolicy(ctx, give("iam_id", iamID, "watson")); err != nil {
		t.Fatal(err)
	}
	g, err := s.CreateGroup(ctx, w.acct, apitest.Checked(t, access.NewGroup{Name: "of " + iamID}))
	if err != nil {
		t.Fatal(err)
	}
	give("access_group_id", g.ID, "project")
	if _, err := s.AddMembers(ctx, asker.System, g, apitest.Checked(t, access.Joining{{IAMID: iamID, Type: kind}})); err != nil {
		t.Fatal(err)
	}
	return g
}

// has counts the policies, deleted ones too, and memberships of an identity.
func has(t *testing.T, w *walker, iamID string) (policies, memberships int) {
	t.Helper()
	policies, err := access.Policies.Count(t.Context(), w.app.db.Direct(), store.Query{Account: w.acct, Owner: iamID})
	if err != nil {
		t.Fatal(err)
	}
	memberships, err = access.Members.Count(t.Context(), w.app.db.Direct(), store.Query{Account: w.acct, Owner: iamID})
	if err != nil {
		t.Fatal(err)
	}
	return policies, memberships
}

func TestWhoeverIsDeletedLeavesNoAccessBehind(t *testing.T) {
	w := newWalker(t)
	ctx, c := t.Context(), w.app.core
	sid, _, _, err := c.identity.CreateServiceID(ctx, asker.System, apitest.Checked(t, identity.NewServiceID{Account: w.acct, Name: "robot"}))
	if err != nil {
		t.Fatal(err)
	}
	profile, err := c.identity.CreateProfile(ctx, apitest.Checked(t, identity.NewProfile{Account: w.acct, Name: "visitor"}))
	if err != nil {
		t.Fatal(err)
	}
	managed, err := c.identity.CreateProfile(ctx, apitest.Checked(t, identity.NewProfile{Account: w.acct, Name: "managed"}))
	if err != nil {
		t.Fatal(err)
	}
	user := w.app.Demo().Member.IAMID
	userKey, _, err := c.identity.CreateAPIKey(ctx, asker.System, apitest.Checked(t,
		identity.NewAPIKey{Account: w.acct, IAMID: user, Traits: identity.KeyTraits{Name: new("k")}, Locked: true}))
	if err != nil {
		t.Fatal(err)
	}
	person, err := c.accounts.User(ctx, w.acct, user)
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		iamID, kind string
		remove      func() error
		event       string
	}{
		"a service ID": {id.IAMOf(sid.ID), access.MemberService, func() error { return c.identity.DeleteServiceID(ctx, sid) },
			"iam-identity.account-serviceid.delete"},
		"a profile": {id.IAMOf(profile.ID), access.MemberProfile, func() error { return c.identity.DeleteProfile(ctx, profile) },
			"iam-identity.account-profile.delete"},
		"a template's profile": {id.IAMOf(managed.ID), access.MemberProfile, func() error {
			return w.app.db.Update(ctx, func(tx store.Tx) error { return c.identity.LiftProfile(ctx, tx, w.acct, managed.ID) })
		}, "iam-identity.account-profile.delete"},
		"a user of the account": {user, access.MemberUser, func() error { return c.accounts.RemoveUser(ctx, person) },
			"user-management.user.delete"},
	} {
		t.Run(name, func(t *testing.T) {
			group := equip(t, w, one.iamID, one.kind)
			if p, m := has(t, w, one.iamID); p < 2 || m < 1 {
				t.Fatalf("before: %d policies, %d memberships", p, m)
			}
			head, err := w.app.db.Head(ctx, w.acct)
			if err != nil {
				t.Fatal(err)
			}
			if err := one.remove(); err != nil {
				t.Fatal(err)
			}
			if p, m := has(t, w, one.iamID); p+m != 0 {
				t.Errorf("left: %d policies, %d memberships", p, m)
			}
			events, err := w.app.db.Events(ctx, w.acct, head, 0)
			if err != nil {
				t.Fatal(err)
			}
			var actions []string
			for _, e := range events {
				if !slices.Contains(actions, e.Action) && e.Action != "" && !strings.Contains(e.Action, "apikey") {
					actions = append(actions, e.Action)
				}
			}
			slices.Sort(actions)
			if diff := cmp.Diff([]string{"iam-am.policy.delete", "iam-groups.member.delete", one.event}, actions); diff != "" {
				t.Errorf("events: %s", diff)
			}
			// What others have stays.
			if n, err := access.Policies.Count(ctx, w.app.db.Direct(), store.Query{Account: w.acct, Owner: group.ID}); err != nil || n != 1 {
				t.Errorf("%d policies of the group, %v", n, err)
			}
			s, err := c.authority.Snapshot(ctx, w.acct)
			if err != nil {
				t.Fatal(err)
			}
			if d := policy.Decide(s, &policy.Request{Subject: policy.Subject{Kind: policy.KindOf(one.iamID), IAMID: one.iamID, Account: w.acct},
				Action:   "kms.secrets.list",
				Resource: policy.Resource{Account: w.acct, ServiceName: "kms"}, Environment: policy.Environment{Now: w.app.now()}}); d.Allowed {
				t.Errorf("decided %+v", d)
			}
		})
	}
	if _, err := identity.APIKeys.Get(ctx, w.app.db.Direct(), w.acct, userKey.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("the user's API key is there still: %v", err)
	}
}

func TestARefusedDeletionTakesNothingAway(t *testing.T) {
	w := newWalker(t)
	ctx, c := t.Context(), w.app.core
	sid, _, _, err := c.identity.CreateServiceID(ctx, asker.System, apitest.Checked(t, identity.NewServiceID{Account: w.acct, Name: "robot"}))
	if err != nil {
		t.Fatal(err)
	}
	equip(t, w, id.IAMOf(sid.ID), access.MemberService)
	if sid, err = c.identity.LockServiceID(ctx, sid, true); err != nil {
		t.Fatal(err)
	}
	equip(t, w, w.owner, access.MemberUser)
	before, joined := has(t, w, w.owner)
	if err := c.identity.DeleteServiceID(ctx, sid); !errors.Is(err, fault.Conflict) {
		t.Errorf("a locked service ID: %v", err)
	}
	owner, err := c.accounts.User(ctx, w.acct, w.owner)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.accounts.RemoveUser(ctx, owner); !errors.Is(err, fault.Conflict) {
		t.Errorf("the owner: %v", err)
	}
	if p, m := has(t, w, id.IAMOf(sid.ID)); p != 2 || m != 1 {
		t.Errorf("the locked one has %d policies, %d memberships", p, m)
	}
	if p, m := has(t, w, w.owner); p != before || m != joined {
		t.Errorf("the owner has %d policies, %d memberships", p, m)
	}
}
