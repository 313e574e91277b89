package shell_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
	"github.com/kagiban/kagiban/internal/secret"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// token makes an access token that dies the given time after now.
func token(sub string, life time.Duration) string {
	enc := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"iam_id":"iam-%s","sub":%q,"account":{"bss":"acct"},"exp":%d}`, sub, sub, now.Add(life).Unix())
	return enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(claims)) + ".c2ln"
}

// world is a user's machine and the server it talks to.
type world struct {
	t    *testing.T
	home string
	env  map[string]string
	url  string

	mu     sync.Mutex // guards grants
	grants []string
}

// newWorld runs an IAM server whose token endpoint is grant and whose every
// other path answers like api.
func newWorld(t *testing.T, grant func(form map[string]string) (status int, body string), api http.HandlerFunc) *world {
	t.Helper()
	w := &world{t: t, home: t.TempDir(), env: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/identity/token" {
			api(rw, r)
			return
		}
		form := map[string]string{}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		for name := range r.PostForm {
			form[name] = r.PostForm.Get(name)
		}
		w.mu.Lock()
		kind := form["grant_type"]
		w.grants = append(w.grants, kind[strings.LastIndex(kind, ":")+1:])
		status, body := grant(form)
		w.mu.Unlock()
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) getenv(name string) string {
	if name == "KAGIBAN_HOME" {
		return w.home
	}
	return w.env[name]
}

func (w *world) store() *settings.Store {
	store, err := settings.NewStore(w.getenv)
	if err != nil {
		w.t.Fatal(err)
	}
	return store
}

// session writes settings as a login would have.
func (w *world) session(access, refresh string, more func(*settings.Settings)) {
	w.t.Helper()
	err := w.store().Update(func(s *settings.Settings) error {
		s.APIEndpoint = w.url
		s.Account.GUID = "acct"
		s.Tokens = settings.Tokens{Access: secret.New(access), Refresh: secret.New(refresh)}
		if more != nil {
			more(s)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// run executes one verb and gives what it printed.
func (w *world) run(verb shell.Verb, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	sh := &shell.Shell{
		In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: w.getenv,
		Version: "test", Now: func() time.Time { return now }, NewID: func() string { return "id" },
	}
	cmd := sh.Command(verb)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	err = cmd.ExecuteContext(w.t.Context())
	return out.String(), errs.String(), err
}

// ping is a verb that calls the API and prints who called.
var ping = shell.Verb{
	Use: "ping", Output: true,
	Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		c.Progress("Pinging as %s", s.User())
		if err := s.API.Call(ctx, client.Request{Method: "GET", Path: "/ping"}, nil); err != nil {
			return err
		}
		return c.Show([]string{s.User()}, func() { c.Say("%s", s.User()) })
	},
}

func answers(access, refresh string) func(map[string]string) (int, string) {
	return func(map[string]string) (int, string) {
		return 200, fmt.Sprintf(`{"access_token":%q,"refresh_token":%q}`, access, refresh)
	}
}

func refuses(code string) func(map[string]string) (int, string) {
	return func(map[string]string) (int, string) {
		return 400, fmt.Sprintf(`{"errorCode":%q,"errorMessage":"refused"}`, code)
	}
}

func accepts(http.ResponseWriter, *http.Request) {}

func TestALivingTokenIsNotRenewed(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	w.session(token("ada", 11*time.Second), "r", nil)
	out, errs, err := w.run(ping)
	if err != nil || out != "Pinging as ada...\nOK\nada\n" || len(w.grants) > 0 {
		t.Errorf("%q %q %v, grants %v", out, errs, err, w.grants)
	}
}

func TestADeadTokenIsRenewedAndKept(t *testing.T) {
	fresh := token("ada", time.Hour)
	w := newWorld(t, answers(fresh, "r2"), func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+fresh {
			rw.WriteHeader(401)
		}
	})
	w.session(token("ada", 9*time.Second), "r1", nil)
	for range 2 { // the second run finds the first one's token
		if _, errs, err := w.run(ping); err != nil {
			t.Fatal(errs, err)
		}
	}
	if got := strings.Join(w.grants, " "); got != "refresh_token" {
		t.Errorf("grants: %s", got)
	}
	set, err := w.store().Load()
	if err != nil || set.Tokens.Access.Reveal() != fresh || set.Tokens.Refresh.Reveal() != "r2" {
		t.Errorf("the renewed tokens were not kept: %v", err)
	}
}

func TestATokenThatTheServerCallsDeadIsRenewed(t *testing.T) {
	fresh := token("ada", 2*time.Hour)
	w := newWorld(t, answers(fresh, "r2"), func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+fresh {
			rw.WriteHeader(401)
		}
	})
	w.session(token("ada", time.Hour), "r1", nil) // alive by this machine's clock
	if _, errs, err := w.run(ping); err != nil || len(w.grants) != 1 {
		t.Errorf("%q %v, grants %v", errs, err, w.grants)
	}
}

func TestProcessesThatFindADeadTokenRenewItOnce(t *testing.T) {
	spent := false
	w := newWorld(t, func(form map[string]string) (int, string) {
		if spent || form["refresh_token"] != "r1" {
			return 400, `{"errorCode":"BXNIM0407E","errorMessage":"spent"}`
		}
		spent = true
		return 200, fmt.Sprintf(`{"access_token":%q,"refresh_token":"r2"}`, token("ada", time.Hour))
	}, accepts)
	w.session(token("ada", -time.Hour), "r1", nil)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, errs, err := w.run(ping); err != nil {
				t.Error(errs, err)
			}
		})
	}
	group.Wait()
}

func TestASessionThatIsOverSaysHowToGoOn(t *testing.T) {
	for _, tt := range []struct {
		name, refresh string
		grant         func(map[string]string) (int, string)
		want          string
	}{
		{"no refresh token", "", refuses("X"), "FAILED\nYour session has expired. Log in with: kagiban login --apikey KEY|@FILE\n\n"},
		{"expired", "r", refuses("BXNIM0408E"),
			"FAILED\nRemote server error. Status code: 400, error code: BXNIM0408E, message: refused\nYour session is over. Log in with: kagiban login --apikey KEY|@FILE\n\n"},
		{"inactive", "r", refuses("BXNIM0439E"),
			"FAILED\nRemote server error. Status code: 400, error code: BXNIM0439E, message: refused\nYour session is over. Log in with: kagiban login --apikey KEY|@FILE\n\n"},
		{"disabled user", "r", refuses("BXNIM0410E"),
			"FAILED\nRemote server error. Status code: 400, error code: BXNIM0410E, message: refused\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.grant, accepts)
			w.session(token("ada", -time.Hour), tt.refresh, nil)
			out, errs, err := w.run(ping)
			var reported shell.Reported
			if !errors.As(err, &reported) || out != "" || errs != tt.want {
				t.Errorf("%v\nstdout %q\nstderr %q\nwant   %q", err, out, errs, tt.want)
			}
		})
	}
}

func TestAnAssumedProfileIsAssumedAnewWhenItsTokenDies(t *testing.T) {
	for _, tt := range []struct {
		name         string
		fallbackLife time.Duration
		refresh      string // of the profile's session
		refused      bool   // the server calls the tokens dead before their time
		want         string
	}{
		{name: "identity behind it alive", fallbackLife: time.Hour, want: "assume"},
		{name: "identity behind it dead too", fallbackLife: -time.Hour, want: "refresh_token assume"},
		{name: "profile's refresh token refused", fallbackLife: time.Hour, refresh: "bad", want: "refresh_token assume"},
		{name: "profile's refresh token good", fallbackLife: time.Hour, refresh: "good", want: "refresh_token"},
		{name: "server's clock ahead", fallbackLife: time.Hour, refused: true, want: "refresh_token assume"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fresh := token("Profile-1", 2*time.Hour)
			w := newWorld(t, func(form map[string]string) (int, string) {
				switch {
				case form["refresh_token"] == "bad":
					return 400, `{"errorCode":"BXNIM0407E","errorMessage":"x"}`
				case form["refresh_token"] == "base":
					return 200, fmt.Sprintf(`{"access_token":%q,"refresh_token":"base2"}`, token("ada", 2*time.Hour))
				}
				if form["profile_id"] != "Profile-1" && form["refresh_token"] != "good" {
					t.Errorf("asked with %v", form)
				}
				return 200, fmt.Sprintf(`{"access_token":%q}`, fresh)
			}, func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer "+fresh {
					rw.WriteHeader(401)
				}
			})
			life := -time.Minute
			if tt.refused {
				life = time.Minute
			}
			w.session(token("Profile-1", life), tt.refresh, func(s *settings.Settings) {
				s.AssumedProfile = settings.Profile{ID: "Profile-1"}
				s.Fallback.Tokens = settings.Tokens{Access: secret.New(token("ada", tt.fallbackLife)), Refresh: secret.New("base")}
			})
			out, errs, err := w.run(ping)
			if err != nil || !strings.HasSuffix(out, "OK\nProfile-1\n") {
				t.Fatal(out, errs, err)
			}
			if got := strings.Join(w.grants, " "); got != tt.want {
				t.Errorf("grants %q, want %q", got, tt.want)
			}
			set, err := w.store().Load()
			if err != nil || set.Tokens.Access.Reveal() != fresh || set.AssumedProfile.ID != "Profile-1" {
				t.Errorf("not kept: %v", err)
			}
		})
	}
}

func TestOutputFormats(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	w.session(token("ada", time.Hour), "", nil)
	for _, format := range []string{"json", "JSON", "Json"} {
		out, _, err := w.run(ping, "--output", format)
		var got []string
		if err != nil || json.Unmarshal([]byte(out), &got) != nil || got[0] != "ada" {
			t.Errorf("--output %s: %q, %v", format, out, err)
		}
	}
	if out, _, err := w.run(ping, "-q"); err != nil || out != "ada\n" {
		t.Errorf("-q: %q, %v", out, err)
	}
	var usage shell.Usage
	if _, _, err := w.run(ping, "--output", "yaml"); !errors.As(err, &usage) {
		t.Errorf("yaml: %v", err)
	}
	if _, _, err := w.run(ping, "surplus"); !errors.As(err, &usage) {
		t.Errorf("surplus argument: %v", err)
	}
	if _, _, err := w.run(shell.Verb{Use: "x NAME", Args: cobra.ExactArgs(1), Run: ping.Run}, " "); !errors.As(err, &usage) {
		t.Errorf("empty argument: %v", err)
	}
}

func TestWithoutASessionTheVerbIsNotRun(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	_, errs, err := w.run(ping)
	if err == nil || errs != "FAILED\nNot logged in. Log in with: kagiban login --apikey KEY|@FILE\n\n" {
		t.Errorf("%q, %v", errs, err)
	}
}

func TestWithoutAnAccountOnlySomeVerbsRun(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	w.session(token("ada", time.Hour), "", func(s *settings.Settings) { s.Account = settings.Account{} })
	_, errs, err := w.run(ping)
	if err == nil || errs != "FAILED\nNo account is targeted. Target one with: kagiban target -c ACCOUNT_ID\n\n" {
		t.Errorf("%q, %v", errs, err)
	}
	anywhere := ping
	anywhere.Anywhere = true
	if _, errs, err := w.run(anywhere); err != nil {
		t.Errorf("%q, %v", errs, err)
	}
}

func TestAnUnreachableServerIsNamedWithAHint(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	w.session(token("ada", time.Hour), "", func(s *settings.Settings) { s.APIEndpoint = "http://127.0.0.1:1" })
	_, errs, err := w.run(ping)
	if err == nil || !strings.Contains(errs, "Could not reach http://127.0.0.1:1: ") || !strings.Contains(errs, "kagiban api URL") {
		t.Errorf("%q, %v", errs, err)
	}
}

func TestWhatIsAskedBeforeADestructiveAct(t *testing.T) {
	verb := shell.Verb{Use: "x", Force: true, Run: func(_ context.Context, c *shell.Call) error {
		if err := c.Confirm("Really?"); err != nil {
			return err
		}
		c.Say("done")
		return nil
	}}
	w := newWorld(t, refuses("X"), accepts)
	out, errs, err := w.run(verb)
	if err == nil || out != "" || errs != "Really? [y/N] > \nCancelled; nothing was changed.\n" {
		t.Errorf("without an answer: %q %q %v", out, errs, err)
	}
	if out, errs, err := w.run(verb, "-f"); err != nil || out != "done\n" || errs != "" {
		t.Errorf("with -f: %q %q %v", out, errs, err)
	}
}

func TestTracesGoWhereTheUserSays(t *testing.T) {
	access := token("ada", time.Hour)
	file := filepath.Join(t.TempDir(), "trace.log")
	for _, tt := range []struct {
		name, setting, env string
		args               []string
		toErr, toFile      bool
	}{
		{name: "off"},
		{name: "setting", setting: "true", toErr: true},
		{name: "environment wins", setting: "true", env: "false"},
		{name: "environment", env: "TRUE", toErr: true},
		{name: "flag", args: []string{"--trace"}, toErr: true},
		{name: "file", env: file, toFile: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, refuses("X"), accepts)
			w.session(access, "", func(s *settings.Settings) { s.Trace = tt.setting })
			w.env["KAGIBAN_TRACE"] = tt.env
			_, errs, err := w.run(ping, tt.args...)
			if err != nil || strings.Contains(errs, "GET /ping") != tt.toErr || strings.Contains(errs, access) {
				t.Errorf("stderr %q, %v", errs, err)
			}
			if !tt.toFile {
				return
			}
			text, err := os.ReadFile(file)
			if err != nil || !strings.Contains(string(text), "GET /ping") || strings.Contains(string(text), access) {
				t.Errorf("file %q, %v", text, err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestTimeoutFromTheEnvironment(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	w.session(token("ada", time.Hour), "", nil)
	for value, good := range map[string]bool{"5": true, "": true, "0": false, "-1": false, "5s": false} {
		w.env["KAGIBAN_HTTP_TIMEOUT"] = value
		_, _, err := w.run(ping)
		var usage shell.Usage
		if good != (err == nil) || !good && !errors.As(err, &usage) {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestNothingIsColouredInAPipe(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	w.session(token("ada", time.Hour), "", func(s *settings.Settings) { s.Color = "true" })
	out, _, err := w.run(ping)
	if err != nil || strings.Contains(out, "\x1b") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestFlagsAreCompletedWithWhatTheServerHas(t *testing.T) {
	w := newWorld(t, answers("", ""), func(rw http.ResponseWriter, r *http.Request) {
		_, _ = rw.Write([]byte(`["Reader of ` + r.URL.Query().Get("of") + `", "Writer"]`))
	})
	var of string
	verb := shell.Verb{
		Use: "give", Flags: func(f *pflag.FlagSet) { f.StringVar(&of, "of", "", ""); f.StringSlice("roles", nil, "") },
		Offers: map[string]shell.Offer{"roles": func(ctx context.Context, _ *shell.Call, s *shell.Session) (names []string, err error) {
			err = s.API.Call(ctx, client.Request{Method: "GET", Path: "/roles", Query: url.Values{"of": {of}}}, &names)
			return names, err
		}},
		Do: func(context.Context, *shell.Call, *shell.Session) error { return nil },
	}
	complete := func(typed string) string {
		t.Helper()
		out, _, err := w.run(verb, "__complete", "--of", "kms", "--roles", typed)
		if err != nil {
			t.Fatal(err)
		}
		return out[:strings.Index(out, ":")] // what follows are the shell's own words
	}
	if got := complete(""); got != "" {
		t.Errorf("without a session %q is offered", got)
	}
	w.session(token("somebody", time.Hour), "", nil)
	if got := complete(""); got != "Reader of kms\nWriter\n" {
		t.Errorf("offered %q", got)
	}
	if got := complete("Viewer,"); got != "Viewer,Reader of kms\nViewer,Writer\n" {
		t.Errorf("offered %q after another", got)
	}
}
