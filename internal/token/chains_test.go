package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/token"
)

// link is a login in a chain of grants, a delegation or a passcode, with what
// it gave.
type link struct {
	from   *link
	grant  string
	client oauth.Credentials
	person bool // it rests on the user, otherwise on the service ID
	keyed  bool // it began with an API key
	acts   bool // as a profile or a service, which assume nothing
	// bound is the end of the shortest ancestor, zero without any; ends, that of
	// the refresh token or session, zero without.
	bound, ends         time.Time
	refresh, used       string
	session             string
	delegated, passcode string
	access              []issued
}

type issued struct {
	text    string
	expires time.Time
}

func (l *link) comesOf(other *link) bool {
	for ; l != nil; l = l.from {
		if l == other {
			return true
		}
	}
	return false
}

// inSession tells whether it ends with a login session, not counting what was
// delegated out of one.
func (l *link) inSession() bool {
	for ; l != nil && l.delegated == ""; l = l.from {
		if l.session != "" {
			return true
		}
	}
	return false
}

// endsWith tells whether it ends with the session of another link, however
// that ends: a delegation was given an end of its own.
func (l *link) endsWith(other *link) bool {
	for ; l != nil; l = l.from {
		if l == other {
			return true
		}
		if l.delegated != "" {
			return false
		}
	}
	return false
}

func (l *link) name() string {
	if l.from == nil {
		return l.grant
	}
	return l.from.name() + " → " + l.grant
}

// chains is a world of several nodes with the links that a run has made.
type chains struct {
	*world
	rt    *rapid.T
	nodes []*apitest.Tokens
	links []*link
	user  *identity.APIKey // with value, both of this run
	robot *identity.ServiceID
	prof  *identity.Profile
	value string
	made  map[string]int
}

func (c *chains) node() *apitest.Tokens {
	return c.nodes[rapid.IntRange(0, len(c.nodes)-1).Draw(c.rt, "node")]
}

func (c *chains) pick(what string, fits func(*link) bool) *link {
	var from []*link
	for _, l := range c.links {
		if fits(l) {
			from = append(from, l)
		}
	}
	if len(from) == 0 {
		return nil
	}
	return from[rapid.IntRange(0, len(from)-1).Draw(c.rt, what)]
}

// prepare makes keys, a service ID and a profile for one run.
func (c *chains) prepare(run int) {
	ctx, s := context.Background(), c.server
	var err error
	c.value = fmt.Sprintf("the key of run %d of the user of the tests", run)
	c.user, _, err = s.Identity.CreateAPIKey(ctx, asker.System, apitest.Checked(c.t, identity.NewAPIKey{IAMID: apitest.Owner,
		Account: apitest.Account, Traits: identity.KeyTraits{Name: new("run"), SupportSessions: new(run%2 == 0)}, Value: secret.New(c.value)}))
	c.must(err)
	c.robot, _, _, err = s.Identity.CreateServiceID(ctx, asker.System, apitest.Checked(c.t, identity.NewServiceID{Account: apitest.Account,
		Name: "robot", Key: &identity.NewAPIKey{Traits: identity.KeyTraits{Name: new("robot")}, Value: secret.New(c.value + "'s robot")}}))
	c.must(err)
	c.prof, err = s.Identity.CreateProfile(ctx, apitest.Checked(c.t, identity.NewProfile{Account: apitest.Other,
		Name: fmt.Sprint("run ", run)}))
	c.must(err)
	c.profile = c.prof
	c.trust(identity.TrustSpec{Type: identity.TrustUser, Identifier: apitest.Owner, Accounts: []string{apitest.Account}},
		identity.TrustSpec{Type: identity.TrustService, Identifier: c.robot.ID})
}

// clean takes away what prepare made, as far as it is there.
func (c *chains) clean() {
	ctx, s := context.Background(), c.server
	c.state(account.Active)
	if key, err := identity.APIKeys.Get(ctx, s.DB.Direct(), apitest.Account, c.user.ID); err == nil {
		c.must(s.Identity.DeleteAPIKey(ctx, key))
	}
	if robot, err := identity.ServiceIDs.Get(ctx, s.DB.Direct(), apitest.Account, c.robot.ID); err == nil {
		c.must(s.Identity.DeleteServiceID(ctx, robot))
	}
	if prof, err := identity.Profiles.Get(ctx, s.DB.Direct(), apitest.Other, c.prof.ID); err == nil {
		c.must(s.Identity.DeleteProfile(ctx, prof))
	}
}

var none oauth.Credentials

func (c *chains) client() oauth.Credentials {
	return rapid.SampledFrom([]oauth.Credentials{none, bx, bx, kube}).Draw(c.rt, "client")
}

// take keeps what a grant gave, and checks that it outlives nothing.
func (c *chains) take(l *link, r token.Request) {
	r.Address, r.Client = here, l.client
	out, err := c.node().Issue(context.Background(), &r)
	if errors.Is(err, fault.Invalid) && !l.bound.IsZero() && !c.server.Now().Before(l.bound) {
		return // its time is over
	}
	if err != nil {
		if l.dead(c.server.Now()) {
			return
		}
		c.rt.Fatalf("%s: %v", l.name(), err)
	}
	c.keep(l, out)
}

