package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

const (
	jobColumns = `kind, account, id, body, created_at, due_at, wishes, node, until_at, claim, attempts, done, total, note, error, finished_at, expires_at`
	// A finished job begins anew; one that is not runs at the earlier time.
	scheduleJob = `INSERT INTO jobs (` + jobColumns + `) VALUES ($1, $2, $3, $4, $5, $6, 1, '', 0, 0, 0, 0, 0, '', '', 0, 0)
 ON CONFLICT (account, kind, id) DO UPDATE SET body = excluded.body, wishes = jobs.wishes + 1,
 due_at = CASE WHEN jobs.finished_at = 0 AND jobs.due_at < excluded.due_at THEN jobs.due_at ELSE excluded.due_at END,
 created_at = CASE WHEN jobs.finished_at = 0 THEN jobs.created_at ELSE excluded.created_at END,
 attempts = CASE WHEN jobs.finished_at = 0 THEN jobs.attempts ELSE 0 END,
 done = CASE WHEN jobs.finished_at = 0 THEN jobs.done ELSE 0 END,
 total = CASE WHEN jobs.finished_at = 0 THEN jobs.total ELSE 0 END,
 note = CASE WHEN jobs.finished_at = 0 THEN jobs.note ELSE '' END,
 error = CASE WHEN jobs.finished_at = 0 THEN jobs.error ELSE '' END,
 finished_at = 0, expires_at = 0`
	swapJob = `UPDATE jobs SET node = $1, until_at = $2, claim = $3, attempts = $4, done = $5, total = $6, note = $7, error = $8,
 due_at = CASE WHEN wishes = $9 THEN $10 ELSE due_at END,
 finished_at = CASE WHEN wishes = $9 THEN $11 ELSE finished_at END,
 expires_at = CASE WHEN wishes = $9 THEN $12 ELSE expires_at END
 WHERE account = $13 AND kind = $14 AND id = $15 AND claim = $16`
	dueJobs = `SELECT ` + jobColumns + ` FROM jobs WHERE kind = $1 AND finished_at = 0 AND due_at <= $2
 AND (node = '' OR node = $3 OR until_at <= $4) ORDER BY due_at, account, id LIMIT $5`
	tallyJobs = `SELECT kind,
 sum(CASE WHEN finished_at = 0 AND (node = '' OR until_at <= $1) AND due_at <= $2 THEN 1 ELSE 0 END),
 sum(CASE WHEN finished_at = 0 AND node <> '' AND until_at > $1 THEN 1 ELSE 0 END),
 sum(CASE WHEN finished_at = 0 AND (node = '' OR until_at <= $1) AND due_at > $2 THEN 1 ELSE 0 END),
 sum(CASE WHEN finished_at <> 0 AND error = '' THEN 1 ELSE 0 END),
 sum(CASE WHEN finished_at <> 0 AND error <> '' THEN 1 ELSE 0 END),
 sum(CASE WHEN finished_at = 0 AND error <> '' THEN 1 ELSE 0 END),
 min(CASE WHEN finished_at = 0 AND (node = '' OR until_at <= $1) AND due_at <= $2 THEN due_at END)
 FROM jobs GROUP BY kind ORDER BY kind`
	cancelJob = `DELETE FROM jobs WHERE account = $1 AND kind = $2 AND id = $3`
	sweepJobs = `DELETE FROM jobs WHERE finished_at <> 0 AND (account, kind, id) IN
 (SELECT account, kind, id FROM jobs WHERE finished_at <> 0 AND expires_at <= $1 ORDER BY expires_at LIMIT $2)`
)

// Jobs stores lasting work through a connection.
type Jobs struct {
	conn      Conn
	now       func() time.Time
	scheduled func() // hears of what was; nil: nobody does
}

var _ store.Jobs = (*Jobs)(nil)

// NewJobs makes the view of lasting work over a connection. Scheduled, unless it
// is nil, is called after each Schedule.
func NewJobs(c Conn, now func() time.Time, scheduled func()) *Jobs {
	return &Jobs{conn: c, now: now, scheduled: scheduled}
}

// Schedule implements store.Jobs.
func (t *Jobs) Schedule(ctx context.Context, j store.Job) error {
	err := check(field{"kind", j.Kind, MaxID}, field{"account", j.Account, MaxID}, field{"id", j.ID, MaxID})
	if err == nil {
		err = checkBody(j.Body)
	}
	if err != nil {
		return err
	}
	now := t.now()
	if j.Due.IsZero() {
		j.Due = now
	}
	_, err = t.conn.Exec(ctx, scheduleJob, j.Kind, j.Account, j.ID, string(j.Body), micros(now), micros(j.Due))
	if err != nil {
		return fmt.Errorf("scheduling %s: %w", j.Kind, err)
	}
	if t.scheduled != nil {
		t.scheduled()
	}
	return nil
}

