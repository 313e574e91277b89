package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/dev/demo"
	"github.com/kagiban/kagiban/internal/dev/tutorial"
	"github.com/kagiban/kagiban/internal/signing"
)

// stage is a development server in this process that the tutorial was played on.
type stage struct {
	*testing.T
	demo *demo.Data
	cfg  tutorial.Config
	made *tutorial.Outcome
	text *bytes.Buffer
}

func startStage(t *testing.T) *stage {
	t.Helper()
	dev := &devFlags{listen: "127.0.0.1:0", quiet: true, algorithm: string(signing.ES256)}
	cfg, err := dev.config(&streams{out: io.Discard, err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &stage{T: t, demo: a.Demo(), text: &bytes.Buffer{}}
	s.cfg = tutorial.Config{Base: a.URL(), Key: a.Demo().OwnerKey.Value, Out: s.text, HTTP: &http.Client{Transport: transport}}
	if s.made, err = tutorial.Play(t.Context(), s.cfg); err != nil {
		t.Fatalf("%v\n%s", err, s.text)
	}
	return s
}

// call asks the server; the answer must be a success.
func (s *stage) call(token, method, path, body string, out any) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.cfg.Base+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := s.cfg.HTTP.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode > 299 {
		s.Fatalf("%s %s: %s %s %v", method, path, answer.Status, raw, err)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *stage) login(key string) string {
	s.Helper()
	var out struct {
		Token string `json:"access_token"`
	}
	s.call("", "POST", "/identity/token", "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey="+key, &out)
	return out.Token
}

// resource is what the assignment came to in one account.
type resource struct {
	Target  string
	Profile struct {
		Made struct{ ID string } `json:"resource_created"`
	}
	Policies []struct {
		ID     string
		Status string
		Made   struct{ ID string } `json:"resource_created"`
	} `json:"policy_template_references"`
}

// resources asks the assignment what it came to.
func (s *stage) resources() []resource {
	s.Helper()
	var out struct{ Resources []resource }
	s.call(s.login(s.cfg.Key.Reveal()), "GET", "/v1/profile_assignments/"+s.made.Assignment, "", &out)
	return out.Resources
}

// wantWhole checks that an account got the profile and a policy from each of
// the two policy templates.
func (s *stage) wantWhole(r resource, p tutorial.Profile) {
	s.Helper()
	if r.Target != p.Account || r.Profile.Made.ID != p.ID || len(r.Policies) != 2 {
		s.Fatalf("the assignment tells of %+v, the profile is %+v", r, p)
	}
	for i, x := range r.Policies {
		if x.ID != s.made.PolicyTemplates[i] || x.Status != "succeeded" || x.Made.ID == "" {
			s.Errorf("policy %d: %+v", i, x)
		}
	}
}

func TestTheTutorialWorksStepByStep(t *testing.T) {
	s := startStage(t)
	m := s.made
	if m.Account != s.demo.Root || m.Group != s.demo.Group {
		t.Errorf("account %s, group %s", m.Account, m.Group)
	}
	if !strings.HasPrefix(m.ServiceID, "ServiceId-") || len(m.PolicyTemplates) != 2 ||
		!strings.HasPrefix(m.ProfileTemplate, "ProfileTemplate-") {
		t.Errorf("made %+v", m)
	}
	if m.Status != "succeeded" {
		t.Errorf("the assignment ended as %s", m.Status)
	}
	if len(m.Profiles) != 1 {
		t.Fatalf("the service ID may use %d profiles, want the one of the child account", len(m.Profiles))
	}
	p := m.Profiles[0]
	if p.Account != s.demo.Child || p.Template != m.ProfileTemplate || p.Assignment != m.Assignment || p.Token.IsZero() {
		t.Errorf("profile %+v", p)
	}
	made := s.resources()
	if len(made) != 1 {
		t.Fatalf("the assignment tells of %+v", made)
	}
	s.wantWhole(made[0], p)
	for _, part := range []string{"Step 1.", "Step 8.", `"commited": true`, `"version": 1`, `"iam_id": "` + m.ServiceID + `"`,
		"202 Accepted"} {
		if !strings.Contains(s.text.String(), part) {
			t.Errorf("what it prints lacks %s", part)
		}
	}
	for _, hidden := range []string{s.cfg.Key.Reveal(), p.Token.Reveal()} {
		if strings.Contains(s.text.String(), hidden) {
			t.Error("it prints a secret")
		}
	}
}

func TestAnAccountThatJoinsTheGroupGetsTheProfileAndOneThatLeavesLosesIt(t *testing.T) {
	s := startStage(t)
	token := s.login(s.cfg.Key.Reveal())
	group := "crn:v1:bluemix:public:enterprise::a/" + s.demo.Root + "::account-group:" + s.demo.Group
	var joined struct {
		ID string `json:"account_id"`
	}
	s.call(token, "POST", "/v1/accounts", `{"parent":"`+group+`","name":"Newcomer","owner_iam_id":"`+s.demo.Owner.IAMID+
		`","traits":{"enterprise_iam_managed":true}}`, &joined)
	p := s.eventually(joined.ID, true)
	made := s.resources()
	i := slices.IndexFunc(made, func(r resource) bool { return r.Target == joined.ID })
	if i < 0 {
		t.Fatalf("the assignment tells of %+v", made)
	}
	s.wantWhole(made[i], p)
	var assumed struct {
		Token string `json:"access_token"`
	}
	s.call("", "POST", "/identity/token", "grant_type=urn:ibm:params:oauth:grant-type:assume&access_token="+s.operator()+"&profile_id="+p.ID,
		&assumed)

	top := "crn:v1:bluemix:public:enterprise::a/" + s.demo.Root + "::enterprise:" + s.demo.Enterprise
	s.call(token, "PATCH", "/v1/accounts/"+joined.ID, `{"parent":"`+top+`"}`, nil)
	s.eventually(joined.ID, false)
	s.eventually(s.demo.Child, true) // the one that stayed keeps it

	if err := s.made.CleanUp(t.Context(), s.cfg); err != nil {
		t.Errorf("%v\n%s", err, s.text)
	}
	if _, err := tutorial.Play(t.Context(), s.cfg); err != nil {
		t.Errorf("after cleaning up it plays again: %v", err)
	}
}

// operator gives a token of the operations service ID.
func (s *stage) operator() string {
	s.Helper()
	token := s.login(s.cfg.Key.Reveal())
	var key struct {
		Value string `json:"apikey"`
	}
	s.call(token, "POST", "/v1/apikeys", `{"name":"second","iam_id":"`+s.made.ServiceID+`"}`, &key)
	return s.login(key.Value)
}

// eventually waits until the operations service ID may, or may not, use a
// profile in an account.
func (s *stage) eventually(accountID string, want bool) (found tutorial.Profile) {
	s.Helper()
	operator := s.operator()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for {
		var out struct{ Profiles []tutorial.Profile }
		s.call("", "POST", "/identity/profiles", "access_token="+operator, &out)
		i := slices.IndexFunc(out.Profiles, func(p tutorial.Profile) bool { return p.Account == accountID })
		if i >= 0 == want {
			if want {
				found = out.Profiles[i]
			}
			return found
		}
		select {
		case <-limit:
			s.Fatalf("account %s: profile there is not %v", accountID, want)
		case <-tick.C:
		}
	}
}

func TestTheTutorialStartsItsOwnServer(t *testing.T) {
	var out, errs bytes.Buffer
	if code := Main([]string{"demo", "tutorial", "--start", "--clean-up"}, strings.NewReader(""), &out, &errs,
		func(string) string { return "" }); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	if !strings.Contains(out.String(), "The service ID has a token for 1 account(s).") {
		t.Errorf("it prints %s", out.String())
	}
}

func TestTheTutorialNeedsAServerAndAKey(t *testing.T) {
	for _, args := range [][]string{
		{"demo", "tutorial"},
		{"demo", "tutorial", "--url", "http://127.0.0.1:1"},
		{"demo", "tutorial", "--start", "--url", "http://127.0.0.1:1"},
		{"demo", "tutorial", "--url", "ftp://x", "--apikey", "k"},
		{"demo", "nonsense"},
	} {
		var out, errs bytes.Buffer
		if code := Main(args, strings.NewReader(""), &out, &errs, func(string) string { return "" }); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, errs.String())
		}
	}
}
