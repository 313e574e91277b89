package throttle_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/throttle"
)

func TestThrottleCountsFailuresOnly(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limit := throttle.Limit{Burst: 2, Every: time.Minute}
	th := throttle.New(func() time.Time { return now })
	for range 10 {
		if err := th.Open(limit, "a"); err != nil {
			t.Fatalf("looking counts: %v", err)
		}
	}
	wrong := fault.Field("apikey", "wrong")
	for range 2 {
		if err := th.Failed(limit, "a", wrong); err != wrong {
			t.Fatalf("within the burst: %v", err)
		}
	}
	if err := th.Failed(limit, "a", wrong); err == wrong || err == nil {
		t.Errorf("after the burst: %v", err)
	}
	if err := th.Open(limit, "b"); err != nil {
		t.Errorf("another source: %v", err)
	}
	now = now.Add(-time.Hour) // the development clock may go back
	if err := th.Open(limit, "a"); err == nil {
		t.Error("going back in time opens the bucket")
	}
	now = now.Add(time.Hour + 59*time.Second)
	if err := th.Open(limit, "a"); err == nil {
		t.Error("open a second too early")
	}
	now = now.Add(time.Second)
	if err := th.Open(limit, "a"); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

func TestOnlyRefusalsCountAsGuesses(t *testing.T) {
	limit := throttle.Limit{Burst: 1, Every: time.Minute}
	th := throttle.New(func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) })
	broken := errors.New("the store does not answer")
	for range 5 {
		if err := th.FailedIfRefused(limit, "a", broken); err != broken {
			t.Fatalf("a failure of the server: %v", err)
		}
	}
	refused := fault.New(fault.Unauthenticated, "wrong")
	if err := th.FailedIfRefused(limit, "a", refused); err != refused {
		t.Errorf("the first guess: %v", err)
	}
	if err := th.FailedIfRefused(limit, "a", refused); !errors.Is(err, fault.RateLimited) || fault.Of(err).RetryAfter != time.Minute {
		t.Errorf("the second guess: %v", err)
	}
	if th.Forget(); th.Open(limit, "a") != nil {
		t.Error("nothing was forgiven")
	}
}

func TestOneCustomerIsOneSource(t *testing.T) {
	for a, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "::ffff:203.0.113.9": "203.0.113.9",
		"2001:db8:1:2::1": "2001:db8:1:2::/64", "2001:db8:1:2:ffff::7": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := throttle.Source(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is of %s, want %s", a, got, want)
		}
	}
}
