package app

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
)

// countedStore counts what is read from a store, and remembers what is written to it.
type countedStore struct {
	store.DB
	mu      sync.Mutex
	reads   map[string]int // calls, objects and events read, by call and kind
	written map[string]store.Record
}

func (s *countedStore) count(call, kind string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads["calls of "+call+" "+kind]++
	s.reads["read by "+call+" "+kind] += n
}

// take gives what was counted and begins anew.
func (s *countedStore) take() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	reads := s.reads
	s.reads = map[string]int{}
	return reads
}

func (s *countedStore) Direct() store.Reader { return countedReader{s.DB.Direct(), s} }

func (s *countedStore) View(ctx context.Context, fn func(store.Reader) error) error {
	return s.DB.View(ctx, func(r store.Reader) error {
		return fn(struct {
			countedReader
			store.LogReader
		}{countedReader{r, s}, r.(store.LogReader)})
	})
}

func (s *countedStore) Update(ctx context.Context, fn func(store.Tx) error) error {
	return s.DB.Update(ctx, func(tx store.Tx) error { return fn(countedTx{tx, s}) })
}

func (s *countedStore) Events(ctx context.Context, account string, after int64, limit int) ([]store.Event, error) {
	out, err := s.DB.Events(ctx, account, after, limit)
	s.count("events", "", len(out))
	return out, err
}

type countedReader struct {
	store.Reader
	of *countedStore
}

func (r countedReader) Get(ctx context.Context, kind, account, id string) (*store.Record, error) {
	r.of.count("get", kind, 1)
	return r.Reader.Get(ctx, kind, account, id)
}

func (r countedReader) Lookup(ctx context.Context, key store.Key) (*store.Record, error) {
	r.of.count("lookup", key.Space, 1)
	return r.Reader.Lookup(ctx, key)
}

func (r countedReader) List(ctx context.Context, q store.Query) ([]*store.Record, error) {
	out, err := r.Reader.List(ctx, q)
	r.of.count("list", q.Kind, len(out))
	return out, err
}

func (r countedReader) IDs(ctx context.Context, q store.Query) ([]string, error) {
	out, err := r.Reader.IDs(ctx, q)
	r.of.count("ids", q.Kind, len(out))
	return out, err
}

func (r countedReader) Count(ctx context.Context, q store.Query) (int, error) {
	n, err := r.Reader.Count(ctx, q)
	r.of.count("count", q.Kind, n)
	return n, err
}

func (r countedReader) History(ctx context.Context, account, kind, id string, limit int) ([]store.Event, error) {
	out, err := r.Reader.History(ctx, account, kind, id, limit)
	r.of.count("history", kind, len(out))
	return out, err
}

type countedTx struct {
	store.Tx
	of *countedStore
}

func (tx countedTx) Write(ctx context.Context, c store.Change) error {
	tx.of.mu.Lock()
	defer tx.of.mu.Unlock()
	at := strings.Join([]string{c.Record.Kind, c.Record.Account, c.Record.ID}, " ")
	if delete(tx.of.written, at); c.Op != store.Delete {
		tx.of.written[at] = *c.Record
	}
	return tx.Tx.Write(ctx, c)
}

// multiply copies what an account has until there are n of each kind, but of what
// it can have only once.
func (s *countedStore) multiply(t *testing.T, accountID string, n int) (kinds int) {
	t.Helper()
	s.mu.Lock()
	byKind := map[string][]store.Record{}
	for _, r := range s.written {
		if r.Account == accountID && r.ID != accountID && r.Kind != account.Accounts.Kind() && r.Kind != enterprise.Enterprises.Kind() {
			byKind[r.Kind] = append(byKind[r.Kind], r)
		}
	}
	s.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		list := byKind[kind]
		err := s.DB.Update(t.Context(), func(tx store.Tx) error {
			for i := range n - len(list) {
				r := list[i%len(list)]
				mark := fmt.Sprint("-", i)
				r.ID, r.Version, r.Keys = r.ID+mark, 1, slices.Clone(r.Keys)
				for k := range r.Keys {
					r.Keys[k].Value += mark
				}
				if err := tx.Write(t.Context(), store.Change{Op: store.Create, Record: &r}); err != nil {
					return fmt.Errorf("copying a %s: %w", kind, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return len(byKind)
}

// isList tells whether an operation answers with a list of what there is.
func isList(op *httpapi.Operation) bool {
	if op.Method != http.MethodGet || op.Access.Public != "" || !op.Built || op.Out == nil {
		return false
	}
	out := op.Out
	for out.Kind() == reflect.Pointer {
		out = out.Elem()
	}
	if out.Kind() != reflect.Struct {
		return out.Kind() == reflect.Slice
	}
	return slices.ContainsFunc(reflect.VisibleFields(out), func(f reflect.StructField) bool {
		return f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() != reflect.Uint8
	})
}

// Nobody can make the server work on an account in which they hold nothing: what a
// list reads and asks for them is the same whatever there is in it.
func TestAListCostsAStrangerTheSameWhateverThereIs(t *testing.T) {
	counted := &countedStore{reads: map[string]int{}, written: map[string]store.Record{}}
	w := newWalker(t, func(c *Config) {
		c.under = func(db store.DB) store.DB {
			counted.DB = db
			return counted
		}
	})
	d := w.app.Demo()
	callers := map[string]string{"an owner of another account": d.Visitor.IAMID + "@" + d.Caller, "a member without policies": w.member()}
	type cost struct {
		status, decisions int
		reads             map[string]int
	}
	measure := func(caller string, r request) cost {
		w.send(w.owner+"@"+w.acct, r) // what happened meanwhile is known then
		w.send(caller, r)
		counted.take()
		got := w.send(caller, r)
		return cost{got.status, len(w.decisions), counted.take()}
	}
	var requests []request
	for _, op := range w.operations() {
		if isList(op) {
			requests = append(requests, w.build(op))
		}
	}
	before := map[string]cost{}
	for name, caller := range callers {
		for i, r := range requests {
			before[fmt.Sprint(name, i)] = measure(caller, r)
		}
	}
	kinds := counted.multiply(t, w.acct, 300)
	for name, caller := range callers {
		for i, r := range requests {
			if few, many := before[fmt.Sprint(name, i)], measure(caller, r); !reflect.DeepEqual(few, many) {
				t.Errorf("%s by %s costs %+v when there is little, and %+v when there is much", key(r.op), name, few, many)
			}
		}
	}
	if len(requests) < 30 || kinds < 15 {
		t.Errorf("only %d lists of %d kinds of object were looked at", len(requests), kinds)
	}
	t.Logf("%d lists, %d kinds of object", len(requests), kinds)
}
