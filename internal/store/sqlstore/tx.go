package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

const (
	insertObject = `INSERT INTO objects (account, kind, id, parent, name, description, owner, version, tag,
 created_at, created_by, modified_at, modified_by, body)
 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
 ON CONFLICT (account, kind, id) DO NOTHING`
	// The stamps of the birth stay as they are.
	updateObject = `UPDATE objects SET parent = $1, name = $2, description = $3, owner = $4, version = $5, tag = $6,
 modified_at = $7, modified_by = $8, body = $9
 WHERE account = $10 AND kind = $11 AND id = $12 AND version = $13`
	deleteObject  = `DELETE FROM objects WHERE account = $1 AND kind = $2 AND id = $3 AND version = $4`
	objectVersion = `SELECT version FROM objects WHERE account = $1 AND kind = $2 AND id = $3`
	insertKey     = `INSERT INTO keys (space, value, account, kind, id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (space, value) DO NOTHING`
	keysOfObject  = `SELECT space, value FROM keys WHERE account = $1 AND kind = $2 AND id = $3`
	deleteKey     = `DELETE FROM keys WHERE space = $1 AND value = $2`
	deleteAllKeys = `DELETE FROM keys WHERE account = $1 AND kind = $2 AND id = $3`
	advanceHead   = `INSERT INTO heads (account, seq, touched_at) VALUES ($1, $2, $3)
 ON CONFLICT (account) DO UPDATE SET seq = heads.seq + excluded.seq, touched_at = excluded.touched_at
 RETURNING seq`
	insertEvent = `INSERT INTO events (account, seq, happened_at, kind, target, action, body) VALUES ($1, $2, $3, $4, $5, $6, $7)`
)

// TxOptions are what a transaction takes from its store.
type TxOptions struct {
	Now time.Time // time of the transaction
	// Wall is the machine's clock. Heads carry it, so that other nodes can
	// follow the log even when the clock of the domain is moved.
	Wall func() time.Time
	// Claim, if set, is asked before each write for the account whose log
	// grows by it; an error stops the transaction.
	Claim func(account string) error
}

// Tx is one attempt of a transaction. The stores begin and end the database's
// transaction around it; Finish must have succeeded before they commit.
type Tx struct {
	Reader
	guard   guard
	opts    TxOptions
	pending []store.Event // written, not yet in the log
	logged  []store.Event // in the log, with their sequence numbers

	stood     bool // the basis of the writes was asked
	scheduled bool // jobs
}

var _ store.Tx = (*Tx)(nil)

// NewTx makes a transaction over a connection that is inside one.
func NewTx(c Conn, opts TxOptions) *Tx {
	opts.Now = Stamp(opts.Now)
	tx := &Tx{guard: guard{conn: c}, opts: opts}
	tx.Reader.conn = &tx.guard
	return tx
}

// Now implements store.Tx.
func (tx *Tx) Now() time.Time { return tx.opts.Now }

// Tokens implements store.Tx.
func (tx *Tx) Tokens() store.Tokens {
	return NewTokens(&tx.guard, func() time.Time { return tx.opts.Now })
}

// Jobs implements store.Tx.
func (tx *Tx) Jobs() store.Jobs { return NewJobs(&tx.guard, tx.Now, func() { tx.scheduled = true }) }

// Scheduled tells whether the transaction has scheduled jobs.
func (tx *Tx) Scheduled() bool { return tx.scheduled }

// Write implements store.Tx.
func (tx *Tx) Write(ctx context.Context, c store.Change) error {
	if tx.guard.failed != nil {
		return tx.guard.failed
	}
	if err := tx.apply(ctx, c); err != nil {
		return tx.guard.fail(err)
	}
	return nil
}

func (tx *Tx) apply(ctx context.Context, c store.Change) error {
	if c.Record == nil || c.Record.Account == "" || c.Record.Kind == "" || c.Record.ID == "" {
		return fmt.Errorf("writing an object without account, kind or id")
	}
	if err := checkRecord(c.Record); err != nil {
		return err
	}
	ev := tx.event(ctx, c)
	if err := checkEvent(&ev); err != nil {
		return err
	}
	if tx.opts.Claim != nil {
		if err := tx.opts.Claim(ev.Account); err != nil {
			return err
		}
	}
	var err error
	switch c.Op {
	case store.Create:
		err = tx.create(ctx, c.Record)
	case store.Update:
		err = tx.update(ctx, c.Record, c.From)
	case store.Delete:
		err = tx.delete(ctx, c.Record, c.From)
	default:
		err = fmt.Errorf("unknown operation %q", c.Op)
	}
	if err != nil {
		return fmt.Errorf("writing %s %s: %w", c.Record.Kind, c.Record.ID, err)
	}
	tx.pending = append(tx.pending, ev)
	return nil
}

