package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run this test binary as "kagiban", with the real Main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"kagiban": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)) },
	})
}

// TestStories runs one script per user's story, each in a home folder of its
// own against a `kagiban dev` of its own. The lines of the server's environment
// file are in the script's environment with DEMO_ for KAGIBAN_, because the
// client reads some of the KAGIBAN_ ones; the keys of the enterprise's owner and
// of the cross-account story are in demo.key (JSON) and caller.key (bare), the
// password of DEMO_CONSOLE_USER is in password.txt, and the sessions of
// docs/access.md are in access.md.sh.
//
// Beside testscript's commands there are
//
//	capture NAME REGEXP   set NAME to the first group of a match in stdout
//	exits CODE ARG...     run kagiban, which must end with that exit code
//	mode FILE PERM        check a file's permissions, in octal
//	dev PATH BODY         call one of the server's development aids
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("KAGIBAN_HOME", filepath.Join(env.WorkDir, "home"))
			demo, err := startDev(env)
			if err != nil {
				return err
			}
			for name, value := range demo {
				env.Setenv(strings.Replace(name, "KAGIBAN_", "DEMO_", 1), value)
			}
			return errors.Join(writeSecrets(env.WorkDir, demo), writeSession(env.WorkDir, "access.md"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"capture": capture, "exits": exits, "mode": mode, "dev": devAid,
		},
	})
}

// startDev runs a development server until the script ends, and returns what
// it says in its environment file.
func startDev(env *testscript.Env) (map[string]string, error) {
	file := filepath.Join(env.WorkDir, ".demo.env")
	var log bytes.Buffer
	cmd := exec.Command("kagiban", "dev", "--quiet", "--listen", "127.0.0.1:0", "--env-file", file)
	cmd.Dir, cmd.Stdout, cmd.Stderr = env.WorkDir, &log, &log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting kagiban dev: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its log tells more than its exit status
		close(ended)
	}()
	env.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt) // fails when it has ended
		<-ended
	})
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			return parseEnv(string(text)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("kagiban dev ended before it was ready:\n%s", log.String())
		case <-tick.C:
		}
	}
}

func writeSecrets(dir string, demo map[string]string) error {
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "demo.key"), []byte(`{"name":"demo","apikey":"`+demo["KAGIBAN_APIKEY"]+`"}`), 0o600),
		os.WriteFile(filepath.Join(dir, "caller.key"), []byte(demo["KAGIBAN_CALLER_APIKEY"]+"\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "password.txt"), []byte(demo["KAGIBAN_CONSOLE_PASSWORD"]+"\n"), 0o600),
	)
}

// writeSession makes a shell script of what a page of the documentation says can
// be pasted: its blocks of language sh.
func writeSession(dir, page string) error {
	text, err := os.ReadFile(filepath.Join(docs, page))
	if err != nil {
		return err
	}
	var script []byte
	for _, block := range regexp.MustCompile("(?ms)^```sh$(.*?)^```$").FindAllSubmatch(text, -1) {
		script = append(script, block[1]...)
	}
	return os.WriteFile(filepath.Join(dir, page+".sh"), script, 0o600)
}

// docs is the folder of the documentation.
const docs = "../../docs"

func parseEnv(text string) map[string]string {
	env := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			env[name] = value
		}
	}
	return env
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := re.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("no match for %q in stdout", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("kagiban", args[1:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("kagiban ended with %d, not %d", got, want)
	}
}

func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode FILE PERM")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := strconv.FormatInt(int64(info.Mode().Perm()), 8); got != args[1] {
		ts.Fatalf("%s has mode %s, not %s", args[0], got, args[1])
	}
}

func devAid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: dev PATH BODY")
	}
	resp, err := http.Post(ts.Getenv("DEMO_URL")+args[0], "application/json", strings.NewReader(args[1]))
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if resp.StatusCode > 299 {
		ts.Fatalf("%s: %s %s", args[0], resp.Status, text)
	}
}
