package iamidentityv1_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

func TestUserKeyIsBornWithItsValueAndNeverShowsItAgain(t *testing.T) {
	s := newServer(t)
	made := s.do("bob", "POST", "/v1/apikeys", obj("name", "k", "iam_id", bob, "expires_at", "2049-01-02T18:30:00+0000"))
	key := made.ok(201)
	id, value := text(t, key, "id"), text(t, key, "apikey")
	if len(value) < 40 || made.header.Get("ETag") != key["entity_tag"] {
		t.Errorf("value %q, ETag %q", value, made.header.Get("ETag"))
	}
	want := map[string]any{
		"id": id, "crn": "crn:v1:bluemix:public:iam-identity::a/" + acct + "::apikey:" + id, "locked": false, "disabled": false,
		"created_at": "2026-03-04T05:06+0000", "modified_at": "2026-03-04T05:06+0000", "created_by": bob, "support_sessions": false,
		"action_when_leaked": "disable", "expires_at": "2049-01-02T18:30:00+0000", "name": "k", "iam_id": bob, "account_id": acct,
	}
	delete(key, "apikey")
	delete(key, "entity_tag")
	if diff := cmp.Diff(want, key); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}

	got := s.do("bob", "GET", "/v1/apikeys/"+id+"?include_history=true&include_activity=true", "")
	shown := got.ok(200)
	if _, there := shown["apikey"]; there || got.header.Get("ETag") != shown["entity_tag"] {
		t.Errorf("get shows %v", shown)
	}
	history := list(t, shown, "history")[0].(map[string]any)
	if history["action"] != "iam-identity.user-apikey.create" || history["iam_id"] != bob || history["iam_id_account"] != acct ||
		history["message"] != "IAM Identity Service: create user-apikey k" || history["timestamp"] != "2026-03-04T05:06+0000" {
		t.Errorf("history: %v", history)
	}
	if diff := cmp.Diff(map[string]any{"authn_count": 0.0}, shown["activity"]); diff != "" {
		t.Errorf("activity without login (-want +got):\n%s", diff)
	}

	details := s.do("bob", "GET", "/v1/apikeys/details?include_history=true", "", "IAM-Apikey: "+value).ok(200)
	if details["id"] != id || details["apikey"] != nil || len(list(t, details, "history")) != 1 {
		t.Errorf("details: %v", details)
	}
	s.do("bob", "GET", "/v1/apikeys/details", "", "IAM-ApiKey: "+strings.Repeat("x", 44)).refused(404, "ApiKey")
	s.do("carl", "GET", "/v1/apikeys/details", "", "IAM-ApiKey: "+value).refused(403, "apikey.get")
	s.do("eve", "GET", "/v1/apikeys/details", "", "IAM-ApiKey: "+value).refused(404, "")
}

