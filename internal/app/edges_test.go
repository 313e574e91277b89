package app_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/app"
)

func TestNobodyUnknownReadsMetrics(t *testing.T) {
	s := run(t, func(c *app.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	for _, forwarded := range []string{"1.2.3.4", "1.2.3.4:5", "[2001:db8::1]:5", "unknown", "", ",", "127.0.0.1, unknown", "[127.0.0.1",
		"127.0.0.1, 1.2.3.4:5", "0.0.0.0"} {
		if got := s.call("GET", "/metrics", "", "X-Forwarded-For", forwarded).code; got != 404 {
			t.Errorf("X-Forwarded-For %q: %d", forwarded, got)
		}
	}
	s.want(200, "GET", "/metrics", "", nil)
}

// slowly begins a request whose body never comes.
func slowly(t *testing.T, s *server, auth []string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /v1/serviceids HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: 100\r\n"+
		"Expect: 100-continue\r\n\r\n", auth[1])
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil { // the server waits for the body
		t.Fatal(err)
	}
	return conn
}

func TestASlowBodyDoesNotHoldUpAReset(t *testing.T) {
	s := run(t, nil)
	slowly(t, s, s.owner())
	began := time.Now()
	s.want(204, "POST", "/dev/v1/reset", "", nil)
	s.owner()
	if took := time.Since(began); took > 15*time.Second { // the connection's own limit is 30 s
		t.Errorf("it took %s", took)
	}
}

func TestMisspeltPropertiesOfDevelopmentAidsAreRefused(t *testing.T) {
	s := run(t, nil)
	for _, c := range []struct{ method, path, body, names string }{
		{"POST", "/dev/v1/faults", `{"operation":"*","status":500,"cuont":1}`, "cuont"},
		{"POST", "/dev/v1/clock", `{"advance":"1h","sett":"x"}`, "sett"},
		{"GET", "/dev/v1/requests?limt=1", "", "limt"},
		{"GET", "/dev/v1/events?acount_id=x", "", "acount_id"},
		{"DELETE", "/dev/v1/faults?id=1", "", "id"},
	} {
		if a := s.want(400, c.method, c.path, c.body, nil); !strings.Contains(a.body, "'"+c.names+"'") {
			t.Errorf("%s %s does not name %s: %s", c.method, c.path, c.names, a.body)
		}
	}
	if a := s.want(200, "GET", "/dev/v1/faults", "", nil); strings.Contains(a.body, "hits") {
		t.Errorf("a refused fault is in force: %s", a.body)
	}
}

func TestRequestsRememberWhatNothingServed(t *testing.T) {
	s := run(t, nil)
	s.want(404, "DELETE", "/v9/nothing?x=y", "", nil)
	var list struct {
		Requests []struct{ Method, Path string }
	}
	s.want(200, "GET", "/dev/v1/requests?limit=1", "", &list)
	if got := list.Requests[0]; got.Method != "DELETE" || got.Path != "/v9/nothing" {
		t.Errorf("remembered is %+v", got)
	}
}

func TestTheLeewayOfClocksIsASetting(t *testing.T) {
	for leeway, want := range map[time.Duration]int{0: 401, time.Minute: 200} {
		s := run(t, func(c *app.Config) { c.Leeway = leeway })
		auth := s.owner()
		if got := s.whoami(auth); got != 200 {
			t.Fatalf("a fresh token: %d", got)
		}
		s.want(200, "POST", "/dev/v1/clock", `{"advance":"1h30s"}`, nil)
		if got := s.whoami(auth); got != want {
			t.Errorf("half a minute after its end, with a leeway of %s: %d, want %d", leeway, got, want)
		}
	}
}

func TestBrowsersMayVerifyTokens(t *testing.T) {
	s := run(t, serve)
	for _, path := range []string{"/identity/keys", "/identity/.well-known/openid-configuration", "/.well-known/openid-configuration"} {
		a := s.want(200, "GET", path, "", nil, "Origin", "https://page.example")
		if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, a.header)
		}
		s.want(204, "OPTIONS", path, "", nil, "Origin", "https://page.example", "Access-Control-Request-Method", http.MethodGet)
	}
	for _, path := range []string{"/identity/token", "/v1/apikeys", "/identity/userinfo"} {
		if a := s.call("OPTIONS", path, "", "Origin", "https://page.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s is open to every page", path)
		}
	}
}
