package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// Config is what a Router needs. All fields but Observe and Intercept are required.
type Config struct {
	Operations    []Operation
	Authenticator Authenticator
	Authorizer    Authorizer
	Now           func() time.Time
	Log           *slog.Logger
	// Trusted are the networks of proxies whose X-Forwarded-For is believed.
	Trusted []netip.Prefix
	// Fallback answers paths that no operation has (pages, health, metrics);
	// nil answers 404.
	Fallback http.Handler
	// Default is the family whose envelope unknown API paths are answered with.
	Default *Family
	// Observe sees each call after its answer; it must be quick.
	Observe func(*Call)
	// Intercept may answer instead of the operation by returning an error, or
	// delay it; development uses it to inject faults.
	Intercept func(context.Context, *Call) error
}

// Router serves the table of operations. It is safe for concurrent use.
type Router struct {
	cfg  Config
	mux  *http.ServeMux
	ids  id.Generator
	fams map[string]*Family     // by mux pattern, for 405 answers
	none map[*Family]*Operation // what stands for a path that nothing serves
}

// NewRouter checks the table and makes a Router. It fails on duplicate ids or
// routes and on rows without access rule: an operation that nobody decided on
// cannot be reached.
func NewRouter(cfg Config) (rt *Router, err error) {
	defer func() { // ServeMux panics on conflicting patterns
		if p := recover(); p != nil {
			err = fmt.Errorf("building routes: %v", p)
		}
	}()
	rt = &Router{cfg: cfg, mux: http.NewServeMux(), fams: map[string]*Family{},
		none: map[*Family]*Operation{cfg.Default: unserved(cfg.Default)}}
	seen := map[string]bool{}
	for i := range cfg.Operations {
		op := &cfg.Operations[i]
		if err := checkRow(op, seen); err != nil {
			return nil, err
		}
		if rt.none[op.Family] == nil {
			rt.none[op.Family] = unserved(op.Family)
		}
		if op.AnyOrigin {
			rt.mux.HandleFunc(http.MethodOptions+" "+op.Path, func(w http.ResponseWriter, r *http.Request) { rt.preflight(op, w, r) })
		}
		for _, path := range op.paths() {
			rt.fams[op.Method+" "+path] = op.Family
			rt.mux.HandleFunc(op.Method+" "+path, func(w http.ResponseWriter, r *http.Request) { rt.serve(op, w, r) })
		}
	}
	rt.mux.HandleFunc("/", rt.unknownPath)
	return rt, nil
}

func checkRow(op *Operation, seen map[string]bool) error {
	rules := 0
	for _, s := range []string{op.Access.Action, op.Access.Self, op.Access.Public} {
		if s != "" {
			rules++
		}
	}
	key := op.Family.Name + "." + op.ID
	switch {
	case rules != 1:
		return fmt.Errorf("operation %s must have exactly one access rule, has %d", key, rules)
	case seen[key]:
		return fmt.Errorf("operation %s stands twice in the table", key)
	case op.serve == nil || op.Success == 0:
		return fmt.Errorf("operation %s has no handler or status", key)
	case strings.HasSuffix(op.Path, "/") && op.Path != "/":
		return fmt.Errorf("operation %s: path must not end in a slash", key)
	}
	seen[key] = true
	return nil
}

// Operations gives the table, for documents and reports.
func (rt *Router) Operations() []Operation { return rt.cfg.Operations }

// ServeHTTP routes on the escaped path: CRNs in path segments arrive with %2F
// and must stay one segment. Doubled and trailing slashes are dropped, never
// answered with a redirect (a redirect turns POST into GET in many clients).
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	escaped := r.URL.EscapedPath()
	if clean := cleanPath(escaped); clean != escaped {
		path, err := url.PathUnescape(clean)
		if err != nil {
			http.Error(w, `{"errors":[{"code":"invalid","message":"The path is malformed."}],"status_code":400}`, http.StatusBadRequest)
			return
		}
		u := *r.URL
		u.Path, u.RawPath = path, clean
		r2 := *r
		r2.URL = &u
		r = &r2
	}
	rt.mux.ServeHTTP(w, r)
}

// cleanPath drops doubled and trailing slashes of an escaped path.
func cleanPath(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	if len(p) > 1 {
		p = strings.TrimSuffix(p, "/")
	}
	return p
}

