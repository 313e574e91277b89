package lists

import (
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

// ByOffset checks limit (0 to MaxSize; nil means the default) and offset and
// gives the head of the page and the bounds of its items in a list of total.
// u is the request's URL, base the server's.
func ByOffset(base string, u *url.URL, limit, offset *int, total int) (head Offsets, from, to int, err error) {
	size, start := DefaultOffsetLimit, 0
	if limit != nil {
		if size = *limit; size < 0 || size > MaxSize {
			return head, 0, 0, fault.Field("limit", "Parameter 'limit' must be between 0 and %d.", MaxSize)
		}
	}
	if size == 0 {
		size = DefaultOffsetLimit
	}
	if offset != nil {
		if start = *offset; start < 0 {
			return head, 0, 0, fault.Field("offset", "Parameter 'offset' must not be negative.")
		}
	}
	link := func(at int) Href {
		q := u.Query()
		q.Set("limit", strconv.Itoa(size))
		q.Set("offset", strconv.Itoa(at))
		return Href{base + u.EscapedPath() + "?" + q.Encode()}
	}
	from, to = min(start, total), total
	if total-from > size {
		to = from + size
	}
	head = Offsets{Limit: size, Offset: start, TotalCount: total, First: link(0), Last: link(max(0, (total-1)/size*size))}
	if start > 0 {
		previous := link(max(0, min(start, total)-size))
		head.Previous = &previous
	}
	if to < total {
		next := link(to)
		head.Next = &next
	}
	return head, from, to, nil
}
