package iamtoken_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/token"
)

func TestAPIKeyGivesATokenThatTheServerAccepts(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{userKey, svcKey} {
		a := w.mustToken(apikey(key))
		if a.text("token_type") != "Bearer" || a.text("refresh_token") != "not_supported" || a.text("scope") != "ibm openid" ||
			a.text("session_id") != "" {
			t.Errorf("answer %s", a.raw)
		}
		c := w.claims(a.text("access_token"))
		if a.number("expires_in") != 3600 || c.Expires != a.number("expiration") || c.Expires-c.IssuedAt != 3600 {
			t.Errorf("expires_in %d, expiration %d, token from %d to %d", a.number("expires_in"), a.number("expiration"), c.IssuedAt, c.Expires)
		}
		if who := w.send(http.MethodGet, "/whoami", "", bearer(a.text("access_token"))); who.status != http.StatusOK ||
			who.text("Account") != acctA {
			t.Errorf("the token is not accepted: %s", who.raw)
		}
	}
}

func TestParametersMayStandInTheQuery(t *testing.T) {
	w := newWorld(t)
	a := w.send(http.MethodPost, "/identity/token?"+pairs(apikey(userKey)...), "")
	if a.status != http.StatusOK {
		t.Errorf("query only: %d %s", a.status, a.raw)
	}
	a = w.send(http.MethodPost, "/identity/token?account="+acctB, pairs(apikey(userKey)...))
	if a.status != http.StatusOK || w.claims(a.text("access_token")).Account.BSS != acctA {
		t.Errorf("body and query: the key's account counts: %d %s", a.status, a.raw)
	}
	a = w.send(http.MethodPost, "/identity/token/?apikey="+userKey, pairs(apikey(userKey)...))
	if a.status != http.StatusOK {
		t.Errorf("the same in both, and a trailing slash is no other path: %d %s", a.status, a.raw)
	}
}

func TestARequestSaysOneThingOnly(t *testing.T) {
	w := newWorld(t)
	key := pairs(apikey(userKey)...)
	for name, send := range map[string]func() answer{
		"query and body":       func() answer { return w.send(http.MethodPost, "/identity/token?apikey=other", key) },
		"twice in the body":    func() answer { return w.send(http.MethodPost, "/identity/token", key+"&apikey=other") },
		"twice in the query":   func() answer { return w.send(http.MethodPost, "/identity/token?account=a&account=b", key) },
		"two names of account": func() answer { return w.token(append(apikey(userKey), "account", acctA, "bss_account", acctB)) },
		"two names of token": func() answer {
			return w.send(http.MethodPost, "/identity/introspect", pairs("token", "a", "access_token", "b"), bx)
		},
		"two clients": func() answer {
			return w.token(append(apikey(userKey), "client_id", "kube", "client_secret", "kube"), bx)
		},
		"two secrets of client": func() answer { return w.token(append(apikey(userKey), "client_id", "bx", "client_secret", "kube"), bx) },
	} {
		if a := send(); a.status != http.StatusBadRequest || a.text("errorCode") != "BXNIM0106E" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	w.mustToken(append(apikey(userKey), "client_id", "bx", "client_secret", "bx"), bx)
}

func TestFormsMayBeCompressed(t *testing.T) {
	w := newWorld(t)
	encoded := func(name string) option { return header("Content-Encoding", name) }
	pack := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(text)) // into memory
		_ = z.Close()
		return b.String()
	}
	form := pairs(apikey(userKey)...)
	if a := w.send(http.MethodPost, "/identity/token", pack(form), encoded("gzip")); a.status != http.StatusOK {
		t.Errorf("gzip: %d %s", a.status, a.raw)
	}
	for name, c := range map[string]struct {
		body, encoding string
		want           int
	}{
		"another encoding": {pack(form), "br", http.StatusUnsupportedMediaType},
		"no gzip":          {form, "gzip", http.StatusBadRequest},
		"a bomb":           {pack(strings.Repeat("a=b&", 10<<20)), "gzip", http.StatusRequestEntityTooLarge},
	} {
		if a := w.send(http.MethodPost, "/identity/token", c.body, encoded(c.encoding)); a.status != c.want || a.text("errorMessage") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
}

