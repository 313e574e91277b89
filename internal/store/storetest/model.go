package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

var modelTests = []test{
	{"the store does what a naive model does", func(e *env) {
		rapid.Check(rapidT{e.T}, func(t *rapid.T) {
			e.must(e.db.Reset(e.ctx))
			m := &machine{T: t, ctx: e.ctx, db: e.db, clock: e.clock}
			m.reset()
			t.Repeat(map[string]func(*rapid.T){
				"":           func(*rapid.T) { m.checkLogs() },
				"create":     func(*rapid.T) { m.update(m.create) },
				"update":     func(*rapid.T) { m.update(m.change) },
				"delete":     func(*rapid.T) { m.update(m.remove) },
				"several":    func(*rapid.T) { m.update(m.change, m.create, m.remove, m.create) },
				"put token":  func(*rapid.T) { m.putToken() },
				"take token": func(*rapid.T) { m.takeToken() },
				"sweep":      func(*rapid.T) { m.sweep() },
				"time":       func(*rapid.T) { m.clock.Advance(time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds")) * time.Second) },
				"get":        func(*rapid.T) { m.checkGet() },
				"look up":    func(*rapid.T) { m.checkLookup() },
				"list":       func(*rapid.T) { m.checkList() },
				"history":    func(*rapid.T) { m.checkHistory() },
				"tokens":     func(*rapid.T) { m.checkTokens() },
			})
		})
	}},
}

// rapidT lets rapid report through the test of the suite.
type rapidT struct{ *testing.T }

type address struct{ account, id string }

// model is the store told naively: one map each, searched from end to end.
type model struct {
	objects map[address]badge
	events  map[string][]string // account → "seq op target"
	tokens  map[string]store.Token
}

func (m model) clone() model {
	c := model{objects: maps.Clone(m.objects), events: map[string][]string{}, tokens: maps.Clone(m.tokens)}
	for k, v := range m.events {
		c.events[k] = slices.Clone(v)
	}
	return c
}

func (m model) holder(label string) (address, bool) {
	for a, b := range m.objects {
		if slices.Contains(b.Labels, label) {
			return a, true
		}
	}
	return address{}, false
}

func (m model) log(account string, op store.Op, target string) {
	m.events[account] = append(m.events[account], fmt.Sprintf("%s/%d %s %s", account, len(m.events[account])+1, op, target))
}

// machine drives store and model side by side.
type machine struct {
	*rapid.T
	ctx   context.Context
	db    store.DB
	clock *clock
	model model
}

func (m *machine) reset() {
	m.model = model{objects: map[address]badge{}, events: map[string][]string{}, tokens: map[string]store.Token{}}
}

func (m *machine) pick(what string, from ...string) string {
	return rapid.SampledFrom(from).Draw(m.T, what)
}

func (m *machine) account() string { return m.pick("account", "a1", "a2") }
func (m *machine) id() string      { return m.pick("id", "b1", "b2", "b3", "b4") }
func (m *machine) name() string    { return m.pick("name", "", "n", "m", "ö") }

func (m *machine) labels() []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 2, rapid.ID).Draw(m.T, "labels")
}

func (m *machine) check(got, want any) {
	m.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		m.Fatalf("mismatch (-model +store):\n%s", diff)
	}
}

func (m *machine) kind(err error) fault.Kind {
	m.Helper()
	if err == nil {
		return ""
	}
	return fault.Of(err).Kind
}

// step is one write: do applies it to the store, expect to the model. Their
// kinds of error must agree.
type step struct {
	do     func(store.Tx) error
	expect func(model) fault.Kind
}

// update runs steps as one transaction, and sometimes takes them back.
func (m *machine) update(makers ...func() step) {
	steps := make([]step, len(makers))
	for i, mk := range makers {
		steps[i] = mk()
	}
	undo := rapid.IntRange(0, 5).Draw(m.T, "undo") == 0
	after := m.model.clone()
	var want fault.Kind
	for _, s := range steps {
		if want = s.expect(after); want != "" {
			break
		}
	}
	err := m.db.Update(m.ctx, func(tx store.Tx) error {
		for _, s := range steps {
			if err := s.do(tx); err != nil {
				return err
			}
		}
		if undo {
			return errOwn
		}
		return nil
	})
	switch {
	case want != "":
		m.check(m.kind(err), want)
	case undo:
		if !errors.Is(err, errOwn) {
			m.Fatalf("got %v", err)
		}
	default:
		m.check(m.kind(err), fault.Kind(""))
		m.model = after
	}
}

