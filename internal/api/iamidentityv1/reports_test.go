package iamidentityv1_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/report"
	"github.com/kagiban/kagiban/internal/store"
)

const inactivity = "/v1/activity/accounts/" + acct + "/report"

// active notes an authentication of a subject of the first account.
func (s *server) active(subject string, at time.Time) {
	s.t.Helper()
	if err := s.DB.AddActivity(context.Background(), []store.Activity{{Account: acct, Subject: subject, Count: 1, Last: at}}); err != nil {
		s.t.Fatal(err)
	}
}

// ids gives a property of each object of a list.
func ids(t *testing.T, m map[string]any, list_, property string) []string {
	t.Helper()
	out := []string{}
	for _, one := range list(t, m, list_) {
		out = append(out, text(t, one.(map[string]any), property))
	}
	return out
}

func TestInactivityReportHoldsWhoWasNotAuthenticated(t *testing.T) {
	s := newServer(t)
	old, fresh := s.newKey("ann", "old key"), s.newKey("ann", "fresh key")
	never, busy := text(t, s.newServiceID("ann", "never"), "id"), text(t, s.newServiceID("ann", "busy"), "id")
	profile := text(t, s.newProfile("ann", "idle"), "id")
	svcKey := s.do("ann", "POST", "/v1/apikeys", obj("name", "machine", "iam_id", never)).ok(201)
	s.active(text(t, old, "id"), start.Add(-121*time.Hour))
	s.active(text(t, fresh, "id"), start.Add(-119*time.Hour))
	s.active(busy, start)
	s.active(ann, start)
	s.active(profile, start.Add(-1000*time.Hour))

	ref := text(t, s.do("ann", "POST", inactivity+"?type=inactive&duration=120", "").ok(202), "reference")
	if first := s.do("ann", "GET", inactivity+"/"+ref, ""); first.status != 204 || len(first.raw) != 0 {
		t.Errorf("the first question got %d %s", first.status, first.raw)
	}
	got := s.do("ann", "GET", inactivity+"/"+ref, "").ok(200)
	for property, want := range map[string]string{"created_by": ann, "reference": ref, "report_duration": "120",
		"report_start_time": "2026-02-27T05:06+0000", "report_end_time": "2026-03-04T05:06+0000"} {
		if text(t, got, property) != want {
			t.Errorf("%s is %v, want %s", property, got[property], want)
		}
	}
	if users := list(t, got, "users"); len(users) != 0 {
		t.Errorf("active users: %v", users)
	}
	if diff := cmp.Diff([]string{never}, ids(t, got, "serviceids", "id")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{map[string]any{"id": profile, "name": "idle", "last_authn": "2026-01-21T13:06+0000"}},
		got["profiles"]); diff != "" {
		t.Error(diff)
	}
	keys := map[string]any{}
	for _, k := range list(t, got, "apikeys") {
		keys[text(t, k.(map[string]any), "name")] = k
	}
	want := map[string]any{
		"old key": map[string]any{"id": old["id"], "name": "old key", "type": "user", "last_authn": "2026-02-27T04:06+0000",
			"user": map[string]any{"iam_id": ann, "name": ann, "username": "ibmid-owner@example.com", "email": "ibmid-owner@example.com"}},
		"machine": map[string]any{"id": svcKey["id"], "name": "machine", "type": "serviceid",
			"serviceid": map[string]any{"id": never, "name": "never"}},
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Error(diff)
	}
	// Without duration it is 30 days, and the latest report is found without reference.
	ref = text(t, s.do("ann", "POST", inactivity, "").ok(202), "reference")
	s.do("ann", "GET", inactivity+"/"+ref, "").ok(204)
	if all := s.do("ann", "GET", inactivity+"/"+ref, "").ok(200); text(t, all, "report_duration") != "720" ||
		len(list(t, all, "apikeys")) != 1 {
		t.Errorf("30 days: %v", all)
	}
	if e := s.lastEvent(acct); e.Action != "iam-identity.report.create" || e.Origin.IAMID != ann {
		t.Errorf("event %+v", e)
	}
}

