package sqlitestore

import (
	"context"
	"errors"
	"sync"

	"github.com/kagiban/kagiban/internal/store/sqlstore"
)

var errClosed = sqlstore.Unavailable(errors.New("the store is closed"))

// readers is a pool of connections, opened when they are first needed.
type readers struct {
	open   func(context.Context) (*session, error)
	free   chan *session // nil stands for one that is not open yet
	closed chan struct{}
	once   sync.Once
}

func newReaders(n int, open func(context.Context) (*session, error)) *readers {
	p := &readers{open: open, free: make(chan *session, n), closed: make(chan struct{})}
	for range n {
		p.free <- nil
	}
	return p
}

// lend runs fn with a connection. It waits for one until the context ends.
func (p *readers) lend(ctx context.Context, fn func(*session) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-p.closed:
		return errClosed
	default:
	}
	var s *session
	select {
	case s = <-p.free:
	default:
		select {
		case s = <-p.free:
		case <-p.closed:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { p.free <- s }()
	if s == nil {
		var err error
		if s, err = p.open(context.WithoutCancel(ctx)); err != nil {
			s = nil
			return err
		}
	}
	return fn(s)
}

// close waits for the lent connections and closes all.
func (p *readers) close() {
	p.once.Do(func() {
		close(p.closed)
		for range cap(p.free) {
			if s := <-p.free; s != nil {
				s.close()
			}
		}
	})
}
