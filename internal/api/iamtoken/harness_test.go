package iamtoken_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/iamtoken"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/token"
)

// The identities of the tests.
const (
	acctA    = apitest.Account
	acctB    = apitest.Other
	userIAM  = "IBMid-0000000001"
	email    = "ada@example.com"
	password = "correct horse battery staple"
	issuer   = apitest.Issuer
	baseURL  = "http://kagiban.test"
	service  = "ServiceId-11111111-1111-4111-8111-111111111111"
	profileA = "Profile-aaaaaaaa-1111-4111-8111-111111111111"
	profileB = "Profile-bbbbbbbb-1111-4111-8111-111111111111"
	userKey  = "user-key-of-the-tests"
	svcKey   = "service-key-of-the-tests"
	cliKey   = "key-with-sessions-of-the-tests"
)

// world is a token service with its API over two accounts.
type world struct {
	t      testing.TB
	server *apitest.Server
	tokens *apitest.Tokens
	router http.Handler
	hasher *secret.Hasher
}

func newWorld(t testing.TB, change ...func(*apitest.TokenConfig)) *world {
	t.Helper()
	w := newNode(t, apitest.New(t, nil), change...)
	w.seed()
	return w
}

// newNode makes a token service with its API over the store of a server.
func newNode(t testing.TB, s *apitest.Server, change ...func(*apitest.TokenConfig)) *world {
	t.Helper()
	var cfg apitest.TokenConfig
	for _, c := range change {
		c(&cfg)
	}
	w := &world{t: t, server: s, tokens: s.Tokens(cfg)}
	var err error
	if w.hasher, err = secret.NewHasher(apitest.Pepper(), secret.PurposeAPIKey); err != nil {
		t.Fatal(err)
	}
	api := iamtoken.New(iamtoken.Config{Tokens: w.tokens.Service, Keys: w.tokens.Keys, BaseURL: baseURL})
	echo := httpapi.Table(&httpapi.Family{Name: "test", WriteError: httpapi.WriteErrors}, httpapi.Op[struct{}, httpapi.None, httpapi.Caller]{
		ID: "who_am_i", Method: http.MethodGet, Path: "/whoami", Status: 200, Self: "shows the caller",
		Do: func(_ context.Context, c *httpapi.Call, _ *struct{}, _ httpapi.None) (*httpapi.Caller, error) {
			return c.Caller, nil
		}})
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w.router, err = httpapi.NewRouter(httpapi.Config{
		Operations: append(api.Operations(), echo...), Authenticator: iamtoken.NewAuthenticator(w.tokens.Service), Authorizer: s.Authority,
		Now: s.Now, Log: cfg.Log, Default: api.Operations()[0].Family,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// write runs a transaction that must succeed.
func (w *world) write(fn func(context.Context, store.Tx) error) {
	w.t.Helper()
	ctx := context.Background()
	if err := w.server.DB.Update(ctx, func(tx store.Tx) error { return fn(ctx, tx) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) seed() {
	w.write(func(ctx context.Context, tx store.Tx) error {
		var errs []error
		add := func(err error) { errs = append(errs, err) }
		for _, a := range []string{acctA, acctB} {
			add(account.Users.Create(ctx, tx, &account.User{Meta: store.Meta{Account: a, ID: userIAM, Owner: userIAM, Name: "Ada Lovelace"},
				Email: email, GivenName: "Ada", FamilyName: "Lovelace", State: account.Active}, store.Event{}))
		}
		add(identity.ServiceIDs.Create(ctx, tx, &identity.ServiceID{Meta: store.Meta{Account: acctA, ID: service, Name: "robot",
			Owner: id.IAMOf(service)}}, store.Event{}))
		for _, p := range []struct{ id, account, name string }{{profileA, acctA, "here"}, {profileB, acctB, "there"}} {
			add(identity.Profiles.Create(ctx, tx, &identity.Profile{Meta: store.Meta{Account: p.account, ID: p.id, Name: p.name,
				Owner: id.IAMOf(p.id)}}, store.Event{}))
		}
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	})
	w.addKey("ApiKey-1", acctA, userIAM, userKey, nil)
	w.addKey("ApiKey-2", acctA, id.IAMOf(service), svcKey, nil)
	w.addKey("ApiKey-3", acctA, userIAM, cliKey, func(k *identity.APIKey) { k.SupportSessions = true })
}

func (w *world) addKey(keyID, accountID, owner, value string, change func(*identity.APIKey)) {
	w.t.Helper()
	key := &identity.APIKey{Meta: store.Meta{Account: accountID, ID: keyID, Name: keyID, Owner: owner}, IAMID: owner,
		Hash: w.hasher.Lookup(secret.New(value)), ActionWhenLeaked: "none"}
	if change != nil {
		change(key)
	}
	w.write(func(ctx context.Context, tx store.Tx) error {
		return identity.APIKeys.Create(ctx, tx, key, store.Event{})
	})
}

// changeKey updates an API key of account A.
func (w *world) changeKey(keyID string, change func(*identity.APIKey)) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		key, err := identity.APIKeys.Get(ctx, tx, acctA, keyID)
		if err != nil {
			return err
		}
		change(key)
		return identity.APIKeys.Update(ctx, tx, key, store.Event{})
	})
}

func (w *world) changeAccount(accountID string, change func(*account.Account)) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		a, err := account.Accounts.Get(ctx, tx, accountID, accountID)
		if err != nil {
			return err
		}
		change(a)
		return account.Accounts.Update(ctx, tx, a, store.Event{})
	})
}

