package lists

import (
	"errors"
	"math"
	"net/url"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
)

func TestPagesByOffsetCoverTheListOnce(t *testing.T) {
	u, _ := url.Parse("/v2/groups?account_id=a")
	for total := range 8 {
		for size := 1; size < 5; size++ {
			offset, seen := 0, 0
			for {
				head, from, to, err := ByOffset("http://h", u, &size, &offset, total)
				if err != nil {
					t.Fatal(err)
				}
				seen += to - from
				if head.Next == nil {
					break
				}
				next, _ := url.Parse(head.Next.Href)
				if next.Query().Get("account_id") != "a" {
					t.Fatalf("next link lost the query: %s", head.Next.Href)
				}
				offset = to
			}
			if seen != total {
				t.Errorf("total %d, size %d: %d items on the pages", total, size, seen)
			}
		}
	}
}

func TestAbsurdOffsetsAreRefusedOrEmpty(t *testing.T) {
	u, _ := url.Parse("/v2/groups")
	for _, c := range []struct{ limit, offset int }{{-1, 0}, {101, 0}, {10, -1}, {math.MaxInt, 0}, {10, math.MinInt}} {
		if _, _, _, err := ByOffset("", u, &c.limit, &c.offset, 5); !errors.Is(err, fault.Invalid) {
			t.Errorf("limit %d offset %d: %v, want invalid", c.limit, c.offset, err)
		}
	}
	huge := math.MaxInt
	if _, from, to, err := ByOffset("", u, nil, &huge, 5); err != nil || from != to {
		t.Errorf("an offset behind the end gives %d items, %v", to-from, err)
	}
}
