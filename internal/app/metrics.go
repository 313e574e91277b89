package app

import (
	"fmt"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/kagiban/kagiban/internal/httpapi"
)

// metrics is what GET /metrics shows. Each server has a registry of its own:
// two servers in one process do not mix.
type metrics struct {
	registry *prometheus.Registry
	requests *httpapi.Metrics
}

func newMetrics(version string) (*metrics, error) {
	m := &metrics{registry: prometheus.NewRegistry(), requests: httpapi.NewMetrics()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "kagiban_build_info", Help: "Always 1; the labels tell the version.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{build, m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := m.registry.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) observe(c *httpapi.Call) { m.requests.Observe(c) }

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
