package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

const (
	usualPoll  = time.Second
	usualLease = 30 * time.Second
	// upkeepEvery is how often finished jobs are cleaned up, and recurring work
	// is looked after.
	upkeepEvery = time.Minute
	sweepBatch  = 1000
	// endTime bounds the writing of what became of a job when the server ends.
	endTime = 5 * time.Second

	maxText  = 200
	maxError = 1000
)

// Config is what a Runner needs. DB and Node must be set.
type Config struct {
	DB store.DB
	// Node names this node. Jobs in its hands that it does not run are taken for
	// those of an earlier life, so two nodes on one store never share a name.
	Node string
	// Now is the clock that decides what is due; nil means time.Now.
	Now func() time.Time
	// Wall is the clock of leases, which holds still while Now is moved; nil
	// means time.Now. Those of all nodes agree within a fraction of Lease.
	Wall func() time.Time
	// Poll is how often jobs are looked for that another node scheduled, or
	// whose time has come; 0 means 1 s. It is real time.
	Poll time.Duration
	// Lease is how long a job stays in the hands of a node that died; 0 means
	// 30 s. It is renewed when a third of it is over.
	Lease time.Duration
	Log   *slog.Logger // nil: no log
	// Observe hears of each run that ended, and of its error; nil: nobody does.
	Observe func(kind string, took time.Duration, err error)
}

// Runner runs the jobs of a store that this node gets hold of.
type Runner struct {
	cfg   Config
	kinds []Kind
	wake  chan struct{}
	ended sync.WaitGroup // of runs

	mu      sync.Mutex // guards what follows
	running map[key]*Run
	upkept  time.Time // by Wall; zero: look after everything now
	fault   error     // of the last run whose outcome could not be written
}

// key names a job.
type key struct{ kind, account, id string }

func keyOf(j *store.Job) key { return key{j.Kind, j.Account, j.ID} }

// New makes a runner. It does nothing before Run or Pass.
func New(cfg Config, kinds ...Kind) *Runner {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	if cfg.Poll == 0 {
		cfg.Poll = usualPoll
	}
	if cfg.Lease == 0 {
		cfg.Lease = usualLease
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, time.Duration, error) {}
	}
	r := &Runner{cfg: cfg, wake: make(chan struct{}, 1), running: map[key]*Run{}}
	for _, k := range kinds {
		r.kinds = append(r.kinds, k.withDefaults())
	}
	return r
}

// Run runs jobs until the context ends, and returns when all of its runs have
// ended. It may be called once.
func (r *Runner) Run(ctx context.Context) {
	defer r.ended.Wait()
	defer r.cfg.DB.OnSchedule(r.ring)()
	defer r.cfg.DB.Subscribe(r.hear)()
	tick := time.NewTicker(r.cfg.Poll)
	defer tick.Stop()
	for {
		if _, err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Log.Error("jobs wait for the next look", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-tick.C:
			r.renew(ctx)
		}
	}
}

// Pass runs what is due, and what becomes due by that, and returns when nothing
// is due any more. The error is about the store, not about a job.
func (r *Runner) Pass(ctx context.Context) error {
	for ctx.Err() == nil {
		begun, err := r.look(ctx)
		r.ended.Wait()
		r.mu.Lock()
		err, r.fault = errors.Join(err, r.fault), nil
		r.mu.Unlock()
		if err != nil || begun == 0 {
			return err
		}
	}
	return ctx.Err()
}

func (r *Runner) ring() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// hear ends what is under way when the store is emptied, and has recurring work
// written down again.
func (r *Runner) hear(events []store.Event) {
	for i := range events {
		if events[i].Op != store.Reset {
			continue
		}
		r.mu.Lock()
		r.upkept = time.Time{}
		for _, run := range r.running {
			run.cancel(errLost)
		}
		r.mu.Unlock()
		r.ring()
	}
}

// look begins what is due and what there are workers for, and tells how many
// jobs that were.
func (r *Runner) look(ctx context.Context) (begun int, err error) {
	faults := []error{r.upkeep(ctx)}
	for i := range r.kinds {
		n, err := r.begin(ctx, &r.kinds[i])
		begun += n
		faults = append(faults, err)
	}
	return begun, errors.Join(faults...)
}

