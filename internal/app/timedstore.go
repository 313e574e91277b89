package app

import (
	"context"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/kagiban/kagiban/internal/store"
)

// timedStore times the calls to a store. What it does not time it passes on.
type timedStore struct {
	store.DB
	seconds map[string]*metrics.PrometheusHistogram // by call; never changed after the start
	direct  timedReader
	tokens  timedTokens
}

// storeBuckets reach from a read in memory to a stuck disk, in seconds.
var storeBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2.5, 10}

func newTimedStore(db store.DB, set *metrics.Set) *timedStore {
	t := &timedStore{DB: db, seconds: map[string]*metrics.PrometheusHistogram{}}
	for _, call := range []string{"view", "update", "events", "add_activity", "get", "lookup", "list", "put_token", "get_token",
		"take_token"} {
		t.seconds[call] = set.NewPrometheusHistogramExt(`kagiban_store_seconds{call="`+call+`"}`, storeBuckets)
	}
	t.direct = timedReader{t, db.Direct()}
	t.tokens = timedTokens{t, db.Tokens()}
	return t
}

// since notes the time of a call; use it deferred.
func (t *timedStore) since(call string, start time.Time) { t.seconds[call].UpdateDuration(start) }

// Direct implements store.DB.
func (t *timedStore) Direct() store.Reader { return t.direct }

// View implements store.DB.
func (t *timedStore) View(ctx context.Context, fn func(store.Reader) error) error {
	defer t.since("view", time.Now())
	return t.DB.View(ctx, fn)
}

// Update implements store.DB.
func (t *timedStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	defer t.since("update", time.Now())
	return t.DB.Update(ctx, fn)
}

// Events implements store.DB.
func (t *timedStore) Events(ctx context.Context, account string, after int64, limit int) ([]store.Event, error) {
	defer t.since("events", time.Now())
	return t.DB.Events(ctx, account, after, limit)
}

// AddActivity implements store.DB.
func (t *timedStore) AddActivity(ctx context.Context, batch []store.Activity) error {
	defer t.since("add_activity", time.Now())
	return t.DB.AddActivity(ctx, batch)
}

// Tokens implements store.DB.
func (t *timedStore) Tokens() store.Tokens { return t.tokens }

// timedReader times single reads.
type timedReader struct {
	t *timedStore
	store.Reader
}

// Get implements store.Reader.
func (r timedReader) Get(ctx context.Context, kind, account, id string) (*store.Record, error) {
	defer r.t.since("get", time.Now())
	return r.Reader.Get(ctx, kind, account, id)
}

// Lookup implements store.Reader.
func (r timedReader) Lookup(ctx context.Context, key store.Key) (*store.Record, error) {
	defer r.t.since("lookup", time.Now())
	return r.Reader.Lookup(ctx, key)
}

// List implements store.Reader.
func (r timedReader) List(ctx context.Context, q store.Query) ([]*store.Record, error) {
	defer r.t.since("list", time.Now())
	return r.Reader.List(ctx, q)
}

// timedTokens times reads and writes of short-lived records.
type timedTokens struct {
	t *timedStore
	store.Tokens
}

// Put implements store.Tokens.
func (k timedTokens) Put(ctx context.Context, token store.Token) error {
	defer k.t.since("put_token", time.Now())
	return k.Tokens.Put(ctx, token)
}

// Get implements store.Tokens.
func (k timedTokens) Get(ctx context.Context, space, key string) (*store.Token, error) {
	defer k.t.since("get_token", time.Now())
	return k.Tokens.Get(ctx, space, key)
}

// Take implements store.Tokens.
func (k timedTokens) Take(ctx context.Context, space, key string) (*store.Token, error) {
	defer k.t.since("take_token", time.Now())
	return k.Tokens.Take(ctx, space, key)
}
