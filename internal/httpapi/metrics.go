package httpapi

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts and times calls by operation. Its Observe goes into Config;
// it is a prometheus.Collector and safe for concurrent use. Labels come from
// the table only, so callers cannot make series up.
type Metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// buckets reach from a cached decision to the slowest answer that the server
// gives before its write timeout, in seconds.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30}

// NewMetrics makes the metrics; they must be registered.
func NewMetrics() *Metrics {
	return &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kagiban_requests_total", Help: "Answered requests by operation and status.",
		}, []string{"family", "operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kagiban_request_seconds", Help: "Time from the request's header to the end of the answer.", Buckets: buckets,
		}, []string{"family", "operation"}),
	}
}

// Observe counts a call after its answer.
func (m *Metrics) Observe(c *Call) {
	m.calls.WithLabelValues(c.Op.Family.Name, c.Op.ID, strconv.Itoa(c.Status)).Inc()
	m.seconds.WithLabelValues(c.Op.Family.Name, c.Op.ID).Observe(time.Since(c.Start).Seconds())
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.calls.Describe(ch)
	m.seconds.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.calls.Collect(ch)
	m.seconds.Collect(ch)
}