func (r *Runner) begin(ctx context.Context, k *Kind) (begun int, err error) {
	busy := r.busy(k)
	free := k.Workers - busy
	if free <= 0 {
		return 0, nil
	}
	due, err := r.cfg.DB.Jobs().Due(ctx, store.JobsDue{
		Kind: k.Name, Now: r.cfg.Now(), Wall: r.cfg.Wall(), Node: r.cfg.Node, Limit: free + busy, // its own are found too
	})
	if err != nil {
		return 0, err
	}
	for _, j := range due {
		if begun == free || ctx.Err() != nil {
			break
		}
		ok, err := r.claim(ctx, k, j)
		if err != nil {
			return begun, err
		}
		if ok {
			begun++
		}
	}
	return begun, nil
}

// busy counts the jobs of a kind that are under way here.
func (r *Runner) busy(k *Kind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.running {
		if key.kind == k.Name {
			n++
		}
	}
	return n
}

// claim takes a job and begins with it; false when it is under way, or another
// node was quicker.
func (r *Runner) claim(ctx context.Context, k *Kind, was *store.Job) (bool, error) {
	r.mu.Lock()
	under := r.running[keyOf(was)] != nil
	r.mu.Unlock()
	if under {
		return false, nil
	}
	is := *was
	is.Node, is.Until = r.cfg.Node, r.cfg.Wall().Add(r.cfg.Lease)
	is.Claim++
	is.Attempts++
	ok, err := r.cfg.DB.Jobs().Swap(ctx, was, &is)
	if !ok || err != nil {
		return false, err
	}
	own, cancel := context.WithCancelCause(ctx)
	run := &Run{
		Account: is.Account, ID: is.ID, Attempt: int(is.Attempts), Last: k.Attempts > 0 && int(is.Attempts) >= k.Attempts,
		key: keyOf(was), kind: k, body: is.Body, cancel: cancel, held: is, done: is.Done, total: is.Total, text: is.Text,
	}
	r.mu.Lock()
	r.running[run.key] = run
	r.mu.Unlock()
	r.ended.Go(func() {
		defer cancel(nil)
		r.run(own, ctx, run)
	})
	return true, nil
}

// run runs a job; server ends when all work is to end.
func (r *Runner) run(ctx, server context.Context, run *Run) {
	began := r.cfg.Wall()
	err := protected(ctx, run)
	lost := err != nil && errors.Is(context.Cause(ctx), errLost)
	stopped := err != nil && server.Err() != nil
	var fault error
	if !lost {
		if fault = r.end(context.WithoutCancel(ctx), run, err, stopped); fault != nil {
			r.cfg.Log.Error("what became of a job could not be written; it is run again",
				"kind", run.kind.Name, "account", run.Account, "id", run.ID, "error", fault.Error())
		}
	}
	r.mu.Lock()
	delete(r.running, run.key)
	if fault != nil {
		r.fault = fault
	}
	r.mu.Unlock()
	if !stopped && !lost {
		if errors.As(err, new(*again)) {
			err = nil
		}
		r.cfg.Observe(run.kind.Name, r.cfg.Wall().Sub(began), err)
	}
	if fault == nil {
		r.ring() // a worker is free
	}
}

// protected makes an error of a panic: it must not end the server, and not be
// repeated without a pause.
func protected(ctx context.Context, run *Run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return run.kind.Run(ctx, run)
}

