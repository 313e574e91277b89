package cache

import (
	"testing"

	"pgregory.net/rapid"
)

func TestMapForgetsOnlyToStaySmall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(2, 10).Draw(t, "capacity")
		b := NewMap[int, int](capacity)
		last := map[int]int{} // what every present entry must hold
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := rapid.IntRange(0, 20).Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "op") {
			case 0:
				v := rapid.Int().Draw(t, "value")
				b.Put(k, v)
				last[k] = v
				if got, ok := b.Get(k); !ok || got != v {
					t.Fatalf("put %d=%d, got %d, %v", k, v, got, ok)
				}
			case 1:
				b.Remove(k)
				delete(last, k)
			default:
				if got, ok := b.Get(k); ok {
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

func TestMapKeepsWhatIsInUse(t *testing.T) {
	b := NewMap[int, string](4)
	b.Put(0, "in use")
	for k := 1; k < 100; k++ {
		b.Put(k, "passing by")
		if _, ok := b.Get(0); !ok {
			t.Fatalf("forgotten after %d others", k)
		}
	}
	if _, ok := b.Get(50); ok {
		t.Error("what nobody uses stays for ever")
	}
}
