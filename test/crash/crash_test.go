// Package crash holds the proof that nothing acknowledged is lost: processes
// are killed while they write, connections are cut, disks fill up, and what is
// found afterwards is compared with what was acknowledged.
package crash

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/pgstore"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/store/storetest"
)

// Environment of a child: the test binary, executed again as a writer.
const (
	childFile = "KAGIBAN_CRASH_FILE" // writes to this SQLite file
	childPG   = "KAGIBAN_CRASH_PG"   // writes to this PostgreSQL database
	childFull = "KAGIBAN_CRASH_FULL" // meets a full disk on the way
)

func TestMain(m *testing.M) {
	if os.Getenv(childFile) != "" || os.Getenv(childPG) != "" {
		if err := child(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// paper is what is written. Sum tells whether it is whole.
type paper struct {
	store.Meta
	Text string `json:"text"`
	Sum  string `json:"sum"`
}

var papers = store.NewCollection("paper", func(p *paper) []store.Key {
	return []store.Key{{Space: "paper", Value: p.Account + "/" + p.ID}}
})

const accounts = 3

func (p *paper) fill() {
	p.Text = strings.Repeat("x", rand.IntN(3000)) + fmt.Sprint(rand.Uint64())
	p.Sum = p.sum()
}

func (p *paper) sum() string {
	h := sha256.Sum256([]byte(p.Account + p.ID + p.Text))
	return hex.EncodeToString(h[:])
}

// writeOn creates papers and changes them, as fast as it can, until the
// context ends, and reports each write after it was acknowledged.
func writeOn(ctx context.Context, db store.DB, writer string, report func(ack), refused func(error)) {
	for i := 0; ctx.Err() == nil; i++ {
		p := &paper{Meta: store.Meta{Account: fmt.Sprint("a", rand.IntN(accounts)), ID: fmt.Sprintf("%s-%d", writer, i), Name: "paper"}}
		p.fill()
		err := db.Update(ctx, func(tx store.Tx) error {
			fresh := *p
			defer func() { *p = fresh }()
			return papers.Create(ctx, tx, &fresh, store.Event{Action: "paper.create"})
		})
		if err != nil {
			refused(err)
			continue
		}
		report(ack{p.Account, p.ID, p.Version})
		if i%3 != 0 {
			continue
		}
		p.fill()
		err = db.Update(ctx, func(tx store.Tx) error {
			fresh := *p
			return papers.Update(ctx, tx, &fresh, store.Event{Action: "paper.update"})
		})
		if err != nil {
			refused(err)
			continue
		}
		report(ack{p.Account, p.ID, p.Version + 1})
	}
}

// ack is a write that was acknowledged.
type ack struct {
	account, id string
	version     int64
}

func openFile(ctx context.Context, path string) (*sqlitestore.DB, error) {
	db, err := sqlitestore.Open(ctx, sqlitestore.Options{Path: path})
	if err != nil {
		return nil, err
	}
	return db, db.Migrate(ctx)
}

func openPG(ctx context.Context, dsn string) (*pgstore.DB, error) {
	db, err := pgstore.Open(pgstore.Options{DSN: dsn})
	if err != nil {
		return nil, err
	}
	return db, db.Migrate(ctx)
}

// child writes with several goroutines and prints what was acknowledged.
func child() error {
	ctx := context.Background()
	var db store.DB
	var err error
	if path := os.Getenv(childFile); path != "" {
		db, err = openFile(ctx, path)
	} else {
		db, err = openPG(ctx, os.Getenv(childPG))
	}
	if err != nil {
		return err
	}
	refused := func(err error) { fmt.Fprintln(os.Stderr, err) }
	if os.Getenv(childFull) != "" {
		if refused, err = fillDisk(); err != nil {
			return err
		}
	}
	report := func(a ack) { fmt.Printf("%s %s %d\n", a.account, a.id, a.version) }
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() { writeOn(ctx, db, fmt.Sprintf("p%d-w%d", os.Getpid(), w), report, refused) })
	}
	wg.Wait()
	return nil
}

// killWhileWriting runs a child and kills it, without a warning, after it has
// acknowledged some number of writes. Every line that came whole was
// acknowledged; those still in the pipe count as well.
func killWhileWriting(t *testing.T, after int, env ...string) (acked []ack, other []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		var a ack
		if _, err := fmt.Sscan(line, &a.account, &a.id, &a.version); err != nil {
			other = append(other, strings.TrimSpace(line))
			continue
		}
		acked = append(acked, a)
		if len(acked) == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // an error: it was killed
	if len(acked) < after {
		t.Fatalf("the child ended by itself: %s", stderr.String())
	}
	return acked, other
}

// verify compares a store with what was acknowledged, and with itself.
func verify(t *testing.T, db store.DB, acked []ack) {
	t.Helper()
	ctx := t.Context()
	for _, a := range acked {
		p, err := papers.Get(ctx, db.Direct(), a.account, a.id)
		if err != nil || p.Version < a.version {
			t.Errorf("acknowledged %+v, found %+v, %v", a, p, err)
		}
	}
	found, err := papers.List(ctx, db.Direct(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]int64{}
	for _, p := range found {
		if p.Sum != p.sum() {
			t.Errorf("%s is not whole", p.ID)
		}
		holder, err := papers.Lookup(ctx, db.Direct(), papersKey(p))
		if err != nil || holder.ID != p.ID {
			t.Errorf("the key of %s leads to %v, %v", p.ID, holder, err)
		}
		history, err := db.Direct().History(ctx, p.Account, "paper", p.ID, 0)
		if err != nil || int64(len(history)) != p.Version || history[len(history)-1].Tag != p.Tag {
			t.Errorf("%s at version %d has the history %+v, %v", p.ID, p.Version, history, err)
		}
		written[p.Account] += p.Version
	}
	for account, n := range written {
		events, err := db.Events(ctx, account, 0, 0)
		head, err2 := db.Head(ctx, account)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if int64(len(events)) != n || head != n {
			t.Errorf("account %s: %d writes, %d events, head %d", account, n, len(events), head)
		}
		for i, ev := range events {
			if ev.Seq != int64(i+1) {
				t.Fatalf("account %s: event %d at place %d", account, ev.Seq, i+1)
			}
		}
	}
	t.Logf("%d writes were acknowledged and are there", len(acked))
}

func papersKey(p *paper) store.Key {
	return store.Key{Space: "paper", Value: p.Account + "/" + p.ID}
}

func TestAKilledProcessLosesNothingInItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.db")
	var acked []ack
	for range 4 {
		more, _ := killWhileWriting(t, 50+rand.IntN(400), childFile+"="+path)
		acked = append(acked, more...)
		db, err := openFile(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, db, acked)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	checkIntegrity(t, path)
}

// checkIntegrity lets SQLite look through the file.
func checkIntegrity(t *testing.T, path string) {
	t.Helper()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var verdict string
	if err := raw.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the file is damaged: %s, %v", verdict, err)
	}
}

func TestAKilledProcessLosesNothingInPostgreSQL(t *testing.T) {
	dsn := storetest.Postgres(t)
	var acked []ack
	for range 3 {
		more, _ := killWhileWriting(t, 50+rand.IntN(200), childPG+"="+dsn)
		acked = append(acked, more...)
		db, err := openPG(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, db, acked)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// tally is what writers in this process were answered.
type tally struct {
	*testing.T
	stop context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex // guards all below
	moved   *sync.Cond
	acked   []ack
	refused int
}

// startWriters runs n writers on a store until done is called. Only errors that
// say "try again" may be answered.
func startWriters(t *testing.T, db store.DB, n int) *tally {
	y := &tally{T: t}
	y.moved = sync.NewCond(&y.mu)
	var ctx context.Context
	ctx, y.stop = context.WithCancel(t.Context())
	for w := range n {
		y.work.Go(func() { writeOn(ctx, db, fmt.Sprint("w", w), y.report, y.refuse) })
	}
	return y
}

func (y *tally) report(a ack) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.acked = append(y.acked, a)
	y.moved.Broadcast()
}

func (y *tally) refuse(err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.refused++
	y.moved.Broadcast()
	if !errors.Is(err, fault.Unavailable) && !errors.Is(err, context.Canceled) {
		y.Errorf("got %v", err)
	}
}

// wait waits for so many more acknowledgements and refusals.
func (y *tally) wait(acked, refused int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	acked += len(y.acked)
	refused += y.refused
	for len(y.acked) < acked || y.refused < refused {
		y.moved.Wait()
	}
}

func (y *tally) done() []ack {
	y.stop()
	y.work.Wait()
	return y.acked
}

func TestCutConnectionsLoseNothing(t *testing.T) {
	dsn := storetest.Postgres(t)
	db, err := openPG(t.Context(), dsn+"&application_name=victim")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	knife, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer knife.Close()
	y := startWriters(t, db, 8)
	for range 20 {
		y.wait(20, 0)
		if _, err := knife.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'`); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, db, y.done())
}

func TestADatabaseAtItsBoundAnswersAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.db")
	db, err := openFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.SetMaxBytes(t.Context(), 1<<20); err != nil {
		t.Fatal(err)
	}
	y := startWriters(t, db, 16)
	y.wait(0, 200)
	if err := db.SetMaxBytes(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	y.wait(100, 0) // there is room again
	verify(t, db, y.done())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkIntegrity(t, path)
}
