package token_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/storetest"
	"github.com/kagiban/kagiban/internal/token"
)

// ending ends one link and tells what has to end with it.
type ending func(*chains) (how string, ended func(*probe) bool)

var endings = map[string]ending{
	"logout by refresh token": func(c *chains) (string, func(*probe) bool) {
		x := c.pick("ended", func(l *link) bool { return l.refresh != "" && !l.dead(c.server.Now()) })
		if x == nil {
			return "", nil
		}
		c.must(c.nodes[0].Logout(context.Background(), &token.Request{RefreshToken: secret.New(x.refresh), Client: x.client, Address: here}))
		return "logout of " + x.name(), func(p *probe) bool { return p.link.comesOf(x) }
	},
	"logout by access token": func(c *chains) (string, func(*probe) bool) {
		x := c.pick("ended", func(l *link) bool { return l.session != "" && !l.dead(c.server.Now()) })
		if x == nil {
			return "", nil
		}
		c.must(c.nodes[0].LogoutToken(context.Background(), x.access[len(x.access)-1].text))
		return "logout of " + x.name(), func(p *probe) bool { return p.link.comesOf(x) }
	},
	"session ended": func(c *chains) (string, func(*probe) bool) {
		x := c.pick("ended", func(l *link) bool { return l.session != "" })
		if x == nil {
			return "", nil
		}
		c.must(c.nodes[0].Sessions.End(context.Background(), x.session))
		return "end of " + x.name(), func(p *probe) bool { return p.link.comesOf(x) }
	},
	"replay": func(c *chains) (string, func(*probe) bool) {
		x := c.pick("ended", func(l *link) bool { return l.used != "" && !l.dead(c.server.Now().Add(2*time.Minute)) })
		if x == nil {
			return "", nil
		}
		c.server.Pass(session.ReuseGrace + time.Second)
		r := byRefresh(x.used)
		r.Client, r.Address = x.client, here
		if _, err := c.nodes[0].Issue(context.Background(), &r); fault.Of(err).Number != "BXNIM0407E" {
			c.rt.Fatalf("a replay: %v", err)
		}
		return "replay of " + x.name(), func(p *probe) bool { return p.link.comesOf(x) }
	},
	"idle": func(c *chains) (string, func(*probe) bool) {
		x := c.pick("ended", func(l *link) bool { return l.session != "" })
		if x == nil {
			return "", nil
		}
		c.server.Pass(2*time.Hour + 6*time.Second)
		return "idleness of " + x.name(), func(p *probe) bool { return p.link.endsWith(x) }
	},
	"expired": func(c *chains) (string, func(*probe) bool) {
		x := c.pick("ended", func(l *link) bool { return l.refresh != "" || l.delegated != "" })
		if x == nil {
			return "", nil
		}
		c.server.Pass(max(shortest(x.bound, x.ends).Sub(c.server.Now()), 0) + 6*time.Second)
		if x.delegated == "" {
			return "expiry of " + x.name(), func(p *probe) bool { return p.link.endsWith(x) }
		}
		return "expiry of " + x.name(), func(p *probe) bool { return p.link.comesOf(x) }
	},
	"key deleted": ofKey(func(c *chains) error { return c.server.Identity.DeleteAPIKey(context.Background(), c.user) }),
	"key disabled": ofKey(func(c *chains) error {
		_, err := c.server.Identity.DisableAPIKey(context.Background(), c.user, true)
		return err
	}),
	"key expired": ofKey(func(c *chains) error {
		at := c.server.Now().Format(time.RFC3339)
		_, err := c.server.Identity.UpdateAPIKey(context.Background(), c.user, "*", apitest.Checked(c.t, identity.APIKeyChange{ExpiresAt: &at}))
		return err
	}),
	"service ID deleted": func(c *chains) (string, func(*probe) bool) {
		c.must(c.server.Identity.DeleteServiceID(context.Background(), c.robot))
		return "the end of the service ID", func(p *probe) bool { return !p.link.person }
	},
	"user disabled": func(c *chains) (string, func(*probe) bool) {
		c.state(account.UserDisabled)
		return "the end of the user", func(p *probe) bool { return p.link.person }
	},
	"profile deleted": func(c *chains) (string, func(*probe) bool) {
		c.must(c.server.Identity.DeleteProfile(context.Background(), c.prof))
		return "the end of the profile", func(p *probe) bool {
			for l := p.link; l != nil; l = l.from {
				if l.grant == "assume" {
					return true
				}
			}
			return false
		}
	},
}

