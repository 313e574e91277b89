// Package job carries lasting work: what a write causes and no request waits
// for, what is done again and again, what needs several attempts. A job is
// scheduled in the transaction of the write that causes it, stands in the store
// until it is done, and is run by one node at a time; a node that dies loses its
// jobs to the others when its leases run out. What fails is repeated after a
// while that grows, each job for itself, so that one account's trouble is not
// another's.
//
// A run may be broken off at any point and be repeated, by another node too: it
// must find out from the store what is left to do. The package knows nothing of
// what the work is.
package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

// Kind is a sort of work. Name and Run must be set.
type Kind struct {
	// Name names the kind in the store, in metrics and in listings.
	Name string
	// Run does the work, or a part of it. It ends soon when its context does:
	// the server ends, or the job was lost to another node or taken out. The
	// error tells what comes next:
	//   - nil: it is done (recurring work until it is due again);
	//   - Again: it is not done, but nothing failed;
	//   - any other: it failed and is repeated after a while.
	Run func(ctx context.Context, r *Run) error
	// Every makes the work recurring: one job of the installation, due at the
	// first start and then so long after each run.
	Every time.Duration
	// Workers is how many jobs of the kind a node runs at a time; 0 means 1.
	Workers int
	// Attempts is after how many failures in a row a job is given up; 0: never.
	// Recurring work is given up for this time only.
	Attempts int
	// First is the pause after the first failure, which doubles with each
	// further one, up to Last; 0 mean 1 s and 5 min.
	First, Last time.Duration
	// Keep is how long a job is still listed when it is done or was given up;
	// 0 means an hour.
	Keep time.Duration
}

const (
	firstPause = time.Second
	lastPause  = 5 * time.Minute
	usualKeep  = time.Hour
)

func (k Kind) withDefaults() Kind {
	if k.Workers == 0 {
		k.Workers = 1
	}
	if k.First == 0 {
		k.First = firstPause
	}
	if k.Last == 0 {
		k.Last = lastPause
	}
	if k.Keep == 0 {
		k.Keep = usualKeep
	}
	return k
}

// pause is how long a job rests after so many failures in a row.
func (k *Kind) pause(failures int64) time.Duration {
	pause := k.First
	for range failures - 1 {
		if pause *= 2; pause >= k.Last {
			return k.Last
		}
	}
	return min(pause, k.Last)
}

// Order is the wish that a job be run. Kind, Account and ID name the job.
type Order struct {
	Kind    string
	Account string
	ID      string
	At      time.Time // zero: at once
	Body    any       // what Run.Body gives; nil: nothing. Never a secret.
}

// Place is where jobs are scheduled: a store.Tx, so that the job is there if
// and only if what causes it was written, or a store.DB.
type Place interface{ Jobs() store.Jobs }

// Schedule writes an order down. A job that is there already runs at the earlier
// of both times, with the new body; one that is under way runs once more as soon
// as it ends, because what it has read may be older than the wish.
func Schedule(ctx context.Context, in Place, o Order) error {
	j := store.Job{Kind: o.Kind, Account: o.Account, ID: o.ID, Due: o.At}
	if o.Body != nil {
		body, err := json.Marshal(o.Body)
		if err != nil {
			return fmt.Errorf("scheduling %s: %w", o.Kind, err)
		}
		j.Body = body
	}
	return in.Jobs().Schedule(ctx, j)
}

// Again tells, as the error of a run, that the job is to be run again at a time:
// it waits for something, or lets others have their turn. Zero means as soon as
// those that are due have had theirs.
func Again(at time.Time) error { return &again{at} }

type again struct{ at time.Time }

func (*again) Error() string { return "to be run again" }

// errLost tells a run that its job is not its own any more.
var errLost = errors.New("the job was taken by another node, scheduled away, or its lease could not be renewed")

// Run is one run of a job.
type Run struct {
	Account string
	ID      string
	// Attempt counts the runs since the last one that did not fail, from 1.
	Attempt int
	// Last tells that the job is given up if this run fails.
	Last bool

	key    key
	kind   *Kind
	body   []byte
	cancel context.CancelCauseFunc

	mu    sync.Mutex // guards what follows
	held  store.Job  // as this node wrote it last
	done  int64
	total int64
	text  string
}

// Body reads what the order held.
func (r *Run) Body(out any) error {
	if err := json.Unmarshal(r.body, out); err != nil {
		return fmt.Errorf("reading the body of a job: %w", err)
	}
	return nil
}

// Progress tells how far the work is, for listings. It costs nothing: what was
// told last is written about once in a second.
func (r *Run) Progress(done, total int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.total, r.text = int64(done), int64(total), storable(text, maxText)
}

// present gives the job as it was written last, and with its progress. It wants mu.
func (r *Run) present() (was, is store.Job) {
	was, is = r.held, r.held
	is.Done, is.Total, is.Text = r.done, r.total, r.text
	return was, is
}
