// Package store is the contract of Kagiban's memory: objects with one shared
// life, unique look-up keys, and one event log that is audit trail, history,
// replication and cache invalidation at once. Collection gives the typed view.
// It holds no rule of IAM and no SQL; the implementations are sqlitestore and
// pgstore, and storetest is the suite that both pass.
package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
)

// System is the account of objects that belong to the installation itself:
// signing keys, OAuth clients, the catalogue of own services.
const System = "system"

// Meta is what every object has beside its body. Bodies embed it.
//
// Account, ID, Parent, Name, Description and Owner are set by the domain;
// Version, Tag and the four stamps by Collection when it writes.
type Meta struct {
	Account     string `json:"-"` // owning account; part of the primary key
	ID          string `json:"-"` // unique within (kind, account); random ids are unique everywhere
	Parent      string `json:"-"` // id of the object that this one is part of, "" if none
	Name        string `json:"-"`
	Description string `json:"-"`
	Owner       string `json:"-"` // IAM id that the object belongs to (the identity of an API key)

	Version    int64     `json:"-"` // 1 at birth, +1 for each write
	Tag        string    `json:"-"` // entity tag "<version>-<32 hex>"
	CreatedAt  time.Time `json:"-"` // UTC, microseconds
	CreatedBy  string    `json:"-"` // IAM id
	ModifiedAt time.Time `json:"-"`
	ModifiedBy string    `json:"-"`
}

// Base gives the metadata of any body that embeds Meta.
func (m *Meta) Base() *Meta { return m }

// Key is a unique look-up key. A (Space, Value) pair names at most one object
// of the whole installation; account-wide uniqueness puts the account into
// Value. Values that are secret are keyed hashes.
type Key struct{ Space, Value string }

// Record is the stored form of an object.
type Record struct {
	Kind string
	Meta
	Body []byte // JSON
	Keys []Key
}

// Order is the sort column of a list. Ties are broken by id, in the same
// direction, so that every order is total.
type Order string

// The orders. Text sorts by bytes (C collation) in every store.
const (
	ByCreated     Order = "created_at" // default
	ByModified    Order = "modified_at"
	ByName        Order = "name"
	ByDescription Order = "description"
	ByCreator     Order = "created_by"
	ByID          Order = "id"
)

// Cursor is a place in an order: just after (or, backwards, before) the
// object with this sort value and id. Times are microseconds since 1970.
type Cursor struct {
	Text string `json:"t,omitempty"`
	Time int64  `json:"m,omitempty"`
	ID   string `json:"i"`
	// Account breaks the tie between equal ids in lists over every account;
	// it is not read when the query names one.
	Account string `json:"a,omitempty"`
}

// CursorAt gives the place of an object in an order, to continue after it.
func CursorAt(o Order, m *Meta) *Cursor {
	c := &Cursor{ID: m.ID, Account: m.Account}
	switch o {
	case ByModified:
		c.Time = m.ModifiedAt.UnixMicro()
	case ByName:
		c.Text = m.Name
	case ByDescription:
		c.Text = m.Description
	case ByCreator:
		c.Text = m.CreatedBy
	case ByID:
	default:
		c.Time = m.CreatedAt.UnixMicro()
	}
	return c
}

// Query selects objects of one kind. Empty fields do not restrict.
type Query struct {
	Kind    string
	Account string // "" lists every account: only for the installation's own sweeps
	Parent  string
	Owner   string
	Name    string // exact
	Order   Order
	Desc    bool
	After   *Cursor // exclusive; in the direction of the order
	Limit   int     // 0: no limit; otherwise at most this many
}

// Reader reads one consistent state. Errors wrap fault.NotFound,
// fault.Unavailable or are internal. Records come without their Keys.
type Reader interface {
	// Get gives one object. With account "" the id alone must name it.
	Get(ctx context.Context, kind, account, id string) (*Record, error)
	// Lookup gives the object that holds a unique key.
	Lookup(ctx context.Context, key Key) (*Record, error)
	// List gives the objects of a query in its order.
	List(ctx context.Context, q Query) ([]*Record, error)
	// IDs gives the ids of the objects of a query, sorted; Order, After and
	// Limit are ignored. It costs a tenth of List.
	IDs(ctx context.Context, q Query) ([]string, error)
	// Count counts the objects of a query; Order, After and Limit are ignored.
	Count(ctx context.Context, q Query) (int, error)
	// History gives the events of one object, oldest first, at most limit
	// (the newest ones); the events of its parts have their own ids.
	History(ctx context.Context, account, kind, id string, limit int) ([]Event, error)
}

