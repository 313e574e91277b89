package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/store"
)

// noted is a kind whose runs are written into a diary and succeed.
func noted(d *diary) job.Kind {
	return job.Kind{Name: "note", Run: func(_ context.Context, r *job.Run) error {
		d.add(r.Account + "/" + r.ID)
		return nil
	}}
}

func TestAJobIsThereIfAndOnlyIfItsCauseIs(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		n := w.node("n1", noted(&d))
		refused := errors.New("refused")
		err := w.db.Update(w.Context(), func(tx store.Tx) error {
			w.must(job.Schedule(w.Context(), tx, job.Order{Kind: "note", Account: "a", ID: "no"}))
			return refused
		})
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
		w.schedule(job.Order{Kind: "note", Account: "a", ID: "yes"})
		w.work(n)
		w.equal(d.all(), []string{"a/yes"})
		w.work(n)
		w.equal(d.all(), []string{"a/yes"})
	})
}

func (w *world) equal(got, want any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAScheduledJobRunsOnItsOwnNodeAtOnce(t *testing.T) {
	on(t, func(w *world) {
		done := make(chan struct{})
		r := job.New(job.Config{DB: w.db, Node: "n1", Now: w.Now, Wall: w.Wall, Poll: time.Hour},
			job.Kind{Name: "note", Run: func(context.Context, *job.Run) error { close(done); return nil }})
		w.start(r)
		w.schedule(job.Order{Kind: "note", Account: "a", ID: "j"})
		<-done
	})
}

func TestAJobWaitsForItsTimeOnTheMovedClock(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		n := w.node("n1", noted(&d))
		w.schedule(job.Order{Kind: "note", Account: "a", ID: "j", At: w.Now().Add(time.Hour)})
		w.pass(time.Hour - time.Second)
		w.work(n)
		w.equal(len(d.all()), 0)
		w.pass(time.Second)
		w.work(n)
		w.equal(d.all(), []string{"a/j"})
	})
}

func TestARunReadsTheBodyOfTheLastOrder(t *testing.T) {
	on(t, func(w *world) {
		var got []int
		n := w.node("n1", job.Kind{Name: "k", Run: func(_ context.Context, r *job.Run) error {
			var x struct{ N int }
			err := r.Body(&x)
			got = append(got, x.N)
			return err
		}})
		for i := range 3 {
			w.schedule(job.Order{Kind: "k", Account: "a", ID: "j", Body: map[string]int{"N": i}})
		}
		w.work(n)
		w.equal(got, []int{2})
	})
}

func TestWhatFailsRestsLongerEachTimeAndOnlyItself(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		broken := true
		n := w.node("n1", job.Kind{Name: "k", First: time.Second, Last: 3 * time.Second, Run: func(_ context.Context, r *job.Run) error {
			d.add(fmt.Sprint(r.Account, r.Attempt))
			if r.Account == "bad" && broken {
				return errors.New("no\x00luck")
			}
			return nil
		}})
		w.schedule(job.Order{Kind: "k", Account: "bad", ID: "j"})
		w.schedule(job.Order{Kind: "k", Account: "good", ID: "j"})
		w.work(n)
		w.equal(d.all(), []string{"bad1", "good1"})
		for i, pause := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
			w.pass(pause - time.Millisecond)
			w.work(n)
			w.equal(len(d.all()), 2+i)
			w.pass(time.Millisecond)
			w.work(n)
			w.equal(d.all()[2+i], fmt.Sprint("bad", 2+i))
		}
		found, err := w.db.Jobs().List(w.Context(), store.JobsQuery{Account: "bad"})
		w.must(err)
		w.equal(found[0].Error, "noluck")
		w.equal(found[0].Attempts, int64(5))
		broken = false
		w.pass(3 * time.Second)
		w.work(n)
		found, err = w.db.Jobs().List(w.Context(), store.JobsQuery{Account: "bad"})
		w.must(err)
		w.equal([]any{found[0].Error, found[0].Attempts, found[0].Finished}, []any{"", int64(0), w.Now()})
	})
}

func TestAPanicIsAFailure(t *testing.T) {
	on(t, func(w *world) {
		n := w.node("n1", job.Kind{Name: "k", Run: func(context.Context, *job.Run) error { panic("oh") }})
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		w.work(n)
		if j := w.one("k"); j.Attempts != 1 || j.Error == "" || j.Node != "" {
			t.Errorf("got %+v", j)
		}
	})
}

func TestAJobIsGivenUpAfterItsAttempts(t *testing.T) {
	on(t, func(w *world) {
		var last []bool
		n := w.node("n1", job.Kind{Name: "k", Attempts: 2, Keep: time.Minute, Run: func(_ context.Context, r *job.Run) error {
			last = append(last, r.Last)
			return errors.New("no")
		}})
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		for range 4 {
			w.work(n)
			w.pass(10 * time.Second)
		}
		w.equal(last, []bool{false, true})
		tally, err := w.db.Jobs().Tally(w.Context(), w.Now(), w.Wall())
		w.must(err)
		w.equal(tally, []store.JobTally{{Kind: "k", Failed: 1}})
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"}) // a new wish, new attempts
		w.work(n)
		w.equal(last, []bool{false, true, false})
	})
}

