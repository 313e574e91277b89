package iamidentityv1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/iamidentityv1"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/report"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// Two accounts: ann owns the first, bob and carl are its users without any
// permission, eve owns the second.
const (
	acct  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	other = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	ann   = "IBMid-270000ANN1"
	bob   = "IBMid-270000BOB1"
	carl  = "IBMid-270000CARL"
	eve   = "IBMid-270000EVE1"
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// server is the API over an empty store with the two accounts.
type server struct {
	t         testing.TB
	db        store.DB
	ids       *identity.Service
	accounts  *account.Service
	templates *template.Service
	kinds     []*template.Kind
	tree      *enterprise.Service
	reports   *report.Service
	idps      *idp.Service
	table     []httpapi.Operation
	router    *httpapi.Router
	now       time.Time
	callers   map[string]*httpapi.Caller
	// grants are the actions that an identity may do in its account, beside
	// what owners of the account and of objects may.
	grants map[string][]string
	worlds int // how often build was called
}

func newServer(t testing.TB, limits ...func(*identity.Limits)) *server {
	t.Helper()
	s := &server{t: t, now: start, grants: map[string][]string{}, callers: map[string]*httpapi.Caller{}}
	for name, iamID := range map[string]string{"ann": ann, "bob": bob, "carl": carl, "eve": eve} {
		at := acct
		if name == "eve" {
			at = other
		}
		s.callers[name] = &httpapi.Caller{Subject: policy.Subject{Kind: policy.KindUser, IAMID: iamID, Account: at}, Name: name}
	}
	clock := func() time.Time { return s.now }
	db, err := sqlitestore.Open(context.Background(), sqlitestore.Options{Memory: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s.db = db
	l := identity.DefaultLimits
	for _, change := range limits {
		change(&l)
	}
	s.accounts = account.New(account.Config{DB: db, Now: clock})
	s.ids = identity.New(identity.Config{DB: db, Now: clock, Hasher: testHasher(t), Sealer: testSealer(t), Pages: lists.NewSealer(make([]byte, 32)), Limits: l})
	s.tree = &enterprise.Service{DB: db, Accounts: s.accounts, Now: clock, Limits: enterprise.DefaultLimits}
	s.reports = report.New(report.Config{DB: db, Now: clock, Run: func(job func()) { job() }})
	t.Cleanup(s.reports.Close)
	s.idps = idp.New(idp.Config{DB: db, Now: clock, Sealer: testSealer(t), Limit: l.IdentityProviders, NewKey: quickKey})
	// Kinds that are not of this API never ask for access groups and policies.
	s.kinds = kinds.All(s.ids, nil)
	s.templates = template.New(template.Config{DB: db, Now: clock, Tree: s.tree, Kinds: s.kinds, Limits: template.Limits{Templates: 1000, Versions: 100}})
	s.table = iamidentityv1.New(iamidentityv1.Config{Identities: s.ids, Accounts: s.accounts, Templates: s.templates, Reports: s.reports, IdPs: s.idps, BaseURL: "https://iam.example.com"}).Operations()
	s.router, err = httpapi.NewRouter(httpapi.Config{
		Operations: s.table, Authenticator: s, Authorizer: s, Now: clock, Default: iamidentityv1.Family,
		Log: slog.New(slog.NewTextHandler(output(t), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for accountID, owner := range map[string]string{acct: ann, other: eve} {
		n := account.NewAccount{ID: accountID, Name: "Account of " + owner, Owner: account.NewUser{ID: owner, Name: "Owner", Email: strings.ToLower(owner) + "@example.com"}}
		if _, err := s.accounts.Create(context.Background(), n); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// output is where a test's log goes. A fuzz target must not touch its F.
func output(t testing.TB) io.Writer {
	if _, fuzzing := t.(*testing.F); fuzzing {
		return io.Discard
	}
	return t.Output()
}

func testHasher(t testing.TB) *secret.Hasher {
	t.Helper()
	h, err := secret.NewHasher(bytes.Repeat([]byte{1}, secret.PepperSize), secret.PurposeAPIKey)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func testSealer(t testing.TB) *secret.Sealer {
	t.Helper()
	key, err := secret.ParseMasterKey(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.NewSealer(nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

// Authenticate takes the names of the callers as tokens.
func (s *server) Authenticate(_ context.Context, token string) (*httpapi.Caller, error) {
	if c := s.callers[token]; c != nil {
		return c, nil
	}
	return nil, fault.New(fault.Unauthenticated, "Provided access token is invalid.")
}

// Decide lets owners of accounts do everything there but what a setting keeps
// for the holders of a role, and owners and creators what they may do to theirs.
func (s *server) Decide(_ context.Context, r policy.Request) (policy.Decision, error) {
	if r.Subject.Account != r.Resource.Account {
		return policy.Decision{Reason: policy.ReasonOtherAccount}, nil
	}
	me := r.Subject.IAMID
	kept := r.Action == "iam-identity.serviceid.create" || r.Action == "iam-identity.user-apikey.create"
	allowed := (me == ann || me == eve) && !kept || me == r.Resource.Owner || me == r.Resource.Creator || slices.Contains(s.grants[me], r.Action)
	return policy.Decision{Allowed: allowed, Reason: policy.ReasonOwner}, nil
}

// answer is what a request got.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	raw    []byte
}

// do sends a request as a caller; body is JSON text, "" for none; headers are
// "Name: value".
func (s *server) do(caller, method, path, body string, headers ...string) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://iam.example.com"+path, strings.NewReader(body))
	if caller != "" {
		r.Header.Set("Authorization", "Bearer "+caller)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.router.ServeHTTP(w, r)
	header := http.Header{}
	for name, values := range w.Header() { // ETag is written in that spelling
		header[http.CanonicalHeaderKey(name)] = values
	}
	return answer{s.t, method + " " + path, w.Code, header, w.Body.Bytes()}
}

// ok demands a status and gives the body's properties.
func (a answer) ok(status int) map[string]any {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %s", a.what, a.status, status, a.raw)
	}
	if len(a.raw) == 0 {
		return nil
	}
	out := map[string]any{}
	if err := json.Unmarshal(a.raw, &out); err != nil {
		a.t.Fatalf("%s: %v in %s", a.what, err, a.raw)
	}
	return out
}

// refused demands an error answer in the family's envelope, of a status and
// with a word in its message or details.
func (a answer) refused(status int, word string) {
	a.t.Helper()
	var e struct {
		Trace      string
		StatusCode int `json:"status_code"`
		Errors     []struct{ Code, Message, Details string }
	}
	if a.status != status {
		a.t.Errorf("%s: status %d, want %d: %s", a.what, a.status, status, a.raw)
		return
	}
	if err := json.Unmarshal(a.raw, &e); err != nil || len(e.Errors) != 1 || e.StatusCode != status || e.Trace == "" || e.Errors[0].Code == "" || e.Errors[0].Message == "" {
		a.t.Errorf("%s: not an error envelope: %s (%v)", a.what, a.raw, err)
		return
	}
	if !strings.Contains(e.Errors[0].Message+" "+e.Errors[0].Details, word) {
		a.t.Errorf("%s: %q is not in %s", a.what, word, a.raw)
	}
}

// text gives a property that must be a string.
func text(t testing.TB, m map[string]any, name string) string {
	t.Helper()
	v, ok := m[name].(string)
	if !ok {
		t.Fatalf("property %s is %#v in %v", name, m[name], m)
	}
	return v
}

func list(t testing.TB, m map[string]any, name string) []any {
	t.Helper()
	v, ok := m[name].([]any)
	if !ok {
		t.Fatalf("property %s is %#v in %v", name, m[name], m)
	}
	return v
}

// names gives the names of the objects of a list.
func names(t testing.TB, m map[string]any, name string) (out []string) {
	t.Helper()
	for _, one := range list(t, m, name) {
		out = append(out, text(t, one.(map[string]any), "name"))
	}
	return out
}

// obj prints a JSON object from pairs of names and values.
func obj(pairs ...any) string {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// newKey makes an API key of a user for the user and gives its answer.
func (s *server) newKey(caller, name string) map[string]any {
	s.t.Helper()
	return s.do(caller, "POST", "/v1/apikeys", obj("name", name, "iam_id", s.callers[caller].IAMID)).ok(201)
}

func (s *server) newServiceID(caller, name string) map[string]any {
	s.t.Helper()
	return s.do(caller, "POST", "/v1/serviceids", obj("name", name, "account_id", s.callers[caller].Account)).ok(201)
}

func (s *server) newProfile(caller, name string) map[string]any {
	s.t.Helper()
	return s.do(caller, "POST", "/v1/profiles", obj("name", name, "account_id", s.callers[caller].Account)).ok(201)
}

// lastEvent gives the newest event of an account with an audit action.
func (s *server) lastEvent(accountID string) store.Event {
	s.t.Helper()
	events, err := s.db.Events(context.Background(), accountID, 0, 10000)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Action != "" {
			return events[i]
		}
	}
	s.t.Fatal("no event")
	return store.Event{}
}

func (*server) Rights(ctx context.Context, _ policy.Request) (asker.Rights, error) {
	return asker.System.Rights(ctx, "")
}
