package token

import (
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/signing"
)

// grantLabel names a grant for metrics: without the common part of IBM's URNs,
// and "unknown" for texts that a caller made up.
func (s *Service) grantLabel(grantType string) string {
	if _, ok := s.grants[grantType]; !ok {
		return "unknown"
	}
	return strings.TrimPrefix(grantType, "urn:ibm:params:oauth:grant-type:")
}

// outcomeOf names the end of an exchange for metrics.
func outcomeOf(err error) string {
	if err == nil {
		return "success"
	}
	return string(fault.Of(err).Kind)
}

// CacheStats counts how often a cache had what was asked for.
type CacheStats struct{ Hits, Misses int64 }

// Caches gives the counters of the service's caches by name.
func (s *Service) Caches() map[string]CacheStats {
	return map[string]CacheStats{"credentials": s.logins.stats(), "profiles": s.trusts.stats(), "bearer_tokens": s.known.stats()}
}

func (b *bounded[K, V]) stats() CacheStats { return CacheStats{b.hits.Load(), b.misses.Load()} }

// SigningSince tells since when the current key signs; the zero time before
// there is one.
func (s *Service) SigningSince() time.Time {
	for _, r := range s.ring.Records() {
		if r.State == signing.StateCurrent {
			return r.ActivatedAt
		}
	}
	return time.Time{}
}
