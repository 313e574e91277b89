package storetest

import (
	"errors"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

var objectTests = []test{
	{"a created object is read back as it was written", func(e *env) {
		b := newBadge("a1", "b1", "Gold", "x", "y")
		b.Parent, b.Owner, b.Description = "p1", "iam-o1", "a badge"
		ctx := store.WithOrigin(e.ctx, store.Origin{IAMID: "iam-writer"})
		e.must(e.db.Update(ctx, func(tx store.Tx) error {
			return badges.Create(ctx, tx, b, store.Event{Action: "badge.create"})
		}))
		want := *b
		want.Version, want.CreatedBy, want.ModifiedBy = 1, "iam-writer", "iam-writer"
		want.CreatedAt, want.ModifiedAt = e.clock.Now(), e.clock.Now()
		e.equal(*e.get("a1", "b1"), want)
		e.equal(*e.get("", "b1"), want)
		for _, l := range []string{"x", "y"} {
			got, err := badges.Lookup(e.ctx, e.db.Direct(), label(l))
			e.must(err)
			e.equal(*got, want)
		}
	}},
	{"an update keeps the birth and moves version, tag and stamps", func(e *env) {
		e.create(newBadge("a1", "b1", "Gold"))
		before := e.get("a1", "b1")
		e.clock.Advance(time.Hour)
		e.must(e.change("a1", "b1", func(b *badge) { b.Color, b.Name = "blue", "Silver" }))
		got := e.get("a1", "b1")
		if got.Version != 2 || got.Color != "blue" || got.Name != "Silver" || got.Tag == before.Tag {
			e.Errorf("got %+v", got)
		}
		e.equal(got.CreatedAt, before.CreatedAt)
		e.equal(got.ModifiedAt, before.CreatedAt.Add(time.Hour))
	}},
	{"absent objects and keys are not found", func(e *env) {
		e.create(newBadge("a1", "b1", "Gold", "x"))
		e.absent("a1", "b2")
		e.absent("a2", "b1")
		e.absent("", "b2")
		_, err := medals.Get(e.ctx, e.db.Direct(), "a1", "b1")
		e.fails(err, fault.NotFound)
		_, err = badges.Lookup(e.ctx, e.db.Direct(), label("z"))
		e.fails(err, fault.NotFound)
		_, err = badges.Lookup(e.ctx, e.db.Direct(), store.Key{Space: "other", Value: "x"})
		e.fails(err, fault.NotFound)
		_, err = medals.Lookup(e.ctx, e.db.Direct(), label("x"))
		e.fails(err, fault.NotFound)
	}},
	{"an id is unique within kind and account only", func(e *env) {
		e.create(newBadge("a1", "b1", "first"))
		e.fails(e.tryCreate(newBadge("a1", "b1", "again")), fault.Conflict)
		e.create(newBadge("a2", "b1", "elsewhere"))
		e.equal(e.get("a1", "b1").Name, "first")
		e.equal(e.get("a2", "b1").Name, "elsewhere")
		e.absent("", "b1") // the id alone names neither
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			return medals.Create(e.ctx, tx, newBadge("a1", "b1", "medal"), store.Event{Action: "m"})
		}))
	}},
	{"a key that is taken refuses the whole object", func(e *env) {
		e.create(newBadge("a1", "b1", "first", "x"))
		e.fails(e.tryCreate(newBadge("a2", "b2", "second", "free", "x")), fault.Conflict)
		e.absent("a2", "b2")
		_, err := badges.Lookup(e.ctx, e.db.Direct(), label("free"))
		e.fails(err, fault.NotFound)
		e.equal(len(e.events("a2")), 0)
		e.create(newBadge("a2", "b2", "second", "free"))
		e.fails(e.change("a2", "b2", func(b *badge) { b.Labels = []string{"x"} }), fault.Conflict)
		e.equal(e.get("a2", "b2").Labels, []string{"free"})
	}},
	{"an update moves keys", func(e *env) {
		e.create(newBadge("a1", "b1", "one", "x", "y"))
		e.must(e.change("a1", "b1", func(b *badge) { b.Labels = []string{"y", "z", "z"} }))
		_, err := badges.Lookup(e.ctx, e.db.Direct(), label("x"))
		e.fails(err, fault.NotFound)
		for _, l := range []string{"y", "z"} {
			got, err := badges.Lookup(e.ctx, e.db.Direct(), label(l))
			e.must(err)
			e.equal(got.ID, "b1")
		}
		e.create(newBadge("a2", "b2", "two", "x"))
	}},
	{"a deletion frees id and keys", func(e *env) {
		b := e.create(newBadge("a1", "b1", "one", "x"))
		e.must(e.remove(b))
		e.absent("a1", "b1")
		_, err := badges.Lookup(e.ctx, e.db.Direct(), label("x"))
		e.fails(err, fault.NotFound)
		e.create(newBadge("a1", "b1", "reborn", "x"))
		e.equal(e.get("a1", "b1").Version, int64(1))
	}},
	{"writes from another version are stale, writes to nothing find nothing", func(e *env) {
		b := e.create(newBadge("a1", "b1", "one"))
		old := *b
		e.must(e.change("a1", "b1", func(b *badge) { b.Color = "blue" }))
		update := func(b badge) error {
			return e.db.Update(e.ctx, func(tx store.Tx) error {
				return badges.Update(e.ctx, tx, &b, store.Event{Action: "u"})
			})
		}
		e.fails(update(old), fault.Stale)
		stale := old
		e.fails(e.remove(&stale), fault.Stale)
		e.equal(e.get("a1", "b1").Color, "blue")
		e.fails(update(*newBadge("a1", "none", "x")), fault.NotFound)
		e.fails(e.remove(newBadge("a1", "none", "x")), fault.NotFound)
		e.equal(len(e.events("a1")), 2)
	}},
	{"what was found is changed at the version that was found, or not at all", func(e *env) {
		found := e.create(newBadge("a1", "b1", "one"))
		paint := func(color string) func(store.Tx, *badge) (store.Event, error) {
			return func(_ store.Tx, b *badge) (store.Event, error) {
				b.Color = color
				return store.Event{Action: "paint"}, nil
			}
		}
		blue, err := badges.Edit(e.ctx, e.db, found, paint("blue"))
		e.must(err)
		e.equal([]any{found.Color, found.Version, blue.Color, blue.Version}, []any{"red", int64(1), "blue", int64(2)})
		for _, old := range []func() error{
			func() error { _, err := badges.Edit(e.ctx, e.db, found, paint("green")); return err },
			func() error {
				return badges.Remove(e.ctx, e.db, found, func(store.Tx) (store.Event, error) { return store.Event{Action: "r"}, nil })
			},
			func() error {
				return e.db.Update(e.ctx, func(tx store.Tx) error { return badges.Hold(e.ctx, tx, found) })
			},
		} {
			if err := old(); !errors.Is(err, store.ErrMoved) || !errors.Is(err, fault.Stale) {
				e.Errorf("from an old version: %v", err)
			}
		}
		same, err := badges.Edit(e.ctx, e.db, found, func(store.Tx, *badge) (store.Event, error) { return store.Event{}, store.ErrUnchanged })
		e.must(err)
		e.equal(same, found)
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error { return badges.Hold(e.ctx, tx, blue) }))
		e.must(badges.Remove(e.ctx, e.db, blue, func(store.Tx) (store.Event, error) { return store.Event{Action: "r"}, nil }))
		for _, gone := range []func() error{
			func() error { _, err := badges.Edit(e.ctx, e.db, blue, paint("green")); return err },
			func() error {
				return e.db.Update(e.ctx, func(tx store.Tx) error { return badges.Hold(e.ctx, tx, blue) })
			},
		} {
			if err := gone(); !errors.Is(err, store.ErrMoved) {
				e.Errorf("after deletion: %v", err)
			}
		}
		e.equal(len(e.events("a1")), 3)
	}},
	{"an object without account, kind or id is not stored", func(e *env) {
		for _, b := range []*badge{newBadge("", "b1", "n"), newBadge("a1", "", "n")} {
			if e.tryCreate(b) == nil {
				e.Errorf("stored %+v", b)
			}
		}
	}},
}

