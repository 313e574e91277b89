package storetest

import (
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

var hostile = []string{
	`'; DROP TABLE objects; --`, `"quoted"`, `back\slash`, "`ticks`", "$1", "%_", "new\nline\ttab\r", " lead and trail ",
	"日本語 鍵番", "e\u0301 combined", "\u202eright to left", "😀😀", "\u2028", "\ufffd", "\x01\x1f\x7f", `{"json": true}`,
	`\u0000`, "NULL", "a/b?c=d&e#f", strings.Repeat("長", 300),
}

var textTests = []test{
	{"any text comes back as it was", func(e *env) {
		for _, s := range hostile {
			if len(s) > sqlstore.MaxID {
				continue
			}
			b := newBadge("a"+s, "b"+s, s, s)
			b.Description, b.Owner, b.Parent, b.Color = s, s, s, s
			if len(b.ID) <= sqlstore.MaxID {
				e.create(b)
				e.equal(*e.get(b.Account, b.ID), *b)
				got, err := badges.Lookup(e.ctx, e.db.Direct(), label(s))
				e.must(err)
				e.equal(got.ID, b.ID)
				for _, q := range []store.Query{{Name: s}, {Owner: s}, {Parent: s}, {Account: b.Account}} {
					found, err := badges.List(e.ctx, e.db.Direct(), q)
					e.must(err)
					if len(found) != 1 || found[0].ID != b.ID {
						e.Errorf("%+v found %d objects", q, len(found))
					}
				}
				e.equal(e.events(b.Account)[0].Name, s)
			}
			tok := store.Token{Space: "s", Key: s, Account: s, Owner: s, Expires: e.clock.Now().Add(1e9), Created: e.clock.Now(),
				Body: []byte(`"x"`)}
			e.must(e.db.Tokens().Put(e.ctx, tok))
			back, err := e.db.Tokens().Take(e.ctx, "s", s)
			e.must(err)
			e.equal(*back, tok)
		}
	}},
	{"text sorts by its bytes", func(e *env) {
		want := []string{"", " ", "A", "Z", "_", "a", "aa", "ab", "z", "~", "Ä", "ä", "日", "😀"}
		for _, i := range []int{7, 0, 13, 3, 9, 1, 11, 5, 2, 12, 4, 10, 6, 8} {
			e.create(newBadge("a1", "id-"+want[i], want[i]))
		}
		found, err := badges.List(e.ctx, e.db.Direct(), store.Query{Account: "a1", Order: store.ByName})
		e.must(err)
		var got []string
		for _, b := range found {
			got = append(got, b.Name)
		}
		e.equal(got, want)
	}},
	{"text that a store cannot hold is invalid, in every place", func(e *env) {
		for _, s := range []string{"a\x00b", "\x00", "bad\xff", "\xc3\x28", "\xed\xa0\x80"} {
			place := map[string]func(*badge){
				"account":     func(b *badge) { b.Account = s },
				"id":          func(b *badge) { b.ID = s },
				"name":        func(b *badge) { b.Name = s },
				"description": func(b *badge) { b.Description = s },
				"owner":       func(b *badge) { b.Owner = s },
				"parent":      func(b *badge) { b.Parent = s },
				"key":         func(b *badge) { b.Labels = []string{s} },
			}
			for name, put := range place {
				b := newBadge("a1", "b1", "n")
				put(b)
				if err := e.tryCreate(b); fault.Of(err).Kind != fault.Invalid {
					e.Errorf("%q as %s: got %v", s, name, err)
				}
			}
			e.fails(e.db.Tokens().Put(e.ctx, store.Token{Space: "s", Key: s, Expires: e.clock.Now().Add(1e9)}), fault.Invalid)
			e.fails(e.db.Tokens().Put(e.ctx, store.Token{Space: "s", Key: "k", Body: []byte(s)}), fault.Invalid)
			e.fails(e.db.AddActivity(e.ctx, []store.Activity{{Account: "a", Subject: s}}), fault.Invalid)
		}
		n, err := badges.Count(e.ctx, e.db.Direct(), store.Query{})
		e.must(err)
		e.equal(n, 0)
	}},
	{"asking for text that cannot be there finds nothing", func(e *env) {
		e.create(newBadge("a1", "b1", "n"))
		for _, s := range []string{"b1\x00", "\xff"} {
			e.absent("a1", s)
			e.absent(s, "b1")
			_, err := badges.Lookup(e.ctx, e.db.Direct(), label(s))
			e.fails(err, fault.NotFound)
			for _, q := range []store.Query{{Account: s}, {Name: s}, {Owner: s}, {Parent: s}, {Account: "a1", After: &store.Cursor{ID: s}}} {
				found, err := badges.List(e.ctx, e.db.Direct(), q)
				e.must(err)
				e.equal(len(found), 0)
			}
			events, err := e.db.Events(e.ctx, s, 0, 0)
			e.must(err)
			e.equal(len(events), 0)
			_, err = e.db.Tokens().Get(e.ctx, "s", s)
			e.fails(err, fault.NotFound)
			_, err = e.db.Tokens().Take(e.ctx, s, "k")
			e.fails(err, fault.NotFound)
			e.must(e.db.Tokens().Delete(e.ctx, "s", s))
			activity, err := e.db.GetActivity(e.ctx, "a1", s)
			e.must(err)
			e.equal(activity.Count, int64(0))
		}
	}},
	{"the longest text is stored and a longer one is invalid", func(e *env) {
		full := func(n int) string { return incompressible(n) }
		b := newBadge(full(sqlstore.MaxID), full(sqlstore.MaxID), full(sqlstore.MaxName), full(sqlstore.MaxKey))
		b.Owner, b.Parent, b.Description = full(sqlstore.MaxID), full(sqlstore.MaxID), full(sqlstore.MaxDescription)
		b.Color = full(1 << 20)
		e.create(b)
		e.equal(*e.get(b.Account, b.ID), *b)
		for name, stretch := range map[string]func(*badge){
			"account":     func(b *badge) { b.Account += "x" },
			"id":          func(b *badge) { b.ID += "x" },
			"name":        func(b *badge) { b.Name += "x" },
			"owner":       func(b *badge) { b.Owner += "x" },
			"parent":      func(b *badge) { b.Parent += "x" },
			"description": func(b *badge) { b.Description += "x" },
			"key":         func(b *badge) { b.Labels = []string{b.Labels[0] + "x"} },
		} {
			long := newBadge(b.Account, "b2", b.Name)
			if name == "id" {
				long.ID = b.ID
			}
			long.Owner, long.Parent, long.Description, long.Labels = b.Owner, b.Parent, b.Description, b.Labels
			stretch(long)
			if err := e.tryCreate(long); fault.Of(err).Kind != fault.Invalid {
				e.Errorf("%s: got %v", name, err)
			}
		}
	}},
}

// incompressible gives n bytes of text that no page compression shrinks, so
// that limits on the size of index rows show.
func incompressible(n int) string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	out := make([]byte, n)
	x := uint64(n) | 1
	for i := range out {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		out[i] = letters[x>>33%64]
	}
	return string(out)
}
