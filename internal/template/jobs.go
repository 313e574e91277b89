package template

import (
	"context"
	"errors"
	"slices"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// batch is how many accounts share a transaction. An account costs about ten
// rows and one to two milliseconds; 20 of them keep a transaction so short that
// other writers hardly wait, and pay one sync of the disk together.
const batch = 20

// run works an assignment to its end.
func (s *Service) run(ctx context.Context, assignmentID string) error {
	a, err := assignmentOf(ctx, s.DB.Direct(), "", assignmentID)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	j, err := s.assignmentJob(ctx, a)
	for done := false; err == nil && !done; {
		done, err = j.step(ctx)
	}
	return err
}

// assignmentJob settles every account that an assignment covers, or covered,
// and then gives it its status.
func (s *Service) assignmentJob(ctx context.Context, a *Assignment) (*job, error) {
	todo, err := s.todo(ctx, a)
	if err != nil {
		return nil, err
	}
	begun := a.Status != Accepted || a.TargetType == TargetAccount
	return &job{began: s.Now(), left: func() int { return len(todo) }, step: func(ctx context.Context) (bool, error) {
		if !begun {
			begun = true
			return false, s.begin(ctx, a)
		}
		if len(todo) == 0 {
			return true, s.finish(ctx, a.Account, a)
		}
		n := min(batch, len(todo))
		if err := s.settleAll(ctx, a.Account, todo[:n], a.Template()); err != nil {
			return false, err
		}
		todo = todo[n:]
		return false, nil
	}}, nil
}

// begin shows that an accepted assignment is being worked on.
func (s *Service) begin(ctx context.Context, seen *Assignment) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		a, err := assignmentOf(ctx, tx, "", seen.ID)
		if errors.Is(err, fault.NotFound) || err == nil && a.Status != Accepted {
			return nil
		}
		if err != nil {
			return err
		}
		t, err := Templates.Get(ctx, tx, a.Account, a.Template())
		if err != nil {
			return err
		}
		a.Status = InProgress
		return Assignments.Update(ctx, tx, a, s.assignmentEvent(s.Kind(a.Kind()), "assignment-update", t, a))
	})
}

// todo gives the accounts in which the assignment's present revision is not
// settled yet.
func (s *Service) todo(ctx context.Context, a *Assignment) ([]string, error) {
	results, err := s.Results(ctx, a)
	if err != nil {
		return nil, err
	}
	var out []string
	known := make(map[string]bool, len(results))
	for _, r := range results {
		known[r.Owner] = true
		if r.Revision != a.Revision {
			out = append(out, r.Owner)
		}
	}
	if a.Operation == OpRemove {
		return out, nil
	}
	err = s.Tree.EachMember(ctx, a.Account, enterprise.Filter{}, nil, func(m *enterprise.Member) (bool, error) {
		if !known[m.ID] && eligible(m) && rank(a, m) >= 0 {
			out = append(out, m.ID)
		}
		return true, nil
	})
	return out, err
}

// settleAll settles accounts in one transaction. When one of them refuses, each
// gets a transaction of its own, so that the others are not held up and none is
// half made.
func (s *Service) settleAll(ctx context.Context, root string, accounts []string, templateID string) error {
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		p, err := newPlan(ctx, tx, root, templateID)
		if err != nil {
			return err
		}
		for _, accountID := range accounts {
			if err := s.settleAccount(ctx, p, accountID); err != nil {
				return err
			}
		}
		return nil
	})
	var refusal accountFault
	if err == nil {
		s.Meter.Settled(len(accounts), 0)
	}
	if !errors.As(err, &refusal) {
		return err
	}
	for _, accountID := range accounts {
		if err := s.settleOne(ctx, root, accountID, templateID); err != nil {
			return err
		}
	}
	return nil
}

