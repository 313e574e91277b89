package catalogadmin_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/catalogadmin"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

type m = map[string]any

func serve(t testing.TB) *apitest.Server {
	return apitest.New(t, func(s *apitest.Server) []httpapi.Operation {
		return catalogadmin.New(s.Registry, func(context.Context) (string, error) { return apitest.Account, nil }).Operations()
	})
}

func shop() m {
	return m{"name": "web-shop", "display_name": "Web shop", "roles": []m{{"name": "Cashier", "display_name": "Cashier"}},
		"grants": []m{{"roles": []string{"Cashier", "Manager"}, "actions": []string{"order.refund"}},
			{"roles": []string{"Viewer", "Reader"}, "actions": []string{"web-shop.order.read"}}}}
}

func TestOwnServiceLives(t *testing.T) {
	s := serve(t)
	a := s.Do(apitest.Owner, "POST", "/kagiban/v1/services", shop()).Want(201)
	for path, want := range map[string]string{"name": "web-shop", "display_name": "Web shop", "roles.0.name": "Cashier",
		"grants.0.actions.0": "order.refund",
		"created_by_id":      apitest.Owner, "crn": "crn:v1:bluemix:public:kagiban::::service:web-shop"} {
		if a.Text(path) != want {
			t.Errorf("%s is %q, want %q", path, a.Text(path), want)
		}
	}
	s.Do(apitest.Owner, "POST", "/kagiban/v1/services", shop()).Refused(409, "service_conflict_error")
	path := "/kagiban/v1/services/web-shop"
	if got := s.Do(apitest.Owner, "GET", path, nil).Want(200); got.ETag() != a.ETag() {
		t.Error("reading changed the entity tag")
	}
	if list := s.Do(apitest.Owner, "GET", "/kagiban/v1/services", nil).Want(200); list.Len("services") != 1 {
		t.Errorf("listed: %s", list.Body)
	}
	next := shop()
	delete(next, "name")
	next["display_name"] = "Shop"
	s.Do(apitest.Owner, "PUT", path, next, "If-Match: 9-00000000000000000000000000000000").Refused(409, "conflict")
	if b := s.Do(apitest.Owner, "PUT", path, next, "If-Match: "+a.ETag()).Want(200); b.Text("display_name") != "Shop" ||
		b.Text("name") != "web-shop" {
		t.Errorf("replaced: %s", b.Body)
	}
	next["name"] = "other"
	s.Do(apitest.Owner, "PUT", path, next).Refused(400, "invalid_body")
	part := m{"name": "web-shop.till", "parent": "web-shop"}
	s.Do(apitest.Owner, "POST", "/kagiban/v1/services", part).Want(201)
	s.Do(apitest.Owner, "DELETE", path, nil).Refused(409, "service_conflict_error")
	s.Do(apitest.Owner, "DELETE", path+".till", nil).Want(204)
	s.Do(apitest.Owner, "DELETE", path, nil).Want(204)
	s.Do(apitest.Owner, "GET", path, nil).Refused(404, "service_not_found")
	s.Do(apitest.Owner, "PUT", path, shop()).Refused(404, "service_not_found")
	s.Do(apitest.Owner, "DELETE", path, nil).Refused(404, "service_not_found")
}

func TestOnlyOperatorsChangeTheCatalogue(t *testing.T) {
	s := serve(t)
	s.Do(apitest.Owner, "POST", "/kagiban/v1/services", shop()).Want(201)
	s.Grant("IBMid-VIEWER", "Viewer", "serviceName=kagiban")
	s.Grant("IBMid-ADMIN", "Administrator", "serviceName=kagiban")
	other := shop()
	other["name"] = "other-shop"
	for caller, want := range map[string][4]int{
		"IBMid-VIEWER": {200, 403, 403, 403}, "IBMid-ADMIN": {200, 201, 200, 204}, apitest.Member: {403, 403, 403, 403},
		apitest.OtherOwner + "@" + apitest.Other: {404, 404, 404, 404}, "": {401, 401, 401, 401},
	} {
		got := [4]int{
			s.Do(caller, "GET", "/kagiban/v1/services/web-shop", nil).Status, s.Do(caller, "POST", "/kagiban/v1/services", other).Status,
			s.Do(caller, "PUT", "/kagiban/v1/services/other-shop", other).Status,
			s.Do(caller, "DELETE", "/kagiban/v1/services/other-shop", nil).Status,
		}
		if got != want {
			t.Errorf("%q: %v, want %v", caller, got, want)
		}
	}
}

func TestMalformedServicesAreRefused(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		field string
		value any
	}{
		{"name", ""}, {"name", "Web Shop"}, {"name", "a:b"}, {"name", "a.b.c"}, {"name", strings.Repeat("a", 64)}, {"name", 7},
		{"display_name", strings.Repeat("x", 251)}, {"display_name", "<b>"},
		{"group", "IAM"}, {"parent", "web-shop"}, {"parent", "no-such-service"},
		{"roles", []m{{"name": "lower"}}}, {"roles", []m{{"name": "Viewer"}}}, {"roles", []m{{"name": "A"}, {"name": "A"}}},
		{"roles", []m{{"name": "A", "display_name": "Key Manager"}}}, {"roles", []m{{"name": "TemplateAdministrator", "of": "template"}}},
		{"roles", make([]m, 51)},
		{"grants", []m{{"roles": []string{"Nobody"}, "actions": []string{"a.b"}}}}, {"grants", []m{{"roles": []string{"Reader"}}}},
		{"grants", []m{{"actions": []string{"a.b"}}}},
		{"grants", []m{{"roles": []string{"Reader"}, "actions": []string{"nodot"}}}},
		{"grants", []m{{"roles": []string{"Reader"}, "actions": []string{"a b.c"}}}},
		{"grants", []m{{"roles": []string{"Reader"}, "actions": []string{""}}}},
		{"self", []string{"order.steal"}},
	} {
		body := shop()
		body[c.field] = c.value
		s.Do(apitest.Owner, "POST", "/kagiban/v1/services", body).Refused(400, "invalid_body")
	}
	for _, name := range []string{"kms", "iam-identity", "alliamserviceroles", "kagiban", "iam", "resource-controller"} {
		body := shop()
		body["name"] = name
		s.Do(apitest.Owner, "POST", "/kagiban/v1/services", body).Refused(409, "service_conflict_error")
		s.Do(apitest.Owner, "PUT", "/kagiban/v1/services/"+name, body).Refused(404, "service_not_found")
	}
	if n := s.Do(apitest.Owner, "GET", "/kagiban/v1/services", nil).Len("services"); n != 0 {
		t.Errorf("%d refused services were stored", n)
	}
}

func TestWithoutOperatorsThereIsNoCatalogueToChange(t *testing.T) {
	s := apitest.New(t, func(s *apitest.Server) []httpapi.Operation {
		return catalogadmin.New(s.Registry, func(context.Context) (string, error) { return "", fault.New(fault.NotFound, "nobody") }).Operations()
	})
	s.Do(apitest.Owner, "POST", "/kagiban/v1/services", shop()).Want(404)
}
