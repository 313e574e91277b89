package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/policy"
)

func TestACatalogueWithFaultsIsRefused(t *testing.T) {
	action := []policy.Action{{ID: "s.a.b"}}
	for _, c := range []struct {
		name     string
		services []policy.Service
		want     string
	}{
		{"service without name", []policy.Service{{}}, "service 0 has no name"},
		{"service twice", []policy.Service{{Name: "s"}, {Name: "s"}}, "service s is defined twice"},
		{"action without id", []policy.Service{{Name: "s", Actions: []policy.Action{{}}}}, "action without id"},
		{"action twice", []policy.Service{{Name: "s", Actions: append(action, action...)}}, "defines action s.a.b twice"},
		{"role without CRN", []policy.Service{{Name: "s", Roles: []policy.Role{{}}}}, "role without CRN"},
		{"role twice", []policy.Service{{Name: "s", Roles: []policy.Role{{CRN: "crn:v1:bluemix:r"}, {CRN: "crn:v1:ibmcloud:r"}}}},
			"defines role crn:v1:ibmcloud:r twice"},
		{"role with unknown action", []policy.Service{{Name: "s", Roles: []policy.Role{{CRN: "r", Actions: []string{"x"}}}}}, "unknown action x"},
		{"self action that is unknown", []policy.Service{{Name: "s", SelfActions: []string{"x"}}}, "unknown action x"},
		{"unknown parent", []policy.Service{{Name: "s", Parent: "t"}}, "unknown parent t"},
		{"its own parent", []policy.Service{{Name: "s", Parent: "s"}}, "its own parent"},
		{"parents in a circle", []policy.Service{{Name: "s", Parent: "t"}, {Name: "t", Parent: "s"}}, "service t is its own parent"},
	} {
		if _, err := policy.CompileCatalog(c.services); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := policy.CompileCatalog([]policy.Service{{}, {Name: "s", Parent: "t"}})
	if err == nil || !strings.Contains(err.Error(), "no name") || !strings.Contains(err.Error(), "unknown parent") {
		t.Errorf("not every fault is named: %v", err)
	}
}

func TestTwoServicesMayDefineTheSameAction(t *testing.T) {
	c, err := policy.CompileCatalog([]policy.Service{
		{Name: "a", Actions: []policy.Action{{ID: "x.y.z", DisplayName: "first"}}},
		{Name: "b", Actions: []policy.Action{{ID: "x.y.z", DisplayName: "second"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := c.Action("b", "x.y.z"); !ok || a.DisplayName != "first" {
		t.Errorf("action is %+v, %v", a, ok)
	}
}

func roleNames(roles []policy.Role) []string {
	var out []string
	for _, r := range roles {
		out = append(out, r.Name)
	}
	slices.Sort(out)
	return out
}

func TestRolesOfServices(t *testing.T) {
	services, c := scenarioCatalog(t)
	if got := c.Services(); len(got) != len(services) || got[0].Name != services[0].Name {
		t.Errorf("%d services, want %d", len(got), len(services))
	}
	if s, ok := c.Service("vault"); !ok || s.Name != "vault" {
		t.Errorf("service vault is %+v, %v", s, ok)
	}
	if _, ok := c.Service("unheard"); ok {
		t.Error("an unknown service was found")
	}
	if got := c.ServiceType("billing") + " " + c.ServiceType("storage") + " " + c.ServiceType("unheard") + " " +
		c.ServiceType("iam-access-management.customRole"); got != "platform_service service service platform_service" {
		t.Errorf("types are %s", got)
	}
	want := []string{"Administrator", "Editor", "Manager", "ObjectReader", "Operator", "Reader", "Sealer", "Viewer", "Writer"}
	if diff := cmp.Diff(want, roleNames(c.RolesOf("storage"))); diff != "" {
		t.Errorf("roles of storage (-want +got):\n%s", diff)
	}
	want = []string{"Administrator", "Editor", "Manager", "Operator", "Reader", "Viewer", "Writer"}
	if diff := cmp.Diff(want, roleNames(c.RolesOf("unheard"))); diff != "" {
		t.Errorf("roles of an unknown service (-want +got):\n%s", diff)
	}
	want = []string{"Administrator", "Editor", "Operator", "ServiceIdCreator", "TemplateAdministrator", "TemplateAssignmentAdministrator",
		"Viewer"}
	if diff := cmp.Diff(want, roleNames(c.Offered([]policy.Attribute{equals(policy.AttrServiceGroupID, "IAM")}))); diff != "" {
		t.Errorf("roles of the IAM group (-want +got):\n%s", diff)
	}
	for _, r := range c.Offered([]policy.Attribute{equals(policy.AttrServiceGroupID, "IAM")}) {
		if r.Name == "Viewer" && (!slices.Contains(r.Actions, "iam-groups.groups.read") ||
			!slices.Contains(r.Actions, "iam-identity.serviceid.get")) {
			t.Errorf("the group's Viewer lacks actions of a service: %v", r.Actions)
		}
	}
}

func TestAChildHasTheActionsAndRolesOfItsParent(t *testing.T) {
	_, c := scenarioCatalog(t)
	if _, ok := c.Action("iam-access-management.customRole", "iam-access-management.settings.read"); !ok {
		t.Error("the child does not know its parent's action")
	}
	if _, ok := c.Action("iam-access-management", "iam-access-management.customRole.read"); ok {
		t.Error("the parent knows its child's action")
	}
	for _, r := range c.RolesOf("iam-access-management.customRole") {
		if r.Name == "Viewer" && (!slices.Contains(r.Actions, "iam-access-management.settings.read") ||
			!slices.Contains(r.Actions, "iam-access-management.customRole.read")) {
			t.Errorf("the child's Viewer has %v", r.Actions)
		}
	}
}

func TestRolesAreFoundByCRN(t *testing.T) {
	_, c := scenarioCatalog(t)
	if r, ok := c.RoleOn("storage", roleCRN("storage:Reader")); !ok || r.CRN != roleCRN("Reader") {
		t.Errorf("the Reader of storage is %+v, %v", r, ok)
	}
	if r, ok := c.RoleNamed("crn:v1:ibmcloud:public:iam::::role:Viewer"); !ok || r.Name != "Viewer" {
		t.Errorf("the Viewer is %+v, %v", r, ok)
	}
	for _, crn := range []string{roleCRN("iam-identity:ServiceIdCreator"), roleCRN("Emperor")} {
		if _, ok := c.RoleOn("storage", crn); ok {
			t.Errorf("storage has role %s", crn)
		}
	}
	if _, ok := c.RoleNamed(roleCRN("Emperor")); ok {
		t.Error("a role was found that nobody defines")
	}
	only, err := policy.CompileCatalog(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := only.RoleNamed(roleCRN("Administrator")); ok {
		t.Error("a catalogue of no services has an Administrator")
	}
}

func TestARoleThatIsDefinedGoesBeforeItsOtherName(t *testing.T) {
	common, own := roleCRN("Reader"), roleCRN("s:Reader")
	c, err := policy.CompileCatalog([]policy.Service{{
		Name: "s", Actions: []policy.Action{{ID: "s.a.own"}, {ID: "s.a.common"}, {ID: "s.a.view"}},
		Roles: []policy.Role{
			{CRN: own, Kind: policy.RoleService, Actions: []string{"s.a.own"}},
			{CRN: common, Kind: policy.RoleService, Actions: []string{"s.a.common"}},
			{CRN: roleCRN("Viewer"), Kind: policy.RoleSystem, Actions: []string{"s.a.view"}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for crn, want := range map[string]string{own: "s.a.own", common: "s.a.common"} {
		if r, ok := c.RoleOn("s", crn); !ok || r.Actions[0] != want {
			t.Errorf("%s is %+v, %v", crn, r, ok)
		}
	}
	if r, ok := c.RoleOn("s", "crn:v1:bluemix:public:iam::::serviceRole:Viewer"); ok {
		t.Errorf("a platform role answers to a service role's name: %+v", r)
	}
}
