package cache

import (
	"sync"
	"sync/atomic"
)

// Map is a map of limited size, for what is derived from objects and is not one.
// It keeps two generations: entries are born young; when the young half is full it becomes the old one, and what was old
// is dropped unless it was used meanwhile. So what is in use stays, and a hit
// costs one read lock. Safe for concurrent use.
type Map[K comparable, V any] struct {
	half int
	// mu guards young and old.
	mu         sync.RWMutex
	young, old map[K]V
	// hits and misses count the gets.
	hits, misses atomic.Int64
}

// NewMap makes a map of at most capacity entries.
func NewMap[K comparable, V any](capacity int) *Map[K, V] {
	return &Map[K, V]{half: max(capacity/2, 1), young: map[K]V{}, old: map[K]V{}}
}

// Get gives an entry, and whether it is there.
func (b *Map[K, V]) Get(key K) (V, bool) {
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
func (b *Map[K, V]) promote(key K, v V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, taken := b.young[key]; !taken {
		b.insert(key, v)
	}
}

// Put keeps an entry.
func (b *Map[K, V]) Put(key K, v V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.insert(key, v)
}

// insert wants mu.
func (b *Map[K, V]) insert(key K, v V) {
	if len(b.young) >= b.half {
		b.young, b.old = make(map[K]V), b.young
	}
	delete(b.old, key)
	b.young[key] = v
}

// GetOrPut gives the entry, or makes and keeps one.
func (b *Map[K, V]) GetOrPut(key K, make func() V) V {
	if v, ok := b.Get(key); ok {
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

// Remove forgets an entry.
func (b *Map[K, V]) Remove(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.young, key)
	delete(b.old, key)
}

// Clear forgets everything.
func (b *Map[K, V]) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.young, b.old = map[K]V{}, map[K]V{}
}

// Counts tells how often Get found something, and how often nothing.
func (b *Map[K, V]) Counts() (hits, misses int64) { return b.hits.Load(), b.misses.Load() }
