package report_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/report"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

const acct = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func clock() time.Time { return start }

func openStore(t *testing.T) store.DB {
	t.Helper()
	db, err := sqlitestore.Open(context.Background(), sqlitestore.Options{Memory: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	accounts := account.New(account.Config{DB: db, Now: clock})
	if _, err := accounts.Create(context.Background(), account.NewAccount{ID: acct, Name: "A", Owner: account.NewUser{ID: "IBMid-1", Email: "a@example.com"}}); err != nil {
		t.Fatal(err)
	}
	return db
}

// Jobs run beside the requests; closing waits for them.
func TestJobsRunInTheBackground(t *testing.T) {
	ctx := context.Background()
	db := openStore(t)
	done := make(chan struct{}, 10)
	s := report.New(report.Config{DB: db, Now: clock, Run: func(job func()) {
		go func() {
			job()
			done <- struct{}{}
		}()
	}})
	var refs []string
	for range 10 {
		r, err := s.Order(ctx, acct, report.KindInactive, 1)
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, r.ID)
	}
	for range 10 {
		<-done
	}
	for _, ref := range refs {
		if r, err := s.Get(ctx, acct, report.KindInactive, ref); r != nil || err != nil {
			t.Errorf("the first question got %v, %v", r, err)
		}
		r, err := s.Get(ctx, acct, report.KindInactive, ref)
		if err != nil || r == nil || len(r.Inactive.Users) != 1 {
			t.Errorf("the second got %+v, %v", r, err)
		}
	}
	s.Close()
	if _, err := s.Order(ctx, acct, report.KindMFA, 0); err != nil {
		t.Errorf("ordering after the end: %v", err)
	}
}

type broken struct{}

func (broken) ListActivity(context.Context, string) ([]store.Activity, error) {
	return nil, errors.New("no activity")
}

// A report that cannot be made says so instead of being waited for forever.
func TestFailedReportsSaySo(t *testing.T) {
	ctx := context.Background()
	s := report.New(report.Config{DB: openStore(t), Now: clock, Activity: broken{}, Run: func(job func()) { job() }})
	defer s.Close()
	r, err := s.Order(ctx, acct, report.KindInactive, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, acct, report.KindInactive, r.ID); !errors.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestHoursAreBounded(t *testing.T) {
	for text, want := range map[string]int{"": 720, "1": 1, "120": 120, "87840": 87840, "0": 0, "-1": 0, "87841": 0, "1h": 0, "+5": 5, "0000005": 0} {
		got, err := report.Hours(text)
		if (err == nil) != (want != 0) || err == nil && got != want {
			t.Errorf("%q gives %d, %v", text, got, err)
		}
	}
}
