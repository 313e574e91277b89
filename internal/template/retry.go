package template

import (
	"context"
	"errors"
	"time"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
)

// What an internal error keeps from being done is tried again after firstRetry,
// and each further time after twice as long, up to lastRetry: soon enough after
// a fault that passes, and without burdening what else the enterprise has to do.
const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// Retry says how often in a row something failed, and when to try it again.
type Retry struct {
	Attempts int       `json:"attempts"`
	At       time.Time `json:"at"`
}

// next is the Retry after one more failure.
func (r Retry) next(now time.Time) Retry {
	wait := lastRetry
	if r.Attempts < 20 { // beyond, the shift would overflow
		wait = min(firstRetry<<r.Attempts, lastRetry)
	}
	return Retry{r.Attempts + 1, now.Add(wait)}
}

// sooner gives the earlier one of two times; zero stands for never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// general tells whether an error says that the store does not answer, or that
// the work is to end, and so nothing about one account.
func general(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, fault.Unavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
}

// putOff writes down that an internal error kept an account from being settled,
// so that it is seen and every node waits before it tries again. Of an account
// of which no assignment knows, because it left, only Synced tells.
func (s *Service) putOff(ctx context.Context, root, accountID, templateID string, cause error) error {
	s.trouble(accountID, cause)
	s.meter.PutOff(1)
	return s.planned(ctx, root, templateID, func(p *plan) error {
		m, err := enterprise.Members.Get(ctx, p.tx, root, accountID)
		if err != nil {
			return err
		}
		a, err := concerned(ctx, p, m)
		if a == nil || err != nil {
			return err
		}
		held, err := Helds.Get(ctx, p.tx, accountID, templateID)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		if err == nil && a.Operation != OpRemove && held.Assignment == a.ID && held.Revision == a.Revision {
			return nil // another node did it meanwhile
		}
		r := Result{Revision: a.Revision, Status: InProgress, Error: wireError(&fault.Error{Kind: fault.Internal})}
		old, err := Results.Get(ctx, p.tx, root, ResultID(a.ID, accountID))
		if err == nil && old.Revision == a.Revision && old.Status == InProgress {
			r.Retry = old.Retry
		} else if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		r.Retry = r.Retry.next(s.now())
		return putResult(ctx, p.tx, a, accountID, r)
	})
}

// concerned gives the assignment whose result tells of an account: the one that
// counts for it, the one that is being removed, or one that did count; nil when
// there is none.
func concerned(ctx context.Context, p *plan, m *enterprise.Member) (*Assignment, error) {
	if a := winnerOf(p.assigned, m); a != nil {
		return a, nil
	}
	if a := leaving(p.assigned); a != nil {
		return a, nil
	}
	for _, a := range p.assigned {
		_, err := Results.Get(ctx, p.tx, p.root, ResultID(a.ID, m.ID))
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	return nil, nil
}
