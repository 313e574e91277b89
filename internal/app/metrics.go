package app

import (
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/token"
)

// metrics is what GET /metrics shows. Each server has a registry of its own:
// two servers in one process do not mix.
type metrics struct {
	registry *prometheus.Registry
	requests *httpapi.Metrics
	tokens   *prometheus.CounterVec
	// What package template's Meter hears.
	templatesPending prometheus.Gauge
	templatesSettled *prometheus.CounterVec
	templatesSeconds prometheus.Histogram
}

func newMetrics(version string) (*metrics, error) {
	m := &metrics{
		registry: prometheus.NewRegistry(), requests: httpapi.NewMetrics(),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kagiban_tokens_total", Help: "Exchanges at the token endpoint by grant and outcome.",
		}, []string{"grant", "outcome"}),
		templatesPending: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kagiban_template_accounts_pending", Help: "Accounts that templates are being laid on or taken from and that wait for their turn.",
		}),
		templatesSettled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kagiban_template_accounts_settled_total", Help: "Accounts that came to hold of a template what they should, or refused it.",
		}, []string{"outcome"}),
		templatesSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kagiban_template_work_seconds", Help: "How long an assignment, or the accounts that moved, took to reconcile.",
			Buckets: []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300},
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "kagiban_build_info", Help: "Always 1; the labels tell the version.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	return m, m.register(build, m.requests, m.tokens, m.templatesPending, m.templatesSettled, m.templatesSeconds, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}

func (m *metrics) register(list ...prometheus.Collector) error {
	for _, c := range list {
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

func (m *metrics) observe(c *httpapi.Call) { m.requests.Observe(c) }

// exchanged counts an exchange at the token endpoint.
func (m *metrics) exchanged(grant, outcome string) { m.tokens.WithLabelValues(grant, outcome).Inc() }

// Pending implements template.Meter.
func (m *metrics) Pending(accounts int) { m.templatesPending.Set(float64(accounts)) }

// Settled implements template.Meter.
func (m *metrics) Settled(accounts, failed int) {
	m.templatesSettled.WithLabelValues("succeeded").Add(float64(accounts))
	m.templatesSettled.WithLabelValues("failed").Add(float64(failed))
}

// Finished implements template.Meter.
func (m *metrics) Finished(took time.Duration) { m.templatesSeconds.Observe(took.Seconds()) }

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// tokenMetrics reads the token service's own counts when they are asked for.
type tokenMetrics struct {
	tokens *token.Service
	now    func() time.Time
}

var (
	cacheHits   = prometheus.NewDesc("kagiban_cache_hits_total", "Look-ups that a cache in memory answered.", []string{"cache"}, nil)
	cacheMisses = prometheus.NewDesc("kagiban_cache_misses_total", "Look-ups that a cache in memory could not answer.", []string{"cache"}, nil)
	keyAge      = prometheus.NewDesc("kagiban_signing_key_age_seconds", "Since when the current signing key signs; the labels tell how.", []string{"algorithm", "engine"}, nil)
)

// Describe implements prometheus.Collector.
func (t tokenMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- cacheHits
	ch <- cacheMisses
	ch <- keyAge
}

// Collect implements prometheus.Collector.
func (t tokenMetrics) Collect(ch chan<- prometheus.Metric) {
	for name, s := range t.tokens.Caches() {
		ch <- prometheus.MustNewConstMetric(cacheHits, prometheus.CounterValue, float64(s.Hits), name)
		ch <- prometheus.MustNewConstMetric(cacheMisses, prometheus.CounterValue, float64(s.Misses), name)
	}
	since := t.tokens.SigningSince()
	if since.IsZero() {
		return
	}
	_, algorithm, engine := t.tokens.Signer()
	ch <- prometheus.MustNewConstMetric(keyAge, prometheus.GaugeValue, t.now().Sub(since).Seconds(), string(algorithm), engine)
}
