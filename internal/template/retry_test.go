package template_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// sick makes laying profiles on an account, and taking them away, fail with an
// internal error until it is healed; it counts the attempts.
type sick struct {
	mu       sync.Mutex
	account  string
	ill      bool
	attempts int
}

func (f *forest) sicken(accountID string) *sick {
	x := &sick{account: accountID, ill: true}
	k := f.kind(kinds.Profile)
	decode, remove := k.Decode, k.Remove
	k.Decode = func(payload json.RawMessage) (template.Document, error) {
		d, err := decode(payload)
		return sickDocument{d, x}, err
	}
	k.Remove = func(ctx context.Context, tx store.Tx, accountID string, m template.Made) error {
		return errors.Join(x.fail(accountID), remove(ctx, tx, accountID, m))
	}
	return x
}

// sickDocument is what a sick kind decodes.
type sickDocument struct {
	template.Document
	x *sick
}

func (d sickDocument) Apply(ctx context.Context, l *template.Lay) ([]template.Made, error) {
	made, err := d.Document.Apply(ctx, l)
	return made, errors.Join(err, d.x.fail(l.Account.ID))
}

func (x *sick) fail(accountID string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if accountID != x.account {
		return nil
	}
	x.attempts++
	if x.ill {
		return errors.New("broken")
	}
	return nil
}

func (x *sick) heal() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ill = false
}

// tried tells how often the account was tried since the last question.
func (x *sick) tried() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	n := x.attempts
	x.attempts = 0
	return n
}

// heard counts what a Meter hears of accounts that were put off.
type heard struct {
	quiet
	off, waiting int
}

func (h *heard) PutOff(n int)  { h.off += n }
func (h *heard) Waiting(n int) { h.waiting = n }

func TestAnAccountsInternalErrorHoldsNothingElseUp(t *testing.T) {
	h := &heard{}
	var told []string
	f := plant(t, metered(h), func(c *template.Config) {
		c.Trouble = func(accountID string, err error) { told = append(told, accountID+": "+err.Error()) }
	})
	g := f.group(f.ent, "group")
	bad, good := f.child(g, "bad"), f.child(g, "good")
	f.pass()
	x := f.sicken(bad)

	a := f.assign(f.operators(), g)
	f.want(a, template.InProgress, results{bad: template.InProgress, good: template.Succeeded})
	f.wantWhole("Operators: first", good)
	f.wantNothing(bad)
	for _, r := range must(f.ts.Results(f.ctx, a))(t) {
		if r.Owner == bad && (r.Error == nil || r.Error.Status != 500 || r.Retry.Attempts != 1) {
			t.Errorf("the account's result is %+v", r)
		}
	}
	if h.off != 1 || h.waiting != 1 || len(told) != 1 || told[0] != bad+": broken" {
		t.Errorf("put off %d, waiting %d, told %q", h.off, h.waiting, told)
	}
	if settled, of, err := f.ts.Progress(f.ctx, a); settled != 1 || of != 2 || err != nil {
		t.Errorf("%d of %d accounts are settled, %v", settled, of, err)
	}

	// Later work of the same enterprise goes on: another assignment, a new account.
	role := f.assign(f.template(kinds.Role, draft("r", object{"role": object{"name": "R", "display_name": "R", "service_name": "iam-groups",
		"actions": []string{"iam-groups.groups.create"}}})), g)
	f.want(role, template.Succeeded, results{bad: template.Succeeded, good: template.Succeeded})
	late := f.child(g, "late")
	f.pass()
	f.wantWhole("Operators: first", late)

	x.heal()
	f.Pass(time.Hour)
	f.pass()
	f.want(a, template.Succeeded, results{bad: template.Succeeded, good: template.Succeeded, late: template.Succeeded})
	f.wantWhole("Operators: first", bad)
	if h.waiting != 0 {
		t.Errorf("%d accounts wait still", h.waiting)
	}
}

func TestAttemptsBecomeRarer(t *testing.T) {
	f := plant(t)
	bad := f.child(f.ent, "bad")
	f.pass()
	x := f.sicken(bad)
	a := f.assign(f.operators(), f.ent)
	const perTry = 2 // in a batch, and alone
	if n := x.tried(); n != perTry {
		t.Fatalf("tried %d times at first", n)
	}
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		f.Pass(wait*time.Second - time.Millisecond)
		f.pass()
		if n := x.tried(); n != 0 {
			t.Fatalf("tried %d times before %d s", n, wait)
		}
		f.Pass(time.Millisecond)
		f.pass()
		if n := x.tried(); n != perTry {
			t.Fatalf("tried %d times after %d s", n, wait)
		}
	}
	f.want(a, template.InProgress, results{bad: template.InProgress})
}

