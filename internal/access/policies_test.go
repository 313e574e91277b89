package access_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// create makes a policy as the server itself.
func create(s *apitest.Server, d *policy.Policy) *access.Policy {
	s.T.Helper()
	p, err := s.CreatePolicy(asker.System, d)
	if err != nil {
		s.T.Fatal(err)
	}
	return p
}

// isFault tells whether an error is of a kind and about a field.
func isFault(err error, kind fault.Kind, field string) bool {
	return errors.Is(err, kind) && fault.Of(err).Field == field
}

func TestSchemaTypeAndAccountBoundAReplacement(t *testing.T) {
	s := serve(t)
	p := create(s, doc(apitest.Member, "Viewer", "kms"))
	elsewhere := doc(apitest.Member, "Viewer", "kms")
	elsewhere.Resource[0] = equal(policy.AttrAccountID, apitest.Other)
	old := doc(apitest.Member, "Editor", "kms")
	old.Version = policy.V1
	for what, c := range map[string]struct {
		next  *policy.Policy
		field string
	}{
		"a v1 document":                 {old, ""},
		"an authorization":              {lets("is", "kms", "Reader"), "type"},
		"a document of another account": {elsewhere, "accountId"},
	} {
		if err := s.ReplacePolicy(asker.System, p.ID, c.next); !isFault(err, fault.Invalid, c.field) {
			t.Errorf("%s in the place of a v2 policy: %v", what, err)
		}
	}
	v1 := doc(apitest.Member, "Viewer", "watson")
	v1.Version = policy.V1
	works(t, "a v2 document in the place of a v1 policy", s.ReplacePolicy(asker.System, create(s, v1).ID,
		doc(apitest.Member, "Editor", "watson")))
}

func TestWhatTheEnterpriseGaveTheAccountCannotChange(t *testing.T) {
	s := serve(t)
	var p *access.Policy
	var r *access.CustomRole
	rights, err := asker.System.Rights(t.Context(), acct)
	works(t, "asking", err)
	s.Update(func(ctx context.Context, tx store.Tx) (err error) {
		if p, err = s.Access.LayPolicy(ctx, tx, "", doc(apitest.Member, "Viewer", "kms"), &access.TemplateMark{ID: "t"}); err != nil {
			return err
		}
		laid := roleOn("kms", "Laid", "kms.secrets.list")
		laid.Template = &access.TemplateMark{ID: "t"}
		r, err = s.Access.LayRole(ctx, tx, rights, acct, "", laid)
		return err
	})
	refused(t, "replacing a policy", s.ReplacePolicy(asker.System, p.ID, doc(apitest.Member, "Editor", "kms")))
	refused(t, "deleting it", s.DeletePolicy(p.ID))
	refused(t, "changing a role", widen(s.Access, asker.System, r.ID, "kms.secrets.list", "kms.secrets.read"))
	refused(t, "deleting it", s.Access.DeleteRole(t.Context(), r))
}

