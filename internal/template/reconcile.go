package template

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// batch is how many accounts share a transaction. An account costs about ten
// rows; 20 of them keep a transaction in the low milliseconds, so that other
// writers wait no longer than that, and pay one sync of the disk together.
const batch = 20

// idle bounds how long work can lie unseen when a wake-up was lost, for
// example because the node that wrote it died.
const idle = 15 * time.Second

// Wake tells the reconciler that there is work.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run reconciles until the context ends: assignments that are not finished and
// accounts whose place in a tree changed. Its state is in the store; a new Run
// goes on where another one stopped, wherever that was. It takes turns between
// enterprises, so that a large one does not starve the others. Errors are
// handed to report and tried again.
func (s *Service) Run(ctx context.Context, report func(error)) {
	cancel := s.DB.Subscribe(func(events []store.Event) {
		for _, e := range events {
			if e.Kind == Assignments.Kind() || e.Kind == enterprise.Members.Kind() || e.Op == store.Reset {
				s.Wake()
				return
			}
		}
	})
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		again := idle
		if err := s.Pass(ctx); err != nil && ctx.Err() == nil {
			report(fmt.Errorf("reconciling templates: %w", err))
			again = time.Second
		}
		timer.Reset(again)
	}
}

// Pass does all work that there is now, and returns when nothing is left.
func (s *Service) Pass(ctx context.Context) error {
	for {
		queues, err := s.pending(ctx)
		if err != nil || len(queues) == 0 {
			return err
		}
		var faults []error
		progress := false
		for _, q := range queues { // one item of each enterprise in turn
			if err := q.next(ctx); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				faults = append(faults, err)
				continue
			}
			progress = true
		}
		if !progress {
			return errors.Join(faults...)
		}
	}
}

// queue is the next piece of work of one enterprise.
type queue struct {
	root string
	next func(context.Context) error
}

// pending finds for each enterprise its oldest unfinished assignment, or else
// the accounts whose place changed.
func (s *Service) pending(ctx context.Context) ([]queue, error) {
	roots, err := enterprise.Enterprises.List(ctx, s.DB.Direct(), store.Query{})
	if err != nil {
		return nil, err
	}
	var out []queue
	for _, e := range roots {
		all, err := Assignments.List(ctx, s.DB.Direct(), store.Query{Account: e.Account})
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(a *Assignment) bool { return a.Status == Accepted || a.Status == InProgress })
		if i >= 0 {
			assignmentID := all[i].ID
			out = append(out, queue{e.Account, func(ctx context.Context) error { return s.run(ctx, assignmentID) }})
			continue
		}
		moved, err := s.moved(ctx, e.Account)
		if err != nil {
			return nil, err
		}
		if len(moved) > 0 {
			root := e.Account
			out = append(out, queue{root, func(ctx context.Context) error { return s.sync(ctx, root, moved) }})
		}
	}
	return out, nil
}

// moved gives the accounts of a tree whose place is newer than the one that
// they were reconciled at.
func (s *Service) moved(ctx context.Context, root string) ([]*enterprise.Member, error) {
	var out []*enterprise.Member
	err := s.DB.View(ctx, func(r store.Reader) error {
		synced, err := Synceds.List(ctx, r, store.Query{Account: root})
		if err != nil {
			return err
		}
		at := make(map[string]int64, len(synced))
		for _, x := range synced {
			at[x.ID] = x.Place
		}
		members, err := enterprise.Members.List(ctx, r, store.Query{Account: root})
		if err != nil {
			return err
		}
		for _, m := range members {
			if at[m.ID] != m.Version {
				out = append(out, m)
			}
		}
		return nil
	})
	return out, err
}

// run works an assignment to its end: every account that it covers, or covered,
// then its status.
func (s *Service) run(ctx context.Context, assignmentID string) error {
	a, err := assignmentOf(ctx, s.DB.Direct(), "", assignmentID)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	todo, err := s.todo(ctx, a)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(todo, batch) {
		if err := s.settleAll(ctx, chunk, a); err != nil {
			return err
		}
	}
	return s.finish(ctx, a)
}

// todo gives the accounts in which the assignment's present revision is not
// settled yet.
func (s *Service) todo(ctx context.Context, a *Assignment) ([]string, error) {
	done := map[string]bool{}
	var out []string
	results, err := s.Results(ctx, a)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		if r.Revision == a.Revision {
			done[r.Owner] = true
		} else {
			out = append(out, r.Owner)
		}
	}
	known := map[string]bool{}
	for _, x := range out {
		known[x] = true
	}
	err = s.Tree.EachMember(ctx, a.Account, enterprise.Filter{}, nil, func(m *enterprise.Member) (bool, error) {
		if !done[m.ID] && !known[m.ID] && eligible(m) && rank(a, m) >= 0 && a.Operation != OpRemove {
			out = append(out, m.ID)
		}
		return true, nil
	})
	return out, err
}

