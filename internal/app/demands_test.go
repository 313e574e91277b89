package app_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/app"
)

// behind trusts the test's own address as that of a proxy, so that a header says
// where a client is.
func behind(c *app.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// from says where a client is.
func from(address string, header []string) []string {
	return append([]string{"X-Forwarded-For", address}, header...)
}

// demanding is an account of the demo's owner, who has a key of it, and what it
// demands of whoever acts in it.
type demanding struct {
	*server
	id  string
	key string // a key of the owner in the account
}

// newDemanding makes the account; it demands nothing yet.
func newDemanding(s *server) *demanding {
	s.t.Helper()
	d := &demanding{server: s}
	var made struct {
		ID string `json:"account_id"`
	}
	s.want(202, "POST", "/v1/accounts", fmt.Sprintf(`{"parent":"crn:v1:bluemix:public:enterprise::a/%s::enterprise:%s","name":"Demanding","owner_iam_id":%q}`,
		s.Demo().Root, s.Demo().Enterprise, s.Demo().Owner.IAMID), &made, from("192.0.2.1", s.owner())...)
	d.id = made.ID
	var key struct{ Apikey string }
	s.want(201, "POST", "/v1/apikeys", fmt.Sprintf(`{"name":"own","iam_id":%q,"account_id":%q}`, s.Demo().Owner.IAMID, d.id), &key,
		from("192.0.2.1", s.owner())...)
	d.key = key.Apikey
	return d
}

// own is a token of the account.
func (d *demanding) own() []string {
	d.t.Helper()
	return authorizedAs(d.t, d.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {d.key}},
		"X-Forwarded-For", "192.0.2.1"))
}

func (d *demanding) path() string { return "/v1/accounts/" + d.id + "/settings/identity" }

// demand changes the settings of the account, with a token that may.
func (d *demanding) demand(own []string, settings string) {
	d.t.Helper()
	d.want(200, "PUT", d.path(), settings, nil, append(from("192.0.2.1", own), "If-Match", "*")...)
}

// The owner of an account acts in it with a key of another account, past a list
// of addresses and a demand for a second factor.
func TestATokenOfAnotherAccountMeetsTheDemandsOfTheAccountItActsIn(t *testing.T) {
	grant := func(d *demanding) string {
		return policyOf("access", attribute("iam_id", d.Demo().Member.IAMID), "crn:v1:bluemix:public:iam::::role:Administrator",
			attribute("accountId", d.id)+","+attribute("serviceName", "kms"))
	}
	for name, c := range map[string]struct {
		settings string
		allowed  string // an address from which the foreign token may act, "" for none
		words    string
	}{
		"a list":                {`{"allowed_ip_addresses":"192.0.2.1"}`, "192.0.2.1", "BXNIM0430E"},
		"a second factor":       {`{"mfa":"LEVEL3"}`, "", "another way to log in"},
		"both":                  {`{"allowed_ip_addresses":"192.0.2.1","mfa":"LEVEL3"}`, "", "not_authorized"},
		"no password, by a key": {`{"mfa":"NONE_NO_ROPC"}`, "192.0.2.9", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDemanding(run(t, behind))
			own, foreign := d.own(), d.owner()
			d.want(200, "GET", d.path(), "", nil, from("192.0.2.9", foreign)...) // nothing is demanded yet
			d.demand(own, c.settings)
			if c.words != "" {
				for _, at := range []string{"192.0.2.9", "", "unknown"} {
					header := foreign
					if at != "" {
						header = from(at, foreign)
					}
					for what, a := range map[string]answer{
						"reads":          d.call("GET", d.path(), "", header...),
						"gives access":   d.call("POST", "/v2/policies", grant(d), header...),
						"lifts the list": d.call("PUT", d.path(), `{"allowed_ip_addresses":"","mfa":"NONE"}`, append(header, "If-Match", "*")...),
						"makes a key": d.call("POST", "/v1/apikeys", fmt.Sprintf(`{"name":"k","iam_id":%q,"account_id":%q}`,
							d.Demo().Owner.IAMID, d.id), header...),
						"makes a service ID": d.call("POST", "/v1/serviceids", fmt.Sprintf(`{"name":"k","account_id":%q}`, d.id), header...),
					} {
						if a.code != 403 && a.code != 404 || what == "reads" && !strings.Contains(a.body, c.words) {
							t.Errorf("from %q the foreign token %s: %d %s", at, what, a.code, a.body)
						}
					}
				}
			}
			if c.allowed != "" {
				d.want(200, "GET", d.path(), "", nil, from(c.allowed, foreign)...)
				d.want(201, "POST", "/v2/policies", grant(d), nil, from(c.allowed, foreign)...)
			}
			// A token of the account itself, from where the account lets it in.
			d.want(200, "GET", d.path(), "", nil, from("192.0.2.1", own)...)
		})
	}
}

