package lists

import (
	"cmp"
	"context"
	"net/url"
	"strconv"

	"github.com/kagiban/kagiban/internal/fault"
)

// Href is a link in a list that is paged by offset.
type Href struct {
	Href string `json:"href"`
}

// Offsets is the head of a list that is paged by offset and limit (access
// groups and their templates). Next and Previous are absent at the ends:
// clients stop paging when next is.
type Offsets struct {
	Limit      int   `json:"limit"`
	Offset     int   `json:"offset"`
	TotalCount int   `json:"total_count"`
	First      Href  `json:"first"`
	Previous   *Href `json:"previous,omitempty"`
	Next       *Href `json:"next,omitempty"`
	Last       Href  `json:"last"`
}

// DefaultOffsetLimit is the page size of lists by offset when none is asked for.
const DefaultOffsetLimit = 50

// OffsetIn are the parameters of a list that is paged by offset.
type OffsetIn struct {
	Limit  *int `query:"limit"` // 0 or nil: DefaultOffsetLimit; at most MaxSize
	Offset *int `query:"offset"`
	// Start is in the links of pages: they go on where the page before ended,
	// whatever came or went meanwhile. Clients that only count need none.
	Start string `query:"start"`
}

func (in *OffsetIn) bounds() (size, offset int, err error) {
	size = DefaultOffsetLimit
	if in.Limit != nil {
		if *in.Limit < 0 || *in.Limit > MaxSize {
			return 0, 0, fault.Field("limit", "Parameter 'limit' must be between 0 and %d.", MaxSize)
		}
		size = cmp.Or(*in.Limit, DefaultOffsetLimit)
	}
	if in.Offset != nil {
		if offset = *in.Offset; offset < 0 {
			return 0, 0, fault.Field("offset", "Parameter 'offset' must not be negative.")
		}
	}
	return size, offset, nil
}

// ByOffset gives the page that is asked for and its head. u is the request's URL,
// base the server's.
func ByOffset[T any](ctx context.Context, s *Sealer, src Source[T], in OffsetIn, base string, u *url.URL) (
	head Offsets, items []*T, err error) {
	size, offset, err := in.bounds()
	if err != nil {
		return head, nil, err
	}
	total, err := src.count(ctx)
	if err != nil {
		return head, nil, err
	}
	query := bind(u, "", "offset", "start")
	p, err := cut(ctx, s, src, in, query, size, min(offset, total))
	if err != nil {
		return head, nil, err
	}
	if in.Start != "" {
		offset = p.Offset
	}
	link := func(at int, t *Token) Href {
		q := u.Query()
		q.Set("limit", strconv.Itoa(size))
		q.Set("offset", strconv.Itoa(at))
		q.Del("start")
		if t != nil {
			q.Set("start", s.seal(t, query))
		}
		return Href{base + u.EscapedPath() + "?" + q.Encode()}
	}
	head = Offsets{Limit: size, Offset: offset, TotalCount: total, First: link(0, nil), Last: link(max(0, (total-1)/size*size), nil)}
	if offset > 0 {
		previous := link(max(0, min(offset, total)-size), p.previous)
		head.Previous = &previous
	}
	if p.next != nil {
		next := link(p.next.Offset, p.next)
		head.Next = &next
	}
	return head, p.Items, nil
}

// cut gives the page behind the token of a link, or else behind the first skip
// items.
func cut[T any](ctx context.Context, s *Sealer, src Source[T], in OffsetIn, query string, size, skip int) (*Page[T], error) {
	if in.Start != "" {
		at, err := s.Open(in.Start, query, "start")
		if err != nil {
			return nil, err
		}
		return Cut(ctx, src, at, size)
	}
	if skip == 0 {
		return Cut(ctx, src, Token{}, size)
	}
	before, err := src.read(ctx, nil, false, skip)
	if err != nil {
		return nil, err
	}
	if len(before) < skip {
		return &Page[T]{Offset: skip}, nil
	}
	return Cut(ctx, src, Token{Cursor: src.place(before[skip-1]), Offset: skip}, size)
}
