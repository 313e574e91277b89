package httpapi

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/VictoriaMetrics/metrics"
)

// Metrics counts and times calls by operation. Its Observe goes into Config;
// it is safe for concurrent use. Labels come from the table only, so callers
// cannot make series up.
type Metrics struct {
	set     *metrics.Set
	calls   sync.Map // answered → *metrics.Counter
	seconds sync.Map // *Operation → *metrics.PrometheusHistogram
}

// answered is one series of kagiban_requests_total.
type answered struct {
	op     *Operation
	status int
}

// buckets reach from a cached decision to the slowest answer that the server
// gives before its write timeout, in seconds.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30}

// NewMetrics makes the metrics; their series appear in set as calls are answered.
func NewMetrics(set *metrics.Set) *Metrics { return &Metrics{set: set} }

// Observe counts a call after its answer.
func (m *Metrics) Observe(c *Call) {
	m.counter(answered{c.Op, c.Status}).Inc()
	m.histogram(c.Op).UpdateDuration(c.Start)
}

// counter finds the series without making its name again: only the first call
// of an operation with a status pays for that.
func (m *Metrics) counter(a answered) *metrics.Counter {
	if found, ok := m.calls.Load(a); ok {
		return found.(*metrics.Counter)
	}
	made := m.set.GetOrCreateCounter("kagiban_requests_total{" + operationLabels(a.op) + `,status="` + strconv.Itoa(a.status) + `"}`)
	m.calls.Store(a, made)
	return made
}

func (m *Metrics) histogram(op *Operation) *metrics.PrometheusHistogram {
	if found, ok := m.seconds.Load(op); ok {
		return found.(*metrics.PrometheusHistogram)
	}
	made := m.set.GetOrCreatePrometheusHistogramExt("kagiban_request_seconds{"+operationLabels(op)+"}", buckets)
	m.seconds.Store(op, made)
	return made
}

func operationLabels(op *Operation) string {
	return fmt.Sprintf("family=%q,operation=%q", op.Family.Name, op.ID)
}
