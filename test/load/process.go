package main

import (
	"bufio"
	"bytes"
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
	log  bytes.Buffer // to be read after done
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = &p.log
	if cmd.Stdout == nil {
		cmd.Stdout = &p.log
	}
	if err := cmd.Start(); err != nil {
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

// target is a token endpoint under load.
type target struct {
	name    string // "product", "bare" or "peer"
	alg     signing.Algorithm
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
		return nil, "", fmt.Errorf("starting %s: %w\n%s", strings.Join(cmd.Args, " "), err, &p.log)
	}
	u, err := url.Parse(strings.TrimSpace(line))
	if err != nil {
		p.stop()
		return nil, "", fmt.Errorf("reading the server's URL: %w", err)
	}
	return p, u.Host, nil
}

func startBare(alg signing.Algorithm) (*target, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	p, host, err := startPrinting(exec.Command(self, "-serve-bare", string(alg)))
	if err != nil {
		return nil, err
	}
	return newTarget("bare", alg, p, host, "/identity/token", "", apikeyForm("bare"))
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
	host, apikey string
	ready        time.Duration // from the start to the first token
}

// startProduct runs kagiban dev, with its data in dir unless that is empty.
func startProduct(ctx context.Context, binary, dir string, alg signing.Algorithm) (*product, error) {
	tmp, err := os.MkdirTemp("", "kagiban-load-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	addr := l.Addr().String()
	l.Close()
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
		if key := apikeyIn(envFile); key != "" {
			if _, err := firstToken(ctx, addr, key); err != nil {
				p.stop()
				return nil, fmt.Errorf("asking for the first token: %w", err)
			}
			return &product{p, addr, key, time.Since(start)}, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("kagiban dev ended (%s):\n%s", cmd.ProcessState, &p.log)
		case <-time.After(time.Millisecond):
		}
	}
	p.stop()
	return nil, fmt.Errorf("kagiban dev was not ready: %w\n%s", ctx.Err(), &p.log)
}

// apikeyIn returns the API key that the environment file holds, or nothing
// while the file is not there.
func apikeyIn(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if key, ok := strings.CutPrefix(line, "KAGIBAN_APIKEY="); ok {
			return key
		}
	}
	return ""
}

func apikeyForm(key string) string {
	return url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {key}}.Encode()
}

// firstToken asks once and returns the token.
func firstToken(ctx context.Context, addr, apikey string) (string, error) {
	r, err := newRequest(addr, "/identity/token", "", apikeyForm(apikey))
	if err != nil {
		return "", err
	}
	return r.token(ctx)
}

// token sends the request once and returns the access token of the answer.
func (r request) token(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := dial(ctx, r)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write(r.text); err != nil {
		return "", fmt.Errorf("sending: %w", err)
	}
	status, body, err := readResponse(c.in, true)
	if err != nil {
		return "", fmt.Errorf("receiving: %w", err)
	}
	var answer bareAnswer
	if status != 200 || json.Unmarshal(body, &answer) != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("no token: status %d %s", status, body)
	}
	return answer.AccessToken, nil
}

// newTarget checks that the server issues tokens of the wanted algorithm and
// takes its idle memory.
func newTarget(name string, alg signing.Algorithm, p *process, host, path, authorization, body string) (*target, error) {
	t := &target{name: name, alg: alg, process: p}
	err := func() (err error) {
		if t.request, err = newRequest(host, path, authorization, body); err != nil {
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
