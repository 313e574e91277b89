package authority_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

const acct = apitest.Account

func serve(t testing.TB) *apitest.Server { return apitest.New(t, nil) }

func question(iamID, action, service string) policy.Request {
	return policy.Request{
		Subject: policy.Subject{Kind: policy.KindOf(iamID), IAMID: iamID, Account: acct}, Action: action,
		Resource: policy.Resource{Account: acct, ServiceName: service}, Environment: policy.Environment{Now: apitest.Noon},
	}
}

func allowed(t testing.TB, a *authority.Authority, iamID, action, service string) bool {
	t.Helper()
	d, err := a.Decide(context.Background(), question(iamID, action, service))
	if err != nil {
		t.Fatal(err)
	}
	return d.Allowed
}

// doc gives a role on a service to an identity or group.
func doc(subject, role, service string) *policy.Policy {
	key := policy.AttrIAMID
	if strings.HasPrefix(subject, "AccessGroupId-") {
		key = policy.AttrAccessGroupID
	}
	attribute := func(k, v string) policy.Attribute {
		return policy.Attribute{Key: k, Operator: policy.OpStringEquals, Value: policy.String(v)}
	}
	return &policy.Policy{Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive, RoleIDs: []string{apitest.Role(role)},
		Subject:  []policy.Attribute{attribute(key, subject)},
		Resource: []policy.Attribute{attribute(policy.AttrAccountID, acct), attribute(policy.AttrServiceName, service)}}
}

// actor makes random changes to an account.
type actor struct {
	s      *apitest.Server
	r      *rand.Rand
	ids    []string // of policies that ever were
	groups []string
	rules  [][2]string
	roles  []string
}

