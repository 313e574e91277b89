package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

// inquiryCount is how many different questions are asked about an account.
const inquiryCount = 1 << 14

// checked is how many of them each server must answer rightly before it is
// measured.
const checked = 500

//go:embed authz.rego
var rego []byte

// measureAuthz lets the product, a bare echo (E) and the peer answer questions
// about accounts of each size in turns.
func measureAuthz(ctx context.Context, o options, progress io.Writer) (*results, error) {
	r := &results{samples: map[cell][]sample{}, first: map[string]time.Duration{}}
	dir, err := os.MkdirTemp("", "kagiban-load-authz-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	defer r.stopTargets()
	echo, err := startSelf("-serve", "echo")
	if err != nil {
		return nil, err
	}
	for _, n := range o.sizes {
		fmt.Fprintf(progress, "account of %d policies\n", n)
		if err := r.startSize(ctx, o, filepath.Join(dir, fmt.Sprint(n)), n, echo); err != nil {
			echo.stop()
			return nil, fmt.Errorf("%d policies: %w", n, err)
		}
	}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
		for i := range o.sizes {
			if err := r.round(ctx, o, fmt.Sprint(o.sizes[(i+round)%len(o.sizes)]), round); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// startSize starts the servers that know an account of n policies.
func (r *results) startSize(ctx context.Context, o options, dir string, n int, echo *served) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	first, err := startProduct(ctx, o.binary, dir, signing.ES256)
	if err != nil {
		return err
	}
	first.stop() // it has made the database
	s := newShape(first.account, n)
	if err := s.fill(ctx, dir); err != nil {
		return err
	}
	questions := s.inquiries(inquiryCount)
	var bodies, inputs []string
	for i := range questions {
		bodies, inputs = append(bodies, s.question(&questions[i])), append(inputs, s.opaInput(&questions[i]))
	}
	product, err := startProduct(ctx, o.binary, dir, signing.ES256)
	if err != nil {
		return err
	}
	token, err := firstToken(ctx, product.host, product.apikey)
	if err != nil {
		product.stop()
		return fmt.Errorf("asking for a token: %w", err)
	}
	began := time.Now()
	err = r.add(&target{name: "product", series: fmt.Sprint(n), process: product.process},
		product.host, "/v2/authz", "Bearer "+token, bodies, questions, func(body []byte) bool {
			if _, known := r.first[fmt.Sprint(n)]; !known {
				r.first[fmt.Sprint(n)] = time.Since(began)
			}
			return strings.Contains(string(body), `"permitted":true`)
		})
	if err != nil {
		return err
	}
	if err := r.add(&target{name: "echo", series: fmt.Sprint(n), process: echo.process}, echo.host, "/", "", bodies, nil, nil); err != nil {
		return err
	}
	if o.opa == "" {
		return nil
	}
	opa, err := startOPA(ctx, o.opa, dir, s)
	if err != nil {
		return err
	}
	return r.add(&target{name: "opa", series: fmt.Sprint(n), process: opa.process}, opa.host, "/v1/data/authz/allow", "", inputs, questions,
		func(body []byte) bool {
			var answer struct{ Result bool }
			return json.Unmarshal(body, &answer) == nil && answer.Result
		})
}

// add makes a server a target once its answers to the first questions are right.
func (r *results) add(t *target, host, path, authorization string, bodies []string, questions []inquiry,
	allowed func([]byte) bool) (err error) {
	r.targets = append(r.targets, t)
	if t.request, err = newRequest(host, path, authorization, jsonType, bodies...); err != nil {
		return err
	}
	answers, err := t.request.answers(context.Background(), min(checked, len(questions)))
	if err != nil {
		return fmt.Errorf("asking %s: %w", t.name, err)
	}
	for i, body := range answers {
		if got := allowed(body); got != questions[i].allowed {
			return fmt.Errorf("%s answers %s to %s, want %v", t.name, body, bodies[i], questions[i].allowed)
		}
	}
	if t.idleMB, err = t.process.residentMB(); err != nil {
		return err
	}
	return t.process.forget()
}

// startOPA starts the peer as fast as it gets: no line for each request, and a
// store made for reading.
func startOPA(ctx context.Context, binary, dir string, s *shape) (*served, error) {
	data, policy := filepath.Join(dir, "data.json"), filepath.Join(dir, "authz.rego")
	if err := s.writeOPA(data); err != nil {
		return nil, err
	}
	if err := os.WriteFile(policy, rego, 0o600); err != nil {
		return nil, fmt.Errorf("writing the peer's policy: %w", err)
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(exec.CommandContext(ctx, binary, "run", "--server", "--addr", addr, "--log-level", "error",
		"--skip-version-check", "--optimize-store-for-read-speed", policy, data))
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(startTimeout); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		answer, err := http.Get("http://" + addr + "/health")
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return &served{p, addr}, nil
		}
	}
	p.stop()
	return nil, fmt.Errorf("the peer was not ready in time:\n%s", p.said())
}

// authzLimits are the floors of decisions.
func (r *results) authzLimits(sizes []int) []limit {
	var out []limit
	ratio := func(name string, a, b cell, bound float64) {
		v, known := r.ratio(a, b)
		out = append(out, limit{name: fmt.Sprintf("%s at %d connections", name, gateConns), value: v, bound: bound, known: known})
	}
	product := func(n int) cell { return cell{fmt.Sprint(n), "product", gateConns} }
	for _, n := range sizes {
		ratio(fmt.Sprintf("%d policies, product/echo", n), product(n), cell{fmt.Sprint(n), "echo", gateConns}, 0.6)
		ratio(fmt.Sprintf("%d policies, product/opa", n), product(n), cell{fmt.Sprint(n), "opa", gateConns}, 2)
	}
	if small, large := sizes[0], sizes[len(sizes)-1]; small != large {
		ratio(fmt.Sprintf("%d policies/%d policies", large, small), product(large), product(small), 0.9)
	}
	return out
}

// printAuthz writes the tables of decisions and says whether every limit holds.
func (r *results) printAuthz(w io.Writer, o options) bool {
	fmt.Fprintf(w, "decisions over HTTP; medians of %d rounds of %s\n\n", o.rounds, o.duration)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "policies\tserver\tconnections\treq/s\tp50 ms\tp99 ms\tof echo\tof opa\t")
	for _, n := range o.sizes {
		for _, conns := range o.conns {
			for _, name := range []string{"echo", "product", "opa"} {
				r.printRow(table, cell{fmt.Sprint(n), name, conns}, []string{"echo", "opa"})
			}
		}
	}
	_ = table.Flush() // w is standard output or a buffer
	fmt.Fprintln(w)
	for _, t := range r.targets {
		fmt.Fprintf(w, "%-8s %6s  %5.1f MiB idle, %5.1f MiB after load\n", t.name, t.series, t.idleMB, t.loadMB)
	}
	for _, n := range o.sizes {
		fmt.Fprintf(w, "first decision about %d policies after %.2f s\n", n, r.first[fmt.Sprint(n)].Seconds())
	}
	fmt.Fprintln(w)
	return printLimits(w, r.authzLimits(o.sizes))
}
