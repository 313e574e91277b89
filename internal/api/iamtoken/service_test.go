package iamtoken_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/token"
)

// shop names an instance of a service in account A, or what is appended to it.
const shop = "crn:v1:bluemix:public:web-shop:global:a/" + acctA + ":"

// actAs asks for the token of a service.
func actAs(accessToken, name string) []string {
	return []string{"grant_type", token.GrantIAMAuthz, "access_token", accessToken, "desired_iam_id", name}
}

// runtimeOf lets the robot act as one service.
func runtimeOf(service string) func(*apitest.TokenConfig) {
	return func(c *apitest.TokenConfig) {
		c.ActAs = func(_ context.Context, who policy.Subject, named string, _ policy.Environment) (bool, error) {
			return who.IAMID == "iam-"+robotID && who.Account == acctA && named == service, nil
		}
	}
}

// robotID is the service ID of the tests, where a parameter hides its name.
const robotID = service

func TestARuntimeGetsTheTokensOfItsServicesInstances(t *testing.T) {
	w := newWorld(t, runtimeOf("web-shop"))
	robot := w.mustToken(apikey(svcKey)).text("access_token")
	w.server.Pass(10 * time.Minute)
	a := w.mustToken(actAs(robot, "crn-"+shop+"one::"), basic("kube", "kube"))
	if a.text("refresh_token") != token.NotSupported || a.number("expires_in") != 50*60 {
		t.Errorf("refresh token %q, lives %d s; want none, and no longer than the runtime's token", a.text("refresh_token"),
			a.number("expires_in"))
	}
	if a.text("scope") != "ibm openid web-shop containers-kubernetes" {
		t.Errorf("scope %q", a.text("scope"))
	}
	c := w.claims(a.text("access_token"))
	name := shop + "one::"
	if c.IAMID != "crn-"+name || c.ID != c.IAMID || c.Realm != "crn" || c.Identifier != name || c.Sub != name || c.SubType != "CRN" ||
		c.Account.BSS != acctA || !c.Account.Valid || !c.Account.Frozen || c.Authn.IAMID != "crn-"+name || c.Authn.Sub != name ||
		c.Authn.SubType != "CRN" ||
		c.GrantType != token.GrantIAMAuthz || c.ACR != 0 || c.AMR == nil || len(c.AMR) != 0 {
		t.Errorf("claims %+v", c)
	}
	p, err := w.tokens.Authenticate(t.Context(), a.text("access_token"), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Source{ServiceName: "web-shop", ServiceInstance: "one", Region: "global", AccountID: acctA}
	if p.Kind != policy.KindService || p.Source.ServiceName != want.ServiceName || p.Source.ServiceInstance != want.ServiceInstance ||
		p.Source.Region != want.Region || p.Source.AccountID != want.AccountID || p.Account != acctA {
		t.Errorf("principal %+v", p.Subject)
	}
	list, err := w.tokens.ListActivity(t.Context(), acctA)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		if strings.HasPrefix(one.Subject, "crn-") {
			t.Errorf("instance %s is counted", one.Subject)
		}
	}
	w.changeAccount(acctA, func(a *account.Account) { a.State = account.Suspended })
	if _, err := w.tokens.Authenticate(t.Context(), a.text("access_token"), netip.Addr{}); err == nil {
		t.Error("the token works in a suspended account")
	}
}

func TestAServicesTokenGoesNoFurtherThanItself(t *testing.T) {
	w := newWorld(t, runtimeOf("web-shop"))
	robot := w.mustToken(apikey(svcKey)).text("access_token")
	whole := w.mustToken(actAs(robot, "crn-"+shop+"one::")).text("access_token")
	part := w.mustToken(actAs(whole, "crn-"+shop+"one:basket:7")).text("access_token")
	for name, c := range map[string]struct{ token, desired string }{
		"another instance":           {whole, shop + "two::"},
		"the service in all":         {whole, shop + "::"},
		"the instance from its part": {part, shop + "one::"},
		"another service":            {whole, strings.Replace(shop, "web-shop", "kms", 1) + "one::"},
		"another account":            {whole, strings.Replace(shop, acctA, acctB, 1) + "one::"},
		"another region":             {whole, strings.Replace(shop, "global", "eu-de", 1) + "one::"},
	} {
		t.Run(name, func(t *testing.T) {
			w.wants(w.token(actAs(c.token, "crn-"+c.desired)), 403, "BXNIM0501E")
		})
	}
}

