package catalog_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/valid"
)

// registry gives the catalogue of a fresh installation.
func registry(t *testing.T) *catalog.Registry {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	set, err := catalog.BuiltinSet()
	if err != nil {
		t.Fatal(err)
	}
	r, err := catalog.NewRegistry(t.Context(), db, set, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func service(t *testing.T, name, parent, shown string) valid.Of[catalog.Service] {
	t.Helper()
	s, err := valid.Check(catalog.Service{Name: name, Parent: parent, DisplayName: shown})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, r *catalog.Registry, name, parent string) *catalog.Own {
	t.Helper()
	o, err := r.Create(t.Context(), service(t, name, parent, ""))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAServiceThatMovedSinceItWasFoundIsNotWritten(t *testing.T) {
	r := registry(t)
	found := create(t, r, "web-shop", "")
	if _, err := r.Replace(t.Context(), found, "", service(t, "web-shop", "", "first")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Replace(t.Context(), found, "", service(t, "web-shop", "", "second")); !errors.Is(err, store.ErrMoved) {
		t.Errorf("replacing what another replaced: %v", err)
	}
	if err := r.Delete(t.Context(), found); !errors.Is(err, store.ErrMoved) {
		t.Errorf("deleting what another replaced: %v", err)
	}
	if o, err := r.Get(t.Context(), "web-shop"); err != nil || o.Service.DisplayName != "first" {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestAServiceKeepsItsName(t *testing.T) {
	r := registry(t)
	found := create(t, r, "web-shop", "")
	if _, err := r.Replace(t.Context(), found, "", service(t, "other", "", "")); !errors.Is(err, fault.Invalid) {
		t.Errorf("renaming: %v", err)
	}
}

func TestAServiceWithPartsStays(t *testing.T) {
	r := registry(t)
	whole := create(t, r, "web-shop", "")
	part := create(t, r, "web-shop.till", "web-shop")
	if err := r.Delete(t.Context(), whole); !errors.Is(err, fault.Conflict) {
		t.Errorf("deleting the whole: %v", err)
	}
	if err := r.Delete(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
}

func TestTwoThatRegisterTheSameServiceDoNotBoth(t *testing.T) {
	r := registry(t)
	create(t, r, "web-shop", "")
	if _, err := r.Create(t.Context(), service(t, "web-shop", "", "")); !errors.Is(err, fault.Conflict) {
		t.Errorf("registering it again: %v", err)
	}
	if _, err := r.Create(t.Context(), service(t, "kms", "", "")); !errors.Is(err, fault.Conflict) {
		t.Errorf("registering a built-in one: %v", err)
	}
}
