package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

// schedule has a job of kind "k" of account "a1" run so much later.
func (e *env) schedule(id string, later time.Duration) {
	e.Helper()
	e.must(e.db.Jobs().Schedule(e.ctx, store.Job{Kind: "k", Account: "a1", ID: id, Due: e.clock.Now().Add(later), Body: []byte(`{"n":1}`)}))
}

func (e *env) due(node string) []*store.Job {
	e.Helper()
	found, err := e.db.Jobs().Due(e.ctx, store.JobsDue{Kind: "k", Now: e.clock.Now(), Wall: e.clock.Now(), Node: node, Limit: 10})
	e.must(err)
	return found
}

// jobIDs gives the ids of jobs.
func jobIDs(jobs []*store.Job) []string {
	out := []string{}
	for _, j := range jobs {
		out = append(out, j.ID)
	}
	return out
}

// take puts a job into the hands of a node for a minute.
func (e *env) take(was *store.Job, node string) (*store.Job, bool) {
	e.Helper()
	is := *was
	is.Node, is.Until = node, e.clock.Now().Add(time.Minute)
	is.Claim++
	ok, err := e.db.Jobs().Swap(e.ctx, was, &is)
	e.must(err)
	return &is, ok
}

// finish ends a job that a node has.
func (e *env) finish(was *store.Job, keep time.Duration) {
	e.Helper()
	is := *was
	is.Node, is.Until, is.Finished, is.Expires = "", time.Time{}, e.clock.Now(), e.clock.Now().Add(keep)
	is.Claim++
	ok, err := e.db.Jobs().Swap(e.ctx, was, &is)
	e.must(err)
	e.equal(ok, true)
}

