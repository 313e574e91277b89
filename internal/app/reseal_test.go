package app_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// stores gives the settings of an empty database of each kind.
func stores(t *testing.T, test func(t *testing.T, set config.Settings)) {
	for name, dsn := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { return t.TempDir() + "/kagiban.db" },
		"PostgreSQL": func(t *testing.T) string { return storetest.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			set := settings(t)
			set.Database, set.Issuer = dsn(t), "https://iam.example.com"
			test(t, set)
		})
	}
}

// sealedUnder counts the stored rows with a value that a master key seals. Each
// begins with the format and the key's id, nine bytes that base64 shows as the
// same twelve characters.
func sealedUnder(t *testing.T, set config.Settings, key secret.MasterKey) int {
	t.Helper()
	driver := "sqlite"
	if set.Postgres() {
		driver = "pgx"
	}
	db, err := sql.Open(driver, set.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	id, err := hex.DecodeString(key.ID())
	if err != nil {
		t.Fatal(err)
	}
	mark, rows := "%"+base64.StdEncoding.EncodeToString(append([]byte{1}, id...))+"%", 0
	for _, table := range []string{"objects", "events", "tokens"} {
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM `+table+` WHERE CAST(body AS TEXT) LIKE $1`, mark).Scan(&n); err != nil {
			t.Fatal(err)
		}
		rows += n
	}
	return rows
}

// storedKey makes a key whose value can be read again, and gives its path.
func (s *server) storedKey(first *app.First, owner []string, serviceID, name string) (path, value string) {
	var key object
	s.want(201, "POST", "/v1/apikeys", `{"account_id":"`+first.Account+`","iam_id":"iam-`+serviceID+`","name":"`+name+
		`","store_value":true}`, &key, owner...)
	return "/v1/apikeys/" + key.ID, key.Key
}

// inFiles counts the values under a master key in the bytes of a SQLite file and
// of its companions, wherever in them.
func inFiles(t *testing.T, set config.Settings, key secret.MasterKey) (n int) {
	t.Helper()
	id, err := hex.DecodeString(key.ID())
	if err != nil {
		t.Fatal(err)
	}
	mark := base64.StdEncoding.EncodeToString(append([]byte{1}, id...))
	files, err := filepath.Glob(set.Database + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(raw), mark)
	}
	return n
}

func TestNothingUnderTheOldKeyIsLeftInTheFile(t *testing.T) {
	set := settings(t)
	set.Database, set.Issuer = t.TempDir()+"/kagiban.db", "https://iam.example.com"
	old, fresh := set.MasterKeys[0], settings(t).MasterKeys[0]
	first, err := app.Init(t.Context(), &set, app.Founder{Email: "owner@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	s := node(t, set)
	owner := s.login(first.Key)
	var id object
	s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"app"}`, &id, owner...)
	for i := range 20 { // half of them are gone before
		path, _ := s.storedKey(first, owner, id.ID, fmt.Sprint("key-", i))
		if i%2 == 0 {
			s.want(204, "DELETE", path, "", nil, owner...)
		}
	}
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	both := set
	both.MasterKeys = []secret.MasterKey{fresh, old}
	s = node(t, both) // it runs meanwhile
	if n := inFiles(t, set, old); n < 13 {
		t.Fatalf("%d values under the old key: the test looks for the wrong thing", n)
	}
	if _, err := app.Reseal(t.Context(), &both, discard); err != nil {
		t.Fatal(err)
	}
	if n := inFiles(t, set, old); n != 0 {
		t.Errorf("%d values under the old key are still in the file", n)
	}
	if n := inFiles(t, set, fresh); n < 13 {
		t.Errorf("%d values under the new key", n)
	}
	s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"later"}`, nil, owner...)
}

func TestEverythingIsSealedUnderTheNewMasterKey(t *testing.T) {
	stores(t, func(t *testing.T, set config.Settings) {
		old, fresh := set.MasterKeys[0], settings(t).MasterKeys[0]
		first, err := app.Init(t.Context(), &set, app.Founder{Email: "owner@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		s := node(t, set)
		owner := s.login(first.Key)
		var id object
		s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"app"}`, &id, owner...)
		shown := map[string]string{} // values of stored keys by path
		for i := range 3 {
			path, value := s.storedKey(first, owner, id.ID, fmt.Sprint("key-", i))
			shown[path] = value
		}
		var idp struct {
			ID string `json:"idp_id"`
		}
		s.want(201, "POST", "/v1/idps",
			`{"account_id":"`+first.Account+`","name":"dir","type":"ldap","properties":{"host":"h"},"secrets":{"bind":{"password":"hidden-pin"}}}`,
			&idp, owner...)
		if err := s.end(); err != nil {
			t.Fatal(err)
		}

		// While a server runs that has both keys; half is under the new one.
		both := set
		both.MasterKeys = []secret.MasterKey{fresh, old}
		s = node(t, both)
		path, value := s.storedKey(first, owner, id.ID, "key-new")
		shown[path] = value
		if n := sealedUnder(t, set, old); n < 7 { // pepper, page key, 3 keys, IdP, signing keys
			t.Fatalf("%d rows are sealed under the old key: the test looks for the wrong thing", n)
		}
		got, err := app.Reseal(t.Context(), &both, discard)
		if err != nil || got != (app.Resealed{Checked: 7, Changed: 6}) {
			t.Errorf("the first run: %+v, %v", got, err)
		}
		if again, err := app.Reseal(t.Context(), &both, discard); err != nil || again != (app.Resealed{Checked: 7}) {
			t.Errorf("the second run: %+v, %v", again, err)
		}
		if n := sealedUnder(t, set, old); n != 0 {
			t.Errorf("%d rows are still sealed under the old key", n)
		}
		for path, value := range shown {
			if got := field(t, s.want(200, "GET", path, "", nil, owner...), "apikey"); got != value {
				t.Errorf("%s shows %q", path, got)
			}
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}

		if _, err := app.New(context.Background(), app.Config{Settings: set, Log: discard}); err == nil ||
			!strings.Contains(err.Error(), "master key") {
			t.Errorf("with the old key alone: %v", err)
		}
		only := set
		only.MasterKeys = []secret.MasterKey{fresh}
		s = node(t, only)
		s.want(200, "GET", "/v1/serviceids/"+id.ID, "", nil, owner...) // a token of before
		s.login(first.Key)
		for path, value := range shown {
			if got := field(t, s.want(200, "GET", path, "", nil, owner...), "apikey"); got != value {
				t.Errorf("%s shows %q", path, got)
			}
			if got := s.exchange(value); got.code != 200 {
				t.Errorf("the key of %s: %d %s", path, got.code, got.body)
			}
		}
		s.want(200, "GET", "/v1/idps/"+idp.ID, "", nil, owner...) // opens what is sealed
	})
}

func TestResealingTellsWhatItCannotOpenAndDoesTheRest(t *testing.T) {
	set := settings(t)
	set.Database, set.Issuer = t.TempDir()+"/kagiban.db", "https://iam.example.com"
	first, err := app.Init(t.Context(), &set, app.Founder{Email: "owner@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	s := node(t, set)
	owner := s.login(first.Key)
	var id object
	s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"app"}`, &id, owner...)
	damaged, _ := s.storedKey(first, owner, id.ID, "damaged")
	s.storedKey(first, owner, id.ID, "whole")
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", set.Database)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE objects SET body = replace(body, '"sealed":"', '"sealed":"AAAA') WHERE id = $1`,
		damaged[strings.LastIndexByte(damaged, '/')+1:]); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	old := set.MasterKeys[0]
	set.MasterKeys = []secret.MasterKey{settings(t).MasterKeys[0], old}
	got, err := app.Reseal(t.Context(), &set, discard)
	if err == nil || got != (app.Resealed{Checked: 3, Changed: 3, Lost: 1}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := sealedUnder(t, set, old); n != 1 {
		t.Errorf("%d rows are left under the old key, want the damaged one", n)
	}
}
