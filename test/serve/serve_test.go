package serve

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kagiban/kagiban/internal/store/storetest"
)

// load writes with several clients until stop is closed or the server is gone.
// Answers other than success and those of odd are failures.
type load struct {
	acked   atomic.Int64
	refused atomic.Int64

	mu    sync.Mutex // guards list
	list  []identity
	stop  chan struct{}
	group sync.WaitGroup
}

func (p *process) load(token, prefix string, odd func(code int, raw []byte) bool) *load {
	l := &load{stop: make(chan struct{})}
	for w := range 6 {
		l.group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-l.stop:
					return
				default:
				}
				made, code, raw := p.create(token, fmt.Sprintf("%s-%d-%d", prefix, w, i))
				switch {
				case code == 0:
					return // the server is gone
				case code == 201:
					l.mu.Lock()
					l.list = append(l.list, made)
					l.mu.Unlock()
					l.acked.Add(1)
				case odd != nil && odd(code, raw):
					l.refused.Add(1)
				default:
					p.in.t.Errorf("a write: %d %s", code, raw)
					return
				}
			}
		})
	}
	return l
}

// reach waits until a counter has come so far.
func reach(t *testing.T, what string, n *atomic.Int64, to int64) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for n.Load() < to && !t.Failed() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s came to %d, not to %d", what, n.Load(), to)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

// soFar gives what was acknowledged until now.
func (l *load) soFar() []identity {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// restored checks a server on a restored database and ends it: what was
// acknowledged is there, a token of before and the first key are good, and
// writes go on.
func (p *process) restored(token string, acked []identity) {
	p.in.t.Helper()
	p.verify(token, acked)
	p.exchange(p.in.key)
	if _, code, raw := p.create(token, "new"); code != 201 {
		p.in.t.Errorf("a write after the restoration: %d %s", code, raw)
	}
	p.stop()
}

func (l *load) end() []identity {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.group.Wait()
	return l.list
}

func TestAServerThatIsKilledUnderLoadLosesNothingAcknowledged(t *testing.T) {
	onBoth(t, func(t *testing.T, in *installation) {
		var acked []identity
		token := ""
		for round := range 3 {
			p := in.start()
			if token == "" {
				token = p.exchange(in.key)
			}
			p.verify(token, acked)
			l := p.load(token, fmt.Sprint("r", round), nil)
			reach(t, "the writes", &l.acked, 60)
			p.kill()
			acked = append(acked, l.end()...)
		}
		p := in.start()
		p.verify(token, acked) // the token of the first process, too
		p.stop()
		t.Logf("%d acknowledged writes are there", len(acked))
	})
}

func TestACopyMadeUnderLoadRestores(t *testing.T) {
	in := install(t, "")
	p := in.start()
	token := p.exchange(in.key)
	l := p.load(token, "busy", nil)
	reach(t, "the writes", &l.acked, 40)
	acked := l.soFar()
	backup := filepath.Join(t.TempDir(), "copy.db")
	in.run("backup", backup)
	l.end()
	p.kill()

	lost := filepath.Join(in.dir, "kagiban.db")
	for _, suffix := range []string{"", "-wal", "-shm"} { // as docs/operating.md says
		if err := os.Remove(lost + suffix); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(backup, lost); err != nil {
		t.Fatal(err)
	}
	p = in.start()
	p.restored(token, acked)
}

// tool runs a program of PostgreSQL.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	folder, err := exec.Command("../../scripts/postgres-bin").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(strings.TrimSpace(string(folder)), name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func TestADumpOfPostgreSQLRestores(t *testing.T) {
	dsn := storetest.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	schema := q.Get("search_path")
	q.Del("search_path") // which PostgreSQL's own programs do not know
	u.RawQuery = q.Encode()

	in := install(t, dsn)
	p := in.start()
	token := p.exchange(in.key)
	l := p.load(token, "busy", nil)
	reach(t, "the writes", &l.acked, 40)
	acked := l.soFar()
	dump := filepath.Join(t.TempDir(), "kagiban.sql")
	tool(t, "pg_dump", "--schema="+schema, "--file="+dump, u.String())
	l.end()
	p.kill()

	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "DROP SCHEMA "+schema+" CASCADE"); err != nil {
		t.Fatal(err)
	}
	tool(t, "psql", "--quiet", "--set=ON_ERROR_STOP=1", "--file="+dump, u.String())
	p = in.start()
	p.restored(token, acked)
}

func TestAHangupDoesNotEndTheServer(t *testing.T) {
	in := install(t, "")
	p := in.start()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for !p.said("no certificate to be read again") {
		p.exchange(in.key) // fails when the server is gone
	}
	p.stop()
}
