package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
)

// walker asks every operation of a whole server everything. Tokens are names:
// "IAMID@ACCOUNT".
type walker struct {
	t      *testing.T
	app    *App
	router *httpapi.Router
	table  []httpapi.Operation

	acct, owner string
	n           int
	decisions   []asked // of the last request
	metadata    string
}

// asked is one decision on the way of a request.
type asked struct {
	policy.Request
	policy.Decision
}

func newWalker(t *testing.T, change ...func(*Config)) *walker {
	t.Helper()
	key, err := secret.GenerateMasterKey(bytes.NewReader(bytes.Repeat([]byte{7}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	set, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	set.Listen, set.MasterKeys, set.Algorithm, set.Engine = "127.0.0.1:0", []secret.MasterKey{key}, signing.ES256, signing.EngineGo
	set.Access.Groups, set.Access.RulesPerGroup, set.Access.CustomRoles, set.Access.GroupsPerMember = 1e6, 1e6, 1e6, 1e6
	set.Identity.APIKeysPerIdentity, set.IdPs.IdPs = 1e6, 1e6
	cfg := Config{Settings: *set, Log: slog.New(slog.DiscardHandler), Dev: &Dev{}}
	for _, fn := range change {
		fn(&cfg)
	}
	a, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &walker{t: t, app: a, table: a.core.router.Operations(), acct: a.Demo().Root, owner: a.Demo().Owner.IAMID, metadata: samlDocument(t)}
	w.router, err = httpapi.NewRouter(httpapi.Config{Operations: w.table, Authenticator: w, Authorizer: w, Now: a.now,
		Log: slog.New(slog.DiscardHandler), Default: systemFamily,
		Intercept: func(ctx context.Context, _ *httpapi.Call) error { return a.core.services.Refresh(ctx) }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Authenticate implements httpapi.Authenticator.
func (w *walker) Authenticate(_ context.Context, token string, _ netip.Addr) (*httpapi.Caller, error) {
	if token == "expired" {
		return nil, &fault.Error{Kind: fault.Unauthenticated, Code: "invalid_access_token", Message: "The token is expired."}
	}
	iamID, account, _ := strings.Cut(token, "@")
	return &httpapi.Caller{Subject: policy.Subject{Kind: policy.KindOf(iamID), IAMID: iamID, Account: account,
			Login: policy.Login{IAMID: iamID}}, Name: iamID, AuthnID: iamID},
		nil
}

// Decide implements httpapi.Authorizer and notes what was asked.
func (w *walker) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	d, err := w.app.core.authority.Decide(ctx, r)
	w.decisions = append(w.decisions, asked{r, d})
	return d, err
}

// Extent implements httpapi.Authorizer; it is a decision, too.
func (w *walker) Extent(ctx context.Context, r policy.Request) (policy.Extent, policy.Decision, error) {
	extent, d, err := w.app.core.authority.Extent(ctx, r)
	w.decisions = append(w.decisions, asked{r, d})
	return extent, d, err
}

// Admits implements httpapi.Authorizer.
func (w *walker) Admits(ctx context.Context, r policy.Request) (bool, error) {
	return w.app.core.authority.Admits(ctx, r)
}

// Rights implements httpapi.Authorizer.
func (w *walker) Rights(ctx context.Context, r policy.Request) (asker.Rights, error) {
	return w.app.core.authority.Rights(ctx, r)
}

// request is an operation with everything that a request needs.
type request struct {
	op     *httpapi.Operation
	path   string
	body   string
	header string
	// made are the ids that appear in it and that nobody else may know of.
	made []string
}

type reply struct {
	status int
	body   string
	header http.Header
}

func (w *walker) send(caller string, r request) reply {
	w.decisions = nil
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	q := httptest.NewRequest(r.op.Method, r.path, body)
	if caller != "" {
		q.Header.Set("Authorization", "Bearer "+caller)
	}
	q.Header.Set("If-Match", "*")
	q.Header.Set("Transaction-Id", "walk")
	q.Header.Set("Content-Type", "application/json")
	if name, value, ok := strings.Cut(r.header, ": "); ok {
		q.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, q)
	return reply{rec.Code, rec.Body.String(), rec.Header()}
}

func (w *walker) find(family, id string) *httpapi.Operation {
	for i := range w.table {
		if op := &w.table[i]; op.Family.Name == family && op.ID == id {
			return op
		}
	}
	w.t.Fatalf("there is no operation %s.%s", family, id)
	return nil
}

func key(op *httpapi.Operation) string { return op.Family.Name + "." + op.ID }

// creators find the operation that makes what a path's wildcard names, where
// it is not the POST on the path before the wildcard.
var creators = map[string]string{
	"/v1/enterprises/{}": "", "/v1/accounts/{}/traits": "", "/v2/loginsettings/{}/idps/{}": "/v1/idps",
}

// fixed gives the value of a wildcard that nothing needs to be made for, ""
// for others.
func (w *walker) fixed(op *httpapi.Operation, name string) string {
	switch name {
	case "identity_type":
		return "user"
	case "identifier_id":
		return w.app.Demo().Member.IAMID
	case "iam_id":
		if strings.HasPrefix(op.Path, "/v1/preferences/") {
			return "iam-" + w.make(&httpapi.Operation{Path: "/v1/profiles/{made}", Family: op.Family}, "", map[string]string{})
		}
		return w.app.Demo().Member.IAMID
	case "service":
		return "console"
	case "preference_id":
		return "landing_page"
	case "version", "version_num":
		return "1"
	case "enterprise_id":
		return w.app.Demo().Enterprise
	case "account_id":
		switch {
		case op.ID == "import_account_to_enterprise":
			return w.fresh()
		case op.Family.Name != "enterprisemanagementv1":
			return w.acct
		}
	}
	return ""
}

var wildcard = regexp.MustCompile(`\{([a-z_$]+)\}`)

// build makes a request that the operation accepts from who may do it, with
// objects of its own.
func (w *walker) build(op *httpapi.Operation) request {
	w.t.Helper()
	ids := map[string]string{}
	r := w.fill(op, ids)
	for _, before := range samples[key(op)].before {
		first := w.fill(w.find(op.Family.Name, before), ids)
		got := w.send(w.owner+"@"+w.acct, first)
		if got.status != first.op.Success && got.status < 300 { // a job makes it
			if err := w.app.newJobs().Pass(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
			got = w.send(w.owner+"@"+w.acct, first)
		}
		if got.status > 299 {
			w.t.Fatalf("%s, before %s: %d %s", before, op.ID, got.status, got.body)
		}
	}
	return r
}

// fill writes the request; ids holds the values of wildcards, known and new.
func (w *walker) fill(op *httpapi.Operation, ids map[string]string) request {
	w.t.Helper()
	r := request{op: op}
	path := op.Path
	for {
		m := wildcard.FindStringSubmatchIndex(path)
		if m == nil {
			break
		}
		name := path[m[2]:m[3]]
		if ids[name] == "" {
			if ids[name] = w.fixed(op, name); ids[name] == "" {
				ids[name] = w.make(op, path[:m[0]-1], ids)
			}
		}
		path = path[:m[0]] + ids[name] + path[m[1]:]
	}
	s := samples[key(op)]
	query := w.expand(s.query, ids)
	if query == "" {
		query = w.query(op)
	}
	if query != "" {
		path += "?" + query
	}
	r.path, r.body, r.header = path, w.expand(s.body, ids), w.expand(s.header, ids)
	for _, v := range ids {
		if len(v) > 20 && v != w.app.Demo().Member.IAMID {
			r.made = append(r.made, strings.TrimPrefix(v, "iam-")) // answers name objects by their ids
		}
	}
	return r
}

// query gives the parameters that lists need.
func (w *walker) query(op *httpapi.Operation) string {
	if op.In == nil {
		return ""
	}
	var out []string
	if f, ok := op.In.FieldByName("AccountID"); ok && f.Tag.Get("query") != "" {
		out = append(out, f.Tag.Get("query")+"="+w.acct)
	} else if f, ok := op.In.FieldByName("Account"); ok && f.Tag.Get("query") != "" {
		out = append(out, f.Tag.Get("query")+"="+w.acct)
	}
	if f, ok := op.In.FieldByName("Version"); ok && f.Tag.Get("query") == "version" {
		out = append(out, "version=1.0")
	}
	return strings.Join(out, "&")
}

// make runs the operation that makes what comes after a prefix, and gives its id.
func (w *walker) make(of *httpapi.Operation, prefix string, ids map[string]string) string {
	w.t.Helper()
	shape := wildcard.ReplaceAllString(of.Path[:strings.Index(of.Path, "{"+lastWildcard(of.Path, prefix, ids)+"}")-1], "{}")
	if other := creators[shape+"/{}"]; other != "" {
		shape = other
	}
	var maker *httpapi.Operation
	for i := range w.table {
		if op := &w.table[i]; op.Method == http.MethodPost && wildcard.ReplaceAllString(op.Path, "{}") == shape {
			maker = op
		}
	}
	if maker == nil {
		w.t.Fatalf("%s: nothing makes the objects of %s", key(of), shape)
	}
	inner := map[string]string{}
	for k, v := range ids {
		inner[k] = v
	}
	got := w.send(w.owner+"@"+w.acct, w.fill(maker, inner))
	if got.status > 299 {
		w.t.Fatalf("%s, for %s: %d %s", key(maker), key(of), got.status, got.body)
	}
	for k, v := range inner {
		if ids[k] == "" {
			ids[k] = v
		}
	}
	return idOf(w.t, key(maker), got.body, ids)
}

// lastWildcard names the wildcard of a path that comes first and is unknown.
func lastWildcard(path, _ string, ids map[string]string) string {
	for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
		if ids[m[1]] == "" {
			return m[1]
		}
	}
	return ""
}

// idOf reads the id of a new object, and the value of a new key.
func idOf(t *testing.T, what, body string, ids map[string]string) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %v in %s", what, err, body)
	}
	if list, ok := v["assignments"].([]any); ok && len(list) > 0 {
		v = list[0].(map[string]any)
	}
	if secret, ok := v["apikey"].(string); ok {
		ids["key"] = secret
	}
	for _, name := range []string{"id", "idp_id", "reference", "account_id", "account_group_id", "enterprise_id", "name"} {
		if id, ok := v[name].(string); ok && id != "" {
			return id
		}
	}
	t.Fatalf("%s: no id in %s", what, body)
	return ""
}

var placeholder = regexp.MustCompile(`\{(id|final) (/[^}]+)\}|\{([a-z_]+)\}`)

// expand fills the placeholders of a sample; see sample.
func (w *walker) expand(text string, ids map[string]string) string {
	w.n++
	n := fmt.Sprint(w.n)
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		m := placeholder.FindStringSubmatch(p)
		switch {
		case m[1] != "":
			memo := m[1] + " " + m[2]
			if ids[memo] == "" {
				op := &httpapi.Operation{Path: m[2] + "/{made}", Family: &httpapi.Family{Name: "walk"}}
				ids[memo] = w.make(op, m[2], map[string]string{})
				if m[1] == "final" {
					w.commit(m[2], ids[memo])
				}
			}
			return ids[memo]
		case m[3] == "n":
			return n
		case m[3] == "acct":
			return w.acct
		case m[3] == "owner":
			return w.owner
		case m[3] == "metadata":
			return w.metadata
		case m[3] == "enterprise":
			return "crn:v1:bluemix:public:enterprise::a/" + w.acct + "::enterprise:" + w.app.Demo().Enterprise
		case m[3] == "group":
			return "crn:v1:bluemix:public:enterprise::a/" + w.acct + "::account-group:" + w.app.Demo().Group
		case m[3] == "child":
			return w.child()
		case m[3] == "fresh":
			return w.fresh()
		case m[3] == "member":
			return w.app.Demo().Member.IAMID
		case m[3] == "key" && ids["key"] == "":
			w.make(&httpapi.Operation{Path: "/v1/apikeys/{made}", Family: &httpapi.Family{Name: "walk"}}, "", ids)
			return ids["key"]
		case ids[m[3]] != "":
			return ids[m[3]]
		}
		return p
	})
}

// commit makes the first version of a template final.
func (w *walker) commit(templates, id string) {
	w.t.Helper()
	for i := range w.table {
		op := &w.table[i]
		if op.Method == http.MethodPost && strings.HasPrefix(op.Path, templates+"/") && strings.HasSuffix(op.Path, "/commit") {
			r := w.fill(op, map[string]string{"template_id": id})
			if got := w.send(w.owner+"@"+w.acct, r); got.status > 299 {
				w.t.Fatalf("committing %s: %d %s", id, got.status, got.body)
			}
		}
	}
}

// child makes an account of the enterprise that templates can be laid on.
func (w *walker) child() string {
	w.t.Helper()
	op := w.find("enterprisemanagementv1", "create_account")
	got := w.send(w.owner+"@"+w.acct, w.fill(op, map[string]string{}))
	if got.status > 299 {
		w.t.Fatalf("making an account: %d %s", got.status, got.body)
	}
	id := idOf(w.t, "create_account", got.body, map[string]string{})
	traits := w.find("enterprisemanagementv1", "update_account_traits")
	r := request{op: traits, path: "/v1/accounts/" + id + "/traits", body: `{"enterprise_iam_managed":true}`}
	if got := w.send(w.owner+"@"+id, r); got.status > 299 {
		w.t.Fatalf("switching enterprise-managed IAM on: %d %s", got.status, got.body)
	}
	return id
}

// fresh makes an account that no enterprise has.
func (w *walker) fresh() string {
	w.t.Helper()
	w.n++
	a, err := w.app.core.accounts.Create(w.t.Context(), account.NewAccount{Name: fmt.Sprint("walked ", w.n),
		Owner: account.NewUser{ID: w.owner, Email: "owner@example.com", Name: "Owner"}})
	if err != nil {
		w.t.Fatal(err)
	}
	return a.ID
}

// operations gives the table in order.
func (w *walker) operations() []*httpapi.Operation {
	var out []*httpapi.Operation
	for i := range w.table {
		out = append(out, &w.table[i])
	}
	slices.SortFunc(out, func(a, b *httpapi.Operation) int { return strings.Compare(key(a), key(b)) })
	return out
}
