package sqlitestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

func TestACopyHoldsOneMomentWhileWritesGoOn(t *testing.T) {
	dir := t.TempDir()
	db := open(t, sqlitestore.Options{Path: filepath.Join(dir, "k.db")})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wrote := make(chan struct{}, 1)
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := write(t, db, fmt.Sprintf("w%d-%06d", w, i), "text"); err != nil {
					t.Error(err)
				}
				select {
				case wrote <- struct{}{}:
				default:
				}
			}
		})
	}
	for n := range 3 {
		<-wrote
		before, err := notes.Count(t.Context(), db.Direct(), store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprintf("copy %d's.db", n))
		if err := db.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy's file: %v %v", info, err)
		}
		copied := open(t, sqlitestore.Options{Path: path})
		found, err := notes.Count(t.Context(), copied.Direct(), store.Query{})
		head, err2 := copied.Head(t.Context(), "a1")
		if err != nil || err2 != nil || found < before || int64(found) != head {
			t.Errorf("copy %d: %d objects and %d events (%v, %v); there were %d before", n, found, head, err, err2, before)
		}
		if err := copied.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}

func TestACopyNeverReplacesAFile(t *testing.T) {
	dir := t.TempDir()
	db := open(t, sqlitestore.Options{Path: filepath.Join(dir, "k.db")})
	there := filepath.Join(dir, "there")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(t.Context(), there); err == nil {
		t.Error("a file that is there was taken")
	}
	if raw, err := os.ReadFile(there); err != nil || string(raw) != "precious" {
		t.Errorf("the file holds %q, %v", raw, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	half := filepath.Join(dir, "half")
	if err := db.Backup(ended, half); err == nil {
		t.Error("a cancelled copy succeeded")
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("a failed copy is left: %v", err)
	}
}
