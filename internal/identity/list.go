package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
)

// ListQuery says which part of a list is wanted. Not every list takes every
// field. A page token carries the whole query, so it may come alone; fields
// that come beside it must be those of the query that it belongs to.
type ListQuery struct {
	Account string `json:"a"`
	IAMID   string `json:"i,omitempty"`
	Scope   string `json:"s,omitempty"` // of keys: "entity" or "account"
	Type    string `json:"t,omitempty"` // of keys: "user" or "serviceid"
	Group   string `json:"g,omitempty"`
	Name    string `json:"n,omitempty"` // exact
	Filter  string `json:"f,omitempty"`
	Sort    string `json:"o,omitempty"`
	Order   string `json:"d,omitempty"` // "asc" or "desc"
	Size    *int   `json:"z,omitempty"` // nil: lists.DefaultSize

	PageToken string `json:"-"`
}

// Page is one page of a list.
type Page[T any] struct {
	Items  []*T
	Offset int // index of the first item in the whole list
	Limit  int // size of a page
	// First, Previous and Next are page tokens; Previous and Next are "" at
	// the ends of the list.
	First, Previous, Next string
}

// listKind is what is particular to the list of one kind.
type listKind struct {
	name       string
	sorts      map[string]store.Order
	attributes []string // of filters
}

// binding is the query of a page token.
type binding struct {
	Kind string `json:"k"`
	ListQuery
}

// Listing is a query of a list of T that was checked.
type Listing[T any] struct {
	kind   listKind
	query  ListQuery
	size   int
	filter *lists.Filter
	at     lists.Token // zero: the first page
}

// Account is the account whose objects are listed.
func (l *Listing[T]) Account() string { return l.query.Account }

// open checks a query, and completes it from its page token.
func open[T any](s *Service, kind listKind, q ListQuery) (*Listing[T], error) {
	l := &Listing[T]{kind: kind, query: q}
	if q.PageToken != "" {
		if err := l.resume(s.pages); err != nil {
			return nil, err
		}
	}
	if err := CheckAccount("account_id", l.query.Account); err != nil {
		return nil, err
	}
	if l.query.Sort != "" {
		if _, ok := kind.sorts[l.query.Sort]; !ok {
			return nil, fault.Field("sort", "Parameter 'sort' must be one of %s.", sortNames(kind.sorts))
		}
	}
	if l.query.Order != "" {
		if err := oneOf("order", l.query.Order, "asc", "desc"); err != nil {
			return nil, err
		}
	}
	if err := text("name", l.query.Name, maxName); err != nil {
		return nil, err
	}
	var err error
	requested := 0
	if l.query.Size != nil {
		requested = *l.query.Size
	}
	if l.size, err = lists.Size(requested, l.query.Size != nil, "pagesize"); err != nil {
		return nil, err
	}
	l.filter, err = lists.ParseFilter(l.query.Filter, kind.attributes)
	return l, err
}

// resume takes the query over from the page token.
func (l *Listing[T]) resume(pages *lists.Sealer) error {
	token, err := pages.Read(l.query.PageToken, "pagetoken")
	if err != nil {
		return err
	}
	foreign := fault.Field("pagetoken", "Parameter 'pagetoken' belongs to a list with other parameters.")
	var b binding
	if json.Unmarshal([]byte(token.Query), &b) != nil || b.Kind != l.kind.name {
		return foreign
	}
	q := l.query
	for _, f := range [][2]string{
		{q.Account, b.Account}, {q.IAMID, b.IAMID}, {q.Scope, b.Scope}, {q.Type, b.Type}, {q.Group, b.Group},
		{q.Name, b.Name}, {q.Filter, b.Filter}, {q.Sort, b.Sort}, {q.Order, b.Order},
	} {
		if f[0] != "" && f[0] != f[1] {
			return foreign
		}
	}
	l.query = b.ListQuery
	l.query.PageToken = q.PageToken
	if q.Size != nil {
		l.query.Size = q.Size
	}
	l.at = token
	return nil
}

