package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kagiban/kagiban/internal/store"
)

// Benchmark measures the two things that bound the services: reading one
// object of about 1 KB past any cache, and creating one durably with its key
// and its event.
func Benchmark(b *testing.B, db store.DB) {
	ctx := b.Context()
	const objects, accounts = 2000, 50
	text := strings.Repeat("0123456789abcdef", 50)
	create := func(account, id string) error {
		return db.Update(ctx, func(tx store.Tx) error {
			obj := newBadge(account, id, "name of "+id, account+"/"+id)
			obj.Color = text
			return badges.Create(ctx, tx, obj, store.Event{Action: "badge.create"})
		})
	}
	account := func(i int) string { return fmt.Sprintf("%032x", i%accounts) }
	for i := range objects {
		if err := create(account(i), fmt.Sprint("b", i)); err != nil {
			b.Fatal(err)
		}
	}
	benchmarkReads(b, db, objects, account)
	var n atomic.Int64
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("create with %d writers", writers), func(b *testing.B) {
			b.ReportAllocs()
			share(b, writers, func() error {
				i := int(n.Add(1))
				return create(account(i), fmt.Sprint("w", i))
			})
		})
	}
	b.Run("create with 32 writers in one account", func(b *testing.B) {
		ctx = store.WithOrigin(ctx, store.Origin{Account: "one"})
		share(b, 32, func() error { return create("one", fmt.Sprint("o", n.Add(1))) })
	})
	b.Run("put a token with 32 writers", func(b *testing.B) {
		share(b, 32, func() error {
			return db.Tokens().Put(context.WithoutCancel(ctx), store.Token{Space: "s", Key: fmt.Sprint("t", n.Add(1)), Body: []byte(text)})
		})
	})
}

func benchmarkReads(b *testing.B, db store.DB, objects int, account func(int) string) {
	ctx := b.Context()
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			i := rand.IntN(objects)
			if _, err := db.Direct().Get(ctx, "badge", account(i), fmt.Sprint("b", i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get with 16 readers", func(b *testing.B) {
		share(b, 16, func() error {
			i := rand.IntN(objects)
			_, err := db.Direct().Get(ctx, "badge", account(i), fmt.Sprint("b", i))
			return err
		})
	})
	b.Run("look up a key", func(b *testing.B) {
		for b.Loop() {
			i := rand.IntN(objects)
			if _, err := db.Direct().Lookup(ctx, label(fmt.Sprintf("%s/b%d", account(i), i))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("list 20 by name", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Direct().List(ctx, store.Query{Kind: "badge", Account: account(rand.IntN(objects)), Order: store.ByName,
				Limit: 20}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// share parts b.N calls among n goroutines.
func share(b *testing.B, n int, call func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
