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
	// Finished tells how long a piece of work took from when it was taken up:
	// an assignment's wish, or the accounts of an enterprise that moved.
	Finished(took time.Duration)
}

type noMeter struct{}

func (noMeter) Pending(int)            {}
func (noMeter) Settled(int, int)       {}
func (noMeter) Finished(time.Duration) {}

// agenda says which enterprises the reconciler has to look at, and whether for
// moved accounts too, which costs a look at every account.
type agenda struct {
	mu    sync.Mutex
	all   bool
	roots map[string]bool
	wake  chan struct{}
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
// goes on where another one stopped, wherever that was. Enterprises take turns,
// so that a large one does not starve the others. Errors are handed to report
// and the work is tried again.
func (s *Service) Run(ctx context.Context, report func(error)) {
	cancel := s.DB.Subscribe(s.hear)
	defer cancel()
	s.agenda.everything()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.agenda.wake:
		case <-timer.C:
			s.agenda.everything()
		}
		if err := s.work(ctx); err != nil && ctx.Err() == nil {
			report(fmt.Errorf("reconciling templates: %w", err))
			if !pause(ctx) {
				return
			}
			s.agenda.everything()
		}
		timer.Reset(idle)
	}
}

// pause lets whatever failed recover, and tells whether to go on.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Second):
		return true
	}
}

// Pass does all work that there is now, and returns when nothing is left.
func (s *Service) Pass(ctx context.Context) error {
	s.agenda.everything()
	return s.work(ctx)
}

// job is a piece of work of one enterprise. Each step is short; left tells for
// how many accounts it is still to be done.
type job struct {
	began time.Time
	left  func() int
	step  func(context.Context) (done bool, err error)
}

// work does what is on the agenda, one step of each enterprise in turn. An
// enterprise whose step failed is left alone until the next call; the others
// go on.
func (s *Service) work(ctx context.Context) error {
	jobs, failed := map[string]*job{}, map[string]bool{}
	var faults []error
	for ctx.Err() == nil {
		if err := s.look(ctx, jobs, failed); err != nil {
			return err
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
				faults, failed[root] = append(faults, err), true
			case !done:
				continue
			default:
				s.Meter.Finished(s.Now().Sub(j.began))
			}
			delete(jobs, root)
			s.agenda.add(root, err != nil)
		}
		s.Meter.Pending(left(jobs))
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
// Those that are busy or failed stay on it.
func (s *Service) look(ctx context.Context, jobs map[string]*job, failed map[string]bool) error {
	roots, all := s.agenda.take()
	if all {
		list, err := enterprise.Enterprises.List(ctx, s.DB.Direct(), store.Query{})
		if err != nil {
			s.agenda.everything()
			return err
		}
		roots = map[string]bool{}
		for _, e := range list {
			roots[e.Account] = true
		}
	}
	for root, places := range roots {
		if jobs[root] != nil || failed[root] {
			s.agenda.add(root, places)
			continue
		}
		j, err := s.next(ctx, root, places)
		if err != nil {
			s.agenda.everything()
			return err
		}
		if j != nil {
			jobs[root] = j
			s.agenda.add(root, places)
		}
	}
	return nil
}

// next gives the work of an enterprise: its oldest unfinished assignment, or
// else the accounts whose place changed; nil when there is none.
func (s *Service) next(ctx context.Context, root string, places bool) (*job, error) {
	all, err := Assignments.List(ctx, s.DB.Direct(), store.Query{Account: root})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(a *Assignment) bool { return a.Status == Accepted || a.Status == InProgress })
	if i >= 0 {
		return s.assignmentJob(ctx, all[i])
	}
	if !places {
		return nil, nil
	}
	moved, err := s.moved(ctx, root)
	if err != nil || len(moved) == 0 {
		return nil, err
	}
	return s.placesJob(root, moved), nil
}

// moved gives the accounts of a tree whose place is newer than the one that
// they were reconciled at.
func (s *Service) moved(ctx context.Context, root string) ([]*enterprise.Member, error) {
	var out []*enterprise.Member
	err := s.DB.View(ctx, func(r store.Reader) error {
		synced, err := Synceds.List(ctx, r, store.Query{Account: root})
		if err != nil {
			return err
		}
		at := make(map[string]int64, len(synced))
		for _, x := range synced {
			at[x.ID] = x.Place
		}
		members, err := enterprise.Members.List(ctx, r, store.Query{Account: root})
		if err != nil {
			return err
		}
		for _, m := range members {
			if at[m.ID] != m.Version {
				out = append(out, m)
			}
		}
		return nil
	})
	return out, err
}
