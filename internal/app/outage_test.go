package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// cable is the way to the database: a relay that can be cut.
type cable struct {
	listener net.Listener
	network  string
	address  string

	mu    sync.Mutex // guards the fields below
	cut   bool
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// lay puts a cable in front of the database of a DSN and gives the DSN of its
// near end.
func lay(t *testing.T, dsn string) (*cable, string) {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{network: "tcp", address: net.JoinHostPort(cfg.Host, fmt.Sprint(cfg.Port)), conns: map[net.Conn]bool{}}
	if strings.HasPrefix(cfg.Host, "/") {
		c.network, c.address = "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	if c.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	c.wg.Go(c.accept)
	t.Cleanup(func() {
		c.listener.Close()
		c.set(true)
		c.wg.Wait()
	})
	near := url.URL{Scheme: "postgres", User: url.UserPassword(cfg.User, cfg.Password), Host: c.listener.Addr().String(),
		Path: "/" + cfg.Database}
	near.RawQuery = url.Values{"sslmode": {"disable"}, "search_path": {cfg.RuntimeParams["search_path"]}}.Encode()
	return c, near.String()
}

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial(c.network, c.address)
		if err != nil {
			near.Close()
			continue
		}
		c.mu.Lock()
		c.conns[near], c.conns[far] = true, true
		if c.cut {
			near.Close()
			far.Close()
		}
		c.mu.Unlock()
		c.wg.Go(func() { c.relay(near, far) })
		c.wg.Go(func() { c.relay(far, near) })
	}
}

func (c *cable) relay(to, from net.Conn) {
	_, _ = io.Copy(to, from) // ends when either side does
	to.Close()
	from.Close()
}

// set cuts the cable, or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for conn := range c.conns {
			conn.Close()
		}
		clear(c.conns)
	}
}

// refusedWell checks the answer of a server without database.
func refusedWell(t *testing.T, what string, a answer) {
	t.Helper()
	if a.code != http.StatusServiceUnavailable {
		t.Errorf("%s: got %d %s, want 503", what, a.code, a.body)
		return
	}
	var e struct {
		Trace     string
		ErrorCode string `json:"errorCode"` // of the token endpoints
		Errors    []struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || len(e.Errors) == 0 && e.ErrorCode == "" {
		t.Errorf("%s: not an error envelope: %s", what, a.body)
	}
	for _, inside := range []string{"postgres", "pgx", "127.0.0.1", "dial", "connect", "SQL", "EOF"} {
		if strings.Contains(a.body, inside) {
			t.Errorf("%s: the answer tells of the inside: %s", what, a.body)
		}
	}
}

func TestWithoutItsDatabaseTheServerSaysSoAndRecovers(t *testing.T) {
	cable, dsn := lay(t, storetest.Postgres(t))
	set, first := installation(t, dsn)
	s := node(t, set)
	owner := s.login(first.Key)
	profiles := "/v1/profiles?account_id=" + first.Account
	s.want(200, "GET", profiles, "", nil, owner...)

	cable.set(true)
	s.want(200, "GET", "/healthz", "", nil)
	var ready struct{ Status string }
	s.want(503, "GET", "/readyz", "", &ready)
	if ready.Status != "not ready" {
		t.Errorf("readiness is %q", ready.Status)
	}
	s.want(200, "GET", "/identity/keys", "", nil)
	if got := s.exchange(first.Key.Reveal()); got.code != 200 {
		t.Errorf("a key that the server knows: %d %s", got.code, got.body)
	}
	refusedWell(t, "a key that it would have to look for", s.exchange("a-key-that-nobody-knows"))
	refusedWell(t, "a list", s.call("GET", profiles, "", owner...))
	refusedWell(t, "a write", s.call("POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"lost"}`, owner...))
	refusedWell(t, "a policy", s.call("GET", "/v1/policies?account_id="+first.Account, "", owner...))
	refusedWell(t, "a group", s.call("POST", "/v2/groups?account_id="+first.Account, `{"name":"lost"}`, owner...))

	cable.set(false)
	soon(t, "readiness", 200, func() int { return s.call("GET", "/readyz", "").code })
	s.want(200, "GET", profiles, "", nil, owner...)
	if got := s.exchange("a-key-that-nobody-knows"); got.code != 400 {
		t.Errorf("a wrong key afterwards: %d %s", got.code, got.body)
	}
	s.want(201, "POST", "/v1/serviceids", `{"account_id":"`+first.Account+`","name":"kept"}`, nil, owner...)
	if list := s.want(200, "GET", "/v1/serviceids?account_id="+first.Account, "", nil, owner...).body; strings.Contains(list, `"lost"`) ||
		!strings.Contains(list, `"kept"`) {
		t.Errorf("found afterwards: %s", list)
	}
}

func TestNothingAcknowledgedIsLostWhenTheDatabaseGoesAndComes(t *testing.T) {
	cable, dsn := lay(t, storetest.Postgres(t))
	set, first := installation(t, dsn)
	s := node(t, set)
	owner := s.login(first.Key)
	const writers, each = 4, 30
	var (
		mu       sync.Mutex
		acked    []string
		refusals int
		wg       sync.WaitGroup
		wrote    atomic.Int64
	)
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("n-%d-%d", w, i)
				a := s.call("POST", "/v2/groups?account_id="+first.Account, `{"name":"`+name+`"}`, owner...)
				mu.Lock()
				switch a.code {
				case 201:
					acked = append(acked, name)
				case 503:
					refusals++
				default:
					t.Errorf("a write during the outage: %d %s", a.code, a.body)
				}
				mu.Unlock()
				wrote.Add(1)
			}
		})
	}
	for _, at := range []int64{15, 40, 65} {
		s.until(func() bool { return wrote.Load() >= at })
		cable.set(true)
		s.until(func() bool { return wrote.Load() >= at+5 })
		cable.set(false)
	}
	wg.Wait()
	if len(acked) == 0 || refusals == 0 {
		t.Fatalf("%d writes, %d refusals: there was no outage under load", len(acked), refusals)
	}
	soon(t, "readiness", 200, func() int { return s.call("GET", "/readyz", "").code })
	fresh := node(t, set) // without what the first has in memory
	for _, reader := range []*server{s, fresh} {
		var found []string
		for offset := 0; ; offset += 100 {
			var list struct{ Groups []struct{ Name string } }
			reader.want(200, "GET", fmt.Sprintf("/v2/groups?account_id=%s&limit=100&offset=%d", first.Account, offset), "", &list, owner...)
			for _, g := range list.Groups {
				found = append(found, g.Name)
			}
			if len(list.Groups) == 0 {
				break
			}
		}
		for _, name := range acked {
			if !slices.Contains(found, name) {
				t.Errorf("%s was acknowledged and is gone", name)
			}
		}
	}
}

func TestAServerDoesNotStartWithoutItsDatabase(t *testing.T) {
	cable, dsn := lay(t, storetest.Postgres(t))
	set, _ := installation(t, dsn)
	cable.set(true)
	_, err := app.New(t.Context(), app.Config{Settings: set, Log: discard})
	if err == nil {
		t.Fatal("it started")
	}
	if cfg, e := pgx.ParseConfig(dsn); e != nil || cfg.Password != "" && strings.Contains(err.Error(), cfg.Password) {
		t.Errorf("the error tells the password: %v", errors.Join(err, e))
	}
}
