package template

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/store"
)

// idle bounds how long work can lie unseen when a wake-up was lost, for
// example because the node that wrote it died.
const idle = 30 * time.Second

// Meter hears what the reconciler does. It must be quick and safe for
// concurrent use.
type Meter interface {
	// Pending tells for how many accounts known work is still to be done.
	Pending(accounts int)
	// Settled tells of accounts that hold what they should; failed ones refused.
	Settled(accounts, failed int)
	// PutOff tells of accounts that an internal error kept from being settled;
	// Waiting of how many there are at present.
	PutOff(accounts int)
	Waiting(accounts int)
	// Finished tells how long a piece of work took from when it was taken up:
	// an assignment's wish, or the accounts of an enterprise that moved.
	Finished(took time.Duration)
}

type noMeter struct{}

func (noMeter) Pending(int)            {}
func (noMeter) Settled(int, int)       {}
func (noMeter) PutOff(int)             {}
func (noMeter) Waiting(int)            {}
func (noMeter) Finished(time.Duration) {}

// agenda says which enterprises the reconciler has to look at, and whether for
// moved accounts too, which costs a look at every account.
type agenda struct {
	mu    sync.Mutex
	all   bool
	roots map[string]bool
	later map[string]wait // by root: what waits for its time
	wake  chan struct{}
}

// wait is how many accounts of an enterprise were put off, and the earliest
// time at which something of it may be tried again.
type wait struct {
	accounts int
	at       time.Time
}

// put replaces what waits in an enterprise and gives the number of accounts
// that wait in all.
func (a *agenda) put(root string, w wait) (accounts int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.later == nil {
		a.later = map[string]wait{}
	}
	a.later[root] = w
	if w.at.IsZero() {
		delete(a.later, root)
	}
	for _, x := range a.later {
		accounts += x.accounts
	}
	return accounts
}

// everywhere stands in agenda.later for the list of enterprises itself.
const everywhere = ""

// due moves what may be tried now to the agenda, and gives the time of the
// next; zero when nothing waits.
func (a *agenda) due(now time.Time) (next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for root, w := range a.later {
		if now.Before(w.at) {
			next = sooner(next, w.at)
			continue
		}
		if a.roots == nil {
			a.roots = map[string]bool{}
		}
		a.roots[root] = true
		if root == everywhere {
			delete(a.roots, root)
			a.all = true
		}
		delete(a.later, root)
		a.ring()
	}
	return next
}

func (a *agenda) add(root string, places bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.roots == nil {
		a.roots = map[string]bool{}
	}
	a.roots[root] = a.roots[root] || places
	a.ring()
}

func (a *agenda) everything() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = true
	a.ring()
}

func (a *agenda) ring() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take empties the agenda.
func (a *agenda) take() (roots map[string]bool, all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	roots, all, a.roots, a.all = a.roots, a.all, nil, false
	return roots, all
}

// hear puts what was written on the agenda.
func (s *Service) hear(events []store.Event) {
	for i := range events {
		switch w := events[i].Written(); {
		case events[i].Op == store.Reset:
			s.agenda.everything()
		case w.Kind == Assignments.Kind():
			s.agenda.add(w.Account, false)
		case w.Kind == enterprise.Members.Kind():
			s.agenda.add(w.Account, true)
		}
	}
}

// Run reconciles until the context ends: assignments that are not finished and
// accounts whose place in a tree changed. Its state is in the store; a new Run
// goes on where another one stopped, wherever that was, and several nodes may
// run on one store. Enterprises take turns, so that a large one does not starve
// the others; in one enterprise, what fails is put off and the rest goes on.
// Errors that are about no account are handed to report.
func (s *Service) Run(ctx context.Context, report func(error)) {
	cancel := s.db.Subscribe(s.hear)
	defer cancel()
	s.agenda.everything()
	sweep := time.NewTicker(idle)
	defer sweep.Stop()
	for {
		timer := time.NewTimer(s.pause())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.agenda.wake:
		case <-timer.C:
		case <-sweep.C:
			s.agenda.everything()
		}
		timer.Stop()
		s.agenda.due(s.now())
		if err := s.work(ctx); err != nil && ctx.Err() == nil {
			report(fmt.Errorf("reconciling templates: %w", err))
		}
	}
}

// pause gives how long to sleep when nothing happens: until the next attempt,
// but not longer than idle, because the clock may be moved.
func (s *Service) pause() time.Duration {
	now := s.now()
	next := s.agenda.due(now)
	if next.IsZero() {
		return idle
	}
	return min(max(next.Sub(now), time.Millisecond), idle)
}

// Pass does all work that there is now, and returns when nothing is left that
// need not wait.
func (s *Service) Pass(ctx context.Context) error {
	s.agenda.everything()
	return s.work(ctx)
}

