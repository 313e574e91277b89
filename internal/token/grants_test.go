package token_test

import (
	"context"
	"encoding/base64"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/token"
)

const (
	email    = "owner@example.com"
	password = "correct horse battery staple"
	ownerKey = "the key of the owner of the account"
	robotKey = "the key of the robot of the account"
)

var (
	here = netip.MustParseAddr("203.0.113.9")
	bx   = oauth.Credentials{Given: true, ID: "bx", Secret: secret.New("bx")}
	kube = oauth.Credentials{Given: true, ID: "kube", Secret: secret.New("kube")}
)

// world is a token service over two accounts: the owner of the first has a key
// and a password, a service ID of it has a key, and a profile of the other
// account trusts both.
type world struct {
	*apitest.Tokens
	t       testing.TB
	server  *apitest.Server
	userKey *identity.APIKey
	svcKey  *identity.APIKey
	svc     *identity.ServiceID
	profile *identity.Profile
}

func newWorld(t testing.TB, change ...func(*apitest.TokenConfig)) *world {
	t.Helper()
	return newWorldOver(t, nil, change...)
}

// newWorldOver makes a world over a store, nil for one in memory.
func newWorldOver(t testing.TB, db store.DB, change ...func(*apitest.TokenConfig)) *world {
	t.Helper()
	s := apitest.New(t, nil, func(o *apitest.Options) { o.DB = db })
	var cfg apitest.TokenConfig
	for _, c := range change {
		c(&cfg)
	}
	w := &world{Tokens: s.Tokens(cfg), t: t, server: s}
	ctx := t.Context()
	var err error
	w.svc, w.svcKey, _, err = s.Identity.CreateServiceID(ctx, asker.System,
		apitest.Checked(t, identity.NewServiceID{Account: apitest.Account, Name: "robot",
			Key: &identity.NewAPIKey{Traits: identity.KeyTraits{Name: new("robot")}, Value: secret.New(robotKey)}}))
	w.must(err)
	w.userKey, _, err = s.Identity.CreateAPIKey(ctx, asker.System, apitest.Checked(t,
		identity.NewAPIKey{IAMID: apitest.Owner, Account: apitest.Account,
			Traits: identity.KeyTraits{Name: new("mine")}, Value: secret.New(ownerKey)}))
	w.must(err)
	w.profile, err = s.Identity.CreateProfile(ctx, apitest.Checked(t, identity.NewProfile{Account: apitest.Other, Name: "there"}))
	w.must(err)
	w.trust(identity.TrustSpec{Type: identity.TrustUser, Identifier: apitest.Owner, Accounts: []string{apitest.Account}},
		identity.TrustSpec{Type: identity.TrustService, Identifier: w.svc.ID})
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return s.Accounts.SetLoginIn(ctx, tx, account.NewLogin{IAMID: apitest.Owner, Email: email, PasswordHash: cheapHash()})
	})
	return w
}

