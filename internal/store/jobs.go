package store

import (
	"context"
	"time"
)

// Job is a piece of lasting work as it is stored: what is to be done, when, by
// whom at present and how far it is. Package job gives it its meaning. Jobs have
// no events. Times are UTC, in microseconds; zero stands for never.
type Job struct {
	Kind    string
	Account string
	ID      string // unique within (account, kind)
	Body    []byte // JSON, or empty
	Created time.Time
	Due     time.Time // when it is to run next
	Wishes  int64     // +1 each time it was scheduled

	Node  string    // who runs it; "" nobody
	Until time.Time // how long Node has it, by the clocks of the machines
	Claim int64     // +1 each time it changes hands

	Attempts int64 // runs since the last one that succeeded
	Done     int64
	Total    int64
	Text     string    // what it is at
	Error    string    // of the last run, "" when that succeeded
	Finished time.Time // when it came to its end, for good or for bad
	Expires  time.Time // when a finished one may go
}

// JobsDue selects jobs that may be run now, those that are due longest first:
// due at Now, and in nobody's hands. Jobs of Node itself, and those whose holder
// has not renewed its lease by Wall, are among them.
type JobsDue struct {
	Kind      string
	Now, Wall time.Time
	Node      string
	Limit     int
}

// JobsQuery selects jobs for a listing, by account, kind and id. Empty fields
// do not restrict.
type JobsQuery struct {
	Kind    string
	Account string
	After   *Job // exclusive; its Account, Kind and ID are read
	Limit   int  // 0: no limit
}

// JobTally counts the jobs of a kind. Each is counted in one of Due, Running,
// Waiting, Done and Failed.
type JobTally struct {
	Kind    string
	Due     int // may be run now
	Running int
	Waiting int // for their time
	Done    int
	Failed  int // given up
	// Failing is how many of Due, Running and Waiting failed when they last ran.
	Failing int
	Oldest  time.Time // since when the first of Due is due; zero: none is
}

// Jobs stores lasting work. Each method is one statement.
type Jobs interface {
	// Schedule has a job run at its Due, at once when that is zero. One that is there already runs at the
	// earlier of both times, gets the new Body, and runs once more when it is
	// under way; one that is finished begins anew. Only Kind, Account, ID, Body
	// and Due are read.
	Schedule(ctx context.Context, j Job) error
	// Swap writes what has become of a job that was read: all but Body, Created
	// and Wishes. It gives false, and writes nothing, when the job changed hands
	// since or is gone. Due, Finished and Expires are left alone when the job was
	// scheduled once more since.
	Swap(ctx context.Context, was, is *Job) (bool, error)
	// Due gives jobs that may be run.
	Due(ctx context.Context, q JobsDue) ([]*Job, error)
	// List gives the jobs of a query.
	List(ctx context.Context, q JobsQuery) ([]*Job, error)
	// Tally counts the jobs of all kinds, by kind, at a time of the domain's
	// clock and one of the machine's.
	Tally(ctx context.Context, now, wall time.Time) ([]JobTally, error)
	// Cancel takes a job out, if it is there. A run that is under way loses it.
	Cancel(ctx context.Context, kind, account, id string) error
	// Sweep deletes up to limit finished jobs that may go at a time, and tells
	// how many.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)
}
