package catalog

import (
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"

	"github.com/kagiban/kagiban/internal/policy"
)

func holders(t *testing.T, service, action string) []string {
	t.Helper()
	services, err := builtinWith()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range services {
		if s.Name != service {
			continue
		}
		for _, r := range s.Roles {
			if slices.Contains(r.Actions, action) {
				names = append(names, r.Name)
			}
		}
	}
	return names
}

func TestBuiltinRolesHoldTheDocumentedActions(t *testing.T) {
	for _, c := range []struct {
		service, action, want string
	}{
		// On identities the Operator is stronger than the Editor.
		{"iam-identity", "iam-identity.apikey.create", "Administrator Operator"},
		{"iam-identity", "iam-identity.profile.update", "Administrator Editor Operator"},
		{"iam-identity", "iam-identity.profile.create", "Administrator"},
		{"iam-identity", "iam-identity.serviceid.create", "ServiceIdCreator"},
		{"iam-identity", "iam-identity.profile-template.create", "TemplateAdministrator"},
		{"iam-groups", "iam-groups.groups.list", "Administrator Editor Viewer"},
		{"enterprise", "enterprise.enterprise.retrieve", "Administrator Editor Operator Viewer UsageReportsViewer"},
		{"enterprise", "enterprise.account.move", "Administrator"},
		{"kms", "iam.policy.create", "Administrator"},
		{"kms", "iam.role.read", "Administrator Viewer"},
		{"container-registry", "container-registry.image.push", "Writer Manager"},
		{"container-registry", "container-registry.namespace.list", "Reader Manager"},
	} {
		if got := strings.Join(holders(t, c.service, c.action), " "); got != c.want {
			t.Errorf("%s on %s is held by %q, want %q", c.action, c.service, got, c.want)
		}
	}
}

// Configurations name services and roles, and break where one of them is unknown.
func TestTheCatalogueHasTheNamesOfPublicConfigurations(t *testing.T) {
	raw, err := os.ReadFile("testdata/names.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names map[string][]string
	if err := yaml.Unmarshal(raw, &names); err != nil {
		t.Fatal(err)
	}
	services, _ := ownedBuiltin(t)
	shown := map[string][]string{}
	for _, s := range services {
		for _, r := range s.Roles {
			// Clients find roles by the name that people see.
			if slices.Contains(shown[s.Name], r.DisplayName) {
				t.Errorf("service %s shows two roles as %s", s.Name, r.DisplayName)
			}
			shown[s.Name] = append(shown[s.Name], r.DisplayName)
		}
	}
	for service, roles := range names {
		if shown[service] == nil {
			t.Errorf("there is no service %s", service)
			continue
		}
		for _, r := range roles {
			if !slices.Contains(shown[service], r) {
				t.Errorf("service %s has no role %s", service, r)
			}
		}
	}
}

func TestBuiltinCatalogueCompiles(t *testing.T) {
	services, err := builtinWith()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.CompileCatalog(services); err != nil {
		t.Fatal(err)
	}
}

func TestOwnServiceJoinsAndReplaces(t *testing.T) {
	own := fstest.MapFS{"shop.yaml": {Data: []byte(`
services:
  - name: web-shop
    display_name: Web shop
    roles: [{name: Cashier}]
    grants:
      - {roles: [Cashier, Manager], actions: [order.refund]}
  - name: kms
    display_name: Replaced
`)}}
	services, err := builtinWith(own)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]policy.Service{}
	for _, s := range services {
		byName[s.Name] = s
	}
	if len(byName["kms"].Actions) != 0 {
		t.Errorf("an own service must replace the built-in one, got %+v", byName["kms"])
	}
	shop := byName["web-shop"]
	i := slices.IndexFunc(shop.Roles, func(r policy.Role) bool { return r.Name == "Cashier" })
	if i < 0 || !slices.Equal(shop.Roles[i].Actions, []string{"web-shop.order.refund"}) {
		t.Errorf("Cashier must hold exactly web-shop.order.refund, got %+v", shop.Roles)
	}
}

