package template_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// results writes the wanted statuses of accounts.
type results = map[string]template.Status

func TestAGroupsAssignmentReachesEveryAccountBelowIt(t *testing.T) {
	f := plant(t)
	top := f.group(f.ent, "top")
	sub := f.group(top, "sub")
	one, two, outside := f.child(top, "one"), f.child(sub, "two"), f.child(f.ent, "outside")
	a := f.assign(f.operators(), top)
	f.want(a, template.Succeeded, results{one: template.Succeeded, two: template.Succeeded})
	f.wantWhole("Operators: first", one, two)
	f.wantNothing(outside, f.root)
}

func TestAnAccountTargetIsDoneWhenTheCallReturns(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	tmpl := f.operators()
	a := must(f.try(tmpl, 1, child))(t)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	f.wantWhole("Operators: first", child)
	f.ok(f.unassign(a))
	f.want(a, "", results{})
	f.wantNothing(child)
}

func TestAGroupTargetIsAcceptedAndThenInProgress(t *testing.T) {
	f := plant(t)
	g := f.group(f.ent, "group")
	f.child(g, "child")
	a := must(f.try(f.operators(), 1, g))(t)
	if a.Status != template.Accepted {
		t.Errorf("it begins as %s", a.Status)
	}
	_, err := f.ts.Reassign(f.ctx, asker.System, a, a.Tag, 1)
	f.refused(err, fault.Conflict, "in progress")
	f.refused(f.unassign(a), fault.Conflict, "in progress")
	if settled, of, err := f.ts.Progress(f.ctx, a); settled != 0 || of != 1 || err != nil {
		t.Errorf("%d of %d accounts are settled, %v", settled, of, err)
	}
	f.pass()
	if settled, of, err := f.ts.Progress(f.ctx, a); settled != 1 || of != 1 || err != nil {
		t.Errorf("%d of %d accounts are settled, %v", settled, of, err)
	}
	if got := f.now(a); got.Status != template.Succeeded || got.Tag == a.Tag {
		t.Errorf("it ends as %s with tag %s", got.Status, got.Tag)
	}
}

func TestTheHigherAssignmentWinsAndTheLowerComesBack(t *testing.T) {
	for _, first := range []string{"account", "group"} {
		t.Run(first+" first", func(t *testing.T) {
			f := plant(t)
			g := f.group(f.ent, "group")
			child, other := f.child(g, "child"), f.child(g, "other")
			tmpl := f.template(kinds.Profile, draft("p", profileDoc("P", "one")))
			f.next(tmpl, draft("p", profileDoc("P", "two")))
			// The newer version lies lower: the place decides, not the version.
			assign := func(number int, target string) *template.Assignment {
				a := must(f.try(tmpl, number, target))(t)
				f.pass()
				return a
			}
			var low, high *template.Assignment
			if first == "account" {
				low = assign(2, child)
				f.want(low, template.Succeeded, results{child: template.Succeeded})
				high = assign(1, g)
			} else {
				high = assign(1, g)
				low = assign(2, child)
			}
			f.want(low, template.Superseded, results{child: template.Superseded})
			f.want(high, template.Succeeded, results{child: template.Succeeded, other: template.Succeeded})
			if got := f.profiles(child); !slices.Equal(got, []string{"P: one"}) {
				t.Errorf("the account has %q", got)
			}
			f.ok(f.unassign(high))
			f.pass()
			f.want(high, "", results{})
			f.want(low, template.Succeeded, results{child: template.Succeeded})
			if got := f.profiles(child); !slices.Equal(got, []string{"P: two"}) {
				t.Errorf("the account has %q", got)
			}
			f.wantNothing(other)
		})
	}
}

