package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kagiban/kagiban/internal/store"
)

const recordColumns = `o.account, o.kind, o.id, o.parent, o.name, o.description, o.owner, o.version, o.tag,
 o.created_at, o.created_by, o.modified_at, o.modified_by, o.body`

const (
	getObject = `SELECT ` + recordColumns + ` FROM objects o WHERE o.account = $1 AND o.kind = $2 AND o.id = $3`
	// Two rows are asked for so that an id that several accounts hold is noticed.
	getObjectAnywhere = `SELECT ` + recordColumns + ` FROM objects o WHERE o.kind = $1 AND o.id = $2 ORDER BY o.account LIMIT 2`
	lookupObject      = `SELECT ` + recordColumns + ` FROM keys k
 JOIN objects o ON o.account = k.account AND o.kind = k.kind AND o.id = k.id
 WHERE k.space = $1 AND k.value = $2`
	eventColumns  = `account, seq, happened_at, body`
	objectHistory = `SELECT ` + eventColumns + ` FROM events WHERE account = $1 AND kind = $2 AND target = $3 ORDER BY seq DESC`
	accountEvents = `SELECT ` + eventColumns + ` FROM events WHERE account = $1 AND seq > $2 ORDER BY seq`
	newestEvents  = `SELECT ` + eventColumns + ` FROM events WHERE happened_at > $1 ORDER BY happened_at DESC, account DESC, seq DESC`
	headOf        = `SELECT seq FROM heads WHERE account = $1`
)

// Reader reads objects and events through a connection. Consistency is the
// connection's: one transaction, or each call for itself.
type Reader struct{ conn Conn }

var (
	_ store.Reader    = (*Reader)(nil)
	_ store.LogReader = (*Reader)(nil)
)

// NewReader makes a reader over a connection.
func NewReader(c Conn) *Reader { return &Reader{conn: c} }

func scanRecord(rows *sql.Rows) (*store.Record, error) {
	var r store.Record
	var created, modified int64
	err := rows.Scan(&r.Account, &r.Kind, &r.ID, &r.Parent, &r.Name, &r.Description, &r.Owner, &r.Version, &r.Tag,
		&created, &r.CreatedBy, &modified, &r.ModifiedBy, &r.Body)
	r.CreatedAt, r.ModifiedAt = fromMicros(created), fromMicros(modified)
	return &r, err
}

func (r *Reader) records(ctx context.Context, query string, args ...any) ([]*store.Record, error) {
	var out []*store.Record
	err := each(ctx, r.conn, func(rows *sql.Rows) error {
		rec, err := scanRecord(rows)
		out = append(out, rec)
		return err
	}, query, args...)
	return out, err
}

// Get implements store.Reader.
func (r *Reader) Get(ctx context.Context, kind, account, id string) (*store.Record, error) {
	if anyUnstorable(kind, account, id) {
		return nil, notFound("reading a %s with an impossible id", kind)
	}
	query, args := getObject, []any{account, kind, id}
	if account == "" {
		query, args = getObjectAnywhere, []any{kind, id}
	}
	recs, err := r.records(ctx, query, args...)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s %s: %w", kind, id, err)
	case len(recs) == 0:
		return nil, notFound("reading %s %s", kind, id)
	case len(recs) > 1:
		return nil, notFound("reading %s %s, which several accounts hold", kind, id)
	}
	return recs[0], nil
}

// Lookup implements store.Reader.
func (r *Reader) Lookup(ctx context.Context, key store.Key) (*store.Record, error) {
	if anyUnstorable(key.Space, key.Value) {
		return nil, notFound("looking up a key of %s", key.Space)
	}
	recs, err := r.records(ctx, lookupObject, key.Space, key.Value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("looking up a key of %s: %w", key.Space, err)
	case len(recs) == 0:
		return nil, notFound("looking up a key of %s", key.Space)
	}
	return recs[0], nil
}

// List implements store.Reader.
func (r *Reader) List(ctx context.Context, q store.Query) ([]*store.Record, error) {
	if q.Limit < 0 || anyUnstorable(q.Kind, q.Account, q.Parent, q.Owner, q.Name) {
		return nil, nil
	}
	column, isTime, err := orderColumn(q.Order)
	if err != nil {
		return nil, err
	}
	s := selection(q, `SELECT `+recordColumns+` FROM objects o`)
	direction, compare := "", ">"
	if q.Desc {
		direction, compare = " DESC", "<"
	}
	columns := []string{column}
	if column != "id" {
		columns = append(columns, "id")
	}
	if q.Account == "" {
		columns = append(columns, "account")
	}
	if q.After != nil {
		if anyUnstorable(q.After.Text, q.After.ID, q.After.Account) {
			return nil, nil
		}
		s.after(columns, compare, isTime, q.After)
	}
	s.sql.WriteString(" ORDER BY ")
	for i, c := range columns {
		if i > 0 {
			s.sql.WriteString(", ")
		}
		s.sql.WriteString("o." + c + direction)
	}
	if q.Limit > 0 {
		s.sql.WriteString(" LIMIT " + s.arg(q.Limit))
	}
	recs, err := r.records(ctx, s.sql.String(), s.args...)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", q.Kind, err)
	}
	return recs, nil
}

