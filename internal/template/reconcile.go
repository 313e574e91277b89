package template

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// batch is how many accounts share a transaction. An account costs about ten
// rows and one to two milliseconds; 20 of them keep a transaction so short that
// other writers hardly wait, and pay one sync of the disk together.
const batch = 20

// work settles accounts that an assignment covers, or covered, and when none is
// left gives it its status. again tells when there is more to do, because it is
// another's turn or for accounts that an internal error put off; zero: never.
func (s *Service) work(ctx context.Context, a *Assignment, progress func(done, total int, text string)) (again time.Time, err error) {
	if !a.unfinished() {
		return again, nil
	}
	began := s.now()
	if a.Status == Accepted && a.TargetType != TargetAccount {
		if err := s.begin(ctx, a); err != nil {
			return again, err
		}
	}
	todo, err := s.todo(ctx, a)
	if err != nil {
		return again, err
	}
	total := todo.settled + todo.waiting + len(todo.ready)
	defer s.pending(a.ID, 0)
	late := todo.waiting > 0
	for done := 0; done < min(turn, len(todo.ready)); done += batch {
		progress(todo.settled+done, total, "accounts")
		s.pending(a.ID, len(todo.ready)-done)
		off, err := s.settleAll(ctx, a.Account, todo.ready[done:min(done+batch, len(todo.ready))], a.Template())
		if err != nil {
			return again, err
		}
		late = late || len(off) > 0
	}
	if len(todo.ready) > turn {
		return s.now(), nil
	}
	if err := s.finish(ctx, a.Account, a); err != nil {
		return again, err
	}
	s.meter.Finished(s.now().Sub(began))
	todo.waiting = 0
	if late {
		todo, err = s.todo(ctx, a)
	}
	progress(total-todo.waiting, total, "accounts")
	s.waiting(a.ID, todo.waiting)
	return todo.due, err
}

// begin shows that an accepted assignment is being worked on.
func (s *Service) begin(ctx context.Context, seen *Assignment) error {
	_, err := Assignments.Edit(ctx, s.db, seen, func(tx store.Tx, a *Assignment) (ev store.Event, err error) {
		if a.Status != Accepted {
			return ev, store.ErrUnchanged
		}
		t, err := Templates.Get(ctx, tx, a.Account, a.Template())
		if err != nil {
			return ev, err
		}
		a.Status = InProgress
		return s.assignmentEvent(s.kind(a.Kind()), "assignment-update", t, a), nil
	})
	if errors.Is(err, store.ErrMoved) {
		return nil // another node began it, or took it back
	}
	return err
}

// todo is what an assignment's present revision has left to do.
type todo struct {
	ready   []string // accounts that can be settled now
	settled int
	waiting int       // accounts that an internal error put off
	due     time.Time // when the first of them may be tried again
}

// todo compares the accounts that an assignment is for with its results.
func (s *Service) todo(ctx context.Context, a *Assignment) (out todo, err error) {
	results, err := s.Results(ctx, a)
	if err != nil {
		return out, err
	}
	now := s.now()
	known := make(map[string]bool, len(results))
	for _, r := range results {
		known[r.Owner] = true
		switch {
		case r.Revision != a.Revision || r.Status == InProgress && !r.waiting(now):
			out.ready = append(out.ready, r.Owner)
		case r.Status == InProgress:
			out.waiting++
			out.due = sooner(out.due, r.Retry.At)
		default:
			out.settled++
		}
	}
	if a.Operation == OpRemove {
		return out, nil
	}
	err = s.tree.EachMember(ctx, a.Account, func(m *enterprise.Member) error {
		if !known[m.ID] && eligible(m) && rank(a, m) >= 0 {
			out.ready = append(out.ready, m.ID)
		}
		return nil
	})
	return out, err
}