func sortNames(sorts map[string]store.Order) []string {
	var names []string
	for n := range sorts {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (l *Listing[T]) order() store.Order {
	if o, ok := l.kind.sorts[l.query.Sort]; ok {
		return o
	}
	return store.ByCreated
}

// read gives the page of a listing. base selects in the store; keep, which may
// be nil, selects further.
func read[T any](ctx context.Context, s *Service, l *Listing[T], c *store.Collection[T], base store.Query, keep func(*T) bool) (*Page[T], error) {
	base.Account, base.Order, base.Desc = l.query.Account, l.order(), l.query.Order == "desc"
	var got slice[T]
	err := s.db.View(ctx, func(r store.Reader) (err error) {
		got, err = readSlice(ctx, r, l, c, base, keep)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", c.Kind(), err)
	}
	out := &Page[T]{Items: got.items, Offset: got.offset, Limit: l.size}
	bound := l.bind()
	out.First = s.pages.Seal(lists.Token{Query: bound})
	if got.before {
		first := cursor(any(got.items[0]).(store.Entity).Base(), base.Order)
		out.Previous = s.pages.Seal(lists.Token{Query: bound, Cursor: first, Back: true, Offset: max(0, got.offset-l.size)})
	}
	if got.after {
		last := cursor(any(got.items[len(got.items)-1]).(store.Entity).Base(), base.Order)
		out.Next = s.pages.Seal(lists.Token{Query: bound, Cursor: last, Offset: got.offset + len(got.items)})
	}
	return out, nil
}

// slice is a part of a list; before and after tell whether more lies there and
// are false when it is empty.
type slice[T any] struct {
	items         []*T
	offset        int
	before, after bool
}

func readSlice[T any](ctx context.Context, r store.Reader, l *Listing[T], c *store.Collection[T], q store.Query, keep func(*T) bool) (out slice[T], err error) {
	if l.at.Back {
		back := q
		back.Desc, back.After = !q.Desc, &l.at.Cursor
		items, more, err := collect(ctx, r, c, back, l.size, keep)
		if err != nil {
			return out, err
		}
		if more {
			slices.Reverse(items)
			return slice[T]{items: items, offset: l.at.Offset, before: true, after: true}, nil
		}
		// The beginning of the list is nearer than a page: show the first page.
	} else if l.at.Cursor.ID != "" {
		q.After, out.offset = &l.at.Cursor, l.at.Offset
	}
	out.items, out.after, err = collect(ctx, r, c, q, l.size, keep)
	out.before = out.offset > 0 && len(out.items) > 0
	return out, err
}

// bind prints the query for page tokens.
func (l *Listing[T]) bind() string {
	q := l.query
	q.Size = &l.size
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(binding{l.kind.name, q}); err != nil {
		panic("encoding a list query: " + err.Error()) // strings and ints always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// scan is how many objects are read at once when some of them are dropped.
const scan = 200

// collect gives the first n objects of a query that pass keep, and whether
// more follow.
func collect[T any](ctx context.Context, r store.Reader, c *store.Collection[T], q store.Query, n int, keep func(*T) bool) (out []*T, more bool, err error) {
	q.Limit = n + 1
	if keep != nil {
		q.Limit = max(scan, n+1)
	}
	for {
		batch, err := c.List(ctx, r, q)
		if err != nil {
			return nil, false, err
		}
		for _, obj := range batch {
			if keep != nil && !keep(obj) {
				continue
			}
			if len(out) == n {
				return out, true, nil
			}
			out = append(out, obj)
		}
		if len(batch) < q.Limit {
			return out, false, nil
		}
		at := cursor(any(batch[len(batch)-1]).(store.Entity).Base(), q.Order)
		q.After = &at
	}
}

// cursor is an object's place in an order.
func cursor(m *store.Meta, order store.Order) store.Cursor {
	c := store.Cursor{ID: m.ID}
	switch order {
	case store.ByName:
		c.Text = m.Name
	case store.ByDescription:
		c.Text = m.Description
	case store.ByCreator:
		c.Text = m.CreatedBy
	case store.ByModified:
		c.Time = m.ModifiedAt.UnixMicro()
	case store.ByID:
	default:
		c.Time = m.CreatedAt.UnixMicro()
	}
	return c
}

// attribute gives the filter attributes that every kind has.
func attribute(m *store.Meta, name string) string {
	switch name {
	case "id":
		return m.ID
	case "name":
		return m.Name
	case "description":
		return m.Description
	case "created_by":
		return m.CreatedBy
	case "created_at":
		return m.CreatedAt.UTC().Format(Stamp)
	case "modified_at":
		return m.ModifiedAt.UTC().Format(Stamp)
	}
	return ""
}

// Stamp is the form of times in this API: minutes, and an offset without colon.
const Stamp = "2006-01-02T15:04-0700"
