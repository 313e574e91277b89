package app

import (
	"context"
	_ "embed"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

// systemFamily holds the operations of the server itself: page, document,
// health and metrics.
var systemFamily = &httpapi.Family{Name: "system", Title: "Server", WriteError: httpapi.WriteErrors}

// system serves the operations of the server itself.
type system struct {
	app *App
	// document is made when it is first asked for: it costs more than the
	// rest of the start-up together.
	document func() ([]byte, error)
}

func newSystem(a *App, table func() []httpapi.Operation) *system {
	return &system{app: a, document: sync.OnceValues(func() ([]byte, error) {
		return httpapi.OpenAPI(table(), httpapi.Info{Title: "Kagiban", Version: a.cfg.Version, Server: a.Issuer()})
	})}
}

// operations gives the rows.
func (s *system) operations() []httpapi.Operation {
	const probe = "probes of load balancers carry no token; the answer names no internals"
	return httpapi.Table(systemFamily,
		httpapi.Raw{ID: "get_page", Method: http.MethodGet, Path: "/{$}", Status: 200, Public: "says what this server is",
			Gives: httpapi.Type[about](), OutText: "text/html", Serve: s.page},
		httpapi.Raw{ID: "get_openapi", Method: http.MethodGet, Path: "/openapi.json", Status: 200,
			Public: "the description of the API is no secret",
			Gives:  httpapi.Type[map[string]any](), Serve: s.openAPI},
		httpapi.Raw{ID: "get_health", Method: http.MethodGet, Path: "/healthz", Status: 200, Public: probe, Gives: httpapi.Type[health](),
			Serve: s.healthz},
		httpapi.Raw{ID: "get_readiness", Method: http.MethodGet, Path: "/readyz", Status: 200, Public: probe, Gives: httpapi.Type[health](),
			Serve: s.readyz},
		httpapi.Raw{ID: "get_metrics", Method: http.MethodGet, Path: "/metrics", Status: 200,
			Public: "scrapers carry no token; only the networks of metrics.allow are answered", OutText: "text/plain", Serve: s.getMetrics},
	)
}

// pageText is the page with words in braces to be replaced. It is no
// html/template: linking that package keeps every method of the program alive,
// which costs 4 MB.
//
//go:embed page.html
var pageText string

// about is what GET / says.
type about struct {
	Name    string            `json:"name"`
	About   string            `json:"about"`
	Version string            `json:"version"`
	Mode    string            `json:"mode"` // dev or serve
	Issuer  string            `json:"issuer"`
	Links   map[string]string `json:"links"`
}

func (s *system) page(_ context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	a := about{
		Name: "kagiban", About: "Identity and access management, compatible with IBM Cloud IAM. Not affiliated with IBM.",
		Version: s.app.cfg.Version, Mode: "serve", Issuer: s.app.Issuer(),
		Links: map[string]string{
			"openapi": "/openapi.json", "discovery": "/identity/.well-known/openid-configuration",
			"keys": "/identity/keys", "health": "/healthz", "readiness": "/readyz",
		},
	}
	if s.app.dev != nil {
		a.Mode = "dev"
		a.Links["clock"], a.Links["requests"], a.Links["events"] = "/dev/v1/clock", "/dev/v1/requests", "/dev/v1/events"
	}
	if !wantsHTML(r) {
		return httpapi.WriteJSON(w, c, http.StatusOK, a)
	}
	c.Status = http.StatusOK
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.WriteHeader(c.Status)
	// An error means that the browser is gone.
	_, _ = io.WriteString(w, a.html())
	return nil
}

// html shows the page. What is filled in is escaped.
func (a *about) html() string {
	notice := ""
	if a.Mode == "dev" {
		notice = "<p><strong>This is a development server</strong> with public demo keys. Use <code>kagiban serve</code> for anything else.</p>"
	}
	var links strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Links)) {
		path := html.EscapeString(a.Links[name])
		links.WriteString("<dt>" + html.EscapeString(name) + `</dt><dd><a href="` + path + `">` + path + "</a></dd>\n  ")
	}
	return strings.NewReplacer("{about}", html.EscapeString(a.About), "{notice}", notice, "{version}", html.EscapeString(a.Version),
		"{issuer}", html.EscapeString(a.Issuer), "{links}", links.String()).Replace(pageText)
}

// wantsHTML tells a browser from a program.
func wantsHTML(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (s *system) openAPI(_ context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
	doc, err := s.document()
	if err != nil {
		return fault.Wrap(err, "describing the API")
	}
	c.Status = http.StatusOK
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(c.Status)
	// An error means that the client is gone.
	_, _ = w.Write(doc)
	return nil
}

// health is the answer of the probes.
type health struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks,omitempty"`
}

func (h health) code() int {
	if h.Status == "ok" || h.Status == "ready" {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

func writeHealth(w http.ResponseWriter, h health) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(h.code())
	// An error means that the client is gone.
	_ = json.NewEncoder(w).Encode(h)
}

func (s *system) healthz(_ context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
	return httpapi.WriteJSON(w, c, http.StatusOK, health{Status: "ok"})
}

func (s *system) readyz(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
	h := s.app.ready(ctx)
	return httpapi.WriteJSON(w, c, h.code(), h)
}

// getMetrics answers the networks of metrics.allow; to others there is nothing
// here.
func (s *system) getMetrics(_ context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	if s.app.cfg.MetricsListen != "" || !contains(s.app.cfg.MetricsAllow, c.Address) {
		return c.NothingHere()
	}
	c.Status = http.StatusOK
	s.app.metrics.handler().ServeHTTP(w, r)
	return nil
}

func contains(nets []netip.Prefix, a netip.Addr) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// hostOfURL gives the host of a URL without port, "" for none.
func hostOfURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