func TestReportsAreFoundByReference(t *testing.T) {
	s := newServer(t)
	s.do("ann", "GET", inactivity+"/latest", "").refused(404, "latest")
	first := text(t, s.do("ann", "POST", inactivity, "").ok(202), "reference")
	s.Pass(time.Minute)
	second := text(t, s.do("ann", "POST", inactivity, "").ok(202), "reference")
	// Who waits need not ask twice.
	if got := s.do("ann", "GET", inactivity+"/"+first, "").ok(200); text(t, got, "reference") != first {
		t.Errorf("first: %v", got)
	}
	s.do("ann", "GET", inactivity+"/latest", "").ok(204)
	if got := s.do("ann", "GET", inactivity+"/latest", "").ok(200); text(t, got, "reference") != second {
		t.Errorf("latest: %v", got)
	}
	for _, unknown := range []string{"1234567890", "test123", "%2e%2e", "a%ffb", strings.Repeat("x", 5000)} {
		s.do("ann", "GET", inactivity+"/"+unknown, "").refused(404, "Report")
	}
	// Kinds are apart.
	s.do("ann", "GET", "/v1/mfa/accounts/"+acct+"/report/"+first, "").refused(404, first)
	s.do("ann", "GET", "/v1/mfa/accounts/"+acct+"/report/latest", "").refused(404, "latest")
	// Accounts too.
	s.do("eve", "GET", "/v1/activity/accounts/"+other+"/report/"+first, "").refused(404, first)
	s.do("carl", "POST", inactivity, "").refused(403, "report.create")
	s.do("carl", "GET", inactivity+"/"+first, "").refused(403, "report.get")
	// A report is dropped when a new one is made a day later.
	s.Pass(25 * time.Hour)
	s.do("ann", "GET", inactivity+"/"+first, "").ok(200)
	s.do("ann", "POST", inactivity, "").ok(202)
	s.do("ann", "GET", inactivity+"/"+first, "").refused(404, first)
	for range 30 {
		s.do("ann", "POST", inactivity, "").ok(202)
	}
	if n, err := report.Reports.Count(context.Background(), s.DB.Direct(), store.Query{Account: acct}); err != nil || n != 20 {
		t.Errorf("%d reports are kept (%v)", n, err)
	}
}

func TestWrongParametersOfReportsAreRefusedByName(t *testing.T) {
	s := newServer(t)
	for query, word := range map[string]string{"?type=active": "type", "?duration=0": "duration", "?duration=-5": "duration",
		"?duration=1.5": "duration",
		"?duration=abc": "duration", "?duration=99999999999999999999": "duration", "?duration=1d": "duration"} {
		s.do("ann", "POST", inactivity+query, "").refused(400, word)
	}
	mfa := "/v1/mfa/accounts/" + acct
	s.do("ann", "POST", mfa+"/report?type=inactive", "").refused(400, "type")
	s.do("ann", "GET", mfa+"/status", "").refused(400, "iam_id")
	s.do("ann", "GET", mfa+"/status?iam_id="+strings.Repeat("x", 1000), "").refused(400, "iam_id")
	s.do("ann", "GET", mfa+"/status?iam_id="+eve, "").refused(404, eve) // of another account
}

func TestMFAFollowsTheSettingsInForce(t *testing.T) {
	s := newServer(t)
	put := func(n account.NewUser) {
		if _, err := s.Accounts.PutUser(context.Background(), acct, n); err != nil {
			t.Fatal(err)
		}
	}
	put(account.NewUser{ID: bob, Email: "bob@example.com", Name: "Bob"})
	put(account.NewUser{ID: "other-realm-1", Email: "o@example.com"})
	status := func(iamID string) map[string]any {
		return s.do("ann", "GET", "/v1/mfa/accounts/"+acct+"/status?iam_id="+iamID, "").ok(200)["id_based_mfa"].(map[string]any)
	}
	if diff := cmp.Diff(map[string]any{"trait_account_default": "NONE", "trait_effective": "NONE", "complies": true},
		status(bob)); diff != "" {
		t.Error(diff)
	}
	s.do("ann", "PUT", settingsPath, obj("mfa", "TOTP", "user_mfa", []any{map[string]any{"iam_id": ann, "mfa": "NONE_NO_ROPC"}}),
		"If-Match: *").ok(200)
	if diff := cmp.Diff(map[string]any{"trait_account_default": "TOTP", "trait_effective": "TOTP", "complies": false, "comply_state": "NO"},
		status(bob)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"trait_account_default": "TOTP", "trait_user_specific": "NONE_NO_ROPC",
		"trait_effective": "NONE_NO_ROPC", "complies": true}, status(ann)); diff != "" {
		t.Error(diff)
	}
	if status("other-realm-1")["complies"] != true {
		t.Error("TOTP is demanded of a federated user")
	}
	base := "/v1/mfa/accounts/" + acct + "/report"
	ref := text(t, s.do("ann", "POST", base+"?type=mfa_status", "").ok(202), "reference")
	s.do("ann", "GET", base+"/"+ref, "").ok(204)
	got := s.do("ann", "GET", base+"/latest", "").ok(200)
	if text(t, got, "account_id") != acct || text(t, got, "created_by") != ann || text(t, got, "reference") != ref ||
		text(t, got, "report_time") != "2026-03-04T05:06+0000" {
		t.Errorf("%v", got)
	}
	if diff := cmp.Diff([]string{ann, bob, "other-realm-1"}, ids(t, got, "users", "iam_id")); diff != "" {
		t.Error(diff)
	}
	user := list(t, got, "users")[1].(map[string]any)
	none := map[string]any{"required": false, "enrolled": false}
	want := map[string]any{"iam_id": bob, "name": "Bob", "username": "bob@example.com", "email": "bob@example.com",
		"effective_mfa_type": "id_based_mfa",
		"id_based_mfa":       map[string]any{"trait_account_default": "TOTP", "trait_effective": "TOTP", "complies": false, "comply_state": "NO"},
		"account_based_mfa":  map[string]any{"security_questions": none, "totp": none, "verisign": none, "complies": true}}
	if diff := cmp.Diff(want, user); diff != "" {
		t.Error(diff)
	}
	s.do("carl", "POST", base, "").refused(403, "mfa-status.get")
}
