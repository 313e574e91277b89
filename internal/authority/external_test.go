package authority_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/audit"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// fromElsewhere is a question with a token of the other account.
func fromElsewhere(s *apitest.Server, iamID string) policy.Request {
	q := question(iamID, "kms.secrets.list", "kms")
	q.Subject.Account, q.Environment.Now = apitest.Other, s.Now()
	return q
}

// use decides and flushes; it gives the audit records that came of it.
func use(s *apitest.Server, n int, q policy.Request) []string {
	s.T.Helper()
	ctx := context.Background()
	head, err := s.DB.Head(ctx, acct)
	if err != nil {
		s.T.Fatal(err)
	}
	for range n {
		if _, err := s.Authority.Decide(ctx, q); err != nil {
			s.T.Fatal(err)
		}
	}
	if after, err := s.DB.Head(ctx, acct); err != nil || after != head {
		s.T.Fatalf("decisions wrote events: %d after %d, %v", after, head, err)
	}
	if err := s.Authority.Flush(ctx); err != nil {
		s.T.Fatal(err)
	}
	events, err := s.DB.Events(ctx, acct, head, 0)
	if err != nil {
		s.T.Fatal(err)
	}
	var out []string
	for _, e := range audit.RenderAll(events, audit.Observer{}) {
		var data struct {
			Enforced bool   `json:"isEnforced"`
			Decision string `json:"decision"`
			Count    int    `json:"count"`
		}
		if err := json.Unmarshal(e.ResponseData, &data); err != nil || e.RequestData != nil || e.Severity != "normal" {
			s.T.Errorf("record %+v: %v", e, err)
		}
		out = append(out, fmt.Sprintf("%s %s enforced=%v %s %d", e.Action, e.Initiator.ID, data.Enforced, data.Decision, data.Count))
	}
	return out
}

func interaction(s *apitest.Server, mode policy.ExternalMode, allowed ...string) {
	s.T.Helper()
	set, err := s.Access.GetSettings(context.Background(), acct)
	if err != nil {
		s.T.Fatal(err)
	}
	patch := apitest.Checked(s.T, access.ExternalPatch{User: &policy.ExternalSetting{Mode: mode, Allowed: allowed}})
	if _, err := s.Access.SetExternal(context.Background(), acct, set.Tag, patch); err != nil {
		s.T.Fatal(err)
	}
}

func TestMonitoredUsesAreAuditedAndNotOneByOne(t *testing.T) {
	s := serve(t)
	s.Grant("IBMid-GUEST", "Reader", "serviceName=kms")
	const eval = "iam-access-management.account-settings.eval IBMid-GUEST "
	wants := func(when string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	guest := func() policy.Request { return fromElsewhere(s, "IBMid-GUEST") }
	wants("enabled", use(s, 2, guest()))
	interaction(s, policy.ExternalMonitor)
	wants("monitored", use(s, 3, guest()), eval+"enforced=false Deny 3")
	wants("soon after", use(s, 4, guest()))
	wants("somebody without access", use(s, 1, fromElsewhere(s, "IBMid-STRANGER")))
	own := guest()
	own.Subject.Account = acct
	wants("a token of the account", use(s, 1, own))
	s.Pass(10 * time.Minute)
	wants("ten minutes later", use(s, 2, guest()), eval+"enforced=false Deny 6")
	interaction(s, policy.ExternalMonitor, apitest.Other)
	wants("a listed account", use(s, 1, guest()), eval+"enforced=false Permit 1")
	interaction(s, policy.ExternalLimited)
	wants("limited", use(s, 1, guest()), eval+"enforced=true Deny 1")

	uses, err := authority.ExternalUses.List(t.Context(), s.DB.Direct(), store.Query{Account: acct})
	if err != nil || len(uses) != 3 {
		t.Fatalf("%d records, %v", len(uses), err)
	}
	for _, u := range uses {
		if !u.Enforced && u.Decision == "Deny" && (u.Count != 9 || u.From != apitest.Other || u.Type != "user" ||
			u.Action != "kms.secrets.list" || u.Service != "kms" || !u.Last.Equal(s.Now())) {
			t.Errorf("record %+v", u)
		}
	}
}

func TestUsesThatCannotBeWrittenAreKept(t *testing.T) {
	s := serve(t)
	s.Grant("IBMid-GUEST", "Reader", "serviceName=kms")
	interaction(s, policy.ExternalMonitor)
	if _, err := s.Authority.Decide(t.Context(), fromElsewhere(s, "IBMid-GUEST")); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Authority.Flush(gone); err == nil {
		t.Fatal("a flush without time succeeded")
	}
	if got := use(s, 1, fromElsewhere(s, "IBMid-GUEST")); len(got) != 1 || !strings.HasSuffix(got[0], "Deny 2") {
		t.Errorf("records %v, want one of two uses", got)
	}
}

func TestManyIdentitiesOfElsewhereTakeBoundedMemory(t *testing.T) {
	s := serve(t)
	interaction(s, policy.ExternalMonitor)
	if _, err := s.CreatePolicy(asker.System, doc(policy.PublicAccessGroupID, "Reader", "kms")); err != nil {
		t.Fatal(err)
	}
	for i := range 1500 {
		if _, err := s.Authority.Decide(t.Context(), fromElsewhere(s, fmt.Sprintf("IBMid-%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if got := use(s, 1, fromElsewhere(s, "IBMid-0")); len(got) != 1024 {
		t.Errorf("%d records, want the first 1024", len(got))
	}
}
