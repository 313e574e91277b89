package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
)

var discard = slog.New(slog.DiscardHandler)

// safeBuffer is a log that may be written while it is read.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// server is a running App.
type server struct {
	*app.App
	t    *testing.T
	log  *safeBuffer
	stop context.CancelFunc
	done chan error // gets what Run returned
	http *http.Client
}

// settings are those of a server in memory on a free port, with keys that are
// quick to make.
func settings(t *testing.T) config.Settings {
	t.Helper()
	set, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := secret.GenerateMasterKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set.Listen, set.MasterKeys, set.Algorithm, set.Engine = "127.0.0.1:0", []secret.MasterKey{key}, signing.ES256, signing.EngineGo
	return *set
}

// elsewhere, when set, gives the database of servers that would have theirs in
// memory.
var elsewhere func(*testing.T) string

// run starts a server; the test's end stops it and looks for what it left.
func run(t *testing.T, change func(*app.Config)) *server {
	t.Helper()
	checkLeaksOnce(t)
	s := &server{t: t, log: &safeBuffer{}, done: make(chan error, 1), http: &http.Client{Transport: &http.Transport{}}}
	cfg := app.Config{Settings: settings(t), Version: "test", Log: slog.New(slog.NewJSONHandler(s.log, nil)), Dev: &app.Dev{}}
	if change != nil {
		change(&cfg)
	}
	if cfg.Database == "" && elsewhere != nil {
		cfg.Database, cfg.AutoMigrate = elsewhere(t), true
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	var err error
	if s.App, err = app.New(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		s.http.CloseIdleConnections()
		_ = s.end() // tests of the end look themselves
	})
	return s
}

// serve makes it a server without demo data and development aids.
func serve(c *app.Config) { c.Dev = nil }

// end stops the server and gives the error of Run; it may be called again.
func (s *server) end() error {
	s.stop()
	err, ok := <-s.done
	if ok {
		close(s.done)
		if e := s.Close(); e != nil {
			s.t.Errorf("closing: %v", e)
		}
	}
	return err
}

// watched are the tests whose goroutines are counted at their end.
var watched sync.Map

// checkLeaksOnce has checkLeaks run when the test and all its servers are over.
func checkLeaksOnce(t *testing.T) {
	if _, again := watched.LoadOrStore(t, true); !again {
		before := runtime.NumGoroutine()
		t.Cleanup(func() { checkLeaks(t, before) })
	}
}

// checkLeaks waits until no more goroutines run than before.
func checkLeaks(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		runtime.Gosched()
	}
}

// answer is a response that was read.
type answer struct {
	code   int
	header http.Header
	body   string
}

// call sends a request; header holds name, value pairs.
func (s *server) call(method, path, body string, header ...string) answer {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.read(resp)
}

func (s *server) read(resp *http.Response) answer {
	s.t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

// want is a call whose status and answer are checked; out may be nil.
func (s *server) want(status int, method, path, body string, out any, header ...string) answer {
	s.t.Helper()
	a := s.call(method, path, body, header...)
	if a.code != status {
		s.t.Fatalf("%s %s: got %d, want %d\n%s", method, path, a.code, status, a.body)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			s.t.Fatalf("%s %s: %v\n%s", method, path, err, a.body)
		}
	}
	return a
}

// grant posts to the token endpoint.
func (s *server) grant(form url.Values, header ...string) answer {
	s.t.Helper()
	return s.call("POST", "/identity/token", form.Encode(), append(header, "Content-Type", "application/x-www-form-urlencoded")...)
}

// login exchanges an API key and gives the Authorization header.
func (s *server) login(key secret.Value) []string {
	s.t.Helper()
	a := s.grant(url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {key.Reveal()}})
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &token); err != nil || a.code != 200 || token.Access == "" {
		s.t.Fatalf("login: %d %s", a.code, a.body)
	}
	return []string{"Authorization", "Bearer " + token.Access}
}

// owner logs the demo's owner in.
func (s *server) owner() []string { return s.login(s.Demo().OwnerKey.Value) }

func databaseIn(dir string) func(*app.Config) {
	return func(c *app.Config) { c.Database, c.AutoMigrate = filepath.Join(dir, "kagiban.db"), true }
}
