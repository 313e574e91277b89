package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/signing/keyring"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/token"
)

// meters is what GET /metrics shows, in Prometheus' text format. Each server
// has a set of its own: two servers in one process do not mix.
type meters struct {
	set       *metrics.Set
	requests  *httpapi.Metrics
	exchanges sync.Map // exchange → *metrics.Counter
	// What package template's Meter hears.
	templatesPending atomic.Int64
	templatesWaiting atomic.Int64
	templatesSeconds *metrics.PrometheusHistogram
}

// templateBuckets reach from one account to an enterprise of ten thousand, in
// seconds.
var templateBuckets = []float64{0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300}

func newMeters(version string) *meters {
	metrics.ExposeMetadata(true) // readers want to know counters from gauges
	m := &meters{set: metrics.NewSet()}
	m.requests = httpapi.NewMetrics(m.set)
	m.templatesSeconds = m.set.NewPrometheusHistogramExt("kagiban_template_work_seconds", templateBuckets)
	m.set.NewGauge("kagiban_template_accounts_waiting", func() float64 { return float64(m.templatesWaiting.Load()) })
	m.set.NewGauge("kagiban_template_accounts_pending", func() float64 { return float64(m.templatesPending.Load()) })
	m.set.NewGauge(fmt.Sprintf("kagiban_build_info{version=%q,go_version=%q}", version, runtime.Version()), func() float64 { return 1 })
	return m
}

func (m *meters) observe(c *httpapi.Call) { m.requests.Observe(c) }

// exchange is one series of kagiban_tokens_total. Both labels are words of
// package token, never a caller's.
type exchange struct{ grant, outcome string }

// exchanged counts an exchange at the token endpoint. Only the first of a
// series makes its name.
func (m *meters) exchanged(grant, outcome string) {
	e := exchange{grant, outcome}
	counter, ok := m.exchanges.Load(e)
	if !ok {
		counter = m.set.GetOrCreateCounter(fmt.Sprintf("kagiban_tokens_total{grant=%q,outcome=%q}", grant, outcome))
		m.exchanges.Store(e, counter)
	}
	counter.(*metrics.Counter).Inc()
}

// Pending implements template.Meter.
func (m *meters) Pending(accounts int) { m.templatesPending.Store(int64(accounts)) }

// Settled implements template.Meter.
func (m *meters) Settled(accounts, failed int) {
	m.set.GetOrCreateCounter(`kagiban_template_accounts_settled_total{outcome="succeeded"}`).Add(accounts)
	m.set.GetOrCreateCounter(`kagiban_template_accounts_settled_total{outcome="failed"}`).Add(failed)
}

// PutOff implements template.Meter.
func (m *meters) PutOff(accounts int) {
	m.set.GetOrCreateCounter(`kagiban_template_accounts_settled_total{outcome="put_off"}`).Add(accounts)
}

// Waiting implements template.Meter.
func (m *meters) Waiting(accounts int) { m.templatesWaiting.Store(int64(accounts)) }

// Finished implements template.Meter.
func (m *meters) Finished(took time.Duration) { m.templatesSeconds.Update(took.Seconds()) }

// jobBuckets reach from a sweep that finds nothing to a report on a large
// account, in seconds.
var jobBuckets = []float64{0.001, 0.01, 0.1, 1, 10, 60, 600}

// jobEnded counts the runs of lasting work.
func (m *meters) jobEnded(kind string, took time.Duration, err error) {
	outcome := "succeeded"
	if err != nil {
		outcome = "failed"
	}
	m.set.GetOrCreateCounter(fmt.Sprintf("kagiban_job_runs_total{kind=%q,outcome=%q}", kind, outcome)).Inc()
	m.set.GetOrCreatePrometheusHistogramExt(fmt.Sprintf("kagiban_job_seconds{kind=%q}", kind), jobBuckets).Update(took.Seconds())
}

// showJobs adds what lasting work there is, read from the store when it is asked
// for. A store that does not answer has none to show.
func (m *meters) showJobs(db store.DB, now func() time.Time) {
	m.set.RegisterMetricsWriter(func(w io.Writer) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		tally, err := db.Jobs().Tally(ctx, now(), time.Now())
		if err != nil {
			return
		}
		fmt.Fprintln(w, "# TYPE kagiban_jobs gauge")
		for _, t := range tally {
			for _, s := range []struct {
				state string
				n     int
			}{{"due", t.Due}, {"running", t.Running}, {"waiting", t.Waiting}, {"done", t.Done}, {"failed", t.Failed}} {
				fmt.Fprintf(w, "kagiban_jobs{kind=%q,state=%q} %d\n", t.Kind, s.state, s.n)
			}
		}
		fmt.Fprintln(w, "# TYPE kagiban_jobs_failing gauge")
		for _, t := range tally {
			fmt.Fprintf(w, "kagiban_jobs_failing{kind=%q} %d\n", t.Kind, t.Failing)
		}
		fmt.Fprintln(w, "# TYPE kagiban_jobs_oldest_due_seconds gauge")
		for _, t := range tally {
			age := 0.0
			if !t.Oldest.IsZero() {
				age = max(now().Sub(t.Oldest).Seconds(), 0)
			}
			fmt.Fprintf(w, "kagiban_jobs_oldest_due_seconds{kind=%q} %g\n", t.Kind, age)
		}
	})
}

// showTokens adds the token service's own counts, read when they are asked for.
func (m *meters) showTokens(tokens *token.Service, keys *keyring.Keyring, now func() time.Time) {
	m.set.RegisterMetricsWriter(func(w io.Writer) {
		caches := tokens.Caches()
		fmt.Fprintln(w, "# TYPE kagiban_cache_hits_total counter")
		for name, s := range caches {
			fmt.Fprintf(w, "kagiban_cache_hits_total{cache=%q} %d\n", name, s.Hits)
		}
		fmt.Fprintln(w, "# TYPE kagiban_cache_misses_total counter")
		for name, s := range caches {
			fmt.Fprintf(w, "kagiban_cache_misses_total{cache=%q} %d\n", name, s.Misses)
		}
		if since := keys.Since(); !since.IsZero() {
			_, algorithm, engine := keys.Signer()
			metrics.WriteGaugeFloat64(w, fmt.Sprintf("kagiban_signing_key_age_seconds{algorithm=%q,engine=%q}", algorithm, engine),
				now().Sub(since).Seconds())
		}
	})
}

func (m *meters) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		m.set.WritePrometheus(w)
		metrics.WriteProcessMetrics(w)
	})
}
