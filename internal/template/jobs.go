package template

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/store"
)

// The kinds of the reconciler's jobs. Jobs of an assignment are named like it,
// those about moved accounts like their enterprise account.
const (
	jobAssignment = "template-assignment"
	jobPlaces     = "template-places"
	jobSweep      = "template-sweep"
)

const (
	// workers is how many assignments, or enterprises with moved accounts, a node
	// works on at a time.
	workers = 2
	// turn is for how many accounts a job works before others have their turn: so
	// few that nobody waits longer than some seconds for a large enterprise, so
	// many that finding out what is left, a look at all of its accounts, does not
	// count.
	turn = 5000
	// sweepEvery bounds how long work lies unseen that nobody scheduled: that of an
	// installation which was upgraded, or whose store was filled past this program.
	sweepEvery = 10 * time.Minute
)

// Meter hears what the reconciler does on this node. It must be quick and safe
// for concurrent use.
type Meter interface {
	// Pending tells for how many accounts work under way is still to be done.
	Pending(accounts int)
	// Settled tells of accounts that hold what they should; failed ones refused.
	Settled(accounts, failed int)
	// PutOff tells of accounts that an internal error kept from being settled;
	// Waiting of how many there are, as far as this node saw them last.
	PutOff(accounts int)
	Waiting(accounts int)
	// Finished tells how long the last run of a piece of work took: of an
	// assignment's wish, or of the accounts of an enterprise that moved.
	Finished(took time.Duration)
}

type noMeter struct{}

func (noMeter) Pending(int)            {}
func (noMeter) Settled(int, int)       {}
func (noMeter) PutOff(int)             {}
func (noMeter) Waiting(int)            {}
func (noMeter) Finished(time.Duration) {}

// Jobs gives the reconciler: it works on assignments that are not finished and
// on accounts whose place in a tree changed. Its state is in the store, so that
// each run goes on where another one stopped, wherever and on whichever node that
// was. Assignments take turns, so that a large one does not starve the others;
// what fails rests by itself, and the others go on.
func (s *Service) Jobs() []job.Kind {
	return []job.Kind{
		{Name: jobAssignment, Workers: workers, First: firstRetry, Last: lastRetry, Run: s.runAssignment},
		{Name: jobPlaces, Workers: workers, First: firstRetry, Last: lastRetry, Run: s.runPlaces},
		{Name: jobSweep, Every: sweepEvery, Run: s.sweep},
	}
}

// Moved has the reconciler look at an enterprise, in the transaction that changed
// the place or state of one of its accounts.
func Moved(ctx context.Context, tx store.Tx, root string) error { return schedulePlaces(ctx, tx, root) }

func schedulePlaces(ctx context.Context, in job.Place, root string) error {
	return job.Schedule(ctx, in, job.Order{Kind: jobPlaces, Account: root, ID: root})
}

func scheduleAssignment(ctx context.Context, in job.Place, a *Assignment, at time.Time) error {
	return job.Schedule(ctx, in, job.Order{Kind: jobAssignment, Account: a.Account, ID: a.ID, At: at})
}

// order has the reconciler work on an assignment's new wish. Account targets are
// done by the call itself: there the job is for the case that it dies.
func (s *Service) order(ctx context.Context, tx store.Tx, a *Assignment) error {
	var at time.Time
	if a.TargetType == TargetAccount {
		at = s.now().Add(firstRetry)
	}
	return scheduleAssignment(ctx, tx, a, at)
}

func (s *Service) runAssignment(ctx context.Context, r *job.Run) error {
	a, err := Assignments.Get(ctx, s.db.Direct(), r.Account, r.ID)
	if err != nil {
		return fault.Ignore(fault.NotFound, err) // taken back for good
	}
	return outcome(s.work(ctx, a, r.Progress))
}

func (s *Service) runPlaces(ctx context.Context, r *job.Run) error {
	return outcome(s.workPlaces(ctx, r.Account, r.Progress))
}

// outcome tells the runner what comes next.
func outcome(again time.Time, err error) error {
	if err == nil && !again.IsZero() {
		return job.Again(again)
	}
	return err
}

// sweep schedules whatever is unfinished.
func (s *Service) sweep(ctx context.Context, _ *job.Run) error {
	roots, err := enterprise.Enterprises.List(ctx, s.db.Direct(), store.Query{})
	if err != nil {
		return err
	}
	var faults []error
	for _, e := range roots {
		assigned, err := Assignments.List(ctx, s.db.Direct(), store.Query{Account: e.Account})
		faults = append(faults, err, schedulePlaces(ctx, s.db, e.Account))
		for _, a := range assigned {
			if a.unfinished() {
				faults = append(faults, scheduleAssignment(ctx, s.db, a, time.Time{}))
			}
		}
	}
	return errors.Join(faults...)
}

// moved gives the accounts of a tree whose place is newer than the one that
// they were reconciled at. Those that were put off are left out until then:
// waiting tells how many, due the earliest time.
func (s *Service) moved(ctx context.Context, root string) (out []*enterprise.Member, waiting int, due time.Time, err error) {
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
				waiting++
				due = sooner(due, x.Retry.At)
			default:
				out = append(out, m)
			}
		}
		return nil
	})
	return out, waiting, due, err
}

// tally adds up what this node knows of the work that is left.
type tally struct {
	mu      sync.Mutex
	pending map[string]int // accounts, by the name of the work under way
	waiting map[string]int // accounts that were put off, by the name of the work
}

// set notes a number and gives the sum.
func (t *tally) set(in *map[string]int, name string, n int) (sum int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if *in == nil {
		*in = map[string]int{}
	}
	(*in)[name] = n
	if n == 0 {
		delete(*in, name)
	}
	for _, n := range *in {
		sum += n
	}
	return sum
}

func (s *Service) pending(name string, n int) {
	s.meter.Pending(s.tally.set(&s.tally.pending, name, n))
}
func (s *Service) waiting(name string, n int) {
	s.meter.Waiting(s.tally.set(&s.tally.waiting, name, n))
}
