package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// result is what a step came to.
type result struct {
	counts
	name  string
	took  time.Duration
	err   error
	log   string
	notes []string
}

// What one failed step and one failed test print at most, in bytes from the
// end: a server's log in a failure can run to megabytes.
const (
	maxLog     = 60_000
	maxFailure = 6_000
)

// ending returns the last n bytes of a text, beginning with a line.
func ending(text string, n int) string {
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	return "…\n" + text
}

// word says how the step went; one of which nothing ran did not go well.
func (r result) word() string {
	switch {
	case r.err != nil:
		return "FAIL"
	case r.passed == 0 && r.skipped > 0:
		return "skip"
	}
	return "ok"
}

// print writes a line for a step that is done, and its log when it failed.
func (r result) print(w io.Writer) {
	if r.err == nil {
		fmt.Fprintf(w, "%-5s %-12s %6.1f s\n", r.word(), r.name, r.took.Seconds())
		return
	}
	fmt.Fprintf(w, "%-5s %-12s %6.1f s  %v\n", r.word(), r.name, r.took.Seconds(), r.err)
	log := ending(strings.TrimSpace(r.log), maxLog)
	if log != "" {
		fmt.Fprintf(w, "      %s\n", strings.ReplaceAll(log, "\n", "\n      "))
	}
}

// summarize prints the table, the notes and the closing line of counts; it says
// whether all is well.
func summarize(w io.Writer, lanes [][]step, results []result, took time.Duration) bool {
	byName := map[string]result{}
	for _, r := range results {
		byName[r.name] = r
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STEP\tRESULT\tSECONDS\tPASSED\tFAILED\tSKIPPED")
	var total counts
	var notes []string
	for _, lane := range lanes {
		for _, s := range lane {
			r := byName[s.name]
			fmt.Fprintf(table, "%s\t%s\t%.1f\t%d\t%d\t%d\n", r.name, r.word(), r.took.Seconds(), r.passed, r.failed, r.skipped)
			total.add(r.counts)
			notes = append(notes, r.notes...)
		}
	}
	_ = table.Flush() // w is standard output or a buffer
	fmt.Fprintln(w)
	for _, n := range notes {
		fmt.Fprintln(w, n)
	}
	fmt.Fprintf(w, "took %s\n", took.Round(time.Second))
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped)
	return total.failed == 0
}
