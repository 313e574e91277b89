package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

// tokenFamily is the name of the family whose public calls need signing keys.
const tokenFamily = "iamtoken"

// starting is the part of the start that runs beside the rest: the first
// signing key takes longer to make than everything else together, and only
// calls that sign or check tokens need it. Safe for concurrent use.
type starting struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when err is set
	failed chan struct{} // closed when err is set and not nil
	err    error
}

func start(begin func(context.Context) error) *starting {
	ctx, cancel := context.WithCancel(context.Background())
	s := &starting{cancel: cancel, done: make(chan struct{}), failed: make(chan struct{})}
	go func() {
		defer close(s.done)
		if s.err = begin(ctx); s.err != nil {
			close(s.failed)
		}
		// The garbage of the start (schema, demo data, prime numbers) is more
		// than all that is kept: give it back once instead of holding it idle.
		// Pools let go only at the second collection.
		runtime.GC()
		debug.FreeOSMemory()
	}()
	return s
}

// intercept holds calls that need the signing keys back until they are there.
func (s *starting) intercept(ctx context.Context, c *httpapi.Call) error {
	select {
	case <-s.done:
		return s.failure()
	default:
	}
	if c.Op.Access.Public != "" && c.Op.Family.Name != tokenFamily {
		return nil
	}
	select {
	case <-s.done:
		return s.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *starting) failure() error {
	if s.err == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Unavailable, Message: "The server has no signing keys.", Cause: s.err}
}

// stop ends the start and waits for it. A start that was stopped did not fail.
func (s *starting) stop() error {
	s.cancel()
	<-s.done
	if errors.Is(s.err, context.Canceled) {
		return nil
	}
	if s.err != nil {
		return fmt.Errorf("starting the token service: %w", s.err)
	}
	return nil
}