func (w *world) changeUser(accountID string, change func(*account.User)) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		u, err := account.Users.Get(ctx, tx, accountID, userIAM)
		if err != nil {
			return err
		}
		change(u)
		return account.Users.Update(ctx, tx, u, store.Event{})
	})
}

// changeSettings stores settings of an account, whether it has any or not.
func (w *world) changeSettings(accountID string, change func(*account.Settings)) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		s, err := account.SettingsByAcct.Get(ctx, tx, accountID, accountID)
		if err != nil {
			s = account.DefaultSettings(accountID)
			change(s)
			return account.SettingsByAcct.Create(ctx, tx, s, store.Event{})
		}
		change(s)
		return account.SettingsByAcct.Update(ctx, tx, s, store.Event{})
	})
}

// setPassword gives the user a local credential.
func (w *world) setPassword() {
	w.t.Helper()
	// The cheapest hash that is accepted: the race detector makes the usual one
	// take seconds.
	salt := []byte("sixteen bytes...")
	b64 := base64.RawStdEncoding
	hash := "$argon2id$v=19$m=4096,t=1,p=1$" + b64.EncodeToString(salt) + "$" +
		b64.EncodeToString(argon2.IDKey([]byte(password), salt, 1, 4096, 1, 32))
	w.write(func(ctx context.Context, tx store.Tx) error {
		return account.Logins.Create(ctx, tx, &account.Login{Meta: store.Meta{Account: store.System, ID: userIAM}, Email: email,
			PasswordHash: hash}, store.Event{})
	})
}

// trust lets an identity assume a profile.
func (w *world) trust(profile, accountID, kind, identifier string, accounts ...string) {
	w.t.Helper()
	owner := identifier
	if kind == "serviceid" {
		owner = id.IAMOf(identifier)
	}
	w.write(func(ctx context.Context, tx store.Tx) error {
		return identity.Trusts.Create(ctx, tx, &identity.Trust{Meta: store.Meta{Account: accountID,
			ID:     identity.TrustID(profile, kind, identifier),
			Parent: profile, Owner: owner}, Type: kind, Identifier: identifier, Accounts: accounts}, store.Event{})
	})
}

// answer is a decoded HTTP answer.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a answer) text(name string) string { s, _ := a.body[name].(string); return s }
func (a answer) number(name string) int64 {
	n, _ := a.body[name].(float64)
	return int64(n)
}

// option changes a request before it is sent.
type option func(*http.Request)

func basic(user, pass string) option { return func(r *http.Request) { r.SetBasicAuth(user, pass) } }

var bx = basic("bx", "bx")

func bearer(text string) option {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+text) }
}

func header(name, value string) option { return func(r *http.Request) { r.Header.Set(name, value) } }
func from(address string) option       { return func(r *http.Request) { r.RemoteAddr = address + ":40000" } }

func (w *world) send(method, target, body string, opts ...option) answer {
	w.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r.RemoteAddr = "203.0.113.9:40000"
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, o := range opts {
		o(r)
	}
	rec := httptest.NewRecorder()
	w.router.ServeHTTP(rec, r)
	out := answer{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &out.body); err != nil {
			w.t.Fatalf("%s %s: the answer is not JSON: %v\n%s", method, target, err, out.raw)
		}
	}
	return out
}