// LogReader is what the Reader of View is as well: it reads the log in the same
// state as the objects, so that what is derived from them knows its place in it.
type LogReader interface {
	// Events and Head are those of DB.
	Events(ctx context.Context, account string, after int64, limit int) ([]Event, error)
	Head(ctx context.Context, account string) (int64, error)
}

// Op is what a change does to its object.
type Op string

// The operations.
const (
	Create Op = "create"
	Update Op = "update"
	Delete Op = "delete"
	// Reset is told to subscribers, in an event without account, when they
	// must forget everything derived from the store: it was emptied, or its
	// log could not be followed without a gap. It is never in the log; Seq is
	// of no use to subscribers.
	Reset Op = "reset"
)

// Change is one write: the new state of an object and the event that tells of
// it. There is no way to write the one without the other.
type Change struct {
	Op     Op
	Record *Record // for Delete: Kind, Account, ID and Version
	// From is the version that the change was made from; the write fails with
	// fault.Stale when the stored version is another. Ignored by Create, which
	// fails with fault.Conflict when the id or a key exists.
	From  int64
	Event Event
}

// Tx is one transaction. Everything in it becomes durable together or not at
// all. It must not be used after its function returned.
type Tx interface {
	Reader
	// Now is the time of the transaction; all its rows share it.
	Now() time.Time
	// Head is where the account's log will stand if the transaction ends here:
	// its events so far, and those that the transaction has written.
	Head(ctx context.Context, account string) (int64, error)
	// Write applies a change. Text must be UTF-8 without NUL and within the
	// sizes of package sqlstore, otherwise fault.Invalid. After a Write that
	// failed the transaction can only be rolled back: Update gives that error
	// even when fn swallows it. Event's Account, Kind, Target, Parent, Op and At
	// are filled in from the record when empty, Origin from the context.
	Write(ctx context.Context, c Change) error
	// Hold fails with ErrMoved when an object is not at a version any more, or
	// gone. What was found before the transaction and holds is as if it had been
	// read in it.
	Hold(ctx context.Context, kind, account, id string, version int64) error
	// Tokens gives the transaction's view of the short-lived records.
	Tokens() Tokens
	// Jobs gives the transaction's view of lasting work: what a write causes is
	// scheduled together with it.
	Jobs() Jobs
}

// ErrMoved tells that an object was written or deleted after it was found and
// before the transaction that relied on it ended. It is a fault.Stale. What was
// decided about the object is void: find it again, and decide again.
var ErrMoved = &fault.Error{Kind: fault.Stale, Code: "conflict", Message: "The object was changed since it was read.",
	Details: "Others keep changing it at the same time. Try again."}

// DB is a store. All methods are safe for concurrent use.
type DB interface {
	// Direct reads without a transaction: each call sees a state of its own.
	// It saves the round trips of View where one read is enough.
	Direct() Reader
	// View runs fn on a consistent state. fn must not call the DB, only its Reader.
	View(ctx context.Context, fn func(Reader) error) error
	// Update runs fn in a transaction and returns when its writes are durable
	// and this node's subscribers have seen its events. fn may run more than
	// once (serialization failures) and must not have effects of its own. An
	// error of fn rolls back and is returned unchanged. fn must not call the
	// DB, only its Tx: the second connection may never come.
	Update(ctx context.Context, fn func(Tx) error) error

	// Subscribe registers fn for every event that becomes visible here: own
	// writes before Update returns, other nodes' writes as the log is followed
	// (within 100 ms on PostgreSQL; events of one account arrive in order,
	// each at least once). fn must be quick, must not call the store and must
	// not change or keep the slice.
	// The function that it gives ends the subscription.
	Subscribe(fn func([]Event)) (cancel func())
	// Events reads the log of one account after a sequence number, oldest
	// first, at most limit (0: all).
	Events(ctx context.Context, account string, after int64, limit int) ([]Event, error)
	// AllEvents reads the newest events of all accounts, newest last, at most
	// limit, later than since. For operators and development.
	AllEvents(ctx context.Context, since time.Time, limit int) ([]Event, error)
	// Head is the last sequence number of an account; 0 before its first write.
	Head(ctx context.Context, account string) (int64, error)

	// Tokens gives the short-lived records outside of a transaction; each call
	// is its own transaction.
	Tokens() Tokens
	// Jobs gives lasting work outside of a transaction; each call is its own.
	Jobs() Jobs
	// OnSchedule registers fn for the moments at which jobs that were scheduled
	// on this node have become durable. fn must be quick and must not call the
	// store. The function that it gives ends the registration.
	OnSchedule(fn func()) (cancel func())
	// AddActivity adds counters; see Activity. One transaction.
	AddActivity(ctx context.Context, batch []Activity) error
	// GetActivity gives the counters of a subject; zero when it never was active.
	GetActivity(ctx context.Context, account, subject string) (Activity, error)
	// ListActivity gives the counters of an account.
	ListActivity(ctx context.Context, account string) ([]Activity, error)

	// Reset deletes everything. Only for development and tests.
	Reset(ctx context.Context) error
	// Ping tells whether the store answers.
	Ping(ctx context.Context) error
	// Close ends background work and releases the store.
	Close() error
}

