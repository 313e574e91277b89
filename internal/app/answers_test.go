package app

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Whoever asks why is told what the server itself decided: for every operation
// with an action, by members, strangers and the owner.
func TestExplanationsAgreeWithTheServer(t *testing.T) {
	w := newWalker(t)
	d := w.app.Demo()
	answers := map[bool]int{}
	for _, op := range w.operations() {
		if op.Access.Action == "" || !op.Built || aboutOthers[key(op)] {
			continue
		}
		r := w.build(op)
		for _, caller := range []string{w.member(), d.Member.IAMID + "@" + w.acct, d.Visitor.IAMID + "@" + d.Caller, w.owner + "@" + w.acct} {
			w.send(caller, r)
			for _, a := range slices.Clone(w.decisions) {
				if a.Action != op.Access.Action || a.Resource.Account != w.acct || a.Resource.ServiceName == "" {
					continue
				}
				if got := w.explained(caller, a); got != a.Allowed {
					t.Errorf("%s by %s: decided %v (%s), explained %v", key(op), caller, a.Allowed, a.Reason, got)
				}
				answers[a.Allowed]++
			}
		}
	}
	if answers[true] < 100 || answers[false] < 100 {
		t.Errorf("too few answers to mean anything: %v", answers)
	}
}

// explained asks, as the owner, about a decision that was made.
func (w *walker) explained(caller string, a asked) (permitted bool) {
	w.t.Helper()
	who, account, _ := strings.Cut(caller, "@")
	on := map[string]string{"accountId": a.Resource.Account, "serviceName": a.Resource.ServiceName,
		"serviceInstance": a.Resource.ServiceInstance, "resourceType": a.Resource.ResourceType, "resource": a.Resource.Resource}
	maps.DeleteFunc(on, func(_, v string) bool { return v == "" })
	type attributes struct {
		Attributes map[string]string `json:"attributes"`
	}
	body, err := json.Marshal(map[string]any{"action": a.Action, "resource": attributes{on},
		"subject": attributes{map[string]string{"id": who, "accountId": account}}})
	if err != nil {
		w.t.Fatal(err)
	}
	op := w.find("authz", "explain_decision")
	got := w.send(w.owner+"@"+w.acct, request{op: op, path: op.Path, body: string(body)})
	var e struct{ Permitted bool }
	if err := json.Unmarshal([]byte(got.body), &e); err != nil || got.status != 200 {
		w.t.Fatalf("explaining %s: %d %s", a.Action, got.status, got.body)
	}
	return e.Permitted
}