func TestAnotherVersionChangesTheObjectsInPlace(t *testing.T) {
	f := plant(t)
	g := f.group(f.ent, "group")
	child := f.child(g, "child")
	tmpl := f.operators()
	a := f.assign(tmpl, g)
	before := f.policies(child)
	v := must(f.ts.Version(f.ctx, tmpl, 1))(t)
	d := draft("operators", profileDoc("Operators of ${account_name}", "second"))
	d.References = v.References
	f.next(tmpl, d)
	_, err := f.ts.Reassign(f.ctx, asker.System, f.now(a), a.Tag, 2)
	f.refused(err, fault.Stale, "")
	f.reassign(a, 2)
	f.pass()
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	f.wantWhole("Operators of child: second", child)
	after := f.policies(child)
	for i := range before {
		if after[i].ID != before[i].ID || after[i].Template.RootVersion != "2" {
			t.Errorf("policy %s became %s of version %s", before[i].ID, after[i].ID, after[i].Template.RootVersion)
		}
	}
	// A version without one of the policies takes it away.
	d.References = v.References[:1]
	f.next(tmpl, d)
	f.reassign(a, 3)
	f.pass()
	if got := f.policies(child); len(got) != 1 || got[0].Template.ID != v.References[0].ID {
		t.Errorf("%d policies are left", len(got))
	}
}

func TestOneAccountThatRefusesDoesNotHoldUpTheOthers(t *testing.T) {
	f := plant(t)
	g := f.group(f.ent, "group")
	bad := f.child(g, "bad")
	var good []string
	want := results{bad: template.Failed}
	for _, name := range []string{"good one", "good two", "good three"} {
		good = append(good, f.child(g, name))
		want[good[len(good)-1]] = template.Succeeded
	}
	// The name is taken in one account, by a profile of another template.
	other := f.assign(f.template(kinds.Profile, draft("other", profileDoc("Operators", "in the way"))), bad)
	a := f.assign(f.operators(), g)
	f.want(a, template.Failed, want)
	f.wantWhole("Operators: first", good...)
	if got := f.profiles(bad); !slices.Equal(got, []string{"Operators: in the way"}) || len(f.policies(bad)) != 0 {
		t.Errorf("the account that refused has %q and %d policies", got, len(f.policies(bad)))
	}
	for _, r := range must(f.ts.Results(f.ctx, a))(t) {
		if r.Owner == bad && (r.Error == nil || r.Error.Status != 409 || r.Error.Message == "") {
			t.Errorf("the error is %+v", r.Error)
		}
	}
	// What was in the way goes, and the same version again repairs it.
	f.ok(f.unassign(other))
	f.reassign(a, 1)
	f.pass()
	want[bad] = template.Succeeded
	f.want(a, template.Succeeded, want)
	f.wantWhole("Operators: first", append(good, bad)...)
}

func TestAFailedUpdateLeavesTheAccountWithWhatItHad(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	tmpl := f.template(kinds.Profile, draft("p", profileDoc("P", "one")))
	f.next(tmpl, draft("p", profileDoc("Taken", "two")))
	f.assign(f.template(kinds.Profile, draft("q", profileDoc("Taken", "by q"))), child)
	a := must(f.try(tmpl, 1, child))(t)
	f.reassign(a, 2)
	f.want(a, template.Failed, results{child: template.Failed})
	if got := f.profiles(child); !slices.Equal(got, []string{"P: one", "Taken: by q"}) {
		t.Errorf("the account has %q", got)
	}
	f.reassign(a, 1)
	f.want(a, template.Succeeded, results{child: template.Succeeded})
	a = f.now(a)
	f.ok(f.unassign(a))
	if got := f.profiles(child); !slices.Equal(got, []string{"Taken: by q"}) {
		t.Errorf("the account has %q", got)
	}
}

func TestAccountsThatJoinMoveLeaveOrOptInGainAndLoseByThemselves(t *testing.T) {
	f := plant(t)
	left, right := f.group(f.ent, "left"), f.group(f.ent, "right")
	stays := f.child(left, "stays")
	a := f.assign(f.operators(), left)

	joins := f.child(left, "joins")
	f.pass()
	f.wantWhole("Operators: first", stays, joins)
	f.want(a, template.Succeeded, results{stays: template.Succeeded, joins: template.Succeeded})

	f.move(joins, right)
	f.pass()
	f.wantNothing(joins)
	f.want(a, template.Succeeded, results{stays: template.Succeeded})
	f.move(joins, left)
	f.pass()
	f.wantWhole("Operators: first", stays, joins)

	f.ok(f.Tree.DeleteAccount(f.ctx, f.member(joins)))
	f.pass()
	f.wantNothing(joins)
	f.want(a, template.Succeeded, results{stays: template.Succeeded})

	later := f.NewChild(left, enterprise.NewAccount{Name: "opts in later", Owner: apitest.Owner})
	f.pass()
	f.wantNothing(later)
	on := true
	must(f.Tree.SetManaged(f.ctx, asker.System, f.member(later), &on))(t)
	f.pass()
	f.wantWhole("Operators: first", stays, later)
}

