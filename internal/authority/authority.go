// Package authority is the decider: it compiles what gives access in an account
// (package access stores it) into a policy.Snapshot, keeps the snapshots fresh by
// the event log, and asks policy.Decide. It counts permits, and notes what the
// setting for identities of other accounts said. It decides nothing itself.
package authority

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/kagiban/kagiban/internal/activity"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// Catalogs gives the catalogue that decisions are made with.
type Catalogs interface {
	// Current is the catalogue in memory, and whether it is known to be the
	// newest. It must be quick.
	Current() (c *policy.Catalog, fresh bool)
	// Fresh is the newest catalogue, read from the store if need be.
	Fresh(context.Context) (*policy.Catalog, error)
}

// Config is what an Authority needs.
type Config struct {
	DB       store.DB
	Catalogs Catalogs
	// Place tells where accounts stand in their enterprise; nil: nowhere.
	Place Place
	// Objects knows users, identities and keys; without it whoever has a token of
	// an account is taken for its member.
	Objects *cache.Cache
	// IssuedOnly lets the allowed addresses of an account bind tokens of its own
	// only where they are issued, and not at every use.
	IssuedOnly bool
	// MaxSize bounds the snapshots in memory, by the sum of their sizes
	// (policies and identities; see policy.Snapshot.Size); 0 means DefaultMaxSize.
	// The account that was asked about last is kept whatever its size.
	MaxSize int
}

// Place gives the enterprise of an account and all account groups above it; ""
// for an account that belongs to none. It is asked for decisions about services
// that act for themselves, and must be quick.
type Place func(ctx context.Context, account string) (enterprise string, groups []string, err error)

// DefaultMaxSize keeps about 1.3 GB of snapshots: 100,000 policies of 2,500
// identities take 133 MB (BenchmarkLoad).
const DefaultMaxSize = 1_000_000

// Authority answers decisions from one immutable snapshot per account, which
// lies in memory. The event log says when a snapshot is behind; it is brought
// forward by the objects that changed when the next decision is asked for. A
// decision that starts after a write has returned on this node sees the write.
// It is safe for concurrent use.
type Authority struct {
	db       store.DB
	catalogs Catalogs
	permits  *activity.Counter
	external *externalLog
	place    Place
	objects  *cache.Cache
	cancel   func()
	// issuedOnly is Config.IssuedOnly.
	issuedOnly bool

	accounts sync.Map // account id → *view
	// loads counts full loads; views remember by it when they were used.
	loads atomic.Int64

	mu      sync.Mutex // guards size; taken by those who build, never by those who decide
	size    int
	maxSize int
}

// view is the place of one account's snapshot.
type view struct {
	account string
	// wanted is the sequence number of the last event that matters.
	wanted atomic.Int64
	ready  atomic.Pointer[built]
	used   atomic.Int64
	turn   chan struct{} // held by the one who builds
	size   int           // counted in Authority.size; guarded by Authority.mu

	// owed are events about objects of this account that are told of in
	// another's log; foreign counts them.
	mu      sync.Mutex // guards owed
	owed    []store.Event
	foreign atomic.Int64
}

// built is a snapshot with the place in the log up to which it is complete.
// Snapshot.Seq may be smaller: events that do not matter move only this.
type built struct {
	snapshot *policy.Snapshot
	covered  int64
	foreign  int64 // of view.foreign
	of       *view
}

// New makes an Authority that follows the store's events until Close.
func New(c Config) *Authority {
	if c.MaxSize == 0 {
		c.MaxSize = DefaultMaxSize
	}
	a := &Authority{db: c.DB, catalogs: c.Catalogs, place: c.Place, objects: c.Objects, issuedOnly: c.IssuedOnly, maxSize: c.MaxSize,
		permits: activity.New(c.DB, activity.Policies), external: newExternalLog(c.DB)}
	a.cancel = c.DB.Subscribe(a.follow)
	return a
}

// Close ends the following of events. Flush before it.
func (a *Authority) Close() { a.cancel() }

// Flush writes how often and when policies permitted something since the last
// time, and what is due of the events about identities of other accounts. Call
// it every few seconds.
func (a *Authority) Flush(ctx context.Context) error {
	return errors.Join(a.permits.Flush(ctx), a.external.flush(ctx))
}

// Permits tells how often and when last a policy allowed something.
func (a *Authority) Permits(ctx context.Context, accountID, policyID string) (store.Activity, error) {
	return a.permits.Get(ctx, accountID, policyID)
}

// AllPermits is Permits for all policies of an account that ever allowed
// something; the subjects are policy ids.
func (a *Authority) AllPermits(ctx context.Context, accountID string) ([]store.Activity, error) {
	return a.permits.List(ctx, accountID)
}

