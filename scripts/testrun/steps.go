package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	linterModule = "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0"
	fuzzBudget   = 2 * time.Minute
)

// step is one line of the summary.
type step struct {
	name string
	help string
	run  func(context.Context, *env) (counts, error)
	// needs names a step of the same lane without which this one is pointless.
	needs string
}

// env is what the steps share.
type env struct {
	root    string   // the repository
	cache   string   // folder outside of the repository
	modules []string // folders with a go.mod, relative to root, root first
	ci      bool
	race    bool
	allowed allowedSkips
	// packages restrict the Go tests; empty stands for all.
	packages []string
	show     func(line string) // prints a line at once; safe for concurrent use
	log      *bytes.Buffer     // of the running step
	notes    *[]string         // lines for the summary
}

func (e *env) note(format string, args ...any) {
	*e.notes = append(*e.notes, fmt.Sprintf(format, args...))
}

func (e *env) printf(format string, args ...any) { fmt.Fprintf(e.log, format, args...) }

func (e *env) kagiban() string { return filepath.Join(e.cache, "bin", "kagiban") }

// command runs a program in a folder of the repository and adds its output to
// the step's log.
func (e *env) command(ctx context.Context, dir string, args ...string) error {
	_, err := e.output(ctx, dir, args...)
	return err
}

func (e *env) output(ctx context.Context, dir string, args ...string) ([]byte, error) {
	var text bytes.Buffer
	err := e.stream(ctx, dir, io.MultiWriter(&text, e.log), args...)
	return text.Bytes(), err
}

// stream runs a program in a folder of the repository; its output goes to w as
// it comes.
func (e *env) stream(ctx context.Context, dir string, w io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = filepath.Join(e.root, dir)
	cmd.Env = append(os.Environ(), "KAGIBAN_BIN="+e.kagiban())
	// A process group of its own, so that an interrupted run ends all that the
	// program started: `go test` leaves its test binaries behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s (in ./%s): %w", strings.Join(args, " "), dir, err)
	}
	return nil
}

// check counts a step that is one yes or no.
func check(err error) (counts, error) {
	if err != nil {
		return counts{failed: 1}, err
	}
	return counts{passed: 1}, nil
}

func stepFormat(ctx context.Context, e *env) (counts, error) {
	out, err := e.output(ctx, ".", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.go")
	e.log.Reset()
	if err != nil {
		return check(err)
	}
	args := []string{"gofmt", "-l"}
	for f := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if isFile(filepath.Join(e.root, f)) { // git knows it until its removal is committed
			args = append(args, f)
		}
	}
	out, err = e.output(ctx, ".", args...)
	if err == nil && len(out) > 0 {
		err = errors.New("these files are not formatted; run gofmt -w on them")
	}
	return check(err)
}

func stepVet(ctx context.Context, e *env) (counts, error) {
	return e.eachModule(ctx, "go", "vet", "./...")
}

// stepLint runs the linters of .golangci.yml, all in one program that reads the
// code once.
func stepLint(ctx context.Context, e *env) (counts, error) {
	return e.eachModule(ctx, "go", "run", linterModule, "run", "--config", filepath.Join(e.root, ".golangci.yml"), "./...")
}

func (e *env) eachModule(ctx context.Context, args ...string) (counts, error) {
	var errs []error
	for _, dir := range e.modules {
		errs = append(errs, e.command(ctx, dir, args...))
	}
	return check(errors.Join(errs...))
}

// stepVulncheck is skipped where the tool or its data cannot be had; the README
// lists it for that.
func stepVulncheck(ctx context.Context, e *env) (counts, error) {
	if _, err := exec.LookPath("govulncheck"); err != nil {
		e.note("govulncheck is not installed here: not run")
		return counts{skipped: 1}, nil
	}
	const found = 3 // govulncheck's exit status when it has findings
	err := e.command(ctx, ".", "govulncheck", "./...")
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != found) {
		e.note("govulncheck cannot reach its data here: not run")
		return counts{skipped: 1}, nil
	}
	return check(err)
}

func stepGoTests(ctx context.Context, e *env) (counts, error) {
	return e.goTest(ctx, ".")
}

func stepSDK(ctx context.Context, e *env) (counts, error) {
	own := *e
	own.packages = nil
	return own.goTest(ctx, "test/sdk")
}

