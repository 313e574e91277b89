package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// command is one run of the program in this process.
type command struct {
	code     int
	out, err string
}

// run runs a command line with the given environment.
func run(t *testing.T, env map[string]string, args ...string) command {
	t.Helper()
	var out, errs bytes.Buffer
	code := Main(args, strings.NewReader(""), &out, &errs, func(name string) string { return env[name] })
	return command{code, out.String(), errs.String()}
}

// wants checks exit code and that a part is in the output or error.
func (c command) wants(t *testing.T, code int, parts ...string) command {
	t.Helper()
	if c.code != code {
		t.Fatalf("ended with %d, want %d\n%s%s", c.code, code, c.out, c.err)
	}
	for _, p := range parts {
		if !strings.Contains(c.out+c.err, p) {
			t.Errorf("%q is not in the output:\n%s%s", p, c.out, c.err)
		}
	}
	return c
}

func TestAnInstallationBegins(t *testing.T) {
	dir := t.TempDir()
	key, db := filepath.Join(dir, "master.key"), filepath.Join(dir, "kagiban.db")
	run(t, nil, "init", "--generate-master-key", key).wants(t, 0, "Keep a copy", key)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v %v", info, err)
	}
	run(t, nil, "init", "--generate-master-key", key).wants(t, 1, "exists") // never over an old one

	env := map[string]string{"KAGIBAN_DATABASE": db, "KAGIBAN_MASTER_KEY_FILE": key, "KAGIBAN_ISSUER": "https://iam.example.com"}
	run(t, env, "keys", "rotate").wants(t, 1, "kagiban migrate")
	run(t, env, "migrate").wants(t, 0, "up to date")
	run(t, env, "migrate").wants(t, 0, "up to date")

	first := run(t, env, "init", "--email", "owner@example.com", "--account-name", "Example", "--output", "json").wants(t, 0)
	var made map[string]string
	if err := json.Unmarshal([]byte(first.out), &made); err != nil {
		t.Fatal(err)
	}
	if len(made["account_id"]) != 32 || !regexp.MustCompile(`^IBMid-[A-Z0-9]{10}$`).MatchString(made["iam_id"]) || len(made["apikey"]) != 44 {
		t.Errorf("made %v", made)
	}
	run(t, env, "init", "--email", "second@example.com").wants(t, 1, "has its first account already")

	run(t, env, "keys", "rotate").wants(t, 0)
	run(t, env, "keys", "rotate").wants(t, 0)
	run(t, env, "keys", "revoke", "no-such-key").wants(t, 1, "no-such-key")
	run(t, env, "keys", "revoke").wants(t, 2)

	next := filepath.Join(dir, "next.key")
	run(t, nil, "init", "--generate-master-key", next).wants(t, 0, next)
	env["KAGIBAN_MASTER_KEY_FILE"] = next
	run(t, env, "keys", "reseal").wants(t, 1, "the master key is not the one")
	env["KAGIBAN_PREVIOUS_MASTER_KEY_FILES"] = key
	run(t, env, "keys", "reseal").wants(t, 0, "2 values and the signing keys", "2 of them anew")
	delete(env, "KAGIBAN_PREVIOUS_MASTER_KEY_FILES")
	run(t, env, "keys", "reseal").wants(t, 0, "2 values", "0 of them anew")
}

func TestInitShowsTheKeyOnceInAReadableCard(t *testing.T) {
	dir := t.TempDir()
	c := run(t, map[string]string{"KAGIBAN_DATABASE": filepath.Join(dir, "k.db")},
		"init", "--generate-master-key", filepath.Join(dir, "k"), "--email", "owner@example.com")
	c.wants(t, 0, "API key", "owner@example.com", "keep it now")
}

