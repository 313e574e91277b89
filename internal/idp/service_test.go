package idp

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/valid"
)

// The accounts of the tests: two of one enterprise, and one beside it.
const (
	owner   = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sibling = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	foreign = "cccccccccccccccccccccccccccccccc"
	company = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
)

// house is a service with its store.
type house struct {
	*Service
	t   *testing.T
	ctx context.Context
	now time.Time
}

func newHouse(t *testing.T, limit int) *house {
	t.Helper()
	h := &house{t: t, ctx: context.Background(), now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	clock := func() time.Time { return h.now }
	db, err := sqlitestore.Open(h.ctx, sqlitestore.Options{Memory: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	accounts := account.New(account.Config{DB: db, Now: clock})
	for id, enterprise := range map[string]string{owner: company, sibling: company, foreign: ""} {
		_, err := accounts.Create(h.ctx, account.NewAccount{ID: id, Name: "Account " + id[:1], Enterprise: enterprise,
			Owner: account.NewUser{ID: "IBMid-" + id[:1], Email: id[:1] + "@example.com"}})
		h.ok(err)
	}
	h.Service = New(Config{
		DB: db, Now: clock, Sealer: testSealer(t), Limits: Limits{IdPs: limit},
		NewKey: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	})
	return h
}

func testSealer(t testing.TB) *secret.Sealer {
	t.Helper()
	master, err := secret.ParseMasterKey(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.NewSealer(nil, master)
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) refused(err, kind error, word string) {
	h.t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(fault.Of(err).Message+fault.Of(err).Details, word) {
		h.t.Errorf("got %v, want %v with %q", err, kind, word)
	}
}

// add makes an identity provider of the owner's, without rules of its type.
func (h *house) add(name string, shared ...Scope) *IdP {
	h.t.Helper()
	draft, err := Spec{Account: owner, Name: name, Type: TypeLDAP, Shared: shared,
		Properties: map[string]any{"host": "ldap.example.com"}, Secrets: map[string]any{"bind": map[string]any{"password": "hidden"}}}.Draft()
	h.ok(err)
	p, err := h.Create(h.ctx, draft)
	h.ok(err)
	return p
}

func (h *house) bind(accountID string, p *IdP) *Setting {
	h.t.Helper()
	o, err := h.Offer(h.ctx, accountID, p.ID)
	h.ok(err)
	s, err := h.Bind(h.ctx, o, must(h.t, fullUse()))
	h.ok(err)
	return s
}

func fullUse() Use {
	strategy, yes := StrategyStatic, true
	return Use{&strategy, &yes, &yes}
}

func must[T valid.Checker](t *testing.T, v T) valid.Of[T] {
	t.Helper()
	out, err := valid.Check(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (h *house) change(p *IdP, c Change) (*IdP, error) {
	return h.Update(h.ctx, p, "*", must(h.t, c))
}

func (h *house) reshare(p *IdP, force bool, now ...Scope) (*IdP, error) {
	return h.change(p, Change{Shared: &now, ForceShare: force})
}

// again finds an identity provider once more.
func (h *house) again(p *IdP) *IdP {
	h.t.Helper()
	out, err := h.IdP(h.ctx, p.ID)
	h.ok(err)
	return out
}

func (h *house) names(accountID string, which Selection) (names []string) {
	h.t.Helper()
	list, err := h.Settings(h.ctx, accountID, must(h.t, which))
	h.ok(err)
	for _, s := range list {
		names = append(names, s.IdP.Name)
	}
	return names
}

func TestAnAccountOwnsAsManyIdentityProvidersAsTheLimitSays(t *testing.T) {
	if h := newHouse(t, 0); h.Limits().IdPs != 5 {
		t.Errorf("usually the limit is %d, want the documented 5", h.Limits().IdPs)
	}
	h := newHouse(t, 2)
	first := h.add("first")
	h.add("second")
	draft, err := Spec{Account: owner, Name: "third", Type: TypeAppID}.Draft()
	h.ok(err)
	_, err = h.Create(h.ctx, draft)
	h.refused(err, fault.Limit, "is 2")
	if n, err := h.Count(h.ctx, owner); n != 2 || err != nil {
		t.Errorf("%d are counted, %v", n, err)
	}
	h.ok(h.Delete(h.ctx, first))
	_, err = h.Create(h.ctx, draft)
	h.ok(err)
	if n, err := h.Count(h.ctx, foreign); n != 0 || err != nil {
		t.Errorf("another account has %d, %v", n, err)
	}
}

func TestADraftNamesWhatIsWrong(t *testing.T) {
	for field, n := range map[string]Spec{
		"account_id":  {Account: "x", Name: "n", Type: TypeLDAP},
		"name":        {Account: owner, Type: TypeLDAP},
		"type":        {Account: owner, Name: "n", Type: "oidc"},
		"properties":  {Account: owner, Name: "n", Type: TypeSAML, Secrets: map[string]any{}},
		"secrets":     {Account: owner, Name: "n", Type: TypeSAML, Properties: map[string]any{}},
		"share_scope": {Account: owner, Name: "n", Type: TypeLDAP, Shared: []Scope{{sibling, "region"}}},
	} {
		if _, err := n.Draft(); fault.Of(err).Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestAChangeIsWrittenOverWhatWasFoundOnly(t *testing.T) {
	h := newHouse(t, 0)
	p := h.add("before")
	name := "after"
	next, err := h.change(p, Change{Name: &name})
	h.ok(err)
	if next.Name != "after" || p.Name != "before" {
		t.Errorf("found %q, made of it %q", p.Name, next.Name)
	}
	if _, err := h.change(p, Change{Name: &name}); !errors.Is(err, store.ErrMoved) {
		t.Errorf("changed over what somebody else had written: %v", err)
	}
	if err := h.Delete(h.ctx, p); !errors.Is(err, store.ErrMoved) {
		t.Errorf("deleted as it was before the change: %v", err)
	}
	if _, err := h.RunTest(h.ctx, p); !errors.Is(err, store.ErrMoved) {
		t.Errorf("tested as it was before the change: %v", err)
	}
	if _, err := h.Update(h.ctx, next, p.Tag, must(t, Change{})); !errors.Is(err, fault.Stale) || errors.Is(err, store.ErrMoved) {
		t.Errorf("an old If-Match: %v", err)
	}
}

func TestOnlyWhatIsSharedWithAnAccountIsOfferedToIt(t *testing.T) {
	h := newHouse(t, 10)
	h.add("private")
	h.add("of the account", Scope{foreign, ScopeAccount})
	h.add("of the enterprise", Scope{company, ScopeEnterprise})
	both := h.add("of both", Scope{sibling, ScopeAccount}, Scope{company, ScopeEnterprise})
	for accountID, want := range map[string][]string{
		owner:   {"of both", "of the account", "of the enterprise", "private"}, // its own, each once
		sibling: {"of both", "of the enterprise"},
		foreign: {"of the account"},
	} {
		got := h.names(accountID, Consumable)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("account %s may use %q, want %q", accountID[:1], got, want)
		}
		for _, p := range mustList(h) {
			_, err := h.Offer(h.ctx, accountID, p.ID)
			if slices.Contains(want, p.Name) {
				h.ok(err)
			} else {
				h.refused(err, fault.NotFound, p.ID)
			}
		}
	}
	_, err := h.Offer(h.ctx, "dddddddddddddddddddddddddddddddd", both.ID)
	h.refused(err, fault.NotFound, both.ID)
	_, err = h.Setting(h.ctx, sibling, both.ID) // it may use it and does not
	h.refused(err, fault.NotFound, both.ID)
	if which := Selection("all"); which.Validate() == nil || Selection("").Validate() == nil {
		t.Error("a list of no known kind is given")
	}
}

func mustList(h *house) []*IdP {
	h.t.Helper()
	list, err := h.List(h.ctx, owner)
	h.ok(err)
	return list
}

// Between the offer and its acceptance the owner may have taken it back, or the
// account may have left the enterprise that it was made to.
func TestAnOfferThatWasTakenBackIsNotAccepted(t *testing.T) {
	h := newHouse(t, 0)
	p := h.add("shared", Scope{company, ScopeEnterprise})
	o, err := h.Offer(h.ctx, sibling, p.ID)
	h.ok(err)
	_, err = h.reshare(p, false)
	h.ok(err)
	if _, err := h.Bind(h.ctx, o, must(t, fullUse())); !errors.Is(err, store.ErrMoved) {
		t.Errorf("bound what is not shared any more: %v", err)
	}
	_, err = h.reshare(h.again(p), false, Scope{company, ScopeEnterprise})
	h.ok(err)
	if o, err = h.Offer(h.ctx, sibling, p.ID); err != nil {
		t.Fatal(err)
	}
	h.ok(h.db.Update(h.ctx, func(tx store.Tx) error {
		a, err := account.Accounts.Get(h.ctx, tx, sibling, sibling)
		if err != nil {
			return err
		}
		a.Enterprise = ""
		return account.Accounts.Update(h.ctx, tx, a, store.Event{})
	}))
	if _, err := h.Bind(h.ctx, o, must(t, fullUse())); !errors.Is(err, store.ErrMoved) {
		t.Errorf("bound what is shared with an enterprise that the account has left: %v", err)
	}
	if got := h.names(sibling, Consumed); len(got) != 0 {
		t.Errorf("in use are %q", got)
	}
}

func TestWhatAccountsUseIsNeitherDeletedNorTakenAwayByAccident(t *testing.T) {
	h := newHouse(t, 0)
	p := h.add("shared", Scope{sibling, ScopeAccount}, Scope{foreign, ScopeAccount})
	own, theirs := h.bind(owner, p), h.bind(sibling, p)
	_, err := h.Bind(h.ctx, &Offer{p, &account.Account{Meta: store.Meta{Account: sibling, ID: sibling, Version: 1}}}, must(t, fullUse()))
	h.refused(err, fault.Conflict, "already")
	h.refused(h.Delete(h.ctx, p), fault.Conflict, "used by 2 accounts")
	users, err := h.Consumers(h.ctx, p)
	h.ok(err)
	if len(users) != 2 || len(users[0].Shared) != 0 || !slices.Equal(users[1].Shared, []Scope{{sibling, ScopeAccount}}) {
		t.Errorf("used by %+v", users)
	}
	// Nobody uses it through the scope of the third account.
	p, err = h.reshare(p, false, Scope{sibling, ScopeAccount})
	h.ok(err)
	_, err = h.reshare(p, false)
	h.refused(err, fault.Conflict, "force_share_scope_update")
	p, err = h.reshare(p, true)
	h.ok(err)
	if got := h.names(sibling, Consumed); len(got) != 0 {
		t.Errorf("still in use: %q", got)
	}
	if err := h.Unbind(h.ctx, theirs); !errors.Is(err, store.ErrMoved) {
		t.Errorf("ending a use that was taken away: %v", err)
	}
	h.ok(h.Unbind(h.ctx, own))
	h.ok(h.Delete(h.ctx, p))
	if got := h.names(owner, Consumable); len(got) != 0 {
		t.Errorf("after it was deleted: %q", got)
	}
}

func TestOneOfTheIdentityProvidersOfAnAccountIsTheDefault(t *testing.T) {
	h := newHouse(t, 0)
	first, second := h.bind(owner, h.add("first")), h.bind(owner, h.add("second"))
	defaults := func() (names []string) {
		list, err := h.Settings(h.ctx, owner, must(t, Consumed))
		h.ok(err)
		for _, s := range list {
			if s.Binding.UIDefault {
				names = append(names, s.IdP.Name)
			}
		}
		return names
	}
	if got := defaults(); !slices.Equal(got, []string{"second"}) {
		t.Errorf("defaults are %q", got)
	}
	yes, dynamic := true, StrategyDynamic
	_, err := h.Rebind(h.ctx, first, must(t, UseChange{UIDefault: &yes}))
	if !errors.Is(err, store.ErrMoved) { // the second has taken its mark
		t.Errorf("changed over what was written meanwhile: %v", err)
	}
	first, err = h.Setting(h.ctx, owner, first.IdP.ID)
	h.ok(err)
	changed, err := h.Rebind(h.ctx, first, must(t, UseChange{UIDefault: &yes, Strategy: &dynamic}))
	h.ok(err)
	if changed.Binding.Strategy != StrategyDynamic || !changed.Binding.Active || changed.OwnerName != "Account a" {
		t.Errorf("changed: %+v %+v", changed, changed.Binding)
	}
	if got := defaults(); !slices.Equal(got, []string{"first"}) {
		t.Errorf("defaults are %q", got)
	}
	if second.Binding.UIDefault != true || first.Binding.UIDefault {
		t.Error("what was found was changed")
	}
	for field, u := range map[string]Use{"cloud_user_strategy": {Active: &yes, UIDefault: &yes},
		"active": {Strategy: &dynamic, UIDefault: &yes}, "ui_default": {Strategy: &dynamic, Active: &yes}} {
		if err := u.Validate(); fault.Of(err).Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestAnAliasLeadsToOneAccount(t *testing.T) {
	h := newHouse(t, 0)
	set := func(l *LoginSettings, alias string) (*LoginSettings, error) {
		return h.UpdateLogin(h.ctx, l, must(t, LoginChange{&alias}))
	}
	login := func(accountID string) *LoginSettings {
		l, err := h.Login(h.ctx, accountID)
		h.ok(err)
		return l
	}
	none := login(owner)
	mine, err := set(none, "Acme")
	h.ok(err)
	_, err = set(login(foreign), "ACME")
	h.refused(err, fault.Conflict, "taken")
	if _, err := set(none, "other"); !errors.Is(err, store.ErrMoved) {
		t.Errorf("made over settings that were made meanwhile: %v", err)
	}
	if same, err := set(mine, "Acme"); err != nil || same.Version != mine.Version {
		t.Errorf("the same alias was written: %v", err)
	}
	if same, err := h.UpdateLogin(h.ctx, mine, must(t, LoginChange{})); err != nil || same.Alias != "Acme" {
		t.Errorf("no alias was given: %v, %v", same, err)
	}
	_, err = set(mine, "")
	h.ok(err)
	if _, err := set(mine, "third"); !errors.Is(err, store.ErrMoved) {
		t.Errorf("changed over what was written meanwhile: %v", err)
	}
	_, err = set(login(foreign), "ACME")
	h.ok(err)
	for _, alias := range []string{" ", "a/b", "a b", "a?b", "a#b", "50%", "a\nb", strings.Repeat("a", 101)} {
		if err := (LoginChange{&alias}).Validate(); fault.Of(err).Field != "alias" {
			t.Errorf("%q: got %v", alias, err)
		}
	}
	_, err = h.Login(h.ctx, "dddddddddddddddddddddddddddddddd")
	h.refused(err, fault.NotFound, "Account")
}

func TestSecretsAreStoredSealedAndShownMasked(t *testing.T) {
	h := newHouse(t, 0)
	p := h.add("directory")
	if strings.Contains(string(p.Sealed), "hidden") {
		t.Error("the secret is stored in clear")
	}
	shown, err := h.Secrets(p)
	h.ok(err)
	bind := shown["bind"].(map[string]any)
	if bind["password"] != secret.Redacted {
		t.Errorf("shown: %v", shown)
	}
	// Who sends back what was shown keeps the secret.
	bind["user"] = "cn=admin"
	p, err = h.change(p, Change{Secrets: shown})
	h.ok(err)
	c, err := h.open(p)
	h.ok(err)
	if got := c.secrets["bind"].(map[string]any); got["password"] != "hidden" || got["user"] != "cn=admin" {
		t.Errorf("stored: %v", got)
	}
}

func TestMetadataIsTriedWithoutBeingStored(t *testing.T) {
	h := newHouse(t, 0)
	m := &Metadata{EntityID: "https://idp.example.com", RedirectBindingURL: "https://idp.example.com/sso"}
	ldap := h.add("directory")
	_, err := h.TryImport(ldap, m)
	h.refused(err, fault.Conflict, "saml")
	_, err = h.Import(h.ctx, ldap, m)
	h.refused(err, fault.Conflict, "saml")
	draft, err := Spec{Account: owner, Name: "saml", Type: TypeSAML, Secrets: map[string]any{},
		Properties: map[string]any{"idp": map[string]any{"xml_import": true}}}.Draft()
	h.ok(err)
	p, err := h.Create(h.ctx, draft)
	h.ok(err)
	tried, err := h.TryImport(p, m)
	h.ok(err)
	entity := func(p *IdP) any { return p.Properties["idp"].(map[string]any)["entity_id"] }
	if entity(tried) != m.EntityID || entity(p) != nil || entity(h.again(p)) != nil {
		t.Errorf("tried %v, found %v, stored %v", entity(tried), entity(p), entity(h.again(p)))
	}
	imported, err := h.Import(h.ctx, p, m)
	h.ok(err)
	if entity(imported) != m.EntityID || entity(h.again(p)) != m.EntityID {
		t.Errorf("imported %v, stored %v", entity(imported), entity(h.again(p)))
	}
}

func TestATestTellsOfTheVersionThatItLookedAt(t *testing.T) {
	h := newHouse(t, 0)
	p := h.add("directory")
	_, err := h.LastTest(h.ctx, p)
	h.refused(err, fault.NotFound, "IdPTest")
	first, err := h.RunTest(h.ctx, p)
	h.ok(err)
	if !first.Passed() || first.Tested != p.Tag || !first.Started.Equal(h.now) {
		t.Errorf("first: %+v", first)
	}
	no := false
	p, err = h.change(p, Change{Active: &no})
	h.ok(err)
	h.now = h.now.Add(time.Hour)
	_, err = h.RunTest(h.ctx, p)
	h.ok(err)
	last, err := h.LastTest(h.ctx, p)
	h.ok(err)
	if last.Passed() || last.Tested != p.Tag || !last.Started.Equal(h.now) {
		t.Errorf("second: %+v", last)
	}
	h.ok(h.Delete(h.ctx, p))
	_, err = h.LastTest(h.ctx, p)
	h.refused(err, fault.NotFound, "IdPTest")
}
