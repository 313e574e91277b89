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
// one. What stands left of it is the caller's own invention. A hop that cannot
// be read is a client whom nobody knows, with no address: it is neither the
// proxy nor this machine, whose addresses open doors.
func realIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := peerOf(r)
	said := r.Header["X-Forwarded-For"]
	if len(said) == 0 || !inside(addr, trusted) {
		return addr
	}
	hops := strings.Split(strings.Join(said, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		by := addr
		if addr = parseHop(hops[i]); addr.IsLoopback() && !by.IsLoopback() {
			return netip.Addr{} // the proxy's own loopback, not ours
		}
		if !inside(addr, trusted) {
			return addr
		}
	}
	return addr
}

// peerOf gives the address at the other end of the connection, none if it has
// none.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// parseHop reads what a proxy says of its client: an address, in brackets or
// with a port as some proxies write it. It gives no address for all else.
func parseHop(text string) netip.Addr {
	text = strings.TrimSpace(text)
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return plain(withPort.Addr())
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(text, ":") {
			return netip.Addr{}
		}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return plain(addr)
}

// plain gives the address of one client in its only form, none for what is no
// client's address.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}
	}
	return a
}

// secure tells whether the client's side of the connection is encrypted: ours
// is, or a trusted proxy says that its own is.
func secure(r *http.Request, trusted []netip.Prefix) bool {
	if r.TLS != nil {
		return true
	}
	said := r.Header["X-Forwarded-Proto"]
	return len(said) == 1 && strings.EqualFold(said[0], "https") && inside(peerOf(r), trusted)
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