func TestTheOtherPathOfTheTokenEndpoint(t *testing.T) {
	w := newWorld(t)
	a := w.send(http.MethodPost, "/oidc/token", pairs(apikey(userKey)...))
	if who := w.send(http.MethodGet, "/whoami", "", bearer(a.text("access_token"))); a.status != http.StatusOK || who.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if bad := w.send(http.MethodPost, "/oidc/token", pairs(apikey("no key")...)); bad.text("errorCode") != "BXNIM0415E" {
		t.Errorf("a wrong key: %s", bad.raw)
	}
	if get := w.send(http.MethodGet, "/oidc/token", ""); get.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", get.status)
	}
}

func TestResponseTypesAreSplitOnCommaAndSpace(t *testing.T) {
	w := newWorld(t)
	for _, rt := range []string{"cloud_iam", "cloud_iam,ims_portal", "cloud_iam ims_portal", "cloud_iam, iam_cookie"} {
		w.mustToken(append(apikey(userKey), "response_type", rt))
	}
	w.wants(w.token(append(apikey(userKey), "response_type", "uaa, cloud_iam")), 400, "BXNIM0106E")
	w.wants(w.token(append(apikey(userKey), "response_type", ",")), 400, "BXNIM0106E")
}

func TestRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.addKey("ApiKey-d", acctA, userIAM, "disabled", func(k *identity.APIKey) { k.Disabled = true })
	w.addKey("ApiKey-x", acctA, userIAM, "expired", func(k *identity.APIKey) { k.ExpiresAt = w.server.Now() })
	w.addKey("ApiKey-s", acctA, "IBMid-9999999999", "stranger", nil)
	w.addKey("ApiKey-g", acctA, "iam-ServiceId-gone", "ghost", nil)
	tests := []struct {
		name   string
		form   []string
		opts   []option
		status int
		code   string
	}{
		{"no grant type", []string{"apikey", userKey}, nil, 400, "BXNIM0109E"},
		{"unknown grant type", []string{"grant_type", "magic"}, nil, 400, "BXNIM0106E"},
		{"compute resource token, not offered", []string{"grant_type", token.GrantCRToken, "cr_token", "x"}, nil, 400, "BXNIM0106E"},
		{"service authorization without token", []string{"grant_type", token.GrantIAMAuthz, "desired_iam_id", "crn-x"}, nil, 400, "BXNIM0109E"},
		{"no API key", []string{"grant_type", token.GrantAPIKey}, nil, 400, "BXNIM0109E"},
		{"unknown API key", apikey("no such key"), nil, 400, "BXNIM0415E"},
		{"API key that is far too long", apikey(string(make([]byte, 0)) + longText(5000)), nil, 400, "BXNIM0415E"},
		{"disabled API key", apikey("disabled"), nil, 400, "BXNIM0462E"},
		{"expired API key", apikey("expired"), nil, 400, "BXNIM0425E"},
		{"API key of somebody who is no user", apikey("stranger"), nil, 400, "BXNIM0410E"},
		{"API key of a service ID that is gone", apikey("ghost"), nil, 400, "BXNIM0415E"},
		{"unknown client", apikey(userKey), []option{basic("nobody", "nobody")}, 401, "BXNIM0310E"},
		{"wrong client secret", apikey(userKey), []option{basic("bx", "wrong")}, 401, "BXNIM0310E"},
		{"client without secret", append(apikey(userKey), "client_id", "bx"), nil, 401, "BXNIM0310E"},
		{"malformed Basic header", apikey(userKey), []option{header("Authorization", "Basic !!!")}, 401, "BXNIM0310E"},
		{"password without client", passwordForm(), nil, 401, "BXNIM0308E"},
		{"password without user name", []string{"grant_type", "password", "password", "x"}, []option{bx}, 400, "BXNIM0109E"},
		{"password missing", []string{"grant_type", "password", "username", email}, []option{bx}, 400, "BXNIM0109E"},
		{"passcode without client", []string{"grant_type", token.GrantPasscode, "passcode", "x"}, nil, 401, "BXNIM0308E"},
		{"passcode missing", []string{"grant_type", token.GrantPasscode}, []option{bx}, 400, "BXNIM0109E"},
		{"wrong passcode", []string{"grant_type", token.GrantPasscode, "passcode", "abcdefghij"}, []option{bx}, 401, "BXNIM0602E"},
		{"refresh token missing", []string{"grant_type", "refresh_token"}, []option{bx}, 400, "BXNIM0109E"},
		{"unknown refresh token", refresh("not_supported"), []option{bx}, 400, "BXNIM0407E"},
		{"delegated token without client", []string{"grant_type", token.GrantDelegated, "refresh_token", "x"}, nil, 401, "BXNIM0308E"},
		{"unknown delegated token", []string{"grant_type", token.GrantDelegated, "refresh_token", "x"}, []option{basic("kube", "kube")}, 400,
			"BXNIM0407E"},
		{"delegation without receivers", append(apikey(userKey), "response_type", "delegated_refresh_token"), nil, 400, "BXNIM0109E"},
		{"delegation with absurd life", append(apikey(userKey), "response_type", "delegated_refresh_token", "receiver_client_ids", "kube",
			"delegated_refresh_token_expiry", "-1"), nil, 400, "BXNIM0106E"},
		{"assume without token", []string{"grant_type", token.GrantAssume, "profile_id", profileB}, nil, 400, "BXNIM0109E"},
		{"assume without profile", []string{"grant_type", token.GrantAssume, "access_token", "x"}, nil, 400, "BXNIM0109E"},
		{"assume by name without account", []string{"grant_type", token.GrantAssume, "access_token", "x", "profile_name", "there"}, nil, 400,
			"BXNIM0109E"},
		{"assume by id and CRN", []string{"grant_type", token.GrantAssume, "access_token", "x", "profile_id", "a", "profile_crn", "b"}, nil,
			400, "BXNIM0106E"},
		{"assume with a malformed CRN", []string{"grant_type", token.GrantAssume, "access_token", "x", "profile_crn", "crn:b"}, nil, 400,
			"BXNIM0106E"},
		{"assume with a token that is none", []string{"grant_type", token.GrantAssume, "access_token", "x", "profile_id", profileB}, nil, 400,
			"BXNIM0407E"},
		{"tenant header of another account", apikey(userKey), []option{header("ibm-cloud-tenant", acctB+", e")}, 400, "BXNIM0106E"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := w.token(tt.form, tt.opts...)
			if a.status != tt.status || a.text("errorCode") != tt.code {
				t.Fatalf("got %d %s, want %d %s", a.status, a.raw, tt.status, tt.code)
			}
			if a.text("errorMessage") == "" {
				t.Errorf("no errorMessage: %s", a.raw)
			}
			if a.header.Get("WWW-Authenticate") != "" {
				t.Error("the answer asks for a password")
			}
			request, _ := a.body["context"].(map[string]any)
			if request["requestId"] != a.header.Get("Transaction-Id") {
				t.Errorf("requestId %v, transaction id %q", request["requestId"], a.header.Get("Transaction-Id"))
			}
		})
	}
}