// ofKey: the tokens of an API key's sessions end with it, and those that it
// gave without one work until they expire.
func ofKey(end func(*chains) error) ending {
	return func(c *chains) (string, func(*probe) bool) {
		c.must(end(c))
		return "the end of the API key", func(p *probe) bool {
			return p.link.person && p.link.keyed && (!p.access || p.link.inSession())
		}
	}
}

func (c *chains) state(state string) {
	_, err := c.server.Accounts.PutUser(context.Background(), apitest.Account,
		account.NewUser{ID: apitest.Owner, Email: email, State: state})
	c.must(err)
}

// endAll runs random chains of grants and ends one link of each.
func endAll(t *testing.T, w *world, nodes ...*apitest.Tokens) {
	run, made, done := 0, map[string]int{}, map[string]int{}
	names := []string{}
	for name := range endings {
		names = append(names, name)
	}
	slices.Sort(names)
	rapid.Check(t, func(rt *rapid.T) {
		run++
		c := &chains{world: w, rt: rt, nodes: nodes, made: made}
		c.prepare(run)
		defer c.clean()
		c.grow()
		probes, before := c.probes(), map[int]bool{}
		for i, p := range probes {
			before[i] = p.works(c.nodes[0]) == nil && p.works(c.nodes[len(nodes)-1]) == nil
		}
		name := rapid.SampledFrom(names).Draw(rt, "ending")
		how, ended := endings[name](c)
		if ended == nil {
			return
		}
		done[name]++
		if name == "idle" || name == "expired" {
			before = nil // what else has ended by itself is another's business
		}
		c.judge(how, ended, before, probes, c.nodes[0])
		c.passcodes(how, ended)
		if name != "user disabled" {
			c.server.Pass(session.Trust)
			c.judge(how+", seconds later", ended, before, probes, c.nodes...)
		}
	})
	if t.Failed() {
		return
	}
	for _, grant := range []string{"apikey", "robot", "password", "redeemed", "assume", "passcode", "iam-authz"} {
		if made[grant] == 0 {
			t.Errorf("no chain had a login by %s", grant)
		}
	}
	t.Logf("made %v, ended %v", made, done)
}

// actsAs lets every service ID and profile act as a service.
func actsAs(cfg *apitest.TokenConfig) {
	cfg.ActAs = func(context.Context, policy.Subject, string, policy.Environment) (bool, error) { return true, nil }
}

// TestWhatComesOfALoginEndsWithItWhateverTheChain: ending any link ends
// everything that came of it, on another node within session.Trust, and nothing
// outlives its shortest ancestor.
func TestWhatComesOfALoginEndsWithItWhateverTheChain(t *testing.T) {
	t.Run("two nodes in one process", func(t *testing.T) {
		w := newWorld(t, actsAs)
		cfg := apitest.TokenConfig{}
		actsAs(&cfg)
		endAll(t, w, w.Tokens, w.server.Tokens(cfg))
	})
	t.Run("two nodes over PostgreSQL", func(t *testing.T) {
		dsn := storetest.Postgres(t)
		var clock atomic.Pointer[apitest.Server]
		now := func() time.Time {
			if s := clock.Load(); s != nil {
				return s.Now()
			}
			return apitest.Noon
		}
		w := newWorldOver(t, pg(t, dsn, now), actsAs)
		clock.Store(w.server)
		other := pg(t, dsn, now)
		t.Cleanup(func() { other.Close() })
		cfg := apitest.TokenConfig{DB: other}
		actsAs(&cfg)
		endAll(t, w, w.Tokens, w.server.Tokens(cfg))
	})
}

func pg(t *testing.T, dsn string, now func() time.Time) *pgstore.DB {
	db, err := pgstore.Open(pgstore.Options{DSN: dsn, Now: now})
	if err == nil {
		err = db.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return db
}
