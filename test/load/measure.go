package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

// cell names one series of measurements.
type cell struct {
	series, name string // of the target
	conns        int
}

// results are all rounds of all series.
type results struct {
	engine     string // who computes the product's signatures
	signatures map[signing.Algorithm][]float64
	samples    map[cell][]sample
	targets    []*target
	starts     starts
	// first is the time of the first decision about an account, by size.
	first map[string]time.Duration
}

// rate returns the rounds' rates of a series.
func (r *results) rate(c cell) []float64 {
	var rates []float64
	for _, s := range r.samples[c] {
		rates = append(rates, s.perSecond)
	}
	return rates
}

// ratio is the median of the rounds' ratios: within a round both ran within
// seconds of each other, so the machine's drift cancels out.
func (r *results) ratio(a, b cell) (float64, bool) {
	x, y := r.rate(a), r.rate(b)
	if len(x) == 0 || len(x) != len(y) {
		return 0, false
	}
	ratios := make([]float64, len(x))
	for i := range x {
		ratios[i] = x[i] / y[i]
	}
	return median(ratios), true
}

func median[T float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	m := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[m-1] + sorted[m]) / 2
	}
	return sorted[m]
}

// measure starts all servers, lets them take turns under load and stops them.
func measure(ctx context.Context, o options, progress io.Writer) (*results, error) {
	r := &results{signatures: map[signing.Algorithm][]float64{}, samples: map[cell][]sample{}}
	signers := map[signing.Algorithm]signing.Signer{}
	for _, alg := range o.algs {
		s, err := newSigner(alg)
		if err != nil {
			return nil, err
		}
		signers[alg], r.engine = s, s.Engine()
	}
	var err error
	if r.starts, err = measureStarts(ctx, o); err != nil {
		return nil, err
	}
	defer r.stopTargets()
	if err := r.startTargets(ctx, o); err != nil {
		return nil, err
	}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
		for _, alg := range o.algs {
			rate, err := signatureRate(signers[alg], o.duration)
			if err != nil {
				return nil, err
			}
			r.signatures[alg] = append(r.signatures[alg], rate)
			if err := r.round(ctx, o, string(alg), round); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

func (r *results) stopTargets() {
	for _, t := range r.targets {
		t.process.stop()
	}
}

// round measures every target of a series once per number of connections.
// Each round begins with another target, so that none always goes first.
func (r *results) round(ctx context.Context, o options, series string, round int) error {
	var ours []*target
	for _, t := range r.targets {
		if t.series == series {
			ours = append(ours, t)
		}
	}
	for _, conns := range o.conns {
		for i := range ours {
			t := ours[(i+round)%len(ours)]
			s, err := generate(ctx, t.request, conns, o.duration)
			if err != nil {
				return fmt.Errorf("%s %s with %d connections: %w", t.name, series, conns, err)
			}
			c := cell{series, t.name, conns}
			r.samples[c] = append(r.samples[c], s)
			mb, err := t.process.residentMB()
			if err != nil {
				return err
			}
			t.loadMB = max(t.loadMB, mb)
			if err := t.process.forget(); err != nil {
				return fmt.Errorf("emptying a log: %w", err)
			}
		}
	}
	return nil
}

func (r *results) startTargets(ctx context.Context, o options) error {
	for _, alg := range o.algs {
		bare, err := startBare(alg)
		if err != nil {
			return err
		}
		r.targets = append(r.targets, bare)
		if o.binary != "" {
			p, err := startProduct(ctx, o.binary, "", alg)
			if err != nil {
				return err
			}
			t, err := newTarget("product", alg, p.process, p.host, "/identity/token", "", apikeyForm(p.apikey))
			if err != nil {
				return err
			}
			r.targets = append(r.targets, t)
		}
		if o.peer != "" {
			t, err := startPeer(o.node, o.peer, alg)
			if err != nil {
				return err
			}
			r.targets = append(r.targets, t)
		}
	}
	return nil
}

// starts are the times from the start of the process to the first token, and
// the idle memory after it; medians.
type starts struct {
	memory, fresh, existing time.Duration
	idleMB                  float64
}

// measureStarts starts the product again and again: in memory, on a new
// database, and on the one that the start before left behind.
func measureStarts(ctx context.Context, o options) (starts, error) {
	if o.binary == "" {
		return starts{}, nil
	}
	var memory, fresh, existing []time.Duration
	var idle []float64
	for range o.starts {
		dir, err := os.MkdirTemp("", "kagiban-load-data-")
		if err != nil {
			return starts{}, fmt.Errorf("making a folder: %w", err)
		}
		defer os.RemoveAll(dir)
		for _, s := range []struct {
			dir string
			to  *[]time.Duration
		}{{"", &memory}, {dir, &fresh}, {dir, &existing}} {
			p, err := startProduct(ctx, o.binary, s.dir, signing.RS256)
			if err != nil {
				return starts{}, err
			}
			*s.to = append(*s.to, p.ready)
			mb, err := p.residentMB()
			p.stop()
			if err != nil {
				return starts{}, err
			}
			idle = append(idle, mb)
		}
	}
	return starts{median(memory), median(fresh), median(existing), median(idle)}, nil
}
