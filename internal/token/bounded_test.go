package token

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBoundedMapForgetsOnlyToStaySmall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(2, 10).Draw(t, "capacity")
		b := newBounded[int, int](capacity)
		last := map[int]int{} // what every present entry must hold
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := rapid.IntRange(0, 20).Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0:
				v := rapid.Int().Draw(t, "value")
				b.put(k, v)
				last[k] = v
				if got, ok := b.get(k); !ok || got != v {
					t.Fatalf("put %d=%d, got %d, %v", k, v, got, ok)
				}
			case 1:
				b.remove(k)
				delete(last, k)
			default:
				if got, ok := b.get(k); ok {
					if want, there := last[k]; !there || got != want {
						t.Fatalf("key %d gives %d, want %d (%v)", k, got, want, there)
					}
				}
			}
			if n := len(b.young) + len(b.old); n > capacity+1 {
				t.Fatalf("%d entries, capacity %d", n, capacity)
			}
		}
	})
}

func TestBoundedMapKeepsWhatIsInUse(t *testing.T) {
	b := newBounded[int, string](4)
	b.put(0, "in use")
	for k := 1; k < 100; k++ {
		b.put(k, "passing by")
		if _, ok := b.get(0); !ok {
			t.Fatalf("forgotten after %d others", k)
		}
	}
	if _, ok := b.get(50); ok {
		t.Error("what nobody uses stays for ever")
	}
}

func TestThrottleCountsFailuresOnly(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limit := Limit{Burst: 2, Every: time.Minute}
	th := newThrottle(DefaultLimits, func() time.Time { return now })
	for range 10 {
		if err := th.open(limit, "a"); err != nil {
			t.Fatalf("looking counts: %v", err)
		}
	}
	wrong := errKeyUnknown()
	for range 2 {
		if err := th.failed(limit, "a", wrong); err != wrong {
			t.Fatalf("within the burst: %v", err)
		}
	}
	if err := th.failed(limit, "a", wrong); err == wrong || err == nil {
		t.Errorf("after the burst: %v", err)
	}
	if err := th.open(limit, "b"); err != nil {
		t.Errorf("another source: %v", err)
	}
	now = now.Add(-time.Hour) // the development clock may go back
	if err := th.open(limit, "a"); err == nil {
		t.Error("going back in time opens the bucket")
	}
	now = now.Add(time.Hour + 59*time.Second)
	if err := th.open(limit, "a"); err == nil {
		t.Error("open a second too early")
	}
	now = now.Add(time.Second)
	if err := th.open(limit, "a"); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}