func TestWrongCommandLinesEndWithTwo(t *testing.T) {
	for _, args := range [][]string{
		{"frobnicate"}, {"dev", "surplus"}, {"dev", "--listen", "nowhere"},
		{"dev", "--listen", "127.0.0.1:99999"}, {"dev", "--listen", "0.0.0.0:0"},
		{"dev", "--listen", ":0"}, {"dev", "--listen", "[::]:0"}, {"dev", "--listen", "10.0.0.1:4280"},
		{"dev", "--issuer", "ftp://x"}, {"dev", "--no-such-flag"},
		{"dev", "--print-env", "--random"}, {"dev", "--token-algorithm", "HS256"}, {"init"}, {"init", "--output", "xml", "--email", "a@b.c"},
		{"init", "--email", "a@b.c"},
		{"migrate"}, {"serve"}, {"serve", "x"}, {"keys", "rotate"}, {"keys", "x"}, {"operations", "--output", "xml"},
		{"operations", "--family", "nope"},
	} {
		c := run(t, nil, args...)
		if c.code != 2 || c.err == "" || c.out != "" {
			t.Errorf("kagiban %s: ended with %d\n%s%s", strings.Join(args, " "), c.code, c.out, c.err)
		}
		if strings.Contains(c.err, "Usage:") || strings.Contains(c.err, "goroutine") {
			t.Errorf("kagiban %s: says too much:\n%s", strings.Join(args, " "), c.err)
		}
	}
}

func TestServeNamesEveryFault(t *testing.T) {
	c := run(t, map[string]string{"KAGIBAN_LOG_LEVEL": "loud"}, "serve", "--listen", "x", "--token-algorithm", "none").wants(t, 2)
	lines := strings.Split(strings.TrimSpace(c.err), "\n")
	if len(lines) != 6 {
		t.Errorf("%d lines:\n%s", len(lines), c.err)
	}
	for _, l := range lines {
		if !strings.HasPrefix(l, "kagiban: ") {
			t.Errorf("line %q", l)
		}
	}
	c.wants(t, 2, "listen", "token.algorithm", "log.level", "database", "issuer", "--generate-master-key")
}

func TestAnAbsentDatabaseIsOneLine(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	run(t, nil, "init", "--generate-master-key", key).wants(t, 0)
	c := run(t, map[string]string{"KAGIBAN_LISTEN": "127.0.0.1:0",
		"KAGIBAN_DATABASE": "postgres://nobody:hidden@127.0.0.1:1/x", "KAGIBAN_MASTER_KEY_FILE": key, "KAGIBAN_ISSUER": "https://iam.example.com",
	}, "serve").wants(t, 1, "127.0.0.1:1")
	if strings.Count(c.err, "\n") != 1 || strings.Contains(c.err, "hidden") {
		t.Errorf("got %q", c.err)
	}
}

func TestOperationsReportsWhatIsBuilt(t *testing.T) {
	run(t, nil, "operations").wants(t, 0, "iamidentityv1", "SDK operations")
	run(t, nil, "operations", "--family", "iamidentityv1").wants(t, 0, "create_api_key", "/v1/apikeys", "built")
	run(t, nil, "operations", "--all").wants(t, 0, "resourcecontrollerv2")
	c := run(t, nil, "operations", "--output", "json").wants(t, 0)
	var report struct {
		Families []struct {
			Family               string
			Built, Absent, Wrong int
			NotBuilt             int `json:"not_built"`
		}
		Operations []struct{ State string }
	}
	if err := json.Unmarshal([]byte(c.out), &report); err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Families {
		if f.Family == "iamidentityv1" && (f.Built+f.NotBuilt != 103 || f.Built < 55 || f.Absent != 0) {
			t.Errorf("identity: %+v", f)
		}
	}
	if strings.Contains(c.out, "devapi") {
		t.Error("the report of serve lists development aids")
	}
}

func TestDevPrintsItsEnvironmentForAShell(t *testing.T) {
	c := run(t, nil, "dev", "--print-env", "--listen", "127.0.0.1:4999").wants(t, 0, "export KAGIBAN_URL=http://127.0.0.1:4999\n",
		"export KAGIBAN_APIKEY=")
	for line := range strings.Lines(c.out) {
		if !regexp.MustCompile(`^export KAGIBAN_[A-Z_]+=[A-Za-z0-9@:/._-]+\n$`).MatchString(line) {
			t.Errorf("a shell would not read %q as it is meant", line)
		}
	}
	again := run(t, nil, "dev", "--print-env", "--listen", "127.0.0.1:4999")
	if again.out != c.out {
		t.Error("two fresh starts have other keys")
	}
}

