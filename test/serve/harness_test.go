// Package serve tests the program as its operators run it: a process with
// settings, on a file or on PostgreSQL, that is killed, runs out of disk, is
// backed up and restored. What a server answers otherwise is tested elsewhere.
package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/kagiban/kagiban/internal/cli"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// program makes the test binary the program itself. It has not the prefix of
// our settings, which would be taken for one.
const program = "SERVE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(program) != "" {
		signal.Ignore(syscall.SIGXFSZ) // a write beyond the limit then fails, as on a full disk
		os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
	}
	os.Exit(m.Run())
}

// installation is what an operator has: a folder, settings and the first key.
type installation struct {
	t       *testing.T
	dir     string
	env     []string
	account string
	key     string
}

// install makes an installation on a database, "" for a file.
func install(t *testing.T, dsn string) *installation {
	t.Helper()
	in := &installation{t: t, dir: t.TempDir()}
	if dsn == "" {
		dsn = filepath.Join(in.dir, "kagiban.db")
	}
	masterKey := filepath.Join(in.dir, "master.key")
	in.run("init", "--generate-master-key", masterKey)
	in.env = []string{
		"KAGIBAN_DATABASE=" + dsn, "KAGIBAN_MASTER_KEY_FILE=" + masterKey, "KAGIBAN_ISSUER=https://iam.example.com",
		"KAGIBAN_LISTEN=127.0.0.1:0", "KAGIBAN_TOKEN_ALGORITHM=ES256", "KAGIBAN_TOKEN_ENGINE=go",
	}
	var first struct {
		Account string `json:"account_id"`
		Key     string `json:"apikey"`
	}
	if err := json.Unmarshal(in.run("init", "--email", "owner@example.com", "--output", "json"), &first); err != nil {
		t.Fatal(err)
	}
	in.account, in.key = first.Account, first.Key
	return in
}

// onBoth runs a test on a file and on PostgreSQL.
func onBoth(t *testing.T, test func(*testing.T, *installation)) {
	t.Run("SQLite", func(t *testing.T) { test(t, install(t, "")) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, install(t, storetest.Postgres(t))) })
}

func (in *installation) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append([]string{program + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + in.dir}, in.env...)
	return cmd
}

// run runs a command that has to succeed and gives its output.
func (in *installation) run(args ...string) []byte {
	in.t.Helper()
	var stderr bytes.Buffer
	cmd := in.command(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		in.t.Fatalf("kagiban %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// process is a running server.
type process struct {
	in    *installation
	cmd   *exec.Cmd
	url   string
	http  *http.Client
	ended sync.Once

	mu  sync.Mutex // guards log
	log bytes.Buffer
}

// start runs `kagiban serve` and waits until it says that it is ready.
func (in *installation) start() *process {
	in.t.Helper()
	p := &process{in: in, cmd: in.command("serve"), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		in.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(p.kill)
	lines := bufio.NewScanner(stderr)
	for p.url == "" && lines.Scan() {
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			p.url = line.URL
		}
		p.note(lines.Text())
	}
	if p.url == "" {
		in.t.Fatalf("the server did not start:\n%s", &p.log)
	}
	go func() {
		for lines.Scan() {
			p.note(lines.Text())
		}
	}()
	return p
}

func (p *process) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log.WriteString(line + "\n")
}

// said tells whether a text is in the log.
func (p *process) said(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.log.String(), text)
}

// kill ends the process without a warning.
func (p *process) kill() {
	p.ended.Do(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		_ = p.cmd.Wait()         // an error: it was killed
	})
}

// stop ends the process as service managers do.
func (p *process) stop() {
	p.in.t.Helper()
	p.ended.Do(func() {
		p.http.CloseIdleConnections()
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			p.in.t.Fatal(err)
		}
		if err := p.cmd.Wait(); err != nil {
			p.in.t.Errorf("after SIGTERM: %v\n%s", err, &p.log)
		}
	})
}

// send gives status 0 when there was no answer.
func (p *process) send(method, path, token, media, body string) (int, []byte) {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.in.t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, raw
}

// exchange gives the token of an API key.
func (p *process) exchange(key string) string {
	p.in.t.Helper()
	form := url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {key}}
	code, raw := p.send("POST", "/identity/token", "", "application/x-www-form-urlencoded", form.Encode())
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(raw, &token); err != nil || code != 200 {
		p.in.t.Fatalf("exchanging a key: %d %s", code, raw)
	}
	return token.Access
}

// identity is a service ID with a key that was acknowledged.
type identity struct{ id, key string }

// create makes a service ID with a key; status 0 when there was no answer.
func (p *process) create(token, name string) (identity, int, []byte) {
	code, raw := p.send("POST", "/v1/serviceids", token, "application/json",
		fmt.Sprintf(`{"account_id":%q,"name":%q,"apikey":{"name":"k","store_value":true}}`, p.in.account, name))
	var made struct {
		ID     string
		APIKey struct {
			Value string `json:"apikey"`
		}
	}
	if code == 201 {
		if err := json.Unmarshal(raw, &made); err != nil || made.APIKey.Value == "" {
			p.in.t.Errorf("the answer to create: %v %s", err, raw)
		}
	}
	return identity{made.ID, made.APIKey.Value}, code, raw
}

// verify looks for everything that was acknowledged: the object, its history,
// and a key that works.
func (p *process) verify(token string, acked []identity) {
	p.in.t.Helper()
	for i, a := range acked {
		code, raw := p.send("GET", "/v1/serviceids/"+a.id+"?include_history=true", token, "", "")
		var found struct {
			History []json.RawMessage
		}
		if err := json.Unmarshal(raw, &found); code != 200 || err != nil || len(found.History) == 0 {
			p.in.t.Errorf("acknowledged %s, found %d %s", a.id, code, raw)
		} else if i%10 == 0 {
			p.exchange(a.key)
		}
	}
}