func (c *chains) keep(l *link, out *token.Response) {
	late := func(unix int64) bool { return unix != 0 && !l.bound.IsZero() && unix > l.bound.Unix() }
	if late(out.Expiration) || late(out.RefreshExpiration) {
		c.rt.Fatalf("%s outlives what it came of by %d s", l.name(), max(out.Expiration, out.RefreshExpiration)-l.bound.Unix())
	}
	l.access = append(l.access, issued{out.AccessToken, time.Unix(out.Expiration, 0)})
	l.session = out.SessionID
	if out.RefreshToken != token.NotSupported {
		l.refresh, l.ends = out.RefreshToken, time.Unix(out.RefreshExpiration, 0)
	}
	c.made[l.grant]++
	if !slices.Contains(c.links, l) {
		c.links = append(c.links, l)
	}
}

// dead tells whether the time of a link, or of one that it came of, is over.
func (l *link) dead(now time.Time) bool {
	over := func(at time.Time) bool { return !at.IsZero() && !now.Before(at) }
	return over(l.bound) || over(l.ends) || l.ends.IsZero() && len(l.access) > 0 && over(l.access[len(l.access)-1].expires) ||
		l.from != nil && l.from.dead(now)
}

func shortest(times ...time.Time) (out time.Time) {
	for _, t := range times {
		if !t.IsZero() && (out.IsZero() || t.Before(out)) {
			out = t
		}
	}
	return out
}

// child is a link that comes of another's refresh or access token.
func (l *link) child(grant string, client oauth.Credentials) *link {
	return &link{from: l, grant: grant, client: client, person: l.person, keyed: l.keyed, acts: l.acts, bound: shortest(l.bound, l.ends)}
}

func (c *chains) begin(*link) {
	switch rapid.IntRange(0, 2).Draw(c.rt, "who") {
	case 0:
		c.take(&link{grant: "apikey", client: c.client(), person: true, keyed: true}, byKey(c.value, none))
	case 1:
		c.take(&link{grant: "robot", client: c.client(), keyed: true}, byKey(c.value+"'s robot", none))
	default:
		l := &link{grant: "password", client: rapid.SampledFrom([]oauth.Credentials{bx, kube}).Draw(c.rt, "client"), person: true}
		c.take(l, byPassword())
	}
}

func (c *chains) renew(l *link) {
	l.used = l.refresh
	c.take(l, byRefresh(l.refresh))
}

func (c *chains) delegate(l *link) {
	life := rapid.SampledFrom([]int{5, 600, 7200, 518400}).Draw(c.rt, "life")
	r := byRefresh(l.refresh)
	r.Client, r.Address, r.ResponseType, r.ReceiverClientIDs = l.client, here, "cloud_iam delegated_refresh_token", "kube"
	r.DelegatedExpiry = fmt.Sprint(life)
	out, err := c.node().Issue(context.Background(), &r)
	if err != nil {
		if l.dead(c.server.Now()) {
			return
		}
		c.rt.Fatalf("%s: delegating: %v", l.name(), err)
	}
	l.used = l.refresh
	c.keep(l, out)
	d := l.child("delegation", kube)
	d.bound, d.delegated = shortest(l.bound, c.server.Now().Add(time.Duration(life)*time.Second)), out.DelegatedRefreshToken
	c.links = append(c.links, d)
}

func (c *chains) redeem(l *link) { c.take(l.child("redeemed", kube), byDelegation(l.delegated)) }

func (c *chains) assume(l *link) {
	child := l.child("assume", c.client())
	child.acts = true
	r := token.Request{GrantType: token.GrantAssume, ProfileID: c.prof.ID, AccessToken: secret.New(l.access[len(l.access)-1].text)}
	if l.refresh != "" && rapid.Bool().Draw(c.rt, "by refresh token") {
		child.client = l.client
		r.AccessToken, r.RefreshToken = secret.Value{}, secret.New(l.refresh)
	}
	c.take(child, r)
}

func (c *chains) passcodeOf(l *link) {
	code, err := c.node().Passcode(context.Background(), &token.Request{RefreshToken: secret.New(l.refresh), Client: l.client, Address: here})
	if err != nil {
		if l.dead(c.server.Now()) {
			return
		}
		c.rt.Fatalf("%s: a passcode: %v", l.name(), err)
	}
	child := l.child("passcode", bx)
	child.passcode = code.Reveal()
	if rapid.Bool().Draw(c.rt, "typed in") {
		r := token.Request{GrantType: token.GrantPasscode, Passcode: code}
		child.passcode = ""
		if !l.acts {
			r.Account = apitest.Account
		}
		c.take(child, r)
		return
	}
	child.bound = shortest(child.bound, c.server.Now().Add(session.PasscodeLife))
	c.links = append(c.links, child)
}

