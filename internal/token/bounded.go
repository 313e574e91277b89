package token

import (
	"sync"
	"sync/atomic"
)

// bounded is a map of limited size. It keeps two generations: entries are born
// young; when the young half is full it becomes the old one, and what was old
// is dropped unless it was used meanwhile. So what is in use stays, and a hit
// costs one read lock. Safe for concurrent use.
type bounded[K comparable, V any] struct {
	half int
	// mu guards young and old.
	mu         sync.RWMutex
	young, old map[K]V
	// hits and misses count the gets.
	hits, misses atomic.Int64
}

func newBounded[K comparable, V any](capacity int) *bounded[K, V] {
	return &bounded[K, V]{half: max(capacity/2, 1), young: map[K]V{}, old: map[K]V{}}
}

func (b *bounded[K, V]) get(key K) (V, bool) {
	b.mu.RLock()
	v, young := b.young[key]
	ok := young
	if !young {
		v, ok = b.old[key]
	}
	b.mu.RUnlock()
	if ok {
		b.hits.Add(1)
	} else {
		b.misses.Add(1)
	}
	if ok && !young {
		b.promote(key, v)
	}
	return v, ok
}

// promote moves an entry to the young half unless somebody put another one
// there meanwhile.
func (b *bounded[K, V]) promote(key K, v V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, taken := b.young[key]; !taken {
		b.insert(key, v)
	}
}

func (b *bounded[K, V]) put(key K, v V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.insert(key, v)
}

// insert wants mu.
func (b *bounded[K, V]) insert(key K, v V) {
	if len(b.young) >= b.half {
		b.young, b.old = make(map[K]V), b.young
	}
	delete(b.old, key)
	b.young[key] = v
}

// getOrPut gives the entry, or makes and keeps one.
func (b *bounded[K, V]) getOrPut(key K, make func() V) V {
	if v, ok := b.get(key); ok {
		return v
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if v, ok := b.young[key]; ok {
		return v
	}
	v := make()
	b.insert(key, v)
	return v
}

func (b *bounded[K, V]) remove(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.young, key)
	delete(b.old, key)
}

func (b *bounded[K, V]) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.young, b.old = map[K]V{}, map[K]V{}
}
