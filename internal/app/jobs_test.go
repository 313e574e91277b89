package app_test

import (
	"strings"
	"testing"
	"time"
)

// soon asks until an answer holds a text.
func (s *server) soon(path, text string) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		a := s.call("GET", path, "")
		if strings.Contains(a.body, text) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s never showed %s:\n%s", path, text, a.body)
		}
	}
}

func TestLastingWorkIsDoneAndSeen(t *testing.T) {
	s := run(t, nil)
	for _, kind := range []string{"expired-api-keys", "expired-records"} {
		s.soon("/metrics", `kagiban_job_runs_total{kind="`+kind+`",outcome="succeeded"} 1`)
		s.soon("/metrics", `kagiban_jobs{kind="`+kind+`",state="waiting"} 1`)
		s.soon("/metrics", `kagiban_jobs_oldest_due_seconds{kind="`+kind+`"} 0`)
	}
	var list struct {
		Jobs []struct{ Kind, State string }
	}
	s.want(200, "GET", "/kagiban/v1/jobs?kind=expired-api-keys", "", &list, s.owner()...)
	if len(list.Jobs) != 1 || list.Jobs[0].State != "waiting" {
		t.Errorf("got %+v", list)
	}
	// The moved clock decides what is due.
	s.want(200, "POST", "/dev/v1/clock", `{"advance":"25h"}`, nil)
	s.soon("/metrics", `kagiban_job_runs_total{kind="expired-api-keys",outcome="succeeded"} 2`)
	// A reset forgets jobs; recurring work comes back.
	s.want(204, "POST", "/dev/v1/reset", "", nil)
	s.soon("/metrics", `kagiban_job_runs_total{kind="expired-api-keys",outcome="succeeded"} 3`)
}
