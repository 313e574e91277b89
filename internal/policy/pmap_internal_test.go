package policy

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

func TestThePersistentMapBehavesLikeAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			m    pmap[int]
			want map[string]int
		}
		versions := []version{{want: map[string]int{}}}
		now := versions[0]
		by := new(edit)
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "key"))
			now.want = maps.Clone(now.want)
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				now.m = now.m.remove(by, key)
				delete(now.want, key)
			case 1:
				// A version that is kept must not share nodes that the next
				// edit changes.
				versions = append(versions, now)
				by = new(edit)
				if rapid.Bool().Draw(t, "always copy") {
					by = nil
				}
			default:
				now.m = now.m.set(by, key, i)
				now.want[key] = i
			}
		}
		for _, v := range append(versions, now) {
			got := map[string]int{}
			for k, x := range v.m.all() {
				got[k] = x
			}
			if !maps.Equal(got, v.want) || v.m.len != len(v.want) {
				t.Fatalf("got %v (length %d), want %v", got, v.m.len, v.want)
			}
			for k, x := range v.want {
				if y, ok := v.m.get(k); !ok || x != y {
					t.Fatalf("key %s: %d, %v, want %d", k, y, ok, x)
				}
			}
			if _, ok := v.m.get("no such key"); ok {
				t.Fatal("a key was found that nobody set")
			}
		}
	})
}

// All keys of a node beneath the last level have the same hash, so that they
// can only be told apart one by one.
func TestKeysWithEqualHashesAreKeptApart(t *testing.T) {
	const hash = 42
	by := new(edit)
	var n *pnode[int]
	for i, key := range []string{"a", "b", "c"} {
		n, _ = n.set(by, hash, pmapBits+1, pslot[int]{key: key, value: i})
	}
	n, added := n.set(by, hash, pmapBits+1, pslot[int]{key: "b", value: 9})
	if added || len(n.slots) != 3 {
		t.Errorf("setting a key again added it: %d slots", len(n.slots))
	}
	if i, ok := n.find(hash, pmapBits+1, "b"); !ok || n.slots[i].value != 9 {
		t.Error("b was not replaced")
	}
	n = n.remove(by, hash, pmapBits+1, "a")
	if _, ok := n.find(hash, pmapBits+1, "a"); ok || len(n.slots) != 2 {
		t.Error("a is still there")
	}
	n = n.remove(by, hash, pmapBits+1, "b").remove(by, hash, pmapBits+1, "c")
	if n != nil {
		t.Error("an empty node was kept")
	}
}

func TestAWalkCanBeEnded(t *testing.T) {
	var m pmap[int]
	for i := range 100 {
		m = m.set(nil, fmt.Sprint(i), i)
	}
	seen := 0
	for range m.all() {
		if seen++; seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("the walk went on to %d", seen)
	}
}
