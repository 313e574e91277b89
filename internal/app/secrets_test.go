package app_test

import (
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// hoard collects secrets by name, and texts in which none may be.
type hoard struct {
	secrets map[string]string
	texts   map[string]string
}

func (h *hoard) add(t *testing.T, name, value string) {
	t.Helper()
	if len(value) < 8 {
		t.Fatalf("%s is %q: the test did not make the secret", name, value)
	}
	h.secrets[name] = value
}

// field gives a text property of a JSON answer.
func field(t *testing.T, a answer, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	s, _ := m[name].(string)
	return s
}

// makeSecrets uses every way to make a secret, and sends each to where it does
// not belong.
func makeSecrets(t *testing.T, s *server, h *hoard) {
	d := s.Demo()
	for name, v := range map[string]string{"owner's key": d.OwnerKey.Value.Reveal(), "service's key": d.ServiceKey.Value.Reveal(),
		"password": d.Password.Reveal()} {
		h.add(t, name, v)
	}
	auth := s.owner()
	h.add(t, "access token", strings.TrimPrefix(auth[1], "Bearer "))

	made := s.want(201, "POST", "/v1/apikeys", `{"name":"k","iam_id":"`+d.Owner.IAMID+`","account_id":"`+d.Root+`"}`, nil, auth...)
	h.add(t, "new key", field(t, made, "apikey"))
	stored := s.want(201, "POST", "/v1/apikeys", `{"name":"s","iam_id":"iam-`+d.ServiceID+`","account_id":"`+d.Root+`","store_value":true}`,
		nil, auth...)
	h.add(t, "stored key", field(t, stored, "apikey"))
	h.add(t, "given key", "a-value-that-the-caller-chose-0123456789")
	s.call("POST", "/v1/apikeys", `{"name":"g","iam_id":"iam-`+d.ServiceID+`","account_id":"`+d.Root+`","apikey":"`+h.secrets["given key"]+
		`"}`, auth...)

	const basic = "Basic Yng6Yng=" // bx:bx
	login := s.grant(url.Values{"grant_type": {"password"}, "username": {d.Console.Email}, "password": {d.Password.Reveal()}},
		"Authorization", basic)
	if login.code != 200 {
		t.Fatalf("login with the password: %d %s", login.code, login.body)
	}
	h.add(t, "user's access token", field(t, login, "access_token"))
	refresh := field(t, login, "refresh_token")
	h.add(t, "refresh token", refresh)
	code := s.call("POST", "/identity/passcode", url.Values{"refresh_token": {refresh}}.Encode(), "Authorization", basic, "Content-Type",
		"application/x-www-form-urlencoded")
	h.add(t, "passcode", field(t, code, "passcode"))
	renewed := s.grant(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, "Authorization", basic)
	h.add(t, "second refresh token", field(t, renewed, "refresh_token"))
}

// misplace sends every secret where it is wrong and keeps the error texts.
func misplace(s *server, h *hoard) {
	auth := s.owner()
	for name, v := range h.secrets {
		q := url.QueryEscape(v)
		for i, a := range []answer{
			s.grant(url.Values{"grant_type": {v}}),
			s.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {v + "x"}}),
			s.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:passcode"}, "passcode": {v + "x"}}, "Authorization",
				"Basic Yng6Yng="),
			s.grant(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v + "x"}}, "Authorization", "Basic Yng6Yng="),
			s.call("GET", "/v1/serviceids/x", "", "Authorization", "Bearer "+v+"x"),
			s.call("GET", "/v1/policies?account_id="+q, "", auth...),
			s.call("POST", "/v1/apikeys", `{"apikey":"`+v+`"}`, auth...),
		} {
			if a.code >= 400 {
				h.texts["error text "+name+" "+string(rune('0'+i))] = a.body
			}
		}
	}
}

func TestSecretsAreInNoFileNoLogAndNoErrorText(t *testing.T) {
	dir := t.TempDir()
	h := &hoard{map[string]string{}, map[string]string{}}
	s := run(t, func(c *app.Config) {
		databaseIn(dir)(c)
		h.add(t, "master key", c.MasterKeys[0].Reveal())
	})
	makeSecrets(t, s, h)
	misplace(s, h)
	h.texts["requests"] = s.want(200, "GET", "/dev/v1/requests", "", nil).body
	h.texts["events"] = s.want(200, "GET", "/dev/v1/events", "", nil).body
	h.texts["metrics"] = s.want(200, "GET", "/metrics", "", nil).body
	h.files(t, dir) // with the write-ahead log
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	h.files(t, dir)
	h.texts["log"] = s.log.String()
	if !strings.Contains(h.texts["log"], `"get_token"`) || len(h.texts["database kagiban.db"]) < 10000 {
		t.Fatal("the test looks at the wrong files")
	}
	h.find(t)
}

// find looks for every secret in every text.
func (h *hoard) find(t *testing.T) {
	t.Helper()
	for name, value := range h.secrets {
		for form, text := range forms(value) {
			for where, content := range h.texts {
				if strings.Contains(content, text) {
					t.Errorf("the %s is in the %s, as %s", name, where, form)
				}
			}
		}
	}
}

func TestSecretsAreNotInPostgreSQL(t *testing.T) {
	h := &hoard{map[string]string{}, map[string]string{}}
	dsn := storetest.Postgres(t)
	s := run(t, func(c *app.Config) {
		c.Database, c.AutoMigrate = dsn, true
		h.add(t, "master key", c.MasterKeys[0].Reveal())
	})
	makeSecrets(t, s, h)
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	h.tables(t, dsn)
	h.find(t)
}

// tables adds every row of every table.
func (h *hoard) tables(t *testing.T, dsn string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	total := 0
	for _, table := range []string{"objects", "keys", "heads", "events", "tokens", "activity"} {
		var text string
		if err := db.QueryRow(`SELECT coalesce(string_agg(t::text, ' '), '') FROM ` + table + ` t`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		h.texts["table "+table] = text
		total += len(text)
	}
	if total < 10000 {
		t.Fatal("the test looks at the wrong tables")
	}
}

func (h *hoard) files(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		h.texts["database "+e.Name()] += string(raw)
	}
}

// forms gives a secret as it is and as it is commonly encoded.
func forms(value string) map[string]string {
	out := map[string]string{
		"plain text": value, "hex": hex.EncodeToString([]byte(value)),
		"base64":    strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(value)), "="),
		"base64url": base64.RawURLEncoding.EncodeToString([]byte(value)),
	}
	if raw, err := base64.StdEncoding.DecodeString(value); err == nil && len(raw) >= 16 {
		out["raw bytes"] = string(raw) // of the master key
	}
	return out
}
