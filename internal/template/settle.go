package template

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// accountFault is a reason why one account cannot hold a template; it is
// written down in the account's result instead of being retried.
type accountFault struct{ cause *fault.Error }

func (e accountFault) Error() string { return "account refuses template: " + e.cause.Error() }

// retryable tells whether an error says nothing about the account.
func retryable(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, fault.Unavailable) || errors.Is(err, fault.Stale) || fault.Of(err).Kind == fault.Internal
}

// plan is what one transaction knows of a template and its assignments; what it
// reads once serves all accounts that the transaction settles.
type plan struct {
	tx       store.Tx
	root     string // the enterprise account
	template string
	assigned []*Assignment
	sources  map[Reference]*Source
}

// planned runs f in a transaction, with what it knows.
func (s *Service) planned(ctx context.Context, root, templateID string, f func(*plan) error) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		assigned, err := Assignments.List(ctx, tx, store.Query{Account: root, Parent: templateID})
		if err != nil {
			return err
		}
		return f(&plan{tx: tx, root: root, template: templateID, assigned: assigned, sources: map[Reference]*Source{}})
	})
}

// source gives a version with its template and what it says.
func (s *Service) source(ctx context.Context, p *plan, ref Reference) (*Source, error) {
	if src := p.sources[ref]; src != nil {
		return src, nil
	}
	t, err := Templates.Get(ctx, p.tx, p.root, ref.ID)
	if err != nil {
		return nil, fmt.Errorf("reading template: %w", err)
	}
	v, err := Versions.Get(ctx, p.tx, p.root, VersionID(ref.ID, ref.Version))
	if err != nil {
		return nil, fmt.Errorf("reading version: %w", err)
	}
	doc, err := s.document(v)
	if err != nil {
		return nil, err
	}
	p.sources[ref] = &Source{t, v, doc}
	return p.sources[ref], nil
}

// settle makes one account hold of the plan's template exactly what is assigned
// to it. It compares what should be with what is, so that it can run at any
// time, any number of times, after any interruption.
func (s *Service) settle(ctx context.Context, p *plan, m *enterprise.Member) error {
	held, err := Helds.Get(ctx, p.tx, m.ID, p.template)
	if errors.Is(err, fault.NotFound) {
		held, err = nil, nil
	}
	if err != nil {
		return err
	}
	winner := winnerOf(p.assigned, m)
	switch {
	case winner == nil && held != nil:
		err = s.lift(ctx, p.tx, held)
	case winner != nil && (held == nil || held.Assignment != winner.ID || held.Revision != winner.Revision):
		err = s.lay(ctx, p, m, winner, held)
	}
	if err != nil {
		return err
	}
	return recordLosers(ctx, p, m, winner)
}

// winnerOf picks the assignment that counts for an account: the highest place
// in the tree wins, whatever the versions and whichever came first.
func winnerOf(assigned []*Assignment, m *enterprise.Member) *Assignment {
	if !eligible(m) {
		return nil
	}
	var best *Assignment
	bestRank := -1
	for _, a := range assigned {
		if a.Operation == OpRemove {
			continue
		}
		if r := rank(a, m); r >= 0 && (best == nil || r < bestRank) {
			best, bestRank = a, r
		}
	}
	return best
}

// rank is the depth of an assignment's target above an account, 0 for the
// enterprise; -1 when it does not cover the account.
func rank(a *Assignment, m *enterprise.Member) int {
	switch a.TargetType {
	case TargetEnterprise:
		return 0
	case TargetGroup:
		if i := slices.Index(m.Above, a.Target()); i >= 0 {
			return i + 1
		}
	case TargetAccount:
		if a.Target() == m.ID {
			return len(m.Above) + 1
		}
	}
	return -1
}

// lay applies the winner's version to the account and writes down what came of
// it.
func (s *Service) lay(ctx context.Context, p *plan, m *enterprise.Member, a *Assignment, held *Held) error {
	src, err := s.source(ctx, p, Reference{a.Kind(), a.Template(), a.Number})
	if err != nil {
		return refusal(err)
	}
	acct, err := account.Accounts.Get(ctx, p.tx, m.ID, m.ID)
	if err != nil {
		return err
	}
	l := &Lay{Source: *src, Tx: p.tx, Account: acct, Assignment: a, Rights: given(a.Given)}
	if held != nil {
		if l.Before, err = s.makeRoom(ctx, p.tx, m.ID, held.Made, src.Version.References); err != nil {
			return refusal(err)
		}
	}
	made, err := s.applyAll(ctx, p, l)
	if err != nil {
		return refusal(err)
	}
	for _, old := range slices.Backward(l.Before) {
		if slices.ContainsFunc(made, func(n Made) bool { return n.Kind == old.Kind && n.ID == old.ID }) {
			continue
		}
		if err := s.kind(old.Kind).Remove(ctx, p.tx, m.ID, old); err != nil {
			return refusal(err)
		}
	}
	if err := noteHeld(ctx, p.tx, m, a, held, made); err != nil {
		return err
	}
	return putResult(ctx, p.tx, a, m.ID, Result{Revision: a.Revision, Status: Succeeded, Made: made, Parts: partsOf(src.Version, made)})
}