func TestAMoveReinstatesTheLowerAssignment(t *testing.T) {
	f := plant(t)
	g := f.group(f.ent, "group")
	child := f.child(g, "child")
	tmpl := f.template(kinds.Profile, draft("p", profileDoc("P", "one")))
	low := f.assign(tmpl, child)
	high := f.assign(tmpl, g)
	f.want(low, template.Superseded, results{child: template.Superseded})
	f.move(child, f.ent)
	f.pass()
	f.want(low, template.Succeeded, results{child: template.Succeeded})
	f.want(high, template.Succeeded, results{})
	if got := f.profiles(child); !slices.Equal(got, []string{"P: one"}) {
		t.Errorf("the account has %q", got)
	}
}

func TestAnAccountThatLeavesTakesItsFailureWithIt(t *testing.T) {
	f := plant(t)
	g := f.group(f.ent, "group")
	good, bad := f.child(g, "good"), f.child(g, "bad")
	f.assign(f.template(kinds.Profile, draft("other", profileDoc("Operators", "in the way"))), bad)
	a := f.assign(f.operators(), g)
	f.want(a, template.Failed, results{good: template.Succeeded, bad: template.Failed})
	f.move(bad, f.ent)
	f.pass()
	f.want(a, template.Succeeded, results{good: template.Succeeded})
}

func TestWhatCannotBeAssignedIsRefused(t *testing.T) {
	f := plant(t)
	g := f.group(f.ent, "group")
	child := f.child(g, "child")
	committed := f.operators()
	loose := draft("loose", profileDoc("Loose", ""))
	loose.Committed = false
	open := f.template(kinds.Profile, loose)
	notIn := f.NewChild(g, enterprise.NewAccount{Name: "not in", Owner: apitest.Owner})
	gone := f.child(g, "gone")
	f.ok(f.Tree.DeleteAccount(f.ctx, f.member(gone)))
	foreignEnt := f.enterprise(apitest.Other)
	foreignGroup := f.group(foreignEnt, "foreign")
	foreign := f.child(foreignGroup, "stranger")

	for name, at := range map[string]struct {
		tmpl   *template.Template
		number int
		target string
		kind   fault.Kind
		part   string
	}{
		"uncommitted":               {open, 1, child, fault.Invalid, "not committed"},
		"no such version":           {committed, 9, child, fault.NotFound, "not found"},
		"no such account":           {committed, 1, apitest.Absent, fault.Invalid, "is invalid"},
		"not opted in":              {committed, 1, notIn, fault.Invalid, "is invalid"},
		"cancelled":                 {committed, 1, gone, fault.Invalid, "is invalid"},
		"the enterprise's account":  {committed, 1, f.root, fault.Invalid, "is invalid"},
		"account of another":        {committed, 1, foreign, fault.Invalid, "is invalid"},
		"group of another":          {committed, 1, foreignGroup, fault.Invalid, "is invalid"},
		"another enterprise itself": {committed, 1, foreignEnt, fault.Invalid, "is invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.try(at.tmpl, at.number, at.target)
			f.refused(err, at.kind, at.part)
		})
	}
	f.assign(committed, g)
	_, err := f.try(committed, 1, g)
	f.refused(err, fault.Conflict, "assigned to this target already")
	f.wantNothing(notIn, foreign, gone)
}

func TestATemplateInUseCannotBeDeleted(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	tmpl := f.operators()
	ref := must(f.ts.Template(f.ctx, kinds.Policy, must(f.ts.Version(f.ctx, tmpl, 1))(t).References[0].ID))(t)
	a := f.assign(tmpl, child)
	f.refused(f.delete(tmpl), fault.Conflict, "assigned")
	f.refused(f.deleteVersion(tmpl, 1), fault.Conflict, "assigned")
	f.refused(f.delete(ref), fault.Conflict, "assigned")
	f.refused(f.deleteVersion(ref, 1), fault.Conflict, "assigned")
	f.ok(f.unassign(a))
	f.ok(f.delete(ref))
	_, err := f.try(tmpl, 1, child)
	f.refused(err, fault.Invalid, "has no version 1")
	f.ok(f.delete(tmpl))
}

