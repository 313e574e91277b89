package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

// tolerance is how far below its floor a ratio may fall before the gate shuts:
// within one run the medians of this method vary by up to 20 % on a small
// shared machine.
const tolerance = 0.20

// gateConns is the number of connections at which ratios are judged: enough to
// keep every core busy.
const gateConns = 64

// A limit is a promise about one figure.
type limit struct {
	name  string
	value float64 // measured
	bound float64
	below bool // the value must stay below the bound, not above
	known bool // measured in this run
}

// ok allows for the tolerance.
func (l limit) ok() bool {
	if !l.known {
		return false
	}
	if l.below {
		return l.value <= l.bound*(1+tolerance)
	}
	return l.value >= l.bound*(1-tolerance)
}

// limits are the floors of the present release. They only ever rise.
func (r *results) limits() []limit {
	ratio := func(alg signing.Algorithm, over string, bound float64) limit {
		v, known := r.ratio(cell{string(alg), "product", gateConns}, cell{string(alg), over, gateConns})
		return limit{name: fmt.Sprintf("%s product/%s at %d connections", alg, over, gateConns), value: v, bound: bound, known: known}
	}
	most := func(name string, value, bound float64) limit {
		return limit{name: name, value: value, bound: bound, below: true, known: value > 0}
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return []limit{
		ratio(signing.RS256, "peer", 1.2),
		ratio(signing.RS256, "bare", 0.85),
		ratio(signing.ES256, "peer", 4),
		ratio(signing.ES256, "bare", 0.6),
		most("ms to the first token, in memory", ms(r.starts.memory), 250),
		most("ms to the first token, new database", ms(r.starts.fresh), 250),
		most("ms to the first token, existing database", ms(r.starts.existing), 100),
		most("MiB resident when idle", r.starts.idleMB, 40),
	}
}

// print writes the tables and says whether every limit holds.
func (r *results) print(w io.Writer, o options) bool {
	fmt.Fprintf(w, "signatures by %s; medians of %d rounds of %s\n\n", r.engine, o.rounds, o.duration)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "alg\tserver\tconnections\treq/s\tp50 ms\tp99 ms\tof S\tof bare\tof peer\t")
	for _, alg := range o.algs {
		s := median(r.signatures[alg])
		fmt.Fprintf(table, "%s\tS: signatures only\t\t%.0f\t\t\t\t\t\t\n", alg, s)
		for _, conns := range o.conns {
			for _, name := range []string{"bare", "product", "peer"} {
				r.printRow(table, cell{string(alg), name, conns}, []string{"bare", "peer"},
					fmt.Sprintf("%.2f", median(r.rate(cell{string(alg), name, conns}))/s))
			}
		}
	}
	_ = table.Flush() // w is standard output or a buffer
	fmt.Fprintln(w)
	for _, t := range r.targets {
		fmt.Fprintf(w, "%-8s %s  %5.1f MiB idle, %5.1f MiB after load\n", t.name, t.series, t.idleMB, t.loadMB)
	}
	fmt.Fprintln(w)
	return printLimits(w, r.limits())
}

// printLimits says of each limit whether it holds, and of all.
func printLimits(w io.Writer, limits []limit) bool {
	all := true
	for _, l := range limits {
		word, relation := "ok  ", "at least"
		if l.below {
			relation = "at most"
		}
		switch {
		case !l.known:
			word = "none"
		case !l.ok():
			word = "FAIL"
		}
		all = all && l.ok()
		fmt.Fprintf(w, "%s  %-42s %8.2f  (%s %g, tolerance %.0f %%)\n", word, l.name, l.value, relation, l.bound, tolerance*100)
	}
	return all
}

// printRow writes the medians of a series, what stands before its ratios, and
// its ratios to others.
func (r *results) printRow(w io.Writer, c cell, others []string, before ...string) {
	samples := r.samples[c]
	if len(samples) == 0 {
		return
	}
	var p50, p99 []time.Duration
	for _, s := range samples {
		p50, p99 = append(p50, s.p50), append(p99, s.p99)
	}
	columns := []string{c.series, c.name, fmt.Sprint(c.conns), fmt.Sprintf("%.0f", median(r.rate(c))),
		fmt.Sprintf("%.2f", median(p50).Seconds()*1000), fmt.Sprintf("%.2f", median(p99).Seconds()*1000)}
	columns = append(columns, before...)
	for _, name := range others {
		text := ""
		if v, ok := r.ratio(c, cell{c.series, name, c.conns}); ok && name != c.name {
			text = fmt.Sprintf("%.2f", v)
		}
		columns = append(columns, text)
	}
	fmt.Fprintln(w, strings.Join(columns, "\t")+"\t")
}
