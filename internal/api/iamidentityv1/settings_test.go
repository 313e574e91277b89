package iamidentityv1_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const settingsPath = "/v1/accounts/" + acct + "/settings/identity"

// defaults are the settings of a new account as the wire shows them, without
// what differs from answer to answer.
func defaults() map[string]any {
	return map[string]any{
		"account_id": acct, "history": []any{}, "restrict_create_service_id": "NOT_SET", "restrict_create_platform_apikey": "NOT_SET",
		"restrict_user_list_visibility": "NOT_RESTRICTED", "allowed_ip_addresses": "", "mfa": "NONE", "user_mfa": []any{},
		"session_expiration_in_seconds": "NOT_SET", "session_invalidation_in_seconds": "NOT_SET", "max_sessions_per_identity": "NOT_SET",
		"system_access_token_expiration_in_seconds": "NOT_SET", "system_refresh_token_expiration_in_seconds": "NOT_SET",
		"restrict_user_domains": []any{},
	}
}

func TestEverySettingIsAlwaysShown(t *testing.T) {
	s := newServer(t)
	a := s.do("ann", "GET", settingsPath, "")
	got := a.ok(200)
	if a.header.Get("ETag") != got["entity_tag"] || got["entity_tag"] == "" {
		t.Errorf("ETag %q, entity_tag %v", a.header.Get("ETag"), got["entity_tag"])
	}
	delete(got, "entity_tag")
	if diff := cmp.Diff(defaults(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := s.do("ann", "GET", settingsPath+"?include_history=true", "").ok(200); len(list(t, got, "history")) != 1 {
		t.Errorf("history: %v", got["history"])
	}
	s.do("bob", "GET", settingsPath, "").refused(403, "account.get")
	s.do("eve", "GET", settingsPath, "").refused(404, "Account")
}

func TestSettingsAnswerExactlyWhatWasSent(t *testing.T) {
	s := newServer(t)
	before := text(t, s.do("ann", "GET", settingsPath, "").ok(200), "entity_tag")
	sent := obj("restrict_create_service_id", "NOT_RESTRICTED", "restrict_create_platform_apikey", "NOT_RESTRICTED",
		"restrict_user_list_visibility", "NOT_RESTRICTED", "mfa", "NONE", "user_mfa", []any{map[string]any{"iam_id": ann, "mfa": "NONE"}},
		"session_expiration_in_seconds", "86400", "session_invalidation_in_seconds", "7200",
		"max_sessions_per_identity", 5, // the tutorial sends a number
		"system_access_token_expiration_in_seconds", 3600, "system_refresh_token_expiration_in_seconds", "259200",
		"restrict_user_domains", []any{map[string]any{"realm_id": "IBMid", "invitation_email_allow_patterns": []string{"**@**ibm.com"},
			"restrict_invitation": false}})
	a := s.do("ann", "PUT", settingsPath, sent, "If-Match: "+before)
	got := a.ok(200)
	if got["entity_tag"] == before || got["entity_tag"] != a.header.Get("ETag") {
		t.Errorf("entity_tag %v, before %v", got["entity_tag"], before)
	}
	delete(got, "entity_tag")
	want := defaults()
	want["restrict_create_service_id"], want["restrict_create_platform_apikey"] = "NOT_RESTRICTED", "NOT_RESTRICTED"
	want["user_mfa"] = []any{map[string]any{"iam_id": ann, "mfa": "NONE"}}
	want["session_expiration_in_seconds"], want["session_invalidation_in_seconds"], want["max_sessions_per_identity"] = "86400", "7200", "5"
	want["system_access_token_expiration_in_seconds"], want["system_refresh_token_expiration_in_seconds"] = "3600", "259200"
	want["restrict_user_domains"] = []any{map[string]any{"realm_id": "IBMid", "invitation_email_allow_patterns": []any{"**@**ibm.com"},
		"restrict_invitation": false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.do("ann", "PUT", settingsPath, obj("mfa", "TOTP"), "If-Match: "+before).refused(409, "changed")
	s.do("ann", "PUT", settingsPath, obj("mfa", "TOTP")).refused(400, "If-Match")

	got = s.do("ann", "PUT", settingsPath, obj("restrict_user_domains", []any{map[string]any{"realm_id": "IBMid"}},
		"max_sessions_per_identity", "NOT_SET"), "If-Match: *").ok(200)
	if len(list(t, got, "restrict_user_domains")) != 0 || got["max_sessions_per_identity"] != "NOT_SET" ||
		got["session_expiration_in_seconds"] != "86400" {
		t.Errorf("after removal: %v", got)
	}
	if e := s.lastEvent(acct); e.Action != "iam-identity.accountsettings.update" ||
		!slices.Equal(e.Params, []string{"max_sessions_per_identity", "restrict_user_domains"}) {
		t.Errorf("event: %+v", e)
	}
}

func TestUsersOfMFASettingsAreResolvedOnDemand(t *testing.T) {
	s := newServer(t)
	s.do("ann", "PUT", settingsPath, obj("user_mfa", []any{map[string]any{"iam_id": ann, "mfa": "TOTP"},
		map[string]any{"iam_id": "IBMid-gone", "mfa": "NONE"}}), "If-Match: *").ok(200)
	got := s.do("ann", "GET", settingsPath+"?resolve_user_mfa=true", "").ok(200)
	want := []any{
		map[string]any{"iam_id": ann, "mfa": "TOTP", "name": ann, "userName": "ibmid-owner@example.com", "email": "ibmid-owner@example.com"},
		map[string]any{"iam_id": "IBMid-gone", "mfa": "NONE"},
	}
	if diff := cmp.Diff(want, got["user_mfa"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEffectiveSettingsShowWhatApplies(t *testing.T) {
	s := newServer(t)
	s.do("ann", "PUT", settingsPath, obj("mfa", "LEVEL1", "session_expiration_in_seconds", "900"), "If-Match: *").ok(200)
	got := s.do("ann", "GET", "/v1/accounts/"+acct+"/effective_settings/identity?include_history=true", "").ok(200)
	effective := got["effective"].(map[string]any)
	want := map[string]any{
		"restrict_create_service_id": "NOT_RESTRICTED", "restrict_create_platform_apikey": "NOT_RESTRICTED",
		"restrict_user_list_visibility": "NOT_RESTRICTED",
		"allowed_ip_addresses":          "", "mfa": "LEVEL1", "user_mfa": []any{}, "session_expiration_in_seconds": "900",
		"session_invalidation_in_seconds": "7200",
		"max_sessions_per_identity":       "NOT_SET", "system_access_token_expiration_in_seconds": "3600",
		"system_refresh_token_expiration_in_seconds": "259200",
	}
	if diff := cmp.Diff(want, effective); diff != "" {
		t.Errorf("effective (-want +got):\n%s", diff)
	}
	account := got["account"].(map[string]any)
	if got["account_id"] != acct || account["session_invalidation_in_seconds"] != "NOT_SET" || len(list(t, account, "history")) != 2 {
		t.Errorf("account: %v", account)
	}
}

func TestEffectiveSettingsNameTheAssignedTemplate(t *testing.T) {
	s := newServer(t)
	s.found()
	child := s.child()
	settings := map[string]any{"mfa": "LEVEL2", "session_expiration_in_seconds": 7600, "restrict_user_domains": map[string]any{
		"account_sufficient": true, "restrictions": []any{map[string]any{"realm_id": "IBMid",
			"invitation_email_allow_patterns": []string{"*@a.example"}, "restrict_invitation": true}}}}
	id := text(t, s.do("ann", "POST", "/v1/account_settings_templates", obj("name", "t", "account_id", acct, "account_settings",
		settings)).ok(201), "id")
	s.do("ann", "POST", "/v1/account_settings_templates/"+id+"/versions/1/commit", "").ok(204)
	s.do("ann", "POST", "/v1/account_settings_assignments/", obj("template_id", id, "template_version", 1, "target_type", "Account",
		"target", child)).ok(202)

	inChild := s.callers["ann"]
	inChild.Account = child
	s.callers["ann in the child"] = inChild
	path := "/v1/accounts/" + child + "/settings/identity"
	s.do("ann in the child", "PUT", path, obj("mfa", "LEVEL1", "session_expiration_in_seconds", "900"), "If-Match: *").ok(200)
	got := s.do("ann in the child", "GET", "/v1/accounts/"+child+"/effective_settings/identity?resolve_user_mfa=true", "").ok(200)
	effective, own := got["effective"].(map[string]any), got["account"].(map[string]any)
	if effective["mfa"] != "LEVEL2" || effective["session_expiration_in_seconds"] != "900" || own["mfa"] != "LEVEL1" {
		t.Errorf("the stricter value must be in force: %v, own %v", effective, own)
	}
	settings["session_expiration_in_seconds"] = "7600"
	want := map[string]any{"template_id": id, "template_version": 1.0, "template_name": "t", "mfa": "LEVEL2",
		"session_expiration_in_seconds": "7600",
		"restrict_user_domains": map[string]any{"account_sufficient": true, "restrictions": []any{
			map[string]any{"realm_id": "IBMid", "invitation_email_allow_patterns": []any{"*@a.example"}, "restrict_invitation": true}}}}
	if diff := cmp.Diff([]any{want}, got["assigned_templates"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPreferences(t *testing.T) {
	s := newServer(t)
	iamID := text(t, s.newProfile("ann", "p"), "iam_id")
	all := "/v1/preferences/accounts/" + acct + "/identities/" + iamID
	page, nav := all+"/console/landing_page", all+"/console/global_left_navigation"
	s.do("ann", "GET", page, "").refused(404, "landing_page") // not set
	s.do("ann", "DELETE", page, "").refused(404, "landing_page")
	want := map[string]any{"service": "console", "id": "landing_page", "account_id": acct, "scope": "account", "value_string": "/billing"}
	if diff := cmp.Diff(want, s.do("ann", "PUT", page, obj("value_string", "/billing")).ok(200)); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, s.do("ann", "GET", page, "").ok(200)); diff != "" {
		t.Errorf("get (-want +got):\n%s", diff)
	}
	s.do("ann", "PUT", nav, obj("value_list_of_strings", []string{"slash", "is"})).ok(200)
	got := s.do("ann", "PUT", nav, obj("value_list_of_strings", []string{})).ok(200)
	if len(list(t, got, "value_list_of_strings")) != 0 || got["value_string"] != nil {
		t.Errorf("empty list: %v", got)
	}
	if got := s.do("ann", "GET", nav, "").ok(200); len(list(t, got, "value_list_of_strings")) != 0 {
		t.Errorf("empty list, read again: %v", got)
	}
	if got := s.do("ann", "GET", all, "").ok(200); len(list(t, got, "preferences")) != 2 {
		t.Errorf("all: %v", got)
	}
	s.do("ann", "DELETE", page, "").ok(204)
	s.do("ann", "GET", page, "").refused(404, "landing_page")
	s.do("bob", "PUT", page, obj("value_string", "/billing")).refused(403, "preferences.update")
	s.do("ann", "GET", "/v1/preferences/accounts/"+acct+"/identities/iam-Profile-unknown", "").refused(404, "Profile")
	for _, tt := range []struct{ path, body, word string }{
		{page, obj("value_string", "https://evil.example/"), "value_string"},
		{page, obj("value_string", "//evil.example/"), "value_string"},
		{page, obj("value_string", `/\evil.example`), "value_string"},
		{page, obj("value_list_of_strings", []string{"slash"}), "value_string"},
		{page, obj("value_string", "/iam", "value_list_of_strings", []string{"slash"}), "value_string"},
		{page, "{}", "value_string"},
		{nav, obj("value_list_of_strings", []string{"casino"}), "value_list_of_strings"},
		{nav, obj("value_string", "/iam"), "value_list_of_strings"},
		{all + "/console/color", obj("value_string", "/iam"), "preference_id"},
		{all + "/shop/landing_page", obj("value_string", "/iam"), "service"},
		{"/v1/preferences/accounts/" + acct + "/identities/" + bob + "/console/landing_page", obj("value_string", "/iam"), "iam_id"},
	} {
		s.do("ann", "PUT", tt.path, tt.body).refused(400, tt.word)
	}
}

func TestLimitsAreShownAndCounted(t *testing.T) {
	s := newServer(t)
	path := "/v1/accounts/" + acct + "/limits/identity"
	bare := s.do("ann", "GET", path, "").ok(200)
	if len(bare) != 14 {
		t.Errorf("%d limits", len(bare))
	}
	for name, v := range bare {
		if m := v.(map[string]any); m["limit"] == nil || len(m) != 1 {
			t.Errorf("%s without being asked for: %v", name, v)
		}
	}
	group := text(t, s.do("ann", "POST", "/v1/serviceid_groups", obj("name", "g", "account_id", acct)).ok(201), "id")
	svc := text(t, s.do("ann", "POST", "/v1/serviceids", obj("name", "s", "account_id", acct, "group_id", group, "apikey",
		map[string]any{"name": "k"})).ok(201), "id")
	profile := text(t, s.newProfile("ann", "p"), "id")
	s.do("ann", "POST", "/v1/profiles/"+profile+"/rules", samlRule("x")).ok(201)
	s.do("ann", "POST", "/v1/profiles/"+profile+"/rules", obj("type", "Profile-CR", "conditions",
		[]any{map[string]any{"claim": "c", "operator": "EQUALS", "value": "v"}})).ok(201)
	s.do("ann", "POST", "/v1/profiles/"+profile+"/links", obj("cr_type", "VSI", "link", map[string]any{"crn": fakeCRN})).ok(201)

	unknown := "ServiceIdGroup-12345678-1234-1234-1234-123456789abc"
	posted := s.do("ann", "POST", path, obj("serviceid_groups", true, "serviceids_per_group", []string{group, unknown}, "profiles", true,
		"apikeys_per_identity", []string{svc, ann}, "templates", true, "template_versions_per_template", []string{"T"}, "idps", true,
		"claim_rules_per_group", []string{"AccessGroupId-1"}, "claim_rules_per_profile", []string{profile}, "cr_links", true,
		"cr_links_per_profile", []string{profile}, "cr_rules", true, "cr_rules_per_profile", []string{profile})).ok(200)
	got := s.do("ann", "GET", path+"?serviceid_groups=true&serviceids_per_group="+group+","+unknown+"&profiles=true&apikeys_per_identity="+
		svc+","+ann+
		"&templates=true&template_versions_per_template=T&idps=true&claim_rules_per_group=AccessGroupId-1&claim_rules_per_profile="+profile+
		"&cr_links=true&cr_links_per_profile="+profile+"&cr_rules=true&cr_rules_per_profile="+profile, "").ok(200)
	if diff := cmp.Diff(posted, got); diff != "" {
		t.Errorf("POST and GET differ:\n%s", diff)
	}
	one := func(id string, n float64, key string) map[string]any { return map[string]any{key: id, "count": n} }
	want := map[string]any{
		"serviceid_groups": map[string]any{"limit": 100.0, "count": 1.0}, "profiles": map[string]any{"limit": 2000.0, "count": 1.0},
		"serviceids_per_group": map[string]any{"limit": 2000.0, "serviceid_groups": []any{one(group, 1, "group_id"),
			one(unknown, 0, "group_id")}},
		"apikeys_per_identity":           map[string]any{"limit": 20.0, "identities": []any{one(svc, 1, "iam_id"), one(ann, 0, "iam_id")}},
		"profile_templates":              map[string]any{"limit": 100.0, "count": 0.0},
		"account_settings_templates":     map[string]any{"limit": 100.0, "count": 0.0},
		"template_versions_per_template": map[string]any{"limit": 100.0, "templates": []any{one("T", 0, "template_id")}},
		"idps":                           map[string]any{"limit": 5.0, "count": 0.0},
		"claim_rules_per_group":          map[string]any{"limit": 5.0, "access_groups": []any{one("AccessGroupId-1", 0, "group_id")}},
		"claim_rules_per_profile":        map[string]any{"limit": 20.0, "profiles": []any{one(profile, 2, "profile_id")}},
		"cr_links":                       map[string]any{"limit": 20000.0, "count": 1.0},
		"cr_links_per_profile":           map[string]any{"limit": 1000.0, "profiles": []any{one(profile, 1, "profile_id")}},
		"cr_rules":                       map[string]any{"limit": 40000.0, "count": 1.0},
		"cr_rules_per_profile":           map[string]any{"limit": 20.0, "profiles": []any{one(profile, 1, "profile_id")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Another account counts nothing of this one.
	foreign := s.do("eve", "GET", "/v1/accounts/"+other+"/limits/identity?serviceids_per_group="+group+"&cr_links_per_profile="+profile,
		"").ok(200)
	if diff := cmp.Diff([]any{one(group, 0, "group_id")}, foreign["serviceids_per_group"].(map[string]any)["serviceid_groups"]); diff != "" {
		t.Errorf("from another account:\n%s", diff)
	}
}

func TestListsOfTemplatesAreEmptyUntilTemplatesCanBeMade(t *testing.T) {
	s := newServer(t)
	for path, name := range map[string]string{
		"/v1/profile_templates": "profile_templates", "/v1/account_settings_templates": "account_settings_templates",
		"/v1/profile_assignments/": "assignments", "/v1/account_settings_assignments/": "assignments",
	} {
		got := s.do("ann", "GET", path+"?account_id="+acct+"&limit=10&template_id=T", "").ok(200)
		if len(list(t, got, name)) != 0 || got["limit"] != 10.0 || got["next"] != nil {
			t.Errorf("%s: %v", path, got)
		}
		s.do("ann", "GET", path+"?limit=101", "").refused(400, "limit")
		s.do("ann", "GET", path+"?pagetoken=x", "").refused(400, "pagetoken")
		s.do("eve", "GET", path+"?account_id="+acct, "").refused(404, "Account")
	}
}