var errOwn = errors.New("an error of the function")

var transactionTests = []test{
	{"an error of the function rolls back and comes back unchanged", func(e *env) {
		err := e.db.Update(e.ctx, func(tx store.Tx) error {
			e.must(badges.Create(e.ctx, tx, newBadge("a1", "b1", "n", "x"), store.Event{Action: "c"}))
			e.must(tx.Tokens().Put(e.ctx, store.Token{Space: "s", Key: "k", Expires: e.clock.Now().Add(time.Hour)}))
			return errOwn
		})
		if err != errOwn {
			e.Errorf("got %v", err)
		}
		e.absent("a1", "b1")
		_, err = e.db.Tokens().Get(e.ctx, "s", "k")
		e.fails(err, fault.NotFound)
		e.equal(len(e.events("a1")), 0)
		e.create(newBadge("a1", "b1", "n", "x"))
		e.equal(e.events("a1")[0].Seq, int64(1))
	}},
	{"a failed write fails the transaction even if its error is dropped", func(e *env) {
		e.create(newBadge("a1", "b1", "n", "x"))
		err := e.db.Update(e.ctx, func(tx store.Tx) error {
			_ = badges.Create(e.ctx, tx, newBadge("a1", "b2", "n", "x"), store.Event{Action: "c"})
			_ = badges.Create(e.ctx, tx, newBadge("a1", "b3", "n"), store.Event{Action: "c"})
			return nil
		})
		e.fails(err, fault.Conflict)
		e.absent("a1", "b2")
		e.absent("a1", "b3")
		e.equal(len(e.events("a1")), 1)
	}},
	{"a look-up that finds nothing does not fail the transaction", func(e *env) {
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			if _, err := badges.Get(e.ctx, tx, "a1", "b1"); !errors.Is(err, fault.NotFound) {
				return err
			}
			if _, err := tx.Tokens().Take(e.ctx, "s", "k"); !errors.Is(err, fault.NotFound) {
				return err
			}
			return badges.Create(e.ctx, tx, newBadge("a1", "b1", "n"), store.Event{Action: "c"})
		}))
		e.get("a1", "b1")
	}},
	{"a panic of the function rolls back and the store goes on", func(e *env) {
		func() {
			defer func() {
				if recover() == nil {
					e.Error("the panic was swallowed")
				}
			}()
			_ = e.db.Update(e.ctx, func(tx store.Tx) error {
				e.must(badges.Create(e.ctx, tx, newBadge("a1", "b1", "n"), store.Event{Action: "c"}))
				panic("a defect")
			})
		}()
		e.absent("a1", "b1")
		e.create(newBadge("a1", "b1", "n"))
	}},
	{"a transaction sees its own writes and nobody else does", func(e *env) {
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			b := newBadge("a1", "b1", "n", "x")
			e.must(badges.Create(e.ctx, tx, b, store.Event{Action: "c"}))
			b.Color = "blue"
			e.must(badges.Update(e.ctx, tx, b, store.Event{Action: "u"}))
			got, err := badges.Lookup(e.ctx, tx, label("x"))
			e.must(err)
			e.equal(got.Color, "blue")
			n, err := badges.Count(e.ctx, tx, store.Query{Account: "a1"})
			e.must(err)
			e.equal(n, 1)
			history, err := tx.History(e.ctx, "a1", "badge", "b1", 0)
			e.must(err)
			e.equal(summary(history), []string{"a1/1 create b1", "a1/2 update b1"})
			e.must(badges.Create(e.ctx, tx, newBadge("a1", "b2", "m"), store.Event{Action: "c"}))
			return nil
		}))
		e.equal(summary(e.events("a1")), []string{"a1/1 create b1", "a1/2 update b1", "a1/3 create b2"})
	}},
	{"a view sees one state", func(e *env) {
		e.create(newBadge("a1", "b1", "n"))
		written := make(chan error, 1)
		e.must(e.db.View(e.ctx, func(r store.Reader) error {
			first, err := badges.Get(e.ctx, r, "a1", "b1")
			e.must(err)
			go func() { written <- e.change("a1", "b1", func(b *badge) { b.Color = "blue" }) }()
			select { // a store may let the writer wait for the view
			case err := <-written:
				e.must(err)
				written <- nil
			case <-time.After(100 * time.Millisecond):
			}
			second, err := badges.Get(e.ctx, r, "a1", "b1")
			e.must(err)
			e.equal(second.Color, first.Color)
			n, err := badges.Count(e.ctx, r, store.Query{Account: "a1"})
			e.equal(n, 1)
			return err
		}))
		e.must(<-written)
		e.equal(e.get("a1", "b1").Color, "blue")
	}},
	{"an error of a view comes back unchanged", func(e *env) {
		if err := e.db.View(e.ctx, func(store.Reader) error { return errOwn }); err != errOwn {
			e.Errorf("got %v", err)
		}
	}},
	{"all rows of a transaction share its time", func(e *env) {
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			now := tx.Now()
			e.clock.Advance(time.Minute)
			for _, id := range []string{"b1", "b2"} {
				b := newBadge("a1", id, "n")
				e.must(badges.Create(e.ctx, tx, b, store.Event{Action: "c"}))
				e.equal(b.CreatedAt, now)
			}
			e.equal(tx.Now(), now)
			return nil
		}))
	}},
}
