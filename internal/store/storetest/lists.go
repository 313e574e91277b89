package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

var orders = []store.Order{"", store.ByCreated, store.ByModified, store.ByName, store.ByDescription, store.ByCreator, store.ByID}

// before is the order of lists, told naively.
func before(o store.Order, a, b *store.Meta) int {
	var n int
	switch o {
	case store.ByModified:
		n = a.ModifiedAt.Compare(b.ModifiedAt)
	case store.ByName:
		n = strings.Compare(a.Name, b.Name)
	case store.ByDescription:
		n = strings.Compare(a.Description, b.Description)
	case store.ByCreator:
		n = strings.Compare(a.CreatedBy, b.CreatedBy)
	case store.ByID:
	default:
		n = a.CreatedAt.Compare(b.CreatedAt)
	}
	if n == 0 {
		n = strings.Compare(a.ID, b.ID)
	}
	if n == 0 {
		n = strings.Compare(a.Account, b.Account)
	}
	return n
}

// fill stores badges in which every sort column has ties.
func fill(e *env, n int) []*badge {
	var all []*badge
	for i := range n {
		b := newBadge("a1", fmt.Sprintf("b%03d", i*7919%1000), fmt.Sprintf("name%d", i*31%5))
		b.Description = fmt.Sprintf("text%d", i*17%4)
		b.Owner = fmt.Sprintf("owner%d", i%3)
		if i%2 == 0 {
			b.Parent = fmt.Sprintf("parent%d", i%4)
		}
		ctx := store.WithOrigin(e.ctx, store.Origin{IAMID: fmt.Sprintf("iam%d", i*13%3)})
		e.must(e.db.Update(ctx, func(tx store.Tx) error {
			return badges.Create(ctx, tx, b, store.Event{Action: "c"})
		}))
		if i%3 == 0 {
			e.clock.Advance(time.Microsecond)
		}
		all = append(all, b)
	}
	for i, b := range all {
		if i%4 == 0 {
			e.clock.Advance(time.Second)
			e.must(e.change("a1", b.ID, func(c *badge) { c.Color = "blue" }))
			*b = *e.get("a1", b.ID)
		}
	}
	return all
}

func ids(found []*badge) []string {
	out := []string{}
	for _, b := range found {
		out = append(out, b.ID)
	}
	return out
}

func (e *env) list(q store.Query) []*badge {
	e.Helper()
	found, err := badges.List(e.ctx, e.db.Direct(), q)
	e.must(err)
	return found
}

// pages reads a list page by page; between is called after each page.
func (e *env) pages(q store.Query, between func()) []*badge {
	e.Helper()
	var all []*badge
	for {
		page := e.list(q)
		if len(page) > q.Limit {
			e.Fatalf("page of %d with limit %d", len(page), q.Limit)
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			return all
		}
		q.After = store.CursorAt(q.Order, &page[len(page)-1].Meta)
		between()
	}
}

// manyBadges are more than two pages of a scan.
const manyBadges = 4_500

