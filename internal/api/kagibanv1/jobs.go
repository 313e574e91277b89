package kagibanv1

import (
	"context"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
)

type jobsIn struct {
	Kind    string `query:"kind"`
	Account string `query:"account_id"`
	Limit   *int   `query:"limit"`
	Start   string `query:"start"` // "next" of the page before

	after *store.Cursor
}

// query binds page tokens to what is listed.
func (in *jobsIn) query() string { return "jobs\x00" + in.Kind + "\x00" + in.Account }

// checkJobs checks the parameters.
func (a *API) checkJobs(in *jobsIn) error {
	if in.Limit != nil && (*in.Limit < 1 || *in.Limit > maxLimit) {
		return fault.Field("limit", "Parameter 'limit' must be between 1 and %d.", maxLimit)
	}
	if in.Start == "" {
		return nil
	}
	t, err := a.cfg.Pages.Open(in.Start, in.query(), "start")
	in.after = &t.Cursor
	return err
}

// Job is a piece of lasting work.
type Job struct {
	Kind      string     `json:"kind"`
	Account   string     `json:"account_id"`
	ID        string     `json:"id"`
	State     string     `json:"state"` // due, running, waiting, done, failed
	CreatedAt time.Time  `json:"created_at"`
	DueAt     time.Time  `json:"due_at"`
	Attempts  int64      `json:"attempts,omitempty"` // since it last succeeded
	Error     string     `json:"error,omitempty"`    // of the last attempt
	Done      int64      `json:"done,omitempty"`
	Total     int64      `json:"total,omitempty"`
	Text      string     `json:"text,omitempty"` // what it is at
	Node      string     `json:"node,omitempty"` // who runs it
	Until     *time.Time `json:"lease_until,omitempty"`
	Finished  *time.Time `json:"finished_at,omitempty"`
}

// JobList is the answer of list_jobs, by account, kind and id.
type JobList struct {
	Jobs []Job  `json:"jobs"`
	Next string `json:"next,omitempty"` // page token; absent on the last page
}

func (a *API) listJobs(ctx context.Context, c *httpapi.Call, in *jobsIn, _ httpapi.None) (*JobList, error) {
	limit := defaultLimit
	if in.Limit != nil {
		limit = *in.Limit
	}
	q := store.JobsQuery{Kind: in.Kind, Account: in.Account, Limit: limit + 1}
	if in.after != nil {
		q.After = &store.Job{Account: in.after.Account, Kind: in.after.Text, ID: in.after.ID}
	}
	found, err := a.cfg.DB.Jobs().List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &JobList{}
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1]
		out.Next = a.cfg.Pages.Seal(lists.Token{Cursor: store.Cursor{Account: last.Account, Text: last.Kind, ID: last.ID}, Query: in.query()})
	}
	out.Jobs = lists.Map(found, func(j *store.Job) Job { return wireJob(j, c.Now()) })
	return out, nil
}

func wireJob(j *store.Job, now time.Time) Job {
	out := Job{Kind: j.Kind, Account: j.Account, ID: j.ID, CreatedAt: j.Created, DueAt: j.Due, Attempts: j.Attempts, Error: j.Error,
		Done: j.Done, Total: j.Total, Text: j.Text, Node: j.Node, State: "waiting"}
	if !j.Until.IsZero() {
		out.Until = &j.Until
	}
	if !j.Finished.IsZero() {
		out.Finished = &j.Finished
	}
	switch {
	case out.Finished != nil && j.Error != "":
		out.State = "failed"
	case out.Finished != nil:
		out.State = "done"
	case j.Node != "":
		out.State = "running"
	case !j.Due.After(now):
		out.State = "due"
	}
	return out
}