func TestWhoMayNotActAsAService(t *testing.T) {
	w := newWorld(t, runtimeOf("web-shop"))
	robot, person := w.mustToken(apikey(svcKey)).text("access_token"), w.mustToken(apikey(userKey)).text("access_token")
	good := "crn-" + shop + "one::"
	for name, c := range map[string]struct {
		form   []string
		status int
		code   string
	}{
		"a person":                {actAs(person, good), 403, "BXNIM0501E"},
		"a runtime of another":    {actAs(robot, strings.Replace(good, "web-shop", "kms", 1)), 403, "BXNIM0501E"},
		"nobody":                  {actAs("x", good), 400, "BXNIM0407E"},
		"no token":                {actAs("", good), 400, "BXNIM0109E"},
		"no name":                 {actAs(robot, ""), 400, "BXNIM0109E"},
		"a name without prefix":   {actAs(robot, shop+"one::"), 400, "BXNIM0106E"},
		"a name that is none":     {actAs(robot, "crn-crn:v1:x"), 400, "BXNIM0106E"},
		"a name without account":  {actAs(robot, "crn-crn:v1:bluemix:public:web-shop:::one::"), 400, "BXNIM0106E"},
		"a name without service":  {actAs(robot, "crn-crn:v1:bluemix:public:::a/"+acctA+":one::"), 400, "BXNIM0106E"},
		"an account that is none": {actAs(robot, strings.Replace(good, acctA, "cccccccccccccccccccccccccccccccc", 1)), 400, "BXNIM0410E"},
		"a delegation": {append(actAs(robot, good), "response_type", "delegated_refresh_token", "receiver_client_ids", "kube"),
			400, "BXNIM0106E"},
		"a delegation beside": {append(actAs(robot, good), "response_type", "cloud_iam delegated_refresh_token", "receiver_client_ids",
			"kube"), 400, "BXNIM0106E"},
		"another service's profile": {actAs(w.mustToken(assumeOf(w, person)).text("access_token"), good), 403, "BXNIM0501E"},
	} {
		t.Run(name, func(t *testing.T) { w.wants(w.token(c.form), c.status, c.code) })
	}
	w2 := newWorld(t)
	w2.wants(w2.token(actAs(w2.mustToken(apikey(svcKey)).text("access_token"), good)), 403, "BXNIM0501E")
}

// assumeOf lets the user assume profile A and gives the form for it.
func assumeOf(w *world, accessToken string) []string {
	w.trust(profileA, acctA, "user", userIAM)
	return assume(accessToken, "profile_id", profileA)
}

func TestARuntimeIsBoundToItsAddresses(t *testing.T) {
	w := newWorld(t, runtimeOf("web-shop"))
	robot := w.mustToken(apikey(svcKey)).text("access_token")
	w.changeSettings(acctA, func(s *account.Settings) { s.AllowedIPAddresses = "198.51.100.1" })
	there := "crn-" + strings.Replace(shop, acctA, acctB, 1) + "one::"
	w.wants(w.token(actAs(robot, there)), 401, "BXNIM0430E")
	w.mustToken(actAs(robot, there), from("198.51.100.1"))
	w.changeSettings(acctB, func(s *account.Settings) { s.AllowedIPAddresses = "192.0.2.1" })
	w.mustToken(actAs(robot, there), from("198.51.100.1")) // B's list binds the people of B
}

func TestServicesAreNamedInDiscovery(t *testing.T) {
	if !slices.Contains(newWorld(t).tokens.GrantTypes(), token.GrantIAMAuthz) {
		t.Error("the grant is not among those that work")
	}
}