// dev starts `kagiban dev` as a process, and gives it when it is ready.
func dev(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer, map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "demo.env")
	out := &bytes.Buffer{}
	cmd := exec.Command("kagiban", append([]string{"dev", "--listen", "127.0.0.1:0", "--env-file", file}, args...)...)
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // fails when it has ended, as it should
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if text, err := os.ReadFile(file); err == nil {
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the environment file: %v %v", info, err)
			}
			return cmd, out, parseEnv(string(text))
		}
		if t.Context().Err() != nil {
			break
		}
	}
	t.Fatal("kagiban dev was never ready")
	return nil, nil, nil
}

func TestDevAnswersWhenItsFileIsThere(t *testing.T) {
	cmd, out, env := dev(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(env["KAGIBAN_URL"], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGINT: %v", err)
	}
	for _, part := range []string{"for development only", env["KAGIBAN_URL"], env["KAGIBAN_APIKEY"], env["KAGIBAN_ACCOUNT_ID"], "curl"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the card lacks %q:\n%s", part, out)
		}
	}
	if n := strings.Count(out.String(), "\n"); n > 20 {
		t.Errorf("the card has %d lines", n)
	}
}

func TestDevKeepsItsDataInAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cmd, _, first := dev(t, "--data", dir, "--random", "--quiet")
	stop(t, cmd)
	cmd, out, second := dev(t, "--data", dir, "--quiet")
	stop(t, cmd)
	if first["KAGIBAN_APIKEY"] != second["KAGIBAN_APIKEY"] {
		t.Error("the second start has another key")
	}
	if out.Len() > 0 {
		t.Errorf("--quiet prints %s", out)
	}
	printed := run(t, nil, "dev", "--print-env", "--data", dir).wants(t, 0)
	if !strings.Contains(printed.out, first["KAGIBAN_APIKEY"]) {
		t.Error("--print-env does not know the folder's keys")
	}
	for _, name := range []string{"kagiban.db", "master.key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

func TestDevKnowsServicesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.yaml")
	if err := os.WriteFile(file, []byte("services:\n  - name: file-shop\n    grants: [{roles: [Manager], actions: [order.refund]}]\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	cmd, _, env := dev(t, "--catalog-dir", dir, "--quiet")
	defer stop(t, cmd)
	answer, err := http.PostForm(env["KAGIBAN_URL"]+"/identity/token", url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"},
		"apikey": {env["KAGIBAN_APIKEY"]}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var token struct {
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil {
		t.Fatal(err)
	}
	ask, err := http.NewRequest("GET", env["KAGIBAN_URL"]+"/v2/roles?service_name=file-shop", nil)
	if err != nil {
		t.Fatal(err)
	}
	ask.Header.Set("Authorization", "Bearer "+token.Access)
	roles, err := http.DefaultClient.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer roles.Body.Close()
	if text, err := io.ReadAll(roles.Body); err != nil || !strings.Contains(string(text), "file-shop.order.refund") {
		t.Errorf("%v %s", err, text)
	}
	question := `[{"subject":{"attributes":{"id":"` + env["KAGIBAN_IAM_ID"] + `"}},"action":"file-shop.order.refund",
		"resource":{"crn":"crn:v1:bluemix:public:file-shop::a/` + env["KAGIBAN_ACCOUNT_ID"] + `:till-1::"}}]`
	if ask, err = http.NewRequest("POST", env["KAGIBAN_URL"]+"/v2/authz", strings.NewReader(question)); err != nil {
		t.Fatal(err)
	}
	ask.Header = http.Header{"Authorization": {"Bearer " + token.Access}, "Content-Type": {"application/json"}}
	decision, err := http.DefaultClient.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer decision.Body.Close()
	if text, err := io.ReadAll(decision.Body); err != nil || !strings.Contains(string(text), `"permitted":true`) {
		t.Errorf("may the owner give money back? %v %s", err, text)
	}
	run(t, nil, "dev", "--catalog-dir", file).wants(t, 2, "no folder")
	if err := os.WriteFile(file, []byte("services: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "dev", "--catalog-dir", dir, "--listen", "127.0.0.1:0").wants(t, 1, "shop.yaml")
}

func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