// goTest runs the tests of the module in dir, each package's in an order drawn
// anew, shows every package when it is done, and counts the tests one by one.
func (e *env) goTest(ctx context.Context, dir string) (counts, error) {
	args := []string{"go", "test", "-json", "-timeout", "15m", "-shuffle=on"}
	if e.race {
		args = append(args, "-race", "-count=1")
	}
	if len(e.packages) > 0 {
		args = append(args, e.packages...)
	} else {
		args = append(args, "./...")
	}
	out, in := io.Pipe() // the JSON stream is for us, not for the reader
	var runErr error
	go func() {
		runErr = e.stream(ctx, dir, in, args...)
		in.Close() // of a pipe it gives no error
	}()
	r, err := parseGoTest(out, e.show)
	if err != nil {
		return check(err)
	}
	if e.ci {
		r.judgeSkips(e.allowed)
	}
	for _, s := range r.skips {
		e.note("skipped: %s: %s", s.id, e.allowed.reason(s))
	}
	for _, f := range r.failures {
		e.printf("--- FAILED %s\n%s\n", f.id, ending(strings.TrimSpace(f.output), maxFailure))
	}
	for _, f := range r.failures {
		e.printf("failed: %s\n", f.id)
	}
	switch {
	case r.failed > 0:
		return r.counts, fmt.Errorf("%d tests failed", r.failed)
	case runErr != nil:
		r.failed++
		return r.counts, runErr
	case r.passed == 0:
		return counts{failed: 1}, errors.New("no test ran")
	}
	return r.counts, nil
}

// stepFuzz gives every fuzz target a few seconds, one after another: each uses
// all cores. A package's targets are in one program, which is linked once.
func stepFuzz(ctx context.Context, e *env) (counts, error) {
	var c counts
	for _, module := range e.modules {
		targets, err := findFuzzTargets(filepath.Join(e.root, module))
		if err != nil {
			return check(err)
		}
		each := fuzzTime(len(targets), fuzzBudget)
		program, built := filepath.Join(e.cache, "bin", "fuzz.test"), ""
		for _, t := range targets {
			if built != t.dir {
				if err := e.command(ctx, module, "go", "test", "-c", "-o", program, "-fuzz", "^Fuzz", t.dir); err != nil {
					return check(err)
				}
				built = t.dir
			}
			out, err := e.output(ctx, filepath.Join(module, t.dir), program, "-test.run", "^$", "-test.fuzz", "^"+t.name+"$",
				"-test.fuzztime", each.String(), "-test.fuzzminimizetime", "5s", "-test.parallel", "2",
				"-test.fuzzcachedir", filepath.Join(e.cache, "fuzz", module, t.dir))
			if err != nil && !stoppedLate(out) {
				e.printf("--- FAILED %s in %s: %v\n", t.name, t.dir, err)
				c.failed++
				continue
			}
			c.passed++
		}
	}
	if c.failed > 0 {
		return c, fmt.Errorf("%d fuzz targets failed", c.failed)
	}
	return c, nil
}

func stepBuild(ctx context.Context, e *env) (counts, error) {
	args := []string{"go", "build", "-o", e.kagiban()}
	if e.race {
		args = append(args, "-race") // real clients then look for races too
	}
	return check(e.command(ctx, ".", append(args, "./cmd/kagiban")...))
}

// node is the Node.js that scripts/install-needs fetched where the system's is
// too old. Only the tests run on it: npm stays with the system's, whose
// certificates and settings it was made for.
func (e *env) node() string {
	if own := filepath.Join(e.cache, "node", "bin", "node"); isFile(own) {
		return own
	}
	return "node"
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var nodeLine = regexp.MustCompile(`(?m)^# (pass|fail|cancelled|skipped|todo) (\d+)$`)

func stepNode(ctx context.Context, e *env) (counts, error) {
	const dir = "test/sdk/node"
	if err := e.command(ctx, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"); err != nil {
		return check(err)
	}
	e.log.Reset()
	out, err := e.output(ctx, dir, e.node(), "--test", "--test-reporter=tap")
	var c counts
	for _, m := range nodeLine.FindAllSubmatch(out, -1) {
		n, _ := strconv.Atoi(string(m[2])) // the pattern allows digits only
		switch string(m[1]) {
		case "pass":
			c.passed += n
		case "fail", "cancelled":
			c.failed += n
		case "skipped", "todo":
			if e.ci {
				c.failed += n
			} else {
				c.skipped += n
			}
		}
	}
	if err == nil && c.failed > 0 {
		err = fmt.Errorf("%d Node tests did not pass", c.failed)
	}
	if err == nil && c.passed == 0 {
		err = errors.New("no Node test ran")
	}
	if err != nil && c.failed == 0 {
		c.failed = 1
	}
	return c, err
}
