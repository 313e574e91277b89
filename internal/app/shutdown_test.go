package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/app"
)

// goAhead is what a server says when it begins to read a body that the client
// announced.
const goAhead = "HTTP/1.1 100 Continue\r\n\r\n"

// open begins a request whose body is not complete, and waits until the server
// reads it: requests that nobody has begun to read are dropped by a shutdown.
func (s *server) open(method, path, body string, missing int, header ...string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n", method, path, len(body)+missing)
	for i := 0; i+1 < len(header); i += 2 {
		fmt.Fprintf(conn, "%s: %s\r\n", header[i], header[i+1])
	}
	fmt.Fprintf(conn, "\r\n%s", body)
	got := make([]byte, len(goAhead))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != goAhead {
		s.t.Fatalf("the server said %q, %v", got, err)
	}
	return conn
}

// closed waits until the server takes no connections any more.
func (s *server) closed() {
	s.until(func() bool {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

func TestARequestInFlightIsAnsweredAndItsWorkKept(t *testing.T) {
	dir, set := t.TempDir(), settings(t)
	with := func(c *app.Config) {
		c.Settings, c.Issuer = set, "http://localhost"
		databaseIn(dir)(c)
	}
	s := run(t, with)
	auth := s.owner()
	body := `{"account_id":"` + s.Demo().Root + `","name":"in flight"}`
	conn := s.open("POST", "/v1/serviceids", body[:20], len(body)-20, append(auth, "Content-Type", "application/json")...)
	defer conn.Close()
	s.stop()
	s.closed()
	if _, err := io.WriteString(conn, body[20:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request in flight got no answer: %v", err)
	}
	created := s.read(resp)
	if created.code != 201 {
		t.Fatalf("got %d %s", created.code, created.body)
	}
	if err := s.end(); err != nil {
		t.Errorf("stopping: %v", err)
	}

	again := run(t, with)
	list := again.want(200, "GET", "/v1/serviceids?account_id="+again.Demo().Root+"&name=in%20flight", "", nil, again.owner()...)
	if !strings.Contains(list.body, `"in flight"`) {
		t.Errorf("what was acknowledged is gone: %s", list.body)
	}
}

func TestARequestThatDoesNotEndIsCutOff(t *testing.T) {
	s := run(t, func(c *app.Config) { c.ShutdownTimeout = 20 * time.Millisecond })
	conn := s.open("POST", "/identity/token", "grant_type=", 10, "Content-Type", "application/x-www-form-urlencoded")
	defer conn.Close()
	err := s.end()
	if err == nil || !strings.Contains(err.Error(), "in flight") {
		t.Errorf("got %v, want an error that tells of requests in flight", err)
	}
}

func TestLongPollsEndWithTheServer(t *testing.T) {
	s := run(t, nil)
	auth := s.owner()
	path := "/kagiban/v1/accounts/" + s.Demo().Root + "/events?wait=25s&after=1000000"
	got := make(chan answer)
	go func() { got <- s.call("GET", path, "", auth...) }()
	s.until(func() bool { return app.Waiting(s.App) })
	start := time.Now()
	if err := s.end(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if a := <-got; a.code != 200 {
		t.Errorf("the poll was answered %d", a.code)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the server waited %s for the poll", took)
	}
}

func TestReadinessEndsBeforeTheServerDoes(t *testing.T) {
	s := run(t, func(c *app.Config) { c.Dev, c.ShutdownDelay = nil, time.Hour })
	s.want(200, "GET", "/readyz", "", nil)
	s.stop()
	s.until(func() bool { return s.call("GET", "/readyz", "").code == 503 })
	if a := s.want(503, "GET", "/readyz", "", nil); !strings.Contains(a.body, "shutting down") {
		t.Errorf("got %s", a.body)
	}
	s.want(200, "GET", "/identity/keys", "", nil) // until the delay is over everybody is served
	app.Hasten(s.App)
}

func TestSlowClientsAreCutOff(t *testing.T) {
	slow := run(t, func(c *app.Config) { app.ShortTimeouts(c, 50*time.Millisecond) })
	for name, text := range map[string]string{
		"a header that never ends": "GET /healthz HTTP/1.1\r\nHost: loc",
		"a body that never ends":   "POST /identity/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc",
		"silence":                  "",
	} {
		conn, err := net.Dial("tcp", slow.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, text)
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("%s: the connection was not ended: %v", name, err)
		}
		conn.Close()
	}
	slow.want(200, "GET", "/healthz", "", nil)
}

func TestACancelledStartLeavesNothingBehind(t *testing.T) {
	checkLeaksOnce(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	cfg := app.Config{Settings: settings(t), Log: discard, Dev: &app.Dev{}}
	if a, err := app.New(ctx, cfg); err == nil {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}
