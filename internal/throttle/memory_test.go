package throttle

import (
	"fmt"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
)

func TestMemoryIsForThoseWhoFailedAndBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	th := New(func() time.Time { return now })
	source, target := Limit{Burst: 2, Every: time.Minute}, Limit{Burst: 3, Every: time.Minute}
	guess := func(from, at string, err error) {
		if a, refused := th.Reserve(t.Context(), Bound{source, from}, Bound{target, at}); refused == nil {
			_ = a.Done(err)
		}
	}
	held := func(l Limit) int { return len(th.pool(l).byName) }
	wrong := fault.New(fault.Unauthenticated, "wrong")
	for i := range 100 {
		guess("right", fmt.Sprint(i), nil)
	}
	if held(source)+held(target) != 0 {
		t.Errorf("right ones leave %d and %d behind", held(source), held(target))
	}
	for i := range 100 {
		guess("throttled", fmt.Sprint(i), wrong)
	}
	if held(source) != 1 || held(target) != 2 {
		t.Errorf("a throttled source leaves %d and %d behind", held(source), held(target))
	}
	for i := range capacity + 100 {
		guess(fmt.Sprint(i), fmt.Sprint("name ", i), wrong)
	}
	if held(source) != capacity || held(target) != capacity || len(th.pool(source).idle) != capacity {
		t.Errorf("%d and %d are held", held(source), held(target))
	}
	now = now.Add(5 * time.Minute)
	guess("last", "last", wrong)
	if held(source) != 1 || held(target) != 1 {
		t.Errorf("what is forgiven stays: %d and %d", held(source), held(target))
	}
}