// pairs makes a form of name, value, name, value …
func pairs(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// token asks for tokens; form is name, value, …
func (w *world) token(form []string, opts ...option) answer {
	w.t.Helper()
	return w.send(http.MethodPost, "/identity/token", pairs(form...), opts...)
}

// mustToken asks for tokens and fails the test when it gets none.
func (w *world) mustToken(form []string, opts ...option) answer {
	w.t.Helper()
	a := w.token(form, opts...)
	if a.status != http.StatusOK {
		w.t.Fatalf("token refused: %d %s", a.status, a.raw)
	}
	return a
}

// Forms of the grants.
func apikey(key string) []string { return []string{"grant_type", token.GrantAPIKey, "apikey", key} }
func refresh(value string, more ...string) []string {
	return append([]string{"grant_type", token.GrantRefreshToken, "refresh_token", value}, more...)
}
func assume(accessToken string, more ...string) []string {
	return append([]string{"grant_type", token.GrantAssume, "access_token", accessToken}, more...)
}
func passwordForm(more ...string) []string {
	return append([]string{"grant_type", token.GrantPassword, "username", email, "password", password}, more...)
}

// wants compares an answer with a status and an error code.
func (w *world) wants(a answer, status int, code string) {
	w.t.Helper()
	if a.status != status || a.text("errorCode") != code {
		w.t.Errorf("got %d %s (%s), want %d %s", a.status, a.text("errorCode"), a.raw, status, code)
	}
}

// claims decodes a token without checking it.
func (w *world) claims(text string) *token.Claims {
	w.t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		w.t.Fatalf("not a token: %q", text)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		w.t.Fatal(err)
	}
	c := new(token.Claims)
	if err := json.Unmarshal(raw, c); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) deleteKey(keyID string) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		key, err := identity.APIKeys.Get(ctx, tx, acctA, keyID)
		if err != nil {
			return err
		}
		return identity.APIKeys.Delete(ctx, tx, key, store.Event{})
	})
}

func (w *world) deleteServiceID() {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		sid, err := identity.ServiceIDs.Get(ctx, tx, acctA, service)
		if err != nil {
			return err
		}
		return identity.ServiceIDs.Delete(ctx, tx, sid, store.Event{})
	})
}

func (w *world) deleteProfile(accountID, profile string) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		p, err := identity.Profiles.Get(ctx, tx, accountID, profile)
		if err != nil {
			return err
		}
		return identity.Profiles.Delete(ctx, tx, p, store.Event{})
	})
}

func (w *world) withdraw(profile, accountID, kind, identifier string) {
	w.t.Helper()
	w.write(func(ctx context.Context, tx store.Tx) error {
		t, err := identity.Trusts.Get(ctx, tx, accountID, identity.TrustID(profile, kind, identifier))
		if err != nil {
			return err
		}
		return identity.Trusts.Delete(ctx, tx, t, store.Event{})
	})
}

// second makes another node over the same store.
func (w *world) second(issuer string) *world {
	w.t.Helper()
	return newNode(w.t, w.server, func(c *apitest.TokenConfig) { c.Issuer = issuer })
}

func (w *world) rotateKeys() {
	w.t.Helper()
	if err := w.tokens.Keys.Rotate(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) revokeKey() {
	w.t.Helper()
	kid, _, _ := w.tokens.Keys.Signer()
	if err := w.tokens.Keys.Revoke(context.Background(), kid); err != nil {
		w.t.Fatal(err)
	}
}

// dump gives everything that the tests' short-lived records and objects hold.
func (w *world) dump() string {
	w.t.Helper()
	ctx := context.Background()
	var b strings.Builder
	for _, kind := range []string{"apikey", "login", "signing-key", "user"} {
		records, err := w.server.DB.Direct().List(ctx, store.Query{Kind: kind})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range records {
			fmt.Fprintf(&b, "%s %+v %s\n", r.Kind, r.Meta, r.Body)
		}
	}
	for _, space := range []string{"session", "refresh", "delegated", "passcode"} {
		for _, acct := range []string{store.System, acctA, acctB} {
			records, err := w.server.DB.Tokens().List(ctx, space, acct, userIAM)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, r := range records {
				fmt.Fprintf(&b, "%+v %s\n", *r, r.Body)
			}
		}
	}
	return b.String()
}

// sessions gives the login sessions of the user that are stored.
func (w *world) sessions() ([]*store.Token, error) {
	return w.server.DB.Tokens().List(context.Background(), "session", store.System, userIAM)
}
