package iampolicymanagementv1

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/policy"
)

// everyRole lists the CRNs of all roles of a catalogue.
func everyRole(c *policy.Catalog) []string {
	var crns []string
	for _, service := range c.Services() {
		for _, r := range c.RolesOf(service.Name) {
			crns = append(crns, r.CRN)
		}
	}
	slices.Sort(crns)
	return slices.Compact(crns)
}

// takes gives those of some roles that a policy takes, by what is wrong with one
// that gives them all: the check that create_policy makes of its document.
func takes(t *testing.T, s *apitest.Server, kind policy.Type, subject, target []policy.Attribute, roles []string) []string {
	t.Helper()
	doc := &policy.Policy{Version: policy.V2, Type: kind, State: policy.StateActive, Subject: subject, RoleIDs: roles,
		Resource: append(slices.Clone(target), attribute("accountId", acct))}
	var problems policy.Problems
	if err := s.Access.PolicySpec(doc).Validate(); err != nil && !errors.As(err, &problems) {
		t.Fatal(err)
	}
	wrong := map[string]bool{}
	for _, p := range problems {
		wrong[p.Field] = true
	}
	var out []string
	for i, crn := range roles {
		if !wrong[fmt.Sprintf("control.grant.roles[%d].role_id", i)] {
			out = append(out, crn)
		}
	}
	return out
}

func attribute(key, value string) policy.Attribute {
	return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
}

// offered lists the CRNs that the list of roles gives for a query.
func offered(s *apitest.Server, query url.Values) []string {
	s.T.Helper()
	a := s.Do(owner, "GET", "/v2/roles?"+query.Encode(), nil).Want(200)
	crns := slices.Concat(a.Each("system_roles", "crn"), a.Each("service_roles", "crn"), a.Each("custom_roles", "crn"))
	slices.Sort(crns)
	return crns
}

// What may be given here has one answer: roles that are offered are taken, and
// others are not, whatever service is to have them.
func TestTheRolesOfferedAreThoseThatPoliciesTake(t *testing.T) {
	s := serve(t)
	s.Register(catalog.Service{Name: "web-shop", Roles: []catalog.Role{{Name: "Cashier"}}})
	c, _ := s.Registry.Current()
	every := everyRole(c)
	type place struct{ name, key, value, parameter string }
	places := []place{
		{"all services", "serviceType", "service", "service_type"},
		{"account management", "serviceType", "platform_service", "service_type"},
		{"all there are", "serviceType", "*", "service_type"},
		{"the IAM services", "service_group_id", "IAM", "service_group_id"},
		{"a service that nobody described", "serviceName", "unheard-of", "service_name"},
	}
	for _, service := range c.Services() {
		places = append(places, place{service.Name, "serviceName", service.Name, "service_name"})
	}
	sources := []string{""}
	for _, service := range c.Services() {
		sources = append(sources, service.Name)
	}
	sources = append(sources, "unheard-of")
	for n, p := range places {
		target, query := []policy.Attribute{attribute(p.key, p.value)}, url.Values{p.parameter: {p.value}}
		list := offered(s, query)
		if want := takes(t, s, policy.TypeAccess, []policy.Attribute{attribute("iam_id", "IBMid-1")}, target, every); !slices.Equal(list, want) {
			t.Errorf("%s: offered %v, taken %v", p.name, list, want)
		}
		query.Set("policy_type", "authorization")
		for i, source := range sources {
			subject := []policy.Attribute{attribute("accountId", acct), attribute("serviceName", source)}
			if source == "" {
				subject[1] = attribute("resourceGroupId", "*")
			}
			asked := list
			if (n+i)%40 == 0 { // the whole catalogue takes a while
				asked = every
				query.Set("source_service_name", source)
				if got := offered(s, query); !slices.Equal(got, list) {
					t.Errorf("%s to %s: offered %v, %v in access policies", p.name, source, got, list)
				}
			}
			if want := takes(t, s, policy.TypeAuthorization, subject, target, asked); !slices.Equal(list, want) {
				t.Errorf("%s to %s: offered %v, taken %v", p.name, source, list, want)
			}
		}
	}
}

// An account's own roles are offered where policies take them: on their service
// and its parts, in authorizations too.
func TestCustomRolesAreOfferedWherePoliciesTakeThem(t *testing.T) {
	s := serve(t)
	made := s.Do(owner, "POST", "/v2/roles", role("KeyLister", "kms", "kms.secrets.list")).Want(201)
	network := s.Do(owner, "POST", "/v2/roles", role("Waterer", "iam-access-management", "iam-access-management.settings.read")).Want(201)
	for _, c := range []struct{ query, target, crn string }{
		{"service_name=kms", "serviceName=kms", made.Text("crn")},
		{"service_name=cloud-object-storage", "serviceName=cloud-object-storage", ""},
		{"service_name=iam-access-management.insight", "serviceName=iam-access-management.insight", network.Text("crn")},
		{"service_group_id=IAM", "service_group_id=IAM", network.Text("crn")},
		{"service_type=service", "serviceType=service", made.Text("crn")},
		{"service_type=platform_service", "serviceType=platform_service", network.Text("crn")},
	} {
		for _, query := range []string{c.query, c.query + "&policy_type=authorization&source_service_name=project"} {
			var want []string
			if c.crn != "" {
				want = []string{c.crn}
			}
			got := s.Do(owner, "GET", "/v2/roles?account_id="+acct+"&"+query, nil).Want(200).Each("custom_roles", "crn")
			if !slices.Equal(got, want) {
				t.Errorf("%s: offered %v, want %v", query, got, want)
			}
		}
		for _, r := range []string{made.Text("crn"), network.Text("crn")} {
			body := v1("IBMid-1", "Viewer", c.target)
			body["roles"] = roleIDs(r)
			want := 400
			if r == c.crn {
				want = 201
			}
			if a := s.Do(owner, "POST", "/v1/policies", body); a.Status != want {
				t.Errorf("%s on %s: %d, want %d: %s", r, c.target, a.Status, want, a.Body)
			}
		}
	}
}
