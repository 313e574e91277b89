package serve

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// limitFiles bounds the size of the files that a process writes, as a disk does
// that has no more room; unix.RLIM_INFINITY makes room.
func limitFiles(t *testing.T, pid int, bytes uint64) {
	t.Helper()
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskRefusesWritesAndKeepsTheRest(t *testing.T) {
	in := install(t, "")
	p := in.start()
	token := p.exchange(in.key)
	before, code, raw := p.create(token, "before")
	if code != 201 {
		t.Fatalf("%d %s", code, raw)
	}
	limitFiles(t, p.cmd.Process.Pid, 384<<10)
	l := p.load(token, "full", func(code int, raw []byte) bool {
		var e struct {
			StatusCode int `json:"status_code"`
			Errors     []struct{ Code, Message string }
			Trace      string
		}
		if err := json.Unmarshal(raw, &e); err != nil || code != 503 || e.StatusCode != 503 || len(e.Errors) != 1 || e.Trace == "" {
			return false
		}
		return !strings.Contains(strings.ToLower(string(raw)), "disk") && !strings.Contains(string(raw), "kagiban.db")
	})
	reach(t, "the refusals", &l.refused, 30)
	acked := append(l.end(), before)
	if len(acked) < 2 {
		t.Fatal("there was no write before the disk was full")
	}
	p.exchange(before.key) // reads and tokens go on
	p.verify(token, acked)

	limitFiles(t, p.cmd.Process.Pid, unix.RLIM_INFINITY)
	after, code, raw := p.create(token, "after")
	if code != 201 {
		t.Fatalf("with room again: %d %s", code, raw)
	}
	acked = append(acked, after)
	p.kill()
	p = in.start()
	p.verify(token, acked)
	p.stop()
}
