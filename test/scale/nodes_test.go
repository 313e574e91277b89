package scale

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/storetest"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// childPG makes the test binary, executed again, a node that reconciles what is
// in this PostgreSQL database.
const childPG = "KAGIBAN_SCALE_PG"

const (
	nodeAccounts = 300
	nodeRounds   = 5
)

func openPG(ctx context.Context, dsn string) (*world, error) {
	db, err := pgstore.Open(pgstore.Options{DSN: dsn, MaxConns: 8})
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	return found(ctx, db, strconv.Itoa(os.Getpid()))
}

// node says that it begins, reconciles like a server until its assignments are
// finished, says how many accounts it heard of, and ends.
func node(dsn string) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	w, err := openPG(ctx, dsn)
	if err != nil {
		return err
	}
	changed := make(chan struct{}, 1)
	defer w.db.Subscribe(func(events []store.Event) {
		for i := range events {
			if events[i].Written().Kind == template.Assignments.Kind() {
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
	})()
	fmt.Println("begin")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.runner.Run(ctx)
	}()
	for done := false; !done; {
		if done, err = finished(ctx, w); err != nil && !errors.Is(err, fault.Unavailable) {
			return err
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // an event may come before it can be read
		}
	}
	stop()
	<-ended
	fmt.Println("end")
	return w.close()
}

func finished(ctx context.Context, w *world) (bool, error) {
	list, err := w.templates.ListAssignments(ctx, kinds.Profile, root)
	for _, a := range list {
		if a.Status == template.Accepted || a.Status == template.InProgress {
			return false, nil
		}
	}
	return err == nil, err
}

// process is a node in a process of its own.
type process struct {
	*exec.Cmd
	out    *bufio.Reader
	stderr strings.Builder
}

func start(t *testing.T, dsn string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0])}
	p.Env = append(os.Environ(), childPG+"="+dsn)
	p.Stderr = &p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		_ = p.Wait()
	})
	return p
}

func (p *process) says(t *testing.T, want string) {
	t.Helper()
	if line, err := p.out.ReadString('\n'); err != nil && !errors.Is(err, io.EOF) || line != want+"\n" {
		t.Fatalf("the node said %q, %v: %s", line, err, p.stderr.String())
	}
}

// Two nodes share an assignment to all accounts; one of them is killed in the
// middle. The other one finishes, and every account holds every object once.
func TestTwoNodesShareAnAssignmentAndOneIsKilled(t *testing.T) {
	dsn := storetest.Postgres(t)
	ctx := t.Context()
	w, err := openPG(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.populate(ctx, nodeAccounts); err != nil {
		t.Fatal(err)
	}
	a, err := w.assign(ctx)
	if err != nil {
		t.Fatal(err)
	}
	inTheMiddle := 0
	for round := range nodeRounds {
		one, two := start(t, dsn), start(t, dsn)
		one.says(t, "begin")
		two.says(t, "begin")
		waitUntil(t, w, a, nodeAccounts*(round+1)/(nodeRounds+1))
		if err := one.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if done, err := finished(ctx, w); err != nil || !done {
			inTheMiddle++
		}
		two.says(t, "end")
		verify(t, w, a, nodeAccounts)
		now, err := w.templates.Assignment(ctx, kinds.Profile, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if round < nodeRounds-1 {
			if a, err = w.templates.Reassign(ctx, asker.System, now, now.Tag, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if inTheMiddle == 0 {
		t.Error("no node was killed before all was done")
	}
}

// waitUntil returns when n accounts are settled, or all.
func waitUntil(t *testing.T, w *world, a *template.Assignment, n int) {
	t.Helper()
	written := make(chan struct{}, 1)
	defer w.db.Subscribe(func([]store.Event) {
		select {
		case written <- struct{}{}:
		default:
		}
	})()
	late := time.After(2 * time.Minute)
	for {
		settled, _, err := w.templates.Progress(t.Context(), a)
		if err == nil && settled >= n {
			return
		}
		select {
		case <-written:
		case <-late:
			t.Fatalf("%d of %d accounts are settled, %v", settled, n, err)
		}
	}
}