func TestFaultyCatalogueFilesAreRefusedWithFileAndReason(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown field", "services:\n  - name: x\n    colour: red\n", "x.yaml"},
		{"unknown role", "services:\n  - name: x\n    grants: [{roles: [Nobody], actions: [a.b]}]\n", "Nobody"},
		{"no name", "services:\n  - display_name: x\n", "no name"},
		{"not yaml", "services: [", "x.yaml"},
	} {
		_, err := load(fstest.MapFS{"x.yaml": {Data: []byte(c.text)}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("services:\n  - name: x\n")
	f.Add("common:\n  - {roles: [Reader], actions: [a.b]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		services, err := load(fstest.MapFS{"x.yaml": {Data: []byte(text)}})
		if err == nil {
			for _, s := range services {
				if s.Name == "" {
					t.Error("a service without name was accepted")
				}
			}
		}
	})
}

const (
	account = "0123456789abcdef0123456789abcdef"
	owner   = "IBMid-OWNER00000"
)

// ownedBuiltin is an account with an owner and the built-in catalogue.
func ownedBuiltin(t *testing.T, policies ...*policy.Policy) ([]policy.Service, *policy.Snapshot) {
	t.Helper()
	services, err := builtinWith()
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.CompileCatalog(services)
	if err != nil {
		t.Fatal(err)
	}
	return services, policy.NewSnapshot(policy.Input{Account: account, Owner: owner, State: policy.AccountActive, Catalog: compiled,
		Policies: policies, Restricted: []string{"iam-identity.serviceid.create", "iam-identity.user-apikey.create"}})
}

func ownerMay(s *policy.Snapshot, action, service string) policy.Decision {
	return policy.Decide(s, &policy.Request{Action: action, Resource: policy.Resource{Account: account, ServiceName: service},
		Subject: policy.Subject{Kind: policy.KindUser, IAMID: owner, Account: account}})
}

// Nobody holds the roles of enterprise templates without a policy, and an account
// that restricts creation binds its owner too.
func TestWhatTheAccountOwnerMayNotDoByOwningAlone(t *testing.T) {
	services, s := ownedBuiltin(t)
	apart := map[string]bool{}
	for _, service := range services {
		for _, r := range service.Roles {
			if r.Apart {
				apart[service.Name+" "+r.Name] = true
			}
		}
	}
	want := map[string]bool{"iam-identity ServiceIdCreator": true, "iam-identity UserApiKeyCreator": true}
	for _, service := range []string{"iam-identity", "iam-groups", "iam-access-management"} {
		want[service+" TemplateAdministrator"], want[service+" TemplateAssignmentAdministrator"] = true, true
	}
	if !maps.Equal(apart, want) {
		t.Errorf("the roles apart are %v, want %v", apart, want)
	}
	for action, want := range map[string]bool{
		"iam-identity.apikey.create":                  true,
		"iam-identity.account.update":                 true,
		"iam-identity.serviceid.create":               false,
		"iam-identity.user-apikey.create":             false,
		"iam-identity.profile-template.create":        false,
		"iam-identity.profile-assignment.create":      false,
		"iam-identity.account-settings-template.read": false,
	} {
		if d := ownerMay(s, action, "iam-identity"); d.Allowed != want {
			t.Errorf("%s: allowed %t (%s), want %t", action, d.Allowed, d.Reason, want)
		}
	}
}

// The owner uses every role: by owning, or, where a role is apart, once it has
// given it to itself.
func TestTheOwnerUsesEveryRoleOfTheCatalogue(t *testing.T) {
	services, s := ownedBuiltin(t)
	is := func(key, value string) policy.Attribute {
		return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
	}
	for _, service := range services {
		for _, r := range service.Roles {
			holds, want := s, policy.ReasonOwner
			if r.Apart {
				_, holds = ownedBuiltin(t, &policy.Policy{ID: "given", Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive,
					Subject: []policy.Attribute{is(policy.AttrIAMID, owner)}, RoleIDs: []string{r.CRN},
					Resource: []policy.Attribute{is(policy.AttrServiceName, service.Name), is(policy.AttrAccountID, account)}})
				want = policy.ReasonPolicy
			}
			for _, action := range r.Actions {
				if d := ownerMay(holds, action, service.Name); d.Reason != want && d.Reason != policy.ReasonOwner {
					t.Errorf("%s of %s on %s: %s, want %s", action, r.Name, service.Name, d.Reason, want)
				}
			}
		}
	}
	// Templates of other services are no enterprise templates.
	for _, verb := range []string{"create", "read", "update", "delete"} {
		if d := ownerMay(s, "is.instance.instance-template."+verb, "is.instance"); d.Reason != policy.ReasonOwner {
			t.Errorf("%s of templates of virtual servers: %s", verb, d.Reason)
		}
	}
}

// builtinWith gives the services of BuiltinSet.
func builtinWith(own ...fs.FS) ([]policy.Service, error) {
	set, err := BuiltinSet(own...)
	if err != nil {
		return nil, err
	}
	return set.Expand()
}

// load reads and expands the files of folders.
func load(dirs ...fs.FS) ([]policy.Service, error) {
	set, err := Parse(dirs...)
	if err != nil {
		return nil, err
	}
	return set.Expand()
}

// One policy about all services counts for each of them: what a role holds on all
// services it must hold wherever the action is known.
func TestRolesOfAllServicesHoldTheSameOnEach(t *testing.T) {
	_, s := ownedBuiltin(t)
	c := s.Catalog()
	for _, r := range c.RolesOf(policy.AllServices) {
		for _, s := range c.Services() {
			here, _ := c.RoleOn(s.Name, r.CRN)
			for _, action := range r.Actions {
				if _, known := c.Action(s.Name, action); known && !slices.Contains(here.Actions, action) {
					t.Errorf("%s holds %s on all services, but not on %s", r.Name, action, s.Name)
				}
			}
		}
	}
}
