package iamidentityv1_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/api/apitest"
)

func TestServiceIDIsBornWithAKey(t *testing.T) {
	s := newServer(t)
	a := s.do("bob", "POST", "/v1/serviceids/", obj("name", "svc", "account_id", acct, "description", "d",
		"apikey", map[string]any{"name": "first key", "store_value": true, "expires_at": "2049-01-02T18:30:00+0000"}))
	made := a.ok(201)
	key, _ := made["apikey"].(map[string]any)
	if key == nil || key["name"] != "first key" || key["iam_id"] != made["iam_id"] || key["account_id"] != acct ||
		len(text(t, key, "apikey")) < 40 {
		t.Fatalf("key: %v", key)
	}
	id := text(t, made, "id")
	delete(made, "apikey")
	want := map[string]any{
		"id": id, "iam_id": "iam-" + id, "entity_tag": a.header.Get("ETag"),
		"crn":    "crn:v1:bluemix:public:iam-identity::a/" + acct + "::serviceid:" + id,
		"locked": false, "created_at": "2026-03-04T05:06+0000", "modified_at": "2026-03-04T05:06+0000", "account_id": acct,
		"name": "svc", "description": "d", "unique_instance_crns": []any{},
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.do("bob", "GET", "/v1/apikeys/"+text(t, key, "id"), "").ok(200); got["apikey"] != key["apikey"] {
		t.Errorf("stored value: %v", got)
	}
	got := s.do("bob", "GET", "/v1/serviceids/"+id+"?include_history=true&include_activity=true", "").ok(200)
	if h := list(t, got, "history")[0].(map[string]any); h["action"] != "iam-identity.account-serviceid.create" {
		t.Errorf("history: %v", h)
	}
	if got["activity"] == nil || got["apikey"] != nil {
		t.Errorf("get: %v", got)
	}
}

func TestServiceIDIsNotBornWhenItsKeyCannotBe(t *testing.T) {
	s := newServer(t)
	value := strings.Repeat("v", 32)
	s.do("bob", "POST", "/v1/apikeys", obj("name", "k", "iam_id", bob, "apikey", value)).ok(201)
	s.do("bob", "POST", "/v1/serviceids", obj("name", "svc", "account_id", acct, "apikey",
		map[string]any{"name": "k", "apikey": value})).refused(409, "could not be created")
	if got := s.do("ann", "GET", "/v1/serviceids?account_id="+acct, "").ok(200); len(list(t, got, "serviceids")) != 0 {
		t.Errorf("half of it is there: %v", got)
	}
}

func TestServiceIDChangesAndLocks(t *testing.T) {
	s := newServer(t)
	made := s.newServiceID("bob", "one") // its creator administers it
	path := "/v1/serviceids/" + text(t, made, "id")
	const crn = "crn:v1:bluemix:public:cloud-object-storage:global:a/" + acct + ":inst::"
	got := s.do("bob", "PUT", path, obj("name", "two", "unique_instance_crns", []string{crn}),
		"If-Match: "+text(t, made, "entity_tag")).ok(200)
	if got["name"] != "two" || len(list(t, got, "unique_instance_crns")) != 1 {
		t.Errorf("updated: %v", got)
	}
	if e := s.lastEvent(acct); e.Action != "iam-identity.account-serviceid.update" ||
		!slices.Equal(e.Params, []string{"name", "unique_instance_crns"}) {
		t.Errorf("event: %+v", e)
	}
	got = s.do("bob", "PUT", path, obj("unique_instance_crns", []string{}), "If-Match: *").ok(200)
	if len(list(t, got, "unique_instance_crns")) != 0 || got["name"] != "two" {
		t.Errorf("cleared: %v", got)
	}
	s.do("bob", "PUT", path, obj("name", "x"), "If-Match: "+text(t, made, "entity_tag")).refused(409, "changed")

	s.do("bob", "POST", path+"/lock", "").ok(204)
	if e := s.lastEvent(acct); string(e.Data) != `{"lock":true}` {
		t.Errorf("event data: %s", e.Data)
	}
	s.do("bob", "PUT", path, obj("name", "x"), "If-Match: *").refused(409, "locked")
	s.do("bob", "DELETE", path, "").refused(409, "locked")
	if got := s.do("bob", "GET", path, "").ok(200); got["locked"] != true {
		t.Errorf("locked: %v", got)
	}
	s.do("bob", "DELETE", path+"/lock", "").ok(204)
	s.do("carl", "DELETE", path, "").refused(403, "serviceid.delete")
	s.do("bob", "DELETE", path, "").ok(204)
	s.do("bob", "GET", path, "").refused(404, "ServiceId")
}

func TestDeletingAServiceIDDeletesItsKeysOrNothing(t *testing.T) {
	s := newServer(t)
	svc := text(t, s.newServiceID("ann", "svc"), "id")
	newKey := func() string {
		return text(t, s.do("ann", "POST", "/v1/apikeys", obj("name", "k", "iam_id", svc)).ok(201), "id")
	}
	free, held := newKey(), newKey()
	s.do("ann", "POST", "/v1/apikeys/"+held+"/lock", "").ok(204)
	s.do("ann", "DELETE", "/v1/serviceids/"+svc, "").refused(409, "ApiKey")
	s.do("ann", "GET", "/v1/apikeys/"+free, "").ok(200)
	s.do("ann", "DELETE", "/v1/apikeys/"+held+"/lock", "").ok(204)
	s.do("ann", "DELETE", "/v1/serviceids/"+svc, "").ok(204)
	for _, id := range []string{free, held} {
		s.do("ann", "GET", "/v1/apikeys/"+id, "").refused(404, "ApiKey")
	}
}

func TestServiceIDsAreListedByNameGroupAndFilter(t *testing.T) {
	s := newServer(t)
	group := text(t, s.do("ann", "POST", "/v1/serviceid_groups", obj("name", "g", "account_id", acct)).ok(201), "id")
	for _, name := range []string{"alpha", "beta", "alphabet"} {
		s.newServiceID("ann", name)
		s.Pass(time.Minute)
	}
	in := s.do("ann", "POST", "/v1/serviceids?show_group_id=true", obj("name", "gamma", "account_id", acct, "group_id", group)).ok(201)
	if in["group_id"] != group {
		t.Errorf("group of the new one: %v", in)
	}
	base := "/v1/serviceids/?account_id=" + acct
	for query, want := range map[string][]string{
		"":                                {"alpha", "beta", "alphabet"}, // the default group only
		"&name=alpha":                     {"alpha"},                     // exact
		"&filter=name%20co%20%22alpha%22": {"alpha", "alphabet"},
		"&name=alpha&filter=name%20co%20%22beta%22":        {},
		"&filter=locked%20eq%20false&sort=name&order=desc": {"beta", "alphabet", "alpha"},
		"&sort=modified_at&order=desc&pagesize=1":          {"alphabet"},
		"&group_id=" + group:                               {"gamma"},
		"&group_id=ServiceIdGroup-nowhere":                 {},
	} {
		got := s.do("ann", "GET", base+query, "").ok(200)
		if n := append([]string{}, names(t, got, "serviceids")...); !slices.Equal(n, want) {
			t.Errorf("%s: %v, want %v", query, n, want)
		}
		if got["offset"] != 0.0 {
			t.Errorf("%s: offset %v", query, got["offset"])
		}
	}
	shown := list(t, s.do("ann", "GET", base+"&show_group_id=true&include_history=true&group_id="+group, "").ok(200),
		"serviceids")[0].(map[string]any)
	if shown["group_id"] != group || len(list(t, shown, "history")) != 1 {
		t.Errorf("shown: %v", shown)
	}
	s.do("ann", "POST", "/v1/serviceids", obj("name", "x", "account_id", acct, "group_id", "ServiceIdGroup-nowhere")).refused(404,
		"ServiceIdGroup")
	s.do("bob", "GET", base, "").refused(403, "serviceid.get")
	s.do("eve", "GET", base, "").refused(404, "Account")
}

func TestGroupsRaiseTheLimitOfServiceIDs(t *testing.T) {
	s := newServer(t, func(o *apitest.Options) { o.Identity.ServiceIDsPerGroup = 2 })
	group := text(t, s.do("ann", "POST", "/v1/serviceid_groups", obj("name", "g", "account_id", acct)).ok(201), "id")
	inGroup := obj("name", "s", "account_id", acct, "group_id", group)
	s.newServiceID("ann", "s")
	s.do("ann", "POST", "/v1/serviceids", inGroup).ok(201)
	s.newServiceID("ann", "s")
	if e := s.lastEvent(acct); !strings.Contains(string(e.Data), "90%") {
		t.Errorf("no warning: %s", e.Data)
	}
	s.do("ann", "POST", "/v1/serviceids", obj("name", "s", "account_id", acct)).refused(409, "2")
	s.do("ann", "POST", "/v1/serviceids", inGroup).ok(201)
	s.do("ann", "POST", "/v1/serviceids", inGroup).refused(409, "2")
}

func TestGroupsLifecycle(t *testing.T) {
	s := newServer(t)
	a := s.do("ann", "POST", "/v1/serviceid_groups", obj("name", "g", "account_id", acct, "description", "d"))
	made := a.ok(201)
	id := text(t, made, "id")
	want := map[string]any{
		"id": id, "entity_tag": a.header.Get("ETag"), "account_id": acct, "crn": "crn:v1:bluemix:public:iam-identity::a/" + acct +
			"::serviceidgroup:" + id,
		"name": "g", "description": "d", "created_at": "2026-03-04T05:06+0000", "created_by": ann, "modified_at": "2026-03-04T05:06+0000",
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	path := "/v1/serviceid_groups/" + id
	if got := s.do("ann", "GET", path, ""); got.ok(200)["name"] != "g" || got.header.Get("ETag") == "" {
		t.Errorf("get: %s", got.raw)
	}
	s.do("ann", "POST", "/v1/serviceid_groups", obj("name", "g", "account_id", acct)).refused(409, "g")
	s.do("eve", "POST", "/v1/serviceid_groups", obj("name", "g", "account_id", other)).ok(201) // unique in its account only
	second := text(t, s.do("ann", "POST", "/v1/serviceid_groups", obj("name", "a", "account_id", acct)).ok(201), "id")
	if got := names(t, s.do("ann", "GET", "/v1/serviceid_groups?account_id="+acct, "").ok(200), "serviceid_groups"); !slices.Equal(got,
		[]string{"a", "g"}) {
		t.Errorf("list: %v", got)
	}
	s.do("ann", "PUT", "/v1/serviceid_groups/"+second, obj("name", "g"), "If-Match: *").refused(409, "g")
	if got := s.do("ann", "PUT", path, obj("name", "h", "description", ""),
		"If-Match: "+text(t, made, "entity_tag")).ok(200); got["name"] != "h" || got["description"] != nil {
		t.Errorf("updated: %v", got)
	}
	s.do("ann", "PUT", path, obj("name", "i"), "If-Match: "+text(t, made, "entity_tag")).refused(409, "changed")
	svc := text(t, s.do("ann", "POST", "/v1/serviceids", obj("name", "s", "account_id", acct, "group_id", id)).ok(201), "id")
	s.do("ann", "DELETE", path, "").refused(409, "1 service IDs")
	s.do("ann", "DELETE", "/v1/serviceids/"+svc, "").ok(204)
	s.do("ann", "DELETE", path, "").ok(204)
	s.do("ann", "GET", path, "").refused(404, "ServiceIdGroup")
}
