package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strings"
)

// counts are the results of one step. A test that has subtests is not counted
// itself, unless it failed and none of them did.
type counts struct {
	passed, failed, skipped int
}

func (c *counts) add(d counts) {
	c.passed += d.passed
	c.failed += d.failed
	c.skipped += d.skipped
}

// testID names a Go test. Test is empty for what concerns the whole package.
type testID struct{ Package, Test string }

func (t testID) String() string { return strings.TrimSpace(t.Package + " " + t.Test) }

// goResults is what a stream of `go test -json` says.
type goResults struct {
	counts
	failures []failure
	skips    []failure // tests that were skipped, with their output
}

type failure struct {
	id     testID
	output string
}

// event is one line of `go test -json` (see `go doc test2json`), with the build
// events that `go test` mixes in.
type event struct {
	Action, Package, ImportPath, Test, Output, FailedBuild string
	Elapsed                                                float64 // seconds
}

// parseGoTest reads `go test -json` output and shows a line for each package
// that is done. Lines that are no JSON (the go command's own messages) are kept
// as output of a failure without a package.
func parseGoTest(r io.Reader, show func(string)) (goResults, error) {
	p := &goParser{
		show:    show,
		outcome: map[testID]string{},
		output:  map[testID]*strings.Builder{},
		builds:  map[string]*strings.Builder{},
		parents: map[testID]bool{},
	}
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			p.line(line)
		}
		if err == io.EOF {
			return p.results(), nil
		}
		if err != nil {
			return goResults{}, fmt.Errorf("reading test output: %w", err)
		}
	}
}

type goParser struct {
	show    func(string)
	done    int // packages so far
	outcome map[testID]string
	output  map[testID]*strings.Builder
	builds  map[string]*strings.Builder // by import path
	parents map[testID]bool
	failed  []event // failed packages
	stray   strings.Builder
}

func (p *goParser) line(line string) {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil {
		p.stray.WriteString(line)
		return
	}
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "output":
		builder(p.output, id).WriteString(e.Output)
	case "build-output":
		builder(p.builds, e.ImportPath).WriteString(e.Output)
	case "run":
		p.outcome[id] = "unfinished" // what a crash or a timeout leaves behind
		for name := e.Test; ; {
			i := strings.LastIndexByte(name, '/')
			if i < 0 {
				break
			}
			name = name[:i]
			p.parents[testID{e.Package, name}] = true
		}
	case "pass", "skip":
		if e.Test != "" {
			p.outcome[id] = e.Action
		} else {
			p.finished(e)
		}
	case "fail":
		if e.Test != "" {
			p.outcome[id] = e.Action
		} else {
			p.failed = append(p.failed, e)
			p.finished(e)
		}
	}
}

// finished shows a package that had tests, or failed.
func (p *goParser) finished(e event) {
	p.done++
	if p.show == nil || e.Action == "skip" {
		return
	}
	line := fmt.Sprintf("  %-4s %6.1f s  %s", e.Action, e.Elapsed, e.Package)
	if e.Action == "fail" {
		line += p.seed(e.Package)
	}
	p.show(line)
}

// seed says with which flag the tests of a package run in the same order again.
func (p *goParser) seed(pkg string) string {
	if m := shuffleLine.FindStringSubmatch(p.text(testID{Package: pkg})); m != nil {
		return " (the same order: go test -shuffle=" + m[1] + ")"
	}
	return ""
}

var shuffleLine = regexp.MustCompile(`(?m)^-test\.shuffle (\d+)$`)

func builder[K comparable](m map[K]*strings.Builder, key K) *strings.Builder {
	b := m[key]
	if b == nil {
		b = &strings.Builder{}
		m[key] = b
	}
	return b
}

func (p *goParser) results() goResults {
	var r goResults
	failedTests := map[string]bool{} // packages with a failed test
	failedBelow := map[testID]bool{} // parents whose failure is a subtest's
	ids := make([]testID, 0, len(p.outcome))
	for id, outcome := range p.outcome {
		ids = append(ids, id)
		if outcome != "fail" && outcome != "unfinished" {
			continue
		}
		failedTests[id.Package] = true
		if i := strings.LastIndexByte(id.Test, '/'); i >= 0 {
			failedBelow[testID{id.Package, id.Test[:i]}] = true
		}
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i].String() < ids[j].String() })
	for _, id := range ids {
		f := failure{id, p.text(id)}
		switch p.outcome[id] {
		case "pass":
			if !p.parents[id] {
				r.passed++
			}
		case "skip":
			if !p.parents[id] {
				r.skipped++
				r.skips = append(r.skips, f)
			}
		default:
			if !failedBelow[id] {
				r.failed++
				r.failures = append(r.failures, f)
			}
		}
	}
	for _, e := range p.failed {
		if failedTests[e.Package] && e.FailedBuild == "" {
			continue
		}
		text := p.text(testID{Package: e.Package})
		if b := p.builds[e.FailedBuild]; b != nil {
			text = b.String() + text
		}
		r.failed++
		r.failures = append(r.failures, failure{testID{Package: e.Package}, text})
	}
	if text := p.stray.String(); text != "" && len(p.outcome) == 0 {
		r.failed++
		r.failures = append(r.failures, failure{output: text})
	}
	return r
}

func (p *goParser) text(id testID) string {
	if b := p.output[id]; b != nil {
		return b.String()
	}
	return ""
}
