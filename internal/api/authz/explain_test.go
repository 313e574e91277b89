package authz_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

func TestExplanationShowsWhatLedToTheAnswer(t *testing.T) {
	s := serve(t)
	group := s.NewGroup(acct, "readers", access.NewMember{IAMID: member, Type: access.MemberUser})
	policyID := s.Grant("IBMid-PLACE", "Reader", "serviceName=kms", "serviceInstance=i1")
	p, err := s.Access.GetPolicy(t.Context(), policyID, false)
	if err != nil {
		t.Fatal(err)
	}
	doc := p.Doc
	doc.Subject = []policy.Attribute{{Key: policy.AttrAccessGroupID, Operator: policy.OpStringEquals, Value: policy.String(group.ID)}}
	if err := s.ReplacePolicy(asker.System, policyID, &doc); err != nil {
		t.Fatal(err)
	}
	a := s.Do(owner, "POST", "/v2/authz/explain", ask(member, "kms.secrets.list", crn("kms", "i1::"))).Want(200)
	for path, want := range map[string]string{
		"permitted": "true", "reason": "policy", "policy_id": policyID, "role_id": apitest.Role("Reader"), "access_group_id": group.ID,
		"owner":       "false",
		"groups.0.id": group.ID, "groups.0.name": "readers", "groups.0.how": "static", "candidates.0.policy_id": policyID,
		"candidates.0.allows": "true", "max_age_seconds": "600",
	} {
		if got := a.Text(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if a.Len("nearest") != 0 || a.Text("seq") == "0" {
		t.Errorf("%s", a.Body)
	}
	b := s.Do(owner, "POST", "/v2/authz/explain", ask(member, "kms.secrets.list", crn("kms", "i2::"))).Want(200)
	if b.Text("permitted") != "false" || b.Text("reason") != "no_policy" || b.Len("nearest") < 1 || b.Text("candidates.0.missing") != "1" ||
		!strings.Contains(b.Text("roles"), "Reader") {
		t.Errorf("%s", b.Body)
	}
	failed := ""
	for i := range b.Len("candidates.0.checks") {
		if at := fmt.Sprintf("candidates.0.checks.%d.", i); b.Text(at+"ok") == "false" {
			failed += b.Text(at+"key") + " " + b.Text(at+"want.0") + " " + b.Text(at+"got")
		}
	}
	if failed != "serviceInstance i1 i2" {
		t.Errorf("what is missing is %q\n%s", failed, b.Body)
	}
	if c := s.Do(owner, "POST", "/v2/authz/explain", ask("iam-ServiceId-gone", "kms.secrets.list",
		crn("kms", "i1::"))).Want(200); c.Text("inactive") != "true" || c.Text("permitted") != "false" || c.Len("nearest") != 1 {
		t.Errorf("a service ID that is gone: %s", c.Body)
	}
	question := ask(member, "kms.secrets.list", crn("kms", "i1::"))
	question["at"] = "yesterday"
	s.Do(owner, "POST", "/v2/authz/explain", question).Want(400)
	for _, bad := range []any{"[]", "{", m{}, m{"action": "x"}} {
		s.Do(owner, "POST", "/v2/authz/explain", bad).Want(400)
	}
}

func TestWhoMayHaveExplanations(t *testing.T) {
	s := serve(t)
	question := ask(member, "kms.secrets.list", crn("kms", "i1::"))
	for caller, status := range map[string]int{
		owner: 200, member: 200, "IBMid-NOBODY": 403, kms: 403, apitest.OtherOwner + "@" + apitest.Other: 403,
		member + "@" + apitest.Other: 403, // a token of another account says nothing about this one
		"":                           401,
	} {
		if a := s.Do(caller, "POST", "/v2/authz/explain", question); a.Status != status {
			t.Errorf("%q: %d, want %d\n%s", caller, a.Status, status, a.Body)
		}
	}
}

func TestWhoCan(t *testing.T) {
	s := serve(t)
	reader := s.Grant(member, "Reader", "serviceName=kms")
	s.Grant("IBMid-OTHERINSTANCE", "Reader", "serviceName=kms", "serviceInstance=i2")
	s.Grant("IBMid-VIEWER", "Viewer", "serviceName=kms")
	body := m{"action": "kms.secrets.list", "resource": m{"crn": crn("kms", "i1::")}}
	a := s.Do(owner, "POST", "/v2/authz/who_can", body).Want(200)
	if got := strings.Join(a.Each("grantees", "iam_id"), " "); got != owner+" "+member {
		t.Errorf("grantees %s\n%s", got, a.Body)
	}
	if a.Text("grantees.0.kind") != "owner" || a.Text("grantees.1.kind") != "identity" || a.Text("grantees.1.policies.0") != reader ||
		a.Len("grantees.0.policies") != 0 {
		t.Errorf("%s", a.Body)
	}
	s.Do("IBMid-VIEWER", "POST", "/v2/authz/who_can", body).Want(200)
	s.Do("IBMid-OTHERINSTANCE", "POST", "/v2/authz/who_can", body).Want(403)
	s.Do(apitest.OtherOwner+"@"+apitest.Other, "POST", "/v2/authz/who_can", body).Want(404)
	for _, bad := range []any{"[]", "{", m{}, m{"action": "x"}, m{"action": "x", "resource": m{"crn": "x"}},
		m{"resource": m{"crn": crn("kms", "i1::")}}} {
		s.Do(owner, "POST", "/v2/authz/who_can", bad).Want(400)
	}
}

// An action that no role can hold is a mistake of the one who asks, not one that
// nobody may do; whoever may not ask learns nothing of it.
func TestWhoCanTellsOfMisspeltNames(t *testing.T) {
	s := serve(t)
	for _, c := range []struct{ action, service, hint string }{
		{"kms.secret.lsit", "kms", "Did you mean kms.secrets.list"},
		{"nothing.like.it", "kms", "listed under /v2/roles"},
		{"kms.secrets.list", "kmss", "Did you mean kms?"},
	} {
		body := m{"action": c.action, "resource": m{"crn": crn(c.service, "i1::")}}
		a := s.Do(owner, "POST", "/v2/authz/who_can", body).Want(400)
		if got := a.Text("errors.0.message"); a.Text("errors.0.code") != "unknown_action" || !strings.Contains(got, c.hint) {
			t.Errorf("%s on %s: %s", c.action, c.service, a.Body)
		}
		s.Do(member, "POST", "/v2/authz/who_can", body).Want(403)
		s.Do(apitest.OtherOwner+"@"+apitest.Other, "POST", "/v2/authz/who_can", body).Want(404)
		body["subject"] = m{"attributes": m{"id": member}}
		a = s.Do(owner, "POST", "/v2/authz/explain", body).Want(200)
		if got := a.Text("nearest.0"); a.Text("reason") != "unknown_action" || !strings.Contains(got, c.hint) {
			t.Errorf("explaining %s on %s: %s", c.action, c.service, a.Body)
		}
	}
}

// Names and states are the same whether users are read one by one or together.
func TestWhoCanOfMany(t *testing.T) {
	s := serve(t)
	s.Update(func(ctx context.Context, tx store.Tx) error {
		for _, u := range []*account.User{
			{Meta: store.Meta{Account: acct, ID: "IBMid-NAMED", Name: "Ann"}, State: account.Active},
			{Meta: store.Meta{Account: acct, ID: "IBMid-GONE", Name: "Bob"}, State: account.Suspended},
		} {
			if err := account.Users.Create(ctx, tx, u, store.Event{}); err != nil {
				return err
			}
		}
		return nil
	})
	s.Grant("IBMid-NAMED", "Reader", "serviceName=kms")
	s.Grant("IBMid-GONE", "Reader", "serviceName=kms")
	s.Grant("IBMid-UNKNOWN", "Reader", "serviceName=kms")
	s.Grant("iam-ServiceId-00000000-0000-4000-8000-000000000000", "Reader", "serviceName=kms") // there is none
	body := m{"action": "kms.secrets.list", "resource": m{"crn": crn("kms", "i1::")}}
	for _, more := range []int{0, 120} {
		for i := range more {
			s.Grant(fmt.Sprint("IBMid-X", i), "Reader", "serviceName=kms")
		}
		a := s.Do(owner, "POST", "/v2/authz/who_can", body).Want(200)
		found := map[string]string{}
		for i, iamID := range a.Each("grantees", "iam_id") {
			found[iamID] = a.Text(fmt.Sprintf("grantees.%d.name", i))
		}
		name, known := found["IBMid-UNKNOWN"]
		if len(found) != more+3 || found["IBMid-NAMED"] != "Ann" || name != "" || !known {
			t.Errorf("with %d more: %v", more, found)
		}
	}
}

func TestWhatIfChangesNothing(t *testing.T) {
	s := serve(t)
	held := s.Grant(member, "Reader", "serviceName=kms")
	before, err := s.DB.Head(t.Context(), acct)
	if err != nil {
		t.Fatal(err)
	}
	v1 := func(role string) m {
		return m{"type": "access", "subjects": []m{{"attributes": []m{{"name": "iam_id", "value": member}}}},
			"roles":     []m{{"role_id": apitest.Role(role)}},
			"resources": []m{{"attributes": []m{{"name": "accountId", "value": acct}, {"name": "serviceName", "value": "kms"}}}}}
	}
	v2 := m{"type": "access", "subject": m{"attributes": []m{{"key": "iam_id", "operator": "stringEquals", "value": "IBMid-NEW"}}},
		"control": m{"grant": m{"roles": []m{{"role_id": apitest.Role("Writer")}}}},
		"resource": m{"attributes": []m{{"key": "accountId", "operator": "stringEquals", "value": acct},
			{"key": "serviceName", "operator": "stringEquals", "value": "kms"}}}}
	for _, c := range []struct {
		name         string
		body         m
		who          string
		gained, lost string // one action that is among them, "" for none
	}{
		{"a new v2 policy", m{"policy": v2}, "IBMid-NEW", "kms.secrets.create", ""},
		{"a new v1 policy", m{"policy": v1("Writer")}, member, "kms.secrets.create", ""},
		{"what is held already", m{"policy": v1("Reader")}, "", "", ""},
		{"another role", m{"policy": v1("Writer"), "policy_id": held}, member, "kms.secrets.create", ""},
		{"a lesser role", m{"policy": v1("Viewer"), "policy_id": held}, member, "resource-controller.instance.retrieve", "kms.secrets.list"},
		{"a deletion", m{"policy_id": held}, member, "", "kms.secrets.list"},
	} {
		a := s.Do(owner, "POST", "/v2/authz/what_if", c.body).Want(200)
		if a.Text("changes.0.grantee.iam_id") != c.who {
			t.Errorf("%s: %s", c.name, a.Body)
			continue
		}
		for list, want := range map[string]string{"gained": c.gained, "lost": c.lost} {
			got := a.Text("changes.0." + list)
			if want == "" && strings.Trim(got, "[]") != "" || want != "" && !strings.Contains(got, want) {
				t.Errorf("%s: %s are %s, want %q among them", c.name, list, got, want)
			}
		}
	}
	if after, err := s.DB.Head(t.Context(), acct); err != nil || after != before {
		t.Errorf("the log went from %d to %d, %v", before, after, err)
	}
	if ok, err := s.Authority.Decide(t.Context(), policy.Request{Subject: policy.Subject{Kind: policy.KindUser, IAMID: "IBMid-NEW",
		Account: acct}, Action: "kms.secrets.create",
		Resource: policy.Resource{Account: acct, ServiceName: "kms"}, Environment: policy.Environment{Now: s.Now()}}); err != nil || ok.Allowed {
		t.Errorf("a question gave access: %+v %v", ok, err)
	}
	s.Do(owner, "POST", "/v2/authz/what_if", m{}).Refused(400, "invalid_body")
	s.Do(owner, "POST", "/v2/authz/what_if", m{"policy": m{"type": "access"}}).Refused(400, "invalid_body")
	s.Do(owner, "POST", "/v2/authz/what_if", m{"policy_id": "none"}).Refused(404, "policy_not_found")
	s.Do(member, "POST", "/v2/authz/what_if", m{"policy": v1("Writer")}).Want(200) // a Reader reads policies
	s.Do("IBMid-NOBODY", "POST", "/v2/authz/what_if", m{"policy": v1("Writer")}).Want(403)
	foreign := s.Do(apitest.OtherOwner+"@"+apitest.Other, "POST", "/v2/authz/what_if", m{"policy_id": held}, "Transaction-Id: t")
	absent := s.Do(apitest.OtherOwner+"@"+apitest.Other, "POST", "/v2/authz/what_if", m{"policy_id": "none"}, "Transaction-Id: t")
	if foreign.Status != 404 || strings.ReplaceAll(string(foreign.Body), held, "none") != string(absent.Body) {
		t.Errorf("foreign: %s\nabsent: %s", foreign.Body, absent.Body)
	}
}
