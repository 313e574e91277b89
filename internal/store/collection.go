package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
)

// Entity is a body that embeds Meta.
type Entity interface{ Base() *Meta }

// Collection is the typed view of one kind of object. T embeds Meta. A
// Collection holds no state and is safe for concurrent use.
type Collection[T any] struct {
	kind string
	keys func(*T) []Key
	ids  id.Generator
}

// NewCollection makes the view of a kind; keys gives an object's unique keys
// and may be nil. It panics when *T does not embed Meta.
func NewCollection[T any](kind string, keys func(*T) []Key) *Collection[T] {
	if _, ok := any(new(T)).(Entity); !ok {
		panic(fmt.Sprintf("%T does not embed store.Meta", new(T)))
	}
	return &Collection[T]{kind: kind, keys: keys}
}

// Kind is the name under which the objects are stored.
func (c *Collection[T]) Kind() string { return c.kind }

// Get gives one object, fault.NotFound if there is none. With account "" the
// id alone must name it.
func (c *Collection[T]) Get(ctx context.Context, r Reader, account, id string) (*T, error) {
	rec, err := r.Get(ctx, c.kind, account, id)
	if err != nil {
		return nil, err
	}
	return c.Decode(rec)
}

// Lookup gives the object of this kind that holds a unique key.
func (c *Collection[T]) Lookup(ctx context.Context, r Reader, key Key) (*T, error) {
	rec, err := r.Lookup(ctx, key)
	if err != nil {
		return nil, err
	}
	if rec.Kind != c.kind {
		return nil, fault.NotFound
	}
	return c.Decode(rec)
}

