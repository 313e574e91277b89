package devapi

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

// FaultSpec says what shall go wrong.
type FaultSpec struct {
	// Operation is an operation id, "family.operation", "family.*" or "*". The
	// development aids themselves never fail.
	Operation string `json:"operation"`
	// Status is the status that is answered instead of the operation; 0 only delays.
	Status int `json:"status,omitempty"`
	// Delay passes before the answer, in Go's notation ("200ms").
	Delay string `json:"delay,omitempty"`
	// Count ends the fault after so many hits; 0 means until it is deleted.
	Count int `json:"count,omitempty"`
	// Share hits this part of the calls, evenly spread: 0.5 hits every second
	// one. 0 means all.
	Share float64 `json:"share,omitempty"`
	// RetryAfter is sent with the answer, in seconds.
	RetryAfter int `json:"retry_after,omitempty"`
}

// FaultState is a fault with what it has done.
type FaultState struct {
	ID string `json:"id"`
	FaultSpec
	Hits int `json:"hits"` // calls that it hit so far
}

// kinds maps the statuses that a fault may answer to what the families' envelopes render.
var kinds = map[int]fault.Kind{
	400: fault.Invalid, 401: fault.Unauthenticated, 403: fault.Forbidden, 404: fault.NotFound, 409: fault.Conflict,
	429: fault.RateLimited, 500: fault.Internal, 501: fault.NotBuilt, 503: fault.Unavailable,
}

// maxDelay bounds a fault's delay: a server that hangs longer than a client's
// longest timeout (go-sdk-core: 30 s) teaches nothing more.
const maxDelay = time.Minute

// maxFaults bounds the list.
const maxFaults = 100

func (f *FaultSpec) validate() error {
	delay, err := f.delay()
	switch {
	case f.Operation == "":
		return fault.Missing("operation")
	case f.Status != 0 && kinds[f.Status] == "":
		return fault.Field("status", "Property 'status' must be one of 400, 401, 403, 404, 409, 429, 500, 501, 503.")
	case err != nil || delay < 0 || delay > maxDelay:
		return fault.Field("delay", "Property 'delay' must be a duration up to %s, such as 200ms.", maxDelay)
	case f.Status == 0 && delay == 0:
		return fault.Field("status", "One of 'status' and 'delay' must be given.")
	case f.Count < 0:
		return fault.Field("count", "Property 'count' must not be negative.")
	case f.Share < 0 || f.Share > 1:
		return fault.Field("share", "Property 'share' must be between 0 and 1.")
	case f.RetryAfter < 0 || f.RetryAfter > 3600:
		return fault.Field("retry_after", "Property 'retry_after' must be between 0 and 3600.")
	}
	return nil
}

func (f *FaultSpec) delay() (time.Duration, error) {
	if f.Delay == "" {
		return 0, nil
	}
	return time.ParseDuration(f.Delay)
}

// Faults is the list of faults that are in force. Safe for concurrent use.
type Faults struct {
	mu      sync.Mutex // guards the fields below
	active  []*activeFault
	last    int
	known   map[string]bool // operation ids and patterns
	cleared chan struct{}   // closed when the list is cleared: delays end
}

type activeFault struct {
	FaultState
	delay time.Duration
	due   float64 // sum of shares; a call is hit when it reaches 1
}

// NewFaults makes an empty list.
func NewFaults() *Faults { return &Faults{cleared: make(chan struct{})} }

// Know tells which operations can fail: everything else is a misspelling.
func (f *Faults) Know(operations []httpapi.Operation) {
	known := map[string]bool{"*": true}
	for _, op := range operations {
		if op.Family != Family {
			known[op.ID], known[op.Family.Name+"."+op.ID], known[op.Family.Name+".*"] = true, true, true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = known
}

// Add puts a fault into force. The spec has been validated.
func (f *Faults) Add(spec FaultSpec) (*FaultState, error) {
	delay, err := spec.delay()
	if err != nil {
		return nil, fault.Field("delay", "Property 'delay' must be a duration such as 200ms.")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.known[spec.Operation] {
		return nil, fault.Field("operation", "Property 'operation' names no operation of this server; `kagiban operations` lists them.")
	}
	if len(f.active) >= maxFaults {
		return nil, fault.New(fault.Limit, "There are %d faults already; delete some.", maxFaults)
	}
	f.last++
	a := &activeFault{FaultState: FaultState{ID: strconv.Itoa(f.last), FaultSpec: spec}, delay: delay}
	f.active = append(f.active, a)
	state := a.FaultState
	return &state, nil
}

// List gives the faults in force, oldest first.
func (f *Faults) List() []FaultState {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]FaultState, len(f.active))
	for i, a := range f.active {
		out[i] = a.FaultState
	}
	return out
}

// Remove ends one fault and reports whether there was one.
func (f *Faults) Remove(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.active)
	f.active = slices.DeleteFunc(f.active, func(a *activeFault) bool { return a.ID == id })
	return len(f.active) < before
}

// Clear ends all faults; calls that are being delayed go on at once.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = nil
	close(f.cleared)
	f.cleared = make(chan struct{})
}

// Intercept delays or refuses a call that a fault hits: the first fault in
// force that matches decides. It is the router's Intercept.
func (f *Faults) Intercept(ctx context.Context, c *httpapi.Call) error {
	hit, cleared := f.hit(c.Op)
	if hit == nil {
		return nil
	}
	if hit.delay > 0 {
		timer := time.NewTimer(hit.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-cleared:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if hit.Status == 0 {
		return nil
	}
	return &fault.Error{Kind: kinds[hit.Status], Code: "injected_fault", Message: "This answer was ordered through /dev/v1/faults.",
		RetryAfter: time.Duration(hit.RetryAfter) * time.Second}
}

// hit finds the fault for a call and counts it.
func (f *Faults) hit(op *httpapi.Operation) (*activeFault, <-chan struct{}) {
	if op.Family == Family {
		return nil, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.active {
		if !matches(a.Operation, op) {
			continue
		}
		if a.Share > 0 {
			// The small term keeps ten times 0.1 from missing 1.
			if a.due += a.Share; a.due < 1-1e-9 {
				continue
			}
			a.due--
		}
		a.Hits++
		if a.Count > 0 && a.Hits >= a.Count {
			f.active = slices.Delete(f.active, i, i+1)
		}
		copied := *a
		return &copied, f.cleared
	}
	return nil, nil
}

func matches(pattern string, op *httpapi.Operation) bool {
	family, id, dotted := strings.Cut(pattern, ".")
	switch {
	case pattern == "*":
		return true
	case dotted:
		return family == op.Family.Name && (id == "*" || id == op.ID)
	}
	return pattern == op.ID
}