// cheapHash is the cheapest hash of the password that is accepted.
func cheapHash() string {
	salt, b64 := []byte("sixteen bytes..."), base64.RawStdEncoding
	return "$argon2id$v=19$m=4096,t=1,p=1$" + b64.EncodeToString(salt) + "$" +
		b64.EncodeToString(argon2.IDKey([]byte(password), salt, 1, 4096, 1, 32))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// trust replaces the list of identities that the profile trusts.
func (w *world) trust(specs ...identity.TrustSpec) {
	w.t.Helper()
	_, _, err := w.server.Identity.SetTrusts(w.t.Context(), w.profile, "*", apitest.Checked(w.t, identity.TrustSpecs(specs)))
	w.must(err)
}

// set moves an account to another state.
func (w *world) set(accountID, state string) {
	w.t.Helper()
	w.server.Update(func(ctx context.Context, tx store.Tx) error {
		return w.server.Accounts.SetStateIn(ctx, tx, accountID, state)
	})
}

// ask asks for tokens from here.
func (w *world) ask(r token.Request) (*token.Response, error) {
	r.Address = here
	return w.Issue(w.t.Context(), &r)
}

func (w *world) get(r token.Request) *token.Response {
	w.t.Helper()
	out, err := w.ask(r)
	w.must(err)
	return out
}

// Requests of the grants.
func byKey(value string, client oauth.Credentials) token.Request {
	return token.Request{GrantType: token.GrantAPIKey, APIKey: secret.New(value), Client: client}
}

func byRefresh(value string) token.Request {
	return token.Request{GrantType: token.GrantRefreshToken, RefreshToken: secret.New(value), Client: bx}
}

func byPassword() token.Request {
	return token.Request{GrantType: token.GrantPassword, Username: email, Password: secret.New(password), Client: bx, Account: apitest.Account}
}

func (w *world) assuming(access string) token.Request {
	return token.Request{GrantType: token.GrantAssume, AccessToken: secret.New(access), ProfileID: w.profile.ID, Client: bx}
}

func byDelegation(value string) token.Request {
	return token.Request{GrantType: token.GrantDelegated, RefreshToken: secret.New(value), Client: kube}
}

// ways are all ways to a token that somebody has prepared. Each can be gone once.
func (w *world) ways() map[string]func() error {
	w.t.Helper()
	user, robot := w.get(byKey(ownerKey, bx)), w.get(byKey(robotKey, bx))
	assumed, robots := w.get(w.assuming(user.AccessToken)), w.get(w.assuming(robot.AccessToken))
	login := w.get(byPassword())
	lend := byRefresh(user.RefreshToken)
	lend.ResponseType, lend.ReceiverClientIDs = "cloud_iam delegated_refresh_token", "kube"
	lent := w.get(lend)
	code, err := w.Passcode(w.t.Context(), &token.Request{RefreshToken: secret.New(login.RefreshToken), Client: bx, Address: here})
	w.must(err)
	ask := func(r token.Request) func() error {
		return func() error { _, err := w.ask(r); return err }
	}
	bearer := func(access string) func() error {
		return func() error { _, err := w.Authenticate(w.t.Context(), access, netip.Addr{}); return err }
	}
	return map[string]func() error{
		"user's key": ask(byKey(ownerKey, oauth.Credentials{})), "user's key, refreshed": ask(byRefresh(lent.RefreshToken)),
		"user's key, delegated": ask(byDelegation(lent.DelegatedRefreshToken)), "user's token": bearer(user.AccessToken),
		"service's key": ask(byKey(robotKey, oauth.Credentials{})), "service's key, refreshed": ask(byRefresh(robot.RefreshToken)),
		"service's token": bearer(robot.AccessToken),
		"user as profile": ask(w.assuming(user.AccessToken)), "user as profile, refreshed": ask(byRefresh(assumed.RefreshToken)),
		"service as profile, refreshed": ask(byRefresh(robots.RefreshToken)), "profile's token": bearer(assumed.AccessToken),
		"password": ask(byPassword()), "password, refreshed": ask(byRefresh(login.RefreshToken)), "password's token": bearer(login.AccessToken),
		"passcode": ask(token.Request{GrantType: token.GrantPasscode, Passcode: code, Account: apitest.Account, Client: bx}),
	}
}

// TestEveryWayToATokenEndsWithWhatItRestsOn: each change closes the ways that
// rest on what it takes away, and no other.
func TestEveryWayToATokenEndsWithWhatItRestsOn(t *testing.T) {
	const (
		gone, disabled, expired  = "BXNIM0415E", "BXNIM0462E", "BXNIM0425E"
		inactive, untrusted, bad = "BXNIM0410E", "BXNIM0398E", "invalid_access_token"
		void                     = "BXNIM0407E"
	)
	restsOnUserKey := []string{"user's key", "user's key, refreshed", "user's key, delegated", "user as profile", "user as profile, refreshed"}
	ofUser := []string{"user's key", "user's key, refreshed", "user's key, delegated", "password", "password, refreshed", "passcode"}
	ofService := []string{"service's key", "service's key, refreshed"}
	profiles := []string{"user as profile", "user as profile, refreshed", "service as profile, refreshed"}
	tests := map[string]struct {
		change func(*world) error
		closed map[string][]string // by number or code
	}{
		"nothing changed": {func(*world) error { return nil }, nil},
		"the user's key is disabled": {func(w *world) error {
			_, err := w.server.Identity.DisableAPIKey(w.t.Context(), w.userKey, true)
			return err
		}, map[string][]string{disabled: restsOnUserKey}},
		"the user's key is deleted": {func(w *world) error { return w.server.Identity.DeleteAPIKey(w.t.Context(), w.userKey) },
			map[string][]string{gone: restsOnUserKey}},
		"the user's key expires": {func(w *world) error {
			now := w.server.Now().Format(time.RFC3339)
			_, err := w.server.Identity.UpdateAPIKey(w.t.Context(), w.userKey, "*", apitest.Checked(w.t, identity.APIKeyChange{ExpiresAt: &now}))
			return err
		}, map[string][]string{expired: restsOnUserKey}},
		"the service ID is deleted": {func(w *world) error { return w.server.Identity.DeleteServiceID(w.t.Context(), w.svc) },
			map[string][]string{gone: append(slices.Clone(ofService), "service as profile, refreshed"), bad: {"service's token"}}},
		"the user is disabled": {func(w *world) error {
			_, err := w.server.Accounts.PutUser(w.t.Context(), apitest.Account,
				account.NewUser{ID: apitest.Owner, Email: email, State: account.UserDisabled})
			return err
		}, map[string][]string{inactive: append(slices.Clone(ofUser), "user as profile, refreshed"),
			bad: {"user's token", "password's token", "profile's token"}, void: {"user as profile"}}},
		"the account is suspended": {func(w *world) error { w.set(apitest.Account, account.Suspended); return nil },
			map[string][]string{inactive: slices.Concat(ofUser, ofService, []string{"user as profile, refreshed", "service as profile, refreshed"}),
				bad: {"user's token", "service's token", "password's token", "profile's token"}, void: {"user as profile"}}},
		"the profile's account is suspended": {func(w *world) error { w.set(apitest.Other, account.Suspended); return nil },
			map[string][]string{inactive: profiles, bad: {"profile's token"}}},
		"the profile is deleted": {func(w *world) error { return w.server.Identity.DeleteProfile(w.t.Context(), w.profile) },
			map[string][]string{untrusted: profiles, bad: {"profile's token"}}},
		"the profile trusts nobody any more": {func(w *world) error { w.trust(); return nil }, map[string][]string{untrusted: profiles}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ways := w.ways()
			w.must(tt.change(w))
			want := map[string]string{}
			for number, closed := range tt.closed {
				for _, way := range closed {
					want[way] = number
				}
			}
			for way, try := range ways {
				got := ""
				if err := try(); err != nil {
					if got = fault.Of(err).Number; got == "" {
						got = fault.Of(err).Code
					}
				}
				if got != want[way] {
					t.Errorf("%s: %q, want %q", way, got, want[way])
				}
			}
		})
	}
}