// event fills in what the change itself tells.
func (tx *Tx) event(ctx context.Context, c store.Change) store.Event {
	ev, rec := c.Event, c.Record
	if ev.Account == "" {
		ev.Account = rec.Account
	}
	if ev.Kind == "" {
		ev.Kind = rec.Kind
	}
	if ev.Target == "" {
		ev.Target = rec.ID
	}
	ev.Object = nil
	if wrote := (store.Ref{Account: rec.Account, Kind: rec.Kind, ID: rec.ID}); ev.Written() != wrote {
		ev.Object = &wrote
	}
	if ev.Parent == "" {
		ev.Parent = rec.Parent
	}
	if ev.Op == "" {
		ev.Op = c.Op
	}
	if ev.At.IsZero() {
		ev.At = tx.opts.Now
	}
	ev.At = Stamp(ev.At)
	if ev.Origin == (store.Origin{}) {
		ev.Origin = store.OriginOf(ctx)
	}
	return ev
}

func (tx *Tx) create(ctx context.Context, r *store.Record) error {
	n, err := affected(ctx, &tx.guard, insertObject, r.Account, r.Kind, r.ID, r.Parent, r.Name, r.Description, r.Owner,
		r.Version, r.Tag, micros(r.CreatedAt), r.CreatedBy, micros(r.ModifiedAt), r.ModifiedBy, string(r.Body))
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("the id is taken: %w", fault.Conflict)
	}
	return tx.addKeys(ctx, r, r.Keys)
}

func (tx *Tx) update(ctx context.Context, r *store.Record, from int64) error {
	n, err := affected(ctx, &tx.guard, updateObject, r.Parent, r.Name, r.Description, r.Owner, r.Version, r.Tag,
		micros(r.ModifiedAt), r.ModifiedBy, string(r.Body), r.Account, r.Kind, r.ID, from)
	if err != nil {
		return err
	}
	if n == 0 {
		return tx.missed(ctx, r, from)
	}
	var old []store.Key
	err = each(ctx, &tx.guard, func(rows *sql.Rows) error {
		var k store.Key
		err := rows.Scan(&k.Space, &k.Value)
		old = append(old, k)
		return err
	}, keysOfObject, r.Account, r.Kind, r.ID)
	if err != nil {
		return err
	}
	for _, k := range old {
		if !slices.Contains(r.Keys, k) {
			if _, err := tx.guard.Exec(ctx, deleteKey, k.Space, k.Value); err != nil {
				return err
			}
		}
	}
	return tx.addKeys(ctx, r, slices.DeleteFunc(slices.Clone(r.Keys), func(k store.Key) bool {
		return slices.Contains(old, k)
	}))
}

func (tx *Tx) delete(ctx context.Context, r *store.Record, from int64) error {
	n, err := affected(ctx, &tx.guard, deleteObject, r.Account, r.Kind, r.ID, from)
	if err != nil {
		return err
	}
	if n == 0 {
		return tx.missed(ctx, r, from)
	}
	_, err = tx.guard.Exec(ctx, deleteAllKeys, r.Account, r.Kind, r.ID)
	return err
}

// Hold implements store.Tx.
func (tx *Tx) Hold(ctx context.Context, kind, account, id string, version int64) error {
	if tx.guard.failed != nil {
		return tx.guard.failed
	}
	holds := false
	err := each(ctx, &tx.guard, func(rows *sql.Rows) error {
		var now int64
		err := rows.Scan(&now)
		holds = now == version
		return err
	}, objectVersion, account, kind, id)
	if err == nil && !holds {
		err = fmt.Errorf("%s %s is not at version %d: %w", kind, id, version, store.ErrMoved)
	}
	return err
}

// missed tells why a write at a version found no row.
func (tx *Tx) missed(ctx context.Context, r *store.Record, from int64) error {
	var version int64
	found := false
	err := each(ctx, &tx.guard, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&version)
	}, objectVersion, r.Account, r.Kind, r.ID)
	switch {
	case err != nil:
		return err
	case !found:
		return fault.NotFound
	}
	return fmt.Errorf("version is %d, not %d: %w", version, from, store.ErrMoved)
}

func (tx *Tx) addKeys(ctx context.Context, r *store.Record, keys []store.Key) error {
	for i, k := range keys {
		if slices.Contains(keys[:i], k) {
			continue
		}
		n, err := affected(ctx, &tx.guard, insertKey, k.Space, k.Value, r.Account, r.Kind, r.ID)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("a key of %s is taken: %w", k.Space, fault.Conflict)
		}
	}
	return nil
}

// History implements store.Reader; it sees the events of this transaction.
func (tx *Tx) History(ctx context.Context, account, kind, id string, limit int) ([]store.Event, error) {
	if err := tx.flush(ctx); err != nil {
		return nil, err
	}
	return tx.Reader.History(ctx, account, kind, id, limit)
}