// Swap implements store.Jobs.
func (t *Jobs) Swap(ctx context.Context, was, is *store.Job) (bool, error) {
	err := check(field{"node", is.Node, MaxID}, field{"text", is.Text, MaxName}, field{"error", is.Error, MaxDescription})
	if err != nil {
		return false, err
	}
	n, err := affected(ctx, t.conn, swapJob, is.Node, stampOrZero(is.Until), is.Claim, is.Attempts, is.Done, is.Total, is.Text, is.Error,
		was.Wishes, stampOrZero(is.Due), stampOrZero(is.Finished), stampOrZero(is.Expires), was.Account, was.Kind, was.ID, was.Claim)
	if err != nil {
		return false, fmt.Errorf("writing %s: %w", was.Kind, err)
	}
	return n == 1, nil
}

// Due implements store.Jobs.
func (t *Jobs) Due(ctx context.Context, q store.JobsDue) ([]*store.Job, error) {
	return t.query(ctx, dueJobs, q.Kind, micros(q.Now), q.Node, micros(q.Wall), q.Limit)
}

// List implements store.Jobs.
func (t *Jobs) List(ctx context.Context, q store.JobsQuery) ([]*store.Job, error) {
	if anyUnstorable(q.Kind, q.Account) {
		return nil, nil
	}
	s := &statement{}
	s.sql.WriteString(`SELECT ` + jobColumns + ` FROM jobs WHERE wishes > 0`)
	if q.Kind != "" {
		s.sql.WriteString(` AND kind = ` + s.arg(q.Kind))
	}
	if q.Account != "" {
		s.sql.WriteString(` AND account = ` + s.arg(q.Account))
	}
	if q.After != nil {
		s.sql.WriteString(` AND (account, kind, id) > (` + s.arg(q.After.Account) + `, ` + s.arg(q.After.Kind) + `, ` + s.arg(q.After.ID) + `)`)
	}
	s.sql.WriteString(` ORDER BY account, kind, id`)
	if q.Limit > 0 {
		s.sql.WriteString(` LIMIT ` + s.arg(q.Limit))
	}
	return t.query(ctx, s.sql.String(), s.args...)
}

func (t *Jobs) query(ctx context.Context, query string, args ...any) ([]*store.Job, error) {
	var out []*store.Job
	err := each(ctx, t.conn, func(rows *sql.Rows) error {
		var j store.Job
		var created, due, until, finished, expires int64
		err := rows.Scan(&j.Kind, &j.Account, &j.ID, &j.Body, &created, &due, &j.Wishes, &j.Node, &until, &j.Claim,
			&j.Attempts, &j.Done, &j.Total, &j.Text, &j.Error, &finished, &expires)
		j.Created, j.Due, j.Until, j.Finished, j.Expires = orZero(created), orZero(due), orZero(until), orZero(finished), orZero(expires)
		out = append(out, &j)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	return out, nil
}

// Tally implements store.Jobs.
func (t *Jobs) Tally(ctx context.Context, now, wall time.Time) ([]store.JobTally, error) {
	var out []store.JobTally
	err := each(ctx, t.conn, func(rows *sql.Rows) error {
		var c store.JobTally
		var oldest sql.NullInt64
		err := rows.Scan(&c.Kind, &c.Due, &c.Running, &c.Waiting, &c.Done, &c.Failed, &c.Failing, &oldest)
		if oldest.Valid {
			c.Oldest = fromMicros(oldest.Int64)
		}
		out = append(out, c)
		return err
	}, tallyJobs, micros(wall), micros(now))
	if err != nil {
		return nil, fmt.Errorf("counting jobs: %w", err)
	}
	return out, nil
}

// Cancel implements store.Jobs.
func (t *Jobs) Cancel(ctx context.Context, kind, account, id string) error {
	if anyUnstorable(kind, account, id) {
		return nil
	}
	if _, err := t.conn.Exec(ctx, cancelJob, account, kind, id); err != nil {
		return fmt.Errorf("cancelling %s: %w", kind, err)
	}
	return nil
}

// Sweep implements store.Jobs.
func (t *Jobs) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	n, err := affected(ctx, t.conn, sweepJobs, micros(now), limit)
	if err != nil {
		return 0, fmt.Errorf("deleting finished jobs: %w", err)
	}
	return int(n), nil
}

// stampOrZero is micros with zero for no time.
func stampOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

func orZero(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return fromMicros(n)
}