// makeRoom takes away what came with another template than the new version refers
// to and would keep that out, and gives the rest of what was made. Everything
// else goes after the new has come, because it may rest on the old until then.
func (s *Service) makeRoom(ctx context.Context, tx store.Tx, accountID string, made []Made, refs []Reference) ([]Made, error) {
	var kept []Made
	for _, x := range made {
		stays := x.Template == "" || slices.ContainsFunc(refs, func(r Reference) bool { return r.ID == x.Template })
		if stays || !s.kind(x.Kind).Sole {
			kept = append(kept, x)
			continue
		}
		if err := s.kind(x.Kind).Remove(ctx, tx, accountID, x); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// refusal is an error as the account's, unless it says nothing about the account.
func refusal(err error) error {
	if retryable(err) {
		return err
	}
	return accountFault{fault.Of(err)}
}

// applyAll applies a version and then the templates that it refers to, which
// are for the object that the version made.
func (s *Service) applyAll(ctx context.Context, p *plan, l *Lay) ([]Made, error) {
	made, err := s.apply(ctx, p, l)
	if err != nil {
		return nil, err
	}
	for _, ref := range l.Version.References {
		src, err := s.source(ctx, p, ref)
		if err != nil {
			return nil, err
		}
		sub := &Lay{Source: *src, Tx: l.Tx, Account: l.Account, Assignment: l.Assignment, Before: l.Before, Root: l.Version, Owner: made[0].ID,
			Rights: l.Rights}
		more, err := s.apply(ctx, p, sub)
		if err != nil {
			return nil, err
		}
		more[0].Template, more[0].Number = ref.ID, ref.Version
		made = append(made, more...)
	}
	return made, nil
}

func (s *Service) apply(ctx context.Context, p *plan, l *Lay) ([]Made, error) {
	for _, ref := range l.Document.Uses() {
		src, err := s.source(ctx, p, ref)
		if err != nil {
			return nil, err
		}
		l.Uses = append(l.Uses, *src)
	}
	return l.Document.Apply(ctx, l)
}

func partsOf(v *Version, made []Made) []*Part {
	var out []*Part
	for _, ref := range v.References {
		p := &Part{Reference: ref, Status: Succeeded}
		for _, x := range made {
			if x.Template == ref.ID && x.Kind == ref.Kind {
				p.Made = x.ID
			}
		}
		out = append(out, p)
	}
	return out
}

func noteHeld(ctx context.Context, tx store.Tx, m *enterprise.Member, a *Assignment, held *Held, made []Made) error {
	ev := store.Event{Action: "enterprise.account.update-templates", Message: "Enterprise IAM: account " + m.Name + " holds template " +
		a.Template()}
	if held != nil {
		held.Assignment, held.Number, held.Revision, held.Made = a.ID, a.Number, a.Revision, made
		return Helds.Update(ctx, tx, held, ev)
	}
	return Helds.Create(ctx, tx, &Held{Meta: store.Meta{Account: m.ID, ID: a.Template(), Parent: a.Account},
		Assignment: a.ID, Number: a.Number, Revision: a.Revision, Made: made}, ev)
}

// lift takes away all that an account holds of a template, last made first.
func (s *Service) lift(ctx context.Context, tx store.Tx, held *Held) error {
	for _, x := range slices.Backward(held.Made) {
		if err := s.kind(x.Kind).Remove(ctx, tx, held.Account, x); err != nil {
			return refusal(err)
		}
	}
	ev := store.Event{Action: "enterprise.account.detach-templates", Message: "Enterprise IAM: account lost template " + held.ID}
	return Helds.Delete(ctx, tx, held, ev)
}

// recordLosers writes down what the other assignments of the template came to
// in the account: superseded where they cover it, nothing where they do not.
func recordLosers(ctx context.Context, p *plan, m *enterprise.Member, winner *Assignment) error {
	for _, a := range p.assigned {
		if winner != nil && a.ID == winner.ID {
			continue
		}
		var err error
		if a.Operation != OpRemove && eligible(m) && rank(a, m) >= 0 {
			err = putResult(ctx, p.tx, a, m.ID, Result{Revision: a.Revision, Status: Superseded})
		} else {
			err = dropResult(ctx, p.tx, a, m.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putResult writes the result of an assignment in an account if it differs.
func putResult(ctx context.Context, tx store.Tx, a *Assignment, accountID string, r Result) error {
	old, err := Results.Get(ctx, tx, a.Account, ResultID(a.ID, accountID))
	if errors.Is(err, fault.NotFound) {
		r.Meta = store.Meta{Account: a.Account, ID: ResultID(a.ID, accountID), Parent: a.ID, Owner: accountID}
		return Results.Create(ctx, tx, &r, resultEvent(a, accountID, r.Status))
	}
	if err != nil {
		return err
	}
	if old.Revision == r.Revision && old.Status == r.Status && r.Status == Superseded {
		return nil
	}
	r.Meta = old.Meta
	return Results.Update(ctx, tx, &r, resultEvent(a, accountID, r.Status))
}

func dropResult(ctx context.Context, tx store.Tx, a *Assignment, accountID string) error {
	old, err := Results.Get(ctx, tx, a.Account, ResultID(a.ID, accountID))
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return Results.Delete(ctx, tx, old, resultEvent(a, accountID, "gone"))
}

func resultEvent(a *Assignment, accountID string, status Status) store.Event {
	return store.Event{Action: "enterprise.account.attach-templates", Params: []string{"status"},
		Message: fmt.Sprintf("Enterprise IAM: assignment %s in account %s: %s", a.ID, accountID, status)}
}

// wireError words an account's fault for its result.
func wireError(e *fault.Error) *Error {
	code := e.Code
	switch {
	case e.Number != "":
		code = e.Number
	case code == "":
		code = string(e.Kind)
	}
	status := 400
	switch e.Kind {
	case fault.Conflict, fault.Stale, fault.Limit:
		status = 409
	case fault.Forbidden:
		status = 403
	case fault.NotFound:
		status = 404
	case fault.Internal:
		return &Error{Name: string(e.Kind), Code: "internal_error", Status: 500,
			Message: "An internal error keeps the account from being settled. It is tried again by itself."}
	}
	return &Error{Name: string(e.Kind), Code: code, Message: e.Message, Status: status}
}
