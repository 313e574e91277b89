package scale

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// childFile makes the test binary, executed again, a process that reconciles
// what is in this SQLite file.
const childFile = "KAGIBAN_SCALE_FILE"

// The figures of the test: so many accounts, killed so often at least, each time
// after so long since the process began to reconcile.
const (
	crashAccounts = 1000
	kills         = 50
	shortest      = 1 * time.Millisecond
	longest       = 120 * time.Millisecond
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if dsn := os.Getenv(childPG); dsn != "" {
		if err := node(dsn); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child says that it begins, and reconciles until nothing is left to do.
func child(path string) error {
	ctx := context.Background()
	w, err := open(ctx, path)
	if err != nil {
		return err
	}
	fmt.Println("begin")
	if err := w.runner.Pass(ctx); err != nil {
		return err
	}
	fmt.Println("end")
	return w.close()
}

// runAndKill runs a child and kills it, without a warning, some time after it
// began. It tells whether the child came to its end before.
func runAndKill(t *testing.T, path string, after time.Duration) (ended bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var line string
	if _, err := fmt.Fscanln(out, &line); err != nil || line != "begin" {
		t.Fatalf("the child said %q, %v: %s", line, err, stderr.String())
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer timer.Stop()
	_, err = fmt.Fscanln(out, &line)
	ended = err == nil && line == "end"
	if err := cmd.Wait(); ended && err != nil && timer.Stop() {
		t.Fatalf("the child failed: %v %s", err, stderr.String())
	}
	return ended
}

func TestAnAssignmentSurvivesKillsAtAnyPoint(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "k.db")
	w, err := open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.populate(ctx, crashAccounts); err != nil {
		t.Fatal(err)
	}
	a, err := w.assign(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	killed := 0
	for ended := false; !ended; {
		after := shortest + rand.N(longest-shortest)
		if killed >= 4*kills {
			after = time.Minute // a slow machine
		}
		if ended = runAndKill(t, path, after); !ended {
			killed++
		}
		if ended && killed < kills { // it was too quick: give it more to do
			ended = false
			a = again(t, path, a)
		}
	}
	w, err = open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	verify(t, w, a, crashAccounts)
	t.Logf("killed %d times", killed)
}

// again wishes the same version once more, which every account has to settle.
func again(t *testing.T, path string, a *template.Assignment) *template.Assignment {
	t.Helper()
	w, err := open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	now, err := w.templates.Assignment(t.Context(), kinds.Profile, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if now, err = w.templates.Reassign(t.Context(), asker.System, now, now.Tag, 1); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return now
}

// verify looks for exactly one profile with one trusted identity and one policy
// of each template in every one of n accounts.
func verify(t *testing.T, w *world, a *template.Assignment, n int) {
	t.Helper()
	ctx := t.Context()
	now, err := w.templates.Assignment(ctx, kinds.Profile, a.ID)
	if err != nil || now.Status != template.Succeeded {
		t.Fatalf("the assignment is %+v, %v", now, err)
	}
	results, err := w.templates.Results(ctx, now)
	if err != nil {
		t.Fatal(err)
	}
	settled := map[string]bool{}
	for _, r := range results {
		settled[r.Owner] = r.Status == template.Succeeded && r.Revision == now.Revision
	}
	if len(results) != n || slices.Contains(slices.Collect(maps.Values(settled)), false) {
		t.Errorf("%d results", len(results))
	}
	for i := range n {
		in := store.Query{Account: accountID(i)}
		profiles, err := identity.Profiles.List(ctx, w.db.Direct(), in)
		if err != nil || len(profiles) != 1 {
			t.Fatalf("account %d has %d profiles, %v", i, len(profiles), err)
		}
		policies, err := access.Policies.List(ctx, w.db.Direct(), in)
		if err != nil {
			t.Fatal(err)
		}
		from := map[string]bool{}
		for _, p := range policies {
			if p.Owner != "iam-"+profiles[0].ID {
				t.Errorf("account %d: a policy is for %s", i, p.Owner)
			}
			from[p.Template.ID] = true
		}
		trusts, err := identity.Trusts.List(ctx, w.db.Direct(), in)
		if err != nil || len(policies) != 2 || len(from) != 2 || len(trusts) != 1 || !settled[in.Account] {
			t.Errorf("account %d has %d policies of %d templates, %d trusted identities, %v", i, len(policies), len(from), len(trusts), err)
		}
	}
	before, err := w.db.Head(ctx, root)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.runner.Pass(ctx); err != nil {
		t.Fatal(err)
	}
	if after, err := w.db.Head(ctx, root); err != nil || after != before {
		t.Errorf("reconciling again wrote %d events, %v", after-before, err)
	}
}