func TestAnAssignmentThatIsStuckCanBeTakenBack(t *testing.T) {
	f := plant(t)
	bad := f.child(f.ent, "bad")
	f.sicken(bad)
	a := must(f.try(f.operators(), 1, bad))(t)
	f.want(a, template.InProgress, results{bad: template.InProgress})
	f.ok(f.unassign(a))
	f.want(a, "", results{})
	f.wantNothing(bad)
}

func TestARemovalThatFailsInternallyIsTriedAgain(t *testing.T) {
	f := plant(t)
	bad, good := f.child(f.ent, "bad"), f.child(f.ent, "good")
	a := f.assign(f.operators(), f.ent)
	x := f.sicken(bad)
	f.ok(f.unassign(a))
	f.pass()
	f.want(a, template.InProgress, results{bad: template.InProgress})
	f.wantNothing(good)
	f.wantWhole("Operators: first", bad)
	x.heal()
	f.Pass(time.Second)
	f.pass()
	f.want(a, "", results{})
	f.wantNothing(bad)
}

func TestAnAccountThatMovedIsTriedAgainToo(t *testing.T) {
	f := plant(t)
	g, h := f.group(f.ent, "group"), f.group(f.ent, "other")
	bad, good := f.child(g, "bad"), f.child(g, "good")
	a := f.assign(f.operators(), g)
	x := f.sicken(bad)
	for _, accountID := range []string{bad, good} {
		f.move(accountID, h)
	}
	f.pass()
	f.wantNothing(good)
	f.wantWhole("Operators: first", bad)
	x.tried()
	f.pass()
	if n := x.tried(); n != 0 {
		t.Errorf("tried %d times without a pause", n)
	}
	x.heal()
	f.Pass(time.Minute)
	f.pass()
	f.wantNothing(bad)
	f.want(a, template.Succeeded, results{})
}

// The reconciler itself wakes up when the time has come, after a restart too;
// nothing else happens.
func TestTheReconcilerWakesUpForWhatWasPutOff(t *testing.T) {
	var x *sick
	f := plant(t, func(c *template.Config) { c.Trouble = func(string, error) { x.heal() } })
	child := f.child(f.ent, "bad")
	f.pass()
	x = f.sicken(child)
	a := f.assign(f.operators(), f.ent)
	f.want(a, template.InProgress, results{child: template.InProgress})
	f.restart()
	f.Pass(time.Second - time.Millisecond)
	f.pass()
	f.wantNothing(child)
	f.Pass(time.Millisecond)
	f.pass()
	f.want(a, template.Succeeded, results{child: template.Succeeded})
}

// A node that dies between the wish and its fulfilment leaves a job behind.
func TestAnAssignmentToAnAccountIsFinishedByAnotherRun(t *testing.T) {
	f := plant(t)
	child := f.child(f.ent, "child")
	f.pass()
	tmpl := f.operators()
	k := f.kind(kinds.Profile)
	decode, calls := k.Decode, 0
	k.Decode = func(payload json.RawMessage) (template.Document, error) {
		if calls++; calls > 1 { // the wish is written; laying it is not
			return nil, fault.New(fault.Unavailable, "the node is going")
		}
		return decode(payload)
	}
	_, err := f.try(tmpl, 1, child)
	f.refused(err, fault.Unavailable, "going")
	f.wantNothing(child)
	k.Decode = decode
	f.restart()
	f.Pass(time.Second)
	f.pass()
	f.wantWhole("Operators: first", child)
}

// When the store does not answer nobody is put off: it is about no account.
func TestAStoreThatDoesNotAnswerPutsNoAccountOff(t *testing.T) {
	f := plant(t)
	g := f.group(f.ent, "group")
	child := f.child(g, "child")
	f.pass()
	a := must(f.try(f.operators(), 1, g))(t)
	k := f.kind(kinds.Profile)
	decode := k.Decode
	k.Decode = func(json.RawMessage) (template.Document, error) {
		return nil, fault.New(fault.Unavailable, "the store is away")
	}
	f.pass()
	f.want(a, template.InProgress, results{})
	k.Decode = decode
	f.Pass(time.Second)
	f.pass()
	f.want(a, template.Succeeded, results{child: template.Succeeded})
}