func longText(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'k'
	}
	return string(b)
}

func TestTenantHeaderLetsTheKeysAccountAndEnterpriseThrough(t *testing.T) {
	w := newWorld(t)
	w.changeAccount(acctA, func(a *account.Account) { a.Enterprise = "enterprise-1" })
	w.mustToken(apikey(userKey), header("ibm-cloud-tenant", "x,"+acctA))
	w.mustToken(apikey(svcKey), header("ibm-cloud-tenant", "enterprise-1"))
}

func TestLockedKeyAuthenticates(t *testing.T) {
	w := newWorld(t)
	w.changeKey("ApiKey-1", func(k *identity.APIKey) { k.Locked = true })
	w.mustToken(apikey(userKey))
}

func TestChangesTakeEffectOnTheNextExchange(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*world)
		key     string
		status  int
		code    string
		recover func(*world)
	}{
		{"key disabled", func(w *world) { w.changeKey("ApiKey-1", func(k *identity.APIKey) { k.Disabled = true }) }, userKey, 400, "BXNIM0462E",
			func(w *world) { w.changeKey("ApiKey-1", func(k *identity.APIKey) { k.Disabled = false }) }},
		{"key expires", func(w *world) {
			w.changeKey("ApiKey-1", func(k *identity.APIKey) { k.ExpiresAt = w.server.Now().Add(time.Hour) })
			w.mustToken(apikey(userKey))
			w.server.Pass(time.Hour)
		}, userKey, 400, "BXNIM0425E", func(w *world) { w.server.Pass(-time.Hour) }},
		{"key deleted", func(w *world) { w.deleteKey("ApiKey-1") }, userKey, 400, "BXNIM0415E", nil},
		{"service ID deleted", func(w *world) { w.deleteServiceID() }, svcKey, 400, "BXNIM0415E", nil},
		{"account suspended", func(w *world) { w.changeAccount(acctA, func(a *account.Account) { a.State = account.Suspended }) }, svcKey, 400,
			"BXNIM0410E",
			func(w *world) { w.changeAccount(acctA, func(a *account.Account) { a.State = account.Active }) }},
		{"user disabled", func(w *world) { w.changeUser(acctA, func(u *account.User) { u.State = "DISABLED" }) }, userKey, 400, "BXNIM0410E",
			func(w *world) { w.changeUser(acctA, func(u *account.User) { u.State = account.Active }) }},
		{"address no longer allowed by the account", func(w *world) {
			w.changeSettings(acctA, func(s *account.Settings) { s.AllowedIPAddresses = "198.51.100.0/24" })
		}, svcKey, 401, "BXNIM0430E", func(w *world) {
			w.changeSettings(acctA, func(s *account.Settings) { s.AllowedIPAddresses = "198.51.100.0/24, 203.0.113.1 - 203.0.113.10" })
		}},
		{"address no longer allowed to the user", func(w *world) {
			w.changeUser(acctA,
				func(u *account.User) { u.AllowedIPs = "2001:db8::/32" })
		}, userKey, 401, "BXNIM0430E",
			func(w *world) { w.changeUser(acctA, func(u *account.User) { u.AllowedIPs = "203.0.113.9" }) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.mustToken(apikey(tt.key))
			tt.change(w)
			w.wants(w.token(apikey(tt.key)), tt.status, tt.code)
			if tt.recover != nil {
				tt.recover(w)
				w.mustToken(apikey(tt.key))
			}
		})
	}
}