var (
	people   = []string{"IBMid-A", "IBMid-B", "IBMid-C", "iam-ServiceId-1"}
	services = []string{"kms", "watson", "iam-groups", "iam-identity", "cloud-object-storage"}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// step makes one change and names it; refusals of the domain are no changes.
func (a *actor) step(ctx context.Context) (string, error) {
	subjects := append(append([]string{policy.PublicAccessGroupID}, people...), a.groups...)
	roles := append([]string{"Viewer", "Editor", "Reader", "Manager"}, a.roles...)
	change := doc(pick(a.r, subjects), pick(a.r, roles), pick(a.r, services))
	switch n := a.r.IntN(14); {
	case n < 3 || len(a.ids) == 0:
		p, err := a.s.CreatePolicy(asker.System, change)
		if err == nil {
			a.ids = append(a.ids, p.ID)
		}
		return "create policy", err
	case n == 3:
		return "replace policy", a.s.ReplacePolicy(asker.System, pick(a.r, a.ids), change)
	case n == 4:
		return "delete policy", a.s.DeletePolicy(pick(a.r, a.ids))
	case n == 5:
		return "restore policy", a.s.RestorePolicy(asker.System, pick(a.r, a.ids))
	case n == 6 || len(a.groups) == 0:
		g, err := a.s.Access.CreateGroup(ctx, acct, apitest.Checked(a.s.T, access.NewGroup{Name: fmt.Sprint("group ", a.r.Int())}))
		if err == nil {
			a.groups = append(a.groups, g.ID)
		}
		return "create group", err
	case n == 7:
		return a.changeRule(ctx)
	case n == 8:
		return a.changeRole(ctx)
	case n == 9:
		return a.changeSettings(ctx)
	}
	return a.changeGroup(ctx)
}

func (a *actor) changeGroup(ctx context.Context) (string, error) {
	g, err := a.s.Access.GetGroup(ctx, acct, pick(a.r, a.groups))
	if err != nil {
		return "find group", err
	}
	switch a.r.IntN(4) {
	case 0:
		list := access.Joining{{IAMID: pick(a.r, people[:3]), Type: "user"}, {IAMID: people[3], Type: "service"}}
		_, err = a.s.Access.AddMembers(ctx, asker.System, g, apitest.Checked(a.s.T, list))
		return "add members", err
	case 1:
		return "remove member", a.s.Access.RemoveMember(ctx, asker.System, g, pick(a.r, people))
	case 2:
		if err = a.s.Access.DeleteGroup(ctx, g, a.r.IntN(2) == 0); err == nil {
			a.groups = slices.DeleteFunc(a.groups, func(groupID string) bool { return groupID == g.ID })
		}
		return "delete group", err
	}
	name := fmt.Sprint("renamed ", a.r.Int())
	_, err = a.s.Access.UpdateGroup(ctx, g, "*", apitest.Checked(a.s.T, access.GroupChange{Name: &name}))
	return "rename group", err
}

func (a *actor) changeRule(ctx context.Context) (string, error) {
	if len(a.rules) > 0 && a.r.IntN(2) == 0 {
		r := pick(a.r, a.rules)
		g, err := a.s.Access.GetGroup(ctx, acct, r[0])
		if err == nil {
			err = a.s.Access.DeleteRule(ctx, g, r[1])
		}
		return "delete rule", err
	}
	g, err := a.s.Access.GetGroup(ctx, acct, pick(a.r, a.groups))
	if err != nil {
		return "find group", err
	}
	rule, err := a.s.Access.CreateRule(ctx, g, apitest.Checked(a.s.T, access.RuleSpec{RealmName: "idp", Hours: 1 + a.r.IntN(24),
		Conditions: []policy.ClaimCondition{{Claim: "team", Operator: policy.ClaimEquals, Value: `"x"`}}}))
	if err == nil {
		a.rules = append(a.rules, [2]string{g.ID, rule.ID})
	}
	return "create rule", err
}

func (a *actor) changeRole(ctx context.Context) (string, error) {
	all, err := a.s.Access.ListRoles(ctx, acct)
	if err != nil {
		return "list roles", err
	}
	if len(all) > 2 {
		return "delete role", a.s.Access.DeleteRole(ctx, all[0])
	}
	r := &access.CustomRole{DisplayName: fmt.Sprint("Role ", a.r.Int()), Service: "kms",
		Actions: []string{pick(a.r, []string{"kms.secrets.list", "kms.secrets.read", "kms.secrets.create"})}}
	r.Name = fmt.Sprint("Role", a.r.IntN(1000))
	r, err = a.s.CreateRole(asker.System, r)
	if err == nil {
		a.roles = append(a.roles, r.CRN())
	}
	return "create role", err
}

func (a *actor) changeSettings(ctx context.Context) (string, error) {
	switch a.r.IntN(4) {
	case 0:
		_, err := a.s.Access.SetPublicAccess(ctx, acct, a.r.IntN(2) == 0)
		return "public access", err
	case 1:
		set := &policy.ExternalSetting{Mode: pick(a.r, []policy.ExternalMode{policy.ExternalEnabled, policy.ExternalLimited}),
			Allowed: []string{}}
		_, err := a.s.Access.SetExternal(ctx, acct, "*", apitest.Checked(a.s.T, access.ExternalPatch{User: set}))
		return "external identities", err
	case 2:
		return "owner", a.s.DB.Update(ctx, func(tx store.Tx) error {
			got, err := account.Accounts.Get(ctx, tx, acct, acct)
			if err != nil {
				return err
			}
			got.Owner = pick(a.r, people[:3])
			return account.Accounts.Update(ctx, tx, got, store.Event{})
		})
	}
	return "action control", a.s.DB.Update(ctx, func(tx store.Tx) error {
		list, err := access.Controls.List(ctx, tx, store.Query{Account: acct})
		if err != nil {
			return err
		}
		if len(list) > 0 {
			return access.Controls.Delete(ctx, tx, list[0], store.Event{})
		}
		c := &access.Control{Meta: store.Meta{Account: acct, ID: fmt.Sprint("control-", a.r.Int())}, Service: "kms",
			Actions: []string{"iam.policy.read"}}
		return access.Controls.Create(ctx, tx, c, store.Event{})
	})
}

// answers are the decisions about everybody and everything.
func answers(t *testing.T, a *authority.Authority) (out []string) {
	t.Helper()
	for _, iamID := range append([]string{"IBMid-STRANGER"}, people...) {
		for _, service := range services {
			for _, action := range []string{"iam.policy.read", "resource-controller.instance.create", service + ".secrets.list",
				"iam-groups.groups.read"} {
				q := question(iamID, action, service)
				q.Subject.Realm, q.Subject.Claims, q.Subject.LoginAt = "idp", []policy.Claim{{Name: "team", Values: []string{"x"}}}, apitest.Noon
				d, err := a.Decide(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, fmt.Sprintf("%s %s %s: %v %s %s %s %v", iamID, action, service, d.Allowed, d.Reason, d.PolicyID, d.GroupID, d.Until))
			}
		}
	}
	return out
}

func TestSnapshotsThatFollowEventsAreThoseBuiltAnew(t *testing.T) {
	for seed := range uint64(6) {
		s := serve(t)
		a := &actor{s: s, r: rand.New(rand.NewPCG(seed, 1))}
		changed := 0
		for i := range 150 {
			name, err := a.step(t.Context())
			if err != nil {
				var known *fault.Error
				if !errors.As(err, &known) || known.Kind == fault.Internal {
					t.Fatalf("seed %d, step %d, %s: %v", seed, i, name, err)
				}
				continue
			}
			changed++
			if a.r.IntN(3) > 0 {
				continue // several changes at once
			}
			compare(t, fmt.Sprintf("seed %d, step %d, %s", seed, i, name), s)
		}
		if changed < 80 {
			t.Errorf("seed %d: only %d changes", seed, changed)
		}
	}
}

func compare(t *testing.T, what string, s *apitest.Server) {
	t.Helper()
	anew := authority.New(authority.Config{DB: s.DB, Catalogs: s.Registry})
	defer anew.Close()
	if diff := cmp.Diff(answers(t, anew), answers(t, s.Authority)); diff != "" {
		t.Fatalf("%s: decisions differ (-anew +advanced):\n%s", what, diff)
	}
	want, err := anew.Snapshot(t.Context(), acct)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Authority.Snapshot(t.Context(), acct)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want.Policies(), got.Policies()) || !reflect.DeepEqual(want.CustomRoles(), got.CustomRoles()) ||
		want.Owner() != got.Owner() || want.Seq() != got.Seq() {
		t.Fatalf("%s: snapshots differ at %d and %d", what, want.Seq(), got.Seq())
	}
	for _, p := range people {
		if !slices.Equal(want.StaticGroups(p), got.StaticGroups(p)) {
			t.Fatalf("%s: groups of %s are %v, want %v", what, p, got.StaticGroups(p), want.StaticGroups(p))
		}
	}
}
