package iamidentityv1_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/iamidentityv1"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
)

// Two accounts: ann owns the first, bob and carl are its users without any
// permission, eve owns the second.
const (
	acct  = apitest.Account
	other = apitest.Other
	ann   = apitest.Owner
	bob   = "IBMid-USERBOB"
	carl  = "IBMid-USERCARL"
	eve   = apitest.OtherOwner
)

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// server is the API over a store with the two accounts.
type server struct {
	*apitest.Server
	t       testing.TB
	table   []httpapi.Operation
	kinds   []*template.Kind
	callers map[string]caller
	worlds  int // how often build was called
}

// caller is an identity with a token of an account.
type caller struct{ IAMID, Account string }

func newServer(t testing.TB, change ...func(*apitest.Options)) *server {
	t.Helper()
	s := &server{t: t, callers: map[string]caller{"ann": {ann, acct}, "bob": {bob, acct}, "carl": {carl, acct}, "eve": {eve, other}}}
	s.Server = apitest.New(t, func(made *apitest.Server) []httpapi.Operation {
		s.table = iamidentityv1.New(iamidentityv1.Config{Identities: made.Identity, Accounts: made.Accounts, Access: made.Access,
			Templates: made.Templates,
			Reports:   made.Reports, IdPs: made.IdPs, Pages: made.Pages, BaseURL: "https://iam.example.com"}).Operations()
		return s.table
	}, append(change, func(o *apitest.Options) {
		o.Start = start
		more := o.Templates
		o.Templates = func(c *template.Config) {
			s.kinds = c.Kinds
			if more != nil {
				more(c)
			}
		}
	})...)
	s.grant(ann, "TemplateAdministrator TemplateAssignmentAdministrator") // which owners are not
	return s
}

// grant gives an identity roles on this service in the first account.
func (s *server) grant(iamID, roles string) {
	s.t.Helper()
	s.Grant(iamID, roles, "serviceName=iam-identity")
}

// roomy lets an account hold very many objects.
func roomy(o *apitest.Options) {
	o.Identity.APIKeysPerIdentity, o.IdPs.IdPs = 1000, 1000
	o.Templates = func(c *template.Config) { c.Limits = template.Limits{Templates: 1000, Versions: 100} }
}

// answer is what a request got.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	raw    []byte
}

// do sends a request as a caller, "" for nobody; body is JSON text, "" for none;
// headers are "Name: value".
func (s *server) do(caller, method, path, body string, headers ...string) answer {
	s.t.Helper()
	token := ""
	if c, ok := s.callers[caller]; ok {
		token = c.IAMID + "@" + c.Account
	} else if caller != "" {
		token = "expired"
	}
	var sent any
	if body != "" {
		sent = body
	}
	a := s.Do(token, method, path, sent, headers...)
	if method == http.MethodPost { // what it orders is done when the next request comes
		if err := s.Jobs.Pass(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	}
	header := http.Header{}
	for name, values := range a.Header { // ETag is written in that spelling
		header[http.CanonicalHeaderKey(name)] = values
	}
	return answer{s.t, method + " " + path, a.Status, header, a.Body}
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
	if err := json.Unmarshal(a.raw, &e); err != nil || len(e.Errors) != 1 || e.StatusCode != status || e.Trace == "" ||
		e.Errors[0].Code == "" || e.Errors[0].Message == "" {
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
	events, err := s.DB.Events(context.Background(), accountID, 0, 10000)
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