func TestBothAddressListsMustMatch(t *testing.T) {
	w := newWorld(t)
	w.changeSettings(acctA, func(s *account.Settings) { s.AllowedIPAddresses = "203.0.113.0/24" })
	w.changeUser(acctA, func(u *account.User) { u.AllowedIPs = "203.0.113.7" })
	w.mustToken(apikey(userKey), from("203.0.113.7"))
	w.wants(w.token(apikey(userKey), from("203.0.113.8")), 401, "BXNIM0430E")
	w.wants(w.token(apikey(userKey), from("198.51.100.7")), 401, "BXNIM0430E")
	w.mustToken(apikey(svcKey), from("203.0.113.8"))
}

func TestOnlySettingsOfTheTokensAccountCount(t *testing.T) {
	w := newWorld(t)
	w.changeSettings(acctA, func(s *account.Settings) { s.AccessTokenExpiration = "1800"; s.RefreshTokenExpiration = "2000" })
	w.changeSettings(acctB, func(s *account.Settings) { s.AccessTokenExpiration = "900"; s.RefreshTokenExpiration = "1000" })
	for _, key := range []string{svcKey, userKey} {
		a := w.mustToken(apikey(key), bx)
		if a.number("expires_in") != 1800 || a.number("refresh_token_expiration") != w.server.Now().Unix()+2000 {
			t.Errorf("%s, want its account's 1800 and 2000", a.raw)
		}
	}
}

func TestProfileIsAssumedByIDByCRNAndByName(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	w.trust(profileB, acctB, "serviceid", service)
	for _, key := range []string{userKey, svcKey} {
		access := w.mustToken(apikey(key)).text("access_token")
		for name, words := range map[string][]string{
			"id":     {"profile_id", profileB},
			"IAM id": {"profile_id", id.IAMOf(profileB)},
			"CRN":    {"profile_crn", "crn:v1:bluemix:public:iam-identity::a/" + acctB + "::profile:" + profileB},
			"name":   {"profile_name", "there", "account", acctB},
		} {
			a := w.mustToken(assume(access, words...))
			c := w.claims(a.text("access_token"))
			if c.IAMID != id.IAMOf(profileB) || c.Account.BSS != acctB || c.SubType != "Profile" || c.Authn.IAMID != w.claims(access).IAMID {
				t.Errorf("%s: token %+v", name, c)
			}
			if a.text("refresh_token") != "not_supported" {
				t.Errorf("%s: refresh token without client: %s", name, a.raw)
			}
		}
	}
}