// job is a piece of work of one enterprise. Each step is short; left tells for
// how many accounts it is still to be done.
type job struct {
	name  string
	began time.Time
	left  func() int
	step  func(context.Context) (done bool, err error)
}

// placesOf names the job that settles moved accounts.
func placesOf(root string) string { return "places/" + root }

// work does what is on the agenda, one step of each enterprise in turn. A job
// that failed rests; the others go on, those of its enterprise too.
func (s *Service) work(ctx context.Context) error {
	jobs := map[string]*job{}
	var faults []error
	for ctx.Err() == nil {
		if err := s.look(ctx, jobs); err != nil {
			return errors.Join(append(faults, err)...)
		}
		if len(jobs) == 0 {
			return errors.Join(faults...)
		}
		for _, root := range slices.Sorted(maps.Keys(jobs)) {
			j := jobs[root]
			done, err := j.step(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				faults = append(faults, err)
				s.rests.failed(j.name, err, s.now())
			case !done:
				continue
			default:
				s.rests.done(j.name)
				s.meter.Finished(s.now().Sub(j.began))
			}
			delete(jobs, root)
			s.agenda.add(root, err != nil)
		}
		s.meter.Pending(left(jobs))
	}
	return ctx.Err()
}

func left(jobs map[string]*job) (n int) {
	for _, j := range jobs {
		n += j.left()
	}
	return n
}

// look finds work for the enterprises on the agenda that have none under way.
// Those that are busy stay on it; those that cannot be looked at come again
// after a while.
func (s *Service) look(ctx context.Context, jobs map[string]*job) error {
	roots, all := s.agenda.take()
	if all {
		list, err := enterprise.Enterprises.List(ctx, s.db.Direct(), store.Query{})
		if err != nil {
			s.agenda.put(everywhere, wait{at: s.now().Add(firstRetry)})
			return err
		}
		roots = map[string]bool{}
		for _, e := range list {
			roots[e.Account] = true
		}
	}
	var faults []error
	for root, places := range roots {
		if jobs[root] != nil {
			s.agenda.add(root, places)
			continue
		}
		j, w, err := s.next(ctx, root, places)
		if err != nil {
			w = wait{at: s.now().Add(firstRetry)}
			faults = append(faults, err)
		}
		s.meter.Waiting(s.agenda.put(root, w))
		if j != nil {
			jobs[root] = j
			s.agenda.add(root, places)
		}
	}
	return errors.Join(faults...)
}

// next gives the work of an enterprise: its oldest unfinished assignment with
// something to do, or else the accounts whose place changed; nil when there is
// none. What was put off is not among it: w tells of that.
func (s *Service) next(ctx context.Context, root string, places bool) (j *job, w wait, err error) {
	all, err := Assignments.List(ctx, s.db.Direct(), store.Query{Account: root})
	if err != nil {
		return nil, w, err
	}
	now := s.now()
	for _, a := range all {
		if a.Status != Accepted && a.Status != InProgress {
			continue
		}
		if until := s.rests.until(a.ID, now); !until.IsZero() {
			w.at = sooner(w.at, until)
			continue
		}
		todo, err := s.todo(ctx, a)
		if err != nil {
			return nil, w, err
		}
		w.accounts += todo.waiting
		w.at = sooner(w.at, todo.due)
		if j == nil && (len(todo.ready) > 0 || todo.waiting == 0) {
			j = s.jobOf(a, todo.ready)
		}
	}
	if j != nil || !places {
		return j, w, nil
	}
	if until := s.rests.until(placesOf(root), now); !until.IsZero() {
		w.at = sooner(w.at, until)
		return nil, w, nil
	}
	moved, due, err := s.moved(ctx, root)
	w.at = sooner(w.at, due)
	if err != nil || len(moved) == 0 {
		return nil, w, err
	}
	return s.placesJob(root, moved), w, nil
}

// moved gives the accounts of a tree whose place is newer than the one that
// they were reconciled at. Those that were put off are left out until then;
// due is the earliest time.
func (s *Service) moved(ctx context.Context, root string) (out []*enterprise.Member, due time.Time, err error) {
	now := s.now()
	err = s.db.View(ctx, func(r store.Reader) error {
		synced, err := Synceds.List(ctx, r, store.Query{Account: root})
		if err != nil {
			return err
		}
		at := make(map[string]*Synced, len(synced))
		for _, x := range synced {
			at[x.ID] = x
		}
		members, err := enterprise.Members.List(ctx, r, store.Query{Account: root})
		if err != nil {
			return err
		}
		for _, m := range members {
			x := at[m.ID]
			switch {
			case x != nil && x.Place == m.Version:
			case x != nil && x.Tried == m.Version && now.Before(x.Retry.At):
				due = sooner(due, x.Retry.At)
			default:
				out = append(out, m)
			}
		}
		return nil
	})
	return out, due, err
}
