package demo_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/dev/demo"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/template"
)

func data(t *testing.T, seed string) *demo.Data {
	t.Helper()
	sum := sha256.Sum256([]byte(seed))
	d, err := demo.New(sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOneSeedGivesOneDataSet(t *testing.T) {
	one, again, other := data(t, "a").Env("http://x"), data(t, "a").Env("http://x"), data(t, "b").Env("http://x")
	if diff := cmp.Diff(one, again); diff != "" {
		t.Errorf("the same seed: %s", diff)
	}
	same := map[string]bool{"KAGIBAN_URL": true, "KAGIBAN_MEMBER_EMAIL": true, "KAGIBAN_VIEWER_ROLE_ID": true, "KAGIBAN_CONSOLE_USER": true,
		"KAGIBAN_PROFILE_NAME": true}
	for i := range one {
		if (one[i].Value == other[i].Value) != same[one[i].Name] {
			t.Errorf("%s of two seeds: %q and %q", one[i].Name, one[i].Value, other[i].Value)
		}
	}
}

func TestAShortSeedIsRefused(t *testing.T) {
	if _, err := demo.New([]byte("short")); err == nil {
		t.Error("it was taken")
	}
}

func TestTheEnvironmentHasTheFormsThatClientsCheck(t *testing.T) {
	forms := map[string]string{
		"KAGIBAN_URL": `^http://x$`, "KAGIBAN_APIKEY": `^[A-Za-z0-9_-]{44}$`, "KAGIBAN_IAM_ID": `^IBMid-[A-Z0-9]{10}$`,
		"KAGIBAN_ACCOUNT_ID":    `^[0-9a-f]{32}$`,
		"KAGIBAN_ENTERPRISE_ID": `^[0-9a-f]{32}$`, "KAGIBAN_ENTERPRISE_ACCOUNT_ID": `^[0-9a-f]{32}$`,
		"KAGIBAN_ENTERPRISE_SUBACCOUNT_ID": `^[0-9a-f]{32}$`,
		"KAGIBAN_ACCOUNT_GROUP_ID":         `^[0-9a-f]{32}$`, "KAGIBAN_USER_ID": `^IBMid-[A-Z0-9]{10}$`,
		"KAGIBAN_ADMIN_APIKEY":   `^[A-Za-z0-9_-]{44}$`,
		"KAGIBAN_VIEWER_ROLE_ID": `^crn:v1:bluemix:public:iam::::role:Viewer$`, "KAGIBAN_ACCESS_GROUP_ID": `^AccessGroupId-`,
		"KAGIBAN_PROFILE_ID": `^Profile-[0-9a-f-]{36}$`, "KAGIBAN_CONSOLE_USER": `@example\.com$`,
		"KAGIBAN_CONSOLE_PASSWORD": `^[A-Za-z0-9]{10}$`,
	}
	got := map[string]string{}
	for _, v := range data(t, "a").Env("http://x") {
		if got[v.Name] != "" || v.Value == "" || strings.ContainsAny(v.Value, " \"'$\n") {
			t.Errorf("%s=%q", v.Name, v.Value)
		}
		got[v.Name] = v.Value
	}
	for name, form := range forms {
		if !regexp.MustCompile(form).MatchString(got[name]) {
			t.Errorf("%s is %q, want %s", name, got[name], form)
		}
	}
	if got["KAGIBAN_ACCOUNT_ID"] != got["KAGIBAN_ENTERPRISE_ACCOUNT_ID"] {
		t.Error("the key's account is not the enterprise account")
	}
}

func TestNoTwoSecretsAreAlike(t *testing.T) {
	d := data(t, "a")
	seen := map[string]bool{}
	for _, v := range []secret.Value{d.OwnerKey.Value, d.AdminKey.Value, d.VisitorKey.Value, d.ServiceKey.Value, d.Password} {
		if v.IsZero() || seen[v.Reveal()] {
			t.Error("an empty or repeated secret")
		}
		seen[v.Reveal()] = true
	}
}

func loaded(t *testing.T) (*demo.Data, store.DB) {
	t.Helper()
	db, err := sqlitestore.Open(context.Background(), sqlitestore.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := data(t, "a")
	if err := d.Load(context.Background(), into(t, db)); err != nil {
		t.Fatal(err)
	}
	return d, db
}

// into gives what the data goes into: a store with the built-in catalogue.
func into(t *testing.T, db store.DB) demo.Into {
	t.Helper()
	set, err := catalog.BuiltinSet()
	if err != nil {
		t.Fatal(err)
	}
	services, err := catalog.NewRegistry(context.Background(), db, set, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(services.Close)
	decider := authority.New(authority.Config{DB: db, Catalogs: services})
	t.Cleanup(decider.Close)
	hasher, err := secret.NewHasher(make([]byte, secret.PepperSize), secret.PurposeAPIKey)
	if err != nil {
		t.Fatal(err)
	}
	return demo.Into{DB: db, Authority: decider, Hasher: hasher, Now: time.Now}
}

func TestTheDataIsWrittenOnce(t *testing.T) {
	d, db := loaded(t)
	if there, err := demo.Present(context.Background(), db); !there || err != nil {
		t.Errorf("present: %v %v", there, err)
	}
	if err := d.Load(context.Background(), into(t, db)); !errors.Is(err, fault.Conflict) {
		t.Errorf("a second time: %v", err)
	}
}

func TestTheStoryOfTwoAccountsIsThere(t *testing.T) {
	d, db := loaded(t)
	ctx, r := context.Background(), db.Direct()
	profile, err := identity.Profiles.Lookup(ctx, r, identity.ProfileName(d.Called, demo.ProfileName))
	if err != nil || profile.ID != d.Profile {
		t.Fatalf("%v %v", profile, err)
	}
	trusts, err := identity.Trusts.List(ctx, r, store.Query{Account: d.Called, Parent: d.Profile, Owner: d.Visitor.IAMID})
	if err != nil || len(trusts) != 1 || !reflect.DeepEqual(trusts[0].Accounts, []string{d.Caller}) {
		t.Errorf("the visitor is trusted by %+v, %v", trusts, err)
	}
	child, err := account.Accounts.Get(ctx, r, d.Child, d.Child)
	if err != nil || !child.EnterpriseManaged || child.ParentGroup != d.Group || child.Owner != d.Owner.IAMID {
		t.Errorf("the child account is %+v, %v", child, err)
	}
}

func TestEveryObjectHasAnEventAndTheKeyAHistory(t *testing.T) {
	d, db := loaded(t)
	events, err := db.Direct().History(context.Background(), d.Root, identity.APIKeys.Kind(), d.OwnerKey.ID, 10)
	if err != nil || len(events) == 0 || events[0].Origin.IAMID != d.Owner.IAMID {
		t.Errorf("%+v %v", events, err)
	}
	for _, e := range events {
		if strings.Contains(e.Message+e.Name, d.OwnerKey.Value.Reveal()) {
			t.Error("an event holds the key")
		}
	}
}

func TestThePasswordIsThatOfTheLogin(t *testing.T) {
	d, db := loaded(t)
	login, err := account.Logins.Lookup(context.Background(), db.Direct(), account.EmailKey(d.Console.Email))
	if err != nil || login.ID != d.Console.IAMID {
		t.Fatalf("%+v %v", login, err)
	}
	passwords := secret.NewPasswords(nil, 1)
	ok, outdated, err := passwords.Verify(context.Background(), login.PasswordHash, d.Password)
	if !ok || !outdated || err != nil {
		t.Errorf("verified %v, outdated %v, %v; a login must replace the cheap hash", ok, outdated, err)
	}
	if ok, _, _ := passwords.Verify(context.Background(), login.PasswordHash, secret.New("another")); ok {
		t.Error("another password is taken")
	}
}

func TestAllObjectsAreInAccountsOfTheSet(t *testing.T) {
	d, db := loaded(t)
	known := map[string]bool{d.Root: true, d.Child: true, d.Caller: true, d.Called: true}
	accounts, err := account.Accounts.List(context.Background(), db.Direct(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if !known[a.ID] || !id.IsAccount(a.ID) || a.State != account.Active {
			t.Errorf("account %+v", a)
		}
		if _, err := account.SettingsByAcct.Get(context.Background(), db.Direct(), a.ID, a.ID); err != nil {
			t.Errorf("settings of %s: %v", a.Name, err)
		}
	}
}

func TestTheEnvironmentFileIsWholeAndPrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "demo.env")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	vars := []demo.Variable{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}
	if err := demo.WriteEnv(path, vars); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "A=1\nB=2\n" {
		t.Errorf("%q %v", text, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
	if err := demo.WriteEnv(filepath.Join(dir, "no", "demo.env"), vars); err == nil {
		t.Error("a missing folder is no error")
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := demo.WriteEnv(filepath.Join(dir, "taken"), vars); err == nil {
		t.Error("a folder in the way is no error")
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestTheServicesGaveEachObjectTheIDOfTheData(t *testing.T) {
	d, db := loaded(t)
	ctx, r := context.Background(), db.Direct()
	for _, o := range []struct{ kind, account, id string }{
		{enterprise.Enterprises.Kind(), d.Root, d.Enterprise}, {enterprise.Groups.Kind(), d.Root, d.Group},
		{enterprise.Members.Kind(), d.Root, d.Root}, {enterprise.Members.Kind(), d.Root, d.Child},
		{account.Accounts.Kind(), d.Caller, d.Caller}, {account.Accounts.Kind(), d.Called, d.Called},
		{account.Users.Kind(), d.Root, d.Admin.IAMID}, {account.Users.Kind(), d.Root, d.Member.IAMID},
		{account.Users.Kind(), d.Root, d.Console.IAMID},
		{identity.ServiceIDs.Kind(), d.Root, d.ServiceID}, {identity.Profiles.Kind(), d.Called, d.Profile},
		{identity.APIKeys.Kind(), d.Root, d.OwnerKey.ID}, {identity.APIKeys.Kind(), d.Root, d.AdminKey.ID},
		{identity.APIKeys.Kind(), d.Caller, d.VisitorKey.ID}, {identity.APIKeys.Kind(), d.Root, d.ServiceKey.ID},
		{access.Groups.Kind(), d.Root, d.AccessGroup}, {template.Templates.Kind(), d.Root, d.PolicyTemplate},
	} {
		if _, err := r.Get(ctx, o.kind, o.account, o.id); err != nil {
			t.Errorf("%s %s: %v", o.kind, o.id, err)
		}
	}
	_, again := loaded(t)
	if diff := cmp.Diff(policies(t, db), policies(t, again)); diff != "" {
		t.Errorf("the policies of another start: %s", diff)
	}
}

// policies gives the ids of all policies.
func policies(t *testing.T, db store.DB) []string {
	t.Helper()
	ids, err := access.Policies.IDs(context.Background(), db.Direct(), store.Query{})
	if err != nil || len(ids) != 7 {
		t.Errorf("%d policies, %v", len(ids), err)
	}
	return ids
}

func TestTheAuditTrailNamesObjectsAsTheirServicesDo(t *testing.T) {
	d, db := loaded(t)
	events, err := db.Events(context.Background(), d.Root, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"iam-groups.group.create": "crn:v1:bluemix:public:iam-groups::a/" + d.Root + "::access-group:" + d.AccessGroup}
	for _, e := range events {
		if crn, ok := want[e.Action]; ok && e.CRN != crn {
			t.Errorf("%s is told of %s, want %s", e.Action, e.CRN, crn)
		}
		delete(want, e.Action)
	}
	if len(want) > 0 {
		t.Errorf("not told: %v", want)
	}
}