func (rt *Router) serve(op *Operation, w http.ResponseWriter, r *http.Request) {
	c := rt.begin(op, r)
	rt.standardHeaders(w, c)
	if op.AnyOrigin {
		w.Header()["Access-Control-Allow-Origin"] = headerAnyOrigin
	}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // what was panicked with, not a wrapped error
				panic(p)
			}
			rt.cfg.Log.Error("panic in handler", "operation", op.ID, "transaction_id", c.TransactionID, "panic", fmt.Sprint(p), "stack",
				string(debug.Stack()))
			rt.fail(w, c, &fault.Error{Kind: fault.Internal})
		}
		rt.end(c)
	}()
	if err := rt.run(op, c, w, r); err != nil {
		rt.fail(w, c, err)
	}
}

func (rt *Router) run(op *Operation, c *Call, w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if rt.cfg.Intercept != nil {
		if err := rt.cfg.Intercept(ctx, c); err != nil {
			return err
		}
	}
	if len(r.Header["Authorization"]) > 1 {
		return errTwoTokens
	}
	if op.Access.Public == "" {
		caller, err := rt.authenticate(ctx, c, r)
		if err != nil {
			return err
		}
		c.Caller = caller
	}
	if err := decodeBody(w, r); err != nil {
		return err
	}
	ctx = store.WithOrigin(ctx, c.origin())
	if op.Method != http.MethodGet { // which writes nothing that rests on a decision, and may make very many
		ctx = store.WithBasis(ctx)
	}
	return op.serve(ctx, rt, c, w, r)
}

// errNoToken is the documented answer to a call without Authorization header.
var errNoToken = &fault.Error{Kind: fault.Unauthenticated, Code: "missing_authorization", Number: "BXNIM0308E",
	Message: "No authorization header found"}

// errTwoTokens refuses a call whose readers could disagree on who calls.
var errTwoTokens = &fault.Error{Kind: fault.Invalid, Field: "Authorization", Message: "There is more than one Authorization header."}

func (rt *Router) authenticate(ctx context.Context, c *Call, r *http.Request) (*Caller, error) {
	h := r.Header.Get("Authorization")
	if h == "" {
		return nil, errNoToken
	}
	scheme, token, ok := strings.Cut(h, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil, &fault.Error{Kind: fault.Unauthenticated, Code: "invalid_access_token",
			Message: "The Authorization header must hold a Bearer token."}
	}
	return rt.cfg.Authenticator.Authenticate(ctx, strings.TrimSpace(token), c.Address)
}

func (rt *Router) begin(op *Operation, r *http.Request) *Call {
	c := &Call{Op: op, Method: r.Method, Start: time.Now(), rt: rt, Address: realIP(r, rt.cfg.Trusted), Agent: clip(r.UserAgent(), 200),
		URL: r.URL, secure: secure(r, rt.cfg.Trusted)}
	c.Base = baseURL(r, c.secure)
	c.TransactionID = validTransaction(r.Header.Get("Transaction-Id"))
	if c.TransactionID == "" {
		c.TransactionID = rt.ids.Hex(16)
	}
	c.RequestID = rt.ids.UUID()
	return c
}

func (c *Call) origin() store.Origin {
	o := store.Origin{TransactionID: c.TransactionID, Operation: c.Op.ID, Agent: c.Agent}
	if c.Address.IsValid() {
		o.Address = c.Address.String()
	}
	if c.Caller != nil {
		o.IAMID, o.Name, o.Account = c.Caller.IAMID, c.Caller.Name, c.Caller.Account
		if c.Caller.Email != "" { // audit records name people by their address
			o.Name = c.Caller.Email
		}
		o.Credential = "token"
		if c.Caller.Kind == policy.KindProfile {
			o.Credential, o.Subject = "profile", c.Caller.AuthnID
		}
	}
	return o
}

// standardHeaders are the ones that clients of the official service see on
// every answer.
func (rt *Router) standardHeaders(w http.ResponseWriter, c *Call) {
	h := w.Header()
	// One array for all values of this answer; appending to a header copies.
	values := []string{c.TransactionID, c.RequestID, c.Op.Family.Service}
	h["Transaction-Id"] = values[0:1:1]
	h["X-Correlation-Id"] = values[0:1:1]
	h["X-Request-Id"] = values[1:2:2]
	h["Cache-Control"] = headerNoCache
	h["Pragma"] = headerPragma
	h["Expires"] = headerExpires
	h["Content-Language"] = headerLanguage
	h["X-Content-Type-Options"] = headerNosniff
	if c.secure { // over plain HTTP it would mean nothing, or be somebody else's
		h["Strict-Transport-Security"] = headerHSTS
	}
	if c.Op.Family.Service != "" {
		h["Ibm-Cloud-Service-Name"] = values[2:3:3]
	}
}