func TestActivityShowsWhenAKeyWasUsed(t *testing.T) {
	s := newServer(t)
	id := text(t, s.newKey("bob", "k"), "id")
	if err := s.DB.AddActivity(context.Background(), []store.Activity{{Account: acct, Subject: id, Count: 3, Last: start}}); err != nil {
		t.Fatal(err)
	}
	got := s.do("bob", "GET", "/v1/apikeys/"+id+"?include_activity=true", "").ok(200)
	if diff := cmp.Diff(map[string]any{"authn_count": 3.0, "last_authn": "2026-03-04T05:06+0000"}, got["activity"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOwnKeyValueIsTakenOnce(t *testing.T) {
	s := newServer(t)
	value := strings.Repeat("v ", 16) // any characters, at least 32
	body := obj("name", "k", "iam_id", bob, "apikey", value)
	if got := s.do("bob", "POST", "/v1/apikeys", body).ok(201); got["apikey"] != value {
		t.Errorf("value %v", got["apikey"])
	}
	s.do("carl", "POST", "/v1/apikeys", strings.Replace(body, bob, carl, 1)).refused(409, "could not be created")
	s.do("eve", "POST", "/v1/apikeys", strings.Replace(body, bob, eve, 1)).refused(409, "could not be created")
}

func TestKeyOfAServiceIDMayBeKept(t *testing.T) {
	s := newServer(t)
	svc := text(t, s.newServiceID("ann", "svc"), "id")
	for _, tt := range []struct {
		iamID string
		store bool
	}{{"iam-" + svc, true}, {svc, true}, {svc, false}} {
		made := s.do("ann", "POST", "/v1/apikeys", obj("name", "k", "iam_id", tt.iamID, "store_value", tt.store)).ok(201)
		if made["iam_id"] != tt.iamID || made["account_id"] != acct || made["action_when_leaked"] != "none" {
			t.Errorf("spelling %s: %v", tt.iamID, made)
		}
		path, want := "/v1/apikeys/"+text(t, made, "id"), any(nil)
		if tt.store {
			want = made["apikey"]
		}
		if got := s.do("ann", "GET", path, "").ok(200)["apikey"]; got != want {
			t.Errorf("get: value %v, want %v", got, want)
		}
		if got := s.do("ann", "PUT", path, obj("description", "d"), "If-Match: *").ok(200)["apikey"]; got != want {
			t.Errorf("update: value %v, want %v", got, want)
		}
	}
	// Both spellings find the keys of both.
	for _, iamID := range []string{svc, "iam-" + svc} {
		if got := s.do("ann", "GET", "/v1/apikeys?account_id="+acct+"&iam_id="+iamID, "").ok(200); len(list(t, got, "apikeys")) != 3 {
			t.Errorf("list of %s: %v", iamID, got)
		}
	}
	if e := s.lastEvent(acct); e.Action != "iam-identity.serviceid-apikey.update" {
		t.Errorf("event %s", e.Action)
	}
}

func TestKeyChangesByPropertyAndEntityTag(t *testing.T) {
	s := newServer(t)
	key := s.newKey("bob", "first")
	path, tag := "/v1/apikeys/"+text(t, key, "id"), text(t, key, "entity_tag")
	got := s.do("bob", "PUT", path, obj("name", "second", "description", "d", "expires_at", "2049-01-02T18:30+0000", "action_when_leaked",
		"DELETE", "support_sessions", true), "If-Match: "+tag).ok(200)
	if got["name"] != "second" || got["description"] != "d" || got["expires_at"] != "2049-01-02T18:30+0000" ||
		got["action_when_leaked"] != "delete" || got["support_sessions"] != true {
		t.Errorf("updated: %v", got)
	}
	e := s.lastEvent(acct)
	if !slices.Equal(e.Params, []string{"name", "description", "support_sessions", "action_when_leaked", "expires_at"}) ||
		string(e.Data) != `{"instance_name":"second","prev_instance_name":"first"}` ||
		e.Message != "IAM Identity Service: update user-apikey second" {
		t.Errorf("event: %+v %s", e, e.Data)
	}
	got = s.do("bob", "PUT", path, obj("description", "", "expires_at", ""), "If-Match: *").ok(200)
	if got["name"] != "second" || got["description"] != nil || got["expires_at"] != nil {
		t.Errorf("cleared: %v", got)
	}
	s.do("bob", "PUT", path, obj("name", "third"), "If-Match: "+tag).refused(409, "changed")
	s.do("bob", "PUT", path, obj("name", "third")).refused(400, "If-Match")
	s.do("bob", "PUT", path, obj("name", ""), "If-Match: *").refused(400, "name")
	if got := s.do("bob", "GET", path, "").ok(200); got["name"] != "second" {
		t.Errorf("a refused change was stored: %v", got)
	}
}

func TestLockedKeyDoesNotChange(t *testing.T) {
	s := newServer(t)
	made := s.do("bob", "POST", "/v1/apikeys", obj("name", "k", "iam_id", bob), "Entity-Lock: true", "Entity-Disable: true").ok(201)
	if made["locked"] != true || made["disabled"] != true {
		t.Fatalf("made: %v", made)
	}
	path := "/v1/apikeys/" + text(t, made, "id")
	s.do("bob", "PUT", path, obj("name", "x"), "If-Match: *").refused(409, "locked")
	s.do("bob", "DELETE", path, "").refused(409, "locked")
	s.do("bob", "DELETE", path+"/disable", "").refused(409, "locked")
	state := func() [2]any {
		got := s.do("bob", "GET", path, "").ok(200)
		return [2]any{got["locked"], got["disabled"]}
	}
	for _, step := range []struct {
		method, path string
		want         [2]any
		data         string
	}{
		{"DELETE", "/lock", [2]any{false, true}, `{"lock":false}`},
		{"DELETE", "/lock", [2]any{false, true}, `{"lock":false}`}, // no error when it is so already
		{"DELETE", "/disable", [2]any{false, false}, `{"disable":false}`},
		{"POST", "/disable", [2]any{false, true}, `{"disable":true}`},
		{"POST", "/lock", [2]any{true, true}, `{"lock":true}`},
		{"DELETE", "/lock", [2]any{false, true}, `{"lock":false}`},
	} {
		if body := s.do("bob", step.method, path+step.path, "").ok(204); body != nil {
			t.Errorf("%s %s answers %v", step.method, step.path, body)
		}
		if got := state(); got != step.want {
			t.Errorf("%s %s: locked, disabled = %v", step.method, step.path, got)
		}
		if e := s.lastEvent(acct); string(e.Data) != step.data || e.Action != "iam-identity.user-apikey.update" {
			t.Errorf("%s %s: event %s %s", step.method, step.path, e.Action, e.Data)
		}
	}
	s.do("bob", "DELETE", path, "").ok(204)
	s.do("bob", "GET", path, "").refused(404, "ApiKey")
	if e := s.lastEvent(acct); e.Action != "iam-identity.user-apikey.delete" {
		t.Errorf("event %s", e.Action)
	}
}

func TestKeysAreListedPageByPage(t *testing.T) {
	s := newServer(t)
	for _, name := range []string{"Go 1", "Node", "Go 2", "Go 3", "Python"} {
		s.newKey("bob", name)
		s.Pass(time.Minute)
	}
	s.newKey("carl", "Go of carl")
	base := "/v1/apikeys?account_id=" + acct + "&iam_id=" + bob + "&pagesize=2&filter=" + url.QueryEscape(`name co "go"`)

	first := s.do("bob", "GET", base, "").ok(200)
	if !slices.Equal(names(t, first, "apikeys"), []string{"Go 1", "Go 2"}) || first["offset"] != 0.0 || first["limit"] != 2.0 ||
		first["previous"] != nil {
		t.Errorf("first page: %v", first)
	}
	next := text(t, first, "next")
	if !strings.HasPrefix(next, "https://iam.example.com/v1/apikeys?pagetoken=") {
		t.Errorf("next: %s", next)
	}
	token := strings.TrimPrefix(next, "https://iam.example.com/v1/apikeys?pagetoken=")

	// The token beside the query, and the token alone.
	for _, path := range []string{base + "&pagetoken=" + token, "/v1/apikeys?pagetoken=" + token} {
		second := s.do("bob", "GET", path, "").ok(200)
		if !slices.Equal(names(t, second, "apikeys"), []string{"Go 3"}) || second["offset"] != 2.0 || second["limit"] != 2.0 ||
			second["next"] != nil {
			t.Errorf("second page: %v", second)
		}
		back := strings.TrimPrefix(text(t, second, "previous"), "https://iam.example.com")
		if got := s.do("bob", "GET", back, "").ok(200); !slices.Equal(names(t, got, "apikeys"), []string{"Go 1", "Go 2"}) ||
			got["offset"] != 0.0 {
			t.Errorf("previous page: %v", got)
		}
		home := strings.TrimPrefix(text(t, second, "first"), "https://iam.example.com")
		if got := s.do("bob", "GET", home, "").ok(200); !slices.Equal(names(t, got, "apikeys"), []string{"Go 1", "Go 2"}) {
			t.Errorf("first page by link: %v", got)
		}
	}
	// A token opens nothing for another caller or another query.
	s.do("carl", "GET", "/v1/apikeys?pagetoken="+token, "").refused(400, "does not match the IAM ID in the token")
	s.do("eve", "GET", "/v1/apikeys?pagetoken="+token, "").refused(400, "does not match the IAM ID in the token")
	s.do("bob", "GET", "/v1/apikeys?pagetoken="+token+"&sort=name", "").refused(400, "pagetoken")
	s.do("bob", "GET", "/v1/profiles?pagetoken="+token, "").refused(400, "pagetoken")
	s.do("bob", "GET", "/v1/apikeys?pagetoken="+token[:len(token)-2]+"AA", "").refused(400, "pagetoken")
}

func TestKeysAreSorted(t *testing.T) {
	s := newServer(t)
	for _, name := range []string{"b", "c", "a"} {
		s.newKey("bob", name)
		s.Pass(time.Minute)
	}
	for query, want := range map[string][]string{
		"":                           {"b", "c", "a"},
		"&order=desc":                {"a", "c", "b"},
		"&sort=name":                 {"a", "b", "c"},
		"&sort=name&order=desc":      {"c", "b", "a"},
		"&sort=created_at&order=asc": {"b", "c", "a"},
	} {
		if got := names(t, s.do("bob", "GET", "/v1/apikeys?account_id="+acct+query, "").ok(200), "apikeys"); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
		var all []string // the same, one by one
		for path := "/v1/apikeys?pagesize=1&account_id=" + acct + query; path != ""; {
			page := s.do("bob", "GET", path, "").ok(200)
			all = append(all, names(t, page, "apikeys")...)
			next, _ := page["next"].(string)
			path = strings.TrimPrefix(next, "https://iam.example.com")
		}
		if !slices.Equal(all, want) {
			t.Errorf("%s page by page: %v, want %v", query, all, want)
		}
	}
}

func TestWhoSeesWhichKeys(t *testing.T) {
	s := newServer(t)
	s.newKey("ann", "of ann")
	s.newKey("bob", "of bob")
	svc := text(t, s.newServiceID("carl", "svc"), "id")
	s.do("carl", "POST", "/v1/apikeys", obj("name", "of svc", "iam_id", svc)).ok(201)
	base := "/v1/apikeys?account_id=" + acct

	if got := names(t, s.do("bob", "GET", base, "").ok(200), "apikeys"); !slices.Equal(got, []string{"of bob"}) {
		t.Errorf("without iam_id: %v", got)
	}
	if got := names(t, s.do("bob", "GET", "/v1/apikeys", "").ok(200), "apikeys"); !slices.Equal(got, []string{"of bob"}) {
		t.Errorf("without anything: %v", got)
	}
	s.do("bob", "GET", base+"&iam_id="+ann, "").refused(400, "The specified IAM ID does not match the IAM ID in the token.")
	s.do("ann", "GET", base+"&iam_id="+bob, "").refused(400, "The specified IAM ID does not match the IAM ID in the token.")
	s.do("ann", "GET", "/v1/apikeys?account_id="+other, "").refused(404, "Account")
	s.do("bob", "GET", base+"&iam_id="+svc, "").refused(403, "apikey.list")
	s.do("eve", "GET", "/v1/apikeys?account_id="+other+"&iam_id="+svc, "").refused(404, "ServiceId")
	if got := names(t, s.do("carl", "GET", base+"&iam_id="+svc, "").ok(200), "apikeys"); !slices.Equal(got, []string{"of svc"}) {
		t.Errorf("creator of the service ID: %v", got)
	}

	s.do("bob", "GET", base+"&scope=account", "").refused(403, "apikey.manage")
	s.do("eve", "GET", base+"&scope=account", "").refused(404, "Account")
	for query, want := range map[string][]string{
		"": {"of ann", "of bob", "of svc"}, "&type=user": {"of ann", "of bob"}, "&type=serviceid": {"of svc"},
		"&type=serviceid&group_id=ServiceIdGroup-1": nil,
	} {
		got := names(t, s.do("ann", "GET", base+"&scope=account&sort=name"+query, "").ok(200), "apikeys")
		if !slices.Equal(got, want) {
			t.Errorf("scope=account%s: %v", query, got)
		}
	}
	s.grant(bob, "ApiKeyReviewer")
	if got := s.do("bob", "GET", base+"&scope=account", "").ok(200); len(list(t, got, "apikeys")) != 3 {
		t.Errorf("reviewer of metadata: %v", got)
	}
}

func TestRestrictedAccountAsksForTheRole(t *testing.T) {
	s := newServer(t)
	s.do("ann", "PUT", "/v1/accounts/"+acct+"/settings/identity", obj("restrict_create_service_id", "RESTRICTED",
		"restrict_create_platform_apikey", "RESTRICTED"), "If-Match: *").ok(200)
	key, svc := obj("name", "k", "iam_id", bob), obj("name", "s", "account_id", acct)
	s.do("bob", "POST", "/v1/apikeys", key).refused(403, "user-apikey.create")
	s.do("bob", "POST", "/v1/serviceids", svc).refused(403, "serviceid.create")
	s.do("ann", "POST", "/v1/serviceids", svc).refused(403, "serviceid.create") // the owner too
	s.grant(bob, "UserApiKeyCreator ServiceIdCreator")
	s.do("bob", "POST", "/v1/apikeys", key).ok(201)
	s.do("bob", "POST", "/v1/serviceids", svc).ok(201)
	// Keys of service IDs are not what the setting is about.
	mine := text(t, s.do("bob", "POST", "/v1/serviceids", svc).ok(201), "id")
	s.do("bob", "POST", "/v1/apikeys", obj("name", "k", "iam_id", mine)).ok(201)
}

func TestTwentyKeysForEachIdentity(t *testing.T) {
	s := newServer(t)
	for i := range 20 {
		s.newKey("bob", "k")
		warned := strings.Contains(string(s.lastEvent(acct).Data), "90%")
		if warned != (i >= 17) {
			t.Errorf("key %d: warning %v", i+1, warned)
		}
	}
	s.do("bob", "POST", "/v1/apikeys", obj("name", "k", "iam_id", bob)).refused(409, "20")
	s.newKey("carl", "k") // another identity has its own limit
}

func TestExpiredKeysAreDeletedAfterNinetyDays(t *testing.T) {
	s := newServer(t)
	ctx := context.Background()
	mk := func(name, expires string, headers ...string) string {
		return text(t, s.do("bob", "POST", "/v1/apikeys", obj("name", name, "iam_id", bob, "expires_at", expires), headers...).ok(201), "id")
	}
	gone := mk("gone", "2026-03-05T00:00+0000", "Entity-Lock: true")
	changed := mk("changed", "2026-03-05T00:00+0000")
	kept := mk("kept", "2026-06-01T00:00+0000")
	forever := mk("forever", "")
	s.Pass(80 * 24 * time.Hour)
	s.do("bob", "PUT", "/v1/apikeys/"+changed, obj("description", "still wanted"), "If-Match: *").ok(200)
	s.Pass(12 * 24 * time.Hour)
	if n, err := s.Identity.DeleteExpired(ctx); n != 1 || err != nil {
		t.Errorf("deleted %d, %v", n, err)
	}
	s.do("bob", "GET", "/v1/apikeys/"+gone, "").refused(404, "ApiKey")
	for _, id := range []string{changed, kept, forever} {
		s.do("bob", "GET", "/v1/apikeys/"+id, "").ok(200)
	}
}

func TestNoSecretReachesTheStore(t *testing.T) {
	s := newServer(t)
	svc := text(t, s.newServiceID("ann", "svc"), "id")
	made := s.do("ann", "POST", "/v1/apikeys", obj("name", "k", "iam_id", svc, "store_value", true)).ok(201)
	value := text(t, made, "apikey")
	err := s.DB.View(context.Background(), func(r store.Reader) error {
		rec, err := r.Get(context.Background(), identity.APIKeys.Kind(), acct, text(t, made, "id"))
		if err == nil && strings.Contains(string(rec.Body), value) {
			t.Error("the value is in the object")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	events, err := s.DB.Events(context.Background(), acct, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(events)
	if err != nil || strings.Contains(string(raw), value) {
		t.Errorf("the value is in the events: %v", err)
	}
}

// An editor may change a key but not make one: the stored value would give what
// the service ID holds.
func TestAStoredValueIsReadByWhoMayMakeKeys(t *testing.T) {
	s := newServer(t)
	svc := text(t, s.newServiceID("ann", "svc"), "id")
	made := s.do("ann", "POST", "/v1/apikeys", obj("name", "k", "iam_id", svc, "store_value", true)).ok(201)
	path := "/v1/apikeys/" + text(t, made, "id")
	s.grant(bob, "Editor")
	s.grant(carl, "Operator")
	for who, want := range map[string]any{"bob": nil, "carl": made["apikey"]} {
		if got := s.do(who, "GET", path, "").ok(200)["apikey"]; got != want {
			t.Errorf("%s reads %v", who, got)
		}
		if got := s.do(who, "PUT", path, obj("description", who), "If-Match: *").ok(200)["apikey"]; got != want {
			t.Errorf("%s reads %v when changing the key", who, got)
		}
	}
}
