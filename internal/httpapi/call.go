package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
)

// Caller is an authenticated identity: the subject that decisions are made
// about, and what else a verified token says of it. It is shared between
// requests and never changed.
type Caller struct {
	policy.Subject        // IAMID, Account, Kind, claims of a federated login
	Name           string // display name
	Email          string
	Session        string // login session, "" if none
	// AuthnID and AuthnName are the original identity behind a profile, else
	// the identity itself.
	AuthnID   string
	AuthnName string
	ClientID  string
	GrantType string
	Expires   time.Time
}

// Authenticator turns a bearer token that a client at an address shows into a
// Caller. Errors are fault.Unauthenticated, and fault.Forbidden for a good token
// that may not be used from there.
type Authenticator interface {
	Authenticate(ctx context.Context, token string, from netip.Addr) (*Caller, error)
}

// Authorizer asks the one decision function, policy.Decide, with the snapshot
// of the resource's account.
type Authorizer interface {
	Decide(ctx context.Context, r policy.Request) (policy.Decision, error)
	// Extent asks policy.ExtentOf likewise.
	Extent(ctx context.Context, r policy.Request) (policy.Extent, policy.Decision, error)
	// Admits tells whether the subject of a request meets what the account of its
	// resource demands of whoever acts in it.
	Admits(ctx context.Context, r policy.Request) (bool, error)
	// Rights gives what the subject of a request holds in the account of its
	// resource, in its environment.
	Rights(ctx context.Context, r policy.Request) (asker.Rights, error)
}

// Call is one request on its way. It belongs to the goroutine of the request.
type Call struct {
	Op            *Operation
	Method        string  // of the request
	Caller        *Caller // nil for Public operations
	TransactionID string
	RequestID     string
	Start         time.Time
	Address       netip.Addr // the real client's address
	Agent         string
	URL           *url.URL // of the request, slashes cleaned
	Base          string   // scheme and host under which the client reached us

	// Filled in on the way, for the log line.
	Action   string
	Decision *policy.Decision
	Err      *fault.Error
	Status   int

	secure  bool // the client's side of the connection is encrypted
	etag    string
	success int
	absent  *fault.Error // what Seeks said
	rt      *Router
}

// SetETag sets the ETag response header to the entity tag, without quotes as
// the official service does.
func (c *Call) SetETag(tag string) { c.etag = tag }

// Seeks tells which object the call is about, before it is looked for. An
// object of another account is then refused with the very text of an absent one.
func (c *Call) Seeks(what, id string) { c.absent = fault.NoObject(what, id) }

// SeeksOr is Seeks for families that word the absence of an object themselves.
func (c *Call) SeeksOr(absent *fault.Error) { c.absent = absent }

// SetStatus overrides the row's success status.
func (c *Call) SetStatus(status int) { c.success = status }

func (c *Call) status() int {
	if c.success != 0 {
		return c.success
	}
	return c.Op.Success
}

// Now is the server's time: the development clock in dev.
func (c *Call) Now() time.Time { return c.rt.cfg.Now() }

// Authorize decides an action on a resource for the caller and gives nil,
// fault.NotFound (the caller may not know of the resource) or fault.Forbidden.
func (c *Call) Authorize(ctx context.Context, action string, target Target) error {
	return c.rt.decide(ctx, c, action, target)
}

// A Call is how the domain knows who asks.
var _ asker.Asker = (*Call)(nil)

// Subject implements asker.Asker.
func (c *Call) Subject() policy.Subject {
	if c.Caller == nil {
		return policy.Subject{}
	}
	return c.Caller.Subject
}

// May implements asker.Asker. Of operations without an action of their own, what
// was asked last stands in the log line.
func (c *Call) May(ctx context.Context, action string, target Target) (bool, error) {
	d, err := c.rt.cfg.Authorizer.Decide(ctx, c.question(action, target))
	c.note(action, d, err)
	return d.Allowed, err
}

// Extent implements asker.Asker; it is noted as May is.
func (c *Call) Extent(ctx context.Context, action string, target Target) (policy.Extent, error) {
	extent, d, err := c.rt.cfg.Authorizer.Extent(ctx, c.question(action, target))
	c.note(action, d, err)
	return extent, err
}

// Sight is what the caller may see of a list.
type Sight = asker.Sight

// Look gives what the caller may see of all that a target stands for.
func (c *Call) Look(ctx context.Context, action string, target Target) (Sight, error) {
	return asker.Look(ctx, c, action, target)
}

func (c *Call) note(action string, d policy.Decision, err error) {
	if err == nil && c.Op.Access.Action == "" {
		c.Action, c.Decision = action, &d
	}
}

// Rights implements asker.Asker.
func (c *Call) Rights(ctx context.Context, account string) (asker.Rights, error) {
	return c.rt.cfg.Authorizer.Rights(ctx, c.question("", Target{Account: account}))
}

// Admitted implements asker.Asker.
func (c *Call) Admitted(ctx context.Context, account string) (bool, error) {
	return c.rt.cfg.Authorizer.Admits(ctx, c.question("", Target{Account: account}))
}

func (c *Call) question(action string, target Target) policy.Request {
	return policy.Request{Subject: c.Subject(), Action: action, Resource: target,
		Environment: policy.Environment{Now: c.Now(), SourceIP: c.Address, Client: true}}
}

func (rt *Router) authorize(ctx context.Context, c *Call, target Target) error {
	if c.Op.Access.Action == "" {
		return nil
	}
	return rt.decide(ctx, c, c.Op.Access.Action, target)
}

func (rt *Router) decide(ctx context.Context, c *Call, action string, target Target) error {
	d, err := rt.cfg.Authorizer.Decide(ctx, c.question(action, target))
	if err != nil {
		return err
	}
	c.Action, c.Decision = action, &d
	if d.Allowed {
		return nil
	}
	if unmet := c.unmet(d.Reason); unmet != nil {
		return unmet
	}
	sub := c.Subject()
	return asker.Refusal(&sub, action, target, c.absent)
}

// unmet words the refusal of somebody who has access, and who does not meet what
// the account demands of whoever acts in it; nil for other reasons.
func (c *Call) unmet(why policy.Reason) error {
	e := &fault.Error{Kind: fault.Forbidden, Code: "not_authorized", Number: "BXNIM0501E",
		Message: "You are not authorized to perform this operation."}
	switch why {
	case policy.ReasonAddress:
		e.Number, e.Details = "BXNIM0430E", "The account permits no access from "+c.Address.String()+"."
	case policy.ReasonFactor:
		e.Details = "The account demands another way to log in than the one behind the token. Use an API key of the account."
	case policy.ReasonUnbound:
		e.Details = "The token is bound to no account. Choose the account first."
	default:
		return nil
	}
	return e
}

func writeEmpty(w http.ResponseWriter, c *Call) error {
	c.finish(w)
	c.Status = c.status()
	w.WriteHeader(c.Status)
	return nil
}

// WriteJSON answers with a JSON value. An Op does it itself, a Raw calls it.
func WriteJSON(w http.ResponseWriter, c *Call, status int, v any) error {
	c.finish(w)
	w.Header().Set("Content-Type", "application/json")
	c.Status = status
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// The status is out: the connection is gone or the value is a defect.
		c.Err = fault.Wrap(err, "writing answer")
	}
	return nil
}

func (c *Call) finish(w http.ResponseWriter) {
	if c.etag != "" {
		w.Header()["ETag"] = []string{c.etag}
	}
}
