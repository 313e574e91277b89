package devapi_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kagiban/kagiban/internal/dev/devapi"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

var things = &httpapi.Family{Name: "things", WriteError: httpapi.WriteErrors}

func call(id string) *httpapi.Call {
	return &httpapi.Call{Op: &httpapi.Operation{ID: id, Family: things, Method: "GET", Path: "/" + id}}
}

func faults(t *testing.T, specs ...devapi.FaultSpec) *devapi.Faults {
	t.Helper()
	f := devapi.NewFaults()
	f.Know([]httpapi.Operation{{ID: "one", Family: things}, {ID: "two", Family: things}})
	for _, s := range specs {
		if _, err := f.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// hits tells which of n calls are refused: "x" for refused, "." for not.
func hits(f *devapi.Faults, operation string, n int) string {
	var b strings.Builder
	for range n {
		if f.Intercept(context.Background(), call(operation)) != nil {
			b.WriteByte('x')
		} else {
			b.WriteByte('.')
		}
	}
	return b.String()
}

func TestAFaultsShareIsSpreadEvenly(t *testing.T) {
	for share, want := range map[float64]string{0: "xxxxxxxxxx", 1: "xxxxxxxxxx", .5: ".x.x.x.x.x", .1: ".........x", .25: "...x...x.."} {
		f := faults(t, devapi.FaultSpec{Operation: "one", Status: 500, Share: share})
		if got := hits(f, "one", 10); got != want {
			t.Errorf("share %v: %s, want %s", share, got, want)
		}
	}
}

func TestAFaultsCountEndsIt(t *testing.T) {
	f := faults(t, devapi.FaultSpec{Operation: "things.*", Status: 503, Count: 2, Share: .5})
	if got := hits(f, "one", 8); got != ".x.x...." {
		t.Errorf("got %s", got)
	}
	if n := len(f.List()); n != 0 {
		t.Errorf("%d faults are left", n)
	}
}

func TestTheFirstMatchingFaultDecides(t *testing.T) {
	f := faults(t, devapi.FaultSpec{Operation: "two", Status: 429}, devapi.FaultSpec{Operation: "*", Status: 503})
	if err := f.Intercept(context.Background(), call("two")); !errors.Is(err, fault.RateLimited) {
		t.Errorf("two: %v", err)
	}
	if err := f.Intercept(context.Background(), call("one")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("one: %v", err)
	}
}

func TestUnknownOperationsAndTooManyFaultsAreRefused(t *testing.T) {
	f := faults(t)
	for _, operation := range []string{"three", "things.three", "others.*", "", "devapi.*"} {
		if _, err := f.Add(devapi.FaultSpec{Operation: operation, Status: 500}); err == nil {
			t.Errorf("%q was taken", operation)
		}
	}
	for range 100 {
		if _, err := f.Add(devapi.FaultSpec{Operation: "*", Status: 500}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Add(devapi.FaultSpec{Operation: "*", Status: 500}); !errors.Is(err, fault.Limit) {
		t.Errorf("fault 101: %v", err)
	}
}

func TestADelayTakesItsTimeAndEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faults(t, devapi.FaultSpec{Operation: "one", Delay: "250ms"})
		start := time.Now()
		if err := f.Intercept(t.Context(), call("one")); err != nil || time.Since(start) != 250*time.Millisecond {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := f.Intercept(ctx, call("one")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller who went away: %v", err)
		}
	})
}

func TestTheClockMovesAndRunsOn(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := devapi.NewClock(func() time.Time { return now })
	if err := c.Advance(2 * time.Hour); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	if got := c.Now().Format(time.RFC3339); got != "2026-01-01T02:00:01Z" {
		t.Errorf("got %s", got)
	}
	if err := c.Set(time.Date(2020, 5, 6, 0, 0, 0, 0, time.FixedZone("", 3600))); err != nil {
		t.Fatal(err)
	}
	if got := c.Now().Format(time.RFC3339); got != "2020-05-05T23:00:00Z" {
		t.Errorf("got %s", got)
	}
	for range 3 { // far, but each step alone is in range
		_ = c.Advance(200 * 365 * 24 * time.Hour)
	}
	if got := c.Now().Year(); got > 2200 {
		t.Errorf("the clock left its range: %d", got)
	}
	c.Real()
	if !c.Now().Equal(now) {
		t.Errorf("real time is %s", c.Now())
	}
}

func TestRequestsKeepTheLast(t *testing.T) {
	q := devapi.NewRequests()
	for i := range 1200 {
		c := call("one")
		if i%2 == 1 {
			c = call("two")
		}
		c.Status = i
		c.Caller = &httpapi.Caller{Subject: policy.Subject{IAMID: "IBMid-A"}}
		q.Observe(c)
	}
	own := call("list_requests")
	own.Op.Family = devapi.Family
	q.Observe(own)
	last := q.Last(3, "")
	if len(last) != 3 || last[0].Status != 1199 || last[2].Status != 1197 || last[0].Caller != "IBMid-A" {
		t.Errorf("got %+v", last)
	}
	if all := q.Last(5000, ""); len(all) != 500 || all[499].Status != 700 {
		t.Errorf("%d are kept, the oldest with status %d", len(all), all[len(all)-1].Status)
	}
	if twos := q.Last(5000, "two"); len(twos) != 250 {
		t.Errorf("%d of one operation", len(twos))
	}
	q.Clear()
	if n := len(q.Last(10, "")); n != 0 {
		t.Errorf("%d after clearing", n)
	}
}

func guarded(host, path string, header ...string) int {
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	r := httptest.NewRequest("POST", "/", nil)
	r.URL.Path, r.Host, r.RemoteAddr = path, host, "127.0.0.1:40000"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	devapi.Guard(reached, "Dev.Example").ServeHTTP(w, r)
	return w.Code
}

func TestTheGuardKnowsLoopbackAndTheServersOwnNames(t *testing.T) {
	for _, host := range []string{"localhost", "LOCALHOST:4280", "127.0.0.1", "127.9.9.9:1", "[::1]:4280", "::1", "a.localhost:1",
		"dev.example:4280", "[::ffff:127.0.0.1]:1"} {
		if got := guarded(host, "/dev/v1/clock"); got != http.StatusTeapot {
			t.Errorf("%s: %d", host, got)
		}
	}
	for _, host := range []string{"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1:4280", "0.0.0.0",
		"[fe80::1]:1", "notlocalhost", "2130706433"} {
		if got := guarded(host, "/dev/v1/clock"); got != http.StatusForbidden {
			t.Errorf("%s: %d", host, got)
		}
		if got := guarded(host, "/identity/token"); got != http.StatusTeapot {
			t.Errorf("%s beside the aids: %d", host, got)
		}
	}
}

func TestTheGuardKnowsItsOwnMachine(t *testing.T) {
	at := func(peer, own string) int {
		reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		local, err := net.ResolveTCPAddr("tcp", own)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/dev/v1/clock", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
		r.Host, r.RemoteAddr = "localhost:4280", peer
		r.Header.Set("X-Forwarded-For", "127.0.0.1")
		w := httptest.NewRecorder()
		devapi.Guard(reached).ServeHTTP(w, r)
		return w.Code
	}
	for peer, own := range map[string]string{"127.0.0.1:1": "127.0.0.1:4280", "[::1]:1": "[::1]:4280",
		"[::ffff:127.0.0.1]:1": "127.0.0.1:4280", "192.0.2.5:1": "192.0.2.5:4280"} {
		if got := at(peer, own); got != http.StatusTeapot {
			t.Errorf("%s to %s: %d", peer, own, got)
		}
	}
	for peer, own := range map[string]string{"192.0.2.6:1": "192.0.2.5:4280", "[2001:db8::1]:1": "[2001:db8::2]:4280", "@": "127.0.0.1:4280"} {
		if got := at(peer, own); got != http.StatusForbidden {
			t.Errorf("%s to %s: %d", peer, own, got)
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add("localhost", "/dev/v1/clock", "http://evil.example", "")
	f.Add("[::1]:80", "//dev/", "", "cross-site")
	f.Fuzz(func(t *testing.T, host, path, origin, site string) {
		got := guarded(host, "/dev/"+path, "Origin", origin, "Sec-Fetch-Site", site)
		foreign := origin != "" && !strings.HasSuffix(strings.ToLower(origin), "://"+strings.ToLower(host))
		if got == http.StatusTeapot && (foreign || site == "cross-site" || site == "same-site") {
			t.Errorf("a foreign page got through: host %q, origin %q, site %q", host, origin, site)
		}
	})
}
