package template

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Wish says which version of a template to assign where.
type Wish struct {
	Number     int
	TargetType string
	Target     string
	Subject    *Subject
}

// Assign lays a committed version of a template on a target. An account target
// is done when it returns; of a group target the reconciler takes care.
//
// What is decided here holds for all accounts that the assignment covers, now and
// later; the reconciler asks nobody. Beside the action itself, which the caller
// has asked about, it needs sight of the enterprise. Whatever comes with the
// template must be theirs to assign by itself, and who asks must hold in the
// enterprise account what an authorization of the template gives to a service;
// what they hold of its roles is noted, for accounts whose own authorizations
// name them.
func (s *Service) Assign(ctx context.Context, who asker.Asker, t *Template, w Wish) (*Assignment, error) {
	if err := sees(ctx, who, t.Account, NoTemplate(t.ID)); err != nil {
		return nil, err
	}
	src, with, err := s.assignable(ctx, who, t, w.Number)
	if err != nil {
		return nil, err
	}
	k := s.kind(t.Kind())
	var a *Assignment
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if err := hold(ctx, tx, src, with); err != nil {
			return err
		}
		if err := checkTarget(ctx, tx, t.Account, w.TargetType, w.Target); err != nil {
			return err
		}
		if err := s.noOther(ctx, tx, k, t, w.Target); err != nil {
			return err
		}
		a = &Assignment{Meta: store.Meta{Account: t.Account, ID: s.ids.New(k.AssignmentPrefix), Parent: t.ID, Owner: w.Target, Name: k.Name},
			Number: w.Number, TargetType: w.TargetType, Status: Accepted, Operation: OpAssign, Revision: 1, Subject: w.Subject, Given: with.given()}
		if err := s.order(ctx, tx, a); err != nil {
			return err
		}
		return Assignments.Create(ctx, tx, a, s.assignmentEvent(k, "assign", t, a))
	})
	if err != nil {
		return nil, err
	}
	return s.start(ctx, a)
}

// start does account targets at once and leaves the others to the reconciler.
func (s *Service) start(ctx context.Context, a *Assignment) (*Assignment, error) {
	if a.TargetType != TargetAccount {
		return a, nil
	}
	if _, err := s.work(ctx, a, func(int, int, string) {}); err != nil {
		return nil, err
	}
	now, err := s.Assignment(ctx, a.Kind(), a.ID)
	if errors.Is(err, fault.NotFound) { // removed for good
		return a, nil
	}
	return now, err
}

func (s *Service) assignmentEvent(k *Kind, verb string, t *Template, a *Assignment) store.Event {
	return store.Event{Action: k.Action + "." + verb, CRN: CRN(t), Name: t.Name, Params: []string{"assignment"},
		Message: fmt.Sprintf("Enterprise IAM: %s %s %s version %d, target %s", verb, k.Title, t.Name, a.Number, a.Target())}
}

// assignable gives a version of a template, which must be committed and complete,
// to one who may give what it gives, and what comes with it.
func (s *Service) assignable(ctx context.Context, who asker.Asker, t *Template, number int) (src Source, with *lent, err error) {
	src.Template = t
	if src.Version, err = Versions.Get(ctx, s.db.Direct(), t.Account, VersionID(t.ID, number)); errors.Is(err, fault.NotFound) {
		return src, nil, NoVersion(t.ID, strconv.Itoa(number))
	}
	if err != nil {
		return src, nil, err
	}
	if !src.Version.Committed {
		return src, nil, &fault.Error{Kind: fault.Invalid, Code: "not_committed", Field: "template_version",
			Message: fmt.Sprintf("Version %d of template '%s' is not committed and cannot be assigned.", number, t.ID)}
	}
	if src.Document, err = s.document(src.Version); err != nil {
		return src, nil, err
	}
	if err := src.Document.Check(true); err != nil {
		return src, nil, err
	}
	with = new(lent)
	return src, with, s.mayGive(ctx, who, src.Version, src.Document, with)
}

// hold demands that a version, and all that comes with it, is still as it was
// found.
func hold(ctx context.Context, tx store.Tx, src Source, with *lent) error {
	for _, v := range append(with.versions, src.Version) {
		if err := Versions.Hold(ctx, tx, v); err != nil {
			return err
		}
	}
	return nil
}

// checkTarget demands a node of the enterprise that can take assignments.
func checkTarget(ctx context.Context, r store.Reader, root, typ, target string) error {
	switch typ {
	case TargetAccount:
		m, err := enterprise.Members.Get(ctx, r, root, target)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		if err != nil || !eligible(m) {
			return &fault.Error{Kind: fault.Invalid, Code: "invalid_target", Field: "target", Message: "The account id, " + target + ", is invalid",
				Details: "It must be an active account of the enterprise, not its root, with enterprise-managed IAM switched on."}
		}
	case TargetGroup:
		g, err := enterprise.Groups.Get(ctx, r, root, target)
		if errors.Is(err, fault.NotFound) || err == nil && g.State == enterprise.Deleted {
			return &fault.Error{Kind: fault.Invalid, Code: "invalid_target", Field: "target",
				Message: "The account group id, " + target + ", is invalid"}
		}
		return err
	case TargetEnterprise:
		e, err := enterprise.Enterprises.Get(ctx, r, root, target)
		if errors.Is(err, fault.NotFound) || err == nil && e.Account != root {
			return &fault.Error{Kind: fault.Invalid, Code: "invalid_target", Field: "target",
				Message: "The enterprise id, " + target + ", is invalid"}
		}
		return err
	default:
		return fault.Field("target_type", "Property 'target_type' must be Account or AccountGroup.")
	}
	return nil
}

