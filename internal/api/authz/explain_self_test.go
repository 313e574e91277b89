package authz_test

import "testing"

// What somebody may be told of itself must not become a way to read the
// policies of a service, or of a login at another realm, by saying so in the
// question.
func TestNobodyExplainsAnothersAccessUnderItsOwnName(t *testing.T) {
	s := serve(t)
	resource := m{"attributes": m{"serviceName": "kms", "accountId": acct}}
	explain := func(subject m) int {
		return s.Do(member, "POST", "/v2/authz/explain", m{"subject": m{"attributes": subject}, "action": "kms.secrets.list",
			"resource": resource}).Status
	}
	if got := explain(m{"id": member}); got != 200 {
		t.Errorf("of itself: %d", got)
	}
	for name, subject := range map[string]m{
		"a service":                {"id": member, "serviceName": "cloud-object-storage", "accountId": acct},
		"a login of another realm": {"id": member, "realmid": "corp"},
		"a login at another place": {"id": member, "accountId": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},
	} {
		if got := explain(subject); got != 403 {
			t.Errorf("of %s under one's own id: %d, want 403", name, got)
		}
	}
}