func TestProfileIsRefusedToWhomItDoesNotTrust(t *testing.T) {
	w := newWorld(t)
	access := w.mustToken(apikey(userKey)).text("access_token")
	const unknown = "Profile-cccccccc-1111-4111-8111-111111111111"
	stranger, nobody := w.token(assume(access, "profile_id", profileB)), w.token(assume(access, "profile_id", unknown))
	w.wants(stranger, 400, "BXNIM0398E")
	w.wants(nobody, 400, "BXNIM0398E")
	if a, b := stranger.text("errorDetails"), nobody.text("errorDetails"); len(a) != len(b) ||
		stranger.text("errorMessage") != nobody.text("errorMessage") {
		t.Errorf("unknown and untrusting profile can be told apart: %q, %q", a, b)
	}
	w.wants(w.token(assume(access, "profile_name", "there", "account", acctB)), 400, "BXNIM0398E")

	w.trust(profileB, acctB, "user", userIAM, acctB)
	w.wants(w.token(assume(access, "profile_id", profileB)), 400, "BXNIM0398E") // trusted from account B only
}

func TestUserIsTrustedFromTheProfilesOwnAccountWhenNoneIsNamed(t *testing.T) {
	w := newWorld(t)
	access := w.mustToken(apikey(userKey)).text("access_token")
	w.trust(profileA, acctA, "user", userIAM)
	w.trust(profileB, acctB, "user", userIAM)
	w.mustToken(assume(access, "profile_id", profileA))
	w.wants(w.token(assume(access, "profile_id", profileB)), 400, "BXNIM0398E")
}

func TestCRNMustNameTheProfilesAccount(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	access := w.mustToken(apikey(userKey)).text("access_token")
	w.mustToken(assume(access, "profile_crn", "crn:v1:bluemix:public:iam-identity::a/"+acctB+"::profile:"+profileB))
	w.wants(w.token(assume(access, "profile_crn", "crn:v1:bluemix:public:iam-identity::a/"+acctA+"::profile:"+profileB)), 400, "BXNIM0398E")
	w.wants(w.token(assume(access, "profile_crn", "crn:v1:bluemix:public:iam-identity::a/"+acctB+"::serviceid:"+profileB)), 400, "BXNIM0106E")
}

func TestProfileCannotAssumeAProfile(t *testing.T) {
	w := newWorld(t)
	w.trust(profileA, acctA, "user", userIAM)
	w.trust(profileB, acctB, "user", id.IAMOf(profileA), acctA) // as if the list could name one
	inside := w.mustToken(assume(w.mustToken(apikey(userKey)).text("access_token"), "profile_id", profileA)).text("access_token")
	w.wants(w.token(assume(inside, "profile_id", profileB)), 400, "BXNIM0398E")
	if a := w.send(http.MethodPost, "/identity/profiles", pairs("access_token", inside)); a.number("count") != 0 {
		t.Errorf("profiles for a profile: %s", a.raw)
	}
}

// Why a profile may not is said wherever the profiles lie, and whatever the
// login behind the token was: never that a key is missing.
func TestAProfileOfAnotherAccountIsToldThatItCannotAssume(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	w.trust(profileB, acctB, "serviceid", service)
	for _, key := range []string{userKey, svcKey} {
		a := w.mustToken(assume(w.mustToken(apikey(key)).text("access_token"), "profile_id", profileB), bx)
		for _, profile := range []string{profileA, profileB} {
			w.wants(w.token(assume(a.text("access_token"), "profile_id", profile)), 400, "BXNIM0398E")
			again := []string{"grant_type", token.GrantAssume, "refresh_token", a.text("refresh_token"), "profile_id", profile}
			w.wants(w.token(again, bx), 400, "BXNIM0398E")
		}
	}
}

func TestTrustThatIsWithdrawnEndsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	access := w.mustToken(apikey(userKey)).text("access_token")
	a := w.mustToken(assume(access, "profile_id", profileB), bx)
	w.mustToken(refresh(a.text("refresh_token")), bx)
	w.withdraw(profileB, acctB, "user", userIAM)
	w.wants(w.token(assume(access, "profile_id", profileB)), 400, "BXNIM0398E")
	w.wants(w.token(refresh(a.text("refresh_token")), bx), 400, "BXNIM0398E")
}

