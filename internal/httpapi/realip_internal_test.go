package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func request(remote string, forwarded ...string) *http.Request {
	return &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": forwarded}}
}

func TestTheWalkThroughForwardedAddressesStopsAtTheFirstStranger(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"direct", "203.0.113.1:1", nil, "203.0.113.1"},
		{"a stranger's header counts for nothing", "203.0.113.1:1", []string{"8.8.8.8"}, "203.0.113.1"},
		{"one proxy", "10.0.0.1:1", []string{"203.0.113.1"}, "203.0.113.1"},
		{"two proxies", "10.0.0.1:1", []string{"203.0.113.1, 10.0.0.2"}, "203.0.113.1"},
		{"what stands left of the stranger is invented", "10.0.0.1:1", []string{"127.0.0.1, 203.0.113.1"}, "203.0.113.1"},
		{"several headers", "10.0.0.1:1", []string{"1.1.1.1", "203.0.113.1"}, "203.0.113.1"},
		{"only proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"no header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"a port is no part of the address", "10.0.0.1:1", []string{"203.0.113.1:5"}, "203.0.113.1"},
		{"IPv6 with a port", "10.0.0.1:1", []string{"[2001:db8::1]:5"}, "2001:db8::1"},
		{"IPv6 in brackets", "10.0.0.1:1", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"a proxy with a port", "10.0.0.1:1", []string{"203.0.113.1, 10.0.0.2:80"}, "203.0.113.1"},
		{"nobody knows who is named unknown", "10.0.0.1:1", []string{"203.0.113.1, unknown"}, "invalid IP"},
		{"nor who is not named", "10.0.0.1:1", []string{""}, "invalid IP"},
		{"nor between two commas", "10.0.0.1:1", []string{"203.0.113.1, , 10.0.0.2"}, "invalid IP"},
		{"a port out of range", "10.0.0.1:1", []string{"203.0.113.1:99999"}, "invalid IP"},
		{"half a bracket", "10.0.0.1:1", []string{"[2001:db8::1"}, "invalid IP"},
		{"IPv4 in brackets", "10.0.0.1:1", []string{"[203.0.113.1]"}, "invalid IP"},
		{"an obfuscated name", "10.0.0.1:1", []string{"_hidden"}, "invalid IP"},
		{"no host's address", "10.0.0.1:1", []string{"0.0.0.0"}, "invalid IP"},
		{"the loopback of another machine", "10.0.0.1:1", []string{"127.0.0.1"}, "invalid IP"},
		{"the same, mapped", "10.0.0.1:1", []string{"::ffff:127.0.0.1"}, "invalid IP"},
		{"mapped IPv4", "[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.1"}, "203.0.113.1"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"a zone is dropped", "[fd00::1]:1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"no address at all", "@", nil, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := realIP(request(c.remote, c.forwarded...), trusted).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzRealIP(f *testing.F) {
	f.Add("10.0.0.1:80", "1.2.3.4, 10.0.0.2")
	f.Add("[::1]:80", ",,,")
	f.Add("10.0.0.1:80", "1.2.3.4:5")
	f.Add("10.0.0.1:80", "[::1]:5, unknown")
	f.Add("10.0.0.1:80", "")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		got := realIP(request(remote, forwarded), trusted)
		peer, err := netip.ParseAddrPort(remote)
		if err != nil {
			if got.IsValid() {
				t.Errorf("an address out of nothing: %s", got)
			}
			return
		}
		own := peer.Addr().Unmap()
		if !inside(own, trusted) && got != own {
			t.Errorf("a stranger %s moved the address to %s", own, got)
		}
		if got.IsLoopback() && !own.IsLoopback() {
			t.Errorf("%q made somebody behind %s one of this machine", forwarded, own)
		}
		last := strings.TrimSpace(forwarded[strings.LastIndex(forwarded, ",")+1:])
		if inside(own, trusted) && got == own && strings.Trim(last, "[]") != own.String() && !strings.Contains(last, own.String()+":") &&
			!strings.HasPrefix(last, "::") && !strings.HasPrefix(last, "[::") {
			t.Errorf("%q made somebody the proxy %s", forwarded, own)
		}
	})
}

func FuzzTransactionID(f *testing.F) {
	f.Add("abc")
	f.Add("a\nb")
	f.Add(strings.Repeat("x", 200))
	f.Fuzz(func(t *testing.T, s string) {
		got := validTransaction(s)
		if got != "" && got != s {
			t.Errorf("%q was changed to %q", s, got)
		}
		for _, c := range []byte(got) {
			if c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' {
				t.Errorf("%q was taken", s)
			}
		}
		if len(clip(s, 20)) > 20 || strings.ContainsAny(clip(s, 20), "\n\r\x00") {
			t.Errorf("clip lets %q through", s)
		}
	})
}
