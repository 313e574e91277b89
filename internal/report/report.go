// Package report makes the reports on the identities of an account: who was not
// authenticated for a while, and how its users stand towards the demand for a
// second factor. Reports are stored objects that are worked out in the
// background. It counts no authentications and enforces no demand.
package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// The kinds of report, as the API's parameter type spells them.
const (
	KindInactive = "inactive"
	KindMFA      = "mfa_status"
)

// Latest is the reference of the newest report of its kind.
const Latest = "latest"

// States of a report.
const (
	running = "running"
	done    = "done"
	failed  = "failed"
)

// Report is one report. Meta.ID is its reference, Meta.Parent its kind,
// Meta.Owner the IAM id of who ordered it, Meta.CreatedAt the time that it
// speaks of.
type Report struct {
	store.Meta
	State string `json:"state"`
	// Asked tells that a client has asked for it before.
	Asked bool `json:"asked,omitempty"`
	Hours int  `json:"hours,omitempty"` // how long an identity of the report was not authenticated
	// Inactive is the content of a finished report of KindInactive.
	Inactive *Inactivity `json:"inactive,omitempty"`
	// MFA is the content of a finished report of KindMFA, by IAM id.
	MFA []UserMFA `json:"mfa,omitempty"`
}

// Start is the begin of the time in which the identities of an inactivity
// report were not authenticated; its end is CreatedAt.
func (r *Report) Start() time.Time { return r.CreatedAt.Add(-time.Duration(r.Hours) * time.Hour) }

// Reports is the collection of this package.
var Reports = store.NewCollection[Report]("report", nil)

// Bounds. The official service counts 30 days as inactivity and drops reports
// that are older than a day when it makes a new one; the others are ours.
const (
	defaultHours = 30 * 24
	maxHours     = 10 * 366 * 24
	maxAge       = 24 * time.Hour
	maxKept      = 20 // reports of one kind in an account
	maxWorkers   = 2  // reports that one process works out at a time
)

// settled is the age at which a finished report is given to whoever asks
// first. Clients rely on the answer "not yet" to a question that follows the
// order at once, however quickly the report was worked out.
const settled = 10 * time.Second

// ActivityLister gives the authentications of an account's API keys (by id),
// service IDs and profiles (by id) and users (by IAM id). Subjects that never
// were authenticated may be left out. A store is one, and so is the token
// service, which knows of those that are not written yet.
type ActivityLister interface {
	ListActivity(ctx context.Context, account string) ([]store.Activity, error)
}

// Config is what a Service needs. DB is required.
type Config struct {
	DB       store.DB
	Now      func() time.Time // nil: time.Now
	IDs      id.Generator
	Activity ActivityLister // nil: DB
	Log      *slog.Logger   // nil: no log
	// Run starts a job; nil is a goroutine of its own for each.
	Run func(job func())
}

// Service makes reports. It is safe for concurrent use. Whoever made it calls
// Close before the store is closed.
type Service struct {
	Config

	ctx     context.Context // of the jobs
	stop    context.CancelFunc
	workers chan struct{}

	mu     sync.Mutex
	jobs   sync.WaitGroup
	busy   map[string]bool // references that are worked on
	closed bool
}

// New makes the service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Activity == nil {
		c.Activity = c.DB
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Run == nil {
		c.Run = func(job func()) { go job() }
	}
	s := &Service{Config: c, workers: make(chan struct{}, maxWorkers), busy: map[string]bool{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends the jobs and waits for them. Reports that are not finished are
// taken up again when a client asks for them.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.jobs.Wait()
}

// Hours reads the duration of an inactivity report; "" is the default of 30 days.
func Hours(text string) (int, error) {
	if text == "" {
		return defaultHours, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxHours || len(text) > 6 {
		return 0, fault.Field("duration", "Parameter 'duration' must be a number of hours from 1 to %d.", maxHours)
	}
	return n, nil
}

// Order makes a report of a kind; hours is read only for KindInactive. It
// drops the account's reports of this kind that are older than a day.
func (s *Service) Order(ctx context.Context, accountID, kind string, hours int) (*Report, error) {
	r := &Report{Meta: store.Meta{Account: accountID, ID: s.IDs.UUID(), Parent: kind, Name: kind, Owner: store.OriginOf(ctx).IAMID}, State: running}
	if kind == KindInactive {
		r.Hours = hours
	}
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		if err := purge(ctx, tx, accountID, kind); err != nil {
			return err
		}
		return Reports.Create(ctx, tx, r, store.Event{
			Action: "iam-identity.report.create", Name: kind, CRN: crn.Of("iam-identity", accountID, "report", r.ID),
			Message: "IAM Identity Service: create report " + kind,
		})
	})
	if err != nil {
		return nil, fmt.Errorf("ordering report: %w", err)
	}
	s.start(accountID, r.ID)
	return r, nil
}

