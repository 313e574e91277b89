package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/kagiban/kagiban/test/sdk/contract"
	"github.com/kagiban/kagiban/test/sdk/devserver"
)

// runner compiles and runs suites; every process that it starts ends with it.
type runner struct {
	options
	moduleDir string // folder of the module that requires the SDK
	work      string // temporary folder
	binary    string // kagiban
}

// compileAll compiles the suites one after another: the compiler uses every
// core by itself.
func (r *runner) compileAll(ctx context.Context, chosen []floor) error {
	for _, f := range chosen {
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "integration",
			"-o", r.suiteBinary(f.suite), sdkModule+f.suite)
		cmd.Dir = r.moduleDir
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("compiling suite %s: %w\n%s", f.suite, err, text)
		}
	}
	return nil
}

func (r *runner) suiteBinary(name string) string {
	return filepath.Join(r.work, name+".test")
}

// runSuite runs one suite against a server of its own, whose answers are
// compared with its OpenAPI document as well. missing names what the
// suite is configured with and the server did not give.
func (r *runner) runSuite(ctx context.Context, name string) (specs []spec, missing []string, err error) {
	s, err := findSuite(name)
	if err != nil {
		return nil, nil, err
	}
	// The suite looks for its file one folder above its working folder.
	dir := filepath.Join(r.work, name)
	inside := filepath.Join(dir, "run")
	if err := os.MkdirAll(inside, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the suite's folder: %w", err)
	}
	server, err := devserver.Start(ctx, r.binary)
	if err != nil {
		return nil, nil, err
	}
	defer server.Stop()
	watch, err := watchServer(ctx, server)
	if err != nil {
		return nil, nil, err
	}
	defer watch.Close()
	text, missing := s.configuration(watch.env)
	if err := os.WriteFile(filepath.Join(dir, s.file), []byte(text), 0o600); err != nil {
		return nil, nil, fmt.Errorf("writing the suite's configuration: %w", err)
	}
	reportFile := filepath.Join(dir, "junit.xml")
	output, runErr := r.execute(ctx, name, inside, reportFile)
	watch.Close()
	server.Stop()
	if r.keep != "" {
		if err := r.keepFiles(name, output, reportFile, server.Log()); err != nil {
			return nil, nil, err
		}
	}
	report, err := os.ReadFile(reportFile)
	if err != nil {
		return nil, nil, fmt.Errorf("the suite wrote no report (%w); its output ends:\n%s", runErr, tail(output))
	}
	if specs, err = parseReport(report); err != nil {
		return nil, missing, err
	}
	if crash := server.Crash(); crash != "" {
		return specs, missing, fmt.Errorf("the server is broken: %s", crash)
	}
	if faults := watch.checker.Faults(); len(faults) > 0 {
		return specs, missing, fmt.Errorf("the server does not keep to its OpenAPI document:\n%s", strings.Join(faults, "\n"))
	}
	return specs, missing, nil
}

// watched is a proxy in front of a server that compares all traffic with the
// server's OpenAPI document.
type watched struct {
	*http.Server
	env     map[string]string // the server's, with the proxy's URL
	checker *contract.Checker
}

func watchServer(ctx context.Context, server *devserver.Server) (*watched, error) {
	target, err := url.Parse(server.Env["KAGIBAN_URL"])
	if err != nil {
		return nil, fmt.Errorf("reading the server's URL: %w", err)
	}
	w := &watched{env: maps.Clone(server.Env)}
	if w.checker, err = contract.New(ctx, target.String()); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the suite: %w", err)
	}
	w.env["KAGIBAN_URL"] = "http://" + listener.Addr().String()
	w.Server = &http.Server{Handler: &httputil.ReverseProxy{
		Transport: w.checker, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}}
	go func() { _ = w.Serve(listener) }() // until Close
	return w, nil
}

// execute runs the compiled suite. Its exit status is not its verdict: known
// gaps make it fail, and a suite without configuration skips everything and
// succeeds.
func (r *runner) execute(ctx context.Context, name, dir, reportFile string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.suiteBinary(name),
		"-test.timeout", r.timeout.String(),
		"-ginkgo.v", "-ginkgo.noColor", "-ginkgo.focus", focus, "-ginkgo.reportFile", reportFile)
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	return output, err
}

func (r *runner) keepFiles(name string, output []byte, reportFile, serverLog string) error {
	if err := os.MkdirAll(r.keep, 0o700); err != nil {
		return fmt.Errorf("making the folder for logs: %w", err)
	}
	report, _ := os.ReadFile(reportFile) // absent when the suite died
	for ext, text := range map[string][]byte{".log": output, ".xml": report, ".server.log": []byte(serverLog)} {
		if err := os.WriteFile(filepath.Join(r.keep, name+ext), text, 0o600); err != nil {
			return fmt.Errorf("keeping logs: %w", err)
		}
	}
	return nil
}

func tail(output []byte) string {
	const lines = 30
	all := strings.Split(strings.TrimSpace(string(output)), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return strings.Join(all, "\n")
}
