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
func read[T any](ctx context.Context, s *Service, l *Listing[T], c *store.Collection[T], base store.Query,
	keep func(*T) bool) (*Page[T], error) {
	base.Account, base.Order, base.Desc = l.query.Account, l.order(), l.query.Order == "desc"
	src := lists.Stored[T]{Of: c, Query: base}
	if keep != nil {
		src.Keep = func(obj *T) (bool, error) { return keep(obj), nil }
	}
	var got *lists.Page[T]
	err := s.db.View(ctx, func(r store.Reader) (err error) {
		src.From = r
		got, err = lists.Cut(ctx, src, l.at, l.size)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", c.Kind(), err)
	}
	out := &Page[T]{Items: got.Items, Offset: got.Offset, Limit: l.size}
	out.First, out.Previous, out.Next = got.Tokens(s.pages, l.bind())
	return out, nil
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