// Origin says who caused an event and through which request. Package httpapi
// puts it into the context.
type Origin struct {
	IAMID         string `json:"iam_id,omitempty"`
	Name          string `json:"name,omitempty"`
	Account       string `json:"account,omitempty"`    // account of the token
	Subject       string `json:"subject,omitempty"`    // authn: the original identity behind a profile
	Credential    string `json:"credential,omitempty"` // credential type of CADF: "apikey", "profile", "token"
	TransactionID string `json:"transaction_id,omitempty"`
	Operation     string `json:"operation,omitempty"` // operation id
	Address       string `json:"address,omitempty"`   // client address
	Agent         string `json:"agent,omitempty"`     // user agent, at most 200 bytes
}

type originKey struct{}

// WithOrigin attaches the origin of the writes that are made under the context.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf gives the origin attached to the context, or the zero value.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// Event is an entry of the log. Seq counts from 1 without gaps in each account
// and follows the order in which the account's transactions became durable.
type Event struct {
	Account string    `json:"account"`
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	Action  string    `json:"action"` // audit action, e.g. "iam-identity.user-apikey.create"; "" in a silent one
	Op      Op        `json:"op"`
	Kind    string    `json:"kind"`
	Target  string    `json:"target"` // id of the object
	Parent  string    `json:"parent,omitempty"`
	Name    string    `json:"name,omitempty"` // object's name at the time
	CRN     string    `json:"crn,omitempty"`
	Tag     string    `json:"tag,omitempty"` // entity tag after the write
	Message string    `json:"message,omitempty"`
	Params  []string  `json:"params,omitempty"` // names of the changed properties
	// Data is the CADF requestData/responseData; never a secret.
	Data   json.RawMessage `json:"data,omitempty"`
	Origin Origin          `json:"origin"`
	// Object names the object that was written when the event is told of
	// another (a part written in the name of the whole, or in another
	// account's log); nil when Account, Kind and Target name it. Set by Tx.Write.
	Object *Ref `json:"object,omitempty"`
}

// Silent is the event of a write that is told as part of another one, or of
// which there is nothing to tell: the log has it, for caches and history, and the
// audit trail has not.
var Silent = Event{}

// Silent tells whether the event is none of the audit trail.
func (e *Event) Silent() bool { return e.Action == "" }

// Ref names an object.
type Ref struct {
	Account string `json:"account"`
	Kind    string `json:"kind"`
	ID      string `json:"id"`
}

// Written names the object that the event's write changed.
func (e *Event) Written() Ref {
	if e.Object != nil {
		return *e.Object
	}
	return Ref{e.Account, e.Kind, e.Target}
}

// Activity counts authentications of a subject (API key id, service ID, profile, user).
type Activity struct {
	Account string
	Subject string
	Count   int64
	Last    time.Time // zero: never
}

// Token is a short-lived record that is written often and read once or a few
// times: login session, refresh token, passcode, authorization code. Tokens
// have no events; they vanish after Expires.
type Token struct {
	Space   string // "session", "refresh", "passcode", …
	Key     string // id or keyed hash, unique within the space
	Account string
	Owner   string // IAM id
	Expires time.Time
	Created time.Time
	Body    []byte // JSON
}

// Tokens stores short-lived records. Expired ones are absent for every method.
// "Expired" is judged by the store's Now.
type Tokens interface {
	// Put inserts or replaces.
	Put(ctx context.Context, t Token) error
	// Get gives a record, fault.NotFound if there is none.
	Get(ctx context.Context, space, key string) (*Token, error)
	// Take deletes a record and gives it: exactly one of several concurrent callers gets it.
	Take(ctx context.Context, space, key string) (*Token, error)
	// List gives the records of an owner in an account, oldest first.
	List(ctx context.Context, space, account, owner string) ([]*Token, error)
	// Delete deletes a record if it is there.
	Delete(ctx context.Context, space, key string) error
	// Sweep deletes up to limit expired records and tells how many.
	Sweep(ctx context.Context, limit int) (int, error)
}
