package lists_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

type thing struct{ store.Meta }

var things = store.NewCollection[thing]("thing", nil)

var pages = lists.NewSealer(bytes.Repeat([]byte{1}, 32))

// form reads one page of a list and tells how to ask for the next one, "" at the
// end. at is "" for the first.
type form func(ctx context.Context, src lists.Source[thing], at string, size int) (items []*thing, next string, err error)

// The four forms of the families: tokens, links with tokens (that of policies has
// the token beside the link, that of enterprises a relative link), offsets.
var forms = map[string]form{
	"tokens": func(ctx context.Context, src lists.Source[thing], at string, size int) ([]*thing, string, error) {
		var place lists.Token
		if at != "" {
			var err error
			if place, err = pages.Open(at, "q", "pagetoken"); err != nil {
				return nil, "", err
			}
		}
		p, err := lists.Cut(ctx, src, place, size)
		if err != nil {
			return nil, "", err
		}
		_, _, next := p.Tokens(pages, "q")
		return p.Items, next, nil
	},
	"links": func(ctx context.Context, src lists.Source[thing], at string, size int) ([]*thing, string, error) {
		u := request(at, "/v1/things?sort=name&limit="+strconv.Itoa(size))
		p, links, err := lists.ByToken(ctx, pages, src, lists.Asked{Base: "http://h", URL: u, Param: "start", Token: u.Query().Get("start"),
			Size: size})
		if err != nil {
			return nil, "", err
		}
		return p.Items, links.Next, nil
	},
	"relative links": func(ctx context.Context, src lists.Source[thing], at string, size int) ([]*thing, string, error) {
		u := request(at, "/v1/things?parent=x")
		p, links, err := lists.ByToken(ctx, pages, src, lists.Asked{URL: u, Scope: "root", Param: "next_docid",
			Token: u.Query().Get("next_docid"), Size: size})
		if err != nil {
			return nil, "", err
		}
		return p.Items, links.Next, nil
	},
	"offsets": func(ctx context.Context, src lists.Source[thing], at string, size int) ([]*thing, string, error) {
		u := request(at, "/v2/things?search=name")
		in := lists.OffsetIn{Limit: &size, Start: u.Query().Get("start")}
		if offset, err := strconv.Atoi(u.Query().Get("offset")); err == nil {
			in.Offset = &offset
		}
		head, items, err := lists.ByOffset(ctx, pages, src, in, "http://h", u)
		if err != nil || head.Next == nil {
			return items, "", err
		}
		return items, head.Next.Href, nil
	},
}

func request(link, first string) *url.URL {
	if link == "" {
		link = first
	}
	u, err := url.Parse(link)
	if err != nil {
		panic(err)
	}
	return u
}

// world is a list that changes while it is read.
type world struct {
	*rapid.T
	ctx  context.Context
	db   store.DB
	made int
	here map[string]*thing
}

func (w *world) add(n int) {
	for range n {
		w.made++
		x := &thing{store.Meta{Account: "a", ID: fmt.Sprintf("%04d", rapid.IntRange(0, 99).Draw(w.T, "id")*100+w.made%100),
			Name: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(w.T, "name")}}
		if w.here[x.ID] != nil {
			continue
		}
		w.must(w.db.Update(w.ctx, func(tx store.Tx) error { return things.Create(w.ctx, tx, x, store.Event{}) }))
		w.here[x.ID] = x
	}
}

func (w *world) remove(n int) (gone []string) {
	for range n {
		if len(w.here) == 0 {
			return gone
		}
		id := rapid.SampledFrom(slices.Sorted(maps.Keys(w.here))).Draw(w.T, "gone")
		w.must(w.db.Update(w.ctx, func(tx store.Tx) error { return things.Delete(w.ctx, tx, w.here[id], store.Event{}) }))
		delete(w.here, id)
		gone = append(gone, id)
	}
	return gone
}

func (w *world) must(err error) {
	if err != nil {
		w.Fatal(err)
	}
}

// source gives the list as it is now.
func (w *world) source(stored bool, order store.Order, desc bool) lists.Source[thing] {
	keep := func(x *thing) bool { return x.ID[3]%3 != 0 }
	if stored {
		return lists.Stored[thing]{Of: things, From: w.db.Direct(), Query: store.Query{Account: "a", Order: order, Desc: desc},
			Keep: func(x *thing) (bool, error) { return keep(x), nil }}
	}
	var list []*thing
	for _, x := range w.here {
		if keep(x) {
			list = append(list, x)
		}
	}
	return lists.Held(list, desc, func(x *thing) store.Cursor { return *store.CursorAt(order, &x.Meta) })
}