var (
	headerNoCache    = []string{"no-cache, no-store, must-revalidate"}
	headerPragma     = []string{"no-cache"}
	headerExpires    = []string{"0"}
	headerLanguage   = []string{"en-US"}
	headerNosniff    = []string{"nosniff"}
	headerAnyOrigin  = []string{"*"}
	headerNoTokenYet = []string{Challenge}
	headerBadToken   = []string{Challenge + `, error="invalid_token"`}
	headerHSTS       = []string{"max-age=31536000; includeSubDomains"}
)

// Challenge says which credential a 401 asks for.
const Challenge = `Bearer realm="kagiban"`

// fail answers with the family's envelope. Internal errors show no text.
func (rt *Router) fail(w http.ResponseWriter, c *Call, err error) {
	e := fault.Of(err)
	if errors.Is(err, context.Canceled) {
		e = &fault.Error{Kind: fault.Unavailable, Message: "The request was cancelled.", Cause: err}
	}
	status := StatusOf(e.Kind)
	c.Err, c.Status = e, status
	if e.Kind == fault.Internal {
		rt.cfg.Log.Error("internal error", "operation", c.Op.ID, "transaction_id", c.TransactionID, "error", e.Error())
		e = &fault.Error{Kind: fault.Internal, Code: "internal_error",
			Message: "An internal error occurred. Quote the transaction id to the operator of this server."}
	}
	if e.RetryAfter > 0 {
		seconds := int((e.RetryAfter + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	if status == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = headerBadToken
		if errors.Is(err, errNoToken) {
			w.Header()["Www-Authenticate"] = headerNoTokenYet
		}
	}
	c.Op.Family.WriteError(w, c, e, status)
}

func (rt *Router) end(c *Call) {
	if rt.cfg.Log.Enabled(context.Background(), slog.LevelInfo) {
		rt.logCall(c)
	}
	if rt.cfg.Observe != nil {
		rt.cfg.Observe(c)
	}
}

// logCall writes the one line of a call. It holds no header, body or query:
// secrets travel there. A path stands in it only when nothing serves it.
func (rt *Router) logCall(c *Call) {
	now := time.Now()
	// Made by hand: the logger would look for the line of code that called it.
	r := slog.NewRecord(now, slog.LevelInfo, "request", 0)
	r.AddAttrs(
		slog.String("operation", c.Op.ID), slog.Int("status", c.Status),
		slog.Duration("took", now.Sub(c.Start)), slog.String("transaction_id", c.TransactionID),
		slog.String("address", c.Address.String()),
	)
	if c.Op.serve == nil {
		r.AddAttrs(slog.String("method", c.Asked()), slog.String("path", c.Path()))
	}
	if c.Caller != nil {
		r.AddAttrs(slog.String("iam_id", c.Caller.IAMID), slog.String("account", c.Caller.Account))
	}
	if c.Decision != nil {
		r.AddAttrs(slog.String("action", c.Action), slog.Bool("allowed", c.Decision.Allowed))
	}
	if c.Err != nil {
		r.AddAttrs(slog.String("error", c.Err.Error()))
	}
	_ = rt.cfg.Log.Handler().Handle(context.Background(), r) // as the logger does
}

// statuses are those of the kinds of fault. A stale entity tag is 409, not 412:
// the official service says so.
var statuses = map[fault.Kind]int{
	fault.Unauthenticated:  http.StatusUnauthorized,
	fault.Invalid:          http.StatusBadRequest,
	fault.TooLarge:         http.StatusRequestEntityTooLarge,
	fault.ContentType:      http.StatusUnsupportedMediaType,
	fault.MethodNotAllowed: http.StatusMethodNotAllowed,
	fault.NotFound:         http.StatusNotFound,
	fault.Forbidden:        http.StatusForbidden,
	fault.Conflict:         http.StatusConflict,
	fault.Stale:            http.StatusConflict,
	fault.Limit:            http.StatusConflict,
	fault.State:            http.StatusUnprocessableEntity,
	fault.RateLimited:      http.StatusTooManyRequests,
	fault.NotBuilt:         http.StatusNotImplemented,
	fault.Unavailable:      http.StatusServiceUnavailable,
}

// StatusOf maps a kind of fault to its HTTP status.
func StatusOf(k fault.Kind) int { return cmp.Or(statuses[k], http.StatusInternalServerError) }
