package kagibanv1_test

import (
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/store"
)

const jobs = "/kagiban/v1/jobs"

func TestOperatorsSeeLastingWorkPageByPage(t *testing.T) {
	s := serve(t, atHome)
	for _, o := range []job.Order{
		{Kind: "walk", Account: apitest.Account, ID: "1"}, {Kind: "walk", Account: apitest.Other, ID: "2", At: s.Now().Add(time.Hour)},
		{Kind: "run", Account: apitest.Account, ID: "3"},
	} {
		if err := job.Schedule(t.Context(), s.DB, o); err != nil {
			t.Fatal(err)
		}
	}
	was, err := s.DB.Jobs().List(t.Context(), store.JobsQuery{Kind: "run"})
	if err != nil || len(was) != 1 {
		t.Fatal(was, err)
	}
	is := *was[0]
	is.Node, is.Until, is.Done, is.Total, is.Text = "n1", s.Now().Add(time.Minute), 3, 10, "account 3"
	if ok, err := s.DB.Jobs().Swap(t.Context(), was[0], &is); !ok || err != nil {
		t.Fatal(ok, err)
	}
	s.Grant("IBMid-OPERATOR", "Operator", "serviceName=kagiban")
	states := map[string]string{}
	path := jobs + "?limit=2"
	for pages := 1; ; pages++ {
		a := s.Do("IBMid-OPERATOR", "GET", path, nil).Want(200)
		for i := range a.Len("jobs") {
			at := "jobs." + string(rune('0'+i))
			states[a.Text(at+".id")] = a.Text(at + ".state")
		}
		next := a.Text("next")
		if next == "" {
			if pages != 2 {
				t.Errorf("%d pages, want 2", pages)
			}
			break
		}
		s.Do("IBMid-OPERATOR", "GET", jobs+"?kind=walk&start="+next, nil).Refused(400, "invalid")
		path = jobs + "?limit=2&start=" + next
	}
	if len(states) != 3 || states["1"] != "due" || states["2"] != "waiting" || states["3"] != "running" {
		t.Errorf("got %v", states)
	}
	a := s.Do("IBMid-OPERATOR", "GET", jobs+"?kind=run", nil).Want(200)
	if a.Len("jobs") != 1 || a.Text("jobs.0.text") != "account 3" || a.Text("jobs.0.node") != "n1" {
		t.Errorf("got %s", a.Body)
	}
	if got := s.Do("IBMid-OPERATOR", "GET", jobs+"?account_id="+apitest.Other, nil).Want(200).Len("jobs"); got != 1 {
		t.Errorf("%d jobs of the account", got)
	}
}

func TestOnlyOperatorsSeeLastingWork(t *testing.T) {
	s := serve(t, atHome)
	s.Grant("IBMid-VIEWER", "Viewer", "serviceName=kagiban")
	for caller, want := range map[string]int{
		apitest.Owner: 200, "IBMid-VIEWER": 403, apitest.Member: 403, apitest.OtherOwner + "@" + apitest.Other: 404, "": 401,
	} {
		s.Do(caller, "GET", jobs, nil).Want(want)
	}
	s.Do(apitest.Owner, "GET", jobs+"?limit=0", nil).Refused(400, "invalid")
	s.Do(apitest.Owner, "GET", jobs+"?start=forged", nil).Refused(400, "invalid")
}
