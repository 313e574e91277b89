package access_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

func equal(key, value string) policy.Attribute {
	return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
}

// lets is an authorization that lets a service act on another one by a role.
func lets(source, target, role string) *policy.Policy {
	return &policy.Policy{Version: policy.V2, Type: policy.TypeAuthorization, RoleIDs: []string{apitest.Role(role)},
		Subject:  []policy.Attribute{equal(policy.AttrAccountID, acct), equal(policy.AttrServiceName, source)},
		Resource: []policy.Attribute{equal(policy.AttrAccountID, acct), equal(policy.AttrServiceName, target)}}
}

// lister lets the member change policies of kms and custom roles, but read
// secrets only.
func lister(s *apitest.Server) asker.Asker {
	s.Grant(apitest.Member, "Administrator Reader", "serviceName=kms")
	s.Grant(apitest.Member, "Editor", "serviceName=iam-access-management")
	return s.As(apitest.Member, acct)
}

// newRole makes a custom role as the owner.
func newRole(s *apitest.Server, service, name string, actions ...string) *access.CustomRole {
	s.T.Helper()
	r, err := s.CreateRole(s.As(apitest.Owner, acct), roleOn(service, name, actions...))
	if err != nil {
		s.T.Fatal(err)
	}
	return r
}

func roleOn(service, name string, actions ...string) *access.CustomRole {
	return &access.CustomRole{Meta: store.Meta{Name: name}, DisplayName: name, Service: service, Actions: actions}
}

// widen changes the actions of a role as somebody asks for it.
func widen(s *access.Service, who asker.Asker, roleID string, actions ...string) error {
	ctx := context.Background()
	r, err := s.GetRole(ctx, roleID)
	if err != nil {
		return err
	}
	patch, err := valid.Check(access.RolePatch{DisplayName: r.DisplayName, Actions: actions})
	if err == nil {
		_, err = s.UpdateRole(ctx, who, r, "*", patch)
	}
	return err
}

// refused fails unless something was refused as more than who asked holds.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, fault.Forbidden) {
		t.Errorf("%s: %v, want that it is forbidden", what, err)
	}
}

