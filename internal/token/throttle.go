package token

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/kagiban/kagiban/internal/fault"
)

// Limit is a bucket of failed attempts: Burst at once, then one each Every.
type Limit struct {
	Burst int
	Every time.Duration
}

// Limits bound guessing. Only failures count, so they never slow valid traffic:
// an exchange of a good API key passes whatever its source did before, unless it
// names a client whose secret the source guessed at.
type Limits struct {
	// Credential bounds unknown API keys, refresh tokens and passcodes, per
	// source.
	Credential Limit
	// Client bounds wrong client secrets, per source. Over it right ones are
	// refused too: an operator chose them, perhaps badly.
	Client Limit
	// PasswordSource and PasswordTarget bound wrong passwords, per source and
	// per user name.
	PasswordSource Limit
	PasswordTarget Limit
}

// DefaultLimits leave room for a badly configured fleet behind one address and
// none for guessing: an API key has 264 bits, a passcode 59, and a password
// gets 10 tries and then one in 30 s.
var DefaultLimits = Limits{
	Credential:     Limit{Burst: 200, Every: 100 * time.Millisecond},
	Client:         Limit{Burst: 20, Every: 5 * time.Second},
	PasswordSource: Limit{Burst: 50, Every: 2 * time.Second},
	PasswordTarget: Limit{Burst: 10, Every: 30 * time.Second},
}

// throttleCapacity bounds the buckets in memory, about 200 bytes each. Whoever
// fills it with other sources only forgets buckets that nobody uses.
const throttleCapacity = 32 << 10

type throttle struct {
	limits  Limits
	now     func() time.Time
	buckets *bounded[bucketKey, *rate.Limiter]
}

type bucketKey struct {
	limit Limit
	who   string
}

func newThrottle(limits Limits, now func() time.Time) *throttle {
	return &throttle{limits: limits, now: now, buckets: newBounded[bucketKey, *rate.Limiter](throttleCapacity)}
}

func (t *throttle) bucket(limit Limit, who string) *rate.Limiter {
	return t.buckets.getOrPut(bucketKey{limit, who}, func() *rate.Limiter {
		return rate.NewLimiter(rate.Every(limit.Every), limit.Burst)
	})
}

// open tells whether another attempt may be judged, or gives
// fault.RateLimited. It counts nothing.
func (t *throttle) open(limit Limit, who string) error {
	b := t.bucket(limit, who)
	missing := 1 - b.TokensAt(t.now())
	if missing <= 0 {
		return nil
	}
	return errTooMany(time.Duration(missing * float64(limit.Every)))
}

// failed counts a failure and gives err, or 429 when the source failed too often.
func (t *throttle) failed(limit Limit, who string, err error) error {
	if t.bucket(limit, who).AllowN(t.now(), 1) {
		return err
	}
	if tooMany := t.open(limit, who); tooMany != nil {
		return tooMany
	}
	return err
}

// failedIfRefused counts err when it says that the credential was not good, and
// leaves other errors alone.
func (t *throttle) failedIfRefused(limit Limit, who string, err error) error {
	if errors.Is(err, fault.Invalid) || errors.Is(err, fault.Unauthenticated) {
		return t.failed(limit, who, err)
	}
	return err
}

// source names where a request comes from: the address, of IPv6 the /64 that
// one customer holds.
func source(a netip.Addr) string {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// target names the user that an attempt is for. It is bounded because it comes
// from the caller.
func target(username string) string {
	username = strings.ToLower(strings.TrimSpace(username))
	if len(username) > maxUsername {
		username = username[:maxUsername]
	}
	return username
}

// maxUsername is the longest e-mail address (RFC 5321 section 4.5.3.1).
const maxUsername = 254
