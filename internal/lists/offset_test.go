package lists

import (
	"errors"
	"math"
	"net/url"
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// numbers is a list of n items.
func numbers(n int) Source[int] {
	list := make([]*int, n)
	for i := range list {
		list[i] = &i
	}
	return Held(list, false, func(i *int) store.Cursor { return store.Cursor{Time: int64(*i), ID: "x"} })
}

// Clients that only count need no tokens.
func TestPagesByOffsetCoverTheListOnce(t *testing.T) {
	u, _ := url.Parse("/v2/groups?account_id=a")
	for total := range 8 {
		for size := 1; size < 5; size++ {
			var seen []int
			for offset := 0; ; offset += size {
				head, items, err := ByOffset(t.Context(), sealer(1), numbers(total), OffsetIn{Limit: &size, Offset: &offset}, "http://h", u)
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range items {
					seen = append(seen, *i)
				}
				if head.TotalCount != total || head.Offset != offset || (head.Previous == nil) != (offset == 0) {
					t.Fatalf("head at %d of %d: %+v", offset, total, head)
				}
				if head.Next == nil {
					break
				}
				next, _ := url.Parse(head.Next.Href)
				if next.Query().Get("account_id") != "a" {
					t.Fatalf("next link lost the query: %s", head.Next.Href)
				}
			}
			if len(seen) != total || !slices.IsSorted(seen) {
				t.Errorf("total %d, size %d: %v on the pages", total, size, seen)
			}
		}
	}
}

func TestAbsurdOffsetsAreRefusedOrEmpty(t *testing.T) {
	u, _ := url.Parse("/v2/groups")
	for _, c := range []struct{ limit, offset int }{{-1, 0}, {101, 0}, {10, -1}, {math.MaxInt, 0}, {10, math.MinInt}} {
		if _, _, err := ByOffset(t.Context(), sealer(1), numbers(5), OffsetIn{Limit: &c.limit, Offset: &c.offset}, "", u); !errors.Is(err,
			fault.Invalid) {
			t.Errorf("limit %d offset %d: %v, want invalid", c.limit, c.offset, err)
		}
	}
	huge := math.MaxInt
	if head, items, err := ByOffset(t.Context(), sealer(1), numbers(5), OffsetIn{Offset: &huge}, "", u); err != nil || len(items) != 0 ||
		head.Previous == nil {
		t.Errorf("an offset behind the end gives %d items, %v", len(items), err)
	}
	if _, _, err := ByOffset(t.Context(), sealer(1), numbers(5), OffsetIn{Start: "x"}, "", u); !errors.Is(err, fault.Invalid) ||
		fault.Of(err).Field != "start" {
		t.Errorf("a forged start: %v", err)
	}
}