// Whatever comes or goes between two pages, that of the last item included:
// what was in the list all the while is on exactly one page.
func TestEachItemThatStaysIsOnOnePage(t *testing.T) {
	for name, read := range forms {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				db, err := sqlitestore.Open(context.Background(), sqlitestore.Options{Memory: true})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				w := &world{T: t, ctx: context.Background(), db: db, here: map[string]*thing{}}
				w.add(rapid.IntRange(0, 12).Draw(t, "items"))
				stays := map[string]bool{}
				stored, desc := rapid.Bool().Draw(t, "stored"), rapid.Bool().Draw(t, "desc")
				order := rapid.SampledFrom([]store.Order{store.ByName, store.ByID, store.ByCreated}).Draw(t, "order")
				for _, x := range w.here {
					stays[x.ID] = true
				}
				size := rapid.IntRange(1, 5).Draw(t, "size")
				seen := map[string]int{}
				for at := ""; ; {
					items, next, err := read(w.ctx, w.source(stored, order, desc), at, size)
					w.must(err)
					for _, x := range items {
						seen[x.ID]++
					}
					if at = next; at == "" {
						break
					}
					if len(items) != size {
						t.Fatalf("a page of %d items is not the last", len(items))
					}
					changes := rapid.IntRange(0, 3).Draw(t, "changes")
					if rapid.Bool().Draw(t, "the last one") {
						last := items[len(items)-1].ID
						w.must(w.db.Update(w.ctx, func(tx store.Tx) error { return things.Delete(w.ctx, tx, w.here[last], store.Event{}) }))
						delete(w.here, last)
						delete(stays, last)
					}
					for _, id := range w.remove(changes) {
						delete(stays, id)
					}
					w.add(changes)
				}
				for id, n := range seen {
					if n > 1 && stays[id] {
						t.Errorf("%s is on %d pages", id, n)
					}
				}
				for id := range stays {
					if want := 1; id[3]%3 != 0 && seen[id] != want || id[3]%3 == 0 && seen[id] != 0 {
						t.Errorf("%s is on %d pages", id, seen[id])
					}
				}
			})
		})
	}
}

func TestGoingBackShowsTheSamePages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []*thing
		for i := range rapid.IntRange(0, 20).Draw(t, "items") {
			list = append(list, &thing{store.Meta{ID: fmt.Sprint(100 + i), Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")}})
		}
		src := lists.Held(list, rapid.Bool().Draw(t, "desc"), func(x *thing) store.Cursor { return *store.CursorAt(store.ByName, &x.Meta) })
		size := rapid.IntRange(1, 6).Draw(t, "size")
		read := func(at string) (p *lists.Page[thing], previous, next string) {
			var place lists.Token
			var err error
			if at != "" {
				if place, err = pages.Open(at, "q", "x"); err != nil {
					t.Fatal(err)
				}
			}
			if p, err = lists.Cut(t.Context(), src, place, size); err != nil {
				t.Fatal(err)
			}
			_, previous, next = p.Tokens(pages, "q")
			return p, previous, next
		}
		p, previous, next := read("")
		there := [][]*thing{p.Items}
		for next != "" {
			p, previous, next = read(next)
			there = append(there, p.Items)
		}
		back := [][]*thing{p.Items}
		for previous != "" {
			p, previous, _ = read(previous)
			back = append(back, p.Items)
		}
		slices.Reverse(back)
		if !slices.EqualFunc(there, back, slices.Equal) {
			t.Fatalf("%d pages there, %d back", len(there), len(back))
		}
	})
}

func TestATokenOfAnotherListIsRefused(t *testing.T) {
	src := lists.Held([]*thing{{store.Meta{ID: "1"}}, {store.Meta{ID: "2"}}}, false,
		func(x *thing) store.Cursor { return store.Cursor{ID: x.ID} })
	ask := func(path, scope, token string) (string, error) {
		_, links, err := lists.ByToken(t.Context(), pages, src, lists.Asked{URL: request(path, ""), Scope: scope, Param: "start", Token: token,
			Size: 1})
		return links.NextToken, err
	}
	token, err := ask("/v1/x?account_id=a&limit=1", "me", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask("/v1/x?limit=2&account_id=a&start="+token, "me", token); err != nil {
		t.Errorf("the page may have another size: %v", err)
	}
	for path, scope := range map[string]string{"/v1/x?account_id=b": "me", "/v1/y?account_id=a": "me", "/v1/x?account_id=a&sort=name": "me",
		"/v1/x?account_id=a": "you"} {
		if _, err := ask(path, scope, token); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s for %s: %v", path, scope, err)
		}
	}
}