// IDs implements store.Reader.
func (r *Reader) IDs(ctx context.Context, q store.Query) ([]string, error) {
	if anyUnstorable(q.Kind, q.Account, q.Parent, q.Owner, q.Name) {
		return nil, nil
	}
	s := selection(q, `SELECT o.id FROM objects o`)
	s.sql.WriteString(" ORDER BY o.id")
	var out []string
	err := each(ctx, r.conn, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		out = append(out, id)
		return err
	}, s.sql.String(), s.args...)
	if err != nil {
		return nil, fmt.Errorf("listing the ids of %s: %w", q.Kind, err)
	}
	return out, nil
}

// Count implements store.Reader.
func (r *Reader) Count(ctx context.Context, q store.Query) (int, error) {
	if anyUnstorable(q.Kind, q.Account, q.Parent, q.Owner, q.Name) {
		return 0, nil
	}
	s := selection(q, `SELECT count(*) FROM objects o`)
	var n int
	err := each(ctx, r.conn, func(rows *sql.Rows) error { return rows.Scan(&n) }, s.sql.String(), s.args...)
	if err != nil {
		return 0, fmt.Errorf("counting %s: %w", q.Kind, err)
	}
	return n, nil
}

// History implements store.Reader.
func (r *Reader) History(ctx context.Context, account, kind, id string, limit int) ([]store.Event, error) {
	if anyUnstorable(account, kind, id) {
		return nil, nil
	}
	events, err := r.events(ctx, objectHistory, limit, account, kind, id)
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s %s: %w", kind, id, err)
	}
	slices.Reverse(events)
	return events, nil
}

// Events reads the log of an account after a sequence number.
func (r *Reader) Events(ctx context.Context, account string, after int64, limit int) ([]store.Event, error) {
	if anyUnstorable(account) {
		return nil, nil
	}
	events, err := r.events(ctx, accountEvents, limit, account, after)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return events, nil
}

// AllEvents reads the newest events of all accounts that happened after a
// time given in microseconds, newest last.
func (r *Reader) AllEvents(ctx context.Context, since int64, limit int) ([]store.Event, error) {
	events, err := r.events(ctx, newestEvents, limit, since)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	slices.Reverse(events)
	return events, nil
}

// Head reads the last sequence number of an account.
func (r *Reader) Head(ctx context.Context, account string) (int64, error) {
	if anyUnstorable(account) {
		return 0, nil
	}
	var seq int64
	err := each(ctx, r.conn, func(rows *sql.Rows) error { return rows.Scan(&seq) }, headOf, account)
	if err != nil {
		return 0, fmt.Errorf("reading the head of the log: %w", err)
	}
	return seq, nil
}

func (r *Reader) events(ctx context.Context, query string, limit int, args ...any) ([]store.Event, error) {
	if limit > 0 {
		args = append(args, limit)
		query += " LIMIT $" + strconv.Itoa(len(args))
	}
	var out []store.Event
	err := each(ctx, r.conn, func(rows *sql.Rows) error {
		var e store.Event
		var account string
		var seq, at int64
		var body []byte
		if err := rows.Scan(&account, &seq, &at, &body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &e); err != nil {
			return fmt.Errorf("decoding event %d of %s: %w", seq, account, err)
		}
		e.Account, e.Seq, e.At = account, seq, fromMicros(at)
		out = append(out, e)
		return nil
	}, query, args...)
	return out, err
}

// statement is a query under construction.
type statement struct {
	sql  strings.Builder
	args []any
}

func (s *statement) arg(v any) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args))
}

// selection writes the WHERE clause of a query. The literals repeat the
// conditions of the partial indexes on parent and owner: a planner cannot know
// that a parameter is not empty.
func selection(q store.Query, head string) *statement {
	s := &statement{}
	s.sql.WriteString(head)
	s.sql.WriteString(" WHERE o.kind = " + s.arg(q.Kind))
	if q.Account != "" {
		s.sql.WriteString(" AND o.account = " + s.arg(q.Account))
	}
	if q.Parent != "" {
		s.sql.WriteString(" AND o.parent <> '' AND o.parent = " + s.arg(q.Parent))
	}
	if q.Owner != "" {
		s.sql.WriteString(" AND o.owner <> '' AND o.owner = " + s.arg(q.Owner))
	}
	if q.Name != "" {
		s.sql.WriteString(" AND o.name = " + s.arg(q.Name))
	}
	return s
}

// after writes the keyset condition for a place in the order of columns.
func (s *statement) after(columns []string, compare string, isTime bool, c *store.Cursor) {
	var left, right []string
	for i, column := range columns {
		left = append(left, "o."+column)
		switch {
		case column == "id":
			right = append(right, s.arg(c.ID))
		case column == "account":
			right = append(right, s.arg(c.Account))
		case i == 0 && isTime:
			right = append(right, s.arg(c.Time))
		default:
			right = append(right, s.arg(c.Text))
		}
	}
	s.sql.WriteString(" AND (" + strings.Join(left, ", ") + ") " + compare + " (" + strings.Join(right, ", ") + ")")
}

// orderColumn gives the column of an order and whether it is a time. The list
// is closed: nothing of a caller becomes SQL text.
func orderColumn(o store.Order) (column string, isTime bool, err error) {
	switch o {
	case store.ByCreated, "":
		return "created_at", true, nil
	case store.ByModified:
		return "modified_at", true, nil
	case store.ByName:
		return "name", false, nil
	case store.ByDescription:
		return "description", false, nil
	case store.ByCreator:
		return "created_by", false, nil
	case store.ByID:
		return "id", false, nil
	}
	return "", false, fmt.Errorf("listing in an unknown order %q", o)
}