// Catalog is the catalogue in memory.
func (a *Authority) Catalog() *policy.Catalog {
	c, _ := a.catalogs.Current()
	return c
}

// follow sees every event of the store; it must be quick.
func (a *Authority) follow(events []store.Event) {
	for i := range events {
		e := &events[i]
		if e.Op == store.Reset {
			a.forgetAll()
			continue
		}
		w := e.Written()
		if v := a.held(e.Account); v != nil {
			if relevant[w.Kind] && w.Account == e.Account {
				raise(&v.wanted, e.Seq)
			} else {
				v.skip(e.Seq)
			}
		}
		if relevant[w.Kind] && w.Account != e.Account {
			if v := a.held(w.Account); v != nil {
				v.owe(e)
			}
		}
	}
}

// held gives the place of an account if it has one.
func (a *Authority) held(accountID string) *view {
	if held, ok := a.accounts.Load(accountID); ok {
		return held.(*view)
	}
	return nil
}

// raise stores a number unless there is a higher one.
func raise(n *atomic.Int64, to int64) {
	for {
		old := n.Load()
		if old >= to || n.CompareAndSwap(old, to) {
			return
		}
	}
}

// skip notes that an event does not matter, so that later ones need not be
// searched for from before it.
func (v *view) skip(seq int64) {
	if b := v.ready.Load(); b != nil && b.covered == seq-1 && v.wanted.Load() < seq {
		v.ready.CompareAndSwap(b, &built{b.snapshot, seq, b.foreign, v})
	}
}

// owe remembers an event of another account's log.
func (v *view) owe(e *store.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.owed = append(v.owed, *e)
	v.foreign.Add(1)
}

// take gives the events that were owed and their count; back returns those that
// could not be worked off.
func (v *view) take() (owed []store.Event, foreign int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	foreign, owed = v.foreign.Load(), v.owed
	v.owed = nil
	return owed, foreign
}

func (v *view) back(owed []store.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.owed = append(owed, v.owed...)
}

// Decide asks policy.Decide with the snapshot of the resource's account. An
// account that does not exist denies like one that grants nothing. Errors are
// those of the store.
func (a *Authority) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	d, _, err := a.decide(ctx, &r)
	return d, err
}

// Extent asks policy.ExtentOf likewise, and gives the decision about the whole.
func (a *Authority) Extent(ctx context.Context, r policy.Request) (policy.Extent, policy.Decision, error) {
	r.Resource.Whole = true
	d, s, err := a.decide(ctx, &r)
	if err != nil || s == nil {
		return policy.Nowhere, d, err
	}
	return policy.ExtentOf(s, &r, d), d, nil
}

// decide is Decide with the snapshot that answered, nil when there is no account.
func (a *Authority) decide(ctx context.Context, r *policy.Request) (policy.Decision, *policy.Snapshot, error) {
	b, err := a.asked(ctx, r)
	if err != nil || b == nil {
		return policy.Decision{Reason: policy.ReasonOtherAccount}, nil, err
	}
	d := a.DecideIn(b.snapshot, r)
	if d.Allowed {
		again := *r
		a.found(ctx, b, r, func(s *policy.Snapshot) bool { return policy.Decide(s, &again).Allowed })
	}
	return d, b.snapshot, nil
}

// asked completes a request and gives what is known of its account, nil when there
// is none, or none for a stranger.
func (a *Authority) asked(ctx context.Context, r *policy.Request) (*built, error) {
	if err := a.Complete(ctx, r); err != nil {
		return nil, err
	}
	if yes, err := a.stranger(ctx, r); yes || err != nil {
		return nil, fault.Ignore(fault.NotFound, err)
	}
	b, err := a.latest(ctx, r.Resource.Account)
	return b, fault.Ignore(fault.NotFound, err)
}

// Rights gives what the subject of a request holds in the account of its
// resource, at this moment and in its environment; nothing in an account that is
// not there.
func (a *Authority) Rights(ctx context.Context, r policy.Request) (asker.Rights, error) {
	b, err := a.asked(ctx, &r)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nothing{}, nil
	}
	held := &rights{snapshot: b.snapshot, request: r}
	a.found(ctx, b, &r, held.still)
	return held, nil
}

// nothing are the rights in an account that is not there.
type nothing struct{}

// Lacks implements asker.Rights.
func (nothing) Lacks(_ policy.Resource, actions []string) string {
	if len(actions) > 0 {
		return actions[0]
	}
	return ""
}

// CannotGive implements asker.Rights.
func (n nothing) CannotGive(on policy.Resource, actions []string) string { return n.Lacks(on, actions) }