func TestATokenIsOfNoUseOutsideTheAddressesOfItsOwnAccount(t *testing.T) {
	d := newDemanding(run(t, behind))
	own := d.own()
	d.demand(own, `{"allowed_ip_addresses":"192.0.2.1"}`)
	for _, path := range []string{d.path(), "/v4/accounts/" + d.id, "/v1/apikeys", "/v2/policies?account_id=" + d.id, "/v1/enterprises"} {
		d.want(200, "GET", path, "", nil, from("192.0.2.1", own)...)
		if a := d.call("GET", path, "", from("192.0.2.9", own)...); a.code != 403 || !strings.Contains(a.body, "IP address") {
			t.Errorf("GET %s: %d %s", path, a.code, a.body)
		}
	}
	if a := d.call("GET", "/identity/userinfo", "", from("192.0.2.9", own)...); a.code < 400 {
		t.Errorf("userinfo: %d %s", a.code, a.body)
	}
	lenient := newDemanding(run(t, func(c *app.Config) { behind(c); c.BindAddresses = false }))
	own = lenient.own()
	lenient.demand(own, `{"allowed_ip_addresses":"192.0.2.1"}`)
	lenient.want(200, "GET", lenient.path(), "", nil, from("192.0.2.9", own)...)
	lenient.want(403, "GET", lenient.path(), "", nil, from("192.0.2.9", lenient.owner())...)
}

// A question is judged by the address that it names, and by none without.
func TestADecisionIsJudgedByTheAddressOfItsEnvironment(t *testing.T) {
	d := newDemanding(run(t, behind))
	own := d.own()
	d.demand(own, `{"allowed_ip_addresses":"192.0.2.1"}`)
	for _, account := range []string{d.id, d.Demo().Root} {
		for address, want := range map[string]bool{"": true, "192.0.2.1": true, "192.0.2.9": false} {
			var out struct {
				Responses []struct {
					Decision struct{ Permitted bool } `json:"authorizationDecision"`
				}
			}
			question := fmt.Sprintf(`{"subject":{"attributes":{"id":%q,"accountId":%q}},"action":"kms.secrets.list",`+
				`"environment":{"attributes":{"ipAddress":%q}},"resource":{"crn":"crn:v1:bluemix:public:kms::a/%s:i::"}}`,
				d.Demo().Owner.IAMID, account, address, d.id)
			d.want(200, "POST", "/v2/authz", "["+question+"]", &out, from("192.0.2.1", own)...)
			if len(out.Responses) != 1 || out.Responses[0].Decision.Permitted != want {
				t.Errorf("token of %s from %q: %+v, want %t", account, address, out, want)
			}
			var e struct {
				Permitted bool
				Reason    string
			}
			d.want(200, "POST", "/v2/authz/explain", question, &e, from("192.0.2.1", own)...)
			if e.Permitted != want || !want && e.Reason != "address" {
				t.Errorf("explained, token of %s from %q: %+v", account, address, e)
			}
		}
	}
}

// A login that has not chosen an account can choose one, and nothing else.
func TestALoginWithoutAccountMayOnlyChooseOne(t *testing.T) {
	s := run(t, nil)
	a := s.grant(url.Values{"grant_type": {"password"}, "username": {s.Demo().Console.Email}, "password": {s.Demo().Password.Reveal()}},
		"Authorization", "Basic Yng6Yng=")
	unbound := authorizedAs(t, a)
	s.want(201, "POST", "/v2/policies", policyOf("access", attribute("iam_id", s.Demo().Console.IAMID),
		"crn:v1:bluemix:public:iam::::role:Administrator",
		attribute("accountId", s.Demo().Root)+","+attribute("serviceName", "iam-identity")), nil, s.owner()...)
	if a := s.call("GET", "/v1/accounts/"+s.Demo().Root+"/settings/identity", "", unbound...); a.code != 403 ||
		!strings.Contains(a.body, "Choose the account") {
		t.Errorf("reads settings that it may read: %d %s", a.code, a.body)
	}
	var tokens struct {
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &tokens); err != nil {
		t.Fatal(err)
	}
	bound := authorizedAs(t, s.grant(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.Refresh},
		"bss_account": {s.Demo().Root}},
		"Authorization", "Basic Yng6Yng="))
	s.want(200, "GET", "/v1/accounts/"+s.Demo().Root+"/settings/identity", "", nil, bound...)
}