// settleAll settles accounts in one transaction. When one of them refuses, each
// gets a transaction of its own, so that the others are not held up and none is
// half made.
func (s *Service) settleAll(ctx context.Context, accounts []string, a *Assignment) error {
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		for _, accountID := range accounts {
			if err := s.settleAccount(ctx, tx, a.Account, accountID, a.Template()); err != nil {
				return err
			}
		}
		return nil
	})
	var refusal accountFault
	if !errors.As(err, &refusal) {
		return err
	}
	for _, accountID := range accounts {
		if err := s.settleOne(ctx, a.Account, accountID, a.Template()); err != nil {
			return err
		}
	}
	return nil
}

// settleOne settles one account and writes a refusal down.
func (s *Service) settleOne(ctx context.Context, root, accountID, templateID string) error {
	err := s.DB.Update(ctx, func(tx store.Tx) error { return s.settleAccount(ctx, tx, root, accountID, templateID) })
	var refusal accountFault
	if !errors.As(err, &refusal) {
		return err
	}
	return s.DB.Update(ctx, func(tx store.Tx) error {
		m, err := enterprise.Members.Get(ctx, tx, root, accountID)
		if err != nil {
			return err
		}
		assigned, err := Assignments.List(ctx, tx, store.Query{Account: root, Parent: templateID})
		if err != nil {
			return err
		}
		winner := winnerOf(assigned, m)
		if winner == nil {
			// What refuses to be taken away stays with the assignment that is leaving.
			i := slices.IndexFunc(assigned, func(a *Assignment) bool { return a.Operation == OpRemove })
			if i < 0 {
				return nil
			}
			winner = assigned[i]
		}
		return putResult(ctx, tx, winner, accountID, Result{Revision: winner.Revision, Status: Failed, Error: wireError(refusal.cause)})
	})
}

func (s *Service) settleAccount(ctx context.Context, tx store.Tx, root, accountID, templateID string) error {
	m, err := enterprise.Members.Get(ctx, tx, root, accountID)
	if err != nil {
		return err
	}
	return s.settle(ctx, tx, m, templateID)
}

// finish gives the assignment, and those that it displaced or reinstated, the
// status that their results add up to. A removed one disappears.
func (s *Service) finish(ctx context.Context, a *Assignment) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		all, err := Assignments.List(ctx, tx, store.Query{Account: a.Account, Parent: a.Template()})
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
	if a.Operation == OpRemove && len(results) == 0 {
		return Assignments.Delete(ctx, tx, a, s.assignmentEvent(k, "remove", t, a))
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

// sync settles accounts whose place changed: whatever is assigned in the tree
// or held by the account.
func (s *Service) sync(ctx context.Context, root string, moved []*enterprise.Member) error {
	assigned, err := Assignments.List(ctx, s.DB.Direct(), store.Query{Account: root})
	if err != nil {
		return err
	}
	touched := map[string]*Assignment{}
	for _, m := range moved {
		held, err := Helds.List(ctx, s.DB.Direct(), store.Query{Account: m.ID})
		if err != nil {
			return err
		}
		templates := map[string]bool{}
		for _, h := range held {
			templates[h.ID] = true
		}
		for _, a := range assigned {
			if rank(a, m) >= 0 || templates[a.Template()] {
				templates[a.Template()] = true
				touched[a.Template()] = a
			}
		}
		for _, templateID := range sorted(templates) {
			if err := s.settleOne(ctx, root, m.ID, templateID); err != nil {
				return err
			}
		}
		if err := s.markSynced(ctx, root, m); err != nil {
			return err
		}
	}
	for _, a := range touched {
		if err := s.finish(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func sorted(set map[string]bool) []string {
	out := make([]string, 0, len(set))
	for x := range set {
		out = append(out, x)
	}
	slices.Sort(out)
	return out
}

// markSynced writes down the place that an account was reconciled at. A move
// that came meanwhile has a higher version and is found by the next pass.
func (s *Service) markSynced(ctx context.Context, root string, m *enterprise.Member) error {
	ev := store.Event{Action: "enterprise.account.update-templates", Message: "Enterprise IAM: account " + m.Name + " is in step with its place"}
	return s.DB.Update(ctx, func(tx store.Tx) error {
		x, err := Synceds.Get(ctx, tx, root, m.ID)
		if errors.Is(err, fault.NotFound) {
			return Synceds.Create(ctx, tx, &Synced{Meta: store.Meta{Account: root, ID: m.ID}, Place: m.Version}, ev)
		}
		if err != nil {
			return err
		}
		x.Place = m.Version
		return Synceds.Update(ctx, tx, x, ev)
	})
}