// DecideIn asks policy.Decide with a snapshot, counts the permit of the policy
// that allowed, and notes what the setting for identities of other accounts said.
func (a *Authority) DecideIn(s *policy.Snapshot, r *policy.Request) policy.Decision {
	d := policy.Decide(s, r)
	if d.Allowed && d.PolicyID != "" {
		a.permits.Add(r.Environment.Now, s.Account(), d.PolicyID)
	}
	if d.External != policy.ExternalNone {
		a.external.add(s.Account(), r, d.External)
	}
	return d
}

// Snapshot gives the current snapshot of an account, fault.NotFound when there
// is no such account.
func (a *Authority) Snapshot(ctx context.Context, accountID string) (*policy.Snapshot, error) {
	b, err := a.latest(ctx, accountID)
	if err != nil {
		return nil, err
	}
	return b.snapshot, nil
}

// latest is Snapshot with the place in the log.
func (a *Authority) latest(ctx context.Context, accountID string) (*built, error) {
	held, ok := a.accounts.Load(accountID)
	if !ok {
		held, _ = a.accounts.LoadOrStore(accountID, &view{account: accountID, turn: make(chan struct{}, 1)})
	}
	v := held.(*view)
	if now := a.loads.Load(); v.used.Load() != now {
		v.used.Store(now)
	}
	if b := a.current(v); b != nil {
		return b, nil
	}
	return a.refresh(ctx, v)
}

// current gives the snapshot of a view if nothing has happened since it was made.
func (a *Authority) current(v *view) *built {
	b := v.ready.Load()
	if b == nil || b.covered < v.wanted.Load() || b.foreign != v.foreign.Load() {
		return nil
	}
	if c, fresh := a.catalogs.Current(); !fresh || c != b.snapshot.Catalog() {
		return nil
	}
	return b
}

// InMemory gives the snapshot of an account that is in memory, nil when there is
// none to go by, and how many events of the account's log it may lack when the
// log is at head. It reads nothing.
func (a *Authority) InMemory(accountID string, head int64) (s *policy.Snapshot, since int) {
	v := a.held(accountID)
	if v == nil {
		return nil, 0
	}
	b := v.ready.Load()
	if b == nil || b.foreign != v.foreign.Load() { // what other logs tell of has no place in this one
		return nil, 0
	}
	return b.snapshot, int(max(head-b.covered, 0))
}

// refresh brings a view up to date; one caller does, the others wait for it.
func (a *Authority) refresh(ctx context.Context, v *view) (*built, error) {
	select {
	case v.turn <- struct{}{}:
		defer func() { <-v.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the access of account %s: %w", v.account, ctx.Err())
	}
	if b := a.current(v); b != nil {
		return b, nil
	}
	catalog, err := a.catalogs.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	owed, foreign := v.take()
	b := v.ready.Load()
	if b == nil {
		b, err = a.load(ctx, v.account, catalog)
	} else {
		b, err = a.advance(ctx, b, owed, catalog)
	}
	if err != nil {
		v.back(owed)
	} else {
		b.foreign, b.of = foreign, v
	}
	if errors.Is(err, fault.NotFound) {
		a.forget(v)
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("reading the access of account %s: %w", v.account, err)
	}
	v.ready.Store(b)
	a.weigh(v, b.snapshot.Size())
	return b, nil
}

// forget drops the place of an account, so that questions about accounts that
// are not there do not fill the memory.
func (a *Authority) forget(v *view) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accounts.CompareAndDelete(v.account, v) {
		a.size -= v.size
	}
}

func (a *Authority) forgetAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accounts.Clear()
	a.size = 0
	a.permits.Forget()
	a.external.forget()
}

// Size is the sum of the sizes of the snapshots in memory.
func (a *Authority) Size() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.size
}

// Accounts is the number of accounts that have a place in memory.
func (a *Authority) Accounts() (n int) {
	a.accounts.Range(func(any, any) bool { n++; return true })
	return n
}

// sample is how many accounts are looked at to find one that was not used for
// long: enough that a busy one is hardly ever the oldest of them.
const sample = 64

// weigh counts the size of a view and makes room. Which accounts go is a
// matter of chance among those that were not used since the last few loads.
func (a *Authority) weigh(v *view, size int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if held, ok := a.accounts.Load(v.account); !ok || held != any(v) {
		return // forgotten meanwhile
	}
	a.size += size - v.size
	v.size = size
	for a.size > a.maxSize {
		oldest := a.oldest(v)
		if oldest == nil {
			return
		}
		a.accounts.CompareAndDelete(oldest.account, oldest)
		a.size -= oldest.size
	}
}

// oldest gives the view of a sample that was used least recently, but not one.
func (a *Authority) oldest(but *view) *view {
	var oldest *view
	seen := 0
	a.accounts.Range(func(_, held any) bool {
		v := held.(*view)
		if v != but && v.size > 0 && (oldest == nil || v.used.Load() < oldest.used.Load()) {
			oldest = v
		}
		seen++
		return seen < sample
	})
	return oldest
}
