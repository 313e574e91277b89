// Package apitest is a server in memory for tests of API families that stand on
// package access: the real router, store, catalogue and decisions, with tokens
// that are no more than names. Only tests import it.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
	"github.com/kagiban/kagiban/internal/valid"
)

// The accounts of every Server, with their owners.
const (
	Account = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	Other   = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	Absent  = "cccccccccccccccccccccccccccccccc" // not there

	Owner      = "IBMid-OWNER" // owns Account
	OtherOwner = "IBMid-OTHER" // owns Other
	Member     = "IBMid-MEMBER"
)

// Noon is the time at which a Server begins: a Monday.
var Noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// Server is a server in memory.
type Server struct {
	T         testing.TB
	DB        store.DB
	Registry  *catalog.Registry
	Authority *authority.Authority
	Access    *access.Service
	Identity  *identity.Service
	Tree      *enterprise.Service
	Templates *template.Service
	Standing  authority.Standing
	Router    *httpapi.Router

	offset atomic.Int64 // of the clock from Noon
}

// Options are what a test may want otherwise.
type Options struct {
	DB     store.DB // nil: one in memory; it ends with the test
	Access access.Limits
	// Templates changes what the template service is made with.
	Templates func(*template.Config)
}

// New makes a server with the rows of a family, or, with nil, one for its
// services only. It ends with the test.
func New(t testing.TB, rows func(*Server) []httpapi.Operation, change ...func(*Options)) *Server {
	t.Helper()
	o := Options{Access: access.DefaultLimits}
	for _, fn := range change {
		fn(&o)
	}
	s := &Server{T: t, DB: o.DB}
	ctx := context.Background()
	var err error
	if s.DB == nil {
		if s.DB, err = sqlitestore.Open(ctx, sqlitestore.Options{Memory: true, Now: s.Now}); err != nil {
			t.Fatal(err)
		}
	}
	set, err := catalog.BuiltinSet()
	if err != nil {
		t.Fatal(err)
	}
	if s.Registry, err = catalog.NewRegistry(ctx, s.DB, set, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	s.Authority = authority.New(authority.Config{DB: s.DB, Catalogs: s.Registry})
	s.Access = access.New(access.Config{DB: s.DB, Authority: s.Authority, Now: s.Now, Limits: o.Access})
	s.Tree = &enterprise.Service{DB: s.DB, Accounts: account.New(account.Config{DB: s.DB, Now: s.Now}), Now: s.Now, Limits: enterprise.DefaultLimits}
	hasher, err := secret.NewHasher(make([]byte, secret.PepperSize), secret.PurposeAPIKey)
	if err != nil {
		t.Fatal(err)
	}
	s.Identity = identity.New(identity.Config{DB: s.DB, Now: s.Now, Hasher: hasher})
	templates := template.Config{DB: s.DB, Now: s.Now, Tree: s.Tree, Kinds: kinds.All(s.Identity, s.Access)}
	if o.Templates != nil {
		o.Templates(&templates)
	}
	s.Templates = template.New(templates)
	objects := cache.New(s.DB, 1000)
	s.Standing = authority.NewStanding(objects)
	if rows != nil {
		operations := rows(s)
		s.Router, err = httpapi.NewRouter(httpapi.Config{
			Operations: operations, Authenticator: names{}, Authorizer: s.Authority, Now: s.Now,
			Log: slog.New(slog.DiscardHandler), Default: operations[0].Family,
			Intercept: func(ctx context.Context, _ *httpapi.Call) error { return s.Registry.Refresh(ctx) },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		objects.Close()
		s.Authority.Close()
		s.Registry.Close()
		if err := s.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	s.NewAccount(Account, Owner)
	s.NewAccount(Other, OtherOwner)
	return s
}

// Checked gives input of domain functions as its own check leaves it.
func Checked[T valid.Checker](t testing.TB, input T) valid.Of[T] {
	t.Helper()
	v, err := valid.Check(input)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Now is the server's time.
func (s *Server) Now() time.Time { return Noon.Add(time.Duration(s.offset.Load())) }

// Pass moves the clock.
func (s *Server) Pass(d time.Duration) { s.offset.Add(int64(d)) }

// NewAccount stores an active account.
func (s *Server) NewAccount(accountID, owner string) {
	s.T.Helper()
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return account.Accounts.Create(ctx, tx, &account.Account{Meta: store.Meta{Account: accountID, ID: accountID, Name: accountID, Owner: owner}, State: account.Active}, store.Event{})
	})
}

// Update writes to the store.
func (s *Server) Update(fn func(context.Context, store.Tx) error) {
	s.T.Helper()
	ctx := context.Background()
	if err := s.DB.Update(ctx, func(tx store.Tx) error { return fn(ctx, tx) }); err != nil {
		s.T.Fatal(err)
	}
}

// Grant gives roles on resources of Account to an identity, past the API, and
// gives the policy's id. The resource is "key=value" pairs.
func (s *Server) Grant(iamID, roles string, resource ...string) string {
	s.T.Helper()
	doc := &policy.Policy{Version: policy.V2, Type: policy.TypeAccess, State: policy.StateActive,
		Subject: []policy.Attribute{{Key: policy.AttrIAMID, Operator: policy.OpStringEquals, Value: policy.String(iamID)}}}
	in := Account
	for _, pair := range resource {
		key, value, _ := strings.Cut(pair, "=")
		if key == policy.AttrAccountID {
			in = value
			continue
		}
		doc.Resource = append(doc.Resource, policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)})
	}
	doc.Resource = append(doc.Resource, policy.Attribute{Key: policy.AttrAccountID, Operator: policy.OpStringEquals, Value: policy.String(in)})
	for name := range strings.FieldsSeq(roles) {
		doc.RoleIDs = append(doc.RoleIDs, Role(name))
	}
	p, err := s.Access.CreatePolicy(context.Background(), doc, nil)
	if err != nil {
		s.T.Fatal(err)
	}
	return p.ID
}

// May decides for an identity with a token of Account whether it may do an
// action to a service there.
func (s *Server) May(iamID, action, service string) bool {
	s.T.Helper()
	d, err := s.Authority.Decide(context.Background(), policy.Request{Action: action,
		Subject:  policy.Subject{Kind: policy.KindOf(iamID), IAMID: iamID, Account: Account},
		Resource: policy.Resource{Account: Account, ServiceName: service}, Environment: policy.Environment{Now: s.Now()}})
	if err != nil {
		s.T.Fatal(err)
	}
	return d.Allowed
}

// Role gives the CRN of a role: those with a colon are CRNs already.
func Role(name string) string {
	switch name {
	case "Administrator", "Editor", "Operator", "Viewer", "TemplateAdministrator", "TemplateAssignmentAdministrator":
		return "crn:v1:bluemix:public:iam::::role:" + name
	case "Manager", "Writer", "Reader":
		return "crn:v1:bluemix:public:iam::::serviceRole:" + name
	}
	return name
}

// names reads tokens: "IAMID" is an identity with a token of Account, "IAMID@X"
// one with a token of account X; "expired" is refused.
type names struct{}

// Authenticate implements httpapi.Authenticator.
func (names) Authenticate(_ context.Context, token string) (*httpapi.Caller, error) {
	if token == "expired" {
		return nil, &fault.Error{Kind: fault.Unauthenticated, Code: "invalid_access_token", Message: "The token is expired."}
	}
	iamID, in, ok := strings.Cut(token, "@")
	if !ok {
		in = Account
	}
	c := &httpapi.Caller{Subject: policy.Subject{Kind: policy.KindOf(iamID), IAMID: iamID, Account: in}, Name: iamID, AuthnID: iamID, AuthnName: iamID}
	if strings.HasPrefix(iamID, "service:") {
		c.Kind = policy.KindService
		c.Source = policy.Source{ServiceName: strings.TrimPrefix(iamID, "service:"), AccountID: in}
	}
	return c, nil
}

// Answer is what the server answered.
type Answer struct {
	T      testing.TB
	What   string
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request. The caller is a token, "" for none; the body is a string
// of JSON, nil for none, or anything that encodes to it; headers are "Name: value".
func (s *Server) Do(caller, method, path string, body any, headers ...string) *Answer {
	s.T.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		var err error
		if raw, err = json.Marshal(b); err != nil {
			s.T.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(raw))
	if caller != "" {
		r.Header.Set("Authorization", "Bearer "+caller)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.Router.ServeHTTP(w, r)
	return &Answer{T: s.T, What: caller + " " + method + " " + path, Status: w.Code, Header: w.Header(), Body: w.Body.Bytes()}
}

// Want ends the test unless the answer has the status.
func (a *Answer) Want(status int) *Answer {
	a.T.Helper()
	if a.Status != status {
		a.T.Fatalf("%s: status %d, want %d\n%s", a.What, a.Status, status, a.Body)
	}
	return a
}

// Refused tells whether the answer is an error with a status and code.
func (a *Answer) Refused(status int, code string) *Answer {
	a.T.Helper()
	if a.Status != status || a.Text("errors.0.code") != code {
		a.T.Errorf("%s: status %d, want %d %s\n%s", a.What, a.Status, status, code, a.Body)
	}
	return a
}

// ETag gives the entity tag of the answer, which must have one.
func (a *Answer) ETag() string {
	a.T.Helper()
	//lint:ignore SA1008 the official service's spelling, which Header.Get would not find
	tag := a.Header["ETag"]
	if len(tag) != 1 {
		a.T.Fatalf("%s: no entity tag", a.What)
	}
	return tag[0]
}

// At gives the value at a path of the JSON body such as "errors.0.code", nil
// for none.
func (a *Answer) At(path string) any {
	a.T.Helper()
	var v any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		a.T.Fatalf("%s: %v\n%s", a.What, err, a.Body)
	}
	for step := range strings.SplitSeq(path, ".") {
		switch here := v.(type) {
		case map[string]any:
			v = here[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(here) {
				return nil
			}
			v = here[i]
		default:
			return nil
		}
	}
	return v
}

// Text is At as text, "" for none.
func (a *Answer) Text(path string) string {
	a.T.Helper()
	switch v := a.At(path).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// Len is the length of the list at a path, -1 when there is none.
func (a *Answer) Len(path string) int {
	a.T.Helper()
	if list, ok := a.At(path).([]any); ok {
		return len(list)
	}
	return -1
}

// Each gives a field of all items of a list.
func (a *Answer) Each(list, field string) []string {
	a.T.Helper()
	var out []string
	for i := range a.Len(list) {
		out = append(out, a.Text(list+"."+strconv.Itoa(i)+"."+field))
	}
	return out
}