// TestALoginIsBoundToWhatItCameOf: what came of a key or a profile stays in its
// account; a person who logged in may choose.
func TestALoginIsBoundToWhatItCameOf(t *testing.T) {
	w := newWorld(t)
	_, err := w.server.Accounts.PutUser(t.Context(), apitest.Other, account.NewUser{ID: apitest.Owner, Email: email})
	w.must(err)
	key := w.get(byKey(ownerKey, bx))
	for way, value := range map[string]string{"key": key.RefreshToken, "profile": w.get(w.assuming(key.AccessToken)).RefreshToken} {
		r := byRefresh(value)
		if r.Account = apitest.Other; way == "profile" {
			r.Account = apitest.Account
		}
		if _, err := w.ask(r); fault.Of(err).Number != "BXNIM0413E" {
			t.Errorf("%s: %v", way, err)
		}
	}
	r := byRefresh(w.get(byPassword()).RefreshToken)
	r.Account = apitest.Other
	p, err := w.Authenticate(t.Context(), w.get(r).AccessToken, netip.Addr{})
	if err != nil || p.Account != apitest.Other || p.IAMID != apitest.Owner {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAProfileIsNobodyWhoAssumesAnother(t *testing.T) {
	w := newWorld(t)
	first := w.get(w.assuming(w.get(byKey(ownerKey, bx)).AccessToken))
	if _, err := w.ask(w.assuming(first.AccessToken)); fault.Of(err).Number != "BXNIM0398E" {
		t.Errorf("%v", err)
	}
	open, err := w.Assumable(t.Context(), &token.Request{AccessToken: secret.New(first.AccessToken), Client: bx, Address: here})
	if err != nil || len(open) != 0 {
		t.Errorf("it may assume %d profiles, %v", len(open), err)
	}
	p, err := w.Authenticate(t.Context(), first.AccessToken, netip.Addr{})
	if err != nil || p.IAMID != id.IAMOf(w.profile.ID) || p.AuthnID != apitest.Owner || p.Account != apitest.Other {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestGuessingIsBoundedAndHoldsNobodyElseUp(t *testing.T) {
	w := newWorld(t, func(c *apitest.TokenConfig) {
		c.Limits = token.DefaultLimits
		c.Limits.Credential.Burst, c.Limits.PasswordTarget.Burst = 2, 2
	})
	kinds := func(r token.Request) (out []fault.Kind) {
		for range 3 {
			_, err := w.ask(r)
			out = append(out, fault.Of(err).Kind)
		}
		return out
	}
	if got := kinds(byKey("a guess at a key, long enough", oauth.Credentials{})); !slices.Equal(got,
		[]fault.Kind{fault.Invalid, fault.Invalid, fault.RateLimited}) {
		t.Errorf("keys: %v", got)
	}
	w.get(byKey(ownerKey, bx)) // right ones pass whatever their source did before
	guess := byPassword()
	guess.Password = secret.New("a guess")
	if got := kinds(guess); !slices.Equal(got, []fault.Kind{fault.Unauthenticated, fault.Unauthenticated, fault.RateLimited}) {
		t.Errorf("passwords: %v", got)
	}
	if _, err := w.ask(byPassword()); fault.Of(err).Kind != fault.RateLimited {
		t.Errorf("the right password after guesses must not show: %v", err)
	}
	w.server.Pass(time.Minute)
	w.get(byPassword())
}
