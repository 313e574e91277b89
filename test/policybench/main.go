// Policybench measures the policy engine beside cedar-go and casbin on the same
// policies and the same requests, in one run. The engines take turns, so that
// noise of the machine meets all of them, and the ratios are medians over the
// rounds. Ratios carry from machine to machine, times do not.
//
// It exits with 1 when the engine is less than -factor times as fast as
// cedar-go with its candidates picked out beforehand.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
)

func main() {
	sizes := flag.String("sizes", "1000,10000,100000", "policies in the account, separated by commas")
	rounds := flag.Int("rounds", 3, "rounds in which the engines take turns")
	span := flag.Duration("span", 300*time.Millisecond, "how long an engine runs in a round")
	factor := flag.Float64("factor", 10, "least factor to cedar-go with candidates picked out")
	flag.Parse()
	ok := true
	fmt.Printf("%-9s %-28s %12s %10s %12s %10s\n", "policies", "engine", "ns/decision", "ratio", "B/decision", "heap MB")
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			fmt.Fprintln(os.Stderr, "policybench: reading sizes:", err)
			os.Exit(2)
		}
		if !compare(n, *rounds, *span, *factor) {
			ok = false
		}
	}
	if !ok {
		os.Exit(1)
	}
}

// engine answers the i-th request of a run.
type engine interface {
	name() string
	decide(i int) bool
}

// requestCount is the number of different requests of a run.
const requestCount = 1 << 12

// compare measures the engines on an account of n policies and reports whether
// the factor is kept.
func compare(n, rounds int, span time.Duration, factor float64) bool {
	a := policytest.New(n)
	requests := a.Requests(requestCount)
	engines, heaps := build(a, requests)
	times := make([][]float64, len(engines))
	bytes := make([]float64, len(engines))
	for range rounds {
		for i, e := range engines {
			perDecision, allocated := measure(e, span)
			times[i] = append(times[i], perDecision)
			bytes[i] = allocated
		}
	}
	ok := true
	for i, e := range engines {
		ratios := make([]float64, rounds)
		for r := range rounds {
			ratios[r] = times[i][r] / times[0][r]
		}
		fmt.Printf("%-9d %-28s %12.0f %10.1f %12.0f %10.0f\n", n, e.name(), median(times[i]), median(ratios), bytes[i], heaps[i])
		if _, cedar := e.(*cedarGroups); cedar && median(ratios) < factor {
			ok = false
		}
	}
	return ok
}

// build makes the engines one after the other and notes the heap that each
// takes.
func build(a *policytest.Account, requests []policy.Request) ([]engine, []float64) {
	makers := []func() engine{
		func() engine { return newOwn(a, requests) },
		func() engine { return newCedarGroups(a, requests) },
		func() engine { return newCasbin(a, requests) },
	}
	var engines []engine
	var heaps []float64
	before := heap()
	for _, m := range makers {
		engines = append(engines, m())
		after := heap()
		heaps = append(heaps, float64(after-before)/1e6)
		before = after
	}
	return engines, heaps
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// measure runs an engine for at least span and gives nanoseconds and allocated
// bytes per decision.
func measure(e engine, span time.Duration) (perDecision, allocated float64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	count := 0
	for time.Since(start) < span {
		// The clock costs as much as a tenth of a decision, so look rarely;
		// slow engines are stopped after each.
		for range 64 {
			e.decide(count & (requestCount - 1))
			count++
			if count < 64 && time.Since(start) > span {
				break
			}
		}
	}
	elapsed := time.Since(start)
	runtime.ReadMemStats(&after)
	return float64(elapsed.Nanoseconds()) / float64(count), float64(after.TotalAlloc-before.TotalAlloc) / float64(count)
}

func median(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}

// own is the engine of this project.
type own struct {
	snapshot *policy.Snapshot
	requests []policy.Request
}

func newOwn(a *policytest.Account, requests []policy.Request) *own {
	return &own{policy.NewSnapshot(a.Input), requests}
}

func (o *own) name() string      { return "kagiban" }
func (o *own) decide(i int) bool { return policy.Decide(o.snapshot, &o.requests[i]).Allowed }