func (m *machine) create() step {
	b := newBadge(m.account(), m.id(), m.name(), m.labels()...)
	b.Owner, b.Parent = m.pick("owner", "", "o1", "o2"), m.pick("parent", "", "p1")
	now := m.clock.Now()
	return step{
		do: func(tx store.Tx) error {
			fresh := *b
			return badges.Create(m.ctx, tx, &fresh, store.Event{Action: "c"})
		},
		expect: func(mod model) fault.Kind {
			at := address{b.Account, b.ID}
			if _, taken := mod.objects[at]; taken {
				return fault.Conflict
			}
			for _, l := range b.Labels {
				if _, taken := mod.holder(l); taken {
					return fault.Conflict
				}
			}
			stored := *b
			stored.Version, stored.CreatedAt, stored.ModifiedAt = 1, now, now
			mod.objects[at] = stored
			mod.log(b.Account, store.Create, b.ID)
			return ""
		},
	}
}

func (m *machine) change() step {
	b := newBadge(m.account(), m.id(), m.name(), m.labels()...)
	b.Color = m.pick("color", "green", "blue")
	b.Version = int64(rapid.IntRange(1, 3).Draw(m.T, "version"))
	now := m.clock.Now()
	return step{
		do: func(tx store.Tx) error {
			fresh := *b
			return badges.Update(m.ctx, tx, &fresh, store.Event{Action: "u"})
		},
		expect: func(mod model) fault.Kind {
			at := address{b.Account, b.ID}
			old, ok := mod.objects[at]
			switch {
			case !ok:
				return fault.NotFound
			case old.Version != b.Version:
				return fault.Stale
			}
			for _, l := range b.Labels {
				if who, taken := mod.holder(l); taken && who != at {
					return fault.Conflict
				}
			}
			stored := *b
			stored.Version, stored.CreatedAt, stored.ModifiedAt = b.Version+1, old.CreatedAt, now
			mod.objects[at] = stored
			mod.log(b.Account, store.Update, b.ID)
			return ""
		},
	}
}

func (m *machine) remove() step {
	b := newBadge(m.account(), m.id(), "")
	b.Version = int64(rapid.IntRange(1, 3).Draw(m.T, "version"))
	return step{
		do: func(tx store.Tx) error {
			fresh := *b
			return badges.Delete(m.ctx, tx, &fresh, store.Event{Action: "d"})
		},
		expect: func(mod model) fault.Kind {
			at := address{b.Account, b.ID}
			old, ok := mod.objects[at]
			switch {
			case !ok:
				return fault.NotFound
			case old.Version != b.Version:
				return fault.Stale
			}
			delete(mod.objects, at)
			mod.log(b.Account, store.Delete, b.ID)
			return ""
		},
	}
}

// plain is an object without what the model cannot know.
func plain(b badge) badge {
	b.Tag = ""
	if len(b.Labels) == 0 {
		b.Labels = nil
	}
	return b
}

func (m *machine) checkGet() {
	account, id := m.account(), m.id()
	got, err := badges.Get(m.ctx, m.db.Direct(), account, id)
	want, ok := m.model.objects[address{account, id}]
	if !ok {
		m.check(m.kind(err), fault.NotFound)
		return
	}
	m.check(m.kind(err), fault.Kind(""))
	m.check(plain(*got), plain(want))
}

func (m *machine) checkLookup() {
	l := m.pick("label", "x", "y", "z")
	got, err := badges.Lookup(m.ctx, m.db.Direct(), label(l))
	at, ok := m.model.holder(l)
	if !ok {
		m.check(m.kind(err), fault.NotFound)
		return
	}
	m.check(m.kind(err), fault.Kind(""))
	m.check(plain(*got), plain(m.model.objects[at]))
}