func works(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func TestAnAuthorizationGivesNoMoreThanItsGiverHolds(t *testing.T) {
	s := serve(t)
	who := lister(s)
	_, err := s.CreatePolicy(who, lets("is", "kms", "Writer"))
	refused(t, "creating one", err)
	p, err := s.CreatePolicy(who, lets("is", "kms", "Reader"))
	if err != nil {
		t.Fatalf("creating one that gives what the member holds: %v", err)
	}
	refused(t, "replacing it", s.ReplacePolicy(who, p.ID, lets("is", "kms", "Writer")))
	works(t, "the owner's replacing it", s.ReplacePolicy(s.As(apitest.Owner, acct), p.ID, lets("is", "kms", "Writer")))
	works(t, "deleting it", s.DeletePolicy(p.ID))
	refused(t, "restoring it", s.RestorePolicy(who, p.ID))
	works(t, "the server's restoring it", s.RestorePolicy(asker.System, p.ID))
	works(t, "restoring what is there", s.RestorePolicy(who, p.ID))
	if _, err := s.CreatePolicy(s.As(apitest.OtherOwner, apitest.Other), lets("watson", "kms", "Reader")); !errors.Is(err, fault.Forbidden) {
		t.Errorf("the owner of another account gave what is of this one: %v", err)
	}
}

// A policy of a service is one of its parts, and a role of it holds there, too.
func TestWhatAnAuthorizationGivesOnThePartsOfAServiceMustBeHeldThere(t *testing.T) {
	s := serve(t)
	for _, service := range []catalog.Service{
		{Name: "shop", Grants: []catalog.Grant{{Roles: []string{"Manager"}, Actions: []string{"order.read", "order.refund"}}}},
		{Name: "shop.safe", Parent: "shop", Grants: []catalog.Grant{{Roles: []string{"Reader", "Manager"}, Actions: []string{"coin.count"}}}},
	} {
		s.Register(service)
	}
	owner, who := s.As(apitest.Owner, acct), s.As(apitest.Member, acct)
	clerk := newRole(s, "shop", "Clerk", "shop.order.read")
	s.Grant(apitest.Member, clerk.CRN(), "serviceName=shop")
	s.Grant(apitest.Member, "Editor", "serviceName=iam-access-management")

	_, err := s.CreatePolicy(who, lets("is", "shop", clerk.CRN()))
	works(t, "giving what the member holds on the service and its part", err)
	_, err = s.CreatePolicy(who, lets("watson", "shop", "Reader"))
	refused(t, "giving a role that has actions on the part only", err)
	_, err = s.CreatePolicy(owner, lets("watson", "shop", "Reader"))
	works(t, "the owner's giving it", err)

	other := newRole(s, "shop", "Other", "shop.order.refund")
	_, err = s.CreatePolicy(owner, lets("kms", "shop.safe", other.CRN()))
	works(t, "the owner's giving a role of the service on its part", err)
	refused(t, "widening a role that an authorization of the part names",
		widen(s.Access, who, other.ID, "shop.order.refund", "shop.order.read", "iam.policy.read"))
}

func TestARoleThatAuthorizationsNameIsWidenedOnlyByWhoHoldsTheActions(t *testing.T) {
	s := serve(t)
	who := lister(s)
	r := newRole(s, "kms", "Lister", "kms.secrets.list")
	works(t, "widening a role that nothing names", widen(s.Access, who, r.ID, "kms.secrets.list", "kms.secrets.create"))
	_, err := s.CreatePolicy(who, lets("is", "kms", r.CRN()))
	refused(t, "naming the widened role", err)
	works(t, "narrowing it", widen(s.Access, who, r.ID, "kms.secrets.list"))
	p, err := s.CreatePolicy(who, lets("is", "kms", r.CRN()))
	if err != nil {
		t.Fatalf("naming the narrow role: %v", err)
	}
	refused(t, "widening the named role", widen(s.Access, who, r.ID, "kms.secrets.list", "kms.secrets.create"))
	works(t, "the owner's widening it", widen(s.Access, s.As(apitest.Owner, acct), r.ID, "kms.secrets.list", "kms.secrets.create"))
	works(t, "narrowing it again", widen(s.Access, who, r.ID, "kms.secrets.list"))
	works(t, "deleting the authorization", s.DeletePolicy(p.ID))
	works(t, "widening a role that only a deleted authorization names", widen(s.Access, who, r.ID, "kms.secrets.list", "kms.secrets.create"))
	refused(t, "restoring the authorization", s.RestorePolicy(who, p.ID))
}

// A deleted authorization keeps the name of a role that is deleted meanwhile. It
// can be restored, and gives nothing; but whoever makes a role of that name gives
// it to the service.
func TestARoleOfANameThatAuthorizationsKeepIsMadeOnlyByWhoHoldsItsActions(t *testing.T) {
	s := serve(t)
	who := lister(s)
	r := newRole(s, "kms", "Lister", "kms.secrets.list")
	p, err := s.CreatePolicy(who, lets("is", "kms", r.CRN()))
	if err != nil {
		t.Fatal(err)
	}
	works(t, "deleting the authorization", s.DeletePolicy(p.ID))
	works(t, "deleting the role", s.Access.DeleteRole(t.Context(), r))
	works(t, "restoring the authorization", s.RestorePolicy(who, p.ID))
	_, err = s.CreateRole(who, roleOn("kms", "Lister", "kms.secrets.list", "kms.secrets.create"))
	refused(t, "making a role of its name that holds more", err)
	_, err = s.CreateRole(who, roleOn("kms", "Lister", "kms.secrets.list"))
	works(t, "making one that holds what the member holds", err)
}

// A custom role holds its actions on its own service only.
func TestAnAuthorizationOfAllServicesMayNameACustomRole(t *testing.T) {
	s := serve(t)
	r := newRole(s, "kms", "Lister", "kms.secrets.list")
	all := lets("is", "kms", r.CRN())
	all.Resource[1] = equal(policy.AttrServiceType, policy.ServiceTypeService)
	_, err := s.CreatePolicy(s.As(apitest.Member, acct), all)
	refused(t, "giving it without holding the action", err)
	_, err = s.CreatePolicy(lister(s), all)
	works(t, "giving it on all services, holding the action on its own", err)
}

func TestAPolicyNamesOnlyCustomRolesOfItsAccountThatFit(t *testing.T) {
	s := serve(t)
	here := newRole(s, "kms", "Lister", "kms.secrets.list")
	there := *here
	there.Account = apitest.Other
	for what, crn := range map[string]string{"of another account": there.CRN(), "that is not there": here.CRN() + "s"} {
		if _, err := s.CreatePolicy(asker.System, doc(apitest.Member, crn, "kms")); !errors.Is(err, fault.Invalid) {
			t.Errorf("a role %s: %v", what, err)
		}
	}
	if _, err := s.CreatePolicy(asker.System, doc(apitest.Member, here.CRN(), "watson")); !errors.Is(err, fault.Invalid) {
		t.Errorf("a role of another service: %v", err)
	}
	p, err := s.CreatePolicy(asker.System, doc(apitest.Member, here.CRN(), "kms"))
	if err != nil {
		t.Fatalf("a role of the service: %v", err)
	}
	if err := s.ReplacePolicy(asker.System, p.ID, doc(apitest.Member, there.CRN(), "kms")); !errors.Is(err, fault.Invalid) {
		t.Errorf("replacing by a role of another account: %v", err)
	}
}
