package lists

import (
	"cmp"
	"context"
	"slices"
	"sort"

	"github.com/kagiban/kagiban/internal/store"
)

// Source is a list in a total order, to be cut into pages: Stored or Held.
type Source[T any] interface {
	// read gives the first n items (0: all) behind a place, nil for the beginning;
	// back: those before it, the nearest first.
	read(ctx context.Context, from *store.Cursor, back bool, n int) ([]*T, error)
	count(ctx context.Context) (int, error)
	place(*T) store.Cursor
}

// Stored is a list that the store pages.
type Stored[T any] struct {
	Of    *store.Collection[T]
	From  store.Reader
	Query store.Query            // After and Limit are filled in
	Keep  func(*T) (bool, error) // selects further; nil keeps all
}

// scan is how many objects are read at once when some of them are dropped.
const scan = 200

func (s Stored[T]) read(ctx context.Context, from *store.Cursor, back bool, n int) (out []*T, err error) {
	q := s.Query
	q.After, q.Limit, q.Desc = from, n, q.Desc != back
	if s.Keep != nil && n > 0 {
		q.Limit = max(scan, n)
	}
	for {
		batch, err := s.Of.List(ctx, s.From, q)
		if err != nil {
			return nil, err
		}
		for _, obj := range batch {
			if s.Keep != nil {
				if yes, err := s.Keep(obj); err != nil {
					return nil, err
				} else if !yes {
					continue
				}
			}
			if out = append(out, obj); len(out) == n {
				return out, nil
			}
		}
		if len(batch) == 0 || len(batch) < q.Limit || q.Limit == 0 {
			return out, nil
		}
		last := s.place(batch[len(batch)-1])
		q.After = &last
	}
}

func (s Stored[T]) count(ctx context.Context) (int, error) {
	if s.Keep == nil {
		return s.Of.Count(ctx, s.From, s.Query)
	}
	all, err := s.read(ctx, nil, false, 0)
	return len(all), err
}

func (s Stored[T]) place(obj *T) store.Cursor {
	c := store.CursorAt(s.Query.Order, any(obj).(store.Entity).Base())
	if s.Query.Account != "" {
		c.Account = ""
	}
	return *c
}

// held is a list in memory.
type held[T any] struct {
	items []*T // sorted
	desc  bool
	at    func(*T) store.Cursor
}

// Held makes a list of items in memory: those that are few, or that the store
// cannot select or sort. It sorts them by their places, which differ.
func Held[T any](items []*T, desc bool, place func(*T) store.Cursor) Source[T] {
	h := held[T]{items, desc, place}
	slices.SortFunc(items, func(x, y *T) int { return h.order(place(x), place(y)) })
	return h
}

// Sorted makes a list of objects in memory, in an order that the store knows.
func Sorted[T any](objects []*T, order store.Order, desc bool) Source[T] {
	return Held(objects, desc, func(obj *T) store.Cursor { return *store.CursorAt(order, any(obj).(store.Entity).Base()) })
}

func (h held[T]) order(x, y store.Cursor) int {
	c := cmp.Or(cmp.Compare(x.Text, y.Text), cmp.Compare(x.Time, y.Time), cmp.Compare(x.ID, y.ID))
	if h.desc {
		return -c
	}
	return c
}

func (h held[T]) read(_ context.Context, from *store.Cursor, back bool, n int) ([]*T, error) {
	part := h.items
	if from != nil {
		before := sort.Search(len(part), func(i int) bool { return h.order(h.at(part[i]), *from) >= 0 })
		if back {
			part = part[:before]
		} else if part = part[before:]; len(part) > 0 && h.order(h.at(part[0]), *from) == 0 {
			part = part[1:]
		}
	}
	if back {
		part = slices.Clone(part)
		slices.Reverse(part)
	}
	if n > 0 {
		part = part[:min(n, len(part))]
	}
	return part, nil
}

func (h held[T]) count(context.Context) (int, error) { return len(h.items), nil }

func (h held[T]) place(item *T) store.Cursor { return h.at(item) }

// All gives a whole list.
func All[T any](ctx context.Context, src Source[T]) ([]*T, error) {
	return src.read(ctx, nil, false, 0)
}

// Each visits a whole list, however long: it reads a part at a time.
func Each[T any](ctx context.Context, src Source[T], visit func(*T) error) error {
	var from *store.Cursor
	for {
		part, err := src.read(ctx, from, false, scan)
		if err != nil {
			return err
		}
		for _, item := range part {
			if err := visit(item); err != nil {
				return err
			}
		}
		if len(part) < scan {
			return nil
		}
		last := src.place(part[len(part)-1])
		from = &last
	}
}

// Page is a part of a list.
type Page[T any] struct {
	Items []*T
	// Offset is the index of the first item in the whole list, as it was when
	// the page before this one was cut.
	Offset         int
	previous, next *Token // nil at the ends
}

// Cut gives the page of a list at a place, the zero Token for the first one. A
// place stays when its item goes away: each item that was in the list all the
// while is on exactly one of the pages. With size 0 all that follows is one page.
func Cut[T any](ctx context.Context, src Source[T], at Token, size int) (*Page[T], error) {
	if at.Back {
		items, err := src.read(ctx, &at.Cursor, true, size+1)
		if err != nil {
			return nil, err
		}
		if len(items) > size {
			items = items[:size]
			slices.Reverse(items)
			return page(src, items, at.Offset, size, true, true), nil
		}
		at = Token{} // the beginning is nearer than a page: show the first page
	}
	var from *store.Cursor
	if at.Cursor.ID != "" {
		from = &at.Cursor
	}
	n := 0
	if size > 0 {
		n = size + 1
	}
	items, err := src.read(ctx, from, false, n)
	if err != nil {
		return nil, err
	}
	more := size > 0 && len(items) > size
	if more {
		items = items[:size]
	}
	return page(src, items, at.Offset, size, at.Offset > 0, more), nil
}

// page tells whether more lies before and after it, which nobody asks of an empty
// one.
func page[T any](src Source[T], items []*T, offset, size int, before, after bool) *Page[T] {
	p := &Page[T]{Items: items, Offset: offset}
	if len(items) == 0 {
		return p
	}
	if before {
		p.previous = &Token{Cursor: src.place(items[0]), Back: true, Offset: max(0, offset-size)}
	}
	if after {
		p.next = &Token{Cursor: src.place(items[len(items)-1]), Offset: offset + len(items)}
	}
	return p
}

// Tokens gives the tokens of the first, the previous and the next page, bound to
// a query; the latter two are "" at the ends.
func (p *Page[T]) Tokens(s *Sealer, query string) (first, previous, next string) {
	return s.seal(&Token{}, query), s.seal(p.previous, query), s.seal(p.next, query)
}