func TestProfileInAnAccountWithMFADemandIsRefusedToUsers(t *testing.T) {
	w := newWorld(t)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	w.trust(profileB, acctB, "serviceid", service)
	w.changeSettings(acctB, func(s *account.Settings) { s.MFA = "LEVEL2" })
	w.wants(w.token(assume(w.mustToken(apikey(userKey)).text("access_token"), "profile_id", profileB)), 400, "BXNIM0398E")
	w.mustToken(assume(w.mustToken(apikey(svcKey)).text("access_token"), "profile_id", profileB))
}

func TestDelegatedTokenIsForItsReceiversOnly(t *testing.T) {
	w := newWorld(t)
	only := w.mustToken(append(apikey(userKey), "response_type", "delegated_refresh_token", "receiver_client_ids", "kube"), bx)
	if only.text("access_token") != "" || only.text("refresh_token") != "" || only.text("delegated_refresh_token") == "" {
		t.Errorf("answer to delegated_refresh_token alone: %s", only.raw)
	}
	both := w.mustToken(append(apikey(userKey), "response_type", "cloud_iam delegated_refresh_token", "receiver_client_ids", "ce, kube",
		"delegated_refresh_token_expiry", "600"))
	if both.text("access_token") == "" || both.text("refresh_token") != "not_supported" {
		t.Errorf("answer to both: %s", both.raw)
	}
	redeem := []string{"grant_type", token.GrantDelegated, "refresh_token", both.text("delegated_refresh_token")}
	w.wants(w.token(redeem, bx), 400, "BXNIM0407E")
	for range 2 { // a receiver keeps it in place of a credential
		a := w.mustToken(redeem, basic("kube", "kube"))
		if a.text("scope") != "ibm openid containers-kubernetes" || a.text("id_token") == "" || a.text("refresh_token") == "" {
			t.Errorf("redeemed: %s", a.raw)
		}
		if who := w.send(http.MethodGet, "/whoami", "", bearer(a.text("id_token"))); who.status != http.StatusUnauthorized {
			t.Errorf("the ID token works as an access token: %s", who.raw)
		}
		w.mustToken(refresh(a.text("refresh_token")), basic("kube", "kube"))
	}
	w.server.Pass(600 * time.Second)
	w.wants(w.token(redeem, basic("kube", "kube")), 400, "BXNIM0407E")
}

func TestFormsThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	grant := "grant_type=" + url.QueryEscape(token.GrantAPIKey)
	for name, body := range map[string]string{
		"broken escape":    grant + "&apikey=%zz",
		"cut escape":       grant + "&apikey=%4",
		"NUL":              grant + "&apikey=a%00b",
		"broken UTF-8":     grant + "&apikey=%ff",
		"given twice":      grant + "&apikey=a&apikey=b",
		"broken name":      grant + "&%zz=1",
		"too many of them": grant + longAmpersands(200),
	} {
		t.Run(name, func(t *testing.T) {
			w.wants(w.send(http.MethodPost, "/identity/token", body), 400, "BXNIM0106E")
		})
	}
	if a := w.send(http.MethodPost, "/identity/token", grant+"&x="+longText(70<<10)); a.status != http.StatusRequestEntityTooLarge ||
		a.text("errorMessage") == "" {
		t.Errorf("70 KiB: %d %s", a.status, a.raw)
	}
	w.wants(w.send(http.MethodPost, "/identity/token", `{"grant_type":"x"}`), 400, "BXNIM0109E")
	w.wants(w.send(http.MethodPost, "/identity/token", ""), 400, "BXNIM0109E")
	if a := w.send(http.MethodPost, "/identity/token", grant+"&apikey="+userKey+"&apikey="+userKey); a.status != http.StatusOK {
		t.Errorf("the same value twice: %d %s", a.status, a.raw)
	}
	w.wants(w.send(http.MethodGet, "/identity/token", ""), 405, "BXNIM0060E")
}

func longAmpersands(n int) string {
	s := ""
	for range n {
		s += "&a=b"
	}
	return s
}
