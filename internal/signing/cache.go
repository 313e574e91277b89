package signing

import (
	"crypto/sha256"
	"sync"
)

// tokenCache remembers verified tokens by the hash of their text. It keeps two
// generations: new entries go to the young one, and when that is full it
// becomes the old one and the old one is dropped. An entry that is used while
// old moves back to the young one. So the size is bounded, entries in use stay,
// and no list has to be maintained on each hit.
type tokenCache[T any] struct {
	// half is the capacity of one generation.
	half int
	// mu guards young and old.
	mu         sync.RWMutex
	young, old map[[sha256.Size]byte]*Verified[T]
}

func newTokenCache[T any](capacity int) *tokenCache[T] {
	return &tokenCache[T]{half: max(capacity/2, 1), young: make(map[[sha256.Size]byte]*Verified[T])}
}

func (c *tokenCache[T]) get(sum [sha256.Size]byte) *Verified[T] {
	c.mu.RLock()
	hit, isYoung := c.young[sum]
	if !isYoung {
		hit = c.old[sum]
	}
	c.mu.RUnlock()
	if hit != nil && !isYoung {
		c.put(sum, hit)
	}
	return hit
}

func (c *tokenCache[T]) put(sum [sha256.Size]byte, t *Verified[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.half {
		c.young, c.old = make(map[[sha256.Size]byte]*Verified[T]), c.young
	}
	c.young[sum] = t
}

func (c *tokenCache[T]) remove(sum [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, sum)
	delete(c.old, sum)
}
