package iamidentityv1_test

import (
	"context"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

const fakeCRN = "crn:v1:staging:public:iam-identity::a/" + acct + "::computeresource:Fake-Compute-Resource"

func TestProfilesLifecycle(t *testing.T) {
	s := newServer(t)
	a := s.do("ann", "POST", "/v1/profiles", obj("name", "p", "account_id", acct, "description", "d", "email", "p@example.com"))
	made := a.ok(201)
	id := text(t, made, "id")
	want := map[string]any{
		"id": id, "entity_tag": a.header.Get("ETag"), "crn": "crn:v1:bluemix:public:iam-identity::a/" + acct + "::profile:" + id, "name": "p",
		"description": "d", "email": "p@example.com", "created_at": "2026-03-04T05:06+0000", "modified_at": "2026-03-04T05:06+0000",
		"iam_id": "iam-" + id, "account_id": acct,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	path := "/v1/profiles/" + id
	got := s.do("ann", "GET", path+"?include_activity=true&include_history=true", "").ok(200)
	if got["activity"] == nil || len(list(t, got, "history")) != 1 {
		t.Errorf("get: %v", got)
	}
	s.do("ann", "POST", "/v1/profiles", obj("name", "p", "account_id", acct)).refused(409, "p")
	s.do("eve", "POST", "/v1/profiles", obj("name", "p", "account_id", other)).ok(201)
	updated := s.do("ann", "PUT", path, obj("description", "", "email", ""), "If-Match: "+text(t, made, "entity_tag")).ok(200)
	if updated["name"] != "p" || updated["description"] != nil || updated["email"] != nil || updated["entity_tag"] == made["entity_tag"] {
		t.Errorf("updated: %v", updated)
	}
	s.newProfile("ann", "q")
	s.do("ann", "PUT", path, obj("name", "q"), "If-Match: *").refused(409, "q")
	s.do("ann", "PUT", path, obj("name", "r"), "If-Match: "+text(t, made, "entity_tag")).refused(409, "changed")
	page := s.do("ann", "GET", "/v1/profiles?account_id="+acct+"&sort=name&filter="+
		url.QueryEscape(`name eq "p" or iam_id sw "iam-Profile"`), "").ok(200)
	if n := names(t, page, "profiles"); !slices.Equal(n, []string{"p", "q"}) {
		t.Errorf("list: %v", n)
	}
	if n := names(t, s.do("ann", "GET", "/v1/profiles?name=q&account_id="+acct, "").ok(200), "profiles"); !slices.Equal(n, []string{"q"}) {
		t.Errorf("list by name: %v", n)
	}
	s.do("ann", "DELETE", path, "").ok(204)
	s.do("ann", "GET", path, "").refused(404, "Profile")
	if e := s.lastEvent(acct); e.Action != "iam-identity.account-profile.delete" || e.Name != "p" {
		t.Errorf("event: %+v", e)
	}
	s.newProfile("ann", "p") // the name is free again
}

func samlRule(value string) string {
	return obj("type", "Profile-SAML", "realm_name", "https://sdk.test.realm/1234", "expiration", 43200,
		"conditions", []any{map[string]any{"claim": "blueGroups", "operator": "EQUALS", "value": value}})
}

func TestClaimRulesLifecycle(t *testing.T) {
	s := newServer(t)
	rules := "/v1/profiles/" + text(t, s.newProfile("ann", "p"), "id") + "/rules"
	if got := s.do("ann", "GET", rules, "").ok(200); len(list(t, got, "rules")) != 0 {
		t.Errorf("fresh profile: %v", got)
	}
	a := s.do("ann", "POST", rules, samlRule(`"cloud-docs-dev"`))
	made := a.ok(201)
	want := map[string]any{
		"id": made["id"], "entity_tag": a.header.Get("ETag"), "created_at": "2026-03-04T05:06+0000", "modified_at": "2026-03-04T05:06+0000",
		"type": "Profile-SAML", "realm_name": "https://sdk.test.realm/1234", "expiration": 43200.0,
		"conditions": []any{map[string]any{"claim": "blueGroups", "operator": "EQUALS", "value": `"cloud-docs-dev"`}},
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e := s.lastEvent(acct); e.Action != "iam-identity.account-profile.update" || !slices.Equal(e.Params, []string{"rules"}) ||
		e.Name != "p" {
		t.Errorf("a change of a rule is an update of its profile: %+v", e)
	}
	// A rule for compute resources needs neither realm, expiration nor, as the documentation's sample shows, a type of resource.
	cr := s.do("ann", "POST", rules, obj("name", "cr", "type", "Profile-CR", "conditions",
		[]any{map[string]any{"claim": "namespace", "operator": "IN", "value": `["a","b"]`}})).ok(201)
	if cr["expiration"] != 0.0 || cr["name"] != "cr" {
		t.Errorf("compute rule: %v", cr)
	}
	one := rules + "/" + text(t, made, "id")
	got := s.do("ann", "PUT", one, samlRule("bare text"), "If-Match: "+text(t, made, "entity_tag")).ok(200)
	if got["entity_tag"] == made["entity_tag"] || list(t, got, "conditions")[0].(map[string]any)["value"] != "bare text" {
		t.Errorf("updated: %v", got)
	}
	s.do("ann", "PUT", one, samlRule("x"), "If-Match: "+text(t, made, "entity_tag")).refused(409, "changed")
	if got := s.do("ann", "GET", rules, "").ok(200); len(list(t, got, "rules")) != 2 {
		t.Errorf("list: %v", got)
	}
	elsewhere := "/v1/profiles/" + text(t, s.newProfile("ann", "q"), "id") + "/rules/" + text(t, made, "id")
	s.do("ann", "GET", elsewhere, "").refused(404, "ClaimRule")
	s.do("ann", "DELETE", elsewhere, "").refused(404, "ClaimRule")
	s.do("ann", "DELETE", one, "").ok(204)
	s.do("ann", "GET", one, "").refused(404, "ClaimRule")
}

func TestTwentyRulesForEachProfile(t *testing.T) {
	s := newServer(t)
	rules := "/v1/profiles/" + text(t, s.newProfile("ann", "p"), "id") + "/rules"
	for range 20 {
		s.do("ann", "POST", rules, samlRule("x")).ok(201)
	}
	s.do("ann", "POST", rules, samlRule("x")).refused(409, "20")
}

func TestLinksLifecycle(t *testing.T) {
	s := newServer(t)
	links := "/v1/profiles/" + text(t, s.newProfile("ann", "p"), "id") + "/links"
	link := func(crType, crn string, more ...any) string {
		res := map[string]any{"crn": crn}
		for i := 0; i < len(more); i += 2 {
			res[more[i].(string)] = more[i+1]
		}
		return obj("name", "niceLink", "cr_type", crType, "link", res)
	}
	a := s.do("ann", "POST", links, link("ROKS_SA", fakeCRN, "namespace", "default", "name", "nice name"))
	made := a.ok(201)
	want := map[string]any{
		"id": made["id"], "entity_tag": a.header.Get("ETag"), "created_at": "2026-03-04T05:06+0000", "modified_at": "2026-03-04T05:06+0000",
		"name": "niceLink", "cr_type": "ROKS_SA", "link": map[string]any{"crn": fakeCRN, "namespace": "default", "name": "nice name"},
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.do("ann", "POST", links, link("ROKS_SA", fakeCRN, "namespace", "default", "name", "nice name")).refused(409, "already")
	s.do("ann", "POST", links, link("VSI", fakeCRN, "namespace", "ignored")).ok(201)
	foreign := "crn:v1:bluemix:public:is:us-south:a/" + other + "::instance:i"
	s.do("ann", "POST", links, link("VSI", foreign)).refused(400, "is_cross_account")
	cross := s.do("ann", "POST", links, obj("cr_type", "VSI", "is_cross_account", true, "link", map[string]any{"crn": foreign})).ok(201)
	if cross["is_cross_account"] != true {
		t.Errorf("cross-account link: %v", cross)
	}
	if got := s.do("ann", "GET", links, "").ok(200); len(list(t, got, "links")) != 3 {
		t.Errorf("list: %v", got)
	}
	one := links + "/" + text(t, made, "id")
	if got := s.do("ann", "GET", one, "").ok(200); got["id"] != made["id"] {
		t.Errorf("get: %v", got)
	}
	s.do("ann", "DELETE", one, "").ok(204)
	s.do("ann", "DELETE", one, "").refused(404, "Link")

	s.do("ann", "POST", links, link("CE", fakeCRN, "component_type", "ct", "component_name", "cn")).ok(201)
	by := func(component string) string {
		return links + "?" + url.Values{"type": {"CE"}, "crn": {fakeCRN}, "component_type": {"ct"}, "component_name": {component}}.Encode()
	}
	s.do("ann", "DELETE", by("other"), "").refused(404, "Link")
	s.do("ann", "DELETE", by("cn"), "").ok(204)
	s.do("ann", "DELETE", by("cn"), "").refused(404, "Link")
}

func TestTrustedIdentities(t *testing.T) {
	s := newServer(t)
	profile := "/v1/profiles/" + text(t, s.newProfile("ann", "p"), "id")
	svc := s.do("ann", "POST", "/v1/serviceids", obj("name", "svc", "account_id", acct, "description", "operations")).ok(201)
	a := s.do("ann", "GET", profile+"/identities", "")
	fresh := a.ok(200)
	if len(list(t, fresh, "identities")) != 0 || fresh["entity_tag"] != a.header.Get("ETag") {
		t.Errorf("fresh profile: %s", a.raw)
	}
	user := map[string]any{"type": "user", "identifier": bob, "accounts": []string{acct, other}, "description": "Bob"}
	got := s.do("ann", "PUT", profile+"/identities", obj("identities", []any{user,
		map[string]any{"type": "serviceid", "identifier": svc["id"]},
		map[string]any{"type": "serviceid", "identifier": "ServiceId-of-another-account"},
		map[string]any{"type": "crn", "identifier": fakeCRN}}), "If-Match: "+text(t, fresh, "entity_tag")).ok(200)
	want := []any{
		map[string]any{"type": "user", "identifier": bob, "iam_id": bob, "accounts": []any{acct, other}, "description": "Bob"},
		map[string]any{"type": "serviceid", "identifier": svc["id"], "iam_id": svc["iam_id"], "description": "operations"},
		map[string]any{"type": "serviceid", "identifier": "ServiceId-of-another-account", "iam_id": "iam-ServiceId-of-another-account"},
		map[string]any{"type": "crn", "identifier": fakeCRN, "iam_id": "crn-" + fakeCRN},
	}
	if diff := cmp.Diff(want, got["identities"]); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	s.do("ann", "PUT", profile+"/identities", obj("identities", []any{}), "If-Match: "+text(t, fresh, "entity_tag")).refused(409, "changed")
	if e := s.lastEvent(acct); e.Action != "iam-identity.account-profile.update" || !slices.Equal(e.Params, []string{"identities"}) {
		t.Errorf("event: %+v", e)
	}

	// A CRN in the path arrives escaped.
	one := profile + "/identities/crn/" + url.PathEscape(fakeCRN)
	if got := s.do("ann", "GET", one, "").ok(200); got["iam_id"] != "crn-"+fakeCRN {
		t.Errorf("get by CRN: %v", got)
	}
	s.do("ann", "DELETE", one, "").ok(204)
	s.do("ann", "GET", one, "").refused(400, "no identity") // not 404: the official service answers so
	s.do("ann", "DELETE", one, "").refused(404, "")
	s.do("ann", "GET", "/v1/profiles/Profile-unknown/identities/user/"+bob, "").refused(404, "Profile")

	// One more, twice: the second replaces.
	add := profile + "/identities/user"
	for _, description := range []string{"first", "second"} {
		got := s.do("ann", "POST", add, obj("type", "user", "identifier", carl, "description", description)).ok(200)
		if got["iam_id"] != carl || got["description"] != description || got["accounts"] != nil {
			t.Errorf("added: %v", got)
		}
	}
	s.do("ann", "POST", profile+"/identities/serviceid", obj("type", "user", "identifier", carl)).refused(400, "type")
	if got := s.do("ann", "GET", profile+"/identities", "").ok(200); len(list(t, got, "identities")) != 4 {
		t.Errorf("list: %v", got)
	}
	// The SDK leaves the list out when it is nil.
	if got := s.do("ann", "PUT", profile+"/identities", "{}", "If-Match: *").ok(200); len(list(t, got, "identities")) != 0 {
		t.Errorf("cleared: %v", got)
	}
}

func TestDeletedProfileLeavesNothingBehind(t *testing.T) {
	s := newServer(t)
	id := text(t, s.newProfile("ann", "p"), "id")
	s.do("ann", "POST", "/v1/profiles/"+id+"/rules", samlRule("x")).ok(201)
	s.do("ann", "POST", "/v1/profiles/"+id+"/links", obj("cr_type", "VSI", "link", map[string]any{"crn": fakeCRN})).ok(201)
	s.do("ann", "POST", "/v1/profiles/"+id+"/identities/user", obj("type", "user", "identifier", bob)).ok(200)
	s.do("ann", "PUT", "/v1/preferences/accounts/"+acct+"/identities/iam-"+id+"/console/landing_page", obj("value_string", "/iam")).ok(200)
	s.do("ann", "DELETE", "/v1/profiles/"+id, "").ok(204)
	for _, kind := range []string{identity.Profiles.Kind(), identity.Rules.Kind(), identity.Links.Kind(), identity.Trusts.Kind(),
		identity.TrustLists.Kind(), identity.Preferences.Kind()} {
		err := s.DB.View(context.Background(), func(r store.Reader) error {
			n, err := r.Count(context.Background(), store.Query{Kind: kind, Account: acct})
			if n != 0 {
				t.Errorf("%d of %s are left", n, kind)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestProfileMayReadItselfAndItsPreferences(t *testing.T) {
	s := newServer(t)
	id := text(t, s.newProfile("ann", "p"), "id")
	self := s.callers["ann"]
	self.IAMID = "iam-" + id
	s.callers["p"] = self
	s.do("p", "GET", "/v1/profiles/"+id, "").ok(200)
	s.do("p", "GET", "/v1/preferences/accounts/"+acct+"/identities/iam-"+id, "").ok(200)
	s.do("bob", "GET", "/v1/preferences/accounts/"+acct+"/identities/iam-"+id, "").refused(403, "preferences.read")
	if got := s.do("p", "GET", "/v1/apikeys?account_id="+acct, "").ok(200); len(list(t, got, "apikeys")) != 0 {
		t.Errorf("keys of a profile: %v", got)
	}
}
