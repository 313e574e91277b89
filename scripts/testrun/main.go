// Command testrun runs the repository's checks and tests side by side in two
// lanes and counts what they say. scripts/test builds and starts it; it expects
// the tools that scripts/install-needs installs and a database in
// KAGIBAN_TEST_PG.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

// lanes run side by side, the steps of one lane one after another. The first
// keeps the compiler busy; the second mostly waits for servers and clients.
func lanes(quick bool) [][]step {
	format := step{name: "format", help: "gofmt", run: stepFormat}
	vet := step{name: "vet", help: "go vet, all modules", run: stepVet}
	build := step{name: "build", help: "build kagiban", run: stepBuild}
	tests := step{name: "go-tests", help: "tests of the product's module", run: stepGoTests}
	sdk := step{name: "sdk", help: "IBM's Go SDK and authenticators against kagiban dev", run: stepSDK, needs: "build"}
	if quick {
		return [][]step{{format, vet, build, tests, sdk}}
	}
	return [][]step{
		{
			format, vet, tests,
			{name: "lint", help: "the linters of .golangci.yml, all modules", run: stepLint},
			{name: "fuzz", help: "a few seconds for every fuzz target", run: stepFuzz},
			{name: "govulncheck", help: "known vulnerabilities, where the data can be had", run: stepVulncheck},
		},
		{
			build,
			{name: "conformance", help: "IBM's official Go suites (test/conformance/run)", run: stepConformance, needs: "build"},
			{name: "conformance-pg", help: "the quick ones of these suites on PostgreSQL", run: stepConformancePG},
			sdk,
			{name: "node", help: "IBM's Node SDK against kagiban dev", run: stepNode, needs: "build"},
		},
	}
}

func main() {
	quick := flag.Bool("quick", false, "formatting, vet and Go tests only, without the race detector")
	only := flag.String("only", "", "run only these `steps` (comma-separated)")
	flag.Usage = usage
	flag.Parse()
	packages := flag.Args()
	for _, p := range packages {
		if !strings.HasPrefix(p, "./") {
			fmt.Fprintf(os.Stderr, "testrun: %s is no package: write it like ./internal/policy, or ./internal/...\n", p)
			os.Exit(2)
		}
	}
	if len(packages) > 0 && *only == "" {
		*only = "go-tests"
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, *quick, *only, packages)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func usage() {
	fmt.Println("usage: scripts/test [--quick] [--only STEP,…] [PACKAGE…]\n\nWith packages (./internal/policy, ./internal/...) only their Go tests run.\n\nsteps:")
	table := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
	for _, lane := range lanes(false) {
		for _, s := range lane {
			fmt.Fprintf(table, "  %s\t%s\n", s.name, s.help)
		}
	}
	_ = table.Flush() // to standard output
}

func run(ctx context.Context, quick bool, only string, packages []string) (ok bool, err error) {
	start := time.Now()
	chosen, err := selectSteps(lanes(quick), only)
	if err != nil {
		return false, err
	}
	shared, err := newEnv(!quick)
	if err != nil {
		return false, err
	}
	var (
		mu      sync.Mutex // guards what follows and standard output
		results []result
		wg      sync.WaitGroup
	)
	shared.packages = packages
	shared.show = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(line)
	}
	for _, lane := range chosen {
		wg.Go(func() {
			bad := map[string]bool{}
			for _, s := range lane {
				r := runStep(ctx, shared, s, bad[s.needs])
				bad[s.name] = r.err != nil
				mu.Lock()
				results = append(results, r)
				r.print(os.Stdout)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return summarize(os.Stdout, chosen, results, time.Since(start)), ctx.Err()
}

// selectSteps keeps the named steps and those that they need.
func selectSteps(all [][]step, only string) ([][]step, error) {
	if only == "" {
		return all, nil
	}
	byName := map[string]step{}
	for _, lane := range all {
		for _, s := range lane {
			byName[s.name] = s
		}
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		s, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("there is no step %q here; see scripts/test --help", name)
		}
		wanted[name] = true
		if s.needs != "" {
			wanted[s.needs] = true
		}
	}
	chosen := make([][]step, len(all))
	for i, lane := range all {
		for _, s := range lane {
			if wanted[s.name] {
				chosen[i] = append(chosen[i], s)
			}
		}
	}
	return chosen, nil
}

func newEnv(race bool) (env, error) {
	root, err := os.Getwd()
	if err != nil {
		return env{}, fmt.Errorf("finding the working folder: %w", err)
	}
	cache := os.Getenv("KAGIBAN_TEST_CACHE")
	if cache == "" {
		return env{}, errors.New("KAGIBAN_TEST_CACHE is not set; start this through scripts/test")
	}
	allowed, err := readAllowedSkips(filepath.Join(root, "scripts", "allowed-skips.txt"))
	if err != nil {
		return env{}, err
	}
	return env{
		root: root, cache: cache, modules: []string{".", "test/sdk"},
		ci: os.Getenv("CI") != "", race: race, allowed: allowed,
	}, nil
}

// runStep runs one step with a log and notes of its own.
func runStep(ctx context.Context, shared env, s step, blocked bool) result {
	r := result{name: s.name}
	if blocked {
		r.failed, r.err = 1, fmt.Errorf("not run: step %s failed", s.needs)
		return r
	}
	if err := ctx.Err(); err != nil {
		r.failed, r.err = 1, fmt.Errorf("not run: %w", err)
		return r
	}
	var log bytes.Buffer
	e := shared
	e.log, e.notes = &log, &r.notes
	start := time.Now()
	r.counts, r.err = s.run(ctx, &e)
	r.took, r.log = time.Since(start), log.String()
	if r.err != nil && r.failed == 0 {
		r.failed = 1
	}
	return r
}