var listTests = []test{
	{"a scan gives what a list gives, page by page", func(e *env) {
		// In pieces: a transaction has a few seconds, and the machine may be busy.
		for from := 0; from < manyBadges; from += manyBadges / 10 {
			e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
				for i := from; i < from+manyBadges/10; i++ {
					b := newBadge("a1", fmt.Sprintf("b%05d", i*7919%100_000), "n")
					b.Parent = fmt.Sprintf("parent%d", i%50/49) // one in fifty has another
					if err := badges.Create(e.ctx, tx, b, store.Event{Action: "c"}); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		for _, q := range []store.Query{{Account: "a1"}, {Account: "a1", Parent: "parent0"}, {Account: "a1", Parent: "parent1"},
			{Account: "a2"}} {
			for _, o := range []store.Order{store.ByCreated, store.ByID} {
				q.Order = o
				want, err := badges.List(e.ctx, e.db.Direct(), q)
				e.must(err)
				e.must(e.db.View(e.ctx, func(r store.Reader) error {
					got, err := badges.Scan(e.ctx, r, q)
					if len(want) > 0 || len(got) > 0 {
						e.equal(got, want)
					}
					return err
				}))
			}
		}
	}},
	{"ids are those of the list, sorted", func(e *env) {
		fill(e, 40)
		e.create(newBadge("a2", "b1", "n"))
		for _, q := range []store.Query{{Account: "a1"}, {Account: "a1", Parent: "parent0"}, {Account: "a1", Owner: "owner1", Name: "name2"},
			{Account: "none"}, {}} {
			q.Order = store.ByID
			list, err := badges.List(e.ctx, e.db.Direct(), q)
			e.must(err)
			var want []string
			for _, b := range list {
				want = append(want, b.ID)
			}
			q.Order, q.Desc, q.Limit = store.ByName, true, 3
			got, err := badges.IDs(e.ctx, e.db.Direct(), q)
			e.must(err)
			e.equal(got, want)
		}
	}},
	{"every order is total, in both directions and in pages of any size", func(e *env) {
		all := fill(e, 40)
		for _, o := range orders {
			for _, desc := range []bool{false, true} {
				want := slices.Clone(all)
				slices.SortFunc(want, func(a, b *badge) int { return before(o, &a.Meta, &b.Meta) })
				if desc {
					slices.Reverse(want)
				}
				q := store.Query{Account: "a1", Order: o, Desc: desc}
				e.equal(ids(e.list(q)), ids(want))
				for _, q.Limit = range []int{1, 7, 40, 100} {
					e.equal(ids(e.pages(q, func() {})), ids(want))
				}
			}
		}
	}},
	{"turning round at an object gives the page before it", func(e *env) {
		fill(e, 20)
		for _, o := range orders {
			forward := e.list(store.Query{Account: "a1", Order: o})
			back := e.list(store.Query{Account: "a1", Order: o, Desc: true, Limit: 5, After: store.CursorAt(o, &forward[10].Meta)})
			slices.Reverse(back)
			e.equal(ids(back), ids(forward[5:10]))
		}
	}},
	{"objects that come and go between pages disturb no others", func(e *env) {
		all := fill(e, 30)
		for _, o := range orders {
			q := store.Query{Account: "a1", Order: o, Limit: 4}
			n := 0
			got := e.pages(q, func() {
				n++
				late := newBadge("a1", fmt.Sprintf("late-%s-%d", o, n), fmt.Sprintf("name%d", n%6))
				e.create(late)
				if n%2 == 0 {
					e.must(e.remove(late))
				}
			})
			seen := map[string]int{}
			for _, b := range got {
				seen[b.ID]++
			}
			for _, b := range all {
				if seen[b.ID] != 1 {
					e.Errorf("order %q: %s was seen %d times", o, b.ID, seen[b.ID])
				}
			}
			for id, times := range seen {
				if times > 1 {
					e.Errorf("order %q: %s was seen %d times", o, id, times)
				}
			}
			for _, b := range e.list(store.Query{Account: "a1"}) {
				if strings.HasPrefix(b.ID, "late-") {
					e.must(e.remove(b))
				}
			}
		}
	}},
	{"a cursor outlives its object", func(e *env) {
		fill(e, 10)
		q := store.Query{Account: "a1", Order: store.ByName}
		all := e.list(q)
		e.must(e.remove(all[4]))
		q.After = store.CursorAt(q.Order, &all[4].Meta)
		e.equal(ids(e.list(q)), ids(all[5:]))
	}},
	{"filters restrict lists and counts alike", func(e *env) {
		all := fill(e, 36)
		e.create(newBadge("a2", "other", "name1"))
		for _, q := range []store.Query{
			{Account: "a1"}, {Account: "a2"}, {Account: "none"}, {},
			{Account: "a1", Parent: "parent2"}, {Account: "a1", Owner: "owner1"}, {Account: "a1", Name: "name3"},
			{Account: "a1", Parent: "parent0", Owner: "owner2", Name: "name1"}, {Owner: "owner0"}, {Parent: "parent0"}, {Name: "name1"},
		} {
			var want []string
			for _, b := range append(slices.Clone(all), e.get("a2", "other")) {
				if (q.Account == "" || q.Account == b.Account) && (q.Parent == "" || q.Parent == b.Parent) &&
					(q.Owner == "" || q.Owner == b.Owner) && (q.Name == "" || q.Name == b.Name) {
					want = append(want, b.ID)
				}
			}
			slices.Sort(want)
			q.Order = store.ByID
			e.equal(ids(e.list(q)), append([]string{}, want...))
			q.Order, q.Limit = store.ByName, 1
			n, err := badges.Count(e.ctx, e.db.Direct(), q)
			e.must(err)
			e.equal(n, len(want))
		}
	}},
	{"kinds do not see each other", func(e *env) {
		fill(e, 3)
		found, err := medals.List(e.ctx, e.db.Direct(), store.Query{Account: "a1"})
		e.must(err)
		e.equal(len(found), 0)
	}},
	{"a list over every account pages through equal ids", func(e *env) {
		for i := range 10 {
			b := newBadge(fmt.Sprintf("a%d", i), "settings", "same")
			e.create(b)
		}
		for _, o := range orders {
			for _, desc := range []bool{false, true} {
				seen := map[string]bool{}
				for _, b := range e.pages(store.Query{Order: o, Desc: desc, Limit: 3}, func() {}) {
					if seen[b.Account] {
						e.Errorf("order %q: account %s twice", o, b.Account)
					}
					seen[b.Account] = true
				}
				e.equal(len(seen), 10)
			}
		}
	}},
	{"an order that does not exist is an error", func(e *env) {
		for _, o := range []store.Order{"body", "name; DELETE FROM objects", "o.name"} {
			if _, err := badges.List(e.ctx, e.db.Direct(), store.Query{Account: "a1", Order: o}); err == nil {
				e.Errorf("order %q was taken", o)
			}
		}
	}},
}
