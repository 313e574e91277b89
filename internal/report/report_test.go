package report_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/report"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/valid"
)

const (
	acct  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	other = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	owner = "IBMid-1"
)

// office is a report service with its store and somebody who runs its jobs.
type office struct {
	*report.Service
	t   *testing.T
	ctx context.Context
	db  store.DB
	now time.Time
	// broken makes the activity of identities unreadable.
	broken bool
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, ctx: context.Background(), now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	db, err := sqlitestore.Open(o.ctx, sqlitestore.Options{Memory: true, Now: o.clock})
	o.ok(err)
	t.Cleanup(func() { _ = db.Close() })
	o.db = db
	for _, a := range []string{acct, other} {
		_, err := account.New(account.Config{DB: db, Now: o.clock}).Create(o.ctx,
			account.NewAccount{ID: a, Name: "A", Owner: account.NewUser{ID: owner, Email: "a@example.com", Name: "Ann"}})
		o.ok(err)
	}
	o.Service = report.New(report.Config{DB: db, Now: o.clock, Activity: o})
	return o
}

func (o *office) clock() time.Time { return o.now }

func (o *office) ok(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// ListActivity implements report.ActivityLister.
func (o *office) ListActivity(ctx context.Context, accountID string) ([]store.Activity, error) {
	if o.broken {
		return nil, errors.New("no activity")
	}
	return o.db.ListActivity(ctx, accountID)
}

// work runs the jobs that are due, as a node of this name.
func (o *office) work(node string) {
	o.t.Helper()
	o.ok(job.New(job.Config{DB: o.db, Node: node, Now: o.clock, Wall: o.clock}, o.Jobs()...).Pass(o.ctx))
}

// order orders a report and asks for it, too early.
func (o *office) order(what report.Order) string {
	o.t.Helper()
	r, err := o.Order(o.ctx, acct, what)
	o.ok(err)
	return r.ID
}

func inactive(t *testing.T, duration string) report.Order {
	t.Helper()
	o, err := report.Inactive(duration)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// ready asks for a report until it is there.
func (o *office) ready(kind, reference string) *report.Report {
	o.t.Helper()
	for range 2 {
		r, err := o.Get(o.ctx, acct, kind, reference)
		o.ok(err)
		if r != nil {
			return r
		}
	}
	o.t.Fatalf("report %s is not ready", reference)
	return nil
}

// seen notes an authentication.
func (o *office) seen(subject string, at time.Time) {
	o.t.Helper()
	o.ok(o.db.AddActivity(o.ctx, []store.Activity{{Account: acct, Subject: subject, Count: 1, Last: at}}))
}

// put stores an object of another package as it would.
func put[T any](o *office, c *store.Collection[T], obj *T) {
	o.t.Helper()
	o.ok(o.db.Update(o.ctx, func(tx store.Tx) error { return c.Create(o.ctx, tx, obj, store.Event{}) }))
}

func TestAReportHoldsWhoWasNotAuthenticatedInItsTime(t *testing.T) {
	o := newOffice(t)
	put(o, identity.ServiceIDs, &identity.ServiceID{Meta: store.Meta{Account: acct, ID: "ServiceId-never", Name: "never"}})
	put(o, identity.ServiceIDs, &identity.ServiceID{Meta: store.Meta{Account: acct, ID: "ServiceId-busy", Name: "busy"}})
	put(o, identity.Profiles, &identity.Profile{Meta: store.Meta{Account: acct, ID: "Profile-edge", Name: "edge"}})
	put(o, identity.Profiles, &identity.Profile{Meta: store.Meta{Account: other, ID: "Profile-foreign", Name: "foreign"}})
	machine := id.IAMOf("ServiceId-never")
	put(o, identity.APIKeys, &identity.APIKey{Meta: store.Meta{Account: acct, ID: "ApiKey-1", Name: "of a user", Owner: owner}, IAMID: owner,
		Hash: "1"})
	put(o, identity.APIKeys, &identity.APIKey{Meta: store.Meta{Account: acct, ID: "ApiKey-2", Name: "of a machine", Owner: machine},
		IAMID: machine, Hash: "2"})
	o.seen("ServiceId-busy", o.now)
	o.seen("ApiKey-1", o.now.Add(-5*time.Hour-time.Second))
	o.seen("Profile-edge", o.now.Add(-5*time.Hour))
	o.seen(owner, o.now.Add(-time.Hour))
	ref := o.order(inactive(t, "5"))
	o.work("node")
	r := o.ready(report.KindInactive, ref)
	if r.Hours != 5 || !r.Start().Equal(o.now.Add(-5*time.Hour)) {
		t.Errorf("it speaks of %d hours from %s", r.Hours, r.Start())
	}
	in := r.Inactive
	if len(in.Users) != 0 || len(in.Profiles) != 0 || len(in.ServiceIDs) != 1 || in.ServiceIDs[0].Name != "never" ||
		!in.ServiceIDs[0].Last.IsZero() {
		t.Errorf("users %v, profiles %v, service IDs %v", in.Users, in.Profiles, in.ServiceIDs)
	}
	if len(in.APIKeys) != 2 || in.APIKeys[0].User == nil || in.APIKeys[0].User.Name != "Ann" || in.APIKeys[0].ServiceID != nil ||
		in.APIKeys[1].User != nil || in.APIKeys[1].ServiceID == nil || in.APIKeys[1].ServiceID.Name != "never" {
		t.Errorf("keys %+v", in.APIKeys)
	}
}

// Clients rely on the answer "not yet" to the question that follows the order.
func TestTheFirstQuestionIsTooEarly(t *testing.T) {
	o := newOffice(t)
	quick, slow := o.order(report.MFA()), o.order(report.MFA())
	o.work("node")
	if r, err := o.Get(o.ctx, acct, report.KindMFA, quick); r != nil || err != nil {
		t.Errorf("the first question got %v, %v", r, err)
	}
	if r, err := o.Get(o.ctx, acct, report.KindMFA, quick); r == nil || err != nil {
		t.Errorf("the second got %v, %v", r, err)
	}
	o.now = o.now.Add(10 * time.Second) // who waits need not ask twice
	if r, err := o.Get(o.ctx, acct, report.KindMFA, slow); r == nil || err != nil {
		t.Errorf("a patient client got %v, %v", r, err)
	}
}

// A report is ordered in the transaction that stores it, and stays ordered: the
// node that took the order may end before it begins, or in the middle.
func TestAReportSurvivesTheNodeThatTookTheOrder(t *testing.T) {
	o := newOffice(t)
	ref := o.order(inactive(t, ""))
	ended, cancel := context.WithCancel(o.ctx)
	cancel()
	if err := job.New(job.Config{DB: o.db, Node: "first", Now: o.clock}, o.Jobs()...).Pass(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("a node that ends: %v", err)
	}
	for range 3 {
		if r, err := o.Get(o.ctx, acct, report.KindInactive, ref); r != nil || err != nil {
			t.Errorf("before it is worked out: %v, %v", r, err)
		}
	}
	o.Service = report.New(report.Config{DB: o.db, Now: o.clock, Activity: o}) // another process
	o.work("second")
	if r := o.ready(report.KindInactive, ref); len(r.Inactive.Users) != 1 {
		t.Errorf("users %v", r.Inactive.Users)
	}
}

// A report that cannot be made is tried again, and then says so instead of being
// waited for forever.
func TestAReportThatCannotBeMadeSaysSo(t *testing.T) {
	o := newOffice(t)
	o.broken = true
	mended, lost := o.order(inactive(t, "1")), o.order(inactive(t, "1"))
	o.work("node")
	if r, err := o.Get(o.ctx, acct, report.KindInactive, mended); r != nil || err != nil {
		t.Errorf("after one failure: %v, %v", r, err)
	}
	o.ok(o.db.Jobs().Cancel(o.ctx, "report", acct, lost))
	o.broken = false
	o.now = o.now.Add(time.Minute)
	o.work("node")
	if r := o.ready(report.KindInactive, mended); r.Inactive == nil {
		t.Errorf("after it was mended: %+v", r)
	}

	o.broken = true
	lost = o.order(inactive(t, "1"))
	for range 5 {
		o.work("node")
		o.now = o.now.Add(time.Minute)
	}
	if _, err := o.Get(o.ctx, acct, report.KindInactive, lost); !errors.Is(err, fault.Unavailable) {
		t.Errorf("after several failures: %v", err)
	}
	for _, j := range o.jobs() {
		if j.Finished.IsZero() && j.ID == lost {
			t.Error("its job is tried for ever")
		}
	}
}

func (o *office) jobs() []*store.Job {
	o.t.Helper()
	list, err := o.db.Jobs().List(o.ctx, store.JobsQuery{Kind: "report"})
	o.ok(err)
	return list
}

func TestReportsAreFoundInTheirAccountAndByTheirKind(t *testing.T) {
	o := newOffice(t)
	first := o.order(report.MFA())
	o.now = o.now.Add(time.Minute)
	second := o.order(report.MFA())
	o.work("node")
	if r := o.ready(report.KindMFA, report.Latest); r.ID != second {
		t.Errorf("the latest is %s, want %s", r.ID, second)
	}
	for name, ask := range map[string][3]string{
		"of another account":     {other, report.KindMFA, first},
		"of another kind":        {acct, report.KindInactive, first},
		"latest of another":      {acct, report.KindInactive, report.Latest},
		"with another reference": {acct, report.KindMFA, "test123"},
	} {
		if _, err := o.Get(o.ctx, ask[0], ask[1], ask[2]); !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnOrderDropsWhatIsOldOrTooMuch(t *testing.T) {
	o := newOffice(t)
	old := o.order(report.MFA())
	kept := o.order(inactive(t, ""))
	o.now = o.now.Add(24*time.Hour + time.Second)
	for range 25 {
		o.order(report.MFA())
	}
	if _, err := o.Get(o.ctx, acct, report.KindMFA, old); !errors.Is(err, fault.NotFound) {
		t.Errorf("a report of yesterday: %v", err)
	}
	if _, err := o.Get(o.ctx, acct, report.KindInactive, kept); err != nil {
		t.Errorf("one of another kind: %v", err)
	}
	if n, err := report.Reports.Count(o.ctx, o.db.Direct(), store.Query{Account: acct, Parent: report.KindMFA}); n != 20 || err != nil {
		t.Errorf("%d are kept, %v", n, err)
	}
	o.work("node") // jobs of reports that are gone have nothing to do
	for _, j := range o.jobs() {
		if j.Finished.IsZero() || j.Error != "" {
			t.Errorf("job %s: finished %s, error %q", j.ID, j.Finished, j.Error)
		}
	}
}

func TestStandingTowardsMFAFollowsTheRulesInForce(t *testing.T) {
	o := newOffice(t)
	for _, u := range []string{"IBMid-2", "appid-3"} {
		put(o, account.Users, &account.User{Meta: store.Meta{Account: acct, ID: u, Name: u}, State: account.Active})
	}
	change := func(s *account.Settings) {
		s.MFA, s.UserMFA = "NONE", []account.UserMFA{{IAMID: owner, MFA: "NONE"}}
		s.Assigned = []account.Assigned{{Template: "T", Values: account.Rules{MFA: "TOTP"}}}
	}
	o.ok(o.db.Update(o.ctx, func(tx store.Tx) error {
		s, err := account.SettingsByAcct.Get(o.ctx, tx, acct, acct)
		if err != nil {
			return err
		}
		change(s)
		return account.SettingsByAcct.Update(o.ctx, tx, s, store.Event{})
	}))
	want := []report.UserMFA{
		// a template lifts the exception
		{IAMID: "IBMid-1", Name: "Ann", Email: "a@example.com", Default: "TOTP", Specific: "TOTP", Effective: "TOTP"},
		{IAMID: "IBMid-2", Name: "IBMid-2", Default: "TOTP", Effective: "TOTP"},
		{IAMID: "appid-3", Name: "appid-3", Default: "TOTP", Effective: "TOTP", Complies: true},
	}
	ref := o.order(report.MFA())
	o.work("node")
	if got := o.ready(report.KindMFA, ref).MFA; !slices.Equal(got, want) {
		t.Errorf("the report says\n%+v, want\n%+v", got, want)
	}
	for _, w := range want {
		who, err := valid.Check(report.IAMID(w.IAMID))
		o.ok(err)
		if got, err := o.MFAStatus(o.ctx, acct, who); err != nil || *got != w {
			t.Errorf("the status is %+v, %v, want %+v", got, err, w)
		}
	}
	stranger, err := valid.Check(report.IAMID("IBMid-9"))
	o.ok(err)
	if _, err := o.MFAStatus(o.ctx, acct, stranger); !errors.Is(err, fault.NotFound) {
		t.Errorf("of no user of the account: %v", err)
	}
	if report.IAMID("").Validate() == nil || report.IAMID(make([]byte, 257)).Validate() == nil {
		t.Error("an IAM id that there cannot be is taken")
	}
}

func TestHoursAreBounded(t *testing.T) {
	o := newOffice(t)
	for text, want := range map[string]int{"": 720, "1": 1, "120": 120, "87840": 87840, "0": 0, "-1": 0, "87841": 0, "1h": 0, "+5": 5,
		"0000005": 0} {
		order, err := report.Inactive(text)
		if (err == nil) != (want != 0) {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil {
			continue
		}
		r, err := o.Order(o.ctx, acct, order)
		o.ok(err)
		if r.Hours != want {
			t.Errorf("%q gives %d", text, r.Hours)
		}
	}
}
