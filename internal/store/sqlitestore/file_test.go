package sqlitestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"database/sql"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

type note struct {
	store.Meta
	Text string `json:"text"`
}

var notes = store.NewCollection[note]("note", nil)

func write(t testing.TB, db store.DB, id, text string) error {
	return db.Update(t.Context(), func(tx store.Tx) error {
		n := &note{Meta: store.Meta{Account: "a1", ID: id}, Text: text}
		return notes.Create(t.Context(), tx, n, store.Event{Action: "c"})
	})
}

func TestAFileKeepsItsObjects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name ?#%41.db")
	for i := range 3 {
		db := open(t, sqlitestore.Options{Path: path})
		n, err := notes.Count(t.Context(), db.Direct(), store.Query{})
		if err != nil || n != i {
			t.Fatalf("%d objects, %v; want %d", n, err, i)
		}
		if err := write(t, db, strings.Repeat("n", i+1), ""); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheOwnerReadsTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.db")
	db := open(t, sqlitestore.Options{Path: path})
	if err := write(t, db, "n", ""); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", info.Name(), mode)
		}
	}
}

func TestWhatCannotBeOpenedIsAnError(t *testing.T) {
	notADatabase := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(notADatabase, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]sqlitestore.Options{
		"nothing":        {},
		"both":           {Memory: true, Path: "x"},
		"no folder":      {Path: filepath.Join(t.TempDir(), "none", "k.db")},
		"a folder":       {Path: t.TempDir()},
		"not a database": {Path: notADatabase},
	} {
		if db, err := sqlitestore.Open(t.Context(), o); err == nil {
			db.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

func TestTheSchemaIsChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.db")
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CheckSchema(t.Context()); fault.Of(err).Kind != fault.State {
		t.Errorf("empty database: got %v", err)
	}
	if err := errors.Join(db.Migrate(t.Context()), db.Migrate(t.Context()), db.CheckSchema(t.Context())); err != nil {
		t.Fatal(err)
	}
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Exec("INSERT INTO kagiban_schema (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckSchema(t.Context()); fault.Of(err).Kind != fault.State {
		t.Errorf("newer database: got %v", err)
	}
	memory := open(t, sqlitestore.Options{Memory: true})
	if err := memory.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
}
