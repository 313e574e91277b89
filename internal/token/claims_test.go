package token

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/store"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares JSON with a file.
func golden(t *testing.T, name string, raw []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, raw)
	}
	indented.WriteByte('\n')
	file := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.WriteFile(file, indented.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), indented.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

const (
	testAccount = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	testIssuer  = "https://iam.cloud.ibm.com/identity"
)

func testUser() *account.User {
	return &account.User{Meta: store.Meta{ID: "IBMid-550000ABCD", Owner: "IBMid-550000ABCD", Name: "Ada \"Countess\" <Lovelace>"},
		Email: "ada@example.com", GivenName: "Ada", FamilyName: "Lovelace", State: account.Active}
}

func inAccount(c FixedClaims) FixedClaims {
	c.Account = AccountClaims{Valid: true, BSS: testAccount, IMS: "1234567"}
	return c
}

func TestClaimsOfEachKindOfSubject(t *testing.T) {
	bx := &oauth.Client{ID: "bx"}
	profile := &identity.Profile{Meta: store.Meta{ID: "Profile-11111111-2222-4333-8444-555555555555", Name: "operator"}}
	sid := &identity.ServiceID{Meta: store.Meta{ID: "ServiceId-11111111-2222-4333-8444-555555555555", Name: "robot"},
		UniqueInstanceCRNs: []string{"crn:v1:bluemix:public:cloudantnosqldb:us-south:a/" + testAccount + ":1::"}}
	user, service := userClaims(testUser()), serviceIDClaims(sid)
	tests := []struct {
		name    string
		login   login
		client  *oauth.Client
		session string
		aud     string
		kind    policy.SubjectKind
	}{
		{"user-apikey", login{Lineage: session.Lineage{Origin: GrantAPIKey}, standing: &standing{claims: inAccount(user)}, grant: GrantAPIKey},
			oauth.Nobody, "", "", policy.KindUser},
		{"user-apikey-session", login{Lineage: session.Lineage{Origin: GrantAPIKey}, standing: &standing{claims: inAccount(user)},
			grant: GrantAPIKey}, bx,
			"C-11111111-2222-4333-8444-555555555555", "", policy.KindUser},
		{"user-password-without-account", login{Lineage: session.Lineage{Origin: GrantPassword}, standing: &standing{claims: user},
			grant: GrantPassword}, bx,
			"C-11111111-2222-4333-8444-555555555555", "", policy.KindUser},
		{"serviceid-apikey", login{Lineage: session.Lineage{Origin: GrantAPIKey}, standing: &standing{claims: inAccount(service)},
			grant: GrantAPIKey}, oauth.Nobody, "", "", policy.KindServiceID},
		{"profile-of-user", login{Lineage: session.Lineage{Origin: GrantAssume},
			standing: &standing{claims: inAccount(profileClaims(profile, user.Authn))}, grant: GrantAssume}, oauth.Nobody, "", "",
			policy.KindProfile},
		{"profile-of-serviceid", login{Lineage: session.Lineage{Origin: GrantAssume},
			standing: &standing{claims: inAccount(profileClaims(profile, service.Authn))}, grant: GrantAssume}, bx, "", "", policy.KindProfile},
		{"id-token", login{Lineage: session.Lineage{Origin: GrantAPIKey}, standing: &standing{claims: inAccount(user)}, grant: GrantDelegated},
			&oauth.Client{ID: "kube", Scope: "containers-kubernetes"}, "", "kube", policy.KindUser},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := tt.login.prepare(testIssuer, tt.client, tt.aud)
			if err != nil {
				t.Fatal(err)
			}
			raw := set.appendTo(nil, StampClaims{JTI: "00000000-0000-4000-8000-000000000000", SessionID: tt.session, IssuedAt: 1781040387,
				Expires: 1781043987})
			golden(t, tt.name, raw)
			c, err := decodeClaims(raw)
			if err != nil {
				t.Fatal(err)
			}
			if c.Kind() != tt.kind {
				t.Errorf("kind %v, want %v", c.Kind(), tt.kind)
			}
			again, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(raw, &a) != nil || json.Unmarshal(again, &b) != nil {
				t.Fatal("not JSON")
			}
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("claims change when they are read and written (-first +second):\n%s", diff)
			}
		})
	}
}