var jobTests = []test{
	{"a job is due at its time, those that wait longest first", func(e *env) {
		for i, id := range []string{"c", "a", "b"} {
			e.schedule(id, time.Duration(i)*time.Second)
		}
		e.equal(jobIDs(e.due("n1")), []string{"c"})
		e.clock.Advance(2*time.Second - time.Microsecond)
		e.equal(jobIDs(e.due("n1")), []string{"c", "a"})
		e.clock.Advance(time.Microsecond)
		e.equal(jobIDs(e.due("n1")), []string{"c", "a", "b"})
		found, err := e.db.Jobs().Due(e.ctx, store.JobsDue{Kind: "k", Now: e.clock.Now(), Wall: e.clock.Now(), Limit: 2})
		e.must(err)
		e.equal(jobIDs(found), []string{"c", "a"})
		found, err = e.db.Jobs().Due(e.ctx, store.JobsDue{Kind: "other", Now: e.clock.Now(), Limit: 2})
		e.must(err)
		e.equal(len(found), 0)
	}},
	{"a job without a time is due at once", func(e *env) {
		e.must(e.db.Jobs().Schedule(e.ctx, store.Job{Kind: "k", Account: "a1", ID: "j"}))
		found := e.due("n1")
		e.equal(jobIDs(found), []string{"j"})
		e.equal(found[0].Due, e.clock.Now())
		e.equal(found[0].Created, e.clock.Now())
		e.equal(len(found[0].Body), 0)
	}},
	{"a job is written as it was read, field by field", func(e *env) {
		e.schedule("j", 0)
		was := e.due("n1")[0]
		now := e.clock.Now()
		is := &store.Job{Kind: "k", Account: "a1", ID: "j", Body: was.Body, Created: was.Created, Wishes: 1, Due: now.Add(1), Node: "n1",
			Until: now.Add(time.Minute), Claim: 7, Attempts: 2, Done: 3, Total: 9, Text: "half", Error: "late", Finished: now,
			Expires: now.Add(time.Hour)}
		is.Due = now.Add(time.Second)
		ok, err := e.db.Jobs().Swap(e.ctx, was, is)
		e.must(err)
		e.equal(ok, true)
		all, err := e.db.Jobs().List(e.ctx, store.JobsQuery{})
		e.must(err)
		e.equal(all, []*store.Job{is})
	}},
	{"a job in a node's hands is the others' when its lease has run out", func(e *env) {
		e.schedule("j", 0)
		_, ok := e.take(e.due("n1")[0], "n1")
		e.equal(ok, true)
		e.equal(len(e.due("n2")), 0)
		e.equal(jobIDs(e.due("n1")), []string{"j"}) // for a node of that name it is of an earlier life
		e.clock.Advance(time.Minute)
		e.equal(jobIDs(e.due("n2")), []string{"j"})
	}},
	{"exactly one of many takes a job", func(e *env) {
		for n := range 5 {
			e.schedule(fmt.Sprint("j", n), 0)
		}
		for _, j := range e.due("n") {
			var taken atomic.Int64
			errs := together(16, func(i int) error {
				is := *j
				is.Node, is.Until = fmt.Sprint("n", i), e.clock.Now().Add(time.Minute)
				is.Claim++
				ok, err := e.db.Jobs().Swap(e.ctx, j, &is)
				if ok {
					taken.Add(1)
				}
				return err
			})
			e.equal(e.successes(errs), 16)
			e.equal(taken.Load(), int64(1))
		}
	}},
	{"who lost a job writes nothing any more", func(e *env) {
		e.schedule("j", 0)
		mine, _ := e.take(e.due("n1")[0], "n1")
		e.clock.Advance(time.Minute)
		yours, ok := e.take(e.due("n2")[0], "n2")
		e.equal(ok, true)
		late := *mine
		late.Text = "late"
		ok, err := e.db.Jobs().Swap(e.ctx, mine, &late)
		e.must(err)
		e.equal(ok, false)
		e.must(e.db.Jobs().Cancel(e.ctx, "k", "a1", "j"))
		ok, err = e.db.Jobs().Swap(e.ctx, yours, yours)
		e.must(err)
		e.equal(ok, false)
	}},
	{"a wish for a job that waits moves it to the earlier time", func(e *env) {
		e.schedule("j", time.Hour)
		e.schedule("j", time.Minute)
		e.schedule("j", 2*time.Hour)
		e.clock.Advance(time.Minute)
		found := e.due("n1")
		e.equal(jobIDs(found), []string{"j"})
		e.equal(found[0].Wishes, int64(3))
	}},
	{"a wish for a job under way outlives its end", func(e *env) {
		e.schedule("j", 0)
		mine, _ := e.take(e.due("n1")[0], "n1")
		e.schedule("j", 0)
		e.finish(mine, 0)
		found := e.due("n2")
		e.equal(jobIDs(found), []string{"j"})
		e.equal(found[0].Finished.IsZero(), true)
		mine, _ = e.take(found[0], "n2")
		e.finish(mine, 0)
		e.equal(len(e.due("n1")), 0)
	}},
	{"a wish for a finished job begins it anew", func(e *env) {
		e.schedule("j", 0)
		mine, _ := e.take(e.due("n1")[0], "n1")
		mine.Attempts, mine.Error, mine.Done, mine.Total, mine.Text = 3, "no", 1, 2, "x"
		e.finish(mine, time.Hour)
		e.clock.Advance(time.Minute)
		e.schedule("j", 0)
		got := e.due("n1")[0]
		e.equal([]any{got.Attempts, got.Error, got.Done, got.Total, got.Text}, []any{int64(0), "", int64(0), int64(0), ""})
		e.equal(got.Created, e.clock.Now())
		e.equal(got.Due, e.clock.Now())
	}},
	{"a sweep deletes finished jobs that may go, at most so many", func(e *env) {
		for i := range 6 {
			id := fmt.Sprint("j", i)
			e.schedule(id, 0)
			for _, j := range e.due("n1") {
				if j.ID == id && i < 5 {
					mine, _ := e.take(j, "n1")
					e.finish(mine, time.Duration(i)*time.Minute)
				}
			}
		}
		e.clock.Advance(3 * time.Minute)
		for _, want := range []int{3, 1, 0} {
			n, err := e.db.Jobs().Sweep(e.ctx, e.clock.Now(), 3)
			e.must(err)
			e.equal(n, want)
		}
		left, err := e.db.Jobs().List(e.ctx, store.JobsQuery{})
		e.must(err)
		e.equal(jobIDs(left), []string{"j4", "j5"})
	}},
	{"jobs are listed by account, kind and id, in pages", func(e *env) {
		for _, j := range []store.Job{{Kind: "k", Account: "a2", ID: "1"}, {Kind: "l", Account: "a1", ID: "1"},
			{Kind: "k", Account: "a1", ID: "2"}, {Kind: "k", Account: "a1", ID: "1"}} {
			e.must(e.db.Jobs().Schedule(e.ctx, j))
		}
		var got []string
		var after *store.Job
		for {
			page, err := e.db.Jobs().List(e.ctx, store.JobsQuery{After: after, Limit: 3})
			e.must(err)
			for _, j := range page {
				got = append(got, j.Account+"/"+j.Kind+"/"+j.ID)
			}
			if len(page) < 3 {
				break
			}
			after = page[2]
		}
		e.equal(got, []string{"a1/k/1", "a1/k/2", "a1/l/1", "a2/k/1"})
		of, err := e.db.Jobs().List(e.ctx, store.JobsQuery{Kind: "k", Account: "a1"})
		e.must(err)
		e.equal(jobIDs(of), []string{"1", "2"})
	}},
	{"jobs are counted by what they are at", func(e *env) {
		tally := func() []store.JobTally {
			t, err := e.db.Jobs().Tally(e.ctx, e.clock.Now(), e.clock.Now())
			e.must(err)
			return t
		}
		e.equal(len(tally()), 0)
		e.schedule("run", 0)
		e.take(e.due("n1")[0], "n1")
		e.schedule("wait", time.Hour)
		e.schedule("due", 0)
		since := e.clock.Now()
		e.must(e.db.Jobs().Schedule(e.ctx, store.Job{Kind: "l", Account: "a1", ID: "j", Due: e.clock.Now()}))
		e.clock.Advance(time.Second)
		e.equal(tally(), []store.JobTally{{Kind: "k", Due: 1, Running: 1, Waiting: 1, Oldest: since}, {Kind: "l", Due: 1, Oldest: since}})
		e.clock.Advance(time.Minute) // the node is dead
		e.equal(tally()[0], store.JobTally{Kind: "k", Due: 2, Waiting: 1, Oldest: since})
		for _, j := range e.due("n2") {
			mine, _ := e.take(j, "n2")
			if mine.ID == "run" {
				mine.Error = "no"
			}
			e.finish(mine, time.Hour)
		}
		e.equal(tally()[0], store.JobTally{Kind: "k", Waiting: 1, Done: 1, Failed: 1})
	}},
	{"a transaction's job is there, and told of, if it is kept only", func(e *env) {
		var told atomic.Int64
		cancel := e.db.OnSchedule(func() { told.Add(1) })
		refused := errors.New("refused")
		err := e.db.Update(e.ctx, func(tx store.Tx) error {
			e.must(tx.Jobs().Schedule(e.ctx, store.Job{Kind: "k", Account: "a1", ID: "no"}))
			return refused
		})
		e.equal(errors.Is(err, refused), true)
		e.equal(told.Load(), int64(0))
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			return tx.Jobs().Schedule(e.ctx, store.Job{Kind: "k", Account: "a1", ID: "yes"})
		}))
		e.equal(told.Load(), int64(1))
		e.equal(jobIDs(e.due("n1")), []string{"yes"})
		cancel()
		e.schedule("more", 0)
		e.equal(told.Load(), int64(1))
		e.equal(e.events("a1"), []store.Event(nil))
	}},
	{"transactions that schedule one job at once all do", func(e *env) {
		errs := together(16, func(i int) error {
			return e.db.Update(e.ctx, func(tx store.Tx) error {
				return tx.Jobs().Schedule(e.ctx, store.Job{Kind: "k", Account: "a1", ID: "j"})
			})
		})
		e.equal(e.successes(errs), 16)
		e.equal(e.due("n1")[0].Wishes, int64(16))
	}},
	{"a reset forgets jobs", func(e *env) {
		e.schedule("j", 0)
		e.must(e.db.Reset(e.ctx))
		e.equal(len(e.due("n1")), 0)
	}},
}