// purge makes room for a new report.
func purge(ctx context.Context, tx store.Tx, accountID, kind string) error {
	old, err := Reports.List(ctx, tx, store.Query{Account: accountID, Parent: kind, Order: store.ByCreated, Desc: true})
	if err != nil {
		return fmt.Errorf("listing reports: %w", err)
	}
	for i, r := range old {
		if i < maxKept-1 && tx.Now().Sub(r.CreatedAt) <= maxAge {
			continue
		}
		if err := Reports.Delete(ctx, tx, r, store.Event{}); err != nil {
			return fmt.Errorf("dropping an old report: %w", err)
		}
	}
	return nil
}

// Get gives a report by its reference, or nil as long as it is not ready. The
// first question that closely follows the order is always too early. Errors:
// fault.NotFound, fault.Unavailable when the report could not be worked out.
func (s *Service) Get(ctx context.Context, accountID, kind, reference string) (*Report, error) {
	r, err := s.find(ctx, accountID, kind, reference)
	if err != nil {
		return nil, err
	}
	if r.State == failed {
		return nil, fault.New(fault.Unavailable, "The report could not be made. Order a new one.")
	}
	if r.State == done && (r.Asked || s.Now().Sub(r.CreatedAt) >= settled) {
		return r, nil
	}
	if !r.Asked {
		err = s.change(ctx, accountID, r.ID, func(r *Report) { r.Asked = true })
		if err != nil {
			return nil, err
		}
	}
	if r.State == running {
		s.start(accountID, r.ID) // again, when the process was restarted meanwhile
	}
	return nil, nil
}

func (s *Service) find(ctx context.Context, accountID, kind, reference string) (r *Report, err error) {
	err = s.DB.View(ctx, func(rd store.Reader) error {
		if reference == Latest {
			list, err := Reports.List(ctx, rd, store.Query{Account: accountID, Parent: kind, Order: store.ByCreated, Desc: true, Limit: 1})
			if err != nil {
				return fmt.Errorf("reading the latest report: %w", err)
			}
			if len(list) == 0 {
				return NotFound(reference)
			}
			r = list[0]
			return nil
		}
		r, err = Reports.Get(ctx, rd, accountID, reference)
		if errors.Is(err, fault.NotFound) || err == nil && r.Parent != kind {
			return NotFound(reference)
		}
		return err
	})
	return r, err
}

// NotFound is the error for a reference without report.
func NotFound(reference string) *fault.Error {
	const most = 100
	if len(reference) > most {
		reference = reference[:most]
	}
	return fault.NoObject("Report", reference)
}

// change writes into a report that may be gone meanwhile.
func (s *Service) change(ctx context.Context, accountID, reference string, fn func(*Report)) error {
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		r, err := Reports.Get(ctx, tx, accountID, reference)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		fn(r)
		return Reports.Update(ctx, tx, r, store.Event{})
	})
	if err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}

// start has a report worked out unless someone here is at it.
func (s *Service) start(accountID, reference string) {
	s.mu.Lock()
	if s.closed || s.busy[reference] {
		s.mu.Unlock()
		return
	}
	s.busy[reference] = true
	s.jobs.Add(1)
	s.mu.Unlock()
	s.Run(func() {
		defer s.jobs.Done()
		defer func() {
			s.mu.Lock()
			delete(s.busy, reference)
			s.mu.Unlock()
		}()
		select {
		case s.workers <- struct{}{}:
			defer func() { <-s.workers }()
		case <-s.ctx.Done():
			return
		}
		if err := s.work(s.ctx, accountID, reference); err != nil && s.ctx.Err() == nil {
			s.Log.Error("a report could not be made", "account", accountID, "reference", reference, "error", err.Error())
		}
	})
}

// work works a report out. Its error is in the report too, as far as the store
// takes it.
func (s *Service) work(ctx context.Context, accountID, reference string) error {
	r, err := Reports.Get(ctx, s.DB.Direct(), accountID, reference)
	if errors.Is(err, fault.NotFound) || err == nil && r.State != running {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading report: %w", err)
	}
	if r.Parent == KindMFA {
		r.MFA, err = s.mfa(ctx, accountID)
	} else {
		r.Inactive, err = s.inactive(ctx, accountID, r.Start())
	}
	if err == nil {
		err = s.change(ctx, accountID, reference, func(stored *Report) {
			stored.State, stored.MFA, stored.Inactive = done, r.MFA, r.Inactive
		})
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, s.change(ctx, accountID, reference, func(stored *Report) { stored.State = failed }))
}
