// Command conformance runs IBM's official Go integration suites, unmodified,
// against fresh `kagiban dev` servers and compares what passed with
// test/conformance/floors.txt.
//
// The suites travel inside the SDK module: each is compiled from there with the
// build tag "integration", gets the configuration file that it looks for, and
// runs beside the others against its own server. A skipped spec has not passed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/kagiban/kagiban/test/sdk/devserver"
)

type options struct {
	all     bool          // print the failures of known gaps too
	keep    string        // folder that keeps logs and reports
	timeout time.Duration // for one suite
	compile bool          // compile only
	record  bool          // write floors and gaps instead of judging by them
}

func main() {
	var o options
	flag.BoolVar(&o.all, "v", false, "print the failures of known gaps too")
	flag.StringVar(&o.keep, "logs", "", "keep each suite's output, JUnit report and server log in this `folder`")
	flag.DurationVar(&o.timeout, "timeout", 15*time.Minute, "time limit of one suite")
	flag.BoolVar(&o.compile, "compile", false, "compile the suites and stop")
	flag.BoolVar(&o.record, "record", false, "after the run, write what passed into floors.txt and gaps/")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: conformance [flags] [SUITE… | all]\n"+
			"Without a name: every suite whose floor is above zero.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, os.Stdout, o, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, o options, names []string) (ok bool, err error) {
	root, err := devserver.RepositoryRoot()
	if err != nil {
		return false, err
	}
	data := filepath.Join(root, "test", "conformance")
	floors, err := readFloors(filepath.Join(data, "floors.txt"))
	if err != nil {
		return false, err
	}
	chosen, err := choose(floors, names)
	if err != nil {
		return false, err
	}
	work, err := os.MkdirTemp("", "kagiban-conformance-")
	if err != nil {
		return false, fmt.Errorf("making a work folder: %w", err)
	}
	defer os.RemoveAll(work)
	r := &runner{options: o, moduleDir: filepath.Join(root, "test", "sdk"), work: work}
	if err := r.compileAll(ctx, chosen); err != nil || o.compile {
		return err == nil, err
	}
	if r.binary, err = devserver.Binary(ctx, work); err != nil {
		return false, err
	}
	verdicts := make([]*verdict, len(chosen))
	var wg sync.WaitGroup
	for i, f := range chosen {
		v := &verdict{floor: f}
		verdicts[i] = v
		if v.gaps, err = readGaps(filepath.Join(data, "gaps", f.suite+".txt")); err != nil {
			return false, err
		}
		wg.Go(func() {
			var err error
			if v.specs, v.missing, err = r.runSuite(ctx, f.suite); err != nil {
				v.fault("%v", err)
			}
			v.judge()
		})
	}
	wg.Wait()
	ok = report(w, verdicts, o.all)
	if o.record {
		return ok, record(data, verdicts)
	}
	return ok, nil
}

// choose picks the suites to run, in the order of the floors file.
func choose(floors []floor, names []string) ([]floor, error) {
	wanted := map[string]bool{}
	for _, n := range names {
		if n != "all" {
			if _, err := findSuite(n); err != nil {
				return nil, err
			}
		}
		wanted[n] = true
	}
	var chosen []floor
	for _, f := range floors {
		if _, err := findSuite(f.suite); err != nil {
			return nil, fmt.Errorf("floors.txt: %w", err)
		}
		if wanted["all"] || wanted[f.suite] || len(names) == 0 && f.min > 0 {
			chosen = append(chosen, f)
		}
		delete(wanted, f.suite)
	}
	delete(wanted, "all")
	for n := range wanted {
		return nil, fmt.Errorf("suite %s has no line in floors.txt", n)
	}
	if len(chosen) == 0 {
		return nil, errors.New("no suite to run")
	}
	return chosen, nil
}

// report prints details, a table, and one closing line per suite; it says
// whether every suite reached its floor.
func report(w io.Writer, verdicts []*verdict, all bool) bool {
	ok := true
	for _, v := range verdicts {
		fmt.Fprintf(w, "%s\n", v.floor.suite)
		v.details(w, all)
		ok = ok && len(v.faults) == 0
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SUITE\tSPECS\tPASSED\tFAILED\tSKIPPED\tKNOWN GAPS\tFLOOR\tRESULT")
	for _, v := range verdicts {
		var n [3]int
		for _, s := range v.specs {
			n[s.outcome]++
		}
		result := "ok"
		if len(v.faults) > 0 {
			result = "FAIL"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n",
			v.floor.suite, len(v.specs), n[passed], n[failed], n[skipped], len(v.gaps), v.floor.min, result)
	}
	_ = table.Flush() // w is standard output or a buffer
	fmt.Fprintln(w)
	for _, v := range verdicts {
		fmt.Fprintf(w, "%s: %d of %d passed (floor %d)\n", v.floor.suite, v.passed(), v.floor.total, v.floor.min)
	}
	return ok
}

func indent(text string) string {
	return "      " + strings.ReplaceAll(text, "\n", "\n      ")
}
