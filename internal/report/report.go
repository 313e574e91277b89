// Package report makes the reports on the identities of an account: who was not
// authenticated for a while, and how its users stand towards the demand for a
// second factor. Reports are stored objects; a job works each out. It counts no
// authentications and enforces no demand.
package report

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/job"
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
	maxWorkers   = 2  // reports that one node works out at a time
	maxAttempts  = 3  // to work a report out
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
}

// Service makes reports. It is safe for concurrent use. It decides no access:
// its callers have asked already.
type Service struct {
	db       store.DB
	now      func() time.Time
	ids      id.Generator
	activity ActivityLister
}

// New makes the service. Somebody has to run its Jobs.
func New(c Config) *Service {
	s := &Service{db: c.DB, now: c.Now, ids: c.IDs, activity: c.Activity}
	if s.now == nil {
		s.now = time.Now
	}
	if s.activity == nil {
		s.activity = c.DB
	}
	return s
}

const jobKind = "report"

// Jobs is the working out of reports.
func (s *Service) Jobs() []job.Kind {
	return []job.Kind{{Name: jobKind, Workers: maxWorkers, Run: s.work}}
}

// Order says what report to make. Inactive and MFA give one.
type Order struct {
	kind  string
	hours int
}

// Inactive orders who was not authenticated for a number of hours; "" is the
// default of 30 days. The error is fault.Invalid.
func Inactive(duration string) (Order, error) {
	if duration == "" {
		return Order{KindInactive, defaultHours}, nil
	}
	n, err := strconv.Atoi(duration)
	if err != nil || n < 1 || n > maxHours || len(duration) > 6 {
		return Order{}, fault.Field("duration", "Parameter 'duration' must be a number of hours from 1 to %d.", maxHours)
	}
	return Order{KindInactive, n}, nil
}

// MFA orders how users stand towards the demand for a second factor.
func MFA() Order { return Order{kind: KindMFA} }

// Order makes a report. It drops the account's reports of this kind that are
// older than a day.
func (s *Service) Order(ctx context.Context, accountID string, o Order) (*Report, error) {
	r := &Report{
		Meta:  store.Meta{Account: accountID, ID: s.ids.UUID(), Parent: o.kind, Name: o.kind, Owner: store.OriginOf(ctx).IAMID},
		State: running, Hours: o.hours,
	}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		if err := purge(ctx, tx, accountID, o.kind); err != nil {
			return err
		}
		err := Reports.Create(ctx, tx, r, store.Event{
			Action: "iam-identity.report.create", Name: o.kind, CRN: crn.Of("iam-identity", accountID, "report", r.ID),
			Message: "IAM Identity Service: create report " + o.kind,
		})
		if err != nil {
			return err
		}
		return job.Schedule(ctx, tx, job.Order{Kind: jobKind, Account: accountID, ID: r.ID})
	})
	if err != nil {
		return nil, fmt.Errorf("ordering report: %w", err)
	}
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
		if err := Reports.Delete(ctx, tx, r, store.Silent); err != nil {
			return fmt.Errorf("dropping an old report: %w", err)
		}
	}
	return nil
}

// Get gives a report by its reference, or nil as long as it is not ready. The
// first question that closely follows the order is always too early. Errors:
// fault.NotFound, fault.Unavailable when the report could not be worked out,
// store.ErrMoved.
func (s *Service) Get(ctx context.Context, accountID, kind, reference string) (*Report, error) {
	r, err := s.find(ctx, accountID, kind, reference)
	if err != nil {
		return nil, err
	}
	if r.State == failed {
		return nil, fault.New(fault.Unavailable, "The report could not be made. Order a new one.")
	}
	if r.State == done && (r.Asked || s.now().Sub(r.CreatedAt) >= settled) {
		return r, nil
	}
	if !r.Asked {
		_, err = Reports.Edit(ctx, s.db, r, func(_ store.Tx, r *Report) (store.Event, error) {
			r.Asked = true
			return store.Silent, nil
		})
	}
	return nil, err
}

func (s *Service) find(ctx context.Context, accountID, kind, reference string) (r *Report, err error) {
	err = s.db.View(ctx, func(rd store.Reader) error {
		if reference == Latest {
			list, err := Reports.List(ctx, rd, store.Query{Account: accountID, Parent: kind, Order: store.ByCreated, Desc: true, Limit: 1})
			if err != nil {
				return fmt.Errorf("reading the latest report: %w", err)
			}
			if len(list) == 0 {
				return notFound(reference)
			}
			r = list[0]
			return nil
		}
		r, err = Reports.Get(ctx, rd, accountID, reference)
		if errors.Is(err, fault.NotFound) || err == nil && r.Parent != kind {
			return notFound(reference)
		}
		return err
	})
	return r, err
}

// notFound is the error for a reference without report.
func notFound(reference string) *fault.Error {
	const most = 100
	if len(reference) > most {
		reference = reference[:most]
	}
	return fault.NoObject("Report", reference)
}

// work works a report out. What cannot be made is tried again, and then given up:
// who asks for it is told so.
func (s *Service) work(ctx context.Context, run *job.Run) error {
	r, err := Reports.Get(ctx, s.db.Direct(), run.Account, run.ID)
	if errors.Is(err, fault.NotFound) || err == nil && r.State != running {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading report: %w", err)
	}
	if r.Parent == KindMFA {
		r.MFA, err = s.mfa(ctx, r.Account)
	} else {
		r.Inactive, err = s.inactive(ctx, r.Account, r.Start())
	}
	if err == nil {
		return s.finish(ctx, r, done)
	}
	if run.Attempt >= maxAttempts && ctx.Err() == nil {
		err = errors.Join(err, s.finish(ctx, r, failed))
	}
	return err
}

// finish writes what became of a report, which may have been asked for, or be
// gone, meanwhile.
func (s *Service) finish(ctx context.Context, made *Report, state string) error {
	err := s.db.Update(ctx, func(tx store.Tx) error {
		r, err := Reports.Get(ctx, tx, made.Account, made.ID)
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		r.State, r.MFA, r.Inactive = state, made.MFA, made.Inactive
		return Reports.Update(ctx, tx, r, store.Silent)
	})
	if err != nil {
		return fmt.Errorf("writing report: %w", err)
	}
	return nil
}