func TestACommittedVersionIsFinal(t *testing.T) {
	f := plant(t)
	d := draft("p", profileDoc("P", ""))
	d.Committed = false
	tmpl := f.template(kinds.Profile, d)
	f.ok(f.updateVersion(tmpl, 1, draft("p", profileDoc("P", "changed")))) // the draft commits it
	f.refused(f.updateVersion(tmpl, 1, draft("p", profileDoc("P", "again"))), fault.State, "committed")
	f.ok(f.ts.Commit(f.ctx, f.head(tmpl), must(f.ts.Version(f.ctx, tmpl, 1))(t), ""))
}

func TestReconcilingAgainWritesNothing(t *testing.T) {
	f := plant(t)
	g := f.group(f.ent, "group")
	bad := f.child(g, "bad")
	all := []string{f.root, bad, f.child(g, "one"), f.child(g, "two"), f.child(f.ent, "outside")}
	f.assign(f.template(kinds.Profile, draft("other", profileDoc("Operators", "in the way"))), bad)
	f.assign(f.operators(), g)
	f.pass()
	before := f.events(all...)
	f.pass()
	f.pass()
	if got := f.events(all...); got != before {
		t.Errorf("%d events were written", got-before)
	}
}

func TestEnterprisesTakeTurns(t *testing.T) {
	m := &order{}
	f := plant(t, metered(m))
	large := f.group(f.ent, "large")
	for i := range 100 {
		f.child(large, "account "+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	small := f.group(f.enterprise(apitest.Other), "small")
	child := f.child(small, "child")
	f.pass()
	first := must(f.try(f.operators(), 1, large))(t)
	p := draft("p", profileDoc("P", ""))
	tmpl, _, err := f.create(kinds.Profile, apitest.Other, p)
	f.ok(err)
	second := must(f.try(tmpl, 1, small))(t)
	// Settled counts the accounts of both; the small one must not come last.
	m.watch(f, second)
	f.pass()
	f.want(second, template.Succeeded, results{child: template.Succeeded})
	if f.status(first) != template.Succeeded {
		t.Errorf("the large one ended as %s", f.status(first))
	}
	if m.settled > 100 {
		t.Errorf("the small enterprise came last, after %d accounts", m.settled)
	}
	if m.total != 101 || m.finished != 2 || m.pending[len(m.pending)-1] != 0 || slices.Max(m.pending) == 0 {
		t.Errorf("the meter heard %+v", m)
	}
}

// order notes how many accounts were settled when a certain assignment ended.
// Several jobs tell it at once.
type order struct {
	quiet
	f        *forest
	watched  *template.Assignment
	total    int
	settled  int
	finished int
	pending  []int
	mu       sync.Mutex
}

// watch begins to note, about one assignment.
func (o *order) watch(f *forest, a *template.Assignment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.f, o.watched, o.total, o.settled, o.finished, o.pending = f, a, 0, 0, 0, nil
}

func (o *order) Pending(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending = append(o.pending, n)
}

func (o *order) Settled(accounts, failed int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total += accounts + failed
}

func (o *order) Finished(took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finished++
	if o.f != nil && o.settled == 0 && o.f.status(o.watched) == template.Succeeded {
		o.settled = o.total
	}
}

func TestSettingsOfATemplateAreInForce(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	a := f.assign(f.template(kinds.Settings, draft("strict", object{"account_settings": object{"mfa": "LEVEL3",
		"session_expiration_in_seconds": 3600}})), child)
	in := func() *account.Rules {
		return must(account.SettingsByAcct.Get(f.ctx, f.DB.Direct(), child, child))(t).Effective()
	}
	if got := in(); got.MFA != "LEVEL3" || got.SessionExpiration != "3600" {
		t.Errorf("in force are %s, %s", got.MFA, got.SessionExpiration)
	}
	second := f.template(kinds.Settings, draft("second", object{"account_settings": object{"mfa": "LEVEL1"}}))
	_, err := f.try(second, 1, child)
	f.refused(err, fault.Conflict, "Another")
	f.ok(f.unassign(a))
	if got := in(); got.MFA == "LEVEL3" || got.SessionExpiration == "3600" {
		t.Errorf("still in force are %s, %s", got.MFA, got.SessionExpiration)
	}
}