// settleOne settles one account and writes a refusal down.
func (s *Service) settleOne(ctx context.Context, root, accountID, templateID string) error {
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		p, err := newPlan(ctx, tx, root, templateID)
		if err != nil {
			return err
		}
		return s.settleAccount(ctx, p, accountID)
	})
	var refusal accountFault
	if err == nil {
		s.Meter.Settled(1, 0)
	}
	if !errors.As(err, &refusal) {
		return err
	}
	s.Meter.Settled(0, 1)
	return s.DB.Update(ctx, func(tx store.Tx) error {
		p, err := newPlan(ctx, tx, root, templateID)
		if err != nil {
			return err
		}
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
		// What refuses to be taken away stays with the assignment that is leaving.
		i := slices.IndexFunc(p.assigned, func(a *Assignment) bool { return a.Operation == OpRemove })
		if i < 0 {
			return nil
		}
		return putResult(ctx, p.tx, p.assigned[i], accountID, Result{Revision: p.assigned[i].Revision, Status: Failed, Error: why})
	}
	if err := putResult(ctx, p.tx, winner, accountID, Result{Revision: winner.Revision, Status: Failed, Error: why}); err != nil {
		return err
	}
	return recordLosers(ctx, p, m, winner)
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
	return s.DB.Update(ctx, func(tx store.Tx) error {
		for _, a := range about {
			all, err := Assignments.List(ctx, tx, store.Query{Account: root, Parent: a.Template()})
			if err != nil {
				return err
			}
			for _, x := range all {
				if x.ID == a.ID && x.Revision != a.Revision {
					continue // a newer wish came meanwhile and has its own run
				}
				if x.ID != a.ID && (x.Status == Accepted || x.Status == InProgress) {
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
	k := s.Kind(a.Kind())
	t, err := Templates.Get(ctx, tx, a.Account, a.Template())
	if err != nil {
		return err
	}
	status := statusOf(results)
	if a.Operation == OpRemove {
		if len(results) == 0 {
			return Assignments.Delete(ctx, tx, a, s.assignmentEvent(k, "remove", t, a))
		}
		status = Failed
	}
	if a.Status == status {
		return nil
	}
	a.Status = status
	return Assignments.Update(ctx, tx, a, s.assignmentEvent(k, "assignment-update", t, a))
}

func statusOf(results []*Result) Status {
	superseded := 0
	for _, r := range results {
		switch r.Status {
		case Failed:
			return Failed
		case Superseded:
			superseded++
		}
	}
	if superseded > 0 && superseded == len(results) {
		return Superseded
	}
	return Succeeded
}

// placesJob settles accounts whose place changed: whatever is assigned in the
// tree or held by them. They count as settled only after the statuses of the
// assignments were brought up to date, so that an end on the way repeats it.
func (s *Service) placesJob(root string, moved []*enterprise.Member) *job {
	settled, marked := 0, 0
	touched := map[string]bool{}
	return &job{began: s.Now(), left: func() int { return len(moved) - settled }, step: func(ctx context.Context) (bool, error) {
		if settled < len(moved) {
			next := moved[settled:min(settled+batch, len(moved))]
			if err := s.settleMoved(ctx, root, next, touched); err != nil {
				return false, err
			}
			settled += len(next)
			return false, nil
		}
		if marked == 0 {
			if err := s.finishTouched(ctx, root, touched); err != nil {
				return false, err
			}
		}
		next := moved[marked:min(marked+10*batch, len(moved))]
		marked += len(next)
		return marked == len(moved), s.markSynced(ctx, root, next)
	}}
}

// settleMoved settles some moved accounts, template by template.
func (s *Service) settleMoved(ctx context.Context, root string, moved []*enterprise.Member, touched map[string]bool) error {
	assigned, err := Assignments.List(ctx, s.DB.Direct(), store.Query{Account: root})
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
	for _, templateID := range sorted(accounts) {
		touched[templateID] = true
		if err := s.settleAll(ctx, root, accounts[templateID], templateID); err != nil {
			return err
		}
	}
	return nil
}

// concerns gives the templates that an account should hold, holds, or has a
// result of: a refusal leaves nothing else behind.
func (s *Service) concerns(ctx context.Context, m *enterprise.Member, assigned []*Assignment) (map[string]bool, error) {
	out := map[string]bool{}
	held, err := Helds.List(ctx, s.DB.Direct(), store.Query{Account: m.ID})
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		out[h.ID] = true
	}
	results, err := Results.List(ctx, s.DB.Direct(), store.Query{Account: m.Account, Owner: m.ID})
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

func sorted[V any](set map[string]V) []string {
	out := make([]string, 0, len(set))
	for x := range set {
		out = append(out, x)
	}
	slices.Sort(out)
	return out
}

// finishTouched brings the statuses of assignments up to date: of the templates
// that were settled, and of all that an account that left could have spoilt.
func (s *Service) finishTouched(ctx context.Context, root string, touched map[string]bool) error {
	assigned, err := Assignments.List(ctx, s.DB.Direct(), store.Query{Account: root})
	if err != nil {
		return err
	}
	var about []*Assignment
	for _, a := range assigned {
		if a.Status != Accepted && a.Status != InProgress && (touched[a.Template()] || a.Status != Succeeded) {
			about = append(about, a)
			delete(touched, a.Template())
		}
	}
	return s.finish(ctx, root, about...)
}

// markSynced writes down the places that accounts were reconciled at. A move
// that came meanwhile has a higher version and is found by the next look.
func (s *Service) markSynced(ctx context.Context, root string, moved []*enterprise.Member) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		for _, m := range moved {
			ev := store.Event{Action: "enterprise.account.update-templates", Message: "Enterprise IAM: account " + m.Name + " is in step with its place"}
			x, err := Synceds.Get(ctx, tx, root, m.ID)
			switch {
			case errors.Is(err, fault.NotFound):
				err = Synceds.Create(ctx, tx, &Synced{Meta: store.Meta{Account: root, ID: m.ID}, Place: m.Version}, ev)
			case err == nil && x.Place != m.Version:
				x.Place = m.Version
				err = Synceds.Update(ctx, tx, x, ev)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