// List gives the objects of a query; q.Kind is filled in.
func (c *Collection[T]) List(ctx context.Context, r Reader, q Query) ([]*T, error) {
	q.Kind = c.kind
	recs, err := r.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]*T, len(recs))
	for i, rec := range recs {
		if out[i], err = c.Decode(rec); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// scanPage is how many objects Scan reads at once: enough that a page's round
// trip does not matter, few enough that pages under way are a few megabytes.
const scanPage = 2000

// Scan gives the objects of a query like List, for queries that give very many:
// it reads them page by page, and decodes a page while it reads the next. r must
// read one consistent state, or objects that move meanwhile are missed or come
// twice. q.Kind and q.Limit are filled in.
func (c *Collection[T]) Scan(ctx context.Context, r Reader, q Query) ([]*T, error) {
	q.Kind, q.Limit = c.kind, scanPage
	var pages [][]*T
	var decoding errgroup.Group
	decoding.SetLimit(runtime.GOMAXPROCS(0))
	for {
		recs, err := r.List(ctx, q)
		if err != nil {
			return nil, errors.Join(err, decoding.Wait())
		}
		page := make([]*T, len(recs))
		pages = append(pages, page)
		decoding.Go(func() (err error) {
			for i, rec := range recs {
				if page[i], err = c.Decode(rec); err != nil {
					return err
				}
			}
			return nil
		})
		if len(recs) < scanPage {
			break
		}
		q.After = CursorAt(q.Order, &recs[len(recs)-1].Meta)
	}
	if err := decoding.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(pages...), nil
}

// IDs gives the ids of the objects of a query, sorted; q.Kind is filled in.
func (c *Collection[T]) IDs(ctx context.Context, r Reader, q Query) ([]string, error) {
	q.Kind = c.kind
	return r.IDs(ctx, q)
}

// Count counts the objects of a query; q.Kind is filled in.
func (c *Collection[T]) Count(ctx context.Context, r Reader, q Query) (int, error) {
	q.Kind = c.kind
	return r.Count(ctx, q)
}

// Create stores a new object at version 1 and stamps it. It fails with
// fault.Conflict when its id or one of its keys is taken.
func (c *Collection[T]) Create(ctx context.Context, tx Tx, obj *T, ev Event) error {
	m := any(obj).(Entity).Base()
	m.Version = 1
	m.CreatedAt, m.CreatedBy = tx.Now(), OriginOf(ctx).IAMID
	return c.write(ctx, tx, Create, obj, m, 0, ev)
}

// Update stores a changed object over the version that it was read at
// (fault.Stale when another write came first) and stamps it.
func (c *Collection[T]) Update(ctx context.Context, tx Tx, obj *T, ev Event) error {
	m := any(obj).(Entity).Base()
	from := m.Version
	m.Version++
	return c.write(ctx, tx, Update, obj, m, from, ev)
}

// Delete removes the object at the version that it was read at.
func (c *Collection[T]) Delete(ctx context.Context, tx Tx, obj *T, ev Event) error {
	m := any(obj).(Entity).Base()
	if ev.Name == "" {
		ev.Name = m.Name
	}
	return tx.Write(ctx, Change{Op: Delete, Record: &Record{Kind: c.kind, Meta: *m}, From: m.Version, Event: ev})
}

// ErrUnchanged is what a change gives Edit when there is nothing to write.
var ErrUnchanged = errors.New("nothing to write")

// Edit writes a changed copy of an object that was found before, in a
// transaction of its own; found stays as it is. change gets the copy (its lists
// and maps are shared with found: replace them, never write into them) and may
// run more than once; with ErrUnchanged nothing is written. Edit fails with
// ErrMoved when another write came first: what was decided about found is void.
func (c *Collection[T]) Edit(ctx context.Context, db DB, found *T, change func(Tx, *T) (Event, error)) (*T, error) {
	var obj *T
	err := db.Update(ctx, func(tx Tx) error {
		next := *found
		obj = &next
		ev, err := change(tx, obj)
		if err != nil {
			return err
		}
		return moved(c.Update(ctx, tx, obj, ev))
	})
	if errors.Is(err, ErrUnchanged) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	return obj, nil
}

// Remove deletes an object that was found before, in a transaction of its own,
// after what before does in it. It fails as Edit does.
func (c *Collection[T]) Remove(ctx context.Context, db DB, found *T, before func(Tx) (Event, error)) error {
	return db.Update(ctx, func(tx Tx) error {
		ev, err := before(tx)
		if err != nil {
			return err
		}
		return moved(c.Delete(ctx, tx, found, ev))
	})
}

// Hold fails with ErrMoved when an object is not as it was found.
func (c *Collection[T]) Hold(ctx context.Context, tx Tx, found *T) error {
	m := any(found).(Entity).Base()
	return tx.Hold(ctx, c.kind, m.Account, m.ID, m.Version)
}

// moved gives the error of a write to an object that was there when it was found.
func moved(err error) error {
	if errors.Is(err, fault.NotFound) {
		return fmt.Errorf("deleted meanwhile: %w", ErrMoved)
	}
	return err
}

func (c *Collection[T]) write(ctx context.Context, tx Tx, op Op, obj *T, m *Meta, from int64, ev Event) error {
	m.ModifiedAt, m.ModifiedBy = tx.Now(), OriginOf(ctx).IAMID
	m.Tag = c.ids.ETag(m.Version)
	body, err := json.Marshal(obj)
	if err != nil {
		return fmt.Errorf("encoding %s %s: %w", c.kind, m.ID, err)
	}
	rec := &Record{Kind: c.kind, Meta: *m, Body: body}
	if c.keys != nil {
		rec.Keys = c.keys(obj)
	}
	if ev.Name == "" {
		ev.Name = m.Name
	}
	ev.Tag = m.Tag
	return tx.Write(ctx, Change{Op: op, Record: rec, From: from, Event: ev})
}

// Decode gives the typed form of a record of this kind.
func (c *Collection[T]) Decode(rec *Record) (*T, error) {
	obj := new(T)
	if err := json.Unmarshal(rec.Body, obj); err != nil {
		return nil, fmt.Errorf("decoding %s %s: %w", c.kind, rec.ID, err)
	}
	*any(obj).(Entity).Base() = rec.Meta
	return obj, nil
}