// settleAll settles accounts in one transaction. When one of them refuses or
// runs into an internal error, each gets a transaction of its own, so that the
// others are not held up and none is half made. It gives the accounts that were
// put off; the error is about all of them: the store does not answer.
func (s *Service) settleAll(ctx context.Context, root string, accounts []string, templateID string) (off []string, err error) {
	err = s.planned(ctx, root, templateID, func(p *plan) error {
		for _, accountID := range accounts {
			if err := s.settleAccount(ctx, p, accountID); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.meter.Settled(len(accounts), 0)
		return nil, nil
	}
	if general(ctx, err) {
		return nil, err
	}
	for _, accountID := range accounts {
		err := s.settleOne(ctx, root, accountID, templateID)
		if err != nil && !general(ctx, err) {
			off = append(off, accountID)
			err = s.putOff(ctx, root, accountID, templateID, err)
		}
		if err != nil {
			return off, err
		}
	}
	return off, nil
}

// settleOne settles one account and writes a refusal down.
func (s *Service) settleOne(ctx context.Context, root, accountID, templateID string) error {
	err := s.planned(ctx, root, templateID, func(p *plan) error { return s.settleAccount(ctx, p, accountID) })
	var refusal accountFault
	if err == nil {
		s.meter.Settled(1, 0)
	}
	if !errors.As(err, &refusal) {
		return err
	}
	s.meter.Settled(0, 1)
	return s.planned(ctx, root, templateID, func(p *plan) error {
		return s.refused(ctx, p, accountID, wireError(refusal.cause))
	})
}

// refused writes down why an account does not hold what it should. It still
// holds what it held before.
func (s *Service) refused(ctx context.Context, p *plan, accountID string, why *Error) error {
	m, err := enterprise.Members.Get(ctx, p.tx, p.root, accountID)
	if err != nil {
		return err
	}
	winner := winnerOf(p.assigned, m)
	if winner == nil {
		a := leaving(p.assigned)
		if a == nil {
			return nil
		}
		return putResult(ctx, p.tx, a, accountID, Result{Revision: a.Revision, Status: Failed, Error: why})
	}
	if err := putResult(ctx, p.tx, winner, accountID, Result{Revision: winner.Revision, Status: Failed, Error: why}); err != nil {
		return err
	}
	return recordLosers(ctx, p, m, winner)
}

// leaving gives the assignment that is being removed: what an account does not
// lose stays with it. nil when there is none.
func leaving(assigned []*Assignment) *Assignment {
	i := slices.IndexFunc(assigned, func(a *Assignment) bool { return a.Operation == OpRemove })
	if i < 0 {
		return nil
	}
	return assigned[i]
}

func (s *Service) settleAccount(ctx context.Context, p *plan, accountID string) error {
	m, err := enterprise.Members.Get(ctx, p.tx, p.root, accountID)
	if err != nil {
		return err
	}
	return s.settle(ctx, p, m)
}

// finish gives assignments, and those of the same templates that they
// displaced or reinstated, the status that their results add up to. A removed
// one disappears.
func (s *Service) finish(ctx context.Context, root string, about ...*Assignment) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		for _, a := range about {
			all, err := Assignments.List(ctx, tx, store.Query{Account: root, Parent: a.Template()})
			if err != nil {
				return err
			}
			for _, x := range all {
				if x.ID == a.ID && x.Revision != a.Revision {
					continue // a newer wish came meanwhile and has its own run
				}
				if x.ID != a.ID && x.unfinished() {
					continue
				}
				if err := s.conclude(ctx, tx, x); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (s *Service) conclude(ctx context.Context, tx store.Tx, a *Assignment) error {
	results, err := Results.List(ctx, tx, store.Query{Account: a.Account, Parent: a.ID})
	if err != nil {
		return err
	}
	k := s.kind(a.Kind())
	t, err := Templates.Get(ctx, tx, a.Account, a.Template())
	if err != nil {
		return err
	}
	status := statusOf(results)
	if a.Operation == OpRemove {
		if len(results) == 0 {
			return Assignments.Delete(ctx, tx, a, s.assignmentEvent(k, "remove", t, a))
		}
		if status != InProgress {
			status = Failed
		}
	}
	if a.Status == status {
		return nil
	}
	a.Status = status
	return Assignments.Update(ctx, tx, a, s.assignmentEvent(k, "assignment-update", t, a))
}

// statusOf adds up results. As long as an account is put off the assignment is
// in progress: nothing can be wished of it before.
func statusOf(results []*Result) Status {
	count := map[Status]int{}
	for _, r := range results {
		count[r.Status]++
	}
	switch {
	case count[InProgress] > 0:
		return InProgress
	case count[Failed] > 0:
		return Failed
	case count[Superseded] > 0 && count[Superseded] == len(results):
		return Superseded
	}
	return Succeeded
}

// workPlaces settles accounts whose place changed: whatever is assigned in the
// tree or held by them. They count as settled only after the statuses of the
// assignments were brought up to date, so that an end on the way repeats it.
// again tells the same as that of work.
func (s *Service) workPlaces(ctx context.Context, root string, progress func(done, total int, text string)) (again time.Time, err error) {
	began, name := s.now(), jobPlaces+"/"+root
	moved, waiting, due, err := s.moved(ctx, root)
	if err != nil {
		return again, err
	}
	s.waiting(name, waiting)
	if len(moved) == 0 {
		return due, nil
	}
	defer s.pending(name, 0)
	mine := moved[:min(turn, len(moved))]
	touched, off := map[string]bool{}, map[string]bool{}
	for done := 0; done < len(mine); done += batch {
		progress(done, len(moved), "moved accounts")
		s.pending(name, len(moved)-done)
		if err := s.settleMoved(ctx, root, mine[done:min(done+batch, len(mine))], touched, off); err != nil {
			return again, err
		}
	}
	if err := s.finishTouched(ctx, root, touched); err != nil {
		return again, err
	}
	for done := 0; done < len(mine); done += 10 * batch {
		if err := s.markSynced(ctx, mine[done:min(done+10*batch, len(mine))], off); err != nil {
			return again, err
		}
	}
	s.meter.Finished(s.now().Sub(began))
	if len(mine) < len(moved) || len(off) > 0 {
		return s.now(), nil
	}
	return due, nil
}

// settleMoved settles some moved accounts, template by template, and notes the
// templates that it touched and the accounts that were put off.
func (s *Service) settleMoved(ctx context.Context, root string, moved []*enterprise.Member, touched, off map[string]bool) error {
	assigned, err := Assignments.List(ctx, s.db.Direct(), store.Query{Account: root})
	if err != nil {
		return err
	}
	accounts := map[string][]string{} // by template
	for _, m := range moved {
		mine, err := s.concerns(ctx, m, assigned)
		if err != nil {
			return err
		}
		for templateID := range mine {
			accounts[templateID] = append(accounts[templateID], m.ID)
		}
	}
	for _, templateID := range slices.Sorted(maps.Keys(accounts)) {
		touched[templateID] = true
		late, err := s.settleAll(ctx, root, accounts[templateID], templateID)
		if err != nil {
			return err
		}
		for _, accountID := range late {
			off[accountID] = true
		}
	}
	return nil
}

// concerns gives the templates that an account should hold, holds, or has a
// result of: a refusal leaves nothing else behind.
func (s *Service) concerns(ctx context.Context, m *enterprise.Member, assigned []*Assignment) (map[string]bool, error) {
	out := map[string]bool{}
	held, err := Helds.List(ctx, s.db.Direct(), store.Query{Account: m.ID})
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		out[h.ID] = true
	}
	results, err := Results.List(ctx, s.db.Direct(), store.Query{Account: m.Account, Owner: m.ID})
	if err != nil {
		return nil, err
	}
	for _, a := range assigned {
		if rank(a, m) >= 0 || slices.ContainsFunc(results, func(r *Result) bool { return r.Parent == a.ID }) {
			out[a.Template()] = true
		}
	}
	return out, nil
}

// finishTouched brings the statuses of assignments up to date: of the templates
// that were settled, and of all that an account that left could have spoilt.
func (s *Service) finishTouched(ctx context.Context, root string, touched map[string]bool) error {
	assigned, err := Assignments.List(ctx, s.db.Direct(), store.Query{Account: root})
	if err != nil {
		return err
	}
	var about []*Assignment
	for _, a := range assigned {
		switch {
		case a.unfinished(): // its own job will: what it waited for may have left
			if err := scheduleAssignment(ctx, s.db, a, time.Time{}); err != nil {
				return err
			}
		case touched[a.Template()] || a.Status != Succeeded:
			about = append(about, a)
			delete(touched, a.Template())
		}
	}
	return s.finish(ctx, root, about...)
}

// markSynced writes down the places that accounts were reconciled at, and of
// those that were put off when to try again. A move that came meanwhile has a
// higher version and is found by the next look.
func (s *Service) markSynced(ctx context.Context, moved []*enterprise.Member, off map[string]bool) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		for _, m := range moved {
			if err := s.markOne(ctx, tx, m, off[m.ID]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) markOne(ctx context.Context, tx store.Tx, m *enterprise.Member, off bool) error {
	ev := store.Event{Action: "enterprise.account.update-templates", Message: "Enterprise IAM: account " + m.Name +
		" is in step with its place"}
	if off {
		ev.Message = "Enterprise IAM: account " + m.Name + " was put off by an internal error"
	}
	x, err := Synceds.Get(ctx, tx, m.Account, m.ID)
	absent := errors.Is(err, fault.NotFound)
	if err != nil && !absent {
		return err
	}
	if absent {
		x = &Synced{Meta: store.Meta{Account: m.Account, ID: m.ID}}
	}
	switch {
	case off:
		x.Retry, x.Tried = x.Retry.next(s.now()), m.Version
	case x.Place == m.Version:
		return nil
	default:
		x.Place, x.Retry, x.Tried = m.Version, Retry{}, 0
	}
	if absent {
		return Synceds.Create(ctx, tx, x, ev)
	}
	return Synceds.Update(ctx, tx, x, ev)
}