// Head implements store.Tx.
func (tx *Tx) Head(ctx context.Context, account string) (int64, error) {
	head, err := tx.Reader.Head(ctx, account)
	for i := range tx.pending {
		if tx.pending[i].Account == account {
			head++
		}
	}
	return head, err
}

// Finish writes the events that are due and gives the first error that the
// transaction met, whether its function returned it or not. It changes
// nothing when nothing was written.
func (tx *Tx) Finish(ctx context.Context) error {
	if tx.guard.failed != nil {
		return tx.guard.failed
	}
	return tx.flush(ctx)
}

// AddActivity adds counters within the transaction.
func (tx *Tx) AddActivity(ctx context.Context, batch []store.Activity) error {
	return addActivities(ctx, &tx.guard, batch)
}

// ResetAccount is the account whose head counts the resets of the store. It
// has no events; other nodes see its head move and forget, too.
const ResetAccount = ""

// Clear deletes every row; subscribers will be told to forget.
func (tx *Tx) Clear(ctx context.Context) error {
	for _, statement := range []string{
		`DELETE FROM objects`, `DELETE FROM keys`, `DELETE FROM events`,
		`DELETE FROM heads WHERE account <> ''`, `DELETE FROM tokens`, `DELETE FROM activity`, `DELETE FROM jobs`,
	} {
		if _, err := tx.guard.Exec(ctx, statement); err != nil {
			return fmt.Errorf("emptying the store: %w", err)
		}
	}
	var count int64
	err := each(ctx, &tx.guard, func(rows *sql.Rows) error { return rows.Scan(&count) },
		advanceHead, ResetAccount, 1, micros(tx.opts.Wall()))
	if err != nil {
		return fmt.Errorf("emptying the store: %w", err)
	}
	tx.logged = append(tx.logged, store.Event{Op: store.Reset, Seq: count})
	return nil
}

// Events gives the logged events of the transaction, for subscribers.
func (tx *Tx) Events() []store.Event { return tx.logged }

// flush gives pending events their numbers. The heads are touched as late as
// possible, because from then on the accounts' other writers wait, and in the
// order of their names, so that two transactions cannot wait for each other.
func (tx *Tx) flush(ctx context.Context) error {
	if len(tx.pending) == 0 {
		return tx.guard.failed
	}
	if err := tx.number(ctx); err != nil {
		return tx.guard.fail(fmt.Errorf("taking a place in the log: %w", err))
	}
	for i := range tx.pending {
		e := &tx.pending[i]
		body, err := json.Marshal(e)
		if err == nil && len(body) > MaxBody {
			err = fault.New(fault.Invalid, "The event is longer than %d bytes.", MaxBody)
		}
		if err == nil {
			_, err = tx.guard.Exec(ctx, insertEvent, e.Account, e.Seq, micros(e.At), e.Kind, e.Target, e.Action, string(body))
		}
		if err != nil {
			return tx.guard.fail(fmt.Errorf("logging %s of %s: %w", e.Action, e.Target, err))
		}
	}
	tx.logged = append(tx.logged, tx.pending...)
	tx.pending = tx.pending[:0:0]
	return nil
}

// number advances the head of each account by the number of its events.
func (tx *Tx) number(ctx context.Context) error {
	accounts := make([]string, 0, 1)
	for i := range tx.pending {
		if a := tx.pending[i].Account; !slices.Contains(accounts, a) {
			accounts = append(accounts, a)
		}
	}
	slices.Sort(accounts)
	before := map[string]int64{}
	for _, account := range accounts {
		var count, last int64
		for i := range tx.pending {
			if tx.pending[i].Account == account {
				count++
			}
		}
		err := each(ctx, &tx.guard, func(rows *sql.Rows) error { return rows.Scan(&last) },
			advanceHead, account, count, micros(tx.opts.Wall()))
		if err != nil {
			return err
		}
		next := last - count
		before[account] = next
		for i := range tx.pending {
			if tx.pending[i].Account == account {
				next++
				tx.pending[i].Seq = next
			}
		}
	}
	return tx.stand(ctx, before)
}

// stand asks, once, whether what the writes rest on still holds. The logs of the
// accounts that are written to are at their places by now, and stay there.
func (tx *Tx) stand(ctx context.Context, before map[string]int64) error {
	if tx.stood {
		return nil
	}
	tx.stood = true
	return store.BasisOf(ctx).Stands(ctx, &tx.Reader, func(account string) (int64, error) {
		if head, ok := before[account]; ok {
			return head, nil
		}
		head, err := tx.Reader.Head(ctx, account)
		before[account] = head
		return head, err
	})
}

// Failed gives the error after which the transaction can only be rolled back,
// or nil.
func (tx *Tx) Failed() error { return tx.guard.failed }
