package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

const (
	tokenColumns = `space, token_key, account, owner, expires_at, created_at, body`
	putToken     = `INSERT INTO tokens (` + tokenColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)
 ON CONFLICT (space, token_key) DO UPDATE SET account = excluded.account, owner = excluded.owner,
 expires_at = excluded.expires_at, created_at = excluded.created_at, body = excluded.body`
	getToken   = `SELECT ` + tokenColumns + ` FROM tokens WHERE space = $1 AND token_key = $2 AND expires_at > $3`
	takeToken  = `DELETE FROM tokens WHERE space = $1 AND token_key = $2 AND expires_at > $3 RETURNING ` + tokenColumns
	listTokens = `SELECT ` + tokenColumns +
		` FROM tokens WHERE space = $1 AND account = $2 AND owner = $3 AND expires_at > $4 ORDER BY created_at, token_key`
	deleteToken = `DELETE FROM tokens WHERE space = $1 AND token_key = $2`
	sweepTokens = `DELETE FROM tokens WHERE (space, token_key) IN
 (SELECT space, token_key FROM tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`

	addActivityHead = `INSERT INTO activity (account, subject, uses, last_at) VALUES `
	addActivityTail = ` ON CONFLICT (account, subject) DO UPDATE SET uses = activity.uses + excluded.uses,
 last_at = CASE WHEN excluded.last_at > activity.last_at THEN excluded.last_at ELSE activity.last_at END`
	getActivity  = `SELECT account, subject, uses, last_at FROM activity WHERE account = $1 AND subject = $2`
	listActivity = `SELECT account, subject, uses, last_at FROM activity WHERE account = $1 ORDER BY subject`
)

// Tokens stores short-lived records through a connection; each method is one
// statement.
type Tokens struct {
	conn Conn
	now  func() time.Time
}

var _ store.Tokens = (*Tokens)(nil)

// NewTokens makes the view of the short-lived records over a connection.
func NewTokens(c Conn, now func() time.Time) *Tokens { return &Tokens{conn: c, now: now} }

func (t *Tokens) query(ctx context.Context, query string, args ...any) ([]*store.Token, error) {
	var out []*store.Token
	err := each(ctx, t.conn, func(rows *sql.Rows) error {
		var tok store.Token
		var expires, created int64
		err := rows.Scan(&tok.Space, &tok.Key, &tok.Account, &tok.Owner, &expires, &created, &tok.Body)
		tok.Expires, tok.Created = fromMicros(expires), fromMicros(created)
		out = append(out, &tok)
		return err
	}, query, args...)
	return out, err
}

func (t *Tokens) one(ctx context.Context, query, space, key string) (*store.Token, error) {
	if anyUnstorable(space, key) {
		return nil, notFound("reading a %s", space)
	}
	found, err := t.query(ctx, query, space, key, micros(t.now()))
	if err != nil {
		return nil, fmt.Errorf("reading a %s: %w", space, err)
	}
	if len(found) == 0 {
		return nil, notFound("reading a %s", space)
	}
	return found[0], nil
}

// Put implements store.Tokens.
func (t *Tokens) Put(ctx context.Context, tok store.Token) error {
	if err := checkToken(&tok); err != nil {
		return err
	}
	_, err := t.conn.Exec(ctx, putToken, tok.Space, tok.Key, tok.Account, tok.Owner,
		micros(tok.Expires), micros(tok.Created), string(tok.Body))
	if err != nil {
		return fmt.Errorf("storing a %s: %w", tok.Space, err)
	}
	return nil
}

// Get implements store.Tokens.
func (t *Tokens) Get(ctx context.Context, space, key string) (*store.Token, error) {
	return t.one(ctx, getToken, space, key)
}

// Take implements store.Tokens.
func (t *Tokens) Take(ctx context.Context, space, key string) (*store.Token, error) {
	return t.one(ctx, takeToken, space, key)
}

// List implements store.Tokens.
func (t *Tokens) List(ctx context.Context, space, account, owner string) ([]*store.Token, error) {
	if anyUnstorable(space, account, owner) {
		return nil, nil
	}
	found, err := t.query(ctx, listTokens, space, account, owner, micros(t.now()))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", space, err)
	}
	return found, nil
}

// Delete implements store.Tokens.
func (t *Tokens) Delete(ctx context.Context, space, key string) error {
	if anyUnstorable(space, key) {
		return nil
	}
	if _, err := t.conn.Exec(ctx, deleteToken, space, key); err != nil {
		return fmt.Errorf("deleting a %s: %w", space, err)
	}
	return nil
}

// Sweep implements store.Tokens.
func (t *Tokens) Sweep(ctx context.Context, limit int) (int, error) {
	n, err := affected(ctx, t.conn, sweepTokens, micros(t.now()), limit)
	if err != nil {
		return 0, fmt.Errorf("deleting expired tokens: %w", err)
	}
	return int(n), nil
}

// addActivities adds counters. Rows are written in the order of their keys, so that two nodes that flush at
// the same time cannot wait for each other.
func addActivities(ctx context.Context, c Conn, batch []store.Activity) error {
	type subject struct{ account, subject string }
	sums := make(map[subject]store.Activity, len(batch))
	for _, a := range batch {
		if err := check(field{"account", a.Account, MaxID}, field{"subject", a.Subject, MaxID}); err != nil {
			return err
		}
		key := subject{a.Account, a.Subject}
		sum, ok := sums[key]
		if !ok {
			sums[key] = a
			continue
		}
		sum.Count += a.Count
		if a.Last.After(sum.Last) {
			sum.Last = a.Last
		}
		sums[key] = sum
	}
	ordered := make([]store.Activity, 0, len(sums))
	for _, a := range sums {
		ordered = append(ordered, a)
	}
	slices.SortFunc(ordered, func(a, b store.Activity) int {
		if n := strings.Compare(a.Account, b.Account); n != 0 {
			return n
		}
		return strings.Compare(a.Subject, b.Subject)
	})
	// Two forms of the statement and no more, so that both stay prepared.
	for len(ordered) > 0 {
		n := 1
		if len(ordered) >= activityRows {
			n = activityRows
		}
		s := &statement{}
		s.sql.WriteString(addActivityHead)
		for i, a := range ordered[:n] {
			if i > 0 {
				s.sql.WriteString(", ")
			}
			s.sql.WriteString("(" + s.arg(a.Account) + ", " + s.arg(a.Subject) + ", " + s.arg(a.Count) + ", " + s.arg(micros(a.Last)) + ")")
		}
		s.sql.WriteString(addActivityTail)
		if _, err := c.Exec(ctx, s.sql.String(), s.args...); err != nil {
			return fmt.Errorf("adding activity: %w", err)
		}
		ordered = ordered[n:]
	}
	return nil
}

// activityRows is the number of rows of the wide form of the statement that
// adds activity: a flush after a busy second holds thousands of subjects.
const activityRows = 32

// GetActivity reads the counters of a subject.
func (r *Reader) GetActivity(ctx context.Context, account, subject string) (store.Activity, error) {
	if anyUnstorable(account, subject) {
		return store.Activity{Account: account, Subject: subject}, nil
	}
	found, err := r.activity(ctx, getActivity, account, subject)
	if err != nil || len(found) == 0 {
		return store.Activity{Account: account, Subject: subject}, err
	}
	return found[0], nil
}

// ListActivity reads the counters of an account.
func (r *Reader) ListActivity(ctx context.Context, account string) ([]store.Activity, error) {
	if anyUnstorable(account) {
		return nil, nil
	}
	return r.activity(ctx, listActivity, account)
}

func (r *Reader) activity(ctx context.Context, query string, args ...any) ([]store.Activity, error) {
	var out []store.Activity
	err := each(ctx, r.conn, func(rows *sql.Rows) error {
		var a store.Activity
		var last int64
		err := rows.Scan(&a.Account, &a.Subject, &a.Count, &last)
		a.Last = fromMicros(last)
		out = append(out, a)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading activity: %w", err)
	}
	return out, nil
}
