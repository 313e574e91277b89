package devapi

import (
	"slices"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/httpapi"
)

// requestsKept is how many requests are remembered: a suite's worth of context
// around a failure in well under a megabyte.
const requestsKept = 500

// Request is what is remembered of one call. It holds no header, body or URL:
// secrets travel there.
type Request struct {
	At            time.Time `json:"at"` // real time, not the moved clock
	Family        string    `json:"family"`
	Operation     string    `json:"operation"`
	Method        string    `json:"method"`
	Path          string    `json:"path"` // of the table: segments stay named; what was asked for where nothing is served
	Status        int       `json:"status"`
	Took          float64   `json:"took_ms"`
	TransactionID string    `json:"transaction_id"`
	Address       string    `json:"address,omitempty"`
	Caller        string    `json:"caller,omitempty"` // IAM id
	Account       string    `json:"account,omitempty"`
	Action        string    `json:"action,omitempty"`
	Decision      *Decision `json:"decision,omitempty"`
	Error         string    `json:"error,omitempty"` // text that the client saw, or the private cause
}

// Decision is the answer of the last policy decision of a call.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	Policy  string `json:"policy_id,omitempty"`
	Role    string `json:"role_id,omitempty"`
	Group   string `json:"access_group_id,omitempty"`
}

// Requests remembers the last calls. Safe for concurrent use.
type Requests struct {
	mu   sync.Mutex // guards ring and next
	ring []Request
	next int
}

// NewRequests makes an empty memory.
func NewRequests() *Requests { return &Requests{} }

// Observe remembers a call after its answer; calls of the development aids are
// left out, so that looking does not push away what one looks for.
func (q *Requests) Observe(c *httpapi.Call) {
	if c.Op.Family == Family {
		return
	}
	r := Request{
		At: c.Start.UTC(), Family: c.Op.Family.Name, Operation: c.Op.ID, Method: c.Asked(), Path: c.Path(), Status: c.Status,
		Took: float64(time.Since(c.Start).Microseconds()) / 1000, TransactionID: c.TransactionID, Action: c.Action,
	}
	if c.Address.IsValid() {
		r.Address = c.Address.String()
	}
	if c.Caller != nil {
		r.Caller, r.Account = c.Caller.IAMID, c.Caller.Account
	}
	if d := c.Decision; d != nil {
		r.Decision = &Decision{Allowed: d.Allowed, Reason: d.Reason.String(), Policy: d.PolicyID, Role: d.RoleID, Group: d.GroupID}
	}
	if c.Err != nil {
		r.Error = c.Err.Error()
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ring) < requestsKept {
		q.ring = append(q.ring, r)
		return
	}
	q.ring[q.next] = r
	q.next = (q.next + 1) % requestsKept
}

// Last gives at most n calls, newest first, of one operation or of all ("").
func (q *Requests) Last(n int, operation string) []Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := []Request{}
	for i := len(q.ring) - 1; i >= 0 && len(out) < n; i-- {
		r := q.ring[(q.next+i)%len(q.ring)]
		if operation == "" || operation == r.Operation {
			out = append(out, r)
		}
	}
	return slices.Clip(out)
}

// Clear forgets all calls.
func (q *Requests) Clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ring, q.next = nil, 0
}
