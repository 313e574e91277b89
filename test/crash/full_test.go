//go:build unix

package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/signal"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
)

// fillDisk bounds the size of this process's files, as a full disk does, and
// gives a function that takes refusals: after some it makes room.
func fillDisk() (refused func(error), err error) {
	signal.Ignore(syscall.SIGXFSZ) // the write then fails instead
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return nil, err
	}
	full := syscall.Rlimit{Cur: 512 << 10, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		return nil, err
	}
	var n atomic.Int64
	return func(err error) {
		if !errors.Is(err, fault.Unavailable) {
			fmt.Println("wrong", err)
		}
		if n.Add(1) == 100 {
			fmt.Println("room")
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
				fmt.Println("wrong", err)
			}
		}
	}, nil
}

func TestAFullDiskLosesNothingAndTheStoreWorksAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k.db")
	acked, other := killWhileWriting(t, 1500+rand.IntN(300), childFile+"="+path, childFull+"=1")
	if !slices.Equal(other, []string{"room"}) {
		t.Errorf("the child said %q", other)
	}
	db, err := openFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, db, acked)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	checkIntegrity(t, path)
}
