package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// realIP finds the client's address. Only the right end of X-Forwarded-For was
// written by somebody we know: the walk goes from the connection's peer
// leftwards through trusted proxies and stops at the first address that is not
// one. What stands left of it is the caller's own invention.
func realIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if len(trusted) == 0 || !inside(addr, trusted) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return addr
		}
		addr = hop.Unmap().WithZone("")
		if !inside(addr, trusted) {
			return addr
		}
	}
	return addr
}

func inside(a netip.Addr, nets []netip.Prefix) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// validTransaction gives a caller's Transaction-Id when it is fit for logs and
// headers, else "": at most 128 printable characters without spaces.
func validTransaction(s string) string {
	if len(s) > 128 {
		return ""
	}
	for _, c := range []byte(s) {
		if c <= 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			return ""
		}
	}
	return s
}

// clip bounds a caller's text for logs, in bytes, and drops control characters
// and what is no UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == utf8.RuneError { // whose text is longer than a broken byte
			return -1
		}
		return r
	}, s)
}