// end writes what became of a job. Stopped ones are free for other nodes, and
// have not failed.
func (r *Runner) end(ctx context.Context, run *Run, err error, stopped bool) error {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	k, now := run.kind, sqlTime(r.cfg.Now())
	run.mu.Lock()
	defer run.mu.Unlock()
	was, is := run.present()
	is.Node, is.Until, is.Error = "", time.Time{}, ""
	is.Claim++ // a renewal that is late finds nothing
	var later *again
	switch {
	case stopped:
		is.Attempts--
		is.Error = was.Error
	case errors.As(err, &later):
		is.Attempts, is.Due = 0, later.at
		if later.at.IsZero() {
			is.Due = now
		}
	case err == nil:
		is.Attempts = 0
		is.Due, is.Finished, is.Expires = k.next(now)
	default:
		is.Error = storable(err.Error(), maxError)
		r.cfg.Log.Error("a job failed", "kind", k.Name, "account", run.Account, "id", run.ID, "attempt", run.Attempt,
			"given_up", run.Last, "error", err.Error())
		is.Due = now.Add(k.pause(is.Attempts))
		if run.Last {
			is.Attempts = 0
			is.Due, is.Finished, is.Expires = k.next(now)
		}
	}
	_, err = r.cfg.DB.Jobs().Swap(ctx, &was, &is) // false: another node has it, or nobody
	return err
}

// next tells how it goes on with a job that came to its end: recurring work is
// due again.
func (k *Kind) next(now time.Time) (due, finished, expires time.Time) {
	if k.Every > 0 {
		return now.Add(k.Every), time.Time{}, time.Time{}
	}
	return now, now, now.Add(k.Keep)
}

// renew keeps the jobs that are under way in this node's hands, and writes their
// progress. What was lost is ended.
func (r *Runner) renew(ctx context.Context) {
	r.mu.Lock()
	runs := make([]*Run, 0, len(r.running))
	for _, run := range r.running {
		runs = append(runs, run)
	}
	r.mu.Unlock()
	for _, run := range runs {
		if err := r.renewOne(ctx, run); err != nil && ctx.Err() == nil {
			r.cfg.Log.Warn("a lease could not be renewed", "kind", run.kind.Name, "account", run.Account, "id", run.ID, "error", err.Error())
		}
	}
}

func (r *Runner) renewOne(ctx context.Context, run *Run) error {
	run.mu.Lock()
	defer run.mu.Unlock()
	now := r.cfg.Wall()
	was, is := run.present()
	told := is.Done != was.Done || is.Total != was.Total || is.Text != was.Text
	if !told && was.Until.Sub(now) > r.cfg.Lease*2/3 {
		return nil
	}
	is.Until = now.Add(r.cfg.Lease)
	ok, err := r.cfg.DB.Jobs().Swap(ctx, &was, &is)
	switch {
	case err == nil && ok:
		run.held = is
	case err == nil || now.After(was.Until):
		run.cancel(errLost)
	}
	return err
}

// upkeep cleans up and sees to it that recurring work is there, and not due
// later than it may be: the store may have been emptied, the clock set back.
func (r *Runner) upkeep(ctx context.Context) error {
	now := r.cfg.Wall()
	r.mu.Lock()
	due := r.upkept.IsZero() || now.Sub(r.upkept) >= upkeepEvery || now.Before(r.upkept)
	if due {
		r.upkept = now
	}
	r.mu.Unlock()
	if !due {
		return nil
	}
	_, err := r.cfg.DB.Jobs().Sweep(ctx, r.cfg.Now(), sweepBatch)
	for i := range r.kinds {
		if k := &r.kinds[i]; k.Every > 0 {
			err = errors.Join(err, r.recur(ctx, k))
		}
	}
	if err != nil {
		r.mu.Lock()
		r.upkept = time.Time{} // the next look tries again
		r.mu.Unlock()
	}
	return err
}

func (r *Runner) recur(ctx context.Context, k *Kind) error {
	found, err := r.cfg.DB.Jobs().List(ctx, store.JobsQuery{Kind: k.Name, Account: store.System, Limit: 1})
	if err != nil {
		return err
	}
	at, latest := r.cfg.Now(), r.cfg.Now().Add(k.Every)
	if len(found) > 0 {
		if found[0].Finished.IsZero() && !found[0].Due.After(latest) {
			return nil
		}
		at = latest
	}
	return Schedule(ctx, r.cfg.DB, Order{Kind: k.Name, Account: store.System, ID: k.Name, At: at})
}

// sqlTime is a time as stores keep it.
func sqlTime(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }

// storable makes a text fit for every store: not too long, and without what
// PostgreSQL refuses.
func storable(text string, most int) string {
	if len(text) > most {
		text = text[:most]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}
