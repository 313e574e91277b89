// Package devserver builds the kagiban binary and runs `kagiban dev` for a
// test, on a free loopback port, until the test is over. It knows processes and
// the environment file; it knows nothing of the API behind the URL.
package devserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readyTimeout bounds the wait for the environment file. A start takes under
// 250 ms; the rest is room for a machine that compiles beside us.
const readyTimeout = 60 * time.Second

// Server is one running `kagiban dev`.
type Server struct {
	// Env holds what the server wrote to its environment file, for example
	// KAGIBAN_URL and KAGIBAN_APIKEY.
	Env map[string]string

	dir  string
	cmd  *exec.Cmd
	log  *lockedBuffer
	done chan struct{}
}

// Binary returns the path of a kagiban binary: the one that KAGIBAN_BIN names,
// or else a fresh build placed into dir.
func Binary(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("KAGIBAN_BIN"); path != "" {
		return filepath.Abs(path)
	}
	root, err := RepositoryRoot()
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "kagiban")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, "./cmd/kagiban")
	cmd.Dir = root
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building kagiban: %w\n%s", err, text)
	}
	return out, nil
}

// RepositoryRoot finds the folder of the product's go.mod above the working
// folder.
func RepositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working folder: %w", err)
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(text, []byte("module github.com/kagiban/kagiban\n")) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the repository: no go.mod of github.com/kagiban/kagiban above the working folder")
		}
		dir = parent
	}
}

// Start runs binary as `kagiban dev` with its files in a temporary folder and
// returns when the environment file is there. The caller must call Stop.
func Start(ctx context.Context, binary string) (*Server, error) {
	dir, err := os.MkdirTemp("", "kagiban-dev-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the server: %w", err)
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	envFile := filepath.Join(dir, "demo.env")
	s := &Server{dir: dir, log: &lockedBuffer{}, done: make(chan struct{})}
	s.cmd = exec.Command(binary, "dev", "--listen", addr, "--env-file", envFile)
	s.cmd.Dir = dir
	s.cmd.Env = cleanEnvironment(os.Environ())
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting kagiban dev: %w", err)
	}
	go func() {
		_ = s.cmd.Wait() // the exit status is in cmd.ProcessState
		close(s.done)
	}()
	if err := s.waitReady(ctx, envFile); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) waitReady(ctx context.Context, envFile string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return fmt.Errorf("kagiban dev ended (%s) before it was ready:\n%s", s.cmd.ProcessState, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("kagiban dev wrote no environment file: %w\n%s", ctx.Err(), s.Log())
		case <-tick.C:
		}
		env, err := ReadEnvFile(envFile)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if env["KAGIBAN_URL"] == "" || env["KAGIBAN_APIKEY"] == "" {
			return errors.New("kagiban dev wrote an environment file without KAGIBAN_URL or KAGIBAN_APIKEY")
		}
		s.Env = env
		return nil
	}
}

// Log returns what the server has printed so far.
func (s *Server) Log() string { return s.log.String() }

// Crash returns the part of the log that starts with a data race (of a binary
// built with -race) or with an unrecovered panic; it is empty when all is well.
// Call it after Stop.
func (s *Server) Crash() string {
	log := s.Log()
	for _, mark := range []string{"WARNING: DATA RACE", "fatal error: ", "panic: "} {
		if i := strings.Index(log, mark); i >= 0 {
			return log[i:]
		}
	}
	return ""
}

// Stop ends the server, asking first and insisting after five seconds, and
// removes its files. It may be called more than once.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	select {
	case <-s.done:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	_ = os.RemoveAll(s.dir) // a leftover in the temporary folder hurts nobody
}

// ReadEnvFile parses KEY=VALUE lines: no quoting, no expansion. Empty lines and
// lines that start with # are passed over.
func ReadEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading environment file: %w", err)
	}
	env := map[string]string{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("reading environment file: line %d is not KEY=VALUE", i+1)
		}
		env[key] = value
	}
	return env, nil
}

// freeAddress picks a loopback port that is free now. Another process may take
// it before the server does; the start then fails with a clear log.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("freeing the port: %w", err)
	}
	return addr, nil
}

// cleanEnvironment drops KAGIBAN_ variables: every setting of the server can be
// given by one, and the developer's own must not change a test.
func cleanEnvironment(environ []string) []string {
	kept := make([]string, 0, len(environ))
	for _, kv := range environ {
		if !strings.HasPrefix(kv, "KAGIBAN_") {
			kept = append(kept, kv)
		}
	}
	return kept
}

type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