// eligible tells whether templates may be laid on an account.
func eligible(m *enterprise.Member) bool {
	return m.Managed && !m.Root && m.State == account.Active
}

// noOther refuses a second assignment of one template to one target and, for
// kinds that allow only one, of another template to it.
func (s *Service) noOther(ctx context.Context, tx store.Tx, k *Kind, t *Template, target string) error {
	same, err := Assignments.List(ctx, tx, store.Query{Account: t.Account, Name: k.Name, Owner: target})
	if err != nil {
		return err
	}
	for _, a := range same {
		if a.Template() == t.ID {
			return &fault.Error{Kind: fault.Conflict, Code: "assignment_conflict",
				Message: "The template is assigned to this target already (" + a.ID + "). Update that assignment instead."}
		}
		if k.OneOnly {
			return &fault.Error{Kind: fault.Conflict, Code: "assignment_conflict",
				Message: "Another " + k.Title + " is assigned to this target (" + a.ID + "). Remove it first."}
		}
	}
	return nil
}

// Assignment gives an assignment of a kind.
func (s *Service) Assignment(ctx context.Context, kind, assignmentID string) (*Assignment, error) {
	a, err := Assignments.Get(ctx, s.db.Direct(), "", assignmentID)
	if errors.Is(err, fault.NotFound) || err == nil && a.Kind() != kind {
		return nil, NoAssignment(assignmentID)
	}
	return a, err
}

// ListAssignments gives the assignments of a kind in a root account, oldest first.
func (s *Service) ListAssignments(ctx context.Context, kind, root string) ([]*Assignment, error) {
	return Assignments.List(ctx, s.db.Direct(), store.Query{Account: root, Name: kind})
}

// Results gives what an assignment came to, account by account.
func (s *Service) Results(ctx context.Context, a *Assignment) ([]*Result, error) {
	return Results.List(ctx, s.db.Direct(), store.Query{Account: a.Account, Parent: a.ID})
}

// Progress tells in how many of the accounts that an assignment is for its
// present wish is settled. Of a removal the accounts that have lost the
// template are no longer among them.
func (s *Service) Progress(ctx context.Context, a *Assignment) (settled, accounts int, err error) {
	todo, err := s.todo(ctx, a)
	return todo.settled, todo.settled + len(todo.ready) + todo.waiting, err
}

// Reassign lays another version on the target, or the same one again, which
// repairs what failed or was changed. Who asks may give no more than by Assign.
func (s *Service) Reassign(ctx context.Context, who asker.Asker, found *Assignment, ifMatch string, number int) (*Assignment, error) {
	if err := sees(ctx, who, found.Account, NoAssignment(found.ID)); err != nil {
		return nil, err
	}
	if err := s.idle(ctx, found); err != nil {
		return nil, err
	}
	if err := found.Match(ifMatch); err != nil {
		return nil, err
	}
	t, err := s.Template(ctx, found.Kind(), found.Template())
	if err != nil {
		return nil, err
	}
	src, with, err := s.assignable(ctx, who, t, number)
	if err != nil {
		return nil, err
	}
	a, err := Assignments.Edit(ctx, s.db, found, func(tx store.Tx, a *Assignment) (store.Event, error) {
		a.Number, a.Operation, a.Given = number, OpUpdate, with.given()
		if err := hold(ctx, tx, src, with); err != nil {
			return store.Event{}, err
		}
		return s.wished(ctx, tx, "assignment-update", t, a)
	})
	if err != nil {
		return nil, err
	}
	return s.start(ctx, a)
}

// Unassign takes the template from the target; the assignment is gone when all
// accounts have lost it. Like assigning it needs sight of the enterprise.
func (s *Service) Unassign(ctx context.Context, who asker.Asker, found *Assignment) error {
	if err := sees(ctx, who, found.Account, NoAssignment(found.ID)); err != nil {
		return err
	}
	if err := s.idle(ctx, found); err != nil {
		return err
	}
	a, err := Assignments.Edit(ctx, s.db, found, func(tx store.Tx, a *Assignment) (ev store.Event, err error) {
		t, err := Templates.Get(ctx, tx, a.Account, a.Template())
		if err != nil {
			return ev, err
		}
		a.Operation = OpRemove
		return s.wished(ctx, tx, "remove", t, a)
	})
	if err != nil {
		return err
	}
	_, err = s.start(ctx, a)
	return err
}

// wished makes an assignment's next revision work to do.
func (s *Service) wished(ctx context.Context, tx store.Tx, verb string, t *Template, a *Assignment) (store.Event, error) {
	a.Status = InProgress
	a.Revision++
	return s.assignmentEvent(s.kind(t.Kind()), verb, t, a), s.order(ctx, tx, a)
}

// idle refuses to wish something new of an assignment in progress, unless all
// that it has left are accounts that an internal error put off: the error may be
// without end and must not keep the enterprise from it.
func (s *Service) idle(ctx context.Context, a *Assignment) error {
	if !a.unfinished() {
		return nil
	}
	if a.Status == InProgress {
		todo, err := s.todo(ctx, a)
		if err != nil || len(todo.ready) == 0 && todo.waiting > 0 {
			return err
		}
	}
	return &fault.Error{Kind: fault.Conflict, Code: "in_progress", Message: "The assignment is in progress. Wait until it has finished."}
}
