// Package apitest is a server in memory for tests of the domain and of API
// families: the real router, store, catalogue, services and decisions, with
// tokens that are no more than names. Only tests import it.
package apitest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/report"
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
	Accounts  *account.Service
	Access    *access.Service
	Identity  *identity.Service
	Tree      *enterprise.Service
	Templates *template.Service
	Reports   *report.Service
	Jobs      *job.Runner // runs nothing but what a test lets it
	IdPs      *idp.Service
	Pages     *lists.Sealer // of page tokens
	Presence  authority.Presence
	Router    *httpapi.Router

	start     time.Time
	passed    *atomic.Int64 // since start
	meanwhile *meanwhile
}

// Options are what a test may want otherwise.
type Options struct {
	DB       store.DB  // nil: one in memory; it ends with the test
	Start    time.Time // of the clock; zero: Noon
	Access   access.Limits
	Identity identity.Limits
	Tree     enterprise.Limits
	IdPs     idp.Limits
	// Templates changes what the template service is made with.
	Templates func(*template.Config)
}

// New makes a server with the rows of a family, or, with nil, one for its
// services only. It ends with the test.
func New(t testing.TB, rows func(*Server) []httpapi.Operation, change ...func(*Options)) *Server {
	t.Helper()
	o := Options{Start: Noon}
	for _, fn := range change {
		fn(&o)
	}
	s := &Server{T: t, DB: o.DB, start: o.Start, passed: new(atomic.Int64)}
	ctx := context.Background()
	var err error
	if s.DB == nil {
		if s.DB, err = sqlitestore.Open(ctx, sqlitestore.Options{Memory: true, Now: s.Now}); err != nil {
			t.Fatal(err)
		}
	}
	s.meanwhile = &meanwhile{DB: s.DB}
	s.DB = s.meanwhile
	set, err := catalog.BuiltinSet()
	if err != nil {
		t.Fatal(err)
	}
	if s.Registry, err = catalog.NewRegistry(ctx, s.DB, set, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	s.Authority = authority.New(authority.Config{DB: s.DB, Catalogs: s.Registry})
	s.newServices(&o)
	objects := cache.New(s.DB, 1000)
	s.Presence = authority.NewPresence(objects)
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

// For gives the same server for a part of the test, which reports to t.
func (s *Server) For(t testing.TB) *Server {
	part := *s
	part.T = t
	return &part
}

func (s *Server) newServices(o *Options) {
	s.T.Helper()
	hasher, err := secret.NewHasher(make([]byte, secret.PepperSize), secret.PurposeAPIKey)
	if err != nil {
		s.T.Fatal(err)
	}
	master, err := secret.ParseMasterKey(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		s.T.Fatal(err)
	}
	sealer, err := secret.NewSealer(nil, master)
	if err != nil {
		s.T.Fatal(err)
	}
	s.Pages = lists.NewSealer(make([]byte, 32))
	s.Accounts = account.New(account.Config{DB: s.DB, Now: s.Now})
	s.Access = access.New(access.Config{DB: s.DB, Authority: s.Authority, Now: s.Now, Limits: o.Access})
	s.Identity = identity.New(identity.Config{DB: s.DB, Now: s.Now, Hasher: hasher, Sealer: sealer, Pages: s.Pages,
		Departed: access.Depart, Limits: o.Identity})
	s.Tree = enterprise.New(enterprise.Config{DB: s.DB, Accounts: s.Accounts, Identities: s.Identity, Policies: s.Access,
		Limits: o.Tree, Moved: template.Moved})
	templates := template.Config{DB: s.DB, Now: s.Now, Tree: s.Tree, Kinds: kinds.All(s.Identity, s.Access)}
	if o.Templates != nil {
		o.Templates(&templates)
	}
	s.Templates = template.New(templates)
	s.Reports = report.New(report.Config{DB: s.DB, Now: s.Now})
	s.Jobs = job.New(job.Config{DB: s.DB, Node: "test", Now: s.Now}, s.Reports.Jobs()...)
	s.IdPs = idp.New(idp.Config{DB: s.DB, Now: s.Now, Sealer: sealer, Limits: o.IdPs,
		NewKey: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }}) // as those of RSA, and at once
}

// Meanwhile has something happen before the next write begins: between what it
// found, and was decided on, and the write itself.
func (s *Server) Meanwhile(happens func()) { s.meanwhile.happens = happens }

// meanwhile is a store in which something may happen before a transaction begins.
type meanwhile struct {
	store.DB
	happens func()
}

// Update implements store.DB.
func (m *meanwhile) Update(ctx context.Context, fn func(store.Tx) error) error {
	if happens := m.happens; happens != nil {
		m.happens = nil
		happens()
	}
	return m.DB.Update(ctx, fn)
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
func (s *Server) Now() time.Time { return s.start.Add(time.Duration(s.passed.Load())) }

// Pass moves the clock.
func (s *Server) Pass(d time.Duration) { s.passed.Add(int64(d)) }

// NewAccount makes an active account with its owner, who is a user of it.
func (s *Server) NewAccount(accountID, owner string) {
	s.T.Helper()
	n := account.NewAccount{ID: accountID, Name: accountID, Owner: account.NewUser{ID: owner, Name: owner,
		Email: strings.ToLower(owner) + "@example.com"}}
	if _, err := s.Accounts.Create(context.Background(), n); err != nil {
		s.T.Fatal(err)
	}
}

// NewChild makes an account below a place of an enterprise, which its CRN names,
// and gives its id.
func (s *Server) NewChild(parent string, n enterprise.NewAccount) string {
	s.T.Helper()
	at, err := s.Tree.Place(context.Background(), parent)
	if err != nil {
		s.T.Fatal(err)
	}
	child, err := s.Tree.CreateAccount(context.Background(), at, Checked(s.T, n))
	if err != nil {
		s.T.Fatal(err)
	}
	return child.ID
}

// NewGroup makes an access group of an account with members.
func (s *Server) NewGroup(accountID, name string, members ...access.NewMember) *access.Group {
	s.T.Helper()
	g, err := s.Access.CreateGroup(context.Background(), accountID, Checked(s.T, access.NewGroup{Name: name}))
	if err != nil {
		s.T.Fatal(err)
	}
	for _, m := range members {
		s.Join(g, m)
	}
	return g
}

// Join makes an identity a member of a group.
func (s *Server) Join(g *access.Group, m access.NewMember) {
	s.T.Helper()
	out, err := s.Access.AddMembers(context.Background(), asker.System, g, Checked(s.T, access.Joining{m}))
	if err != nil || out[0].Err != nil {
		s.T.Fatal(out, err)
	}
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
	p, err := s.CreatePolicy(asker.System, doc)
	if err != nil {
		s.T.Fatal(err)
	}
	return p.ID
}

// CreatePolicy checks and stores a document as somebody asks for it.
func (s *Server) CreatePolicy(who asker.Asker, doc *policy.Policy) (*access.Policy, error) {
	spec, err := valid.Check(s.Access.PolicySpec(doc))
	if err != nil {
		return nil, err
	}
	return s.Access.CreatePolicy(context.Background(), who, spec)
}

// ReplacePolicy finds a policy and puts a document in its place, as somebody asks
// for it, until nobody comes in between.
func (s *Server) ReplacePolicy(who asker.Asker, policyID string, doc *policy.Policy) error {
	spec, err := valid.Check(s.Access.PolicySpec(doc))
	if err != nil {
		return err
	}
	return s.change(policyID, func(ctx context.Context, p *access.Policy) error {
		_, err := s.Access.ReplacePolicy(ctx, who, p, "*", spec)
		return err
	})
}

// RestorePolicy is ReplacePolicy for bringing back a policy.
func (s *Server) RestorePolicy(who asker.Asker, policyID string) error {
	return s.change(policyID, func(ctx context.Context, p *access.Policy) error {
		_, err := s.Access.RestorePolicy(ctx, who, p, "*")
		return err
	})
}

// DeletePolicy finds and deletes a policy, until nobody comes in between.
func (s *Server) DeletePolicy(policyID string) error {
	return s.change(policyID, s.Access.DeletePolicy)
}

func (s *Server) change(policyID string, fn func(context.Context, *access.Policy) error) error {
	for ctx := context.Background(); ; {
		p, err := s.Access.GetPolicy(ctx, policyID, true)
		if err == nil {
			err = fn(ctx, p)
		}
		if !errors.Is(err, store.ErrMoved) {
			return err
		}
	}
}

// CreateRole checks and stores a custom role of Account as somebody asks for it.
func (s *Server) CreateRole(who asker.Asker, r *access.CustomRole) (*access.CustomRole, error) {
	spec, err := valid.Check(s.Access.RoleSpec(r))
	if err != nil {
		return nil, err
	}
	return s.Access.CreateRole(context.Background(), who, Account, spec)
}

// May decides for an identity with a token of Account whether it may do an
// action to a service there.
func (s *Server) May(iamID, action, service string) bool {
	s.T.Helper()
	yes, err := s.As(iamID, Account).May(context.Background(), action, policy.Resource{Account: Account, ServiceName: service})
	if err != nil {
		s.T.Fatal(err)
	}
	return yes
}

// As is an identity with a token of an account, who asks for something.
func (s *Server) As(iamID, accountID string) asker.Asker {
	return someone{s, policy.Subject{Kind: policy.KindOf(iamID), IAMID: iamID, Account: accountID}}
}

// someone implements asker.Asker by the real decision.
type someone struct {
	server  *Server
	subject policy.Subject
}

func (s someone) Subject() policy.Subject { return s.subject }

func (s someone) May(ctx context.Context, action string, on policy.Resource) (bool, error) {
	d, err := s.server.Authority.Decide(ctx, s.request(action, on))
	return d.Allowed, err
}

func (s someone) Extent(ctx context.Context, action string, on policy.Resource) (policy.Extent, error) {
	extent, _, err := s.server.Authority.Extent(ctx, s.request(action, on))
	return extent, err
}

func (s someone) Admitted(ctx context.Context, accountID string) (bool, error) {
	return s.server.Authority.Admits(ctx, s.request("", policy.Resource{Account: accountID}))
}

func (s someone) Rights(ctx context.Context, accountID string) (asker.Rights, error) {
	return s.server.Authority.Rights(ctx, s.request("", policy.Resource{Account: accountID}))
}

func (s someone) request(action string, on policy.Resource) policy.Request {
	return policy.Request{Subject: s.subject, Action: action, Resource: on, Environment: policy.Environment{Now: s.server.Now()}}
}

// Role gives the CRN of a role: those with a colon are CRNs already.
func Role(name string) string {
	switch name {
	case "Administrator", "Editor", "Operator", "Viewer", "TemplateAdministrator", "TemplateAssignmentAdministrator":
		return "crn:v1:bluemix:public:iam::::role:" + name
	case "ServiceIdCreator", "UserApiKeyCreator", "ApiKeyReviewer":
		return "crn:v1:bluemix:public:iam-identity::::serviceRole:" + name
	case "Manager", "Writer", "Reader":
		return "crn:v1:bluemix:public:iam::::serviceRole:" + name
	}
	return name
}

// names reads tokens: "IAMID" is an identity with a token of Account, "IAMID@X"
// one with a token of account X; "expired" is refused.
type names struct{}

// Authenticate implements httpapi.Authenticator.
func (names) Authenticate(_ context.Context, token string, _ netip.Addr) (*httpapi.Caller, error) {
	if token == "expired" {
		return nil, &fault.Error{Kind: fault.Unauthenticated, Code: "invalid_access_token", Message: "The token is expired."}
	}
	iamID, in, ok := strings.Cut(token, "@")
	if !ok {
		in = Account
	}
	c := &httpapi.Caller{Subject: policy.Subject{Kind: policy.KindOf(iamID), IAMID: iamID, Account: in}, Name: iamID, AuthnID: iamID,
		AuthnName: iamID}
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
	tag := a.Header["ETag"] //nolint:staticcheck // the official service's spelling, which Header.Get would not find
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

// Register registers a service of the operator's.
func (s *Server) Register(service catalog.Service) *catalog.Own {
	s.T.Helper()
	own, err := s.Registry.Create(s.T.Context(), Checked(s.T, service))
	if err != nil {
		s.T.Fatal(err)
	}
	return own
}