func TestAJobGivesOthersTheirTurn(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		steps := map[string]int{"big": 3, "small": 1}
		n := w.node("n1", job.Kind{Name: "k", Run: func(_ context.Context, r *job.Run) error {
			d.add(fmt.Sprint(r.Account, r.Attempt))
			w.pass(time.Millisecond)
			if steps[r.Account]--; steps[r.Account] > 0 {
				return job.Again(time.Time{})
			}
			return nil
		}})
		w.schedule(job.Order{Kind: "k", Account: "big", ID: "j"})
		w.schedule(job.Order{Kind: "k", Account: "small", ID: "j"})
		w.work(n)
		w.equal(d.all(), []string{"big1", "small1", "big1", "big1"})
	})
}

func TestAJobThatWaitsIsRunAtItsTime(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		at := w.Now().Add(time.Hour)
		n := w.node("n1", job.Kind{Name: "k", Run: func(context.Context, *job.Run) error {
			d.add("run")
			if w.Now().Before(at) {
				return job.Again(at)
			}
			return nil
		}})
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		w.work(n)
		w.pass(time.Minute)
		w.work(n)
		w.equal(len(d.all()), 1)
		w.equal(w.one("k").Error, "")
		w.pass(time.Hour)
		w.work(n)
		w.equal(len(d.all()), 2)
	})
}

func TestAWishThatComesDuringARunIsSeenByAnother(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		n := w.node("n1", job.Kind{Name: "k", Run: func(_ context.Context, r *job.Run) error {
			if len(d.all()) == 0 {
				w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
			}
			d.add("run")
			return nil
		}})
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		w.work(n)
		w.equal(len(d.all()), 2)
	})
}

func TestNoMoreJobsOfAKindRunAtATimeThanItHasWorkers(t *testing.T) {
	on(t, func(w *world) {
		gate, running := make(chan struct{}), make(chan string, 10)
		w.start(w.node("n1", job.Kind{Name: "k", Workers: 2, Run: func(ctx context.Context, r *job.Run) error {
			running <- r.ID
			<-gate
			return nil
		}}))
		for _, id := range []string{"1", "2", "3"} {
			w.schedule(job.Order{Kind: "k", Account: "a", ID: id})
		}
		got := []string{<-running, <-running}
		slices.Sort(got)
		w.equal(got, []string{"1", "2"})
		w.equal(len(running), 0)
		close(gate)
		w.equal(<-running, "3")
	})
}

func TestRecurringWorkIsDueAtTheFirstStartAndThenEverySoOften(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		kind := job.Kind{Name: "sweep", Every: time.Hour, Run: func(context.Context, *job.Run) error { d.add("swept"); return nil }}
		n := w.node("n1", kind)
		w.work(n)
		w.work(w.node("n2", kind)) // another node, or another start, does not repeat it
		w.equal(len(d.all()), 1)
		w.pass(time.Hour - time.Second)
		w.work(n)
		w.equal(len(d.all()), 1)
		w.pass(time.Second)
		w.work(n)
		w.equal(len(d.all()), 2)
	})
}

func TestRecurringWorkComesBackAfterAResetAndAClockThatWasSetBack(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		kind := job.Kind{Name: "sweep", Every: time.Hour, Run: func(context.Context, *job.Run) error { d.add("swept"); return nil }}
		w.start(w.node("n1", kind))
		w.soon("it was swept", func() bool { return len(d.all()) == 1 })
		w.must(w.db.Reset(w.Context()))
		w.soon("it was swept again", func() bool { return len(d.all()) == 2 })
		w.soon("it waits", func() bool { j := w.one("sweep"); return j != nil && j.Node == "" })
		w.mu.Lock()
		w.now, w.wall = w.now.Add(-1000*time.Hour), w.wall.Add(time.Minute)
		w.mu.Unlock()
		w.soon("it is due within the hour", func() bool { return !w.one("sweep").Due.After(w.Now().Add(time.Hour)) })
	})
}

func TestRecurringWorkThatFailsIsRepeatedBefore(t *testing.T) {
	on(t, func(w *world) {
		fails := 0
		n := w.node("n1", job.Kind{Name: "sweep", Every: time.Hour, Attempts: 2,
			Run: func(context.Context, *job.Run) error { fails++; return errors.New("no") }})
		w.work(n)
		w.equal(w.one("sweep").Due, w.Now().Add(time.Second))
		w.pass(time.Second)
		w.work(n)
		j := w.one("sweep")
		w.equal([]any{fails, j.Due, j.Attempts, j.Error}, []any{2, w.Now().Add(time.Hour), int64(0), "no"})
	})
}

func TestFinishedJobsAreCleanedUp(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		k := noted(&d)
		k.Keep = 10 * time.Minute
		n := w.node("n1", k)
		w.schedule(job.Order{Kind: "note", Account: "a", ID: "j"})
		w.work(n)
		w.pass(9 * time.Minute)
		w.work(n)
		if w.one("note") == nil {
			t.Fatal("the job is gone too soon")
		}
		w.pass(time.Minute)
		w.work(n)
		if j := w.one("note"); j != nil {
			t.Errorf("%+v is still there", j)
		}
	})
}
