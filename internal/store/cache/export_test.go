package cache

// Misses counts the reads that found nothing in memory.
func (c *Cache) Misses() int64 { return c.misses.Load() }
