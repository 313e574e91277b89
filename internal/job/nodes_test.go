package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/store"
)

// held is a kind whose runs tell that they began, and go on until they are let
// go or their context ends.
func held(name string, began chan<- string, let <-chan struct{}) job.Kind {
	return job.Kind{Name: "k", Run: func(ctx context.Context, r *job.Run) error {
		r.Progress(1, 2, "half")
		began <- fmt.Sprint(name, " ", r.ID, " ", r.Attempt)
		select {
		case <-let:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

func TestTwoNodesShareTheWorkAndRepeatNothing(t *testing.T) {
	on(t, func(w *world) {
		var d diary
		kind := job.Kind{Name: "k", Workers: 3, Run: func(_ context.Context, r *job.Run) error { d.add(r.ID); return nil }}
		w.start(w.node("n1", kind))
		w.start(w.node("n2", kind))
		var want []string
		for i := range 40 {
			id := fmt.Sprintf("%02d", i)
			want = append(want, id)
			w.schedule(job.Order{Kind: "k", Account: fmt.Sprint("a", i%3), ID: id})
		}
		w.soon("all is done", func() bool {
			tally, err := w.db.Jobs().Tally(w.Context(), w.Now(), w.Wall())
			w.must(err)
			return len(tally) == 1 && tally[0].Done == 40
		})
		got := d.all()
		slices.Sort(got)
		w.equal(got, want)
	})
}

func TestTheJobOfADeadNodeIsTakenWhenItsLeaseRunsOut(t *testing.T) {
	on(t, func(w *world) {
		began, let := make(chan string, 4), make(chan struct{})
		dead := w.node("n1", held("n1", began, nil))
		ctx, kill := context.WithCancel(w.Context())
		defer kill()
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		over := make(chan struct{})
		go func() { // Pass renews nothing: it is as good as dead
			defer close(over)
			_ = dead.Pass(ctx)
		}()
		w.equal(<-began, "n1 j 1")

		w.start(w.node("n2", held("n2", began, let)))
		w.pass(29 * time.Second)
		w.equal(w.one("k").Node, "n1")
		w.pass(time.Second)
		w.equal(<-began, "n2 j 2")
		close(let)
		w.soon("it is done", func() bool { return !w.one("k").Finished.IsZero() })
		// What the first node still makes of it is of no account.
		kill()
		<-over
		w.equal(w.one("k").Error, "")
	})
}

func TestALivingNodeKeepsItsJob(t *testing.T) {
	on(t, func(w *world) {
		began, let := make(chan string, 4), make(chan struct{})
		w.start(w.node("n1", held("n1", began, let)))
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		w.equal(<-began, "n1 j 1")
		w.start(w.node("n2", held("n2", began, let)))
		for range 10 {
			w.pass(15 * time.Second)
			until := w.Wall().Add(20 * time.Second)
			w.soon("the lease is renewed", func() bool { return w.one("k").Until.After(until) })
		}
		close(let)
		w.soon("it is done", func() bool { return !w.one("k").Finished.IsZero() })
		w.equal(len(began), 0)
	})
}

func TestProgressIsSeenWhileAJobRuns(t *testing.T) {
	on(t, func(w *world) {
		began, let := make(chan string, 1), make(chan struct{})
		defer close(let)
		w.start(w.node("n1", held("n1", began, let)))
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		<-began
		w.soon("progress is listed", func() bool {
			j := w.one("k")
			return j.Done == 1 && j.Total == 2 && j.Text == "half" && j.Node == "n1"
		})
	})
}

func TestAShutdownHandsJobsOnAtOnce(t *testing.T) {
	on(t, func(w *world) {
		began, let := make(chan string, 4), make(chan struct{})
		stop := w.start(w.node("n1", held("n1", began, nil)))
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		w.equal(<-began, "n1 j 1")
		stop()
		j := w.one("k")
		w.equal([]any{j.Node, j.Attempts, j.Error, j.Due.After(w.Now())}, []any{"", int64(0), "", false})
		close(let)
		w.start(w.node("n2", held("n2", began, let)))
		w.equal(<-began, "n2 j 1")
	})
}

func TestANodeThatComesBackTakesUpItsOwnJobsAtOnce(t *testing.T) {
	on(t, func(w *world) {
		began, let := make(chan string, 4), make(chan struct{})
		close(let)
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		was := w.one("k")
		is := *was // as a node that was killed leaves it
		is.Node, is.Until, is.Claim, is.Attempts = "n1", w.Wall().Add(30*time.Second), 1, 1
		ok, err := w.db.Jobs().Swap(w.Context(), was, &is)
		w.must(err)
		w.equal(ok, true)
		w.work(w.node("n2", held("n2", began, let)))
		w.equal(len(began), 0)
		w.work(w.node("n1", held("n1", began, let)))
		w.equal(<-began, "n1 j 2")
	})
}

func TestAJobThatIsTakenOutEnds(t *testing.T) {
	on(t, func(w *world) {
		began, ended := make(chan string, 1), make(chan error, 1)
		w.start(w.node("n1", job.Kind{Name: "k", Run: func(ctx context.Context, r *job.Run) error {
			began <- r.ID
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return ctx.Err()
		}}))
		w.schedule(job.Order{Kind: "k", Account: "a", ID: "j"})
		<-began
		w.must(w.db.Update(w.Context(), func(tx store.Tx) error { return tx.Jobs().Cancel(w.Context(), "k", "a", "j") }))
		w.pass(15 * time.Second)
		if cause := <-ended; errors.Is(cause, context.Canceled) {
			t.Errorf("ended because of %v", cause)
		}
		if j := w.one("k"); j != nil {
			t.Errorf("%+v is there again", j)
		}
	})
}
