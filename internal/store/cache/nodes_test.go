package cache_test

import (
	"slices"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

func TestAKeyLockedAtOneNodeIsLockedAtTheOtherWithin100ms(t *testing.T) {
	dsn := storetest.Postgres(t)
	var nodes []*bench
	for range 2 {
		db, err := pgstore.Open(pgstore.Options{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := &bench{TB: t, db: &watched{DB: db}, cache: cache.New(db, 100)}
		defer b.cache.Close()
		nodes = append(nodes, b)
	}
	here, there := nodes[0], nodes[1]
	told := make(chan struct{}, 10)
	defer there.db.Subscribe(func([]store.Event) { told <- struct{}{} })()
	here.create("a1", "k1", "s1")
	<-told
	var delays []time.Duration
	for i := range 21 {
		if _, err := there.lookup("s1"); err != nil {
			t.Fatal(err)
		}
		locked := i%2 == 0
		here.change("a1", "k1", func(k *apiKey) { k.Locked = locked })
		start := time.Now()
		for k, err := there.lookup("s1"); err != nil || k.Locked != locked; k, err = there.lookup("s1") {
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-told:
			case <-time.After(5 * time.Second):
				t.Fatal("the other node was not told")
			}
		}
		delays = append(delays, time.Since(start))
	}
	slices.Sort(delays)
	t.Logf("median %v, slowest %v", delays[10], delays[20])
	if delays[10] > 100*time.Millisecond {
		t.Errorf("the median is %v", delays[10])
	}
}
