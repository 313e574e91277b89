package devapi

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
)

// pathPrefix is where all development aids live, without the leading slash: the
// router drops doubled slashes.
const pathPrefix = "dev/"

// Guard keeps other machines and web pages away from the development aids, which
// ask for no token. A client on another machine is refused by its address. A page
// of another origin is refused by Sec-Fetch-Site and Origin; a page that had its
// own name resolve to this machine (DNS rebinding) is refused because its
// requests carry that name as Host. hosts are further names under
// which the server is known, without port.
func Guard(next http.Handler, hosts ...string) http.Handler {
	known := map[string]bool{}
	for _, h := range hosts {
		known[strings.ToLower(h)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(strings.TrimLeft(r.URL.Path, "/"), pathPrefix) {
			if reason := refusal(r, known); reason != "" {
				refuse(w, reason)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// refusal says why a request must not reach the development aids, "" if it may.
func refusal(r *http.Request, known map[string]bool) string {
	if !onThisMachine(r) {
		return "The development aids answer only to clients on their own machine."
	}
	if host := hostOf(r.Host); !loopback(host) && !known[host] {
		return "The development aids answer only to a loopback host name."
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return "The development aids do not answer web pages of other origins."
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		_, host, found := strings.Cut(origin, "://")
		if !found || !strings.EqualFold(host, r.Host) {
			return "The development aids do not answer web pages of other origins."
		}
	}
	return ""
}

// onThisMachine tells whether a connection has both its ends on this machine.
func onThisMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	if peer.Addr().Unmap().IsLoopback() {
		return true
	}
	own, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	local, err := netip.ParseAddrPort(own.String())
	return err == nil && local.Addr().Unmap() == peer.Addr().Unmap()
}

// hostOf gives a Host header without port and brackets, in lower case.
func hostOf(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func refuse(w http.ResponseWriter, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusForbidden)
	// The texts are constants without quotes; an error means that the client is gone.
	_, _ = w.Write([]byte(`{"errors":[{"code":"` + string(fault.Forbidden) + `","message":"` + reason + `"}],"status_code":403}` + "\n"))
}