// What was decided about an object holds for the version that was found only.
func TestChangesToWhatMovedSinceItWasFoundAreNotMade(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	found := create(s, doc(apitest.Member, "Viewer", "kms"))
	works(t, "somebody else's change", s.ReplacePolicy(asker.System, found.ID, doc(apitest.Member, "Editor", "kms")))
	spec := apitest.Checked(t, s.Access.PolicySpec(doc(apitest.Member, "Operator", "kms")))
	_, replacing := s.Access.ReplacePolicy(ctx, asker.System, found, "*", spec)
	deleting := s.Access.DeletePolicy(ctx, found)
	works(t, "deleting", s.DeletePolicy(found.ID))
	gone, err := s.Access.GetPolicy(ctx, found.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	works(t, "somebody else's restoring", s.RestorePolicy(asker.System, found.ID))
	_, restoring := s.Access.RestorePolicy(ctx, asker.System, gone, "*")

	role := newRole(s, "kms", "Lister", "kms.secrets.list")
	works(t, "somebody else's change of a role", widen(s.Access, asker.System, role.ID, "kms.secrets.read"))
	_, changing := s.Access.UpdateRole(ctx, asker.System, role, "*",
		apitest.Checked(t, access.RolePatch{DisplayName: "Lister", Actions: role.Actions}))
	for what, err := range map[string]error{"replacing": replacing, "deleting": deleting, "restoring": restoring,
		"changing a role": changing, "deleting a role": s.Access.DeleteRole(ctx, role)} {
		if !errors.Is(err, store.ErrMoved) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAStaleTagIsAnsweredWithThePolicyThatIsThere(t *testing.T) {
	s := serve(t)
	p := create(s, doc(apitest.Member, "Viewer", "kms"))
	spec := apitest.Checked(t, s.Access.PolicySpec(doc(apitest.Member, "Editor", "kms")))
	_, err := s.Access.ReplacePolicy(t.Context(), asker.System, p, "7-00000000000000000000000000000000", spec)
	if conflict, ok := fault.Of(err).Body.(access.PolicyConflict); !errors.Is(err, fault.Stale) || !ok || conflict.Existing.Tag != p.Tag {
		t.Errorf("error %v, body %+v", err, fault.Of(err).Body)
	}
	if got, err := s.Access.GetPolicy(t.Context(), p.ID, false); err != nil || got.Tag != p.Tag ||
		got.Doc.RoleIDs[0] != apitest.Role("Viewer") {
		t.Errorf("the policy afterwards: %+v, %v", got, err)
	}
}

// tagged gives a subject a role on what has a tag.
func tagged(subject string) *policy.Policy {
	d := doc(subject, "Viewer", "kms")
	d.Resource[1] = equal(policy.AttrServiceType, policy.ServiceTypeService)
	d.Tags = []policy.Attribute{equal("project", "x")}
	return d
}

// isFull tells whether an error is that of a full account.
func isFull(err error) bool { return errors.Is(err, fault.State) }

func TestAnAccountHasRoomForSoManyPoliciesWithTagsHoweverTheyCome(t *testing.T) {
	for _, inMemory := range []bool{true, false} {
		t.Run(fmt.Sprint("snapshot in memory ", inMemory), func(t *testing.T) {
			s := apitest.New(t, nil, func(o *apitest.Options) { o.Access.TagPolicies = 3 })
			if inMemory && s.May(apitest.Member, "iam.policy.read", "kms") {
				t.Fatal("the member may read policies")
			}
			first := create(s, tagged("IBMid-first"))
			var all errgroup.Group
			made := make([]error, 10)
			for i := range made {
				all.Go(func() error {
					_, made[i] = s.CreatePolicy(asker.System, tagged(fmt.Sprint("IBMid-", i)))
					return nil
				})
			}
			_ = all.Wait() // the errors are counted below
			n := 0
			for _, err := range made {
				if err == nil {
					n++
				} else if !isFull(err) {
					t.Error(err)
				}
			}
			if n != 2 {
				t.Errorf("%d policies were made at once where there was room for two", n)
			}
			plain := create(s, doc("IBMid-plain", "Viewer", "kms"))
			if err := s.ReplacePolicy(asker.System, plain.ID, tagged("IBMid-plain")); !isFull(err) {
				t.Errorf("tags by way of a replacement: %v", err)
			}
			works(t, "replacing one that has tags", s.ReplacePolicy(asker.System, first.ID, tagged("IBMid-else")))
			works(t, "deleting it", s.DeletePolicy(first.ID))
			create(s, tagged("IBMid-next"))
			if err := s.RestorePolicy(asker.System, first.ID); !isFull(err) {
				t.Errorf("restoring the deleted one: %v", err)
			}
		})
	}
}

func TestARoleIsGoneFromThePoliciesThatNamedIt(t *testing.T) {
	s := serve(t)
	r := newRole(s, "kms", "Lister", "kms.secrets.list")
	d := doc(apitest.Member, "Viewer", "kms")
	d.RoleIDs = append(d.RoleIDs, r.CRN())
	p := create(s, d)
	works(t, "deleting the role", s.Access.DeleteRole(t.Context(), r))
	got, err := s.Access.GetPolicy(t.Context(), p.ID, false)
	if err != nil || len(got.Doc.RoleIDs) != 1 || got.Doc.RoleIDs[0] != apitest.Role("Viewer") {
		t.Errorf("roles afterwards: %+v, %v", got, err)
	}
}
