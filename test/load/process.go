package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

// startTimeout bounds the wait for a server under test.
const startTimeout = 30 * time.Second

// process is a server that this program started.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	log  *os.File // what it says on standard error; it has no name any more
}

// said gives the beginning of what the process has written. Read it after done.
func (p *process) said() []byte {
	text := make([]byte, 64<<10)
	n, _ := p.log.ReadAt(text, 0) // at the end of the file n says it
	return text[:n]
}

// forget drops what the process has written, so that a server with one line for
// each request does not fill the disk.
func (p *process) forget() error { return p.log.Truncate(0) }

// newLog opens a file without a name. A pipe would make this program read every
// line: a server under test would be measured together with its reader.
func newLog() (*os.File, error) {
	f, err := os.CreateTemp("", "kagiban-load-log-")
	if err != nil {
		return nil, fmt.Errorf("making a log: %w", err)
	}
	name := f.Name()
	f.Close()
	f, err = os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0o600)
	return f, errors.Join(err, os.Remove(name))
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	log, err := newLog()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{}), log: log}
	cmd.Stderr = p.log
	if cmd.Stdout == nil {
		cmd.Stdout = p.log
	}
	if err := cmd.Start(); err != nil {
		p.log.Close()
		return nil, fmt.Errorf("starting %s: %w", filepath.Base(cmd.Path), err)
	}
	go func() {
		_ = cmd.Wait() // the exit status is in cmd.ProcessState
		close(p.done)
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// residentMB is the process's resident memory now, in MiB.
func (p *process) residentMB() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading memory: %w", err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("reading memory: no VmRSS")
}

// target is an endpoint under load.
type target struct {
	name    string // "product", "bare", "peer", "echo" or "opa"
	series  string // the algorithm of its tokens, or the size of its account
	process *process
	request request
	idleMB  float64
	loadMB  float64
}

// startPrinting starts a server that prints its URL as its first line.
func startPrinting(cmd *exec.Cmd) (*process, string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, "", fmt.Errorf("making a pipe: %w", err)
	}
	defer r.Close()
	cmd.Stdout = w
	p, err := startProcess(cmd)
	w.Close()
	if err != nil {
		return nil, "", err
	}
	if err := r.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		p.stop()
		return nil, "", fmt.Errorf("bounding the start: %w", err)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("starting %s: %w\n%s", strings.Join(cmd.Args, " "), err, p.said())
	}
	u, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("reading the server's URL: %w", err)
	}
	return p, u.Host, nil
}

// served is a server with its address.
type served struct {
	*process
	host string
}

// startSelf starts this program as one of the references.
func startSelf(args ...string) (*served, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	p, host, err := startPrinting(exec.Command(self, args...))
	if err != nil {
		return nil, err
	}
	return &served{p, host}, nil
}

// freeAddress finds a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func startBare(alg signing.Algorithm) (*target, error) {
	s, err := startSelf("-serve", string(alg))
	if err != nil {
		return nil, err
	}
	return newTarget("bare", alg, s.process, s.host, "/identity/token", "", apikeyForm("bare"))
}

func startPeer(node, dir string, alg signing.Algorithm) (*target, error) {
	cmd := exec.Command(node, "server.mjs", string(alg))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	p, host, err := startPrinting(cmd)
	if err != nil {
		return nil, err
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("load:load"))
	return newTarget("peer", alg, p, host, "/token", basic, "grant_type=client_credentials")
}

// product is a running kagiban dev.
type product struct {
	*process
	host, apikey, account string
	ready                 time.Duration // from the start to the first token
}

// startProduct runs kagiban dev, with its data in dir unless that is empty.
func startProduct(ctx context.Context, binary, dir string, alg signing.Algorithm) (*product, error) {
	tmp, err := os.MkdirTemp("", "kagiban-load-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	envFile := filepath.Join(tmp, "demo.env")
	args := []string{"dev", "--listen", addr, "--env-file", envFile, "--token-algorithm", string(alg)}
	if dir != "" {
		args = append(args, "--data", dir)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "KAGIBAN_") // the developer's settings are not the benchmark's
	})
	start := time.Now()
	p, err := startProcess(cmd)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for ctx.Err() == nil {
		if key := variableIn(envFile, "KAGIBAN_APIKEY"); key != "" {
			if _, err := firstToken(ctx, addr, key); err != nil {
				p.stop()
				return nil, fmt.Errorf("asking for the first token: %w", err)
			}
			return &product{p, addr, key, variableIn(envFile, "KAGIBAN_ACCOUNT_ID"), time.Since(start)}, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("kagiban dev ended (%s):\n%s", cmd.ProcessState, p.said())
		case <-time.After(time.Millisecond):
		}
	}
	p.stop()
	return nil, fmt.Errorf("kagiban dev was not ready: %w\n%s", ctx.Err(), p.said())
}

// variableIn returns a variable that the environment file holds, or nothing
// while the file is not there.
func variableIn(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, name+"="); ok {
			return value
		}
	}
	return ""
}

func apikeyForm(key string) string {
	return url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {key}}.Encode()
}

// firstToken asks once and returns the token.
func firstToken(ctx context.Context, addr, apikey string) (string, error) {
	r, err := newRequest(addr, "/identity/token", "", formType, apikeyForm(apikey))
	if err != nil {
		return "", err
	}
	return r.token(ctx)
}

// answers sends each of the first n texts once and returns the bodies.
func (r request) answers(ctx context.Context, n int) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := dial(ctx, r)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	out := make([][]byte, n)
	for i := range out {
		if _, err := c.Write(r.texts[i]); err != nil {
			return nil, fmt.Errorf("sending: %w", err)
		}
		status, body, err := readResponse(c.in, true)
		if err != nil {
			return nil, fmt.Errorf("receiving: %w", err)
		}
		if status != 200 {
			return nil, fmt.Errorf("status %d %s", status, body)
		}
		out[i] = body
	}
	return out, nil
}

// token sends the request once and returns the access token of the answer.
func (r request) token(ctx context.Context) (string, error) {
	bodies, err := r.answers(ctx, 1)
	if err != nil {
		return "", err
	}
	var answer bareAnswer
	if json.Unmarshal(bodies[0], &answer) != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("no token: %s", bodies[0])
	}
	return answer.AccessToken, nil
}

// newTarget checks that the server issues tokens of the wanted algorithm and
// takes its idle memory.
func newTarget(name string, alg signing.Algorithm, p *process, host, path, authorization, body string) (*target, error) {
	t := &target{name: name, series: string(alg), process: p}
	err := func() (err error) {
		if t.request, err = newRequest(host, path, authorization, formType, body); err != nil {
			return err
		}
		token, err := t.request.token(context.Background())
		if err != nil {
			return err
		}
		header, _, _ := strings.Cut(token, ".")
		text, err := base64.RawURLEncoding.DecodeString(header)
		if err != nil {
			return fmt.Errorf("decoding the token's header: %w", err)
		}
		var h struct{ Alg signing.Algorithm }
		if err := json.Unmarshal(text, &h); err != nil || h.Alg != alg {
			return fmt.Errorf("the token's header is %s, want algorithm %s", text, alg)
		}
		t.idleMB, err = p.residentMB()
		return err
	}()
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%s %s: %w", name, alg, err)
	}
	return t, nil
}
