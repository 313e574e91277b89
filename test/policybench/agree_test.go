package main

import (
	"testing"

	"github.com/kagiban/kagiban/internal/policy/policytest"
)

// A comparison of times means something only if all engines answer the same
// questions in the same way.
func TestTheEnginesAgree(t *testing.T) {
	a := policytest.New(1000)
	requests := a.Requests(requestCount)
	own, cedar, casbin := newOwn(a, requests), newCedarGroups(a, requests), newCasbin(a, requests)
	allowed := 0
	for i := range 600 {
		want := own.decide(i)
		if want {
			allowed++
		}
		if got := cedar.decide(i); got != want {
			t.Errorf("request %d: cedar-go says %v, the engine %v", i, got, want)
		}
		if i < 200 {
			if got := casbin.decide(i); got != want {
				t.Errorf("request %d: casbin says %v, the engine %v", i, got, want)
			}
		}
	}
	if allowed < 200 || allowed > 400 {
		t.Errorf("%d of 600 requests are allowed, about half should be", allowed)
	}
}