func (c *chains) serve(l *link) {
	last := l.access[len(l.access)-1]
	child := l.child("iam-authz", none)
	child.acts, child.bound = true, shortest(child.bound, last.expires)
	c.take(child, token.Request{GrantType: token.GrantIAMAuthz, AccessToken: secret.New(last.text),
		DesiredIAMID: "crn-crn:v1:bluemix:public:kms:global:a/" + apitest.Other + ":1::"})
}

// grow adds to the chains, at random.
func (c *chains) grow() {
	type step struct {
		do   func(*link)
		fits func(*link) bool
	}
	refreshing := func(l *link) bool { return l.refresh != "" }
	lent := func(l *link) bool { return l.delegated != "" }
	somebody := func(l *link) bool { return len(l.access) > 0 && !l.acts }
	steps := []step{ // some twice as often as others
		{c.renew, func(l *link) bool { return l.refresh != "" && l.client == bx }}, {c.delegate, refreshing}, {c.delegate, refreshing},
		{c.redeem, lent}, {c.redeem, lent}, {c.assume, somebody}, {c.assume, somebody},
		{c.passcodeOf, func(l *link) bool { return l.refresh != "" && (l.person || l.acts) }},
		{c.serve, func(l *link) bool { return len(l.access) > 0 && (!l.person || l.acts) }},
	}
	c.begin(nil)
	for range rapid.IntRange(3, 12).Draw(c.rt, "steps") {
		at := rapid.IntRange(-2, len(steps)-1).Draw(c.rt, "step")
		switch {
		case at == -2:
			c.server.Pass(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, 4 * time.Minute}).Draw(c.rt, "time"))
		case at == -1:
			c.begin(nil)
		default:
			if l := c.pick("link", steps[at].fits); l != nil && len(c.links) < 14 {
				steps[at].do(l)
			}
		}
	}
}

// probe is one thing that a link gave, and a way to see whether it works still.
type probe struct {
	link   *link
	what   string
	expiry time.Time
	access bool
	works  func(*apitest.Tokens) error
}

func (c *chains) probes() (out []probe) {
	ctx := context.Background()
	for _, l := range c.links {
		for _, a := range l.access {
			out = append(out, probe{l, "access token", a.expires, true, func(n *apitest.Tokens) error {
				_, err := n.Authenticate(ctx, a.text, netip.Addr{})
				return err
			}})
		}
		if l.refresh != "" {
			out = append(out, probe{l, "refresh token", l.ends, false, func(n *apitest.Tokens) error {
				_, err := n.Assumable(ctx, &token.Request{RefreshToken: secret.New(l.refresh), Client: l.client, Address: here})
				return err
			}})
		}
		if l.delegated != "" {
			r := byDelegation(l.delegated)
			r.Address = here
			out = append(out, probe{l, "delegation", l.bound, false, func(n *apitest.Tokens) error { _, err := n.Issue(ctx, &r); return err }})
		}
	}
	return out
}

// isRefusal tells a refusal from a failure of the server.
func isRefusal(err error) bool {
	return errors.Is(err, fault.Invalid) || errors.Is(err, fault.Unauthenticated)
}

// judge checks each probe at each node: what came of the ended link is refused,
// and everything else works that did before.
func (c *chains) judge(how string, ended func(*probe) bool, before map[int]bool, probes []probe, nodes ...*apitest.Tokens) {
	now := c.server.Now()
	const leeway = 5 * time.Second
	for _, n := range nodes {
		for i, p := range probes {
			over := shortest(p.expiry, p.link.bound)
			dead := ended(&p) || !over.IsZero() && now.After(over.Add(leeway))
			err := p.works(n)
			for start := time.Now(); dead && err == nil && len(nodes) > 1 && time.Since(start) < 5*time.Second; {
				err = p.works(n) // the log is followed
			}
			if err != nil && !isRefusal(err) {
				c.rt.Fatalf("%s: %s of %s: %v", how, p.what, p.link.name(), err)
			}
			if dead && err == nil {
				c.rt.Fatalf("%s: the %s of %s works on", how, p.what, p.link.name())
			}
			if soon := !over.IsZero() && !now.Add(10*time.Second).Before(over); !dead && !soon && before[i] && err != nil {
				c.rt.Fatalf("%s: the %s of %s, which did not come of it: %v", how, p.what, p.link.name(), err)
			}
		}
	}
}

// passcodes checks once those that nobody typed in.
func (c *chains) passcodes(how string, ended func(*probe) bool) {
	for _, l := range c.links {
		p := probe{link: l}
		if l.passcode == "" || !ended(&p) {
			continue
		}
		r := token.Request{GrantType: token.GrantPasscode, Passcode: secret.New(l.passcode), Client: bx, Address: here}
		if _, err := c.nodes[0].Issue(context.Background(), &r); !isRefusal(err) {
			c.rt.Fatalf("%s: the passcode of %s: %v", how, l.name(), err)
		}
	}
}
