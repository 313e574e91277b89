package token

import (
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
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

// Caches gives the counters of the service's caches by name.
func (s *Service) Caches() map[string]CacheStats {
	out := map[string]CacheStats{}
	for name, counts := range map[string]func() (hits, misses int64){"credentials": s.logins.Counts, "profiles": s.trusts.Counts,
		"bearer_tokens": s.known.Counts} {
		hits, misses := counts()
		out[name] = CacheStats{hits, misses}
	}
	return out
}

// CacheStats counts how often a cache had what was asked for.
type CacheStats struct{ Hits, Misses int64 }
