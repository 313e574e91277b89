// Package throttle bounds guessing: it counts failed attempts, per source and
// per target, and tells when somebody has to wait. Who asks, and for what, is
// its callers' business.
package throttle

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// Limit is a bucket of failed attempts: Burst at once, then one each Every.
type Limit struct {
	Burst int
	Every time.Duration
}

// capacity bounds the buckets in memory, about 200 bytes each. Whoever fills it
// with other sources only forgets buckets that nobody uses.
const capacity = 32 << 10

// Throttle counts failures. Only they count, so it never slows valid traffic.
// It is safe for concurrent use.
type Throttle struct {
	now     func() time.Time
	buckets *cache.Map[bucketKey, *rate.Limiter]
}

type bucketKey struct {
	limit Limit
	who   string
}

// New makes a Throttle that nobody has failed at.
func New(now func() time.Time) *Throttle {
	return &Throttle{now: now, buckets: cache.NewMap[bucketKey, *rate.Limiter](capacity)}
}

// Forget forgives everybody.
func (t *Throttle) Forget() { t.buckets.Clear() }

func (t *Throttle) bucket(limit Limit, who string) *rate.Limiter {
	return t.buckets.GetOrPut(bucketKey{limit, who}, func() *rate.Limiter {
		return rate.NewLimiter(rate.Every(limit.Every), limit.Burst)
	})
}

// Open tells whether another attempt may be judged, or gives
// fault.RateLimited. It counts nothing.
func (t *Throttle) Open(limit Limit, who string) error {
	b := t.bucket(limit, who)
	missing := 1 - b.TokensAt(t.now())
	if missing <= 0 {
		return nil
	}
	return errTooMany(time.Duration(missing * float64(limit.Every)))
}

// Failed counts a failure and gives err, or 429 when the source failed too often.
func (t *Throttle) Failed(limit Limit, who string, err error) error {
	if t.bucket(limit, who).AllowN(t.now(), 1) {
		return err
	}
	if tooMany := t.Open(limit, who); tooMany != nil {
		return tooMany
	}
	return err
}

// FailedIfRefused counts err when it says that the credential was not good, and
// leaves other errors alone.
func (t *Throttle) FailedIfRefused(limit Limit, who string, err error) error {
	if errors.Is(err, fault.Invalid) || errors.Is(err, fault.Unauthenticated) {
		return t.Failed(limit, who, err)
	}
	return err
}

// Source names where a request comes from: the address, of IPv6 the /64 that
// one customer holds.
func Source(a netip.Addr) string {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

func errTooMany(wait time.Duration) error {
	return &fault.Error{Kind: fault.RateLimited, Code: "too_many_requests", RetryAfter: max(wait, time.Second),
		Message: "Too many failed attempts from this source or for this user. Try again later."}
}