func (m *machine) checkList() {
	q := store.Query{
		Account: m.pick("in account", "", "a1", "a2"), Owner: m.pick("of owner", "", "o1"),
		Parent: m.pick("of parent", "", "p1"), Name: m.pick("of name", "", "n"),
		Order: rapid.SampledFrom(orders).Draw(m.T, "order"), Desc: rapid.Bool().Draw(m.T, "descending"),
		Limit: rapid.IntRange(0, 3).Draw(m.T, "limit"),
	}
	var want []badge
	for _, b := range m.model.objects {
		if (q.Account == "" || q.Account == b.Account) && (q.Owner == "" || q.Owner == b.Owner) &&
			(q.Parent == "" || q.Parent == b.Parent) && (q.Name == "" || q.Name == b.Name) {
			want = append(want, plain(b))
		}
	}
	slices.SortFunc(want, func(a, b badge) int { return before(q.Order, &a.Meta, &b.Meta) })
	if q.Desc {
		slices.Reverse(want)
	}
	n, err := badges.Count(m.ctx, m.db.Direct(), q)
	m.check(m.kind(err), fault.Kind(""))
	m.check(n, len(want))
	if len(want) > 0 && rapid.Bool().Draw(m.T, "after one") {
		i := rapid.IntRange(0, len(want)-1).Draw(m.T, "after")
		q.After = store.CursorAt(q.Order, &want[i].Meta)
		want = want[i+1:]
	}
	if q.Limit > 0 && len(want) > q.Limit {
		want = want[:q.Limit]
	}
	found, err := badges.List(m.ctx, m.db.Direct(), q)
	m.check(m.kind(err), fault.Kind(""))
	var got []badge
	for _, b := range found {
		got = append(got, plain(*b))
	}
	if len(got)+len(want) > 0 {
		m.check(got, want)
	}
}

func (m *machine) checkLogs() {
	for _, account := range []string{"a1", "a2"} {
		got, err := m.db.Events(m.ctx, account, 0, 0)
		m.check(m.kind(err), fault.Kind(""))
		m.check(summary(got), append([]string{}, m.model.events[account]...))
		head, err := m.db.Head(m.ctx, account)
		m.check(m.kind(err), fault.Kind(""))
		m.check(head, int64(len(got)))
	}
}

func (m *machine) checkHistory() {
	account, id, limit := m.account(), m.id(), rapid.IntRange(1, 4).Draw(m.T, "limit")
	want := []string{}
	for _, line := range m.model.events[account] {
		if line[len(line)-len(id):] == id {
			want = append(want, line)
		}
	}
	got, err := m.db.Direct().History(m.ctx, account, "badge", id, limit)
	m.check(m.kind(err), fault.Kind(""))
	m.check(summary(got), want[max(0, len(want)-limit):])
}

func (m *machine) putToken() {
	tok := store.Token{Space: "s", Key: m.pick("token", "t1", "t2", "t3"), Account: m.account(), Owner: "o",
		Created: m.clock.Now(), Body: []byte(`{}`),
		Expires: m.clock.Now().Add(time.Duration(rapid.IntRange(0, 4).Draw(m.T, "life")) * time.Second)}
	m.check(m.kind(m.db.Tokens().Put(m.ctx, tok)), fault.Kind(""))
	m.model.tokens[tok.Key] = tok
}

func (m *machine) alive(tok store.Token) bool { return tok.Expires.After(m.clock.Now()) }

func (m *machine) takeToken() {
	key := m.pick("token", "t1", "t2", "t3")
	got, err := m.db.Tokens().Take(m.ctx, "s", key)
	want, ok := m.model.tokens[key]
	if !ok || !m.alive(want) {
		m.check(m.kind(err), fault.NotFound)
		return
	}
	m.check(m.kind(err), fault.Kind(""))
	m.check(*got, want)
	delete(m.model.tokens, key)
}

func (m *machine) sweep() {
	n, err := m.db.Tokens().Sweep(m.ctx, 100)
	m.check(m.kind(err), fault.Kind(""))
	before := len(m.model.tokens)
	maps.DeleteFunc(m.model.tokens, func(_ string, tok store.Token) bool { return !m.alive(tok) })
	m.check(n, before-len(m.model.tokens))
}

func (m *machine) checkTokens() {
	account := m.account()
	var want []*store.Token
	for _, tok := range m.model.tokens {
		if tok.Account == account && m.alive(tok) {
			want = append(want, &tok)
		}
	}
	slices.SortFunc(want, func(a, b *store.Token) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Key, b.Key))
	})
	got, err := m.db.Tokens().List(m.ctx, "s", account, "o")
	m.check(m.kind(err), fault.Kind(""))
	if len(got)+len(want) > 0 {
		m.check(got, want)
	}
}
